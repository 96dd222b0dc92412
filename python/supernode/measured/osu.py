"""Outputs of the OSU micro-benchmarks of collectives: ``osu_allreduce`` and its siblings.

They print one latency a size, averaged over ranks; with ``-f`` also that of the fastest and the slowest rank. Sizes are
per rank where every rank has a part, and are multiplied by the ranks here. How many ranks there were they do not say.

Source: the manual of OSU 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from supernode.errors import SpecError
from supernode.library.collectives import BY_NAME
from supernode.measured.point import MAX_POINTS, Facts, Point
from supernode.measured.words import integer, lines, number, program, rounding
from supernode.quoting import quote, shortened

__all__ = ["is_osu", "read_osu"]

_ANY = re.compile(r"#[ \t]{0,4}OSU |#[ \t]{0,4}Size[ \t]{1,40}[A-Za-z0-9. ]{0,40}(?:Latency|Overall|Bandwidth)[ \t]?\(")
_TITLE = re.compile(r"#[ \t]{0,4}OSU ([\w.+() -]{1,120}?) (?:Latency )?Test\b")
_COLUMNS = re.compile(r"#[ \t]{0,4}Size(?=[ \t])")
_ROW = re.compile(r"\d{1,30}(?:$|[ \t]{1,80}\d)")
_SPLIT = re.compile(r"(?:(?<=\))|[ \t]{2})[ \t]{0,80}")

#: Titles of tests, folded, by collective.
_TITLES = {
    "allreduce": "all_reduce",
    "reducescatter": "reduce_scatter",
    "alltoallpersonalizedexchange": "all_to_all",
    "alltoall": "all_to_all",
    "allgather": "all_gather",
    "broadcast": "broadcast",
    "reduce": "reduce",
    "gather": "gather",
    "scatter": "scatter",
}

_READ = ("avg latency", "min latency", "max latency", "iterations")


def is_osu(text: str) -> bool:
    """Tell whether a text is an output of OSU."""
    return _ANY.search(text) is not None


def read_osu(text: str, name: str, facts: Facts) -> Iterator[Point]:
    """Go through the points of an output, which may have several tables.

    Parameters
    ----------
    text
        The output.
    name
        Name of the file, which may have that of the program.
    facts
        What the caller says.

    Raises
    ------
    SpecError
        If a table is not of the latency of a collective, or a row is not what its columns say.
    """
    said = program(name) or None
    columns: list[str] = []
    table = begun = found = 0
    for at, line in lines(text):
        if title := _TITLE.match(line):
            said, columns = _collective(title[1], at), []
        elif _COLUMNS.match(line):
            columns, table, begun = _columns(line, at), table + 1, at
        elif columns and _ROW.match(line):
            words = line.split()
            if len(words) != len(columns):
                raise SpecError(f"line {at}: {len(words)} words where line {begun} names {len(columns)} columns")
            where = f"table in line {begun}"
            yield _point(dict(zip(columns, words, strict=True)), at, table, facts, said, where)
            found += 1
            if found > MAX_POINTS:
                raise SpecError(f"line {at}: there are more than {MAX_POINTS} rows; split the file")
        elif not columns and (named := program(line)) is not None:
            said = named or None
        elif line.startswith("$") or "osu_" in line:
            columns, said = [], program(line) or None
    if not found:
        raise SpecError("no table of latencies; read is '# Size  Avg Latency(us)' and rows below it")


def _collective(title: str, at: int) -> str:
    """Return the collective of a title such as ``MPI-CUDA Allreduce``."""
    test = title.partition(" ")[2] or title
    folded = "".join(c for c in test.lower() if c.isalnum())
    if folded not in _TITLES:
        raise SpecError(
            f"line {at}: a test of {quote(shortened(test, 80))}; read are {', '.join(dict.fromkeys(_TITLES.values()))}"
        )
    return _TITLES[folded]


def _columns(line: str, at: int) -> list[str]:
    """Return the names of the columns, folded; the first is that of sizes."""
    names = [name for name in _SPLIT.split(line.lstrip("# \t").strip()) if name]
    columns = ["size"]
    for name in names[1:]:
        text, _, unit = name.partition("(")
        plain = " ".join(text.lower().split())
        if plain == "latency":
            plain = "avg latency"
        if plain in ("avg latency", "min latency", "max latency") and unit.rstrip(")") != "us":
            raise SpecError(f"line {at}: {quote(shortened(name, 60))}; latencies are read in (us)")
        columns.append(plain)
    if "avg latency" not in columns:
        raise SpecError(
            f"line {at}: no column Avg Latency(us) among {quote(shortened(', '.join(names), 200))}; "
            "tests of bandwidth and of overlap are not read"
        )
    return columns


def _point(row: dict[str, str], at: int, table: int, facts: Facts, said: str | None, where: str) -> Point:
    collective = facts.settle_collective(said, where)
    ranks = facts.settle_ranks(None, where)
    size = integer(row["size"], "size", at)
    # what OSU gives for one rank, nccl-tests gives for all
    per_rank = BY_NAME[collective].parted and collective != "reduce_scatter"
    least, most = row.get("min latency"), row.get("max latency")
    return Point(
        collective=collective,
        ranks=ranks,
        size_bytes=size * ranks if per_rank else size,
        time_ns=number(row["avg latency"], "Avg Latency", at) * 1e3,
        line=at,
        table=table,
        time_min_ns=None if least is None else number(least, "Min Latency", at) * 1e3,
        time_max_ns=None if most is None else number(most, "Max Latency", at) * 1e3,
        rounding=rounding(row["avg latency"]),
        iterations=integer(row["iterations"], "Iterations", at) if "iterations" in row else None,
    )
