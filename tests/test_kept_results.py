"""Results and benches are values: they pickle, copy, compare, and load from what they wrote."""

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from conftest import star
from supernode.errors import NotRecordedError, SpecError

RECORDED = ["ranks", "levels", "links", "switches", "flows"]


def result(**options: object) -> sn.Result:
    given = {"size": "64 KiB", "record": RECORDED, "fidelity": "packet", "threads": 1, **options}
    return sn.all_to_all(star(4), **given)  # type: ignore[arg-type]


def through_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


def same(one: sn.Result, other: sn.Result) -> None:
    """Fail unless every public attribute and table is equal."""
    assert one == other
    assert hash(one) == hash(other)
    for name in ("time_fs", "time_ns", "size_bytes", "collective", "system", "n_ranks", "algbw_gbytes_s", "algorithm",
                 "busbw_gbytes_s", "protocol", "fidelity", "bound", "bound_kind", "efficiency", "bottleneck", "folding",
                 "effective", "overrides", "seed", "skipping", "versions", "warnings", "meta", "wall_s", "self_check",
                 "row"):  # fmt: skip
        assert getattr(one, name) == getattr(other, name), name
    assert one.tables() == other.tables()
    for name in one.tables():
        assert one.table(name).equals(other.table(name), check_metadata=True), name
    assert repr(one) == repr(other)


def test_a_result_pickles_copies_and_loads(tmp_path: Path) -> None:
    found = result(fold=False)
    for format_ in ("parquet", "arrow"):
        found.save(tmp_path / format_, format_)
        same(sn.Result.load(tmp_path / format_), found)
    for again in (through_pickle(found), copy.copy(found), copy.deepcopy(found)):
        same(again, found)
        assert all(again.expand(name).equals(found.expand(name)) for name in RECORDED)


