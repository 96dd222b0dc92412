"""The command line: exit codes, streams, files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import supernode as sn
from supernode.cli import main
from supernode.cli.options import check_complete


def supernode(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supernode", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=120)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    done = capsys.readouterr()
    return int(end.value.code or 0), done.out, done.err


def test_every_keyword_of_simulate_is_an_option() -> None:
    assert check_complete() == set()


def test_plot_to_stdout_and_to_files(tmp_path: Path) -> None:
    done = supernode("plot", "hgx-h100", "--set", "link_latency=90 ns")
    assert done.returncode == 0, done.stderr
    assert done.stdout == sn.System.preset("hgx-h100", link_latency="90 ns").plot().svg
    assert supernode("plot", "nvl72", "-o", str(tmp_path / "x.png"), "--scale", "1").returncode == 0
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    done = supernode("plot", "nvl72", "-o", str(tmp_path / "x.pdf"))
    assert (done.returncode, done.stdout) == (2, "")
    assert ".svg, .png" in done.stderr


def test_bench_prints_the_table_of_nccl_tests(tmp_path: Path) -> None:
    target = tmp_path / "sim.json"
    done = supernode(
        "bench", "all_reduce", "nvl72", "-b", "8", "-e", "64K", "-f", "8", "--algo", "ring,auto", "-J", str(target)
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if not line.startswith("#")]
    assert [int(r[0]) for r in rows] == 2 * [8, 64, 512, 4096, 32768]
    assert rows[0][1:5] == ["2", "float", "sum", "-1"]
    assert rows[0][10] == "ring"
    assert "(B)" in done.stdout
    assert "Avg bus bandwidth" in done.stdout
    assert "warning: system nvl72 uses assumed or unknown values" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(json.loads(target.read_text())["results"]) == 10


def test_bench_writes_a_folder(tmp_path: Path) -> None:
    done = supernode("bench", "all_gather", "hgx-h100", "-b", "1K", "-e", "4K", "-i", "1K", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "bench.parquet", "summary.parquet", "nccl_tests.json", "meta.json",
    }  # fmt: skip
    assert done.stderr.count("wrote ") == 4


def test_run_a_job(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text(
        'system = { preset = "hgx-h100", switch_latency = "200 ns" }\n'
        'collective = "all_to_all"\nsize = "1 MiB"\nrecord = ["levels", "links", "ranks"]\nfidelity = "packet"\n'
    )
    done = supernode("run", str(job), "-o", str(tmp_path / "res"))
    assert done.returncode == 0, done.stderr
    assert "hgx-h100[switch_latency=200 ns]" in done.stdout
    assert {p.name for p in (tmp_path / "res").iterdir()} == {
        "summary.parquet", "levels.parquet", "links.parquet", "ranks.parquet", "meta.json",
    }  # fmt: skip


def test_a_run_too_large_says_what_would_need_less() -> None:
    options = ["-b", "1M", "-e", "1M", "--fidelity", "packet", "--no-fold", "--record", "levels,links"]
    done = supernode("bench", "all_to_all", "nvl72", *options, "--memory-limit", "64 KiB")
    assert done.returncode == 1, done.stderr
    assert "65536 are allowed" in done.stderr
    assert "record levels instead of links" in done.stderr
    assert "Traceback" not in done.stderr


def test_systems_and_show() -> None:
    done = supernode("systems")
    assert done.returncode == 0
    assert all(name in done.stdout for name in sn.systems())
    done = supernode("show", "cloudmatrix384", "--set", "planes=6")
    assert done.returncode == 0
    assert "override" in done.stdout
    assert "assumed or unknown" in done.stdout
    assert "planes = 6: instead of 7 (published)" in done.stdout
    assert "bisection    64,512 GB/s one way" in done.stdout
    done = supernode("show", "cloudmatrix384", "--set", "plans=6")
    assert done.returncode == 2
    assert "unknown parameter of preset cloudmatrix384 'plans'; did you mean 'planes'?" in done.stderr


def test_settings_reach_a_job_and_its_result(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text('system = "hgx-h100"\ncollective = "all_reduce"\nsize = "1 KiB"\n')
    done = supernode("run", str(job), "--set", "switch_latency=200 ns", "--set", "ll.launch=1 us", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    meta = json.loads((tmp_path / "meta.json").read_text())
    assert meta["overrides"] == {"switch_latency": "200 ns", "ll.launch": "1 us"}
    assert meta["effective"]["system"]["networks"][0]["switches"][0]["latency_fs"] == 200 * 10**6
    done = supernode("bench", "all_reduce", "hgx-h100", "--sizes", "1K", "--set", "swich_latency=200 ns")
    assert done.returncode == 2
    assert "did you mean 'switch_latency'" in done.stderr


def test_explain_and_check() -> None:
    done = supernode("explain", "all_reduce", "hgx-h100:4", "--size", "1MiB")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in sn.algorithms())
    done = supernode("check", "all_reduce", "hgx-h100", "--size", "1MiB", "--algo", "ring")
    assert done.returncode == 0, done.stderr
    assert "correct" in done.stdout


def test_version() -> None:
    assert f"supernode {sn.__version__}" in supernode("--version").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bench", "all_reduce", "nvl73"], "did you mean 'nvl72'"),
        (["bench", "all_redcue", "nvl72"], "did you mean 'all_reduce'"),
        (["bench", "all_reduce", "nvl72", "--algo", "rong"], "did you mean 'ring'"),
        (["bench", "all_reduce", "nvl72", "-b", "8q"], "unknown unit 'q'"),
        (["bench", "all_reduce", "nvl72", "-b", "0"], "more than zero"),
        (["bench", "all_reduce", "nvl72", "-b", "-8"], "more than zero"),
        (["bench", "all_reduce", "nvl72", "-e", "4"], "below the first"),
        (["bench", "all_reduce", "nvl72", "--sizes", ""], "not a number"),
        (["bench", "all_reduce", "nvl72", "-f", "1"], "at least 2"),
        (["bench", "all_reduce", "nvl72", "-f", "2", "-i", "8"], "not both"),
        (["bench", "all_reduce", "nvl72", "--ranks", "100", "-e", "8"], "100"),
        (["bench", "all_reduce", "nvl72", "--threads", "x"], "--threads"),
        (["bench", "all_reduce", "nvl72", "--placement", "a,b"], "placement"),
        (["bench", "all_reduce", "nvl72", "--set", "link_latency"], "NAME=VALUE"),
        (["bench", "all_reduce", "nvl72", "--set", "link_latncy=1"], "did you mean 'link_latency'"),
        (["bench", "all_reduce", "nvl72:4", "--set", "nic_switch_radix=7", "-e", "8"], "radix 7"),
        (["bench", "all_reduce", "nvl72", "--record", "packets", "-e", "8"], "unknown table 'packets'"),
        (["bench", "all_reduce", "nvl72", "--frobnicate"], "--frobnicate"),
        (["bench", "all_reduce"], "system"),
        (["frobnicate"], "frobnicate"),
        (["show", "nvl"], "unknown system"),
        (["run", "missing.toml"], "error: job file 'missing.toml' does not exist"),
        (["run", "."], "job file '.' is a directory"),
        (["show", "./"], "is a directory"),
        (["explain", "all_reduce", "nvl72"], "needs one"),
        (["check", "all_reduce", "nvl72", "--size", "8", "--algo", "bruck"], "bruck"),
    ],
)
def test_bad_input_is_exit_code_2(arguments: list[str], says: str) -> None:
    done = supernode(*arguments)
    assert done.returncode == 2, done.stderr
    assert says.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sistem = 'nvl72'", "did you mean 'system'"),
        ("system = 'nvl72'", "collective is missing"),
        ("system = 'nvl72'\ncollective = 'all_reduce'\nsize = 'big'", "not a number and a unit"),
        ("system = {}\ncollective = 'all_reduce'\nsize = 8", "with 'preset'"),
        ("system = 'nvl72'\ncollective = ['all_reduce']", "must be a name"),
        ("system = ", "not valid TOML"),
    ],
)
def test_bad_jobs(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "job.toml").write_text(text)
    done = supernode("run", "job.toml", "-o", "res", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert not (tmp_path / "res").exists()


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"collective = 'r\xe9duction'\n")
    for command in ("run", "show"):
        done = supernode(command, "latin.toml", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "latin.toml: not UTF-8" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_failed_simulation_is_exit_code_1(tmp_path: Path) -> None:
    done = supernode("bench", "all_reduce", "hgx-h100", "--sizes", "1 GiB", "--fidelity", "packet", "--algo", "ring",
                     "--time-limit", "1 us", "-J", str(tmp_path / "sim.json"))  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "path", "says"),
    [
        ("-J", "file/sim.json", "cannot be written"),
        ("-J", ".", "is a directory"),
        ("-o", "file", "is a file"),
        ("-o", "file/out", "cannot be written"),
    ],
)
def test_an_output_that_cannot_be_made_is_exit_code_2(tmp_path: Path, option: str, path: str, says: str) -> None:
    (tmp_path / "file").write_text("")
    done = supernode("bench", "all_reduce", "hgx-h100", "--sizes", "8", option, path, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert f"output {path!r} {says}" in done.stderr
    assert done.stdout == "", "nothing runs before the path is known to work"
    assert "Traceback" not in done.stderr


def test_a_format_of_tables_is_checked_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text('system = "hgx-h100"\ncollective = "barrier"\n')
    for arguments in (["bench", "all_reduce", "hgx-h100", "--sizes", "8"], ["run", "job.toml"]):
        done = supernode(*arguments, "-o", "out", "--format", "csv", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "format 'csv' is not valid; use one of parquet, arrow" in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_closed_pipe_is_silent() -> None:
    command = f"{sys.executable} -m supernode show cloudmatrix384 | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bench", "all_reduce", "hgx-h100", "-b", "x"], "-b: 'x' is not a number"),
        (["bench", "all_reduce", "hgx-h100", "--minbytes=x"], "--minbytes: 'x' is not a number"),
        (["bench", "all_reduce", "hgx-h100", "-ex"], "-e: 'x' is not a number"),
        (["bench", "all_reduce", "hgx-h100", "-f", "1"], "-f: 1 is not valid"),
        (["bench", "all_reduce", "hgx-h100", "-i", "x"], "-i: 'x' is not a number"),
        (["bench", "all_reduce", "hgx-h100", "-e", "4"], "-e: the last size '4' is below the first"),
        (["bench", "all_reduce", "hgx-h100", "--sizes", "8:4"], "--sizes: the last size '4' is below the first"),
        (["bench", "all_reduce", "hgx-h100", "--algorithm", "rong"], "--algorithm: unknown algorithm 'rong'"),
        (["bench", "all_reduce", "hgx-h100", "--algo", "rong"], "--algo: unknown algorithm 'rong'"),
        (["bench", "all_reduce", "hgx-h100", "--record", "x"], "--record: unknown table 'x'"),
        (["explain", "all_reduce", "hgx-h100", "-s", "big"], "-s: 'big' is not a number"),
        (["explain", "all_reduce", "hgx-h100", "--size", "big"], "--size: 'big' is not a number"),
        (["explain", "all_reduce", "hgx-h100", "-s", "8", "-d", "x"], "-d: unknown dtype 'x'"),
        (
            ["explain", "all_reduce", "hgx-h100", "-s", "8", "--flow-control", "x"],
            "--flow-control: unknown flow control",
        ),
        (["show", "hgx-h100", "--set", "link_latency=3 parsec"], "--set link_latency: scale_up latency: unknown unit"),
        (["bench", "all_reduce", "hgx-h100", "--set", "link_latency=x"], "--set link_latency: "),
        (["sweep", "run", "sweep.toml", "-o", "out", "-j", "0"], "-j: 0 is not valid"),
        (["sweep", "run", "sweep.toml", "-o", "out", "--workers", "0"], "--workers: 0 is not valid"),
        (["sweep", "run", "sweep.toml", "-o", "out", "--shard", "5/3"], "--shard: 5 is not valid"),
    ],
)
def test_a_wrong_value_names_the_option_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.toml").write_text("[base]\ncollective = 'all_reduce'\nsize = 8\nsystem = 'hgx-h100'\n")
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert f"error: {says}" in err
    assert not Path("out").exists() or arguments[0] == "sweep"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("size = 'big'", "size: 'big' is not a number"),
        ("size = 8\nalgorithm = 'rong'", "unknown algorithm 'rong'"),
        ("size = 8\nthreads = 'x'", "threads: 'x' is not valid"),
        ("size = 8\nflow_control = 'x'", "unknown flow control 'x'"),
        ("size = 8\nsystem.link_latency = '3 parsec'", "link_latency: scale_up latency: unknown unit 'parsec'"),
        ("size = 8\nplacement = [0, 0]", "placement: 0 is not valid"),
        ("size = 1048576\nfidelity = 'packet'\ntime_limit = '1 ns'", "limit"),
    ],
)
def test_an_error_of_a_file_names_its_key_and_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text(f"collective = 'all_reduce'\nsystem.preset = 'hgx-h100'\n{line}\n")
    code, out, err = call(capsys, "run", "job.toml")
    assert (code, out) == (1 if "limit" in line else 2, "")
    assert err.startswith("error: job job.toml: ")
    assert says in err
    assert "--" not in err, "an option was named that nobody typed"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[base]\nsize = 'big'", "size: 'big' is not a number"),
        ("[grid]\nsize = [8, 'big']", "size: 'big' is not a number"),
        ("sample = 'x'\n[base]\nsize = 8", "sample: 'x' is not valid"),
        ("partition = 'x'\n[base]\nsize = 8", "unknown parameter of partition 'x'"),
    ],
)
def test_an_error_of_a_sweep_file_names_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    more = "[zip]\nsystem = ['hgx-h100']\ncollective = ['all_reduce']\n"
    Path("sweep.toml").write_text(f"{text}\n{more}")
    for command in ("run", "retry"):
        code, out, err = call(capsys, "sweep", command, "sweep.toml", "-o", "out")
        assert (code, out) == (2, "")
        assert err.startswith("error: sweep sweep.toml: ")
        assert says in err
        assert "--" not in err


def test_warnings_of_a_job_name_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text(
        "system = 'hgx-h100'\ncollective = 'barrier'\nfidelity = 'analytic'\nthreads = 2\nself_check = true\n"
    )
    code, _, err = call(capsys, "run", "job.toml")
    assert code == 0
    assert "warning: threads has no effect" in err
    assert "warning: self_check=True has no effect" in err
    assert call(capsys, "run", "job.toml", "-o", "res", "--format", "csv")[2].startswith("error: format 'csv'")


def test_a_reader_that_goes_away_ends_a_command_quietly() -> None:
    for command in ("bench all_reduce hgx-h100 -e 64K", "show nvl72 --json", "systems", "bench --help"):
        script = f"set -o pipefail; {sys.executable} -W ignore -m supernode {command} | head -n 1 >/dev/null"
        done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_text_beyond_the_locale_is_escaped() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "supernode"]
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for words in (["explain", "all_reduce", "hgx-h100", "--size", "1 \u03bcs"], ["show", "\u03bc"]):
        done = subprocess.run([*command, *words], capture_output=True, check=False, timeout=60, env=env)
        assert done.returncode == 2
        assert b"\\u03bc" in done.stderr
        assert b"Traceback" not in done.stderr


def test_an_output_stream_that_is_closed_or_full() -> None:
    run = f"{sys.executable} -W ignore -m supernode"
    for redirect, code in ((">&-", 0), (">/dev/full", 1)):
        command = f"{run} bench all_reduce hgx-h100 -e 16 {redirect}"
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code
        assert "Traceback" not in done.stderr
        assert ("No space left" in done.stderr) == (code == 1)


def test_self_check_is_a_flag() -> None:
    common = ("bench", "all_reduce", "hgx-h100", "-b", "1M", "-e", "1M", "--algo", "ring", "--self-check", "--fidelity")
    checked, idle = (supernode(*common, fidelity) for fidelity in ("packet", "analytic"))
    assert (checked.returncode, idle.returncode) == (0, 0), checked.stderr + idle.stderr
    assert "self_check" not in checked.stderr
    assert "warning: --self-check has no effect" in idle.stderr


def test_a_sweep_says_why_points_failed_and_what_is_missing(tmp_path: Path) -> None:
    # switches of an A100 board do not add
    base = '[base]\ncollective = "all_reduce"\nsize = 1024\nsystem = "hgx-a100"\n'
    text = base + '[grid]\nalgorithm = ["ring", "in_network"]\n'
    (tmp_path / "s.toml").write_text(text)
    done = supernode("sweep", "run", "s.toml", "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 2 points ran, 1 failed" in done.stdout
    assert "  1 AlgorithmError, as: " in done.stderr
    merged = supernode("sweep", "merge", "out", "-o", "all.parquet", cwd=tmp_path)
    assert merged.returncode == 0
    assert "only a part of the sweep: 1 of 2 points ran, 1 failed, 0 left" in merged.stderr
