"""Reading folders of results back: what marks them, and errors that say what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from supernode.errors import SpecError
from supernode.files.text import as_path, is_folder, is_there, read_bytes
from supernode.files.write import MARK
from supernode.quoting import quote

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_summary", "is_folded", "read_kind", "read_meta", "read_program_meta"]

#: What each kind of folder is read by.
_READERS = {"result": "Result.load", "bench": "Bench.load", "workload": "WorkloadResult.load",
            "schedule": "ScheduleResult.load"}  # fmt: skip

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Skipping(msgspec.Struct):
    """What was jumped over."""

    jumps: _Count
    periods: _Count
    time_fs: _Count
    packet_hops: _Count
    reason: str | None


class _Expected(msgspec.Struct, forbid_unknown_fields=True):
    """What was expected of the error of a run."""

    status: str
    stack: str
    collective: str
    fabric: str
    size: str
    median: float | None
    tail: float | None
    points: _Count
    systems: list[str]
    here: bool
    basis: str
    reason: str


class _Moved(msgspec.Struct, forbid_unknown_fields=True):
    """What one parameter with a range does to the time."""

    parameter: str
    value: str
    low: str
    high: str
    time_low_ns: float
    time_high_ns: float
    slower_at: str


class _Uncertainty(msgspec.Struct, forbid_unknown_fields=True):
    """What runs at the ends of ranges found."""

    time_low_fs: _Count
    time_high_fs: _Count
    runs: _Count
    notes: list[str]
    parameters: list[_Moved]


class _Run(msgspec.Struct):
    """What the description of a run has at least, and of which types."""

    system: str
    collective: str
    n_ranks: _Count
    time_fs: _Count
    bound_fs: _Count
    bound_kind: str
    algorithm: str
    protocol: str
    fidelity: str
    chosen_by: str
    bottleneck: str
    effective: dict[str, Any]
    folding: dict[str, Any]
    skipping: _Skipping
    overrides: dict[str, Any]
    versions: dict[str, str]
    warnings: list[str]
    seed: _Count
    wall_s: float
    self_check: dict[str, Any] | None = None
    expected_error: _Expected | None = None
    uncertainty: _Uncertainty | None = None


class _Program(msgspec.Struct):
    """What the description of a run of workloads or of an explicit schedule has at least, and of which types."""

    system: str
    n_ranks: _Count
    time_fs: _Count
    bound_fs: _Count
    bound_kind: str
    fidelity: str
    bottleneck: str
    operations: list[dict[str, Any]] | int
    folding: dict[str, Any]
    skipping: _Skipping
    overrides: dict[str, Any]
    versions: dict[str, str]
    warnings: list[str]
    seed: _Count
    wall_s: float


_REQUIRED = [field.name for field in msgspec.structs.fields(_Run) if field.required]

#: Columns of the summary that a result is asked for by name.
_NUMBERS = ("size_bytes", "algbw_gbytes_s", "busbw_gbytes_s")


def read_meta(folder: str | Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """Return the path of a folder of results and what its ``meta.json`` says.

    Parameters
    ----------
    folder
        The folder.
    kind
        ``"result"`` or ``"bench"``.

    Raises
    ------
    SpecError
        If there is no such folder, it is not complete, or it is of another kind.
    """
    place, meta = _read(folder)
    found = meta.get("kind") if isinstance(meta, dict) else None
    if found != kind:
        reader = f"; {_READERS[found]} reads it" if isinstance(found, str) and found in _READERS else ""
        raise SpecError(f"{place / MARK}: it is of kind {quote(found)}, not {kind!r}{reader}")
    runs = meta.get("runs", []) if kind == "bench" else [meta]
    if not isinstance(runs, list):
        raise SpecError(f"{place / MARK}: runs must be a list, not {quote(runs)}")
    for run in runs:
        missing = [key for key in _REQUIRED if not isinstance(run, dict) or key not in run]
        if missing:
            raise SpecError(f"{place / MARK}: {missing[0]} is missing")
        try:
            msgspec.convert(run, _Run)
        except (msgspec.ValidationError, OverflowError) as error:
            raise SpecError(f"{place / MARK}: {error}") from None
    return place, meta


def read_program_meta(folder: str | Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """Return the path of a folder of a result and what its ``meta.json`` says.

    Parameters
    ----------
    folder
        The folder.
    kind
        ``"workload"`` or ``"schedule"``.

    Raises
    ------
    SpecError
        If there is no such folder, it is not complete, or it is of another kind.
    """
    place, meta = _read(folder)
    found = meta.get("kind") if isinstance(meta, dict) else None
    if found != kind:
        reader = f"; {_READERS[found]} reads it" if isinstance(found, str) and found in _READERS else ""
        raise SpecError(f"{place / MARK}: it is of kind {quote(found)}, not {kind!r}{reader}")
    try:
        msgspec.convert(meta, _Program)
        if isinstance(meta["operations"], int) != (kind == "schedule"):
            raise SpecError(f"{place / MARK}: operations are not those of a {kind}")
    except (msgspec.ValidationError, OverflowError) as error:
        raise SpecError(f"{place / MARK}: {error}") from None
    return place, meta


def check_summary(place: Path, table: pa.Table) -> None:
    """Refuse a summary that is not the one row of numbers of a run.

    Raises
    ------
    SpecError
        Naming the column.
    """
    import pyarrow as pa

    if table.num_rows != 1:
        raise SpecError(f"{place}: summary has {table.num_rows} rows; a run has one")
    for name in _NUMBERS:
        kind = table.schema.field(name).type if name in table.column_names else None
        number = kind is not None and (pa.types.is_integer(kind) or pa.types.is_floating(kind))
        if not number or table[name].null_count:
            raise SpecError(f"{place}: column {name} of summary is missing, or no number")


def read_kind(folder: str | Path) -> str:
    """Return what a folder of results holds: ``"result"``, ``"bench"``, or what its ``meta.json`` says.

    Raises
    ------
    SpecError
        If there is no such folder, or it is not complete.
    """
    _, meta = _read(folder)
    return str(meta.get("kind")) if isinstance(meta, dict) else "list"


def _read(folder: str | Path) -> tuple[Path, Any]:
    """Return the path of a folder and its ``meta.json``."""
    place = as_path(folder, "folder")
    if not is_folder(place):
        raise SpecError(f"folder {quote(str(place))} {'is a file' if is_there(place) else 'does not exist'}")
    if not is_there(place / MARK):
        raise SpecError(
            f"folder {quote(str(place))} has no {MARK}: it is no folder of results, or saving was interrupted"
        )
    try:
        meta = msgspec.json.decode(read_bytes(place / MARK, "metadata"))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise SpecError(f"{place / MARK}: not valid JSON: {error}") from None
    return place, meta


def is_folded(meta: Mapping[str, Any]) -> bool:
    """Tell whether rows of a run's tables stand for classes."""
    return bool(meta["folding"].get("applied"))
