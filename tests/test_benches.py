"""The jobs with goals run, in small."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "benches" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOALS = load("goals")
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
    sweeps = load("sweeps")
    assert 0 < sweeps.marginal(lambda count: sweeps.sweep("in_network", count), 2, 12) < 1000
    assert 0 < sweeps.marginal(sweeps.calls, 2, 12) < 1000
