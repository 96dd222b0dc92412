"""NICs of the accelerators of an imported host: how fast each can send into the network outside.

A file about one host says which NICs are near each accelerator, how fast they are, and which PCIe links lead there. The
networks of a system are disjoint, so this way is not a network of its own: it is the first link of an accelerator into
the scale-out network, whose rate is the least of the fabric's own, the NIC's and that of PCIe, and whose latency is the
fabric's and that of PCIe. Packets inside the host and packets on their way out do not contend.

Cost: one more link kind in the network.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import msgspec

from supernode.fabric.base import Fabric, Network, buffer_bytes
from supernode.spec import Clos, GraphShape, LinkSpec, NetworkSpec

__all__ = ["Nics"]


@dataclass(frozen=True)
class Nics:
    """What each accelerator of a host has to reach the network outside.

    Parameters
    ----------
    count
        NICs per accelerator.
    rate
        Bit/s of each per direction, when all accelerators send at once: a NIC or PCIe link that several share is
        divided among them.
    latency_fs
        Femtoseconds of the PCIe links between accelerator and NIC.
    """

    count: int
    rate: int
    latency_fs: int = 0

    def behind(self, network: Network, fabric: Fabric) -> Network:
        """Return a scale-out network whose links to accelerators are limited by these NICs.

        Parameters
        ----------
        network
            The network that ``fabric`` built.
        fabric
            The fabric, which says whether its buffers are sized to their links.
        """
        spec = network.spec
        auto = getattr(fabric, "buffer", None) == "auto"
        if isinstance(spec.topology, Clos):
            own = self._link(spec.links[0], sum(spec.planes))
            if own == spec.links[0]:
                return network
            links = [own, *spec.links[1:]]
            return replace(network, spec=self._sized(spec, links, own, auto))
        if isinstance(spec.topology, GraphShape):
            return replace(network, spec=self._graph(spec, spec.topology, auto))
        note = f"{spec.name}: the NICs of the host are no limit here: accelerators are joined to each other directly"
        return replace(network, notes=(*network.notes, note))

    def _link(self, link: LinkSpec, ports: int) -> LinkSpec:
        """Return a link of an accelerator that has so many: all of them together have the rate of all NICs."""
        return LinkSpec(min(link.rate, self.rate * self.count // ports), link.latency_fs + self.latency_fs, link.medium)

    def _graph(self, spec: NetworkSpec, shape: GraphShape, auto: bool) -> NetworkSpec:
        """Give the edges of accelerators links of their own."""
        links, weights = list(spec.links), list(shape.weights)
        numbers: dict[int, int] = {}
        edges = []
        own: Counter[int] = Counter()
        for a, b, _, count in shape.edges:
            own.update({end: count for end in (a, b) if end < spec.span})
        ports = max(own.values(), default=1)
        for a, b, link, count in shape.edges:
            if a >= spec.span and b >= spec.span:
                edges.append((a, b, link, count))
                continue
            if link not in numbers:
                numbers[link] = len(links)
                links.append(self._link(links[link], ports))
                weights += weights[link : link + 1]
            edges.append((a, b, numbers[link], count))
        changed = msgspec.structs.replace(spec, topology=msgspec.structs.replace(shape, edges=edges, weights=weights))
        for each in links[len(spec.links) :]:
            changed = self._sized(changed, links, each, auto)
        return changed

    @staticmethod
    def _sized(spec: NetworkSpec, links: list[LinkSpec], own: LinkSpec, auto: bool) -> NetworkSpec:
        """Return the network with these links, and buffers that cover the round trip of the new one."""
        buffer = spec.buffer
        if auto and buffer is not None:
            buffer = max(buffer, buffer_bytes("auto", [own], spec.switches, spec.payload, spec.overhead) or 0)
        return msgspec.structs.replace(spec, links=links, buffer=buffer)
