"""Chinese systems: counts that their sources publish, and a small packet run of each."""

from __future__ import annotations

from typing import Any

import pytest

import supernode as sn
from supernode.errors import FabricError, SpecError
from supernode.system import System

#: What sources print, or plain arithmetic on it: path in ``counts()``, value. Networks by name, levels by place.
PUBLISHED: list[tuple[str, str, float]] = [
    # 48 nodes of 8 packages, 7 first-level chips a node, 7 x 16 second-level ones of 48 ports; 14 x 28 GB/s a package
    ("cloudmatrix384", "accelerators", 384),
    ("cloudmatrix384", "scale_up.planes", 7),
    ("cloudmatrix384", "scale_up.0.switches", 336),
    ("cloudmatrix384", "scale_up.0.ports", 32),
    ("cloudmatrix384", "scale_up.1.switches", 112),
    ("cloudmatrix384", "scale_up.1.ports", 48),
    ("cloudmatrix384", "scale_up.1.links", 2 * 2688),  # each 400G cable carries two
    ("cloudmatrix384", "scale_up.injection_gbytes_s", 392),
    ("cloudmatrix384-dies", "accelerators", 768),
    ("cloudmatrix384-dies", "scale_up.injection_gbytes_s", 196),
    ("cloudmatrix384-dies", "scale_up.0.switches", 336),
    ("cloudmatrix384-dies", "scale_up.1.switches", 112),
    ("cloudmatrix384-dies", "package.copies", 384),
    ("cloudmatrix384-cluster", "accelerators", 165_888),
    ("cloudmatrix384-cluster", "scale_up.copies", 432),
    # 18 ports of four lanes an NPU, racks of 64
    ("atlas950", "accelerators", 8192),
    ("atlas950", "accelerator_ports", 18),
    ("atlas950", "rack.copies", 128),
    ("atlas950-supercluster", "accelerators", 524_288),
    ("atlas950-supercluster", "clos.copies", 64),
    ("atlas950-supercluster", "scale_out.injection_gbytes_s", 100),
    ("atlas960", "accelerators", 15_488),
    ("atlas960", "rack.copies", 176),
    ("atlas960-supercluster", "accelerators", 65 * 15_488),
    ("atlas960-supercluster", "clos.copies", 65),
    # 4 x 4 racks of 8 x 8; a high-radix switch has 512 lanes
    ("ub-mesh", "accelerators", 1024),
    ("ub-mesh", "mesh.0.ports", 7),
    ("ub-mesh", "mesh.2.ports", 3),
    ("ub-mesh-superpod", "accelerators", 8192),
    ("ub-mesh-superpod", "mesh.copies", 8),
    ("ub-mesh-superpod", "hrs.1.ports", 512 / 4),
    ("panjiu-al128", "accelerators", 128),
    ("panjiu-al128", "alink.copies", 2),
    ("panjiu-al128", "alink.injection_gbytes_s", 800 / 2),
    ("lingjun", "accelerators", 10_240),
    ("lingjun", "alink.copies", 160),
    ("kunlunxin32", "accelerators", 32),
    ("kunlunxin32", "xpu_link.0.switches", 4),
    ("kunlunxin64", "accelerators", 64),
    ("kunlunxin64", "xpu_link.0.switches", 8),
    ("kunlunxin64", "xpu_link.diameter_hops", 2),
    ("kunlunxin64:500", "accelerators", 32_000),
    ("kunlunxin64:500", "scale_out.injection_gbytes_s", 50),
    ("tianchi256", "accelerators", 256),
    ("tianchi512", "accelerators", 512),
    ("sd200", "accelerators", 64),
    ("sd200", "links", 3 * 3 * 16),
    # 15 segments of 16 ToRs with 128 hosts and 60 uplinks, 60 aggregation switches a plane with 120 ToRs and 8 uplinks
    ("hpn7", "accelerators", 15_360),
    ("hpn7", "hpn.planes", 2),
    ("hpn7", "hpn.injection_gbytes_s", 400 / 8),
    ("hpn7", "hpn.0.switches", 15 * 16),
    ("hpn7", "hpn.0.ports", 128 + 60),
    ("hpn7", "hpn.1.switches", 2 * 60),
    ("hpn7", "hpn.1.ports", 120),
    ("hpn7:7", "accelerators", 107_520),
    ("hpn7:7", "hpn.1.ports", 120 + 8),
    ("hpn8", "accelerators", 100_000),
    ("hpn8", "hpn.injection_gbytes_s", 800 / 8),
]

