"""Twisted tori: their shape, what a twist is worth, slices of pods, files and errors."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import FabricError, SpecError
from supernode.spec import TorusShape

LINK: dict[str, Any] = {"bandwidth": "45 GB/s", "latency": "950 ns", "hop_latency": "50 ns"}


def torus(dims: tuple[int, ...], **changes: Any) -> sn.System:
    count = 1
    for side in dims:
        count *= side
    return sn.System("t").scale_up(count=count, fabric=sn.Torus(dims=dims, **(LINK | changes)))


def test_the_short_wraparounds_shift_the_long_sides() -> None:
    shape = torus((4, 8, 8), twist=True).to_spec().networks[0].topology
    assert shape == TorusShape([4, 8, 8], [True] * 3, [(0, 1), (0, 2)])
    rows = {(r["vertex"], r["port"]): r["peer"] for r in sn.edges(torus((4, 8), twist=True)).to_pylist()}
    # from (3, 1) upwards to (0, 1 + 4), and from (0, 1) downwards to (3, 1 + 4); ports: up, down of each dimension
    assert (rows[3 + 4 * 1, 0], rows[0 + 4 * 1, 1]) == (0 + 4 * 5, 3 + 4 * 5)


def test_a_side_that_is_left_open_may_be_the_long_one() -> None:
    fabric = sn.Torus(dims=(3, None), twist=True, **LINK)
    assert sn.System("t").scale_up(count=18, fabric=fabric).to_spec().networks[0].topology == TorusShape(
        [3, 6], [True] * 2, [(0, 1)]
    )
    with pytest.raises(FabricError, match="a torus of 3 x 5 has no twist"):
        sn.System("t").scale_up(count=15, fabric=fabric)


def test_the_list_of_edges_is_that_of_the_core(tmp_path: Path) -> None:
    system = torus((3, 6, 6), twist=True, links=2)
    system.save(tmp_path / "t.dot")
    lines = [line.split("--") for line in (tmp_path / "t.dot").read_text().splitlines() if "--" in line]
    number = re.compile(r"accelerator\.(\d+)")
    listed = {frozenset(int(number.search(end)[1]) for end in line) for line in lines}  # type: ignore[index]
    rows = sn.edges(system).to_pylist()
    assert listed == {frozenset((r["vertex"], r["peer"])) for r in rows}
    # six neighbours each, two links to each of them
    assert (len(listed), len(rows)) == (108 * 3, 108 * 12)


@pytest.mark.parametrize(("dims", "hops"), [((4, 4, 8), 440), ((4, 8, 8), 1104)])
def test_all_to_all_gains_as_its_bound_does(dims: tuple[int, ...], hops: int) -> None:
    system = torus(dims, twist=True)
    leaving: dict[int, set[int]] = defaultdict(set)
    for row in sn.edges(system).to_pylist():
        leaving[row["vertex"]].add(row["peer"])
    far = {0: 0}
    for at in (queue := [0]):
        fresh = leaving[at] - far.keys()
        far |= dict.fromkeys(fresh, far[at] + 1)
        queue.extend(fresh)
    assert sum(far.values()) == hops
    plain, twisted = (sn.all_to_all(torus(dims, twist=t), size="2 MiB", fidelity="packet") for t in (False, True))
    # Without, links along a long side are the bottleneck: 2 hops on average on 2 of them. With it, all six share all.
    worth = 6 / (hops / system.accelerators)
    assert plain.bound / twisted.bound == pytest.approx(worth, rel=0.03)
    # the exchange itself is some way from either bound, farther without
    assert plain.time_ns / twisted.time_ns > 0.95 * worth


@pytest.mark.parametrize("op", [sn.all_reduce, sn.all_gather, sn.reduce_scatter])
def test_buckets_of_a_twisted_slice_are_as_fast_as_its_rings(op: Any) -> None:
    plain, twisted = (op(torus((4, 4, 8), twist=t), size="64 MiB", algorithm="torus_bucket") for t in (False, True))
    assert twisted.time_ns < plain.time_ns
    # six ports, and nearly all of the data in the first, longest rings
    assert twisted.bound / twisted.time_ns > 0.8


def test_slices_of_a_pod() -> None:
    whole = sn.inventory("tpu-v4")
    # 64 cubes, six faces of 4 x 4 fibres
    assert (whole.optical_ends, whole.by_medium()) == (64 * 96, {"copper": 9216, "optics": 3072})
    shape = {"side_x": 4, "side_y": 4, "side_z": 8}
    wrapped, twisted = (sn.inventory(sn.System.preset("tpu-v4", **shape, twist=t)) for t in (False, True))
    assert (wrapped.diameter_hops, twisted.diameter_hops) == (8, 6)
    assert (wrapped.bisection_gbytes_s, twisted.bisection_gbytes_s) == (32 * 45, 64 * 45)
    small = sn.inventory(sn.System.preset("tpu-v4", side_x=2, side_y=2, side_z=2, wrap=False, cube=0))
    assert (small.links, small.optical_ends) == (12, 0)
    result = sn.all_reduce(sn.System.preset("tpu-v4", **shape, twist=True), size="1 MiB")
    assert "twist=True" in result.summary["system"][0].as_py()


def test_a_file_keeps_twist_and_optics(tmp_path: Path) -> None:
    system = sn.System.preset("tpu-v5p", side_x=4, side_y=8, side_z=8, twist=True)
    system.save(tmp_path / "slice.toml")
    again = sn.System.load(tmp_path / "slice.toml")
    assert again.to_spec().networks == system.to_spec().networks
    assert sn.inventory(again).by_medium() == sn.inventory(system).by_medium() == {"copper": 576, "optics": 192}
    assert "wraparound shifts dimension 2 and 3" in system.plot().svg
    assert "twisted Torus of 4 x 8 x 8" in str(sn.show("tpu-v5p", side_x=4, side_y=8, side_z=8, twist=True))


@pytest.mark.parametrize(
    ("dims", "changes", "says"),
    [
        ((4, 4, 4), {"twist": True}, "a torus of 4 x 4 x 4 has no twist"),
        ((4, 8, 16), {"twist": True}, "k x k x 2k"),
        ((4, 8), {"twist": True, "wrap": False}, "no wraparound in dimension 1 and 2"),
        ((2, 4), {"twist": True}, "k of 3 or more"),
        ((4, 8), {"twist": [(0, 2)]}, "pairs of dimensions from 0"),
        ((4, 8), {"twist": [(0,)]}, "pairs of dimensions from 0"),
        ((4, 5), {"twist": [(0, 1)]}, "a ring of 5, which has no half"),
        ((4, 8), {"twist": [(0, 1)], "latency": ["1 us", "2 us"]}, "links of dimensions 0 and 1"),
    ],
)
def test_what_is_no_twist_is_refused(dims: tuple[int, ...], changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FabricError, match=says):
        sn.inventory(torus(dims, **changes))


def test_a_preset_names_what_its_twist_may_be() -> None:
    with pytest.raises(SpecError, match="true or false"):
        sn.System.preset("tpu-v4", twist="maybe")
