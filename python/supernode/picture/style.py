"""Colours and lines: one look for each kind of vertex and medium."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACCELERATOR", "BOX", "CARD", "ROW", "SWITCH", "Stroke", "busy", "stroke"]

ACCELERATOR = "#2a9d8f"
SWITCH = "#3d5a80"
BOX = "#8d99a6"
CARD = "#eef1f4"
#: Background of the levels.
ROW = {"switch": "#edf2f8", "accelerator": "#e6f4f1", "panel": "#f1f6f4"}


@dataclass(frozen=True)
class Stroke:
    """How the links of a medium are drawn, and what the legend calls them."""

    name: str
    colour: str
    dash: str
    width: float


#: By a word that the name of the medium contains; the first that fits is taken.
MEDIA: tuple[tuple[str, Stroke], ...] = (
    ("active copper", Stroke("active copper", "#c2651a", "8 3", 1.2)),
    ("aec", Stroke("active copper", "#c2651a", "8 3", 1.2)),
    ("copper", Stroke("copper", "#c2651a", "", 1.2)),
    ("dac", Stroke("copper", "#c2651a", "", 1.2)),
    ("cpo", Stroke("co-packaged optics", "#1f6fb2", "2 2", 1.2)),
    ("lpo", Stroke("linear optics", "#1f6fb2", "9 3 2 3", 1.2)),
    ("optic", Stroke("optics", "#1f6fb2", "5 2", 1.2)),
    ("fib", Stroke("optics", "#1f6fb2", "5 2", 1.2)),
    ("package", Stroke("on package", "#333", "", 2.4)),
)
OTHER = Stroke("medium not given", "#888", "", 1.2)


#: Links by how busy they are, in per cent from: darker and wider, so that colour is not all that tells them apart.
HEAT = (
    (80, Stroke("80 to 100 % busy", "#7a0177", "", 3.4)),
    (60, Stroke("60 to 80 % busy", "#c51b8a", "", 2.8)),
    (40, Stroke("40 to 60 % busy", "#f768a1", "", 2.2)),
    (20, Stroke("20 to 40 % busy", "#d09bb4", "", 1.7)),
    (0, Stroke("less than 20 % busy", "#b5b5b5", "", 1.2)),
)
_BUSY, _PERCENT = "busy ", " %"


def busy(share: float) -> str:
    """Return what stands in the place of a medium where a picture shows how busy links are; 1 is always."""
    return f"{_BUSY}{100 * share:.0f}{_PERCENT}"


def stroke(medium: str) -> Stroke:
    """Return how links of a medium are drawn."""
    if medium.startswith(_BUSY) and medium.endswith(_PERCENT):
        share = float(medium.removeprefix(_BUSY).removesuffix(_PERCENT))
        return next(look for least, look in HEAT if share >= least)
    for word, look in MEDIA:
        if word in medium.lower():
            return look
    return Stroke(medium, "#7b4b94", "6 2 1 2", 1.2) if medium else OTHER
