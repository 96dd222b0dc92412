"""What runs leave: results, curves of them, their tables and folders, and comparisons with measurements."""

from supernode.result.result import Result
from supernode.result.schedule import ScheduleResult
from supernode.result.workload import WorkloadResult

__all__ = ["Result", "ScheduleResult", "WorkloadResult"]
