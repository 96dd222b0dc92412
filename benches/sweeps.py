"""What a point of a sweep costs, what a call costs beside its simulation, and what an import costs.

Milliseconds of processor time. Each value is the difference of a large and a small amount of work (``cases.py``), so
that imports and the first build of a preset do not count.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

from benches import cases
from supernode.marks import AssumedValueWarning


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
        return cases.cost(replace(cases.CASES["sweep_point"], work=lambda count: cases.points(count, algorithm)))

    track_ms_per_point.unit = "ms"  # type: ignore[attr-defined]


class Overhead:
    """A call that predicts, and a new interpreter."""

    def setup(self) -> None:
        """Keep what presets assume out of the output."""
        warnings.simplefilter("ignore", AssumedValueWarning)

    def track_ms_per_call(self) -> float:
        """Milliseconds of processor time per call. Goal: 3 ms."""
        return cases.cost(cases.CASES["call"]) / 1e3

    def track_import_ms(self) -> float:
        """Milliseconds of processor time of a new interpreter that imports supernode. No goal."""
        return cases.cost(cases.CASES["import"])

    track_ms_per_call.unit = "ms"  # type: ignore[attr-defined]
    track_import_ms.unit = "ms"  # type: ignore[attr-defined]
