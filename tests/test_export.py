"""Systems written for other tools, and read back."""

import json
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings

import strategies
import supernode as sn
from supernode import io
from supernode.errors import SizeOverflowError, SpecError
from supernode.io.expand import expand
from supernode.spec import GraphShape
from supernode.system import System

DATA = Path(__file__).parent / "data"


@given(system=strategies.graphs())
@settings(max_examples=50)
def test_graphml_says_all_of_one_graph(tmp_path_factory: pytest.TempPathFactory, system: System) -> None:
    target = tmp_path_factory.mktemp("files", numbered=True) / "x.graphml"
    if any(c not in "\t\n\r" and (ord(c) < 32 or c in "\ufffe\uffff") for name in _names(system) for c in name):
        with pytest.raises(SpecError, match="which no XML can hold"):
            system.save(target)
        return
    system.save(target)
    back = System.from_file(target)
    assert back.to_spec() == system.to_spec()
    assert back.networks[0].names == system.networks[0].names


def _names(system: System) -> tuple[str, ...]:
    return (system.name, system.device.name, *system.networks[0].names)


def test_graphml_twice_is_the_same_text(tmp_path: Path) -> None:
    system = System.from_file(DATA / "pods.graphml")
    assert system.save(tmp_path / "a.graphml") == ()
    System.from_file(tmp_path / "a.graphml").save(tmp_path / "b.graphml")
    assert (tmp_path / "a.graphml").read_text() == (tmp_path / "b.graphml").read_text()


def test_graphml_is_what_networkx_reads(tmp_path: Path) -> None:
    system = System.from_file(DATA / "pods.graphml")
    system.save(tmp_path / "a.graphml")
    graph: Any = nx.read_graphml(tmp_path / "a.graphml")
    assert graph.number_of_nodes() == 6
    assert graph.edges["left", "right"]["rate"] == "800 Gbit/s"
    assert System.from_graph(graph).to_spec() == system.to_spec()


@pytest.mark.parametrize("extension", ["yaml", "json"])
def test_infragraph_keeps_links_rates_and_latencies(extension: str, tmp_path: Path) -> None:
    system = System.from_file(DATA / "pods.graphml")
    left_out = system.save(tmp_path / f"a.{extension}")
    assert any("latencies of switches" in text for text in left_out)
    spec, back = (s.to_spec().networks[0] for s in (system, System.from_file(tmp_path / f"a.{extension}")))
    assert isinstance(spec.topology, GraphShape)
    assert isinstance(back.topology, GraphShape)
    assert back.links == spec.links
    assert sorted((*sorted(e[:2]), *e[2:]) for e in back.topology.edges) == sorted(spec.topology.edges)


def counts(system: System) -> tuple[int, int, int]:
    drawing = expand(system)
    switches = sum(attributes["kind"] == "switch" for _, attributes in drawing.vertices)
    return len(drawing.vertices) - switches, switches, sum(int(e[2].get("count", "1")) for e in drawing.edges)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hgx-h100", (8, 4, 8 * 18)),
        ("nvl72", (72, 18, 72 * 18)),
        ("hgx-h100:2", (16, 8 + 8 + 1, 16 * 18 + 16 + 8 * 2)),
        ("tpu-v4", (4096, 0, 4096 * 3)),
        ("gh200", (4, 0, 6)),
        ("trn2-ultraserver", (64, 0, 3 * 64)),
    ],
)
def test_families_are_written_out(name: str, expected: tuple[int, int, int]) -> None:
    found = counts(System.preset(name))
    if name == "gh200":
        assert found[:2] == expected[:2]
        assert found[2] % 6 == 0
    else:
        assert found == expected


def test_every_switch_of_a_tree_has_its_ports(tmp_path: Path) -> None:
    tree = sn.FatTree(radix=8, link="1 GB/s", tiers=3, link_latency="1 ns", trunk_latency="1 ns", switch_latency=0)
    system = System("t").scale_out(tree, count=128)
    drawing = expand(system)
    ports: dict[str, int] = {}
    for a, b, attributes in drawing.edges:
        for end in (a, b):
            ports[end] = ports.get(end, 0) + int(attributes.get("count", "1"))
    assert counts(system) == (128, 32 + 32 + 16, 3 * 128)
    assert {ports[name] for name, attributes in drawing.vertices if attributes["kind"] == "switch"} == {8}
    system.save(tmp_path / "t.graphml")
    back = System.from_file(tmp_path / "t.graphml").to_spec().networks[0]
    assert isinstance(back.topology, GraphShape)
    assert len(back.topology.edges) == 3 * 128


