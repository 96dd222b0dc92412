"""Systems to files and back: what is the same afterwards, and that everything else was said to be left out."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import FabricError, SizeOverflowError
from supernode.fabric.base import Fabric
from supernode.io.expand import expand
from supernode.spec import Clos, GraphShape, NetworkSpec
from supernode.system import System

LINK: dict[str, Any] = {"bandwidth": "50 GB/s", "latency": "100 ns"}
TREE: dict[str, Any] = {"radix": 8, "link": "400 Gbit/s", "link_latency": "1 ns", "trunk_latency": "2 ns"}

#: One network each: the fabric, and the accelerators that it joins.
FABRICS: dict[str, tuple[Fabric, int]] = {
    "switched": (sn.Switched(planes=3, links=2, switch_latency="80 ns", overhead=64, **LINK), 6),
    "adding switches": (sn.Switched(in_network_reduce=True, cut_through=False, buffer=None, **LINK), 5),
    "tree of two tiers": (sn.FatTree(oversubscription=3, trunk="100 GB/s", medium="optics", **TREE), 16),
    "tree of three tiers": (sn.FatTree(tiers=3, switch_latency="7 ns", **TREE), 40),
    "rails": (sn.FatTree(rails=4, tiers=2, **TREE), 16),
    "torus": (sn.Torus(dims=(3, 4), dateline=False, **LINK), 12),
    "twisted torus": (sn.Torus(dims=(3, 6), twist=True, **LINK), 18),
    "mesh": (sn.Mesh(dims=(2, 3, 2), bandwidth="1 GB/s", latency=["1 ns", "2 ns", "3 ns"]), 12),
    "ring": (sn.Ring(links=2, hop_latency="30 ns", **LINK), 7),
    "full mesh": (sn.FullMesh(dims=(3, 2), **LINK), 6),
    "one full mesh": (sn.FullMesh(dims=(5,), **LINK), 5),
    "dragonfly": (sn.Dragonfly(terminals=1, global_latency="500 ns", global_medium="optics", **LINK), 6),
    "dragonfly+": (sn.DragonflyPlus(terminals=2, leaves=2, spines=2, global_ports=2, local_links=2, **LINK), 20),
    "hyperx": (sn.HyperX(dims=(3, 3), terminals=2, dim_latency=["1 us", "2 us"], routing="ecmp", **LINK), 18),
    "hypercube": (sn.Hypercube(dimensions=3, terminals=2, switch_latency="90 ns", payload=512, **LINK), 16),
    "graph": (
        sn.Graph(
            accelerators=["x", "y", "z"],
            switches=["s", sn.SwitchNode("t", latency="3 ns", cut_through=False)],
            edges=[
                ("x", "s"), ("y", "t"), sn.Edge("z", "t", count=2), ("z", "s"),
                sn.Edge("s", "t", rate="7 GB/s", latency="2 us", count=3, weight=4, medium="copper"),
            ],
            rate="50 GB/s",
            latency="100 ns",
            kind="ub",
        ),
        3,
    ),
}  # fmt: skip


def alone(fabric: Fabric, count: int) -> System:
    return System("alone").scale_up(sn.Device("gpu", hbm="3 TB/s", reduce="1 TB/s"), count=count, fabric=fabric)


ALONE = {name: alone(*pair) for name, pair in FABRICS.items()}

#: Two levels: every fabric over units of two.
TWO = {
    name: System("two").scale_up(count=2, fabric=sn.Switched(**LINK)).scale_out(fabric).replicate(count // 2)
    for name, (fabric, count) in FABRICS.items()
    if count % 2 == 0
}

THREE = {
    "three levels": System("three")
    .scale_up(count=2, fabric=sn.Switched(**LINK))
    .scale_up(count=8, fabric=sn.HyperX(dims=(2, None), terminals=2, **LINK))
    .scale_out(sn.FatTree(**TREE))
    .replicate(3)
}


def small(name: str) -> System | None:
    """Return a preset that can be written out, a few units of clusters."""
    system = System.preset(name)
    if system.bundle > 1:
        system = system.replicate(2)
    return system if system.accelerators <= 400 else None


PRESETS = {name: system for name in sn.systems() if (system := small(name)) is not None}

ALL = ALONE | {f"units, {k}": v for k, v in TWO.items()} | THREE | PRESETS

every = pytest.mark.parametrize("system", ALL.values(), ids=ALL)


def joined_by_switches(system: System) -> bool:
    """Tell whether only switches forward, which is what graphs are read as."""
    return all(
        isinstance(n.spec.topology, Clos | GraphShape) or (len(n.spec.topology.dims) == 1 and _full(n.spec))
        for n in system.all_networks()
    )


def _full(spec: NetworkSpec) -> bool:
    """Tell whether every two accelerators of a direct network have a link of their own."""
    return type(spec.topology).__name__ == "FullMeshShape" or spec.span <= 3


def wires(system: System, *, switches: bool) -> Counter[tuple[str, ...]]:
    """Return edges by what they are; latencies of switches, media and weights only where the format has them."""
    drawing = expand(system)
    kinds = dict(drawing.vertices)
    found: Counter[tuple[str, ...]] = Counter()
    for a, b, attributes in drawing.edges:
        ends = sorted(
            kinds[end].get("rank") or (f"switch {kinds[end]['latency']}" if switches else "switch") for end in (a, b)
        )
        more = (attributes.get("medium", ""), attributes.get("weight", "1")) if switches else ()
        found[(*ends, attributes["rate"], attributes["latency"], *more)] += int(attributes.get("count", "1"))
    return found


def numbers(system: System) -> tuple[int, int, int, int]:
    found = sn.inventory(system)
    return found.accelerators, found.switches, found.links, found.diameter_hops


@every
def test_toml_is_exact(system: System, tmp_path: Path) -> None:
    assert system.save(tmp_path / "x.toml") == ()
    back = System.load(tmp_path / "x.toml")
    assert back.to_spec() == system.to_spec()
    assert sn.inventory(back).levels == sn.inventory(system).levels
    assert (back.stack, back.label) == (system.stack, system.label)
    # and again
    assert back.to_toml() == system.to_toml()


@every
@pytest.mark.parametrize("name", ["x.graphml", "x.json", "x.yaml"])
def test_graphs_are_the_same_graphs(system: System, name: str, tmp_path: Path) -> None:
    if name == "x.yaml" and sn.inventory(system).links > 2000 and "SUPERNODE_SLOW" not in os.environ:
        pytest.skip("YAML of large graphs is read slowly: set SUPERNODE_SLOW=1")
    target = tmp_path / name
    left_out = system.save(target)
    exact = name == "x.graphml"
    networks = system.all_networks()
    if len(networks) > 1:
        assert any("become one graph" in text for text in left_out)
    said = " ".join(left_out)
    assert ("the software stack" in said) == (system.stack != "none")
    assert ("power" in said) == (system.unit_power is not None)
    assert ("which values are assumed" in said) == bool(system.assumed())
    assert ("dateline" in said) == (not all(n.spec.dateline for n in networks))
    if not exact:
        assert any("latencies of switches" in text for text in left_out)
    try:
        back = System.from_file(target)
    except FabricError as error:
        assert "do not forward" in str(error)
        assert not joined_by_switches(system)
        return
    assert wires(back, switches=exact) == wires(system, switches=exact)
    assert back.accelerators == system.accelerators
    if len(networks) == 1 and isinstance(networks[0].spec.topology, GraphShape):
        assert numbers(back) == numbers(system)
    only = networks[0].spec
    if exact and len(networks) == 1:
        copy = back.to_spec().networks[0]
        for part in ("span", "payload", "overhead", "buffer", "routing", "name"):
            assert getattr(copy, part) == getattr(only, part), part
        assert ("generation" in said) == bool(system.device.generation)
        assert back.device.to_spec() == replace(system.device, generation="").to_spec()
        assert back.networks[0].kind == networks[0].kind


SWITCHED = {k: s for k, s in ALONE.items() if isinstance(s.networks[0].spec.topology, GraphShape)}


@pytest.mark.parametrize("system", SWITCHED.values(), ids=SWITCHED)
def test_times_are_the_same(system: System, tmp_path: Path) -> None:
    system.save(tmp_path / "x.graphml")
    back = System.from_file(tmp_path / "x.graphml")
    for collective, algorithm in (("all_reduce", "ring"), ("all_to_all", "direct"), ("broadcast", "binomial_tree")):
        options: dict[str, Any] = {"size": "32 KiB", "algorithm": algorithm, "fidelity": "packet"}
        times = [sn.simulate(s, collective, **options).time_fs for s in (system, back)]
        assert times[0] == times[1], collective


TREES = {k: s for k, s in ALONE.items() if isinstance(s.networks[0].spec.topology, Clos)}


@pytest.mark.parametrize("system", TREES.values(), ids=TREES)
def test_a_tree_as_a_graph_takes_as_long_for_one_message(system: System, tmp_path: Path) -> None:
    # Which of equal paths a packet takes is another choice there; a path is as long.
    system.save(tmp_path / "x.graphml")
    back = System.from_file(tmp_path / "x.graphml")
    last = system.accelerators - 1
    for size in (8, 1024):
        times = [sn.send_recv(s, size=size, placement=[0, last], fidelity="packet").time_fs for s in (system, back)]
        assert times[0] == times[1]


def supernode(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supernode", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_convert_goes_all_the_way_round(tmp_path: Path) -> None:
    system = ALONE["hypercube"]
    system.save(tmp_path / "a.toml")
    chain = ["a.toml", "b.graphml", "c.graphml", "d.toml", "e.json", "f.yaml", "g.graphml"]
    for source, target in pairwise(chain):
        done = supernode("convert", str(tmp_path / source), str(tmp_path / target))
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert ("left out" in done.stderr) == (target in ("e.json", "f.yaml")), (target, done.stderr)
    assert System.load(tmp_path / "d.toml").to_spec().networks[0].topology == (
        System.from_file(tmp_path / "b.graphml").to_spec().networks[0].topology
    )
    assert numbers(System.from_file(tmp_path / "g.graphml")) == numbers(system)
    done = supernode("convert", str(tmp_path / "a.toml"), str(tmp_path / "x.dot"))
    assert done.returncode == 0
    assert (tmp_path / "x.dot").read_text().count(" -- ") == 8 * 2 + 12


def test_what_cannot_be_written_out_says_so(tmp_path: Path) -> None:
    large = System.preset("atlas960-supercluster")
    for name in ("x.graphml", "x.json", "x.dot"):
        with pytest.raises(SizeOverflowError, match="too many for a list"):
            large.save(tmp_path / name)
        assert not (tmp_path / name).exists()
