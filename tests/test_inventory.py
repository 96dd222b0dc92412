"""Counts, bisection and diameter follow from the graph: compared with searches of every edge of small machines."""

from __future__ import annotations

import heapq
from collections import defaultdict
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import supernode as sn
from conftest import star
from supernode.errors import MemoryLimitError
from supernode.system import System

Rows = list[dict[str, Any]]


def direct(kind: type[sn.Torus | sn.FullMesh], dims: tuple[int, ...], **changes: Any) -> System:
    """Accelerators that are routers, with another latency in each dimension."""
    values: dict[str, Any] = {
        "bandwidth": ["10 GB/s"] * len(dims),
        "latency": [f"{100 + 30 * i} ns" for i in range(len(dims))],
        "hop_latency": "20 ns",
    }
    return System("direct").scale_up(count=int(np.prod(dims)), fabric=kind(dims=dims, **(values | changes)))


def tree(count: int, radix: int, nics: int = 1, **changes: Any) -> System:
    """Accelerators under a fat tree."""
    values: dict[str, Any] = {"link_latency": "100 ns", "trunk_latency": "150 ns", "switch_latency": "70 ns"}
    fabric = sn.FatTree(radix=radix, link="80 Gbit/s", **(values | changes))
    return System("tree").scale_out(fabric, count=count, nics_per_device=nics)


def nested(inner: System, radix: int, copies: int) -> System:
    """Copies of a system joined by a fat tree."""
    fabric = sn.FatTree(
        radix=radix, link="40 Gbit/s", link_latency="400 ns", trunk_latency="300 ns", switch_latency="200 ns"
    )
    return inner.scale_out(fabric).replicate(copies)


def family(kind: type[sn.Dragonfly | sn.HyperX | sn.Hypercube], **sizes: Any) -> System:
    """A graph that follows a rule."""
    fabric = kind(bandwidth="10 GB/s", latency="100 ns", switch_latency="70 ns", **sizes)
    return System("graph").scale_up(count=fabric.accelerators, fabric=fabric)


MACHINES: dict[str, System] = {
    "star": star(8),
    "star odd": star(7),
    "planes": System("p").scale_up(count=6, fabric=sn.Switched(planes=3, links=2, bandwidth="5 GB/s", latency="1 ns")),
    "ring": direct(sn.Torus, (8,)),
    "ring odd": direct(sn.Torus, (7,)),
    "line": direct(sn.Mesh, (6,)),
    "torus": direct(sn.Torus, (4, 4)),
    "torus odd": direct(sn.Torus, (3, 5)),
    "torus of threes": direct(sn.Torus, (3, 3)),
    "torus 3d": direct(sn.Torus, (4, 2, 2)),
    "torus 3d odd": direct(sn.Torus, (3, 3, 2)),
    "torus fast and slow": direct(sn.Torus, (4, 4), bandwidth=["10 GB/s", "50 GB/s"]),
    "torus twisted": direct(sn.Torus, (4, 4), twist=[(0, 1)], latency="100 ns"),
    "mesh": direct(sn.Mesh, (4, 3)),
    "mesh odd": direct(sn.Mesh, (3, 5)),
    "full": direct(sn.FullMesh, (6,)),
    "full odd": direct(sn.FullMesh, (5,)),
    "full 2d": direct(sn.FullMesh, (4, 4)),
    "full 2d odd": direct(sn.FullMesh, (3, 3)),
    "full 2d uneven": direct(sn.FullMesh, (3, 4), links=2),
    "tree": tree(8, 4, tiers=2),
    "tree oversubscribed": tree(8, 6, tiers=2, oversubscription=2),
    "tree of three leaves": tree(12, 6, tiers=2, oversubscription=2),
    "tree of rails": tree(8, 4, rails=2),
    "tree of planes": tree(8, 4, nics=2, tiers=2, planes=2),
    "boards": nested(star(4), 4, 2),
    "meshes": nested(direct(sn.FullMesh, (2, 2)), 4, 2),
    "rings": nested(direct(sn.Torus, (4,)), 4, 2),
    "dragonfly": family(sn.Dragonfly, terminals=1, global_bandwidth="4 GB/s"),
    "dragonfly odd": family(sn.Dragonfly, terminals=1, routers=3, global_ports=1, groups=3),
    "hyperx": family(sn.HyperX, dims=(2, 3), terminals=1, dim_bandwidth=["9 GB/s", "3 GB/s"]),
    "hypercube": family(sn.Hypercube, dimensions=3, terminals=1),
}  # fmt: skip
#: Too large for every choice of halves, but not for a search of all routes.
LARGER: dict[str, System] = {
    "three tiers": tree(54, 6, tiers=3),
    "pods": tree(27, 6, tiers=3),
    "torus of 60": direct(sn.Torus, (5, 4, 3)),
    "torus of k x k x 2k, twisted": direct(sn.Torus, (3, 3, 6), twist=True, latency="100 ns"),
    "torus of k x 2k x 2k, twisted": direct(sn.Torus, (4, 8, 8), twist=True, latency="100 ns"),
    "hgx-h100:4": System.preset("hgx-h100:4"),
    "nvl72": System.preset("nvl72"),
    "trn2-ultraserver": System.preset("trn2-ultraserver"),
    "sd200": System.preset("sd200"),
    "maia100": System.preset("maia100", servers=16),
    "cloudmatrix384-dies": System.preset("cloudmatrix384-dies", nodes=2, npus=32, l2_per_plane=2),
}


