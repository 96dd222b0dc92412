"""The result of a run of an explicit schedule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from supernode import core
from supernode.result.base import RunResult, time_text
from supernode.result.saved import read_program_meta
from supernode.run.explicit import SchedulePlan

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["ScheduleResult", "schedule_text"]


class ScheduleResult(RunResult):
    """What a run of an explicit schedule found.

    Times are in nanoseconds. Tables are ``pyarrow.Table``: ``summary`` and ``operations`` are always there, others if
    ``record=[...]`` asked for them. It can be pickled, and loaded from what :meth:`save` wrote.
    """

    _always: ClassVar[tuple[str, ...]] = ("summary", "operations")

    @classmethod
    def from_run(cls, run: core.ScheduleRun, plan: SchedulePlan, wall_s: float) -> ScheduleResult:
        """Return the result of a run of the core."""
        before = {
            "kind": "schedule",
            "system": plan.system.label,
            "schedule": plan.schedule.name,
            "n_ranks": plan.schedule.ranks,
        }
        after = {"seed": plan.spec["seed"], "wall_s": wall_s}
        return cls(*cls._gather(run, plan.system, tuple(plan.warnings), before, after))

    @classmethod
    def load(cls, folder: str | Path) -> ScheduleResult:
        """Load a result that :meth:`save` wrote.

        Raises
        ------
        SpecError
            If there is none, or it is not complete.
        """
        place, meta = read_program_meta(folder, "schedule")
        return cls._load(place, meta, "a schedule's result")

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

    def to_polars(self, name: str = "operations") -> pl.DataFrame:
        """Return a table as a Polars frame, without copying."""
        return super().to_polars(name)

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
