"""Which points a sweep has.

A sweep has a *base* (parameters of every point), *grid* axes that are crossed, and *zip* axes that go side by side and
together make one more axis of the grid. ``sample`` takes some of these points by a seed, ``where`` keeps those that an
expression is true of.

**Invariant.** A point is a number below the product of the axes, and its parameters follow from the number alone. So
shards and samples are numbers, and no list of points is kept. **Cost.** O(axes) per point.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.values import listed, parse_whole

__all__ = ["MAX_POINTS", "Axes", "value_list"]

#: More points than this in one sweep are taken for a mistake.
MAX_POINTS = 10_000_000


class Axes:
    """Points as numbers.

    Parameters
    ----------
    base
        Parameters of every point.
    grid
        Values of each crossed parameter; the last one changes fastest.
    zipped
        Values of parameters that change together; all have equally many.
    sample
        How many of the points to take, or ``None`` for all.
    seed
        Seed of the sample.
    """

    def __init__(
        self,
        base: Mapping[str, Any],
        grid: Mapping[str, Sequence[Any]],
        zipped: Mapping[str, Sequence[Any]],
        sample: int | None,
        seed: int,
    ) -> None:
        self.base = dict(base)
        self.grid = {name: value_list(name, values, "grid") for name, values in grid.items()}
        self.zipped = {name: value_list(name, values, "zip") for name, values in zipped.items()}
        lengths = {name: len(values) for name, values in self.zipped.items()}
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{name} {count}" for name, count in lengths.items())
            raise SpecError(f"zip: its lists must be equally long, not {text}")
        places: dict[str, str] = {}
        for where, names in (("base", self.base), ("grid", self.grid), ("zip", self.zipped)):
            for name in names:
                if name in places:
                    raise SpecError(f"{name}: given twice, in {places[name]} and in {where}")
                places[name] = where
        #: Number of values of each axis; that of the zip is the first.
        self._sides = [*([next(iter(lengths.values()))] if lengths else []), *map(len, self.grid.values())]
        self.total = math.prod(self._sides)
        taken = self.total if sample is None else sample
        if taken > MAX_POINTS:
            sides = " x ".join(map(str, self._sides))
            raise SpecError(
                f"the sweep has {taken} points ({sides}); at most {MAX_POINTS} are valid: sample= takes some"
            )
        self._sample: list[int] | None = None
        if sample is not None and sample < self.total:
            self._sample = sorted(_drawn(self.total, sample, random.Random(seed)))  # noqa: S311 - no secret

    @property
    def names(self) -> list[str]:
        """Names of all parameters."""
        return [*self.base, *self.zipped, *self.grid]

    @property
    def values(self) -> dict[str, list[Any]]:
        """The values of each parameter."""
        return {name: [value] for name, value in self.base.items()} | self.varied

    @property
    def varied(self) -> dict[str, list[Any]]:
        """The values of each parameter that is not the same everywhere."""
        return {**self.zipped, **self.grid}

    def __len__(self) -> int:
        """Return the number of points, before ``where``."""
        return self.total if self._sample is None else len(self._sample)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through the parameters of all points."""
        numbers = range(self.total) if self._sample is None else self._sample
        return map(self.point, numbers)

    def point(self, number: int) -> dict[str, Any]:
        """Return the parameters of one of all points."""
        found = dict(self.base)
        for name, values in reversed(self.grid.items()):
            number, place = divmod(number, len(values))
            found[name] = values[place]
        for name, values in self.zipped.items():
            found[name] = values[number]
        return found


def _drawn(total: int, count: int, generator: random.Random) -> Collection[int]:
    """Draw different numbers below a total of any size."""
    if total <= sys.maxsize:
        return generator.sample(range(total), count)
    found: set[int] = set()
    while len(found) < count:
        found.add(generator.randrange(total))
    return found


def value_list(name: str, values: object, where: str) -> list[Any]:
    """Return the values of a parameter.

    Raises
    ------
    SpecError
        If it is no list, or empty.
    """
    if isinstance(values, Mapping) and name == "system":
        inner = next(iter(values), "NAME")
        raise SpecError(f'{where}: system is a table; put the name of its parameter into quotes: "system.{inner}"')
    if isinstance(values, str | bytes | Mapping):
        raise SpecError(f"{where}: {name} must be a list of values, not {quote(values)}")
    found = listed(values, f"{where}: {name}", "a list of values")
    if not found:
        raise SpecError(f"{where}: {name} has no values")
    return found


def parse_sample(value: object) -> int | None:
    """Return the size of a sample."""
    return None if value is None else parse_whole(value, "sample", low=1, high=MAX_POINTS)
