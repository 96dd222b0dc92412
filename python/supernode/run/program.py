"""From workloads and the keywords of a run to the specification that the core takes, and its call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.run.execute import watched
from supernode.run.options import ProgressOption, RunOptions, refuse_idle
from supernode.run.plan import make_plan
from supernode.run.roofline import peaks_used, timed
from supernode.system import System, SystemLike
from supernode.workload import Workload
from supernode.workload.placement import place_jobs

__all__ = ["IDLE", "KEPT", "ProgramPlan", "execute_program", "make_program", "workloads"]

#: Keywords that belong to an operation, or that a job has of its own.
_OF_OPERATIONS = ("algorithm", "protocol", "root", "lanes", "chunks", "levels", "dtype")
_OF_JOBS = ("ranks", "placement")
#: Keywords without a meaning for a run of workloads.
IDLE = (*_OF_OPERATIONS, *_OF_JOBS, "self_check", "uncertainty")
#: Options of a run that pass unchanged.
KEPT = ("fidelity", "budget_ns", "seed", "fold", "skip", "threads", "record", "time_limit_fs", "memory_limit")


@dataclass(frozen=True)
class ProgramPlan:
    """One run of workloads, ready for the core.

    Parameters
    ----------
    system
        The machine.
    jobs
        What runs on it.
    spec
        The specification.
    warnings
        What the result has to say before the core adds its own.
    timeout
        Wall-clock limit in seconds.
    progress
        How progress is shown.
    """

    system: System
    jobs: tuple[Workload, ...]
    spec: dict[str, Any] = field(repr=False)
    warnings: tuple[str, ...]
    timeout: float | None
    progress: ProgressOption


def workloads(value: object) -> tuple[Workload, ...] | None:
    """Return the workloads that a run is given; ``None`` if it is given none.

    Raises
    ------
    SpecError
        If a list holds other things beside workloads, or two of one name.
    """
    if isinstance(value, Workload):
        return (value,)
    if isinstance(value, list | tuple) and not value:
        raise SpecError("jobs: [] is not valid; give at least one Workload, or a collective such as 'all_reduce'")
    if not isinstance(value, list | tuple) or not any(isinstance(each, Workload) for each in value):
        return None
    for each in value:
        if not isinstance(each, Workload):
            raise SpecError(f"jobs: {quote(each)} is not valid; each must be a Workload")
    names = [each.name for each in value]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SpecError(f"jobs: two are named {quote(twice)}; give each a name of its own: Workload(mesh, name=...)")
    return tuple(value)


def make_program(system: SystemLike, jobs: Sequence[Workload], options: RunOptions) -> ProgramPlan:
    """Check every keyword and put the specification together.

    Raises
    ------
    SpecError
        Naming the keyword, its value and what would be valid.
    """
    refuse_idle(options, IDLE, "a run of workloads")
    # machine, stack and options as of a run of one collective
    programs = [job.body() for job in jobs]
    computed = frozenset().union(*map(peaks_used, programs))
    plan = make_plan(system, "barrier", None, options, computed=computed)
    machine = msgspec.to_builtins(plan.spec)
    accelerators, seed = plan.system.accelerators, plan.spec.seed
    placements = place_jobs(jobs, accelerators, seed)
    spec = {name: machine[name] for name in ("system", "stack", *KEPT)}
    bodies, assumed = zip(*(timed(body, plan.system) for body in programs), strict=True)
    spec["jobs"] = [
        {
            "name": job.name,
            "axes": [{"name": name, "size": size} for name, size in job.mesh.axes],
            "start_fs": job.start_fs,
            "placement": placement,
            "body": body,
        }
        for job, placement, body in zip(jobs, placements, bodies, strict=True)
    ]
    names = [quote(name) for each in assumed for name in each]
    notes = (f"efficiency 1 is assumed of computation in FLOP: {', '.join(names)}",) if names else ()
    return ProgramPlan(plan.system, tuple(jobs), spec, (*plan.warnings, *notes), plan.timeout, plan.progress)


def execute_program(plan: ProgramPlan) -> tuple[core.ProgramRun, float]:
    """Run a plan of workloads; see :func:`~supernode.run.execute.execute`.

    Returns
    -------
    run
        What the core returns.
    wall_s
        Seconds of wall-clock time.
    """
    return watched(core.program, plan, msgspec.json.encode(plan.spec).decode())
