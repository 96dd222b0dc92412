"""Text of what a machine consists of: its networks, and the table that an inventory prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supernode.fabric.base import Network
from supernode.spec import Clos, GraphShape, TorusShape

if TYPE_CHECKING:
    from supernode.system.inventory import Inventory, Level

__all__ = ["inventory_text", "network_text", "power_text", "rate_text", "time_text"]


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
        if shape.forwarding is not None:
            form += ", accelerators forward"
        if network.label:
            form = f"{network.label}: {form}"
    else:
        mesh = isinstance(shape, TorusShape) and not any(shape.wrap)
        kind = "Mesh" if mesh else type(shape).__name__.removesuffix("Shape")
        form = f"{kind} of {' x '.join(str(d) for d in shape.dims)}"
        if isinstance(shape, TorusShape) and shape.twist:
            turns = ", ".join(f"that of dimension {a + 1} shifts dimension {b + 1} by half" for a, b in shape.twist)
            form = f"twisted {form}, wraparounds: {turns}"
    lines = [f"{spec.name}: joins {spec.span} accelerators; {form}"]
    planes = f"{len(spec.planes)} x {spec.planes[0]}" if len(set(spec.planes)) == 1 else str(spec.planes)
    buffer = "unlimited" if spec.buffer is None else f"{spec.buffer} B"
    lines.append(
        f"  planes x links {planes}; packets {spec.payload} + {spec.overhead} B; buffer {buffer}; "
        f"routing {spec.routing}"
    )
    if spec.transport.latency_fs:
        lines.append(f"  its NICs add {time_text(spec.transport.latency_fs)} to every message")
    if spec.transport.per_message_fs:
        lines.append(f"  handing a message to its NICs takes {time_text(spec.transport.per_message_fs)}")
    for tier, link in enumerate(spec.links):
        medium = f", {link.medium}" if link.medium else ""
        lines.append(f"  links {tier}: {rate_text(link.rate)}, {time_text(link.latency_fs)}{medium}")
    for tier, switch in enumerate(spec.switches):
        extra = ", reduces in the network" if switch.in_network_reduce else ""
        mode = "cut-through" if switch.cut_through else "store-and-forward"
        lines.append(f"  switches {tier}: {time_text(switch.latency_fs)}, {mode}{extra}")
    return lines


def power_text(watts: float) -> str:
    """Word a power."""
    scale, unit = next(((s, u) for s, u in ((1e9, "GW"), (1e6, "MW"), (1e3, "kW")) if watts >= s), (1, "W"))
    return f"{watts / scale:,.4g} {unit}"


def _forwarding(level: Level) -> tuple[str, str]:
    """Word what forwards between the links of a level; all switches of a graph stand in its first."""
    if level.switches:
        return f"{level.switches:,}", f"{level.ports:,}"
    return ("", "") if level.name.startswith("class ") else ("in accelerators", f"{level.ports:,}")


def _cut(counts: Mapping[str, Any]) -> str:
    return f"{'' if counts['bisection_exact'] else 'at most '}{counts['bisection_gbytes_s']:,.10g} GB/s"


def _bisection(found: Inventory) -> str:
    rate = found.bisection_gbytes_s
    half = rate / max(found.accelerators // 2, 1)
    said = f"{_cut(found.counts)} one way = {rate * 8e-3:,.6g} Tbit/s; {half:,.4g} GB/s per accelerator of either half"
    return said if found.bisection_exact else f"{said} (narrowest halves of the graph that were found)"


def inventory_text(found: Inventory) -> str:
    """Word what a machine consists of: a table of levels, then the numbers of the whole."""
    each = found.accelerators
    head = ("network", "level", "links", "medium", "GB/s each", "per accelerator", "ns", "switches", "ports", "ns")
    rows = [
        (
            *(x.network, x.name, f"{x.links:,}", " + ".join(x.media) or x.medium or "unknown", f"{x.link_gbytes_s:g}"),
            *(f"{x.total_gbytes_s / each:,.4g}", f"{x.link_ns:g}", *_forwarding(x), f"{x.switch_ns:g}"),
        )
        for x in found.levels
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    left = (0, 1, 3)
    table = [
        "  "
        + "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in (head, *rows)
    ]
    networks = found.counts["networks"]
    media = ", ".join(f"{medium} {links:,}" for medium, links in found.by_medium().items())
    ways = ", ".join(f"{n['name']} {n['injection_gbytes_s']:g}" for n in networks)
    lines = [
        f"  accelerators {each:,}; switches {found.switches:,}; links {found.links:,} ({media})",
        (
            f"  injection    {found.injection_gbytes_s:,g} GB/s per accelerator, one way ({ways}); "
            f"{found.injection_gbytes_s * each / 1e3:,.6g} TB/s in all"
        ),
        f"  bisection    {_bisection(found)}",
        f"  diameter     {found.diameter_hops} hops, {found.diameter_ns:,g} ns over links and switches",
    ]
    if len(networks) > 1:
        lines += [
            f"    {n['name']}: {n['span']:,} accelerators, bisection {_cut(n)}, "
            f"diameter {n['diameter_hops']} hops, {n['diameter_ns']:,g} ns"
            for n in networks
        ]
    lines.append(f"  optics       {_optics(found)}")
    watts = found.power_watts
    if watts is None:
        lines.append("  power        unknown")
    else:
        lines.append(
            f"  power        {power_text(watts)} = {found.system.units:,} x {power_text(watts / found.system.units)} "
            f"({found.system.power_covers}); {power_text(watts / each)} per accelerator"
        )
    state = found.counts["state_bytes"] / 1e6
    lines.append(f"  simulation   about {state:,.4g} MB of state in full, without traffic")
    return "\n".join(["fabric", *table, *lines])


def _optics(found: Inventory) -> str:
    """Word the ends of optical cables by medium."""
    ends: dict[str, int] = {}
    for level in found.levels:
        if level.optical_ends:
            medium = "optics" if level.optical_one_in else level.medium
            ends[medium] = ends.get(medium, 0) + level.optical_ends
    listed = ", ".join(f"{medium} {count:,}" for medium, count in ends.items())
    open_links = found.by_medium().get("unknown", 0)
    words = f"{found.optical_ends:,} ends of optical cables{f' ({listed})' if listed else ''}"
    return words + (f"; medium of {open_links:,} links unknown" if open_links else "")
