"""Any system as a list of vertices and edges, for formats that know nothing else.

Trees, tori and full meshes are written out, each plane and copy of a network with its own switches; switches that no
accelerator lies under are left out. Accelerators are called by the names of an imported graph, or ``accelerator.N``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from supernode.fabric.base import Network
from supernode.fabric.parts import check_size
from supernode.spec import (
    Clos,
    FullMeshShape,
    GraphShape,
    LinkSpec,
    NetworkSpec,
    SwitchSpec,
    Topology,
    TorusShape,
    TransportSpec,
)
from supernode.units import format_rate, format_size, format_time

if TYPE_CHECKING:
    from supernode.system import System

__all__ = ["Drawing", "expand"]

#: Parts of a system that are several things.
_SEVERAL = ("cables of several links", "which values are assumed")

#: An end of an edge: an accelerator of the copy, or a switch of the copy by name.
_End = int | str


@dataclass(frozen=True)
class Drawing:
    """A system written out.

    Parameters
    ----------
    attributes
        Of the system as a whole.
    vertices
        Accelerators in the order of ranks, then switches: name and attributes.
    edges
        Both ends and attributes.
    warnings
        What the list does not say.
    """

    attributes: dict[str, str]
    vertices: list[tuple[str, dict[str, str]]]
    edges: list[tuple[str, str, dict[str, str]]]
    warnings: tuple[str, ...]


def expand(system: System) -> Drawing:
    """Write a system out.

    Raises
    ------
    SizeOverflowError
        If it has more than 2^21 vertices or 2^24 edges.
    """
    networks = system.all_networks()
    check_size(system.accelerators, sum(_edge_count(n.spec, system.accelerators) for n in networks), system.label)
    only = networks[0] if len(networks) == 1 else None
    given = only.names if only is not None and only.spec.span == system.accelerators else ()
    names = list(given[: system.accelerators]) or [f"accelerator.{i}" for i in range(system.accelerators)]
    vertices = [(name, {"kind": "accelerator", "rank": str(rank)}) for rank, name in enumerate(names)]
    edges: list[tuple[str, str, dict[str, str]]] = []
    for network in networks:
        spec = network.spec
        switches, wires = _network(network)
        weights = spec.topology.weights if isinstance(spec.topology, GraphShape) else []
        for copy in range(system.accelerators // spec.span):
            prefix = "" if given else f"{spec.name}.{copy}."
            for name, switch in switches:
                vertices.append((prefix + name, _switch(switch)))
            members = names[copy * spec.span : (copy + 1) * spec.span]
            for a, b, link, count in wires:
                ends = [members[end] if isinstance(end, int) else prefix + end for end in (a, b)]
                own = _link(spec.links[link], count, weights[link] if weights else 1)
                edges.append((ends[0], ends[1], own if only else {**own, "network": spec.name}))
    return Drawing(_attributes(system, only), vertices, edges, tuple(_left_out(system, networks)))


def _left_out(system: System, networks: tuple[Network, ...]) -> Iterator[str]:
    """Word what a list of vertices and edges does not say of a system."""
    if len(networks) > 1:
        joined = ", ".join(n.spec.name for n in networks)
        yield f"{system.label}: the networks {joined} become one graph; read back, they are one network"
        yield f"{system.label}: packets, buffers, routing and kinds of the networks are left out"
    if system.stack != "none":
        yield f"{system.label}: the software stack {system.stack} is left out"
    parts = {
        "the rule that virtual channels take no dateline": not all(n.spec.dateline for n in networks),
        "what NICs add to messages": any(n.spec.transport != TransportSpec() for n in networks),
        "which links of a level are optical": any(any(n.optical_one_in) for n in networks),
        "cables of several links": any(cable > 1 for n in networks for cable in n.per_cable),
        "power": system.unit_power is not None,
        "which values are assumed": bool(system.assumed()),
        "the generation of the device": bool(system.device.generation),
        "the latency of memory": system.device.hbm_latency is not None,
    }
    left = [what for what, there in parts.items() if there]
    if left:
        yield f"{system.label}: {', '.join(left)} {'are' if len(left) > 1 or left[0] in _SEVERAL else 'is'} left out"


def _attributes(system: System, only: Network | None) -> dict[str, str]:
    device = system.device.to_spec()
    found = {"name": system.label, "device": device.name}
    rates = {"hbm": device.hbm_rate, "copy": device.copy_rate, "reduce": device.reduce_rate}
    found.update({key: format_rate(rate) for key, rate in rates.items() if rate is not None})
    if only is not None:
        spec = only.spec
        found.update(
            network=spec.name,
            kind=only.kind,
            payload=format_size(spec.payload),
            overhead=format_size(spec.overhead) if spec.overhead else "0",
            buffer="unlimited" if spec.buffer is None else format_size(spec.buffer),
            routing=spec.routing,
        )
    inner = next((n.spec for n in system.all_networks() if _forwards(n.spec.topology)), None)
    if inner is not None:
        router = inner.switches[_router(inner.topology)]
        found.update(forwarding="true", router_latency=format_time(router.latency_fs))
        if not router.cut_through:
            found["cut_through"] = "false"
    return found


def _forwards(shape: Topology) -> bool:
    """Whether accelerators pass on packets of others."""
    return not isinstance(shape, Clos) and (not isinstance(shape, GraphShape) or shape.forwarding is not None)


def _router(shape: Topology) -> int:
    """Return which of a network's switches the router in an accelerator is."""
    return (shape.forwarding or 0) if isinstance(shape, GraphShape) else 0


