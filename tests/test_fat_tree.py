"""Fat trees are sized from radix, oversubscription and port count."""

from fractions import Fraction
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import supernode as sn
from supernode.errors import FabricError
from supernode.fabric.sizing import Leaf, size_fat_tree
from supernode.spec import Clos


def shape(tree: sn.FatTree, span: int, ports: int = 1) -> Clos:
    found = tree.network("net", span, ports=ports).spec.topology
    assert isinstance(found, Clos)
    return found


def test_one_leaf_is_enough() -> None:
    assert shape(sn.FatTree(radix=64, link="400 Gbit/s"), 32) == Clos([32], [1], [1])


def test_two_tiers() -> None:
    # 256 hosts on leaves of 32: 8 leaves of 32 uplinks = 256 uplinks = 4 spines of 64 ports, 8 links to each.
    assert shape(sn.FatTree(radix=64, link="400 Gbit/s"), 256) == Clos([32, 8], [1, 4], [1, 8])


def test_two_full_tiers() -> None:
    # 64 leaves x 32 = 2,048: 32 spines, each with a link to all 64 leaves.
    assert shape(sn.FatTree(radix=64, link="400 Gbit/s"), 2048) == Clos([32, 64], [1, 32], [1, 1])


def test_three_tiers_where_two_do_not_suffice() -> None:
    # 65,536 = 64 pods of 32 leaves of 32; 32 switches above the leaves of a pod, 32 uplinks each.
    assert shape(sn.FatTree(radix=64, link="400 Gbit/s"), 65_536) == Clos([32, 32, 64], [1, 32, 32], [1, 1, 1])


def test_oversubscription() -> None:
    # 3:1 of 64 ports: 48 down, 16 up.
    assert shape(sn.FatTree(radix=64, link="400 Gbit/s", oversubscription="3:1"), 480).down[0] == 48
    assert shape(sn.FatTree(radix=64, link="400 Gbit/s", oversubscription=3), 480).up[1] <= 16


def test_idle_ports_are_reported() -> None:
    # 2:1 of 64 ports: 42 down, 21 up, one left over.
    network = sn.FatTree(radix=64, link="400 Gbit/s", oversubscription=2).network("net", 420)
    assert any("leaves 1 ports of each leaf" in note for note in network.notes)


@pytest.mark.parametrize(
    ("hosts", "changes", "down", "up"),
    [
        # 42 fit a leaf at 2:1, so 128 need four: 32 down and 16 up each, 2:1
        (128, {"oversubscription": 2}, [32, 4], 16),
        # 48 fit at 4:1 of 60 ports; two leaves are asked for by tiers=2 or more hosts than fit
        (96, {"oversubscription": 4}, [48, 2], 12),
        (64, {"oversubscription": 4}, [32, 2], 8),
        # one leaf of 8 under a spine keeps 4:1, too
        (8, {"oversubscription": 4, "tiers": 2}, [8, 1], 2),
        # 37 is prime: 19 and 18
        (37, {}, [19, 2], 19),
        # 101 hosts: 26, 26, 26, 23
        (101, {}, [26, 4], 26),
        # by hand: full leaves, and a last one of 2
        (128, {"oversubscription": 2, "hosts_per_leaf": 42}, [42, 4], 21),
        (128, {"hosts_per_leaf": 32, "uplinks_per_leaf": 8}, [32, 4], 8),
        (128, {"uplinks_per_leaf": 24}, [32, 4], 24),
        (256, {"rails": 8, "oversubscription": 2}, [32, 8], 16),
    ],
)
def test_leaves_are_filled_evenly(hosts: int, changes: dict[str, Any], down: list[int], up: int) -> None:
    found = shape(sn.FatTree(radix=64, link="400 Gbit/s", **changes), hosts)
    assert (found.down, found.up[1] * found.parallel[1]) == (down, up)


def test_pods_are_filled_evenly() -> None:
    # 36 leaves of 32: 32 and 4 would fit pods of 32; 18 and 18 are alike
    found = shape(sn.FatTree(radix=64, link="400 Gbit/s", tiers=3), 36 * 32)
    assert (found.down, found.up) == ([32, 18, 2], [1, 32, 1])


def test_inventory_and_picture_state_the_ratio_asked_for() -> None:
    fabric = sn.FatTree(
        radix=64, link="400 Gbit/s", oversubscription=2, link_latency="1 ns", trunk_latency="1 ns", switch_latency=0
    )
    system = sn.System("even").scale_out(fabric, count=128)
    svg = system.plot().svg
    assert "oversubscription 2:1" in svg
    assert "in use" not in svg
    assert not system.notes()


def test_a_leaf_that_is_less_full_is_a_note() -> None:
    tree = sn.FatTree(radix=64, link="400 Gbit/s", oversubscription=2, hosts_per_leaf=42)
    assert any("leaves hold 42 accelerators, the last one 2" in note for note in tree.network("net", 128).notes)
    even = sn.FatTree(radix=64, link="400 Gbit/s", oversubscription=2)
    assert not any("the last one" in note for note in even.network("net", 128).notes)


