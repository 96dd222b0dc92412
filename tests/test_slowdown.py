"""How much longer operations took than alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import NotRecordedError


def star(count: int = 8) -> sn.System:
    """Accelerators on one switch by one link of 50 GB/s."""
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns")
    return sn.System("star").scale_up(sn.Device("gpu"), count=count, fabric=fabric)


def run(*jobs: sn.Workload, **options: Any) -> sn.WorkloadResult:
    return sn.simulate(star(), list(jobs), **{"stack": "none", "fidelity": "packet", **options})


def rows(result: sn.WorkloadResult) -> dict[str, tuple[float, float | None, float | None]]:
    found = result.slowdown().to_pylist()
    return {row["operation"]: (row["time_ns"], row["alone_ns"], row["slowdown"]) for row in found}


@pytest.mark.parametrize("fidelity", ["packet", "flow"])
def test_two_that_share_all_links_take_twice_as_long(fidelity: str) -> None:
    w = sn.Workload(sn.DeviceMesh(r=8))
    with w.repeat(2):
        for stream in ("a", "b"):
            w.all_reduce(size="16 MiB", algorithm="ring", stream=stream, name=stream)
    w.compute("1 us", stream="c", name="step")
    found = rows(run(w, fidelity=fidelity))
    alone = sn.all_reduce(star(), size="16 MiB", algorithm="ring", stack="none", fidelity=fidelity).time_ns
    for name in ("a", "b"):
        assert found[name][1] == alone
        assert found[name][2] == pytest.approx(2, rel=0.02)
    assert found["step"] == (1000, None, None)


def test_what_runs_alone_is_not_slowed() -> None:
    w = sn.Workload(sn.DeviceMesh(pp=2, tp=4), placement=[7, 6, 5, 4, 3, 2, 1, 0])
    with w.on(pp=1), w.repeat(3):
        w.all_reduce("tp", size="1 MiB", name="sum")
    w.transfer(0, 2, size="1 MiB", name="transfer")
    with w.on(pp=1):
        w.pattern("uniform", "tp", size="64 KiB", messages=5, seed=3, name="uniform")
    w.all_to_all("tp", matrix=[[0, 9, 0, 0]] * 4, name="matrix")
    found = rows(run(w))
    assert list(found) == ["sum", "transfer", "uniform", "matrix"]
    assert found["sum"][2] == found["transfer"][2] == 1
    assert found["uniform"][2] == pytest.approx(1, rel=0.05), "it follows the sum at once"
    with w.on(pp=0):
        w.send("tp", size=8, stream="other")
        w.receive("tp", size=8, stream="other")
    assert rows(run(w))["send_tp"][1:] == (None, None)


def test_waiting_for_others_counts() -> None:
    w = sn.Workload(sn.DeviceMesh(r=8))
    late = w.compute("10 us", slow_ranks={3: 2}, name="late", stream="c")
    w.all_reduce(size="64 KiB", algorithm="ring", name="sum", after=late)
    time, alone, ratio = rows(run(w))["sum"]
    assert alone is not None
    # rank 3 begins 10 us after the seven others, which wait for it, less what they do before they need it
    assert alone + 2_000 < time <= alone + 7 / 8 * 10_000
    assert ratio == time / alone


def test_jobs_beside_each_other() -> None:
    def job(name: str, **options: Any) -> sn.Workload:
        w = sn.Workload(sn.DeviceMesh(r=4), name=name, **options)
        w.all_to_all(size="1 MiB", algorithm="direct")
        return w

    found = run(job("a", placement="strided"), job("b", start="5 us")).slowdown().to_pylist()
    assert [(row["job"], row["operation"]) for row in found] == [("a", "all_to_all_r"), ("b", "all_to_all_r")]
    assert [row["slowdown"] for row in found] == pytest.approx([1, 1]), "a switch joins them all"


def test_a_loaded_result_has_none(tmp_path: Path) -> None:
    w = sn.Workload(sn.DeviceMesh(r=8))
    w.all_reduce(size=8)
    result = run(w)
    result.save(tmp_path)
    with pytest.raises(NotRecordedError, match="run again for its slowdown"):
        sn.WorkloadResult.load(tmp_path).slowdown()
    again = pickle.loads(pickle.dumps(result))  # noqa: S301 (our own)
    assert again.slowdown().equals(result.slowdown())
