"""HyperX: switches at the points of a lattice, joined along each dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Self

from supernode.fabric.base import positive
from supernode.fabric.direct import per_dimension
from supernode.fabric.family import Blueprint, Family, some
from supernode.fabric.fit import Open, closed_dims, open_dims
from supernode.fabric.parts import MAX_SWITCHES
from supernode.spec import LinkSpec
from supernode.units import Quantity

if TYPE_CHECKING:
    from supernode.fabric.family import Ints

__all__ = ["HyperX", "Lattice", "LatticeFamily"]


@dataclass(frozen=True)
class Lattice:
    """A lattice of switches: of each dimension its size, how far a switch's links reach, and how many are parallel."""

    dims: Sequence[int]
    reach: Sequence[int]
    parallel: Sequence[int]

    @property
    def points(self) -> int:
        """Number of switches."""
        return prod(self.dims)

    @property
    def neighbours(self) -> list[int]:
        """Of each dimension, the switches that one is joined to."""
        return [2 * r - (2 * r == d) for d, r in zip(self.dims, self.reach, strict=True)]

    @property
    def ports(self) -> list[tuple[int, str]]:
        """Ports of a switch by dimension."""
        both = zip(self.neighbours, self.parallel, strict=True)
        return [(n * links, f"in dimension {k}") for k, (n, links) in enumerate(both)]

    @property
    def count(self) -> int:
        """Number of edges."""
        return self.points * sum(self.neighbours) // 2

    @property
    def diameter(self) -> int:
        """Most links between two switches."""
        return sum(-(-(d // 2) // max(r, 1)) for d, r in zip(self.dims, self.reach, strict=True))

    def edges(self) -> Ints:
        """Return the edges as a :class:`Blueprint` has them, a class of links a dimension."""
        import numpy as np

        points = np.arange(self.points)
        found = [np.empty((0, 4), np.int64)]
        stride = 1
        for k, (size, reach, links) in enumerate(zip(self.dims, self.reach, self.parallel, strict=True)):
            x = points // stride % size
            for step in range(1, reach + 1):
                # halfway around, both ways are the same edge
                ends = points[x < step] if 2 * step == size else points
                far = ends + ((x[ends] + step) % size - x[ends]) * stride
                rest = np.tile([k, links], (len(ends), 1))
                found.append(np.concatenate([np.stack([ends, far], axis=1), rest], axis=1))
            stride *= size
        return np.concatenate(found)

    def names(self) -> list[str]:
        """Name the switches by their coordinates, the first dimension first."""
        return ["switch." + ".".join(map(str, at[::-1])) for at in product(*map(range, self.dims[::-1]))]


@dataclass(frozen=True, kw_only=True)
class LatticeFamily(Family):
    """Families with a class of links a dimension."""

    dim_bandwidth: Quantity | Sequence[Quantity] | None = None
    dim_latency: Quantity | Sequence[Quantity] | None = None
    dim_medium: str | Sequence[str] | None = None

    def _dim_links(self, dimensions: int, name: str) -> list[LinkSpec]:
        fields = ("dim_bandwidth", "dim_latency", "dim_medium")
        columns = [per_dimension(getattr(self, field), field, dimensions, name) for field in fields]
        return [self._link(rate, latency, medium, "dim_") for rate, latency, medium in zip(*columns, strict=True)]


@dataclass(frozen=True, kw_only=True)
class HyperX(LatticeFamily):
    """A HyperX: switches at the points of a lattice, all that differ in one coordinate joined.

    A switch has ``terminals`` accelerators and, in a dimension of ``d`` switches, ``d - 1`` neighbours; a shortest path
    has at most as many links between switches as there are dimensions. In the order of ranks, accelerators fill the
    switches, the first dimension fastest. Source: Ahn, Binkert, Davis, McLaren & Schreiber, "HyperX: topology, routing,
    and packaging of efficient large-scale networks", SC 2009.

    Parameters
    ----------
    dims
        Switches by dimension; the first varies fastest. One may be ``None``: as many as the accelerators to join need.
    terminals
        Accelerators of a switch.
    links
        Parallel links between neighbours; one value, or one a dimension.
    reach
        Partly joined dimensions: neighbours up to this cyclic distance only, ``None`` for all; one value, or one a
        dimension. ``[None, 2]`` joins a switch to all others along the first dimension, and to the two before and the
        two after it along the second; a reach of 1 is a ring. Paths then have up to ``ceil((d // 2) / reach)`` links
        in that dimension.
    bandwidth, latency, medium
        Of the links to accelerators.
    dim_bandwidth, dim_latency, dim_medium
        Of the links between switches; one value, or one a dimension, by default as those to accelerators.
    radix
        Ports of a switch; more links than these are an error.
    switch_latency, cut_through, in_network_reduce, payload, overhead, buffer, routing, kind
        As for :class:`~supernode.Dragonfly`.
    """

    dims: Sequence[int | None]
    links: int | Sequence[int] = 1
    reach: int | Sequence[int | None] | None = None

    def _free(self, name: str) -> tuple[str, Open]:
        *others, _ = open_dims(self.dims, name)
        layer = prod(d or 1 for d in others) * self._size("terminals", name)
        return "dims", Open("the last of dims", lambda d: d * layer, MAX_SWITCHES)

    def _fitted(self, name: str, span: int) -> Self:
        each = self._size("terminals", name)
        return replace(self, dims=closed_dims(self.dims, span, name, each=each, most=MAX_SWITCHES))

    def _blueprint(self, name: str) -> Blueprint:
        dims = closed_dims(self.dims, None, name, most=MAX_SWITCHES)
        p = self._size("terminals", name)
        parallel = [positive(n, "links", name) for n in per_dimension(self.links, "links", len(dims), name)]
        given = [
            None if r is None else positive(r, "reach", name)
            for r in per_dimension(self.reach, "reach", len(dims), name)
        ]
        reach = [d // 2 if r is None else min(r, d // 2) for d, r in zip(dims, given, strict=True)]
        partial = any(r < d // 2 for d, r in zip(dims, reach, strict=True))
        sizes = [f"{d} (reach {r})" if r < d // 2 else str(d) for d, r in zip(dims, reach, strict=True)]
        lattice = Lattice(dims, reach, parallel)
        return Blueprint(
            label=f"HyperX of {' x '.join(sizes)} switches with {some(p, 'accelerator')} each",
            form={
                "kind": "hyperx",
                "dims": dims,
                "terminals": p,
                **({"parallel": parallel} if max(parallel) > 1 else {}),
                **({"reach": ["all" if r is None else r for r in given]} if partial else {}),
            },
            switches=lattice.points,
            homes=lattice.points,
            ports=[("switch", True, lattice.ports)],
            links=self._dim_links(len(dims), name),
            count=lattice.count,
            edges=lattice.edges,
            names=lattice.names,
            diameter=lattice.diameter,
        )
