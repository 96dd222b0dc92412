"""The parts of an explicit graph: edges and switches, and what is checked of each alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from supernode.errors import FabricError, SizeOverflowError
from supernode.fabric.base import positive
from supernode.quoting import quote
from supernode.units import Quantity

__all__ = [
    "CHANNELS",
    "MAX_EDGES",
    "MAX_SWITCHES",
    "MAX_VERTICES",
    "MAX_WEIGHT",
    "Edge",
    "SwitchNode",
    "as_edge",
    "as_switch",
    "check_size",
    "paired",
    "shown",
]

#: Vertices of one graph; larger machines have a structure, and the other fabrics need no list.
MAX_VERTICES = 2**21

#: Edges of one graph.
MAX_EDGES = 2**24

#: Switches of one copy of a graph in the core, which knows the distance of every two.
MAX_SWITCHES = 2**14

#: Largest weight of a link in the core, which keeps the distance of two switches in a byte.
MAX_WEIGHT = 15

#: Virtual channels of the core: links between switches of a path that no cycle of waiting packets can close.
CHANNELS = 6


@dataclass(frozen=True)
class Edge:
    """A full-duplex edge of a :class:`Graph`: one link, or several in parallel.

    Parameters
    ----------
    a, b
        Names of its ends.
    rate
        Rate of one link per direction, for example ``"50 GB/s"``; by default that of the graph.
    latency
        Propagation, PHY and error correction of a link, for example ``"100 ns"``; by default that of the graph.
    count
        Parallel links.
    medium
        Copper, optics, ...: for tables only.
    weight
        What the links count on a path, from 1 to 15: packets take the paths of least weight, by default those of fewest
        links. Detours and adaptive routing choose among these, too.
    """

    a: str
    b: str
    rate: Quantity | None = None
    latency: Quantity | None = None
    count: int = 1
    medium: str | None = None
    weight: int = 1


@dataclass(frozen=True)
class SwitchNode:
    """A switch of a :class:`Graph`.

    Parameters
    ----------
    name
        Name, unique in the graph.
    latency
        Head in to head out of an idle switch, for example ``"100 ns"``; by default that of the graph.
    radix
        Ports it has; more links than these are an error.
    cut_through, in_network_reduce
        As for :class:`~supernode.Switched`; by default as the graph.
    """

    name: str
    latency: Quantity | None = None
    radix: int | None = None
    cut_through: bool | None = None
    in_network_reduce: bool | None = None


def check_size(vertices: int, edges: int, where: str = "fabric graph") -> None:
    """Refuse a graph that is too large to be a list.

    Raises
    ------
    SizeOverflowError
        Naming the number.
    """
    for what, number, most in (("vertices", vertices, MAX_VERTICES), ("edges", edges, MAX_EDGES)):
        if number > most:
            raise SizeOverflowError(
                f"{where}: {number} {what} are too many for a list; at most {most}. FatTree, Torus and the other "
                "fabrics need no list"
            )


def as_edge(value: object) -> Edge:
    """Return an edge that may be a pair of names."""
    if isinstance(value, Edge):
        return value
    if isinstance(value, tuple | list) and len(value) == 2:
        return Edge(*value)
    raise FabricError(f"fabric graph: {quote(value)} is not an edge; it must be an Edge or a pair of names")


def as_switch(value: object) -> SwitchNode:
    """Return a switch that may be a name."""
    if isinstance(value, str):
        return SwitchNode(value)
    if isinstance(value, SwitchNode):
        return value
    raise FabricError(f"fabric graph: {quote(value)} is not a switch; it must be a SwitchNode or a name")


def shown(edge: Edge) -> str:
    """Word an edge in an error."""
    return f"edge {quote(edge.a)} - {quote(edge.b)}"


def paired(edges: Iterable[Edge]) -> list[Edge]:
    """Join directed edges in pairs; one without its twin is an error."""
    total: Counter[Edge] = Counter()
    for edge in edges:
        total[replace(edge, count=1)] += positive(edge.count, f"count of {shown(edge)}", "graph")
    found: dict[Edge, Edge] = {}
    for edge, count in total.items():
        back = replace(edge, a=edge.b, b=edge.a)
        if total[back] != count:
            raise FabricError(
                f"fabric graph: {count} links lead from {quote(edge.a)} to {quote(edge.b)} and {total[back]} of the "
                "same rate, latency and weight back; links are full duplex"
            )
        if back not in found:
            found[edge] = replace(edge, count=count)
    return list(found.values())
