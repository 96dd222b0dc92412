"""What the command line prints as JSON: one value that any parser reads, with the keys that docs/cli.md lists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.cli import main
from supernode.cli.output import print_json

PAGE = (Path(__file__).parents[1] / "docs" / "cli.md").read_text()
SWEEP = (
    "[base]\ncollective = 'all_reduce'\nsize = 4096\n"
    "[grid]\nsystem = ['hgx-h100']\nalgorithm = ['ring', 'double_binary_tree', 'rong']\n"
)


def strict(text: str) -> Any:
    """Parse JSON, and nothing that Python alone takes for it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    text.encode("ascii")
    return json.loads(text, parse_constant=refuse)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    done = capsys.readouterr()
    assert (end.value.code or 0) == code, done.err
    return strict(done.out)


def documented(title: str) -> list[str]:
    """Return the keys that the page lists for a command, in order."""
    row = re.search(rf"^\| `{re.escape(title)}` \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert row, title
    return re.findall(r"`([\w.]+)`", row[1])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "show", "nvl72:4", "--set", "link_latency=300 ns", "--json")
    assert list(found) == documented("show --json")
    assert found["accelerators"] == found["inventory"]["accelerators"] == 288
    assert found["overrides"] == {"link_latency": "300 ns"}
    (row,) = [row for row in found["parameters"] if row["name"] == "link_latency"]
    assert (row["value"], row["mark"]) == ("300 ns", "override")
    assert {level["network"] for level in found["inventory"]["levels"]} == {"scale_up", "scale_out"}


def test_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    for name in sn.systems()[::5]:
        assert printed(capsys, "show", name, "--json")["name"] == name


def test_explain_and_check(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "explain", "all_reduce", "hgx-h100", "--size", "8", "--json", "--fidelity", "analytic")
    assert list(found) == documented("explain --json")
    expected = sn.explain("hgx-h100", "all_reduce", size=8, fidelity="analytic").table
    assert found["candidates"] == expected.to_pylist()
    found = printed(capsys, "check", "all_reduce", "hgx-h100", "--size", "8", "--algo", "ring", "--json")
    assert list(found) == documented("check --json")
    # a ring of 8 ranks: 14 steps, in each a message of every rank
    assert (found["messages"], found["steps"]) == (8 * 14, 14)


def test_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.toml").write_text(
        "system = 'hgx-h100'\ncollective = 'all_reduce'\nsize = 4096\nalgorithm = 'ring'\nseed = 3\n"
    )
    found = printed(capsys, "run", "job.toml", "-o", "res", "--json")
    result = sn.all_reduce("hgx-h100", size=4096, algorithm="ring", seed=3)
    assert {key: found[key] for key in result.row} == result.row
    assert list(found) == [*result.row, *documented("run --json")]
    assert found["warnings"] == result.warnings
    assert all(Path(path).is_file() for path in found["files"])
    assert len(found["files"]) == 2


def test_a_barrier_has_no_bandwidth_and_is_json_nevertheless(capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.toml").write_text("system = 'hgx-h100'\ncollective = 'barrier'\n")
    assert printed(capsys, "run", "job.toml", "--json")["busbw_gbytes_s"] == 0


def test_a_bench_to_the_output_stream_is_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("bench", "all_reduce", "hgx-h100", "--sizes", "8,4096", "--algo", "ring")
    found = printed(capsys, *command, "-J", "-")
    assert [row["size"] for row in found["results"]] == [8, 4096]
    assert not Path("-").exists()
    with pytest.raises(SystemExit):
        main([*command, "-J", "sim.json"])
    kept = strict(Path("sim.json").read_text())
    assert found["results"] == kept["results"]
    Path("sim.json").write_text(json.dumps(found))
    assert sn.bench("all_reduce", "hgx-h100", sizes=4096).compare("sim.json").num_rows == 1


def test_sweeps(capsys: pytest.CaptureFixture[str]) -> None:
    Path("sweep.toml").write_text(SWEEP)
    for command in ("run", "retry"):
        found = printed(capsys, "sweep", command, "sweep.toml", "-o", "out", "--json", code=1)
        assert list(found) == documented("sweep run --json")
        assert list(found.values()) == [3, 2, 1, 0]
    found = printed(capsys, "sweep", "status", "out", "--json")
    assert list(found) == documented("sweep status --json")
    (kind,) = found["failures"]
    assert (kind["error"], kind["points"]) == ("SpecError", 1)
    assert kind["message"].startswith("unknown algorithm 'rong'")
    rows = printed(capsys, "sweep", "pareto", "sweep.toml", "-o", "out", "time_ns", "switches", "--json")
    assert [row["asked.algorithm"] for row in rows] == ["double_binary_tree"]
    found = printed(capsys, "sweep", "merge", "out", "-o", "p.parquet", "--json")
    assert list(found) == documented("sweep merge --json")
    assert found == {"file": "p.parquet", "points": 2}


def test_convert_says_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "convert", *_system(), "x.graphml", "--json")
    assert list(found) == documented("convert --json")
    assert found["file"] == "x.graphml"
    assert found["accelerators"] == 8
    assert found["left_out"], "GraphML holds no software stack"


def _system() -> list[str]:
    sn.System.preset("hgx-h100").save("s.toml")
    return ["s.toml"]


def test_numbers_that_are_none_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), float("-inf"), 1.5], "\u00b5": (1, None)})
    assert strict(capsys.readouterr().out) == {"a": [None, None, 1.5], "\u00b5": [1, None]}
