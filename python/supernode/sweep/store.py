"""The folder of a sweep.

::

    out/sweep.json                                the sweep, and what wrote it
    out/points/system=nvl72/part-<shard>-<n>.parquet   points that ran
    out/failed/part-<shard>-<n>.parquet           points that did not, with their error

Parts are written in ``.writing`` and renamed, so a part is whole or absent, and a point is done once its part is there.
Other names that begin with a dot are locks, and notes of shards that came to their end. A process that is killed loses
what it had not written, which the next run computes again.

**Invariant.** No point is computed twice: a shard has one writer, shards that run at once are shares of one and the
same count, and a writer asks for the ids that are done before it begins. Parts are never changed. A failure that is
tried again and fails again is one more row, with a higher ``attempt``. **Limits.** Locks are advisory ones of the file
system (``flock``). A file system without them is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as url_quote

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.files.text import is_there, read_bytes, size_of
from supernode.files.write import atomic_path, check_folder, write_bytes, writing
from supernode.quoting import quote
from supernode.sweep.columns import digest as digest_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Mark", "Store", "provenance"]

_SWEEP = "sweep.json"
_PART = re.compile(r"part-(\d+)-(\d+)\.parquet")
#: Types of the columns that are read here.
_TYPES = {"id": "string", "attempt": "int32"}
#: Where parts are written before they are renamed, so that only whole ones are among the points.
_WRITING = ".writing"
#: Characters of a folder's name; longer values are told apart by a hash.
_LONGEST = 100
#: The folder of rows without a value, by Hive's convention.
_NULL = "__HIVE_DEFAULT_PARTITION__"


class Mark(msgspec.Struct, frozen=True):
    """What ``sweep.json`` says: the sweep, its hash, its number of points, and the versions that wrote it."""

    kind: str
    sha256: str
    points: int
    versions: dict[str, str]
    sweep: dict[str, Any]


class Store:
    """Reads and writes a folder.

    Parameters
    ----------
    folder
        The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.points = folder / "points"
        self.failed = folder / "failed"

    def begin(self, definition: Mapping[str, Any], digest: str, points: int) -> None:
        """Make the folder, or find that it is one of this sweep.

        Raises
        ------
        SpecError
            If it holds another sweep, or one of another version, or something else.
        """
        check_folder(self.folder)
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            strange = any(entry.name[0] != "." for entry in self.folder.iterdir())
        # a mark that appeared meanwhile is of a process that began at the same time
        if strange and not is_there(self.folder / _SWEEP):
            raise SpecError(f"folder {quote(str(self.folder))} holds other files; give a new or empty one")
        with _opened(self.folder / ".begin.lock") as lock:
            with writing(self.folder / ".begin.lock"):
                _locked(lock, fcntl.LOCK_EX)
            if not is_there(self.folder / _SWEEP):
                self._write(Mark("sweep", digest, points, core.versions(), dict(definition)))
                return
        found = self.read()
        if found.versions.get("supernode") != core.versions()["supernode"]:
            raise SpecError(
                f"folder {quote(str(self.folder))} was written by supernode {found.versions.get('supernode')}, "
                f"this is {core.versions()['supernode']}; results of two versions are not mixed: give a new folder"
            )
        if found.sha256 != digest:
            raise SpecError(f"folder {quote(str(self.folder))} holds another sweep; give a new folder")

    def read(self) -> Mark:
        """Return what ``sweep.json`` says.

        Raises
        ------
        SpecError
            If the folder is none of a sweep.
        """
        mark = self.folder / _SWEEP
        if not is_there(mark):
            raise SpecError(f"folder {quote(str(self.folder))} has no {_SWEEP}: it is no folder of a sweep")
        try:
            found = msgspec.json.decode(read_bytes(mark, "sweep"), type=Mark)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise SpecError(f"{mark}: it does not describe a sweep: {error}") from None
        if found.kind != "sweep" or found.points < 0:
            raise SpecError(f"{mark}: it does not describe a sweep")
        return found

    def finish(self, shard: int, of: int) -> None:
        """Note that all points of a shard are in the folder, or failed; after the last shard, how many there are.

        Points that come down to the same run are one point, which is known once all of them were looked at. The note
        lists the parts of that moment, so that it does not count once one of them was removed.
        """
        parts = {str(p.relative_to(self.folder)) for which in (self.points, self.failed) for p in self.parts(which)}
        write_bytes(self._note(shard, of), msgspec.json.encode(sorted(parts)))
        if all(self._holds(self._note(i, of), parts) for i in range(of)):
            found = self.read()
            points = len(self.ids(self.points) | self.ids(self.failed))
            if points != found.points:
                self._write(msgspec.structs.replace(found, points=points))

    def _note(self, shard: int, of: int) -> Path:
        return self.folder / f".complete-{shard}-of-{of}"

    def _holds(self, note: Path, parts: set[str]) -> bool:
        """Tell whether a shard came to its end and all parts of that moment are still there."""
        if not is_there(note):
            return False
        try:
            return set(msgspec.json.decode(read_bytes(note, "note of a shard"), type=list[str])) <= parts
        except (msgspec.MsgspecError, ValueError):
            return False

    def _write(self, mark: Mark) -> None:
        write_bytes(self.folder / _SWEEP, msgspec.json.format(msgspec.json.encode(mark), indent=2))

    @contextmanager
    def lock(self, shard: int, of: int) -> Iterator[None]:
        """Be the only writer of a shard, beside writers of other shards of the same count.

        Raises
        ------
        SpecError
            If another process runs the shard, or one of another count.
        """
        with ExitStack() as stack:
            layout = stack.enter_context(_opened(self.folder / ".shards.lock"))
            with writing(self.folder / ".shards.lock"):
                if _locked(layout, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    # nobody runs: from now on the count is this one, and what a killed process left is no part
                    for left in (self.folder / _WRITING).glob(".part-*"):
                        left.unlink(missing_ok=True)
                    os.truncate(layout, 0)
                    os.pwrite(layout, str(of).encode(), 0)
                _locked(layout, fcntl.LOCK_SH)
                count = os.pread(layout, 32, 0).decode("ascii", "replace")
            if count != str(of):
                raise SpecError(
                    f"folder {quote(str(self.folder))}: shards of {count} are being run, not of {of}; "
                    "wait for them, or stop them"
                )
            own = stack.enter_context(_opened(self.folder / f".shard-{shard}.lock"))
            with writing(self.folder / f".shard-{shard}.lock"):
                if not _locked(own, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    raise SpecError(
                        f"folder {quote(str(self.folder))}: another process runs shard {shard}; wait for it, or stop it"
                    )
            yield

    def ids(self, which: Path) -> set[str]:
        """Return the ids in the parts of a folder."""
        found: set[str] = set()
        for table in self.tables(which, ["id"]):
            found.update(table.column("id").to_pylist())
        return found

    def attempts(self, done: set[str]) -> dict[str, int]:
        """Return how often each point was tried that failed and is not among those done."""
        found: dict[str, int] = {}
        for table in self.tables(self.failed, ["id", "attempt"]):
            for id, attempt in zip(table.column("id").to_pylist(), table.column("attempt").to_pylist(), strict=True):
                if id not in done:
                    found[id] = max(found.get(id, 0), attempt)
        return found

    def tables(self, which: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Go through the parts of a folder.

        Raises
        ------
        SpecError
            If a part is damaged.
        """
        for part in self.check(which):
            try:
                found = _parquet(part).read(columns)
            except (OSError, ValueError) as error:  # Arrow's own errors are ValueErrors
                raise _damaged(part, error) from None
            if missing := set(columns or ()) - set(found.column_names):
                raise _damaged(part, f"it has no column {min(missing)}")
            yield found

    def check(self, which: Path) -> list[Path]:
        """Return the parts of a folder, whose ends were read.

        Raises
        ------
        SpecError
            If a part is damaged.
        """
        parts = self.parts(which)
        for part in parts:
            try:
                schema = _parquet(part).schema_arrow
            except (OSError, ValueError) as error:
                raise _damaged(part, error) from None
            for name, kind in _TYPES.items():
                if name in schema.names and str(schema.field(name).type) != kind:
                    raise _damaged(part, f"its column {name} is of type {schema.field(name).type}, not {kind}")
            if "id" not in schema.names:
                raise _damaged(part, "it has no column id")
        return parts

    def rows(self, parts: Sequence[Path]) -> int:
        """Count the rows of parts."""
        return sum(_parquet(part).metadata.num_rows for part in parts)

    def parts(self, which: Path) -> list[Path]:
        """Return the parts of a folder, in order of their names."""
        return sorted(which.rglob("part-*.parquet")) if which.is_dir() else []

    def next_part(self, shard: int) -> int:
        """Return the number of the next part of a shard."""
        names = [_PART.fullmatch(p.name) for which in (self.points, self.failed) for p in self.parts(which)]
        return max((int(m[2]) + 1 for m in names if m and int(m[1]) == shard), default=0)

    def write(self, which: Path, table: pa.Table, keys: Sequence[str], name: str, facts: Mapping[str, str]) -> None:
        """Write a table as parts, one for each combination of values of the keys."""
        import pyarrow
        from pyarrow import compute, parquet

        metadata = {**(table.schema.metadata or {}), **{f"supernode.{k}": v for k, v in facts.items()}}
        table = table.replace_schema_metadata(metadata)
        pieces = [(which, table)]
        for key in keys:
            split = []
            for place, piece in pieces:
                values = piece.column(key)
                for value in sorted(compute.unique(values).to_pylist(), key=str):
                    same = (
                        compute.is_null(values)
                        if value is None
                        else compute.equal(values, pyarrow.scalar(value, values.type))
                    )
                    folder = _NULL if value is None else _folder_name(str(value))
                    split.append((place / f"{key}={folder}", piece.filter(same)))
            pieces = split
        for place, piece in pieces:
            with atomic_path(place / name, beside=self.folder / _WRITING) as temporary:
                parquet.write_table(piece, temporary)


def _folder_name(value: str) -> str:
    name = url_quote(value, safe="")
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 17]}-{digest_of(value)}"


def _parquet(path: Path) -> Any:
    """Open a Parquet file."""
    from pyarrow import parquet

    size_of(path, "part")
    return parquet.ParquetFile(path)


def _damaged(part: Path, error: object) -> SpecError:
    return SpecError(f"{part}: not a part of a sweep ({error}); remove it, and its points run again")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file for a lock that is held until the end."""
    with writing(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)


def _locked(handle: int, how: int) -> bool:
    """Take a lock; return whether nobody else has it."""
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    return True


def provenance(digest: str, seed: int) -> dict[str, str]:
    """Return who writes parts: versions, sweep, seed, host, process and platform."""
    return {
        "versions": json.dumps(core.versions()),
        "sweep": digest,
        "seed": str(seed),
        "host": socket.gethostname(),
        "process": str(os.getpid()),
        "platform": sys.platform,
    }
