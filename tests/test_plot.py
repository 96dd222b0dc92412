"""Pictures are made without a browser."""

from pathlib import Path

import pytest

import supernode as sn
from conftest import star
from supernode import demo
from supernode.errors import SpecError
from supernode.plot import busbw_chart, save_chart


def test_a_chart_as_png_and_svg(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", star(8), sizes="1K:1M:x8", algorithms=["ring", "auto"])
    paths = save_chart(busbw_chart(bench), tmp_path / "busbw")
    assert [p.name for p in paths] == ["busbw.png", "busbw.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    svg = paths[1].read_text()
    for words in ("busbw (GB/s)", "message size", "star, ring", "dashed"):
        assert words in svg


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
