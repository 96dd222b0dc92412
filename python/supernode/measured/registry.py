"""The formats of measured results, how one is told from another, and the one function that reads them.

A format is told by its content, never by the name of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from supernode.errors import SpecError
from supernode.files.text import as_path, naming, read_text
from supernode.library.collectives import parse_name
from supernode.measured.columns import is_columns, read_columns
from supernode.measured.nccl_json import is_json, read_nccl_json
from supernode.measured.nccl_log import is_nccl_log, read_nccl_log
from supernode.measured.osu import is_osu, read_osu
from supernode.measured.point import Facts, Point, finished, to_table
from supernode.names import canonical
from supernode.quoting import quote
from supernode.values import parse_whole

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "Format", "read_measurements", "read_tables"]


@dataclass(frozen=True)
class Format:
    """A format of measured results.

    Parameters
    ----------
    title
        What a file of it is, with its article.
    tells
        Whether a text is of it.
    read
        Its reader: text, name of the file, and what the caller says.
    """

    title: str
    tells: Callable[[str], bool]
    read: Callable[[str, str, Facts], Iterator[Point]]


#: Formats by name, in the order in which they are tried.
FORMATS: dict[str, Format] = {
    "nccl-tests": Format("a log of nccl-tests or rccl-tests", is_nccl_log, read_nccl_log),
    "nccl-tests-json": Format("a -J file of nccl-tests", is_json, read_nccl_json),
    "osu": Format("an output of the OSU micro-benchmarks", is_osu, read_osu),
    "csv": Format("a CSV file with columns such as collective, ranks, bytes, time_us", is_columns, read_columns),
}


def read_measurements(
    paths: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    collective: str | None = None,
    ranks: int | None = None,
    format: str | None = None,
) -> pa.Table:
    """Read measured results: logs and JSON of nccl-tests and rccl-tests, outputs of OSU, CSV files.

    Parameters
    ----------
    paths
        A file, or several.
    collective
        Collective of files that do not say it. One that says another is refused.
    ranks
        Ranks of files that do not say them. One that says others is refused.
    format
        A name in :data:`supernode.measured.registry.FORMATS`; by default each file's content tells it.

    Returns
    -------
    pyarrow.Table
        One row a measured time, columns :func:`supernode.measured.schema`: bytes, nanoseconds, GB/s of 10^9 bytes. Rows
        are in the order of the files and their lines. The text formats give two rows a line, out of place and in place.

    Raises
    ------
    SpecError
        If a file cannot be read, holds no table, or a line of it is not valid; the message names file and line, and
        what would be valid.
    SizeOverflowError
        If a file has more than 256 MiB.

    Examples
    --------
    >>> import supernode as sn
    >>> table = sn.read_measurements("all_reduce.log")  # doctest: +SKIP
    >>> table = sn.read_measurements(["osu-8.txt"], ranks=8)  # doctest: +SKIP
    """
    name = None if collective is None else parse_name(collective)
    count = None if ranks is None else parse_whole(ranks, "ranks", low=1)
    return read_tables(paths, Facts(name, count), format)


def read_tables(
    paths: str | PathLike[str] | Iterable[str | PathLike[str]], facts: Facts, format: str | None = None
) -> pa.Table:
    """Read files with what is known of them; see :func:`read_measurements`."""
    chosen = None if format is None else canonical("format", format, tuple(FORMATS))
    places = _places(paths)
    return to_table(_read(place, facts, chosen) for place in places)


def _places(paths: str | PathLike[str] | Iterable[str | PathLike[str]]) -> list[Path]:
    if isinstance(paths, str | PathLike):
        return [as_path(paths, "measurements file")]
    try:
        listed = list(paths)
    except TypeError:
        raise SpecError(f"measurements file {quote(paths)} is not the path of a file, nor a list of paths") from None
    found = [as_path(path, "measurements file") for path in listed]
    if not found:
        raise SpecError("measurements files: the list is empty; give at least one path")
    seen: set[Path] = set()
    for path in found:
        if path in seen:
            raise SpecError(f"measurements files: {quote(str(path))} is given twice")
        seen.add(path)
    return found


def _read(place: Path, facts: Facts, format: str | None) -> tuple[str, str, list[Point]]:
    text = read_text(place, "measurements file")
    with naming(place.name):
        known = format or _detect(text)
        points = list(finished(FORMATS[known].read(text, place.name, facts)))
        if not points:
            raise SpecError("all of its rows are of 0 bytes")
    return str(place), known, points


def _detect(text: str) -> str:
    for name, each in FORMATS.items():
        if each.tells(text):
            return name
    raise SpecError(f"no table of measurements was found; read are {'; '.join(f.title for f in FORMATS.values())}")
