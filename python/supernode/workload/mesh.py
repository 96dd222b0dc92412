"""Ranks with named axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supernode.errors import SpecError
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.values import listed, parse_whole

__all__ = ["DeviceMesh"]


@dataclass(frozen=True, init=False)
class DeviceMesh:
    """The ranks of a job, counted along named axes, the last one fastest.

    Rank 0 has coordinate 0 on every axis, rank 1 differs in the last one. As in PyTorch's DeviceMesh, the axis of the
    ranks that talk most, usually tensor parallelism, comes last.

    Parameters
    ----------
    **axes
        Name and size of each axis, outermost first.

    Examples
    --------
    >>> import supernode as sn
    >>> mesh = sn.DeviceMesh(dp=9, tp=8)
    >>> mesh.ranks, mesh.coordinates(11)
    (72, {'dp': 1, 'tp': 3})
    """

    axes: tuple[tuple[str, int], ...]

    def __init__(self, /, **axes: int) -> None:
        if not axes:
            raise SpecError("a mesh needs at least one axis, for example DeviceMesh(dp=9, tp=8)")
        for name in axes:
            if not plain_text(name, "name of an axis"):
                raise SpecError("name of an axis: '' is not valid; it must have at least one character")
        sizes = tuple((name, parse_whole(size, f"axis {name}", low=1, high=2**31 - 1)) for name, size in axes.items())
        if math.prod(size for _, size in sizes) >= 2**31:
            raise SpecError(f"a mesh of {' x '.join(str(size) for _, size in sizes)} ranks is too large: below 2^31")
        object.__setattr__(self, "axes", sizes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes, outermost first."""
        return tuple(name for name, _ in self.axes)

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return math.prod(size for _, size in self.axes)

    def size(self, axis: str) -> int:
        """Return the size of an axis."""
        return dict(self.axes)[self.axis(axis, "axis")]

    def coordinates(self, rank: int) -> dict[str, int]:
        """Return the coordinate of a rank on each axis."""
        left, found = parse_whole(rank, "rank", high=self.ranks - 1), {}
        for name, size in reversed(self.axes):
            left, found[name] = divmod(left, size)
        return {name: found[name] for name in self.names}

    def rank(self, given: object, what: str = "rank") -> int:
        """Return the number of a rank, given as such or by its coordinates.

        Parameters
        ----------
        given
            A number, or a coordinate for each axis: ``{"dp": 1, "tp": 3}``.
        what
            What it is, for errors.

        Raises
        ------
        SpecError
            If there is no such rank, or a coordinate is missing.
        """
        if not isinstance(given, Mapping):
            return parse_whole(given, what, high=self.ranks - 1)
        for name in given:
            self.axis(name, what)
        number = 0
        for name, size in self.axes:
            if name not in given:
                raise SpecError(f"{what}: {quote(dict(given))} lacks a coordinate along {name}")
            number = number * size + parse_whole(given[name], f"{what}: {name}", high=size - 1)
        return number

    def axis(self, name: object, what: str) -> str:
        """Return the name of an axis that exists."""
        if not isinstance(name, str) or name not in self.names:
            raise SpecError(f"{what}: {quote(name)} is not valid; one of {', '.join(self.names)}")
        return name

    def along(self, axes: str | Sequence[str] | None, what: str) -> list[str]:
        """Return names of axes that exist; ``None`` is all of them."""
        if axes is None:
            return list(self.names)
        names = [axes] if isinstance(axes, str) else listed(axes, what, "a name, or a list of names")
        found = [self.axis(name, what) for name in names]
        if not found or len(set(found)) < len(found):
            raise SpecError(f"{what}: {quote(axes)} is not valid; each of {', '.join(self.names)} at most once")
        return [name for name in self.names if name in found]
