"""Simulated against measured: what is joined, offset, slope and middle apart, the picture, and the commands."""

from __future__ import annotations

import csv
import itertools
import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import supernode as sn
from supernode.cli import demo
from supernode.errors import SpecError
from supernode.files.data import packaged_text
from supernode.plot import chart_svg, comparison_chart
from supernode.result.compare import schema
from supernode.result.regimes import comparison_text, cut, regimes_of

SIZES = [1 << k for k in range(10, 31, 2)]


def hockney(size: int, offset_us: float = 20, gbytes_s: float = 100) -> float:
    """Return the time of a message in ns: an offset, and bytes over a rate."""
    return offset_us * 1e3 + size / gbytes_s


def points(offset: float = 1, rate: float = 1) -> list[tuple[int, float, float]]:
    """Return size, measured and simulated time; offset and rate of the simulation are so many times the measured."""
    return [(size, hockney(size), hockney(size, 20 * offset, 100 * rate)) for size in SIZES]


def test_offset_and_slope_are_told_apart() -> None:
    # 20 us and 100 GB/s: the size adds half of the offset at 1 MB and twice the offset at 4 MB
    found = regimes_of("x", points(offset=0.5))
    assert [(r.name, r.least_bytes, r.most_bytes) for r in found] == [
        ("small", 2**10, 2**18), ("middle", 2**20, 2**22), ("large", 2**24, 2**30),
    ]  # fmt: skip
    small, _, large = found
    # half of the offset is missing, 10 us; of a GiB, which takes 10.8 ms, that is a thousandth
    assert small.error_percent == pytest.approx(-50, abs=4) and small.offset_ns == pytest.approx(-10_000)
    assert large.most_percent == pytest.approx(-0.09, abs=0.01) and large.least_percent == pytest.approx(-5.3, abs=0.1)
    assert str(small).startswith("small messages (offset, 1 KiB to 256 KiB): 50 % too fast, 10 us (44 to 50 %)")
    slow = regimes_of("x", points(rate=0.8))
    # a rate of 0.8 takes 1.25 times as long
    assert slow[-1].error_percent == pytest.approx(25, abs=3) and abs(slow[0].error_percent) < 1
    assert str(slow[0]) == "small messages (offset, 1 KiB to 256 KiB): within 3 %"
    assert "large messages (slope, 16 MiB to 1 GiB): 25 % too slow" in str(slow[-1])


def test_words_of_errors() -> None:
    def words(*errors: float) -> str:
        return regimes_of("x", [(1 << 30, 1e6, 1e6 * (1 + e / 100)) for e in errors])[0].words()

    assert words(0) == "within 1 %"
    assert words(-4.2, 3) == "within 5 %"
    assert words(-12) == "12 % too fast"
    assert words(10, 20, 40) == "20 % too slow (10 to 40 %)"
    assert words(-30, 10, 20) == "10 % too slow (from 30 % too fast to 20 % too slow)"
    assert words(-30, -10, 0.1) == "10 % too fast (0 to 30 %)"
    assert str(regimes_of("x", [(1 << 30, 1e6, 2e6)])[0]) == "1 GiB: 100 % too slow"


def test_a_part_of_a_curve_has_a_part_of_the_regimes() -> None:
    names = [r.name for r in regimes_of("x", points()[:4])]
    assert names == ["small"]  # up to 64 KiB, which adds a thirtieth to the offset
    assert [r.name for r in regimes_of("x", points()[-4:])] == ["large"]
    assert cut([1, 2], [1, 2]) == {"small": (0, 0), "middle": (0, 0), "large": (0, 2)}


@given(
    offset=st.floats(1, 1e3), rate=st.floats(1, 1e3),
    noise=st.lists(st.floats(0.9, 1.1), min_size=len(SIZES), max_size=len(SIZES)),
)  # fmt: skip
def test_regimes_are_runs_that_share_the_sizes(offset: float, rate: float, noise: list[float]) -> None:
    times = [hockney(size, offset, rate) * factor for size, factor in zip(SIZES, noise, strict=True)]
    parts = list(cut(SIZES, times).values())
    assert parts[0][0] == 0 and parts[-1][1] == len(SIZES)
    assert all(one[1] == other[0] and one[0] <= one[1] for one, other in itertools.pairwise(parts))
    # factors of 1.1 move an exponent over a factor of 16 in size by at most 0.08
    for size in SIZES[: parts[0][1]]:
        assert size / rate < 2 * offset * 1e3
    for size in SIZES[parts[1][1] :]:
        assert size / rate > offset * 1e3 / 2


