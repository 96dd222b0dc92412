"""Planes of one switch each: every accelerator has a port on every plane."""

from __future__ import annotations

from dataclasses import dataclass

from supernode.fabric.base import (
    Network,
    buffer_bytes,
    flag,
    medium_of,
    packet_bytes,
    parse_kind,
    parse_routing,
    plane_links,
    positive,
)
from supernode.spec import Clos, LinkSpec, NetworkSpec, SwitchSpec
from supernode.units import Quantity, parse_latency, parse_rate

__all__ = ["Switched"]


@dataclass(frozen=True, kw_only=True)
class Switched:
    """A single-stage switched fabric, such as NVLink through NVSwitch.

    Parameters
    ----------
    bandwidth
        Rate of one link per direction, for example ``"50 GB/s"``.
    latency
        One link: propagation, PHY and error correction. An accelerator reaches another over two links.
    planes
        Parallel switches.
    links
        Links of each accelerator into each plane.
    in_network_reduce
        Whether the switches combine and replicate data.
    switch_latency
        Head in to head out of an idle switch.
    cut_through
        Whether a packet may leave a switch before its tail has arrived.
    payload, overhead
        Bytes of a packet's payload, and of its header, trailer and gap.
    buffer
        Bytes behind each link, at least one full packet; ``"auto"`` covers the link's own round trip, ``None`` is an
        unlimited queue.
    routing
        How packets choose a plane.
    kind
        Kind of the network for software latencies: nvlink, ub, ici, pci or net.
    medium
        Copper, optics, ...: for tables only.
    """

    bandwidth: Quantity
    latency: Quantity
    planes: int = 1
    links: int = 1
    in_network_reduce: bool = False
    switch_latency: Quantity = "0 ns"
    cut_through: bool = True
    payload: Quantity = 4096
    overhead: Quantity = 0
    buffer: Quantity | None = "auto"
    routing: str = "spray_round_robin"
    kind: str = "nvlink"
    medium: str = ""

    def __post_init__(self) -> None:
        self.network("fabric", 1)

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators."""
        planes = positive(self.planes, "planes", name)
        links = positive(self.links, "links", name) * positive(ports, "ports", name)
        payload, overhead = packet_bytes(self.payload, self.overhead)
        link = LinkSpec(
            parse_rate(self.bandwidth, "bandwidth"),
            parse_latency(self.latency, "latency"),
            medium_of(self.medium, name),
        )
        switch = SwitchSpec(
            parse_latency(self.switch_latency, "switch_latency", zero=True),
            flag(self.cut_through, "cut_through", name),
            flag(self.in_network_reduce, "in_network_reduce", name),
        )
        spec = NetworkSpec(
            name=name,
            span=positive(span, "count", name),
            topology=Clos(down=[span], up=[1], parallel=[1]),
            planes=plane_links(planes, links, name),
            links=[link],
            switches=[switch],
            payload=payload,
            overhead=overhead,
            routing=parse_routing(self.routing),
            buffer=buffer_bytes(self.buffer, [link], [switch], payload, overhead),
        )
        return Network(spec, parse_kind(self.kind))
