"""Lists of message sizes, as nccl-tests steps through them."""

from __future__ import annotations

from collections.abc import Iterable

from supernode.errors import SpecError, UnitError
from supernode.quoting import quote
from supernode.units import Quantity, as_integer, parse_size
from supernode.values import listed

__all__ = ["MAX_POINTS", "parse_sizes", "sizes"]

#: More points than this in one text are taken for a mistake.
MAX_POINTS = 100_000


def sizes(first: Quantity, last: Quantity, *, x: int | None = None, step: Quantity | None = None) -> list[int]:
    """List message sizes from ``first`` to at most ``last``.

    Parameters
    ----------
    first, last
        Smallest and largest size; numbers are bytes.
    x
        Factor between neighbours, at least 2; 2 if neither ``x`` nor ``step`` is given.
    step
        Difference between neighbours, instead of a factor.

    Returns
    -------
    list of int
        Sizes in bytes, increasing.

    Examples
    --------
    >>> sizes("1 KiB", "64 KiB", x=4)
    [1024, 4096, 16384, 65536]
    """
    low, high = parse_size(first, "first size"), parse_size(last, "last size")
    if high < low:
        raise SpecError(f"sizes: the last size {quote(last)} is below the first, {quote(first)}")
    if x is not None and step is not None:
        raise SpecError("sizes: give a factor x or a step, not both")
    if step is not None:
        distance = parse_size(step, "size step")
        if (high - low) // distance >= MAX_POINTS:
            raise SpecError(
                f"sizes: more than {MAX_POINTS} points from {quote(first)} to {quote(last)} by {quote(step)}"
            )
        return list(range(low, high + 1, distance))
    factor = 2 if x is None else as_integer(x)
    if factor is None or factor < 2:
        raise SpecError(f"size factor: {quote(x)} is not valid; it must be a whole number of at least 2")
    points = []
    while low <= high:
        points.append(low)
        low *= factor
    return points


def parse_sizes(value: Quantity | Iterable[Quantity]) -> list[int]:
    """Read sizes from a list, one size, or text.

    Parameters
    ----------
    value
        One size, an iterable of sizes, or text: ``"8:8G:x2"`` (first, last, factor), ``"1K:64K:4K"`` (first, last,
        step), ``"8:8G"`` (factor 2), and commas between several of these.

    Returns
    -------
    list of int
        Sizes in bytes, in the order given.
    """
    if isinstance(value, str):
        found: list[int] = []
        for part in value.split(","):
            found += _parse_range(part)
            if len(found) > MAX_POINTS:
                raise SpecError(f"sizes: {quote(value)} has more than {MAX_POINTS} points")
        return found
    if isinstance(value, Iterable) and as_integer(value) is None:
        points = [parse_size(v) for v in listed(value, "sizes", "a size, a list of sizes, or text such as '8:8G:x2'")]
        if not points:
            raise UnitError("sizes: the list is empty; for example '8:8G:x2'")
        return points
    return [parse_size(value)]  # type: ignore[arg-type] # an array of one number is a number


def _parse_range(text: str) -> list[int]:
    parts = [p.strip() for p in text.split(":")]
    if len(parts) == 1:
        return [parse_size(parts[0])]
    if len(parts) == 2:
        return sizes(parts[0], parts[1])
    if len(parts) == 3:
        if parts[2][:1] in ("x", "X"):
            try:
                factor = int(parts[2][1:])
            except ValueError:
                raise UnitError(f"sizes: {quote(parts[2])} in {quote(text)} is not a factor, as 'x2' is") from None
            return sizes(parts[0], parts[1], x=factor)
        return sizes(parts[0], parts[1], step=parts[2])
    raise UnitError(f"sizes: {quote(text)} is not a range; for example '8:8G:x2'")
