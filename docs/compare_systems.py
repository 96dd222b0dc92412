"""Put all systems side by side, and write the table and the chart of docs/compare.md.

``python docs/compare_systems.py`` replaces everything below the marker in ``docs/compare.md`` and draws
``docs/compare.svg``; it takes some minutes. ``--quick`` runs small messages on at most sixteen ranks, prints the tables
and writes nothing. ``--output DIR`` writes ``compare.parquet`` and the chart there instead.

Each row is one building unit: what a cluster is made of, the pod itself where there is no smaller one. Packets are
simulated where a run fits :data:`BUDGET`; the column of the fidelity says where not.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

import supernode as sn
from supernode.errors import SupernodeError
from supernode.marks import AssumedValueWarning
from supernode.plot import MARKERS, save_chart

MARKER = "<!-- computed -->"
#: Packet-hops of a run: some seconds.
BUDGET = "2 s"
#: Seconds after which a run is given up, and its row says so.
PATIENCE = 60.0


@dataclass(frozen=True)
class Grid:
    """What is run: sizes, the most ranks of a unit, and the systems."""

    sizes: tuple[str, ...] = ("1 KiB", "1 MiB", "1 GiB")
    ranks: int | None = None
    systems: tuple[str, ...] = ()


QUICK = Grid(sizes=("1 KiB", "64 KiB"), ranks=16)

#: The supernodes and the clusters that a comparison has to hold.
SUPERNODES = (
    "nvl72", "gb300-nvl72", "vera-rubin-nvl144", "hgx-a100", "hgx-h100", "hgx-h200", "hgx-b200", "p4de", "gh200",
    "oci-gb200", "cloudmatrix384", "cloudmatrix384-dies", "atlas950", "atlas960", "ub-mesh", "ub-mesh-superpod",
    "panjiu-al128", "kunlunxin32", "kunlunxin64", "tianchi256", "tianchi512", "sd200", "maia100", "tpu-v4",
    "tpu-v5p", "tpu-ironwood", "trn2-ultraserver", "trn3-ultraserver", "inf2", "mtia-v2",
)  # fmt: skip
CLUSTERS = (
    "gb200-superpod", "h100-superpod", "cloudmatrix384-cluster", "atlas950-supercluster", "atlas960-supercluster",
    "hpn7", "hpn8", "lingjun", "fairwater", "stargate", "colossus", "meta-24k-roce", "meta-24k-ib",
)  # fmt: skip


def columns(size: str) -> dict[str, pl.DataType]:
    """Columns of one size."""
    return {
        f"busbw {size}": pl.Float64(),
        f"bound {size}": pl.Float64(),
        f"fidelity {size}": pl.String(),
        f"algorithm {size}": pl.String(),
        f"bottleneck {size}": pl.String(),
    }


def schema(grid: Grid) -> dict[str, pl.DataType]:
    """Columns of the frame: bandwidths in GB/s."""
    first: dict[str, pl.DataType] = {
        "system": pl.String(),
        "accelerators": pl.Int64(),
        "switches": pl.Int64(),
        "links": pl.Int64(),
        "injection_gbytes_s": pl.Float64(),
        "bisection_gbytes_s": pl.Float64(),
        "diameter_hops": pl.Int64(),
        "diameter_ns": pl.Float64(),
        "ranks": pl.Int64(),
    }
    for size in grid.sizes:
        first |= columns(size)
    return first | {"why": pl.String()}


def measure(system: sn.System, size: str, grid: Grid) -> dict[str, Any]:
    """Run one all-reduce; what went wrong stands in the row."""
    ranks = min(system.accelerators, grid.ranks or system.accelerators)
    try:
        result = sn.all_reduce(system, size=size, ranks=ranks, budget=BUDGET, timeout=PATIENCE, progress=False)
    except SupernodeError as error:
        return {"why": f"{size}: {error}"}
    return {
        f"busbw {size}": result.busbw_gbytes_s,
        f"bound {size}": result.busbw_gbytes_s / result.efficiency,
        f"fidelity {size}": result.fidelity,
        f"algorithm {size}": result.algorithm,
        f"bottleneck {size}": result.bottleneck,
        "ranks": result.n_ranks,
    }


def rows(grid: Grid) -> Iterator[dict[str, Any]]:
    """One row a system; equal units are run once."""
    done: dict[str, dict[str, Any]] = {}
    for name in grid.systems or (*SUPERNODES, *CLUSTERS):
        whole = sn.System.preset(name)
        unit = whole.replicate(1)
        found = sn.inventory(whole)
        row: dict[str, Any] = {
            "system": name,
            "accelerators": found.accelerators,
            "switches": found.switches,
            "links": found.links,
            "injection_gbytes_s": found.injection_gbytes_s,
            "bisection_gbytes_s": found.bisection_gbytes_s,
            "diameter_hops": found.diameter_hops,
            "diameter_ns": found.diameter_ns,
        }
        spec = unit.to_spec()
        key = f"{spec.device} {spec.networks} {unit.stack}"
        if key not in done:
            done[key] = {}
            why = []
            for size in grid.sizes:
                cells = measure(unit, size, grid)
                why += [cells.pop("why")] if "why" in cells else []
                done[key] |= cells
            done[key]["why"] = "; ".join(why)
        yield row | done[key]


def compare(grid: Grid) -> pl.DataFrame:
    """Run the grid."""
    return pl.DataFrame(list(rows(grid)), schema=schema(grid))


def frames(frame: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """One row a system and size, for the chart."""
    parts = [
        frame.select(
            "system",
            size=pl.lit(size),
            busbw=pl.col(f"busbw {size}"),
            bound=pl.col(f"bound {size}"),
            fidelity=pl.col(f"fidelity {size}"),
        )
        for size in grid.sizes
    ]
    return pl.concat(parts).filter(pl.col("busbw") > 0)


def chart(frame: pl.DataFrame, grid: Grid) -> alt.Chart:
    """Bus bandwidth of every system, a panel a size; a tick is what the fabric's bound would allow."""
    long = frames(frame, grid)
    order = frame["system"].to_list()
    y = alt.Y("system:N", sort=order, title=None)
    scale = alt.Scale(type="log")
    axis = alt.Axis(format="~g", values=[10.0**k for k in range(-4, 5)])
    base = alt.Chart()
    dots = base.mark_point(filled=True, size=50).encode(
        x=alt.X("busbw:Q", scale=scale, axis=axis, title="busbw (GB/s)"),
        y=y,
        color=alt.Color("fidelity:N"),
        shape=alt.Shape("fidelity:N", scale=alt.Scale(domain=list(MARKERS), range=list(MARKERS.values()))),
    )
    ticks = base.mark_tick(thickness=2, color="grey").encode(x=alt.X("bound:Q", scale=scale, axis=axis), y=y)
    layers: Any = alt.layer(ticks, dots, data=alt.InlineData(values=long.to_dicts())).properties(width=240)
    panels: alt.Chart = (
        layers.facet(column=alt.Column("size:N", sort=list(grid.sizes), title=None))
        .resolve_scale(x="independent")
        .properties(
            title=alt.TitleParams(
                "All-reduce within one building unit",
                subtitle="supernode. Marker: simulated, by fidelity. Grey tick: bound of the fabric.",
            )
        )
        .configure_legend(orient="bottom")
    )
    return panels


