"""Systems as TOML files, in the form of presets: what :meth:`supernode.System.save` writes and ``load`` reads.

Every number is written exactly. Units and the rule that joins them stay apart, so that a file of one unit can be joined
to several; assumed values and remarks travel along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.fabric.base import Network
from supernode.fabric.fat_tree import FatTree
from supernode.files.toml import toml_value
from supernode.preset.fabrics import write_fabric
from supernode.preset.form import FORMAT
from supernode.spec import Clos, GraphShape, LinkSpec, NetworkSpec, SwitchSpec, TorusShape, TransportSpec
from supernode.system.joins import Core, ScaleOut
from supernode.system.validity import checked
from supernode.units import (
    Quantity,
    format_flop_rate,
    format_rate,
    format_size,
    format_time,
    parse_rate,
    parse_size,
    parse_time,
)

if TYPE_CHECKING:
    from supernode.system import System

__all__ = ["write_toml"]

_Table = dict[str, Any]


def write_toml(system: System) -> str:
    """Return a system as TOML text.

    Raises
    ------
    SpecError
        If a name has characters that no file can hold.
    """
    # what is written can be read
    checked(system)
    top: _Table = {"format": FORMAT, "name": system.label, "stack": system.stack}
    if system.units > 1:
        top["units"] = system.units
    if system.unpublished:
        top["assumed"] = list(system.unpublished)
    if system.remarks:
        top["notes"] = list(system.remarks)
    text = [*_assignments(top), "", "[system]", f"accelerators = {system.unit_accelerators}", "", "[device]"]
    text += _assignments(_literal(_device(system)))
    for network in system.networks:
        text += ["", "[[network]]", *_assignments(_literal(_network(network)))]
    if system.nics is not None:
        nics = {
            "per_accelerator": system.nics.count,
            "rate": format_rate(system.nics.rate),
            "latency": format_time(system.nics.latency_fs),
        }
        text += ["", "[nics]", *_assignments(_literal(nics))]
    if system.host is not None:
        text += ["", "[host]", f'launch = "{format_time(system.host.launch_fs())}"']
    if isinstance(system.joined, Core):
        text += ["", "[core]", *_assignments(_literal(_tier(system.joined)))]
    elif system.joined is not None:
        text += ["", "[scale_out]", *_assignments(_literal(_scale_out(system.joined)))]
    if system.unit_power is not None:
        power = {"covers": system.power_covers, "unit": f"{system.unit_power} W"}
        text += ["", "[power]", *_assignments(_literal(power))]
    if system.stack_overrides:
        text += ["", "[stack_values]", *_assignments({json.dumps(k): v for k, v in system.stack_overrides.items()})]
    joined = "\n".join([*text, ""])
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        raise SpecError(
            f"system {system.label!r}: a name has characters that UTF-8 cannot hold: {error.reason}"
        ) from None
    return joined


def _device(system: System) -> _Table:
    spec = system.device.to_spec()
    rates = {"hbm_rate": spec.hbm_rate, "copy_rate": spec.copy_rate, "reduce_rate": spec.reduce_rate}
    latency, peaks = system.device.hbm_latency, system.device.peaks()
    return {
        "name": spec.name,
        **({"generation": spec.generation} if spec.generation else {}),
        **{key: format_rate(rate) for key, rate in rates.items() if rate is not None},
        **({} if latency is None else {"hbm_latency": format_time(parse_time(latency, zero=True))}),
        **({"peak": {name: format_flop_rate(rate) for name, rate in peaks.items()}} if peaks else {}),
    }


def _network(network: Network) -> _Table:
    spec = network.spec
    same = len(set(spec.planes)) == 1
    cables, optics = chain(network.per_cable, repeat(1)), chain(network.optical_one_in, repeat(0))
    table: _Table = {
        "name": spec.name,
        "kind": network.kind,
        "span": spec.span,
        "planes": {"count": len(spec.planes), "links": spec.planes[0]} if same else spec.planes,
        "payload": format_size(spec.payload),
        "overhead": format_size(spec.overhead) if spec.overhead else 0,
        "buffer": "unlimited" if spec.buffer is None else format_size(spec.buffer),
        "routing": spec.routing,
        "links": [
            _link(link, cable) | ({"optical_one_in": one} if one else {})
            for link, cable, one in zip(spec.links, cables, optics, strict=False)
        ],
        "switches": [
            _switch(switch, ports)
            for switch, ports in zip(spec.switches, chain(network.ports, repeat(0)), strict=False)
        ],
    }
    if not spec.dateline:
        table["dateline"] = False
    if spec.transport != TransportSpec():
        table["transport"] = _transport(spec.transport)
    for key, texts in (("notes", network.notes), ("assumed", network.assumed)):
        if texts:
            table[key] = list(texts)
    return {**table, "topology": dict(network.form) or _topology(spec, network.names)}


def _link(spec: LinkSpec, per_cable: int = 1) -> _Table:
    medium = {"medium": spec.medium} if spec.medium else {}
    cable = {"per_cable": per_cable} if per_cable != 1 else {}
    return {"rate": format_rate(spec.rate), "latency": format_time(spec.latency_fs), **medium, **cable}


def _switch(spec: SwitchSpec, ports: int = 0) -> _Table:
    table: _Table = {"latency": format_time(spec.latency_fs)}
    if not spec.cut_through:
        table["cut_through"] = False
    if spec.in_network_reduce:
        table["in_network_reduce"] = True
    if ports:
        table["ports"] = ports
    return table


def _topology(spec: NetworkSpec, names: Sequence[str]) -> _Table:
    shape = spec.topology
    if isinstance(shape, Clos):
        rails = {"rails": shape.rails} if shape.rails > 1 else {}
        return {"kind": "clos", "down": shape.down, "up": shape.up, "parallel": shape.parallel, **rails}
    if isinstance(shape, TorusShape):
        twist = {"twist": [list(pair) for pair in shape.twist]} if shape.twist else {}
        return {"kind": "torus", "dims": shape.dims, "wrap": shape.wrap, **twist}
    if not isinstance(shape, GraphShape):
        return {"kind": "full_mesh", "dims": shape.dims}
    kinds = shape.switch_kinds or [0] * shape.switches
    nodes = [
        {"name": name, **({"switch": kind} if kind else {})}
        for name, kind in zip(names[spec.span :], kinds, strict=True)
    ]
    edges = [
        {
            "a": names[a],
            "b": names[b],
            **({"link": link} if link else {}),
            **({"count": count} if count != 1 else {}),
            **({"weight": shape.weights[link]} if shape.weights and shape.weights[link] != 1 else {}),
        }
        for a, b, link, count in shape.edges
    ]
    router = {} if shape.forwarding is None else {"forwarding": shape.forwarding}
    return {"kind": "graph", **router, "accelerators": list(names[: spec.span]), "nodes": nodes, "edges": edges}


def _tier(core: Core) -> _Table:
    return {
        "up": core.up,
        "parallel": core.parallel,
        "link": _link(core.link),
        "switch": _switch(core.switch, core.ports),
    }


def _scale_out(joined: ScaleOut) -> _Table:
    if not isinstance(joined.fabric, FatTree):
        table = write_fabric(joined.fabric)
        own = {"topology": table.pop("topology"), "name": joined.name, "nics_per_accelerator": joined.ports}
        return own | table | _nics_add(joined)
    fabric = joined.fabric
    optional: _Table = {
        "tiers": fabric.tiers,
        "hosts_per_leaf": fabric.hosts_per_leaf,
        "uplinks_per_leaf": fabric.uplinks_per_leaf,
        "pod_leaves": fabric.pod_leaves,
        "trunk_rate": None if fabric.trunk is None else format_rate(parse_rate(fabric.trunk)),
        "link_latency": _time(fabric.link_latency),
        "trunk_latency": _time(fabric.trunk_latency),
        "switch_latency": _time(fabric.switch_latency),
    }
    buffer = fabric.buffer
    return {
        "name": joined.name,
        "kind": fabric.kind,
        "radix": fabric.radix,
        "nics_per_accelerator": joined.ports,
        "planes": joined.ports if fabric.planes is None else fabric.planes,
        "rails": fabric.rails,
        "oversubscription": str(fabric.ratio()).replace("/", ":"),
        "link_rate": format_rate(parse_rate(fabric.link)),
        **{key: value for key, value in optional.items() if value is not None},
        "cut_through": fabric.cut_through,
        "in_network_reduce": fabric.in_network_reduce,
        "payload": format_size(parse_size(fabric.payload)),
        "overhead": 0 if fabric.overhead == 0 else format_size(parse_size(fabric.overhead)),
        "buffer": "unlimited"
        if buffer is None
        else buffer
        if isinstance(buffer, str)
        else format_size(parse_size(buffer)),
        "routing": fabric.routing,
        **({"medium": fabric.medium} if fabric.medium else {}),
        **_nics_add(joined),
    }


def _nics_add(joined: ScaleOut) -> _Table:
    if joined.transport is None:
        return {}
    return {"transport": _transport(joined.transport.to_spec())}


def _transport(spec: TransportSpec) -> _Table:
    return {"latency": format_time(spec.latency_fs), "per_message": format_time(spec.per_message_fs)}


def _time(value: Quantity | None) -> str | None:
    return None if value is None else format_time(parse_time(value, zero=True))


def _literal(value: Any) -> Any:
    """Double the ``$`` at the start of a text, which would name a parameter."""
    if isinstance(value, str):
        return f"${value}" if value.startswith("$") else value
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_literal(item) for item in value]
    return value


#: Lists of tables that get a line an entry.
_LONG = ("links", "switches", "nodes", "edges", "assumed", "notes", "accelerators")


def _assignments(table: Mapping[str, Any]) -> list[str]:
    found = []
    tables: list[str] = []
    for key, value in table.items():
        if key == "topology" and isinstance(value, Mapping):
            tables += ["[network.topology]", *_assignments(value)]
        elif key in _LONG and isinstance(value, Sequence) and len(value) > 1:
            found += [f"{key} = [", *(f"  {toml_value(item)}," for item in value), "]"]
        else:
            found.append(f"{key} = {toml_value(value)}")
    return found + tables
