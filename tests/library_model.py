"""The published cost model of NCCL 2.30, written once more for tests, channel by channel where the core counts.

Nothing here is shared with the package: channels are placed one after the other on the ports of a node, and all
constants are written out. Source: NVIDIA/nccl v2.30.7 @5067397, src/graph/tuning.cc:139-655,
src/graph/search.cc:1036-1287, src/graph/connect.cc:460-483.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

AMPERE, HOPPER, BLACKWELL = 80, 90, 100
LL, LL128, SIMPLE = "LL", "LL128", "Simple"
KINDS = (LL, LL128, SIMPLE)

LINK = {AMPERE: 20.0, HOPPER: 20.6, BLACKWELL: 40.1}
PCIE = {AMPERE: 24.0, HOPPER: 48.0, BLACKWELL: 96.0}
ONE_NODE = {
    AMPERE: (40, 30, 20, 18, 15, 12, 10, 9, 7, 6, 5, 4, 3),
    HOPPER: (60, 50, 40, 30, 24, 20, 15, 12, 11, 6, 3),
    BLACKWELL: (90, 80, 70, 60, 50, 45, 40, 30, 24, 20, 19, 18),
}
NODES = {
    AMPERE: (48, 30, 28, 24, 20, 18, 15, 12, 10, 9, 7, 6, 5, 4, 3, 2.4, 1.2, 0.24, 0.12),
    HOPPER: (48, 45, 42, 40, 30, 24, 22, 20, 17.5, 15, 12, 6, 3, 2.4, 1.2, 0.24, 0.12),
    BLACKWELL: (96, 86, 80, 48, 45.1, 42, 40, 30, 24, 22, 20, 17.5, 15, 12, 6, 3, 2.4, 1.2, 0.24, 0.12),
}
LL_ONE_NODE = {AMPERE: 87.7, HOPPER: 141.0, BLACKWELL: 282.0}
LL_NODES = (39.0, 20.4)
RING_LL128 = {AMPERE: 20.0, HOPPER: 36.7, BLACKWELL: 40.0}
TREE = {AMPERE: (24.0, 23.6, 17.8), HOPPER: (38.7, 41.4, 36.0), BLACKWELL: (70.0, 42.8, 24.0)}
TREE_LL128 = {AMPERE: (20.0, 20.0, 20.0), HOPPER: (36.7, 36.7, 29.0), BLACKWELL: (55.6, 31.67, 20.0)}
NVLS = {HOPPER: 0.85, BLACKWELL: 0.74}
NVLS_TREE = {HOPPER: (57.7, 45.5), BLACKWELL: (96.0, 80.0)}

BASE = {
    "tree": dict(zip(KINDS, (6.8, 14.0, 8.4), strict=True)),
    "ring": dict(zip(KINDS, (6.6, 14.0, 8.4), strict=True)),
}
NVLINK = {
    "tree": dict(zip(KINDS, (0.6, 1.25, 4.0), strict=True)),
    "ring": dict(zip(KINDS, (0.6, 1.9, 3.4), strict=True)),
}
NET = {
    "tree": dict(zip(KINDS, (5.0, 8.5, 14.0), strict=True)),
    "ring": dict(zip(KINDS, (2.7, 4.0, 14.0), strict=True)),
}
#: From 64 bytes on, by powers of two.
CORRECTION = {
    LL: "1 1 1 1 .9 .8 .7 .7 .7 .7 .6 .5 .4 .4 .5 .6 .7 .8 .9 1 1 1 1",
    LL128: "1 1 1 1 1 .9 .8 .8 .8 .7 .6 .6 .6 .6 .6 .6 .8 .9 .9 .9 .9 1 1",
    SIMPLE: ".9 .9 .9 .9 .9 .9 .9 .8 .7 .6 .6 .5 .5 .5 .5 .6 .7 .8 .7 .7 .8 .9 .9",
}


@dataclass(frozen=True)
class Node:
    """What one node is: generation, NVLinks of a GPU, what a NIC of each GPU reaches, and what its switches do."""

    arch: int
    links: int
    nic_gbytes_s: float
    switched: bool = True
    sums: bool = False


@dataclass
class Graph:
    """Channels that a search has found."""

    channels: int
    intra: float
    inter: float


class Ports:
    """Free rates of the GPUs of a node towards and from their switches, and of their NICs."""

    def __init__(self, node: Node, gpus: int) -> None:
        self.out = [node.links * LINK[node.arch]] * gpus
        self.back = list(self.out)
        self.nic = [min(node.nic_gbytes_s, PCIE[node.arch])] * gpus

    def take(self, out: dict[int, float], back: dict[int, float], nic: dict[int, float]) -> bool:
        """Take rates if all of them are free."""
        wanted = ((self.out, out), (self.back, back), (self.nic, nic))
        if any(have[i] < rate - 1e-6 for have, asked in wanted for i, rate in asked.items()):
            return False
        for have, asked in wanted:
            for i, rate in asked.items():
                have[i] -= rate
        return True


def placed(node: Node, gpus: int, several: bool, most: int, intra: float, inter: float, kind: str) -> int:
    """Place channels one after the other until one does not fit."""
    ports = Ports(node, gpus)
    for channel in range(most):
        start = channel % gpus
        if kind == "heads":
            ways = {g: intra * (2 if g == start else 1) for g in range(gpus)}
            fits = ports.take(ways, ways, {start: inter} if several else {})
        elif several:
            # from a NIC along all GPUs and back; another NIC is tried where this one is full
            fits = False
            for first in [(start + i) % gpus for i in range(gpus)]:
                chain = [(first + i) % gpus for i in range(gpus)]
                out, back = dict.fromkeys(chain[:-1], intra), dict.fromkeys(chain[1:], intra)
                if ports.take(out, back, {first: inter}):
                    fits = True
                    break
        else:
            every = dict.fromkeys(range(gpus), intra)
            fits = ports.take(every, every, {})
        if not fits:
            return channel
    return most


def ring_graph(node: Node, gpus: int, several: bool) -> Graph:
    """Search rings: the highest rate whose channels carry most, split in two where that is done."""
    total = node.links * LINK[node.arch]
    graph = Graph(0, 0.1, 0.1)
    for rate in (NODES if several else ONE_NODE)[node.arch]:
        if graph.channels and (graph.channels * graph.inter >= total or rate / graph.inter <= 0.49):
            break
        channels = placed(node, gpus, several, 32, rate, rate, "ring")
        if channels * rate > graph.channels * graph.intra:
            graph = Graph(channels, rate, rate)
    if graph.intra >= 25 and not (node.arch > AMPERE and graph.intra < 50 and graph.channels > 4):
        doubled = min(2 * graph.channels, 32)
        parts = math.ceil(doubled / graph.channels)
        graph = Graph(doubled, graph.intra / parts, graph.inter / parts)
    graph.channels = max(graph.channels, 1)
    return graph


def tree_graph(node: Node, gpus: int, several: bool, ring: Graph) -> Graph:
    """Search as many trees as rings, then raise their rate inside nodes up to twice that between them."""
    rates = (NODES if several else ONE_NODE)[node.arch]
    fitting = [r for r in rates if placed(node, gpus, several, ring.channels, r, r, "tree") == ring.channels]
    if not fitting:
        return ring
    graph = Graph(ring.channels, fitting[0], fitting[0])
    at = rates.index(fitting[0])
    while several and at > 0 and graph.intra < 2 * graph.inter:
        at -= 1
        if gpus > 1:
            share = (gpus - 1) / gpus
            if ring.channels * rates[at] * share > node.links * LINK[node.arch]:
                break
        graph.intra = rates[at]
    return graph


def nvls_graph(node: Node, gpus: int, several: bool) -> Graph | None:
    """Search GPUs that pull sums out of the switches."""
    rates = (NODES if several else ONE_NODE)[node.arch]
    most, total = min(gpus, 32), node.links * LINK[node.arch]
    best: Graph | None = None
    for rate in rates:
        if best is not None and (rate / best.inter <= 0.49 or best.channels * best.inter >= total):
            break
        found = placed(node, gpus, several, most, rate, rate, "heads")
        if not several and found < most:
            continue
        if found and (best is None or found > best.channels or found * rate > best.channels * best.inter):
            best = Graph(found, rate, rate)
        if best is not None and best.channels == most:
            break
    if best is None or best.channels < 2:
        return None
    faster = [r for r in reversed(rates) if r > best.inter]
    for rate in faster:
        if best.inter >= 2 * best.intra or (several and rate > min(node.nic_gbytes_s, PCIE[node.arch])):
            break
        best.inter = rate
    return best


def table(
    node: Node, collective: str, size: int, per_node: int, nodes: int, plugin_us: float
) -> dict[tuple[str, str], float]:
    """Return the estimated time of everything that is looked at, in microseconds, in the library's order."""
    ranks, several, scale = per_node * nodes, nodes > 1, min(nodes, 3) - 1
    ring = ring_graph(node, per_node, several)
    tree = tree_graph(node, per_node, several, ring)
    gather = collective in ("all_gather", "reduce_scatter")
    steps = {"all_reduce": 2 * (ranks - 1), "all_gather": ranks - 1, "reduce_scatter": ranks - 1}.get(collective, ranks)
    between = 0 if not several else 2 * (nodes - 1) if collective == "all_reduce" else nodes - 1
    ll = LL_NODES[scale - 1] if several else LL_ONE_NODE[node.arch]
    log = int(math.log2(nodes))
    times: dict[tuple[str, str], float] = {}

    def plugged(us: float, kind: str) -> float:
        return us + plugin_us * (2 if kind == SIMPLE else 1)

    if collective == "all_reduce":
        for kind in KINDS:
            bus = tree.channels * (tree.intra if nodes <= 2 else tree.inter)
            bus = min(bus * 0.92, tree.channels * TREE[node.arch][scale])
            if kind == LL:
                bus = min(bus / 3.8, ll)
            if kind == LL128:
                bus = min(bus * (120 / 128 if several else 7 / 9), tree.channels * TREE_LL128[node.arch][scale])
            if per_node == 1:
                bus *= 0.85
            rate = bus * 0.5
            hops = (per_node - 1) * NVLINK["tree"][kind] + log * plugged(NET["tree"][kind], kind)
            power = (size >> 6).bit_length() - 1
            listed = [float(x) for x in CORRECTION[kind].split()]
            if 0 <= power < len(listed):
                rate *= listed[power]
            times["tree", kind] = BASE["tree"][kind] + 2 * hops + size / 1000 / rate
    for kind in KINDS:
        bus = ring.channels * (ring.intra if nodes <= 2 else ring.inter)
        if kind == LL:
            bus = min(ll, bus / 2)
        if kind == LL128:
            bus = min(bus * 0.92, ring.channels * RING_LL128[node.arch])
        rate = bus * ranks / steps
        latency = BASE["ring"][kind]
        if collective in ("broadcast", "reduce"):
            same = per_node == 1 if several else node.switched
            of = "ring" if same or kind != SIMPLE else "tree"
            hop = (NET if several else NVLINK)[of][kind]
            latency += hop if same else ranks * hop
        else:
            inside = NVLINK["ring"][kind]
            if several:
                inside = max(inside, 3.0 if kind == SIMPLE else 1.0)
            across = plugged(NET["tree" if per_node == 1 else "ring"][kind], kind)
            latency += (steps - between) * inside + between * across
        if kind == SIMPLE and several and collective == "all_reduce":
            running = 2 * ring.channels
            if node.arch >= HOPPER and ring.intra > 45 and running < 16:
                running *= 2
            if size // (running * ranks) >= 64:
                latency *= 1.4
        times["ring", kind] = latency + size / 1000 / rate
    heads = nvls_graph(node, per_node, several) if node.sums and per_node > 1 and node.arch >= HOPPER else None
    if heads is not None and (collective == "all_reduce" or (gather and per_node <= 32)):
        intra = heads.intra * NVLS[node.arch] * (heads.channels - 1) / heads.channels
        intra *= 2 if collective == "all_reduce" else (per_node - 1) / per_node
        ratio = 1.0 if gather else ranks / steps
        if not several:
            times["nvls", SIMPLE] = 25 + size / 1000 / (heads.channels * min(intra, heads.inter) * ratio)
        elif collective == "all_reduce":
            limits = (intra, heads.inter * (2 if nodes == 2 else 1), NVLS_TREE[node.arch][scale - 1])
            latency = 25 + 2 * log * plugged(20.9, SIMPLE)
            times["nvls_tree", SIMPLE] = latency + size / 1000 / (heads.channels * min(limits) * ratio)
    if gather and per_node == 1 and several:
        latency = 8.0 + log * plugged(14.0, SIMPLE) / 3.5 + ranks * 2.8
        bus = 0.75 * tree.channels * (tree.intra if nodes <= 2 else tree.inter)
        times["pat", SIMPLE] = latency + size / 1000 / bus
    return times


def choice(times: dict[tuple[str, str], float]) -> tuple[str, str]:
    """Return the first of the least."""
    return min(times, key=lambda way: times[way])
