"""Benches: rows, rounding, and nccl-tests' JSON."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import supernode as sn
from conftest import star
from supernode.errors import SpecError
from supernode.library.collectives import BY_NAME
from supernode.library.dtypes import DTYPES
from supernode.result.benchmark import schema
from supernode.result.nccl_tests import rounded


def test_rows() -> None:
    seen: list[Any] = []
    bench = sn.bench("all_reduce", star(8), sizes="8:1K:x2", algorithms=["ring", "auto"], on_row=seen.append)
    assert bench.summary.schema == schema()
    assert bench.summary.num_rows == 2 * 8 == len(seen)
    frame = bench.to_polars()
    assert frame["requested"].to_list() == ["ring"] * 8 + ["auto"] * 8
    assert frame["size_bytes"].to_list()[:8] == [8 * 2**k for k in range(8)]
    assert (frame["time_ns"] >= frame["bound_ns"]).all()
    first = frame.row(0, named=True)
    assert (first["count"], first["type"], first["redop"], first["root"]) == (2, "float", "sum", -1)
    # the last line says what error is expected of rows of this class
    assert len(str(bench).splitlines()) == 2 + 16 + 1


def test_single_results_agree_with_rows() -> None:
    bench = sn.bench("all_gather", star(8), sizes=[4096], algorithms="ring")
    result = sn.all_gather(star(8), size=4096, algorithm="ring")
    assert bench.rows[0]["time_ns"] == result.time_ns
    assert bench.rows[0]["busbw_gbytes_s"] == result.busbw_gbytes_s


@pytest.mark.parametrize(
    ("collective", "size", "ranks", "dtype", "bytes_", "count"),
    [
        ("all_reduce", 1003, 6, "float32", 1000, 250),
        # 250 elements / 6 = 41, down to 40 (16 B): 40 x 6 x 4
        ("all_gather", 1000, 6, "float32", 960, 40),
        # 125 elements / 6 = 20 (units of 2): 20 x 6 x 8
        ("reduce_scatter", 1000, 6, "float64", 960, 20),
        # 25 elements / 8 = 3, down to 0
        ("all_to_all", 100, 8, "float32", 0, 0),
        ("gather", 1024, 8, "int8", 1024, 128),
        ("broadcast", 1000, 6, "bfloat16", 1000, 500),
    ],
)
def test_rounding(collective: str, size: int, ranks: int, dtype: str, bytes_: int, count: int) -> None:
    assert rounded(BY_NAME[collective], size, ranks, DTYPES[dtype]) == bytes_
    if bytes_:
        row = sn.bench(collective, star(ranks), sizes=[size], dtype=dtype).rows[0]
        assert (row["size_bytes"], row["count"]) == (bytes_, count)
        result = sn.simulate(star(ranks), collective, size=size, dtype=dtype)
        assert result.size_bytes == bytes_
        assert any("rounded" in w for w in result.warnings) == (size != bytes_)


@given(
    st.sampled_from(sorted(set(BY_NAME) - {"barrier"})),
    st.integers(1, 2**40),
    st.integers(1, 10_000),
    st.sampled_from(sorted(DTYPES)),
)
def test_rounding_twice_is_rounding_once(collective: str, size: int, ranks: int, dtype: str) -> None:
    kind, element = BY_NAME[collective], DTYPES[dtype]
    once = rounded(kind, size, ranks, element)
    assert once <= size
    assert once % element.bytes == 0
    assert rounded(kind, once, ranks, element) == once


def test_sizes_that_round_to_nothing_are_left_out_and_said_so() -> None:
    bench = sn.bench("all_to_all", star(8), sizes="8:1K:x2")
    assert bench.left_out == (8, 16, 32, 64)
    assert bench.to_polars()["size_bytes"].min() == 128
    assert any("are left out" in w for w in bench.warnings)
    with pytest.raises(SpecError, match="ask for larger sizes"):
        sn.bench("all_to_all", star(8), sizes=[8])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sizes": "8G:8"}, "below the first"),
        ({"algorithms": []}, "empty"),
        ({"algorithms": ["rong"]}, "unknown algorithm"),
        ({"algorithm": "ring"}, "algorithms="),
        ({"collective": "all_redduce"}, "unknown collective"),
    ],
)
def test_errors(changes: dict[str, Any], says: str) -> None:
    options: dict[str, Any] = {"collective": "all_reduce", "sizes": "8:64", **changes}
    with pytest.raises(SpecError, match=says):
        sn.bench(options.pop("collective"), star(4), **options)


def test_a_barrier_has_one_row() -> None:
    bench = sn.bench("barrier", star(8))
    assert bench.summary.num_rows == 1
    assert bench.rows[0]["size_bytes"] == 0


KEYS = ["version", "start_time", "args", "env", "nccl_version", "config", "devices", "results", "out_of_bounds",
        "average_bus_bandwidth", "errors", "end_time"]  # fmt: skip
CONFIG = {"nthreads", "ngpus", "minimum_bytes", "maximum_bytes", "step_factor", "warmup_iters", "iterations",
          "aggregated_iterations", "validation", "graph", "blocking_collectives", "per_iter_timing", "per_iter_skip",
          "parallel_init", "devices"}  # fmt: skip
RESULT = {"size", "count", "type", "redop", "root", "out_of_place", "in_place", "actual_iterations", "experiment_name"}


def test_json_has_the_shape_of_nccl_tests(tmp_path: Path) -> None:
    bench = sn.bench("reduce", star(4), sizes="1K:4K:x2", algorithms="ring", root=2)
    content = json.loads(bench.to_nccl_tests(tmp_path / "sim.json").read_text())
    assert list(content) == KEYS
    assert set(content["config"]) == CONFIG
    assert content["config"]["step_factor"] == 2
    assert (content["config"]["minimum_bytes"], content["config"]["maximum_bytes"]) == (1024, 4096)
    assert [d["rank"] for d in content["devices"]] == [0, 1, 2, 3]
    assert set(content["devices"][0]) == {"rank", "group", "pid", "hostname", "device", "device_hex", "device_info"}
    assert len(content["results"]) == 3
    for row, result in zip(bench.rows, content["results"], strict=True):
        assert set(result) - {"supernode"} == RESULT
        assert result["root"] == "     2"
        assert (result["type"], result["redop"]) == ("float", "sum")
        for place in ("out_of_place", "in_place"):
            assert set(result[place]) == {"time", "alg_bw", "bus_bw", "nwrong"}
            assert result[place]["time"] == pytest.approx(row["time_ns"] / 1000)  # microseconds
            assert result[place]["bus_bw"] == row["busbw_gbytes_s"]
    mean = sum(r["busbw_gbytes_s"] for r in bench.rows) / 3
    assert content["average_bus_bandwidth"] == {"bandwidth": pytest.approx(mean), "okay": "unchecked"}
    assert content["out_of_bounds"] == {"count": 0, "okay": "true"}


def test_steps_in_bytes(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", star(4), sizes="1K:4K:1K", algorithms="ring")
    config = json.loads(bench.to_nccl_tests(tmp_path / "sim.json").read_text())["config"]
    assert config["step_bytes"] == 1024
    assert "step_factor" not in config


def test_a_bench_against_measurements(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", star(4), sizes="1K:4K", algorithms="ring")
    path = bench.to_nccl_tests(tmp_path / "measured.json")
    content = json.loads(path.read_text())
    content["results"][1]["in_place"]["time"] *= 2
    path.write_text(json.dumps(content))
    assert bench.compare(path)["error_percent"].to_pylist() == pytest.approx([0, 0, 0])
    assert bench.compare(path, "in_place")["error_percent"].to_pylist() == pytest.approx([0, -50, 0])
    for wrong, says in (("{", "not a -J file"), ("{}", "not a -J file"), ('{"results": []}', "no out_of_place times")):
        path.write_text(wrong)
        with pytest.raises(SpecError, match=says):
            bench.compare(path)
    with pytest.raises(SpecError, match="does not exist"):
        bench.compare(tmp_path / "missing.json")


def test_saved_files_read_back(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", star(4), sizes="1K:4K")
    paths = bench.save(tmp_path / "new" / "folder")
    assert [p.name for p in paths] == ["bench.parquet", "summary.parquet", "nccl_tests.json", "meta.json"]
    assert pq.read_table(paths[0]).equals(bench.summary)
    meta = json.loads(paths[3].read_text())
    assert len(meta["runs"]) == 3
