"""Simulated against measured: the rows of a bench joined with files of measured results by size.

**Invariant.** One row for each measured time and each row of the bench at its size. What was measured of another
collective or on another number of ranks is left out; if nothing is common, that is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.measured.point import Facts
from supernode.measured.registry import read_tables
from supernode.names import choose

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PLACES", "Paths", "compare", "of_place", "schema"]

#: A file, or several.
Paths = str | PathLike[str] | Iterable[str | PathLike[str]]

PLACES = ("out_of_place", "in_place")


@cache
def schema() -> pa.Schema:
    """Return the columns of a comparison."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("system", pa.string()),
            pa.field("requested", pa.string(), metadata={"doc": "algorithm asked for"}),
            pa.field("size_bytes", pa.uint64(), metadata={"unit": "B"}),
            pa.field("time_ns", pa.float64(), metadata={"unit": "ns", "doc": "simulated"}),
            pa.field("measured_time_ns", pa.float64(), metadata={"unit": "ns"}),
            pa.field("busbw_gbytes_s", pa.float64(), metadata={"unit": "GB/s", "doc": "simulated"}),
            pa.field("measured_busbw_gbytes_s", pa.float64(), metadata={"unit": "GB/s"}),
            pa.field(
                "error_percent", pa.float64(), metadata={"unit": "%", "doc": "simulated time over measured, less 1"}
            ),
            pa.field("collective", pa.string()),
            pa.field("ranks", pa.uint32()),
            pa.field("in_place", pa.bool_(), metadata={"doc": "null if the file does not tell"}),
            pa.field("source", pa.string(), metadata={"doc": "file of the measured time"}),
            pa.field("line", pa.uint32(), metadata={"doc": "of the file; null in JSON"}),
        ]
    )


def compare(rows: Sequence[Mapping[str, Any]], paths: Paths, place: str | None = None) -> pa.Table:
    """Join rows of a bench with files of measured results.

    Parameters
    ----------
    rows
        Rows of :attr:`supernode.Bench.summary`.
    paths
        A file that :func:`supernode.read_measurements` reads, or several. Collective and ranks that a file does not say
        are those of the rows.
    place
        ``"out_of_place"`` or ``"in_place"``: which of the measured times to take. By default those out of place, and
        those in place of a file that has no others.

    Returns
    -------
    pyarrow.Table
        Columns :func:`schema`.

    Raises
    ------
    SpecError
        If a file is not valid, or nothing in it is of a row.
    """
    if place is not None:
        choose("place", place, PLACES)
    if not rows:
        raise SpecError("compare: the bench has no rows")
    first = rows[0]
    facts = Facts(first["collective"], first["ranks"], binding=False)
    measured = of_place(read_tables(paths, facts).to_pylist(), place)
    return joined(rows, _of_type(_alike(measured, first), first))


def of_place(measured: Sequence[Mapping[str, Any]], place: str | None) -> list[Mapping[str, Any]]:
    """Take the times of one placement: of each file those out of place, or if there are none those in place.

    Raises
    ------
    SpecError
        If a file has no times of the placement that is asked for.
    """
    found: list[Mapping[str, Any]] = []
    for source in dict.fromkeys(row["source"] for row in measured):
        own = [row for row in measured if row["source"] == source]
        places = {row["in_place"] for row in own}
        wanted = place == "in_place" if place is not None else False not in places and True in places
        # formats that do not tell have one time, which is of either
        kept = [row for row in own if row["in_place"] is None or row["in_place"] == wanted]
        if not kept:
            raise SpecError(f"{source}: it has no {place} times")
        found += kept
    return found


def _alike(measured: Sequence[Mapping[str, Any]], first: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Take what is of the collective and the ranks of the bench."""
    found = [row for row in measured if (row["collective"], row["ranks"]) == (first["collective"], first["ranks"])]
    if not found:
        others = dict.fromkeys(f"{row['collective']} on {row['ranks']} ranks" for row in measured)
        raise SpecError(
            f"{measured[0]['source']}: it is of {', '.join(list(others)[:5])}; "
            f"the bench is of {first['collective']} on {first['ranks']} ranks"
        )
    return found


def _of_type(measured: list[Mapping[str, Any]], first: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Take the element type of the bench from a file of several; a file of one type is taken whatever it is."""
    if len({row["type"] for row in measured}) == 1:
        return measured
    return [row for row in measured if row["type"] in (first["type"], None)] or measured


def joined(rows: Sequence[Mapping[str, Any]], measured: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Put measured times beside the rows of their size."""
    by_size: dict[int, list[Mapping[str, Any]]] = {}
    for one in measured:
        by_size.setdefault(one["size_bytes"], []).append(one)
    found = [
        {
            "system": row["system"],
            "requested": row["requested"],
            "size_bytes": row["size_bytes"],
            "time_ns": row["time_ns"],
            "measured_time_ns": one["time_ns"],
            "busbw_gbytes_s": row["busbw_gbytes_s"],
            "measured_busbw_gbytes_s": one["busbw_gbytes_s"],
            "error_percent": 100 * (row["time_ns"] / one["time_ns"] - 1),
            **{name: one[name] for name in ("collective", "ranks", "in_place", "source", "line")},
        }
        for row in rows
        for one in by_size.get(row["size_bytes"], ())
    ]
    if not found:
        sizes = ", ".join(str(s) for s in list(by_size)[:5])
        raise SpecError(f"{measured[0]['source']}: none of its sizes ({sizes}, ...) is among those of the bench")
    import pyarrow as pa

    return pa.Table.from_pylist(found, schema=schema())
