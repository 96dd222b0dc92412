"""Judgement over all cases: how often flow and analytic times are off without a warning."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.differential import Measure

__all__ = ["LIMITS", "judge"]

#: Largest error that counts as agreement, by fidelity.
LIMITS = {"flow": 0.05, "analytic": 0.20}

#: Part of the cases that may be off: limits that ``docs/fidelity.md`` names.
SHARE = 0.05

#: Fewest cases that are judged.
FEWEST = 40


def judge(measures: Sequence[tuple[int, Measure]]) -> list[str]:
    """Return what is wrong over all cases, each with the numbers of the worst.

    Parameters
    ----------
    measures
        Number of the case and its measure.
    """
    found = []
    for fidelity, limit in LIMITS.items():
        own = [(seed, m) for seed, m in measures if m.fidelity == fidelity]
        off = [(abs(m.ratio - 1), seed, m) for seed, m in own if abs(m.ratio - 1) > limit and not m.warned]
        if len(own) >= FEWEST and len(off) > SHARE * len(own):
            off.sort(key=lambda each: -each[0])
            worst = ", ".join(f"{seed} ({m.ratio:.2f} on {m.system})" for _, seed, m in off[:8])
            found.append(
                f"{fidelity} is more than {limit:.0%} off in {len(off)} of {len(own)} cases without a warning; at most "
                f"{SHARE:.0%} may be. Worst, as time over that of packets: {worst}"
            )
    return found
