"""From a preset file to a system: parameters replaced, units parsed, networks built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import msgspec

from supernode.data import convert
from supernode.device import Device
from supernode.errors import FabricError, SpecError
from supernode.fabric.base import Network, buffer_bytes, packet_bytes, parse_kind, parse_routing, positive
from supernode.fabric.fat_tree import FatTree
from supernode.fabric.graph import Edge, Graph, SwitchNode
from supernode.familyfile import FAMILIES, family_network
from supernode.names import choose, unknown
from supernode.presetfile import (
    Body,
    CoreFile,
    LinkFile,
    NetworkFile,
    Param,
    PlanesFile,
    PresetFile,
    ScaleOutFile,
    SwitchFile,
    TopologyFile,
)
from supernode.references import flag, resolve, whole
from supernode.spec import Clos, FullMeshShape, LinkSpec, NetworkSpec, SwitchSpec, Topology, TorusShape
from supernode.units import Quantity, parse_power, parse_rate, parse_time

__all__ = ["Built", "Core", "ScaleOut", "build", "with_overrides"]

TOPOLOGIES = ("clos", "torus", "mesh", "full_mesh", "graph", *FAMILIES)


@dataclass(frozen=True)
class ScaleOut:
    """The network that joins units: a fabric still without a size, and the ports of each accelerator into it."""

    fabric: FatTree
    ports: int = 1
    name: str = "scale_out"

    def join(self, networks: tuple[Network, ...], accelerators: int) -> tuple[Network, ...]:
        """Add the network over all accelerators."""
        return (*networks, self.fabric.network(self.name, accelerators, ports=self.ports))


@dataclass(frozen=True)
class Core:
    """What joins units through the outermost network of a unit: one more tier of switches above its top one.

    Parameters
    ----------
    up, parallel
        Core switches above each switch of the top tier, and links to each of them.
    link, switch
        The new links and switches.
    """

    up: int
    parallel: int
    link: LinkSpec
    switch: SwitchSpec

    def join(self, networks: tuple[Network, ...], accelerators: int) -> tuple[Network, ...]:
        """Put the tier on the outermost network, over all accelerators."""
        *inner, top = networks
        old, shape = top.spec, top.spec.topology
        if not isinstance(shape, Clos) or prod(shape.down) != old.span:
            raise FabricError(f"fabric {old.name}: a core joins only trees that are full; this one spans {old.span}")
        spec = msgspec.structs.replace(
            old,
            span=accelerators,
            topology=Clos(
                down=[*shape.down, accelerators // old.span],
                up=[*shape.up, self.up],
                parallel=[*shape.parallel, self.parallel],
                rails=shape.rails,
            ),
            links=[*old.links, self.link],
            switches=[*old.switches, self.switch],
        )
        return (*inner, replace(top, spec=spec))


@dataclass(frozen=True)
class Built:
    """One unit of a preset.

    Parameters
    ----------
    device
        The accelerator.
    accelerators
        Their number in one unit.
    networks
        Networks of one unit, innermost first.
    scale_out
        What joins several units, if anything does.
    used
        Parameters that one unit refers to.
    used_to_join
        Parameters that only the scale-out network refers to.
    power_watts
        What one unit draws, where that is known.
    power_covers
        What that figure covers.
    used_for_power
        Parameters that only the power refers to: no time depends on them.
    """

    device: Device
    accelerators: int
    networks: tuple[Network, ...]
    scale_out: ScaleOut | Core | None
    units: int
    used: frozenset[str]
    used_to_join: frozenset[str]
    power_watts: int | None = None
    power_covers: str = ""
    used_for_power: frozenset[str] = frozenset()


def with_overrides(file: PresetFile, overrides: Mapping[str, Quantity | bool]) -> dict[str, Param]:
    """Return the parameters with overridden values in place and marked.

    Raises
    ------
    SpecError
        If an override names no parameter.
    """
    params = dict(file.params)
    for name, value in overrides.items():
        if name not in params:
            raise unknown(f"parameter of preset {file.name}", name, params)
        old = params[name]
        params[name] = Param(value=value, mark="override", note=f"instead of {old.value} ({old.mark})")
    return params


def build(file: PresetFile, params: Mapping[str, Param]) -> Built:
    """Build one unit of a preset."""
    used: set[str] = set()
    used_to_join: set[str] = set()
    values = {name: param.value for name, param in params.items()}
    raw = resolve({"system": file.system, "device": file.device, "network": file.network}, values, used)
    if file.scale_out is not None and file.core is not None:
        raise SpecError(f"preset {file.name}: it has both scale_out and core; one of them joins its units")
    for key, table in (("scale_out", file.scale_out), ("core", file.core)):
        if table is not None:
            raw[key] = resolve(table, values, used_to_join)
    used_for_power: set[str] = set()
    if file.power is not None:
        raw["power"] = resolve(file.power, values, used_for_power)
    factors = file.units if isinstance(file.units, list) else [file.units]
    counts = [whole(n, f"preset {file.name}, units") for n in resolve(factors, values, used)]
    units = positive(prod(counts), "units", file.name)
    body = convert(raw, Body, f"preset {file.name}")
    device = Device(
        name=body.device.name,
        hbm=body.device.hbm_rate,
        copy=body.device.copy_rate,
        reduce=body.device.reduce_rate,
        hbm_latency=body.device.hbm_latency,
    )
    return Built(
        device=device,
        accelerators=whole(body.system.accelerators, f"preset {file.name}, accelerators"),
        networks=tuple(_network(n) for n in body.network),
        scale_out=_joined(body),
        units=units,
        used=frozenset(used),
        used_to_join=frozenset(used_to_join - used),
        power_watts=_power(body, f"preset {file.name}, power"),
        power_covers="" if body.power is None else body.power.covers,
        used_for_power=frozenset(used_for_power - used - used_to_join),
    )


def _power(body: Body, where: str) -> int | None:
    """Return the watts of one unit."""
    power = body.power
    if power is None or (power.unit is None) == (power.accelerator is None):
        if power is not None:
            raise SpecError(f"{where}: it has to have one of unit and accelerator")
        return None
    if power.unit is not None:
        return parse_power(power.unit, where)
    return parse_power(power.accelerator or 0, where) * whole(body.system.accelerators, f"{where}, accelerators")


def _network(file: NetworkFile) -> Network:
    kind = choose("topology", file.topology.kind, TOPOLOGIES)
    if kind == "graph" or kind in FAMILIES:
        if _planes(file) != [1]:
            raise FabricError(f"fabric {file.name}: a {kind} has one plane; its edges say the rest")
        return _graph(file) if kind == "graph" else family_network(file)
    topology = _topology(file.topology, file.name)
    payload, overhead = packet_bytes(file.payload, file.overhead)
    links = [_link(link, file.name) for link in file.links]
    switches = [_switch(switch, file.name) for switch in file.switches]
    buffers = [buffer_bytes(file.buffer, link, payload, overhead) for link in links]
    spec = NetworkSpec(
        name=file.name,
        span=whole(file.span, f"{file.name} span"),
        topology=topology,
        planes=_planes(file),
        links=links,
        switches=switches,
        payload=payload,
        overhead=overhead,
        routing="spray_round_robin" if file.routing is None else parse_routing(file.routing),
        buffer=max((b for b in buffers if b is not None), default=None),
        dateline=file.dateline,
    )
    cables = tuple(positive(whole(n.per_cable, f"{file.name} per_cable"), "per_cable", file.name) for n in file.links)
    return Network(spec, parse_kind(file.kind), tuple(file.notes), tuple(file.assumed), per_cable=cables)


def _graph(file: NetworkFile) -> Network:
    shape = file.topology
    links = [_link(link, file.name) for link in file.links]
    switches = [_switch(switch, file.name) for switch in file.switches] or [SwitchSpec(0)]

    def place(value: int | str, what: str, count: int) -> int:
        number = whole(value, f"{file.name} {what}")
        if not 0 <= number < count:
            raise FabricError(f"fabric {file.name}: {what} {number} is none of the {count} that the network lists")
        return number

    nodes, edges = [], []
    for node in shape.nodes:
        own = switches[place(node.switch, f"switch of node {node.name!r}", len(switches))]
        radix = None if node.radix is None else whole(node.radix, f"{file.name} radix of node {node.name!r}")
        nodes.append(SwitchNode(node.name, own.latency_fs, radix, own.cut_through, own.in_network_reduce))
    for edge in shape.edges:
        shown = f"edge {edge.a!r} - {edge.b!r}"
        link = links[place(edge.link, f"link of {shown}", len(links))]
        count = whole(edge.count, f"{file.name} count of {shown}")
        edges.append(Edge(edge.a, edge.b, link.rate, link.latency_fs, count, link.medium))
    own = switches[0 if shape.forwarding is None else place(shape.forwarding, "forwarding", len(switches))]
    graph = Graph(
        forwarding=None if shape.forwarding is None else True,
        switch_latency=own.latency_fs,
        cut_through=own.cut_through,
        accelerators=shape.accelerators,
        edges=edges,
        switches=nodes,
        payload=file.payload,
        overhead=file.overhead,
        buffer=file.buffer,
        routing="spray_round_robin" if file.routing is None else file.routing,
        kind=file.kind,
    )
    built = graph.network(file.name, whole(file.span, f"{file.name} span"))
    return replace(built, notes=tuple(dict.fromkeys((*file.notes, *built.notes))), assumed=tuple(file.assumed))


def _link(file: LinkFile, name: str) -> LinkSpec:
    return LinkSpec(parse_rate(file.rate, f"{name} rate"), parse_time(file.latency, f"{name} latency"), file.medium)


def _switch(file: SwitchFile, name: str) -> SwitchSpec:
    latency = parse_time(file.latency, f"{name} switch latency", zero=True)
    return SwitchSpec(latency, file.cut_through, flag(file.in_network_reduce, f"{name} in_network_reduce"))


def _planes(file: NetworkFile) -> list[int]:
    if isinstance(file.planes, PlanesFile):
        count, links = whole(file.planes.count, f"{file.name} planes"), whole(file.planes.links, f"{file.name} links")
        return [links] * count
    return [whole(p, f"{file.name} planes") for p in file.planes]


def _topology(file: TopologyFile, name: str) -> Topology:
    kind = file.kind
    dims = [whole(d, f"{name} dims") for d in file.dims]
    if kind == "torus":
        wrap = [file.wrap] * len(dims) if isinstance(file.wrap, bool) else file.wrap
        if len(wrap) != len(dims):
            raise FabricError(f"fabric {name}: wrap has {len(wrap)} values for {len(dims)} dimensions")
        return TorusShape(dims, [w and d > 2 for w, d in zip(wrap, dims, strict=True)])
    if kind == "mesh":
        return TorusShape(dims, [False] * len(dims))
    if kind == "full_mesh":
        return FullMeshShape(dims)
    down = [whole(d, f"{name} down") for d in file.down]
    if prod(down) < 1:
        raise FabricError(f"fabric {name}: down is {down}; every tier needs at least one child")
    return Clos(
        down=down,
        up=[whole(u, f"{name} up") for u in file.up] or [1] * len(down),
        parallel=[whole(p, f"{name} parallel") for p in file.parallel] or [1] * len(down),
        rails=whole(file.rails, f"{name} rails"),
    )


def _joined(body: Body) -> ScaleOut | Core | None:
    if body.core is not None:
        return _tier(body.core)
    return None if body.scale_out is None else _scale_out(body.scale_out)


def _tier(file: CoreFile) -> Core:
    return Core(
        up=whole(file.up, "core, up"),
        parallel=whole(file.parallel, "core, parallel"),
        link=_link(file.link, "core"),
        switch=_switch(file.switch, "core"),
    )


def _scale_out(file: ScaleOutFile) -> ScaleOut:
    choose("scale-out topology", file.topology, ["fat_tree"])
    ports = whole(file.nics_per_accelerator, "nics_per_accelerator")
    fabric = FatTree(
        radix=whole(file.radix, "radix"),
        link=file.link_rate,
        tiers=None if file.tiers is None else whole(file.tiers, "tiers"),
        oversubscription=file.oversubscription,
        pod_leaves=None if file.pod_leaves is None else whole(file.pod_leaves, "pod_leaves"),
        rails=whole(file.rails, "rails"),
        planes=ports if file.planes is None else whole(file.planes, "planes"),
        trunk=file.trunk_rate,
        link_latency=file.link_latency,
        trunk_latency=file.trunk_latency,
        switch_latency=file.switch_latency,
        cut_through=file.cut_through,
        in_network_reduce=flag(file.in_network_reduce, "scale_out in_network_reduce"),
        payload=file.payload,
        overhead=file.overhead,
        buffer=file.buffer,
        routing="spray_round_robin" if file.routing is None else file.routing,
        kind=file.kind,
        medium=file.medium,
    )
    return ScaleOut(fabric, ports, file.name)
