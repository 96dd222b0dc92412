"""Sweeps: which points there are, one frame whoever runs them, and nothing lost or doubled by a kill."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import supernode as sn
from supernode.errors import SpecError, WorkerError
from supernode.sweep.shard import parse_shard

BASE = {"collective": "all_reduce", "algorithm": "ring"}
GRID: dict[str, Any] = {"system": ["hgx-h100", "hgx-a100:2"], "size": sn.sizes("1 KiB", "1 MiB", x=4)}


def frame(folder: Path) -> pl.DataFrame:
    """All points, in an order of their own."""
    return sn.Sweep.scan(folder).sort("id").collect()


def test_grid_is_crossed_and_zip_goes_side_by_side() -> None:
    sweep = sn.Sweep(base=BASE, grid={"size": [1, 2]}, zip={"system": ["a", "b", "c"], "ranks": [4, 8, 16]})
    assert len(sweep) == 6
    points = [(p["system"], p["ranks"], p["size"]) for p in sweep.points()]
    assert points == [("a", 4, 1), ("a", 4, 2), ("b", 8, 1), ("b", 8, 2), ("c", 16, 1), ("c", 16, 2)]


def test_where_sees_base_units() -> None:
    grid = {"size": ["1 KiB", "1 MiB"], "system.link_latency": ["300 ns", "1.5 us"]}
    where = 'size >= 1048576 OR "system.link_latency" = 1500'
    sweep = sn.Sweep(base={**BASE, "system": "nvl72"}, grid=grid, where=where)
    assert [(p["size"], p["system.link_latency"]) for p in sweep.points()] == [
        ("1 KiB", "1.5 us"), ("1 MiB", "300 ns"), ("1 MiB", "1.5 us"),
    ]  # fmt: skip


def test_a_sample_goes_by_its_seed() -> None:
    def sizes(seed: int) -> list[int]:
        grid = {"size": list(range(1, 1001))}
        sweep = sn.Sweep(base={**BASE, "system": "nvl72"}, grid=grid, sample=20, seed=seed)
        return [p["size"] for p in sweep.points()]

    assert len(set(sizes(1))) == 20
    assert sizes(1) == sizes(1) != sizes(2)


def test_a_point_is_a_run(tmp_path: Path) -> None:
    done = sn.Sweep(base=BASE, grid=GRID).run(tmp_path)
    assert (done.points, done.done, done.failed, done.left) == (12, 12, 0, 0)
    assert sn.Sweep.status(tmp_path) == done
    for row in frame(tmp_path).to_dicts():
        result = sn.all_reduce(row["system"], size=row["size"], algorithm="ring")
        for name in ("time_fs", "busbw_gbytes_s", "bottleneck", "protocol"):
            assert row[name] == result.summary[name][0].as_py()
    # and Polars reads the folder as it is
    assert pl.scan_parquet(tmp_path / "points").select(pl.len()).collect().item() == 12


def ids(base: dict[str, Any], folder: Path) -> list[str]:
    sn.Sweep(base={**BASE, "system": "hgx-h100", **base}).run(folder)
    return frame(folder)["id"].to_list()


def test_the_id_is_of_what_runs_and_not_of_how_it_was_written(tmp_path: Path) -> None:
    one = ids({"size": "1 MiB"}, tmp_path / "a")
    assert ids({"size": 1 << 20, "threads": 2, "timeout": 100}, tmp_path / "b") == one
    assert ids({"size": "1 MiB", "seed": 1}, tmp_path / "c") != one
    assert ids({"size": "1 MiB", "system.link_latency": "301 ns"}, tmp_path / "d") != one


def test_every_engine_gives_the_same_frame(tmp_path: Path) -> None:
    sweep = sn.Sweep(base=BASE, grid=GRID)
    sweep.run(tmp_path / "one", workers=1)
    expected = frame(tmp_path / "one")
    with ThreadPoolExecutor(3) as threads:
        sweep.run(tmp_path / "threads", executor=threads)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        sweep.run(tmp_path / "processes", executor=processes)
    for i in (1, 0, 2):
        sweep.run(tmp_path / "shards", shard=(i, 3))
    for name in ("threads", "processes", "shards"):
        assert_frame_equal(frame(tmp_path / name), expected)
    assert sn.Sweep.status(tmp_path / "shards").left == 0


def test_what_fails_is_kept_and_tried_again_if_asked(tmp_path: Path) -> None:
    # switches of an A100 board do not add, and no tree has 3.5 lanes
    grid: dict[str, Any] = {"system": ["hgx-h100", "hgx-a100"], "algorithm": ["in_network", "ring"], "lanes": [1, 3.5]}
    sweep = sn.Sweep(base={"collective": "all_reduce", "size": "1 MiB"}, grid=grid)
    done = sweep.run(tmp_path)
    assert (done.done, done.failed) == (3, 5)
    failures = sn.Sweep.failures(tmp_path)
    assert sorted(failures["error"].to_list()) == ["AlgorithmError"] + ["SpecError"] * 4
    assert "lanes: 3.5 is not valid" in " ".join(failures["message"].to_list())
    before = sorted(p.name for p in tmp_path.rglob("*.parquet"))
    assert sweep.run(tmp_path) == done
    assert sorted(p.name for p in tmp_path.rglob("*.parquet")) == before
    assert sweep.run(tmp_path, retry=True) == done == sn.Sweep.status(tmp_path)
    assert frame(tmp_path).height == 3


SLOW = """
import sys
import supernode as sn
from supernode.sweep import batches, engine
engine.FLUSH_S, batches.BATCH_S = 0.02, 0.005
sweep = sn.Sweep(base={"collective": "all_reduce", "system": "nvl72", "algorithm": "ring"},
                 grid={"size": list(range(1 << 20, (1 << 20) + 120 * 1152, 1152)), "seed": [0, 1]})
