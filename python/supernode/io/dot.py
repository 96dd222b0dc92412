"""The DOT language of Graphviz, written only: for pictures.

Weights stand in the labels only: an attribute ``weight`` makes edges of pictures shorter and routes no packets.
"""

from __future__ import annotations

from supernode.io.expand import Drawing

__all__ = ["write_dot"]


def write_dot(drawing: Drawing) -> str:
    """Return a system as an undirected graph in DOT; attributes have the names of GraphML's."""
    lines = [f"graph {_quoted(drawing.attributes['name'])} {{"]
    for name, attributes in drawing.vertices:
        shape = "box" if attributes["kind"] == "accelerator" else "ellipse"
        lines.append(f"  {_quoted(name)} [shape={shape}{_list(attributes)}];")
    for a, b, attributes in drawing.edges:
        weight = f"weight {attributes['weight']}" if "weight" in attributes else ""
        label = {"label": " ".join(filter(None, (attributes["rate"], _times(attributes), weight)))}
        attributes = {key: value for key, value in attributes.items() if key != "weight"}
        lines.append(f"  {_quoted(a)} -- {_quoted(b)} [{_list(label | attributes).removeprefix(', ')}];")
    return "\n".join([*lines, "}", ""])


def _times(attributes: dict[str, str]) -> str:
    return f"x {attributes['count']}" if "count" in attributes else ""


def _list(attributes: dict[str, str]) -> str:
    return "".join(f", {key}={_quoted(value)}" for key, value in attributes.items())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
