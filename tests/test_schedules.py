"""Schedules can be checked on their own, and choices explained."""

from typing import Any

import pytest

import supernode as sn
from conftest import star
from supernode.errors import AlgorithmError, MemoryLimitError, SpecError
from supernode.library.collectives import BY_NAME


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


PAIR = (
    sn.System("s")
    .scale_up(count=4, fabric=sn.Ring(bandwidth="1 GB/s", latency="1 ns", links=3))
    .scale_out(sn.Switched(planes=4, bandwidth="9 GB/s", latency="1 ns"))
    .replicate(2)
)


@pytest.mark.parametrize("placement", [[5, 1, 7, 0, 2, 6, 3, 4], [4, 5, 6, 7], [0, 4], list(range(8))])
def test_what_is_proved_is_what_runs(placement: list[int]) -> None:
    options: dict[str, Any] = {"size": 10240, "placement": placement, "stack": "none"}
    for collective, algorithm in [("all_gather", "ring"), ("all_reduce", "hierarchical"), ("all_reduce", "auto")]:
        try:
            run = sn.simulate(PAIR, collective, algorithm=algorithm, fidelity="packet", record=["flows"], **options)
        except AlgorithmError:
            with pytest.raises(AlgorithmError):
                sn.schedule(collective, system=PAIR, algorithm=algorithm, **options).check()
            continue
        proved = sn.schedule(collective, system=PAIR, algorithm=algorithm, **options).check()
        sent = run.expand("flows")
        assert (proved.algorithm, proved.messages) == (run.algorithm, sent.num_rows)
        assert proved.bytes == sum(sent["bytes"].to_pylist())


def test_explanations_follow_the_placement() -> None:
    # two ranks of one ring, or one of either
    times = [
        {r["algorithm"]: r["time_fs"] for r in sn.explain(PAIR, "send_recv", size="1 MiB", placement=p).rows}
        for p in ([0, 1], [0, 4])
    ]
    assert times[0]["direct"] != times[1]["direct"]


def test_a_check_keeps_to_the_memory_limit() -> None:
    # a ring of 256: before blocks are passed on, every rank holds sums of nearly all 256 blocks of one lane,
    # each a set of 256 bits in 24 + 32 bytes and an entry of 40
    options: dict[str, Any] = {"ranks": 256, "algorithm": "ring", "size": "1 MiB", "lanes": 1}
    held = 256 * 256 * (24 + 32 + 40)
    sn.schedule("all_reduce", memory_limit=2 * held, **options).check()
    with pytest.raises(MemoryLimitError, match=f"symbolic check of 256 ranks.*{held // 2} are allowed"):
        sn.schedule("all_reduce", memory_limit=held // 2, **options).check()


def test_explanations_cover_every_algorithm() -> None:
    explanation = sn.explain(star(8), "all_reduce", size="1 MiB")
    assert {r["algorithm"] for r in explanation.rows} == set(sn.algorithms())
    valid = [r for r in explanation.rows if r["valid"]]
    assert [r["time_fs"] for r in valid] == sorted(r["time_fs"] for r in valid)
    assert all(r["reason"] for r in explanation.rows if not r["valid"])
    assert explanation.table.column_names == [
        "algorithm", "protocol", "lanes", "valid", "time_ns", "priced_by", "predicted_ns", "reason",
        "library_ns", "taken", "time_low_ns", "time_high_ns",
    ]  # fmt: skip
    assert "torus_bucket" in str(explanation)


def test_auto_takes_the_cheapest() -> None:
    result = sn.all_reduce(star(8), size="1 MiB")
    best = result.explain().rows[0]
    assert (result.algorithm, result.protocol) == (best["algorithm"], best["protocol"])
