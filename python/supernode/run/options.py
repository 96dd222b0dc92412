"""The keywords of a run, checked one by one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from supernode import core
from supernode.errors import SpecError
from supernode.names import canonical, choose
from supernode.quoting import quote
from supernode.units import TIME_UNITS, Quantity, parse_time
from supernode.values import listed, parse_names, parse_whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "FIDELITIES",
    "FLOW_CONTROLS",
    "RECORDS",
    "ProgressOption",
    "RunOptions",
    "parse_budget",
    "parse_fidelity",
    "parse_flow_control",
    "parse_levels",
    "parse_placement",
    "parse_progress",
    "parse_record",
    "parse_seconds",
    "refuse_idle",
]

FIDELITIES = ("auto", *core.vocabulary()["fidelities"])
FLOW_CONTROLS = ("credit", "unlimited")
#: Tables that have to be asked for; ``summary`` is always there.
RECORDS = tuple(core.vocabulary()["tables"])

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
    record: Sequence[str] | str | None
    fold: bool
    threads: int
    seed: int
    ranks: int | None
    placement: npt.ArrayLike | None
    root: int
    lanes: int | None
    chunks: int | None
    levels: Sequence[int] | str | None
    dtype: str
    budget: Quantity | None
    time_limit: Quantity | None
    memory_limit: Quantity | None
    skip: bool
    self_check: bool
    uncertainty: bool
    timeout: float | str | None
    progress: ProgressOption


def refuse_idle(options: Mapping[str, Any], idle: Collection[str], where: str) -> None:
    """Refuse keywords of a run that mean nothing where nothing runs.

    Raises
    ------
    SpecError
        Naming the keyword and those that have a meaning.
    """
    for name in options:
        if name in idle:
            valid = [key for key in sorted(RunOptions.__annotations__) if key not in idle]
            raise SpecError(f"{name}= has no effect on {where}; valid: {', '.join(valid)}")


def parse_budget(value: Quantity) -> int:
    """Return a budget of nominal processor time in nanoseconds."""
    nanoseconds = parse_time(value, "budget") // 10**6
    if not nanoseconds:
        raise SpecError(f"budget: {quote(value)} is not valid; it must be at least 1 ns, for example '30 s'")
    return nanoseconds


def parse_fidelity(value: str) -> str:
    """Return the name of a fidelity."""
    return choose("fidelity", value, FIDELITIES)


def parse_flow_control(value: str) -> str:
    """Return the name of a flow control."""
    return choose("flow control", value, FLOW_CONTROLS)


def parse_levels(value: Iterable[int] | str | None) -> list[int] | None:
    """Return the sizes of nested groups."""
    if value is None:
        return None
    if isinstance(value, str):
        parts: list[Any] = [int(p) if p.strip().isdecimal() and len(p) < 20 else p for p in value.split(",")]
    else:
        parts = listed(value, "levels", "a list of group sizes, or sizes with commas")
    return [parse_whole(part, "levels", low=1, high=2**32 - 1) for part in parts]


def parse_record(value: Iterable[str] | str | None) -> list[str]:
    """Return the names of the tables to record, each once, in the core's order."""
    names = parse_names(value, "record")
    asked = {canonical("table", n.strip() if isinstance(n, str) else n, ("summary", *RECORDS)) for n in names}
    return [r for r in RECORDS if r in asked]


def parse_placement(value: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Return the accelerator of each rank."""
    import numpy as np

    try:
        array = np.asarray(value)
    except Exception:  # ragged lists, and objects that NumPy cannot take apart
        raise SpecError(
            f"placement: {quote(value)} is not valid; it must be a list of accelerator numbers, one for each rank"
        ) from None
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise SpecError(
            f"placement: shape {array.shape} of {array.dtype} is not valid; it must be a list of accelerator numbers, "
            "one for each rank"
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= 2**32:
        raise SpecError(f"placement: {low if low < 0 else high} is not the number of an accelerator")
    return np.ascontiguousarray(array, dtype=np.uint32)


def parse_seconds(value: float | str, what: str) -> float:
    """Return a positive number of seconds of wall-clock time, given as such or with a unit."""
    if isinstance(value, str):
        return parse_time(value, what) / TIME_UNITS["s"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise SpecError(f"{what}: {quote(value)} is not valid; it must be a number of seconds above 0, or as '90 s'")
    return float(value)


def parse_progress(value: ProgressOption) -> ProgressOption:
    """Return how progress is shown, checked."""
    if value is None or isinstance(value, bool) or callable(value):
        return value
    raise SpecError(f"progress: {quote(value)} is not valid; it must be True, False, None or a function")
