"""The result of one run."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.errors import NotRecordedError, SpecError
from supernode.files.folders import whole_folder
from supernode.files.text import as_path
from supernode.files.write import MARK, check_folder, check_format, write_bytes, write_table
from supernode.names import canonical
from supernode.quoting import quote
from supernode.result.explanation import Explanation, explain_plan
from supernode.result.html import result_html
from supernode.result.saved import check_summary, is_folded, read_meta
from supernode.result.tables import FILES, KeptTables, RunTables, Tables, read_table
from supernode.result.verbs import Verbs
from supernode.run.noeffect import merge
from supernode.run.options import RECORDS
from supernode.run.plan import Plan

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


__all__ = ["Result"]


#: What is a fact about how the run went, not about what it found.
_OF_THE_RUN = ("wall_s", "windows", "threads", "state_bytes", "skipping", "self_check", "versions")


class Result(Verbs):
    """What one simulation found.

    Times are in nanoseconds, bandwidths in GB/s (10^9 bytes per second), as the names say. Tables are
    ``pyarrow.Table``; those of ``record=[...]`` exist only if they were asked for.

    Results can be pickled, copied, and loaded from what :meth:`save` wrote. Two are equal if they are of the same
    configuration and found the same, whatever threads and wall-clock time they took.
    """

    def __init__(self, meta: Mapping[str, Any], tables: Tables, plan: Plan | None = None) -> None:
        self._meta = dict(meta)
        self._source = tables
        self._plan = plan

    @classmethod
    def from_run(cls, run: core.Run, plan: Plan, wall_s: float, self_check: Mapping[str, Any] | None = None) -> Result:
        """Return the result of a run of the core."""
        overrides = dict(plan.system.overrides)
        found: dict[str, Any] = msgspec.json.decode(run.meta_json)
        idle = plan.idle_if_analytic if found["fidelity"] == "analytic" else ()
        meta = {
            "kind": "result",
            "system": plan.system.label,
            "collective": plan.spec.collective,
            "n_ranks": plan.ranks,
            **found,
            "time_fs": run.time_fs,
            "warnings": merge((*plan.warnings, *idle), list(found["warnings"])),
            "overrides": overrides,
            "seed": plan.spec.seed,
            "versions": core.versions(),
            "wall_s": wall_s,
            "self_check": self_check,
        }
        labels = {"system": plan.system.label, "overrides": msgspec.json.encode(overrides).decode()}
        # plain data, as a file has it, so that what is loaded is equal
        return cls(msgspec.json.decode(msgspec.json.encode(meta)), RunTables(run, labels), plan)

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Load a result that :meth:`save` wrote.

        Parameters
        ----------
        folder
            The folder.

        Raises
        ------
        SpecError
            If there is none, it is not complete, or it is of a :class:`~supernode.Bench`.
        """
        place, meta = read_meta(folder, "result")
        found = {name: read_table(place, name) for name in ("summary", *RECORDS)}
        tables = {name: table for name, table in found.items() if table is not None}
        if "summary" not in tables:
            raise SpecError(f"{place}: summary is missing; this is no folder of a result")
        check_summary(place, tables["summary"])
        return cls(meta, KeptTables(tables, folded=is_folded(meta)))

    @property
    def wall_s(self) -> float:
        """Seconds of wall-clock time that the run took."""
        return float(self._meta["wall_s"])

    @property
    def self_check(self) -> dict[str, Any] | None:
        """What ``self_check=True`` compared.

        ``ranks``, ``levels``, ``size_bytes`` and ``packet_hops`` of the small case, whether it was ``folded`` and
        ``skipped``, and the tables ``compared``, which were equal. ``None`` if it was not asked for or had no effect.
        """
        found: dict[str, Any] | None = self._meta["self_check"]
        return found

    @property
    def time_fs(self) -> int:
        """Simulated time of the collective, in femtoseconds."""
        return int(self._meta["time_fs"])

    @property
    def time_ns(self) -> float:
        """Simulated time of the collective, in nanoseconds."""
        return self.time_fs / 1e6

    @property
    def size_bytes(self) -> int:
        """Size as in nccl-tests' size column, rounded as nccl-tests does."""
        return int(self._row["size_bytes"])

    @property
    def collective(self) -> str:
        """Canonical name of the collective."""
        return str(self._meta["collective"])

    @property
    def system(self) -> str:
        """Name of the system, with its number of units and overrides."""
        return str(self._meta["system"])

    @property
    def n_ranks(self) -> int:
        """Number of ranks that took part."""
        return int(self._meta["n_ranks"])

    @property
    def algbw_gbytes_s(self) -> float:
        """Algorithm bandwidth, size over time, in GB/s."""
        return float(self._row["algbw_gbytes_s"])

    @property
    def busbw_gbytes_s(self) -> float:
        """Bus bandwidth as nccl-tests defines it, in GB/s."""
        return float(self._row["busbw_gbytes_s"])

    @property
    def algorithm(self) -> str:
        """Algorithm that ran."""
        return str(self._meta["algorithm"])

    @property
    def protocol(self) -> str:
        """Protocol of the stack that ran."""
        return str(self._meta["protocol"])

    @property
    def fidelity(self) -> str:
        """Fidelity that ran: packet, flow or analytic."""
        return str(self._meta["fidelity"])

    @property
    def chosen_by(self) -> str:
        """How algorithm, protocol and lanes were chosen: by a price from ``packet``, ``flow`` or ``analytic``.

        ``"no choice"`` if all of them were given.
        """
        return str(self._meta["chosen_by"])

    @property
    def bound(self) -> float:
        """Time below which no schedule can finish on this fabric, in nanoseconds."""
        return int(self._meta["bound_fs"]) / 1e6

    @property
    def bound_kind(self) -> str:
        """What the bound comes from: ``injection``, ``bisection`` (any cut), ``latency`` or ``memory``."""
        return str(self._meta["bound_kind"])

    @property
    def efficiency(self) -> float:
        """Bound over time: 1 is the best possible."""
        return int(self._meta["bound_fs"]) / self.time_fs if self.time_fs else 1.0

    @property
    def bottleneck(self) -> str:
        """What the time is spent on."""
        return str(self._meta["bottleneck"])

    @property
    def folding(self) -> dict[str, Any]:
        """What was folded.

        ``applied``, ``order`` (how many ranks each simulated one stands for), ``classes`` (ranks that were simulated),
        ``digits`` of the rank that are shifted (stride and size of each) and the ``reason`` why nothing, or not more,
        was folded.
        """
        folding: dict[str, Any] = self._meta["folding"]
        return folding

    @property
    def effective(self) -> dict[str, Any]:
        """The configuration that ran, every default filled in, in base units."""
        effective: dict[str, Any] = self._meta["effective"]
        return effective

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
    def meta(self) -> dict[str, Any]:
        """Everything but the tables, as plain data."""
        return dict(self._meta)

    @property
    def summary(self) -> pa.Table:
        """One row: the collective, its size, time, bandwidths, bound and bottleneck."""
        return self.table("summary")

    @property
    def ranks(self) -> pa.Table:
        """One row a rank, or a class of ranks if the run was folded."""
        return self.table("ranks")

    @property
    def levels(self) -> pa.Table:
        """One row a network, level and direction: sums over the links in use there, of the whole machine."""
        return self.table("levels")

    @property
    def links(self) -> pa.Table:
        """One row a directed link, or a class of links if the run was folded."""
        return self.table("links")

    @property
    def switches(self) -> pa.Table:
        """One row a switch, or a class of switches if the run was folded."""
        return self.table("switches")

    @property
    def flows(self) -> pa.Table:
        """One row a message, or a class of messages if the run was folded."""
        return self.table("flows")

    def tables(self) -> list[str]:
        """List the names of the tables that exist."""
        return self._source.names()

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

    def explain(self) -> Explanation:
        """Compare every algorithm and protocol for this run.

        Raises
        ------
        NotRecordedError
            If the result was loaded: a folder does not have the system.
        """
        if self._plan is None:
            raise NotRecordedError("a result that was loaded cannot be explained; use sn.explain() with its system")
        return explain_plan(self._plan)

    @cached_property
    def _row(self) -> dict[str, Any]:
        row: dict[str, Any] = self.summary.to_pylist()[0]
        return row

    @property
    def row(self) -> dict[str, Any]:
        """The one row of the summary, by column."""
        return dict(self._row)

    def _found(self) -> dict[str, Any]:
        """Return the configuration and what was found, less what is about the run only."""
        found = {key: value for key, value in self._meta.items() if key not in _OF_THE_RUN}
        return {**found, "effective": {k: v for k, v in self.effective.items() if k != "threads"}}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return (
            self._found() == other._found()
            and self.tables() == other.tables()
            and all(self.table(name).equals(other.table(name)) for name in self.tables())
        )

    def __hash__(self) -> int:
        return hash((self.time_fs, self.system, self.collective, self.n_ranks))

    def __copy__(self) -> Result:
        return Result(self._meta, self._source, self._plan)

    def __deepcopy__(self, memo: dict[int, Any]) -> Result:
        # tables and plans do not change
        return Result(deepcopy(self._meta, memo), self._source, self._plan)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {name: self.table(name) for name in self.tables()}
        # a function that shows progress belongs to the process that ran
        plan = None if self._plan is None else replace(self._plan, progress=None)
        return Result, (self._meta, KeptTables(kept, folded=is_folded(self._meta)), plan)

    def __repr__(self) -> str:
        return (
            f"Result({self.collective} of {self.size_bytes} B on {self.system}: {self.time_ns:.3f} ns, "
            f"busbw {self.busbw_gbytes_s:.3f} GB/s, {self.algorithm}/{self.protocol}, {self.fidelity}, "
            f"bound {self.bound:.3f} ns, bottleneck {self.bottleneck})"
        )

    def _repr_html_(self) -> str:
        return result_html(self)
