"""Finding and decoding the package's TOML files, and users' own of the same form."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from supernode.errors import SpecError
from supernode.names import canonical

__all__ = ["list_names", "load", "load_raw", "locate"]

T = TypeVar("T")


@cache
def list_names(folder: str) -> tuple[str, ...]:
    """List the names of the files in a data folder of the package."""
    root = resources.files("supernode") / folder
    if not root.is_dir():
        return ()
    return tuple(sorted(f.name.removesuffix(".toml") for f in root.iterdir() if f.name.endswith(".toml")))


def locate(folder: str, kind: str, name: str) -> Traversable:
    """Find the file of a name.

    Parameters
    ----------
    folder
        Data folder of the package.
    kind
        What is named, for errors.
    name
        A name, in any spelling, or the path of a ``.toml`` file.
    """
    if isinstance(name, str) and name.endswith(".toml"):
        path = Path(name)
        if path.is_dir():
            raise SpecError(f"{kind} file {name!r} is a directory")
        if not path.is_file():
            raise SpecError(f"{kind} file {name!r} does not exist")
        return path
    if isinstance(name, str) and "/" in name and Path(name).is_dir():
        raise SpecError(f"{kind} {name!r} is a directory; give a name or the path of a .toml file")
    return resources.files("supernode") / folder / f"{canonical(kind, name, list_names(folder))}.toml"


def load_raw(path: Traversable) -> dict[str, Any]:
    """Read a TOML file."""
    try:
        raw: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    except UnicodeDecodeError as error:
        raise SpecError(f"{path.name}: not UTF-8, as TOML must be: {error.reason} at byte {error.start}") from None
    except msgspec.DecodeError as error:
        raise SpecError(f"{path.name}: not valid TOML: {error}") from None
    return raw


def load(path: Traversable, kind: type[T]) -> T:
    """Read a TOML file into a typed structure; unknown and missing fields are errors that name the field."""
    return convert(load_raw(path), kind, path.name)


def convert(raw: object, kind: type[T], where: str) -> T:
    """Turn plain data into a typed structure; an error names ``where`` and the field."""
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise SpecError(f"{where}: {error}") from None
