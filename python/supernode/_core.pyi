"""The extension module: one door into the Rust core."""

from collections.abc import Callable
from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = [
    "CancelToken",
    "Fabrics",
    "ProgramRun",
    "Run",
    "Schedule",
    "ScheduleRun",
    "__version__",
    "auto_buffer",
    "calls",
    "check_schedule",
    "describe",
    "edges",
    "error_codes",
    "explain",
    "program",
    "rounded_bytes",
    "run_schedule",
    "schedule_formats",
    "simulate",
    "validate",
    "version_info",
    "vocabulary",
]

__version__: str

@final
class Run:
    """The result of one simulation."""

    @property
    def time_fs(self) -> int: ...
    @property
    def meta_json(self) -> str:
        """JSON object: algorithm, protocol, fidelity, bound_fs, bound_kind, bottleneck, packet_hops, windows, threads,
        state_bytes, folding (object), skipping (jumps, periods, time_fs, packet_hops, reason), wall_s, warnings (list
        of str), effective (the whole effective specification)."""
    def table(self, name: str, expand: bool = False) -> pa.Table:
        """One of ``summary``, ``ranks``, ``links``, ``switches``, ``flows``; ``expand``: one row each, not a class."""
    def tables(self) -> list[str]: ...

@final
class ProgramRun:
    """The result of one run of workloads."""

    @property
    def time_fs(self) -> int: ...
    @property
    def meta_json(self) -> str:
        """JSON object: fidelity, bound_fs, bound_kind, bottleneck, packet_hops, windows, threads, state_bytes, folding
        (object), skipping (object), wall_s, warnings (list of str), operations (list of objects)."""
    def table(self, name: str, expand: bool = False) -> pa.Table:
        """One of :meth:`tables`; ``expand``: one row each, not a class."""
    def tables(self) -> list[str]: ...

@final
class Schedule:
    """A program of operations on ranks."""

    @staticmethod
    def read(path: Path, format: str | None = None, size: int | None = None) -> tuple[Schedule, str]:
        """Reads a file; the name of its format, too."""
    @staticmethod
    def of_columns(
        ranks: int,
        rank: npt.NDArray[np.uint32],
        act: npt.NDArray[np.uint8],
        peer: npt.NDArray[np.uint32],
        amount: npt.NDArray[np.uint64],
        tag: npt.NDArray[np.uint32],
        stream: npt.NDArray[np.uint16],
        labels: list[str],
        after: npt.NDArray[np.uint32],
        before: npt.NDArray[np.uint32],
        on_begin: npt.NDArray[np.bool_],
    ) -> Schedule:
        """Makes one of columns: rows of one rank stand together, ranks in ascending order."""
    @property
    def ranks(self) -> int: ...
    @property
    def state_bytes(self) -> int: ...
    def __len__(self) -> int: ...
    def table(self, name: str) -> pa.Table:
        """``operations`` or ``dependencies``."""
    def write(self, path: Path, format: str | None = None) -> list[str]:
        """Writes a file; what its format cannot hold."""

@final
class ScheduleRun:
    """The result of one run of an explicit schedule."""

    @property
    def time_fs(self) -> int: ...
    @property
    def meta_json(self) -> str:
        """JSON object: fidelity, protocol, operations (their number), bound_fs, bound_kind, bottleneck, packet_hops,
        windows, threads, state_bytes, folding (object), skipping (object), wall_s, warnings (list of str)."""
    def table(self, name: str, expand: bool = False) -> pa.Table:
        """One of :meth:`tables`."""
    def tables(self) -> list[str]: ...

@final
class CancelToken:
    """Stops a run from another thread."""

    def __new__(cls) -> CancelToken: ...
    def cancel(self) -> None: ...

@final
class Fabrics:
    """Fabrics that runs share: of runs on one system that are given the same store, the first one builds it.

    It keeps the ``most`` that were used last."""

    def __new__(cls, most: int) -> Fabrics: ...

def simulate(
    spec_json: str,
    placement: npt.NDArray[np.uint32] | None = None,
    progress: Callable[[int, int, int, str, float], None] | None = None,
    cancel: CancelToken | None = None,
    timeout_s: float | None = None,
    fabrics: Fabrics | None = None,
) -> Run:
    """Runs one simulation. ``progress`` gets simulated nanoseconds, bytes delivered, bytes in all, the phase in
    words and the seconds that the run was predicted to take on the nominal core."""

def program(
    spec_json: str,
    progress: Callable[[int, int, int, str, float], None] | None = None,
    cancel: CancelToken | None = None,
    timeout_s: float | None = None,
    fabrics: Fabrics | None = None,
) -> ProgramRun:
    """Runs workloads; the specification has the machine, the stack, options and jobs."""

def run_schedule(
    spec_json: str,
    schedule: Schedule,
    placement: npt.NDArray[np.uint32] | None = None,
    progress: Callable[[int, int, int, str, float], None] | None = None,
    cancel: CancelToken | None = None,
    timeout_s: float | None = None,
    fabrics: Fabrics | None = None,
) -> ScheduleRun:
    """Runs an explicit schedule; the specification has machine, stack, options and one job without operations."""

def schedule_formats() -> list[tuple[str, str]]:
    """Name and extension of each format of schedules."""

def validate(spec_json: str, placement: npt.NDArray[np.uint32] | None = None) -> str:
    """Validates a specification and returns the effective one as JSON."""

def describe(system_json: str) -> str:
    """Counts of a system as JSON: accelerators, switches and links by level, bisection, injection, diameter, bytes."""

def edges(system_json: str) -> dict[str, npt.NDArray[np.uint32] | npt.NDArray[np.uint64]]:
    """Every directed link: vertex, port, peer, peer_port, network, level (uint32); rate, latency_fs, forward_fs."""

def check_schedule(
    spec_json: str, placement: npt.NDArray[np.uint32] | None = None, timeout_s: float | None = None
) -> str:
    """Runs the schedule symbolically; JSON report with messages, bytes, steps, lanes; raises ScheduleError if wrong."""

def explain(spec_json: str, placement: npt.NDArray[np.uint32] | None = None, timeout_s: float | None = None) -> str:
    """JSON list of every algorithm x protocol: predicted time, validity, reason."""

def vocabulary() -> str:
    """JSON object: pairs of a name and its other spellings, properties of collectives, limits."""

def rounded_bytes(collective: str, bytes: int, ranks: int, element_bytes: int) -> int:
    """The size that nccl-tests really runs when asked for ``bytes``."""

def auto_buffer(rate: int, latency_fs: int, switch_fs: int, payload: int, overhead: int) -> int:
    """Bytes of buffer behind a link (bit/s) with which one flow reaches the link's rate."""

def calls(launch_fs: int, devices: int, calls: int, device_fs: int) -> int | None:
    """Time of so many calls back to back that a thread launches on its devices; None beyond the clock's end."""

def error_codes() -> list[str]: ...
def version_info() -> dict[str, str]: ...
