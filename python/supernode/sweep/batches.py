"""Which points a worker gets at once: points of one machine, about a second of predicted work.

The work of a point is predicted from points of the same machine, collective and algorithm that came back already; of
those, the ones of the nearest size count. Until some came back, a point is taken for an average one.

**Invariant.** Each point is in one batch. What is predicted decides only how points are put together, never what they
give. **Cost.** Microseconds per point. **Limits.** At most ``WAITING`` points wait for others of their machine; then
batches of several machines are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supernode.sweep.point import Job

__all__ = ["Batches", "Pace", "Point"]

#: Seconds of work that a batch should have, and points that it has at most.
BATCH_S, BATCH_POINTS = 1.0, 512
#: Points that wait for others of their machine.
WAITING = 2048
#: Kinds of points whose pace is remembered.
KINDS = 10_000
#: Weight of a new measurement against those before.
_NEW = 0.3


@dataclass(frozen=True)
class Point:
    """A job and the parameters that stand beside its result."""

    job: Job
    columns: Mapping[str, Any]

    @property
    def machine(self) -> str:
        """What tells machines apart."""
        return str(self.columns.get("system_hash"))

    @property
    def kind(self) -> tuple[str, str, str]:
        """Points of one kind take about as long if they have the same size."""
        return self.machine, str(self.columns.get("collective")), str(self.columns.get("algorithm"))

    @property
    def magnitude(self) -> int:
        """The size as a power of two."""
        size = self.columns.get("size")
        return size.bit_length() if isinstance(size, int) else 0


class Pace:
    """Seconds per point, as measured so far."""

    def __init__(self) -> None:
        self._mean = BATCH_S
        self._kinds: dict[tuple[str, str, str], dict[int, float]] = {}

    def predict(self, point: Point) -> float:
        """Return the seconds that a point is expected to take."""
        sizes = self._kinds.get(point.kind)
        if not sizes:
            return self._mean
        return sizes[min(sizes, key=lambda other: (abs(other - point.magnitude), other))]

    def learn(self, batch: Iterable[Point], seconds: Iterable[float]) -> None:
        """Take in what points took."""
        for point, took in zip(batch, seconds, strict=True):
            self._mean += _NEW * (took - self._mean)
            sizes = self._kinds.setdefault(point.kind, {})
            sizes[point.magnitude] = took + (1 - _NEW) * (sizes.get(point.magnitude, took) - took)
            if len(self._kinds) > KINDS:
                self._kinds.pop(next(iter(self._kinds)))


class Batches:
    """Puts points together."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._open: dict[str, list[Point]] = {}
        self._seconds: dict[str, float] = {}
        self._waiting = 0

    def add(self, point: Point) -> Iterator[list[Point]]:
        """Take a point; give what is ready."""
        machine = point.machine
        group = self._open.setdefault(machine, [])
        group.append(point)
        self._waiting += 1
        self._seconds[machine] = self._seconds.get(machine, 0.0) + self._pace.predict(point)
        if self._seconds[machine] >= BATCH_S or len(group) >= BATCH_POINTS:
            yield self._close(machine)
        elif self._waiting > WAITING:
            yield self._mixed()

    def rest(self) -> Iterator[list[Point]]:
        """Give what is left."""
        while self._open:
            yield self._mixed()

    def _close(self, machine: str) -> list[Point]:
        batch = self._open.pop(machine)
        del self._seconds[machine]
        self._waiting -= len(batch)
        return batch

    def _mixed(self) -> list[Point]:
        """Put the groups that wait for longest together, up to a second."""
        batch: list[Point] = []
        seconds = 0.0
        while self._open:
            machine = next(iter(self._open))
            if batch and (
                seconds + self._seconds[machine] > BATCH_S or len(batch) + len(self._open[machine]) > BATCH_POINTS
            ):
                break
            seconds += self._seconds[machine]
            batch += self._close(machine)
        return batch
