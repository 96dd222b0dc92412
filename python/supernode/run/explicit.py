"""From an explicit schedule and the keywords of a run to the specification that the core takes, and its call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.explicit import ExplicitSchedule
from supernode.run.execute import watched
from supernode.run.options import ProgressOption, RunOptions, refuse_idle
from supernode.run.plan import make_plan
from supernode.run.program import KEPT
from supernode.system import System, SystemLike

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["IDLE", "SchedulePlan", "execute_schedule", "make_schedule"]

#: Keywords without a meaning for a run of an explicit schedule, which says what is sent and by how many ranks.
IDLE = ("algorithm", "root", "lanes", "chunks", "levels", "dtype", "ranks", "self_check", "uncertainty")


@dataclass(frozen=True)
class SchedulePlan:
    """One run of an explicit schedule, ready for the core.

    Parameters
    ----------
    system
        The machine.
    schedule
        What runs on it.
    spec
        The specification.
    placement
        Accelerator of each rank, or ``None`` for the identity.
    warnings
        What the result has to say before the core adds its own.
    timeout
        Wall-clock limit in seconds.
    progress
        How progress is shown.
    """

    system: System
    schedule: ExplicitSchedule
    spec: dict[str, Any] = field(repr=False)
    placement: npt.NDArray[np.uint32] | None = field(repr=False)
    warnings: tuple[str, ...]
    timeout: float | None
    progress: ProgressOption


def make_schedule(system: SystemLike, schedule: ExplicitSchedule, options: RunOptions) -> SchedulePlan:
    """Check every keyword and put the specification together.

    Raises
    ------
    SpecError
        Naming the keyword, its value and what would be valid.
    """
    refuse_idle(options, IDLE, "a run of an explicit schedule")
    # machine, stack and options as of a run of one collective
    plan = make_plan(system, "barrier", None, options)
    if plan.placement is not None and len(plan.placement) != schedule.ranks:
        raise SpecError(f"placement: it places {len(plan.placement)} ranks, and the schedule has {schedule.ranks}")
    if schedule.ranks > plan.system.accelerators:
        raise SpecError(
            f"schedule {schedule.name}: {schedule.ranks} ranks are too many; {plan.system.label} has "
            f"{plan.system.accelerators} accelerators"
        )
    machine = msgspec.to_builtins(plan.spec)
    spec = {name: machine[name] for name in ("system", "stack", *KEPT)}
    axes = [{"name": "rank", "size": schedule.ranks}]
    spec["jobs"] = [{"name": schedule.name, "axes": axes, "body": []}]
    return SchedulePlan(plan.system, schedule, spec, plan.placement, plan.warnings, plan.timeout, plan.progress)


def execute_schedule(plan: SchedulePlan) -> tuple[core.ScheduleRun, float]:
    """Run a plan of an explicit schedule; see :func:`~supernode.run.execute.execute`.

    Returns
    -------
    run
        What the core returns.
    wall_s
        Seconds of wall-clock time.
    """
    text = msgspec.json.encode(plan.spec).decode()
    return watched(core.run_schedule, plan, text, plan.schedule.core, placement=plan.placement)
