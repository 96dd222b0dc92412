"""Two results, benches or measurements side by side, point by point.

**Invariant.** Rows are joined by size and collective, and by the algorithm asked for where both are benches of several.
What one side lacks is not in the table; if nothing is common, that is an error. What was measured on one number of
ranks is not compared with what was simulated on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.files.text import as_path, is_folder, is_there
from supernode.measured.point import Facts
from supernode.measured.registry import read_tables
from supernode.quoting import quote
from supernode.result.benchmark import Bench
from supernode.result.compare import of_place, schema
from supernode.result.regimes import Regime
from supernode.result.result import Result
from supernode.result.saved import read_kind

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Side", "load_side", "points", "points_comparison", "points_schema", "points_text", "side_of"]

#: What measured times of one point must have in common to be repetitions of each other.
_SAME = ("type", "redop", "root", "algorithm", "protocol", "devices_per_thread", "graph")


@dataclass(frozen=True)
class Side:
    """One side: a name, and rows that have at least collective, ranks, size, time and bus bandwidth.

    Parameters
    ----------
    name
        What errors and headings call it.
    rows
        Its rows.
    measured
        Whether the times were measured.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    measured: bool = False

    def distinct(self, column: str) -> bool:
        """Tell whether the rows have several values of a column."""
        return len({row.get(column) for row in self.rows}) > 1


@cache
def points_schema() -> pa.Schema:
    """Return the columns of :func:`points`: ``a`` and ``b`` are the two sides in the order given."""
    import pyarrow as pa

    def side(name: str) -> list[pa.Field]:
        return [
            pa.field(f"time_{name}_ns", pa.float64(), metadata={"unit": "ns"}),
            pa.field(f"busbw_{name}_gbytes_s", pa.float64(), metadata={"unit": "GB/s"}),
            pa.field(f"algorithm_{name}", pa.string(), metadata={"doc": "that ran; null if measured"}),
            pa.field(f"fidelity_{name}", pa.string(), metadata={"doc": "null if measured"}),
        ]

    return pa.schema(
        [
            pa.field("collective", pa.string()),
            pa.field("requested", pa.string(), metadata={"doc": "algorithm asked for; null unless a side is a bench"}),
            pa.field("size_bytes", pa.uint64(), metadata={"unit": "B"}),
            *side("a"),
            *side("b"),
            pa.field("ratio", pa.float64(), metadata={"unit": "1", "doc": "time of b over time of a"}),
        ]
    )


def load_side(path: str | Path, facts: Facts = Facts(), place: str | None = None) -> Side:  # noqa: B008 - frozen
    """Read one side: a folder of a result or a bench, or a file of measured results.

    Parameters
    ----------
    path
        The folder or file.
    facts
        Collective and ranks of a file that does not say them.
    place
        Placement of measured times; see :func:`supernode.result.compare.of_place`.

    Raises
    ------
    SpecError
        If it is none of these.
    """
    found = as_path(path, "what is compared")
    if is_folder(found):
        kind = read_kind(found)
        if kind not in ("result", "bench"):
            raise SpecError(f"folder {quote(str(found))} holds a {kind}; give one of a result or a bench")
        return side_of(Result.load(found) if kind == "result" else Bench.load(found), str(found))
    if not is_there(found):
        raise SpecError(
            f"{quote(str(found))} does not exist; give a folder of a result or a bench, or a file of measurements"
        )
    measured = of_place(read_tables(found, facts).to_pylist(), place)
    return Side(str(found), _middle(measured, str(found)), measured=True)


