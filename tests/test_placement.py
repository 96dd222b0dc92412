"""Algorithms follow the machine, wherever ranks sit: units that are partly filled, ranks out of order, several NICs."""

from __future__ import annotations

from typing import Any

import pytest

import supernode as sn
from supernode.system import System

RUN: dict[str, Any] = {"size": "16 MiB", "stack": "none", "fidelity": "packet"}


def cluster(unit: int, units: int, nics: int = 1, rate: str = "400 Gbit/s", routing: str = "d_mod_k") -> System:
    """Units of accelerators on one switch each, joined by a fat tree."""
    tree = sn.FatTree(
        radix=64,
        link=rate,
        link_latency="300 ns",
        trunk_latency="300 ns",
        switch_latency="200 ns",
        routing=routing,
    )
    inner = sn.Switched(planes=2, bandwidth="200 GB/s", latency="200 ns")
    return System("c").scale_up(count=unit, fabric=inner).scale_out(tree, nics_per_device=nics).replicate(units)


@pytest.mark.parametrize("algorithm", ["hierarchical", "ring", "auto"])
@pytest.mark.parametrize("collective", ["all_reduce", "all_gather"])
def test_four_of_six_are_as_fast_as_units_of_four(collective: str, algorithm: str) -> None:
    whole = sn.simulate(cluster(4, 2), collective, algorithm=algorithm, **RUN)
    part = sn.simulate(cluster(6, 2), collective, algorithm=algorithm, placement=[0, 1, 2, 3, 6, 7, 8, 9], **RUN)
    assert (part.algorithm, part.time_fs) == (whole.algorithm, whole.time_fs)


@pytest.mark.parametrize("algorithm", ["hierarchical", "ring"])
def test_the_order_of_the_ranks_does_not_matter(algorithm: str) -> None:
    system = cluster(4, 2)
    times = {
        sn.all_reduce(system, algorithm=algorithm, placement=placement, **RUN).time_fs
        for placement in (range(8), [0, 4, 1, 5, 2, 6, 3, 7], [7, 2, 5, 0, 3, 6, 1, 4])
    }
    assert len(times) == 1


def test_units_that_hold_different_numbers_use_every_nic_of_the_smaller() -> None:
    # 6 + 4 ranks of units of 6: a ring of one lane would cross from unit to unit by one NIC each way, 50 GB/s; four
    # lanes cross by four
    result = sn.all_reduce(cluster(6, 2), ranks=10, algorithm="ring", **RUN)
    # 2 (n - 1)/n S over 4 NICs of 50 GB/s
    ideal = 2 * 0.9 * (16 << 20) / 200
    assert ideal < result.time_ns < 1.4 * ideal


@pytest.mark.parametrize("routing", ["d_mod_k", "s_mod_k", "ecmp", "spray_round_robin"])
@pytest.mark.parametrize(
    ("collective", "algorithm"),
    [("all_reduce", "hierarchical"), ("all_reduce", "ring"), ("all_to_all", "direct"), ("send_recv", "direct")],
)
@pytest.mark.parametrize("fidelity", ["packet", "flow", "analytic"])
def test_four_nics_of_a_quarter_are_as_fast_as_one(
    routing: str, collective: str, algorithm: str, fidelity: str
) -> None:
    options = {**RUN, "algorithm": algorithm, "fidelity": fidelity}
    one = sn.simulate(cluster(4, 2, routing=routing), collective, **options)
    four = sn.simulate(cluster(4, 2, nics=4, rate="100 Gbit/s", routing=routing), collective, **options)
    assert four.time_ns < 1.05 * one.time_ns
    assert four.time_ns >= four.bound


def test_a_partly_filled_preset() -> None:
    # 64 + 64 accelerators of two racks of 72, and racks of 64
    placement = [*range(64), *range(72, 136)]
    options: dict[str, Any] = {"size": "256 MiB", "algorithm": "hierarchical", "fidelity": "analytic"}
    part = sn.all_reduce("nvl72:2", placement=placement, **options)
    whole = sn.all_reduce(sn.System.preset("nvl72:2", gpus=64), **options)
    assert part.busbw_gbytes_s == pytest.approx(whole.busbw_gbytes_s, rel=0.02)


@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_an_exchange_among_parts_of_units_takes_turns(order: str) -> None:
    def units(count: int) -> sn.System:
        up = sn.Switched(bandwidth="50 GB/s", latency="350 ns", planes=4)
        out = sn.Switched(bandwidth="100 Gbit/s", latency="1 us", planes=4, routing="spray_round_robin")
        return sn.System("units").scale_up(count=count, fabric=up).scale_out(out).replicate(2)

    options: dict[str, Any] = {"size": "8 MiB", "stack": "none", "algorithm": "direct"}
    whole = sn.all_to_all(units(4), **options)
    placement = [0, 1, 2, 3, 8, 9, 10, 11] if order == "in order" else [9, 2, 8, 0, 11, 3, 1, 10]
    part = sn.all_to_all(units(8), placement=placement, **options)
    # 4 MiB go out of each accelerator by four links of 12.5 GB/s: 83.9 us. If all begin with the same receiver: 262 us.
    assert whole.time_ns == pytest.approx(4 * 2**20 / 50 + 2000, rel=0.01)
    assert part.time_ns == whole.time_ns
