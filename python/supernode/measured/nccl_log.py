"""Logs of nccl-tests and rccl-tests: the table that ``all_reduce_perf`` prints.

A table begins with the line of its column names. Columns are found by name, so it may have more of them (those
of single iterations, a timestamp). Lines between rows that begin with no number are others' and are left out. What a
line of ``# nThread ...``, ``# Rank ...`` or a command says counts until the next one says something else.

The collective is named by newer versions and by the command. Otherwise, an all-reduce, a reduce-scatter and a reduce
are told by the reduction, the root, and bus over algorithm bandwidth; all else has to be given.

Source: src/common.cu and src/util.cu of nccl-tests a0b82b2 (2.19.6), and of rccl-tests as of 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from supernode.errors import SpecError
from supernode.library.collectives import BY_NAME
from supernode.measured.point import MAX_POINTS, Facts, Point, busbw_factor
from supernode.measured.words import integer, lines, number, program, rounding
from supernode.quoting import quote, shortened

__all__ = ["is_nccl_log", "read_nccl_log"]

_HEADER = re.compile(r"#[ \t]{0,40}size[ \t]{1,40}count[ \t]{1,40}type[ \t]")
_ANY_HEADER = re.compile(r"#[ \t]{0,40}size[ \t]{1,40}count[ \t]{1,40}type[ \t]", re.MULTILINE)
_LAUNCH = re.compile(r"#[ \t]{0,20}nThreads?:?[ \t]{1,4}(\d{1,9})[ \t]{1,20}nGpus:?[ \t]{1,4}(\d{1,9})(?=[ \t])")
_OPTION = re.compile(r"(?<!warmup )(?<!agg )\b(iters|graph):[ \t]{0,4}(\d{1,9})")
_RANK = re.compile(r"#[ \t]{1,20}Rank[ \t]{1,20}(\d{1,9})[ \t]{1,20}(?:Group[ \t]{1,20}(\d{1,9})[ \t]{1,20})?Pid")
_CYCLE = re.compile(r"#[ \t]{1,4}Testing \d{1,9} cycle")
_END = re.compile(r"#[ \t]{0,4}(?:Out of bounds|Avg bus|Collective test concluded)")
_ROW = re.compile(r"\d{1,30}(?:$|[ \t]{1,80}\d{1,30}(?:$|[ \t]))")

_UNITS = {"size": "(B)", "time": "(us)", "algbw": "(GB/s)", "busbw": "(GB/s)"}


@dataclass
class _Launch:
    """What the lines above a table say about the run."""

    collective: str | None = None
    devices: int | None = None
    iterations: int | None = None
    graph: bool | None = None
    groups: dict[int, int] = field(default_factory=dict)
    highest: int = -1

    def ranks(self) -> int | None:
        """Return the ranks of one communicator, if the lines of ranks tell it."""
        sizes = set(self.groups.values())
        if len(self.groups) == 1:
            return self.highest + 1
        return sizes.pop() if len(sizes) == 1 else None

    def take(self, line: str) -> None:
        """Learn from a line that belongs to no table."""
        if launched := _LAUNCH.match(line):
            self.devices = int(launched[2])
            options = {found[1]: int(found[2]) for found in _OPTION.finditer(line)}
            self.iterations = options.get("iters")
            self.graph = None if "graph" not in options else options["graph"] > 0
            self.groups, self.highest = {}, -1
        elif ranked := _RANK.match(line):
            if int(ranked[1]) == 0:
                self.groups, self.highest = {}, -1
            group = int(ranked[2] or 0)
            self.groups[group] = self.groups.get(group, 0) + 1
            self.highest = max(self.highest, int(ranked[1]))
        elif (named := program(line)) is not None:
            self.collective = named or None


@dataclass
class _Table:
    """One table: its columns by name, where the times out of place and in place begin, its rows, and the run."""

    number: int
    line: int
    names: list[str]
    #: Whether the times are in place, and their first column.
    groups: list[tuple[bool, int]]
    launch: _Launch
    rows: list[tuple[int, list[str]]] = field(default_factory=list)

    def check_units(self, line: int, words: list[str]) -> None:
        """Refuse units other than those that nccl-tests prints; the line below the names has them."""
        named = [name for name in self.names if name in _UNITS or name == "count" or name.startswith("i_")]
        for name, unit in zip(named, [word for word in words if word.startswith("(")], strict=False):
            if name in _UNITS and unit != _UNITS[name]:
                raise SpecError(f"line {line}: {name} is in {quote(shortened(unit, 40))}; read is {_UNITS[name]}")

    def add(self, at: int, words: list[str]) -> None:
        """Take a row, and refuse one that ended early or has more than its columns; a timestamp is two words."""
        fewest = len(self.names)
        if not fewest <= len(words) <= fewest + sum("stamp" in name for name in self.names):
            raise SpecError(
                f"line {at}: {len(words)} words where line {self.line} names {fewest} columns"
                + ("; the line ended early" if len(words) < fewest else "")
            )
        if len(self.rows) > MAX_POINTS:
            raise SpecError(f"line {at}: there are more than {MAX_POINTS} rows; split the file")
        self.rows.append((at, words))

    def points(self, facts: Facts) -> Iterator[Point]:
        """Go through the times of all rows."""
        if not self.rows:
            return
        where = f"table in line {self.line}"
        ranks = facts.settle_ranks(self.launch.ranks(), where)
        said = self.launch.collective
        if said is None and not (facts.collective and facts.binding):
            said = self.guess(ranks)
        collective = facts.settle_collective(said, where)
        for at, words in self.rows:
            yield from self.times(at, words, collective, ranks)

    def guess(self, ranks: int) -> str | None:
        """Tell a reduction by its root and by bus over algorithm bandwidth, where enough digits are printed."""
        rows = [dict(zip(self.names, words, strict=False)) for _, words in self.rows]
        if any(row["redop"] == "none" for row in rows):
            return None
        if any(row.get("root", "-1") != "-1" for row in rows):
            return "reduce"
        at, row = self.rows[-1][0], rows[-1]
        if "algbw" not in row or "busbw" not in row or ranks < 2:
            return None
        algbw, busbw = number(row["algbw"], "algbw", at), number(row["busbw"], "busbw", at)
        # digits that decide between factors of 2 and 1
        fits = [
            name
            for name in ("all_reduce", "reduce_scatter")
            if algbw >= 0.1 and abs(busbw / algbw / busbw_factor(name, ranks) - 1) < 0.2
        ]
        return fits[0] if len(fits) == 1 else None

    def times(self, at: int, words: list[str], collective: str, ranks: int) -> Iterator[Point]:
        """Return the times of a row, out of place and in place."""
        first = dict(zip(self.names, words[: self.groups[0][1]], strict=False))
        redop, root = first["redop"], first.get("root")
        if root is not None and not (root == "-1" or (root.isdigit() and len(root) < 10)):
            raise SpecError(f"line {at}: root is {quote(shortened(root, 60))}; it must be a rank, or -1")
        if (redop == "none") == BY_NAME[collective].reduces:
            raise SpecError(
                f"line {at}: redop is {quote(shortened(redop, 40))}, which does not go with {collective}; "
                "say which collective it is: collective="
            )
        ends = [start for _, start in self.groups[1:]] + [len(words)]
        for (in_place, start), end in zip(self.groups, ends, strict=True):
            group = dict(zip(self.names[start:end], words[start:end], strict=False))
            if group["time"] == "N/A":
                continue
            wrong = next((group[name] for name in ("#wrong", "error") if name in group), "N/A")
            yield Point(
                collective=collective,
                ranks=ranks,
                size_bytes=integer(words[0], "size", at),
                time_ns=number(group["time"], "time", at) * 1e3,
                line=at,
                table=self.number,
                in_place=in_place,
                rounding=rounding(group["time"]),
                iterations=self.launch.iterations,
                wrong=int(number(wrong, "wrong", at)) if wrong[:1].isdigit() else None,
                type=first["type"],
                redop=redop,
                root=None if root is None else int(root),
                devices_per_thread=self.launch.devices,
                graph=self.launch.graph,
            )


def is_nccl_log(text: str) -> bool:
    """Tell whether a text has a table of nccl-tests."""
    return _ANY_HEADER.search(text) is not None


def read_nccl_log(text: str, name: str, facts: Facts) -> Iterator[Point]:
    """Go through the points of a log.

    Parameters
    ----------
    text
        The log.
    name
        Name of the file, which may have that of the program.
    facts
        What the caller says.

    Raises
    ------
    SpecError
        If a row is not what the columns above it say.
    """
    tables = _tables(text, name)
    if not any(table.rows for table in tables):
        raise SpecError(f"line {tables[0].line}: the table has no row; the run may have ended before its first size")
    for table in tables:
        yield from table.points(facts)


def _tables(text: str, name: str) -> list[_Table]:
    """Find the tables of a log, each with what was said above it."""
    launch = _Launch(collective=program(name) or None)
    tables: list[_Table] = []
    table: _Table | None = None
    banner = ""
    for at, line in lines(text):
        if _HEADER.match(line):
            table = _begun(len(tables) + 1, at, line, banner, replace(launch))
            tables.append(table)
        elif table is not None and _ROW.match(line):
            table.add(at, line.split())
        elif table is not None and _CYCLE.match(line):
            table = replace(table, number=len(tables) + 1, rows=[])
            tables.append(table)
        elif table is not None and not table.rows and line.startswith("#") and "(" in line:
            table.check_units(at, line.split())
        elif line.startswith("#") and "-place" in line:
            banner, table = line, None
        elif table is None or _END.match(line) or line.startswith("#"):
            # a line of NCCL's own log between two rows ends no table
            table = None
            launch.take(line)
    return tables


def _begun(number: int, at: int, line: str, banner: str, launch: _Launch) -> _Table:
    """Return the table that a line of column names begins."""
    names = line.lstrip("# \t").split()
    if "time" not in names and "cputime" in names:
        raise SpecError(
            f"line {at}: cputime is what the host takes to launch (-C), not the time of the collective; "
            "measure without -C"
        )
    missing = [name for name in ("redop", "time") if name not in names]
    if missing:
        raise SpecError(
            f"line {at}: column {missing[0]} is missing among {shortened(' '.join(names), 200)}; "
            "a table has size, count, type, redop, time, algbw and busbw"
        )
    starts = [i for i, name in enumerate(names) if name == "time"]
    if len(starts) > 2:
        raise SpecError(f"line {at}: {len(starts)} columns of times; there are one or two, out of place and in place")
    alone = "in-place" in banner and "out-of-place" not in banner
    groups = [(alone if len(starts) == 1 else i == 1, start) for i, start in enumerate(starts)]
    return _Table(number, at, names, groups, launch)
