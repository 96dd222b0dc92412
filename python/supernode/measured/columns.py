"""A CSV file with named columns, as users write it: one row a measured time.

| column | meaning |
|---|---|
| ``collective``, ``ranks`` | may be left out if the caller says them |
| ``bytes`` | as in the size column of nccl-tests |
| ``time_ns``, ``time_us``, ``time_ms``, ``time_s``, ``busbw_GBps``, ``algbw_GBps`` | exactly one of them |
| ``in_place``, ``graph`` | optional: true, false, or empty |
| ``algorithm``, ``protocol``, ``type``, ``devices_per_thread``, ``iterations`` | optional, may be empty |

Columns of other names are refused, so that a slip is not lost. Lines that begin with ``#`` are left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from supernode.errors import SpecError
from supernode.library.collectives import parse_name
from supernode.measured.point import MAX_POINTS, Facts, Point, busbw_factor
from supernode.measured.words import integer, number, rounding
from supernode.names import unknown
from supernode.quoting import quote, shortened

__all__ = ["is_columns", "read_columns"]

#: Nanoseconds of a unit, or ``None`` of rates.
_TIMES: dict[str, float | None] = {
    "time_ns": 1.0, "time_us": 1e3, "time_ms": 1e6, "time_s": 1e9, "busbw_GBps": None, "algbw_GBps": None,
}  # fmt: skip
_TEXTS = ("algorithm", "protocol", "type")
_FLAGS = ("in_place", "graph")
_NUMBERS = ("devices_per_thread", "iterations")
_KNOWN = ("collective", "ranks", "bytes", *_TIMES, *_FLAGS, *_TEXTS, *_NUMBERS)
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_ROW = re.compile(r"Row #(\d{1,12}): (.{0,200})")


def is_columns(text: str) -> bool:
    """Tell whether the first line that says something names columns."""
    first = next((line for line in text[:65536].split("\n") if line.strip() and not line.startswith("#")), "")
    names = {name.strip() for name in first.split(",")}
    return "," in first and not names.isdisjoint(("bytes", "collective", *_TIMES))


def read_columns(text: str, name: str, facts: Facts) -> Iterator[Point]:
    """Go through the points of a CSV file.

    Parameters
    ----------
    text
        The file.
    name
        Name of the file, for nothing: it says the collective in a column.
    facts
        What the caller says.

    Raises
    ------
    SpecError
        If a column is missing or unknown, or a cell is not what its column holds.
    """
    kept = [
        (at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip() and not line.startswith("#")
    ]
    numbers = [at for at, _ in kept]
    if len(kept) > MAX_POINTS:
        raise SpecError(f"there are more than {MAX_POINTS} rows; split the file")
    if not kept:
        raise SpecError("it has no line of column names")
    # a file of one line ends without a line break, which Arrow takes for an empty file
    names = _table(kept[0][1].rstrip("\r") + "\n\n", numbers).column_names
    columns = [column.strip() for column in names]
    time = _check_columns(columns, numbers[0])
    if len(kept) == 1:
        raise SpecError(f"line {numbers[0]}: there is no row below the names of the columns")
    table = _table("\n".join(line.rstrip("\r") for _, line in kept), numbers, names)
    cells = [column.to_pylist() for column in table.columns]
    for i, at in enumerate(numbers[1:]):
        yield _point({c: (cells[k][i] or "").strip() for k, c in enumerate(columns)}, at, time, facts)


def _table(text: str, numbers: list[int], names: Sequence[str] = ()) -> Any:
    """Return the cells as texts; rows of another width are named by their line."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        types = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        return csv.read_csv(
            io.BytesIO(text.encode()),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=False),
            convert_options=types,
        )
    except (pa.ArrowException, ValueError) as error:
        if found := _ROW.search(str(error)):
            at = numbers[min(int(found[1]), len(numbers)) - 1]
            raise SpecError(f"line {at}: {found[2].lower()}") from None
        raise SpecError(f"line {numbers[0]}: not valid CSV: {shortened(str(error), 200)}") from None


def _check_columns(columns: list[str], at: int) -> str:
    """Return the column of times."""
    for name in columns:
        if name not in _KNOWN:
            raise SpecError(f"line {at}: {unknown('column', name, _KNOWN)}")
        if columns.count(name) > 1:
            raise SpecError(f"line {at}: column {name!r} is there twice")
    if "bytes" not in columns:
        raise SpecError(f"line {at}: column 'bytes' is missing among {quote(', '.join(columns))}")
    times = [name for name in columns if name in _TIMES]
    if len(times) != 1:
        raise SpecError(
            f"line {at}: {len(times)} columns of times ({', '.join(times)}); give one of {', '.join(_TIMES)}"
        )
    return times[0]


def _point(row: Mapping[str, str], at: int, time: str, facts: Facts) -> Point:
    where = f"line {at}"
    try:
        said = parse_name(row["collective"]) if row.get("collective") else None
    except SpecError as error:
        raise SpecError(f"{where}: {error}") from None
    collective = facts.settle_collective(said, where)
    ranks = facts.settle_ranks(integer(row["ranks"], "ranks", at) if row.get("ranks") else None, where)
    size = integer(row["bytes"], "bytes", at)
    value = number(row[time], time, at)
    unit = _TIMES[time]
    if unit is not None:
        time_ns = value * unit
    else:
        factor = busbw_factor(collective, ranks) if time == "busbw_GBps" else 1.0
        if not value or not factor:
            raise SpecError(f"{where}: {time} is {row[time]}, of which no time follows; it must be above 0")
        time_ns = size * factor / value
    flags = {name: _flag(row[name], name, where) for name in _FLAGS if row.get(name)}
    texts = {name: row[name] for name in _TEXTS if row.get(name)}
    numbers = {name: integer(row[name], name, at) for name in _NUMBERS if row.get(name)}
    more: dict[str, Any] = {**flags, **texts, **numbers}
    return Point(
        collective=collective,
        ranks=ranks,
        size_bytes=size,
        time_ns=time_ns,
        line=at,
        time_from=time.partition("_")[0],
        rounding=rounding(row[time]),
        **more,
    )


def _flag(word: str, name: str, where: str) -> bool:
    if word.lower() not in _TRUTH:
        raise SpecError(f"{where}: {name} is {quote(shortened(word, 60))}; it must be true or false")
    return _TRUTH[word.lower()]
