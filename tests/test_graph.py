"""Fabrics as explicit graphs."""

import pickle
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import supernode as sn
from supernode.errors import FabricError, SizeOverflowError, SpecError, SupernodeError, UnitError
from supernode.fabric.reach import unjoined, unreachable
from supernode.spec import GraphShape, encode
from supernode.system import System


def pair(**changes: Any) -> sn.Graph:
    options: dict[str, Any] = {
        "accelerators": ["a", "b"],
        "switches": ["s"],
        "edges": [("a", "s"), ("b", "s")],
        "rate": "50 GB/s",
        "latency": "100 ns",
        **changes,
    }
    return sn.Graph(**options)


def core_takes_graphs() -> bool:
    try:
        sn.simulate(System("probe").scale_up(count=2, fabric=pair()), "all_reduce", size=1024, fidelity="packet")
    except SupernodeError:
        return False
    return True


needs_core = pytest.mark.skipif(not core_takes_graphs(), reason="the core does not know explicit graphs yet")


def test_vertices_links_and_switches_become_numbers() -> None:
    fabric = sn.Graph(
        accelerators=["a", "b", "c"],
        switches=["s", sn.SwitchNode("t", latency="120 ns", radix=5, cut_through=False)],
        edges=[
            ("a", "s"),
            sn.Edge("s", "b"),
            sn.Edge("c", "t", count=3),
            sn.Edge("s", "t", rate="100 GB/s", latency="250 ns", medium="optics"),
            sn.Edge("t", "s", rate="800 Gbit/s", latency="250 ns", medium="optics"),
        ],
        rate="50 GB/s",
        latency="100 ns",
        medium="copper",
        switch_latency="80 ns",
        overhead=64,
        kind="nvlink",
        routing="ecmp",
    )
    network = System("x").scale_up(count=3, fabric=fabric).networks[0]
    spec = network.spec
    assert spec.topology == GraphShape(
        switches=2, edges=[(0, 3, 0, 1), (3, 1, 0, 1), (2, 4, 0, 3), (3, 4, 1, 2)], switch_kinds=[0, 1]
    )
    assert [(link.rate, link.latency_fs, link.medium) for link in spec.links] == [
        (400 * 10**9, 10**8, "copper"),
        (800 * 10**9, 25 * 10**7, "optics"),
    ]
    assert [(s.latency_fs, s.cut_through) for s in spec.switches] == [(8 * 10**7, True), (12 * 10**7, False)]
    assert (spec.planes, spec.payload, spec.overhead, spec.routing, network.kind) == ([1], 4096, 64, "ecmp", "nvlink")
    assert network.names == ("a", "b", "c", "s", "t")
    # The larger of 100 GB/s x (2 x 250 + 120 ns) and 50 GB/s x (2 x 100 + 120 ns), and four packets of
    # 2 x 4,096 + 64 B: 62,000 + 33,024 B, and a seventh more.
    assert spec.buffer == 95_024 + 13_575


def test_the_specification_is_what_the_core_reads() -> None:
    raw = msgspec.json.decode(encode(System("x").scale_up(count=2, fabric=pair()).to_spec()))
    network = raw["networks"][0]
    assert network["topology"] == {
        "kind": "graph",
        "switches": 1,
        "edges": [[0, 2, 0, 1], [1, 2, 0, 1]],
    }
    assert network["planes"] == [1]
    assert network["routing"] == "spray_round_robin"


def test_links_between_accelerators_need_no_switch() -> None:
    spec = pair(switches=[], edges=[("a", "b")]).network("n", 2).spec
    assert spec.topology == GraphShape(switches=0, edges=[(0, 1, 0, 1)])
    assert len(spec.switches) == 1


def test_directed_edges_come_in_pairs() -> None:
    edges = [("a", "s"), ("s", "a"), ("b", "s"), ("s", "b"), ("b", "s"), ("s", "b")]
    spec = pair(edges=edges, directed=True).network("n", 2).spec
    assert isinstance(spec.topology, GraphShape)
    assert spec.topology.edges == [(0, 2, 0, 1), (1, 2, 0, 2)]


def test_a_graph_is_a_value() -> None:
    assert pair() == pair(accelerators=("a", "b"))
    assert hash(pair()) == hash(pair())
    assert pickle.loads(pickle.dumps(pair())) == pair()  # noqa: S301 - our own bytes


