"""The links of a run as a heat map: a row per network, level and direction, coloured by utilisation.

**Invariant.** A cell shows the busiest of its links, so a hot link is seen among any number of others. Rows of a folded
run count as many links as they stand for. **Cost.** O(rows of the table); the picture has at most 100 cells per level.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.names import choose
from supernode.plot.style import configured, need_columns, origin, size_text
from supernode.result import Result
from supernode.result.base import time_text

if TYPE_CHECKING:
    import altair as alt
    import numpy as np
    import numpy.typing as npt
    import polars as pl

__all__ = ["link_chart"]

_NEEDED = ("link", "network", "level", "direction", "utilisation", "multiplicity")
#: Cells of a row of the picture.
_CELLS = 100
#: The most rows of a picture; of more, the busiest are drawn.
_MOST_ROWS = 40


def link_chart(links: Result | pl.DataFrame, order: str = "busiest", title: str | None = None) -> alt.Chart:
    """Draw the utilisation of all links by network, level and direction.

    Parameters
    ----------
    links
        A result that recorded ``links``, or that table as a frame.
    order
        ``"busiest"``: links of a level from the busiest to the idlest, which shows how evenly they are used.
        ``"index"``: in order of their numbers, so that neighbours are side by side, which shows where the busy ones
        are; a folded run is expanded for it.
    title
        Title of the picture; by default collective and system.

    Returns
    -------
    altair.LayerChart
        For :func:`save_chart`, or to be shown in a notebook.

    Raises
    ------
    NotRecordedError
        If the result has no table ``links``, or was loaded and its rows stand for classes where ``order="index"``.
    SpecError
        If there are no links, or a column is missing.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    choose("order", order, ("busiest", "index"))
    import polars as pl

    with extra("plot", "a chart needs altair"):
        import altair as alt
    about = ""
    if isinstance(links, Result):
        about = f"{links.collective} of {size_text(links.size_bytes)} on {links.system} by {links.algorithm}"
        about += f": {time_text(links.time_ns)} (fidelity {links.fidelity})."
        frame = pl.DataFrame(links.expand("links") if order == "index" else links.table("links"))
    elif isinstance(links, pl.DataFrame):
        frame = links
    else:
        raise SpecError(f"link_chart: a {type(links).__name__} is not valid; give a result or its table links")
    need_columns(frame, _NEEDED, "link_chart", "the table of a run with record=['links']")
    if order == "index" and int(frame["multiplicity"].max() or 1) > 1:  # type: ignore[arg-type]
        raise SpecError(
            "link_chart: rows of a folded run have no order of their own; give order='busiest' or the result"
        )
    levels = [_level(key, group, order) for key, group in _levels(frame)]
    kept = sorted(levels, key=lambda level: -level["max"])[:_MOST_ROWS]
    rows = [level for level in levels if any(level is other for other in kept)]
    cells = [cell for level in rows for cell in level["cells"]]
    names = [level["name"] for level in rows]
    y = alt.Y(
        "name:N",
        sort=names,
        title=None,
        scale=alt.Scale(paddingInner=0.16),
        axis=alt.Axis(labelLimit=320, ticks=False, domain=False),
    )
    along = {"busiest": "links of the level, the busiest first (%)", "index": "links of the level by number (%)"}[order]
    base = alt.Chart(alt.InlineData(values=cells))
    x = alt.X("start:Q", title=along, scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=10, grid=False))
    legend = alt.Legend(orient="top", gradientLength=300, format=".0%", tickCount=6, titleOrient="left", titleLimit=300)
    colour = alt.Color(
        "utilisation:Q",
        title="utilisation",
        scale=alt.Scale(domain=[0, 1], scheme="yelloworangered"),
        legend=legend,
    )
    busy = base.transform_filter("datum.utilisation > 0").mark_rect().encode(x=x, x2="end:Q", y=y, color=colour)
    idle = base.transform_filter("datum.utilisation == 0").mark_rect(color="#e4e4e4")
    idle = idle.encode(x=x, x2="end:Q", y=y)
    text = alt.Chart(alt.InlineData(values=[{"name": level["name"], "said": level["said"]} for level in rows]))
    said_right = text.mark_text(align="left", dx=8, fontSize=12).encode(y=y, x=alt.value(560), text="said:N")
    total = sum(level["links"] for level in levels)
    each = max(-(-level["links"] // _CELLS) for level in rows)
    cell = "A cell is a link" if each == 1 else f"A cell is the busiest of up to {each:,} links"
    said = [
        *([about] if about else []),
        f"{total:,} directed links. {cell}; grey: idle.",
        *([f"The {_MOST_ROWS} busiest of {len(levels)} rows."] if len(levels) > len(rows) else []),
        f"{origin()}.",
    ]
    heading = title or "Utilisation of links by level"
    words = "; ".join(f"{level['name']}: {level['said']}" for level in rows)
    chart = (
        alt.layer(idle, busy, said_right)
        .properties(
            width=560,
            height=alt.Step(30),
            title=alt.TitleParams(heading, subtitle=said),
            description=f"{heading}. {about} {words}.",
        )
        .resolve_scale(y="shared")
    )
    found: alt.Chart = configured(chart)
    return found


def _levels(frame: pl.DataFrame) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Return the links of each network, level and direction: networks as in the table, up before down."""
    groups = frame.group_by("network", "level", "direction", maintain_order=True)
    found = [(key, group) for key, group in groups]
    networks = {name: i for i, name in enumerate(dict.fromkeys(key[0] for key, _ in found))}
    return sorted(found, key=lambda item: (networks[item[0][0]], item[0][1], item[0][2] != "up", str(item[0][2])))


def _level(key: tuple[Any, ...], group: pl.DataFrame, order: str) -> dict[str, Any]:
    """Return the cells of a row of the picture, and what is said beside it."""
    import numpy as np

    network, level, direction = key
    name = f"{network}, level {level}, {direction}"
    by = group.sort("utilisation", descending=True) if order == "busiest" else group.sort("link")
    used = by["utilisation"].fill_null(0.0).to_numpy()
    count = by["multiplicity"].to_numpy().astype(np.int64)
    links = int(count.sum())
    cells = [
        {"name": name, "start": start, "end": end, "utilisation": most} for start, end, most in _cells(used, count)
    ]
    most, mean = float(used.max()), float((used * count).sum() / links)
    return {
        "name": name,
        "links": links,
        "max": most,
        "cells": cells,
        "said": f"{links:,} links, most {100 * most:.0f} %, mean {100 * mean:.0f} %",
    }


def _cells(used: npt.NDArray[np.float64], count: npt.NDArray[np.int64]) -> list[tuple[float, float, float]]:
    """Cut links in their order into equal parts: start and end in per cent, and the utilisation of the busiest."""
    import numpy as np

    ends = np.cumsum(count)
    links = int(ends[-1])
    parts = min(_CELLS, links)
    edges = np.linspace(0, links, parts + 1)
    found: list[tuple[float, float, float]] = []
    for low, high in pairwise(edges):
        # rows that have a link in this part
        first = int(np.searchsorted(ends, low, side="right"))
        last = int(np.searchsorted(ends, high, side="left"))
        most = float(used[first : last + 1].max())
        start, end = 100 * float(low) / links, 100 * float(high) / links
        if found and found[-1][2] == most:
            found[-1] = (found[-1][0], end, most)
        else:
            found.append((start, end, most))
    return found
