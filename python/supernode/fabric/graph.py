"""Fabrics as an explicit graph: every switch and every link by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import NoneType

from supernode.errors import FabricError
from supernode.fabric.base import Network, buffer_bytes, flag, packet_bytes, parse_kind, parse_routing, positive
from supernode.fabric.parts import MAX_WEIGHT, Edge, SwitchNode, as_edge, as_switch, check_size, paired, shown
from supernode.fabric.reach import unjoined, unreachable
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.spec import GraphShape, LinkSpec, NetworkSpec, SwitchSpec
from supernode.units import Quantity, as_integer, parse_latency, parse_rate

__all__ = ["Edge", "Graph", "SwitchNode"]


@dataclass(frozen=True)
class _Wiring:
    shape: GraphShape
    links: list[LinkSpec]
    switches: list[SwitchSpec]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A fabric given by its vertices and edges.

    Switches forward. Accelerators do where ``forwarding`` says so, or where there are no switches: rings, tori and cube
    meshes of accelerators.

    Parameters
    ----------
    accelerators
        Their names, in the order of ranks.
    edges
        :class:`Edge` objects, or pairs of names. An edge that is given several times counts as parallel links.
    switches
        :class:`SwitchNode` objects, or names.
    rate, latency, medium
        Of edges that have none of their own: rate of a link per direction (``"400 Gbit/s"``), latency (``"500 ns"``).
    switch_latency, cut_through, in_network_reduce
        Of switches that have none of their own.
    forwarding
        Whether accelerators pass on packets of others, by a router of ``switch_latency`` and ``cut_through`` in each.
        By default only in a graph without switches, and with a note, if some two have no edge of their own.
    directed
        Edges lead from ``a`` to ``b`` only, and each one needs its twin the other way: for lists of directed links.
    payload, overhead, buffer, kind
        As for :class:`~supernode.Switched`.
    routing
        How packets choose among equal shortest paths, or ``"adaptive"`` (the shortest queue among these), ``"valiant"``
        (by way of a random switch), ``"ugal"`` (either, by the queues). Where accelerators forward the detour is by a
        random accelerator, and UGAL decides behind the first link.

    Raises
    ------
    FabricError
        Naming the vertex or edge: a name twice or unknown, an edge from a vertex to itself or without a rate or
        latency, more links than a switch has ports, a link without its way back, two accelerators that nothing joins
        (where accelerators do not forward: that no path through switches joins).
    UnitError
        If a quantity is not valid.
    SizeOverflowError
        If the graph has more than 2^21 vertices or 2^24 edges.

    Examples
    --------
    >>> import supernode as sn
    >>> fabric = sn.Graph(
    ...     accelerators=["a", "b"], switches=["s"], edges=[("a", "s"), ("b", "s")], rate="50 GB/s", latency="100 ns"
    ... )
    >>> sn.System("pair").scale_up(count=2, fabric=fabric).accelerators
    2
    """

    accelerators: Sequence[str]
    edges: Sequence[Edge | tuple[str, str]]
    switches: Sequence[SwitchNode | str] = ()
    rate: Quantity | None = None
    latency: Quantity | None = None
    medium: str = ""
    switch_latency: Quantity = "0 ns"
    cut_through: bool = True
    in_network_reduce: bool = False
    forwarding: bool | None = None
    directed: bool = False
    payload: Quantity = 4096
    overhead: Quantity = 0
    buffer: Quantity | None = "auto"
    routing: str = "spray_round_robin"
    kind: str = "net"

    def __post_init__(self) -> None:
        for field in ("accelerators", "edges", "switches"):
            value = getattr(self, field)
            try:
                items = None if isinstance(value, str | bytes) else tuple(value)
            except Exception:  # __iter__ may be anyone's
                items = None
            if items is None:
                raise FabricError(f"fabric graph: {field} is {quote(value)}; it must be a list")
            object.__setattr__(self, field, items)
        if not self.accelerators:
            raise FabricError("fabric graph: it has no accelerators")
        self.network("graph", len(self.accelerators))

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators, which must be the graph's own number."""
        if positive(span, "count", name) != len(self.accelerators):
            raise FabricError(f"fabric {name}: the graph has {len(self.accelerators)} accelerators, not {span}")
        if positive(ports, "ports", name) != 1:
            raise FabricError(f"fabric {name}: the edges of a graph say how many ports an accelerator has, not {ports}")
        payload, overhead = packet_bytes(self.payload, self.overhead)
        wiring = self._wiring
        spec = NetworkSpec(
            name=name,
            span=span,
            topology=wiring.shape,
            planes=[1],
            links=wiring.links,
            switches=wiring.switches,
            payload=payload,
            overhead=overhead,
            routing=parse_routing(self.routing, graph=True),
            buffer=buffer_bytes(self.buffer, wiring.links, wiring.switches, payload, overhead),
        )
        names = (*self.accelerators, *(node.name for node in self._nodes))
        notes = tuple(f"{name}: {note}" for note in wiring.notes)
        return Network(spec, parse_kind(self.kind), notes, names=names)

    @cached_property
    def _nodes(self) -> tuple[SwitchNode, ...]:
        return tuple(as_switch(node) for node in self.switches)

    @cached_property
    def _wiring(self) -> _Wiring:
        """The graph in numbers, checked."""
        check_size(len(self.accelerators) + len(self.switches), len(self.edges))
        vertices = self._vertices()
        edges = [as_edge(edge) for edge in self.edges]
        if not edges and len(vertices) > 1:
            raise FabricError("fabric graph: it has no edges")
        if flag(self.directed, "directed", "graph"):
            edges = paired(edges)
        links: dict[tuple[LinkSpec, int], int] = {}
        counts: dict[tuple[int, int, int], int] = {}
        parsed: dict[tuple[Quantity | None, Quantity | None, str | None, int], int] = {}
        for edge in edges:
            ends = (self._end(edge, edge.a, vertices), self._end(edge, edge.b, vertices))
            if ends[0] == ends[1]:
                raise FabricError(f"fabric graph: {shown(edge)} joins {quote(edge.a)} to itself")
            look = (edge.rate, edge.latency, edge.medium, edge.weight)
            # what is of another type is refused below, and may not be hashable
            known = all(type(part) in (str, int, NoneType) for part in look)
            number = parsed.get(look) if known else None
            if number is None:
                number = links.setdefault((self._link(edge), _weight(edge)), len(links))
                if known:
                    parsed[look] = number
            key = (*ends, number)
            if (ends[1], ends[0], number) in counts:
                key = (ends[1], ends[0], number)
            counts[key] = counts.get(key, 0) + positive(edge.count, f"count of {shown(edge)}", "graph")
        check_size(len(vertices), len(counts))
        kinds: dict[SwitchSpec, int] = {}
        numbers = [kinds.setdefault(self._switch_spec(node), len(kinds)) for node in self._nodes]
        pairs = [(a, b) for a, b, _ in counts]
        forwarding, notes = self._forwards(pairs)
        router = None
        if forwarding:
            latency = parse_latency(self.switch_latency, "switch_latency of the graph", zero=True)
            router = kinds.setdefault(SwitchSpec(latency, flag(self.cut_through, "cut_through", "graph")), len(kinds))
        shape = GraphShape(
            switches=len(self._nodes),
            edges=[(a, b, link, count) for (a, b, link), count in counts.items()],
            switch_kinds=numbers if any(numbers) else [],
            weights=[weight for _, weight in links] if any(weight != 1 for _, weight in links) else [],
            forwarding=router,
        )
        switches = list(kinds) or [SwitchSpec(0, self.cut_through)]
        self._check_ports(shape)
        return _Wiring(shape, [link for link, _ in links], switches, (*notes, *self._notes(shape)))

    def _forwards(self, pairs: list[tuple[int, int]]) -> tuple[bool, tuple[str, ...]]:
        """Return whether accelerators forward, and a note if the graph says so and not the caller."""
        if self.forwarding is not None and not isinstance(self.forwarding, bool):
            raise FabricError(f"fabric graph: forwarding is {quote(self.forwarding)}; it must be True, False or None")
        span, switches = len(self.accelerators), len(self._nodes)
        missing = None if self.forwarding else unreachable(span, switches, pairs)
        if not self.forwarding and missing is None:
            return False, ()
        apart = unjoined(span, switches, pairs)
        if apart is not None and self.forwarding is not False:
            a, b = (self.accelerators[i] for i in apart)
            raise FabricError(f"fabric graph: no path joins {quote(a)} and {quote(b)}")
        if missing is None:
            return True, ()
        a, b = (self.accelerators[i] for i in missing)
        if self.forwarding is False or switches:
            # beside switches an accelerator that hangs on another one is rather a slip than a router
            which = "forwarding=False" if self.forwarding is False else "forwarding=True would let them"
            raise FabricError(
                f"fabric graph: no path through switches joins {quote(a)} and {quote(b)}; "
                f"accelerators do not forward ({which})"
            )
        return True, (f"accelerators forward: there are no switches, and no edge joins {quote(a)} and {quote(b)}",)

    def _vertices(self) -> dict[str, int]:
        names = [*self.accelerators, *(node.name for node in self._nodes)]
        for name in names:
            if not isinstance(name, str) or not name:
                raise FabricError(f"fabric graph: {quote(name)} is not the name of a vertex; it must be text")
            plain_text(name, "fabric graph: the name of a vertex", FabricError)
        vertices = {name: number for number, name in enumerate(names)}
        if len(vertices) != len(names):
            twice = next(name for name, times in Counter(names).items() if times > 1)
            raise FabricError(f"fabric graph: the name {quote(twice)} is given twice")
        return vertices

    def _end(self, edge: Edge, name: str, vertices: dict[str, int]) -> int:
        number = vertices.get(name) if isinstance(name, str) else None
        if number is None:
            raise FabricError(
                f"fabric graph: {shown(edge)} ends at {quote(name)}, which is no accelerator or switch of it"
            )
        return number

    def _link(self, edge: Edge) -> LinkSpec:
        rate = self.rate if edge.rate is None else edge.rate
        latency = self.latency if edge.latency is None else edge.latency
        for what, value in (("rate", rate), ("latency", latency)):
            if value is None:
                raise FabricError(
                    f"fabric graph: {shown(edge)} has no {what}; give it to the edge, or to the graph as {what}="
                )
        medium = self.medium if edge.medium is None else edge.medium
        plain_text(medium, f"fabric graph: medium of {shown(edge)}", FabricError)
        return LinkSpec(
            parse_rate(rate, f"rate of {shown(edge)}"),  # type: ignore[arg-type]
            parse_latency(latency, f"latency of {shown(edge)}"),  # type: ignore[arg-type]
            medium,
        )

    def _switch_spec(self, node: SwitchNode) -> SwitchSpec:
        latency = self.switch_latency if node.latency is None else node.latency
        return SwitchSpec(
            parse_latency(latency, f"latency of switch {quote(node.name)}", zero=True),
            flag(self.cut_through if node.cut_through is None else node.cut_through, "cut_through", "graph"),
            flag(
                self.in_network_reduce if node.in_network_reduce is None else node.in_network_reduce,
                "in_network_reduce",
                "graph",
            ),
        )

    def _check_ports(self, shape: GraphShape) -> None:
        used: Counter[int] = Counter()
        for a, b, _, count in shape.edges:
            used[a] += count
            used[b] += count
        for number, node in enumerate(self._nodes, start=len(self.accelerators)):
            if node.radix is None:
                continue
            radix = positive(node.radix, f"radix of switch {quote(node.name)}", "graph")
            if used[number] > radix:
                raise FabricError(
                    f"fabric graph: switch {quote(node.name)} has {used[number]} links, more than its radix of {radix}"
                )

    def _notes(self, shape: GraphShape) -> tuple[str, ...]:
        used = {vertex for a, b, *_ in shape.edges for vertex in (a, b)}
        idle = [n.name for i, n in enumerate(self._nodes, start=len(self.accelerators)) if i not in used]
        if not idle:
            return ()
        more = f" and {len(idle) - 3} more" if len(idle) > 3 else ""
        return (f"switches without a link have no effect: {', '.join(idle[:3])}{more}",)


def _weight(edge: Edge) -> int:
    weight = as_integer(edge.weight)
    if weight is None or not 1 <= weight <= MAX_WEIGHT:
        raise FabricError(
            f"fabric graph: weight of {shown(edge)} is {quote(edge.weight)}; "
            f"it must be a whole number from 1 to {MAX_WEIGHT}"
        )
    return weight
