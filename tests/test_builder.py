"""Systems that users put together."""

from typing import Any

import msgspec
import pytest

import supernode as sn
from supernode.errors import FabricError, SpecError, UnitError
from supernode.spec import Clos, FullMeshShape, TorusShape, encode
from supernode.system import System


def test_the_example_of_the_readme() -> None:
    gpu = sn.Device("gpu", hbm="8 TB/s", hbm_latency="600 ns")
    nvlink = sn.Switched(planes=18, bandwidth="50 GB/s", latency="350 ns", in_network_reduce=True)
    ethernet = sn.FatTree(radix=64, tiers=2, link="400 Gbit/s", oversubscription=2)
    pod = System("my-pod").scale_up(gpu, count=64, fabric=nvlink).scale_out(ethernet, nics_per_device=1).replicate(128)
    spec = pod.to_spec()
    assert spec.accelerators == pod.accelerators == 8192
    assert [n.span for n in spec.networks] == [64, 8192]
    assert spec.networks[0].planes == [1] * 18
    assert spec.networks[0].links[0].rate == 400 * 10**9
    assert spec.networks[0].links[0].latency_fs == 350 * 10**6
    assert spec.networks[0].switches[0].in_network_reduce
    assert spec.device.hbm_rate == 64 * 10**12
    assert any("hbm_latency has no effect" in n for n in pod.notes())


def test_scale_out_only() -> None:
    cluster = System("flat").scale_out(sn.FatTree(radix=64, link="400 Gbit/s"), count=1024)
    assert cluster.accelerators == 1024
    assert [n.spec.name for n in cluster.all_networks()] == ["scale_out"]


def test_scale_up_only() -> None:
    torus = System("pod").scale_up(
        count=64, fabric=sn.Torus(dims=(4, 4, 4), bandwidth="45 GB/s", latency=["100 ns", "100 ns", "300 ns"])
    )
    spec = torus.to_spec().networks[0]
    assert spec.topology == TorusShape([4, 4, 4], [True, True, True])
    assert [link.latency_fs for link in spec.links] == [10**8, 10**8, 3 * 10**8]


def test_short_rings_have_no_wraparound() -> None:
    spec = System("pod").scale_up(count=8, fabric=sn.Torus(dims=(2, 4), bandwidth="1 GB/s", latency="1 ns"))
    assert spec.to_spec().networks[0].topology == TorusShape([2, 4], [False, True])


def test_mesh_and_full_mesh() -> None:
    mesh = System("m").scale_up(count=6, fabric=sn.Mesh(dims=(3, 2), bandwidth="1 GB/s", latency="1 ns"))
    assert mesh.to_spec().networks[0].topology == TorusShape([3, 2], [False, False])
    full = System("f").scale_up(count=6, fabric=sn.FullMesh(dims=(3, 2), bandwidth="1 GB/s", latency="1 ns"))
    assert full.to_spec().networks[0].topology == FullMeshShape([3, 2])


def test_levels_compose() -> None:
    board = sn.FullMesh(dims=(8,), bandwidth="50 GB/s", latency="100 ns")
    rack = sn.Switched(planes=4, bandwidth="25 GB/s", latency="300 ns")
    system = System("two-level").scale_up(count=8, fabric=board).scale_up(count=64, fabric=rack)
    assert [n.span for n in system.to_spec().networks] == [8, 64]


def test_a_system_is_a_value() -> None:
    first = System("a").scale_up(count=8, fabric=sn.Switched(bandwidth="1 GB/s", latency="1 ns"))
    assert first.replicate(1) == first
    assert first.replicate(2) != first
    with pytest.raises(AttributeError):
        first.name = "b"  # type: ignore[misc]


def test_the_specification_is_json_of_whole_numbers() -> None:
    text = encode(System("a").scale_up(count=8, fabric=sn.Switched(bandwidth="1 GB/s", latency="1 ns")).to_spec())
    raw = msgspec.json.decode(text)
    assert raw["networks"][0]["topology"] == {"kind": "clos", "down": [8], "up": [1], "parallel": [1], "rails": 1}
    assert raw["networks"][0]["links"] == [{"rate": 8 * 10**9, "latency_fs": 10**6, "medium": ""}]


def test_auto_buffers_cover_the_round_trip() -> None:
    # 50 GB/s x (2 x 350 ns + 100 ns) = 40,000 B in flight, four packets of 2 x 4,096 B, and a seventh of the sum more,
    # because credits come back in eighths of the buffer: 72,768 + 10,396.
    spec = sn.Switched(bandwidth="50 GB/s", latency="350 ns", switch_latency="100 ns", overhead=0).network("n", 8).spec
    assert spec.buffer == 72_768 + 10_396
    assert sn.Switched(bandwidth="50 GB/s", latency="350 ns", buffer=None).network("n", 8).spec.buffer is None


def base() -> System:
    return System("s").scale_up(count=8, fabric=sn.Switched(bandwidth="1 GB/s", latency="1 ns"))


SWITCH = sn.Switched(bandwidth="1 GB/s", latency="1 ns")
TORUS = sn.Torus(dims=(2, 4), bandwidth="1 GB/s", latency="1 ns")
TREE = sn.FatTree(radix=64, link="400 Gbit/s")
NO_BOOL: Any = "no"
NO_DEVICE: Any = "gpu"
PLANES = sn.FatTree(radix=8, link="400 Gbit/s", planes=2)

