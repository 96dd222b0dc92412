"""From a system to what its picture shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.picture.direct import direct_levels
from supernode.picture.graph import GraphLike, graph_levels
from supernode.picture.model import TIMES, Group, Item, Levels, Picture, Row, number, plural, rate_text, time_text
from supernode.picture.tree import tree_levels
from supernode.spec import Clos, FullMeshShape, NetworkSpec, SystemSpec, TorusShape, encode

if TYPE_CHECKING:
    from supernode.system import System

__all__ = ["compose", "picture_of"]


def picture_of(system: System) -> Picture:
    """Collect what the picture of a system shows."""
    spec = system.to_spec()
    counts: dict[str, Any] = msgspec.json.decode(core.describe(encode(spec)))
    unknown = [*system.unpublished, *(a for n in system.all_networks() for a in n.assumed)]
    what = "Rates are per direction; injection, bisection and oversubscription count links, without headers."
    notes = [f"Drawn by supernode. {what}"]
    for network in system.all_networks():
        shares = {one for one in network.optical_one_in if one}
        notes += [f"{network.spec.name}: one link in {one} is optical." for one in sorted(shares)]
    if unknown:
        names = [text.split(" = ")[0] for text in unknown]
        listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        are = "parameter is" if len(names) == 1 else "parameters are"
        notes.append(f"{len(names)} {are} assumed or unknown, not published: {listed}.")
    units = system.units if system.units > 1 else 0
    whole = f"{plural(units, 'unit')} of {system.unit_accelerators:,}" if units else ""
    return compose(spec, counts, whole, tuple(notes))


def compose(spec: SystemSpec, counts: Mapping[str, Any], units: str, notes: tuple[str, ...]) -> Picture:
    """Nest the networks of a system, the accelerators innermost.

    Parameters
    ----------
    spec
        The system.
    counts
        The core's description of it.
    units
        What it consists of, in words.
    notes
        Footnotes.
    """
    networks = list(zip(spec.networks, counts["networks"], strict=True))
    body: tuple[Group, ...] = ()
    for index, (net, described) in enumerate(networks):
        levels = _levels(net, described, riser=index > 0)
        inside = body or (_accelerators(spec, counts, levels),)
        outer = networks[index + 1][0].span if index + 1 < len(networks) else spec.accelerators
        body = (_group(net, described, (*levels.items, *inside), outer // net.span),)
    total = [f"{spec.accelerators:,} {TIMES} {spec.device.name}", units]
    joined = [
        plural(int(counts["switches"]), "switch") if counts["switches"] else "no switches",
        plural(int(counts["links"]), "link"),
        f"longest route {_route(counts)}",
    ]
    return Picture(
        title=spec.name,
        subtitle=(" · ".join(t for t in total if t), " · ".join(joined)),
        body=body[0],
        lanes={net.name: _lane(net, described) for net, described in networks[1:]},
        notes=notes,
    )


def _levels(net: NetworkSpec, counts: Mapping[str, Any], *, riser: bool) -> Levels:
    shape = net.topology
    if isinstance(shape, Clos):
        return tree_levels(net, shape, counts, riser=riser)
    if isinstance(shape, TorusShape | FullMeshShape):
        return direct_levels(net, shape, counts, riser=riser)
    kind = getattr(getattr(type(shape), "__struct_config__", None), "tag", None)
    if kind == "graph":
        return graph_levels(net, cast("GraphLike", shape), counts, riser=riser)
    raise SpecError(
        f"picture: network {net.name!r} has a topology of kind {kind or type(shape).__name__!r}; "
        "those that can be drawn are clos, torus, full_mesh and graph"
    )


def _group(net: NetworkSpec, counts: Mapping[str, Any], items: tuple[Item, ...], count: int) -> Group:
    copies = int(counts.get("copies", 1))
    heading = net.name + (f" {TIMES} {count:,}" if count > 1 else "")
    joins = f"joins {plural(net.span, 'accelerator')}"
    if copies > max(count, 1):
        joins += f"; {copies:,} copies in all"
    least = "" if counts["bisection_exact"] else "at most "
    bisection = f"bisection {least}{number(counts['bisection_gbytes_s'])} GB/s"
    lines = (joins, f"{bisection} · longest route {_route(counts)} · routing {net.routing}")
    return Group(heading, lines, count, items, network=True)


def _route(counts: Mapping[str, Any]) -> str:
    return f"{plural(int(counts['diameter_hops']), 'hop')}, {time_text(round(counts['diameter_ns'] * 1e6))}"


def _accelerators(spec: SystemSpec, counts: Mapping[str, Any], levels: Levels) -> Row:
    parts = [(n["name"], float(n["injection_gbytes_s"])) for n in counts["networks"]]
    injection = f"injection {number(sum(rate for _, rate in parts))} GB/s"
    if len(parts) > 1:
        injection += " = " + " + ".join(f"{number(rate)} {name}" for name, rate in parts)
    lines = [plural(int(counts["accelerator_ports"]), "port") + " each", injection]
    if spec.device.hbm_rate is not None:
        lines.append(f"memory {rate_text(spec.device.hbm_rate)}, reads and writes together")
    lines += levels.lines
    heading = f"{spec.device.name}: {spec.accelerators:,}"
    return Row("accelerator", heading, tuple(lines), levels.members, arcs=levels.arcs)


def _lane(net: NetworkSpec, counts: Mapping[str, Any]) -> str:
    """Word what a network further out brings to an accelerator."""
    return f"{number(counts['injection_gbytes_s'])} GB/s into {net.name}"