def test_rails_take_one_leaf_each() -> None:
    # 256 GPUs = 32 hosts of 8: 8 leaves, one a rail, 32 hosts each.
    found = shape(sn.FatTree(radix=64, link="400 Gbit/s", rails=8), 256)
    assert (found.down, found.rails) == ([32, 8], 8)


def test_nics_are_planes() -> None:
    spec = sn.FatTree(radix=64, link="400 Gbit/s").network("net", 64, ports=2).spec
    assert spec.planes == [1, 1]
    spec = sn.FatTree(radix=64, link="400 Gbit/s", planes=1).network("net", 64, ports=2).spec
    assert spec.planes == [2]
    # Two links an accelerator: 32 ports down hold 16 accelerators.
    assert isinstance(spec.topology, Clos)
    assert spec.topology.down[0] == 16


@pytest.mark.parametrize(
    ("changes", "span", "says"),
    [
        ({"radix": 63}, 64, "radix 63 cannot be split 1:1"),
        ({"radix": 0}, 64, "radix is 0"),
        ({"radix": -4}, 64, "radix is -4"),
        ({"radix": 2.5}, 64, "radix is 2.5"),
        ({"radix": 4, "oversubscription": 8}, 64, "radix 4 cannot be split 8:1"),
        ({"radix": 4}, 17, "more than three tiers"),
        ({"oversubscription": 0}, 64, "not a positive ratio"),
        ({"oversubscription": "3:0"}, 64, "not a positive ratio"),
        ({"oversubscription": "much"}, 64, "not a positive ratio"),
        ({"tiers": 4}, 64, "tiers is 4"),
        ({"rails": 6}, 64, "not whole hosts of 6 rails"),
        # 8 ports down at 3:1 would need 2.67 uplinks
        ({"oversubscription": 3, "tiers": 2}, 8, r"can be 4:1 \(2 up\) or 8:3 \(3 up\), or hold a multiple of 3"),
        ({"oversubscription": 2, "hosts_per_leaf": 9}, 90, r"9:4 \(4 up\) or 9:5 \(5 up\)"),
        ({"oversubscription": 2, "hosts_per_leaf": 43}, 90, "at most 42"),
        ({"oversubscription": 2, "uplinks_per_leaf": 8}, 90, "both say how many uplinks"),
        ({"uplinks_per_leaf": 64}, 90, "radix must be even and at least 66"),
        ({"hosts_per_leaf": 0}, 90, "hosts_per_leaf is 0"),
    ],
)
def test_trees_that_cannot_be_built(changes: dict[str, object], span: int, says: str) -> None:
    with pytest.raises(FabricError, match=says):
        sn.FatTree(**{"radix": 64, "link": "400 Gbit/s", **changes}).network("net", span)  # type: ignore[arg-type]


def test_more_tiers_than_asked_for_is_a_note() -> None:
    network = sn.FatTree(radix=64, tiers=2, link="400 Gbit/s").network("net", 8192)
    assert any("built with tiers = 3" in note for note in network.notes)


def test_latencies_not_given_are_assumed() -> None:
    network = sn.FatTree(radix=64, link="400 Gbit/s", switch_latency="600 ns").network("net", 256)
    assert network.assumed == ("link_latency = 300 ns", "trunk_latency = 500 ns")


@given(
    radix=st.integers(1, 64).map(lambda half: 2 * half),
    ratio=st.builds(Fraction, st.integers(1, 8), st.integers(1, 4)),
    hosts=st.integers(1, 5000),
    rails=st.sampled_from([1, 2, 4, 8]),
    links=st.integers(1, 2),
)
def test_any_tree_fits_its_switches(radix: int, ratio: Fraction, hosts: int, rails: int, links: int) -> None:
    span = hosts * rails
    try:
        tree = size_fat_tree("net", span, Leaf(radix, ratio, links), rails=rails, tiers=1)
    except FabricError:
        return
    shape = tree.topology
    assert prod(shape.down) >= span
    assert shape.up[0] == shape.parallel[0] == 1
    assert shape.rails == (rails if tree.tiers > 1 else 1)
    for tier in range(tree.tiers):
        # Ports down of a switch: children times links from each; up: parents times links to each.
        down = shape.down[tier] * (shape.parallel[tier] if tier else links)
        up = shape.up[tier + 1] * shape.parallel[tier + 1] if tier + 1 < tree.tiers else 0
        assert down + up <= radix
    if tree.tiers > 1:
        # every full leaf has the ratio that was asked for, and none is empty
        assert Fraction(shape.down[0] * links, shape.up[1] * shape.parallel[1]) == ratio
        groups = -(-hosts // shape.down[0])
        assert 0 <= shape.down[0] * groups - hosts < shape.down[0]
        assert tree.short == (hosts - shape.down[0] * (groups - 1)) % shape.down[0]
        leaves = prod(shape.down[1:])
        assert groups * rails <= leaves < groups * rails + shape.down[1]