WRONG = [
    (lambda: System("s").to_spec(), SpecError, "has no network"),
    (lambda: base().replicate(2).to_spec(), SpecError, "need scale_out"),
    (lambda: base().replicate(0), FabricError, "replicate is 0"),
    (lambda: System("s").scale_out(TREE), SpecError, "needs count="),
    (lambda: base().scale_out(TREE, count=8), SpecError, r"use replicate\(n\)"),
    (lambda: base().scale_out(TREE, nics_per_device=0), FabricError, "nics_per_device is 0"),
    (lambda: base().scale_up(count=12, fabric=SWITCH), FabricError, "whole groups"),
    (lambda: System("s").scale_up(count=9, fabric=TORUS), FabricError, "must be 8"),
    (lambda: sn.Torus(dims=(), bandwidth="1 GB/s", latency="1 ns"), FabricError, "dims is"),
    (lambda: sn.Torus(dims=(0, 4), bandwidth="1 GB/s", latency="1 ns"), FabricError, "dimension is 0"),
    (lambda: sn.Torus(dims=(4, 4), bandwidth="1 GB/s", latency="1 ns", wrap=(True,)), FabricError, "wrap is"),
    (lambda: sn.Torus(dims=(4, 4), bandwidth=["1 GB/s"], latency="1 ns"), FabricError, "1 values for 2 dimensions"),
    (lambda: sn.Switched(bandwidth="1 GB/s", latency="1 ns", planes=0), FabricError, "planes is 0"),
    (lambda: sn.Switched(bandwidth="1 GB", latency="1 ns"), UnitError, "unknown unit 'GB'"),
    (lambda: sn.Switched(bandwidth="1 GB/s", latency="1 GB"), UnitError, "unknown unit 'GB'"),
    (lambda: sn.Switched(bandwidth="1 GB/s", latency="1 ns", routing="magic"), SpecError, "unknown routing 'magic'"),
    (lambda: sn.Switched(bandwidth="1 GB/s", latency="1 ns", kind="wifi"), SpecError, "unknown network kind 'wifi'"),
    (lambda: sn.Device(hbm="fast"), UnitError, "hbm"),
    (lambda: System("s").scale_up(NO_DEVICE, count=8, fabric=SWITCH), SpecError, "device is 'gpu'"),
    (lambda: System("s").scale_out(TREE, count=8, device=NO_DEVICE), SpecError, "device is 'gpu'"),
    (lambda: System("s").scale_up(count=8, fabric=PLANES), FabricError, "nics_per_device must be 2"),
    (lambda: sn.Switched(bandwidth="1 GB/s", latency="1 ns", cut_through=NO_BOOL), FabricError, "cut_through is 'no'"),
    (lambda: sn.Switched(bandwidth="1 GB/s", latency="1 ns", in_network_reduce=NO_BOOL), FabricError, "is 'no'"),
    (lambda: sn.FatTree(radix=64, link="1 GB/s", cut_through=NO_BOOL), FabricError, "cut_through is 'no'"),
    (lambda: sn.Torus(dims=(4,), bandwidth="1 GB/s", latency="1 ns", dateline=NO_BOOL), FabricError, "is 'no'"),
    (lambda: sn.Hypercube(dimensions=2, bandwidth="1 GB/s", latency="9 ns", cut_through=NO_BOOL), FabricError, "'no'"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "kind", "says"), WRONG)
def test_errors(build: object, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        build()  # type: ignore[operator]


def test_planes_of_a_tree_between_two_networks() -> None:
    inner = System("s").scale_up(count=4, fabric=SWITCH)
    system = inner.scale_up(count=16, fabric=PLANES, nics_per_device=4).scale_out(TREE).replicate(2)
    assert [n.planes for n in system.to_spec().networks] == [[1], [2, 2], [1]]
    # 400 Gbit/s a port: all four cross, 8 accelerators a half
    assert sn.inventory(inner.scale_up(count=16, fabric=PLANES, nics_per_device=4)).bisection_gbytes_s == 8 * 4 * 50


@pytest.mark.parametrize("routing", ["valiant", "ugal", "adaptive"])
def test_the_analytic_model_says_that_it_knows_no_detours(routing: str) -> None:
    cube = sn.Hypercube(dimensions=3, bandwidth="1 GB/s", latency="1 ns", routing=routing)
    system = System("s").scale_up(count=8, fabric=cube)
    said = f"scale_up: the analytic model takes routing '{routing}' as spraying over shortest paths"
    assert said in sn.all_to_all(system, size="8 KiB", fidelity="analytic").warnings
    assert said not in sn.all_to_all(system, size="8 KiB", fidelity="packet").warnings


def test_a_scale_out_that_joins_nothing_is_a_note() -> None:
    assert any("scale_out has no effect" in note for note in base().scale_out(TREE).notes())


def test_clos_lists_have_one_entry_a_tier() -> None:
    system = base().scale_out(TREE).replicate(512)
    outer = system.to_spec().networks[-1]
    assert isinstance(outer.topology, Clos)
    tiers = len(outer.topology.down)
    assert len(outer.topology.up) == len(outer.topology.parallel) == len(outer.links) == len(outer.switches) == tiers


@pytest.mark.parametrize("fabric", ["nvlink", None, sn.Switched])
def test_a_fabric_is_an_object(fabric: object) -> None:
    for join in (System("s").scale_up, System("s").scale_out):
        with pytest.raises(SpecError, match=r"fabric is .*Switched, FatTree, .*, Graph, Dragonfly, .* or Hypercube"):
            join(count=4, fabric=fabric)  # type: ignore[arg-type]


@pytest.mark.parametrize("planes", [2**14 + 1, 10**9])
def test_more_planes_than_ports_cost_nothing(planes: int) -> None:
    with pytest.raises(
        FabricError, match=f"planes is {planes} and links 1: {planes} ports per accelerator; at most 16384"
    ):
        sn.Switched(planes=planes, bandwidth="50 GB/s", latency="100 ns")
