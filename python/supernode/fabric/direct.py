"""What the direct topologies (torus, mesh, full mesh) share."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from supernode.errors import FabricError
from supernode.fabric.base import buffer_bytes, flag, medium_of, packet_bytes, positive
from supernode.spec import FullMeshShape, LinkSpec, NetworkSpec, SwitchSpec, TorusShape
from supernode.units import Quantity, parse_latency, parse_rate

__all__ = ["direct_network", "per_dimension"]


def direct_network(
    name: str,
    span: int,
    shape: TorusShape | FullMeshShape,
    *,
    bandwidth: Quantity | Sequence[Quantity],
    latency: Quantity | Sequence[Quantity],
    links: int,
    hop_latency: Quantity,
    cut_through: bool,
    payload: Quantity,
    overhead: Quantity,
    buffer: Quantity | None,
    medium: str,
    dateline: bool = True,
) -> NetworkSpec:
    """Build the specification of a direct topology; routing is dimension order, equal first hops in turn."""
    if prod(shape.dims) != span:
        product = " x ".join(str(d) for d in shape.dims)
        raise FabricError(
            f"fabric {name}: {span} accelerators do not fill dims {product} = {prod(shape.dims)}; "
            f"count must be {prod(shape.dims)}"
        )
    full, extra = packet_bytes(payload, overhead)
    rates = per_dimension(bandwidth, "bandwidth", len(shape.dims), name)
    latencies = per_dimension(latency, "latency", len(shape.dims), name)
    specs = [
        LinkSpec(parse_rate(rate, "bandwidth"), parse_latency(time, "latency"), medium_of(medium, name))
        for rate, time in zip(rates, latencies, strict=True)
    ]
    router = SwitchSpec(parse_latency(hop_latency, "hop_latency", zero=True), flag(cut_through, "cut_through", name))
    return NetworkSpec(
        name=name,
        span=span,
        topology=shape,
        planes=[positive(links, "links", name)],
        links=specs,
        switches=[router],
        payload=full,
        overhead=extra,
        routing="spray_round_robin",
        dateline=flag(dateline, "dateline", name),
        buffer=buffer_bytes(buffer, specs, [router], full, extra),
    )


def per_dimension(value: Any, what: str, dimensions: int, fabric: str) -> list[Any]:
    """Return one value a dimension of what may be one for all, checked for their number only."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value] * dimensions
    if len(value) != dimensions:
        raise FabricError(f"fabric {fabric}: {what} has {len(value)} values for {dimensions} dimensions")
    return list(value)