@pytest.fixture(scope="module")
def bench() -> sn.Bench:
    return sn.bench("all_reduce", "hgx-h100", sizes=[1 << 10, 1 << 20], algorithms=["ring", "tree"])


def table(tmp_path: Path, *rows: str, head: str = "collective,ranks,bytes,time_us,in_place") -> Path:
    path = tmp_path / "m.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_bench_is_joined_with_any_format(bench: sn.Bench, tmp_path: Path) -> None:
    path = table(tmp_path, "all_reduce,8,1024,50,false", "all_reduce,8,1024,40,true", "all_reduce,8,4096,1,")
    found = bench.compare(path)
    assert found.schema == schema()
    rows = found.to_pylist()
    assert [r["requested"] for r in rows] == [row["requested"] for row in bench.rows if row["size_bytes"] == 1024]
    assert [(r["measured_time_ns"], r["line"]) for r in rows] == [(5e4, 2)] * 2
    assert rows[0]["error_percent"] == pytest.approx(100 * (bench[0].time_ns / 5e4 - 1))
    assert bench.compare(path, "in_place")["measured_time_ns"].to_pylist() == [4e4, 4e4]
    # OSU says neither ranks nor placement; the bench is of 8
    osu = tmp_path / "osu.txt"
    osu.write_text("# OSU MPI Allreduce Latency Test v7.3\n# Size       Avg Latency(us)\n1024   30.00\n")
    for place in (None, "in_place", "out_of_place"):
        assert bench.compare(osu, place)["in_place"].to_pylist() == [None, None]
    # several files are several measured times
    assert bench.compare([path, osu]).num_rows == 4
    # in place where nothing else is
    assert bench.compare(table(tmp_path, "all_reduce,8,1024,40,true"))["in_place"].to_pylist() == [True, True]


def test_what_is_of_something_else_is_refused(bench: sn.Bench, tmp_path: Path) -> None:
    for row, says in (
        ("all_gather,8,1024,40,", "it is of all_gather on 8 ranks; the bench is of all_reduce on 8 ranks"),
        ("all_reduce,16,1024,40,", "it is of all_reduce on 16 ranks; the bench is of all_reduce on 8 ranks"),
        ("all_reduce,8,1000,40,", r"none of its sizes \(1000, ...\) is among those of the bench"),
    ):
        with pytest.raises(SpecError, match=says):
            bench.compare(table(tmp_path, row))
    with pytest.raises(SpecError, match="it has no out_of_place times"):
        bench.compare(table(tmp_path, "all_reduce,8,1024,40,true"), "out_of_place")
    with pytest.raises(SpecError, match="unknown place 'beside'"):
        bench.compare(table(tmp_path, "all_reduce,8,1024,40,"), "beside")


def test_the_type_of_the_bench_is_taken_from_several(bench: sn.Bench, tmp_path: Path) -> None:
    head = "bytes,time_us,type"
    path = table(tmp_path, "1024,40,float", "1024,30,half", head=head)
    assert bench.compare(path)["measured_time_ns"].to_pylist() == [4e4, 4e4]
    assert bench.compare(table(tmp_path, "1024,30,half", head=head)).num_rows == 2


def comparison(curves: int = 1) -> pa.Table:
    rows = [
        {
            "system": "s", "requested": f"a{k}", "size_bytes": size, "time_ns": simulated * (1 + k / 10),
            "measured_time_ns": measured, "busbw_gbytes_s": 1, "measured_busbw_gbytes_s": 1,
            "error_percent": 100 * (simulated * (1 + k / 10) / measured - 1), "collective": "all_reduce", "ranks": 8,
            "in_place": False, "source": "m.log", "line": 1,
        }
        for k in range(curves)
        for size, measured, simulated in points(offset=0.5)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema())


