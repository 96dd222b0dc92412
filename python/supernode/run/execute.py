"""Running one plan in the core.

It is one call, and no thread is started on this side. The core's door (``crates/python/src/door.rs``) releases the
interpreter lock, puts the work on a thread of the core, and listens on the caller's thread: for Ctrl-C, for the
wall-clock limit and to report progress. Either of the first two stops the run within a fraction of a second, whatever
it was doing, and the door waits for it: no thread outlives the call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from supernode import core
from supernode.run.options import ProgressOption
from supernode.run.plan import Plan
from supernode.run.progress import make_reporter
from supernode.spec import encode

__all__ = ["execute", "watched"]

T = TypeVar("T")


class Watched(Protocol):
    """A plan, as far as its run is watched."""

    @property
    def progress(self) -> ProgressOption:
        """What shows progress."""

    @property
    def timeout(self) -> float | None:
        """Wall-clock limit in seconds."""


def watched(call: Callable[..., T], plan: Watched, *arguments: Any, **more: Any) -> tuple[T, float]:
    """Call the core with the plan's progress and limit of wall-clock time; return what it returns, and seconds."""
    start = time.monotonic()
    with make_reporter(plan.progress) as report:
        found = call(*arguments, progress=report.update if report.active else None, timeout_s=plan.timeout, **more)
    return found, time.monotonic() - start


def execute(plan: Plan) -> tuple[core.Run, float]:
    """Run a plan.

    Returns
    -------
    run
        What the core returns.
    wall_s
        Seconds of wall-clock time.

    Raises
    ------
    SimulationTimeout
        If the plan's limit of wall-clock or simulated time was reached; the message says what was under way.
    KeyboardInterrupt
        If the user stopped the run.
    SupernodeError
        Whatever the core finds wrong.
    """
    return watched(core.simulate, plan, encode(plan.spec), placement=plan.placement)
