"""What a point of a sweep costs, and what a call costs beside its simulation: milliseconds of processor time.

Each value is the difference of a long and a short run, so that imports and the first build of a preset do not count.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable

import supernode as sn
from supernode.marks import AssumedValueWarning

#: Points of the short and the long run.
SHORT, LONG = 20, 120


def marginal(run: Callable[[int], None], short: int = SHORT, long: int = LONG) -> float:
    """Return milliseconds of processor time per item, all threads of this process together."""
    seconds = []
    for count in (short, short, long):  # the first one warms up
        start = time.process_time()
        run(count)
        seconds.append(time.process_time() - start)
    return 1e3 * (seconds[2] - seconds[1]) / (long - short)


def sweep(algorithm: str, count: int) -> None:
    """Run a sweep of so many sizes from 1 MiB on ``nvl72``, one at a time."""
    sizes = [(1 << 20) + 1152 * k for k in range(count)]
    whole = sn.Sweep(base={"collective": "all_reduce", "system": "nvl72", "algorithm": algorithm}, grid={"size": sizes})
    with tempfile.TemporaryDirectory() as folder:
        whole.run(folder, workers=1)


def calls(count: int) -> None:
    """Predict so many small messages: what is left is the way into the core and back."""
    for k in range(count):
        sn.all_reduce("hgx-h100", size=1024 + 32 * k, algorithm="ring", fidelity="analytic")


class SweepPoint:
    """All-reduce on ``nvl72`` at 1 MiB."""

    params = ("in_network", "ring", "auto")
    param_names = ("algorithm",)
    timeout = 300

    def setup(self, algorithm: str) -> None:
        """Keep what presets assume out of the output."""
        del algorithm
        warnings.simplefilter("ignore", AssumedValueWarning)

    def track_ms_per_point(self, algorithm: str) -> float:
        """Milliseconds of processor time per point. Goal: 6 ms, with ``auto`` too."""
        return marginal(lambda count: sweep(algorithm, count))

    track_ms_per_point.unit = "ms"  # type: ignore[attr-defined]


class Call:
    """A call that predicts."""

    def setup(self) -> None:
        """Keep what presets assume out of the output."""
        warnings.simplefilter("ignore", AssumedValueWarning)

    def track_ms_per_call(self) -> float:
        """Milliseconds of processor time per call. Goal: 3 ms."""
        return marginal(calls)

    track_ms_per_call.unit = "ms"  # type: ignore[attr-defined]
