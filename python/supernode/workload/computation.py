"""Computation and pauses of a workload."""

from __future__ import annotations

from supernode.units import Quantity, parse_time
from supernode.workload.operations import After, Operation
from supernode.workload.program import Program

__all__ = ["Computation"]


class Computation(Program):
    """A program that computation can be added to."""

    def compute(
        self,
        duration: Quantity,
        *,
        stream: str = "main",
        after: After = None,
        name: str | None = None,
    ) -> Operation:
        """Add a computation, which has the device to itself: others wait, first come, first served.

        Collectives that run beside it slow it by their ``share``.

        Parameters
        ----------
        duration
            How long it takes on an undisturbed device.
        stream, after, name
            As in :meth:`collective`.
        """
        place = self._place(name, "compute", stream, after)
        return self._add({"kind": "compute", "place": place, "work_fs": parse_time(duration, "duration", zero=True)})

    def delay(self, time: Quantity, *, stream: str = "main", after: After = None, name: str | None = None) -> Operation:
        """Add a pause of a stream, which occupies nothing.

        Parameters
        ----------
        time
            How long.
        stream, after, name
            As in :meth:`collective`.
        """
        place = self._place(name, "delay", stream, after)
        return self._add({"kind": "delay", "place": place, "time_fs": parse_time(time, "time", zero=True)})
