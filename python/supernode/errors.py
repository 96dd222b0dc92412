"""The exceptions of supernode: an enumerated contract.

Every error of the Rust core carries a stable code; :data:`BY_CODE` gives the class that the binding raises for it.
``exit_code`` is what the command line returns: 2 where the caller's input is to blame, 1 where a valid run failed.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BY_CODE",
    "AlgorithmError",
    "DeadlockError",
    "FabricError",
    "InternalError",
    "MemoryLimitError",
    "MissingExtraError",
    "NotRecordedError",
    "OutputError",
    "ScheduleError",
    "SimulationTimeout",
    "SizeOverflowError",
    "SpecError",
    "SupernodeError",
    "UnfinishedError",
    "UnitError",
    "UnroutableError",
    "WorkerError",
]


class SupernodeError(Exception):
    """Base class of everything that supernode raises on purpose."""

    exit_code: ClassVar[int] = 1


class SpecError(SupernodeError, ValueError):
    """A value is out of range, unknown, or contradicts another."""

    exit_code = 2


class MissingExtraError(SpecError, ImportError):
    """Something was asked for that needs an extra of the package, which is not installed."""


class UnitError(SpecError):
    """A quantity whose text, unit or range is not valid."""


class FabricError(SupernodeError, ValueError):
    """A fabric that cannot be built from its parameters."""

    exit_code = 2


class AlgorithmError(SupernodeError, ValueError):
    """A collective, algorithm and number of ranks that do not go together."""

    exit_code = 2


class SizeOverflowError(SupernodeError, ValueError, OverflowError):
    """A quantity that does not fit its integer."""

    exit_code = 2


class OutputError(SupernodeError, OSError):
    """A file or folder that could not be written: a full disk, a lost connection, a missing permission."""


class UnroutableError(SupernodeError):
    """Two ranks that no route joins."""


class MemoryLimitError(SupernodeError, MemoryError):
    """A run or table that would not fit in the allowed memory."""


class DeadlockError(SupernodeError):
    """Packets that wait for buffer space in a cycle."""


class UnfinishedError(SupernodeError):
    """A run that ended while ranks still waited for messages."""


class ScheduleError(SupernodeError):
    """A schedule whose symbolic execution does not give the collective's result."""


class SimulationTimeout(SupernodeError, TimeoutError):
    """The limit of simulated or of wall-clock time was reached."""


class NotRecordedError(SupernodeError, LookupError):
    """A table was asked for that the run did not record."""

    exit_code = 2


class WorkerError(SupernodeError):
    """Workers of a sweep that ended before their work did; what was done is kept."""


class InternalError(SupernodeError, RuntimeError):
    """A defect of supernode itself."""


#: Exception class for each error code of the core. ``interrupted`` stays Python's own ``KeyboardInterrupt``.
BY_CODE: dict[str, type[BaseException]] = {
    "spec": SpecError,
    "fabric": FabricError,
    "algorithm": AlgorithmError,
    "overflow": SizeOverflowError,
    "unroutable": UnroutableError,
    "memory": MemoryLimitError,
    "deadlock": DeadlockError,
    "unfinished": UnfinishedError,
    "schedule": ScheduleError,
    "timeout": SimulationTimeout,
    "interrupted": KeyboardInterrupt,
    "internal": InternalError,
}
