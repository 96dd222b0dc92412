"""Finding the values of constants that rows determine.

**Model.** The loss is the mean of abs(log(predicted / measured)). One constant after the other moves to the best
point of its grid, in strides that shrink, until a whole round gains less than 1 %. **Invariant.**
The same rows give the same values: the order of constants and points is fixed, and of equal points the one nearest to
the start is kept. A constant that moves no prediction by more than its rounding is not fitted. **Cost.** About 20
points a constant and round; what was predicted once is not predicted again. **Limits.** Constants that move the same
rows the same way share what they explain: their intervals are those of one constant with the others fixed. A search
along one constant at a time can stop at a ridge. An optimiser for smooth functions would do no better: a loss of
absolute values has kinks, and where the larger of two times counts it is flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from supernode.calibration.constants import LEVELS, Constant
from supernode.calibration.model import Model, loss_of

__all__ = ["Fit", "influence", "informing", "interval", "search", "settle"]

#: Strides over the grid of a constant in the first round and in the later ones.
_STRIDES = ((16, 4, 1), (4, 1))
#: Rounds at most, and the gain of a round below which the search ends.
_ROUNDS, _GAIN = 6, 1e-2
#: A loss that is so much larger is still taken for as good.
_AS_GOOD = 1.05


@dataclass(frozen=True)
class Fit:
    """What a search found.

    Parameters
    ----------
    values
        Of all constants, those that were not fitted at the value that they were given.
    loss
        Loss there.
    fitted
        Names of those that were fitted.
    """

    values: Mapping[str, float]
    loss: float
    fitted: tuple[str, ...]


class _Loss:
    """The loss of rows, of which only those are predicted anew that a constant moves."""

    def __init__(self, model: Model, numbers: Sequence[int]) -> None:
        self._model, self._numbers = model, list(numbers)
        self._rows = [model.rows[n] for n in self._numbers]

    def at(self, values: Mapping[str, float]) -> float:
        """Return the loss for these values."""
        return loss_of(self._rows, self._model.predictions(values, self._numbers))


def influence(
    model: Model, constant: Constant, values: Mapping[str, float], numbers: Sequence[int]
) -> dict[int, float]:
    """Return by how much each row's prediction moves, as a share of it, between the bounds of a constant.

    Rows that move by no more than their rounding are left out.
    """
    found = {}
    for n in numbers:
        times = [model.predict(n, {**values, constant.name: end}) for end in (constant.low, constant.high)]
        moved = abs(times[1] - times[0]) / max(min(times), 1e-9)
        if moved > model.rows[n].rounding:
            found[n] = moved
    return found


def informing(model: Model, constant: Constant, values: Mapping[str, float]) -> dict[int, float]:
    """Return :func:`influence` on all rows."""
    return influence(model, constant, values, range(len(model.rows)))


def search(
    model: Model,
    constants: Sequence[Constant],
    values: Mapping[str, float],
    numbers: Sequence[int],
    tell: Callable[[str], None] | None = None,
) -> Fit:
    """Look for the values of constants with the least loss over some rows.

    Parameters
    ----------
    model
        What predicts.
    constants
        What is fitted.
    values
        Of all constants, to begin with.
    numbers
        The rows.
    tell
        Is told how far it got.
    """
    loss, now = _Loss(model, numbers), dict(values)
    best = loss.at(now)
    for turn in range(_ROUNDS if constants else 0):
        before = best
        for constant in constants:
            now, best = _along(loss, constant, now, best, _STRIDES[min(turn, 1)])
        if tell is not None:
            tell(f"round {turn + 1}: loss {best:.4f}")
        if before - best <= _GAIN * before:
            break
    return Fit(now, best, tuple(c.name for c in constants))


def _along(
    loss: _Loss, constant: Constant, values: dict[str, float], best: float, strides: Sequence[int]
) -> tuple[dict[str, float], float]:
    """Move one constant to the best point of its grid."""
    here = nearest(constant, values[constant.name])
    for number, stride in enumerate(strides):
        # the widest stride goes over the whole grid, the others stay between its points
        reach = LEVELS if number == 0 and stride == _STRIDES[0][0] else 4 * stride
        center = here
        for index in _around(center, stride, reach):
            found = loss.at({**values, constant.name: constant.level(index)})
            if found < best:
                values, best, here = {**values, constant.name: constant.level(index)}, found, index
    return values, best


def _around(center: int, stride: int, reach: int) -> Iterator[int]:
    """Go through points of the grid, those near the center first."""
    for offset in range(stride, reach + 1, stride):
        for index in (center - offset, center + offset):
            if 0 <= index < LEVELS:
                yield index


def nearest(constant: Constant, value: float) -> int:
    """Return the point of the grid that is nearest to a value."""
    return min(range(LEVELS), key=lambda index: abs(constant.level(index) - value))


def interval(model: Model, constant: Constant, fit: Fit, numbers: Sequence[int]) -> tuple[float, float]:
    """Return the range of values of a constant, the others fixed, whose loss is within 5 % of the least."""
    loss = _Loss(model, numbers)
    here, ends = nearest(constant, fit.values[constant.name]), []
    for step in (-1, 1):
        index = here
        while 0 <= index + step < LEVELS:
            if loss.at({**fit.values, constant.name: constant.level(index + step)}) > _AS_GOOD * fit.loss:
                break
            index += step
        ends.append(constant.level(index))
    own = fit.values[constant.name]
    return min(ends[0], own), max(ends[1], own)


def settle(
    model: Model,
    constants: Sequence[Constant],
    values: Mapping[str, float],
    back: Mapping[str, float],
    numbers: Sequence[int],
) -> Fit:
    """Search, put back what the rows do not determine, and search for the others again, until none is left to put back.

    A constant is not determined if both of its bounds have a loss within 5 % of the least.

    Parameters
    ----------
    model, constants, values, numbers
        As for :func:`search`.
    back
        Where each constant goes that is not determined.
    """
    loss, left = _Loss(model, numbers), list(constants)
    while True:
        fit = search(model, left, values, numbers)
        flat = [
            c
            for c in left
            if all(loss.at({**fit.values, c.name: end}) <= _AS_GOOD * fit.loss for end in (c.low, c.high))
        ]
        if not flat:
            return fit
        # one at a time, the least missed first: of two that can trade, one is determined once the other is fixed
        gone = min(flat, key=lambda c: (loss.at({**fit.values, c.name: back[c.name]}), c.name))
        values = {**fit.values, gone.name: back[gone.name]}
        left.remove(gone)
