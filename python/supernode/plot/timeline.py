"""The timeline of a workload: a lane per role and stream, a bar per instance of an operation, coloured by kind.

**Invariant.** A bar begins and ends when the instance did, on the one rank of its role that the table has. **Cost.**
O(rows). **Limits.** At most :data:`~supernode.plot.MAX_POINTS` bars and 60 lanes; filter the table for less.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.plot.style import MAX_POINTS, configured, need_columns, origin, time_unit
from supernode.result import WorkloadResult
from supernode.result.base import time_text

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

__all__ = ["timeline_chart"]

_NEEDED = ("job", "operation", "kind", "stream", "role", "rank", "iteration", "start_ns", "end_ns")
#: Colour of each kind, dark enough for white letters.
_KINDS = {
    "compute": "#00795A", "collective": "#0072B2", "pattern": "#4B55A6", "transfer": "#8A6100", "send": "#B34A00",
    "receive": "#A3507F", "delay": "#707070",
}  # fmt: skip
_MOST_LANES = 60
_WIDTH = 860
#: Width of a letter in a bar, and of a wide one of a lane's name: browsers draw with fonts of their own.
_LETTER = 6.2
_WIDE_LETTER = 8.5
#: Most of that width for the longest name.
_MOST_MARGIN = 1000


def timeline_chart(instances: WorkloadResult | pl.DataFrame, title: str = "Timeline by role and stream") -> alt.Chart:
    """Draw when each operation ran: a lane per role and stream, a bar per instance.

    A role is shown by its first rank. Bars have the colour of their kind, and their name where there is room. Times
    count from the start of the run; the axis begins with the first instance.

    Parameters
    ----------
    instances
        A result of workloads that recorded ``iterations``, or that table as a frame, from which rows may be left out.
    title
        Title of the picture.

    Returns
    -------
    altair.LayerChart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    NotRecordedError
        If the result has no table ``iterations``.
    SpecError
        If there is nothing to draw, too much, or a column is missing.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    import polars as pl

    with extra("plot", "a chart needs altair"):
        import altair as alt
    about = ""
    if isinstance(instances, WorkloadResult):
        about = f"{len(instances.choices)} operations, {instances.n_ranks} ranks of {instances.system}: "
        about += f"{time_text(instances.time_ns)} (fidelity {instances.fidelity})."
        frame = instances.to_polars("iterations")
    elif isinstance(instances, pl.DataFrame):
        frame = instances
    else:
        kind = type(instances).__name__
        raise SpecError(f"timeline_chart: a {kind} is not valid; give a result of workloads or its table iterations")
    need_columns(frame, _NEEDED, "timeline_chart", "the table of a workload's run with record=['iterations']")
    if len(frame) > MAX_POINTS:
        raise SpecError(
            f"timeline_chart: {len(frame):,} instances are too many; at most {MAX_POINTS:,}: "
            "filter the table iterations, as by start_ns or iteration, and give the frame"
        )
    names = _lanes(frame)
    first, last = (float(getattr(frame[name], of)()) for name, of in (("start_ns", "min"), ("end_ns", "max")))
    last = max(last, first + 1e-3)
    factor, unit = time_unit(last)
    pixels = _WIDTH * factor / (last - first)
    bars: list[dict[str, Any]] = []
    for row in frame.select(_NEEDED).iter_rows(named=True):
        start, end = row["start_ns"] / factor, row["end_ns"] / factor
        bars.append(
            {
                "lane": names[row["job"], row["role"], row["rank"], row["stream"]],
                "kind": row["kind"],
                "name": f"{row['operation']} {row['iteration']}",
                "start": start,
                "end": end,
                "middle": (start + end) / 2,
                "said": row["operation"] if len(row["operation"]) * _LETTER < (end - start) * pixels else "",
            }
        )
    kinds = [kind for kind in _KINDS if kind in set(frame["kind"])]
    kinds += sorted(set(frame["kind"]) - set(kinds))
    margin = min(math.ceil(_WIDE_LETTER * max(map(len, names.values()))), _MOST_MARGIN)
    base = alt.Chart(alt.InlineData(values=bars))
    y = alt.Y(
        "lane:N",
        sort=list(names.values()),
        title=None,
        scale=alt.Scale(paddingInner=0.2),
        axis=alt.Axis(
            labelLimit=2 * margin,  # no letter is twice as wide
            minExtent=margin,
            ticks=False,
            domain=False,
            grid=True,
            tickBand="extent",
        ),
    )
    x = alt.X(
        "start:Q",
        title=f"time ({unit})",
        scale=alt.Scale(domain=[first / factor, last / factor], nice=False),
        axis=alt.Axis(format=",~r", tickCount=10),
    )
    colour = alt.Color(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=kinds, range=[_KINDS.get(kind, "#444444") for kind in kinds]),
        legend=alt.Legend(orient="top", symbolType="square"),
    )
    marks = base.mark_rect(stroke="white", strokeWidth=0.6).encode(
        x=x, x2="end:Q", y=y, color=colour, tooltip=["name:N", "kind:N", "start:Q", "end:Q"]
    )
    words = base.transform_filter("datum.said != ''").mark_text(color="white", fontSize=11, clip=True)
    words = words.encode(x=alt.X("middle:Q"), y=y, text="said:N")
    said = [
        *([about] if about else []),
        f"{len(frame):,} instances; one rank of each role.",
        f"{origin()}.",
    ]
    spans = "; ".join(
        f"{lane}: {sum(bar['lane'] == lane for bar in bars):,} instances from "
        f"{min(bar['start'] for bar in bars if bar['lane'] == lane):,.4g} to "
        f"{max(bar['end'] for bar in bars if bar['lane'] == lane):,.4g} {unit}"
        for lane in names.values()
    )
    chart = alt.layer(marks, words).properties(
        width=_WIDTH,
        height=alt.Step(28),
        title=alt.TitleParams(title, subtitle=said),
        description=f"{title}. {about} {spans}.",
    )
    found: alt.Chart = configured(chart)
    return found


def _lanes(frame: pl.DataFrame) -> dict[tuple[str, int, int, str], str]:
    """Return the name of each lane, in the order of roles, and of streams as the table has them."""
    keys = ("job", "role", "rank", "stream")
    found: list[tuple[str, int, int, str]] = list(frame.select(keys).unique(maintain_order=True).iter_rows())
    if len(found) > _MOST_LANES:
        raise SpecError(
            f"timeline_chart: {len(found)} lanes of roles and streams are too many; at most {_MOST_LANES}: "
            "filter the table iterations, as by role, and give the frame"
        )
    streams = {stream: place for place, stream in enumerate(dict.fromkeys(key[3] for key in found))}
    found.sort(key=lambda key: (key[1], key[2], streams[key[3]]))
    jobs, roles = ({key[at] for key in found} for at in (0, 1))
    names = {}
    for key in found:
        job, role, rank, stream = key
        parts = [*([job] if len(jobs) > 1 else []), *([f"role {role} (rank {rank})"] if len(roles) > 1 else [])]
        names[key] = ", ".join([*parts, stream or "stream"])
    return names
