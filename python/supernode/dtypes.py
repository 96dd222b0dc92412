"""Element types, by the names of Python libraries and of nccl-tests."""

from __future__ import annotations

from dataclasses import dataclass

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

#: Other folded spellings by name.
_ALIASES = {
    "float16": ("half", "fp16"),
    "float32": ("float", "fp32"),
    "float64": ("double", "fp64"),
    "bfloat16": ("bf16",),
    "float8_e4m3": ("f8e4m3", "float8e4m3fn"),
    "float8_e5m2": ("f8e5m2",),
}


def parse_dtype(name: str) -> DType:
    """Return the element type of a name."""
    return DTYPES[canonical("dtype", name, {t: _ALIASES.get(t, ()) for t in DTYPES})]
