"""Reading folders of results back: what marks them, and errors that say what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from supernode.errors import SpecError
from supernode.files import MARK
from supernode.filetext import as_path, is_folder, is_there, read_bytes
from supernode.quoting import quote

__all__ = ["is_folded", "read_kind", "read_meta"]

#: What each kind of folder is read by.
_READERS = {"result": "Result.load", "bench": "Bench.load"}

#: What the description of a run has at least.
_KEYS = ("system", "collective", "n_ranks", "time_fs", "bound_fs", "effective", "folding", "warnings", "wall_s")


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
    for run in meta.get("runs", ()) if kind == "bench" else (meta,):
        missing = [key for key in _KEYS if not isinstance(run, dict) or key not in run]
        if missing:
            raise SpecError(f"{place / MARK}: {missing[0]} is missing")
    return place, meta


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
