"""The processor that launches calls on accelerators.

**Model.** A thread launches a call on each of its devices in turn, and is occupied for a time by each. The time depends
on the processor and its driver, not on the fabric. **Invariant.** It is the only home of this number. Runs of one call
do not use it; a bench does (``devices_per_thread=``). **Limits.** One value for all calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from supernode.units import Quantity, parse_latency

__all__ = ["Host"]


@dataclass(frozen=True)
class Host:
    """The processor that launches calls on accelerators.

    Parameters
    ----------
    launch
        Time that a thread takes to launch a call on one device: text such as ``"4 us"``.

    Raises
    ------
    SpecError
        If it is no time, negative, or a second or longer.
    """

    launch: Quantity

    def __post_init__(self) -> None:
        self.launch_fs()

    def launch_fs(self) -> int:
        """Return the time of a launch in femtoseconds."""
        return parse_latency(self.launch, "host, launch", zero=True)