def _middle(measured: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """Return one row for each point: of several tables the one of the median time, the faster of two."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in measured:
        groups.setdefault((row["collective"], row["ranks"], row["size_bytes"]), []).append(row)
    for (collective, _, size), rows in groups.items():
        for column in _SAME:
            if len(found := dict.fromkeys(row[column] for row in rows)) > 1:
                raise SpecError(
                    f"{name}: {size} bytes of {collective} were measured with {column} "
                    f"{' and '.join(map(str, found))}; give a file of one of them"
                )
    return [sorted(rows, key=lambda row: row["time_ns"])[(len(rows) - 1) // 2] for rows in groups.values()]


def side_of(found: Result | Bench, name: str) -> Side:
    """Return the rows of a result or a bench as one side."""
    return Side(name, found.rows if isinstance(found, Bench) else [found.row])


def points(a: Side, b: Side) -> pa.Table:
    """Put the rows side by side that are of the same point.

    Returns
    -------
    pyarrow.Table
        Columns :func:`points_schema`.

    Raises
    ------
    SpecError
        If the sides have no point in common, or one has several rows of one point.
    """
    import pyarrow as pa

    both = [key for key in ("collective", "requested") if all(key in row for s in (a, b) for row in s.rows)]
    # the algorithm asked for tells rows apart only where there are several
    by = [key for key in both if key == "collective" or a.distinct(key) or b.distinct(key)]

    def keyed(side: Side) -> dict[tuple[Any, ...], Mapping[str, Any]]:
        found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        for row in side.rows:
            key = (*(row[name] for name in by), row["size_bytes"])
            if key in found:
                raise SpecError(
                    f"{side.name} has several rows of {row['size_bytes']} bytes; compare one algorithm each"
                )
            found[key] = row
        return found

    left, right = keyed(a), keyed(b)
    if a.measured or b.measured:
        _check_ranks(a, b)
    rows = []
    for key in (key for key in left if key in right):
        one, other = left[key], right[key]
        row: dict[str, Any] = {
            "collective": one["collective"],
            "requested": one.get("requested", other.get("requested")),
            "size_bytes": one["size_bytes"],
            "ratio": other["time_ns"] / one["time_ns"] if one["time_ns"] else None,
        }
        for name, side in (("a", one), ("b", other)):
            row[f"time_{name}_ns"], row[f"busbw_{name}_gbytes_s"] = side["time_ns"], side["busbw_gbytes_s"]
            row[f"algorithm_{name}"], row[f"fidelity_{name}"] = side.get("algorithm"), side.get("fidelity")
        rows.append(row)
    if not rows:
        some = [", ".join(str(row["size_bytes"]) for row in side.rows[:4]) for side in (a, b)]
        raise SpecError(f"no point in common: {a.name} has sizes {some[0]}, ...; {b.name} has {some[1]}, ...")
    return pa.Table.from_pylist(rows, schema=points_schema())


def _check_ranks(a: Side, b: Side) -> None:
    """Refuse measurements on another number of ranks than the other side's."""
    counts = [{row["ranks"] for row in side.rows} for side in (a, b)]
    if counts[0].isdisjoint(counts[1]):
        said = [", ".join(str(count) for count in sorted(some)) for some in counts]
        raise SpecError(f"{a.name} is of {said[0]} ranks, {b.name} of {said[1]}; compare the same number of ranks")


def points_comparison(table: pa.Table, a: Side, b: Side) -> pa.Table | None:
    """Return the points as a comparison with measurements, ``None`` unless one side alone was measured."""
    if a.measured == b.measured:
        return None
    import pyarrow as pa

    measured, simulated = (("a", a), ("b", b)) if a.measured else (("b", b), ("a", a))
    origin = {(row["collective"], row["size_bytes"]): row for row in measured[1].rows}
    found = []
    for row in table.to_pylist():
        own = {name: (row[f"time_{side}_ns"], row[f"busbw_{side}_gbytes_s"]) for name, side in
               (("measured", measured[0]), ("simulated", simulated[0]))}  # fmt: skip
        one = origin[row["collective"], row["size_bytes"]]
        found.append(
            {
                "system": simulated[1].name,
                "requested": row["requested"] or row[f"algorithm_{simulated[0]}"],
                "size_bytes": row["size_bytes"],
                "time_ns": own["simulated"][0],
                "measured_time_ns": own["measured"][0],
                "busbw_gbytes_s": own["simulated"][1],
                "measured_busbw_gbytes_s": own["measured"][1],
                "error_percent": 100 * (own["simulated"][0] / own["measured"][0] - 1),
                **{name: one[name] for name in ("collective", "ranks", "in_place", "source", "line")},
            }
        )
    return pa.Table.from_pylist(found, schema=schema())


def points_text(table: pa.Table, a: str, b: str, regimes: Sequence[Regime] = ()) -> str:
    """Return a comparison as lines for a terminal."""
    lines = [
        f"# a: {a}",
        f"# b: {b}",
        f"{'size':>14}  {'a':>12}  {'b':>12}  {'b / a':>8}  {'busbw a':>9}  {'busbw b':>9}  algorithm a, b",
        f"{'(B)':>14}  {'(us)':>12}  {'(us)':>12}  {'':>8}  {'(GB/s)':>9}  {'(GB/s)':>9}",
    ]
    for row in table.to_pylist():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
        ran = ", ".join(row[f"algorithm_{side}"] or "measured" for side in "ab")
        lines.append(
            f"{row['size_bytes']:>14}  {row['time_a_ns'] / 1e3:>12.3f}  {row['time_b_ns'] / 1e3:>12.3f}  {ratio:>8}  "
            f"{row['busbw_a_gbytes_s']:>9.3f}  {row['busbw_b_gbytes_s']:>9.3f}  {ran}"
        )
    ratios = sorted(r for r in table["ratio"].to_pylist() if r is not None)
    if ratios:
        middle = (ratios[len(ratios) // 2] + ratios[(len(ratios) - 1) // 2]) / 2
        lines.append(f"# median of b / a: {middle:.3f}, from {ratios[0]:.3f} to {ratios[-1]:.3f}")
    several = len({regime.curve for regime in regimes}) > 1
    lines += [f"# {regime.curve}: {regime}" if several else f"# {regime}" for regime in regimes]
    return "\n".join(lines)
