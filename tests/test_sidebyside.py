"""Two sides, point by point: results, benches, measured files and systems."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import supernode as sn
from supernode.errors import SpecError
from supernode.result.sidebyside import load_side, points, points_schema, side_of

SIZES = [1 << 16, 1 << 20]


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    line = [sys.executable, "-W", "ignore", "-m", "supernode", "compare", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a bench, of one of two algorithms and of a result, and a measured file."""
    folder = tmp_path_factory.mktemp("saved")
    one = sn.bench("all_reduce", "hgx-h100", sizes=SIZES, algorithms=["ring"])
    one.save(folder / "one")
    one.to_nccl_tests(folder / "one.json")
    sn.bench("all_reduce", "hgx-a100", sizes=SIZES, algorithms=["ring", "tree"]).save(folder / "two")
    sn.all_reduce("hgx-h100", size=1 << 20, algorithm="ring").save(folder / "result")
    sn.bench("all_gather", "hgx-h100", sizes=SIZES).save(folder / "gather")
    return folder


def test_points_are_joined_and_divided(saved: Path) -> None:
    table = points(load_side(saved / "one"), load_side(saved / "one.json"))
    assert table.schema == points_schema()
    assert table["size_bytes"].to_pylist() == SIZES
    # the file has microseconds with two digits
    assert table["ratio"].to_pylist() == pytest.approx([1, 1], rel=1e-3)
    assert table["algorithm_b"].to_pylist() == [None, None]
    part = points(load_side(saved / "one"), load_side(saved / "result"))
    assert (part["size_bytes"].to_pylist(), part["ratio"].to_pylist()) == ([1 << 20], [1.0])
    a100, h100 = (sn.all_reduce(name, size=1 << 20, algorithm="ring") for name in ("hgx-a100", "hgx-h100"))
    row = points(side_of(h100, "h"), side_of(a100, "a")).to_pylist()[0]
    assert row["ratio"] == a100.time_ns / h100.time_ns
    assert (row["busbw_a_gbytes_s"], row["fidelity_a"]) == (h100.busbw_gbytes_s, "packet")


def test_algorithms_are_joined_by_name(saved: Path) -> None:
    two = load_side(saved / "two")
    assert points(two, two)["ratio"].to_pylist() == [1.0] * 4
    joined = points(load_side(saved / "one"), two)
    assert joined["requested"].to_pylist() == ["ring", "ring"]
    with pytest.raises(SpecError, match="several rows of 65536 bytes; compare one algorithm each"):
        points(two, load_side(saved / "one.json"))
    with pytest.raises(SpecError, match=r"no point in common: .* has sizes 65536, 1048576"):
        points(load_side(saved / "one"), load_side(saved / "gather"))


def test_what_is_no_side_is_named(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(SpecError, match="does not exist"):
        load_side(tmp_path / "nothing")
    with pytest.raises(SpecError, match=r"has no meta\.json"):
        load_side(tmp_path)
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(SpecError, match="not a -J file"):
        load_side(tmp_path / "x.json")
    (tmp_path / "meta.json").write_text('{"kind": "tune"}')
    with pytest.raises(SpecError, match="holds a tune; give one of a result or a bench"):
        load_side(tmp_path)


def test_the_command_takes_folders_files_and_systems(saved: Path) -> None:
    done = command(saved / "one", saved / "one.json")
    assert done.returncode == 0 and "# median of b / a: 1.000" in done.stdout
    rows = json.loads(command("hgx-a100", saved / "one", "--json").stdout)
    assert [row["size_bytes"] for row in rows] == SIZES
    assert all(row["collective"] == "all_reduce" and row["ratio"] > 0 for row in rows)
    both = command("hgx-a100", "hgx-h100", "--collective", "all_gather", "--sizes", "1 MiB")
    assert both.stdout.splitlines()[0] == "# a: hgx-a100"
    # a collective is known from the folder
    assert json.loads(command("hgx-a100", saved / "gather", "--json").stdout)[0]["collective"] == "all_gather"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("one", "one.json", "--sizes", "1"), "--sizes has no effect: both sides are results"),
        (("one", "one", "--collective", "all_gather"), "--collective has no effect"),
        (("hgx-h100", "nowhere"), "unknown system 'nowhere'"),
        (("hgx-h100", "one", "--collective", "broadcast"), "has no rows of broadcast; it has all_reduce"),
    ],
)
def test_the_command_says_what_is_wrong(saved: Path, words: tuple[str, ...], said: str) -> None:
    done = command(*(saved / word if word.startswith("one") else word for word in words))
    assert done.returncode in (1, 2) and said in done.stderr
    assert "Traceback" not in done.stderr
