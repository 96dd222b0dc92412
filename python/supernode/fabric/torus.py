"""Tori and meshes: each accelerator is also a router."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import prod

from supernode.errors import FabricError
from supernode.fabric.base import Network, parse_kind, positive
from supernode.fabric.direct import direct_network
from supernode.fabric.fit import MOST, closed_dims, open_dims
from supernode.quoting import quote
from supernode.spec import TorusShape
from supernode.units import Quantity, as_integer

__all__ = ["Mesh", "Ring", "Torus"]


def torus_shape(
    dims: Sequence[int], wraps: Sequence[bool], twist: bool | Sequence[Sequence[int]], name: str
) -> TorusShape:
    """Return the shape of a torus; ``twist`` as for :class:`Torus`.

    Raises
    ------
    FabricError
        If a twist is asked for and no dimension is twice as long as another, or the pairs are no pairs.
    """
    # A ring of two would join the same pair twice.
    rings = [w and d > 2 for w, d in zip(wraps, dims, strict=True)]
    if isinstance(twist, bool):
        doubled = [
            (i, j) for i, k in enumerate(dims) for j, d in enumerate(dims) if rings[i] and rings[j] and d == 2 * k
        ]
        if twist and (not doubled or {i for i, _ in doubled} & {j for _, j in doubled}):
            sides = " x ".join(str(d) for d in dims)
            lines = [str(i + 1) for i, w in enumerate(wraps) if not w]
            why = f"; there is no wraparound in dimension {' and '.join(lines)}" if lines else ""
            raise FabricError(
                f"fabric {name}: a torus of {sides} has no twist; its rings must be of k and 2k, for example "
                f"k x k x 2k or k x 2k x 2k with k of 3 or more{why}"
            )
        return TorusShape(list(dims), rings, doubled if twist else [])
    try:
        pairs = [tuple(map(as_integer, pair)) for pair in twist]
    except Exception:  # no list, or none of pairs
        pairs = [()]
    if not all(len(p) == 2 and all(i is not None and 0 <= i < len(dims) for i in p) for p in pairs):
        raise FabricError(
            f"fabric {name}: twist is {quote(twist)}; it must be true, false or pairs of dimensions from 0"
        )
    return TorusShape(list(dims), rings, [(a, b) for a, b in pairs if a is not None and b is not None])


@dataclass(frozen=True, kw_only=True)
class Torus:
    """An n-dimensional torus, such as a TPU pod.

    Parameters
    ----------
    dims
        Accelerators by dimension; the first varies fastest. One may be ``None``: as many as there are to join.
    bandwidth
        Rate of one link per direction; one value, or one a dimension.
    latency
        Latency of one link; one value, or one a dimension.
    wrap
        Wraparound; one value, or one a dimension. A dimension of one or two has none.
    twist
        ``True`` for a twisted torus: the wraparound of each dimension of ``k`` shifts every dimension of ``2k`` by
        ``k``, as in slices of k x k x 2k and k x 2k x 2k that optical circuit switches make. Or pairs of dimensions,
        counted from 0: the wraparound of the first shifts the second by half of its size.
    links
        Parallel links between neighbours.
    hop_latency
        Head in to head out of an accelerator that forwards.
    dateline
        ``False`` takes away the second virtual channel, without which rings can deadlock when buffers are small.
    payload, overhead, buffer, cut_through, kind, medium
        As for :class:`~supernode.Switched`. The buffer is per virtual channel.
    """

    dims: Sequence[int | None]
    bandwidth: Quantity | Sequence[Quantity]
    latency: Quantity | Sequence[Quantity]
    wrap: bool | Sequence[bool] = True
    twist: bool | Sequence[Sequence[int]] = False
    links: int = 1
    hop_latency: Quantity = "0 ns"
    cut_through: bool = True
    payload: Quantity = 4096
    overhead: Quantity = 0
    buffer: Quantity | None = "auto"
    dateline: bool = True
    kind: str = "ici"
    medium: str = ""

    def __post_init__(self) -> None:
        if self.twist is True and None in open_dims(self.dims, "fabric"):
            # which side is twice another is only known with the number of accelerators
            replace(self, twist=False)
            return
        self.network("fabric", prod(closed_dims(self.dims, None, "fabric", most=MOST)))

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators, which must be the product of the dimensions."""
        dims = closed_dims(self.dims, positive(span, "count", name), name, most=MOST)
        wraps = list(self.wrap) if isinstance(self.wrap, Sequence) else [self.wrap] * len(dims)
        if len(wraps) != len(dims) or not all(isinstance(w, bool) for w in wraps):
            raise FabricError(f"fabric {name}: wrap is {quote(self.wrap)}; it must be one bool, or {len(dims)} of them")
        shape = torus_shape(dims, wraps, self.twist, name)
        spec = direct_network(
            name,
            span,
            shape,
            bandwidth=self.bandwidth,
            latency=self.latency,
            links=positive(self.links, "links", name) * positive(ports, "ports", name),
            hop_latency=self.hop_latency,
            cut_through=self.cut_through,
            payload=self.payload,
            overhead=self.overhead,
            buffer=self.buffer,
            medium=self.medium,
            dateline=self.dateline,
        )
        return Network(spec, parse_kind(self.kind))


@dataclass(frozen=True, kw_only=True)
class Mesh(Torus):
    """A torus without wraparound, by default in no dimension."""

    wrap: bool | Sequence[bool] = False


@dataclass(frozen=True, kw_only=True)
class Ring:
    """A ring of as many accelerators as are asked for: a torus of one dimension.

    Parameters
    ----------
    bandwidth, latency
        Rate of one link per direction, and its latency.
    links, hop_latency, dateline, payload, overhead, buffer, cut_through, kind, medium
        As for :class:`Torus`.
    """

    bandwidth: Quantity
    latency: Quantity
    links: int = 1
    hop_latency: Quantity = "0 ns"
    cut_through: bool = True
    payload: Quantity = 4096
    overhead: Quantity = 0
    buffer: Quantity | None = "auto"
    dateline: bool = True
    kind: str = "ici"
    medium: str = ""

    def __post_init__(self) -> None:
        self.network("fabric", 3)

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return Torus(dims=(positive(span, "count", name),), **own).network(name, span, ports=ports)
