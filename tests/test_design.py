"""Design search: fronts hold what brute force finds, and the cheapest machine is the cheapest."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import supernode as sn
from supernode.errors import MissingExtraError, SimulationTimeout, SpecError
from supernode.sweep.design import front


def tree(oversubscription: float = 1, tiers: int = 2, radix: int = 32, hosts: int = 64) -> sn.System:
    """A fat tree of optical links."""
    fabric = sn.FatTree(
        radix=radix, tiers=tiers, link="400 Gbit/s", oversubscription=oversubscription, medium="optics",
        link_latency="300 ns", trunk_latency="500 ns", switch_latency="300 ns",
    )  # fmt: skip
    return sn.System(f"tree {oversubscription} {tiers}").scale_out(fabric, count=hosts)


#: Of no library, so that a run is short.
BASE: dict[str, Any] = {"collective": "all_to_all", "size": "4 MiB", "stack": "none", "algorithm": "direct"}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5) | st.none(), st.integers(0, 5)), max_size=30))
def test_a_front_holds_what_nobody_beats(rows: list[tuple[int, int | None, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64, "c": pl.Int64}, orient="row").with_row_index("row")
    whole = [(a, b, -c) for a, b, c in rows if b is not None]

    def beaten(point: tuple[int, int, int]) -> bool:
        return any(all(o <= p for o, p in zip(other, point, strict=True)) and other != point for other in whole)

    expected = sorted(point for point in whole if not beaten(point))
    if len(whole) < len(rows):
        with pytest.warns(UserWarning, match=f"{len(rows) - len(whole)} of {len(rows)} points have no b"):
            found = front(frame, ["a", "b"], ["c"])
    else:
        found = front(frame, ["a", "b"], ["c"])
    assert [(a, b, -c) for a, b, c in found.select("a", "b", "c").iter_rows()] == expected


def test_a_sweep_has_a_front(tmp_path: Path) -> None:
    systems = [tree(o) for o in (1, 2, 4)]
    sweep = sn.Sweep(base=BASE, grid={"system": systems, "seed": [0, 1]})
    sweep.run(tmp_path)
    facts = sweep.inventory().sort("switches")
    # 64 hosts: 16, 22 and 26 per leaf at 16, 11 and 7 uplinks, and as many spines as carry them
    for row, machine in zip(
        facts.rows(named=True), sorted(systems, key=lambda s: sn.inventory(s).switches), strict=True
    ):
        found = sn.inventory(machine)
        assert (row["switches"], row["links"], row["optics"]) == (found.switches, found.links, found.optical_ends)
        assert row["power_w"] is None
    frame = sn.Sweep.scan(tmp_path).collect().join(facts, on="system_hash")
    points = list(frame.select("time_ns", "switches").iter_rows())
    best = {p for p in points if not any(o != p and o[0] <= p[0] and o[1] <= p[1] for o in points)}
    got = sweep.pareto(tmp_path, "time_ns", "switches")
    assert set(got.select("time_ns", "switches").iter_rows()) == best
    assert got["time_ns"].is_sorted()
    # an expression, and what should be large
    assert sweep.pareto(tmp_path, maximise="busbw_gbytes_s")["time_ns"].to_list()[0] == min(p[0] for p in points)
    assert sweep.pareto(tmp_path, "switches + 0 * optics")["switches"][0] == facts["switches"].min()
    with pytest.warns(UserWarning, match="6 of 6 points have no power_w"):
        assert sweep.pareto(tmp_path, "time_ns", "power_w").height == 0


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ((), "give the columns"),
        (("speed",), "there is no column 'speed'"),
        (("time_ns +",), "is not valid"),
        (("system",), "not a number"),
        (("count(*)",), "not a number"),
        ((3,), "3 is not valid"),
    ],
)
def test_objectives_are_checked(tmp_path: Path, objectives: tuple[Any, ...], message: str) -> None:
    sweep = sn.Sweep(base={**BASE, "system": tree()}, grid={"seed": [0, 1]})
    sweep.run(tmp_path)
    with pytest.raises(SpecError, match=f"pareto: .*{message}"):
        sweep.pareto(tmp_path, *objectives)
    with pytest.raises(SpecError, match="holds another sweep"):
        sn.Sweep(base={**BASE, "system": tree()}, grid={"seed": [0, 2]}).pareto(tmp_path, "time_ns")


def test_the_command_line_lists_a_front(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text('[base]\ncollective = "all_reduce"\nsize = "1 MiB"\n[grid]\nsystem = ["hgx-h100", "hgx-a100"]\n')
    command = [sys.executable, "-W", "ignore", "-m", "supernode", "sweep"]
    out = str(tmp_path / "out")
    subprocess.run([*command, "run", str(file), "-o", out], check=True, capture_output=True)
    words = [
        *command,
        "pareto",
        str(file),
        "time_ns",
        "switches",
        "-o",
        out,
        "--maximise",
        "links",
        "--maximise",
        "optics",
    ]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    header, *rows = listed.splitlines()
    assert header.startswith("system,") and header.count("switches") == 1
    assert "hgx-h100" in rows[0]


CHOICES: dict[str, list[Any]] = {"oversubscription": [1, 1.5, 2, 3, 4], "radix": [32, 64], "hosts": [64]}


def brute(within: float) -> list[tuple[int, float]]:
    """Switches and time of all that meet a time."""
    found = []
    for o, radix, hosts in itertools.product(*CHOICES.values()):
        machine = tree(oversubscription=o, radix=radix, hosts=hosts)
        time = sn.simulate(machine, **BASE).time_ns
        if time <= within:
            found.append((sn.inventory(machine).switches, time))
    return sorted(found)


@pytest.mark.parametrize("within", ["100 us", "150 us", "1 ms", "1 us"])
def test_the_cheapest_machine_is_the_cheapest(within: str) -> None:
    found = sn.optimise({**BASE, "system": tree}, CHOICES, within=within, cost="switches")
    fitting = brute(sn.parse_time(within) / 10**6)
    assert found.proven
    assert found.frame.height == 10
    if not fitting:
        assert found.best is None and "none of 10 combinations meets the time" in str(found)
    else:
        assert found.best is not None and found.result is not None
        assert (found.best["cost"], found.best["time_ns"]) == fitting[0]
        assert found.result.time_ns == fitting[0][1]
        assert "the cheapest (" in str(found)
    # nothing that cannot be the best was simulated
    dear = found.frame.filter(pl.col("state") == "costs more")
    assert dear["time_ns"].null_count() == dear.height


def test_proposals_find_it_too_and_depend_on_the_seed_only() -> None:
    pytest.importorskip("optuna")
    exact = sn.optimise({**BASE, "system": tree}, CHOICES, within="150 us", cost="switches")
    runs = [
        sn.optimise({**BASE, "system": tree}, CHOICES, within="150 us", cost="switches", trials=8, seed=3) for _ in "ab"
    ]
    assert runs[0].frame.equals(runs[1].frame)
    assert runs[0].best is not None and exact.best is not None
    assert runs[0].best["cost"] == exact.best["cost"]


def test_presets_and_parameters_of_runs_are_chosen_too() -> None:
    base = {"system": "hgx-h100", "collective": "all_reduce", "size": "1 MiB"}
    found = sn.optimise(
        base, {"system.link_latency": ["300 ns", "5 us"], "algorithm": ["ring", "in_network"]}, within="1 s"
    )
    assert found.best is not None
    # all cost the same, so the fastest is the best
    assert found.best["time_ns"] == found.frame["time_ns"].min()
    assert found.best["system.link_latency"] == 300.0
    assert set(found.frame["state"]) == {"met"}
    with pytest.warns(UserWarning, match="no power_w"):
        nothing = sn.optimise({**BASE, "system": tree}, {"hosts": [64]}, within="1 s", cost="power_w")
    assert nothing.best is None and nothing.frame["state"].to_list() == ["no cost"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choose": {}, "base": {"collective": "all_reduce"}}, "system is missing"),
        ({"choose": {"lanes": []}}, "choose: lanes has no values"),
        ({"choose": {"lanes": 3}}, "choose: lanes: 3 is not valid"),
        ({"choose": {"size": [1]}}, "size: given twice"),
        ({"choose": 3}, "choose: 3 is not valid"),
        ({"cost": "dollars"}, "cost: there is no column 'dollars'"),
        ({"cost": "switches > 3"}, "cost: 'switches > 3' is not a number"),
        ({"choose": {"links": [1]}}, "choose: 'links' is a column of the result"),
        ({"choose": {"host": [64]}}, r"the function takes .*hosts.*, and choose has host for it"),
        ({"choose": {"hosts": "64"}}, "hosts must be a list of values"),
        ({"within": 3}, "within"),
        ({"trials": 0}, "trials: 0 is not valid"),
        ({"base": {**BASE, "system": "hgx-h100"}, "choose": {"oversubscription": [1]}}, "unknown parameter"),
        ({"choose": {"seed": range(10**5), "lanes": range(10**5)}}, "10000000000 combinations"),
    ],
)
def test_what_cannot_be_searched_is_refused(change: dict[str, Any], message: str) -> None:
    whole: dict[str, Any] = {"base": {**BASE, "system": tree}, "choose": {"hosts": [64]}, "within": "1 s"} | change
    with pytest.raises(sn.SupernodeError, match=message):
        sn.optimise(**whole)


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        MissingExtraError, match=r"10 combinations and 5 trials need Optuna: pip install 'supernode\[optimise\]'"
    ):
        sn.optimise({**BASE, "system": tree}, CHOICES, within="1 s", trials=5)


def test_machines_that_cannot_be_are_rows() -> None:
    found = sn.optimise({**BASE, "system": tree}, {"radix": [3, 64], "hosts": [64]}, within="1 s", cost="switches")
    assert found.best is not None and found.best["radix"] == 64
    assert found.frame.filter(pl.col("state") == "failed")["error"].str.contains("radix").to_list() == [True]
    with pytest.raises(TypeError, match="it must return a System"):
        sn.optimise({**BASE, "system": lambda x: x}, {"x": [1]}, within="1 s")


def test_what_was_not_decided_is_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    base = {**BASE, "system": tree}

    def hurried(machine: sn.System, *arguments: Any, **keywords: Any) -> sn.Result:
        if machine.label == "tree 4 2":
            raise SimulationTimeout("no time")
        return sn.simulate(machine, *arguments, **keywords)  # type: ignore[no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr("supernode.sweep.search.simulate", hurried)
        found = sn.optimise(base, {"oversubscription": [1, 4]}, within="1 s", cost="switches")
        nothing = sn.optimise(base, {"oversubscription": [1, 4]}, within="1 ns", cost="switches")
    assert found.best is not None and found.best["oversubscription"] == 1
    assert not found.proven and "the cheapest that was found" in str(found)
    assert not nothing.proven and "others could" in str(nothing)
    cost = "CASE WHEN oversubscription = 4 THEN NULL ELSE switches END"
    with pytest.warns(UserWarning, match="1 of 2 combinations have no"):
        unpriced = sn.optimise(base, {"oversubscription": [1, 4]}, within="1 s", cost=cost)
    assert unpriced.best is not None and unpriced.best["oversubscription"] == 1
    assert not unpriced.proven and "the cheapest that was found" in str(unpriced)


def test_an_argument_may_be_named_as_a_keyword_of_a_run() -> None:
    def machine(ranks: int, lanes: int | None = None) -> sn.System:
        return tree(hosts=ranks)

    base = {name: value for name, value in BASE.items() if name != "algorithm"}
    choose: dict[str, list[Any]] = {"ranks": [32, 64], "algorithm": [None]}
    found = sn.optimise({**base, "system": machine}, choose, within="1 s", cost="accelerators")
    assert found.best is not None and found.best["accelerators"] == 32
