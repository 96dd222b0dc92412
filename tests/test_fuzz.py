"""The fuzzers find what they are for: cases repeat, good inputs are accepted, and tampered results are findings."""

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from fuzz import differential as fuzz
from fuzz import mutation
from fuzz.judge import FEWEST, judge
from fuzz.machines import Machine, any_machine
from fuzz.runs import TABLES, Case, Finding, Refused, build, draw_case, equal, run
from supernode.errors import SupernodeError
from supernode.system import System


def small() -> Case:
    text = "sn.System('f').scale_up(count=4, fabric=sn.Switched(bandwidth='50 GB/s', latency='100 ns'))"
    machine = Machine(text, 4, (4,), ("switched",))
    options = {"size": 65536, "algorithm": "ring", "stack": "none", "record": TABLES}
    return Case(machine, "all_reduce", options, build(machine))


def machines(seed: int) -> str:
    rng = Random(seed)
    while True:
        machine = any_machine(rng)
        try:
            return draw_case(rng, machine).code()
        except Refused:
            continue


def test_a_case_depends_on_its_number_alone() -> None:
    assert machines(3) == machines(3)
    assert machines(3) != machines(4)


def test_code_of_a_case_runs() -> None:
    case = small()
    found: dict[str, Any] = {}
    exec(case.code(), found)  # noqa: S102 - text of the case
    assert found["result"].time_fs == run(case).time_fs


def tampered(result: Any, name: str, column: str, change: int) -> Any:
    """A result in one table of which the first value of a column is another."""

    def expand(asked: str) -> pa.Table:
        table = result.expand(asked)
        if asked != name:
            return table
        values = table[column].to_pylist()
        values[0] += change
        return table.set_column(table.column_names.index(column), column, pa.array(values, table[column].type))

    keys = ("time_fs", "time_ns", "bound", "bound_kind", "fidelity", "algorithm", "levels")
    return SimpleNamespace(expand=expand, **{key: getattr(result, key) for key in keys})


@pytest.mark.parametrize(
    ("table", "column"), [("links", "bytes"), ("links", "utilisation"), ("ranks", "received_bytes"), ("flows", "bytes")]
)
def test_bytes_that_vanish_are_found(table: str, column: str) -> None:
    result = run(small())
    fuzz._conserved(result)
    with pytest.raises(Finding):
        fuzz._conserved(tampered(result, table, column, 16))
    with pytest.raises(Finding):
        equal("tampered", result, tampered(result, table, column, 16))


def test_a_time_below_the_bound_is_found() -> None:
    result = tampered(run(small()), "links", "bytes", 0)
    fuzz._bounded(result)
    result.time_ns = result.bound * 0.999
    with pytest.raises(Finding, match="below the bound"):
        fuzz._bounded(result)


def test_a_checker_of_another_schedule_is_found() -> None:
    case = small()
    result = run(case)
    fuzz._checked(case, result)
    case.options["lanes"] = 3
    with pytest.raises(Finding, match="the checker proves"):
        fuzz._checked(case, result)


def test_fidelities_that_are_off_unsaid_are_found() -> None:
    right = [(i, fuzz.Measure("flow", 1.0, False, "f")) for i in range(FEWEST)]
    assert judge(right) == []
    said = [(i, fuzz.Measure("flow", 2.0, True, "f")) for i in range(FEWEST)]
    assert judge(right + said) == []
    off = [(i, fuzz.Measure("flow", 1.06, False, "f")) for i in range(5)]
    assert "flow is more than 5% off in 5 of 45 cases" in judge(right + off)[0]


@pytest.mark.parametrize(("name", "text"), mutation._files(), ids=lambda value: value if len(value) < 40 else "")
def test_what_is_damaged_was_good(name: str, text: str, tmp_path: Path) -> None:
    if name == "astra_system.json":
        pytest.skip("a second file, that is read beside network.yml")
    (tmp_path / name).write_text(text)
    options: dict[str, Any] = {} if name.endswith(".toml") else {"link_rate": "25 GB/s", "link_latency": "200 ns"}
    mutation._used(Random(0), System.from_file(tmp_path / name, **options), ("packet",))


def test_a_foreign_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(rng: Random) -> None:
        raise OverflowError("too large")

    def refuses(rng: Random) -> None:
        raise SupernodeError("named")

    monkeypatch.setattr(mutation, "SOURCES", {fails: 1})
    with pytest.raises(Finding, match="OverflowError: too large"):
        mutation.mutation(0)
    monkeypatch.setattr(mutation, "SOURCES", {refuses: 1})
    assert mutation.mutation(0) == ("refuses, refused", [])
