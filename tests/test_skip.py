"""Exact cycle skipping: it changes no table, and it says what it did."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import supernode as sn
from strategies import runs
from supernode.errors import SpecError

CASES = int(os.environ.get("SKIP_CASES", "100"))
TABLES = ["ranks", "levels", "links", "switches"]


def star(count: int, **parameters: Any) -> sn.System:
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", **parameters)
    return sn.System("star").scale_up(count=count, fabric=fabric)


def tables(result: sn.Result) -> dict[str, pa.Table]:
    return {name: result.table(name) for name in result.tables()}


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs(), st.sampled_from([None, "256 KiB", "1 MiB", "3 MiB"]), st.booleans())
def test_skipping_changes_no_table(options: dict[str, Any], size: str | None, flows: bool) -> None:
    if size is not None and options["collective"] != "barrier":
        options["size"] = size
    record = [*TABLES, "flows"] if flows else TABLES
    full = sn.simulate(**options, record=record, threads=1, skip=False)
    for threads in (1, 2):
        skipped = sn.simulate(**options, record=record, threads=threads, skip=True)
        assert skipped.time_fs == full.time_fs
        assert tables(skipped) == tables(full), skipped.skipping


def test_a_long_message_costs_what_a_short_one_does() -> None:
    options: dict[str, Any] = {"system": star(8), "fidelity": "packet", "algorithm": "ring"}
    short, long = (sn.all_reduce(size=size, **options) for size in ("64 MiB", "16 GiB"))
    for result in (short, long):
        done = result.skipping
        assert done["jumps"] > 0
        assert done["reason"] is None
        assert 0 < done["time_ns"] < result.time_ns
        simulated = result.meta["packet_hops"] - done["packet_hops"]
        assert simulated < 100_000


def test_what_was_not_skipped_says_why() -> None:
    off = sn.all_reduce(star(8), size="1 MiB", fidelity="packet", skip=False)
    assert off.skipping == {"jumps": 0, "periods": 0, "time_ns": 0.0, "packet_hops": 0, "reason": "it is off"}
    assert off.effective["skip"] is False
    assert sn.all_reduce(star(8), size="1 MiB", fidelity="analytic").skipping["reason"] == "the run is analytic"
    random = sn.all_reduce(star(8), size="1 MiB", fidelity="packet", routing="spray_random")
    assert "random" in random.skipping["reason"]


def test_skip_without_effect_warns() -> None:
    def warnings(fidelity: str) -> str:
        return "\n".join(sn.all_reduce(star(8), size="64 KiB", fidelity=fidelity, skip=False).warnings)

    assert "skip=False has no effect" in warnings("analytic")
    assert "skip" not in warnings("packet")


@pytest.mark.parametrize("value", [1, "yes", None])
def test_skip_is_a_yes_or_no(value: Any) -> None:
    with pytest.raises(SpecError, match="skip"):
        sn.all_reduce(star(8), size="64 KiB", skip=value)
