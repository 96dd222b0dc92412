"""The benchmarks run, in small; the stored baseline and its page agree with them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import supernode as sn


def load(name: str) -> ModuleType:
    root = str(Path(__file__).parents[1])
    sys.path.insert(0, root)
    try:
        return importlib.import_module(f"benches.{name}")
    finally:
        sys.path.remove(root)


GOALS = load("goals")
CASES = load("cases")
BASELINE = load("baseline")
INSTRUCTIONS = load("instructions")
COMPARE = load("compare")
TRACKED = [
    (f"{kind.__name__}.{name}", function)
    for _, kind in inspect.getmembers(GOALS, inspect.isclass)
    for name, function in inspect.getmembers(kind, inspect.isfunction)
    if name.startswith("track_")
]


@pytest.mark.parametrize(("job", "parameters"), GOALS.SMALL)
def test_each_job_runs_in_small(job: str, parameters: dict[str, Any]) -> None:
    GOALS.JOBS[job](**parameters)


def test_every_job_has_a_small_one() -> None:
    assert {job for job, _ in GOALS.SMALL} == set(GOALS.JOBS)


def test_a_job_is_measured_in_a_process_of_its_own() -> None:
    job, parameters = GOALS.SMALL[1]
    seconds, peak = GOALS.measure(job, **parameters)
    assert 0 < seconds < 60
    assert 1 << 24 < peak < 1 << 33


def test_growth_is_a_ratio() -> None:
    assert GOALS.growth("hgx-h100", "64 KiB", "1 MiB", repeat=1) > 0


@pytest.mark.parametrize(("name", "function"), TRACKED)
def test_each_tracked_value_states_its_goal(name: str, function: Any) -> None:
    assert re.search(r"Goal: (at most )?\d+|No goal", function.__doc__), name
    assert function.unit in ("s", "GiB", "1"), name


def test_a_full_job_is_run_once_for_its_seconds_and_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def measure(job: str) -> tuple[float, int]:
        ran.append(job)
        return float(len(ran)), len(ran) << 30

    monkeypatch.setattr(GOALS, "measure", measure)
    full = GOALS.Full()
    (jobs,) = full.params
    found = full.setup_cache()
    assert ran == jobs
    assert set(jobs) <= set(GOALS.JOBS)
    for i, job in enumerate(jobs, start=1):
        assert (full.track_seconds(found, job), full.track_peak(found, job)) == (i, i)


def test_the_cost_of_a_system_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = load("scale")
    small = scale.job("hgx-h100", {"link_rate": "30 GB/s"}, "plan")
    assert small["accelerators"] == 8
    assert small["seconds"] > 0
    assert small["bytes"] >= 0
    monkeypatch.setattr(scale, "LARGEST", {"board": ("hgx-h100", {})})
    monkeypatch.setattr(scale.Scale, "params", (["board"], ["build"]))
    found = scale.Scale().setup_cache()
    assert scale.Scale().track_seconds(found, "board", "build") > 0
    assert scale.Scale().track_bytes(found, "board", "build") >= 0


def test_points_of_sweeps_and_calls_are_measured_in_small() -> None:
    assert 0 < CASES.cost(CASES.CASES["sweep_point"], (2, 12)) < 1000
    assert 0 < CASES.cost(CASES.CASES["call"], (2, 12)) < 1_000_000


@pytest.mark.parametrize("name", sorted(CASES.CASES))
def test_each_case_does_units_of_work(name: str) -> None:
    case = CASES.CASES[name]
    small = {"message": 8, "flow": 16, "import": 1}.get(name, 2)
    assert case.work(small) >= small
    assert min(case.timed) < max(case.timed)
    assert case.counted is None or min(case.counted) < max(case.counted)


def test_a_cost_is_a_large_amount_less_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 11.0, 14.0])  # 1 s for 2 units of 5, 3 s for 6 of 5: 2 s for 20 units, 0.1 s each
    monkeypatch.setattr(CASES, "processor_seconds", lambda: next(clock))
    case = CASES.Case("x", "unit", 1_000_000, lambda amount: 5 * amount, (2, 6))
    assert case.unit == "ms per unit"
    assert CASES.cost(case) == pytest.approx(100.0)


def test_memory_and_errors_are_found_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CASES.permutation
    monkeypatch.setattr(CASES, "permutation", lambda *_: run(128, 8, "4 KiB", "even"))
    assert all(find() >= 0 for _, find in CASES.MEMORY.values())
    fact = {"system": "hgx-h100", "algorithm": "ring", "size": "64 KiB", "busbw_gbytes_s": 1.0}
    monkeypatch.setattr(CASES, "FACTS", {"small": fact})
    busbw = sn.all_reduce("hgx-h100", size="64 KiB", algorithm="ring").busbw_gbytes_s
    assert CASES.value("small") == pytest.approx(100 * (busbw - 1))


def test_the_baseline_and_its_page_are_up_to_date() -> None:
    kept = json.loads(BASELINE.BASELINE.read_text())
    assert set(kept["costs"]) == set(CASES.CASES)
    assert set(kept["memory_bytes"]) == set(CASES.MEMORY)
    assert set(kept["error_percent"]) == set(CASES.FACTS)
    assert set(kept["instructions"]) == {name for name, case in CASES.CASES.items() if case.counted}
    assert all(cost["least"] <= cost["median"] <= cost["largest"] for cost in kept["costs"].values())
    page = BASELINE.PAGE.read_text()
    assert BASELINE.page(page, kept) == page, "make bench-baseline, or python -m benches.baseline --page"


def test_the_baseline_keeps_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BASELINE, "output", lambda *_: "rustc 1.95.0")  # neither git nor rustc is needed
    values = iter([5.0, 1.0, 2.0, 9.0, 3.0] * len(CASES.CASES) + [7.0] * 10)
    kept = BASELINE.measured(lambda _: next(values), dict)
    assert all(cost == {"median": 3.0, "least": 1.0, "largest": 9.0} for cost in kept["costs"].values())
    assert set(kept["memory_bytes"].values()) == {7.0}
    assert kept["machine"]["cores"] >= 1


def test_more_instructions_than_the_baseline_are_an_error() -> None:
    kept = {"a": 100.0, "b": 100.0}
    lines, worse = INSTRUCTIONS.compared({"a": 101.9, "b": 97.0}, kept)
    assert not worse
    assert [line.split()[-1] for line in lines] == ["ok", "bench-baseline"]
    assert INSTRUCTIONS.compared({"a": 102.1}, kept)[1]
    assert INSTRUCTIONS.compared({"c": 1.0}, kept)[1]
    assert INSTRUCTIONS.per_unit({16: (1_000, 10), 64: (5_000, 30)}) == 200


def test_without_valgrind_counting_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert INSTRUCTIONS.main() == 0
    assert capsys.readouterr().out.startswith("skipped: valgrind is not on the path")


def test_ratios_are_of_runs_that_follow_each_other() -> None:
    order: list[str] = []

    def run(name: str, speed: float) -> float:
        order.append(f"{name}{speed:g}")
        return speed * len(order)

    def second(name: str) -> float:
        if name == "gone":
            raise RuntimeError("gone: no such option")
        return run(name, 2)

    pairs, failed = COMPARE.by_turns(["x", "gone"], 3, lambda name: run(name, 1), second)
    assert [each for each in order if each.startswith("x")] == ["x1", "x2", "x2", "x1", "x1", "x2"]
    assert failed == ["left out: gone: no such option"]
    (ratio,) = COMPARE.ratios({"x": [(1.0, 2.0), (2.0, 2.0), (4.0, 12.0), (-1.0, 1.0)]}, {"x": "ns"})
    assert (ratio.ratio, ratio.least, ratio.largest, ratio.old, ratio.new) == (2.0, 1.0, 3.0, 2.0, 2.0)
    assert len(pairs["x"]) == 3


def test_an_unknown_revision_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert COMPARE.main(["no-such-revision"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown revision 'no-such-revision': give a commit")


def test_a_ratio_above_the_limit_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ratio = COMPARE.Ratio("x", "ns", 1.06, 1.01, 1.1, 1.0, 1.06)
    noise = COMPARE.Ratio("y", "ns", 1.20, 0.90, 1.5, 1.0, 1.20)  # a round was faster
    monkeypatch.setattr(COMPARE, "resolve", lambda revision: revision)
    monkeypatch.setattr(COMPARE, "git", lambda *_: "abc title")
    monkeypatch.setattr(COMPARE, "checkout", lambda _: nullcontext(Path()))
    monkeypatch.setattr(COMPARE, "build", lambda tree, _, quick: tree)
    monkeypatch.setattr(COMPARE, "compare", lambda *_: ([noise, ratio], ["a note"]))
    assert COMPARE.main(["abc"]) == 0
    assert COMPARE.main(["abc", "--fail-above", "1.07"]) == 0
    assert COMPARE.main(["abc", "--fail-above", "1.05"]) == 1
    out = capsys.readouterr().out
    assert "with changes that are not committed" in out
    assert "above 1.05: x\n" in out
    assert "a note" in out


@pytest.mark.parametrize("module", ["accuracy", "engine", "goals", "jobs", "scale", "sweeps"])
def test_every_benchmark_of_the_suite_has_a_unit(module: str) -> None:
    found = 0
    for _, kind in inspect.getmembers(load(module), inspect.isclass):
        for name, function in inspect.getmembers(kind, inspect.isfunction):
            found += name.startswith(("track_", "time_"))
            assert not name.startswith("track_") or hasattr(function, "unit"), f"{kind.__name__}.{name}"
    assert found


@pytest.mark.skipif(importlib.util.find_spec("asv") is None, reason="asv is not installed")
def test_asv_finds_the_suite() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "asv", "check", "--config", "benches/asv.conf.json", "--environment",
         f"existing:{sys.executable}"],
        cwd=root, env=os.environ | {"ASV_PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No problems found" in done.stdout


def test_settings_of_python_do_not_move_a_cost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "cases.py"
    script.write_text("import sys\nprint(int(sys.dont_write_bytecode))\n")
    monkeypatch.setattr(CASES, "__file__", str(script))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert BASELINE.once("import") == 0
    script.write_text("raise SystemExit('no such case')\n")
    with pytest.raises(RuntimeError, match=r"import: no such case"):
        BASELINE.once("import")


def test_the_least_of_the_children_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    children = [(1, 16, 1_000), (2, 64, 5_400), (3, 16, 1_300), (4, 64, 5_000)]  # least: 1,000 and 5,000 for 10 and 40
    rows = [{"pid": pid, "case": "x", "amount": amount, "units": amount * 10 // 16} for pid, amount, _ in children]
    printed = "\n".join(json.dumps(row) for row in rows)
    said = "".join(f"==10{pid}== \n==10{pid}== I   refs:      {refs:,}\n" for pid, _, refs in children)

    def run(stderr: str) -> None:
        done = subprocess.CompletedProcess([], 0, printed.replace('"pid": ', '"pid": 10'), stderr)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

    run(said)
    assert INSTRUCTIONS.count() == {"x": 4_000 / 30}
    run(said.replace("==103==", "==999=="))
    with pytest.raises(RuntimeError, match="did not say what process 103 executed"):
        INSTRUCTIONS.count()


def test_a_suspect_is_counted_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kept = json.loads(BASELINE.BASELINE.read_text())["instructions"]
    high = {name: value * 1.5 for name, value in kept.items()}
    asked: list[tuple[str, ...]] = []

    def count(second: float) -> None:
        def counted(names: tuple[str, ...] | list[str] = ()) -> dict[str, float]:
            asked.append(tuple(names))
            return {"call": kept["call"] * second} if names else kept | {"call": high["call"]}

        monkeypatch.setattr(INSTRUCTIONS, "available", lambda: True)
        monkeypatch.setattr(INSTRUCTIONS, "count", counted)

    count(1.01)
    assert INSTRUCTIONS.main() == 0
    assert asked == [(), ("call",)]
    count(1.03)
    assert INSTRUCTIONS.main() == 1
    assert "A count is more than 2% above the baseline" in capsys.readouterr().out
