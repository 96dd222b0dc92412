"""Families of graphs in files: a ``[[network]]`` whose topology is a dragonfly or another family, by its sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from supernode.errors import FabricError
from supernode.fabric.base import Network, positive
from supernode.fabric.dragonfly import Dragonfly
from supernode.fabric.dragonfly_plus import DragonflyPlus
from supernode.fabric.family import Family
from supernode.fabric.hypercube import Hypercube
from supernode.fabric.hyperx import HyperX
from supernode.preset.form import LinkFile, NetworkFile
from supernode.preset.graphs import only_by_medium, ports_of
from supernode.preset.references import flag, whole
from supernode.quoting import quote

__all__ = ["FAMILIES", "family_network"]

#: By the kind of topology: the family, the sizes that a file must give, and those that it may.
FAMILIES: dict[str, tuple[type[Family], tuple[str, ...], tuple[str, ...]]] = {
    "dragonfly": (Dragonfly, (), ("routers", "global_ports", "groups", "local_links")),
    "dragonfly_plus": (DragonflyPlus, ("leaves", "spines", "global_ports"), ("groups", "local_links")),
    "hyperx": (HyperX, ("dims",), ("parallel", "reach")),
    "hypercube": (Hypercube, ("dimensions",), ()),
}


def family_network(file: NetworkFile) -> Network:
    """Build the network of a file whose topology is one of :data:`FAMILIES`.

    ``links`` has one class for all, or one for accelerators and those of the family: local and global ones, or one a
    dimension.
    """
    shape = file.topology
    make, needed, optional = FAMILIES[shape.kind]
    sizes: dict[str, Any] = {}
    for key in ("radix", *needed, *optional):
        value = getattr(shape, key)
        if value is not None and value != []:
            sizes[key] = _whole(value, f"{file.name} {key}")
        elif key in needed:
            raise FabricError(f"fabric {file.name}: a topology of kind {quote(shape.kind)} needs {key}")
    if "parallel" in sizes:
        sizes["links"] = sizes.pop("parallel")
    if len(file.switches) > 1:
        raise FabricError(f"fabric {file.name}: switches has {len(file.switches)} entries; one stands for all")
    for switch in file.switches:
        if ports_of(switch, file.name):
            raise FabricError(f"fabric {file.name}: ports of switches are for trees; a {shape.kind} has radix")
        sizes["switch_latency"], sizes["cut_through"] = switch.latency, switch.cut_through
        sizes["in_network_reduce"] = flag(switch.in_network_reduce, f"{file.name} in_network_reduce")
    fabric = make(
        terminals=whole(shape.terminals, f"{file.name} terminals"),
        payload=file.payload,
        overhead=file.overhead,
        buffer=file.buffer,
        routing="spray_round_robin" if file.routing is None else file.routing,
        kind=file.kind,
        **sizes,
        **_links(file, sizes),
    )
    ports = whole(shape.ports, f"{file.name} ports")
    built = fabric.network(file.name, whole(file.span, f"{file.name} span"), ports=ports)
    only_by_medium(file)
    cables = [positive(whole(n.per_cable, f"{file.name} per_cable"), "per_cable", file.name) for n in file.links]
    if len(cables) == 1:
        cables *= len(built.spec.links)
    return replace(
        built,
        notes=tuple(dict.fromkeys((*file.notes, *built.notes))),
        assumed=tuple(file.assumed),
        per_cable=tuple(cables) if max(cables) > 1 else (),
    )


def _whole(value: Any, what: str) -> Any:
    if isinstance(value, list):
        return [None if item == "all" else whole(item, what) for item in value]
    return whole(value, what)


def _links(file: NetworkFile, sizes: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of all links; what is left out is as for the links to accelerators."""
    if not file.links:
        raise FabricError(f"fabric {file.name}: links is empty")
    own, *between = file.links
    found: dict[str, Any] = _parts("", own)
    if not between:
        return found
    groups = file.topology.kind.startswith("dragonfly")
    expected = 2 if groups else sizes.get("dimensions", len(sizes.get("dims", ())))
    if len(between) != expected:
        raise FabricError(
            f"fabric {file.name}: links has {len(file.links)} entries; one for all, or {expected + 1}: "
            "to accelerators, " + ("in a group, between groups" if groups else "then one a dimension")
        )
    if groups:
        return found | _parts("local_", between[0]) | _parts("global_", between[1])
    columns = [_parts("dim_", link) for link in between]
    return found | {key: [column[key] for column in columns] for key in columns[0]}


def _parts(prefix: str, link: LinkFile) -> dict[str, Any]:
    return {f"{prefix}bandwidth": link.rate, f"{prefix}latency": link.latency, f"{prefix}medium": link.medium}
