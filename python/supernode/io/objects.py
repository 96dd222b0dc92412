"""Graph objects of NetworkX and rustworkx, told apart by what they can do; neither library is imported.

Vertices and edges carry the attributes of :mod:`supernode.io.attributes`: in NetworkX as such, in rustworkx as the
dictionaries that are their weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from supernode.errors import SpecError
from supernode.fabric.parts import check_size
from supernode.io.attributes import Attributes, draft
from supernode.io.found import Found, Options

__all__ = ["read_graph"]


def read_graph(graph: Any, options: Options) -> Found:
    """Read a graph object.

    Parameters
    ----------
    graph
        ``Graph``, ``DiGraph``, ``MultiGraph`` or ``MultiDiGraph`` of NetworkX; ``PyGraph`` or ``PyDiGraph`` of
        rustworkx.
    options
        What the caller adds.

    Raises
    ------
    SpecError
        If it is no such object.
    FabricError
        Naming the vertex or edge that is not valid.
    """
    if isinstance(graph, type):
        raise SpecError(f"{graph!r} is a class; give a graph")
    nodes: Iterable[tuple[str, Attributes]]
    edges: Iterable[tuple[str, str, Attributes]]
    if hasattr(graph, "is_directed") and hasattr(graph, "adj"):
        attributes, directed = graph.graph, bool(graph.is_directed())
        check_size(graph.number_of_nodes(), graph.number_of_edges(), "graph")
        nodes = [(str(node), data) for node, data in graph.nodes(data=True)]
        edges = [(str(a), str(b), data) for a, b, data in graph.edges(data=True)]
    elif hasattr(graph, "weighted_edge_list") and hasattr(graph, "node_indices"):
        attributes = graph.attrs if isinstance(graph.attrs, Mapping) else {}
        directed = hasattr(graph, "successors")
        check_size(graph.num_nodes(), graph.num_edges(), "graph")
        names = {index: _name(index, graph[index]) for index in graph.node_indices()}
        nodes = [(name, _weight(graph[index], f"vertex {name!r}")) for index, name in names.items()]
        edges = [
            (names[a], names[b], _weight(data, f"edge {names[a]!r} - {names[b]!r}"))
            for a, b, data in graph.weighted_edge_list()
        ]
    else:
        raise SpecError(f"{type(graph).__name__} is not a graph of NetworkX or rustworkx")
    labels = [name for name, _ in nodes]
    if len(set(labels)) != len(labels):
        twice = next(name for name, times in Counter(labels).items() if times > 1)
        raise SpecError(f"two vertices are called {twice!r}")
    return draft("graph", nodes, edges, attributes, options, directed=directed).found(options)


def _name(index: int, payload: Any) -> str:
    name = payload.get("name") if isinstance(payload, Mapping) else payload
    return str(index if name is None else name)


def _weight(payload: Any, place: str) -> Attributes:
    if isinstance(payload, Mapping):
        return payload
    if payload is None or isinstance(payload, str):
        return {}
    raise SpecError(f"{place}: its weight is {payload!r}; it must be a dictionary with the attributes")