sweep.run(sys.argv[1])
"""


def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    wanted, kills, folders = int(os.environ.get("SUPERNODE_KILLS", "4")), 0, [tmp_path / "out0"]
    while kills < wanted:
        out = folders[-1]
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SLOW, str(out)])
        before = len(list(out.rglob("part-*")))
        deadline = time.monotonic() + 30
        while len(list(out.rglob("part-*"))) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        # from the first part on, at another moment each time
        time.sleep(0.013 * kills % 0.1)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        else:
            # it came to its end: the next one is killed in a folder of its own
            folders.append(tmp_path / f"out{len(folders)}")
        process.wait()
        if (out / "points").exists():
            found = frame(out)
            assert found["id"].n_unique() == found.height
            # what was being written is not among the points
            assert pl.scan_parquet(out / "points").collect().height == found.height
    whole = tmp_path / "whole"
    for folder in (*folders, whole):
        subprocess.run([sys.executable, "-W", "ignore", "-c", SLOW, str(folder)], check=True)
        assert frame(folder).height == 240
        assert_frame_equal(frame(folder), frame(folders[0]))


def die(jobs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_lost_workers_are_an_error_that_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = sn.Sweep(base=BASE, grid=GRID)
    with monkeypatch.context() as patch, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        patch.setattr("supernode.sweep.engine.run_batch", die)
        with pytest.raises(WorkerError, match="run the sweep again to go on"):
            sweep.run(tmp_path, executor=processes)
    assert sweep.run(tmp_path).done == 12


class Odd(Executor):
    """An executor whose futures have what it was made with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def submit(self, *_: Any, **__: Any) -> Any:
        """Answer, or raise."""
        if isinstance(self.answer, RuntimeError):
            raise self.answer
        future: Future[Any] = Future()
        if isinstance(self.answer, BaseException):
            future.set_exception(self.answer)
        else:
            future.set_result(self.answer)
        return None if self.answer == "no future" else future


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OSError(28, "no space on the worker"), "OSError: .*no space on the worker"),
        (RuntimeError("cannot schedule new futures"), "cannot schedule new futures"),
        ("no future", "submit returned None"),
        (None, "TypeError"),
        ((b"", b"", 1.0), "its answer is about other points"),
    ],
)
def test_whatever_a_worker_raises_or_answers_is_told(tmp_path: Path, answer: Any, said: str) -> None:
    with pytest.raises(WorkerError, match=said):
        sn.Sweep(base=BASE, grid=GRID).run(tmp_path, executor=Odd(answer))
    assert sn.Sweep.status(tmp_path).done == 0


