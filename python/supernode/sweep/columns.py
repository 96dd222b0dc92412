"""Parameters as columns of the frame, and as text that identifies them.

Quantities stand in base units (bytes, bit/s, ns), objects by name, long lists by a hash. Each parameter has one Arrow
type over the whole sweep, found from its values before anything runs.

**Invariant.** All parts of a sweep have the same types, so they are read as one frame, and no value fails to be
written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from supernode.errors import SupernodeError
from supernode.library.collectives import Collective
from supernode.quoting import quote
from supernode.spec import encode
from supernode.system import System
from supernode.units import RATE_UNITS, SIZE_UNITS, TIME_UNITS, parse_rate, parse_size, parse_time

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_array", "base_units", "column", "column_type", "digest", "identified"]

#: Parameters whose column says what ran; what was asked for is in ``asked.NAME``.
_ASKED = ("algorithm", "protocol", "fidelity")
#: Items of a list that a column shows; longer lists are told apart by a hash.
_MOST_ITEMS = 16


def base_units(name: str, value: Any) -> Any:
    """Return a value as it stands in the frame.

    Parameters
    ----------
    name
        The parameter. A ``size`` may be a plain number of bytes.
    value
        What the user gave, NumPy's scalars and arrays included.

    Raises
    ------
    UnitError
        If a size is none. Other values that are not valid stay as they are, and whatever takes them will say so.
    """
    if type(value) is int and 0 < value < 2**63:
        return value  # the most frequent kind, in any unit
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # of NumPy, which is not imported for this
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return parse_size(value) if name == "size" else value
    if isinstance(value, str):
        return _quantity(name, value)
    if isinstance(value, System):
        return value.label
    if isinstance(value, Collective):
        return value.name
    if isinstance(value, list | tuple):
        text = ",".join(map(_shown, value))
        return text if len(value) <= _MOST_ITEMS else f"{len(value)} values {digest(text)}"
    return _shown(value)


def identified(name: str, value: Any) -> Any:
    """Return a value so that no other value looks the same: of objects, name and content."""
    if type(value) is int:
        return base_units(name, value)
    if isinstance(value, System):
        return f"{value.label} {digest(encode(value.to_spec()))}"
    if isinstance(value, Collective):
        return {"name": value.name, **{f.name: identified(f.name, getattr(value, f.name)) for f in fields(value)}}
    return base_units(name, value)


def column(name: str) -> str:
    """Return the name of a parameter's column."""
    return f"asked.{name}" if name in _ASKED else name


def column_type(values: Iterable[Any]) -> str:
    """Return the Arrow type of a column of these values; several kinds, and numbers beyond 64 bits, become text."""
    kinds = {_kind(v) for v in values if v is not None}
    if kinds == {"int64", "float64"}:
        return "float64"
    if not kinds:
        return "null"
    return kinds.pop() if len(kinds) == 1 else "string"


def as_array(values: Sequence[Any], kind: str) -> pa.Array:
    """Return a column of a type that :func:`column_type` found."""
    import pyarrow as pa

    if kind == "string":
        values = [None if v is None else v if isinstance(v, str) else quote(v) for v in values]
    elif kind == "float64":
        values = [None if v is None else float(v) for v in values]
    return pa.array(values, pa.type_for_alias(kind))


def digest(text: str) -> str:
    """Return 64 bits of the SHA-256 of a text, as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _quantity(name: str, value: str) -> Any:
    if name == "size":
        return parse_size(value)
    unit = value.strip().lstrip("+-.0123456789_eE ")
    try:
        if unit in TIME_UNITS:
            return parse_time(value, name, zero=True) / TIME_UNITS["ns"]
        if unit in RATE_UNITS:
            return parse_rate(value, name)
        if unit in SIZE_UNITS:
            return parse_size(value, name)
    except SupernodeError:
        return value
    return value


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return "float64"
    return "int64" if isinstance(value, int) and -(2**63) <= value < 2**63 else "string"


def _shown(value: Any) -> str:
    """Return an object as text; a long one by its hash, so that another one looks different."""
    text = quote(value)
    if isinstance(value, int | str | bytes):
        return text
    try:
        whole = repr(value)
    except Exception:  # the object is anyone's
        return text
    return text if len(whole) <= len(text) else f"{text} {digest(whole)}"
