"""The result of a run of an explicit schedule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.result.program import ProgramResult, time_text
from supernode.result.saved import is_folded, read_program_meta
from supernode.result.tables import KeptTables, RunTables, read_table
from supernode.run.explicit import SchedulePlan
from supernode.run.noeffect import merge
from supernode.run.options import RECORDS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ScheduleResult", "schedule_text"]


class ScheduleResult(ProgramResult):
    """What a run of an explicit schedule found.

    Times are in nanoseconds. Tables are ``pyarrow.Table``: ``summary`` and ``operations`` are always there, others if
    ``record=[...]`` asked for them. It can be pickled, and loaded from what :meth:`save` wrote.
    """

    @classmethod
    def from_run(cls, run: core.ScheduleRun, plan: SchedulePlan, wall_s: float) -> ScheduleResult:
        """Return the result of a run of the core."""
        found: dict[str, Any] = msgspec.json.decode(run.meta_json)
        overrides = dict(plan.system.overrides)
        meta = {
            "kind": "schedule",
            "system": plan.system.label,
            "schedule": plan.schedule.name,
            "n_ranks": plan.schedule.ranks,
            **found,
            "time_fs": run.time_fs,
            "warnings": merge(plan.warnings, list(found["warnings"])),
            "overrides": overrides,
            "seed": plan.spec["seed"],
            "versions": core.versions(),
            "wall_s": wall_s,
        }
        labels = {"system": plan.system.label, "overrides": msgspec.json.encode(overrides).decode()}
        return cls(msgspec.json.decode(msgspec.json.encode(meta)), RunTables(run, labels))

    @classmethod
    def load(cls, folder: str | Path) -> ScheduleResult:
        """Load a result that :meth:`save` wrote.

        Raises
        ------
        SpecError
            If there is none, or it is not complete.
        """
        place, meta = read_program_meta(folder, "schedule")
        found = {name: read_table(place, name) for name in ("summary", *RECORDS)}
        tables = {name: table for name, table in found.items() if table is not None}
        for name in ("summary", "operations"):
            if name not in tables:
                raise SpecError(f"{place}: {name} is missing; this is no folder of a schedule's result")
        return cls(meta, KeptTables(tables, folded=is_folded(meta)))

    @property
    def schedule(self) -> str:
        """Name of the schedule."""
        return str(self._meta["schedule"])

    @property
    def protocol(self) -> str:
        """Protocol that ran."""
        return str(self._meta["protocol"])

    @property
    def bound_kind(self) -> str:
        """What the bound comes from: ``dependencies`` (the longest chain) or ``injection`` (the bytes of a rank)."""
        return str(self._meta["bound_kind"])

    @property
    def operations(self) -> pa.Table:
        """One row per operation, with rank, label, kind, peer, bytes, beginning and end."""
        return self.table("operations")

    def __repr__(self) -> str:
        return (
            f"ScheduleResult({self.system}, {self.schedule!r}: {self._meta['operations']} operations on "
            f"{self.n_ranks} ranks: {time_text(self.time_ns)}, {self.fidelity}; {self.bottleneck})"
        )


def schedule_text(result: ScheduleResult) -> str:
    """Word a result: times in microseconds."""
    row = result.summary.to_pylist()[0]
    return (
        f"{row['operations']} operations, {row['messages']} messages on {result.system}, {result.n_ranks} ranks\n"
        f"time       {result.time_ns / 1e3:.3f} us (bound {result.bound / 1e3:.3f} us, {result.bound_kind})\n"
        f"protocol   {result.protocol}, fidelity {result.fidelity}\n"
        f"bottleneck {result.bottleneck}"
    )
