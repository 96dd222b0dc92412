"""Full meshes in one or more dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from supernode.fabric.base import Network, parse_kind, positive
from supernode.fabric.direct import direct_network
from supernode.fabric.fit import MOST, closed_dims
from supernode.spec import FullMeshShape
from supernode.units import Quantity

__all__ = ["FullMesh"]


@dataclass(frozen=True, kw_only=True)
class FullMesh:
    """An n-dimensional full mesh: a link between all pairs that differ in one coordinate, such as UB-Mesh.

    Parameters
    ----------
    dims
        Accelerators by dimension; the first varies fastest. One may be ``None``: as many as there are to join.
    bandwidth
        Rate of one link per direction; one value, or one a dimension.
    latency
        Latency of one link; one value, or one a dimension.
    links
        Parallel links between neighbours.
    hop_latency
        Head in to head out of an accelerator that forwards.
    payload, overhead, buffer, cut_through, kind, medium
        As for :class:`~supernode.Switched`.
    """

    dims: Sequence[int | None]
    bandwidth: Quantity | Sequence[Quantity]
    latency: Quantity | Sequence[Quantity]
    links: int = 1
    hop_latency: Quantity = "0 ns"
    cut_through: bool = True
    payload: Quantity = 4096
    overhead: Quantity = 0
    buffer: Quantity | None = "auto"
    kind: str = "ub"
    medium: str = ""

    def __post_init__(self) -> None:
        self.network("fabric", prod(closed_dims(self.dims, None, "fabric", most=MOST)))

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators, which must be the product of the dimensions."""
        spec = direct_network(
            name,
            span,
            FullMeshShape(dims=closed_dims(self.dims, positive(span, "count", name), name, most=MOST)),
            bandwidth=self.bandwidth,
            latency=self.latency,
            links=positive(self.links, "links", name) * positive(ports, "ports", name),
            hop_latency=self.hop_latency,
            cut_through=self.cut_through,
            payload=self.payload,
            overhead=self.overhead,
            buffer=self.buffer,
            medium=self.medium,
        )
        return Network(spec, parse_kind(self.kind))
