"""Two results, benches or measurements side by side, point by point.

**Invariant.** Rows are joined by size, by collective where both sides say it, and by the algorithm asked for where both
are benches of several. What one side lacks is not in the table; if nothing is common, that is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.files.text import as_path, is_folder, is_there
from supernode.quoting import quote
from supernode.result.benchmark import Bench
from supernode.result.compare import read_nccl_tests
from supernode.result.result import Result
from supernode.result.saved import read_kind

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Side", "load_side", "points", "points_schema", "points_text", "side_of"]


@dataclass(frozen=True)
class Side:
    """One side: a name, and rows that have at least ``size_bytes``, ``time_ns`` and ``busbw_gbytes_s``."""

    name: str
    rows: Sequence[Mapping[str, Any]]

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
            pa.field("collective", pa.string(), metadata={"doc": "null if both are measured"}),
            pa.field("requested", pa.string(), metadata={"doc": "algorithm asked for; null unless both are benches"}),
            pa.field("size_bytes", pa.uint64(), metadata={"unit": "B"}),
            *side("a"),
            *side("b"),
            pa.field("ratio", pa.float64(), metadata={"unit": "1", "doc": "time of b over time of a"}),
        ]
    )


def load_side(path: str | Path) -> Side:
    """Read one side: a folder of a result or a bench, or a ``-J`` file of nccl-tests.

    Raises
    ------
    SpecError
        If it is none of these.
    """
    place = as_path(path, "what is compared")
    if is_folder(place):
        kind = read_kind(place)
        if kind not in ("result", "bench"):
            raise SpecError(f"folder {quote(str(place))} holds a {kind}; give one of a result or a bench")
        return side_of(Result.load(place) if kind == "result" else Bench.load(place), str(place))
    if not is_there(place):
        raise SpecError(f"{quote(str(place))} does not exist; give a folder of a result or a bench, or a -J file")
    measured = read_nccl_tests(place, "out_of_place")
    rows = [{"size_bytes": size, "time_ns": time, "busbw_gbytes_s": busbw} for size, (time, busbw) in measured.items()]
    return Side(str(place), rows)


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
    rows = []
    for key in (key for key in left if key in right):
        one, other = left[key], right[key]
        row: dict[str, Any] = {
            "collective": one.get("collective", other.get("collective")),
            "requested": one.get("requested") if "requested" in both else None,
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


def points_text(table: pa.Table, a: str, b: str) -> str:
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
    return "\n".join(lines)
