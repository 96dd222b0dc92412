"""Weights of links: packets take the paths of least weight, and every format that can says so."""

from collections import Counter
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import rustworkx as rx
from hypothesis import given, settings
from hypothesis import strategies as st

import supernode as sn
from supernode import _core, io
from supernode.errors import FabricError
from supernode.fabric.parts import MAX_WEIGHT
from supernode.spec import GraphShape, encode
from supernode.system import System


def triangle(weight: Any) -> System:
    """Two accelerators whose switches are joined, and joined by way of a third one."""
    fabric = sn.Graph(
        accelerators=["a", "b"],
        switches=["s", "t", "u"],
        edges=[("a", "s"), ("b", "t"), sn.Edge("s", "t", weight=weight), ("s", "u"), ("u", "t")],
        rate="50 GB/s",
        latency="100 ns",
    )
    return System("triangle").scale_up(count=2, fabric=fabric)


def shape(system: System) -> GraphShape:
    found = system.to_spec().networks[0].topology
    assert isinstance(found, GraphShape)
    return found


@pytest.mark.parametrize(("weight", "direct", "round"), [(1, 16, 0), (2, 8, 8), (3, 0, 16), (MAX_WEIGHT, 0, 16)])
def test_packets_take_the_lightest_paths(weight: int, direct: int, round: int) -> None:
    # 64 KiB each way are 16 packets; two paths of equal weight take them in turn
    result = sn.send_recv(triangle(weight), size="64 KiB", fidelity="packet", record=["links"])
    rows = result.to_polars("links")
    found = {(row["src"], row["dst"]): row["packets"] for row in rows.iter_rows(named=True)}
    switch = "scale_up[0] switch {}".format
    for a, b in ((0, 1), (1, 0)):
        assert found[switch(a), switch(b)] == direct
        assert found[switch(a), switch(2)] == found[switch(2), switch(b)] == round


def test_equal_weights_are_none() -> None:
    assert shape(triangle(1)).weights == []
    assert shape(triangle(4)).weights == [1, 4]


@pytest.mark.parametrize("weight", [0, -1, MAX_WEIGHT + 1, 1.5, "2", None, [1], 2**64, float("nan")])
def test_weights_are_small_whole_numbers(weight: object) -> None:
    with pytest.raises(FabricError, match=r"weight of edge 's' - 't' is .*; it must be a whole number from 1 to 15"):
        triangle(weight)


def test_the_limit_is_that_of_the_core() -> None:
    spec = triangle(MAX_WEIGHT).to_spec()
    _core.describe(encode(spec))
    assert isinstance(spec.networks[0].topology, GraphShape)
    spec.networks[0].topology.weights[1] += 1
    with pytest.raises(FabricError, match="weight 16 of link class 1"):
        _core.describe(encode(spec))


@pytest.mark.parametrize("name", ["x.toml", "x.graphml"])
@given(weights=st.lists(st.integers(1, MAX_WEIGHT), min_size=4, max_size=4))
@settings(max_examples=25)
def test_files_carry_weights(tmp_path_factory: pytest.TempPathFactory, name: str, weights: list[int]) -> None:
    ends = [("a", "s"), ("s", "t"), ("t", "b"), ("s", "t")]
    edges = [sn.Edge(*pair, weight=w, count=1 + i) for i, (pair, w) in enumerate(zip(ends, weights, strict=True))]
    fabric = sn.Graph(accelerators=["a", "b"], switches=["s", "t"], edges=edges, rate="1 GB/s", latency="1 ns")
    system = System("x").scale_up(count=2, fabric=fabric)
    target = tmp_path_factory.mktemp("files", numbered=True) / name
    assert system.save(target) == ()
    assert System.from_file(target).to_spec() == system.to_spec()


def test_graph_objects_carry_weights() -> None:
    link: dict[str, Any] = {"rate": "50 GB/s", "latency": "100 ns"}
    edges: list[tuple[str, str, Any]] = [
        ("a", "s", {}),
        ("b", "t", {}),
        ("s", "t", {"weight": 3}),
        ("s", "u", {"weight": 1.0}),
        ("u", "t", {}),
    ]
    kinds = {"a": "gpu", "b": "gpu", "s": "switch", "t": "switch", "u": "switch"}
    first: Any = nx.Graph(name="triangle", network="scale_up")
    second: Any = rx.PyGraph(attrs={"name": "triangle", "network": "scale_up"})
    places = {}
    for name, kind in kinds.items():
        first.add_node(name, kind=kind, latency="0 ns")
        places[name] = second.add_node({"name": name, "kind": kind, "latency": "0 ns"})
    for a, b, own in edges:
        first.add_edge(a, b, **link, **own)
        second.add_edge(places[a], places[b], {**link, **own})
    for graph in (first, second):
        system = System.from_graph(graph)
        assert shape(system).weights == [1, 3]
        assert not system.notes()
        assert sn.send_recv(system, size=8, fidelity="packet").time_fs == sn.send_recv(triangle(3), size=8).time_fs
    first.edges["s", "t"]["weight"] = 0.7
    with pytest.raises(FabricError, match=r"edge 's' - 't': weight 0\.7 is not a whole number"):
        System.from_graph(first)


def test_what_has_no_place_for_weights_says_so(tmp_path: Path) -> None:
    text, left_out = io.render(triangle(3), "dot")
    assert '"s" -- "t" [label="400 Gbit/s weight 3", rate="400 Gbit/s", latency="100 ns"];' in text
    assert left_out == ()
    for system, said in ((triangle(3), True), (triangle(1), False)):
        left_out = system.save(tmp_path / "x.json")
        assert any("paths by weights of links are left out" in line for line in left_out) == said
    assert shape(System.from_file(tmp_path / "x.json")).weights == []


def test_a_dragonfly_keeps_its_paths_in_graphml(tmp_path: Path) -> None:
    fabric = sn.Dragonfly(terminals=1, bandwidth="50 GB/s", latency="100 ns", global_latency="500 ns")
    system = System("fly").scale_out(fabric, count=fabric.accelerators)
    assert system.save(tmp_path / "x.graphml") == ()
    back = System.from_file(tmp_path / "x.graphml")
    # classes of links are numbered anew, those that are alike together
    for one in (back, system):
        assert Counter(shape(one).weights[link] for _, _, link, _ in shape(one).edges) == {1: 9, 3: 3}
    options: dict[str, Any] = {"size": "64 KiB", "algorithm": "direct", "fidelity": "packet"}
    assert sn.all_to_all(back, **options).time_fs == sn.all_to_all(system, **options).time_fs
