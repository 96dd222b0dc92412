"""Small drawings: vertices, and the ring, line or full mesh of a dimension."""

from __future__ import annotations

from math import cos, pi, sin

from supernode.picture.model import Dimension
from supernode.picture.style import ACCELERATOR, SWITCH, stroke
from supernode.picture.svg import Canvas

__all__ = ["dimension", "ellipsis", "glyph_height", "vertex"]

#: Vertices of a ring or full mesh, and of a line, up to which all are drawn.
MOST = 12
MOST_LINE = 8


def vertex(canvas: Canvas, kind: str, x: float, y: float, room: float, *, adds: bool = False) -> None:
    """Draw a switch, with a plus if it reduces in the network, or an accelerator, around a point."""
    if kind == "accelerator":
        side = min(24.0, room - 6)
        canvas.rect(x - side / 2, y - 12, side, 24, fill=ACCELERATOR, layer="vertex", r=4)
        return
    side = min(40.0, room - 6)
    canvas.rect(x - side / 2, y - 12, side, 24, fill=SWITCH, layer="vertex", r=3)
    if adds:
        plus = f"M{x - 6:.1f},{y:.1f}H{x + 6:.1f}M{x:.1f},{y - 6:.1f}V{y + 6:.1f}"
        canvas.path(plus, stroke="#fff", width=2.2, layer="vertex")


def ellipsis(canvas: Canvas, x: float, y: float) -> None:
    """Draw three dots: more of the same."""
    for dx in (-6, 0, 6):
        canvas.circle(x + dx, y, 1.7, fill="#666")


def glyph_height(what: Dimension) -> float:
    """Space that the drawing of a dimension takes."""
    return 40.0 if what.form == "line" or what.size <= 2 else 104.0


def dimension(canvas: Canvas, what: Dimension, x: float, y: float) -> None:
    """Draw a dimension around a point."""
    if what.size == 1:
        canvas.circle(x, y, 6, fill=ACCELERATOR)
    elif what.form == "line" or what.size == 2:
        _line(canvas, what, x, y)
    else:
        _circle(canvas, what, x, y)


def _line(canvas: Canvas, what: Dimension, x: float, y: float) -> None:
    count = min(what.size, MOST_LINE)
    gap = 24.0 if count > 2 else 60.0
    left = x - gap * (count - 1) / 2
    for i in range(count - 1):
        hidden = what.size > MOST_LINE and i == count - 3
        _edge(canvas, what, (left + i * gap, y), (left + (i + 1) * gap, y), hidden=hidden)
    for i in range(count):
        canvas.circle(left + i * gap, y, 6, fill=ACCELERATOR)


def _circle(canvas: Canvas, what: Dimension, x: float, y: float) -> None:
    count = min(what.size, MOST)
    radius = 40.0
    # one vertex fewer is drawn where an ellipsis takes its place, at the bottom
    hidden = what.size > MOST
    angles = [pi / 2 + 2 * pi * i / count for i in range(count)]
    places = [(x + radius * cos(a), y + radius * sin(a)) for a in angles]
    drawn = list(range(1 if hidden else 0, count))
    for i in drawn:
        for j in drawn:
            if i < j and (what.form == "full mesh" or j - i == 1 or (not hidden and (i, j) == (0, count - 1))):
                _edge(canvas, what, places[i], places[j])
    if hidden:
        ellipsis(canvas, *places[0])
    for i in drawn:
        canvas.circle(*places[i], 6, fill=ACCELERATOR)


def _edge(
    canvas: Canvas, what: Dimension, a: tuple[float, float], b: tuple[float, float], *, hidden: bool = False
) -> None:
    """Draw the links of a pair: two to six parallel ones where there is room, a thick one otherwise."""
    look = stroke(what.medium)
    count = what.parallel if what.parallel <= 6 and what.size <= 4 and not hidden else 1
    length = ((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5
    nx, ny = (a[1] - b[1]) / length, (b[0] - a[0]) / length
    width = 2.4 if what.parallel > 1 and count == 1 else look.width
    for k in range(count):
        off = (k - (count - 1) / 2) * min(2.8, 10 / max(count - 1, 1))
        points = [(a[0] + nx * off, a[1] + ny * off), (b[0] + nx * off, b[1] + ny * off)]
        canvas.polyline(points, stroke=look.colour, dash="2 3" if hidden else look.dash, width=width)
