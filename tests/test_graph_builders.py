"""Families of graphs: what the papers count, what packets take on them, and what cannot be built."""

import itertools
import tomllib
from collections import Counter, defaultdict
from heapq import heappop, heappush
from math import ceil, prod
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import supernode as sn
from supernode import io
from supernode.errors import FabricError, SizeOverflowError, SpecError, SupernodeError, UnitError
from supernode.fabric import Network
from supernode.fabric.base import GRAPH_ROUTINGS
from supernode.fabric.family import Family
from supernode.fabric.reach import unreachable
from supernode.io.expand import expand
from supernode.spec import GraphShape, TorusShape
from supernode.system import System
from supernode.system.text import network_text

LINK: dict[str, Any] = {"bandwidth": "25 GB/s", "latency": "300 ns"}
FS_PER_BYTE = 40_000


def system(fabric: Family) -> System:
    return System("x").scale_up(count=fabric.accelerators, fabric=fabric)


def shape_of(network: Network) -> GraphShape:
    shape = network.spec.topology
    assert isinstance(shape, GraphShape)
    return shape


def takes(fabric: Family, **options: Any) -> bool:
    """Whether the core runs it."""
    try:
        sn.simulate(system(fabric), "all_reduce", size=4096, fidelity="packet", **options)
    except SupernodeError:
        return False
    return True


needs_weights = pytest.mark.skipif(
    not takes(sn.Dragonfly(terminals=1, **LINK)), reason="the core does not know weights of links yet"
)
needs_queues = pytest.mark.skipif(
    not takes(sn.Hypercube(dimensions=2, **LINK), routing="valiant"), reason="the core routes shortest paths only, yet"
)