def test_a_folder_has_one_sweep_and_a_shard_one_writer(tmp_path: Path) -> None:
    sweep = sn.Sweep(base=BASE, grid={**GRID, "size": [1024]})

    def again(folder: Path) -> None:
        sweep.run(folder)

    again(tmp_path / "a")
    with pytest.raises(SpecError, match="holds another sweep"):
        sn.Sweep(base=BASE, grid=GRID).run(tmp_path / "a")
    mark = tmp_path / "a" / "sweep.json"
    mark.write_text(mark.read_text().replace(f'"supernode": "{sn.__version__}"', '"supernode": "0.0.9"'))
    with pytest.raises(SpecError, match=r"written by supernode 0\.0\.9"):
        sweep.run(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("x")
    with pytest.raises(SpecError, match="holds other files"):
        sweep.run(tmp_path / "b")
    with pytest.raises(SpecError, match=r"has no sweep\.json"):
        sn.Sweep.status(tmp_path / "b")
    with pytest.raises(SpecError, match="another process runs shard 0"):
        sweep.run(tmp_path / "c", progress=lambda *_: again(tmp_path / "c"))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"grid": {"size": []}}, "grid: size has no values"),
        ({"grid": {"size": "1 MiB"}}, "size must be a list of values"),
        ({"grid": {"sizes": [1]}}, "unknown parameter of the sweep 'sizes'.*size"),
        ({"grid": {"seed": range(10**6), "size": range(1, 10**6 + 1)}}, r"1000000000000 points \(1000000 x 1000000\)"),
        ({"grid": {"size": ["1 MiB", 1 << 20]}}, "size has the value 1048576 twice"),
        ({"zip": {"size": [1, 2], "seed": [1]}}, "equally long, not size 2, seed 1"),
        ({"grid": {"system": ["nvl72"]}}, "system: given twice, in base and in grid"),
        ({"grid": {"progress": [True]}}, "progress: it has no effect"),
        ({"grid": {"size": [1]}, "sample": 0}, "sample: 0 is not valid"),
        ({"base": 3}, "base: 3 is not valid"),
        ({"grid": {3: [1]}}, "3 is not the name of a parameter"),
        ({"grid": {"size": [1], "timeout": [1, 2]}}, "timeout: it has no effect on the result"),
        ({"zip": {"size": [1, 1], "seed": [2, 2]}}, r"zip: size, seed has the value \(1, 2\) twice"),
        ({"grid": {"system": {"link_latency": ["1 us"]}}}, r'quotes: "system\.link_latency"'),
        ({"grid": {"size": [1]}, "partition": 3}, "partition: 3 is not valid"),
        ({"grid": {"size": [1]}, "partition": [3]}, "unknown parameter of partition 3"),
        ({"grid": {"size": range(1, 400)}, "partition": "size"}, "size make 399 folders; at most 256"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        sn.Sweep(**{"base": {**BASE, "system": "nvl72"}, **keywords})


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("size > 1", [2]),
        ("TRUE", [1, 2]),
        ("1 = 2", []),
        ("lanes IS NULL AND size = 1", [1]),
        ("system <> 'Len'", [1, 2]),
        ("lanes > 1", []),
    ],
)
def test_conditions_see_one_point(where: str, kept: list[int]) -> None:
    sweep = sn.Sweep(base={**BASE, "system": "nvl72", "lanes": None}, grid={"size": [1, 2]}, where=where)
    assert [point["size"] for point in sweep.points()] == kept


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("size >", "is not valid"),
        ("sizes > 3", 'unable to find column "sizes"'),
        ("count(*) > 1", "one point at a time"),
        ("size = max(size)", "one point at a time"),
        ("rank() OVER (ORDER BY size) = 1", "one point at a time"),
        ("size", "true or false"),
        (3, "must be an SQL expression over collective"),
    ],
)
def test_a_condition_that_is_none_is_refused(where: Any, said: str) -> None:
    with pytest.raises(SpecError, match=f"where: .*{said}"):
        sn.Sweep(base={**BASE, "system": "nvl72"}, grid={"size": [1, 2]}, where=where)


