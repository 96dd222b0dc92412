"""GraphML, both ways.

Read: one ``<graph>`` of nodes and edges whose ``<data>`` have the names of :mod:`supernode.io.attributes`; defaults
of keys; directed graphs, whose edges must come in pairs. Not read: nested graphs, hyperedges and ports. Source: the
GraphML primer and its schema 1.1 (graphml.graphdrawing.org).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from supernode.errors import SpecError
from supernode.fabric.parts import check_size
from supernode.io.attributes import Attributes, draft
from supernode.io.expand import Drawing
from supernode.io.found import Found, Options, listed
from supernode.io.text import load_xml

__all__ = ["read_graphml", "write_graphml"]

#: Readers of XML turn a carriage return into a new line, unless it is written as a number.
_RETURN = {"\r": "&#13;"}

#: What is no character of XML 1.0.
_ILLEGAL = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")

_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def read_graphml(text: str, name: str, options: Options) -> Found:
    """Read a GraphML document.

    Raises
    ------
    SpecError
        If it is not GraphML, or has what is not read.
    FabricError
        Naming the vertex or edge that is not valid.
    """
    root = load_xml(text)
    if _tag(root) != "graphml":
        raise SpecError(f"the root element is <{_tag(root)}>, not <graphml>")
    keys = {key.get("id", ""): key for key in _children(root, "key")}
    graphs = list(_children(root, "graph"))
    if len(graphs) != 1:
        raise SpecError(f"{len(graphs)} graphs; a system is one")
    graph = graphs[0]
    for odd in ("hyperedge", "port", "graph"):
        if any(_tag(element) == odd for child in graph for element in child.iter()):
            raise SpecError(f"<{odd}> inside of a graph is not read")
    nodes = [(_id(node, "id"), _data(node, "node", keys)) for node in _children(graph, "node")]
    edges = [
        (_id(edge, "source"), _id(edge, "target"), _data(edge, "edge", keys), edge.get("directed"))
        for edge in _children(graph, "edge")
    ]
    check_size(len(nodes), len(edges), "graph")
    directed = graph.get("edgedefault") == "directed"
    mixed = {directed if own is None else own == "true" for *_, own in edges}
    if len(mixed) > 1:
        raise SpecError("directed and undirected edges in one graph are not read")
    found = draft(
        name,
        nodes,
        ((a, b, attributes) for a, b, attributes, _ in edges),
        _data(graph, "graph", keys),
        options,
        directed=mixed.pop() if mixed else directed,
    )
    return found.found(options)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (child for child in element if _tag(child) == tag)


def _id(element: ElementTree.Element, attribute: str) -> str:
    value = element.get(attribute)
    if value is None:
        raise SpecError(f"a <{_tag(element)}> has no {attribute}")
    return value


def _data(element: ElementTree.Element, domain: str, keys: dict[str, ElementTree.Element]) -> Attributes:
    """Return the attributes of an element by name, defaults of keys included."""
    found: dict[str, str] = {}
    for key in keys.values():
        default = next((d.text for d in _children(key, "default")), None)
        if default is not None and key.get("for", "all") in (domain, "all"):
            found[key.get("attr.name", key.get("id", ""))] = default
    for data in _children(element, "data"):
        reference = data.get("key", "")
        if reference not in keys:
            raise SpecError(f"key {reference!r} is not declared; declared: {listed(list(keys), 20) or 'none'}")
        found[keys[reference].get("attr.name", reference)] = data.text or ""
    return found


def write_graphml(drawing: Drawing) -> str:
    """Return a system as a GraphML document, which :func:`read_graphml` reads back as it was.

    Raises
    ------
    SpecError
        If a name has characters that no XML can hold.
    """
    keys: dict[tuple[str, str], str] = {}
    body: list[str] = []

    def data(domain: str, attributes: Attributes, indent: str) -> None:
        for attribute, value in attributes.items():
            key = keys.setdefault((domain, attribute), f"d{len(keys)}")
            body.append(f'{indent}<data key="{key}">{escape(str(value), _RETURN)}</data>')

    data("graph", drawing.attributes, "    ")
    for vertex, attributes in drawing.vertices:
        body.append(f"    <node id={quoteattr(vertex)}>")
        data("node", attributes, "      ")
        body.append("    </node>")
    for a, b, attributes in drawing.edges:
        body.append(f"    <edge source={quoteattr(a)} target={quoteattr(b)}>")
        data("edge", attributes, "      ")
        body.append("    </edge>")
    declared = [
        f'  <key id="{key}" for="{domain}" attr.name={quoteattr(attribute)} attr.type="string"/>'
        for (domain, attribute), key in keys.items()
    ]
    head = ['<?xml version="1.0" encoding="UTF-8"?>', f'<graphml xmlns="{_NAMESPACE}">', *declared]
    foot = ["  </graph>", "</graphml>", ""]
    text = "\n".join([*head, '  <graph id="system" edgedefault="undirected">', *body, *foot])
    bad = _ILLEGAL.search(text)
    if bad is not None:
        raise SpecError(f"system {drawing.attributes['name']!r}: a name has {bad[0]!r}, which no XML can hold")
    return text
