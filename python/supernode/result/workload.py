"""The result of a run of workloads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.result.program import ProgramResult, time_text
from supernode.result.saved import is_folded, read_program_meta
from supernode.result.tables import KeptTables, RunTables, read_table
from supernode.result.trace import trace_target, write_trace
from supernode.run.noeffect import merge
from supernode.run.options import RECORDS
from supernode.run.program import ProgramPlan

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WorkloadResult"]


class WorkloadResult(ProgramResult):
    """What a run of workloads found.

    Times are in nanoseconds. Tables are ``pyarrow.Table``: ``summary`` and ``operations`` are always there, others if
    ``record=[...]`` asked for them. It can be pickled, and loaded from what :meth:`save` wrote.
    """

    @classmethod
    def from_run(cls, run: core.ProgramRun, plan: ProgramPlan, wall_s: float) -> WorkloadResult:
        """Return the result of a run of the core."""
        found: dict[str, Any] = msgspec.json.decode(run.meta_json)
        overrides = dict(plan.system.overrides)
        meta = {
            "kind": "workload",
            "system": plan.system.label,
            "n_ranks": sum(job.mesh.ranks for job in plan.jobs),
            **found,
            "time_fs": run.time_fs,
            "warnings": merge(plan.warnings, list(found["warnings"])),
            "overrides": overrides,
            "seed": plan.spec["seed"],
            "jobs": [{"name": job.name, "axes": dict(job.mesh.axes)} for job in plan.jobs],
            "versions": core.versions(),
            "wall_s": wall_s,
        }
        labels = {"system": plan.system.label, "overrides": msgspec.json.encode(overrides).decode()}
        return cls(msgspec.json.decode(msgspec.json.encode(meta)), RunTables(run, labels))

    @classmethod
    def load(cls, folder: str | Path) -> WorkloadResult:
        """Load a result that :meth:`save` wrote.

        Raises
        ------
        SpecError
            If there is none, or it is not complete.
        """
        place, meta = read_program_meta(folder, "workload")
        found = {name: read_table(place, name) for name in ("summary", *RECORDS)}
        tables = {name: table for name, table in found.items() if table is not None}
        for name in ("summary", "operations"):
            if name not in tables:
                raise SpecError(f"{place}: {name} is missing; this is no folder of a workload's result")
        return cls(meta, KeptTables(tables, folded=is_folded(meta)))

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
            f"{time_text(self.time_ns)}, {self.fidelity}; {self.bottleneck})"
        )
