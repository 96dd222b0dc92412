"""What a reader finds in a file, on its way to a system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from supernode.errors import FabricError, SpecError
from supernode.fabric.base import Network
from supernode.fabric.graph import Graph
from supernode.fabric.parts import Edge, SwitchNode, shown
from supernode.files.text import as_path, read_text
from supernode.names import canonical, unknown
from supernode.quoting import quote
from supernode.spec import GraphShape
from supernode.system.device import Device
from supernode.system.nics import Nics
from supernode.units import Quantity, parse_time

__all__ = ["Draft", "Found", "ImportOptions", "Options", "listed"]


class ImportOptions(TypedDict, total=False):
    """Keywords of :meth:`supernode.System.from_file`, which documents them."""

    name: str | None
    link_rate: Quantity | Mapping[str, Quantity] | None
    link_latency: Quantity | Mapping[str, Quantity] | None
    switch_latency: Quantity | None
    accelerators: Sequence[str] | None
    device: Device | None
    hints: str | Path | None
    payload: Quantity | None
    overhead: Quantity | None
    buffer: Quantity | None
    routing: str | None
    kind: str | None
    forwarding: bool | None


@dataclass(frozen=True)
class Options:
    """What a caller adds to a file; ``None`` is what the file says.

    Parameters
    ----------
    name
        Name of the system.
    link_rate, link_latency
        Rate per direction and latency of links for which the file has none: one value, or one for each kind of link
        that the format has names for.
    switch_latency
        Of switches for which the file has none.
    accelerators
        Names of the accelerators, in the order of ranks.
    device
        The accelerator.
    hints
        Text of a file that comes with the first one.
    payload, overhead, buffer, routing, kind
        As for :class:`~supernode.Switched`.
    forwarding
        As for :class:`~supernode.Graph`.
    """

    name: str | None = None
    link_rate: Quantity | Mapping[str, Quantity] | None = None
    link_latency: Quantity | Mapping[str, Quantity] | None = None
    switch_latency: Quantity | None = None
    accelerators: Sequence[str] | None = None
    device: Device | None = None
    hints: str | None = None
    payload: Quantity | None = None
    overhead: Quantity | None = None
    buffer: Quantity | None = None
    routing: str | None = None
    kind: str | None = None
    forwarding: bool | None = None

    @classmethod
    def of(cls, given: ImportOptions) -> Options:
        """Check keywords, and read the second file if one is given.

        Raises
        ------
        SpecError
            Naming the keyword that is unknown or of a wrong kind, and the nearest valid one.
        """
        valid = [field.name for field in fields(cls)]
        values: dict[str, Any] = {canonical("keyword", name, valid): value for name, value in given.items()}
        names, device = values.get("accelerators"), values.get("device")
        if names is not None and (isinstance(names, str) or not isinstance(names, Sequence)):
            raise SpecError(f"accelerators: {quote(names)} is not a list of names")
        if device is not None and not isinstance(device, Device):
            raise SpecError(f"device: {quote(device)} is not a Device")
        for key in ("name", "routing", "kind"):
            if values.get(key) is not None and not isinstance(values[key], str):
                raise SpecError(f"{key}: {quote(values[key])} is not a text")
        forwarding = values.get("forwarding")
        if forwarding is not None and not isinstance(forwarding, bool):
            raise SpecError(f"forwarding: {quote(forwarding)} is not valid; it must be True, False or None")
        if values.get("hints") is not None:
            values["hints"] = read_text(as_path(values["hints"], "hints"))
        return cls(**values)

    def rate(self, link: str, place: str) -> Quantity:
        """Return the rate of a kind of link, which the file does not say."""
        return self._given(self.link_rate, "rate", link, place)

    def latency(self, link: str, place: str) -> Quantity:
        """Return the latency of a kind of link, which the file does not say."""
        return self._given(self.link_latency, "latency", link, place)

    def check_links(self, names: Sequence[str]) -> None:
        """Refuse values for kinds of link that the file does not have."""
        for what, given in (("link_rate", self.link_rate), ("link_latency", self.link_latency)):
            for name in given if isinstance(given, Mapping) else ():
                if name not in names:
                    raise unknown(f"link of {what}", name, names)

    def packets(self) -> dict[str, Quantity]:
        """Return what was given about packets and buffers, as keywords of a fabric."""
        given = {"payload": self.payload, "overhead": self.overhead, "buffer": self.buffer, "routing": self.routing}
        return {key: value for key, value in given.items() if value is not None}

    @staticmethod
    def _given(value: Quantity | Mapping[str, Quantity] | None, what: str, link: str, place: str) -> Quantity:
        found = value.get(link) if isinstance(value, Mapping) else value
        if found is None:
            keyword = f"link_{what}=" if not isinstance(value, Mapping) else f"link_{what}={{{link!r}: ...}}"
            raise FabricError(f"{place} has no {what}; give {keyword}")
        return found


@dataclass(frozen=True)
class Found:
    """A system as a reader found it.

    Parameters
    ----------
    name
        Name of the system.
    networks
        Its networks, innermost first.
    warnings
        What was left out or taken for granted.
    device
        The accelerator, where the file says anything about it.
    nics
        What each accelerator has to reach the network outside, where the file says it.
    """

    name: str
    networks: tuple[Network, ...]
    warnings: tuple[str, ...] = ()
    device: Device | None = None
    nics: Nics | None = None


@dataclass
class Draft:
    """A graph that a reader fills.

    Parameters
    ----------
    name
        Name of the system.
    accelerators, switches, edges, directed
        As for :class:`~supernode.Graph`; what edges and switches lack is taken from the options.
    warnings
        What was left out or taken for granted.
    kind
        Kind of the network, unless the caller says otherwise.
    network
        Name of the network in tables.
    forwarding
        As for :class:`~supernode.Graph`.
    router_latency, cut_through
        Of the routers in accelerators that forward.
    """

    name: str
    accelerators: list[str] = field(default_factory=list)
    switches: list[SwitchNode] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    directed: bool = False
    kind: str = "net"
    network: str = "scale_up"
    given: dict[str, Quantity] = field(default_factory=dict)
    device: Device | None = None
    forwarding: bool | None = None
    router_latency: Quantity = "0 ns"
    cut_through: bool = True

    def build(self, options: Options) -> Network:
        """Return the network.

        Raises
        ------
        FabricError
            As :class:`~supernode.Graph`; a rate or latency that neither the file nor the caller gives.
        """
        accelerators, switches = self._ranks(options)
        edges = [
            replace(
                edge,
                rate=options.rate("", shown(edge)) if edge.rate is None else edge.rate,
                latency=options.latency("", shown(edge)) if edge.latency is None else edge.latency,
            )
            for edge in self.edges
        ]
        if options.switch_latency is None and any(node.latency is None for node in switches):
            self.warnings.append("the file has no latency of switches: 0 ns is taken; give switch_latency=")
        graph = Graph(
            accelerators=accelerators,
            switches=switches,
            edges=edges,
            switch_latency=self.router_latency if options.switch_latency is None else options.switch_latency,
            cut_through=self.cut_through,
            forwarding=self.forwarding if options.forwarding is None else options.forwarding,
            directed=self.directed,
            kind=self.kind if options.kind is None else options.kind,
            **{**self.given, **options.packets()},  # type: ignore[arg-type]
        )
        network = graph.network(self.network, len(accelerators))
        forwards = isinstance(network.spec.topology, GraphShape) and network.spec.topology.forwarding is not None
        if forwards and options.switch_latency is None and parse_time(self.router_latency, zero=True) == 0:
            self.warnings.append(
                "the file has no latency of routers in accelerators: 0 ns is taken; give switch_latency="
            )
        return network

    def found(self, options: Options) -> Found:
        """Return the system of this one network."""
        network = self.build(options)
        return Found(self.name, (network,), tuple(self.warnings), self.device)

    def _ranks(self, options: Options) -> tuple[list[str], list[SwitchNode]]:
        """Return accelerators and switches, sorted out as the caller says."""
        if options.accelerators is None:
            return self.accelerators, self.switches
        chosen = [str(name) for name in options.accelerators]
        nodes = {node.name: node for node in self.switches}
        names = [*self.accelerators, *nodes]
        known = set(names)
        for name in chosen:
            if name not in known:
                raise unknown("accelerator", name, names)
        rest = known - set(chosen)
        lost = [name for name in self.accelerators if name in rest]
        if lost:
            raise SpecError(f"accelerators: {listed(lost)} of the file are not in the list")
        return chosen, [node for name, node in nodes.items() if name in rest]


def listed(names: Sequence[str], most: int = 3) -> str:
    """Word a list that may be long."""
    text = ", ".join(repr(name) for name in names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text