def test_a_switch_without_links_is_a_note() -> None:
    system = System("x").scale_up(count=2, fabric=pair(switches=["s", "idle"]))
    assert system.notes() == ("scale_up: switches without a link have no effect: idle",)


def test_graphs_stand_at_any_level() -> None:
    nvlink = sn.Switched(bandwidth="50 GB/s", latency="100 ns")
    two = System("x").scale_up(count=1, fabric=nvlink).scale_up(count=2, fabric=pair())
    assert [n.span for n in two.to_spec().networks] == [1, 2]
    assert System("y").scale_out(pair(), count=2).accelerators == 2
    copies = System("z").scale_up(count=2, fabric=pair()).scale_out(sn.FatTree(radix=8, link="1 GB/s")).replicate(4)
    assert [n.span for n in copies.to_spec().networks] == [2, 8]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"accelerators": []}, FabricError, "no accelerators"),
    ({"accelerators": "ab"}, FabricError, "accelerators is 'ab'; it must be a list"),
    ({"accelerators": ["a", ""]}, FabricError, "'' is not the name of a vertex"),
    ({"accelerators": ["a", "b", "s"]}, FabricError, "the name 's' is given twice"),
    ({"edges": []}, FabricError, "no edges"),
    ({"edges": [("a", "s"), ("b", "x")]}, FabricError, "edge 'b' - 'x' ends at 'x', which is no accelerator"),
    ({"edges": [("a", "s"), ("b", "s"), ("s", "s")]}, FabricError, "edge 's' - 's' joins 's' to itself"),
    ({"edges": ["as"]}, FabricError, "'as' is not an edge"),
    ({"edges": [("a", "s"), sn.Edge("b", "s", count=0)]}, FabricError, "count of edge 'b' - 's' is 0"),
    ({"edges": [("a", "s"), sn.Edge("b", "s", count=2**40)]}, FabricError, "count of edge 'b' - 's' is 1099511627776"),
    ({"edges": [("a", "s")]}, FabricError, "no path joins 'a' and 'b'"),
    ({"rate": None}, FabricError, "edge 'a' - 's' has no rate"),
    ({"latency": None}, FabricError, "edge 'a' - 's' has no latency"),
    ({"rate": "50 GB"}, UnitError, "rate of edge 'a' - 's': unknown unit 'GB'"),
    ({"latency": 0}, UnitError, "latency of edge 'a' - 's'"),
    ({"switches": [sn.SwitchNode("s", radix=1)]}, FabricError, "switch 's' has 2 links, more than its radix of 1"),
    ({"switches": [3]}, FabricError, "3 is not a switch"),
    ({"directed": True}, FabricError, "1 links lead from 'a' to 's' and 0 of the same rate, latency and weight back"),
    ({"kind": "wifi"}, SpecError, "unknown network kind 'wifi'"),
    ({"routing": "magic"}, SpecError, "unknown routing 'magic'"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "kind", "says"), WRONG, ids=lambda v: str(v)[:40])
def test_errors(changes: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        pair(**changes)


def test_the_number_of_accelerators_is_the_graphs_own() -> None:
    with pytest.raises(FabricError, match="fabric scale_up: the graph has 2 accelerators, not 3"):
        System("x").scale_up(count=3, fabric=pair())
    with pytest.raises(FabricError, match="how many ports an accelerator has, not 2"):
        System("x").scale_out(pair(), count=2, nics_per_device=2)


def test_large_graphs_are_refused_before_they_are_made() -> None:
    class Endless(list[Any]):
        def __iter__(self) -> Any:
            return iter(["a"] * (2**21 + 1))

    with pytest.raises(SizeOverflowError, match="2097153 vertices are too many"):
        pair(accelerators=Endless(), switches=[])


def reached(span: int, switches: int, pairs: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """All pairs of accelerators that are joined, by trying every path."""
    near: dict[int, set[int]] = {v: set() for v in range(span + switches)}
    for a, b in pairs:
        near[a].add(b)
        near[b].add(a)
    found = set()
    for start in range(span):
        seen, ends = {start}, [start]
        while ends:
            for other in near[ends.pop()] - seen:
                seen.add(other)
                if other >= span:
                    ends.append(other)
        found |= {(start, other) for other in seen if other < span}
    return found


@given(st.data())
@settings(max_examples=80)
def test_reaching_is_what_trying_every_path_finds(data: st.DataObject) -> None:
    span, switches = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 5))
    vertex = st.integers(0, span + switches - 1)
    pairs = data.draw(st.lists(st.tuples(vertex, vertex).filter(lambda p: p[0] != p[1]), max_size=14))
    found = unreachable(span, switches, pairs)
    joined = reached(span, switches, pairs)
    missing = [p for p in combinations(range(span), 2) if p not in joined]
    assert (found is None) == (not missing)
    if found is not None:
        assert tuple(sorted(found)) in missing


