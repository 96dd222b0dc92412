"""Files made to do harm: pickles, pipes and devices in folders of results, tables that expand, endless texts."""

import json
import os
import pickle
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

import supernode as sn
from supernode.errors import SizeOverflowError, SpecError, SupernodeError
from supernode.result import tables
from supernode.run.sizes import parse_sizes
from supernode.sweep.condition import Condition
from supernode.sweep.store import Store

LOADERS: dict[str, Callable[[Path], object]] = {
    "result": sn.Result.load,
    "bench": sn.Bench.load,
    "sweep": lambda folder: Store(folder).ids(folder / "points"),
}


@pytest.fixture(scope="module")
def bench() -> sn.Bench:
    return sn.bench("all_reduce", "hgx-h100", sizes="1M", fidelity="analytic")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("swept")
    base = {"collective": "barrier", "system": "hgx-h100", "fidelity": "analytic"}
    sn.Sweep(base=base, grid={"seed": [1, 2]}).run(out, workers=1)
    return out


def made(kind: str, format: str, folder: Path, bench: sn.Bench, swept: Path) -> Path:
    """A good folder."""
    if kind == "sweep":
        for path in swept.rglob("*"):
            if path.is_file():
                (folder / path.relative_to(swept)).parent.mkdir(parents=True, exist_ok=True)
                (folder / path.relative_to(swept)).write_bytes(path.read_bytes())
    else:
        (bench if kind == "bench" else bench[0]).save(folder, format)
    LOADERS[kind](folder)
    return folder


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


folders = pytest.mark.parametrize(
    ("kind", "format"),
    [("result", "parquet"), ("result", "arrow"), ("bench", "parquet"), ("bench", "arrow"), ("sweep", "parquet")],
)


@folders
def test_no_pickle_of_a_folder_is_loaded(kind: str, format: str, tmp_path: Path, bench: sn.Bench, swept: Path) -> None:
    went_off = tmp_path / "went off"
    bomb = pickle.dumps(Bomb(went_off))
    pickle.loads(bomb)  # noqa: S301 - it works
    went_off.unlink()
    good = made(kind, format, tmp_path / "good", bench, swept)
    files = [path.relative_to(good) for path in good.rglob("*") if path.is_file()]
    assert len(files) >= 2
    for name in files:
        for data in (bomb, b"PAR1" + bomb + b"PAR1"):
            folder = made(kind, format, tmp_path / f"{len(list(tmp_path.iterdir()))}", bench, swept)
            (folder / name).write_bytes(data)
            try:
                LOADERS[kind](folder)
            except SupernodeError:
                continue
            assert name.name[0] == "." or name.name in ("nccl_tests.json", "sweep.json"), f"{name} is not looked at"
    # a column of Arrow whose type was once made by unpickling
    labels = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": bomb}
    table = pa.table([pa.array([b"x"])], schema=pa.schema([pa.field("a", pa.binary(), metadata=labels)]))
    for folder in (tmp_path / "arrow", tmp_path / "parquet"):
        folder.mkdir()
    feather.write_feather(table, str(tmp_path / "arrow" / "summary.arrow"))
    parquet.write_table(table, tmp_path / "parquet" / "summary.parquet")
    for folder in (tmp_path / "arrow", tmp_path / "parquet"):
        found = tables.read_table(folder, "summary")
        assert found is not None
        assert found.to_pylist() == [{"a": b"x"}]
    assert not went_off.exists()


def test_nothing_of_a_file_is_unpickled_or_run() -> None:
    package = Path(str(resources.files("supernode")))
    danger = re.compile(
        r"\bimport (pickle|marshal|shelve|dill|cloudpickle|joblib)\b|\bfrom (pickle|marshal|shelve)\b|allow_pickle|"
        r"(np|numpy|torch)\.load\(|\bread_pickle|yaml\.(unsafe_load|full_load|Loader|UnsafeLoader)|(?<![.\w])(eval|exec)\("
    )
    found = {p.name: m[0] for p in package.rglob("*.py") if (m := danger.search(p.read_text("utf-8")))}
    assert not found


