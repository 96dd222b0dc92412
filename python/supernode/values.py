"""Values of keywords that are no quantities: whole numbers, yes or no, lists and names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.units import U64_MAX, as_integer

__all__ = ["as_fraction", "listed", "parse_flag", "parse_names", "parse_whole"]


def as_fraction(value: object) -> Fraction | None:
    """Return a number of any type, NumPy's included, exactly; ``None`` for booleans, infinities and all else."""
    number = as_integer(value)
    if number is not None:
        return Fraction(number)
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return Fraction(value if isinstance(value, Rational) else float(value))
    except Exception:  # infinite or no number; __float__ may be anyone's
        return None


def parse_whole(value: object, what: str, *, low: int = 0, high: int = U64_MAX) -> int:
    """Return a whole number in a range."""
    number = as_integer(value)
    if number is None or not low <= number <= high:
        raise SpecError(f"{what}: {quote(value)} is not valid; it must be a whole number from {low} to {high}")
    return number


def parse_flag(value: object, what: str) -> bool:
    """Return a choice of yes or no."""
    if isinstance(value, bool):
        return value
    import numpy as np  # only for what may be one of its own

    if isinstance(value, np.bool_):
        return bool(value)
    raise SpecError(f"{what}: {quote(value)} is not valid; it must be True or False")


def parse_names(value: Iterable[str] | str | None, what: str, default: Sequence[str] = ()) -> list[str]:
    """Return names given as a list, or as text with commas between them; ``None`` is the default."""
    if value is None:
        return list(default)
    if isinstance(value, str):
        return [v for v in value.split(",") if v]
    return listed(value, what, "a list of names, or names with commas")


def listed(value: object, what: str, valid: str) -> list[Any]:
    """Return the items of a list, or of anything that can be gone through.

    Raises
    ------
    SpecError
        If it cannot be; ``valid`` says what would do.
    """
    try:
        return list(value)  # type: ignore[call-overload, no-any-return]
    except Exception:  # __iter__ may be anyone's
        raise SpecError(f"{what}: {quote(value)} is not valid; it must be {valid}") from None