#: A small piece of each: parameters, ranks.
PIECES: dict[str, tuple[dict[str, Any], int]] = {
    "cloudmatrix384": ({}, 32),
    "cloudmatrix384-dies": ({}, 32),
    "cloudmatrix384-cluster": ({"supernodes": 2}, 32),
    "atlas950": ({}, 128),
    "atlas950-supercluster": ({"superpods": 2}, 64),
    "atlas960": ({}, 176),
    "atlas960-supercluster": ({"superpods": 2}, 88),
    "ub-mesh": ({}, 128),
    "ub-mesh-superpod": ({"pods": 2}, 64),
    "panjiu-al128": ({}, 128),
    "lingjun": ({"racks": 2}, 128),
    "kunlunxin32": ({}, 32),
    "kunlunxin64": ({}, 64),
    "tianchi256": ({}, 64),
    "tianchi512": ({}, 64),
    "sd200": ({}, 64),
    "hpn7": ({}, 64),
    "hpn8": ({"gpus": 4000, "tors_per_plane": 16}, 64),
}


def look_up(counts: dict[str, Any], path: str) -> Any:
    """Find a number in a description."""
    found: Any = counts
    for key in path.split("."):
        if key.isdigit():
            found = found["levels"][int(key)]
        elif key in found:
            found = found[key]
        else:
            found = next(n for n in found["networks"] if n["name"] == key)
    return found


def injection(name: str) -> float:
    """GB/s per direction of an accelerator over all its networks."""
    return float(sum(n["injection_gbytes_s"] for n in sn.show(name).counts()["networks"]))


@pytest.mark.parametrize("name", sorted({name for name, _, _ in PUBLISHED}))
def test_counts_are_those_published(name: str) -> None:
    counts = sn.show(name).counts()
    wanted = {path: value for other, path, value in PUBLISHED if other == name}
    assert {path: look_up(counts, path) for path in wanted} == wanted


@pytest.mark.parametrize("name", sorted(PIECES))
def test_it_prints_at_full_size(name: str) -> None:
    text = str(sn.show(name))
    assert "bisection" in text
    assert "not modelled" in text


@pytest.mark.parametrize("collective", ["all_reduce", "all_gather", "all_to_all"])
@pytest.mark.parametrize("name", sorted(PIECES))
def test_a_piece_runs_by_packets(name: str, collective: str) -> None:
    overrides, ranks = PIECES[name]
    system = System.preset(name, **overrides)
    result = sn.simulate(system, collective, size="256 KiB", fidelity="packet", ranks=ranks)
    assert result.meta["fidelity"] == "packet"
    assert 0 < result.busbw_gbytes_s <= injection(name)
    assert result.time_ns >= result.bound


def test_bandwidth_in_all_is_that_of_the_announcements() -> None:
    both_ways = {
        name: 2 * injection(name) * System.preset(name).accelerators / 1e6 for name in ("atlas950", "atlas960")
    }
    assert both_ways["atlas950"] == pytest.approx(16.3, rel=0.015)  # PB/s
    assert both_ways["atlas960"] == pytest.approx(34, rel=0.01)


def test_lanes_of_ub_mesh() -> None:
    lane = 14  # GB/s
    assert injection("ub-mesh") / lane == 72 - 4
    assert injection("ub-mesh-superpod") / lane == 72
    counts = sn.show("ub-mesh").counts()
    between_racks = look_up(counts, "mesh.2.links") / (16 * 3 / 2)
    assert between_racks * look_up(counts, "mesh.2.link_gbytes_s") / lane == 128
    # 64 high-radix switches of 512 lanes hold the last x4 of every NPU
    switches = look_up(sn.show("ub-mesh-superpod").counts(), "hrs.1.switches")
    assert switches * 512 == 8192 * 4


