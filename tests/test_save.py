"""Files and folders appear whole or not at all, whenever the program ends."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import supernode as sn
from conftest import star
from supernode.errors import OutputError, SpecError
from supernode.files import write as files
from supernode.files.folders import whole_folder
from supernode.files.write import atomic_path, write_table


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
    with pytest.raises(OutputError, match="cannot be written: No space left") as caught:
        result().save(tmp_path / "res")
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == 28
    assert list(tmp_path.iterdir()) == []


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
    folder = tmp_path / "folder"
    folder.mkdir()
    with whole_folder(tmp_path / "new", ()):
        pass
    assert (tmp_path / "new").stat().st_mode == folder.stat().st_mode


def write(folder: Path, **content: str) -> None:
    with whole_folder(folder, {"a", "b", "meta.json"}) as stage:
        for name, text in content.items():
            (stage / name.replace("_", ".")).write_text(text)


def test_a_folder_is_replaced_and_files_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, a="1", b="1", meta_json="1")
    (folder / "notes.txt").write_text("mine")
    (folder / "link").symlink_to("nowhere")
    write(folder, a="2", meta_json="2")
    found = {p.name: "" if p.is_symlink() else p.read_text() for p in folder.iterdir()}
    assert found == {"a": "2", "meta.json": "2", "notes.txt": "mine", "link": ""}
    assert list(tmp_path.iterdir()) == [folder], "nothing is left beside it"


def test_a_failed_folder_keeps_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, a="1", meta_json="1")
    with pytest.raises(KeyboardInterrupt), whole_folder(folder, {"a"}) as stage:
        (stage / "a").write_text("half")
        raise KeyboardInterrupt
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"a": "1", "meta.json": "1"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("reason", ["a folder in it", "the current directory", "no exchange"])
def test_a_folder_that_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    folder = tmp_path / "out"
    write(folder, a="1", b="1", meta_json="1")
    (folder / "notes.txt").write_text("mine")
    inode = folder.stat().st_ino
    if reason == "a folder in it":
        (folder / "sub").mkdir()
    elif reason == "the current directory":
        monkeypatch.chdir(folder)
    else:
        monkeypatch.setattr("supernode.files.folders._exchange", lambda *_: False)
    write(folder, a="2", meta_json="2")
    found = {p.name: p.read_text() for p in folder.iterdir() if p.is_file()}
    assert found == {"a": "2", "meta.json": "2", "notes.txt": "mine"}
    assert folder.stat().st_ino == inode, "it is the same folder"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    write(tmp_path / "out", a="1")
    write(tmp_path / "out", a="2")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real" / "a").read_text() == "2"


# One process imports everything once and forks savers, which it kills at random moments.
KILLS = """
    import json, os, random, signal, sys, time
    from pathlib import Path
    import supernode as sn

    place, in_place = Path(sys.argv[1]), sys.argv[2] == "in place"
    fabric = sn.Switched(bandwidth="1 GB/s", latency="1 ns")
    star = sn.System("s").scale_up(count=8, fabric=fabric)

    def contents(folder):
        return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} if folder.exists() else None

    def child(work):
        number = os.fork()
        if number == 0:
            try:
                work()
            finally:
                os._exit(0)
        return number

    def save_references():
        # two runs that leave different tables
        sn.all_to_all(star, size="16 KiB", record=["links", "ranks"]).save(place / "a")
        sn.all_reduce(star, size="1 MiB", record=["flows"]).save(place / "b")

    os.waitpid(child(save_references), 0)
    valid = [contents(place / "a"), contents(place / "b")]
    target = place / "out"
    if in_place:
        (target / "other").mkdir(parents=True)

    def save_forever():
        results = [sn.Result.load(place / "a"), sn.Result.load(place / "b")]
        (place / "ready").touch()
        while True:
            for each in results:
                each.save(target)

    random.seed(1)
    counts = {"whole": 0, "absent": 0, "mixed": 0}
    for _ in range(int(sys.argv[3])):
        (place / "ready").unlink(missing_ok=True)
        saver = child(save_forever)
        while not (place / "ready").exists():
            time.sleep(0.001)
        # a busy machine may take longer than the pause for the first save
        while not in_place and not (target / "meta.json").exists():
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.05))
        os.kill(saver, signal.SIGKILL)
        os.waitpid(saver, 0)
        found = contents(target)
        if found in valid:
            counts["whole"] += 1
        elif not found or "meta.json" not in found:
            counts["absent"] += 1
        else:
            counts["mixed"] += 1
    print(json.dumps(counts))
"""

#: ``make test-all`` tries more.
TRIES = 10 if "SUPERNODE_SLOW" in os.environ else 4


def killed(place: Path, mode: str, tries: int) -> dict[str, int]:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLS), str(place), mode, str(tries)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_a_killed_save_leaves_the_old_folder_or_the_new_one(tmp_path: Path) -> None:
    tries = 4 * TRIES
    found = killed(tmp_path, "beside", tries)
    assert found == {"whole": tries, "absent": 0, "mixed": 0}


def test_a_killed_save_in_place_never_mixes(tmp_path: Path) -> None:
    found = killed(tmp_path, "in place", 2 * TRIES)
    assert found["mixed"] == 0
    assert found["whole"] >= 1


FULL = """
    import resource, signal, sys
    import supernode as sn
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    star = sn.System("s").scale_up(count=8, fabric=sn.Switched(bandwidth="1 GB/s", latency="1 ns"))
    result = sn.all_to_all(star, size="16 KiB", record=["links", "flows"])
    bench = sn.bench("all_reduce", star, sizes="1K:4K")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    tries = {
        "result": lambda: result.save(sys.argv[1]), "bench": lambda: bench.save(sys.argv[1]),
        "nccl": lambda: bench.to_nccl_tests("sim.json"), "system": lambda: star.save("s.yaml"),
        "toml": lambda: star.to_toml("s.toml"), "plot": lambda: star.plot().save("s.svg"),
    }
    for name, attempt in tries.items():
        try:
            attempt()
        except sn.errors.OutputError as error:
            print(name, error.errno, error)
"""


def test_a_disk_that_takes_no_more_is_a_typed_error(tmp_path: Path) -> None:
    old = result()
    old.save(tmp_path / "out")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FULL), "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [name for name, *_ in lines] == ["result", "bench", "nccl", "system", "toml", "plot"], done.stdout
    assert all(text.startswith("output '") and text.endswith("cannot be written: File too large") for *_, text in lines)
    assert lines[0][2].startswith("output 'out/summary.parquet'"), "not the folder that was made beside it"
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"], "nothing half-written is left"
