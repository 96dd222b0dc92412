"""The same tables for any number of threads, and permuted placements permute the tables."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import supernode as sn
from conftest import star
from strategies import runs
from supernode.run.options import RECORDS

COMMON = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def simulate(options: dict[str, Any], **changes: Any) -> sn.Result:
    merged = {**options, **changes}
    return sn.simulate(merged.pop("system"), merged.pop("collective"), **merged)  # type: ignore[no-any-return]


@COMMON
@given(runs())
def test_threads_do_not_matter(options: dict[str, Any]) -> None:
    one = simulate(options, threads=1, record=RECORDS)
    for threads in (2, 7):
        other = simulate(options, threads=threads, record=RECORDS)
        assert other.time_fs == one.time_fs
        for name in ("summary", *RECORDS):
            left, right = one.table(name), other.table(name)
            assert left.equals(right), name


@COMMON
@given(runs())
def test_a_run_repeats_to_the_bit(options: dict[str, Any]) -> None:
    first, second = (simulate(options, record=RECORDS) for _ in range(2))
    for name in ("summary", *RECORDS):
        assert first.table(name).equals(second.table(name)), name


@COMMON
@given(runs())
def test_conservation(options: dict[str, Any]) -> None:
    result = simulate(options, record=["ranks", "links"])
    ranks, links = result.to_polars("ranks"), result.to_polars("links")
    assert result.time_ns >= result.bound
    if result.algorithm != "in_network":  # where switches combine, fewer bytes arrive than left
        assert ranks["sent_bytes"].sum() == ranks["received_bytes"].sum()
        # a row of a folded run stands for as many links as ranks
        assert links["bytes"].sum() >= ranks["sent_bytes"].sum()
    if links.height:
        assert links["utilisation"].max() <= 1.0  # type: ignore[operator]


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)), st.sampled_from(["ring", "direct", "recursive_doubling"]))
def test_permuting_a_symmetric_fabric_permutes_the_ranks(order: list[int], algorithm: str) -> None:
    """On one switch every accelerator is alike: rank r finishes when it did, wherever it sits."""
    options: dict[str, Any] = {"size": 6 * 4096, "algorithm": algorithm, "record": ["ranks"], "fidelity": "packet"}
    options["fold"] = False
    plain = sn.all_reduce(star(6), **options).to_polars("ranks")
    moved = sn.all_reduce(star(6), placement=np.array(order), **options).to_polars("ranks")
    assert moved["accelerator"].to_list() == list(order)
    rest = [c for c in plain.columns if c != "accelerator"]
    assert moved.select(rest).equals(plain.select(rest))


def test_seeds_matter_where_something_is_random() -> None:
    tree = sn.FatTree(
        radix=8, link="400 Gbit/s", link_latency="100 ns", trunk_latency="100 ns", switch_latency="100 ns"
    )
    system = sn.System("c").scale_out(tree, count=16)
    times = {
        sn.all_to_all(system, size="256 KiB", routing="ecmp", seed=s, fidelity="packet", algorithm="direct").time_fs
        for s in range(8)
    }
    assert len(times) > 1


@pytest.mark.parametrize("routing", ["d_mod_k", "s_mod_k", "ecmp", "spray_round_robin", "spray_random"])
def test_every_policy_delivers_everything(routing: str) -> None:
    tree = sn.FatTree(
        radix=4, link="400 Gbit/s", link_latency="100 ns", trunk_latency="100 ns", switch_latency="100 ns"
    )
    system = sn.System("c").scale_out(tree, count=16)
    result = sn.all_to_all(system, size="64 KiB", routing=routing, fidelity="packet", record=["ranks"])
    assert result.expand("ranks")["received_bytes"].to_pylist() == [15 * 4096] * 16
