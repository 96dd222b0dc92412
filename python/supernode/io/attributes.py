"""Graphs whose vertices and edges carry attributes: what the attributes mean, both ways.

A vertex says what it is with ``kind``, or ``type``: one of the words below. An accelerator may have a ``rank``, a
switch ``latency``, ``radix``, ``cut_through`` and ``in_network_reduce``; an edge has ``rate`` (or ``bandwidth``,
``capacity``, ``speed``), ``latency`` (or ``delay``), ``count``, ``weight`` and ``medium``. Quantities are texts with
units: a number alone does not say what it counts, and is refused. The graph itself may have ``name``, ``network``,
``kind``, ``payload``, ``overhead``, ``buffer``, ``routing`` and the rates of the accelerator, and where accelerators
forward ``forwarding``, ``router_latency`` and ``cut_through``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from supernode.errors import FabricError
from supernode.fabric.parts import Edge, SwitchNode
from supernode.io.found import Draft, Options, listed
from supernode.system.device import Device
from supernode.units import Quantity, as_integer

__all__ = ["ACCELERATORS", "SWITCHES", "Attributes", "draft"]

#: Attributes by name.
Attributes = Mapping[str, Any]

#: Words for a vertex that is an accelerator.
ACCELERATORS = ("accelerator", "gpu", "npu", "xpu", "tpu", "host", "endpoint", "server")

#: Words for a vertex that forwards.
SWITCHES = ("switch", "router", "tor", "leaf", "spine", "core", "aggregation", "agg", "nvswitch", "nic", "port", "cpu")

_KIND = ("kind", "type", "role")
_RATE = ("rate", "bandwidth", "capacity", "speed")
_LATENCY = ("latency", "delay")
_PACKETS = ("payload", "overhead", "buffer", "routing")
_RATES = ("hbm", "copy", "reduce", "hbm_latency")
_FORWARDING = ("forwarding", "router_latency", "cut_through")


def draft(
    name: str,
    nodes: Iterable[tuple[str, Attributes]],
    edges: Iterable[tuple[str, str, Attributes]],
    graph: Attributes,
    options: Options,
    *,
    directed: bool,
) -> Draft:
    """Return the graph that vertices and edges with attributes describe.

    Raises
    ------
    FabricError
        Naming the vertex or edge whose attribute is missing or not valid.
    """
    chosen = None if options.accelerators is None else {str(one) for one in options.accelerators}
    found = Draft(str(graph.get("name") or name), directed=directed)
    dropped: dict[str, None] = {}
    ranked: list[tuple[int | None, str]] = []
    for vertex, attributes in nodes:
        kind = "accelerator" if chosen is not None and vertex in chosen else _kind(vertex, attributes, chosen)
        if kind == "accelerator":
            ranked.append((_whole(attributes, "rank", f"vertex {vertex!r}"), vertex))
        else:
            found.switches.append(_switch(vertex, attributes))
        of_vertex = (*_KIND, "rank", "name", "label", *_LATENCY, "radix", "cut_through", "in_network_reduce")
        dropped.update(dict.fromkeys(key for key in attributes if key not in of_vertex))
    found.accelerators = _in_order(ranked)
    for a, b, attributes in edges:
        found.edges.append(_edge(a, b, attributes))
        of_edge = (*_RATE, *_LATENCY, "count", "weight", "medium", "network")
        dropped.update(dict.fromkeys(key for key in attributes if key not in of_edge))
    _settings(found, graph)
    known = ("name", "network", "kind", "device", *_PACKETS, *_RATES, *_FORWARDING)
    dropped.update(dict.fromkeys(key for key in graph if key not in known))
    if dropped:
        found.warnings.append(f"attributes without a meaning here are left out: {listed(list(dropped), 8)}")
    return found


def _kind(vertex: str, attributes: Attributes, chosen: set[str] | None) -> str:
    word = _first(attributes, _KIND)
    text = str(word).strip().lower()
    if text in ACCELERATORS and chosen is None:
        return "accelerator"
    if chosen is not None or text in SWITCHES:
        return "switch"
    given = "no kind" if word is None else f"kind {word!r}"
    raise FabricError(
        f"vertex {vertex!r} has {given}; it must be one of {', '.join(ACCELERATORS)}, or {', '.join(SWITCHES)}; "
        "or give accelerators=[names]"
    )


def _in_order(ranked: list[tuple[int | None, str]]) -> list[str]:
    with_rank = sum(rank is not None for rank, _ in ranked)
    if not with_rank:
        return [name for _, name in ranked]
    if with_rank < len(ranked):
        name = next(name for rank, name in ranked if rank is None)
        raise FabricError(f"vertex {name!r} has no rank, but others have one")
    ordered = sorted((rank or 0, name) for rank, name in ranked)
    for expected, (rank, name) in enumerate(ordered):
        if rank != expected:
            raise FabricError(f"vertex {name!r} has rank {rank}; ranks must be 0 to {len(ranked) - 1}, each one once")
    return [name for _, name in ordered]


def _switch(vertex: str, attributes: Attributes) -> SwitchNode:
    place = f"vertex {vertex!r}"
    return SwitchNode(
        vertex,
        latency=_quantity(attributes, _LATENCY, place),
        radix=_whole(attributes, "radix", place),
        cut_through=_flag(attributes, "cut_through", place),
        in_network_reduce=_flag(attributes, "in_network_reduce", place),
    )


def _edge(a: str, b: str, attributes: Attributes) -> Edge:
    place = f"edge {a!r} - {b!r}"
    count = _whole(attributes, "count", place)
    weight = _whole(attributes, "weight", place)
    medium = attributes.get("medium")
    return Edge(
        a,
        b,
        rate=_quantity(attributes, _RATE, place),
        latency=_quantity(attributes, _LATENCY, place),
        count=1 if count is None else count,
        medium=None if medium is None else str(medium),
        weight=1 if weight is None else weight,
    )


def _settings(found: Draft, graph: Attributes) -> None:
    """Take what the graph itself says about packets and the accelerator."""
    if graph.get("network"):
        found.network = str(graph["network"])
    if graph.get("kind"):
        found.kind = str(graph["kind"]).strip()
    found.given = {key: _bare(graph[key]) for key in _PACKETS if graph.get(key) not in (None, "")}
    if str(found.given.get("overhead", "")).split() in (["0"], ["0", "B"]):
        found.given["overhead"] = 0
    found.forwarding = _flag(graph, "forwarding", "graph")
    found.router_latency = _quantity(graph, ("router_latency",), "graph") or found.router_latency
    found.cut_through = _flag(graph, "cut_through", "graph") is not False
    rates = {key: _bare(graph[key]) for key in _RATES if graph.get(key)}
    if rates or graph.get("device"):
        found.device = Device(str(graph.get("device") or "accelerator"), **rates)


def _first(attributes: Attributes, names: Iterable[str]) -> Any:
    return next((attributes[name] for name in names if _bare(attributes.get(name)) not in (None, "")), None)


def _bare(value: Any) -> Any:
    """Return a value without the space around it that comes from the layout of a file."""
    return value.strip() if isinstance(value, str) else value


def _quantity(attributes: Attributes, names: tuple[str, ...], place: str) -> Quantity | None:
    value = _first(attributes, names)
    if value is None:
        return None
    text = str(value).strip()
    if not any(c.isalpha() for c in text.replace("e", "").replace("E", "")):
        example = "400 Gbit/s" if names == _RATE else "500 ns"
        raise FabricError(f"{place}: {names[0]} {text} has no unit; write it out, such as '{example}'")
    return text


def _whole(attributes: Attributes, name: str, place: str) -> int | None:
    value = _bare(attributes.get(name))
    if value is None or value == "":
        return None
    number = int(value) if isinstance(value, float) and value.is_integer() else as_integer(value)
    if number is None and isinstance(value, str) and value.isascii() and value.isdigit():
        number = int(value) if len(value) < 30 else None
    if number is None or number < 0:
        raise FabricError(f"{place}: {name} {value!r} is not a whole number")
    return number


def _flag(attributes: Attributes, name: str, place: str) -> bool | None:
    value = _bare(attributes.get(name))
    if value is None or value == "":
        return None
    text = str(value).lower()
    if text not in ("true", "false"):
        raise FabricError(f"{place}: {name} {value!r} is not valid; true or false")
    return text == "true"