@folders
@pytest.mark.parametrize("odd", ["pipe", "device", "loop", "folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(
    kind: str, format: str, odd: str, tmp_path: Path, bench: sn.Bench, swept: Path
) -> None:
    folder = made(kind, format, tmp_path / "x", bench, swept)
    victims = [path for path in folder.rglob("*") if path.suffix[1:] == format or path.name == "meta.json"]
    for victim in victims:
        kept = victim.read_bytes()
        victim.unlink()
        if odd == "pipe":
            os.mkfifo(victim)
        elif odd == "folder":
            victim.mkdir()
        else:
            victim.symlink_to("/dev/zero" if odd == "device" else victim)
        with pytest.raises(SpecError, match=r"regular file|does not exist|directory|missing|has no|0 rows"):
            LOADERS[kind](folder)
        victim.rmdir() if odd == "folder" else victim.unlink()
        victim.write_bytes(kept)
    LOADERS[kind](folder)


def test_a_table_that_expands_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a million equal rows of 16 bytes take a few thousand bytes
    table = pa.table({name: pa.array([1], pa.int64()).take(pa.array([0] * 10**6)) for name in ("a", "b")})
    path = tmp_path / "links.parquet"
    parquet.write_table(table, path)
    assert path.stat().st_size < 20_000
    assert tables.read_table(tmp_path, "links") == table
    monkeypatch.setattr(tables, "_memory", lambda: 15 * 10**6)
    with pytest.raises(SizeOverflowError, match=r"links.parquet: 1000000 rows of 16 bytes .* can have 15000000 bytes"):
        tables.read_table(tmp_path, "links")


WRONG: tuple[Any, ...] = (None, 3, -1, 1e300, "x", [], [1], {"a": 1}, True, 2**64)


def test_metadata_of_other_types_is_refused_or_of_no_harm(tmp_path: Path, bench: sn.Bench) -> None:
    bench[0].save(tmp_path)
    good = json.loads((tmp_path / "meta.json").read_text())
    refused = 0
    for key in good:
        for value in (*WRONG, "left out"):
            changed = {k: v for k, v in good.items() if k != key} | ({} if value == "left out" else {key: value})
            (tmp_path / "meta.json").write_text(json.dumps(changed))
            try:
                result = sn.Result.load(tmp_path)
            except SpecError as error:
                assert "meta.json" in str(error)
                refused += 1
                continue
            assert repr(result) and result == result and result.bound >= 0
            for name in (
                "bound_kind",
                "chosen_by",
                "efficiency",
                "overrides",
                "seed",
                "skipping",
                "versions",
                "wall_s",
            ):
                getattr(result, name)
    assert refused > 150


def test_summaries_that_are_no_summary_are_refused(tmp_path: Path, bench: sn.Bench) -> None:
    bench[0].save(tmp_path)
    good = bench[0].summary
    texts = pa.array(["x"])
    for bad, says in (
        (good.slice(0, 0), "0 rows"),
        (pa.concat_tables([good, good]), "2 rows"),
        (good.drop_columns(["busbw_gbytes_s"]), "busbw_gbytes_s .* missing"),
        (
            good.set_column(good.column_names.index("algbw_gbytes_s"), "algbw_gbytes_s", texts),
            "algbw_gbytes_s .* number",
        ),
    ):
        parquet.write_table(bad, tmp_path / "summary.parquet")
        with pytest.raises(SpecError, match=says):
            sn.Result.load(tmp_path)


def test_rows_that_are_no_bench_are_refused(tmp_path: Path, bench: sn.Bench) -> None:
    bench.save(tmp_path)
    for name, bad, says in (
        ("bench", pa.table({"a": [1]}), "does not have the columns"),
        ("summary", pa.table({"run": ["x"]}), "is no number of a run"),
        ("summary", pa.table({"run": pa.array([None], pa.int32())}), "is no number of a run"),
    ):
        kept = (tmp_path / f"{name}.parquet").read_bytes()
        parquet.write_table(bad, tmp_path / f"{name}.parquet")
        with pytest.raises(SpecError, match=says):
            sn.Bench.load(tmp_path)
        (tmp_path / f"{name}.parquet").write_bytes(kept)
    assert sn.Bench.load(tmp_path) is not None


def test_lists_of_sizes_that_never_end_are_refused() -> None:
    assert len(parse_sizes("1:60000:1,7")) == 60_001
    for text in ("1:60000:1," * 10_000 + "1", "1:1e18:1", "1:60000:1,1:60000:1"):
        with pytest.raises(SpecError, match="more than 100000 points"):
            parse_sizes(text)


def test_conditions_that_take_for_ever_are_refused() -> None:
    types = {"size": "uint64"}
    for text, says in (
        ("size = 1 AND " * 50_000 + "size = 1", "650008 characters, at most 10000"),
        ("size = 1 OR " * 800 + "size = 1", "too many parts"),
        ("(" * 3000 + "size = 1" + ")" * 3000, "is not valid"),
        ("size = '\udcb2'", "no text"),
    ):
        with pytest.raises(SpecError, match=says):
            Condition(text, types)
