"""The result of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.errors import NotRecordedError
from supernode.result.base import RunResult
from supernode.result.explanation import Explanation, explain_plan
from supernode.result.html import result_html
from supernode.result.saved import check_summary, read_meta
from supernode.result.tables import Tables
from supernode.result.uncertainty import table
from supernode.result.verbs import Verbs
from supernode.run.expected import ExpectedError
from supernode.run.plan import Plan, expected_of

if TYPE_CHECKING:
    import pyarrow as pa


__all__ = ["Result"]


class Result(Verbs, RunResult):
    """What one simulation found.

    Times are in nanoseconds, bandwidths in GB/s (10^9 bytes per second), as the names say. Tables are
    ``pyarrow.Table``; those of ``record=[...]`` exist only if they were asked for.

    Results can be pickled, copied, and loaded from what :meth:`save` wrote. Two are equal if they are of the same
    configuration and found the same, whatever threads and wall-clock time they took.
    """

    def __init__(self, meta: Mapping[str, Any], tables: Tables, plan: Plan | None = None) -> None:
        super().__init__(meta, tables)
        self._plan = plan

    @classmethod
    def from_run(cls, run: core.Run, plan: Plan, wall_s: float, self_check: Mapping[str, Any] | None = None) -> Result:
        """Return the result of a run of the core."""
        fidelity = msgspec.json.decode(run.meta_json)["fidelity"]
        idle = plan.idle_if_analytic if fidelity == "analytic" else ()
        before = {
            "kind": "result",
            "system": plan.system.label,
            "collective": plan.spec.collective,
            "n_ranks": plan.ranks,
        }
        after = {
            "seed": plan.spec.seed,
            "wall_s": wall_s,
            "self_check": self_check,
            "expected_error": expected_of(plan).as_dict(),
        }
        meta, tables = cls._gather(run, plan.system, (*plan.warnings, *idle), before, after)
        return cls(meta, tables, plan)

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
        return cls._load(place, meta, "a result", check_summary)

    @property
    def self_check(self) -> dict[str, Any] | None:
        """What ``self_check=True`` compared.

        ``ranks``, ``levels``, ``size_bytes`` and ``packet_hops`` of the small case, whether it was ``folded`` and
        ``skipped``, and the tables ``compared``, which were equal. ``None`` if it was not asked for or had no effect.
        """
        found: dict[str, Any] | None = self._meta["self_check"]
        return found

    @property
    def expected_error(self) -> ExpectedError | None:
        """How far predictions of runs like this one have been from measurements.

        ``None`` if the result was saved by a version that did not know it.
        """
        found = self._meta.get("expected_error")
        return None if found is None else ExpectedError.of(found)

    @property
    def size_bytes(self) -> int:
        """Size as in nccl-tests' size column, rounded as nccl-tests does."""
        return int(self._row["size_bytes"])

    @property
    def collective(self) -> str:
        """Canonical name of the collective."""
        return str(self._meta["collective"])

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
    def chosen_by(self) -> str:
        """How algorithm, protocol and lanes were chosen: by a price from ``packet``, ``flow`` or ``analytic``.

        ``"library"`` if the cost model of the stack's library chose, ``"no choice"`` if all of them were given.
        """
        return str(self._meta["chosen_by"])

    @property
    def bound_kind(self) -> str:
        """What the bound comes from: ``injection``, ``bisection`` (any cut), ``latency`` or ``memory``."""
        return str(self._meta["bound_kind"])

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
    def summary(self) -> pa.Table:
        """One row: the collective, its size, time, bandwidths, bound and bottleneck."""
        return self.table("summary")

    @property
    def time_low_ns(self) -> float:
        """Shortest time over the ranges of parameters, in nanoseconds.

        Raises
        ------
        NotRecordedError
            If the run was not asked for it.
        """
        return int(self._uncertainty()["time_low_fs"]) / 1e6

    @property
    def time_high_ns(self) -> float:
        """Longest time over the ranges of parameters, in nanoseconds.

        Raises
        ------
        NotRecordedError
            If the run was not asked for it.
        """
        return int(self._uncertainty()["time_high_fs"]) / 1e6

    @property
    def uncertainty(self) -> pa.Table:
        """Which parameter moves the time by how much, most first: one row for each that has a range.

        Columns ``parameter``, ``value``, ``low``, ``high``, ``time_low_ns``, ``time_high_ns`` and ``slower_at``.

        Raises
        ------
        NotRecordedError
            If the run was not asked for it.
        """
        return table(self._uncertainty())

    @property
    def uncertainty_notes(self) -> list[str]:
        """What was left out of the range, and why.

        Raises
        ------
        NotRecordedError
            If the run was not asked for it.
        """
        return [str(note) for note in self._uncertainty()["notes"]]

    def with_uncertainty(self, found: Mapping[str, Any]) -> Result:
        """Return the result with what runs at the ends of ranges found."""
        said = [f"uncertainty: {note}" for note in found["notes"]]
        meta = {**self._meta, "uncertainty": dict(found), "warnings": [*self.warnings, *said]}
        return Result(meta, self._source, self._plan)

    def _uncertainty(self) -> Mapping[str, Any]:
        found = self._meta.get("uncertainty")
        if found is None:
            raise NotRecordedError("the ranges of parameters were not run; run again with uncertainty=True")
        return found  # type: ignore[no-any-return]

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
        return {**super()._found(), "effective": {k: v for k, v in self.effective.items() if k != "threads"}}

    def _more(self) -> tuple[Any, ...]:
        return (self._plan,)

    def __reduce__(self) -> tuple[Any, ...]:
        # a function that shows progress belongs to the process that ran
        plan = None if self._plan is None else replace(self._plan, progress=None)
        kind, kept = super().__reduce__()
        return kind, (*kept, plan)

    def __repr__(self) -> str:
        expected = "" if self.expected_error is None else f", expected error {self.expected_error.short}"
        time = f"{self.time_ns:.3f} ns"
        if "uncertainty" in self._meta:
            time += f" ({self.time_low_ns:.3f} to {self.time_high_ns:.3f})"
        return (
            f"Result({self.collective} of {self.size_bytes} B on {self.system}: {time}, "
            f"busbw {self.busbw_gbytes_s:.3f} GB/s, {self.algorithm}/{self.protocol}, {self.fidelity}, "
            f"bound {self.bound:.3f} ns, bottleneck {self.bottleneck}{expected})"
        )

    def _repr_html_(self) -> str:
        return result_html(self)
