"""From a plan to its result, compared with a small case of it if that was asked for."""

from __future__ import annotations

from dataclasses import replace

from supernode.result.result import Result
from supernode.result.schedule import ScheduleResult
from supernode.result.uncertainty import Scan
from supernode.result.workload import WorkloadResult
from supernode.run.execute import execute
from supernode.run.explicit import SchedulePlan, execute_schedule
from supernode.run.plan import Plan
from supernode.run.program import ProgramPlan, execute_program

__all__ = ["run_plan", "run_program", "run_schedule"]


def run_plan(plan: Plan, scan: Scan | None = None) -> Result:
    """Run a plan.

    Parameters
    ----------
    plan
        The plan.
    scan
        What has run other sizes of it at the ends of ranges; by default a new one, if the plan asks for it.
    """
    result = _checked_run(plan)
    return result if not plan.uncertainty else result.with_uncertainty((scan or Scan(plan)).of(plan, result))


def _checked_run(plan: Plan) -> Result:
    run, wall_s = execute(plan)
    result = Result.from_run(run, plan, wall_s)
    if not plan.self_check:
        return result
    from supernode.result.selfcheck import self_check as check_itself

    found, warning = check_itself(plan, result)
    if warning:
        plan = replace(plan, warnings=(*plan.warnings, warning))
    return Result.from_run(run, plan, wall_s, found)


def run_program(plan: ProgramPlan) -> WorkloadResult:
    """Run a plan of workloads."""
    run, wall_s = execute_program(plan)
    return WorkloadResult.from_run(run, plan, wall_s)


def run_schedule(plan: SchedulePlan) -> ScheduleResult:
    """Run a plan of an explicit schedule."""
    run, wall_s = execute_schedule(plan)
    return ScheduleResult.from_run(run, plan, wall_s)
