"""Running the core beside the caller: Ctrl-C, wall-clock limits and progress.

The core runs on a thread of its own and releases the interpreter lock, so the caller's thread is free to receive
signals and to watch the clock. Either of them cancels the run through its token; the core then stops within a fraction
of a second, and this module waits for it, so no thread outlives the call.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from supernode import core
from supernode.errors import InternalError, SimulationTimeout
from supernode.plan import Plan
from supernode.progress import make_reporter
from supernode.spec import encode

__all__ = ["execute"]

#: Seconds between two looks at the progress of a run.
_POLL_S = 0.1


@dataclass
class _Job:
    """What the two threads share."""

    done: threading.Event = field(default_factory=threading.Event)
    state: tuple[int, int, int] = (0, 0, 0)
    run: core.Run | None = None
    error: BaseException | None = None

    def report(self, done: int, total: int, time_ns: int) -> None:
        """Take the core's progress: bytes delivered, bytes in all, simulated time. Called from its thread."""
        self.state = (time_ns, done, total)


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
        If the plan's wall-clock limit was reached.
    KeyboardInterrupt
        If the user stopped the run.
    SupernodeError
        Whatever the core finds wrong.
    """
    job, token = _Job(), core.CancelToken()
    text = encode(plan.spec)

    def work() -> None:
        try:
            job.run = core.simulate(text, placement=plan.placement, progress=job.report, cancel=token)
        except BaseException as error:  # carried to the caller's thread, whatever it is
            job.error = error
        finally:
            job.done.set()

    start = time.monotonic()
    thread = threading.Thread(target=work, name="supernode-run", daemon=True)
    thread.start()
    timed_out = False
    try:
        timed_out = not _wait(job, plan, start)
    finally:
        if not job.done.is_set():
            token.cancel()
            job.done.wait()
        thread.join()
    if timed_out and job.run is None:
        raise SimulationTimeout(
            f"stopped at {job.state[0]} ns of simulated time: wall-clock timeout of {plan.timeout:g} s reached"
        )
    if job.error is not None:
        raise job.error
    if job.run is None:
        raise InternalError("internal error (please report): the core returned neither a result nor an error")
    return job.run, time.monotonic() - start


def _wait(job: _Job, plan: Plan, start: float) -> bool:
    """Wait for the end of the run, showing progress; False if the wall-clock limit came first."""
    deadline = None if plan.timeout is None else start + plan.timeout
    with make_reporter(plan.progress) as report:
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return job.done.is_set()
            poll = _POLL_S if report.active else None
            waits = [w for w in (poll, left) if w is not None]
            if job.done.wait(min(waits) if waits else None):
                return True
            report.update(*job.state)
