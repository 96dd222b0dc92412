"""Ranges of parameters, run at both ends."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from conftest import star
from supernode.errors import NotRecordedError, SpecError

#: Small enough for packets, with ranges in the preset and in the stack.
RUN: dict[str, Any] = {"size": "1 MiB", "algorithm": "in_network", "fidelity": "packet"}


def test_corners_enclose_the_time_and_every_single_effect() -> None:
    plain = sn.all_reduce("hgx-h100", **RUN)
    found = sn.all_reduce("hgx-h100", uncertainty=True, **RUN)
    assert found.time_fs == plain.time_fs
    rows = {row["parameter"]: row for row in found.uncertainty.to_pylist()}
    assert {"nvls.launch", "switch_latency", "packet_payload"} <= set(rows)
    assert "ll.launch" not in rows  # another protocol
    assert not [name for name in rows if name.startswith("nic_")]  # one board needs no NIC
    launch = rows["nvls.launch"]
    assert (launch["low"], launch["high"], launch["slower_at"]) == ("0 us", "8.4 us", "high")
    assert launch["time_high_ns"] - launch["time_low_ns"] == pytest.approx(8_400, rel=0.1)
    # corners have at least what one parameter does alone, for latencies add up here
    assert found.time_low_ns <= launch["time_low_ns"] * 1.001
    assert found.time_high_ns >= launch["time_high_ns"] * 0.999
    spreads = [row["time_high_ns"] - row["time_low_ns"] for row in found.uncertainty.to_pylist()]
    assert spreads == sorted(spreads, reverse=True)
    assert found.meta["uncertainty"]["runs"] == 2 * len(rows) + 3


def test_the_slow_corner_is_the_run_with_these_values() -> None:
    found = sn.all_reduce("hgx-h100", uncertainty=True, **RUN)
    ends = {r["parameter"]: r[r["slower_at"]] for r in found.uncertainty.to_pylist() if r["slower_at"] != "neither"}
    # packets of another size have an overhead in proportion
    overhead = next(p["value"] for p in sn.show("hgx-h100").as_dict()["parameters"] if p["name"] == "packet_overhead")
    if "packet_payload" in ends:
        scale = sn.parse_size(ends["packet_payload"]) / 4096
        ends["packet_overhead"] = f"{round(sn.parse_size(ends.get('packet_overhead', overhead)) * scale)} B"
    slow = sn.all_reduce(sn.System.preset("hgx-h100", **ends), **RUN, protocol="nvls")
    assert slow.time_ns == pytest.approx(found.time_high_ns)


def test_what_the_user_gives_does_not_vary() -> None:
    system = sn.System.preset("hgx-h100", switch_latency="100 ns", **{"nvls.launch": "8.4 us"})
    found = sn.all_reduce(system, uncertainty=True, **RUN)
    assert not {"switch_latency", "nvls.launch"} & set(found.uncertainty["parameter"].to_pylist())


def test_without_ranges_the_time_is_all_there_is() -> None:
    found = sn.all_reduce(star(4), size=1024, uncertainty=True)
    assert found.time_low_ns == found.time_ns == found.time_high_ns
    assert found.uncertainty.num_rows == 0
    assert "no parameter of this run has a range" in found.uncertainty_notes[0]
    assert found.warnings == [f"uncertainty: {found.uncertainty_notes[0]}"]


def test_a_system_that_was_changed_keeps_its_changes() -> None:
    changed = sn.System.preset("hgx-h100").scale_out(sn.FatTree(radix=8, link="100 Gbit/s"), replace=True).replicate(2)
    found = sn.all_reduce(changed, size="1 KiB", algorithm="double_binary_tree", uncertainty=True)
    assert found.time_low_ns < found.time_ns < found.time_high_ns
    rows = {row["parameter"]: row for row in found.uncertainty.to_pylist()}
    # the preset's own NICs are gone
    assert rows["nic_link_latency"]["slower_at"] == "neither"
    assert rows["switch_latency"]["slower_at"] == "high"


def test_it_is_said_where_it_was_not_asked_for() -> None:
    plain = sn.all_reduce("hgx-h100", **RUN)
    for name in ("time_low_ns", "time_high_ns", "uncertainty", "uncertainty_notes"):
        with pytest.raises(NotRecordedError, match="uncertainty=True"):
            getattr(plain, name)
    mesh = sn.Workload(sn.DeviceMesh(rank=8))
    mesh.all_reduce(size="1 MiB")
    with pytest.raises(SpecError, match="uncertainty= has no effect on a run of workloads"):
        sn.simulate("hgx-h100", mesh, uncertainty=True)
    with pytest.raises(SpecError, match="uncertainty: 'yes' is not valid"):
        sn.all_reduce("hgx-h100", size="1 MiB", uncertainty="yes")  # type: ignore[arg-type]


def test_it_is_saved_copied_and_the_same_every_time(tmp_path: Path) -> None:
    found = sn.all_reduce("hgx-h100", uncertainty=True, **RUN)
    assert found == sn.all_reduce("hgx-h100", uncertainty=True, threads=2, **RUN)
    assert pickle.loads(pickle.dumps(found)).time_high_ns == found.time_high_ns  # noqa: S301
    found.save(tmp_path / "r")
    again = sn.Result.load(tmp_path / "r")
    assert again.time_low_ns == found.time_low_ns
    assert again.uncertainty.equals(found.uncertainty)
    meta = json.loads((tmp_path / "r" / "meta.json").read_text())
    meta["uncertainty"]["parameters"][0]["slower_at"] = 3
    (tmp_path / "r" / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(SpecError, match="slower_at"):
        sn.Result.load(tmp_path / "r")


def test_rows_of_a_bench_count_the_host(tmp_path: Path) -> None:
    options: Any = {"sizes": "8", "algorithms": "ring", "uncertainty": True}
    bench = sn.bench("all_reduce", "hgx-b200", devices_per_thread=8, **options)
    row = bench.rows[0]
    # eight launches of 4 to 6 us
    assert row["time_low_ns"] == pytest.approx(32_000, rel=0.05)
    assert row["time_high_ns"] == pytest.approx(48_000, rel=0.05)
    assert bench.results[0].time_high_ns < row["time_high_ns"]
    assert f"({row['time_low_ns'] / 1e3:.3f} to" in str(bench)
    assert set(bench.uncertainty["run"].to_pylist()) == {0}
    bench.save(tmp_path / "b")
    assert sn.Bench.load(tmp_path / "b").rows[0]["time_high_ns"] == row["time_high_ns"]
    plain = sn.bench("all_reduce", "hgx-b200", sizes="8", algorithms="ring")
    assert plain.rows[0]["time_low_ns"] is None


def test_candidates_have_ranges_of_their_own() -> None:
    table = sn.explain("hgx-h100", "all_reduce", size="1 MiB", uncertainty=True).table.to_pylist()
    nvls = next(row for row in table if row["protocol"] == "nvls")
    assert nvls["time_high_ns"] - nvls["time_low_ns"] > 16_000
    assert all(r["time_low_ns"] <= r["time_ns"] <= r["time_high_ns"] for r in table if r["time_ns"] is not None)
    assert sn.explain("hgx-h100", "all_reduce", size="1 MiB").table["time_low_ns"].null_count == len(table)
