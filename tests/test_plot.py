"""Pictures are made without a browser."""

from pathlib import Path

import polars as pl
import pytest

import supernode as sn
from conftest import star
from supernode import demo
from supernode.errors import SpecError
from supernode.plot import MARKERS, busbw_chart, dips, save_chart


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
    assert "bottleneck" in printed
    assert (tmp_path / "busbw.png").is_file()
    assert (tmp_path / "busbw.svg").is_file()
