"""The folder of a sweep.

::

    out/sweep.json                                the sweep, and what wrote it
    out/points/system=nvl72/part-<shard>-<n>.parquet   points that ran
    out/failed/part-<shard>-<n>.parquet           points that did not, with their error

Parts are written beside their place and renamed, so a part is whole or absent, and a point is done once its part is
there. A process that is killed loses what it had not written, which the next run computes again.

**Invariant.** No id is in two parts: a shard has one writer, which holds a lock, and it asks for the ids that are done
before it begins. **Limits.** Locks are advisory ones of the file system (``flock``); network file systems without them
cannot tell that two processes write the same shard.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as url_quote

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.files import atomic_path, check_folder, write_bytes, writing
from supernode.filetext import is_there, read_bytes
from supernode.quoting import quote

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Store", "provenance"]

_SWEEP = "sweep.json"
_PART = re.compile(r"part-(\d+)-(\d+)\.parquet")


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

    def begin(self, definition: Mapping[str, Any], digest: str) -> None:
        """Make the folder, or find that it is one of this sweep.

        Raises
        ------
        SpecError
            If it holds another sweep, or one of another version, or something else.
        """
        mark = self.folder / _SWEEP
        if not is_there(mark):
            check_folder(self.folder)
            if self.folder.is_dir() and any(entry.name[0] != "." for entry in self.folder.iterdir()):
                raise SpecError(f"folder {quote(str(self.folder))} holds other files; give a new or empty one")
            text = {"kind": "sweep", "sha256": digest, "versions": core.versions(), "sweep": definition}
            write_bytes(mark, msgspec.json.format(msgspec.json.encode(text), indent=2))
            return
        found = self.read()
        if found["versions"].get("supernode") != core.versions()["supernode"]:
            raise SpecError(
                f"folder {quote(str(self.folder))} was written by supernode {found['versions'].get('supernode')}, "
                f"this is {core.versions()['supernode']}; results of two versions are not mixed: give a new folder"
            )
        if found["sha256"] != digest:
            raise SpecError(f"folder {quote(str(self.folder))} holds another sweep; give a new folder")

    def read(self) -> dict[str, Any]:
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
            found = msgspec.json.decode(read_bytes(mark, "sweep"))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise SpecError(f"{mark}: not valid JSON: {error}") from None
        if not isinstance(found, dict) or found.get("kind") != "sweep" or not {"sha256", "versions"} <= found.keys():
            raise SpecError(f"{mark}: it does not describe a sweep")
        return found

    @contextmanager
    def lock(self, shard: int) -> Iterator[None]:
        """Be the only writer of a shard.

        Raises
        ------
        SpecError
            If another process is.
        """
        import fcntl

        path = self.folder / f".shard-{shard}.lock"
        with writing(path), path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SpecError(
                    f"folder {quote(str(self.folder))}: another process runs shard {shard}; wait for it, or stop it"
                ) from None
            yield

    def ids(self, which: Path) -> set[str]:
        """Return the ids in the parts of a folder."""
        from pyarrow import parquet

        found: set[str] = set()
        for part in self.parts(which):
            try:
                found.update(parquet.read_table(part, columns=["id"], partitioning=None).column("id").to_pylist())
            except (OSError, ValueError, KeyError) as error:  # Arrow's own errors are ValueErrors
                raise SpecError(
                    f"{part}: not a part of a sweep ({error}); remove it, and its points run again"
                ) from None
        return found

    def parts(self, which: Path) -> list[Path]:
        """Return the parts of a folder, in order of their names."""
        return sorted(which.rglob("part-*.parquet")) if which.is_dir() else []

    def next_part(self, shard: int) -> int:
        """Return the number of the next part of a shard."""
        names = [_PART.fullmatch(p.name) for which in (self.points, self.failed) for p in self.parts(which)]
        return max((int(m[2]) + 1 for m in names if m and int(m[1]) == shard), default=0)

    def write(self, which: Path, table: pa.Table, keys: Sequence[str], name: str, facts: Mapping[str, str]) -> None:
        """Write a table as parts, one for each combination of values of the keys."""
        from pyarrow import compute, parquet

        metadata = {**(table.schema.metadata or {}), **{f"supernode.{k}": v for k, v in facts.items()}}
        table = table.replace_schema_metadata(metadata)
        pieces = [(which, table)]
        for key in keys:
            split = []
            for place, piece in pieces:
                for value in sorted(compute.unique(piece.column(key)).to_pylist(), key=str):
                    rows = piece.filter(compute.equal(piece.column(key), value))
                    split.append((place / f"{key}={url_quote(str(value), safe='')}", rows))
            pieces = split
        for place, piece in pieces:
            with atomic_path(place / name) as temporary:
                parquet.write_table(piece, temporary)

    def drop_failed(self, ids: set[str], shard: int) -> None:
        """Forget failures in the parts of a shard whose points are done by now, or are tried again."""
        import pyarrow as pa
        from pyarrow import compute, parquet

        for part in self.parts(self.failed):
            if not part.name.startswith(f"part-{shard}-"):
                continue
            table = parquet.read_table(part, partitioning=None)
            gone = compute.is_in(table.column("id"), value_set=pa.array(sorted(ids), pa.string()))
            kept = table.filter(compute.invert(gone))
            if kept.num_rows == 0:
                with writing(part):
                    part.unlink()
            elif kept.num_rows < table.num_rows:
                with atomic_path(part) as temporary:
                    parquet.write_table(kept, temporary)


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
