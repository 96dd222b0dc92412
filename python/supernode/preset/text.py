"""Text of what ``show`` and ``systems`` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from supernode.library.stack import load_stack
from supernode.preset.load import load_preset
from supernode.system import System
from supernode.system.text import network_text

if TYPE_CHECKING:
    from supernode.preset.catalogue import ParameterRow, PresetInfo

__all__ = ["info_text", "system_rows", "systems_text"]


def info_text(info: PresetInfo) -> str:
    """Word everything about a preset."""
    spec = info.spec
    lines = [f"{info.name}: {info.title}", "", info.description, ""]
    memory = "" if spec.device.hbm_rate is None else f", HBM {spec.device.hbm_rate / 8e9:,g} GB/s"
    lines.append(f"{spec.accelerators} x {spec.device.name}{memory}; stack {info.system.stack}")
    for network in info.system.all_networks():
        lines += network_text(network)
    lines += ["", str(info.inventory)]
    if info.system.overrides:
        lines += ["", "overrides", *(f"  {p.name} = {p.value}: {p.note}" for p in info.overridden)]
    lines += ["", "parameters (override any of them by name)", *_rows(info.parameters)]
    lines += ["", f"software: stack {info.system.stack}", *_rows(info.stack_values)]
    lines += _section("conflicting sources", [f"{c.topic}: used {c.used}; other {c.other}" for c in info.conflicts])
    lines += _section("not modelled", info.not_modelled)
    assumed = [f"{p.owner}.{p.name} = {p.value} ({p.mark}){_range(p)}" for p in info.assumed]
    lines += _section("assumed or unknown: results that depend on these carry a warning", assumed)
    return "\n".join(lines)


def system_rows(names: Sequence[str]) -> list[dict[str, Any]]:
    """List what a table of presets shows: name, accelerators, stack and title of each."""
    rows = []
    for name in names:
        file = load_preset(name)
        count, stack = System.preset(name).accelerators, load_stack(file.stack).name
        rows.append({"name": name, "accelerators": count, "stack": stack, "title": file.title})
    return rows


def systems_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Word the list of presets."""
    wide = max(len(row["name"]) for row in rows)
    lines = [f"{'name':<{wide}}  {'accelerators':>12}  {'stack':<8} title"]
    lines += [f"{r['name']:<{wide}}  {r['accelerators']:>12,}  {r['stack']:<8} {r['title']}" for r in rows]
    return "\n".join(lines)


def _rows(parameters: Sequence[ParameterRow]) -> list[str]:
    if not parameters:
        return ["  none"]
    width = max(len(p.name) for p in parameters)
    lines = []
    for p in parameters:
        unused = "; not used by the model" if not p.used else ""
        lines.append(f"  {p.name:<{width}}  {p.value!s:<14} {p.mark:<9} {p.source}{_range(p)}{unused}")
        if p.note:
            lines.append(f"  {'':<{width}}    {p.note}")
    return lines


def _range(p: ParameterRow) -> str:
    return f" [{' .. '.join(str(r) for r in p.range)}]" if p.range else ""


def _section(title: str, items: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {item}" for item in items)] if items else []
