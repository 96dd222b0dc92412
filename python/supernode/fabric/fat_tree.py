"""Fat trees, sized from the radix of their switches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from supernode.errors import FabricError
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
from supernode.fabric.sizing import Leaf, Sized, size_fat_tree
from supernode.quoting import quote
from supernode.spec import LinkSpec, NetworkSpec, SwitchSpec
from supernode.units import Quantity, as_integer, parse_latency, parse_rate

__all__ = ["FatTree"]

#: A ratio as text; short, because exponents and long numbers would take long.
_RATIO = re.compile(r"\s*+(\d{1,9}(?:\.\d{1,9})?)\s*+(?:[:/]\s*+(\d{1,9}(?:\.\d{1,9})?)\s*+)?")

#: Taken, and reported as assumed, where a user gives no latency.
ASSUMED = {"link_latency": "300 ns", "trunk_latency": "500 ns", "switch_latency": "300 ns"}


@dataclass(frozen=True, kw_only=True)
class FatTree:
    """A Clos network of two or three tiers, with as many switches as the number of ports asks for.

    Parameters
    ----------
    radix
        Ports of a switch, even.
    link
        Rate of a link to an accelerator per direction, for example ``"400 Gbit/s"``.
    tiers
        Fewest tiers; more are built, with a warning, where the number of ports needs them. By default the fewest
        that suffice.
    oversubscription
        Links of a leaf's accelerators over its uplinks: 1, 2, 1.5, ``"3:1"``. A ratio that would need a fraction of
        an uplink is an error that names those on either side.
    hosts_per_leaf
        Accelerators on each leaf (with rails: hosts). By default they are distributed evenly over the fewest leaves
        that hold them; with it, the last leaf may hold fewer, and runs say so.
    uplinks_per_leaf
        Links from each leaf to the tier above, instead of ``oversubscription``.
    pod_leaves
        Leaves of a pod, where there are three tiers; by default as many as make pods alike. Pods of equal size can be
        folded: choose a divisor of the number of leaves.
    rails
        Rail-optimised wiring: accelerator i of a host of this many goes to the leaf of rail i.
    planes
        Separate trees; by default one for each NIC of an accelerator.
    trunk
        Rate of a link between switches; by default as ``link``.
    link_latency, trunk_latency, switch_latency
        To an accelerator, between switches, and through an idle switch. A latency that is not given is an assumed
        value: runs warn and name it.
    cut_through, in_network_reduce, payload, overhead, buffer, routing, kind, medium
        As for :class:`~supernode.Switched`.
    """

    radix: int
    link: Quantity
    tiers: int | None = None
    oversubscription: int | float | str | Fraction = 1
    hosts_per_leaf: int | None = None
    uplinks_per_leaf: int | None = None
    pod_leaves: int | None = None
    rails: int = 1
    planes: int | None = None
    trunk: Quantity | None = None
    link_latency: Quantity | None = None
    trunk_latency: Quantity | None = None
    switch_latency: Quantity | None = None
    cut_through: bool = True
    in_network_reduce: bool = False
    payload: Quantity = 4096
    overhead: Quantity = 0
    buffer: Quantity | None = "auto"
    routing: str = "spray_round_robin"
    kind: str = "net"
    medium: str = ""

    def __post_init__(self) -> None:
        rails = positive(self.rails, "rails", "fabric")
        # one leaf at least must be possible; how many there are is known with the number of accelerators
        leaf = self._leaf("fabric", 1)
        leaf.most("fabric")
        least = rails * (leaf.hosts or leaf.step())
        self.network("fabric", least, ports=1 if self.planes is None else positive(self.planes, "planes", "fabric"))

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators with ``ports`` NICs each."""
        planes = positive(ports if self.planes is None else self.planes, "planes", name)
        if positive(ports, "nics_per_device", name) % planes:
            raise FabricError(
                f"fabric {name}: {ports} NICs of an accelerator do not divide among {planes} planes; "
                f"nics_per_device must be {planes} or a multiple of it"
            )
        sized = self._size(name, positive(span, "count", name), ports // planes)
        payload, overhead = packet_bytes(self.payload, self.overhead)
        medium = medium_of(self.medium, name)
        host = LinkSpec(parse_rate(self.link, "link"), self._latency("link_latency"), medium)
        trunk_rate = host.rate if self.trunk is None else parse_rate(self.trunk, "trunk")
        trunk = LinkSpec(trunk_rate, self._latency("trunk_latency"), medium)
        switch = SwitchSpec(
            self._latency("switch_latency"),
            flag(self.cut_through, "cut_through", name),
            flag(self.in_network_reduce, "in_network_reduce", name),
        )
        links = [host] + [trunk] * (sized.tiers - 1)
        spec = NetworkSpec(
            name=name,
            span=span,
            topology=sized.topology,
            planes=plane_links(planes, ports // planes, name),
            links=links,
            switches=[switch] * sized.tiers,
            payload=payload,
            overhead=overhead,
            routing=parse_routing(self.routing),
            buffer=buffer_bytes(self.buffer, links, [switch], payload, overhead),
        )
        unused = {"trunk_latency"} if sized.tiers == 1 else set()
        assumed = tuple(
            f"{key} = {value}" for key, value in ASSUMED.items() if getattr(self, key) is None and key not in unused
        )
        return Network(spec, parse_kind(self.kind), self._notes(name, span, sized), assumed)

    def ratio(self) -> Fraction:
        """Return the oversubscription as a fraction of small whole numbers."""
        given = self.oversubscription
        try:
            if isinstance(given, str):
                found = _RATIO.fullmatch(given)
                ratio = Fraction(found[1]) / Fraction(found[2] or 1) if found else Fraction(0)
            else:
                ratio = Fraction(given).limit_denominator(1024)
        except Exception:  # no number, not finite, or of a class that does its own arithmetic
            ratio = Fraction(0)
        if ratio <= 0 or max(ratio.numerator, ratio.denominator) >= 2**32:
            raise FabricError(f"oversubscription {quote(given)} is not a positive ratio, such as 1, 2, 1.5 or '3:1'")
        return Fraction(int(ratio.numerator), int(ratio.denominator))  # of Python's own integers

    def _size(self, name: str, span: int, links: int) -> Sized:
        tiers = 1 if self.tiers is None else as_integer(self.tiers)
        if tiers is None or not 1 <= tiers <= 3:
            raise FabricError(f"fabric {name}: tiers is {quote(self.tiers)}; it must be 1, 2 or 3")
        return size_fat_tree(
            name,
            span,
            self._leaf(name, links),
            rails=positive(self.rails, "rails", name),
            tiers=tiers,
            pod_leaves=None if self.pod_leaves is None else positive(self.pod_leaves, "pod_leaves", name),
        )

    def _leaf(self, name: str, links: int) -> Leaf:
        given = {
            key: None if value is None else positive(value, key, name)
            for key, value in (("hosts_per_leaf", self.hosts_per_leaf), ("uplinks_per_leaf", self.uplinks_per_leaf))
        }
        ratio, hosts, uplinks = self.ratio(), given["hosts_per_leaf"], given["uplinks_per_leaf"]
        if uplinks is not None and ratio != 1 and (hosts is None or Fraction(hosts * links, uplinks) != ratio):
            raise FabricError(
                f"fabric {name}: uplinks_per_leaf {uplinks} and oversubscription {quote(self.oversubscription)} "
                "both say how many uplinks a leaf has; give one of them"
            )
        return Leaf(
            radix=positive(self.radix, "radix", name),
            ratio=None if uplinks is not None else ratio,
            links=links,
            hosts=hosts,
            uplinks=uplinks,
        )

    def _latency(self, key: str) -> int:
        given = getattr(self, key)
        return parse_latency(ASSUMED[key] if given is None else given, key, zero=key == "switch_latency")

    def _notes(self, name: str, span: int, sized: Sized) -> tuple[str, ...]:
        notes = []
        if self.tiers is not None and sized.tiers > self.tiers:
            notes.append(
                f"{name}: {self.tiers} tiers of radix {self.radix} do not join {span} accelerators; "
                f"built with tiers = {sized.tiers}"
            )
        if self.pod_leaves is not None and sized.tiers < 3:
            notes.append(f"{name}: pod_leaves has no effect: {sized.tiers} tiers have no pods")
        if sized.short:
            each = "hosts" if self.rails > 1 else "accelerators"
            notes.append(
                f"{name}: leaves hold {sized.topology.down[0]} {each}, the last one {sized.short}: {span} accelerators "
                "do not divide evenly"
            )
        if sized.tiers == 1 and self.uplinks_per_leaf is not None:
            notes.append(f"{name}: uplinks_per_leaf has no effect: one leaf joins all accelerators")
        if sized.idle_ports:
            notes.append(
                f"{name}: oversubscription {self.ratio()} leaves {sized.idle_ports} ports of each leaf "
                f"of radix {self.radix} idle"
            )
        return tuple(notes)
