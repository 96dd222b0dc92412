"""Topologies as lists of links: ns-3 as ASTRA-sim uses it, and SimAI.

ns-3: a line ``<vertices> <switches> <links>``, a line with the numbers of the switches, then a line ``<a> <b>
<rate> <delay> <error rate>`` for each full-duplex link. SimAI has ``<vertices> <accelerators a server> <NVSwitches>
<switches> <links> <type>`` as its first line; its NVSwitches come first in the second one. Vertices that are not
switches are the accelerators, in the order of their numbers. SimAI's servers become a network of their own, as long
as all of them are wired alike: NVSwitches, and direct links inside a server. Rates of error have no effect, and
neither has a latency of switches, which the files lack.

ns-3 reads words, not lines, and takes what it needs: numbers after the first three, numbers of switches on several
lines, words after a link's five and links from a vertex to itself are read likewise, with a note on what was left out.

Source: examples/network/ns3 of astra-sim 518bd51; inputs/topo/gen_Topo_Template.py of SimAI cef83f9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from supernode.errors import FabricError, SpecError
from supernode.fabric.base import positive
from supernode.fabric.parts import Edge, SwitchNode, check_size
from supernode.fabric.reach import unjoined, unreachable
from supernode.io.found import Draft, Found, Options, listed
from supernode.io.text import Line, lines
from supernode.units import Quantity

__all__ = ["read_ns3", "read_simai"]


def read_ns3(text: str, name: str, options: Options) -> Found:
    """Read a physical topology of ns-3.

    Raises
    ------
    SpecError
        Naming the line that is missing or not valid.
    FabricError
        Naming the vertex or edge that is not valid.
    """
    rows = list(lines(text))
    head = _head(rows)
    words = ("vertices", "switches", "links")
    vertices, switches, links = (head.integer(i, what) for i, what in enumerate(words))
    draft = _Links(name, rows, vertices, switches, links, options).draft("net")
    draft.warnings += _surplus(head, len(words))
    return _found(draft, options)


def read_simai(text: str, name: str, options: Options) -> Found:
    """Read a topology of SimAI.

    Raises
    ------
    SpecError
        Naming the line that is missing or not valid.
    FabricError
        Naming the vertex or edge that is not valid.
    """
    rows = list(lines(text))
    head = _head(rows)
    words = ("vertices", "accelerators of a server", "NVSwitches", "switches", "links")
    vertices, server, chips, switches, links = (head.integer(i, what) for i, what in enumerate(words))
    read = _Links(name, rows, vertices, chips + switches, links, options)
    device = head.word(5, "type of the accelerator")
    whole = read.draft("net")
    whole.warnings += _surplus(head, len(words) + 1)
    whole.warnings.append(f"the accelerator is called {device}; its memory and channels are no limit")
    inner = _server(whole, read.switches[:chips], server)
    outer = whole
    if not isinstance(inner, str):
        outer = _outside(whole, set(read.switches[:chips]), server)
        if _gap(inner) is not None:
            inner = "their own links do not join every pair of a server"
        elif outer.edges and _gap(outer) is not None:
            inner = "the links between them do not join every pair of accelerators"
    if isinstance(inner, str):
        whole.warnings.append(f"servers are no network of their own: {inner}")
        return _found(whole, options)
    networks = [inner.build(options)]
    if outer.edges:
        networks.append(outer.build(options))
    return Found(name, tuple(networks), tuple(dict.fromkeys(outer.warnings + inner.warnings)))


def _found(draft: Draft, options: Options) -> Found:
    """Return the system of one network, in which accelerators forward if there is no other way."""
    missing = _gap(draft)
    if missing is not None and draft.switches and options.forwarding is None:
        a, b = (draft.accelerators[i] for i in missing)
        if unjoined(*_numbered(draft)) is None:
            draft.forwarding = True
            draft.warnings.append(f"accelerators forward: no path through switches joins {a!r} and {b!r}")
    return draft.found(options)


def _head(rows: Sequence[Line]) -> Line:
    if not rows:
        raise SpecError("the file is empty")
    return rows[0]


def _surplus(head: Line, known: int) -> list[str]:
    """Word what line 1 has after the numbers that are read."""
    more = head.words[known:]
    return [f"line {head.number}: {listed(more)} after the first {known} words are left out"] if more else []


class _Links:
    """The lines of a file, checked against its own counts."""

    def __init__(
        self, name: str, rows: Sequence[Line], vertices: int, switches: int, links: int, options: Options
    ) -> None:
        check_size(vertices, links, "line 1")
        if switches >= vertices:
            raise FabricError(f"line 1: {switches} of {vertices} vertices are switches; no accelerators are left")
        if len(rows) < 2:
            raise SpecError("line 2: the numbers of the switches are missing")
        self.name = name
        self.rows = rows
        self.links = links
        self.options = options
        ids: list[int] = []
        used = 1
        while len(ids) < switches and used < len(rows):
            ids += [rows[used].integer(i, "number of a switch") for i in range(len(rows[used].words))]
            used += 1
        self.first = used
        if len(ids) != switches:
            raise SpecError(f"line {rows[1].number}: {len(ids)} switches, not {switches} as line 1 says")
        if len(set(ids)) != len(ids) or any(number >= vertices for number in ids):
            raise SpecError(f"line {rows[1].number}: the numbers of the switches must differ and be below {vertices}")
        self.vertices = vertices
        self.switches = [str(number) for number in ids]

    def draft(self, kind: str) -> Draft:
        """Return the graph of all lines."""
        # without switches an empty line stands for their numbers, or none
        first = self.first if self.switches or self._is_link(self.rows[1]) else 2
        body = self.rows[first:]
        if len(body) < self.links:
            last = self.rows[-1].number
            raise SpecError(f"line {last}: the file ends after {len(body)} of {self.links} links")
        draft = Draft(self.name, kind=kind)
        if len(body) > self.links:
            draft.warnings.append(f"lines after the {self.links} links that line 1 announces are left out")
        switches = set(self.switches)
        draft.switches = [SwitchNode(name) for name in self.switches]
        draft.accelerators = [str(i) for i in range(self.vertices) if str(i) not in switches]
        errors, itself = 0, []
        for row in body[: self.links]:
            edge = self._edge(row)
            errors += row.words[4:5] not in ([], ["0"], ["0.0"])
            if edge.a == edge.b:
                itself.append(edge.a)
            else:
                draft.edges.append(edge)
        if itself:
            draft.warnings.append(f"links from a vertex to itself are left out: {listed(list(dict.fromkeys(itself)))}")
        if errors:
            draft.warnings.append(f"the error rates of {errors} links have no effect")
        return draft

    def _edge(self, row: Line) -> Edge:
        ends = [str(row.integer(i, "vertex")) for i in range(2)]
        place = f"line {row.number}"
        rate, latency = (row.words[i] if i < len(row.words) else None for i in (2, 3))
        return Edge(
            ends[0],
            ends[1],
            rate=self.options.rate("", place) if rate is None else rate,
            latency=self.options.latency("", place) if latency is None or _is_zero(latency) else latency,
        )

    @staticmethod
    def _is_link(row: Line) -> bool:
        return len(row.words) > 2 and not row.words[2].isdigit()


def _is_zero(latency: str) -> bool:
    return not latency.strip("0.nmus")


def _server(whole: Draft, chips: list[str], size: int) -> Draft | str:
    """Return the network of one server, or the reason why there is none."""
    count = len(whole.accelerators)
    if not chips:
        return "there are no NVSwitches"
    if positive(size, "accelerators of a server", whole.name) > count or count % size:
        return f"{count} accelerators are not whole servers of {size}"
    if len(chips) % (count // size):
        return f"{len(chips)} NVSwitches do not divide among {count // size} servers"
    place = {name: i for i, name in enumerate(whole.accelerators)}
    each = len(chips) // (count // size)
    chip = {name: i for i, name in enumerate(chips)}
    wires: list[list[tuple[int, int, Quantity | None, Quantity | None]]] = [[] for _ in range(count // size)]
    for edge in whole.edges:
        a, b = (edge.a, edge.b) if edge.a in place else (edge.b, edge.a)
        if b not in chip:
            if a in chip:
                return f"NVSwitch {a} has a link to {b}"
            if _is_inside(edge, place, set(), size):
                wires[place[a] // size].append((place[a] % size, place[b] % size, edge.rate, edge.latency))
            continue
        if a not in place or place[a] // size != chip[b] // each:
            return f"NVSwitch {b} has a link to {a}"
        wires[place[a] // size].append((place[a] % size, size + chip[b] % each, edge.rate, edge.latency))
    names = [f"gpu{i}" for i in range(size)] + [f"nvswitch{i}" for i in range(each)]
    if any(other != wires[0] for other in wires):
        return "they are not all wired alike"
    return Draft(
        whole.name,
        accelerators=names[:size],
        switches=[SwitchNode(name) for name in names[size:]],
        edges=[Edge(names[a], names[b], rate, latency) for a, b, rate, latency in wires[0]],
        kind="nvlink",
    )


def _is_inside(edge: Edge, place: Mapping[str, int], chips: set[str], size: int) -> bool:
    """Tell whether a link belongs to a server: to an NVSwitch, or between two of its accelerators."""
    if edge.a in chips or edge.b in chips:
        return True
    return edge.a in place and edge.b in place and place[edge.a] // size == place[edge.b] // size


def _outside(whole: Draft, chips: set[str], size: int) -> Draft:
    """Return the network of what no server has for itself."""
    place = {name: i for i, name in enumerate(whole.accelerators)}
    return replace(
        whole,
        network="scale_out",
        switches=[node for node in whole.switches if node.name not in chips],
        edges=[edge for edge in whole.edges if not _is_inside(edge, place, chips, size)],
    )


def _gap(draft: Draft) -> tuple[int, int] | None:
    """Find two accelerators that no path through switches joins."""
    return unreachable(*_numbered(draft))


def _numbered(draft: Draft) -> tuple[int, int, list[tuple[int, int]]]:
    """Return accelerators, switches and edges by number."""
    names = [*draft.accelerators, *(node.name for node in draft.switches)]
    numbers = {name: i for i, name in enumerate(names)}
    # a number that is no vertex is an error of the graph
    pairs = [(numbers[e.a], numbers[e.b]) for e in draft.edges if e.a in numbers and e.b in numbers]
    return len(draft.accelerators), len(draft.switches), pairs
