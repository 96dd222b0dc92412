"""What results of all kinds of runs have in common: facts, tables, folders, copies.

**Invariant.** Two results are equal if they are of the same configuration and found the same, whatever threads and
wall-clock time they took. **Cost.** A table is made when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from supernode import core
from supernode.errors import NotRecordedError, SpecError
from supernode.files.folders import whole_folder
from supernode.files.text import as_path
from supernode.files.write import MARK, check_folder, check_format, write_bytes, write_table
from supernode.names import canonical
from supernode.quoting import quote
from supernode.result.saved import is_folded
from supernode.result.tables import FILES, KeptTables, RunTables, Tables, read_table
from supernode.run.noeffect import merge
from supernode.run.options import RECORDS
from supernode.system import System

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["RunResult", "time_text"]

#: What is a fact about how the run went, not about what it found.
#: What is expected of its error changes with the measurements that a version knows.
_OF_THE_RUN = (
    *("wall_s", "windows", "threads", "state_bytes", "skipping", "self_check", "versions"),
    "expected_error",
)


class RunResult:
    """What one run found.

    Parameters
    ----------
    meta
        Everything but the tables, as plain data.
    tables
        The tables.
    """

    #: Tables that every result of the kind has.
    _always: ClassVar[tuple[str, ...]] = ("summary",)

    def __init__(self, meta: Mapping[str, Any], tables: Tables) -> None:
        self._meta = dict(meta)
        self._source = tables

    @staticmethod
    def _gather(
        run: core.Run | core.ProgramRun | core.ScheduleRun,
        system: System,
        warnings: tuple[str, ...],
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> tuple[dict[str, Any], RunTables]:
        """Return facts and tables of a run of the core.

        Parameters
        ----------
        run
            The run.
        system
            The machine.
        warnings
            What is said before the warnings of the core.
        before, after
            Facts that stand before and after those of the core.
        """
        found: dict[str, Any] = msgspec.json.decode(run.meta_json)
        overrides = dict(system.overrides)
        meta = {
            **before,
            **found,
            "time_fs": run.time_fs,
            "warnings": merge(warnings, list(found["warnings"])),
            "overrides": overrides,
            "versions": core.versions(),
            **after,
        }
        labels = {"system": system.label, "overrides": msgspec.json.encode(overrides).decode()}
        # plain data, as a file has it, so that what is loaded is equal
        return msgspec.json.decode(msgspec.json.encode(meta)), RunTables(run, labels)

    @classmethod
    def _load(
        cls,
        place: Path,
        meta: Mapping[str, Any],
        what: str,
        check: Callable[[Path, pa.Table], None] | None = None,
    ) -> Self:
        """Return the result that a folder holds."""
        found = {name: read_table(place, name) for name in ("summary", *RECORDS)}
        tables = {name: table for name, table in found.items() if table is not None}
        for name in cls._always:
            if name not in tables:
                raise SpecError(f"{place}: {name} is missing; this is no folder of {what}")
        if check is not None:
            check(place, tables["summary"])
        return cls(meta, KeptTables(tables, folded=is_folded(meta)))

    @property
    def time_fs(self) -> int:
        """Simulated time until the last rank has finished, in femtoseconds."""
        return int(self._meta["time_fs"])

    @property
    def time_ns(self) -> float:
        """Simulated time until the last rank has finished, in nanoseconds."""
        return self.time_fs / 1e6

    @property
    def bound(self) -> float:
        """Time below which no schedule can finish on this fabric, in nanoseconds."""
        return int(self._meta["bound_fs"]) / 1e6

    @property
    def bound_kind(self) -> str:
        """What the bound comes from."""
        return str(self._meta["bound_kind"])

    @property
    def efficiency(self) -> float:
        """Bound over time: 1 is the best possible."""
        return int(self._meta["bound_fs"]) / self.time_fs if self.time_fs else 1.0

    @property
    def folding(self) -> dict[str, Any]:
        """What was folded: ``applied``, ``order``, ``classes`` and the ``reason`` why nothing, or not more, was."""
        folding: dict[str, Any] = self._meta["folding"]
        return folding

    @property
    def system(self) -> str:
        """Name of the system, with its number of units and overrides."""
        return str(self._meta["system"])

    @property
    def n_ranks(self) -> int:
        """Number of ranks that took part."""
        return int(self._meta["n_ranks"])

    @property
    def fidelity(self) -> str:
        """Fidelity that ran: packet, flow or analytic."""
        return str(self._meta["fidelity"])

    @property
    def bottleneck(self) -> str:
        """What the time is spent on."""
        return str(self._meta["bottleneck"])

    @property
    def overrides(self) -> Mapping[str, Any]:
        """Parameters of the preset that were replaced."""
        overrides: dict[str, Any] = self._meta["overrides"]
        return overrides

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return int(self._meta["seed"])

    @property
    def skipping(self) -> dict[str, Any]:
        """What was jumped over because the state repeated: a fact about the run, on which no table depends.

        ``jumps``, ``periods`` jumped over, simulated ``time_ns`` and ``packet_hops`` in them, and ``reason``: why there
        was no jump, or ``None``.
        """
        found = dict(self._meta["skipping"])
        return {"jumps": found["jumps"], "periods": found["periods"], "time_ns": found["time_fs"] / 1e6,
                "packet_hops": found["packet_hops"], "reason": found["reason"]}  # fmt: skip

    @property
    def versions(self) -> dict[str, str]:
        """Versions of supernode and of what it was built with."""
        versions: dict[str, str] = self._meta["versions"]
        return versions

    @property
    def warnings(self) -> list[str]:
        """Assumed values, decisions of builders, and options that had no effect."""
        return list(self._meta["warnings"])

    @property
    def wall_s(self) -> float:
        """Seconds of wall-clock time that the run took."""
        return float(self._meta["wall_s"])

    @property
    def meta(self) -> dict[str, Any]:
        """Everything but the tables, as plain data."""
        return dict(self._meta)

    @property
    def summary(self) -> pa.Table:
        """One row: time, bound and bottleneck."""
        return self.table("summary")

    @property
    def ranks(self) -> pa.Table:
        """One row per rank, or a class of ranks if the run was folded."""
        return self.table("ranks")

    @property
    def levels(self) -> pa.Table:
        """One row per network, level and direction: sums over the links in use there, of the whole machine."""
        return self.table("levels")

    @property
    def links(self) -> pa.Table:
        """One row per directed link, or a class of links if the run was folded."""
        return self.table("links")

    @property
    def switches(self) -> pa.Table:
        """One row per switch, or a class of switches if the run was folded."""
        return self.table("switches")

    @property
    def flows(self) -> pa.Table:
        """One row per message, or a class of messages if the run was folded."""
        return self.table("flows")

    def tables(self) -> list[str]:
        """List the names of the tables that exist."""
        return self._source.names()

    def table(self, name: str) -> pa.Table:
        """Return a table.

        Raises
        ------
        NotRecordedError
            If the run did not record it.
        MemoryLimitError
            If it would take more than the run's ``memory_limit``, or else 80 % of the memory that is free now.
        """
        return self._source.table(self._check(name))

    def expand(self, name: str) -> pa.Table:
        """Return a table with one row for each rank, link, switch or message, whether the run was folded or not.

        The rows are those of the run in full, bit for bit. Made anew at each call: a million ranks have some ten
        million links, and 10^12 messages in an all-to-all.

        Parameters
        ----------
        name
            Any of ``"ranks"``, ``"links"``, ``"switches"``, ``"flows"``; ``"levels"`` are sums, and stay as they are.

        Raises
        ------
        NotRecordedError
            If the run did not record it, or the result was loaded and its rows stand for classes.
        MemoryLimitError
            If it would take more than the run's ``memory_limit``, or else 80 % of the memory that is free now.
        """
        return self._source.expand(self._check(name))

    def _check(self, name: str) -> str:
        """Return the full name of a table that exists."""
        found = canonical("table", name, ("summary", *RECORDS))
        if found not in self.tables():
            why = "analytic fidelity has no such table" if self.fidelity == "analytic" else "it was not recorded"
            raise NotRecordedError(
                f"table {quote(found)} is not there: {why}; run again with record=[{quote(found)}]"
                + (" and fidelity='packet' or 'flow'" if self.fidelity == "analytic" else "")
            )
        return found

    def to_polars(self, name: str = "summary") -> pl.DataFrame:
        """Return a table as a Polars frame, without copying."""
        import polars as pl

        return pl.DataFrame(self.table(name))

    def save(self, folder: str | Path, format: str = "parquet") -> list[Path]:
        """Write every table and ``meta.json``.

        The folder has the old files or the new ones, whole, whenever the program ends; :meth:`load` reads it.

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

        Raises
        ------
        SpecError
            If the folder is none, or the format is unknown.
        OutputError
            If it cannot be written: a full disk, for one.
        """
        check_format(format)
        target = as_path(folder, "output")
        check_folder(target)
        names = [f"{name}.{format}" for name in self.tables()]
        with whole_folder(target, FILES) as stage:
            for name in self.tables():
                write_table(stage / f"{name}.{format}", self.table(name))
            write_bytes(stage / MARK, msgspec.json.format(msgspec.json.encode(self.meta), indent=2) + b"\n")
        return [target / name for name in (*names, MARK)]

    def _found(self) -> dict[str, Any]:
        """Return the configuration and what was found, less what is about the run only."""
        return {key: value for key, value in self._meta.items() if key not in _OF_THE_RUN}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return (
            self._found() == other._found()
            and self.tables() == other.tables()
            and all(self.table(name).equals(other.table(name)) for name in self.tables())
        )

    def __hash__(self) -> int:
        return hash((self.time_fs, self.system, self.n_ranks))

    def _more(self) -> tuple[Any, ...]:
        """Return what a copy is made of besides facts and tables."""
        return ()

    def __copy__(self) -> Self:
        return type(self)(self._meta, self._source, *self._more())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # tables and plans do not change
        return type(self)(deepcopy(self._meta, memo), self._source, *self._more())

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {name: self.table(name) for name in self.tables()}
        return type(self), (self._meta, KeptTables(kept, folded=is_folded(self._meta)))


def time_text(nanoseconds: float) -> str:
    """Word a time in the unit that fits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.4g} {unit}"
    return f"{nanoseconds:.4g} ns"
