"""Words of benchmarks: numbers as they print them, names of their programs, and what launchers put before a line.

Every pattern is linear in the line, and longer lines than :data:`LONGEST` are no lines of a table.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from supernode.errors import SpecError
from supernode.library.collectives import BY_NAME
from supernode.quoting import quote, shortened

__all__ = ["LONGEST", "MAX_LINES", "integer", "lines", "number", "program", "rounding"]

#: Characters of a line beyond which it is left out.
LONGEST = 8192

#: Lines of a log that are gone through: some seconds.
MAX_LINES = 2**21

_NUMBER = re.compile(r"\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,3})?")

#: What is put before a line: Open MPI's tag, Slurm's task, the time of a container's log.
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ][\d:.,]{5,20}(?:Z|[+-]\d\d:?\d\d)?[ \t]{1,4})?"
    r"(?:\[[^\]\s]{1,100}\]<std(?:out|err|diag)>:?|[ ]{0,6}\d{1,6}:(?=[ \t#]))?"
)

#: Programs of nccl-tests end in _perf, those of OSU begin with osu_.
_PROGRAM = re.compile(r"(?<![A-Za-z])([a-z_]{3,20}?)_perf(?![a-z])|(?<![A-Za-z])osu_(?:xccl_|nccl_)?([a-z_]{3,20})")
#: Collectives by what is between, without underscores.
_NAMES = {name.replace("_", ""): name for name in BY_NAME} | {"bcast": "broadcast"}


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Go through the lines of a log with their numbers, without what launchers put before them."""
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        if number > MAX_LINES:
            raise SpecError(f"line {number}: there are more than {MAX_LINES} lines; cut the tables out of the log")
        if len(line) <= LONGEST:
            found = _PREFIX.match(line)
            yield number, line[found.end() if found else 0 :].strip()


def number(word: str, what: str, line: int) -> float:
    """Return a word as a number that is not negative."""
    if word.isascii() and _NUMBER.fullmatch(word):
        return float(word)
    raise SpecError(f"line {line}: {what} is {quote(shortened(word, 60))}; it must be a number that is not negative")


def integer(word: str, what: str, line: int) -> int:
    """Return a word as a whole number that is not negative."""
    if word.isascii() and word.isdigit() and len(word) <= 20:
        return int(word)
    raise SpecError(f"line {line}: {what} is {quote(shortened(word, 60))}; it must be a whole number")


def rounding(word: str) -> float | None:
    """Return half a unit of the last digit of a printed number over the number; ``None`` of 0."""
    mantissa, _, exponent = word.lower().partition("e")
    value = float(word)
    digits = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - digits) / value if value else None


def program(line: str) -> str | None:
    """Return the collective of the last program of a benchmark that a line names; empty if it is of none known."""
    found = None
    if "_perf" not in line and "osu_" not in line:
        return None
    for match in _PROGRAM.finditer(line):
        found = _NAMES.get((match[1] or match[2]).strip("_").replace("_", ""), "")
    return found
