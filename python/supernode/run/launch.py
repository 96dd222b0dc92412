"""How the calls of a bench are launched: by threads of a host, one call right behind the other.

**Model.** ``crates/core/src/calls.rs``. **Invariant.** The result behind a row stays that of one call on the devices;
only the time of the row is that of calls back to back.
"""

from __future__ import annotations

from dataclasses import dataclass

from supernode import core
from supernode.errors import SpecError
from supernode.system import System
from supernode.values import parse_flag, parse_whole

__all__ = ["CALLS", "Launch", "parse_launch"]

#: Calls that nccl-tests makes without synchronising.
CALLS = 20


@dataclass(frozen=True)
class Launch:
    """How calls are launched.

    Parameters
    ----------
    launch_fs
        Femtoseconds to launch a call on one device.
    devices
        Devices of each thread.
    calls
        Calls back to back.
    """

    launch_fs: int
    devices: int
    calls: int = CALLS

    def per_call(self, device_fs: int) -> float:
        """Return femtoseconds per call, if the devices take ``device_fs`` for one."""
        whole = core.calls(self.launch_fs, self.devices, self.calls, device_fs)
        if whole is None:
            raise SpecError(f"calls: {self.calls} of {device_fs / 1e6:g} ns are beyond the end of the simulated clock")
        return whole / self.calls

    def cause(self, device_fs: int) -> str | None:
        """Word what the host does to the time, or ``None`` if the devices take longer than the host."""
        if self.devices * self.launch_fs <= device_fs:
            return None
        each = f"{self.launch_fs / 1e9:g} us"
        return f"host: a thread launches {self.devices} devices in turn, {each} each"


def parse_launch(
    system: System, ranks: int, devices_per_thread: object, calls: object, graph: object
) -> tuple[Launch | None, tuple[str, ...]]:
    """Return how calls are launched, ``None`` where no host is in the way, and what to say of it.

    Raises
    ------
    SpecError
        Naming the keyword, its value and what would be valid.
    """
    captured = parse_flag(graph, "graph")
    count = None if calls is None else parse_whole(calls, "calls", low=1, high=10**6)
    if devices_per_thread is None:
        for name, given in (("calls", count is not None), ("graph", captured)):
            if given:
                raise SpecError(f"{name}= has no effect without devices_per_thread=: no host is simulated")
        return None, ()
    devices = parse_whole(devices_per_thread, "devices_per_thread", low=1, high=2**32 - 1)
    if devices > ranks:
        raise SpecError(f"devices_per_thread: {devices} is not valid; there are {ranks} ranks")
    if captured:
        return None, ()
    if system.host is None:
        said = f"devices_per_thread has no effect: {system.label} has no host; give one with System.with_host"
        return None, (said,)
    return Launch(system.host.launch_fs(), devices, CALLS if count is None else count), ()
