"""Colours and lines: one look for each kind of vertex and medium."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACCELERATOR", "BOX", "CARD", "ROW", "SWITCH", "Stroke", "stroke"]

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


def stroke(medium: str) -> Stroke:
    """Return how links of a medium are drawn."""
    for word, look in MEDIA:
        if word in medium.lower():
            return look
    return Stroke(medium, "#7b4b94", "6 2 1 2", 1.2) if medium else OTHER
