"""Pictures of benches: bus bandwidth, time or latency against size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.plot.style import MARKERS, MAX_POINTS, SIZE_LABEL, colour_scale, configured, origin, size_text
from supernode.result.benchmark import Bench
from supernode.units import Quantity, parse_size

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

__all__ = ["busbw_chart", "dips", "latency_chart", "time_chart"]

#: Values of ``algorithm`` that leave the choice to the simulator.
CHOICES = ("auto", "best")
#: The most dips that a chart explains.
MAX_DIPS = 4


def busbw_chart(benches: Bench | Sequence[Bench], title: str = "Bus bandwidth against message size") -> alt.Chart:
    """Draw busbw against size on logarithmic axes.

    Each system and algorithm is a line with points; its bound is a dashed line of the same colour. Collectives are side
    by side. The marker of a point is its fidelity. A curve of ``"auto"`` names the algorithm wherever it changes.

    Parameters
    ----------
    benches
        One bench or several.
    title
        Title of the picture.

    Returns
    -------
    altair.Chart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    SpecError
        If there is nothing to draw, or too much.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    return _chart(benches, title, ("busbw_gbytes_s", "bound_busbw_gbytes_s", "busbw (GB/s)"))


def time_chart(benches: Bench | Sequence[Bench], title: str = "Time against message size") -> alt.Chart:
    """Draw time against size on logarithmic axes; as :func:`busbw_chart` otherwise.

    Parameters
    ----------
    benches
        One bench or several.
    title
        Title of the picture.

    Returns
    -------
    altair.Chart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    SpecError
        If there is nothing to draw, or too much.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    return _chart(benches, title, ("time_us", "bound_us", "time (us)"))


def latency_chart(
    benches: Bench | Sequence[Bench], title: str = "Latency of small messages", up_to: Quantity = "64 KiB"
) -> alt.Chart:
    """Draw time against size for small messages, on a linear axis of time that begins at zero.

    There differences of a microsecond can be seen, which the logarithmic axes of :func:`time_chart` hide.

    Parameters
    ----------
    benches
        One bench or several.
    title
        Title of the picture.
    up_to
        The largest size to draw.

    Returns
    -------
    altair.Chart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    SpecError
        If there is nothing to draw up to that size, or too much.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    return _chart(benches, title, ("time_us", "bound_us", "time (us)"), most=parse_size(up_to, "up_to"))


