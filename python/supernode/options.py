"""The keywords of a run, checked one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from supernode.errors import SpecError
from supernode.names import canonical, choose
from supernode.units import U64_MAX, Quantity

__all__ = [
    "FIDELITIES",
    "FLOW_CONTROLS",
    "RECORDS",
    "ProgressOption",
    "RunOptions",
    "parse_fidelity",
    "parse_flow_control",
    "parse_placement",
    "parse_record",
    "parse_seconds",
    "parse_whole",
]

FIDELITIES = ("auto", "packet", "analytic")
FLOW_CONTROLS = ("credit", "unlimited")
#: Tables that have to be asked for; ``summary`` is always there.
RECORDS = ("ranks", "links", "switches", "flows")

#: ``None``: a bar on a terminal when a run takes longer than about a second. A function gets the simulated time in ns,
#: bytes delivered and bytes in all.
ProgressOption = bool | None | Callable[[int, int, int], None]


class RunOptions(TypedDict, total=False):
    """Keywords of :func:`supernode.simulate`, which documents them."""

    algorithm: str
    fidelity: str
    stack: str | None
    protocol: str | None
    routing: str | None
    flow_control: str
    record: Sequence[str] | str
    threads: int
    seed: int
    ranks: int | None
    placement: npt.ArrayLike | None
    root: int
    lanes: int | None
    chunks: int | None
    dtype: str
    packet_budget: int | None
    time_limit: Quantity | None
    memory_limit: Quantity | None
    timeout: float | None
    progress: ProgressOption


def parse_whole(value: object, what: str, *, low: int = 0, high: int = U64_MAX) -> int:
    """Return a whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise SpecError(f"{what}: {value!r} is not valid; it must be a whole number from {low} to {high}")
    return int(value)


def parse_fidelity(value: str) -> str:
    """Return the name of a fidelity."""
    return choose("fidelity", value, FIDELITIES)


def parse_flow_control(value: str) -> str:
    """Return the name of a flow control."""
    return choose("flow control", value, FLOW_CONTROLS)


def parse_record(value: Sequence[str] | str) -> list[str]:
    """Return the names of the tables to record, each once, in the core's order."""
    names = [v for v in value.split(",") if v] if isinstance(value, str) else list(value)
    asked = {canonical("table", n.strip() if isinstance(n, str) else n, ("summary", *RECORDS)) for n in names}
    return [r for r in RECORDS if r in asked]


def parse_placement(value: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Return the accelerator of each rank."""
    array = np.asarray(value)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise SpecError(
            f"placement: shape {array.shape} of {array.dtype} is not valid; it must be a list of accelerator numbers, "
            "one a rank"
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= 2**32:
        raise SpecError(f"placement: {low if low < 0 else high} is not the number of an accelerator")
    return np.ascontiguousarray(array, dtype=np.uint32)


def parse_seconds(value: float, what: str) -> float:
    """Return a positive number of seconds of wall-clock time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise SpecError(f"{what}: {value!r} is not valid; it must be a number of seconds above 0")
    return float(value)
