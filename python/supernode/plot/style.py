"""What charts share: colours, markers, axes, and the words for sizes.

Colours are those of Okabe and Ito (2008), which colour-blind readers tell apart, less the yellow that is lost on white.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from supernode import core
from supernode.errors import SpecError

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

__all__ = [
    "COLOURS", "MARKERS", "MAX_POINTS", "SIZE_LABEL", "colour_scale", "configured", "is_log", "need_columns", "origin",
    "parameter_text", "size_text", "steps", "time_unit", "value_scale",
]  # fmt: skip

#: The most points that a chart takes.
MAX_POINTS = 5000
#: Marker of each fidelity, the same in every chart.
MARKERS = {"packet": "circle", "flow": "triangle-up", "analytic": "diamond"}
#: Markers of series.
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Sizes are labelled in binary units, as they are asked for.
SIZE_LABEL = (
    "datum.value >= 1073741824 ? datum.value / 1073741824 + ' GiB' : "
    "datum.value >= 1048576 ? datum.value / 1048576 + ' MiB' : "
    "datum.value >= 1024 ? datum.value / 1024 + ' KiB' : datum.value + ' B'"
)
#: From this ratio of the largest to the smallest value on, an axis is logarithmic.
_DECADES = 12


def size_text(size: int) -> str:
    """Word a size as the axis does."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} B"


def parameter_text(name: str, value: object) -> str:
    """Word the value of a parameter of a sweep, whose quantities are in base units (B, ns, bit/s)."""
    plain = name.removeprefix("system.").removeprefix("asked.")
    if isinstance(value, str) and plain in ("system", "collective", "algorithm"):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{plain} {value}"
    if plain == "size":
        return size_text(int(value))
    if "latency" in plain:
        return f"{plain} {value:,.6g} ns"
    if plain.endswith(("rate", "bandwidth")):
        return f"{plain} {value / 1e9:,.6g} Gbit/s"
    return f"{plain} {value:,.6g}" if isinstance(value, float) else f"{plain} {value:,}"


def is_log(values: Collection[float]) -> bool:
    """Tell whether values span so much that an axis should be logarithmic."""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= _DECADES


def steps(low: float, high: float) -> list[float]:
    """Return ticks of a logarithmic axis: powers of ten, with 2 and 5 where there are few."""
    if not 0 < low <= high:
        return []
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    factors = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    return [float(f"{factor}e{power}") for power in powers for factor in factors]


def value_scale(values: Collection[float], *, zero: bool = True) -> tuple[alt.Scale, alt.Axis]:
    """Return scale and axis for values: logarithmic where they span decades."""
    import altair as alt

    if is_log(values):
        low, high = min(values), max(values)
        return alt.Scale(type="log", nice=False, padding=8), alt.Axis(values=steps(low, high), format=",~r")
    return alt.Scale(zero=zero, nice=True), alt.Axis(format=",~r", tickCount=6)


def time_unit(longest_ns: float) -> tuple[float, str]:
    """Return the unit of time in which the longest of some times is a number of few digits, and its nanoseconds."""
    for factor, name in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if longest_ns >= 10 * factor:
            return factor, name
    return 1.0, "ns"


def colour_scale(names: Sequence[str]) -> alt.Scale:
    """Return the colours of series, in their order."""
    import altair as alt

    if len(names) <= len(COLOURS):
        return alt.Scale(domain=list(names), range=list(COLOURS[: len(names)]))
    return alt.Scale(domain=list(names), scheme="tableau20")


def configured(chart: Any) -> Any:
    """Set sizes of letters, and the white ground."""
    return (
        chart.configure(background="white")
        .configure_axis(labelFontSize=12, titleFontSize=13, gridColor="#e8e8e8")
        .configure_legend(labelFontSize=12, titleFontSize=12, labelLimit=600)
        .configure_title(fontSize=15, subtitleFontSize=12, subtitleColor="#444444", anchor="start", offset=12)
        .configure_view(stroke="#bbbbbb")
    )


def origin() -> str:
    """Say which program simulated."""
    return f"supernode {core.versions()['supernode']}"


def need_columns(frame: pl.DataFrame, names: Iterable[str], what: str, records: str) -> None:
    """Refuse a frame that lacks columns.

    Parameters
    ----------
    frame
        The frame.
    names
        The columns.
    what
        The chart, for errors.
    records
        What has such columns.

    Raises
    ------
    SpecError
        Naming the first that is missing, or if there are no rows.
    """
    for name in names:
        if name not in frame.columns:
            raise SpecError(f"{what}: column {name!r} is missing; {records} has it")
    if frame.is_empty():
        raise SpecError(f"{what}: there are no rows to draw")
