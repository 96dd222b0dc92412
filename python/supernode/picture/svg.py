"""Writing SVG: a few marks, and how wide text will be.

Widths are those of Helvetica, which Arial and Liberation Sans share, enlarged by a sixth, so that text keeps to its
place in wider fonts too. Marks are sorted into layers: boxes below lines below vertices below text. Coordinates are
rounded, and nothing has an id or a style sheet, so that the same picture is the same bytes and pictures do not disturb
each other in a page.
"""

from __future__ import annotations

from html import escape

__all__ = ["FONT", "Canvas", "text_width", "wrap"]

#: Liberation Sans first: it comes with the renderer of PNG files.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
#: Room for fonts wider than Helvetica.
SPARE = 1.16
BOLD = 1.08

# Thousandths of the size: the widths of Helvetica, in groups.
_WIDTHS = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[]\\ft·",
    334: '()-`r{}"*',
    500: "Jckvxyzs\N{EN DASH}",
    584: "+<=>~\N{MULTIPLICATION SIGN}^",
    611: "FTZ",
    667: "ABEKPSVXY&",
    722: "CDHNRUw",
    778: "GOQ",
    834: "Mm",
    944: "W%",
    1015: "@—…",
}
_WIDTH = {char: width for width, group in _WIDTHS.items() for char in group}
LAYERS = ("box", "line", "vertex", "text")


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return an upper estimate of how wide a line of text is."""
    total = sum(_WIDTH.get(c, 560 if c.isascii() else 1000) for c in text)
    return total / 1000 * size * SPARE * (BOLD if bold else 1)


def wrap(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """Break text into lines of at most ``room``, at spaces where there are any."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if text_width(joined, size, bold=bold) <= room:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for char in word:
            if lines[-1] and text_width(lines[-1] + char, size, bold=bold) > room:
                lines.append("")
            lines[-1] += char
    return lines


class Canvas:
    """Marks of a picture."""

    def __init__(self) -> None:
        self._layers: dict[str, list[str]] = {layer: [] for layer in LAYERS}

    def reserve(self) -> int:
        """Keep a place among the boxes, for one whose size is known only after what is inside it."""
        self._layers["box"].append("")
        return len(self._layers["box"]) - 1

    def fill(self, place: int, boxes: Canvas) -> None:
        """Put boxes in a place that was kept."""
        self._layers["box"][place] = "\n".join(boxes._layers["box"])

    def rect(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        *,
        fill: str,
        stroke: str = "none",
        layer: str = "box",
        r: float = 6,
    ) -> None:
        """Draw a rectangle with rounded corners."""
        self._add(
            layer,
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" rx="{_n(r)}" '
            f'fill="{fill}" stroke="{stroke}"/>',
        )

    def circle(self, x: float, y: float, r: float, *, fill: str, layer: str = "vertex") -> None:
        """Draw a disc."""
        self._add(layer, f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" fill="{fill}"/>')

    def path(
        self, points: str, *, stroke: str, dash: str = "", width: float = 1.2, opacity: float = 1, layer: str = "line"
    ) -> None:
        """Draw a path, given as SVG writes it."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        faint = f' stroke-opacity="{_n(opacity)}"' if opacity < 1 else ""
        self._add(
            layer, f'<path d="{points}" fill="none" stroke="{stroke}" stroke-width="{_n(width)}"{dashed}{faint}/>'
        )

    def polyline(self, points: list[tuple[float, float]], *, stroke: str, dash: str = "", width: float = 1.2) -> None:
        """Draw straight pieces."""
        self.path("M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in points), stroke=stroke, dash=dash, width=width)

    def text(self, x: float, y: float, text: str, size: float, *, fill: str = "#222", bold: bool = False) -> None:
        """Write a line of text that starts at a point of its baseline."""
        weight = ' font-weight="bold"' if bold else ""
        self._add(
            "text",
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{fill}"{weight}>{_legal(text)}</text>',
        )

    def lines(self, x: float, y: float, lines: list[tuple[str, float, bool]], *, fill: str = "#222") -> float:
        """Write lines of (text, size, bold) below one another from a top edge on, and return the bottom."""
        for text, size, bold in lines:
            y += round(size * 1.35, 1)
            self.text(x, y - size * 0.3, text, size, bold=bold, fill=fill if bold else "#444")
        return y

    def svg(self, width: float, height: float, title: str) -> str:
        """Return the whole as SVG."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
            f'viewBox="0 0 {_n(width)} {_n(height)}" font-family="{FONT}" role="img">'
        )
        white = f'<rect width="{_n(width)}" height="{_n(height)}" fill="#fff"/>'
        marks = [mark for layer in LAYERS for mark in self._layers[layer]]
        return "\n".join([head, f"<title>{_legal(title)}</title>", white, *marks, "</svg>", ""])

    def _add(self, layer: str, mark: str) -> None:
        self._layers[layer].append(mark)


def _n(value: float) -> str:
    """Write a coordinate: at most one digit after the point."""
    return f"{round(value, 1) + 0:g}" if abs(value) < 1e5 else f"{value:.1f}"


def _legal(text: str) -> str:
    """Escape text for XML, which has no control characters, lone surrogates or non-characters."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return escape(clean, quote=False)