def _switch(spec: SwitchSpec) -> dict[str, str]:
    found = {"kind": "switch", "latency": format_time(spec.latency_fs)}
    if not spec.cut_through:
        found["cut_through"] = "false"
    if spec.in_network_reduce:
        found["in_network_reduce"] = "true"
    return found


def _link(spec: LinkSpec, count: int, weight: int) -> dict[str, str]:
    found = {"rate": format_rate(spec.rate), "latency": format_time(spec.latency_fs)}
    if count != 1:
        found["count"] = str(count)
    if weight != 1:
        found["weight"] = str(weight)
    if spec.medium:
        found["medium"] = spec.medium
    return found


def _edge_count(spec: NetworkSpec, accelerators: int) -> int:
    """Count the edges of all copies of a network, or a little more."""
    shape = spec.topology
    copies = accelerators // spec.span
    if isinstance(shape, GraphShape):
        return copies * len(shape.edges)
    if isinstance(shape, Clos):
        below, total = spec.span, 0
        for tier, up in enumerate(shape.up):
            total += below * up
            below = prod(shape.down[tier + 1 :]) * prod(shape.up[: tier + 1])
        return copies * len(spec.planes) * total
    if isinstance(shape, FullMeshShape):
        return copies * spec.span * sum(d - 1 for d in shape.dims) // 2
    return copies * spec.span * len(shape.dims)


def _network(network: Network) -> tuple[list[tuple[str, SwitchSpec]], list[tuple[_End, _End, int, int]]]:
    """Return the switches of one copy by name, and its edges: both ends, index of the link, number of links."""
    spec, shape = network.spec, network.spec.topology
    if isinstance(shape, GraphShape):
        kinds = shape.switch_kinds or [0] * shape.switches
        names = network.names[spec.span :]
        ends: list[_End] = [*range(spec.span), *names]
        edges = [(ends[a], ends[b], link, count) for a, b, link, count in shape.edges]
        return [(name, spec.switches[kind]) for name, kind in zip(names, kinds, strict=True)], edges
    if not isinstance(shape, Clos):
        return [], list(_direct(shape, spec.planes[0], spec.span))
    switches: dict[str, SwitchSpec] = {}
    wires: list[tuple[_End, _End, int, int]] = []
    for plane, links in enumerate(spec.planes):
        for a, b, tier, count in _tree(shape, plane, links, spec.span):
            switches[b] = spec.switches[tier]
            wires.append((a, b, tier, count))
    return list(switches.items()), wires


def _tree(shape: Clos, plane: int, links: int, span: int) -> Iterator[tuple[_End, str, int, int]]:
    """Yield the edges of one plane upwards, tier by tier, numbered as the core does: (subtree, twin)."""
    down = shape.down[0]
    below: list[tuple[int, int, _End]] = []
    for member in range(span):
        host, rail = divmod(member, shape.rails)
        leaf = (host // down) * shape.rails + rail
        below.append((leaf * down, 0, member))
    twins = 1
    for tier, (children, up, parallel) in enumerate(zip(shape.down, shape.up, shape.parallel, strict=True)):
        above: dict[tuple[int, int], _End] = {}
        for subtree, twin, end in below:
            for parent in range(up):
                key = (subtree // children, parent * twins + twin)
                name = f"plane{plane}.tier{tier}.{key[0] * twins * up + key[1]}"
                above[key] = name
                yield end, name, tier, links if tier == 0 else parallel
        twins *= up
        below = [(subtree, twin, end) for (subtree, twin), end in above.items()]


def _direct(shape: TorusShape | FullMeshShape, links: int, span: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the edges of a torus, mesh or full mesh; each once."""
    stride = 1
    for dim, size in enumerate(shape.dims):
        for member in range(span):
            x = member // stride % size
            if isinstance(shape, FullMeshShape):
                for other in range(x + 1, size):
                    yield member, member + (other - x) * stride, dim, links
            elif x + 1 < size:
                yield member, member + stride, dim, links
            elif shape.wrap[dim] and size > 2:
                end = member - x * stride
                for shifted in [b for a, b in shape.twist if a == dim]:
                    step, around = prod(shape.dims[:shifted]), shape.dims[shifted]
                    at = end // step % around
                    end += ((at + around // 2) % around - at) * step
                yield member, end, dim, links
        stride *= size
