"""Schedules on their own: what an algorithm sends, and the proof that it is right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Unpack

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.fabric.switched import Switched
from supernode.library.collectives import Collective
from supernode.run.options import RunOptions, refuse_idle
from supernode.run.plan import Plan, make_plan
from supernode.spec import encode
from supernode.system import System, SystemLike
from supernode.units import Quantity
from supernode.values import parse_whole

__all__ = ["Schedule", "ScheduleReport", "schedule"]


#: Keywords of ``simulate`` that mean nothing to a schedule: it is not run, and nothing is recorded.
IDLE = ("record", "fold", "threads", "time_limit", "skip", "self_check", "uncertainty", "progress")


@dataclass(frozen=True)
class ScheduleReport:
    """What the symbolic execution of a schedule found.

    Parameters
    ----------
    algorithm
        Algorithm that the schedule follows.
    messages
        Messages in all.
    bytes
        Payload bytes of all messages together.
    steps
        Steps of the longest lane.
    lanes
        Independent lanes.
    raw
        The core's whole report.
    """

    algorithm: str
    messages: int
    bytes: int
    steps: int
    lanes: int
    raw: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """A collective's schedule: who sends what to whom in which step."""

    plan: Plan = field(repr=False)

    @property
    def collective(self) -> str:
        """Canonical name of the collective."""
        return self.plan.spec.collective

    @property
    def algorithm(self) -> str:
        """Name of the algorithm, as asked for."""
        return self.plan.spec.algorithm

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return self.plan.ranks

    def check(self) -> ScheduleReport:
        """Execute the schedule symbolically: the same one that ``simulate`` runs with these keywords.

        Returns
        -------
        ScheduleReport
            Counts of what was executed, if every rank ends with exactly the right contributions.

        Raises
        ------
        ScheduleError
            If the schedule is wrong; the message has the first thing found.
        MemoryLimitError
            If the check takes more than ``memory_limit``, or than the machine has.
        """
        plan = self.plan
        raw = msgspec.json.decode(
            core.check_schedule(encode(plan.spec), placement=plan.placement, timeout_s=plan.timeout)
        )
        return ScheduleReport(
            algorithm=str(raw.get("algorithm", self.algorithm)),
            messages=int(raw["messages"]),
            bytes=int(raw["bytes"]),
            steps=int(raw["steps"]),
            lanes=int(raw["lanes"]),
            raw=raw,
        )


def schedule(
    collective: Collective | str,
    *,
    system: SystemLike | None = None,
    size: Quantity | None = None,
    **options: Unpack[RunOptions],
) -> Schedule:
    """Return the schedule of a collective.

    Parameters
    ----------
    collective, size, **options
        As for :func:`supernode.simulate`; without a system, ``ranks`` is needed.
    system
        The machine, where the algorithm depends on it (hierarchical, torus bucket, in-network). By default a single
        switch that joins the ranks.

    Examples
    --------
    >>> import supernode as sn
    >>> sn.schedule("all_reduce", ranks=6, algorithm="ring", size="6 KiB").check().messages  # doctest: +SKIP
    60
    """
    refuse_idle(options, IDLE, "a schedule")
    if system is None:
        ranks = options.get("ranks")
        if ranks is None:
            raise SpecError("ranks: a schedule without a system needs their number; for example ranks=8")
        system = _switch(parse_whole(ranks, "ranks", low=1, high=2**32 - 1))
    return Schedule(make_plan(system, collective, size, options))


def _switch(ranks: int) -> System:
    fabric = Switched(bandwidth="1 GB/s", latency="1 ns", in_network_reduce=True)
    return System("switch").scale_up(count=ranks, fabric=fabric)
