"""Text of what ``show`` and ``systems`` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from supernode.fabric.base import Network
from supernode.spec import Clos, GraphShape, TorusShape
from supernode.stack import load_stack
from supernode.system import System, load_preset

if TYPE_CHECKING:
    from supernode.catalogue import ParameterRow, PresetInfo

__all__ = ["info_text", "network_text", "rate_text", "systems_text", "time_text"]


def rate_text(bits: int) -> str:
    """Word a rate in bit/s."""
    return f"{bits / 8e9:g} GB/s" if bits >= 8 * 10**9 else f"{bits / 1e9:g} Gbit/s"


def time_text(fs: int) -> str:
    """Word a time in femtoseconds."""
    return f"{fs / 1e9:g} us" if fs >= 10**10 else f"{fs / 1e6:g} ns"


def network_text(network: Network) -> list[str]:
    """Describe a network in a few lines."""
    spec, shape = network.spec, network.spec.topology
    if isinstance(shape, Clos):
        wires = f", rails {shape.rails}" if shape.rails > 1 else ""
        form = f"{len(shape.down)}-tier tree, down {shape.down}, up {shape.up}, parallel {shape.parallel}{wires}"
    elif isinstance(shape, GraphShape):
        form = f"graph of {shape.switches} switches and {sum(count for *_, count in shape.edges)} links"
        if network.label:
            form = f"{network.label}: {form}"
    else:
        mesh = isinstance(shape, TorusShape) and not any(shape.wrap)
        kind = "Mesh" if mesh else type(shape).__name__.removesuffix("Shape")
        form = f"{kind} of {' x '.join(str(d) for d in shape.dims)}"
    lines = [f"{spec.name}: joins {spec.span} accelerators; {form}"]
    planes = f"{len(spec.planes)} x {spec.planes[0]}" if len(set(spec.planes)) == 1 else str(spec.planes)
    buffer = "unlimited" if spec.buffer is None else f"{spec.buffer} B"
    lines.append(
        f"  planes x links {planes}; packets {spec.payload} + {spec.overhead} B; buffer {buffer}; "
        f"routing {spec.routing}"
    )
    for tier, link in enumerate(spec.links):
        medium = f", {link.medium}" if link.medium else ""
        lines.append(f"  links {tier}: {rate_text(link.rate)}, {time_text(link.latency_fs)}{medium}")
    for tier, switch in enumerate(spec.switches):
        extra = ", reduces in the network" if switch.in_network_reduce else ""
        mode = "cut-through" if switch.cut_through else "store-and-forward"
        lines.append(f"  switches {tier}: {time_text(switch.latency_fs)}, {mode}{extra}")
    return lines


def info_text(info: PresetInfo) -> str:
    """Word everything about a preset."""
    spec = info.spec
    lines = [f"{info.name}: {info.title}", "", info.description, ""]
    lines.append(f"{spec.accelerators} x {spec.device.name}; stack {info.system.stack}")
    for network in info.system.all_networks():
        lines += network_text(network)
    lines += ["", "counts", *_count_lines(info.counts(), "  ")]
    lines += ["", "parameters (override any of them by name)", *_rows(info.parameters)]
    lines += ["", f"software: stack {info.system.stack}", *_rows(info.stack_values)]
    lines += _section("conflicting sources", [f"{c.topic}: used {c.used}; other {c.other}" for c in info.conflicts])
    lines += _section("not modelled", info.not_modelled)
    assumed = [f"{p.owner}.{p.name} = {p.value} ({p.mark}){_range(p)}" for p in info.assumed]
    lines += _section("assumed or unknown: results that depend on these carry a warning", assumed)
    return "\n".join(lines)


def systems_text(names: Sequence[str]) -> str:
    """Word the list of presets."""
    rows = []
    for name in names:
        file = load_preset(name)
        rows.append((name, System.preset(name).accelerators, load_stack(file.stack).name, file.title))
    lines = [f"{'name':<20} {'accelerators':>12}  {'stack':<8} title"]
    lines += [f"{name:<20} {count:>12}  {stack:<8} {title}" for name, count, stack, title in rows]
    return "\n".join(lines)


def _count_lines(counts: Mapping[str, Any], indent: str) -> list[str]:
    """Word the core's description, one line a number, lists of networks and tiers indented."""
    lines = []
    for key, value in counts.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}", *_count_lines(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                rest = {k: v for k, v in item.items() if k != "name"}
                lines += [f"{indent}{key.removesuffix('s')} {item.get('name', '')}".rstrip()]
                lines += _count_lines(rest, indent + "  ")
        else:
            shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
            lines.append(f"{indent}{key}: {shown}")
    return lines


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