def test_values_of_several_kinds_and_systems_of_one_name(tmp_path: Path) -> None:
    fabric = sn.Switched(bandwidth="1 GB/s", latency="1 us")
    systems = [sn.System("x").scale_up(count=count, fabric=fabric) for count in (4, 8)]
    grid: dict[str, Any] = {"system": systems, "lanes": [None, 2, "2"]}
    sweep = sn.Sweep(base={"collective": "all_reduce", "size": 1024, "algorithm": "ring"}, grid=grid)
    done = sweep.run(tmp_path)
    # text is no number of lanes
    assert (done.done, done.failed) == (4, 2)
    assert frame(tmp_path)["system_hash"].n_unique() == 2
    with pytest.raises(SpecError, match="holds another sweep"):
        sn.Sweep(base={**BASE, "size": 1024}, grid={**grid, "system": systems[:1]}).run(tmp_path)
    with pytest.raises(SpecError, match=r"system\.link_latency: only presets have parameters, and 'x'"):
        sn.Sweep(base=BASE, grid={"system": systems, "size": [1], "system.link_latency": ["1 us"]})


@pytest.mark.parametrize(
    ("grid", "types"),
    [
        ({"size": np.array([1024, 2048]), "ranks": [np.int64(4), None]}, {"size": pl.Int64, "ranks": pl.UInt32}),
        ({"seed": [0, 2**64 - 1]}, {"seed": pl.UInt64}),
        ({"placement": [None, [3, 2, 1, 0], np.arange(8)]}, {"placement": pl.String}),
        ({"time_limit": ["1 s", None]}, {"time_limit": pl.Float64}),
        ({"fold": [True, False], "lanes": [1, None]}, {"fold": pl.Boolean, "lanes": pl.Int64}),
    ],
)
def test_columns_have_one_type(tmp_path: Path, grid: dict[str, Any], types: dict[str, Any]) -> None:
    base = {**BASE, "system": "hgx-h100", **({} if "size" in grid else {"size": 1024})}
    sweep = sn.Sweep(base=base, grid=grid, partition=list(grid)[-1:] if "placement" not in grid else None)
    assert sweep.run(tmp_path).done == len(sweep)
    assert {name: frame(tmp_path).schema[name] for name in types} == types
    assert pl.scan_parquet(tmp_path / "points").collect().height == len(sweep)


def test_points_that_come_down_to_the_same_run_count_once(tmp_path: Path) -> None:
    grid: dict[str, Any] = {"system": ["hgx-h100"], "size": [1024], "dtype": ["float32", "f32", "uint8"]}
    sweep = sn.Sweep(base=BASE, grid=grid)
    done = sweep.run(tmp_path)
    assert (len(sweep), done.points, done.done) == (3, 2, 2)
    assert sn.Sweep.status(tmp_path) == done == sweep.run(tmp_path)


def test_points_of_one_run_are_one_point_for_shards_too(tmp_path: Path) -> None:
    grid: dict[str, Any] = {"dtype": ["float16", "f32", "float32"], "seed": [0, 1]}
    sweep = sn.Sweep(base={**BASE, "system": "hgx-h100", "size": 1024}, grid=grid)
    sweep.run(tmp_path / "whole")
    for shard in ("1/2", "0/2"):
        sweep.run(tmp_path / "shards", shard=shard)
    assert sn.Sweep.status(tmp_path / "shards") == sn.Sweep.status(tmp_path / "whole")
    assert sn.Sweep.status(tmp_path / "whole").points == 4
    assert_frame_equal(frame(tmp_path / "shards"), frame(tmp_path / "whole"))
    assert set(frame(tmp_path / "whole")["dtype"]) == {"float16", "f32"}


