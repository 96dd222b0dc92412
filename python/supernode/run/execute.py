"""Running one plan in the core.

It is one call, and no thread is started on this side. The core's door (``crates/python/src/door.rs``) releases the
interpreter lock, puts the work on a thread of the core, and listens on the caller's thread: for Ctrl-C, for the
wall-clock limit and to report progress. Either of the first two stops the run within a fraction of a second, whatever
it was doing, and the door waits for it: no thread outlives the call.
"""

from __future__ import annotations

import time

from supernode import core
from supernode.run.plan import Plan
from supernode.run.progress import make_reporter
from supernode.spec import encode

__all__ = ["execute"]


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
    start = time.monotonic()
    with make_reporter(plan.progress) as report:
        run = core.simulate(
            encode(plan.spec),
            placement=plan.placement,
            progress=report.update if report.active else None,
            timeout_s=plan.timeout,
        )
    return run, time.monotonic() - start