def test_the_page_has_the_columns() -> None:
    page = (Path(__file__).parent.parent / "docs" / "measurements.md").read_text()
    for field in schema():
        meta = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        assert f"| `{field.name}` | {field.type} | {meta.get('unit', '')} | {meta.get('doc', '')} |" in page


def test_regimes_of_a_comparison() -> None:
    found = sn.regimes(comparison(2))
    assert [(r.curve, r.name) for r in found] == [(f"s, a{k}", n) for k in (0, 1) for n in ("small", "middle", "large")]
    assert "# s, a1: small messages (offset" in comparison_text(comparison(2))
    assert "\n# small messages (offset" in comparison_text(comparison())
    with pytest.raises(SpecError, match="comparison: it has no rows"):
        sn.regimes(comparison().slice(0, 0))
    for wrong in (7, pa.table({"x": [1]})):
        with pytest.raises(SpecError, match=r"is none; Bench\.compare returns one"):
            sn.regimes(wrong)


def drawn(chart: Any) -> str:
    root = ET.fromstring(chart_svg(chart))  # noqa: S314 - our own
    return "\n".join(text for element in root.iter() if (text := (element.text or "").strip()))


def test_the_picture_has_both_curves_and_the_words() -> None:
    chart = comparison_chart(comparison(2), "Title")
    said = drawn(chart)
    for text in ("Title", "measured", "s, a0", "s, a1", "time per call (us)", "error (%)", "message size"):
        assert text in said
    assert "s, a0: small messages (offset, 1 KiB to 256 KiB)" in said
    spec = chart.to_dict()
    upper = spec["vconcat"][0]["layer"][1]["encoding"]
    assert upper["x"]["scale"]["type"] == upper["y"]["scale"]["type"] == "log"
    assert upper["color"]["scale"]["range"][0] == "#000000"
    values = spec["datasets"][spec["vconcat"][0]["layer"][1]["data"]["name"]]
    # each measured time once, and two simulated ones
    assert len(values) == 3 * len(SIZES)
    assert {v["time"] for v in values if v["curve"] == "measured"} == {hockney(size) / 1e3 for size in SIZES}
    edges = [v["size"] for v in spec["datasets"][spec["vconcat"][0]["layer"][0]["data"]["name"]]]
    assert edges == [math.sqrt(2**18 * 2**20), math.sqrt(2**22 * 2**24)]
    assert "10 us" in spec["description"]


def command(*words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-W", "ignore", "-m", "supernode", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True)


def test_the_command_compares_a_system_as_it_was_measured(tmp_path: Path) -> None:
    head = "collective,ranks,bytes,time_us,devices_per_thread"
    path = table(tmp_path, "all_reduce,4,1024,40,4", "all_reduce,4,4194304,90,4", head=head)
    done = command("compare", "hgx-h100", path, "--plot", tmp_path / "x.svg")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# a: hgx-h100, 4 devices per thread\n")
    assert "messages (" in done.stdout and (tmp_path / "x.svg").is_file()
    rows = json.loads(command("compare", "hgx-h100", path, "--json").stdout)
    alone = sn.bench("all_reduce", "hgx-h100", sizes=[1024], ranks=4, devices_per_thread=4).rows[0]
    assert (rows[0]["time_a_ns"], rows[0]["time_b_ns"]) == (alone["time_ns"], 4e4)
    # the other way round, the same errors
    turned = command("compare", path, "hgx-h100")
    assert turned.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]


