"""Explicit schedules: sends, receives and computations of each rank, read from files or made of frames."""

from supernode.explicit.schedule import ExplicitSchedule, load_schedule

__all__ = ["ExplicitSchedule", "load_schedule"]
