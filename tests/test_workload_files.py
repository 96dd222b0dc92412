"""Workloads as TOML: what a file says is what the builder builds, the command line runs it, errors say where."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supernode as sn
from supernode.cli import main
from supernode.errors import SizeOverflowError, SpecError, SupernodeError
from supernode.workload import file

TITLE = ["job", "operation", "stream", "ranks", "instances", "start", "end", "time", "exposed"]
HEAD = 'system = "hgx-h100"\n[[job]]\naxes = { pp = 2, tp = 4 }\n'
STEP = '[[job.operation]]\nkind = "compute"\nduration = "1 us"\n'
SUM = '[[job.operation]]\nkind = "all_reduce"\nsize = 8\n'
TRAIN = """
system = { preset = "hgx-h100", link_latency = "1 us" }
fidelity = "packet"
seed = 3

[[job]]
name = "train"
axes = { pp = 2, tp = 2 }
start = "5 us"
placement = "strided"

[[job.operation]]
repeat = 3

[[job.operation.operation]]
on = { pp = 0 }
operation = [
  { kind = "compute", name = "forward", duration = "10 us", stream = "c", after = { name = "sum", previous = 2 } },
  { kind = "send", axis = "pp", size = "1 MiB", stream = "net", after = "forward", share = 0.1 },
]

[[job.operation.operation]]
kind = "receive"
on = { pp = [1] }
axis = "pp"
size = "1 MiB"
stream = "net"

[[job.operation.operation]]
kind = "all_reduce"
name = "sum"
axes = "tp"
size = "2 MiB"
algorithm = "ring"
protocol = "simple"
dtype = "bfloat16"

[[job]]
name = "other"
axes = { r = 4 }
operation = [{ repeat = 2, kind = "all_to_all", size = "64 KiB" }]
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def built() -> list[sn.Workload]:
    """Build what TRAIN describes."""
    w = sn.Workload(sn.DeviceMesh(pp=2, tp=2), name="train", start="5 us", placement="strided")
    with w.repeat(3):
        with w.on(pp=0):
            old = sn.Operation("sum").previous(2)
            forward = w.compute("10 us", name="forward", stream="c", after=old)
            w.send("pp", size="1 MiB", stream="net", after=forward, share=0.1)
        with w.on(pp=1):
            w.receive("pp", size="1 MiB", stream="net")
        w.all_reduce("tp", name="sum", size="2 MiB", algorithm="ring", protocol="simple", dtype="bfloat16")
    other = sn.Workload(sn.DeviceMesh(r=4), name="other")
    with other.repeat(2):
        other.all_to_all(size="64 KiB")
    return [w, other]


def facts(job: sn.Workload) -> tuple[Any, ...]:
    return job.name, job.mesh, job.start_fs, np.asarray(job.placement).tolist(), job.body()


def load(text: str) -> list[sn.Workload]:
    Path("w.toml").write_text(text)
    return sn.load_workloads("w.toml")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    done = capsys.readouterr()
    return int(end.value.code or 0), done.out, done.err


def test_a_file_is_what_the_builder_builds() -> None:
    assert [facts(job) for job in load(TRAIN)] == [facts(job) for job in built()]


def everything() -> sn.Workload:
    """Use every keyword."""
    w = sn.Workload(sn.DeviceMesh(**{"a b": 2, "tp": 4}), name='a "job"\n', start="3 ns", placement=np.arange(8)[::-1])
    with w.repeat(2):
        with w.on(tp=[1, 3], **{"a b": 0}):
            w.delay("7 fs", stream="späť", name="pause")
        w.send(
            "tp", -2, size=4097, wrap=True, tag="t", stream="n", after=sn.Operation("late").previous(2), share=0.999999
        )
        w.receive("tp", 2, size=4097, wrap=True, tag="t", stream="m")
        w.compute("0.5 ns", name="late")
    w.all_reduce(groups=[[0, 1], [5, 2]], size="1 MiB", lanes=2, chunks=4, dtype="int64", algorithm="ring")
    w.broadcast("tp", size=12, root=3, protocol="ll", dtype="uint8", share=0.25)
    w.barrier(after=[sn.Operation("pause"), sn.Operation("late")])
    return w


def test_every_keyword_survives() -> None:
    w = everything()
    (again,) = load(w.to_toml())
    assert facts(again) == facts(w)
    assert again.to_toml() == w.to_toml()
    w.all_reduce("tp", size=8)
    assert facts(again) != facts(w)


