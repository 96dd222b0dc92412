"""The result of a run of workloads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from supernode import core
from supernode.result.base import RunResult
from supernode.result.saved import read_program_meta
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
        return cls(*cls._gather(run, plan.system, plan.warnings, before, after))

    @classmethod
    def load(cls, folder: str | Path) -> WorkloadResult:
        """Load a result that :meth:`save` wrote.

        Raises
        ------
        SpecError
            If there is none, or it is not complete.
        """
        place, meta = read_program_meta(folder)
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

    def __repr__(self) -> str:
        return (
            f"WorkloadResult({self.system}, {len(self._meta['operations'])} operations on {self.n_ranks} ranks: "
            f"{_time(self.time_ns)}, {self.fidelity}; {self.bottleneck})"
        )


def _time(nanoseconds: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.4g} {unit}"
    return f"{nanoseconds:.4g} ns"
