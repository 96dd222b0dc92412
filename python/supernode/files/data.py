"""Finding and decoding the package's TOML files, and users' own of the same form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from supernode.errors import SpecError
from supernode.files.nesting import check_keys
from supernode.files.text import is_folder, naming, read_text
from supernode.names import canonical
from supernode.quoting import quote, shortened

__all__ = ["list_names", "load", "load_raw", "locate", "packaged_text"]

T = TypeVar("T")


@cache
def list_names(folder: str) -> tuple[str, ...]:
    """List the names of the files in a data folder of the package."""
    root = _folder(folder)
    if not root.is_dir():
        return ()
    return tuple(sorted(f.name.removesuffix(".toml") for f in root.iterdir() if f.name.endswith(".toml")))


@cache
def _folder(name: str) -> Traversable:
    return resources.files("supernode") / name


def packaged_text(folder: str, file: str) -> str:
    """Return the text of a file of the package."""
    return (_folder(folder) / file).read_text(encoding="utf-8")


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
        # whether it can be read is found out when it is
        return Path(name)
    if isinstance(name, str) and "/" in name and is_folder(Path(name)):
        raise SpecError(f"{kind} {quote(name)} is a directory; give a name or the path of a .toml file")
    return _folder(folder) / f"{canonical(kind, name, list_names(folder))}.toml"


def load_raw(
    path: Traversable, kind: str = "system file", check: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path
        The file.
    kind
        What it is, for errors.
    check
        Looks at the text before it is parsed.

    Raises
    ------
    SpecError
        If it cannot be read, is not UTF-8, or is not TOML, naming the line.
    """
    text = read_text(path, kind) if isinstance(path, Path) else path.read_text(encoding="utf-8")
    with naming(path.name):
        if check is not None:
            check(text)
        check_keys(text)
    try:
        raw: dict[str, Any] = msgspec.toml.decode(text)
    except RecursionError:
        raise SpecError(f"{path.name}: not valid TOML here: it is nested too deeply") from None
    except (msgspec.DecodeError, ValueError) as error:  # a number of more digits than Python reads is the latter
        reason = str(error).replace("at end of document", f"at the end, line {len(text.splitlines())}")
        raise SpecError(f"{path.name}: not valid TOML: {reason}") from None
    return raw


def load(path: Traversable, kind: type[T]) -> T:
    """Read a TOML file into a typed structure; unknown and missing fields are errors that name the field."""
    return convert(load_raw(path, f"{kind.__name__.removesuffix('File').lower()} file"), kind, path.name)


def convert(raw: object, kind: type[T], where: str) -> T:
    """Turn plain data into a typed structure; an error names ``where`` and the field."""
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise SpecError(shortened(f"{where}: {error}{_suggestion(str(error), kind)}")) from None
    except (RecursionError, OverflowError) as error:
        raise SpecError(shortened(f"{where}: {error}")) from None


_UNKNOWN = re.compile(r"unknown field `([^`]*)`(?: - at `([^`]*)`)?")


def _suggestion(message: str, kind: Any) -> str:
    """Name the valid field that an unknown one is nearest to, and all that are valid at its place."""
    found = _UNKNOWN.search(message)
    if found is None:
        return ""
    valid = sorted(_fields(kind, re.findall(r"\.(\w+)|(\[)", found[2] or "")))
    near = difflib.get_close_matches(found[1][:100], valid, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (valid: {', '.join(valid)})"


def _fields(kind: Any, path: Sequence[tuple[str, str]]) -> set[str]:
    """Return the names of the fields of the structures that a path of msgspec leads to."""
    places = [msgspec.inspect.type_info(kind)]
    for name, _ in path:
        places = [below for place in _spread(places) for below in _below(place, name)]
    structs = [place for place in _spread(places) if isinstance(place, msgspec.inspect.StructType)]
    return {field.encode_name for struct in structs for field in struct.fields}


def _spread(places: list[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    return [t for p in places for t in (p.types if isinstance(p, msgspec.inspect.UnionType) else (p,))]


def _below(place: msgspec.inspect.Type, name: str) -> list[msgspec.inspect.Type]:
    """Return the types of a field, or, without a name, of the items of a list or table."""
    if isinstance(place, msgspec.inspect.StructType):
        return [field.type for field in place.fields if field.encode_name == name]
    if isinstance(place, msgspec.inspect.ListType):
        return [place.item_type]
    return [place.value_type] if isinstance(place, msgspec.inspect.DictType) else []
