"""The picture of a comparison: simulated and measured curves, and the error of each below."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.plot.style import COLOURS, MAX_POINTS, SHAPES, SIZE_LABEL, configured, origin, size_text, steps
from supernode.result.regimes import regimes

if TYPE_CHECKING:
    import altair as alt
    import pyarrow as pa

__all__ = ["comparison_chart"]

_MEASURED = "measured"
#: The most lines of words above the picture.
_MAX_SAID = 6


def comparison_chart(comparison: pa.Table, title: str = "Simulated against measured") -> alt.Chart:
    """Draw simulated and measured time against size on logarithmic axes, and the error below.

    Measured times are black circles; each simulated curve has a colour and a marker of its own. The error is simulated
    over measured time, less 1: above zero is too slow. Dotted lines part small, middle and large messages, and the
    lines above the picture word the errors of each.

    Parameters
    ----------
    comparison
        What :meth:`supernode.Bench.compare` returns.
    title
        Title of the picture.

    Returns
    -------
    altair.Chart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    SpecError
        If it is no comparison, or has no rows or too many.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    with extra("plot", "a chart needs altair"):
        import altair as alt
    found = regimes(comparison)
    if comparison.num_rows > MAX_POINTS:
        raise SpecError(f"plot: {comparison.num_rows} rows are too many for one picture; at most {MAX_POINTS}")
    rows = comparison.to_pylist()
    curves = list(dict.fromkeys(f"{row['system']}, {row['requested']}" for row in rows))
    names = [_MEASURED, *curves]
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(names))]
    others = [colour for colour in COLOURS if colour != "#000000"]
    colours = ["#000000", *(others[i % len(others)] for i in range(len(curves)))]
    times, errors = _values(rows)
    low, high = min(row["size"] for row in times), max(row["size"] for row in times)
    spread = [row["time"] for row in times]
    every = 3 if high >= 2**12 * low else 1
    ticks = [2**k for k in range(0, 64, every) if low <= 2**k <= high] or [low]
    scale = alt.Scale(type="log", base=2, nice=False, padding=10)
    x: Any = alt.X(
        "size:Q",
        title="message size",
        scale=scale,
        axis=alt.Axis(values=ticks, labelExpr=SIZE_LABEL, labelAngle=-45),
    )
    # the sizes stand once, below both parts
    bare: Any = alt.X("size:Q", title=None, scale=scale, axis=alt.Axis(values=ticks, labels=False, ticks=False))
    colour = alt.Color(
        "curve:N",
        title=None,
        scale=alt.Scale(domain=names, range=colours),
        legend=alt.Legend(orient="bottom", columns=2, symbolStrokeWidth=2),
    )
    shape = alt.Shape("curve:N", title=None, scale=alt.Scale(domain=names, range=shapes))
    y = alt.Y(
        "time:Q",
        title="time per call (us)",
        scale=alt.Scale(type="log", nice=False, padding=10),
        axis=alt.Axis(values=steps(min(spread), max(spread)), format=",~r"),
    )
    pairs = [(one, other) for one, other in pairwise(found) if one.curve == other.curve]
    bounds = sorted({math.sqrt(one.most_bytes * other.least_bytes) for one, other in pairs})
    rule = alt.Chart(alt.InlineData(values=[{"size": bound} for bound in bounds])).mark_rule(
        strokeDash=[2, 3], color="#777777"
    )
    base = alt.Chart(alt.InlineData(values=times))
    upper = alt.layer(
        rule.encode(x=bare),
        base.mark_line(strokeWidth=2).encode(x=bare, y=y, color=colour, detail="of:N"),
        base.mark_point(filled=True, size=55, opacity=1).encode(x=bare, y=y, color=colour, shape=shape),
    ).properties(width=560, height=300)
    below = alt.Chart(alt.InlineData(values=errors))
    error = alt.Y("error:Q", title="error (%)", scale=alt.Scale(zero=True, nice=True), axis=alt.Axis(tickCount=6))
    lower = alt.layer(
        alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color="#000000").encode(y=alt.Y("zero:Q")),
        rule.encode(x=x),
        below.mark_line(strokeWidth=2).encode(x=x, y=error, color=colour, detail="of:N"),
        below.mark_point(filled=True, size=55, opacity=1).encode(x=x, y=error, color=colour, shape=shape),
    ).properties(width=560, height=140)
    said = [str(regime) if len(curves) == 1 else f"{regime.curve}: {regime}" for regime in found]
    rest = len(said) - _MAX_SAID
    said = [*said[:_MAX_SAID], *([f"{rest} more are not listed."] if rest > 0 else [])]
    chart = (
        alt.vconcat(upper, lower, spacing=8)
        .resolve_scale(color="shared", shape="shared")
        .properties(
            title=alt.TitleParams(title, subtitle=[f"{origin()}. {_what(rows)}", *said]),
            description=f"{title}: time against message size, {size_text(low)} to {size_text(high)}, measured and "
            f"simulated by {'; '.join(curves)}, with the error in per cent below. {' '.join(said)}",
        )
    )
    drawn: alt.Chart = configured(chart)
    return drawn


def _values(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the points of both parts; a measured time that several curves are compared with is one point."""
    times: dict[tuple[Any, ...], dict[str, Any]] = {}
    errors = []
    for row in rows:
        # lines join points of one file, collective and number of ranks
        group = f"{row['collective']} {row['ranks']} {row['source']}"
        curve = f"{row['system']}, {row['requested']}"
        for name, value in ((_MEASURED, row["measured_time_ns"]), (curve, row["time_ns"])):
            point = {"size": row["size_bytes"], "time": value / 1e3, "curve": name, "of": f"{group} {name}"}
            times[tuple(point.values())] = point
        errors.append(
            {"size": row["size_bytes"], "error": row["error_percent"], "curve": curve, "of": f"{group} {curve}"}
        )
    return list(times.values()), errors


def _what(rows: list[dict[str, Any]]) -> str:
    """Word what was measured."""
    found = list(dict.fromkeys(f"{row['collective']} on {row['ranks']} ranks" for row in rows))
    return f"{', '.join(found[:3])}{' and others' if len(found) > 3 else ''}."
