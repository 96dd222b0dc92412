"""The result of a run of workloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from supernode import core
from supernode.errors import NotRecordedError
from supernode.result.base import RunResult, time_text
from supernode.result.saved import read_program_meta
from supernode.result.slowdown import slowdown_table
from supernode.result.tables import Tables
from supernode.result.trace import trace_target, write_trace
from supernode.run.program import ProgramPlan

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["WorkloadResult"]


class WorkloadResult(RunResult):
    """What a run of workloads found.

    Times are in nanoseconds. Tables are ``pyarrow.Table``: ``summary`` and ``operations`` are always there, others if
    ``record=[...]`` asked for them. It can be pickled, and loaded from what :meth:`save` wrote.
    """

    def __init__(self, meta: Mapping[str, Any], tables: Tables, plan: ProgramPlan | None = None) -> None:
        super().__init__(meta, tables)
        self._plan = plan

    _always: ClassVar[tuple[str, ...]] = ("summary", "operations")

    @classmethod
    def from_run(cls, run: core.ProgramRun, plan: ProgramPlan, wall_s: float) -> WorkloadResult:
        """Return the result of a run of the core."""
        before = {
            "kind": "workload",
            "system": plan.system.label,
            "n_ranks": sum(job.mesh.ranks for job in plan.jobs),
        }
        jobs = [{"name": job.name, "axes": dict(job.mesh.axes)} for job in plan.jobs]
        after = {"seed": plan.spec["seed"], "jobs": jobs, "wall_s": wall_s}
        return cls(*cls._gather(run, plan.system, plan.warnings, before, after), plan)

    @classmethod
    def load(cls, folder: str | Path) -> WorkloadResult:
        """Load a result that :meth:`save` wrote.

        Raises
        ------
        SpecError
            If there is none, or it is not complete.
        """
        place, meta = read_program_meta(folder, "workload")
        return cls._load(place, meta, "a workload's result")

    @property
    def bound(self) -> float:
        """Time that the streams by themselves, or one operation by itself, cannot beat, in nanoseconds."""
        return super().bound

    @property
    def bound_kind(self) -> str:
        """What the bound comes from: ``streams``, or a bound of one operation."""
        return str(self._meta["bound_kind"])

    @property
    def choices(self) -> list[dict[str, Any]]:
        """What was chosen for each operation: algorithm, protocol, size after rounding, communicators, instances."""
        found: list[dict[str, Any]] = self._meta["operations"]
        return [dict(each) for each in found]

    @property
    def operations(self) -> pa.Table:
        """One row per operation and role, with beginning, end, mean time and what computation did not hide of it."""
        return self.table("operations")

    def to_polars(self, name: str = "operations") -> pl.DataFrame:
        """Return a table as a Polars frame, without copying."""
        return super().to_polars(name)

    def to_perfetto(self, path: str | Path) -> Path:
        """Write the timeline as a trace that https://ui.perfetto.dev and ``chrome://tracing`` open.

        A role of ranks is a process, named after its first rank; a stream is a thread; an instance of an operation is
        an event of its kind, with job, rank, iteration and ``exposed_ns``.

        Parameters
        ----------
        path
            File that ends in ``.json``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        NotRecordedError
            If the run did not record ``iterations``.
        SpecError
            If the file does not end in ``.json``, or cannot be written there.
        """
        target = trace_target(path)
        about = {"system": self.system, "fidelity": self.fidelity, "supernode": core.versions()["supernode"]}
        write_trace(self.table("iterations"), target, about)
        return target

    def slowdown(self) -> pa.Table:
        """Simulate each operation that moves messages alone, and compare.

        Alone, the same ranks on the same accelerators execute one instance of the operation, with the algorithm and
        protocol of this run, at its fidelity. That takes a run per operation.

        Returns
        -------
        pyarrow.Table
            One row per operation: ``job``, ``operation``, ``time_ns`` (from beginning to end on a rank, mean of all
            instances and ranks), ``alone_ns`` (the same, alone) and ``slowdown``, their ratio. Waiting for ranks that
            begin later is part of ``time_ns``, so it counts as slowdown. ``alone_ns`` and ``slowdown`` are null for
            computations, delays, and the two sides of transfers along an axis.

        Raises
        ------
        NotRecordedError
            If the result was loaded: a folder does not have the system.
        """
        if self._plan is None:
            raise NotRecordedError("a result that was loaded does not have its system; run again for its slowdown")
        return slowdown_table(self._plan, self.operations, self.choices, self.fidelity)

    def _more(self) -> tuple[Any, ...]:
        return (self._plan,)

    def __reduce__(self) -> tuple[Any, ...]:
        # a function that shows progress belongs to the process that ran
        plan = None if self._plan is None else replace(self._plan, progress=None)
        kind, kept = super().__reduce__()
        return kind, (*kept, plan)

    def __repr__(self) -> str:
        return (
            f"WorkloadResult({self.system}, {len(self._meta['operations'])} operations on {self.n_ranks} ranks: "
            f"{time_text(self.time_ns)}, {self.fidelity}; {self.bottleneck})"
        )
