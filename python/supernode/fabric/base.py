"""What all fabrics share: the network they become, and the parsing of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from supernode import core
from supernode.errors import FabricError, SpecError
from supernode.names import canonical, plain_text
from supernode.quoting import quote
from supernode.spec import LinkSpec, NetworkSpec, SwitchSpec
from supernode.units import Quantity, as_integer, parse_size

__all__ = [
    "GRAPH_ROUTINGS",
    "KINDS",
    "ROUTINGS",
    "Fabric",
    "Network",
    "buffer_bytes",
    "flag",
    "link_rate",
    "medium_of",
    "packet_bytes",
    "parse_fabric",
    "parse_kind",
    "parse_routing",
    "plane_links",
    "positive",
]

#: Largest packet in the core, with its overhead.
MAX_PACKET = 65_535

#: Ports that an accelerator can have, as in the core.
MAX_PORTS = 1 << 14

#: Kinds of network that a stack may price separately.
KINDS = ("nvlink", "ub", "ici", "pci", "net")

#: Routing policies of the core.
ROUTINGS = tuple(core.vocabulary()["routings"])

#: Those that look at queues or leave the shortest paths, which explicit graphs alone have.
GRAPH_ROUTINGS = tuple(core.vocabulary()["routings_of_graphs"])


@dataclass(frozen=True)
class Network:
    """One network of a system, with what the specification does not carry.

    Parameters
    ----------
    spec
        The network as the core takes it.
    kind
        One of :data:`KINDS`: which per-step software latency applies.
    notes
        What the builder had to decide or assume; shown with every result.
    assumed
        Parameters that the user did not give, with the value taken.
    names
        Names of the vertices of a graph: accelerators, then switches.
    per_cable
        By tier or dimension, links that share one cable and its two modules; one where nothing is said.
    optical_one_in
        By dimension, 0, or every how many links one is optical whatever the others are made of: those between racks or
        cubes whose inside is copper.
    ports
        By tier of a tree, ports of the switch hardware, 0 where they are not known; empty if none are.
    label
        Family and sizes of a graph that follows a rule; empty for others.
    form
        Topology of such a graph as a file has it, instead of all its vertices and edges.
    """

    spec: NetworkSpec
    kind: str
    notes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    per_cable: tuple[int, ...] = ()
    optical_one_in: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()
    label: str = ""
    form: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Fabric(Protocol):
    """Anything that can join accelerators."""

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network.

        Parameters
        ----------
        name
            Name in tables.
        span
            Accelerators to join.
        ports
            Ports (NICs) of each accelerator, where the fabric leaves that open.
        """
        ...


def positive(value: object, what: str, fabric: str) -> int:
    """Return a whole number of at least 1, or raise :class:`FabricError`."""
    number = as_integer(value)
    if number is None or not 1 <= number < 2**32:
        raise FabricError(f"fabric {fabric}: {what} is {quote(value)}; it must be a whole number from 1 to {2**32 - 1}")
    return number


def link_rate(networks: Sequence[Network]) -> int:
    """Return the rate of the fastest link of the innermost network, in bit/s; 0 without one."""
    return max((link.rate for network in networks[:1] for link in network.spec.links), default=0)


def plane_links(count: int, links: int, fabric: str) -> list[int]:
    """Return the links of an accelerator into each of so many planes.

    Raises
    ------
    FabricError
        If they are more than an accelerator can have.
    """
    if count * links > MAX_PORTS:
        raise FabricError(
            f"fabric {fabric}: planes is {count} and links {links}: {count * links} ports per accelerator; at most "
            f"{MAX_PORTS}"
        )
    return [links] * count


def flag(value: object, what: str, fabric: str) -> bool:
    """Return a bool, or raise :class:`FabricError`: the text ``"false"`` is not one."""
    if not isinstance(value, bool):
        raise FabricError(f"fabric {fabric}: {what} is {quote(value)}; it must be True or False")
    return value


def medium_of(value: object, fabric: str) -> str:
    """Return what a link is made of, or raise :class:`FabricError`."""
    return plain_text(value, f"fabric {fabric}: medium", FabricError)


def parse_fabric(value: object, system: str) -> Fabric:
    """Return the fabric, or raise :class:`SpecError` with the valid classes."""
    if isinstance(value, type) or not isinstance(value, Fabric):
        raise SpecError(
            f"system {system}: fabric is {quote(value)}; "
            "it must be a Switched, FatTree, Torus, Mesh, Ring, FullMesh, Graph, Dragonfly, DragonflyPlus, HyperX or "
            "Hypercube object"
        )
    return value


def parse_routing(name: str, *, graph: bool = False) -> str:
    """Return the core's name of a routing policy.

    Parameters
    ----------
    name
        Name or alias.
    graph
        Whether it is for an explicit graph, which has more policies.

    Raises
    ------
    SpecError
        If it is unknown, or only for graphs.
    """
    policy = canonical("routing", name, core.vocabulary()["routings"])
    if policy in GRAPH_ROUTINGS and not graph:
        valid = ", ".join(r for r in ROUTINGS if r not in GRAPH_ROUTINGS)
        raise SpecError(
            f"routing {quote(name)} is for explicit graphs: Graph, Dragonfly, DragonflyPlus, HyperX, Hypercube "
            f"(valid here: {valid})"
        )
    return policy


def parse_kind(name: str) -> str:
    """Return the kind of a network, checked."""
    return canonical("network kind", name, KINDS)


def buffer_bytes(
    buffer: Quantity | None, links: Sequence[LinkSpec], switches: Sequence[SwitchSpec], payload: int, overhead: int
) -> int | None:
    """Size the buffer behind each link of a network.

    ``"auto"`` is what lets one flow keep the slowest-returning link busy: the core knows how credits come back.
    ``None`` and ``"unlimited"`` are output queues without flow control.

    Returns
    -------
    int or None
        Bytes.
    """
    if buffer is None or (isinstance(buffer, str) and buffer == "unlimited"):
        return None
    if not isinstance(buffer, str) or buffer != "auto":
        packet = payload + overhead
        size = parse_size(buffer, "buffer")
        if size < packet:
            raise SpecError(f"buffer: {size} B are too few; it must hold a full packet, {packet} B, or be 'unlimited'")
        return size
    switch = max((s.latency_fs for s in switches), default=0)
    return max(core.auto_buffer(link.rate, link.latency_fs, switch, payload, overhead) for link in links)


def packet_bytes(payload: Quantity, overhead: Quantity) -> tuple[int, int]:
    """Parse payload and overhead of a packet, in bytes; only the overhead may be zero."""
    extra = 0 if as_integer(overhead) == 0 else parse_size(overhead, "overhead")
    full = parse_size(payload, "payload")
    if full + extra > MAX_PACKET:
        raise SpecError(f"payload and overhead together are {full + extra} B; at most {MAX_PACKET} B")
    return full, extra