def test_accelerators_forward_only_if_they_must() -> None:
    ring = [(f"g{i}", f"g{(i + 1) % 5}") for i in range(5)]
    options: dict[str, Any] = {"accelerators": [f"g{i}" for i in range(5)], "switches": [], "edges": ring}
    network = pair(**options, switch_latency="70 ns").network("n", 5)
    assert isinstance(network.spec.topology, GraphShape)
    assert network.spec.topology.forwarding == 0
    assert network.spec.switches[0].latency_fs == 70 * 10**6
    assert network.notes == ("n: accelerators forward: there are no switches, and no edge joins 'g0' and 'g2'",)
    asked = pair(**options, switch_latency="70 ns", forwarding=True).network("n", 5)
    assert (asked.spec, asked.notes) == (network.spec, ())
    with pytest.raises(FabricError, match=r"joins 'g0' and 'g2'; accelerators do not forward \(forwarding=False\)"):
        pair(**options, forwarding=False)
    # beside switches it is rather a slip, unless it is said
    hung = {**options, "switches": ["s"], "edges": [("g0", "s"), *((f"g{i}", "s") for i in range(2, 5)), ("g0", "g1")]}
    with pytest.raises(FabricError, match=r"joins 'g1' and 'g2'; .* \(forwarding=True would let them\)"):
        pair(**hung)
    forwarded = pair(**hung, forwarding=True).network("n", 5).spec.topology
    assert isinstance(forwarded, GraphShape)
    assert forwarded.forwarding == 0
    with pytest.raises(FabricError, match="forwarding is 'x'; it must be True, False or None"):
        pair(forwarding="x")
    # where switches join all of them, they do not unless asked to
    star = pair().network("n", 2).spec.topology
    assert isinstance(star, GraphShape)
    assert star.forwarding is None
    slow = sn.SwitchNode("s", latency="1 us")
    both = pair(switches=[slow], forwarding=True).network("n", 2).spec
    assert isinstance(both.topology, GraphShape)
    assert (both.topology.forwarding, both.switches[0].latency_fs, both.switches[1].latency_fs) == (1, 10**9, 0)


@given(st.data())
@settings(max_examples=60)
def test_all_are_joined_if_every_vertex_forwards(data: st.DataObject) -> None:
    span, switches = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 5))
    vertex = st.integers(0, span + switches - 1)
    pairs = data.draw(st.lists(st.tuples(vertex, vertex).filter(lambda p: p[0] != p[1]), max_size=14))
    # as if all vertices were switches, each accelerator beside its own
    beside = [(v, span + v) for v in range(span)]
    inner = [(a + span, b + span) for a, b in pairs]
    assert (unjoined(span, switches, pairs) is None) == (unreachable(span, span + switches, beside + inner) is None)


@needs_core
def test_a_star_as_a_graph_takes_the_time_of_a_switch() -> None:
    names = [f"gpu{i}" for i in range(8)]
    common: dict[str, Any] = {"latency": "250 ns", "switch_latency": "100 ns", "buffer": "64 KiB"}
    graph = sn.Graph(accelerators=names, switches=["s"], edges=[(n, "s") for n in names], rate="50 GB/s", **common)
    switch = sn.Switched(bandwidth="50 GB/s", **common)
    times = [
        sn.simulate(System("x").scale_up(count=8, fabric=f), "all_reduce", size="1 MiB", algorithm="ring").time_ns
        for f in (graph, switch)
    ]
    assert times[0] == times[1]


@needs_core
def test_what_was_left_out_of_a_file_stands_in_every_result() -> None:
    system = System.from_file(Path(__file__).parent / "data" / "pods.graphml")
    result = sn.all_reduce(system, size="64 KiB", fidelity="packet")
    assert result.time_ns > 4 * 500
    assert any("without a meaning here are left out: 'colour'" in text for text in result.warnings)


@needs_core
def test_a_policy_of_routing_has_a_choice_in_a_graph() -> None:
    result = sn.all_reduce(System("x").scale_up(count=2, fabric=pair()), size="64 KiB", routing="ecmp")
    assert not any("routing" in text for text in result.warnings)