def _chart(
    benches: Bench | Sequence[Bench], title: str, what: tuple[str, str, str], most: int | None = None
) -> alt.Chart:
    """Draw a column and its bound; ``what`` is the two and the title of the axis, ``most`` the largest size."""
    with extra("plot", "a chart needs altair"):
        import altair as alt
    import polars as pl
    import pyarrow as pa

    value, least, label = what
    group = [benches] if isinstance(benches, Bench) else list(benches)
    frame = pl.from_arrow(pa.concat_tables([b.summary for b in group])) if group else None
    if not isinstance(frame, pl.DataFrame) or frame.is_empty():
        raise SpecError("plot: there are no rows to draw")
    if most is not None:
        smallest = int(frame["size_bytes"].to_numpy().min())
        frame = frame.filter(pl.col("size_bytes") <= most)
        if frame.is_empty():
            raise SpecError(f"plot: no size is at most {most} B; the smallest is {smallest} B")
    if len(frame) > MAX_POINTS:
        raise SpecError(f"plot: {len(frame)} rows are too many for one picture; at most {MAX_POINTS}")
    frame = frame.with_columns(
        series=pl.col("system") + ", " + pl.col("requested"),
        time_us=pl.col("time_ns") / 1e3,
        bound_us=pl.col("bound_ns") / 1e3,
    ).filter(pl.col(value) > 0)
    frame = frame.with_columns(
        chosen=pl.when(
            pl.col("requested").is_in(CHOICES)
            & pl.col("algorithm").ne_missing(pl.col("algorithm").shift(1).over("collective", "series"))
        )
        .then(pl.col("algorithm"))
        .otherwise(pl.lit(""))
    )
    columns = ("collective", "size_bytes", value, least, "fidelity", "series", "chosen")
    low, high = int(frame["size_bytes"].min() or 1), int(frame["size_bytes"].max() or 1)  # type: ignore[arg-type]
    ticks = [2**k for k in range(0, 64, 3) if low <= 2**k <= high] or [low]
    x = alt.X(
        "size_bytes:Q",
        title="message size",
        scale=alt.Scale(type="log", base=2, nice=False),
        axis=alt.Axis(values=ticks, labelExpr=SIZE_LABEL, labelAngle=-45),
    )
    decades = [10.0**k for k in range(-6, 7)]
    names_of = frame["series"].unique(maintain_order=True).to_list()
    colour = alt.Color(
        "series:N",
        title="system, algorithm",
        scale=colour_scale(names_of),
        legend=alt.Legend(orient="bottom", columns=2),
    )
    scale = alt.Scale(type="log") if most is None else alt.Scale(zero=True)
    axis = alt.Axis(values=decades, format="~g") if most is None else alt.Axis(format="~g")
    y = alt.Y(f"{value}:Q", title=label, scale=scale, axis=axis)
    base = alt.Chart()
    line = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    points = base.mark_point(filled=True, size=40).encode(
        x=x,
        y=y,
        color=colour,
        shape=alt.Shape(
            "fidelity:N",
            title="fidelity",
            scale=alt.Scale(domain=list(MARKERS), range=list(MARKERS.values())),
            legend=alt.Legend(orient="bottom"),
        ),
    )
    names = base.mark_text(align="left", baseline="top", dx=4, dy=5, fontSize=9).encode(
        x=x, y=y, color=colour, text="chosen:N"
    )
    bound = base.mark_line(strokeDash=[5, 4], strokeWidth=1.2, opacity=0.8).encode(
        x=x, y=alt.Y(f"{least}:Q", scale=scale, axis=axis), color=colour
    )
    values = alt.InlineData(values=frame.select(columns).to_dicts())
    layers: Any = alt.layer(line, bound, points, names, data=values)
    said = [
        f"{origin()}. Solid: simulated. A name marks where the chosen algorithm changes.",
        "Dashed: bound, from links and cuts of the fabric, latency, memory, and the least launch cost of the stack.",
        *(dips(frame) if value == "busbw_gbytes_s" else ()),
    ]
    systems = ", ".join(frame["system"].unique(maintain_order=True).to_list())
    chart = (
        layers.properties(width=420, height=320)
        .facet(column=alt.Column("collective:N", title=None, header=alt.Header(labelFontSize=14)))
        .resolve_scale(y="independent")
        .properties(
            title=alt.TitleParams(title, subtitle=said),
            description=f"{title}: {label} against message size of {systems}, with the bound. {' '.join(said[2:])}",
        )
    )
    found: alt.Chart = configured(chart)
    return found


def dips(frame: pl.DataFrame) -> list[str]:
    """Say where a larger message has less bandwidth than the one before, and what changed there.

    Parameters
    ----------
    frame
        Rows of benches, in order of size within each ``collective`` and ``series``.

    Returns
    -------
    list of str
        A sentence per dip of more than one per cent, at most :data:`MAX_DIPS` and one that counts the rest.
    """
    found = []
    for (collective, series), group in frame.group_by("collective", "series", maintain_order=True):
        rows = group.sort("size_bytes").to_dicts()
        for before, after in itertools.pairwise(rows):
            size = f"{size_text(before['size_bytes'])} to {size_text(after['size_bytes'])}"
            if after["busbw_gbytes_s"] < 0.99 * before["busbw_gbytes_s"]:
                kinds = ("fidelity", "algorithm", "protocol")
                changed = [f"{before[k]} becomes {after[k]}" for k in kinds if before[k] != after[k]]
                why = ", ".join(changed) or f"{after['bottleneck']} (same algorithm)"
                found.append(f"Dip of {collective} on {series}, {size}: {why}.")
            if after["bound_busbw_gbytes_s"] < 0.99 * before["bound_busbw_gbytes_s"]:
                # the bound takes the cheapest protocol that admits the size; everything else in it grows with the size
                found.append(
                    f"Dip of the bound of {collective} on {series}, {size}: a protocol ends at its largest size."
                )
    rest = len(found) - MAX_DIPS
    return [*found[:MAX_DIPS], *([f"{rest} more dips are not listed."] if rest > 0 else [])]
