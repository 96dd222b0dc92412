"""Schedules can be checked on their own, and choices explained."""

import pytest

import supernode as sn
from conftest import star
from supernode.collectives import BY_NAME
from supernode.errors import AlgorithmError, SpecError


def test_a_ring_counts_its_messages() -> None:
    # 6 ranks, one lane: 2 x 5 steps, one message a rank and step, n/6 = 1 KiB each.
    report = sn.schedule("all_reduce", ranks=6, algorithm="ring", size="6 KiB", lanes=1).check()
    assert (report.messages, report.bytes, report.steps, report.lanes) == (60, 60 * 1024, 10, 1)


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 8, 12])
@pytest.mark.parametrize("collective", sorted(BY_NAME))
def test_every_valid_algorithm_is_right(collective: str, ranks: int) -> None:
    size = None if collective == "barrier" else ranks * 4096
    tried = 0
    for algorithm in sn.algorithms():
        try:
            plan = sn.schedule(collective, ranks=ranks, size=size, algorithm=algorithm)
            plan.check()
            tried += 1
        except AlgorithmError:
            continue
    assert tried


def test_a_torus_has_its_own_algorithm() -> None:
    torus = sn.System("t").scale_up(count=16, fabric=sn.Torus(dims=(4, 4), bandwidth="1 GB/s", latency="100 ns"))
    assert sn.schedule("all_reduce", system=torus, size="64 KiB", algorithm="torus_bucket").check().messages > 0


def test_errors() -> None:
    with pytest.raises(SpecError, match="needs their number"):
        sn.schedule("all_reduce", size=8)
    with pytest.raises(SpecError, match="ranks: 0"):
        sn.schedule("all_reduce", size=8, ranks=0)
    with pytest.raises(AlgorithmError, match="valid here"):
        sn.schedule("all_reduce", ranks=4, size=64, algorithm="pairwise").check()


def test_explanations_cover_every_algorithm() -> None:
    explanation = sn.explain(star(8), "all_reduce", size="1 MiB")
    assert {r["algorithm"] for r in explanation.rows} == set(sn.algorithms())
    valid = [r for r in explanation.rows if r["valid"]]
    assert [r["time_fs"] for r in valid] == sorted(r["time_fs"] for r in valid)
    assert all(r["reason"] for r in explanation.rows if not r["valid"])
    assert explanation.table.column_names == [
        "algorithm", "protocol", "lanes", "valid", "time_ns", "priced_by", "predicted_ns", "reason"
    ]  # fmt: skip
    assert "torus_bucket" in str(explanation)


def test_auto_takes_the_cheapest() -> None:
    result = sn.all_reduce(star(8), size="1 MiB")
    best = result.explain().rows[0]
    assert (result.algorithm, result.protocol) == (best["algorithm"], best["protocol"])
