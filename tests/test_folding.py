"""A folded run is the run in full, bit for bit in every table."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import supernode as sn
from conftest import star
from strategies import runs
from supernode.errors import MemoryLimitError, SpecError

RECORDS = ["ranks", "levels", "links", "switches", "flows"]
CASES = int(os.environ.get("SUPERNODE_CASES", "250"))


def simulate(options: dict[str, Any], **changes: Any) -> sn.Result:
    merged = {**options, **changes}
    return sn.simulate(merged.pop("system"), merged.pop("collective"), **merged)  # type: ignore[no-any-return]


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(runs())
def test_folded_is_full(options: dict[str, Any]) -> None:
    folded = simulate(options, record=RECORDS, fold=True, skip=True)
    full = simulate(options, record=RECORDS, fold=False, skip=False)
    assert folded.summary.equals(full.summary)
    assert not full.folding["applied"]
    for name in RECORDS:
        assert folded.expand(name).equals(full.expand(name)), name
        assert full.expand(name).equals(full.table(name)), name
        if name == "levels":  # sums over the whole machine, folded or not
            assert folded.levels.equals(full.levels)
            continue
        assert sum(folded.table(name)["multiplicity"].to_pylist()) <= full.table(name).num_rows


LINK: dict[str, Any] = {"bandwidth": "25 GB/s", "latency": "300 ns"}
GRAPHS: dict[str, tuple[Any, int]] = {
    "graph": (
        sn.Graph(
            accelerators=["a", "b"], switches=["s"], edges=[("a", "s"), ("b", "s")], rate="1 GB/s", latency="1 ns"
        ),
        2,
    ),
    "dragonfly": (sn.Dragonfly(terminals=1, **LINK), 6),
    "hyperx": (sn.HyperX(dims=(2, 2), terminals=1, **LINK), 4),
}


@pytest.mark.parametrize("family", GRAPHS)
def test_a_part_of_a_machine_with_a_graph_has_the_rows_of_all_of_it(family: str) -> None:
    fabric, count = GRAPHS[family]
    outer = sn.Switched(bandwidth="7 GB/s", latency="350 ns")
    system = sn.System("s").scale_up(count=count, fabric=fabric).scale_up(count=2 * count, fabric=outer)
    for ranks in (2, count, count + 1):
        options: dict[str, Any] = {"size": 1000, "ranks": ranks, "record": RECORDS, "fidelity": "packet"}
        full, part = (sn.send_recv(system, fold=fold, **options) for fold in (False, True))
        for name in RECORDS:
            assert full.expand(name).equals(part.expand(name)), (ranks, name)
        assert part.switches.num_rows >= 1
        if ranks <= count:  # only what took part has a row without expand
            others = {f"accelerator {a}" for a in range(count, 2 * count)}
            assert others.isdisjoint(part.links["src"].to_pylist() + part.links["dst"].to_pylist())


def test_what_was_folded_is_told() -> None:
    result = sn.all_to_all(star(8), size="64 KiB", fidelity="packet", algorithm="direct")
    assert result.folding == {"applied": True, "order": 8, "classes": 1, "digits": [[1, 8]], "reason": ""}
    result = sn.broadcast(star(8), size="64 KiB", fidelity="packet", algorithm="binomial")
    assert not result.folding["applied"]
    assert result.folding["order"] == 1
    assert "no symmetry" in result.folding["reason"]
    asked = sn.all_to_all(star(8), size="64 KiB", fidelity="packet", fold=False)
    assert (asked.folding["applied"], asked.folding["reason"]) == (False, "not asked for")


def test_what_breaks_the_symmetry_is_named() -> None:
    tree = sn.FatTree(
        radix=8, link="400 Gbit/s", link_latency="100 ns", trunk_latency="100 ns", switch_latency="100 ns"
    )
    system = sn.System("c").scale_out(tree, count=16)
    options: dict[str, Any] = {"size": "256 KiB", "fidelity": "packet", "algorithm": "direct"}
    assert sn.all_to_all(system, **options).folding["order"] == 16
    assert "hash of names" in sn.all_to_all(system, routing="ecmp", **options).folding["reason"]
    moved = sn.all_to_all(system, placement=[*range(1, 16), 0], **options)
    assert "in order" in moved.folding["reason"]


def test_fold_is_yes_or_no() -> None:
    with pytest.raises(SpecError, match="fold: 'no' is not valid"):
        sn.all_reduce(star(4), size=1024, fold="no")  # type: ignore[arg-type]


def test_a_table_too_large_to_expand_is_refused() -> None:
    tree = sn.FatTree(
        radix=256,
        pod_leaves=128,
        link="400 Gbit/s",
        link_latency="100 ns",
        trunk_latency="100 ns",
        switch_latency="100 ns",
    )
    system = sn.System("million").scale_out(tree, count=1 << 20)
    result = sn.all_to_all(system, size="64 MiB", algorithm="direct", fidelity="packet", record=["levels", "flows"])
    assert result.folding["order"] == 1 << 20
    kept = result.flows.num_rows
    each = (1 << 20) * kept
    with pytest.raises(MemoryLimitError, match=f"table flows, expanded, of {each} rows") as caught:
        result.expand("flows")
    assert f"without expand: {kept} rows" in str(caught.value)
    assert result.expand("levels").equals(result.levels)


def test_expansion_keeps_to_the_limit_of_the_run() -> None:
    options: dict[str, Any] = {"size": "1 MiB", "fidelity": "packet", "algorithm": "direct", "record": RECORDS}
    result = sn.all_to_all(star(1024), memory_limit="8 MiB", **options)
    for name, rows in (("flows", 1024 * 1023), ("links", 2048)):
        assert result.table(name).num_rows < rows
    with pytest.raises(MemoryLimitError, match="8388608 are allowed; use it as it is, without expand: 1023 rows"):
        result.expand("flows")
    assert result.expand("links").num_rows == 2048
    assert sn.all_to_all(star(1024), **options).expand("flows").num_rows == 1024 * 1023


def test_a_part_of_a_large_machine_costs_what_it_is() -> None:
    options = {"size": "64 KiB", "ranks": 16, "algorithm": "binomial", "fidelity": "packet", "record": ["links"]}
    part = sn.simulate("atlas950", "broadcast", **options)  # type: ignore[call-overload]
    assert not part.folding["applied"]
    assert part.links.num_rows == 64 * 14  # the rack of the ranks: 14 neighbours each
    whole = sn.simulate("atlas950", "broadcast", fold=False, **options)  # type: ignore[call-overload]
    assert part.time_fs == whole.time_fs
    assert part.expand("links").equals(whole.links)
