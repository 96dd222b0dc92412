"""What systems there are, and where each of their numbers comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from html import escape
from typing import Any

from supernode.files.data import list_names
from supernode.library.stack import Stack, load_stack
from supernode.marks import ASSUMED_MARKS, Source
from supernode.preset.build import build, with_overrides
from supernode.preset.form import Conflict, Param, PresetFile
from supernode.preset.load import load_preset, split_name
from supernode.spec import SystemSpec
from supernode.system import System
from supernode.system.inventory import Inventory, inventory
from supernode.units import Quantity

__all__ = ["ParameterRow", "PresetInfo", "show", "systems"]


@dataclass(frozen=True)
class ParameterRow:
    """One number that a prediction rests on.

    Parameters
    ----------
    owner
        Name of the system or stack.
    name
        Name of the parameter; those of a system can be overridden by it.
    value
        Value as the file has it.
    mark
        published, derived, override, assumed or unknown.
    source
        Title and reference of the source.
    range
        Plausible range, where there is one.
    note
        Arithmetic or reason.
    used
        Whether the model uses it.
    timed
        Whether a run depends on it; power, for one, changes no time.
    """

    owner: str
    name: str
    value: Quantity | bool
    mark: str
    source: str
    range: tuple[Quantity, ...]
    note: str
    used: bool = True
    timed: bool = True


@dataclass(frozen=True)
class PresetInfo:
    """Everything about a preset: what it is, every number with its origin, and what is not modelled."""

    system: System
    title: str
    description: str
    parameters: tuple[ParameterRow, ...] = field(repr=False)
    stack_values: tuple[ParameterRow, ...] = field(repr=False)
    conflicts: tuple[Conflict, ...] = field(repr=False)
    not_modelled: tuple[str, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the system."""
        return self.system.label

    @property
    def spec(self) -> SystemSpec:
        """The system in base units."""
        return self.system.to_spec()

    @property
    def assumed(self) -> tuple[ParameterRow, ...]:
        """The values that nobody published."""
        return tuple(
            p for p in (*self.parameters, *self.stack_values) if p.mark in ASSUMED_MARKS and p.used and p.timed
        )

    @property
    def overridden(self) -> tuple[ParameterRow, ...]:
        """The values that the user replaced."""
        return tuple(p for p in (*self.parameters, *self.stack_values) if p.mark == "override")

    @cached_property
    def inventory(self) -> Inventory:
        """What the machine consists of."""
        return inventory(self.system)

    def counts(self) -> dict[str, Any]:
        """Return the core's description: switches and links by level, bisection, injection, diameter."""
        return dict(self.inventory.counts)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data; values are as the file has them, with their units."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "accelerators": self.system.accelerators,
            "stack": self.system.stack,
            "overrides": dict(self.system.overrides),
            "inventory": self.inventory.as_dict(),
            "parameters": [asdict(row) for row in self.parameters],
            "stack_values": [asdict(row) for row in self.stack_values],
            "conflicts": [{"topic": c.topic, "used": c.used, "other": c.other} for c in self.conflicts],
            "not_modelled": list(self.not_modelled),
        }

    def __str__(self) -> str:
        from supernode.preset.text import info_text

        return info_text(self)

    def _repr_html_(self) -> str:
        # a picture, and behind a fold every number with its source
        text = f"<details><summary>every number and its source</summary><pre>{escape(str(self))}</pre></details>"
        return f"{self.system.plot()._repr_html_()}{text}"


def systems() -> list[str]:
    """List the names of the presets."""
    return list(list_names("presets"))


def show(name: str, /, **overrides: Quantity | bool) -> PresetInfo:
    """Return everything about a preset; printing it shows every number with its mark and source.

    Parameters
    ----------
    name
        Name of a preset, or ``"NAME:n"``.
    **overrides
        New values, by name, as for :meth:`supernode.System.preset`.
    """
    system = System.preset(name, **overrides)
    file = load_preset(split_name(name)[0])
    params = with_overrides(file, {k: v for k, v in overrides.items() if k not in system.stack_overrides})
    stack = load_stack(file.stack).replaced(system.stack_overrides)
    return PresetInfo(
        system=system,
        title=file.title,
        description=file.description.strip(),
        parameters=_parameters(file, params),
        stack_values=_stack_values(stack),
        conflicts=tuple(file.conflict),
        not_modelled=(*file.not_modelled, *(f"{n} (stack {stack.name})" for n in stack.file.not_modelled)),
    )


def _parameters(file: PresetFile, params: Mapping[str, Param]) -> tuple[ParameterRow, ...]:
    built = build(file, params)
    timed = built.used | built.used_to_join
    return tuple(
        ParameterRow(
            owner=file.name,
            name=name,
            value=p.value,
            mark=p.mark,
            source=_cite(p.source, file.sources),
            range=tuple(p.range or ()),
            note=p.note,
            used=name in timed | built.used_for_power,
            timed=name in timed,
        )
        for name, p in params.items()
    )


def _stack_values(stack: Stack) -> tuple[ParameterRow, ...]:
    return tuple(
        ParameterRow(
            owner=stack.name,
            name=name,
            value=v.value,
            mark=v.mark,
            source=_cite(v.source, stack.file.sources),
            range=tuple(v.range or ()),
            note=v.note,
        )
        for name, v in stack.values()
    )


def _cite(key: str, sources: Mapping[str, Source]) -> str:
    source = sources.get(key)
    if source is None:
        return key
    return f"{source.title} ({source.ref})" if source.ref and source.ref != "none" else source.title
