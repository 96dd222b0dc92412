"""Writing result files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from supernode.errors import SpecError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TABLE_FORMATS", "atomic_path", "check_file", "check_folder", "check_format", "write_bytes", "write_table"]


def _write_parquet(table: pa.Table, path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(table, path)


def _write_arrow(table: pa.Table, path: Path) -> None:
    from pyarrow import feather

    feather.write_feather(table, str(path), compression="uncompressed")


#: Writers of tables, by file extension.
TABLE_FORMATS: dict[str, Callable[[pa.Table, Path], None]] = {"parquet": _write_parquet, "arrow": _write_arrow}


def check_file(target: Path) -> None:
    """Try whether a file can be written later, so that a path that cannot work fails before a long run.

    Raises
    ------
    SpecError
        If it is a folder, or if its folder, or the nearest one above that exists, cannot be written.
    """
    if target.is_dir():
        raise SpecError(f"output {str(target)!r} is a directory; give the path of a file")
    _check_folder(target.absolute().parent, target)


def check_folder(target: Path) -> None:
    """Try whether files can be written to a folder later; it need not exist.

    Raises
    ------
    SpecError
        If it is a file, or if it, or the nearest folder above that exists, cannot be written.
    """
    if target.exists() and not target.is_dir():
        raise SpecError(f"output {str(target)!r} is a file; give the path of a directory")
    _check_folder(target.absolute(), target)


def _check_folder(folder: Path, target: Path) -> None:
    try:
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SpecError(f"output {str(target)!r} cannot be written: {folder}: {error.strerror or error}") from None


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target`` and rename it there at the end, if nothing was raised.

    Parameters
    ----------
    target
        Path of the file to write. Its folder is made if it does not exist.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=_folder(target))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; results get the mode that a plain open() would have given them.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _folder(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.parent


def check_format(format: str) -> None:
    """Refuse a format of tables that is not known, before anything is simulated."""
    if format not in TABLE_FORMATS:
        raise SpecError(f"format {format!r} is not valid; use one of {', '.join(TABLE_FORMATS)}")


def write_bytes(target: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_table(target: Path, table: pa.Table) -> None:
    """Write a table whole or not at all, in the format of the extension (``.parquet`` or ``.arrow``)."""
    extension = target.suffix.removeprefix(".")
    if extension not in TABLE_FORMATS:
        raise SpecError(f"table format {extension!r} is not valid; use one of {', '.join(TABLE_FORMATS)}")
    with atomic_path(target) as temporary:
        TABLE_FORMATS[extension](table, temporary)