def test_what_is_loaded_can_be_saved_again(tmp_path: Path) -> None:
    result().save(tmp_path / "a")
    sn.Result.load(tmp_path / "a").save(tmp_path / "b")
    one, other = ({p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in ("a", "b"))
    assert one == other
    # over itself: nothing of the old folder may be needed once it is gone
    loaded = sn.Result.load(tmp_path / "a")
    loaded.save(tmp_path / "a", "arrow")
    same(sn.Result.load(tmp_path / "a"), loaded)


def test_a_pickle_of_a_folded_result_says_what_it_lacks() -> None:
    found = result()
    assert found.folding["applied"]
    again = through_pickle(found)
    same(again, found)
    assert found.expand("links").num_rows > found.links.num_rows
    with pytest.raises(NotRecordedError, match="rows stand for classes; run again"):
        again.expand("links")
    assert again.expand("levels").equals(found.levels)
    # a copy in the same process still has the run
    assert copy.deepcopy(found).expand("links").equals(found.expand("links"))
    assert str(again.explain()) == str(found.explain())


def test_a_result_with_a_progress_function_pickles() -> None:
    again = through_pickle(result(progress=lambda *_: None))
    assert again.time_fs == result().time_fs


def test_equal_means_the_same_findings() -> None:
    one, many = result(threads=1), result(threads=3)
    assert one == many
    assert len({one, many}) == 1
    assert one != result(size="32 KiB")
    assert one != result(record=["links"])
    assert one != result(seed=5)
    assert one != "a result"


def test_another_process_reads_a_pickle(tmp_path: Path) -> None:
    found = result()
    (tmp_path / "r.pickle").write_bytes(pickle.dumps(found))
    code = "import pickle, sys; r = pickle.load(open(sys.argv[1], 'rb')); print(r.time_fs, r.links.num_rows)"
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "r.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == [str(found.time_fs), str(found.links.num_rows)]


def bench(**options: object) -> sn.Bench:
    given = {"sizes": "1K:4K", "algorithms": ["ring", "direct"], "fidelity": "packet", **options}
    return sn.bench("all_reduce", star(4), **given)  # type: ignore[arg-type]


def test_a_bench_pickles_copies_and_loads(tmp_path: Path) -> None:
    found = bench(record=RECORDED)
    paths = found.save(tmp_path / "b")
    assert {p.name for p in paths} == {
        "bench.parquet", "summary.parquet", *(f"{n}.parquet" for n in RECORDED), "nccl_tests.json", "meta.json",
    }  # fmt: skip
    loaded = sn.Bench.load(tmp_path / "b")
    for again in (loaded, through_pickle(found), copy.deepcopy(found)):
        assert again == found
        assert hash(again) == hash(found)
        assert again.rows == found.rows
        assert (again.start, again.args, again.left_out) == (found.start, found.args, found.left_out)
        assert repr(again) == repr(found)
        for one, other in zip(again, found, strict=True):
            same(one, other)
    # the links of run 3 are its rows of the table of all
    links = found.table("links")
    rows = [row for row in links.to_pylist() if row.pop("run") == 3]
    assert rows == found[3].links.to_pylist()
    assert links.num_rows == sum(r.links.num_rows for r in found)


def test_a_bench_is_like_a_list_of_its_results() -> None:
    found = bench()
    assert len(found) == 6
    assert list(found) == list(found.results)
    assert found[-1] is found.results[-1]
    assert repr(found) == str(found)
    assert repr(found).splitlines()[0].split()[1:4] == ["size", "count", "type"]
    html = found._repr_html_()
    assert html.count("<tr>") == 7
    assert "all_reduce on star, 4 ranks" in html
    with pytest.raises(NotRecordedError, match="no run recorded it"):
        found.table("links")


def test_a_bench_of_runs_with_different_tables_loads(tmp_path: Path) -> None:
    # analytic runs have no table of links, and a barrier's messages carry nothing
    found = sn.bench("barrier", star(4), algorithms=["auto"], record=["flows", "links"], fidelity="packet")
    found.save(tmp_path / "b")
    assert sn.Bench.load(tmp_path / "b") == found


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "meta.json").unlink(), "saving was interrupted"),
        (lambda f: (f / "meta.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "meta.json").write_text("[" * 100_000), "not valid JSON"),
        (lambda f: (f / "meta.json").write_text("[]"), "kind None, not 'result'"),
        (lambda f: (f / "meta.json").write_text('{"kind": "result"}'), "system is missing"),
        (lambda f: (f / "summary.parquet").unlink(), "summary is missing"),
        (lambda f: (f / "links.parquet").write_bytes(b"PAR1"), "links.parquet in .* cannot be read as a table"),
        (lambda f: (f / "links.parquet").chmod(0) or (f / "links.parquet").write_bytes(b""), "cannot be read"),
    ],
)
def test_a_damaged_folder_is_a_typed_error(tmp_path: Path, damage: object, says: str) -> None:
    result(record=["links"]).save(tmp_path / "r")
    damage(tmp_path / "r")  # type: ignore[operator]
    with pytest.raises(SpecError, match=says):
        sn.Result.load(tmp_path / "r")


def test_the_kinds_of_folders_are_told_apart(tmp_path: Path) -> None:
    result().save(tmp_path / "r")
    bench().save(tmp_path / "b")
    with pytest.raises(SpecError, match=r"kind 'bench', not 'result'; Bench\.load reads it"):
        sn.Result.load(tmp_path / "b")
    with pytest.raises(SpecError, match=r"kind 'result', not 'bench'; Result\.load reads it"):
        sn.Bench.load(tmp_path / "r")
    with pytest.raises(SpecError, match="does not exist"):
        sn.Bench.load(tmp_path / "x")
    meta = json.loads((tmp_path / "b" / "meta.json").read_text())
    (tmp_path / "b" / "meta.json").write_text(json.dumps({**meta, "runs": meta["runs"][1:]}))
    with pytest.raises(SpecError, match="6 rows, its metadata 5 runs"):
        sn.Bench.load(tmp_path / "b")


def test_systems_are_hashable() -> None:
    one, other = sn.System.preset("nvl72", gpus=36), sn.System.preset("nvl72", gpus=36)
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, sn.System.preset("nvl72")}) == 2
    assert star(4) in {star(4): 1}
