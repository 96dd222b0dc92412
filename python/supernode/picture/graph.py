"""Levels of a network given by its vertices and edges: by distance from the accelerators.

A small one is drawn vertex by vertex, each layer ordered by the mean place of its neighbours below; of a layer with
more vertices than fit, a few stand for all. Links join vertices of one layer (arcs) or of neighbouring layers, since
distances of neighbours differ by at most one. Accelerators are the vertices 0 to ``span - 1``, switches the next ones.
Cost: O(vertices + edges).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from supernode.picture.model import SLOTS, Item, Levels, Links, Row, link_text, plural, shown, switch_text
from supernode.spec import NetworkSpec

__all__ = ["GraphLike", "graph_levels"]

#: Vertices of a layer up to which all are drawn.
SMALL = 16
#: Places for switches above many accelerators.
LEAVES = 5

Arc = tuple[int, int, str]


class GraphLike(Protocol):
    """A topology of kind ``graph``: edges are (vertex, vertex, class of link, parallel links)."""

    @property
    def switches(self) -> int:
        """Number of switches."""

    @property
    def edges(self) -> Sequence[Sequence[int]]:
        """Undirected edges."""

    @property
    def switch_kinds(self) -> Sequence[int]:
        """Of each switch, its entry among the switches of the network."""


def graph_levels(spec: NetworkSpec, shape: GraphLike, counts: Mapping[str, Any], *, riser: bool) -> Levels:
    """Levels of a graph, farthest from the accelerators first.

    Parameters
    ----------
    spec, shape
        The network and its topology.
    counts
        What the core counts of it.
    riser
        Whether the accelerators stand inside another network.
    """
    graph = _Graph(spec, shape, int(counts.get("copies", 1)))
    inside = graph.within(0)
    among = tuple(f"among accelerators: {text}" for text in graph.texts(inside))
    items: list[Item] = []
    if graph.apart:
        items.append(graph.row(graph.apart, "joined to no accelerator", ()))
    for depth in range(len(graph.layers) - 1, 0, -1):
        items.append(graph.row(graph.layers[depth], f"{depth} from the accelerators", graph.within(depth)))
        items.append(graph.between(depth))
    if not riser:
        return Levels(tuple(items), graph.slots(0), graph.arcs(0, inside), among)
    text: tuple[str, ...] = ("links between accelerators",)
    if items and isinstance(down := items[-1], Links):
        text = (down.heading, *down.lines)
        items.pop()
    first = next((e for e in graph.edges if 0 in (graph.depth.get(e[0]), graph.depth.get(e[1]))), None)
    medium = "" if first is None else spec.links[first[2]].medium
    return Levels((*items, Links(text[0], (*text[1:], *among), riser=spec.name, medium=medium)))


class _Graph:
    def __init__(self, spec: NetworkSpec, shape: GraphLike, copies: int) -> None:
        self.spec, self.shape, self.copies = spec, shape, copies
        self.edges = [(int(e[0]), int(e[1]), int(e[2]), int(e[3])) for e in shape.edges]
        self.near: dict[int, list[int]] = defaultdict(list)
        for a, b, _, _ in self.edges:
            self.near[a].append(b)
            self.near[b].append(a)
        self.depth: dict[int, int] = dict.fromkeys(range(spec.span), 0)
        self.layers: list[list[int]] = [list(range(spec.span))]
        self._measure()
        lowest = [{w for w in self.near[v] if w >= spec.span} for v in range(spec.span)]
        #: Whether every accelerator is on one switch.
        self.apiece = all(len(found) == 1 for found in lowest)
        every = range(spec.span, spec.span + shape.switches)
        self.apart = [v for v in every if v not in self.depth]

    def _measure(self) -> None:
        """Sort vertices into layers by distance, and each layer by the mean place of its neighbours below."""
        while True:
            place = {v: i for i, v in enumerate(self.layers[-1])}
            found = {w for v in place for w in self.near[v] if w not in self.depth}
            if not found:
                return
            mean: dict[int, float] = {}
            for v in found:
                self.depth[v] = len(self.layers)
                below = [place[w] for w in self.near[v] if w in place]
                mean[v] = sum(below) / len(below)
            self.layers.append(sorted(found, key=lambda v: (mean[v], v)))

    def slots(self, depth: int) -> tuple[int | None, ...]:
        """Vertices of a layer to draw; of many accelerators, the first and last of each switch that is drawn."""
        layer = self.layers[depth]
        if depth > 1 or len(self.layers[0]) <= SMALL or not self.apiece:
            return _some(layer, SMALL)
        if depth == 1:
            return _some(layer, LEAVES)
        drawn: list[int | None] = []
        for switch in self.slots(1):
            here = sorted(v for v in set(self.near[switch]) if v < self.spec.span) if switch is not None else []
            drawn += here if 0 < len(here) <= 3 else [here[0], None, here[-1]] if here else [None]
        return tuple(drawn)

    def within(self, depth: int) -> list[tuple[int, int, int, int]]:
        """Edges inside a layer."""
        return [e for e in self.edges if self.depth.get(e[0]) == depth == self.depth.get(e[1])]

    def texts(self, edges: Iterable[tuple[int, int, int, int]]) -> list[str]:
        """Word the links of some edges, one line a class."""
        total: Counter[int] = Counter()
        for _, _, kind, count in edges:
            total[kind] += count
        return [link_text(n * self.copies, self.spec.links[kind]) for kind, n in sorted(total.items())]

    def arcs(self, depth: int, edges: Iterable[tuple[int, int, int, int]]) -> tuple[Arc, ...]:
        """Edges inside a layer, between vertices that are drawn."""
        place = {v: i for i, v in enumerate(self.slots(depth)) if v is not None}
        return tuple(
            (place[a], place[b], self.spec.links[kind].medium) for a, b, kind, _ in edges if a in place and b in place
        )

    def row(self, layer: Sequence[int], where: str, edges: Sequence[tuple[int, int, int, int]]) -> Row:
        """Switches of one layer."""
        kinds = self.shape.switch_kinds or [0] * self.shape.switches
        number = Counter(kinds[v - self.spec.span] for v in layer)
        lines = []
        for kind, count in sorted(number.items()):
            switch = self.spec.switches[kind]
            each = f"{count * self.copies:,}: " if len(number) > 1 else ""
            lines.append(f"{each}{switch_text(switch)}")
            if switch.in_network_reduce:
                lines.append("reduces in the network")
        ports: Counter[int] = Counter()
        for a, b, _, count in self.edges:
            ports[a] += count
            ports[b] += count
        used = [ports[v] for v in layer]
        lines.append(f"ports in use: {min(used):,}" + (f" to {max(used):,}" if min(used) < max(used) else ""))
        if edges:
            lines += [f"within: {text}" for text in self.texts(edges)]
        depth = self.depth.get(layer[0])
        slots = _some(layer, SMALL) if depth is None else self.slots(depth)
        adds = tuple(v is not None and self.spec.switches[kinds[v - self.spec.span]].in_network_reduce for v in slots)
        arcs = () if depth is None else self.arcs(depth, edges)
        return Row("switch", f"{plural(len(layer) * self.copies, 'switch')}, {where}", tuple(lines), slots, adds, arcs)

    def between(self, depth: int) -> Links:
        """Links from a layer to the one below."""
        pair = {depth, depth - 1}
        edges = [e for e in self.edges if {self.depth.get(e[0]), self.depth.get(e[1])} == pair]
        first, *rest = self.texts(edges)
        upper = {v: i for i, v in enumerate(self.slots(depth)) if v is not None}
        lower = {v: i for i, v in enumerate(self.slots(depth - 1)) if v is not None}
        drawn = [
            (upper[up], lower[down], self.spec.links[kind].medium)
            for a, b, kind, _ in edges
            for up, down in ((a, b), (b, a))
            if up in upper and down in lower
        ]
        return Links(first, tuple(rest), tuple(drawn))


def _some(layer: Sequence[int], most: int) -> tuple[int | None, ...]:
    chosen = shown(len(layer), min(most, SLOTS) if len(layer) > most else most)
    return tuple(None if i is None else layer[i] for i in chosen)