def test_a_part_that_was_removed_is_missed_whichever_shard_runs(tmp_path: Path) -> None:
    sweep = sn.Sweep(base=BASE, grid=GRID)
    for shard in ("0/2", "1/2"):
        sweep.run(tmp_path, shard=shard)
    assert sn.Sweep.status(tmp_path).left == 0
    for part in (tmp_path / "points").rglob("part-1-*"):
        part.unlink()
    sweep.run(tmp_path, shard="0/2")
    status = sn.Sweep.status(tmp_path)
    assert (status.points, status.done, status.left) == (12, 6, 6)
    sweep.run(tmp_path, shard="1/2")
    assert sn.Sweep.status(tmp_path).left == 0


RACE = """
import sys, time
import supernode as sn
from supernode.errors import SpecError
folder, shard, seed, start = sys.argv[1:]
sweep = sn.Sweep(base={"collective": "all_reduce", "system": "hgx-h100", "algorithm": "ring", "fidelity": "analytic",
                       "seed": int(seed)}, grid={"size": [1, 2, 3, 4, 5, 6]})
list(sweep.points())
for k in range(6):
    while time.time() < float(start) + 0.4 * k:
        pass
    try:
        print(sweep.run(f"{folder}/{k}", shard=shard).done)
    except SpecError as error:
        print("another" if "holds another sweep" in str(error) else error)
"""


def test_processes_that_begin_at_once(tmp_path: Path) -> None:
    def race(name: str, seeds: list[int]) -> list[list[str]]:
        start = str(time.time() + 4)
        words = [[str(tmp_path / name), f"{i}/3", str(seed), start] for i, seed in enumerate(seeds)]
        command = [sys.executable, "-W", "ignore", "-c", RACE]
        running = [subprocess.Popen([*command, *w], stdout=subprocess.PIPE, text=True) for w in words]
        return [process.communicate()[0].split("\n")[:-1] for process in running]

    # shards of one sweep: all of them run
    assert race("same", [0, 0, 0]) == [["2"] * 6] * 3
    assert [frame(tmp_path / "same" / str(k)).height for k in range(6)] == [6] * 6
    # two sweeps: the folder is of one of them, and the other one is told so
    for k, outcomes in enumerate(zip(*race("two", [1, 2, 1]), strict=True)):
        assert sorted(outcomes) in (["2", "2", "another"], ["2", "another", "another"]), outcomes
        assert frame(tmp_path / "two" / str(k))["seed"].n_unique() == 1


def test_points_that_are_refused_are_written_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supernode.sweep.engine.FLUSH_ROWS", 10)
    seen = []
    sweep = sn.Sweep(base={**BASE, "system": "hgx-h100", "size": 1, "lanes": 3.5}, grid={"seed": list(range(35))})
    sweep.run(tmp_path, progress=lambda _, failed, __: seen.append((failed, len(list(tmp_path.rglob("part-*"))))))
    assert seen[:3] == [(10, 1), (20, 2), (30, 3)]
    assert sn.Sweep.status(tmp_path).failed == 35