class Wires:
    """The graph of a network, looked at by brute force."""

    def __init__(self, network: Network) -> None:
        self.span, self.shape = network.spec.span, shape_of(network)
        self.classes: dict[int, Counter[int]] = defaultdict(Counter)
        self.near: dict[int, list[tuple[int, int]]] = defaultdict(list)
        weights = self.shape.weights or [1] * len(network.spec.links)
        for a, b, link, count in self.shape.edges:
            assert a != b
            for one, other in ((a, b), (b, a)):
                self.classes[one][link] += count
                self.near[one].append((other, weights[link]))
        self.names = network.names

    def switches(self) -> range:
        return range(self.span, self.span + self.shape.switches)

    def pairs(self) -> list[tuple[int, int]]:
        """Both ends of all edges, each once."""
        return [(min(a, b), max(a, b)) for a, b, *_ in self.shape.edges]

    def group(self, switch: int) -> str:
        return self.names[switch].split(".")[0]

    def distances(self, start: int, *, links: bool = True) -> dict[int, int]:
        """Of all switches from one of them, by links or by weight."""
        found: dict[int, int] = {}
        heap = [(0, start)]
        while heap:
            far, at = heappop(heap)
            if at in found:
                continue
            found[at] = far
            for other, weight in self.near[at]:
                if other >= self.span and other not in found:
                    heappush(heap, (far + (1 if links else weight), other))
        return found

    def diameter(self, *, links: bool = True) -> int:
        """The longest of shortest paths between switches with accelerators."""
        homes = [s for s in self.switches() if 0 in self.classes[s]]
        found = (self.distances(s, links=links) for s in homes)
        return max(far[t] for far in found for t in homes)

    def groups_joined(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for a, b, link, count in self.shape.edges:
            if link == 2:
                low, high = sorted((self.group(a), self.group(b)))
                found[low, high] += count
        return found


def wires(fabric: Family, **options: Any) -> Wires:
    return Wires(fabric.network("net", fabric.accelerators, **options))


# --- what the papers count


@pytest.mark.parametrize(("p", "a", "h"), [(1, 2, 1), (2, 4, 2), (3, 6, 3), (2, 3, 4)])
def test_a_dragonfly_of_kim_and_others(p: int, a: int, h: int) -> None:
    fabric = sn.Dragonfly(terminals=p, routers=a, global_ports=h, radix=p + a - 1 + h, **LINK)
    g = a * h + 1
    assert (fabric.accelerators, fabric.switches) == (a * p * g, a * g)
    graph = wires(fabric)
    for switch in graph.switches():
        assert graph.classes[switch] == Counter({0: p, 1: a - 1, 2: h})
    # one link between every two groups, and never two between routers
    assert graph.groups_joined() == {(f"group{i}", f"group{j}"): 1 for i, j in pairs_as_text(g)}
    assert len(graph.pairs()) == len(set(graph.pairs()))
    assert graph.diameter() <= 3
    # local, global, local
    assert graph.diameter(links=False) == 1 + 3 + 1
    with pytest.raises(FabricError, match=f"a router needs {p + a - 1 + h} ports"):
        sn.Dragonfly(terminals=p, routers=a, global_ports=h, radix=p + a - 2 + h, **LINK)


def pairs_as_text(groups: int) -> list[tuple[int, int]]:
    """Pairs of numbers, each in the order of their texts."""
    return [(min(p, key=str), max(p, key=str)) for p in itertools.combinations(range(groups), 2)]


def test_a_dragonfly_is_balanced_by_default() -> None:
    fabric = sn.Dragonfly(terminals=3, **LINK)
    assert (fabric.accelerators, fabric.switches) == (342, 114)
    network = fabric.network("net", 342)
    assert network.label == "dragonfly of 19 groups of 6 routers with 3 accelerators and 3 global ports each"
    assert network.names[:1] + network.names[341:343] + network.names[-1:] == (
        "accelerator.0",
        "accelerator.341",
        "group0.router0",
        "group18.router5",
    )
    assert shape_of(network).edges[4] == (4, 342 + 1, 0, 1)


def test_a_lightest_path_has_one_global_link() -> None:
    graph = wires(sn.Dragonfly(terminals=2, **LINK))
    for start in graph.switches():
        for end, weight in graph.distances(start, links=False).items():
            same = graph.group(start) == graph.group(end)
            assert weight <= 1 if same else 3 <= weight <= 5


def test_fewer_groups_share_the_links_evenly() -> None:
    # 12 ports over 4 other groups
    graph = wires(sn.Dragonfly(terminals=1, routers=4, global_ports=3, groups=5, **LINK))
    assert set(graph.groups_joined().values()) == {3}
    assert len(graph.groups_joined()) == 10
    assert all(graph.classes[s][2] == 3 for s in graph.switches())
    # 8 ports over 3: two stay idle, of different routers
    fabric = sn.Dragonfly(terminals=2, groups=4, **LINK)
    network = fabric.network("net", fabric.accelerators)
    assert network.notes == ("net: 2 of 8 global ports of each group are idle",)
    graph = Wires(network)
    assert set(graph.groups_joined().values()) == {2}
    assert {graph.classes[s][2] for s in graph.switches()} <= {1, 2}
    # two groups have them all
    assert set(wires(sn.Dragonfly(terminals=2, groups=2, **LINK)).groups_joined().values()) == {8}
    alone = sn.Dragonfly(terminals=2, groups=1, **LINK).network("net", 8)
    assert alone.notes == ("net: 8 global ports of the only group are idle",)
    assert shape_of(alone).weights == []


@pytest.mark.parametrize(("p", "leaves", "spines", "h"), [(2, 2, 2, 2), (4, 4, 4, 4), (1, 3, 2, 4)])
def test_a_dragonfly_plus_of_shpiner_and_others(p: int, leaves: int, spines: int, h: int) -> None:
    fabric = sn.DragonflyPlus(
        terminals=p, leaves=leaves, spines=spines, global_ports=h, radix=max(p + spines, leaves + h), **LINK
    )
    g = spines * h + 1
    assert (fabric.accelerators, fabric.switches) == (p * leaves * g, (leaves + spines) * g)
    graph = wires(fabric)
    for switch in graph.switches():
        leaf = "leaf" in graph.names[switch]
        assert graph.classes[switch] == (Counter({0: p, 1: spines}) if leaf else Counter({1: leaves, 2: h}))
    assert graph.groups_joined() == {(f"group{i}", f"group{j}"): 1 for i, j in pairs_as_text(g)}
    assert graph.diameter() == 3
    # a path of fewest links between groups has one global link: leaf, spine, spine, leaf
    assert graph.shape.weights == []
    kind = "leaf" if p + spines >= leaves + h else "spine"
    with pytest.raises(FabricError, match=f"a {kind} needs"):
        sn.DragonflyPlus(
            terminals=p, leaves=leaves, spines=spines, global_ports=h, radix=max(p + spines, leaves + h) - 1, **LINK
        )


def test_every_spine_meets_every_group_where_it_has_the_ports() -> None:
    graph = wires(sn.DragonflyPlus(terminals=1, leaves=2, spines=3, global_ports=4, groups=5, **LINK))
    assert set(graph.groups_joined().values()) == {3}
    for spine in (s for s in graph.switches() if "spine" in graph.names[s]):
        others = Counter(graph.group(other) for other, _ in graph.near[spine])
        assert others.pop(graph.group(spine)) == 2
        assert set(others.values()) == {1}
        assert len(others) == 4


@pytest.mark.parametrize("dims", [(4,), (3, 3), (2, 4, 3), (5, 1, 2)])
def test_a_hyperx_of_ahn_and_others(dims: tuple[int, ...]) -> None:
    fabric = sn.HyperX(dims=dims, terminals=2, links=2, radix=2 + 2 * sum(d - 1 for d in dims), **LINK)
    assert (fabric.accelerators, fabric.switches) == (2 * prod(dims), prod(dims))
    graph = wires(fabric)
    for switch in graph.switches():
        expected = {0: 2, **{k + 1: 2 * (d - 1) for k, d in enumerate(dims) if d > 1}}
        assert graph.classes[switch] == Counter(expected)
    assert graph.diameter() == sum(d > 1 for d in dims)
    # joined exactly where one coordinate differs, which the names have
    at = {s: graph.names[s].split(".")[1:] for s in graph.switches()}
    expected_pairs = [
        (s, t)
        for s, t in itertools.combinations(graph.switches(), 2)
        if sum(x != y for x, y in zip(at[s], at[t], strict=True)) == 1
    ]
    assert sorted(p for p in graph.pairs() if p[0] >= graph.span) == expected_pairs


def test_a_dimension_may_be_partly_joined() -> None:
    graph = wires(sn.HyperX(dims=(3, 8), terminals=1, reach=[None, 2], links=[1, 3], **LINK))
    for switch in graph.switches():
        assert graph.classes[switch] == Counter({0: 1, 1: 2, 2: 4 * 3})
    first = graph.span
    along = {(other - first) // 3 for other, _ in graph.near[first] if other >= first and (other - first) % 3 == 0}
    assert along == {1, 2, 6, 7}
    assert graph.diameter() == 1 + 2
    # halfway round is one neighbour, not two
    assert wires(sn.HyperX(dims=(6,), terminals=1, reach=3, **LINK)).shape == (
        wires(sn.HyperX(dims=(6,), terminals=1, **LINK)).shape
    )


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_hypercube(n: int) -> None:
    fabric = sn.Hypercube(dimensions=n, radix=n + 1, **LINK)
    assert (fabric.accelerators, fabric.switches) == (2**n, 2**n)
    graph = wires(fabric)
    assert all(graph.classes[s] == Counter(range(n + 1)) for s in graph.switches())
    assert graph.diameter() == n
    for a, b, link, _ in graph.shape.edges:
        if link:
            assert (a - graph.span) ^ (b - graph.span) == 1 << (link - 1)


def test_a_ring_is_a_torus_of_one_dimension() -> None:
    ring = System("r").scale_up(count=6, fabric=sn.Ring(**LINK, links=2))
    torus = System("r").scale_up(count=6, fabric=sn.Torus(dims=(6,), **LINK, links=2))
    assert ring.to_spec() == torus.to_spec()
    assert System("r").scale_up(count=2, fabric=sn.Ring(**LINK)).to_spec().networks[0].topology == TorusShape(
        [2], [False]
    )


def test_links_have_their_own_rates_latencies_and_media() -> None:
    fabric = sn.Dragonfly(
        terminals=1,
        **LINK,
        medium="copper",
        local_bandwidth="50 GB/s",
        global_latency="1 us",
        global_medium="optics",
        switch_latency="90 ns",
    )
    spec = fabric.network("net", 6).spec
    assert [(link.rate, link.latency_fs, link.medium) for link in spec.links] == [
        (200 * 10**9, 3 * 10**8, "copper"),
        (400 * 10**9, 3 * 10**8, "copper"),
        (200 * 10**9, 10**9, "optics"),
    ]
    assert [switch.latency_fs for switch in spec.switches] == [9 * 10**7]
    cube = sn.HyperX(dims=(2, 2), terminals=1, **LINK, dim_bandwidth=["1 GB/s", "2 GB/s"], dim_latency="5 ns")
    assert [link.rate for link in cube.network("net", 4).spec.links] == [200 * 10**9, 8 * 10**9, 16 * 10**9]
    assert [link.latency_fs for link in cube.network("net", 4).spec.links] == [3 * 10**8, 5 * 10**6, 5 * 10**6]


def test_ports_of_an_accelerator_are_parallel_links() -> None:
    flat = System("x").scale_out(sn.Hypercube(dimensions=3, terminals=2, radix=9, **LINK), count=16, nics_per_device=3)
    assert [e for e in shape_of(flat.networks[0]).edges if e[2] == 0] == [(i, 16 + i // 2, 0, 3) for i in range(16)]
    with pytest.raises(FabricError, match=r"needs 9 ports \(6 to accelerators \+ 3 to other switches\)"):
        System("x").scale_out(sn.Hypercube(dimensions=3, terminals=2, radix=8, **LINK), count=16, nics_per_device=3)


def test_a_family_joins_groups_of_another_network() -> None:
    node = sn.Switched(bandwidth="50 GB/s", latency="100 ns")
    two = System("x").scale_up(count=4, fabric=node).scale_up(count=16, fabric=sn.Hypercube(dimensions=4, **LINK))
    assert [n.span for n in two.to_spec().networks] == [4, 16]


def test_a_hundred_thousand_accelerators_take_no_objects() -> None:
    fabric = sn.Dragonfly(terminals=13, **LINK)
    spec = system(fabric).to_spec()
    assert (spec.accelerators, fabric.switches) == (114_582, 8_814)
    topology = spec.networks[0].topology
    assert isinstance(topology, GraphShape)
    assert len(topology.edges) == 114_582 + 339 * 26 * 25 // 2 + 339 * 338 // 2


sizes = st.one_of(
    st.builds(
        lambda p, a, h, cut, local: sn.Dragonfly(
            terminals=p, routers=a, global_ports=h, groups=max(1, a * h + 1 - cut), local_links=local, **LINK
        ),
        st.integers(1, 3), st.integers(1, 5), st.integers(1, 3), st.integers(0, 12), st.integers(1, 2),
    ),
    st.builds(
        lambda p, n, s, h, cut: sn.DragonflyPlus(
            terminals=p, leaves=n, spines=s, global_ports=h, groups=max(1, s * h + 1 - cut), **LINK
        ),
        st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 10),
    ),
    st.builds(
        lambda p, dims, reach: sn.HyperX(terminals=p, dims=dims, reach=reach, **LINK),
        st.integers(1, 3), st.lists(st.integers(1, 7), min_size=1, max_size=3), st.none() | st.integers(1, 4),
    ),
    st.builds(lambda n, p: sn.Hypercube(dimensions=n, terminals=p, **LINK), st.integers(1, 5), st.integers(1, 3)),
)  # fmt: skip


@given(fabric=sizes)
@settings(max_examples=120, deadline=None)
def test_whatever_the_sizes_all_are_joined_and_alike(fabric: Family) -> None:
    graph = wires(fabric)
    span = fabric.accelerators
    assert len(graph.names) == len(set(graph.names)) == span + fabric.switches
    assert unreachable(span, fabric.switches, graph.pairs()) is None
    assert Counter(graph.pairs()).most_common(1)[0][1] == 1
    assert all(graph.classes[a] == Counter([0]) for a in range(span))
    homes = Counter(b for a, b, link, _ in graph.shape.edges if link == 0)
    assert set(homes.values()) == {fabric.terminals}
    # local links are alike; global ones differ by one at most
    for kind in {graph.names[s].rstrip("0123456789").split(".")[-1] for s in graph.switches()}:
        members = [s for s in graph.switches() if graph.names[s].rstrip("0123456789").split(".")[-1] == kind]
        grouped = isinstance(fabric, sn.Dragonfly | sn.DragonflyPlus)
        for link in range(1, max(c[2] for c in graph.shape.edges) + 1):
            degrees = {graph.classes[s][link] for s in members}
            assert max(degrees) - min(degrees) <= (1 if grouped and link == 2 else 0)
    if isinstance(fabric, sn.Dragonfly | sn.DragonflyPlus):
        groups = len({graph.group(s) for s in graph.switches()})
        joined = graph.groups_joined()
        assert len(joined) == groups * (groups - 1) // 2
        assert len(set(joined.values())) <= 1
        assert max((graph.classes[s][2] for s in graph.switches()), default=0) <= (fabric.global_ports or 0)
        assert graph.diameter() <= 3


# --- what packets take

TIGHT = 2 * 4096
SMALL: list[Family] = [
    sn.DragonflyPlus(terminals=2, leaves=2, spines=2, global_ports=2, buffer=TIGHT, **LINK),
    sn.HyperX(dims=(3, 4), terminals=2, buffer=TIGHT, **LINK),
    sn.HyperX(dims=(3, 7), terminals=1, reach=[None, 1], buffer=TIGHT, **LINK),
    sn.Hypercube(dimensions=5, buffer=TIGHT, **LINK),
]
FLY = sn.Dragonfly(terminals=2, buffer=TIGHT, **LINK)


def ends(fabric: Family, **options: Any) -> None:
    for collective, algorithm in (("all_reduce", "ring"), ("all_to_all", "direct")):
        result = sn.simulate(
            system(fabric), collective, size="512 KiB", algorithm=algorithm, fidelity="packet", **options
        )
        assert result.time_ns >= result.bound > 0


@pytest.mark.parametrize("fabric", SMALL, ids=lambda f: type(f).__name__)
def test_tight_buffers_do_not_lock(fabric: Family) -> None:
    ends(fabric)


@needs_weights
def test_tight_buffers_do_not_lock_a_dragonfly() -> None:
    ends(FLY)


@needs_queues
@pytest.mark.parametrize("routing", GRAPH_ROUTINGS)
@pytest.mark.parametrize("fabric", [FLY, SMALL[0], SMALL[1]], ids=lambda f: type(f).__name__)
def test_other_routings_end_too(fabric: Family, routing: str) -> None:
    ends(fabric, routing=routing)


def shifted(fabric: Family, groups: int, **options: Any) -> sn.Result:
    """Send from every accelerator to the same one of the next group."""
    members = fabric.accelerators // groups
    order = np.arange(fabric.accelerators).reshape(groups, members).T.ravel()
    return sn.send_recv(system(fabric), size="256 KiB", placement=order, fidelity="packet", **options)


def check_collapse(fabric: Family, groups: int, links: int) -> None:
    """The accelerators of a group share the links to the next one."""
    result = shifted(fabric, groups)
    worst = fabric.accelerators // groups * result.size_bytes * FS_PER_BYTE / links
    assert worst <= result.time_fs <= 1.1 * worst


def check_uniform(fabric: Family, groups: int, links: int) -> None:
    """Uniform traffic is held by the links between groups: those of two groups carry all that one sends the other."""
    order = np.random.default_rng(5).permutation(fabric.accelerators)
    result = sn.all_to_all(
        system(fabric), size="1 MiB", placement=order, algorithm="direct", fidelity="packet", record=["levels"]
    )
    members = fabric.accelerators // groups
    part = result.size_bytes // fabric.accelerators
    least = members**2 * part * FS_PER_BYTE / links
    assert least <= result.time_fs <= 2 * least
    # every packet between groups crosses one link between groups
    crossed = result.to_polars("levels").filter(level=3)
    assert crossed["bytes"].sum() == members**2 * part * groups * (groups - 1)
    assert result.busbw_gbytes_s >= 25 / 2


def test_minimal_routing_on_a_dragonfly_plus() -> None:
    fabric = sn.DragonflyPlus(terminals=3, leaves=3, spines=3, global_ports=3, **LINK, buffer="256 KiB")
    check_collapse(fabric, 10, 1)
    check_uniform(fabric, 10, 1)
    check_collapse(sn.DragonflyPlus(terminals=2, leaves=4, spines=2, global_ports=4, groups=5, **LINK), 5, 2)


def test_minimal_routing_between_single_routers() -> None:
    check_collapse(sn.Dragonfly(terminals=4, routers=1, global_ports=8, **LINK), 9, 1)


@needs_weights
def test_minimal_routing_on_a_dragonfly() -> None:
    fabric = sn.Dragonfly(terminals=2, **LINK, buffer="256 KiB")
    check_collapse(fabric, 9, 1)
    check_uniform(fabric, 9, 1)


@needs_queues
@pytest.mark.parametrize(
    ("fabric", "groups"),
    [
        (sn.Dragonfly(terminals=2, **LINK, buffer="256 KiB"), 9),
        (sn.DragonflyPlus(terminals=3, leaves=3, spines=3, global_ports=3, **LINK, buffer="256 KiB"), 10),
    ],
    ids=["dragonfly", "dragonfly+"],
)
def test_detours_go_round_the_one_link(fabric: Family, groups: int) -> None:
    shortest = shifted(fabric, groups).time_fs
    assert shifted(fabric, groups, routing="valiant").time_fs < 0.7 * shortest
    assert shifted(fabric, groups, routing="ugal").time_fs < 0.8 * shortest


def test_one_dimension_of_a_hyperx_is_the_full_mesh_of_its_switches() -> None:
    # Four switches with three accelerators; the nearest three send to the three of the next switch over one link.
    fabric = sn.HyperX(dims=(4,), terminals=3, **LINK)
    check_collapse(fabric, 4, 1)


# --- files, texts and names

FAMILIES: list[Family] = [
    sn.Dragonfly(terminals=2, local_links=2, global_medium="optics", global_latency="1 us", **LINK),
    sn.Dragonfly(terminals=2, groups=4, routing="ecmp", **LINK),
    sn.DragonflyPlus(terminals=2, leaves=3, spines=2, global_ports=2, groups=4, overhead=64, **LINK),
    sn.HyperX(dims=(3, 7), terminals=2, reach=[None, 2], links=[1, 2], dim_bandwidth=["1 GB/s", "2 GB/s"], **LINK),
    sn.HyperX(dims=(3, 2), terminals=2, switch_latency="90 ns", cut_through=False, **LINK),
    sn.Hypercube(dimensions=7, terminals=2, **LINK),
]


@pytest.mark.parametrize("fabric", FAMILIES, ids=lambda f: type(f).__name__)
def test_files_say_the_family_not_its_edges(fabric: Family, tmp_path: Path) -> None:
    machine = System("x").scale_out(fabric, count=fabric.accelerators, nics_per_device=2)
    assert machine.save(tmp_path / "x.toml") == ()
    raw = tomllib.loads((tmp_path / "x.toml").read_text())
    assert "edges" not in raw["network"][0]["topology"]
    jsonschema.Draft202012Validator(sn.system_schema()).validate(raw)
    loaded = System.load(tmp_path / "x.toml")
    assert loaded.to_spec() == machine.to_spec()
    assert loaded.notes() == machine.notes()
    assert loaded.networks == machine.networks


FILE = """
name = "fly"
[params.group_size]
value = 4
mark = "assumed"
[system]
accelerators = 72
[device]
name = "gpu"
[[network]]
name = "net"
kind = "net"
span = 72
payload = 4096
overhead = 0
switches = [{{ latency = "100 ns" }}]
links = {links}
[network.topology]
{topology}
"""
ONE = '[{ rate = "25 GB/s", latency = "300 ns" }]'
TWO = '[{ rate = "25 GB/s", latency = "300 ns" }, { rate = "25 GB/s", latency = "300 ns" }]'
PLAIN = 'kind = "dragonfly"\nterminals = 2\nrouters = "$group_size"'


def load(path: Path, topology: str, links: str = ONE) -> System:
    (path / "x.toml").write_text(FILE.format(topology=topology, links=links))
    return System.load(path / "x.toml")


def test_a_file_may_give_one_link_for_all_and_refer_to_parameters(tmp_path: Path) -> None:
    loaded = load(tmp_path, PLAIN + "\nglobal_ports = 2")
    fabric = sn.Dragonfly(terminals=2, switch_latency="100 ns", **LINK)
    assert loaded.networks[0].spec == fabric.network("net", 72).spec
    assert load(tmp_path, 'kind = "hyperx"\nterminals = 6\ndims = [3, 4]\nreach = ["all", 1]').accelerators == 72


@pytest.mark.parametrize(
    ("topology", "links", "says"),
    [
        ('kind = "dragonfly_plus"\nterminals = 2', ONE, "a topology of kind 'dragonfly_plus' needs leaves"),
        ('kind = "hyperx"\nterminals = 2', ONE, "needs dims"),
        (PLAIN, TWO, "links has 2 entries; one for all, or 3: to accelerators, in a group, between groups"),
        ('kind = "hyperx"\ndims = [3, 4]\nterminals = 6', TWO, "links has 2 entries; one for all, or 3: to acc"),
        (PLAIN, "[]", "links is empty"),
        (PLAIN + "\ngroups = 4", ONE, "joins 32 accelerators, not 72"),
        (PLAIN + "\nradix = 6", ONE, "a router needs 7 ports"),
        ('kind = "dragonfli"', ONE, "did you mean 'dragonfly'"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_errors_of_files(topology: str, links: str, says: str, tmp_path: Path) -> None:
    with pytest.raises((FabricError, SpecError), match=says):
        load(tmp_path, topology, links)


def test_descriptions_say_the_family() -> None:
    lines = network_text(system(sn.Hypercube(dimensions=3, **LINK)).networks[0])
    assert lines[0] == (
        "scale_up: joins 8 accelerators; hypercube of 3 dimensions, 8 switches with 1 accelerator each: "
        "graph of 8 switches and 20 links"
    )


def test_a_picture_of_a_family() -> None:
    svg = system(SMALL[1]).plot().svg
    assert "longest route 4 hops" in svg
    assert "bisection at most" in svg


def test_other_formats_say_what_they_leave_out() -> None:
    fly = system(sn.Dragonfly(terminals=1, **LINK))
    assert len(expand(fly).vertices) == 12
    assert any("weights of links" in text for text in io.render(fly, "infragraph-json")[1])


# --- what cannot be built

WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: sn.Dragonfly(terminals=0, **LINK), FabricError, "terminals is 0; it must be a whole number"),
    (lambda: sn.Dragonfly(terminals=2.5, **LINK), FabricError, r"terminals is 2\.5"),  # type: ignore[arg-type]
    (lambda: sn.Dragonfly(terminals=2, groups=10, **LINK), FabricError,
     r"groups is 10; a group has routers x global_ports = 4 x 2 = 8 global ports, so there are at most 9 groups"),
    (lambda: sn.Dragonfly(terminals=16, **LINK), SizeOverflowError, "has 16416 switches; .* at most 16384"),
    (lambda: sn.Dragonfly(terminals=2**20, routers=2, global_ports=1, **LINK), SizeOverflowError, "vertices are"),
    (lambda: sn.Dragonfly(terminals=1, routers=16_000, groups=1, **LINK), SizeOverflowError, "edges are too many"),
    (lambda: sn.Dragonfly(terminals=2, radix=6, **LINK), FabricError,
     r"a router needs 7 ports \(2 to accelerators \+ 3 in its group \+ 2 to other groups\), more than its radix of 6"),
    (lambda: sn.Dragonfly(terminals=2, bandwidth="25 GB", latency="1 ns"), UnitError, "bandwidth: unknown unit 'GB'"),
    (lambda: sn.Dragonfly(terminals=2, global_latency="3 furlongs", **LINK), UnitError, "global_latency"),
    (lambda: sn.Dragonfly(terminals=2, kind="wifi", **LINK), SpecError, "unknown network kind 'wifi'"),
    (lambda: sn.Dragonfly(terminals=2, routing="magic", **LINK), SpecError, "unknown routing 'magic'"),
    (lambda: sn.DragonflyPlus(terminals=2, leaves=2, spines=2, global_ports=1, groups=4, **LINK), FabricError,
     "spines x global_ports = 2 x 1 = 2 global ports, so there are at most 3 groups"),
    (lambda: sn.HyperX(dims=(), terminals=2, **LINK), FabricError, r"dims is \(\)"),
    (lambda: sn.HyperX(dims=(3, 4), terminals=2, links=[1], **LINK), FabricError, "links has 1 values for 2"),
    (lambda: sn.HyperX(dims=(3, 4), terminals=2, reach=[0, 1], **LINK), FabricError, "reach is 0"),
    (lambda: sn.HyperX(dims=(2**31, 2**31), terminals=2, **LINK), SizeOverflowError, "switches"),
    (lambda: sn.Hypercube(dimensions=15, **LINK), SizeOverflowError, r"15 dimensions has 2\^15 switches"),
    (lambda: sn.Hypercube(dimensions=10**9, **LINK), SizeOverflowError, "switches"),
    (lambda: sn.Ring(bandwidth="1 GB", latency="1 ns"), UnitError, "unknown unit 'GB'"),
    (lambda: System("x").scale_up(count=70, fabric=sn.Dragonfly(terminals=2, **LINK)), FabricError,
     "fabric scale_up: no number of groups joins 70 accelerators; nearest: 64 and 72"),
    (lambda: System("x").scale_up(count=4, fabric=sn.Dragonfly), SpecError, "or Hypercube object"),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "says"), WRONG, ids=[w[2][:30] for w in WRONG])
def test_errors(make: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        make()


def test_long_paths_are_a_note() -> None:
    notes = system(sn.Hypercube(dimensions=7, **LINK)).notes()
    assert len(notes) == 1
    assert "up to 7 links between switches, more than 6 virtual channels: packets change" in notes[0]
    assert system(sn.Hypercube(dimensions=7, buffer=None, **LINK)).notes() == ()
    long = sn.HyperX(dims=(15,), terminals=1, reach=1, **LINK)
    assert f"up to {ceil(15 // 2)} links" in system(long).notes()[0]


# --- routing names


@pytest.mark.parametrize(
    ("name", "policy"), [("adaptive", "adaptive"), ("least-queue", "adaptive"), ("VLB", "valiant"), ("UGAL-L", "ugal")]
)
def test_graphs_have_more_routings(name: str, policy: str) -> None:
    assert system(sn.Hypercube(dimensions=2, routing=name, **LINK)).to_spec().networks[0].routing == policy
    pair: dict[str, Any] = {"accelerators": ["a", "b"], "edges": [("a", "b")], "rate": "1 GB/s", "latency": "1 ns"}
    assert sn.Graph(**pair, routing=name).network("n", 2).spec.routing == policy


@pytest.mark.parametrize("routing", GRAPH_ROUTINGS)
def test_other_fabrics_do_not(routing: str, tmp_path: Path) -> None:
    says = f"routing '{routing}' is for explicit graphs: Graph, Dragonfly, .*valid here: d_mod_k, s_mod_k, ecmp"
    with pytest.raises(SpecError, match=says):
        sn.Switched(**LINK, routing=routing)
    with pytest.raises(SpecError, match=says):
        sn.FatTree(radix=8, link="1 GB/s", routing=routing)
    with pytest.raises(SpecError, match=says):
        sn.all_reduce("hgx-h100", size="1 KiB", routing=routing)
    text = System.preset("hgx-h100").to_toml().replace('"spray_round_robin"', f'"{routing}"')
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(SpecError, match=says):
        System.load(tmp_path / "x.toml")


@needs_queues
def test_trees_beside_a_graph_keep_their_routing() -> None:
    node = sn.Switched(bandwidth="50 GB/s", latency="100 ns")
    two = System("x").scale_up(count=2, fabric=node).scale_up(count=4, fabric=sn.Hypercube(dimensions=2, **LINK))
    result = sn.all_reduce(two, size="64 KiB", routing="valiant", fidelity="packet")
    said = "routing='valiant' is for explicit graphs; scale_up keeps spray_round_robin"
    assert said in result.warnings


def test_the_inventory_of_a_graph_says_what_is_at_most() -> None:
    fabric = sn.Dragonfly(terminals=1, bandwidth="25 GB/s", latency="300 ns", switch_latency="200 ns")
    found = sn.inventory(sn.System("fly").scale_up(count=fabric.accelerators, fabric=fabric))
    # three groups of two routers with one global link each: a ring of six, cut twice
    assert found.bisection_gbytes_s == 2 * 25
    assert not found.bisection_exact
    assert f"bisection    at most {found.bisection_gbytes_s:g} GB/s one way" in str(found)
    assert sn.inventory("nvl72").bisection_exact
    assert (found.accelerators, found.switches, found.diameter_hops) == (fabric.accelerators, fabric.switches, 5)
    assert sn.edges(sn.System("fly").scale_up(count=fabric.accelerators, fabric=fabric)).num_rows == 2 * found.links
