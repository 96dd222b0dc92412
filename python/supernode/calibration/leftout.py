"""What the constants would predict for a system that they had not seen.

**Model.** The search is repeated without the rows of one system. A constant that the others do not determine falls back
to the published value, or to the middle of its range. The rows left out are then predicted, once so, and once with
the processor and the NICs of the system given: what launches take and what NICs add are then those of the fit to all
rows, as they would be known of a machine that one has. **Invariant.** Nothing of the rows left out is used, but for
the latter. **Limits.** Algorithm and protocol of each row, and the ratio between its run and the analytic model, are
those at the anchor. The model itself was made with all systems in view; only its constants are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from supernode.calibration.constants import Constant
from supernode.calibration.fit import Fit, settle
from supernode.calibration.model import Model, error_of

__all__ = ["LeftOut", "left_out"]


@dataclass(frozen=True)
class LeftOut:
    """Predictions of the rows of one system by constants found without it.

    Parameters
    ----------
    system
        Name of its setup.
    numbers
        Its rows.
    alone
        Constants that the other rows do not determine.
    values
        The constants found without it.
    predicted_ns
        Its rows predicted by them.
    given_ns
        Its rows predicted with its processor and NICs given.
    """

    system: str
    numbers: tuple[int, ...]
    alone: tuple[str, ...]
    values: Mapping[str, float]
    predicted_ns: tuple[float, ...]
    given_ns: tuple[float, ...]

    def errors(self, model: Model, *, given: bool) -> list[float]:
        """Return predicted over measured times, less 1."""
        times = self.given_ns if given else self.predicted_ns
        return [error_of(model.rows[n], time) for n, time in zip(self.numbers, times, strict=True)]


def left_out(
    model: Model,
    constants: Sequence[Constant],
    rows_of: Mapping[str, Mapping[int, float]],
    fit: Fit,
    tell: Callable[[str], None] | None = None,
) -> list[LeftOut]:
    """Refit without each system in turn.

    Parameters
    ----------
    model, constants
        What predicts, and what was fitted.
    rows_of
        The rows that inform each constant.
    fit
        The fit to all rows.
    tell
        Is told which system is left out.
    """
    found = []
    for system in dict.fromkeys(row.setup.name for row in model.rows):
        if tell is not None:
            tell(f"without {system}")
        out = tuple(n for n, row in enumerate(model.rows) if row.setup.name == system)
        rest = [n for n in range(len(model.rows)) if n not in set(out)]
        known = [c for c in constants if set(rows_of[c.name]).intersection(rest)]
        back = {c.name: c.fallback for c in constants}
        start = {c.name: c.start for c in model.constants.values()}
        start |= {c.name: c.fallback for c in constants if c not in known}
        again = settle(model, known, start, back, rest) if rest else Fit(start, 0.0, ())
        alone = tuple(c.name for c in constants if c.name not in again.fitted)
        own = {c.name: fit.values[c.name] for c in constants if c.kind != "stack" and set(rows_of[c.name]) & set(out)}
        found.append(
            LeftOut(
                system,
                out,
                alone,
                again.values,
                tuple(model.predictions(again.values, out)),
                tuple(model.predictions({**again.values, **own}, out)),
            )
        )
    return found
