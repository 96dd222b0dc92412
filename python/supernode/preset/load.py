"""From the name of a preset to its file: packaged ones by name, those of users by path, with the units of a cluster."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path

from supernode.errors import SpecError
from supernode.fabric.base import positive
from supernode.files.data import convert, load_raw, locate
from supernode.files.text import is_there, naming
from supernode.preset.form import ClusterFile, PresetFile, check_format
from supernode.quoting import quote

__all__ = ["load_preset", "split_name"]


def split_name(name: str) -> tuple[str, int]:
    """Split ``"NAME:n"`` into the name and the number of units."""
    if not isinstance(name, str):
        raise SpecError(f"system {quote(name)} is not the name of a preset")
    base, colon, count = name.rpartition(":")
    if not colon:
        return name, 1
    try:
        units = int(count)
    except ValueError:
        raise SpecError(
            f"system {quote(name)}: {quote(count)} is not a number of units, as in {quote(f'{base}:4')}"
        ) from None
    return base, positive(units, "number of units", base)


def load_preset(name: str) -> PresetFile:
    """Read the file of a preset by its name or path; files of users are read anew each time.

    Raises
    ------
    SpecError
        If the file is not valid, or it is a unit of itself.
    """
    path = locate("presets", "system", name)
    return _read(path, ()) if isinstance(path, Path) and name.endswith(".toml") else _packaged(path.name)


@lru_cache(maxsize=256)
def _packaged(file: str) -> PresetFile:
    return _read(locate("presets", "system", file.removesuffix(".toml")), ())


def _read(path: Traversable, above: tuple[str, ...]) -> PresetFile:
    """Read a file and the files of the units that it is made of."""
    raw = load_raw(path)
    place = str(path.resolve()) if isinstance(path, Path) else path.name
    if place in above:
        chain = " is made of ".join(Path(p).name for p in (*above[above.index(place) :], place))
        raise SpecError(f"{path.name}: unit leads back to the file itself: {chain}")
    check_format(raw, path.name)
    if "unit" not in raw:
        return convert(raw, PresetFile, path.name)
    cluster = convert(raw, ClusterFile, path.name)
    unit = cluster.unit
    if isinstance(path, Path) and unit.endswith(".toml") and is_there(path.parent / unit):
        unit = str(path.parent / unit)
    with naming(f"{path.name}, unit"):
        below = locate("presets", "system", unit)
        if isinstance(below, Path) and not is_there(below):
            raise SpecError(f"system file {quote(unit)} does not exist")
    return cluster.on(_read(below, (*above, place)))
