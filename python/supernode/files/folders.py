"""Folders of results: the old content or the new one, whole, whenever the program ends.

A folder is written beside its place and exchanged with what is there in one step of the file system (``renameat2``
with ``RENAME_EXCHANGE`` on Linux). So a process that is killed leaves the old results or the new ones, never a mix; at
worst a hidden folder ``.NAME.XXXX.tmp`` stays behind. Files of others in the folder move along as links.

**Limits.** Where a folder cannot be exchanged its files are replaced one by one: one that holds other folders, the
current directory, a mount point, a parent without permission, or a file system without the call. ``meta.json`` goes
first and comes back last, so that a process that is killed in that moment leaves a folder without ``meta.json``, which
counts as no result.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from supernode.errors import OutputError
from supernode.files.write import MARK, plain_mode, writing

__all__ = ["whole_folder"]

#: Arguments of renameat2(2): paths as the process sees them, and both of them swapped.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def whole_folder(target: Path, own: Collection[str]) -> Iterator[Path]:
    """Give an empty folder to write to, and put it in the place of ``target`` if nothing was raised.

    Parameters
    ----------
    target
        The folder; made with those above it if it does not exist.
    own
        Names of the files that a result may have: those of an older one go, all other files stay.

    Raises
    ------
    OutputError
        If it cannot be written; what was there stays.
    """
    with writing(target):
        place = target.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = not place.exists() or _exchangeable(place)
        name = tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".tmp", dir=place.parent if beside else place)
        stage = Path(name)
        try:
            with _called(stage, target):
                yield stage
            stage.chmod(plain_mode(0o777))
            _put(stage, place, own)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _called(stage: Path, target: Path) -> Iterator[None]:
    """Name the folder that the user knows in errors about the one beside it."""
    try:
        yield
    except OutputError as error:
        found = OutputError(str(error).replace(str(stage), str(target)))
        found.errno = error.errno
        raise found from None


def _put(stage: Path, place: Path, own: Collection[str]) -> None:
    """Give the finished folder its place."""
    if not place.exists():
        stage.rename(place)
    elif stage.parent == place or not _linked(place, stage, own) or not _exchange(stage, place):
        _one_by_one(stage, place, own)
    else:
        # what others wrote into the old folder after the links were made
        for late in stage.iterdir():
            if late.name not in own and not (place / late.name).exists():
                late.rename(place / late.name)


def _exchangeable(place: Path) -> bool:
    """Tell whether a folder can be another one from one moment to the next."""
    return (
        os.access(place.parent, os.W_OK)
        and place.stat().st_dev == place.parent.stat().st_dev
        and not place.samefile(Path.cwd())
        and not any(entry.is_dir() for entry in place.iterdir())
    )


def _linked(place: Path, stage: Path, own: Collection[str]) -> bool:
    """Link the files of others into the new folder; False where the file system or its rules do not let us."""
    try:
        shutil.copymode(place, stage)
        for entry in place.iterdir():
            if entry.name not in own:
                os.link(entry, stage / entry.name, follow_symlinks=False)
    except OSError:
        return False
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system has no such call."""
    if not sys.platform.startswith("linux"):
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    failed: int = call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE))
    return failed == 0


def _one_by_one(stage: Path, place: Path, own: Collection[str]) -> None:
    """Replace the files; the one that marks a folder as complete goes first and comes last."""
    (place / MARK).unlink(missing_ok=True)
    for name in own:
        (place / name).unlink(missing_ok=True)
    mine = [entry for entry in stage.iterdir() if entry.name in own]
    for entry in sorted(mine, key=lambda path: path.name == MARK):
        entry.replace(place / entry.name)
