"""A measured point, and the table that points become.

**Invariant.** Whatever the format: bytes as in the size column of nccl-tests, times in ns and above 0, bandwidths in
GB/s of 10^9 bytes that follow from time and size. One table of a file has one time for each point.

Rows of 0 bytes are left out: nccl-tests prints them where a size rounds to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.library.collectives import BY_NAME

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_POINTS", "Facts", "Point", "busbw_factor", "finished", "schema", "to_table"]

#: The most points of one file: no benchmark prints as many.
MAX_POINTS = 2**16

#: The most bytes, ranks and nanoseconds that are taken for a measurement.
_MOST = {"size": 2**62, "ranks": 2**31 - 1, "time": 10**18}


@dataclass(frozen=True)
class Facts:
    """What the caller says of files that do not say it themselves.

    Parameters
    ----------
    collective
        Canonical name of the collective, or ``None``.
    ranks
        Number of ranks, or ``None``.
    binding
        Whether a file that says something else is refused. Otherwise the file counts.
    """

    collective: str | None = None
    ranks: int | None = None
    binding: bool = True

    def settle_collective(self, said: str | None, where: str) -> str:
        """Return the collective of a table, from the file or from the caller."""
        if said is None and self.collective is None:
            raise SpecError(f"{where}: which collective was measured is not said; give collective=, such as all_reduce")
        if said is not None and self.collective is not None and self.binding and said != self.collective:
            raise SpecError(f"{where}: it is of {said}, but collective={self.collective!r} was given")
        return said or self.collective or ""

    def settle_ranks(self, said: int | None, where: str) -> int:
        """Return the number of ranks of a table, from the file or from the caller."""
        if said is None and self.ranks is None:
            raise SpecError(f"{where}: on how many ranks it was measured is not said; give ranks=")
        if said is not None and self.ranks is not None and self.binding and said != self.ranks:
            raise SpecError(f"{where}: it is of {said} ranks, but ranks={self.ranks} was given")
        return said or self.ranks or 0


@dataclass(frozen=True)
class Point:
    """One measured time; fields are the columns of :func:`schema`, without those that follow from others."""

    collective: str
    ranks: int
    size_bytes: int
    time_ns: float
    line: int | None = None
    place: str = ""
    table: int = 1
    in_place: bool | None = None
    time_min_ns: float | None = None
    time_max_ns: float | None = None
    time_from: str = "time"
    rounding: float | None = None
    iterations: int | None = None
    wrong: int | None = None
    type: str | None = None
    redop: str | None = None
    root: int | None = None
    algorithm: str | None = None
    protocol: str | None = None
    devices_per_thread: int | None = None
    graph: bool | None = None

    def key(self) -> tuple[object, ...]:
        """Return what tells points of one file apart."""
        return (
            self.table, self.collective, self.ranks, self.size_bytes, self.in_place, self.type, self.redop, self.root,
            self.algorithm, self.protocol, self.devices_per_thread, self.graph,
        )  # fmt: skip

    def where(self) -> str:
        """Return where it stands in its file."""
        return f"line {self.line}" if self.line is not None else self.place


def busbw_factor(collective: str, ranks: int) -> float:
    """Return bus bandwidth over size divided by time, as nccl-tests defines it."""
    if collective == "all_reduce":
        return 2 * (ranks - 1) / ranks
    return (ranks - 1) / ranks if BY_NAME[collective].parted else 1.0


def finished(points: Iterable[Point]) -> Iterator[Point]:
    """Check the points of one file and leave out those that say nothing.

    Raises
    ------
    SpecError
        If a number is out of range, a point has two times, or there are too many.
    """
    seen: dict[tuple[object, ...], Point] = {}
    for point in points:
        where = point.where()
        if point.size_bytes == 0:
            continue
        if not 0 < point.size_bytes <= _MOST["size"]:
            raise SpecError(f"{where}: size {point.size_bytes} is out of range; it must be 0 to 2^62 bytes")
        if not 1 <= point.ranks <= _MOST["ranks"]:
            raise SpecError(f"{where}: {point.ranks} ranks are out of range; there must be 1 to 2^31 - 1")
        for name in ("time_ns", "time_min_ns", "time_max_ns"):
            time = getattr(point, name)
            # not a comparison that a NaN would pass
            if time is not None and not 0 < time <= _MOST["time"]:
                raise SpecError(f"{where}: a time of {time:g} ns; it must be above 0, and at most 10^18 ns")
        before = seen.setdefault(point.key(), point)
        if before is point:
            if len(seen) > MAX_POINTS:
                raise SpecError(f"{where}: there are more than {MAX_POINTS} points; split the file")
            yield point
        elif replace(before, line=point.line, place=point.place) != point:
            raise SpecError(
                f"{where}: {point.size_bytes} bytes of {point.collective} on {point.ranks} ranks again, with "
                f"{point.time_ns / 1e3:g} us here and {before.time_ns / 1e3:g} us in {before.where()}; a table has one "
                "time for each point: give repeated runs as tables or files of their own"
            )


@cache
def schema() -> pa.Schema:
    """Return the columns of measurements."""
    import pyarrow as pa

    def column(name: str, kind: pa.DataType, doc: str, unit: str = "", null: bool = False) -> pa.Field:
        meta = {"doc": doc, **({"unit": unit} if unit else {})}
        return pa.field(name, kind, nullable=null, metadata=meta)

    number, text, whole = pa.float64(), pa.string(), pa.uint32()
    return pa.schema(
        [
            column("source", text, "file, as it was named"),
            column("format", text, "format of the file"),
            column("line", whole, "line of the file, from 1; null in JSON", null=True),
            column("table", whole, "table of the file, from 1"),
            column("collective", text, "name of the collective"),
            column("ranks", whole, "ranks that took part"),
            column("size_bytes", pa.uint64(), "as in the size column of nccl-tests", "B"),
            column("in_place", pa.bool_(), "null if the format does not tell", null=True),
            column("time_ns", number, "per call, as the benchmark averages it", "ns"),
            column("algbw_gbytes_s", number, "size over time", "GB/s"),
            column("busbw_gbytes_s", number, "algbw times the factor of nccl-tests", "GB/s"),
            column("time_min_ns", number, "of the fastest rank, as the benchmark prints it", "ns", null=True),
            column("time_max_ns", number, "of the slowest rank, as the benchmark prints it", "ns", null=True),
            column("time_from", text, "what the time was taken from: time, busbw or algbw"),
            column("rounding", number, "half a unit of the last printed digit, over the value", "1", null=True),
            column("iterations", pa.uint64(), "calls that were averaged", null=True),
            column("wrong", pa.uint64(), "wrong elements; null if not checked", null=True),
            column("type", text, "element type, as printed", null=True),
            column("redop", text, "operation of a reduction, as printed", null=True),
            column("root", pa.int64(), "-1 where no rank is special", null=True),
            column("algorithm", text, "null unless the file says it", null=True),
            column("protocol", text, "null unless the file says it", null=True),
            column("devices_per_thread", whole, "devices that a thread of the host launches on", null=True),
            column("graph", pa.bool_(), "whether calls were captured in a graph", null=True),
        ]
    )


def to_table(files: Iterable[tuple[str, str, Iterable[Point]]]) -> pa.Table:
    """Return the points of files, each with its name and format, as one table."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in schema().names}
    for source, format, points in files:
        for point in points:
            rate = point.size_bytes / point.time_ns
            row = {
                **vars(point),
                "source": source,
                "format": format,
                "algbw_gbytes_s": rate,
                "busbw_gbytes_s": rate * busbw_factor(point.collective, point.ranks),
            }
            for name, values in columns.items():
                values.append(row[name])
    return pa.table(columns, schema=schema())
