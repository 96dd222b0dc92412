"""Writing result files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from supernode.errors import OutputError, SpecError, SupernodeError
from supernode.files.text import is_folder, is_there
from supernode.quoting import quote, shortened

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "MARK",
    "TABLE_FORMATS",
    "atomic_path",
    "check_file",
    "check_folder",
    "check_format",
    "plain_mode",
    "write_bytes",
    "write_table",
    "writing",
]


def _write_parquet(table: pa.Table, path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(table, path)


def _write_arrow(table: pa.Table, path: Path) -> None:
    from pyarrow import feather

    feather.write_feather(table, str(path), compression="uncompressed")


#: The file that makes a folder of results complete.
MARK = "meta.json"

#: Writers of tables, by file extension.
TABLE_FORMATS: dict[str, Callable[[pa.Table, Path], None]] = {"parquet": _write_parquet, "arrow": _write_arrow}


def check_file(target: Path) -> None:
    """Try whether a file can be written later, so that a path that cannot work fails before a long run.

    Raises
    ------
    SpecError
        If it is a folder, or if its folder, or the nearest one above that exists, cannot be written.
    """
    if is_folder(target):
        raise SpecError(f"output {quote(str(target))} is a directory; give the path of a file")
    _check_folder(target.absolute().parent, target)


def check_folder(target: Path) -> None:
    """Try whether files can be written to a folder later; it need not exist.

    Raises
    ------
    SpecError
        If it is a file, or if it, or the nearest folder above that exists, cannot be written.
    """
    if is_there(target) and not is_folder(target):
        raise SpecError(f"output {quote(str(target))} is a file; give the path of a directory")
    _check_folder(target.absolute(), target)


def _check_folder(folder: Path, target: Path) -> None:
    try:
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SpecError(
            f"output {quote(str(target))} cannot be written: {shortened(str(folder), 200)}: {error.strerror or error}"
        ) from None


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Name the target in what the system says about writing.

    Raises
    ------
    OutputError
        Instead of any other ``OSError``, with its ``errno``.
    """
    try:
        yield
    except SupernodeError:
        raise
    except OSError as error:
        # Arrow's own words for it name its calls
        reason = os.strerror(error.errno) if error.errno else error
        found = OutputError(f"output {quote(str(target))} cannot be written: {reason}")
        found.errno = error.errno
        raise found from None


def plain_mode(mode: int) -> int:
    """Return the mode that a new file or folder gets; those of ``tempfile`` are private."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


@contextmanager
def atomic_path(target: Path, beside: Path | None = None) -> Iterator[Path]:
    """Give a temporary path beside ``target`` and rename it there at the end, if nothing was raised.

    Parameters
    ----------
    target
        Path of the file to write. Its folder is made if it does not exist.
    beside
        Folder of the temporary path, on the same file system; by default that of ``target``.

    Raises
    ------
    OutputError
        If it cannot be written; what was there stays.
    """
    with writing(target):
        folder = target.parent if beside is None else beside
        for place in (target.parent, folder):
            place.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=folder)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(plain_mode(0o666))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def check_format(format: str) -> None:
    """Refuse a format of tables that is not known, before anything is simulated."""
    if not isinstance(format, str) or format not in TABLE_FORMATS:
        raise SpecError(f"format {quote(format)} is not valid; use one of {', '.join(TABLE_FORMATS)}")


def write_bytes(target: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_table(target: Path, table: pa.Table) -> None:
    """Write a table whole or not at all, in the format of the extension (``.parquet`` or ``.arrow``)."""
    extension = target.suffix.removeprefix(".")
    if extension not in TABLE_FORMATS:
        raise SpecError(f"table format {quote(extension)} is not valid; use one of {', '.join(TABLE_FORMATS)}")
    with atomic_path(target) as temporary:
        TABLE_FORMATS[extension](table, temporary)
