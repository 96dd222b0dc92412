"""A sweep of 20,000 points: systems, oversubscription of their networks, algorithms and sizes.

``python docs/large_sweep.py FOLDER`` runs it (a quarter of an hour on two cores; it goes on where it was) and writes
``docs/large_sweep.svg`` and the middle of ``docs/large_sweep.md``. ``--points N`` runs a sample and writes nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import altair as alt
import polars as pl
from pyarrow import parquet

import supernode as sn
from supernode.marks import AssumedValueWarning
from supernode.plot import save_chart

HERE = Path(__file__).parent
#: 1 KiB to 4 MiB, in equal steps of the logarithm, in whole elements.
SIZES = [round(1024 * 2 ** (12 * k / 416) / 4) * 4 for k in range(417)]


def sweep(points: int | None = None) -> sn.Sweep:
    """Return the sweep, or a sample of it."""
    grid = {
        "system": ["hgx-a100:8", "hgx-h100:8", "hgx-b200:8"],
        "system.oversubscription": [1, 2, 4, 8],
        "algorithm": ["ring", "double_binary_tree", "halving_doubling", "hierarchical"],
        "size": SIZES,
    }
    return sn.Sweep(base={"collective": "all_reduce"}, grid=grid, sample=points)


def chart(frame: pl.DataFrame) -> alt.Chart:
    """Draw bus bandwidth against size, by system, algorithm and oversubscription."""
    named = frame.select(
        pl.col("system").str.replace(":8", " x 8"), "algorithm", "size",
        ratio=pl.format("{}:1", pl.col("system.oversubscription")), busbw="busbw_gbytes_s",
    ).sort("size")  # fmt: skip
    ticks = [2**k for k in range(10, 24, 4)]
    label = "datum.value >= 1048576 ? datum.value / 1048576 + ' MiB' : datum.value / 1024 + ' KiB'"
    axis = alt.Axis(values=ticks, labelExpr=label)
    x = alt.X("size:Q", title="message size", scale=alt.Scale(type="log", base=2), axis=axis)
    axis = alt.Axis(values=[0.1, 1, 10, 100], format="~g")
    y = alt.Y("busbw:Q", title="busbw (GB/s)", scale=alt.Scale(type="log"), axis=axis)
    colour = alt.Color("ratio:N", title="oversubscription", scale=alt.Scale(scheme="dark2"))
    dash = alt.StrokeDash("ratio:N", title="oversubscription")
    data = alt.InlineData(values=named.to_dicts())
    lines = alt.Chart(data).mark_line(strokeWidth=1.6).encode(x=x, y=y, color=colour, strokeDash=dash)
    title = f"All-reduce over 64 accelerators, {frame.height:,} points (supernode {sn.__version__})"
    grid = lines.properties(width=190, height=150).facet(
        column=alt.Column("algorithm:N", title=None), row=alt.Row("system:N", title=None)
    )
    found: alt.Chart = grid.properties(title=title)
    return found


def tables(frame: pl.DataFrame) -> str:
    """Return the excerpts of the frame that the page shows."""
    shown = frame.select("system", "system.oversubscription", "algorithm", "size", "time_ns", "busbw_gbytes_s")
    largest = frame.filter(pl.col("size") == pl.col("size").max()).sort("system.oversubscription")
    by_ratio = largest.with_columns(ratio=pl.format("{}:1", pl.col("system.oversubscription"))).pivot(
        on="ratio", index=["system", "algorithm"], values="busbw_gbytes_s"
    )
    with pl.Config(tbl_rows=12, tbl_cols=8, tbl_width_chars=132):
        first = shown.sort("system", "system.oversubscription", "algorithm", "size")
        return f"{first}\n\nbusbw in GB/s at {frame['size'].max()} bytes\n{by_ratio.sort('system', 'algorithm')}"


def seconds(part: Path) -> float:
    """Return when a part was written, in seconds since its run began."""
    return float(parquet.read_schema(part).metadata[b"supernode.wall_s"])


def main() -> None:
    """Run it and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--points", type=int)
    given = parser.parse_args()
    warnings.simplefilter("ignore", AssumedValueWarning)
    whole = sweep(given.points)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        done = whole.run(given.folder, executor=workers)
    frame = sn.Sweep.scan(given.folder).collect()
    text = tables(frame)
    sys.stdout.write(f"{done}\n{text}\n")
    if given.points is not None:
        return
    save_chart(chart(frame), HERE / "large_sweep.svg")
    wall = max(map(seconds, Path(given.folder).rglob("part-*")))
    ran = f"{frame.height:,} points ran in {wall:.0f} s with two worker processes on two cores."
    said = f"{ran}\n\n```text\n{text}\n```\n"
    page = HERE / "large_sweep.md"
    pattern = re.compile(r"(<!-- result: begin -->\n).*(<!-- result: end -->)", re.DOTALL)
    page.write_text(pattern.sub(lambda found: f"{found[1]}{said}{found[2]}", page.read_text()))


if __name__ == "__main__":
    main()
