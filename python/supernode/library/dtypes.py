"""Element types, by the names of Python libraries and of nccl-tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supernode.names import canonical

__all__ = ["DTYPES", "DType", "parse_dtype"]


@dataclass(frozen=True)
class DType:
    """An element type.

    Parameters
    ----------
    name
        Name as in numpy and torch.
    bytes
        Size of one element.
    nccl_name
        Name in the tables of nccl-tests.
    """

    name: str
    bytes: int
    nccl_name: str


#: Types by name.
DTYPES = {
    t.name: t
    for t in (
        DType("int8", 1, "int8"),
        DType("uint8", 1, "uint8"),
        DType("int32", 4, "int32"),
        DType("uint32", 4, "uint32"),
        DType("int64", 8, "int64"),
        DType("uint64", 8, "uint64"),
        DType("float16", 2, "half"),
        DType("float32", 4, "float"),
        DType("float64", 8, "double"),
        DType("bfloat16", 2, "bfloat16"),
        DType("float8_e4m3", 1, "f8e4m3"),
        DType("float8_e5m2", 1, "f8e5m2"),
    )
}

#: Other folded spellings by name: those of nccl-tests, NumPy, PyTorch and JAX.
_ALIASES = {
    "float16": ("half", "fp16", "f16"),
    "float32": ("float", "single", "fp32", "f32"),
    "float64": ("double", "fp64", "f64"),
    "bfloat16": ("bf16",),
    "float8_e4m3": ("fp8", "float8", "fp8e4m3", "f8e4m3", "e4m3", "f8e4m3fn", "float8e4m3fn"),
    "float8_e5m2": ("fp8e5m2", "f8e5m2", "e5m2"),
    "int8": ("char", "i8"),
    "uint8": ("byte", "u8"),
    "int32": ("int", "i32"),
    "uint32": ("uint", "u32"),
    "int64": ("long", "i64"),
    "uint64": ("ulong", "u64"),
}


def parse_dtype(value: object) -> DType:
    """Return the element type of a name, or of a type object of NumPy or PyTorch.

    Raises
    ------
    SpecError
        If it is unknown; the message has the nearest name.
    """
    name = value if isinstance(value, str) else _name(value)
    return DTYPES[canonical("dtype", name, {t: _ALIASES.get(t, ()) for t in DTYPES})]


def _name(value: Any) -> Any:
    """Return the name of a type object, or the value itself."""
    import numpy as np  # only for what may be one of its own

    if isinstance(value, type) and issubclass(value, np.generic):
        return value.__name__
    if isinstance(value, np.dtype):
        return value.name
    # neither PyTorch nor JAX is imported for this
    return str(value).removeprefix("torch.") if type(value).__module__ == "torch" else value