def test_texts_of_several_are_a_file_and_run_alike(capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(job.to_toml() for job in built())
    assert [facts(job) for job in load(text)] == [facts(job) for job in built()]
    Path("run.toml").write_text(TRAIN)
    code, out, err = call(capsys, "run", "run.toml", "--json")
    assert code == 0, err
    machine = sn.System.preset("hgx-h100", link_latency="1 us")
    result = sn.simulate(machine, built(), fidelity="packet", seed=3)
    found = json.loads(out)
    assert list(found) == ["summary", "operations", "overrides", "warnings", "files"]
    assert found["summary"] == result.summary.to_pylist()[0]
    assert found["operations"] == result.operations.to_pylist()
    assert found["overrides"] == {"link_latency": "1 us"}
    changed = call(capsys, "run", "run.toml", "--json", "--set", "link_latency=3 us")[1]
    assert json.loads(changed)["summary"]["time_fs"] > result.time_fs


def test_the_table_has_a_line_per_operation_and_fits(capsys: pytest.CaptureFixture[str]) -> None:
    Path("w.toml").write_text(TRAIN.replace('"forward"', f'"{"forward" * 9}"').replace('["levels"]', "[]"))
    code, out, err = call(capsys, "run", "w.toml")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "2 jobs, 5 operations on hgx-h100[link_latency=1 us], 8 ranks"
    title = next(i for i, line in enumerate(lines) if line.startswith("job "))
    assert lines[title].split() == TITLE
    assert [line.split()[0] for line in lines[title + 2 :]].count("other") == 1
    assert max(map(len, lines)) <= 100
    result = sn.simulate(sn.System.preset("hgx-h100", link_latency="1 us"), load(TRAIN), seed=3, fidelity="packet")
    row = result.operations.to_pylist()[-1]
    assert lines[-1].split()[-4:] == [f"{row[k] / 1e3:.3f}" for k in ("start_ns", "end_ns", "time_ns", "exposed_ns")]


def test_a_run_is_saved_and_other_commands_say_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Path("w.toml").write_text('record = ["levels"]\n' + HEAD + SUM)
    code, _, err = call(capsys, "run", "w.toml")
    assert (code, "levels were recorded and not written; give -o DIR" in err) == (0, True)
    code, _, err = call(capsys, "run", "w.toml", "-o", "res")
    assert code == 0, err
    assert "not written" not in err
    saved = sn.WorkloadResult.load("res")
    assert saved.tables() == ["summary", "levels", "operations"]
    assert saved == sn.simulate("hgx-h100", sn.load_workloads("w.toml"), record=["levels"])
    for command in (["report", "res", "-o", "r.html"], ["compare", "res", "hgx-h100"]):
        code, _, err = call(capsys, *command)
        assert (code, "'res' holds a workload" in err) == (2, True), err
    code, _, err = call(capsys, "plot", "res")
    assert (code, "run again with record=['iterations']" in err) == (2, True), err


WRONG = [
    (HEAD + STEP + "straem = 'x'\n", r"^w\.toml: job 1, operation 1: unknown key 'straem'; did you mean 'stream'"),
    (HEAD + "nmae = 'x'\n" + STEP, r"^w\.toml: job 1: unknown key 'nmae'; did you mean 'name'"),
    (HEAD + "name = 'x'\n" + STEP + SUM.replace("size = 8", "name = 's'"), r"job 'x', operation 2 's': .*size is mis"),
    (HEAD + STEP.replace("duration", "#"), r"operation 1: duration is missing"),
    (HEAD + STEP.replace('"1 us"', "5"), r"operation 1: duration: 5"),
    (HEAD + STEP.replace("compute", "compte"), r"operation 1: unknown kind 'compte'; did you mean 'compute'"),
    (HEAD + '[[job.operation]]\nkind = ["send"]\n', r"unknown kind \['send'\]"),
    (HEAD + STEP + 'name = "a"\nafter = "b"\n' + STEP + 'name = "b"\nafter = "a"\n', r"operation 1 'a'.*'b' is not v"),
    (HEAD + STEP + "after = 3\n", r"after: 3 is not valid; it must be the name"),
    (HEAD + STEP + "after = { nme = 'x' }\n", r"after: unknown key 'nme'; did you mean 'name'"),
    (HEAD + STEP + "after = { name = 3 }\n", r"after: name of an operation is 3"),
    (HEAD + STEP + "after = { name = 'x', previous = -1 }\n", r"after: previous: -1 is not valid"),
    (HEAD + STEP + "on = { dp = 0 }\n", r"on: 'dp' is not valid; one of pp, tp"),
    (HEAD + STEP + "on = {}\n", r"on: \{\} is not valid; it must be a table"),
    (HEAD + STEP + "repeat = 0\n", r"repeat: 0 is not valid"),
    (HEAD + "[[job.operation]]\nrepeat = 2\n", r"kind is missing; or operation"),
    (HEAD + "[[job.operation]]\nrepeat = 2\noperation = []\n", r"operation 1: operation: \[\] is not valid"),
    (HEAD + "[[job.operation]]\noperation = [{ kind = 'barrier' }]\n", r"repeat or on is missing"),
    (HEAD + "[[job.operation]]\nrepeat = 1\noperation = [{ kind = 'barrier', x = 1 }]\n", r"operation 1\.1: unknown"),
    (HEAD + "[[job.operation]]\nkind = 'send'\naxis = 'pp'\nsize = 8\n", r"^w\.toml: job 1: .*a send without a rec"),
    (HEAD + STEP + "[[job]]\naxes = { r = 2 }\n" + STEP, r"job 2: name: 'job' is taken"),
    (HEAD, r"^w\.toml: job 1: operation is missing"),
    ("[[job]]\nname = 'x'\n", r"job 'x': axes is missing"),
    ("[[job]]\naxes = 3\noperation = []\n", r"axes: 3 is not valid; it must be a table"),
    ("[job]\naxes = { r = 2 }\n", r"job must be a list of tables, each begun by \[\[job\]\]"),
    ("job = [3]\n", r"job 1: 3 is not valid; it must be a table"),
    ("system = 'nvl72'\n", r"^w\.toml: job is missing"),
    ("fidelty = 'flow'\n" + HEAD + STEP, r"unknown key of workload w\.toml 'fidelty'; did you mean 'fidelity'"),
    ("algorithm = 'ring'\n" + HEAD + STEP, r"workload w\.toml: algorithm has no effect beside"),
    ("size = 8\n" + HEAD + STEP, r"workload w\.toml: size has no effect beside"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SupernodeError, match=message):
        load(text)
    code, out, err = call(capsys, "run", "w.toml")
    assert (code, out) == (2, "")
    assert "w.toml: " in err or "w.toml '" in err


def test_a_file_without_a_system_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("w.toml").write_text(built()[0].to_toml())
    assert call(capsys, "run", "w.toml")[2] == "error: job w.toml: system is missing\n"


@pytest.mark.parametrize(("levels", "message"), [(33, "nested more than 32 deep"), (1000, "nested")])
def test_nesting_is_bounded(levels: int, message: str) -> None:
    inside = "{ repeat = 1, operation = [" * levels + '{ kind = "barrier" }' + "] }" * levels
    with pytest.raises(SpecError, match=message):
        load(f"[[job]]\naxes = {{ r = 2 }}\noperation = [{inside}]\n")


def test_headers_are_bounded_too() -> None:
    headers = "".join(f"[[job{'.operation' * k}]]\nrepeat = 1\n" for k in range(1, 100))
    with pytest.raises(SpecError, match="a key has more than 64 parts"):
        load(f"[[job]]\naxes = {{ r = 2 }}\n{headers}")


def test_32_levels_are_read() -> None:
    inside = "{ repeat = 1, operation = [" * 32 + '{ kind = "barrier" }' + "] }" * 32
    (job,) = load(f"[[job]]\naxes = {{ r = 2 }}\noperation = [{inside}]\n")
    assert load(job.to_toml())[0].body() == job.body()


def test_a_million_operations_are_refused_at_once() -> None:
    begin = time.process_time()
    with pytest.raises(SizeOverflowError, match=r"^w\.toml: it has more than 10000 operations; use loops"):
        load(HEAD + STEP * 10**6)
    # tomllib would take about a minute
    assert time.process_time() - begin < 10


def test_operations_are_counted_over_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "MOST", 6)
    assert len(load(TRAIN)) == 2
    # hidden from the count before parsing, by a spelling of the key
    hidden = STEP.replace("kind", '"kin\\u0064"')
    with pytest.raises(SizeOverflowError, match=r"w\.toml: it has more than 6 operations"):
        load(HEAD + hidden * 4 + "[[job]]\nname = 'b'\naxes = { r = 2 }\n" + hidden * 3)
