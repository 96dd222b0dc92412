"""Scaling: time or bus bandwidth, and how near it is to the bound, against the number of ranks.

Efficiency is that of every table, the lower bound over the time, so it needs no smallest machine to refer to.
**Invariant.** A series has at most one point per number of ranks; rows that would make two are an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.names import choose
from supernode.plot.style import (
    MAX_POINTS,
    SHAPES,
    colour_scale,
    configured,
    is_log,
    need_columns,
    origin,
    parameter_text,
    size_text,
    time_unit,
    value_scale,
)
from supernode.result import Result
from supernode.result.benchmark import Bench
from supernode.values import listed

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

__all__ = ["scaling_chart"]

_NEEDED = ("system", "collective", "ranks", "size_bytes", "time_ns", "busbw_gbytes_s", "efficiency", "fidelity")
#: Number of units in the name of a system.
_UNITS = r":\d+(\[|$)"
#: More curves than this cannot be told apart.
_MOST_SERIES = 20
#: Columns of a sweep's frame that say nothing about a series.
_NOT = ("id", "point", "system", "size", "collective", "algorithm", "ranks", "seed", "placement")


def scaling_chart(
    source: Bench | Result | pl.DataFrame | Iterable[Any], value: str = "time", title: str = "Scaling with ranks"
) -> alt.Chart:
    """Draw time or bus bandwidth, and efficiency below it, against the number of ranks.

    A series is a system without its number of units, an algorithm, and whatever else differs. The bound is dashed.

    Parameters
    ----------
    source
        One or several of: a bench, a result, a frame of a sweep (:meth:`supernode.Sweep.scan`, collected).
    value
        ``"time"`` or ``"busbw"``.
    title
        Title of the picture.

    Returns
    -------
    altair.VConcatChart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    SpecError
        If there is nothing to draw or too much, a column is missing, all rows have the same number of ranks, or a
        series has several rows of one.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    choose("value", value, ("time", "busbw"))
    with extra("plot", "a chart needs altair"):
        import altair as alt
    import polars as pl

    frame = _rows(source)
    need_columns(frame, _NEEDED, "scaling_chart", "a bench, a result and the frame of a sweep")
    if frame["ranks"].n_unique() < 2:
        raise SpecError(f"scaling_chart: all rows have {frame['ranks'][0]} ranks; at least two numbers are needed")
    if frame.height > MAX_POINTS:
        raise SpecError(f"scaling_chart: {frame.height} rows are too many for one picture; at most {MAX_POINTS}")
    frame, common = _named(frame)
    if (many := frame["series"].n_unique()) > _MOST_SERIES:
        raise SpecError(
            f"scaling_chart: {many} curves are too many for one picture; at most {_MOST_SERIES}: leave some rows out"
        )
    twice = frame.group_by("series", "ranks", maintain_order=True).len().filter(pl.col("len") > 1)
    if twice.height:
        name, ranks, count = twice.row(0)
        raise SpecError(f"scaling_chart: {count} rows of {name or common} have {ranks} ranks; leave all but one out")
    factor, unit = time_unit(float(frame["time_ns"].to_numpy().max()))
    shown, least, label = {
        "time": (pl.col("time_ns") / factor, pl.col("time_ns") * pl.col("efficiency") / factor, f"time ({unit})"),
        "busbw": (pl.col("busbw_gbytes_s"), pl.col("busbw_gbytes_s") / pl.col("efficiency"), "bus bandwidth (GB/s)"),
    }[value]
    frame = frame.select(
        "series", "ranks", "fidelity", value=shown, bound=least, percent=100 * pl.col("efficiency")
    ).filter(pl.col("value") > 0)
    if frame.is_empty():
        raise SpecError(f"scaling_chart: no row has a {value} above zero")
    names = frame["series"].unique(maintain_order=True).to_list()
    ranks_found = sorted(set(frame["ranks"].to_list()))
    scale, axis = value_scale([*frame["value"].to_list(), *frame["bound"].drop_nulls().to_list()])
    wide = is_log(ranks_found)
    x_axis = alt.Axis(values=_few(ranks_found), format=",d", title="ranks (accelerators taking part)")
    x_scale = alt.Scale(type="log", base=2, nice=False, padding=12) if wide else alt.Scale(zero=False, padding=12)
    x = alt.X("ranks:Q", axis=x_axis, scale=x_scale)
    columns = max(1, 80 // max(map(len, names)))
    legend = alt.Legend(orient="bottom", columns=columns) if len(names) > 1 else None
    colour = alt.Color("series:N", title=None, scale=colour_scale(names), legend=legend)
    shape = alt.Shape(
        "series:N", title=None, legend=legend, scale=alt.Scale(domain=names, range=[*SHAPES] * (len(names) // 7 + 1))
    )
    # hollow, so that markers of curves that lie on each other are seen
    mark: dict[str, Any] = {"filled": False, "strokeWidth": 2, "size": 70, "opacity": 1}
    base = alt.Chart()
    y = alt.Y("value:Q", title=label, scale=scale, axis=axis)
    above = alt.layer(
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_line(strokeDash=[5, 4], strokeWidth=1.2, opacity=0.8).encode(
            x=x, y=alt.Y("bound:Q", title=label, scale=scale, axis=axis), color=colour
        ),
        base.mark_point(**mark).encode(x=x, y=y, color=colour, shape=shape),
    ).properties(width=520, height=270)
    y = alt.Y(
        "percent:Q", title="efficiency (% of bound)", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5)
    )
    below = alt.layer(
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_point(**mark).encode(x=x, y=y, color=colour, shape=shape),
    ).properties(width=520, height=130)
    fidelities = ", ".join(frame["fidelity"].unique(maintain_order=True).to_list())
    said = [
        common,
        "Above, solid: simulated; dashed: lower bound. Below: bound over time.",
        f"{origin()}, fidelity {fidelities}.",
    ]
    first, last = (frame.filter(pl.col("ranks") == end).row(0, named=True) for end in (ranks_found[0], ranks_found[-1]))
    words = "; ".join(
        f"{row['ranks']} ranks: {row['value']:.4g}, {row['percent']:.0f} % of the bound" for row in (first, last)
    )
    chart = alt.vconcat(above, below, data=alt.InlineData(values=frame.to_dicts()), spacing=12).properties(
        title=alt.TitleParams(title, subtitle=[line for line in said if line]),
        description=f"{title}: {label} and efficiency against ranks. {common}. {names[0]}: {words}.",
    )
    found: alt.Chart = configured(chart)
    return found


def _rows(source: Any) -> pl.DataFrame:
    """Return the rows of everything that is given as one frame."""
    import polars as pl

    parts = [source] if isinstance(source, Bench | Result | pl.DataFrame) else listed(
        source, "scaling_chart", "a bench, a result, a frame, or a list of these"
    )  # fmt: skip
    frames = []
    for part in parts:
        if isinstance(part, Bench | Result):
            frames.append(part.to_polars())
        elif isinstance(part, pl.DataFrame):
            frames.append(part)
        else:
            raise SpecError(f"scaling_chart: a {type(part).__name__} is not valid; give a bench, a result or a frame")
    if not frames:
        raise SpecError("scaling_chart: there are no rows to draw")
    try:
        return pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise SpecError(f"scaling_chart: the frames do not go together: {error}") from None


def _named(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Add the name of each row's series: what differs between them; return also what all have in common."""
    import polars as pl

    asked = next((name for name in ("requested", "asked.algorithm") if name in frame.columns), None)
    algorithm = pl.coalesce(asked, "algorithm") if asked and "algorithm" in frame.columns else pl.lit("")
    if asked is None and "algorithm" in frame.columns:
        # of a sweep without the parameter, and of results, whatever was chosen; it may differ along a series
        algorithm = pl.lit("auto") if frame["algorithm"].n_unique() > 1 else pl.col("algorithm")
    end = frame.columns.index("system_hash") if "system_hash" in frame.columns else 0
    more = [name for name in frame.columns[:end] if name not in _NOT and not name.startswith("asked.algorithm")]
    parts = frame.select(
        pl.col("system").str.replace(_UNITS, "${1}").alias("system"),
        pl.col("collective"),
        pl.col("size_bytes").map_elements(size_text, return_dtype=pl.String).alias("size"),
        algorithm.alias("algorithm"),
        *(pl.col(name).map_elements(partial(parameter_text, name), return_dtype=pl.String) for name in more),
    )
    varying = [name for name in parts.columns if parts[name].n_unique() > 1]
    same = [str(parts[name][0]) for name in parts.columns if name not in varying and parts[name][0]]
    series = pl.concat_str(varying, separator=", ", ignore_nulls=True) if varying else pl.lit(", ".join(same))
    return frame.with_columns(parts.with_columns(series=series)["series"]).sort("ranks"), ", ".join(same)


def _few(values: list[int], most: int = 12) -> list[int]:
    """Return some of the values for ticks, the first and the last among them."""
    if len(values) <= most:
        return values
    step = -(-len(values) // most)
    kept = values[::step]
    return kept if kept[-1] == values[-1] else [*kept[:-1], values[-1]]