def longest_routes(system: System) -> tuple[int, float]:
    """Most links and longest propagation between two accelerators, each pair over the innermost network of both."""
    rows = sn.edges(system).to_pylist()
    spans = {n.name: n.span for n in system.to_spec().networks}
    hops, far = 0, 0.0
    inner = 1
    for name, span in spans.items():
        leaving: dict[int, Rows] = defaultdict(list)
        for row in rows:
            if row["network"] == name:
                leaving[row["vertex"]].append(row)
        for source in range(system.accelerators):
            for target, (links, ns) in search(leaving, source).items():
                near, same = target // inner == source // inner, target // span == source // span
                if target < system.accelerators and same and not near:
                    hops, far = max(hops, links), max(far, ns)
        inner = span
    return hops, far


def search(leaving: dict[int, Rows], source: int) -> dict[int, tuple[int, float]]:
    """Fewest links, and among those least time, from an accelerator to every other vertex."""
    found: dict[int, tuple[int, float]] = {}
    queue = [(0, 0.0, source)]
    while queue:
        links, ns, vertex = heapq.heappop(queue)
        if vertex not in found:
            found[vertex] = (links, ns)
            for row in leaving[vertex]:
                # what forwards the packet here was paid for on arrival; the source and the last vertex forward nothing
                forward = row["forward_ns"]
                heapq.heappush(queue, (links + 1, ns + row["latency_ns"] + forward, row["peer"]))
    last = {row["peer"]: row["forward_ns"] for rows in leaving.values() for row in rows}
    return {v: (n, t - last.get(v, 0.0)) for v, (n, t) in found.items() if v != source}


def narrowest_halves(system: System) -> float:
    """Least GB/s from one half of the accelerators to the other, over every choice of halves and of switches' sides."""
    table = sn.edges(system)
    ends, peers = (table[key].to_numpy() for key in ("vertex", "peer"))
    vertices, count = int(max(ends.max(), peers.max())) + 1, system.accelerators
    masks = np.array([sum(1 << i for i in c) for c in combinations(range(count), count // 2)], dtype=np.int64)
    sides = (masks[:, None] | (np.arange(1 << (vertices - count), dtype=np.int64) << count)[None, :]).ravel()
    pairs: dict[tuple[int, int], float] = defaultdict(float)
    for a, b, rate in zip(ends.tolist(), peers.tolist(), table["rate_gbytes_s"].to_pylist(), strict=True):
        if a < b:
            pairs[a, b] += rate
    total = np.zeros(len(sides))
    for (a, b), rate in pairs.items():
        total += rate * ((sides >> a ^ sides >> b) & 1)
    return float(total.min())


@pytest.mark.parametrize("name", [*MACHINES, *LARGER])
def test_diameter_is_that_of_a_search(name: str) -> None:
    system = (MACHINES | LARGER)[name]
    found = sn.inventory(system)
    assert (found.diameter_hops, found.diameter_ns) == pytest.approx(longest_routes(system))


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_bisection_is_the_least_over_all_halves(name: str) -> None:
    system = MACHINES[name]
    assert sn.inventory(system).bisection_gbytes_s == pytest.approx(narrowest_halves(system))


@pytest.mark.parametrize("name", [*MACHINES, *LARGER])
def test_counts_are_those_of_the_list_of_edges(name: str) -> None:
    system = (MACHINES | LARGER)[name]
    table, found = sn.edges(system), sn.inventory(system)
    rows = table.to_pylist()
    assert len(rows) == 2 * found.links
    ends = {(r["vertex"], r["port"]): (r["peer"], r["peer_port"]) for r in rows}
    assert len(ends) == len(rows)
    assert all(ends[ends[end]] == end for end in ends)
    vertices = {r["vertex"] for r in rows}
    assert vertices == set(range(found.accelerators + found.switches))
    for level in found.levels:
        number = int(level.name.split()[-1])
        own = [r for r in rows if r["network"] == level.network and r["level"] == number]
        assert len(own) == 2 * level.links
        assert {(r["rate_gbytes_s"], r["latency_ns"]) for r in own} <= {(level.link_gbytes_s, level.link_ns)}
    out = [sum(r["rate_gbytes_s"] for r in rows if r["vertex"] == a) for a in range(found.accelerators)]
    assert max(out) <= found.injection_gbytes_s * (1 + 1e-12)


def test_optics_and_power_of_a_published_machine() -> None:
    # 6,912 modules of 400 Gbit/s: 5,376 for UB and 1,536 for RoCE
    one, many = sn.inventory("cloudmatrix384"), sn.inventory("cloudmatrix384-cluster")
    assert one.optical_ends == sn.inventory("cloudmatrix384-dies").optical_ends == 5376
    assert many.optical_ends == 432 * 6912
    assert one.power_watts == 559_000
    assert many.power_watts == 432 * 559_000
    assert sn.inventory("h100-superpod").power_watts == pytest.approx(4 * 326_000, rel=0.01)
    assert sn.inventory(System.preset("gh200", superchips=2)).power_watts == 2000
    assert sn.inventory("atlas950").power_watts is None
    assert sn.inventory("nvl72").by_medium() == {"copper": 1296}
    assert sn.inventory(System.preset("stargate", power="10 GW")).power_watts == pytest.approx(10e9, rel=1e-4)


def test_it_prints() -> None:
    text = str(sn.inventory("hpn7:2"))
    for words in ("48,000 GB/s one way", "6 hops, 6,000 ns", "host: 8 accelerators", "36.86 MW = 2 x 18.43 MW"):
        assert words in text, words
    own = str(sn.inventory(MACHINES["boards"]))
    assert "medium of 64 links unknown" not in own
    assert "power        unknown" in own


def test_a_listing_has_a_limit() -> None:
    with pytest.raises(MemoryLimitError, match="directed links"):
        sn.edges("atlas950-supercluster")
