"""Parts of networks that several topologies of files share, and explicit graphs in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from supernode.errors import FabricError
from supernode.fabric.base import Network, positive
from supernode.fabric.graph import Edge, Graph, SwitchNode
from supernode.preset.form import LinkFile, NetworkFile, SwitchFile
from supernode.preset.references import flag, whole
from supernode.quoting import quote
from supernode.spec import LinkSpec, SwitchSpec
from supernode.units import format_rate, format_time, parse_latency, parse_rate

__all__ = ["cables_of", "count_of", "counts_of", "graph_network", "link_of", "only_by_medium", "ports_of", "switch_of"]


def count_of(value: int | str, what: str, fabric: str) -> int:
    """Return a whole number of at least 1 that the core can hold."""
    return positive(whole(value, f"{fabric} {what}"), what, fabric)


def counts_of(values: Sequence[int | str], what: str, fabric: str) -> list[int]:
    """Return several of them."""
    return [count_of(value, what, fabric) for value in values]


def link_of(file: LinkFile, name: str) -> LinkSpec:
    """Return a class of links."""
    return LinkSpec(parse_rate(file.rate, f"{name} rate"), parse_latency(file.latency, f"{name} latency"), file.medium)


def switch_of(file: SwitchFile, name: str) -> SwitchSpec:
    """Return a class of switches."""
    latency = parse_latency(file.latency, f"{name} switch latency", zero=True)
    return SwitchSpec(latency, file.cut_through, flag(file.in_network_reduce, f"{name} in_network_reduce"))


def ports_of(file: SwitchFile, name: str) -> int:
    """Return the ports of the hardware of a class of switches, 0 where they are not known."""
    number = whole(file.ports, f"{name} ports")
    return number if number == 0 else positive(number, "ports of a switch", name)


def cables_of(file: NetworkFile) -> tuple[int, ...]:
    """Return how many links of each class share a cable."""
    return tuple(positive(whole(n.per_cable, f"{file.name} per_cable"), "per_cable", file.name) for n in file.links)


def only_by_medium(file: NetworkFile) -> None:
    """Refuse optics told by number where every class of links has a medium of its own."""
    for link in file.links:
        if whole(link.optical_one_in, f"{file.name} optical_one_in"):
            raise FabricError(
                f"fabric {file.name}: optical_one_in is for trees, tori and full meshes; a "
                f"{file.topology.kind} says it by the medium of its links"
            )


def graph_network(file: NetworkFile) -> Network:
    """Build the network of a file that lists vertices and edges."""
    shape = file.topology
    only_by_medium(file)
    links = [link_of(link, file.name) for link in file.links]
    switches = [switch_of(switch, file.name) for switch in file.switches] or [SwitchSpec(0)]
    if any(ports_of(switch, file.name) for switch in file.switches):
        raise FabricError(f"fabric {file.name}: ports of switches are for trees; nodes of a graph have radix")

    def place(value: int | str, what: str, count: int) -> int:
        number = whole(value, f"{file.name} {what}")
        if not 0 <= number < count:
            raise FabricError(f"fabric {file.name}: {what} {number} is none of the {count} that the network lists")
        return number

    nodes, edges = [], []
    for node in shape.nodes:
        own = switches[place(node.switch, f"switch of node {quote(node.name)}", len(switches))]
        radix = None if node.radix is None else whole(node.radix, f"{file.name} radix of node {quote(node.name)}")
        latency = format_time(own.latency_fs)
        nodes.append(SwitchNode(node.name, latency, radix, own.cut_through, own.in_network_reduce))
    for edge in shape.edges:
        shown = f"edge {quote(edge.a)} - {quote(edge.b)}"
        link = links[place(edge.link, f"link of {shown}", len(links))]
        count = whole(edge.count, f"{file.name} count of {shown}")
        weight = whole(edge.weight, f"{file.name} weight of {shown}")
        edges.append(
            Edge(edge.a, edge.b, format_rate(link.rate), format_time(link.latency_fs), count, link.medium, weight)
        )
    own = switches[0 if shape.forwarding is None else place(shape.forwarding, "forwarding", len(switches))]
    graph = Graph(
        forwarding=None if shape.forwarding is None else True,
        switch_latency=format_time(own.latency_fs),
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
    return replace(
        built,
        notes=tuple(dict.fromkeys((*file.notes, *built.notes))),
        assumed=tuple(file.assumed),
        per_cable=_graph_cables(file, links, built),
    )


def _graph_cables(file: NetworkFile, links: list[LinkSpec], built: Network) -> tuple[int, ...]:
    """Return the links of a cable for each class of links of a graph, which are those of the file that differ."""
    found: dict[LinkSpec, int] = {}
    for link, cable in zip(links, cables_of(file), strict=True):
        if found.setdefault(link, cable) != cable:
            raise FabricError(f"fabric {file.name}: per_cable is {found[link]} and {cable} of links that are alike")
    return tuple(found[link] for link in built.spec.links) if max(found.values(), default=1) > 1 else ()
