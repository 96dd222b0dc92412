"""The points of a sweep, and among them those that no other point beats.

The front is that of :meth:`supernode.Sweep.pareto`, over all objectives; the first two are the axes. Points of the
front are numbered and named beside the picture, so that names cannot cover each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.plot.style import (
    COLOURS,
    configured,
    is_log,
    need_columns,
    origin,
    parameter_text,
    time_unit,
    value_scale,
)
from supernode.values import listed

if TYPE_CHECKING:
    import altair as alt
    import numpy as np
    import numpy.typing as npt
    import polars as pl

__all__ = ["pareto_chart"]

#: Names beside the picture.
_MOST_NAMES = 24
#: Above so many points, those that others beat are thinned to one per cell of a grid of this many cells a side.
_CELLS = 60
_MANY = 3000
#: Units at the end of a column's name, in words.
_UNITS = {"ns": "ns", "us": "us", "bytes": "B", "w": "W", "gbytes_s": "GB/s"}
_INDEX = "row number of the chart"


def pareto_chart(
    frame: pl.DataFrame,
    *objectives: str,
    maximise: Sequence[str] | str = (),
    label: Sequence[str] | str | None = None,
    title: str = "Points that no other point beats",
) -> alt.Chart:
    """Draw points by two objectives, the front among them.

    Parameters
    ----------
    frame
        The points: :meth:`supernode.Sweep.collect`, for one.
    objectives
        What should be small: columns, or SQL expressions over them.
    maximise
        What should be large.
    label
        Columns that name a point; by default the parameters that differ on the front.
    title
        Title of the picture.

    Returns
    -------
    altair.HConcatChart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    SpecError
        If there are no points, fewer than two objectives, or a column is missing or not a number for each point.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    import polars as pl

    from supernode.sweep.design import front, values

    with extra("plot", "a chart needs altair"):
        import altair as alt
    large = listed([maximise] if isinstance(maximise, str) else maximise, "maximise", "a list of columns")
    wanted = [*objectives, *large]
    if len(wanted) < 2:
        raise SpecError(f"pareto_chart: {len(wanted)} objectives make no picture; give two, as 'time_ns', 'switches'")
    if not isinstance(frame, pl.DataFrame):
        raise SpecError(f"pareto_chart: a {type(frame).__name__} is not valid; give a frame of points")
    names = (
        None if label is None else listed([label] if isinstance(label, str) else label, "label", "a list of columns")
    )
    need_columns(frame, names or (), "pareto_chart", "the frame of the sweep")
    need_columns(frame, (), "pareto_chart", "")
    best = front(frame.with_row_index(_INDEX), objectives, large)
    if best.is_empty():
        raise SpecError("pareto_chart: no point has a value of every objective")
    varied = [name for name in _parameters(frame) if frame[name].n_unique() > 1]
    names = names or [name for name in varied if best[name].n_unique() > 1] or varied[:1] or frame.columns[:1]
    alike = [name for name in varied if best[name].n_unique() == 1 and name not in names]
    same = _texts(best[:1], alike)[0] if alike else ""
    xs, ys = (values(frame, text, "pareto_chart") for text in wanted[:2])
    rows = best[_INDEX].to_list()
    named = _spread(len(rows))
    number = {rows[place]: k + 1 for k, place in enumerate(named)}
    there = (xs.is_finite() & ys.is_finite()).fill_null(value=False).to_numpy()
    on = set(rows)
    x_values, y_values = xs.to_numpy(), ys.to_numpy()
    beaten = [i for i in range(frame.height) if there[i] and i not in on]
    drawn = _thinned(beaten, x_values, y_values) if len(beaten) > _MANY else beaten
    points = [{"x": float(x_values[i]), "y": float(y_values[i])} for i in drawn]
    on_front = _numbered(rows, number, x_values, y_values)
    key: list[dict[str, Any]] = [
        {"row": k, "text": f"{k}  {text}"} for k, text in enumerate(_texts(best[named], names), start=1)
    ]
    everything = [*points, *on_front]
    axes: list[dict[str, Any]] = []
    for axis_name, text in zip("xy", wanted[:2], strict=True):
        shown = _worded(text)
        if text.endswith("_ns") and text in frame.columns:
            factor, unit = time_unit(max(point[axis_name] for point in everything))
            shown = shown.replace("(ns)", f"({unit})")
            for point in everything:
                point[axis_name] /= factor
        scale, axis = value_scale([point[axis_name] for point in everything], zero=False)
        scale.padding = 16
        better = "larger" if text in large else "smaller"
        axes.append({"title": f"{shown}, {better} is better", "scale": scale, "axis": axis})
    x, y = alt.X("x:Q", **axes[0]), alt.Y("y:Q", **axes[1])
    grey = alt.Chart(alt.InlineData(values=points)).mark_point(
        filled=True, size=28, color="#8a8a8a", opacity=0.45, shape="circle", aria=False
    )
    best_base = alt.Chart(alt.InlineData(values=on_front))
    layers = [grey.encode(x=x, y=y)]
    if len(wanted) == 2:
        layers.append(
            best_base.mark_line(
                color=COLOURS[1],
                strokeWidth=1.2,
                opacity=0.7,
                interpolate="step-before" if wanted[0] in large else "step-after",
            ).encode(x=x, y=y)
        )
    layers.append(
        best_base.mark_point(filled=True, size=80, color=COLOURS[1], opacity=1, shape="diamond").encode(x=x, y=y)
    )
    layers.append(
        best_base.mark_text(fontSize=12, fontWeight="bold", dy=-12, dx=6, color="#333333").encode(
            x=x, y=y, text="number:N"
        )
    )
    picture = alt.layer(*layers).properties(width=480, height=400)
    list_ = (
        alt.Chart(alt.InlineData(values=key))
        .mark_text(align="left", fontSize=12, limit=420)
        .encode(y=alt.Y("row:O", axis=None), x=alt.value(0), text="text:N")
        .properties(
            width=min(420, 7 * max(len(row["text"]) for row in key)),
            height=alt.Step(18),
            view=alt.ViewBackground(stroke=None),
        )
    )
    thinned = f", of which {len(drawn):,} are drawn" if len(drawn) < len(beaten) else ""
    missing = frame.height - len(beaten) - len(rows)
    judged = " and ".join(_worded(text).partition(" (")[0] for text in wanted)
    told = "named beside" if len(named) == len(rows) else f"{len(named)} of them are named"
    said = [
        f"Orange: {len(rows):,} of {frame.height:,} points, which none beats in {judged}; {told}.",
        f"Grey: the other {len(beaten):,}{thinned}." + (f" {missing:,} have no value." if missing else ""),
        *([f"All on the front have {same}."] if same else []),
        f"{origin()}.",
    ]
    words = "; ".join(f"{row['text']}" for row in key)
    chart = alt.hconcat(picture, list_, spacing=24).properties(
        title=alt.TitleParams(title, subtitle=said), description=f"{title}. {said[0]} {words}."
    )
    found: alt.Chart = configured(chart)
    return found


