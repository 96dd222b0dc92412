"""What a picture shows, without coordinates: nested groups of levels, from the core down to the accelerators.

A level is a :class:`Row` of vertices (a few stand for all), or a :class:`Panel` with one :class:`Dimension` for each of
a direct network. :class:`Links` join a row to the one below it, or, as a *riser*, a network to the accelerators that
stand further in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from supernode.spec import LinkSpec, SwitchSpec

__all__ = [
    "SLOTS",
    "TIMES",
    "Dimension",
    "Group",
    "Item",
    "Levels",
    "Links",
    "Panel",
    "Picture",
    "Row",
    "link_text",
    "number",
    "plural",
    "rate_text",
    "shown",
    "switch_text",
    "time_text",
]

TIMES = "\N{MULTIPLICATION SIGN}"
#: Most places for vertices in a row.
SLOTS = 9


@dataclass(frozen=True)
class Row:
    """Vertices of one level.

    Parameters
    ----------
    kind
        ``"switch"`` or ``"accelerator"``.
    heading, lines
        What stands beside them.
    slots
        The vertices that are drawn, by index; ``None`` is an ellipsis.
    adds
        Of each slot, whether the vertex reduces in the network.
    arcs
        Links within the level, as pairs of slots with their medium.
    """

    kind: str
    heading: str
    lines: tuple[str, ...]
    slots: tuple[int | None, ...]
    adds: tuple[bool, ...] = ()
    arcs: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class Links:
    """Links from a row, or a panel, downwards.

    Parameters
    ----------
    heading, lines
        Number, rate, latency and medium.
    edges
        Pairs of slots above and below, with the medium; none for a riser.
    riser
        Name of the network whose links these are, if they end at accelerators that stand inside another network.
    medium
        Of a riser.
    """

    heading: str
    lines: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...] = ()
    riser: str = ""
    medium: str = ""


@dataclass(frozen=True)
class Dimension:
    """One dimension of a direct network: ``"ring"``, ``"line"`` or ``"full mesh"`` of ``size`` accelerators."""

    form: str
    size: int
    parallel: int
    medium: str
    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """The dimensions of a direct network, and what passing through an accelerator takes."""

    heading: str
    dimensions: tuple[Dimension, ...]


@dataclass(frozen=True)
class Group:
    """A box around levels: a network, one of its planes, or a subtree of one; ``count`` of them, drawn once."""

    heading: str
    lines: tuple[str, ...]
    count: int
    items: tuple[Item, ...]
    #: A network: risers pass beside what is inside.
    network: bool = False


Item: TypeAlias = Row | Links | Panel | Group


@dataclass(frozen=True)
class Levels:
    """One network: its levels from the outside in, and what it asks of the row of accelerators right below it.

    Parameters
    ----------
    items
        The levels, with the links down to the accelerators last.
    members
        Accelerators to draw, by index.
    arcs
        Links among them, as pairs of places in ``members`` with their medium.
    lines
        What to say of these links.
    """

    items: tuple[Item, ...]
    members: tuple[int | None, ...] = ()
    arcs: tuple[tuple[int, int, str], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """All that is drawn.

    Parameters
    ----------
    title, subtitle
        Name of the system, and its totals.
    body
        The outermost network.
    lanes
        What each riser brings to an accelerator, by name of the network, innermost first.
    notes
        Footnotes.
    """

    title: str
    subtitle: tuple[str, ...]
    body: Group
    lanes: dict[str, str]
    notes: tuple[str, ...]


def shown(count: int, slots: int = SLOTS) -> tuple[int | None, ...]:
    """Choose which of ``count`` vertices to draw: all, or the first ones, an ellipsis and the last two."""
    if count <= slots:
        return tuple(range(count))
    return (*range(slots - 3), None, count - 2, count - 1)


def number(value: float) -> str:
    """Word a number, with commas and at most six digits where it is not whole."""
    return f"{value:,.0f}" if value == int(value) or value >= 1e5 else f"{value:,.6g}"


def plural(count: int, noun: str) -> str:
    """Word a count of things."""
    many = {"leaf": "leaves", "switch": "switches"}.get(noun, f"{noun}s")
    return f"{count:,} {noun if count == 1 else many}"


def link_text(count: int, link: LinkSpec) -> str:
    """Word a number of links, with their rate, latency and medium."""
    rate = f"{plural(count, 'link')} of {rate_text(link.rate)}"
    return ", ".join(t for t in (rate, time_text(link.latency_fs), link.medium) if t)


def switch_text(switch: SwitchSpec) -> str:
    """Word the latency and mode of a switch."""
    mode = "cut-through" if switch.cut_through else "store-and-forward"
    return f"{time_text(switch.latency_fs)} through one, {mode}"


def rate_text(bits: int) -> str:
    """Word a rate in bit/s."""
    return f"{number(bits / 8e9)} GB/s" if bits >= 8 * 10**9 else f"{number(bits / 1e9)} Gbit/s"


def time_text(fs: int) -> str:
    """Word a time in femtoseconds."""
    return f"{number(fs / 1e9)} us" if fs >= 10**9 else f"{number(fs / 1e6)} ns"
