"""Pictures are made without a browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest

import supernode as sn
from conftest import star
from supernode.cli import demo, main
from supernode.errors import NotRecordedError, SpecError
from supernode.files.data import packaged_text
from supernode.plot import (
    MARKERS,
    busbw_chart,
    chart_png,
    chart_svg,
    dips,
    latency_chart,
    link_chart,
    pareto_chart,
    save_chart,
    scaling_chart,
    time_chart,
    timeline_chart,
)
from supernode.plot.front import _spread, _thinned
from supernode.plot.heat import _cells
from supernode.plot.style import is_log, parameter_text, steps, time_unit


def test_a_chart_as_png_and_svg(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", star(8), sizes="1K:1M:x8", algorithms=["ring", "auto"])
    paths = save_chart(busbw_chart(bench), tmp_path / "busbw")
    assert [p.name for p in paths] == ["busbw.png", "busbw.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    svg = paths[1].read_text()
    for words in ("busbw (GB/s)", "message size", "star, ring", "Dashed"):
        assert words in svg


def test_markers_names_and_dips_are_explained(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", star(8), sizes="1K:1M:x8", algorithms=["ring", "auto"], fidelity="analytic")
    chart = busbw_chart(bench).to_dict()
    layers = chart["spec"]["layer"]
    [rows] = chart["datasets"].values()
    points = next(layer for layer in layers if layer["mark"]["type"] == "point")
    # one marker per fidelity, whichever of them a chart happens to hold
    assert points["encoding"]["shape"]["scale"] == {"domain": list(MARKERS), "range": list(MARKERS.values())}
    names = [r["chosen"] for r in rows if r["chosen"]]
    assert names, "auto names what it chose at its first point"
    assert all(r["chosen"] == "" for r in rows if r["series"].endswith("ring"))
    assert {r.algorithm for r in bench.results} >= set(names)
    assert any("bound" in line for line in chart["title"]["subtitle"])


def test_dips_name_what_changed() -> None:
    row = {"collective": "all_reduce", "series": "s, auto", "fidelity": "packet", "protocol": "ll", "bottleneck": "x"}
    sizes = [
        (1024, 10.0, "tree", 20.0),
        (2048, 9.95, "ring", 30.0),
        (4096, 5.0, "tree", 25.0),
        (8192, 4.0, "tree", 40.0),
    ]
    frame = pl.DataFrame(
        [
            row | {"size_bytes": s, "busbw_gbytes_s": b, "algorithm": a, "bound_busbw_gbytes_s": bound}
            for s, b, a, bound in sizes
        ]
    )
    # half a per cent is no dip; the others are, one of them without a change
    assert dips(frame) == [
        "Dip of all_reduce on s, auto, 2 KiB to 4 KiB: ring becomes tree.",
        "Dip of the bound of all_reduce on s, auto, 2 KiB to 4 KiB: a protocol ends at its largest size.",
        "Dip of all_reduce on s, auto, 4 KiB to 8 KiB: x (same algorithm).",
    ]


def test_one_format_by_extension(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", star(8), sizes="1K:8K")
    assert [p.name for p in save_chart(busbw_chart([bench]), tmp_path / "x.svg")] == ["x.svg"]


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(SpecError, match="no rows"):
        busbw_chart([])


def test_the_demonstration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo.main(["--output", str(tmp_path), "--sizes", "64K:1M:x16"])
    printed = capsys.readouterr().out
    for collective in demo.COLLECTIVES:
        for system in demo.SYSTEMS:
            assert f"# {collective} on {system}" in printed
            assert (tmp_path / f"{collective}-{system}" / "bench.parquet").is_file()
    # boards of published measurements, with what each was measured as; none of NVL72 is of these sizes
    for board in demo.BOARDS:
        title, source = packaged_text("cli/published", f"{board}.csv").splitlines()[:2]
        assert f"{title}\n# measured: {source[2:]}\n" in printed
        assert (tmp_path / f"measured-{board}.svg").is_file()
    assert not (tmp_path / "measured-nvl72.svg").exists()
    assert printed.count("small messages (offset") == 2 and printed.count("large messages (slope") == 2
    assert "bottleneck" in printed
    assert (tmp_path / "busbw.png").is_file()
    assert (tmp_path / "busbw.svg").is_file()


def words(chart: Any) -> str:
    """Return all text of a chart as SVG, which has to be well-formed."""
    root = ET.fromstring(chart_svg(chart))  # noqa: S314 - our own
    return "\n".join(text for element in root.iter() if (text := (element.text or "").strip()))


def rows_of(chart: Any) -> list[list[dict[str, Any]]]:
    """Return the data of a chart, one list for each of its parts."""
    found: Any = chart.to_dict()
    return [data for data in found["datasets"].values() if isinstance(data, list)]


def linear(ranks: int) -> sn.Bench:
    return sn.bench("all_reduce", star(ranks), sizes="1 MiB", algorithms=["ring"], fidelity="analytic")


def links(**columns: Any) -> pl.DataFrame:
    """Return a table of links; by default one level of as many as there are utilisations."""
    count = len(columns["utilisation"])
    usual = {
        "link": range(count), "network": ["net"] * count, "level": [1] * count, "direction": ["up"] * count,
        "multiplicity": [1] * count,
    }  # fmt: skip
    return pl.DataFrame({**usual, **columns})


def test_a_latency_chart_has_small_sizes_and_an_axis_from_zero() -> None:
    bench = sn.bench("all_reduce", star(8), sizes="1K:1M:x8", algorithms=["ring"])
    chart = latency_chart(bench, up_to="64 KiB").to_dict()
    [rows] = chart["datasets"].values()
    assert [r["size_bytes"] for r in rows] == [1024, 8192, 65536]
    y = chart["spec"]["layer"][0]["encoding"]["y"]
    assert (y["title"], y["scale"]) == ("time (us)", {"zero": True})
    # the usual chart of time has all sizes on decades
    assert time_chart(bench).to_dict()["spec"]["layer"][0]["encoding"]["y"]["scale"] == {"type": "log"}
    with pytest.raises(SpecError, match="no size is at most 512 B; the smallest is 1024 B"):
        latency_chart(bench, up_to=512)


def test_scaling_shows_times_and_the_bound_over_them() -> None:
    benches = [linear(n) for n in (2, 4, 8)]
    chart = scaling_chart(benches)
    [rows] = rows_of(chart)
    assert [r["ranks"] for r in rows] == [2, 4, 8]
    for row, bench in zip(rows, benches, strict=True):
        (want,) = bench.rows
        assert row["value"] == pytest.approx(want["time_ns"] / 1e3)
        assert row["bound"] == pytest.approx(want["bound_ns"] / 1e3)
        assert row["percent"] == pytest.approx(100 * want["bound_ns"] / want["time_ns"])
    text = words(chart)
    for said in (
        "time (us)",
        "efficiency (% of bound)",
        "ranks (accelerators taking part)",
        "star, all_reduce, 1 MiB, ring",
    ):
        assert said in text
    assert "8 ranks: " in text, "the description has the last point"
    [rows] = rows_of(scaling_chart(benches, "busbw"))
    assert [r["value"] for r in rows] == pytest.approx([b.rows[0]["busbw_gbytes_s"] for b in benches])


def test_scaling_of_a_sweep_names_what_differs(tmp_path: Path) -> None:
    sweep = sn.Sweep(
        base={"collective": "all_reduce", "size": "64 KiB", "fidelity": "analytic"},
        grid={"system": ["hgx-h100", "hgx-h100:2"], "algorithm": ["ring", "double_binary_tree"],
              "system.link_latency": ["300 ns", "1 us"]},
    )  # fmt: skip
    sweep.run(tmp_path / "out")
    frame = sweep.scan(tmp_path / "out").collect()
    [rows] = rows_of(scaling_chart(frame))
    assert {r["series"] for r in rows} == {
        f"{algorithm}, link_latency {latency} ns"
        for algorithm in ("ring", "double_binary_tree") for latency in ("300", "1,000")
    }  # fmt: skip
    assert "hgx-h100, all_reduce, 64 KiB" in words(scaling_chart(frame))
    # results of the same are one series
    results = [sn.all_reduce(name, size=1024, algorithm="ring") for name in ("hgx-h100", "hgx-h100:2")]
    assert {r["series"] for r in rows_of(scaling_chart(results))[0]} == {"hgx-h100, all_reduce, 1 KiB, ring"}


def test_scaling_refuses_what_it_cannot_draw() -> None:
    one = linear(4)
    with pytest.raises(SpecError, match="no rows to draw"):
        scaling_chart([])
    with pytest.raises(SpecError, match="all rows have 4 ranks; at least two"):
        scaling_chart([one])
    with pytest.raises(SpecError, match="2 rows of star, all_reduce, 1 MiB, ring have 4 ranks"):
        scaling_chart([one, one, linear(8)])
    with pytest.raises(SpecError, match="column 'ranks' is missing; a bench, a result and the frame of a sweep has it"):
        scaling_chart(one.to_polars().drop("ranks"))
    with pytest.raises(SpecError, match="a str is not valid"):
        scaling_chart(["nvl72"])
    with pytest.raises(SpecError, match="unknown value 'latency'"):
        scaling_chart([one], "latency")
    many = pl.concat([one.to_polars().with_columns(size_bytes=pl.lit(4 + k, pl.UInt64), ranks=pl.lit(k % 2, pl.UInt32))
                      for k in range(30)])  # fmt: skip
    with pytest.raises(SpecError, match="30 curves are too many"):
        scaling_chart(many)


def test_cells_keep_the_busiest_link_of_any_number() -> None:
    # 1,000 links, of which one is full: ten links a cell, and one cell is full
    used = np.zeros(1000)
    used[17] = 1.0
    assert _cells(used, np.ones(1000, dtype=np.int64)) == [(0, 1, 0), (1, 2, 1), (2, 100, 0)]
    # four links: a quarter each; equal neighbours are one cell
    assert _cells(np.array([0.5, 0.5, 0.0, 1.0]), np.ones(4, dtype=np.int64)) == [
        (0, 50, 0.5),
        (50, 75, 0),
        (75, 100, 1),
    ]
    # a row that stands for three links takes three quarters
    assert _cells(np.array([0.9, 0.1]), np.array([3, 1])) == [(0, 75, 0.9), (75, 100, 0.1)]


def test_links_in_either_order() -> None:
    table = links(utilisation=[0.0, 1.0, 0.5, 0.0])
    cells = rows_of(link_chart(table, order="index"))[0]
    assert [(c["start"], c["end"], c["utilisation"]) for c in cells] == [
        (0, 25, 0),
        (25, 50, 1),
        (50, 75, 0.5),
        (75, 100, 0),
    ]
    cells = rows_of(link_chart(table))[0]
    assert [(c["start"], c["end"], c["utilisation"]) for c in cells] == [(0, 25, 1), (25, 50, 0.5), (50, 100, 0)]
    text = words(link_chart(table))
    assert "net, level 1, up" in text
    # mean: (0 + 1 + 0.5 + 0) / 4 = 37.5 %, rounded to even
    assert "4 links, most 100 %, mean 38 %" in text


def test_a_folded_run_and_the_same_in_full_make_one_picture() -> None:
    system = sn.System("pod").scale_up(count=16, fabric=sn.Switched(bandwidth="50 GB/s", latency="250 ns"))
    charts = []
    for fold in (True, False):
        result = sn.all_to_all(system, size="64 KiB", record=["links"], fidelity="packet", fold=fold)
        assert result.folding["applied"] == fold
        charts.append([rows_of(link_chart(result, order=order)) for order in ("busiest", "index")])
    assert charts[0] == charts[1]


def test_100000_links_are_gathered() -> None:
    used = np.linspace(0, 1, 100_000)
    chart = link_chart(links(utilisation=used))
    assert len(rows_of(chart)[0]) == 100
    assert "A cell is the busiest of up to 1,000 links" in words(chart)


def test_links_that_were_not_recorded_are_said_so(tmp_path: Path) -> None:
    result = sn.all_reduce(star(4), size=1024, record=["levels"], fidelity="packet")
    with pytest.raises(NotRecordedError, match=r"record=\['links'\]"):
        link_chart(result)
    with pytest.raises(SpecError, match=r"column 'utilisation' is missing; .* record=\['links'\] has it"):
        link_chart(links(utilisation=[1.0]).drop("utilisation"))
    with pytest.raises(SpecError, match="no rows to draw"):
        link_chart(links(utilisation=[1.0]).clear())
    with pytest.raises(SpecError, match="unknown order 'size'"):
        link_chart(links(utilisation=[1.0]), order="size")
    with pytest.raises(SpecError, match="give order='busiest'"):
        link_chart(links(utilisation=[1.0], multiplicity=[4]), order="index")
    with pytest.raises(SpecError, match="a dict is not valid"):
        link_chart({})  # type: ignore[arg-type]


POINTS = pl.DataFrame(
    {"system": ["a", "b", "c", "d", "e"], "time_ns": [1e5, 2e5, 3e5, 2e5, 4e5], "switches": [9, 4, 4, 8, 1]}
)


def test_a_front_marks_what_none_beats() -> None:
    chart = pareto_chart(POINTS, "time_ns", "switches")
    beaten, best, key = rows_of(chart)
    # b beats c (sooner, as many switches) and d (as soon, fewer)
    assert [row["text"] for row in key] == ["1  a", "2  b", "3  e"]
    assert [(row["x"], row["y"], row["number"]) for row in best] == [(100, 9, "1"), (200, 4, "2"), (400, 1, "3")]
    assert [(row["x"], row["y"]) for row in beaten] == [(300, 4), (200, 8)]
    text = words(chart)
    for said in ("time (us), smaller is better", "switches, smaller is better", "3 of 5 points", "the other 2"):
        assert said in text
    _, best, key = rows_of(pareto_chart(POINTS, "time_ns", maximise="switches"))
    assert [row["text"] for row in key] == ["1  a"]
    assert "switches, larger is better" in words(pareto_chart(POINTS, "time_ns", maximise="switches"))


def test_points_at_the_same_place_have_one_mark() -> None:
    twins = pl.DataFrame({"system": list("abcde"), "x": [1, 1, 1, 1, 2], "y": [2, 2, 2, 2, 1]})
    _, best, key = rows_of(pareto_chart(twins, "x", "y"))
    assert [row["number"] for row in best] == ["1, 2, 3, ...", "5"]
    assert len(key) == 5


def test_many_points_are_thinned_and_some_of_the_front_are_named() -> None:
    count = 6000
    x = np.arange(1, count + 1, dtype=float)
    front = pl.DataFrame({"system": [f"s{i}" for i in range(count)], "x": x, "y": 1e9 / x})
    _, best, key = rows_of(pareto_chart(front, "x", "y"))
    assert (len(best), len(key)) == (count, 24)
    assert [key[0]["text"], key[-1]["text"]] == ["1  s0", f"24  s{count - 1}"]
    assert _spread(3) == [0, 1, 2]
    rng = np.random.default_rng(1)
    xs, ys = 10 ** rng.uniform(0, 3, count), rng.uniform(0, 1, count)
    kept = _thinned(list(range(count)), xs, ys)
    assert 0 < len(kept) <= 60 * 60
    assert {int(np.argmin(xs)), int(np.argmax(xs))} <= set(kept) or len(kept) > 1000


def test_a_front_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(SpecError, match="1 objectives make no picture; give two"):
        pareto_chart(POINTS, "time_ns")
    with pytest.raises(SpecError, match=r"there is no column 'optics'; there are .*switches"):
        pareto_chart(POINTS, "time_ns", "optics")
    with pytest.raises(SpecError, match="no rows to draw"):
        pareto_chart(POINTS.clear(), "time_ns", "switches")
    with pytest.raises(SpecError, match="column 'name' is missing"):
        pareto_chart(POINTS, "time_ns", "switches", label="name")
    with pytest.raises(SpecError, match="'system' is not a number for each point"):
        pareto_chart(POINTS, "time_ns", "system")
    unknown = POINTS.with_columns(power_w=pl.lit(None, pl.Int64))
    with (
        pytest.warns(UserWarning, match="5 of 5 points have no power_w"),
        pytest.raises(SpecError, match="no point has"),
    ):
        pareto_chart(unknown, "time_ns", "power_w")


def instances(**columns: Any) -> pl.DataFrame:
    rows = len(next(iter(columns.values())))
    usual: dict[str, Any] = {
        "job": "j", "operation": "step", "kind": "compute", "stream": "c", "role": 0, "rank": 0,
        "iteration": range(rows), "start_ns": [1e3 * i for i in range(rows)],
        "end_ns": [1e3 * i + 500 for i in range(rows)], "exposed_ns": 0.0,
    }  # fmt: skip
    every = {**usual, **columns}
    return pl.DataFrame({n: [v] * rows if isinstance(v, str | int | float) else v for n, v in every.items()})


def test_a_timeline_has_a_lane_per_role_and_stream_and_a_bar_per_instance() -> None:
    w = sn.Workload(sn.DeviceMesh(pp=2, tp=4))
    with w.repeat(4), w.on(pp=0):
        matmul = w.compute("20 us", stream="compute", name="matmul")
        w.all_reduce("tp", size="1 MiB", after=matmul, stream="tp", name="sum")
    w.compute("10 us", stream="compute", name="end")
    found = sn.simulate(star(8), w, stack="none", fidelity="packet", record=["iterations"])
    drawn = timeline_chart(found)
    chart, [bars] = drawn.to_dict(), rows_of(drawn)
    table = found.to_polars("iterations")
    assert len(bars) == len(table) == 10
    lanes = ["role 0 (rank 0), compute", "role 0 (rank 0), tp", "role 1 (rank 4), compute"]
    assert chart["layer"][0]["encoding"]["y"]["sort"] == lanes
    assert {bar["lane"] for bar in bars} == set(lanes)
    assert chart["layer"][0]["encoding"]["x"]["title"] == "time (us)"
    assert [bar["start"] for bar in bars] == pytest.approx([ns / 1e3 for ns in table["start_ns"]])
    assert [bar["end"] for bar in bars] == pytest.approx([ns / 1e3 for ns in table["end_ns"]])
    assert chart["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["compute", "collective"]
    svg = chart_svg(timeline_chart(found))
    assert ">matmul<" in svg, "there is room for its name"
    assert "role 1 (rank 4), compute: 1 instances from 0 to 10 us" in svg


def test_names_of_lanes_have_the_width_that_they_need_in_a_wide_font() -> None:
    for name in ("W" * 80, "short"):
        svg = chart_svg(timeline_chart(instances(stream=[name])))
        assert f">{name}<" in svg, "not cut"
        axis = timeline_chart(instances(stream=[name])).to_dict()["layer"][0]["encoding"]["y"]["axis"]
        assert axis["minExtent"] >= 8.5 * len(name)
        width = re.search(r'<svg [^>]*?width="([\d.]+)', svg)
        assert width is not None
        assert float(width[1]) >= 860 + 8.5 * len(name), "the lanes begin right of it"


def test_a_timeline_of_some_rows_begins_with_them_and_refuses_what_is_too_much() -> None:
    many = instances(start_ns=[float(i) for i in range(6000)], end_ns=[i + 0.5 for i in range(6000)])
    with pytest.raises(SpecError, match="6,000 instances are too many; at most 5,000"):
        timeline_chart(many)
    some = timeline_chart(many.filter(pl.col("start_ns") >= 5900))
    scale = some.to_dict()["layer"][0]["encoding"]["x"]["scale"]
    assert scale["domain"] == [5900, 5999.5]
    assert {bar["lane"] for bar in rows_of(some)[0]} == {"c"}, "one role needs no name"
    with pytest.raises(SpecError, match="61 lanes of roles and streams are too many; at most 60"):
        timeline_chart(instances(stream=[f"s{i}" for i in range(61)]))
    with pytest.raises(SpecError, match="column 'iteration' is missing"):
        timeline_chart(instances(role=[0]).drop("iteration"))
    with pytest.raises(SpecError, match="no rows"):
        timeline_chart(instances(role=[0]).clear())
    wrong: Any = "nvl72"
    with pytest.raises(SpecError, match="a str is not valid"):
        timeline_chart(wrong)
    w = sn.Workload(sn.DeviceMesh(r=4))
    w.barrier()
    with pytest.raises(NotRecordedError, match=r"record=\['iterations'\]"):
        timeline_chart(sn.simulate(star(4), w))


def test_axes_and_words() -> None:
    assert is_log([1, 100]) and not is_log([1, 5]) and not is_log([0, 100]) and not is_log([])
    assert {1.0, 2.0, 5.0, 10.0} <= set(steps(1, 10))
    assert set(steps(1, 1e6)) >= {1.0, 1e3, 1e6} and 2.0 not in steps(1, 1e6)
    assert [time_unit(ns) for ns in (9999, 10_000, 1e7, 1e10)] == [(1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")]
    assert parameter_text("system.link_latency", 300.0) == "link_latency 300 ns"
    assert parameter_text("system.nic_rate", 4e11) == "nic_rate 400 Gbit/s"
    assert parameter_text("size", 1 << 20) == "1 MiB"
    assert parameter_text("asked.algorithm", "ring") == "ring"
    assert parameter_text("lanes", None) == "lanes None"


def test_pictures_are_the_same_each_time_and_say_what_they_show() -> None:
    charts: list[Callable[[], Any]] = [
        lambda: link_chart(links(utilisation=[0.5, 1.0])), lambda: pareto_chart(POINTS, "time_ns", "switches"),
        lambda: scaling_chart([linear(2), linear(4)]), lambda: timeline_chart(instances(role=[0, 1], rank=[0, 4])),
    ]  # fmt: skip
    for make in charts:
        first, second = (chart_svg(make()) for _ in range(2))
        assert first == second
        described = re.search(r'<svg [^>]*role="img"><desc>([^<]+)</desc>', first)
        assert described
        assert len(described[1]) > 60
        assert chart_png(make(), scale=1).startswith(b"\x89PNG")
    with pytest.raises(SpecError, match=r"from 0\.1 to 10"):
        chart_png(charts[0](), scale=0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("folders")
    for ranks in (4, 8):
        linear(ranks).save(place / f"bench{ranks}")
    sn.all_to_all(star(4), size=1024, record=["links"], fidelity="packet", fold=False).save(place / "res")
    sn.all_to_all(star(4), size=1024).save(place / "bare")
    w = sn.Workload(sn.DeviceMesh(r=4))
    w.all_reduce(size=1024)
    sn.simulate(star(4), w, record=["iterations"]).save(place / "steps")
    (place / "sweep.toml").write_text(
        "[base]\ncollective = 'all_reduce'\nsize = 4096\nfidelity = 'analytic'\nalgorithm = 'ring'\n"
        "[grid]\nsystem = ['hgx-h100', 'hgx-h100:2', 'hgx-a100:2']\n"
    )
    sn.Sweep.load(place / "sweep.toml").run(place / "out")
    return place


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["plot", "bench4"], "busbw (GB/s)"),
        (["plot", "bench4", "bench8", "--chart", "scaling"], "efficiency (% of bound)"),
        (["plot", "bench4", "bench8", "--chart", "scaling-busbw"], "bus bandwidth (GB/s)"),
        (["plot", "bench4", "--chart", "time"], "time (us)"),
        (["plot", "bench4", "--chart", "latency"], "no size is at most 65536 B; the smallest is 1048576 B"),
        (["plot", "res"], "links of the level, the busiest first (%)"),
        (["plot", "res", "--chart", "links-by-number"], "links of the level by number (%)"),
        (["plot", "out"], "efficiency (% of bound)"),
        (["plot", "steps"], "Timeline by role and stream"),
        (["plot", "steps", "--chart", "links"], "a links chart is of result, and this is a workload: timeline"),
        (["plot", "steps", "steps"], "2 workloads do not fit one timeline"),
        (["plot", "res", "--chart", "timeline"], "a timeline chart is of workload, and this is a result"),
        (["plot", "bench4", "nvl72"], "'nvl72' is no folder, and others are"),
        (["plot", "nvl72", "hgx-h100"], "2 systems do not fit one picture"),
        (["plot", "nvl72", "--chart", "links"], "--chart links is of results"),
        (["plot", "res", "--chart", "busbw"], "a busbw chart is of bench, and this is a result"),
        (["plot", "res", "--chart", "pie"], "unknown chart 'pie'"),
        (["plot", "res", "res"], "2 results do not fit one picture"),
        (["plot", "res", "--set", "x=1"], "--set x=1 has no effect"),
        (["plot", "bare"], "record=['links']"),
        (["plot", "."], "it is no folder of results"),
        (["plot", "res", "-o", "x.pdf"], ".svg, .png"),
        (["sweep", "pareto", "sweep.toml", "-o", "out", "time_ns", "--plot", "f.svg"], "1 objectives make no picture"),
        (["sweep", "pareto", "sweep.toml", "-o", "out", "time_ns", "links", "--plot", "f.pdf"], ".svg, .png"),
    ],
)  # fmt: skip
def test_the_command_line_draws(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    monkeypatch.chdir(folders)
    with pytest.raises(SystemExit) as end:
        main(words)
    done = capsys.readouterr()
    if end.value.code:
        assert end.value.code == 2
        assert says in done.err
        assert done.out == ""
        assert not Path("f.svg").exists()
    else:
        assert done.out.startswith("<svg ")
        assert says in done.out


def test_the_command_line_draws_a_front(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(folders)
    for name in ("front.svg", "front.png"):
        with pytest.raises(SystemExit) as end:
            main(["sweep", "pareto", "sweep.toml", "-o", "out", "time_ns", "links", "--plot", str(tmp_path / name)])
        done = capsys.readouterr()
        assert not end.value.code, done.err
        assert done.out.startswith("system,"), "the table is printed as without a picture"
        assert f"wrote {tmp_path / name}" in done.err
    assert "smaller is better" in (tmp_path / "front.svg").read_text()


def test_the_pictures_of_the_page_are_there_and_described() -> None:
    docs = Path(__file__).parents[1] / "docs"
    named = re.findall(r"!\[.+\]\((pictures/\w+\.svg)\)", (docs / "pictures.md").read_text().split("\n## Charts")[1])
    assert len(named) == 6
    for name in named:
        assert 'role="img"><desc>' in (docs / name).read_text(), f"docs/chart_pictures.py writes {name}"