def test_the_command_takes_what_a_file_does_not_say(tmp_path: Path) -> None:
    path = table(tmp_path, "1024,40", head="bytes,time_us")
    for more, ranks in (((), 8), (("--ranks", 4), 4)):
        rows = json.loads(command("compare", "hgx-h100", path, "--json", *more).stdout)
        assert rows[0]["time_a_ns"] == sn.bench("all_reduce", "hgx-h100", sizes=[1024], ranks=ranks).rows[0]["time_ns"]
    gather = json.loads(command("compare", "hgx-h100", path, "--json", "--collective", "all_gather").stdout)
    assert gather[0]["collective"] == "all_gather"
    # two runs in one table are the median of several tables, and nothing else
    log = tmp_path / "all_reduce_perf.log"
    row = "1024 256 float sum -1 {} 0.1 0.1 0 9 0.1 0.1 0\n"
    head = "# size count type redop root time algbw busbw #wrong time algbw busbw #wrong\n"
    log.write_text("".join(head + row.format(time) for time in (30, 10, 20)))
    rows = json.loads(command("compare", "hgx-h100", log, "--json").stdout)
    assert [r["time_b_ns"] for r in rows] == [2e4]
    rows = json.loads(command("compare", "hgx-h100", log, "--json", "--place", "in_place").stdout)
    assert [r["time_b_ns"] for r in rows] == [9e3]
    log.write_text(head + row.format(1) + row.format(2).replace("float", "half"))
    done = command("compare", "hgx-h100", log)
    assert "1024 bytes of all_reduce were measured with type float and half; give a file of one" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("compare", "hgx-h100", "hgx-a100", "--place", "in_place"), "--place has no effect"),
        (
            ("compare", "hgx-h100", "hgx-a100", "--sizes", "8", "--plot", "x.svg"),
            "--plot draws a simulated and a measured",
        ),
        (("compare", "hgx-h100", "m.csv", "--place", "beside"), "unknown place 'beside'"),
        (("compare", "hgx-h100", "m.csv", "--plot", "x.pdf"), "x.pdf"),
        (("compare", "hgx-h100", "m.csv", "--ranks", "4"), "hgx-h100 is of 4 ranks, m.csv of 8; compare"),
        (("compare", "m.csv", "m.csv", "--sizes", "8"), "--sizes has no effect"),
        (("bench", "all_gather", "hgx-h100", "--measured", "m.csv"), "it is of all_reduce on 8 ranks; all_gather on 8"),
        (("bench", "all_reduce", "hgx-h100", "--measured", "m.csv", "-J", "-"), "--measured has no effect with -J -"),
        (("bench", "all_reduce", "hgx-h100", "--measured", "m.csv", "-b", "8", "-e", "8"), "none of its sizes"),
        (("bench", "all_reduce", "hgx-h100", "--measured", "no.csv"), "'no.csv' does not exist"),
    ],
)
def test_the_command_says_what_is_wrong(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    table(tmp_path, "all_reduce,8,1024,40,")
    line = [sys.executable, "-W", "ignore", "-m", "supernode", *words]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_a_bench_runs_the_sizes_of_the_file(tmp_path: Path) -> None:
    path = table(tmp_path, "all_reduce,8,65536,40,", "all_reduce,8,1024,40,", "all_reduce,4,2048,40,")
    done = command("bench", "all_reduce", "hgx-h100", "--measured", path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if not line.startswith("#")]
    assert [row[0] for row in rows] == ["1024", "65536"] * 2
    assert f"# measured: {path}" in done.stdout and "messages (offset" in done.stdout


def test_what_the_demonstration_shows_is_what_the_validation_has() -> None:
    docs = Path(__file__).parent.parent / "docs" / "validation"
    published = list(csv.DictReader((docs / "measured.csv").read_text().splitlines()))
    rows = (docs / "rows.toml").read_text()
    for curve, system in (("h100", "hgx-h100"), ("a100", "hgx-a100"), ("nvl72", "nvl72")):
        lines = packaged_text("cli/published", f"{system}.csv").splitlines()
        own = list(csv.DictReader(lines[2:]))
        wanted = [r for r in published if r["curve"] == curve]
        for column, theirs in (("ranks", "ranks"), ("bytes", "bytes"), ("time_us", "time_us")):
            assert [r[column] for r in own] == [r[theirs] for r in wanted]
        # the title and the publication stand in the description of the curve
        entry = rows.partition(f'name = "{curve}"')[2].partition("[[curve]]")[0]
        assert f'title = "{lines[0][2:]}"' in entry and f'source = "{lines[1][2:]}"' in entry
    assert {*demo.BOARDS, "nvl72"} == {"hgx-h100", "hgx-a100", "nvl72"}
