"""From a preset file to a system: parameters replaced, units parsed, networks built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from supernode.data import convert
from supernode.device import Device
from supernode.errors import FabricError
from supernode.fabric.base import Network, buffer_bytes, packet_bytes, parse_kind, parse_routing, positive
from supernode.fabric.fat_tree import FatTree
from supernode.names import choose, unknown
from supernode.presetfile import (
    Body,
    NetworkFile,
    Param,
    PlanesFile,
    PresetFile,
    ScaleOutFile,
    TopologyFile,
    resolve,
    whole,
)
from supernode.spec import Clos, FullMeshShape, LinkSpec, NetworkSpec, SwitchSpec, Topology, TorusShape
from supernode.units import Quantity, parse_rate, parse_time

__all__ = ["Built", "ScaleOut", "build", "with_overrides"]

TOPOLOGIES = ("clos", "torus", "full_mesh")


@dataclass(frozen=True)
class ScaleOut:
    """The network that joins units: a fabric still without a size, and the ports of each accelerator into it."""

    fabric: FatTree
    ports: int = 1
    name: str = "scale_out"


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
    """

    device: Device
    accelerators: int
    networks: tuple[Network, ...]
    scale_out: ScaleOut | None
    units: int
    used: frozenset[str]
    used_to_join: frozenset[str]


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
    if file.scale_out is not None:
        raw["scale_out"] = resolve(file.scale_out, values, used_to_join)
    units = positive(whole(resolve(file.units, values, used), f"preset {file.name}, units"), "units", file.name)
    body = convert(raw, Body, f"preset {file.name}")
    device = Device(
        name=body.device.name,
        hbm=body.device.hbm_rate,
        copy=body.device.copy_rate,
        reduce=body.device.reduce_rate,
    )
    return Built(
        device=device,
        accelerators=whole(body.system.accelerators, f"preset {file.name}, accelerators"),
        networks=tuple(_network(n) for n in body.network),
        scale_out=None if body.scale_out is None else _scale_out(body.scale_out),
        units=units,
        used=frozenset(used),
        used_to_join=frozenset(used_to_join - used),
    )


def _network(file: NetworkFile) -> Network:
    topology = _topology(file.topology, file.name)
    payload, overhead = packet_bytes(file.payload, file.overhead)
    links = [
        LinkSpec(
            parse_rate(link.rate, f"{file.name} rate"), parse_time(link.latency, f"{file.name} latency"), link.medium
        )
        for link in file.links
    ]
    switches = [
        SwitchSpec(parse_time(s.latency, f"{file.name} switch latency", zero=True), s.cut_through, s.in_network_reduce)
        for s in file.switches
    ]
    buffers = [buffer_bytes(file.buffer, link, payload, overhead) for link in links]
    default_routing = "spray_round_robin" if isinstance(topology, Clos) else "d_mod_k"
    spec = NetworkSpec(
        name=file.name,
        span=whole(file.span, f"{file.name} span"),
        topology=topology,
        planes=_planes(file),
        links=links,
        switches=switches,
        payload=payload,
        overhead=overhead,
        routing=default_routing if file.routing is None else parse_routing(file.routing),
        buffer=max((b for b in buffers if b is not None), default=None),
    )
    return Network(spec, parse_kind(file.kind))


def _planes(file: NetworkFile) -> list[int]:
    if isinstance(file.planes, PlanesFile):
        count, links = whole(file.planes.count, f"{file.name} planes"), whole(file.planes.links, f"{file.name} links")
        return [links] * count
    return [whole(p, f"{file.name} planes") for p in file.planes]


def _topology(file: TopologyFile, name: str) -> Topology:
    kind = choose("topology", file.kind, TOPOLOGIES)
    dims = [whole(d, f"{name} dims") for d in file.dims]
    if kind == "torus":
        wrap = [file.wrap] * len(dims) if isinstance(file.wrap, bool) else file.wrap
        if len(wrap) != len(dims):
            raise FabricError(f"fabric {name}: wrap has {len(wrap)} values for {len(dims)} dimensions")
        return TorusShape(dims, [w and d > 2 for w, d in zip(wrap, dims, strict=True)])
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


def _scale_out(file: ScaleOutFile) -> ScaleOut:
    choose("scale-out topology", file.topology, ["fat_tree"])
    ports = whole(file.nics_per_accelerator, "nics_per_accelerator")
    fabric = FatTree(
        radix=whole(file.radix, "radix"),
        link=file.link_rate,
        tiers=None if file.tiers is None else whole(file.tiers, "tiers"),
        oversubscription=file.oversubscription,
        rails=whole(file.rails, "rails"),
        planes=ports if file.planes is None else whole(file.planes, "planes"),
        trunk=file.trunk_rate,
        link_latency=file.link_latency,
        trunk_latency=file.trunk_latency,
        switch_latency=file.switch_latency,
        cut_through=file.cut_through,
        in_network_reduce=file.in_network_reduce,
        payload=file.payload,
        overhead=file.overhead,
        buffer=file.buffer,
        routing="spray_round_robin" if file.routing is None else file.routing,
        kind=file.kind,
        medium=file.medium,
    )
    return ScaleOut(fabric, ports, file.name)
