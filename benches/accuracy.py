"""Error of the predictions against published measurements (``measured.toml``).

asv takes every increase for a regression, so the error is tracked without its sign; ``docs/performance.md`` has it with
the sign.
"""

from __future__ import annotations

import warnings

from benches import cases
from supernode.marks import AssumedValueWarning


class Plateau:
    """All-reduce bus bandwidth of large messages."""

    params = (list(cases.FACTS),)
    param_names = ("fact",)
    timeout = 600

    def setup(self, fact: str) -> None:
        """Keep what presets assume out of the output."""
        del fact
        warnings.simplefilter("ignore", AssumedValueWarning)

    def track_error(self, fact: str) -> float:
        """By how many per cent the prediction is off."""
        return abs(cases.error_percent(fact))

    track_error.unit = "%"  # type: ignore[attr-defined]
