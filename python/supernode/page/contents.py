"""What a report shows: figures, warnings, pictures, tables and the configuration, of a result, a bench or a sweep."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.extras import extra
from supernode.picture.figure import draw_busy
from supernode.picture.model import number, time_text
from supernode.plot import busbw_chart, time_chart
from supernode.result import Result
from supernode.result.benchmark import Bench
from supernode.spec import SystemSpec

if TYPE_CHECKING:
    import altair as alt
    import pyarrow as pa

__all__ = ["Block", "Cell", "Column", "Picture", "Report", "TableView", "of_bench", "of_result", "of_table"]

#: Rows of a table that a page shows.
MOST_ROWS = 2000
#: Tables of a result, the most telling first.
_ORDER = ("summary", "levels", "ranks", "links", "switches", "flows")


@dataclass(frozen=True)
class Cell:
    """A value as it is sorted and as it is read."""

    value: str
    text: str


@dataclass(frozen=True)
class Column:
    """A column: its name, whether it holds numbers, and what it means."""

    name: str
    numeric: bool
    words: str


@dataclass(frozen=True)
class TableView:
    """A table of a page."""

    title: str
    words: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A picture and the same in words: SVG, or PNG where the width of text has to be known."""

    title: str
    words: str
    svg: str = ""
    png: str = ""


@dataclass(frozen=True)
class Block:
    """A text that is shown when asked for."""

    title: str
    text: str


@dataclass(frozen=True)
class Report:
    """All of a page."""

    title: str
    subtitle: str
    facts: Mapping[str, str]
    warnings: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[TableView] = ()
    blocks: Sequence[Block] = ()
    footer: str = field(default_factory=lambda: f"Written by supernode {core.versions()['supernode']}.")


def of_table(title: str, table: pa.Table, words: str = "") -> TableView:
    """Return a table of a page; of a long one the first rows."""
    import pyarrow as pa

    shown = table.slice(0, MOST_ROWS)
    kinds = [f.type for f in shown.schema]
    numeric = [pa.types.is_integer(k) or pa.types.is_floating(k) for k in kinds]
    columns = tuple(Column(f.name, is_number, _meaning(f)) for f, is_number in zip(shown.schema, numeric, strict=True))
    rows = tuple(
        tuple(_cell(value) for value in row) for row in zip(*(c.to_pylist() for c in shown.columns), strict=True)
    )
    count = f"{table.num_rows:,} rows" if table.num_rows != 1 else "1 row"
    if table.num_rows > MOST_ROWS:
        count = f"the first {MOST_ROWS:,} of {table.num_rows:,} rows"
    return TableView(title, f"{words} {count}.".strip().capitalize(), columns, rows)


def _meaning(column: pa.Field) -> str:
    data = {k.decode(): v.decode() for k, v in (column.metadata or {}).items()}
    return ", ".join(text for text in (data.get("doc", ""), data.get("unit", "")) if text)


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("", "")
    if isinstance(value, bool):
        return Cell(str(value), "yes" if value else "no")
    if isinstance(value, int):
        return Cell(str(value), f"{value:,}")
    if isinstance(value, float):
        text = f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:,.6g}"
        return Cell(repr(value) if math.isfinite(value) else "", text)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Cell(text, text)


def of_result(result: Result) -> Report:
    """Collect what there is to a result."""
    pictures = []
    if "levels" in result.tables():
        shares: dict[tuple[str, int], float] = {}
        for row in result.levels.to_pylist():
            key = (row["network"], row["level"])
            shares[key] = max(shares.get(key, 0.0), row["utilisation_max"])
        busiest = max(shares, key=lambda key: shares[key])
        words = (
            f"Links by the part of {time_text(result.time_fs)} in which they sent: the busiest of each level and "
            f"direction. Busiest is {busiest[0]}, level {busiest[1]}, with {100 * shares[busiest]:.0f} %."
        )
        spec = msgspec.convert(result.effective["system"], SystemSpec)
        pictures.append(Picture("Fabric by utilisation", words, svg=draw_busy(spec, shares).svg))
    tables = [of_table(name, result.table(name)) for name in _ORDER if name in result.tables()]
    return Report(
        title=f"{result.collective} on {result.system}",
        subtitle=f"{result.n_ranks:,} ranks, {result.size_bytes:,} bytes",
        facts={
            "time": time_text(result.time_fs),
            "bus bandwidth": f"{number(result.busbw_gbytes_s)} GB/s",
            "algorithm": result.algorithm,
            "protocol": result.protocol,
            "fidelity": result.fidelity,
            "chosen by": result.chosen_by,
            "lower bound": f"{result.bound:,.6g} ns ({result.bound_kind})",
            "efficiency": f"{100 * result.efficiency:.1f} % of the bound",
            "bottleneck": result.bottleneck,
            "seed": str(result.seed),
        },
        warnings=result.warnings,
        pictures=pictures,
        tables=tables,
        blocks=[_configuration(result.effective)],
        footer=_origin(result.versions),
    )


def of_bench(bench: Bench) -> Report:
    """Collect what there is to a bench."""
    rows = bench.rows
    systems, collectives = (list(dict.fromkeys(str(row[key]) for row in rows)) for key in ("system", "collective"))
    best = max(rows, key=lambda row: row["busbw_gbytes_s"])
    facts = {
        "rows": str(len(rows)),
        "sizes": f"{min(row['size_bytes'] for row in rows):,} to {max(row['size_bytes'] for row in rows):,} bytes",
        "highest bus bandwidth": f"{number(best['busbw_gbytes_s'])} GB/s at {best['size_bytes']:,} bytes",
        "least time": f"{min(row['time_ns'] for row in rows):,.6g} ns",
        "fidelity": ", ".join(dict.fromkeys(str(row["fidelity"]) for row in rows)),
    }
    pictures = []
    if any(row["busbw_gbytes_s"] > 0 for row in rows):
        words = "Bus bandwidth against message size, both axes logarithmic; the bound is dashed."
        pictures.append(Picture("Bus bandwidth", words, png=_png(busbw_chart(bench))))
        words = "Time against message size, both axes logarithmic; the bound is dashed."
        pictures.append(Picture("Time", words, png=_png(time_chart(bench))))
    first = bench[0]
    return Report(
        title=f"{', '.join(collectives)} on {', '.join(systems)}",
        subtitle=f"{first.n_ranks:,} ranks, {len(rows)} points",
        facts=facts,
        warnings=bench.warnings,
        pictures=pictures,
        tables=[of_table("bench", bench.summary)],
        blocks=[_configuration(first.effective, " of the first row")],
        footer=_origin(first.versions),
    )


def _png(chart: alt.Chart) -> str:
    """Return a chart in base 64; as SVG its labels would overlap where a browser has other fonts."""
    with extra("report", "a chart needs vl-convert-python"):
        import vl_convert

    return b64encode(vl_convert.vegalite_to_png(chart.to_json(), scale=2)).decode()


def _configuration(effective: Mapping[str, Any], whose: str = "") -> Block:
    return Block(f"Effective configuration{whose}", json.dumps(effective, indent=2))


def _origin(versions: Mapping[str, str]) -> str:
    return "Simulated by " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."
