"""What the results of workloads and of explicit schedules have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from supernode.errors import NotRecordedError
from supernode.files.folders import whole_folder
from supernode.files.text import as_path
from supernode.files.write import MARK, check_folder, check_format, write_bytes, write_table
from supernode.names import canonical
from supernode.quoting import quote
from supernode.result.saved import is_folded
from supernode.result.tables import FILES, KeptTables, Tables
from supernode.run.options import RECORDS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["ProgramResult", "time_text"]


class ProgramResult:
    """Times, tables and what was said about a run of many operations."""

    def __init__(self, meta: Mapping[str, Any], tables: Tables) -> None:
        self._meta = dict(meta)
        self._source = tables

    @classmethod
    def _restored(cls, meta: dict[str, Any], tables: dict[str, pa.Table], folded: bool) -> Self:
        """Return one that was pickled."""
        return cls(meta, KeptTables(tables, folded=folded))

    @property
    def time_fs(self) -> int:
        """Simulated time until the last rank has finished, in femtoseconds."""
        return int(self._meta["time_fs"])

    @property
    def time_ns(self) -> float:
        """Simulated time until the last rank has finished, in nanoseconds."""
        return self.time_fs / 1e6

    @property
    def system(self) -> str:
        """Name of the system, with its number of units and overrides."""
        return str(self._meta["system"])

    @property
    def n_ranks(self) -> int:
        """Ranks of all jobs."""
        return int(self._meta["n_ranks"])

    @property
    def fidelity(self) -> str:
        """Fidelity that ran: packet or flow."""
        return str(self._meta["fidelity"])

    @property
    def bound(self) -> float:
        """Time that the run cannot beat, in nanoseconds."""
        return int(self._meta["bound_fs"]) / 1e6

    @property
    def efficiency(self) -> float:
        """Bound over time."""
        return int(self._meta["bound_fs"]) / self.time_fs if self.time_fs else 1.0

    @property
    def bottleneck(self) -> str:
        """What was busy for the largest part of the time."""
        return str(self._meta["bottleneck"])

    @property
    def folding(self) -> dict[str, Any]:
        """What was folded: ``applied``, ``order``, ``classes`` and the ``reason`` why nothing, or not more, was."""
        folding: dict[str, Any] = self._meta["folding"]
        return folding

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return int(self._meta["seed"])

    @property
    def wall_s(self) -> float:
        """Seconds of wall-clock time that the run took."""
        return float(self._meta["wall_s"])

    @property
    def warnings(self) -> list[str]:
        """Assumed values, decisions of builders, and options that had no effect."""
        return list(self._meta["warnings"])

    @property
    def meta(self) -> dict[str, Any]:
        """Everything but the tables, as plain data."""
        return dict(self._meta)

    @property
    def summary(self) -> pa.Table:
        """One row: time, bound and bottleneck."""
        return self.table("summary")

    @property
    def levels(self) -> pa.Table:
        """One row per network, level and direction: sums over the links in use there."""
        return self.table("levels")

    def tables(self) -> list[str]:
        """List the names of the tables that exist."""
        return self._source.names()

    def table(self, name: str) -> pa.Table:
        """Return a table.

        Raises
        ------
        NotRecordedError
            If the run did not record it.
        """
        return self._source.table(self._check(name))

    def expand(self, name: str) -> pa.Table:
        """Return a table with a row for each rank, link, switch or message, whether the run was folded or not."""
        return self._source.expand(self._check(name))

    def to_polars(self, name: str = "operations") -> pl.DataFrame:
        """Return a table as a Polars frame, without copying."""
        import polars as pl

        return pl.DataFrame(self.table(name))

    def save(self, folder: str | Path, format: str = "parquet") -> list[Path]:
        """Write every table and ``meta.json``; :meth:`load` reads them.

        Parameters
        ----------
        folder
            Made if it does not exist. Results that it holds are replaced, other files stay.
        format
            ``"parquet"`` or ``"arrow"`` (IPC).

        Returns
        -------
        list of Path
            The files.
        """
        check_format(format)
        target = as_path(folder, "output")
        check_folder(target)
        with whole_folder(target, FILES) as stage:
            for name in self.tables():
                write_table(stage / f"{name}.{format}", self.table(name))
            write_bytes(stage / MARK, msgspec.json.format(msgspec.json.encode(self.meta), indent=2) + b"\n")
        return [target / name for name in (*(f"{name}.{format}" for name in self.tables()), MARK)]

    def _check(self, name: str) -> str:
        """Return the full name of a table that exists."""
        found = canonical("table", name, ("summary", *RECORDS))
        if found not in self.tables():
            raise NotRecordedError(
                f"table {quote(found)} is not there: it was not recorded; run again with record=[{quote(found)}]"
            )
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        own = ("wall_s", "windows", "threads", "state_bytes", "skipping", "versions")
        alike = all(self._meta.get(key) == other._meta.get(key) for key in {*self._meta, *other._meta} - {*own})
        return (
            alike
            and self.tables() == other.tables()
            and all(self.table(name).equals(other.table(name)) for name in self.tables())
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        tables = {name: self.table(name) for name in self.tables()}
        return type(self)._restored, (self._meta, tables, is_folded(self._meta))


def time_text(nanoseconds: float) -> str:
    """Word a time in the unit that fits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.4g} {unit}"
    return f"{nanoseconds:.4g} ns"
