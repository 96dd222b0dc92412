"""Matrices of bytes: what each place of a communicator sends to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.units import as_integer, parse_size
from supernode.values import listed

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["parse_matrix"]

_VALID = "a square array of bytes: row i is what place i sends to each place"
#: Most bytes of a message, as of any operation.
_MOST = 2**50


def parse_matrix(value: npt.ArrayLike) -> list[list[int]]:
    """Return a square matrix of bytes, with nothing on its diagonal.

    Parameters
    ----------
    value
        An array of whole numbers, or rows of sizes such as ``"1 MiB"``.

    Raises
    ------
    SpecError
        If it is not square, has no entry above 0 beside its diagonal, or an entry that is no number of bytes.
    """
    _refuse_flags(value)
    rows = _numbers(value)
    if rows is None:
        rows = [[_bytes(each) for each in listed(row, "matrix", _VALID)] for row in listed(value, "matrix", _VALID)]
    size = len(rows)
    for number, row in enumerate(rows):
        if len(row) != size:
            raise SpecError(f"matrix: {size} rows, and {len(row)} entries in row {number}; it must be {_VALID}")
        row[number] = 0
    if not any(map(any, rows)):
        raise SpecError("matrix: nothing is sent; at least one entry beside the diagonal must be above 0")
    return rows


def _refuse_flags(value: Any) -> None:
    """Refuse truth values, which NumPy would count as 0 and 1 among numbers: a mask is no matrix of bytes."""
    import numpy as np

    if isinstance(value, list | tuple):
        entries = (each for row in value if isinstance(row, list | tuple | np.ndarray) for each in row)
        wrong = next((each for each in entries if isinstance(each, bool | np.bool_)), None)
    else:
        wrong = True if getattr(value, "dtype", None) == np.bool_ else None
    if wrong is not None:
        raise SpecError(f"matrix: {bool(wrong)} is not valid; entries are bytes from 0 to {_MOST}")


def _numbers(value: Any) -> list[list[int]] | None:
    """Return an array of whole numbers as lists; ``None`` if it is none."""
    import numpy as np

    try:
        array = np.asarray(value)
    except Exception:  # ragged lists, and objects that NumPy cannot take apart
        return None
    if array.ndim != 2 or array.dtype.kind not in "iu" or not array.size:
        return None
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > _MOST:
        raise SpecError(f"matrix: {low if low < 0 else high} is not valid; entries are bytes from 0 to {_MOST}")
    found: list[list[int]] = array.tolist()
    return found


def _bytes(value: Any) -> int:
    number = 0 if as_integer(value) == 0 else parse_size(value, "matrix")
    if number > _MOST:
        raise SpecError(f"matrix: {quote(value)} is not valid; entries are bytes from 0 to {_MOST}")
    return number
