"""From levels to places: one column of text, one of vertices, boxes around both.

Everything is placed from the top down. All rows share one column of vertices on the right, so that links run straight
between rows whatever boxes lie between them; text stands in the column on the left, which no link crosses. The links of
outer networks leave their lowest row as a *riser*: along a bus, down the gutter at the left of the boxes inside, and
into a lane below the accelerators.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from supernode.picture.glyphs import dimension, ellipsis, glyph_height, vertex
from supernode.picture.model import Group, Item, Links, Panel, Picture, Row
from supernode.picture.style import ACCELERATOR, BOX, CARD, ROW, SWITCH, Stroke, stroke
from supernode.picture.svg import Canvas, text_width, wrap

__all__ = ["render"]

MARGIN = 20.0
#: Left and right borders between a box and the one inside it.
GUTTER, EDGE = 26.0, 18.0
PAD = 12.0
#: Most room for text in the innermost box, least right end of text, and the column of vertices.
TEXT, LEAST, VERTICES = 390.0, 300.0, 440.0
#: Least width of a dimension's cell.
CELL = 196.0
LANE = 22.0
SIZE, HEAD = 12.0, 13.0

Lines = list[tuple[str, float, bool]]


def render(picture: Picture) -> tuple[str, float, float]:
    """Draw a picture.

    Returns
    -------
    tuple
        SVG, width and height.
    """
    return _Layout(picture).run()


@dataclass
class _Riser:
    """Links of an outer network on their way down."""

    name: str
    look: Stroke
    x: float
    y: float


@dataclass
class _Layout:
    picture: Picture
    canvas: Canvas = field(default_factory=Canvas)
    #: Places of the row above, and the links that wait for the row below them.
    above: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    above_y: float = 0.0
    waiting: Links | None = None
    risers: list[_Riser] = field(default_factory=list)
    used: dict[str, Stroke] = field(default_factory=dict)
    adds: bool = False
    plain: bool = False
    cards: bool = False

    def run(self) -> tuple[str, float, float]:
        """Place everything."""
        depth = _depth(self.picture.body)
        widest = MARGIN + (depth - 1) * GUTTER + PAD + TEXT
        self.text_end = min(widest, max(LEAST, _reach(self.picture.body, MARGIN + PAD))) + PAD / 2
        self.vertex_x = self.text_end + PAD
        self.width = self.vertex_x + VERTICES + 2 * PAD + (depth - 1) * EDGE + MARGIN
        y = MARGIN
        title = wrap(self.picture.title, 22, self.width - 2 * MARGIN, bold=True)
        y = self.canvas.lines(MARGIN, y, [(line, 22, True) for line in title])
        for text in self.picture.subtitle:
            y = self.canvas.lines(MARGIN, y, self.fit(text, 13, self.width - 2 * MARGIN))
        y = self.group(self.picture.body, 0, y + 10 + (8 if self.picture.body.count > 1 else 0)) + 12
        y = self.legend(y)
        for text in self.picture.notes:
            y = self.canvas.lines(MARGIN, y, self.fit(text, 11, self.width - 2 * MARGIN))
        height = y + MARGIN / 2
        return self.canvas.svg(self.width, height, self.picture.title), self.width, height

    def fit(self, text: str, size: float, room: float, *, bold: bool = False) -> Lines:
        """Break text to the room there is."""
        return [(line, size, bold) for line in wrap(text, size, room, bold=bold)]

    def block(self, heading: str, lines: tuple[str, ...], room: float) -> Lines:
        """Break a heading and lines to the room there is."""
        return [
            *self.fit(heading, HEAD, room, bold=True),
            *(piece for line in lines for piece in self.fit(line, SIZE, room)),
        ]

    def left(self, depth: int) -> float:
        """Left edge of a box."""
        return MARGIN + depth * GUTTER

    def right(self, depth: int) -> float:
        """Right edge of a box."""
        return self.width - MARGIN - depth * EDGE

    def group(self, group: Group, depth: int, y: float) -> float:
        """Place a box and what is in it; return its bottom."""
        left, right, top = self.left(depth), self.right(depth), y
        if group.network:
            self.drawn = []
        slot = self.canvas.reserve()
        room = (right if group.network else self.text_end) - left - 2 * PAD
        y = self.canvas.lines(left + PAD, y + 5, self.block(group.heading, group.lines, room)) + 5
        for item in group.items:
            y = self.item(item, depth, y)
        y += 8
        back = Canvas()
        if group.count > 1:
            self.cards = True
            for off in (8, 4):
                back.rect(left + off, top - off, right - left, y - top, fill=CARD, stroke=BOX)
        back.rect(left, top, right - left, y - top, fill="#fff", stroke=BOX)
        self.canvas.fill(slot, back)
        return y

    def item(self, item: Item, depth: int, y: float) -> float:
        """Place one item; return its bottom."""
        if isinstance(item, Group):
            return self.group(item, depth + 1, y + (12 if item.count > 1 else 6)) + 4
        if isinstance(item, Row):
            return self.row(item, depth, y)
        if isinstance(item, Panel):
            return self.panel(item, depth, y)
        return self.riser(item, depth, y) if item.riser else self.links(item, depth, y)

    def frame(self, depth: int, kind: str, top: float, bottom: float) -> tuple[float, float]:
        """Draw the box of a level; return its left and right edges."""
        left, right = self.left(depth) + PAD / 2, self.right(depth) - PAD / 2
        self.canvas.rect(left, top, right - left, bottom - top, fill=ROW[kind], r=4)
        return left, right

    def places(self, count: int) -> list[float]:
        """Spread vertices over their column."""
        return [self.vertex_x + VERTICES * (i + 0.5) / count for i in range(count)]

    def row(self, row: Row, depth: int, y: float) -> float:
        """Place the vertices of a level, the links that wait for them, and lanes below accelerators."""
        x = self.left(depth) + PAD
        lines = self.block(row.heading, row.lines, self.text_end - x)
        bottom = self.canvas.lines(x, y + 4, lines)
        arcs = 26.0 if row.arcs else 0.0
        bottom = max(bottom + 6, y + 40 + arcs)
        places, room = self.places(len(row.slots)), VERTICES / max(len(row.slots), 1)
        centre = min((y + bottom) / 2, y + 40) + arcs / 2 if row.kind == "switch" else y + 22 + arcs
        for i, slot in enumerate(row.slots):
            if slot is None:
                ellipsis(self.canvas, places[i], centre)
            else:
                adds = i < len(row.adds) and row.adds[i]
                self.adds = self.adds or adds
                self.plain = self.plain or (row.kind == "switch" and not adds)
                vertex(self.canvas, row.kind, places[i], centre, room, adds=adds)
        for a, b, medium in row.arcs:
            look = self.look(medium)
            rise = centre - 12 - min(34, 10 + abs(places[a] - places[b]) / 10)
            points = f"M{places[a]:.1f},{centre - 12:.1f}C{places[a]:.1f},{rise:.1f} {places[b]:.1f},{rise:.1f} "
            points += f"{places[b]:.1f},{centre - 12:.1f}"
            self.canvas.path(points, stroke=look.colour, dash=look.dash, width=look.width)
        if self.waiting is not None:
            for a, b, medium in self.waiting.edges:
                look = self.look(medium)
                ends = [(self.above[a], self.above_y), (places[b], centre - 12)]
                self.canvas.polyline(ends, stroke=look.colour, dash=look.dash, width=look.width)
            self.waiting = None
        self.above, self.above_y = places, centre + 12
        self.drawn = [p for p, slot in zip(places, row.slots, strict=True) if slot is not None]
        if row.kind == "accelerator":
            bottom = self.lanes(row, depth, bottom, centre + 12)
        self.frame(depth, row.kind, y, bottom)
        return bottom + 4

    def lanes(self, row: Row, depth: int, y: float, under: float) -> float:
        """Lead risers to the accelerators, the one of the nearest network uppermost."""
        room = VERTICES / max(len(row.slots), 1) - 8
        step = min(5.0, room / max(len(self.risers), 1))
        for k, riser in enumerate(reversed(self.risers)):
            x = self.left(depth) + PAD
            words = self.fit(self.picture.lanes.get(riser.name, riser.name), 11, self.text_end - x)
            y = max(self.canvas.lines(x, y + 3, words), y + LANE - 4) + 4
            off = (k - (len(self.risers) - 1) / 2) * step
            look = riser.look
            self.canvas.polyline(
                [(riser.x, riser.y), (riser.x, y), (self.drawn[-1] + off, y)],
                stroke=look.colour, dash=look.dash, width=2,
            )  # fmt: skip
            for place in self.drawn:
                ends = [(place + off, y), (place + off, under)]
                self.canvas.polyline(ends, stroke=look.colour, dash=look.dash, width=look.width)
        return y + 8 if self.risers else y

    def links(self, links: Links, depth: int, y: float) -> float:
        """Place the text of links; they are drawn with the row below."""
        x = self.left(depth) + PAD
        bottom = self.canvas.lines(x, y + 4, self.block(links.heading, links.lines, self.text_end - x))
        self.waiting = links if links.edges else None
        return max(bottom + 6, y + (44 if links.edges else 0))

    def riser(self, links: Links, depth: int, y: float) -> float:
        """Place the text of links to accelerators further in, and lead them into the gutter."""
        x, look = self.left(depth) + GUTTER / 2, self.look(links.medium)
        text_x = self.left(depth) + PAD
        lines = self.block(links.heading, links.lines, self.text_end - text_x)
        bottom = self.canvas.lines(text_x, y + 4, lines) + 10
        self.canvas.polyline(
            [(x, bottom), (max(self.drawn, default=x), bottom)], stroke=look.colour, dash=look.dash, width=2
        )
        for place in self.drawn:
            ends = [(place, self.above_y), (place, bottom)]
            self.canvas.polyline(ends, stroke=look.colour, dash=look.dash, width=look.width)
        self.risers.append(_Riser(links.riser, look, x, bottom))
        return bottom + 4

    def panel(self, panel: Panel, depth: int, y: float) -> float:
        """Place the dimensions of a direct network, in lines of equal cells."""
        left, right = self.left(depth) + PAD, self.right(depth) - PAD
        top, many = y, panel.dimensions
        y = self.canvas.lines(left, y + 4, self.fit(panel.heading, SIZE, right - left))
        columns = max(1, min(len(many), int((right - left) // CELL)))
        columns = -(-len(many) // -(-len(many) // columns))
        cell = (right - left) / columns
        for start in range(0, len(many), columns):
            line = many[start : start + columns]
            bottom, tall = y, max(glyph_height(each) for each in line)
            for i, each in enumerate(line):
                self.look(each.medium)
                x = left + (i + 0.5) * cell
                dimension(self.canvas, each, x, y + tall / 2)
                lines = self.block(each.heading, each.lines, cell - 10)
                wide = max(text_width(t, size, bold=bold) for t, size, bold in lines)
                bottom = max(bottom, self.canvas.lines(x - wide / 2, y + tall, lines))
            y = bottom + 6
        self.frame(depth, "panel", top, y)
        self.drawn, self.above_y = [self.vertex_x + VERTICES / 2], y
        return y + 4

    def look(self, medium: str) -> Stroke:
        """Return how a medium is drawn, and keep it for the legend."""
        found = stroke(medium)
        self.used.setdefault(found.name, found)
        return found

    def legend(self, y: float) -> float:
        """Explain vertices and lines, in as many lines as they take."""
        entries = [("accelerator", "accelerator")]
        entries += [("switch", "switch")] if self.plain else []
        entries += [("adds", "switch that reduces in the network")] if self.adds else []
        entries += [("card", "box drawn once for several")] if self.cards else []
        entries += [("", name) for name in self.used]
        x = MARGIN
        for kind, name in entries:
            wide = 34 + text_width(name, 11) + 16
            if x > MARGIN and x + wide > self.width - MARGIN:
                x, y = MARGIN, y + 20
            self.mark(kind, name, x, y + 9)
            self.canvas.text(x + 34, y + 13, name, 11, fill="#444")
            x += wide
        return y + 24

    def mark(self, kind: str, name: str, x: float, y: float) -> None:
        """Draw the sign of one entry of the legend."""
        if kind == "card":
            self.canvas.rect(x + 6, y - 8, 20, 12, fill=CARD, stroke=BOX, r=2)
            self.canvas.rect(x + 2, y - 4, 20, 12, fill="#fff", stroke=BOX, r=2)
        elif kind:
            fill = ACCELERATOR if kind == "accelerator" else SWITCH
            self.canvas.rect(x + 4, y - 7, 14 if kind == "accelerator" else 22, 14, fill=fill, layer="vertex", r=3)
            if kind == "adds":
                plus = f"M{x + 11:.1f},{y:.1f}H{x + 19:.1f}M{x + 15:.1f},{y - 4:.1f}V{y + 4:.1f}"
                self.canvas.path(plus, stroke="#fff", width=1.8, layer="vertex")
        else:
            look = self.used[name]
            self.canvas.polyline([(x, y), (x + 28, y)], stroke=look.colour, dash=look.dash, width=look.width + 0.6)


def _depth(item: Item) -> int:
    return 1 + max((_depth(i) for i in item.items), default=0) if isinstance(item, Group) else 0


def _reach(item: Item, left: float) -> float:
    """Right end of the text of an item whose box has its text at ``left``, if no line were broken."""
    if isinstance(item, Group):
        own = 0.0 if item.network else left + text_width(item.heading, HEAD, bold=True)
        inside = [_reach(i, left + (GUTTER if isinstance(i, Group) else 0)) for i in item.items]
        return max([own, *inside])
    if isinstance(item, Panel):
        return left
    return left + max([text_width(item.heading, HEAD, bold=True), *(text_width(t, SIZE) for t in item.lines)])
