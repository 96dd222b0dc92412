"""Tori and meshes: each accelerator is also a router."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import prod

from supernode.errors import FabricError
from supernode.fabric.base import Network, parse_kind, positive
from supernode.fabric.direct import direct_network
from supernode.fabric.fit import MOST, closed_dims
from supernode.spec import TorusShape
from supernode.units import Quantity

__all__ = ["Mesh", "Ring", "Torus"]


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
        self.network("fabric", prod(closed_dims(self.dims, None, "fabric", most=MOST)))

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators, which must be the product of the dimensions."""
        dims = closed_dims(self.dims, positive(span, "count", name), name, most=MOST)
        wraps = [self.wrap] * len(dims) if isinstance(self.wrap, bool) else list(self.wrap)
        if len(wraps) != len(dims) or not all(isinstance(w, bool) for w in wraps):
            raise FabricError(f"fabric {name}: wrap is {self.wrap!r}; it must be one bool, or {len(dims)} of them")
        # A ring of two would join the same pair twice.
        shape = TorusShape(dims=dims, wrap=[w and d > 2 for w, d in zip(wraps, dims, strict=True)])
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
