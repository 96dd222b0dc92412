"""From a preset file to a :class:`~supernode.System`: so many units, with overrides, and what those do not change.

An override without effect would be an answer to another question. Nothing refers to some parameters where they stand (a
scale-out network of one unit); others are referred to and still decide nothing (the latency of trunks in a tree of one
tier). So each override is tried: where the system is the same without it, a note says so.

Cost: building the system once more for each override.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from supernode.errors import SpecError, SupernodeError
from supernode.fabric.base import KINDS, link_rate
from supernode.files.text import as_path, naming
from supernode.library.dtypes import parse_dtype
from supernode.library.stack import load_stack
from supernode.marks import ASSUMED_MARKS
from supernode.names import plain_text
from supernode.preset.build import Built, build, with_overrides
from supernode.preset.form import Param, PresetFile
from supernode.preset.load import load_preset, split_name
from supernode.preset.overrides import naming_override
from supernode.quoting import quote
from supernode.system import System
from supernode.system.recipe import Grain, Ranged, Recipe
from supernode.system.validity import checked
from supernode.units import Quantity, as_integer

__all__ = ["load_file", "load_system", "of_file"]

Overrides = Mapping[str, Quantity | bool]


def load_system(make: type[System], name: str, overrides: Overrides) -> System:
    """Load a preset, as :meth:`supernode.System.preset` does."""
    base, asked = split_name(name)
    # systems never change, and building one costs more than predicting a collective on it
    return _load(make, name, base, asked, overrides) if overrides or base.endswith(".toml") else _known(make, name)  # type: ignore[arg-type] # mypy asks instances for a hash


@lru_cache(maxsize=64)
def _known(make: type[System], name: str) -> System:
    return _load(make, name, *split_name(name), {})


def _load(make: type[System], name: str, base: str, asked: int, overrides: Overrides) -> System:
    file = load_preset(base)
    # parameters and networks of a file of users are errors of that file
    with naming(Path(base).name if base.endswith(".toml") else ""), naming_override(overrides):
        return checked(of_file(make, file, name, asked, overrides))


def load_file(make: type[System], path: str | Path, overrides: Overrides) -> System:
    """Load a system file, as :meth:`supernode.System.load` does."""
    text = str(as_path(path, "system file"))
    if not text.endswith(".toml"):
        raise SpecError(f"system file {quote(text)} must end in .toml; other formats are read by System.from_file")
    return make.preset(text, **overrides)


def of_file(make: type[System], file: PresetFile, name: str, asked: int, overrides: Overrides) -> System:
    """Return ``asked`` times the system of a file.

    Parameters
    ----------
    make
        The class of systems.
    file
        The file.
    name
        How the user called it.
    asked
        Units that the name asks for.
    overrides
        New values of parameters and, with a dot in their name, of the software stack.

    Raises
    ------
    SpecError
        If a parameter is unknown, or the units cannot be joined.
    FabricError
        If the parameters do not make a fabric.
    """
    overrides = {key: _value(key, value) for key, value in overrides.items()}
    system = _made(make, file, name, asked, overrides)
    facts = _facts(system) if overrides else None
    idle, peaks = [], []
    for key in overrides:
        try:
            without = _made(make, file, name, asked, {k: v for k, v in overrides.items() if k != key})
            if _facts(without) == facts:
                idle.append(f"override {key} has no effect: {name} is the same without it")
            elif _facts(replace(without, device=replace(without.device, peak=system.device.peak))) == facts:
                peaks.append((key, _differing(without.device.peaks(), system.device.peaks())))
        except SupernodeError:
            continue  # without it there is no such system
    return replace(system, remarks=(*system.remarks, *idle), peak_overrides=tuple(peaks))


def _differing(one: Mapping[str, int], other: Mapping[str, int]) -> tuple[str, ...]:
    """Return the element types whose peak rates differ."""
    return tuple(parse_dtype(kind).name for kind in {**one, **other} if one.get(kind) != other.get(kind))


def _value(key: str, value: object) -> Quantity | bool:
    """Return the new value of a parameter; integers of NumPy become Python's own, which every record can hold.

    Raises
    ------
    SpecError
        If it is none that a file could have.
    """
    number = as_integer(value)
    if number is not None and number.bit_length() <= 64:
        return number
    if isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return plain_text(value, f"override {key}")
    raise SpecError(f"override {key}: {quote(value)} is not valid; it must be a number, a text or True or False")


def _made(make: type[System], file: PresetFile, name: str, asked: int, overrides: Overrides) -> System:
    soft = {key: value for key, value in overrides.items() if "." in key}
    if soft:
        load_stack(file.stack).replaced({**file.stack_values, **soft}).to_spec(KINDS)
    params = with_overrides(file, {key: value for key, value in overrides.items() if key not in soft})
    built = build(file, params)
    units = asked * built.units
    if units > 1 and built.scale_out is None:
        instead = f"; use {name.rpartition(':')[0]!r}" if asked > 1 else ""
        raise SpecError(f"preset {file.name!r} has no scale-out network, so {name!r} is not a system{instead}")
    used = built.used | built.used_to_join if units > 1 else built.used
    listed = [
        f"{key} = {param.value} ({param.mark})"
        for key, param in params.items()
        if param.mark in ASSUMED_MARKS and key in used
    ]
    return make(
        name=file.name,
        stack=file.stack,
        device=built.device,
        networks=built.networks,
        joined=built.scale_out,
        nics=built.nics,
        host=built.host,
        unit_accelerators=built.accelerators,
        units=units,
        bundle=built.units,
        unpublished=(*file.assumed, *listed),
        overrides=dict(overrides),
        stack_values=dict(file.stack_values),
        unit_power=built.power_watts,
        power_covers=built.power_covers,
        remarks=tuple(file.notes),
        recipe=Recipe(partial(_made, make, file, name, asked), dict(overrides), _ranges(params, built), _grain(params)),
        from_preset=True,
    )


#: In presets, a packet of this payload stands for a group of native packets: it is the grain of the simulation.
_GRAIN = ("packet_payload", "packet_overhead")


def _grain(params: Mapping[str, Param]) -> Grain | None:
    payload, overhead = (params.get(name) for name in _GRAIN)
    if payload is None or overhead is None:
        return None
    return Grain(*_GRAIN, payload.value, overhead.value)


def _ranges(params: Mapping[str, Param], built: Built) -> tuple[Ranged, ...]:
    """List the parameters that have a range and on which a time can depend."""
    return tuple(
        Ranged(key, param.value, param.range[0], param.range[-1], joins=key in built.used_to_join)
        for key, param in params.items()
        if param.range and not isinstance(param.value, bool) and key in built.used | built.used_to_join
    )


def _facts(system: System) -> Any:
    """Return all that a run or a description of the system depends on, but its name."""
    networks = system.all_networks()
    stack = load_stack(system.stack).replaced(system.stack_overrides)
    return (
        system.accelerators,
        system.device,
        [(n.spec, n.kind, n.per_cable, n.optical_one_in) for n in networks],
        stack.to_spec([n.kind for n in networks], link_rate=link_rate(networks)),
        system.unit_power,
        system.host,
    )
