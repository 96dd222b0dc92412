"""From a preset file to a system: parameters replaced, units parsed, networks built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from supernode.errors import FabricError, SpecError
from supernode.fabric.base import (
    Network,
    buffer_bytes,
    packet_bytes,
    parse_kind,
    parse_routing,
    plane_links,
    positive,
)
from supernode.fabric.fat_tree import FatTree
from supernode.fabric.switchports import check_ports
from supernode.fabric.torus import torus_shape
from supernode.files.data import convert
from supernode.names import choose, unknown
from supernode.preset.fabrics import naming_fabric, read_fabric
from supernode.preset.families import FAMILIES, family_network
from supernode.preset.form import (
    Body,
    CoreFile,
    NetworkFile,
    Param,
    PlanesFile,
    PresetFile,
    ScaleOutFile,
    TopologyFile,
    TransportFile,
)
from supernode.preset.graphs import cables_of, count_of, counts_of, graph_network, link_of, ports_of, switch_of
from supernode.preset.references import flag, resolve, whole
from supernode.spec import Clos, FullMeshShape, NetworkSpec, Topology, TorusShape
from supernode.system.device import Device
from supernode.system.host import Host
from supernode.system.joins import Core, ScaleOut
from supernode.system.nics import Nics
from supernode.system.transport import Transport
from supernode.units import Quantity, parse_power, parse_rate, parse_time

__all__ = ["Built", "build", "with_overrides"]

#: Planes of a network; each is an entry of a list.
MAX_PLANES = 2**16

TOPOLOGIES = ("clos", "torus", "mesh", "full_mesh", "graph", *FAMILIES)


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
    nics
        What each accelerator of an imported host has to reach the scale-out network.
    host
        The processor that launches calls.
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
    nics: Nics | None = None
    host: Host | None = None


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
    scale_out = None if file.scale_out is None else resolve(file.scale_out, values, used_to_join)
    if file.core is not None:
        raw["core"] = resolve(file.core, values, used_to_join)
    if file.nics is not None:
        raw["nics"] = resolve(file.nics, values, used_to_join)
    if file.host is not None:
        raw["host"] = resolve(file.host, values, used)
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
        peak=body.device.peak,
        generation=body.device.generation,
    )
    accelerators = count_of(body.system.accelerators, "accelerators", file.name)
    networks = tuple(_named(n) for n in body.network)
    if not networks or networks[-1].spec.span != accelerators:
        joined = f"the outermost one joins {networks[-1].spec.span}" if networks else "there is none"
        raise FabricError(f"preset {file.name}: its networks do not join all {accelerators} accelerators; {joined}")
    return Built(
        device=device,
        accelerators=accelerators,
        networks=networks,
        scale_out=_joined(body, scale_out, f"preset {file.name}"),
        units=units,
        used=frozenset(used),
        used_to_join=frozenset(used_to_join - used),
        power_watts=_power(body, f"preset {file.name}, power"),
        power_covers="" if body.power is None else body.power.covers,
        used_for_power=frozenset(used_for_power - used - used_to_join),
        nics=_nics(body, f"preset {file.name}, nics"),
        host=None if body.host is None else Host(body.host.launch),
    )


def _nics(body: Body, where: str) -> Nics | None:
    """Return the NICs of an accelerator."""
    if body.nics is None:
        return None
    return Nics(
        count=count_of(body.nics.per_accelerator, "per_accelerator", where),
        rate=parse_rate(body.nics.rate, f"{where}, rate"),
        latency_fs=parse_time(body.nics.latency, f"{where}, latency", zero=True),
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


def _named(file: NetworkFile) -> Network:
    """Build a network, and name it in errors."""
    with naming_fabric(file.name):
        network, transport = _network(file), _transport(file.transport)
        return network if transport is None else transport.on(network)


def _transport(file: TransportFile | None) -> Transport | None:
    return None if file is None else Transport(file.latency, file.per_message)


def _network(file: NetworkFile) -> Network:
    kind = choose("topology", file.topology.kind, TOPOLOGIES)
    if kind == "graph" or kind in FAMILIES:
        if _planes(file) != [1]:
            raise FabricError(f"fabric {file.name}: a {kind} has one plane; its edges say the rest")
        return graph_network(file) if kind == "graph" else family_network(file)
    topology = _topology(file.topology, file.name)
    payload, overhead = packet_bytes(file.payload, file.overhead)
    links = [link_of(link, file.name) for link in file.links]
    switches = [switch_of(switch, file.name) for switch in file.switches]
    spec = NetworkSpec(
        name=file.name,
        span=count_of(file.span, "span", file.name),
        topology=topology,
        planes=_planes(file),
        links=links,
        switches=switches,
        payload=payload,
        overhead=overhead,
        routing="spray_round_robin" if file.routing is None else parse_routing(file.routing),
        buffer=buffer_bytes(file.buffer, links, switches, payload, overhead),
        dateline=file.dateline,
    )
    ports = tuple(ports_of(switch, file.name) for switch in file.switches)
    if isinstance(topology, Clos):
        check_ports(file.name, topology, spec.planes, ports)
    elif any(ports):
        raise FabricError(f"fabric {file.name}: ports of switches are for trees; a {kind} has none")
    cables = cables_of(file)
    if max(cables, default=1) == 1:
        cables = ()
    optics = tuple(whole(n.optical_one_in, f"{file.name} optical_one_in") for n in file.links)
    if min(optics, default=0) < 0:
        raise FabricError(f"fabric {file.name}: optical_one_in is {min(optics)}; it must be 0 or a number of links")
    optics = optics if any(optics) else ()
    return Network(
        *(spec, parse_kind(file.kind), tuple(file.notes), tuple(file.assumed)),
        per_cable=cables,
        optical_one_in=optics,
        ports=ports if any(ports) else (),
    )


def _planes(file: NetworkFile) -> list[int]:
    if isinstance(file.planes, PlanesFile):
        count, links = (count_of(n, "planes", file.name) for n in (file.planes.count, file.planes.links))
        if count > MAX_PLANES:
            raise FabricError(f"fabric {file.name}: planes is {count}; at most {MAX_PLANES}")
        return plane_links(count, links, file.name)
    return counts_of(file.planes, "planes", file.name)


def _topology(file: TopologyFile, name: str) -> Topology:
    kind = file.kind
    dims = counts_of(file.dims, "dims", name)
    if kind == "torus":
        wrap = file.wrap if isinstance(file.wrap, list) else [flag(file.wrap, f"{name} wrap")] * len(dims)
        if len(wrap) != len(dims):
            raise FabricError(f"fabric {name}: wrap has {len(wrap)} values for {len(dims)} dimensions")
        twist = file.twist if isinstance(file.twist, list) else flag(file.twist, f"{name} twist")
        return torus_shape(dims, wrap, twist, name)
    if kind == "mesh":
        return TorusShape(dims, [False] * len(dims))
    if kind == "full_mesh":
        return FullMeshShape(dims)
    down = counts_of(file.down, "down", name)
    return Clos(
        down=down,
        up=counts_of(file.up, "up", name) or [1] * len(down),
        parallel=counts_of(file.parallel, "parallel", name) or [1] * len(down),
        rails=count_of(file.rails, "rails", name),
    )


def _joined(body: Body, scale_out: dict[str, Any] | None, where: str) -> ScaleOut | Core | None:
    if body.core is not None:
        return _tier(body.core)
    if scale_out is None:
        return None
    if scale_out.get("topology", "fat_tree") == "fat_tree":
        return _scale_out(convert(scale_out, ScaleOutFile, f"{where}, scale_out"))
    table = dict(scale_out)
    nics = table.pop("transport", None)
    transport = None if nics is None else _transport(convert(nics, TransportFile, f"{where}, scale_out, transport"))
    with naming_fabric("scale_out"):
        return ScaleOut(*read_fabric(table, f"{where}, scale_out"), transport=transport)


def _tier(file: CoreFile) -> Core:
    return Core(
        up=count_of(file.up, "up", "core"),
        parallel=count_of(file.parallel, "parallel", "core"),
        link=link_of(file.link, "core"),
        switch=switch_of(file.switch, "core"),
        ports=ports_of(file.switch, "core"),
    )


def _scale_out(file: ScaleOutFile) -> ScaleOut:
    ports = whole(file.nics_per_accelerator, "nics_per_accelerator")
    fabric = FatTree(
        radix=whole(file.radix, "radix"),
        link=file.link_rate,
        tiers=None if file.tiers is None else whole(file.tiers, "tiers"),
        oversubscription=file.oversubscription,
        hosts_per_leaf=None if file.hosts_per_leaf is None else whole(file.hosts_per_leaf, "hosts_per_leaf"),
        uplinks_per_leaf=None if file.uplinks_per_leaf is None else whole(file.uplinks_per_leaf, "uplinks_per_leaf"),
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
    return ScaleOut(fabric, ports, file.name, _transport(file.transport))
