"""Pictures of benches: bus bandwidth against size, written as PNG and SVG without a browser.

They need the extra ``plot``: ``pip install 'supernode[plot]'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernode.benchmark import Bench
from supernode.errors import SpecError
from supernode.extras import extra
from supernode.files import atomic_path

if TYPE_CHECKING:
    import altair as alt

__all__ = ["busbw_chart", "save_chart"]

# Sizes are labelled in binary units, as they are asked for.
_SIZE_LABEL = (
    "datum.value >= 1073741824 ? datum.value / 1073741824 + ' GiB' : "
    "datum.value >= 1048576 ? datum.value / 1048576 + ' MiB' : "
    "datum.value >= 1024 ? datum.value / 1024 + ' KiB' : datum.value + ' B'"
)
#: The most points that a chart takes.
MAX_POINTS = 5000


def busbw_chart(benches: Bench | Sequence[Bench], title: str = "Bus bandwidth against message size") -> alt.Chart:
    """Draw busbw against size on logarithmic axes.

    Each system and algorithm is a line with points, its bound a dashed line of the same colour; collectives stand side
    by side.

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
    with extra("plot", "a chart needs altair"):
        import altair as alt
    import polars as pl
    import pyarrow as pa

    group = [benches] if isinstance(benches, Bench) else list(benches)
    frame = pl.from_arrow(pa.concat_tables([b.summary for b in group])) if group else None
    if not isinstance(frame, pl.DataFrame) or frame.is_empty():
        raise SpecError("plot: there are no rows to draw")
    if len(frame) > MAX_POINTS:
        raise SpecError(f"plot: {len(frame)} rows are too many for one picture; at most {MAX_POINTS}")
    frame = frame.filter(pl.col("busbw_gbytes_s") > 0).select(
        "collective",
        "size_bytes",
        "busbw_gbytes_s",
        "bound_busbw_gbytes_s",
        "fidelity",
        series=pl.col("system") + ", " + pl.col("requested"),
    )
    low, high = int(frame["size_bytes"].min() or 1), int(frame["size_bytes"].max() or 1)  # type: ignore[arg-type]
    ticks = [2**k for k in range(0, 64, 3) if low <= 2**k <= high] or [low]
    x = alt.X(
        "size_bytes:Q",
        title="message size",
        scale=alt.Scale(type="log", base=2, nice=False),
        axis=alt.Axis(values=ticks, labelExpr=_SIZE_LABEL, labelAngle=-45),
    )
    decades = [10.0**k for k in range(-6, 7)]
    colour = alt.Color("series:N", title="system, algorithm", legend=alt.Legend(orient="bottom", labelLimit=400))
    scale = alt.Scale(type="log")
    axis = alt.Axis(values=decades, format="~g")
    base = alt.Chart(alt.InlineData(values=frame.to_dicts()))
    line = base.mark_line(strokeWidth=2).encode(
        x=x, y=alt.Y("busbw_gbytes_s:Q", title="busbw (GB/s)", scale=scale, axis=axis), color=colour
    )
    points = base.mark_point(filled=True, size=40).encode(
        x=x,
        y=alt.Y("busbw_gbytes_s:Q", scale=scale, axis=axis),
        color=colour,
        shape=alt.Shape("fidelity:N", title="fidelity", legend=alt.Legend(orient="bottom")),
    )
    bound = base.mark_line(strokeDash=[5, 4], strokeWidth=1.2, opacity=0.8).encode(
        x=x, y=alt.Y("bound_busbw_gbytes_s:Q", scale=scale, axis=axis), color=colour
    )
    layers: Any = alt.layer(line, bound, points).properties(width=420, height=320)
    chart: alt.Chart = (
        layers.facet(column=alt.Column("collective:N", title=None, header=alt.Header(labelFontSize=14)))
        .resolve_scale(y="independent")
        .properties(title=alt.TitleParams(title, subtitle="solid: simulated; dashed: bound of the fabric"))
        .configure_axis(labelFontSize=12, titleFontSize=13)
        .configure_legend(labelFontSize=12, titleFontSize=12)
    )
    return chart


def save_chart(chart: alt.Chart, path: str | Path) -> list[Path]:
    """Write a chart as PNG and as SVG, each whole or not at all.

    Parameters
    ----------
    chart
        The chart.
    path
        Path without extension, or with one of ``.png`` and ``.svg``, and then only that is written.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    with extra("plot", "a picture of a chart needs vl-convert-python"):
        import vl_convert

    target = Path(path)
    kinds = [target.suffix] if target.suffix in (".png", ".svg") else [".png", ".svg"]
    stem = target.with_suffix("") if target.suffix in (".png", ".svg") else target
    spec = chart.to_json()
    written = []
    for kind in kinds:
        data = (
            vl_convert.vegalite_to_png(spec, scale=2) if kind == ".png" else vl_convert.vegalite_to_svg(spec).encode()
        )
        out = stem.with_name(stem.name + kind)
        with atomic_path(out) as temporary:
            temporary.write_bytes(data)
        written.append(out)
    return written
