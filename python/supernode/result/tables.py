"""Where the tables of a result come from: a run of the core, or tables that were kept of one.

A run makes a table when it is asked for, and can write out the rows that folding saved. Kept tables are those that a
file or a pickle holds.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from supernode import core
from supernode.errors import NotRecordedError, SizeOverflowError, SpecError, SupernodeError
from supernode.files.text import is_there, size_of
from supernode.files.write import TABLE_FORMATS
from supernode.run.options import RECORDS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

__all__ = ["FILES", "KeptTables", "RunTables", "Tables", "read_table"]

#: Names of the files that a folder of results may have.
FILES = frozenset(
    [f"{name}.{extension}" for name in ("bench", "summary", *RECORDS) for extension in TABLE_FORMATS]
    + ["nccl_tests.json", "meta.json"]
)


class Tables(Protocol):
    """Tables by name."""

    def names(self) -> list[str]:
        """List the tables that exist."""
        ...

    def table(self, name: str) -> pa.Table:
        """Return one of them; rows stand for classes if the run was folded."""
        ...

    def expand(self, name: str) -> pa.Table:
        """Return one of them with a row for each member of a class."""
        ...


class RunTables:
    """The tables of a run of the core; each is made once, expanded ones anew each time.

    Parameters
    ----------
    run
        The run.
    labels
        Metadata that goes with each table into files.
    """

    def __init__(self, run: core.Run | core.ProgramRun | core.ScheduleRun, labels: Mapping[str, str]) -> None:
        self._run = run
        self._labels = labels
        self._made: dict[str, pa.Table] = {}

    def names(self) -> list[str]:
        """List the tables that exist."""
        return list(self._run.tables())

    def table(self, name: str) -> pa.Table:
        """Return one of them."""
        if name not in self._made:
            self._made[name] = self._labelled(self._run.table(name))
        return self._made[name]

    def expand(self, name: str) -> pa.Table:
        """Return one of them with a row for each member of a class."""
        return self._labelled(self._run.table(name, expand=True))

    def _labelled(self, table: pa.Table) -> pa.Table:
        return table.replace_schema_metadata({**(table.schema.metadata or {}), **self._labels})


class KeptTables:
    """Tables that were kept of a run.

    Parameters
    ----------
    tables
        By name.
    folded
        Whether their rows stand for classes.
    """

    def __init__(self, tables: Mapping[str, pa.Table], *, folded: bool) -> None:
        self._tables = dict(tables)
        self._folded = folded

    def names(self) -> list[str]:
        """List the tables that exist."""
        return list(self._tables)

    def table(self, name: str) -> pa.Table:
        """Return one of them."""
        return self._tables[name]

    def expand(self, name: str) -> pa.Table:
        """Return one of them, if its rows do not stand for classes."""
        if self._folded and name not in ("summary", "levels", "operations", "iterations"):
            raise NotRecordedError(
                f"table {name!r} cannot be expanded: this result was loaded, and its rows stand for classes; "
                "run again, or with fold=False before saving"
            )
        return self._tables[name]


def read_table(folder: Path, name: str) -> pa.Table | None:
    """Return a table of a folder of results in the format that it has there; ``None`` if there is none.

    Raises
    ------
    SpecError
        If the file is not valid, or no regular file.
    SizeOverflowError
        If it is small and says that it becomes larger than the machine's memory.
    """
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    for extension in TABLE_FORMATS:
        path = folder / f"{name}.{extension}"
        if not is_there(path):
            continue
        size_of(path, "table")
        try:
            # both read the whole file into memory, so that the folder can be replaced later
            if extension == "parquet":
                _check_fits(pyarrow.parquet.ParquetFile(path), path)
                return pyarrow.parquet.read_table(path)
            return pyarrow.feather.read_table(str(path), memory_map=False)
        except SupernodeError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SpecError(f"{path.name} in {folder} cannot be read as a table: {error}") from None
    return None


def _check_fits(file: pq.ParquetFile, path: Path) -> None:
    """Refuse a Parquet file whose rows would not fit into memory: equal values take no place in it.

    Texts count as four bytes each, however long they are.
    """
    rows, width = file.metadata.num_rows, sum(_bits(field.type) for field in file.schema_arrow) // 8
    most = _memory()
    if rows * width > most:
        raise SizeOverflowError(
            f"{path.name}: {rows} rows of {width} bytes are too many; this process can have {most} bytes of memory"
        )


def _bits(kind: pa.DataType) -> int:
    """Return the bits that a value takes, for texts and lists those of their place."""
    try:
        return int(kind.bit_width)
    except ValueError:
        return 32


def _memory() -> int:
    """Return the bytes of memory that this process can have at most."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return machine if limit == resource.RLIM_INFINITY else min(machine, limit)