def test_switch_chips_have_the_published_throughput() -> None:
    for name, path in (("panjiu-al128", "alink.0"), ("kunlunxin32", "xpu_link.0"), ("kunlunxin64", "xpu_link.0")):
        level = look_up(sn.show(name).counts(), path)
        assert level["ports"] * level["link_gbytes_s"] * 8 == 25_600, name
    tor, agg = (look_up(sn.show("hpn7:2").counts(), f"hpn.{tier}") for tier in (0, 1))
    up = 60 * agg["link_gbytes_s"]
    assert (tor["ports"] - 60) * tor["link_gbytes_s"] / up == pytest.approx(1.067, abs=1e-3)
    assert agg["ports"] * agg["link_gbytes_s"] * 8 == 51_200


def test_more_than_a_million() -> None:
    assert System.preset("atlas960-supercluster").accelerators > 1_000_000
    assert System.preset("atlas960-supercluster", superpods=64).accelerators < 1_000_000
    # one pod of leaves a SuperPoD, all in use
    outer = System.preset("atlas960-supercluster").to_spec().networks[-1]
    assert outer.topology.down == [128, 121, 65]  # type: ignore[union-attr]


def test_tianchi_is_four_cabinets() -> None:
    total = {name: injection(name) * System.preset(name).accelerators for name in ("kunlunxin64", "tianchi256")}
    assert total["tianchi256"] == 4 * total["kunlunxin64"]


def test_pods_of_hpn_meet_at_a_core() -> None:
    two = System.preset("hpn7:2", gpus=2048, tors_per_plane=16)
    *_, hpn = two.to_spec().networks
    assert hpn.span == 4096
    assert hpn.topology.down == [128, 16, 2]  # type: ignore[union-attr]
    near, far = (
        sn.send_recv(two, size="4 KiB", stack="none", fidelity="packet", ranks=2, placement=[0, other]).time_ns
        for other in (1032, 2048)
    )
    # Two more links of 500 ns and two more switches of 600 ns.
    assert far - near == pytest.approx(2200, abs=1)
    counts = sn.show("hpn7:2").counts()
    # 120 aggregation switches a pod x 8 uplinks x 50 GB/s
    assert look_up(counts, "hpn.bisection_gbytes_s") == 120 * 8 * 50
    assert look_up(sn.show("hpn7").counts(), "hpn.bisection_gbytes_s") > 7 * 120 * 8 * 50


def test_a_core_needs_a_full_tree(tmp_path: Any) -> None:
    with pytest.raises(FabricError, match="a core joins only trees that are full"):
        System.preset("hpn7:2", gpus=8000)
    both = tmp_path / "both.toml"
    both.write_text(
        """
        name = "both"
        title = "Two ways to join"
        params = {}
        stack = "none"
        system.accelerators = 2
        device.name = "toy"
        network = []
        core = { up = 1, parallel = 1, link = { rate = "1 GB/s", latency = "1 ns" }, switch = { latency = "0 ns" } }
        [scale_out]
        """
    )
    with pytest.raises(SpecError, match="both scale_out and core"):
        System.preset(str(both))


def test_a_cluster_of_a_cluster_and_a_variant() -> None:
    assert System.preset("panjiu-al128", domains=3).accelerators == 192
    assert System.preset("lingjun:2", racks=4).label == "lingjun:2[racks=4]"
    assert System.preset("lingjun:2", racks=4).accelerators == 2 * 4 * 128
    one = System.preset("panjiu-al128", cards_per_domain=64, domains=1).to_spec()
    assert [n.span for n in one.networks] == [64]
    small, large = (System.preset(name).to_spec().networks[0] for name in ("kunlunxin32", "kunlunxin64"))
    assert (small.span, large.span) == (32, 64)
    assert sum(small.planes) * small.links[0].rate == sum(large.planes) * large.links[0].rate


def test_sides_of_the_mesh_are_open() -> None:
    assert "mesh: joins 64 accelerators; Mesh of 4 x 4 x 4" in str(sn.show("sd200"))
    spec = System.preset("sd200").to_spec().networks[0]
    assert spec.topology.wrap == [False] * 3  # type: ignore[union-attr]