def test_an_interruption_in_the_middle_of_a_part_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    real, calls = parquet.write_table, [0]

    def write(*arguments: Any, **keywords: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        real(*arguments, **keywords)

    sweep = sn.Sweep(base=BASE, grid=GRID)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(parquet, "write_table", write)
        sweep.run(tmp_path)
    sweep.run(tmp_path)
    assert pl.scan_parquet(tmp_path / "points").collect().height == frame(tmp_path).height == 12


def test_a_folder_that_goes_away_is_an_error(tmp_path: Path) -> None:
    sweep, folder = sn.Sweep(base=BASE, grid=GRID), tmp_path / "a"

    def remove(*_: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    for shard in ("0/1", "0/2"):
        with pytest.raises(SpecError, match=r"has no sweep\.json"):
            sweep.run(
                tmp_path / "a", shard=shard, progress=lambda *_: shutil.rmtree(tmp_path / "a", ignore_errors=True)
            )
        assert not (folder / "points").exists()
        remove()


def test_another_timeout_is_the_same_sweep(tmp_path: Path) -> None:
    base = {**BASE, "system": "nvl72", "size": "64 MiB", "fold": False, "fidelity": "packet"}
    assert sn.Sweep(base={**base, "timeout": 1e-3}, grid={"seed": [0]}).run(tmp_path).failed == 1
    assert sn.Sweep.failures(tmp_path)["error"].to_list() == ["SimulationTimeout"]
    again = sn.Sweep(base={**base, "timeout": 100, "threads": 2}, grid={"seed": [0]}).run(tmp_path, retry=True)
    assert (again.done, again.failed) == (1, 0)


def test_names_of_folders_are_short(tmp_path: Path) -> None:
    fabric = sn.Switched(bandwidth="1 GB/s", latency="1 us")
    systems = [sn.System("\u00e9" * 60 + end).scale_up(count=2, fabric=fabric) for end in "ab"]
    sweep = sn.Sweep(base={**BASE, "size": 1024}, grid={"system": systems})
    assert sweep.run(tmp_path).done == 2
    assert sorted(frame(tmp_path)["system"]) == sorted(s.label for s in systems)


def test_a_sample_of_more_points_than_memory_can_count() -> None:
    grid = {"seed": range(1000), **{f"system.p{i}": range(1000) for i in range(7)}}
    sweep = sn.Sweep(base={**BASE, "system": "nvl72", "size": 1}, grid=grid, sample=5)
    assert len({tuple(point.values()) for point in sweep.points()}) == 5


def test_objects_of_one_name_are_told_apart(tmp_path: Path) -> None:
    base = {"system": "hgx-h100", "algorithm": "ring"}

    def sweep(*sizes: int) -> sn.Sweep:
        return sn.Sweep(base=base, grid={"collective": [sn.AllReduce(size) for size in sizes]})

    assert sweep(1024, 2048).run(tmp_path).done == 2
    with pytest.raises(SpecError, match="holds another sweep"):
        sweep(1024, 4096).run(tmp_path)
    long = [list(range(64)), [*range(63, -1, -1)]]
    placed = sn.Sweep(base={**BASE, "system": "nvl72", "size": 64}, grid={"placement": long})
    assert len(placed) == 2
    assert placed.digest != sn.Sweep(base={**BASE, "system": "nvl72", "size": 64}, grid={"placement": long[:1]}).digest


def test_failures_of_any_shard_are_tried_again(tmp_path: Path) -> None:
    sweep = sn.Sweep(base={**BASE, "system": "hgx-h100", "lanes": 3.5}, grid={"size": [1024, 2048]})
    for shard in ("0/2", "1/2"):
        assert sweep.run(tmp_path, shard=shard).failed == 1
    assert sweep.run(tmp_path, retry=True).failed == 2
    assert sn.Sweep.failures(tmp_path)["attempt"].to_list() == [2, 2]
    assert sn.Sweep.status(tmp_path).failed == 2


def test_shards_of_two_counts_do_not_run_at_once(tmp_path: Path) -> None:
    sweep = sn.Sweep(base=BASE, grid=GRID)

    def other(shard: str) -> None:
        sweep.run(tmp_path, shard=shard)

    with pytest.raises(SpecError, match="shards of 2 are being run, not of 3"):
        sweep.run(tmp_path, shard="0/2", progress=lambda *_: other("2/3"))
    sweep.run(tmp_path, shard="0/2", progress=lambda *_: other("1/2"))
    # whoever comes later may count in another way
    assert sweep.run(tmp_path, shard="2/3").left == 0
    assert frame(tmp_path).height == pl.read_parquet(tmp_path / "points").height == 12


def test_a_part_that_is_damaged_is_named(tmp_path: Path) -> None:
    sweep = sn.Sweep(base=BASE, grid={**GRID, "size": [1024]})
    sweep.run(tmp_path / "a")
    part = next((tmp_path / "a").rglob("part-*.parquet"))
    whole = part.read_bytes()
    calls: list[Any] = [sweep.run, sn.Sweep.status, sn.Sweep.scan, sn.Sweep.failures]
    calls.append(lambda folder: sn.Sweep.merge(folder, tmp_path / "m.parquet"))
    for column in ({"id": [1, 2]}, {"id": ["a"], "attempt": ["x"]}):
        pl.DataFrame(column).write_parquet(part)
        for call in calls:
            with pytest.raises(SpecError, match=r"its column (id|attempt) is of type"):
                call(tmp_path / "a")
    for damage in (whole[:100], b"", whole[:200] + bytes(200) + whole[400:]):
        part.write_bytes(damage)
        for call in calls if len(damage) < len(whole) else calls[-1:]:
            with pytest.raises(SpecError, match=rf"{part.name}: not a part of a sweep|a part cannot be read"):
                call(tmp_path / "a")
    part.unlink()
    assert sweep.run(tmp_path / "a").done == 2
    assert sn.Sweep.merge(tmp_path / "a", tmp_path / "m.parquet") == 2
    with pytest.raises(SpecError, match="inside the folder of the sweep"):
        sn.Sweep.merge(tmp_path / "a", part)
    mark = tmp_path / "a" / "sweep.json"
    for text in ("{}", "[]", "x", mark.read_text().replace('"points": 2', '"points": "2"')):
        mark.write_text(text)
        with pytest.raises(SpecError, match=r"sweep\.json: it does not describe a sweep"):
            sn.Sweep.status(tmp_path / "a")


@pytest.mark.parametrize(
    "keywords", [{"progress": 3}, {"retry": 3}, {"executor": 3}, {"workers": 0}, {"shard": "\u0660/\u0662"}]
)
def test_keywords_of_a_run_are_checked(tmp_path: Path, keywords: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=f"{next(iter(keywords))}: .* is not valid"):
        sn.Sweep(base=BASE, grid=GRID).run(tmp_path / "a", **keywords)
    assert not (tmp_path / "a").exists()


def test_shards_of_slurm_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_shard("3/8") == parse_shard((3, 8)) == (3, 8)
    for bad in ("8/8", "x", "1/0", (1, 2, 3), 4):
        with pytest.raises(SpecError, match="shard"):
            parse_shard(bad)
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    assert parse_shard(None) == (0, 1)
    for name, value in (("ID", "14"), ("COUNT", "4"), ("MIN", "10"), ("STEP", "2")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    # tasks 10, 12, 14 and 16
    assert parse_shard(None) == (2, 4)
    for bad in ("13", "18", "-2", "x"):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", bad)
        with pytest.raises(SpecError, match="SLURM_ARRAY_TASK_ID: "):
            parse_shard(None)


def test_the_large_sweep_of_the_documentation_in_small(tmp_path: Path) -> None:
    place = Path(__file__).parents[1] / "docs" / "large_sweep.py"
    command = [sys.executable, "-W", "ignore", str(place), str(tmp_path / "out"), "--points", "12"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.startswith("SweepStatus(points=12, done=12, failed=0)")
    spec = importlib.util.spec_from_file_location("large_sweep", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert len(module.sweep()) == 20_016
    module.save_chart(module.chart(frame(tmp_path / "out")), tmp_path / "chart.svg")
    assert "oversubscription" in (tmp_path / "chart.svg").read_text()


def test_errors_name_the_sweep_file(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[base]\ncollective = "all_reduce"\nsystem = "nvl72"\nsize = nan\n')
    with pytest.raises(SpecError, match=r"^sweep s\.toml: size: nan"):
        sn.Sweep.load(file)
    command = [sys.executable, "-m", "supernode", "sweep", "run", str(file), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: sweep s.toml: size: nan")
