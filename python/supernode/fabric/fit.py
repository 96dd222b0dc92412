"""Sizes that a fabric leaves open, and what the number of accelerators says they are.

A dragonfly without a number of groups, or a torus with ``None`` among its dimensions, joins as many accelerators as are
asked for, as long as a whole number of groups or layers does. Every such number grows with the open one, so that the
value, or the nearest numbers that are possible, are found by halving: O(log of the largest).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from supernode.errors import FabricError
from supernode.fabric.base import positive
from supernode.quoting import quote

__all__ = ["MOST", "Open", "closed_dims", "open_dims"]

#: Largest value of a dimension.
MOST = 2**32 - 1


@dataclass(frozen=True)
class Open:
    """A parameter that may be left open.

    Parameters
    ----------
    what
        Its name.
    size
        Accelerators by its value, of which more make more.
    most
        Its largest value; the smallest is 1.
    """

    what: str
    size: Callable[[int], int]
    most: int

    def value(self, span: int) -> int | None:
        """Return the value that makes ``span`` accelerators, ``None`` if there is none."""
        found = bisect_left(range(1, self.most + 1), span, key=self.size) + 1
        return found if found <= self.most and self.size(found) == span else None

    def near(self, span: int) -> str:
        """Word the nearest numbers of accelerators below and above."""
        above = bisect_left(range(1, self.most + 1), span, key=self.size) + 1
        return " and ".join(str(self.size(n)) for n in (above - 1, above) if 1 <= n <= self.most)

    def solve(self, span: int, fabric: str) -> int:
        """Return the value that makes ``span`` accelerators.

        Raises
        ------
        FabricError
            If there is none; naming the nearest numbers of accelerators.
        """
        found = self.value(span)
        if found is None:
            raise FabricError(
                f"fabric {fabric}: no number of {self.what} joins {span} accelerators; nearest: {self.near(span)}"
            )
        return found

    def instead(self, span: int) -> str:
        """Word what would do where another value of the parameter is given."""
        if self.value(span) is not None:
            return f"leave {self.what} open to join {span}"
        return f"with {self.what} left open it would join {self.near(span)}"


def open_dims(dims: Sequence[int | None], fabric: str) -> list[int | None]:
    """Check dimensions of which one may be open (``None``)."""
    if isinstance(dims, str) or not isinstance(dims, Sequence) or not dims:
        raise FabricError(f"fabric {fabric}: dims is {quote(dims)}; it must be whole numbers, such as (4, 4, 4)")
    found = [None if d is None else positive(d, "a dimension", fabric) for d in dims]
    if found.count(None) > 1:
        raise FabricError(f"fabric {fabric}: dims is {quote(dims)}; one dimension may be open, not {found.count(None)}")
    return found


def closed_dims(dims: Sequence[int | None], span: int | None, fabric: str, *, each: int = 1, most: int) -> list[int]:
    """Return dimensions with the open one worked out.

    Parameters
    ----------
    dims
        The dimensions.
    span
        Accelerators to join; ``None`` for the fewest.
    fabric
        Name of the fabric in errors.
    each
        Accelerators at a place of the lattice.
    most
        Largest value of the open dimension.

    Raises
    ------
    FabricError
        If no value of the open one makes so many.
    """
    given = open_dims(dims, fabric)
    if None not in given:
        return [d for d in given if d is not None]
    rest = prod(d for d in given if d is not None) * each
    layers = Open(f"layers of {rest} along dimension {given.index(None)}", lambda n: n * rest, most)
    solved = 1 if span is None else layers.solve(span, fabric)
    return [solved if d is None else d for d in given]
