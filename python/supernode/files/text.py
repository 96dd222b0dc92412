"""Files that users name: whether they can be read, their text within limits, and errors that name them.

Bytes become text in :func:`decode` and nowhere else. So no parser of another project ever sees bytes that are no text;
what one raises for them may change with its next release.

What goes wrong with a file is an error of this package, whatever library meets it: a folder, a loop of links, a file
without permission, bytes that are no text. A message quotes what is wrong, but never pages of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fsencode, fspath
from pathlib import Path

from supernode.errors import SizeOverflowError, SpecError, SupernodeError
from supernode.quoting import quote, shortened

__all__ = [
    "MAX_BYTES",
    "as_path",
    "decode",
    "is_folder",
    "is_there",
    "naming",
    "read_bytes",
    "read_text",
    "shortened",
    "size_of",
]

#: Larger files are refused: they would not fit in memory as Python objects.
MAX_BYTES = 2**28


def as_path(value: object, what: str) -> Path:
    """Return a path that the user gave.

    Raises
    ------
    SpecError
        If it is none: another type, or a text with a NUL, which no system takes.
    """
    if isinstance(value, str | PathLike):
        try:
            text = fspath(value)
            taken = isinstance(text, str) and b"\0" not in fsencode(text) != b""
        except Exception:  # __fspath__ may be anyone's, and not every text is a name
            taken = False
        if taken:
            return Path(text)
    raise SpecError(f"{what} {quote(value)} is not the path of a file")


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder; paths that no system takes are none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Tell whether there is anything at a path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def read_bytes(path: Path, kind: str = "file") -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    path
        The file.
    kind
        What it is, for errors.

    Raises
    ------
    SpecError
        If it does not exist, is a directory or a device, or cannot be read.
    SizeOverflowError
        If it has more than 256 MiB.
    """
    try:
        size = size_of(path, kind)
        if size > MAX_BYTES:
            raise SizeOverflowError(f"{path.name}: {size} bytes are too many; at most {MAX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{kind} {quote(str(path))} cannot be read: {error.strerror or error}") from None


def size_of(path: Path, kind: str = "file") -> int:
    """Return the bytes of a regular file; opening anything else may wait for ever, or never end.

    Raises
    ------
    SpecError
        If it does not exist, or is a directory, a pipe or a device.
    """
    if is_folder(path):
        raise SpecError(f"{kind} {quote(str(path))} is a directory; give the path of a file")
    try:
        if not path.is_file():
            raise SpecError(f"{kind} {quote(str(path))} {'is no regular file' if is_there(path) else 'does not exist'}")
        return path.stat().st_size
    except OSError as error:
        raise SpecError(f"{kind} {quote(str(path))} cannot be read: {error.strerror or error}") from None


def read_text(path: Path, kind: str = "file") -> str:
    """Return the text of a file without the mark of UTF-8 that some editors write at its start.

    Parameters
    ----------
    path
        The file.
    kind
        What it is, for errors.

    Raises
    ------
    SpecError
        If it cannot be read, or is not UTF-8.
    SizeOverflowError
        If it has more than 256 MiB.
    """
    return decode(read_bytes(path, kind), path.name)


def decode(data: bytes, name: str) -> str:
    """Return the text of a file's content, a mark of UTF-8 at its start taken away.

    Raises
    ------
    SpecError
        If it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{name}: not UTF-8: {error.reason} at byte {error.start}") from None


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Name a file or a part of one in every error of this package that does not begin with it.

    Parameters
    ----------
    place
        What is named; nothing if empty.
    """
    try:
        yield
    except SupernodeError as error:
        text = str(error)
        named = not place or text.startswith((f"{place}:", f"{place} ", f"fabric {place}:"))
        raise type(error)(shortened(text if named else f"{place}: {text}")) from None
