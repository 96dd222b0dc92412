"""Which NICs serve which accelerator in a topology of NCCL, and how fast each can send through them.

An accelerator takes the NICs nearest to it, as NCCL does: those below the lowest PCIe switch or CPU that has any below
it; where its CPU has none, all of its host. A NIC that several accelerators take is divided among them, and so is
every PCIe link on the way when all send at once. A scale-out network has one rate for all accelerators: the least of
them. The links between CPUs limit only where ``link_rate`` has a rate for ``cpu``.

Cost: accelerators times NICs; more than a million pairs are left out with a note.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from supernode.io.found import Options
from supernode.io.nccl_tree import Net, Node, Tree, pci_rate
from supernode.system.nics import Nics
from supernode.units import format_rate, parse_rate, parse_time

__all__ = ["assign"]

#: Pairs of an accelerator and a NIC that are looked at.
_MOST = 2**20

#: A link in one direction: the node below it, or the two CPUs that it joins, and whether it leads to the NIC.
_Hop = tuple[str, str]


@dataclass
class _Choice:
    """An accelerator, the NICs that it takes, and the links to each."""

    accelerator: str
    nets: list[tuple[Net, Node, list[_Hop]]]


def assign(tree: Tree, options: Options) -> tuple[Nics | None, list[str]]:
    """Return what each accelerator has to reach the network outside, and what was taken for granted.

    Parameters
    ----------
    tree
        The tree of PCIe.
    options
        Rates of kind ``net``, ``pci`` and ``cpu``, latencies of kind ``pci`` and ``cpu``, where the caller gives them.
    """
    speeds, notes = _speeds(tree, options)
    if not speeds:
        return None, notes
    if len(tree.gpus) * len(speeds) > _MOST:
        return None, [*notes, f"{len(speeds)} NICs of {len(tree.gpus)} accelerators are too many to assign: left out"]
    choices = _choices(tree, speeds)
    served = [choice for choice in choices if choice.nets]
    if not served:
        return None, [*notes, "the NICs are left out: no accelerator shares a CPU or a host with any"]
    users = Counter(id(net) for choice in served for net, _, _ in choice.nets)
    limits = _limits(tree, options)
    load: dict[_Hop, Fraction] = defaultdict(Fraction)
    for choice in served:
        for net, _, hops in choice.nets:
            for hop in hops:
                load[hop] += Fraction(speeds[id(net)], users[id(net)])
    rates, parts = [], []
    for choice in served:
        total = Fraction(0)
        for net, _, hops in choice.nets:
            share = Fraction(speeds[id(net)], users[id(net)])
            total += share * min([Fraction(limits[h[0]]) / load[h] for h in hops if h[0] in limits] + [Fraction(1)])
        rates.append(int(total))
        parts.append(sum((Fraction(1, users[id(net)]) for net, _, _ in choice.nets), Fraction(0)))
    count = max(1, int(min(parts)))
    rate = min(rates) // count
    if rate < 1:
        return None, [*notes, "the NICs are left out: PCIe gives them no rate"]
    latency, guessed = _latency(served, options)
    notes += guessed
    notes.append(
        f"{len(speeds)} NICs (<net>): {count} per accelerator, at {format_rate(rate)} each behind PCIe; "
        "scale_out takes them, and what they send does not contend with PCIe inside the host"
    )
    if min(parts) < 1:
        notes.append(
            f"up to {max(users.values())} accelerators share a NIC: each has its part of the rate, also while the "
            "others are idle"
        )
    if max(rates) != min(rates) or max(parts) != min(parts):
        notes.append(
            f"the NICs of accelerators differ, from {format_rate(min(rates))} to {format_rate(max(rates))} each: "
            "the least is taken for all"
        )
    if len(served) < len(choices):
        without = next(choice.accelerator for choice in choices if not choice.nets)
        notes.append(f"{without} has no NIC in its host: it is taken to have those of the others")
    return Nics(count, rate, latency), notes


def _speeds(tree: Tree, options: Options) -> tuple[dict[int, int], list[str]]:
    """Return the rate of each NIC in bit/s: that of the file, of the caller, or of its PCIe link."""
    given = options.link_rate.get("net") if isinstance(options.link_rate, Mapping) else None
    speeds: dict[int, int] = {}
    by_pci, unknown = 0, 0
    for node in tree.nodes:
        for net in node.nets:
            if net.speed is not None:
                speeds[id(net)] = net.speed
            elif given is not None:
                speeds[id(net)] = parse_rate(given, "link_rate")
            elif node.states_rate:
                speeds[id(net)] = pci_rate(node.speed, node.width, node.name)
                by_pci += 1
            else:
                unknown += 1
    notes = []
    if by_pci:
        notes.append(
            f"{by_pci} NICs have no speed in the file: that of their PCIe link is taken; give link_rate={{'net': ...}}"
        )
    if unknown:
        notes.append(f"{unknown} NICs without a speed are left out; give link_rate={{'net': ...}}")
    return speeds, notes


def _choices(tree: Tree, speeds: dict[int, int]) -> list[_Choice]:
    """Return the NICs of each accelerator, found from the lowest node that has any below it."""
    below: dict[int, list[tuple[Net, Node]]] = defaultdict(list)
    hosts: dict[str, list[tuple[Net, Node]]] = defaultdict(list)
    for node in tree.nodes:
        own = [(net, node) for net in node.nets if id(net) in speeds]
        if own:
            way = node.way()
            hosts[way[-1].host] += own
            for above in way:
                below[id(above)] += own
    found = []
    for gpu, node in tree.gpus:
        way = node.way()
        at = next((above for above in way if below.get(id(above))), None)
        nets = below[id(at)] if at is not None else hosts.get(way[-1].host, [])
        fastest = max((speeds[id(net)] for net, _ in nets), default=0)
        chosen = [(net, place, _hops(way, place.way())) for net, place in nets if speeds[id(net)] == fastest]
        found.append(_Choice(gpu.name, chosen))
    return found


def _hops(gpu: list[Node], net: list[Node]) -> list[_Hop]:
    """Return the links from an accelerator to a NIC: up from the one, across, and down to the other."""
    common = {id(node) for node in gpu} & {id(node) for node in net}
    up = [(node.name, "out") for node in gpu if id(node) not in common and node.up is not None]
    down = [(node.name, "in") for node in net if id(node) not in common and node.up is not None]
    across = [] if common else [("cpu", f"{gpu[-1].name} {net[-1].name}")]
    return [*up, *across, *down]


def _limits(tree: Tree, options: Options) -> dict[str, int]:
    """Return the rates of the links that have one, by the node below each."""
    found = {}
    given = options.link_rate
    for node in tree.nodes:
        if node.up is None:
            continue
        if node.states_rate:
            found[node.name] = pci_rate(node.speed, node.width, node.name)
        elif (rate := given.get("pci") if isinstance(given, Mapping) else given) is not None:
            found[node.name] = parse_rate(rate, "link_rate")
    if (rate := given.get("cpu") if isinstance(given, Mapping) else given) is not None:
        found["cpu"] = parse_rate(rate, "link_rate")
    return found


def _latency(choices: list[_Choice], options: Options) -> tuple[int, list[str]]:
    """Return the latency of the longest of the shortest ways to a NIC, in femtoseconds."""
    given = options.link_latency
    values, missing = {}, []
    for kind in ("pci", "cpu"):
        value = given.get(kind) if isinstance(given, Mapping) else given
        values[kind] = 0 if value is None else parse_time(value, "link_latency")
        if value is None:
            missing.append(kind)

    def of(hops: list[_Hop]) -> int:
        return sum(values["cpu" if hop[0] == "cpu" else "pci"] for hop in hops)

    hops = [hop for choice in choices for _, _, way in choice.nets for hop in way]
    lacking = [kind for kind in missing if any((hop[0] == "cpu") == (kind == "cpu") for hop in hops)]
    notes = [
        f"the file has no latency of {kind} links: 0 ns is taken on the way to NICs; "
        f"give link_latency={{{kind!r}: ...}}"
        for kind in lacking
    ]
    return max(min(of(way) for _, _, way in choice.nets) for choice in choices), notes
