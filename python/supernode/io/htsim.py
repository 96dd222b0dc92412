"""htsim's ``.topo`` files: leaf-spine and three-tier fat trees.

Tier i has the rate and latency of its links downwards, and what its switches have; ``Bundle`` is the number of
parallel links downwards. Pods, switches and cores follow from the radices as in htsim; a file whose numbers do not
fit together is refused. Its queues have no effect: htsim drops packets, this simulator makes them wait.

Source: sim/datacenter/fat_tree_topology.cpp (load, set_custom_params, init_network) of csg-htsim 841d9e7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from supernode.errors import FabricError, SpecError
from supernode.fabric.base import Network, buffer_bytes, packet_bytes, parse_kind, parse_routing, positive
from supernode.io.found import Found, Options
from supernode.io.text import Line, lines
from supernode.names import unknown
from supernode.spec import Clos, LinkSpec, NetworkSpec, SwitchSpec
from supernode.units import parse_rate, parse_time

__all__ = ["read_htsim"]

_HEAD = ("nodes", "tiers", "podsize")
_TIER = (
    "downlink_speed_gbps",
    "radix_down",
    "radix_up",
    "downlink_latency_ns",
    "switch_latency_ns",
    "oversubscribed",
    "bundle",
    "queue_up",
    "queue_down",
)


@dataclass
class _File:
    head: dict[str, int] = field(default_factory=dict)
    tiers: dict[int, dict[str, int]] = field(default_factory=dict)

    def get(self, tier: int, key: str) -> int:
        if key not in self.tiers[tier]:
            raise SpecError(f"tier {tier} has no {key}")
        return self.tiers[tier][key]


def read_htsim(text: str, name: str, options: Options) -> Found:
    """Read a topology of htsim.

    Raises
    ------
    SpecError
        Naming the line or key that is missing, unknown or not valid.
    FabricError
        Naming the tier whose numbers do not fit together.
    """
    file = _parse(text)
    for key in _HEAD:
        if key not in file.head:
            raise SpecError(f"{key} is missing")
    count = file.head["tiers"]
    if count not in (2, 3):
        raise SpecError(f"tiers is {count}; it must be 2 or 3")
    for tier in range(count):
        if tier not in file.tiers:
            raise SpecError(f"tier {tier} is missing")
    shape = _shape(file, count)
    nodes = positive(file.head["nodes"], "nodes", name)
    payload, overhead = packet_bytes(options.payload or 4096, options.overhead or 0)
    links = [_link(file, tier, options) for tier in range(count)]
    buffer = "auto" if options.buffer is None else options.buffer
    switches = [_switch(file, tier, options) for tier in range(count)]
    spec = NetworkSpec(
        name="scale_out",
        span=nodes,
        topology=shape,
        planes=[1],
        links=links,
        switches=switches,
        payload=payload,
        overhead=overhead,
        routing=parse_routing(options.routing or "spray_round_robin"),
        buffer=buffer_bytes(buffer, links, switches, payload, overhead),
    )
    warnings = []
    if any(key.startswith("queue") for tier in file.tiers.values() for key in tier):
        warnings.append("queue_up and queue_down have no effect: buffers hold packets back instead of dropping them")
    if options.payload is None:
        warnings.append(f"the file has no size of packets: a payload of {payload} B is taken; give payload=")
    return Found(name, (Network(spec, parse_kind(options.kind or "net")),), tuple(warnings))


def _parse(text: str) -> _File:
    file = _File()
    current: dict[str, int] | None = None
    for row in lines(text):
        key = row.words[0].lower()
        if key == "tier":
            number = row.integer(1, "tier")
            if number > 2:
                raise SpecError(f"line {row.number}: tier is {number}; it must be 0, 1 or 2")
            current = file.tiers.setdefault(number, {})
            continue
        valid = _HEAD if current is None else _TIER
        if key not in valid:
            raise SpecError(f"line {row.number}: {unknown('key', row.words[0], valid)}")
        table = file.head if current is None else current
        if key in table:
            raise SpecError(f"line {row.number}: {key} is given twice")
        table[key] = _number(row, key)
    return file


def _number(row: Line, key: str) -> int:
    return row.integer(1, key)


def _shape(file: _File, count: int) -> Clos:
    """Derive the tree: children, parents and parallel links by tier."""
    nodes, pod = file.head["nodes"], file.head["podsize"]
    if not pod or nodes % pod:
        raise FabricError(f"nodes {nodes} are not whole pods of {pod}")
    if count == 2 and pod != nodes:
        raise FabricError(f"two tiers are one pod: podsize {pod} must be the {nodes} nodes")
    down, up, parallel = [file.get(0, "radix_down")], [1], [1]
    if file.tiers[0].get("bundle", 1) != 1:
        raise FabricError("tier 0: htsim has no bundles to hosts; bundle must be 1")
    ratio = file.tiers[0].get("oversubscribed", 1)
    if file.get(0, "radix_up") and down[0] // file.get(0, "radix_up") != ratio:
        raise FabricError(f"tier 0: radix_down / radix_up is {down[0]} / {file.get(0, 'radix_up')}, not {ratio} to 1")
    for tier in range(1, count):
        bundle = file.tiers[tier].get("bundle", 1)
        for key, radix in (("radix_up", file.get(tier - 1, "radix_up")), ("radix_down", file.get(tier, "radix_down"))):
            if not bundle or not radix or radix % bundle:
                at = tier - 1 if key == "radix_up" else tier
                raise FabricError(f"tier {at}: {key} {radix} is not a multiple of the bundle {bundle} of tier {tier}")
        down.append(file.get(tier, "radix_down") // bundle)
        up.append(file.get(tier - 1, "radix_up") // bundle)
        parallel.append(bundle)
    inside = prod(down[:2])
    if inside != pod:
        raise FabricError(f"tier 1: {down[0]} x {down[1]} hosts under its switches are not the podsize {pod}")
    if prod(down) != nodes:
        raise FabricError(
            f"tier {count - 1}: {' x '.join(map(str, down))} hosts under its switches are not {nodes} nodes"
        )
    for tier, numbers in enumerate(zip(down, up, parallel, strict=True)):
        for number in numbers:
            positive(number, f"a number of links or switches of tier {tier}", "htsim")
    return Clos(down=down, up=up, parallel=parallel)


def _link(file: _File, tier: int, options: Options) -> LinkSpec:
    gbps = file.get(tier, "downlink_speed_gbps")
    latency = file.get(tier, "downlink_latency_ns")
    if not gbps:
        raise FabricError(f"tier {tier}: downlink_speed_gbps is 0")
    given = f"{latency} ns" if latency else options.latency("", f"tier {tier}")
    rate = parse_rate(f"{gbps} Gbit/s", f"downlink_speed_gbps of tier {tier}")
    return LinkSpec(rate, parse_time(given, f"downlink_latency_ns of tier {tier}"))


def _switch(file: _File, tier: int, options: Options) -> SwitchSpec:
    given = file.tiers[tier].get("switch_latency_ns")
    if given is None:
        return SwitchSpec(parse_time(options.switch_latency or 0, "switch_latency", zero=True))
    return SwitchSpec(parse_time(f"{given} ns", f"switch_latency_ns of tier {tier}", zero=True))