def _spread(count: int) -> list[int]:
    """Return the places of the front that are named: all, or some at even distances."""
    if count <= _MOST_NAMES:
        return list(range(count))
    return [round(k * (count - 1) / (_MOST_NAMES - 1)) for k in range(_MOST_NAMES)]


def _numbered(
    rows: list[int], number: dict[int, int], xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Return the points of the front with their numbers; those at the same place have one mark."""
    places: dict[tuple[float, float], list[str]] = {}
    for row in rows:
        own = places.setdefault((float(xs[row]), float(ys[row])), [])
        if row in number:
            own.append(str(number[row]))
    return [{"x": x, "y": y, "number": ", ".join(own[:3]) + ", ..." * (len(own) > 3)} for (x, y), own in places.items()]


def _parameters(frame: pl.DataFrame) -> list[str]:
    """Return the parameters of a sweep among the columns; of any other frame the system, if there is one."""
    if "system_hash" not in frame.columns:
        return [name for name in ("system",) if name in frame.columns]
    return [name for name in frame.columns[: frame.columns.index("system_hash")] if name not in ("id", "point")]


def _texts(best: pl.DataFrame, names: list[str]) -> list[str]:
    """Name points by columns."""
    return [
        ", ".join(parameter_text(name, value) for name, value in row.items())
        for row in best.select(names).iter_rows(named=True)
    ]


def _worded(text: str) -> str:
    """Name a column with its unit in brackets."""
    for end, unit in _UNITS.items():
        if text.endswith(f"_{end}") and text.replace("_", "").isalnum():
            return f"{text.removesuffix(f'_{end}').replace('_', ' ')} ({unit})"
    return text.replace("_", " ") if text.replace("_", "").isalnum() else text


def _thinned(rows: list[int], xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64]) -> list[int]:
    """Keep one row per cell of a grid over the picture: where points cover each other, fewer look the same."""
    import numpy as np

    places = []
    for values in (xs[rows], ys[rows]):
        seen = np.log(values) if is_log(values.tolist()) else values
        low, high = float(seen.min()), float(seen.max())
        places.append(np.floor((seen - low) / ((high - low) or 1.0) * (_CELLS - 1)).astype(np.int64))
    _, first = np.unique(places[0] * _CELLS + places[1], return_index=True)
    return [rows[i] for i in sorted(first.tolist())]
