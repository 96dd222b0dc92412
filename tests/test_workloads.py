"""Workloads from Python: what is built is what runs, and what is wrong is named."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import supernode as sn
from supernode.cli import main
from supernode.errors import NotRecordedError, SpecError, UnitError


def star(count: int = 8) -> sn.System:
    """Accelerators on one switch by one link of 50 GB/s."""
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns")
    return sn.System("star").scale_up(sn.Device("gpu"), count=count, fabric=fabric)


def workload(dp: int = 4, tp: int = 2, **options: Any) -> sn.Workload:
    return sn.Workload(sn.DeviceMesh(dp=dp, tp=tp), **options)


def run(*jobs: sn.Workload, **options: Any) -> sn.WorkloadResult:
    return sn.simulate(star(), list(jobs), **{"stack": "none", "fidelity": "packet", **options})


def ends(result: sn.WorkloadResult) -> dict[str, float]:
    frame = result.to_polars()
    return dict(zip(frame["operation"], frame["end_ns"], strict=True))


def test_a_mesh_counts_the_last_axis_fastest() -> None:
    mesh = sn.DeviceMesh(pp=2, dp=3, tp=4)
    assert (mesh.ranks, mesh.size("dp"), mesh.names) == (24, 3, ("pp", "dp", "tp"))
    assert mesh.coordinates(17) == {"pp": 1, "dp": 1, "tp": 1}
    with pytest.raises(SpecError, match="0 to 23"):
        mesh.coordinates(24)


def test_one_operation_is_the_collective() -> None:
    w = sn.Workload(sn.DeviceMesh(r=8))
    w.all_reduce(size="1 MiB", algorithm="ring")
    alone = sn.all_reduce(star(), size="1 MiB", algorithm="ring", stack="none", fidelity="packet")
    assert run(w).time_fs == alone.time_fs


def test_streams_overlap_and_dependencies_order() -> None:
    alone = sn.all_reduce(star(), size="1 MiB", algorithm="ring", stack="none", fidelity="packet").time_ns
    w = workload()
    first = w.compute("100 us", stream="c", name="first")
    w.all_reduce(size="1 MiB", algorithm="ring", after=first, stream="n", name="sum")
    w.compute("500 us", stream="c", name="second")
    found = run(w)
    assert ends(found) == pytest.approx({"first": 100e3, "sum": 100e3 + alone, "second": 600e3})
    # computation hid all of it
    assert found.to_polars().filter(pl.col("operation") == "sum")["exposed_ns"].to_list() == [0.0]


def test_a_share_slows_computation() -> None:
    def time(share: float) -> float:
        w = workload()
        w.all_reduce(size="1 MiB", algorithm="ring", stream="n", share=share)
        w.compute("1 ms", stream="c")
        return run(w).time_ns

    alone = sn.all_reduce(star(), size="1 MiB", algorithm="ring", stack="none", fidelity="packet").time_ns
    assert time(0) == 1e6
    assert time(0.25) == pytest.approx(1e6 + alone / 4, rel=1e-6)


def test_jobs_have_places_and_starts_of_their_own() -> None:
    def job(name: str, **options: Any) -> sn.Workload:
        w = sn.Workload(sn.DeviceMesh(r=4), name=name, **options)
        w.all_reduce(size="64 KiB", algorithm="ring")
        return w

    alone = sn.all_reduce(star(4), size="64 KiB", algorithm="ring", stack="none", fidelity="packet").time_ns
    given = [1, 3, 5, 7]
    found = run(job("a", placement=given), job("b", start="5 us"), record=["ranks"])
    frame = found.to_polars()
    assert frame["job"].to_list() == ["a", "b"]
    assert frame["end_ns"].to_list() == pytest.approx([alone, alone + 5000])
    assert found.to_polars("ranks")["accelerator"].to_list() == [1, 3, 5, 7, 0, 2, 4, 6]
    strided = run(job("a", placement="strided"), record=["ranks"]).to_polars("ranks")
    assert strided["accelerator"].to_list() == [0, 2, 4, 6]
    random = [run(job("a", placement="random"), record=["ranks"], seed=s).to_polars("ranks") for s in (1, 1, 2)]
    assert random[0].equals(random[1])
    assert not random[0].equals(random[2])


def test_a_pipeline_has_roles() -> None:
    w = sn.Workload(sn.DeviceMesh(pp=2, tp=4))
    with w.repeat(3):
        with w.on(pp=0):
            w.send("pp", size=4096, after=w.compute("10 us", stream="c"), stream="n")
        with w.on(pp=1):
            w.compute("10 us", after=w.receive("pp", size=4096, stream="n"), stream="c")
    found = run(w)
    assert found.time_ns == pytest.approx(40e3 + 1100 + 4096 / 50)
    assert found.to_polars()["role"].to_list() == [0, 0, 1, 1]
    assert found.folding["order"] == 4


@pytest.mark.parametrize("options", [{"fold": False}, {"threads": 2}, {"fidelity": "flow"}])
def test_results_do_not_depend_on_how_they_are_found(options: dict[str, Any]) -> None:
    w = workload()
    with w.repeat(2):
        w.all_reduce("tp", size="1 MiB", algorithm="ring", stream="a")
        w.all_gather("dp", size="256 KiB", algorithm="direct", stream="b")
    one, other = run(w), run(w, **options)
    if "fidelity" in options:
        assert other.time_ns == pytest.approx(one.time_ns, rel=0.1)
    else:
        assert (other.time_fs, other.to_polars().equals(one.to_polars())) == (one.time_fs, True)


def test_results_are_kept(tmp_path: Path) -> None:
    w = workload()
    w.all_reduce("tp", size="64 KiB")
    found = run(w, record=["levels", "flows"])
    assert found.tables() == ["summary", "levels", "flows", "operations"]
    assert found.to_polars("flows")["operation"].unique().to_list() == ["all_reduce_tp"]
    found.save(tmp_path / "out")
    pickled = pickle.loads(pickle.dumps(found))  # noqa: S301 (our own)
    for again in (pickled, copy.deepcopy(found), sn.WorkloadResult.load(tmp_path / "out")):
        assert again == found
    with pytest.raises(SpecError, match=r"WorkloadResult\.load reads it"):
        sn.Result.load(tmp_path / "out")
    with pytest.raises(NotRecordedError, match="links"):
        found.table("links")
    assert repr(found).startswith("WorkloadResult(star")


def test_a_collective_has_an_operation_too() -> None:
    found = sn.all_reduce(star(), size="64 KiB", fidelity="packet", record=["operations"])
    row = found.table("operations").to_pylist()[0]
    assert (row["operation"], row["instances"], row["end_ns"]) == ("all_reduce", 8, found.time_ns)


def test_numpy_says_the_same() -> None:
    def built(number: Callable[[int], Any], groups: Any) -> list[dict[str, Any]]:
        w = workload()
        with w.on(tp=number(1)):
            w.send("dp", number(1), size=8)
            w.receive("dp", number(-1), size=8)
        w.all_reduce(size=8, groups=groups, share=number(0))
        w.compute("1 us", slow_ranks={number(3): number(2)}, jitter=number(0))
        w.compute(flops=1, efficiency=number(1))
        return w.body()

    assert built(np.int64, np.arange(8).reshape(2, 4)) == built(int, [[0, 1, 2, 3], [4, 5, 6, 7]])
    w = workload()
    for half in (0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2)):
        w.all_reduce(size=8, share=half)
    assert {node["share_ppm"] for node in w.body()} == {500_000}


def test_names_by_default_are_counted_and_never_taken_twice() -> None:
    w = workload()
    w.compute("1 us", name="compute_2")
    for _ in range(3):
        w.compute("1 us")
    assert w.operations == ["compute_2", "compute", "compute_3", "compute_4"]


def test_as_deep_as_can_be_runs() -> None:
    w = workload()
    with ExitStack() as loops:
        for _ in range(32):
            loops.enter_context(w.repeat(1))
        w.compute("1 us")
    assert run(w).time_ns == 1000


def test_previous_adds_up_and_handles_know_their_workload() -> None:
    assert sn.Operation("x").previous(1).previous(2).iterations_ago == 3
    other = workload().compute("1 us")
    w = workload()
    w.compute("1 us")
    with pytest.raises(SpecError, match="of another workload"):
        w.compute("1 us", after=other)
    kept = copy.deepcopy(w)
    kept.compute("1 us", after=kept.compute("1 us"))


def pipeline() -> sn.Workload:
    """Two stages of four ranks: 10 us of computation each, an all-reduce in the second, a megabyte between."""
    w = sn.Workload(sn.DeviceMesh(pp=2, tp=4))
    with w.repeat(3):
        with w.on(pp=0):
            first = w.compute("10 us", stream="compute", name="f0")
            w.send("pp", by=1, size="1 MiB", after=first, stream="net", name="send")
        with w.on(pp=1):
            came = w.receive("pp", by=-1, size="1 MiB", stream="net", name="receive")
            second = w.compute("10 us", after=came, stream="compute", name="f1")
            w.all_reduce("tp", size="1 MiB", after=second, stream="tp", name="sum")
    return w


def test_iterations_are_kept_of_one_rank_of_each_role(tmp_path: Path) -> None:
    found = run(pipeline(), record=["iterations"])
    assert found.tables() == ["summary", "operations", "iterations"]
    rows = found.to_polars("iterations")
    named = rows.select("operation", "kind", "stream", "role", "rank", "iteration").rows()
    kinds = [
        ("f0", "compute", "compute", 0), ("send", "send", "net", 0), ("receive", "receive", "net", 4),
        ("f1", "compute", "compute", 4), ("sum", "collective", "tp", 4),
    ]  # fmt: skip
    assert named == [(*kind, int(rank > 0), rank, i) for *kind, rank in kinds for i in range(3)]
    assert rows.filter(operation="f0")["start_ns"].to_list() == [0.0, 10e3, 20e3]
    ends_by = rows.group_by("operation", maintain_order=True).agg(pl.col("end_ns").max())
    assert dict(ends_by.rows()) == ends(found), "each role has ranks that do the same at the same time"
    assert found.expand("iterations") == found.table("iterations")
    found.save(tmp_path / "out")
    again = sn.WorkloadResult.load(tmp_path / "out")
    assert again == found
    assert again.expand("iterations") == found.table("iterations")
    alone = sn.all_reduce(star(), size="64 KiB", fidelity="packet", record=["iterations", "ranks"])
    row = alone.table("iterations").to_pylist()
    assert [(r["operation"], r["rank"], r["iteration"], r["start_ns"]) for r in row] == [("all_reduce", 0, 0, 0.0)]
    assert row[0]["end_ns"] == alone.expand("ranks").to_pylist()[0]["finish_ns"]


def test_a_trace_has_a_process_per_role_and_a_thread_per_stream(tmp_path: Path) -> None:
    found = run(pipeline(), record=["iterations"])
    assert found.to_perfetto(tmp_path / "t.json") == tmp_path / "t.json"
    trace = json.loads((tmp_path / "t.json").read_text())
    assert trace["otherData"]["system"] == "star"
    events = trace["traceEvents"]
    said = {kind: [e for e in events if e["name"] == kind] for kind in ("process_name", "thread_name")}
    assert [e["args"]["name"] for e in said["process_name"]] == ["role 0 (rank 0)", "role 1 (rank 4)"]
    threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in said["thread_name"]}
    assert sorted(threads.values()) == ["compute", "compute", "net", "net", "tp"]
    spans = [e for e in events if e["ph"] == "X"]
    assert len(spans) == 15
    assert [e["ts"] for e in spans] == sorted(e["ts"] for e in spans)
    rows = found.to_polars("iterations")
    for span in spans:
        row = rows.filter(operation=span["name"], iteration=span["args"]["iteration"]).row(0, named=True)
        assert threads[span["pid"], span["tid"]] == row["stream"]
        assert (span["cat"], span["pid"]) == (row["kind"], row["role"] + 1)
        assert (1e3 * span["ts"], 1e3 * span["dur"]) == pytest.approx(
            (row["start_ns"], row["end_ns"] - row["start_ns"]), abs=1e-6
        )
        assert span["args"]["exposed_ns"] == row["exposed_ns"]


def test_jobs_are_processes_of_their_own(tmp_path: Path) -> None:
    jobs = [sn.Workload(sn.DeviceMesh(r=4), name=name) for name in ("one", "two")]
    for job in jobs:
        job.all_reduce(size="64 KiB")
    run(*jobs, record=["iterations"]).to_perfetto(tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert names == ["one, role 0 (rank 0)", "two, role 1 (rank 4)"]


def test_the_command_line_writes_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(pipeline(), record=["iterations"]).save(tmp_path / "out")
    run(pipeline()).save(tmp_path / "bare")
    sn.all_reduce(star(), size=1024).save(tmp_path / "one")

    def trace(folder: str, name: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as end:
            main(["trace", str(tmp_path / folder), "-o", str(tmp_path / name)])
        return end.value.code or 0, capsys.readouterr().err

    assert trace("out", "t.json") == (0, f"wrote {tmp_path / 't.json'}\n")
    assert len(json.loads((tmp_path / "t.json").read_text())["traceEvents"]) == 15 + 2 * (2 + 5)
    for folder, name, says in (
        ("bare", "b.json", "record=['iterations']"), ("one", "b.json", "Result.load reads it"),
        ("out", "b.txt", "must end in .json"), ("none", "b.json", "does not exist"),
    ):  # fmt: skip
        code, text = trace(folder, name)
        assert code == 2
        assert says in text
        assert not (tmp_path / name).exists()
    with pytest.raises(NotRecordedError, match=r"record=\['iterations'\]"):
        run(pipeline()).to_perfetto(tmp_path / "b.json")


def _two_of_one_name(w: sn.Workload) -> None:
    w.all_reduce(size=1, name="a")
    w.all_reduce(size=1, name="a")


def _too_deep(w: sn.Workload) -> None:
    with ExitStack() as loops:
        for _ in range(33):
            loops.enter_context(w.repeat(1))


def _lonely(w: sn.Workload) -> None:
    w.send("tp", size=1, name="lonely")
    w.body()


MISTAKES: list[tuple[Callable[[sn.Workload], object], type[Exception], str]] = [
    (
        lambda w: w.all_reduce("pp", size=1),
        SpecError,
        "^operation 'all_reduce': axes: 'pp' is not valid; one of dp, tp",
    ),
    (lambda w: w.all_reduce("pp", size=1, name="a"), SpecError, "^operation 'a': axes"),
    (lambda w: w.collective("al_reduce", size=1, name="a"), SpecError, "^operation 'a': unknown collective"),
    (lambda w: w.all_reduce(size=1, groups=5, name="a"), SpecError, "^operation 'a': groups: 5"),
    (lambda w: w.all_reduce("tp", size=1, stream=None), SpecError, "^operation 'all_reduce_tp': stream is None"),
    (lambda w: w.delay("1 us", stream=None), SpecError, "^operation 'delay': stream is None"),  # type: ignore[arg-type]
    (lambda w: w.send("pp", size=1, name="a"), SpecError, "^operation 'a': axis: 'pp' is not valid"),
    (lambda w: w.compute("1 us", name=5), SpecError, "^operation 'compute': name is 5"),  # type: ignore[arg-type]
    (lambda w: w.all_reduce(["tp", "tp"], size=1), SpecError, "at most once"),
    (lambda w: w.all_reduce("tp"), SpecError, "size is missing"),
    (lambda w: w.all_reduce("tp", size=1, groups=[[0, 1]]), SpecError, "not both"),
    (lambda w: w.all_reduce("tp", size=1, share=1), SpecError, "from 0 to below 1"),
    (lambda w: w.all_reduce("tp", size=1, after="x"), SpecError, "what a method of the workload returned"),
    (
        lambda w: w.all_reduce("tp", size=1, after=3),
        SpecError,
        "^operation 'all_reduce_tp': after: 3 .* what a method of the workload returned",
    ),
    (
        lambda w: w.all_reduce("tp", size=1, after=sn.Operation("b")),
        SpecError,
        "'b' is not valid; no operation of that",
    ),
    (lambda w: w.all_reduce("tp", size=1, algorithm="rings"), SpecError, "ring"),
    (lambda w: w.compute("ten"), UnitError, "duration"),
    (lambda w: w.send("tp", by=0, size=1), SpecError, "by=0"),
    (lambda w: w.send("tp", by=2, size=1), SpecError, "1 to 1"),
    (lambda w: w.on(dp=4).__enter__(), SpecError, "0 to 3"),
    (lambda w: w.on().__enter__(), SpecError, "give an axis"),
    (lambda w: w.on(tp=None).__enter__(), SpecError, "a coordinate, or a list of them"),  # type: ignore[arg-type]
    (lambda w: w.on(tp=[]).__enter__(), SpecError, "at least one coordinate, each once"),
    (lambda w: w.on(tp=[0, 0]).__enter__(), SpecError, "at least one coordinate, each once"),
    (_too_deep, SpecError, "nested more than 32 deep"),
    (lambda w: w.all_reduce(size=1, groups=[]), SpecError, "a list of lists of ranks"),
    (lambda w: w.all_reduce(size=1, groups=[1, 2]), SpecError, "a list of lists of ranks"),
    (lambda w: w.all_reduce(5, size=1), SpecError, "a name, or a list of names"),  # type: ignore[arg-type]
    (lambda w: w.all_reduce(size=1, protocol=3), SpecError, "protocol is 3; it must be text"),
    (lambda w: w.all_reduce(size=1, chunks=2**32), SpecError, "chunks: 4294967296"),
    (lambda w: w.compute("1 us", name=""), SpecError, "at least one character"),
    (lambda w: w.send("tp", size=1, tag=[1]), SpecError, "tag is"),  # type: ignore[arg-type]
    (lambda w: w.send("tp", size=1, wrap="no"), SpecError, "must be True or False"),  # type: ignore[arg-type]
    (lambda w: w.repeat(0).__enter__(), SpecError, "repeat"),
    (_two_of_one_name, SpecError, "is taken"),
    (_lonely, SpecError, "a send without a receive"),
    (lambda w: sn.simulate(star(), w, algorithm="ring"), SpecError, "algorithm= has no effect"),
    (lambda w: sn.simulate(star(), w, protocol="simple"), SpecError, "protocol= has no effect"),
    (lambda w: sn.simulate(star(), w, ranks=4), SpecError, "ranks= has no effect"),
    (lambda w: sn.simulate(star(), [w, w]), SpecError, "two are named 'job'"),
    (lambda w: sn.simulate(star(), [w, 3]), SpecError, "each must be a Workload"),  # type: ignore[list-item]
    (lambda w: sn.simulate(star(4), w), SpecError, "8 ranks, and the system has 4"),
    (lambda w: sn.Workload(3), SpecError, "must be a DeviceMesh"),  # type: ignore[arg-type]
    (lambda w: workload(name=""), SpecError, "name of the job: '' is not valid"),
    (lambda _: sn.DeviceMesh(**{"": 2}), SpecError, "name of an axis: '' is not valid"),
    (lambda _: sn.DeviceMesh(**{"\ud800": 2}), SpecError, "UTF-8 cannot hold"),
    (lambda _: sn.Operation([]), SpecError, "name of an operation is"),  # type: ignore[arg-type]
    (lambda _: sn.Operation("a", -1), SpecError, "iterations_ago: -1"),
    (lambda _: sn.DeviceMesh(), SpecError, "at least one axis"),
    (lambda _: sn.DeviceMesh(a=2**20, b=2**12), SpecError, "too large"),
]


@pytest.mark.parametrize(("mistake", "error", "text"), MISTAKES)
def test_mistakes_are_named(mistake: Callable[[sn.Workload], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        mistake(workload())


@pytest.mark.parametrize(
    ("placement", "text"),
    [("spread", "one of packed, strided, random"), ([0, 1], "one for each rank"), ([0] * 8, "accelerator 0 is taken"),
     (list(range(1, 9)), "accelerators are 0 to 7"), ([[1], [2, 3]], "a list of")],
)  # fmt: skip
def test_placements_are_checked(placement: Any, text: str) -> None:
    w = workload(placement=placement)
    w.barrier()
    with pytest.raises(SpecError, match=text):
        run(w)
