"""Files appear whole or not at all."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import supernode as sn
from conftest import star
from supernode import files
from supernode.errors import SpecError
from supernode.files import atomic_path, write_table


def result() -> sn.Result:
    return sn.all_to_all(star(4), size="16 KiB", record=["ranks", "links"], fidelity="packet")


@pytest.mark.parametrize("format_", ["parquet", "arrow"])
def test_tables_read_back(tmp_path: Path, format_: str) -> None:
    found = result()
    paths = found.save(tmp_path / "res", format=format_)
    assert sorted(p.name for p in (tmp_path / "res").iterdir()) == sorted(p.name for p in paths)
    for name in found.tables():
        path = tmp_path / "res" / f"{name}.{format_}"
        back = pq.read_table(path) if format_ == "parquet" else pyarrow.feather.read_table(path)
        assert back.equals(found.table(name))
    meta = json.loads((tmp_path / "res" / "meta.json").read_text())
    assert meta["time_fs"] == found.time_fs
    assert meta["effective"]["collective"] == "all_to_all"
    assert meta["versions"]["supernode"] == sn.__version__


def test_unknown_formats_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="format 'csv'"):
        result().save(tmp_path, format="csv")
    with pytest.raises(SpecError, match="table format 'csv'"):
        write_table(tmp_path / "x.csv", pa.table({"a": [1]}))
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(SpecError, match="file' is a file"):
        result().save(file)
    bench = sn.bench("all_reduce", star(4), sizes=64)
    with pytest.raises(SpecError, match="file' is a file"):
        bench.save(file)
    with pytest.raises(SpecError, match="is a directory"):
        bench.to_nccl_tests(tmp_path)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(table: pa.Table, path: Path) -> None:
        path.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(files.TABLE_FORMATS, "parquet", fail)
    with pytest.raises(OSError, match="No space left"):
        result().save(tmp_path / "res")
    assert list((tmp_path / "res").iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "old.json"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["old.json"]


def test_files_get_the_usual_mode(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    with atomic_path(tmp_path / "ours") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode
