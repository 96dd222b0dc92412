"""What is left to the simulator: choices near the best candidate by packets, and fidelity by a budget alone."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import supernode as sn
from supernode.result.curve import budgets
from supernode.result.nccl_tests import change_line
from supernode.system import System

DATA = Path(__file__).parent / "data"
#: Candidates of more than a million packet-hops in trees are left to ``make matrix``.
SMALL = "60 ms"


def matrix() -> ModuleType:
    spec = importlib.util.spec_from_file_location("matrix", Path(__file__).parents[1] / "benches" / "matrix.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def near(system: System | str, collective: str, size: int, pick: str = "auto", **options: Any) -> None:
    ratio, text = matrix().worst_choice(system, collective, size, pick, SMALL, **options)
    assert ratio <= 1.10, f"{pick} is {ratio:.2f} times as slow as the best: {text}"


@pytest.mark.parametrize("collective", ["all_reduce", "all_gather", "all_to_all"])
@pytest.mark.parametrize("name", ["hgx-h100", "hgx-b200", "nvl72", "gh200", "sd200", "inf2", "trn2-ultraserver"])
def test_choices_on_presets_are_near_the_best(name: str, collective: str) -> None:
    # auto is the library's choice where that is known, which may be a slow one
    known = sn.simulate(name, collective, size=1 << 20, fidelity="analytic").chosen_by == "library"
    for size in (64 << 10, 1 << 20):
        near(name, collective, size, "best" if known else "auto")


@pytest.mark.parametrize("file", ["ns3.txt", "simai.txt"])
def test_choices_on_imported_files_are_near_the_best(file: str) -> None:
    for collective in ("all_reduce", "all_to_all"):
        near(System.from_file(DATA / file), collective, 1 << 20)


def test_best_tries_lanes() -> None:
    near("hgx-h100", "all_gather", 1 << 20, "best")
    found = sn.explain("hgx-h100", "all_reduce", size="1 MiB", algorithm="best").table
    assert {1, 2, 4, 8} <= set(found["lanes"].to_pylist())
    best = sn.all_reduce("hgx-h100", size="1 MiB", algorithm="best")
    assert best.time_ns <= sn.all_reduce("hgx-h100", size="1 MiB").time_ns


def test_how_it_was_chosen_is_said() -> None:
    assert sn.all_reduce("hgx-h100", size="1 MiB").chosen_by == "library"
    assert sn.all_reduce("hgx-h100", size="1 MiB", algorithm="best").chosen_by == "packet"
    assert sn.all_reduce("hgx-h100", size="1 MiB", algorithm="best", fidelity="analytic").chosen_by == "analytic"
    given = sn.all_reduce("hgx-h100", size="1 MiB", algorithm="ring", protocol="simple", stack="nccl")
    assert given.chosen_by == "no choice"
    text = str(sn.explain("hgx-h100", "all_reduce", size="1 MiB"))
    assert "priced by" in text and "packet" in text


def test_the_budget_of_a_curve_is_shared() -> None:
    parts = budgets([1, 1, 2], 800)
    # half of it evenly, 400 / 3 each; half by size, 100, 100 and 200
    assert parts == [233, 233, 333]
    assert sum(budgets([2**k for k in range(3, 34)], 60 * 10**9)) <= 60 * 10**9


def test_a_change_of_fidelity_is_said_in_the_table() -> None:
    rows = [{"requested": "ring", "fidelity": f} for f in ("packet", "packet", "flow")]
    assert change_line(None, rows[0]) is None and change_line(rows[0], rows[1]) is None
    assert change_line(rows[1], rows[2]) == "# fidelity changes here: packet above, flow below"
    assert change_line(rows[1], {"requested": "auto", "fidelity": "flow"}) is None


def test_one_curve_has_one_fidelity() -> None:
    done = sn.bench("all_reduce", "nvl72", sizes="8:1G:x8")
    assert {row["fidelity"] for row in done.rows} == {"packet"}
    assert "fidelity changes" not in str(done)


@pytest.mark.parametrize(("system", "powers"), [("nvl72:2", (16, 18, 20)), ("hgx-h100:2", range(14, 24))])
def test_a_larger_message_takes_no_less_time(system: str, powers: Iterable[int]) -> None:
    times = [sn.all_reduce(system, size=2**k).time_ns for k in powers]
    assert times == sorted(times)