def test_rails_meet_their_own_leaves() -> None:
    tree = sn.FatTree(radix=8, link="1 GB/s", tiers=2, rails=4, link_latency="1 ns", trunk_latency="1 ns")
    drawing = expand(System("t").scale_out(tree, count=32))
    leaf = {a: b for a, b, _ in drawing.edges if a.startswith("accelerator")}
    assert leaf["accelerator.0"] == leaf["accelerator.4"] != leaf["accelerator.1"]
    assert len(set(leaf.values())) == 8


def test_what_a_list_does_not_say_is_a_warning(tmp_path: Path) -> None:
    left_out = System.preset("hgx-h100:2").save(tmp_path / "a.graphml")
    assert any("become one graph" in text for text in left_out)
    assert any("software stack nccl" in text for text in left_out)


LINK: dict[str, Any] = {"bandwidth": "10 GB/s", "latency": "100 ns"}
DIRECT: dict[str, sn.Torus | sn.FullMesh] = {
    "ring": sn.Torus(dims=(7,), hop_latency="60 ns", **LINK),
    "torus": sn.Torus(dims=(3, 4), hop_latency="60 ns", **LINK),
    "mesh": sn.Torus(dims=(2, 5), wrap=False, **LINK),
    "full mesh": sn.FullMesh(dims=(5,), **LINK),
    "full meshes": sn.FullMesh(dims=(3, 3), hop_latency="60 ns", **LINK),
}


@pytest.mark.parametrize("extension", ["graphml", "json"])
@pytest.mark.parametrize("name", DIRECT)
def test_direct_networks_are_read_back(name: str, extension: str, tmp_path: Path) -> None:
    fabric = DIRECT[name]
    system = System("t").scale_up(count=prod(side or 1 for side in fabric.dims), fabric=fabric)
    target = tmp_path / f"a.{extension}"
    system.save(target)
    # what InfraGraph has no place for
    given: dict[str, Any] = {} if extension == "graphml" else {"switch_latency": fabric.hop_latency}
    back = System.from_file(target, **given)
    assert counts(back) == counts(system)
    ours, theirs = (sn.inventory(s) for s in (system, back))
    assert (ours.diameter_hops, ours.diameter_ns) == (theirs.diameter_hops, theirs.diameter_ns)
    forwards = [text for text in back.notes() if "accelerators forward" in text]
    assert len(forwards) == (extension == "json" and name != "full mesh")
    times = [sn.simulate(s, "all_to_all", size="64 KiB", algorithm="direct").time_ns for s in (system, back)]
    assert times[1] == pytest.approx(times[0], rel=0.3)
    if len(fabric.dims) == 1:
        times = [sn.simulate(s, "all_reduce", size="1 MiB", algorithm="ring").time_ns for s in (system, back)]
        assert times[1] == times[0], "neighbours"


def test_a_million_accelerators_are_no_list(tmp_path: Path) -> None:
    with pytest.raises(SizeOverflowError, match="too many for a list"):
        System.preset("atlas960-supercluster").save(tmp_path / "a.graphml")
    assert System.preset("atlas960-supercluster").save(tmp_path / "a.toml") == ()


def test_dot() -> None:
    text, _ = io.render(System.from_file(DATA / "pods.graphml"), "dot")
    assert text.startswith('graph "pods" {')
    assert '"left" -- "right" [label="800 Gbit/s x 2", rate="800 Gbit/s"' in text
    assert '"a" [shape=box, kind="accelerator", rank="0"];' in text


def supernode(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supernode", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_convert(tmp_path: Path) -> None:
    target = tmp_path / "node.toml"
    done = supernode(
        "convert", str(DATA / "xgmi.xml"), str(target), "--link-rate", "xgmi=50 GB/s", "--link-rate", "cpu=64 GB/s",
        "--link-latency", "200 ns", "--switch-latency", "100 ns",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert f"wrote {target}" in done.stderr
    assert System.load(target).accelerators == 3
    done = supernode("convert", str(DATA / "xgmi.xml"), str(target), "--link-rate", "1 GB/s")
    assert done.returncode == 2
    assert done.stderr.startswith("error: xgmi.xml: xgmi gpu0 - gpu1 has no latency; give --link-latency")
    done = supernode("convert", str(DATA / "xgmi.xml"), str(target), "--link-rate", "1", "--link-rate", "a=2")
    assert done.returncode == 2
    assert "give one value, or LINK=VALUE each time" in done.stderr


def test_schema() -> None:
    done = supernode("schema")
    assert done.returncode == 0
    assert json.loads(done.stdout) == sn.system_schema()
