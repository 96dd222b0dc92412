"""Where a prediction is wrong: at small messages (offset), at large ones (slope), or between.

**Model.** The exponent of a measured curve, d log(time) over d log(size), is near 0 where the time does not depend on
the size and near 1 where it is proportional to it. Small are sizes of exponents below 1/3, large those above 2/3. Of a
time ``a + b * size``, small then means that the size adds less than half to the offset ``a``, and large that the
bandwidth is at least 2/3 of its peak.

**Invariant.** Small, middle and large are runs of sizes in this order, those that contradict the exponents least. So
noise at one size cuts no regime in two. The measured curve alone decides, so that all simulated curves are judged by
the same sizes.

**Limits.** Exponents need several sizes. A file of large messages only has no small ones, and says nothing of the
offset.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.quoting import quote

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Regime", "cut", "regimes", "regimes_of"]

#: Names, with what their error is one of, in order of size.
NAMES = {"small": "offset", "middle": "between", "large": "slope"}
_BOUNDS = {"small": (-math.inf, 1 / 3), "middle": (1 / 3, 2 / 3), "large": (2 / 3, math.inf)}
#: Errors up to this many per cent are worded as a bound, whatever their sign.
_CLOSE = 5


@dataclass(frozen=True)
class Regime:
    """The error of a simulated curve at small, middle or large sizes.

    Parameters
    ----------
    curve
        System and algorithm asked for, and the collective and ranks where there are several.
    name
        ``"small"``, ``"middle"`` or ``"large"``; ``"one"`` if only one size was measured.
    least_bytes, most_bytes
        First and last size.
    points
        Measured times.
    error_percent, least_percent, most_percent
        Simulated time over measured, less 1: median, least and largest.
    offset_ns
        Simulated time less measured, the median.
    """

    curve: str
    name: str
    least_bytes: int
    most_bytes: int
    points: int
    error_percent: float
    least_percent: float
    most_percent: float
    offset_ns: float

    def __str__(self) -> str:
        sizes = _size(self.least_bytes)
        if self.most_bytes != self.least_bytes:
            sizes += f" to {_size(self.most_bytes)}"
        if self.name == "one":
            return f"{sizes}: {self.words()}"
        return f"{self.name} messages ({NAMES[self.name]}, {sizes}): {self.words()}"

    def words(self) -> str:
        """Word the error: ``12 % too fast``."""
        low, high = self.least_percent, self.most_percent
        if max(-low, high) <= _CLOSE:
            return f"within {max(1, math.ceil(max(-low, high)))} %"
        text = _signed(self.error_percent)
        if self.name == "small":
            text += f", {abs(self.offset_ns) / 1e3:.2g} us"
        if round(low) == round(high):
            return text
        if low < 0 < high:
            return f"{text} (from {_signed(low)} to {_signed(high)})"
        return f"{text} ({min(abs(low), abs(high)):.0f} to {max(abs(low), abs(high)):.0f} %)"


def _signed(percent: float) -> str:
    return f"{abs(percent):.0f} % too {'fast' if percent < 0 else 'slow'}"


def _size(size: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} B"


def regimes(comparison: pa.Table) -> tuple[Regime, ...]:
    r"""Tell the errors of small, middle and large messages apart.

    Parameters
    ----------
    comparison
        What :meth:`supernode.Bench.compare` returns.

    Returns
    -------
    tuple of Regime
        In order of size, curve after curve. ``print(*sn.regimes(table), sep="\\n")`` words them.

    Raises
    ------
    SpecError
        If it is no comparison, or has no rows.

    Examples
    --------
    >>> import supernode as sn
    >>> table = sn.bench("all_reduce", "hgx-h100").compare("measured.log")  # doctest: +SKIP
    >>> print(*sn.regimes(table), sep="\\n")  # doctest: +SKIP
    """
    needed = ("system", "requested", "collective", "ranks", "size_bytes", "time_ns", "measured_time_ns")
    names = getattr(comparison, "column_names", None)
    if names is None or not set(needed) <= set(names):
        raise SpecError(f"comparison: {quote(comparison)} is none; Bench.compare returns one")
    rows = comparison.select(needed).to_pylist()
    if not rows:
        raise SpecError("comparison: it has no rows")
    several = len({(row["collective"], row["ranks"]) for row in rows}) > 1
    curves: dict[str, list[tuple[int, float, float]]] = {}
    for row in rows:
        curve = f"{row['system']}, {row['requested']}"
        if several:
            curve += f", {row['collective']} on {row['ranks']} ranks"
        curves.setdefault(curve, []).append((row["size_bytes"], row["measured_time_ns"], row["time_ns"]))
    return tuple(regime for curve, points in curves.items() for regime in regimes_of(curve, points))


def regimes_of(curve: str, points: Iterable[tuple[int, float, float]]) -> list[Regime]:
    """Return the regimes of one curve, from size, measured and simulated time of each point."""
    by_size: dict[int, list[tuple[float, float]]] = {}
    for size, measured, simulated in points:
        by_size.setdefault(size, []).append((measured, simulated))
    sizes = sorted(by_size)
    if len(sizes) == 1:
        return [_regime(curve, "one", sizes, by_size)]
    middles = [math.exp(sum(math.log(m) for m, _ in by_size[s]) / len(by_size[s])) for s in sizes]
    parts = cut(sizes, middles)
    return [_regime(curve, name, sizes[first:last], by_size) for name, (first, last) in parts.items() if last > first]


def _regime(
    curve: str, name: str, sizes: Sequence[int], by_size: Mapping[int, Sequence[tuple[float, float]]]
) -> Regime:
    both = [pair for size in sizes for pair in by_size[size]]
    errors = [100 * (simulated / measured - 1) for measured, simulated in both]
    return Regime(
        curve=curve,
        name=name,
        least_bytes=sizes[0],
        most_bytes=sizes[-1],
        points=len(both),
        error_percent=median(errors),
        least_percent=min(errors),
        most_percent=max(errors),
        offset_ns=median(simulated - measured for measured, simulated in both),
    )


def cut(sizes: Sequence[int], times: Sequence[float]) -> dict[str, tuple[int, int]]:
    """Cut a curve of at least two sizes into small, middle and large.

    Parameters
    ----------
    sizes
        Sizes, growing.
    times
        Their times, above 0.

    Returns
    -------
    dict
        First index of each regime and the one behind its last.
    """
    last = len(sizes) - 1
    exponents = [
        math.log(times[min(i + 1, last)] / times[max(i - 1, 0)])
        / math.log(sizes[min(i + 1, last)] / sizes[max(i - 1, 0)])
        for i in range(len(sizes))
    ]
    names = list(_BOUNDS)
    # the cheapest way to each regime up to this size, and where it came from; regimes follow each other
    costs: list[float] = [0.0] * 3
    came: list[list[int]] = []
    for exponent in exponents:
        before = [min(range(k + 1), key=lambda j: (costs[j], -j)) for k in range(3)]
        came.append(before)
        misfits: list[Any] = [max(low - exponent, exponent - high, 0.0) for low, high in _BOUNDS.values()]
        costs = [costs[j] + misfit for j, misfit in zip(before, misfits, strict=True)]
    state = min(range(3), key=lambda k: (costs[k], -k))
    chosen = []
    for before in reversed(came):
        chosen.append(state)
        state = before[state]
    chosen.reverse()
    return {name: (sum(s < k for s in chosen), sum(s <= k for s in chosen)) for k, name in enumerate(names)}