def number(value: Any) -> str:
    """Word a cell of the table."""
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) and value < 1e4 else f"{value:,.0f}"


def table(frame: pl.DataFrame, grid: Grid) -> str:
    """Everything below the marker: what the machines are, and what an all-reduce does on a unit of each."""
    head = ("accelerators", "switches", "injection_gbytes_s", "bisection_gbytes_s", "diameter_hops", "diameter_ns")
    lines = [
        MARKER,
        "",
        "## Fabrics",
        "",
        "| system | accelerators | switches | injection, GB/s | bisection, TB/s | diameter, hops | diameter, ns |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in frame.iter_rows(named=True):
        cells = [row["bisection_gbytes_s"] / 1e3 if key == "bisection_gbytes_s" else row[key] for key in head]
        lines.append(f"| `{row['system']}` | {' | '.join(number(c) for c in cells)} |")
    sizes = " | ".join(f"{size} | of the bound" for size in grid.sizes)
    lines += [
        "",
        "## All-reduce within one building unit",
        "",
        "Bus bandwidth in GB/s by the library's own choice of algorithm; `f` a flow and `a` an analytic figure, the",
        "others by packets. Bottleneck and algorithm are those of the largest size.",
        "",
        f"| unit of | ranks | {sizes} | algorithm | bottleneck |",
        "|---|---:|" + "---:|---:|" * len(grid.sizes) + "---|---|",
    ]
    last = grid.sizes[-1]
    for row in frame.iter_rows(named=True):
        cells = []
        for size in grid.sizes:
            busbw, bound, fidelity = (row[f"{key} {size}"] for key in ("busbw", "bound", "fidelity"))
            mark = {"flow": " f", "analytic": " a"}.get(fidelity, "")
            cells += [number(busbw) + mark, f"{busbw / bound:.0%}" if bound else "-"]
        tail = [row[f"algorithm {last}"] or "-", row[f"bottleneck {last}"] or row["why"]]
        lines.append(f"| `{row['system']}` | {number(row['ranks'])} | {' | '.join([*cells, *tail])} |")
    why = [f"- `{row['system']}`: {row['why']}" for row in frame.iter_rows(named=True) if row["why"]]
    return "\n".join([*lines, *(["", "What did not run:", "", *why] if why else [])]) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Run the grid and write what it found."""
    parser = argparse.ArgumentParser(description="Compare all systems.")
    parser.add_argument("--quick", action="store_true", help="small messages on few ranks; print, write nothing")
    parser.add_argument("--output", type=Path, help="write the frame and the chart there, not into the documentation")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", AssumedValueWarning)
    grid = QUICK if given.quick else Grid()
    frame = compare(grid)
    if given.output is not None:
        given.output.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(given.output / "compare.parquet")
        save_chart(chart(frame, grid), given.output / "compare.svg")
    elif given.quick:
        sys.stdout.write(table(frame, grid))
    else:
        page = Path(__file__).with_name("compare.md")
        words = page.read_text(encoding="utf-8").split(MARKER)[0]
        page.write_text(words + table(frame, grid), encoding="utf-8")
        save_chart(chart(frame, grid), page.with_suffix(".svg"))


if __name__ == "__main__":
    main()
