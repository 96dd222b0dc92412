"""Shells complete what users type: through the protocol that the shells use, and in bash itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from supernode.cli.app import app

#: What takes long to import; a shell waits for the answer at every press of the key.
HEAVY = ("numpy", "polars", "pyarrow", "altair", "vl_convert")


def completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, last: str = ""
) -> list[str]:
    """Return what bash would offer for the last word."""
    monkeypatch.setenv("_SUPERNODE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["supernode", *words, last]))
    monkeypatch.setenv("COMP_CWORD", str(len(words) + 1))
    with pytest.raises(SystemExit):
        app(prog_name="supernode")
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("words", "last", "expected"),
    [
        ("", "sh", ["show"]),
        ("", "c", ["check", "compare", "calibrate", "convert"]),
        ("sweep", "r", ["run", "retry"]),
        ("show", "nvl", ["nvl72"]),
        ("plot", "cloudmatrix384-d", ["cloudmatrix384-dies"]),
        ("bench", "all_re", ["all_reduce"]),
        ("bench all_reduce", "hgx-h1", ["hgx-h100"]),
        ("compare", "hgx-a", ["hgx-a100"]),
        ("compare hgx-a100", "hgx-a", ["hgx-a100"]),
        ("compare a b --collective", "barr", ["barrier"]),
        ("bench all_reduce nvl72 --algo", "rin", ["ring"]),
        ("bench all_reduce nvl72 --algorithm", "ring,dou", ["ring,double_binary_tree"]),
        ("bench all_reduce nvl72 --stack", "n", ["nccl", "none"]),
        ("bench all_reduce nvl72 --fidelity", "p", ["packet"]),
        ("bench all_reduce nvl72 --routing", "spray", ["spray_round_robin", "spray_random"]),
        ("bench all_reduce nvl72 --flow-control", "c", ["credit"]),
        ("bench all_reduce nvl72 --record", "levels,li", ["levels,links"]),
        ("bench all_reduce nvl72 -d", "bf", ["bfloat16"]),
        ("bench all_reduce nvl72 --format", "", ["parquet", "arrow"]),
        ("bench all_reduce nvl72", "--minb", ["--minbytes"]),
        ("plot res --chart", "links", ["links", "links-by-number"]),
        ("explain all_reduce nvl72 --fidelity", "f", ["flow"]),
        ("convert a b --from", "infra", ["infragraph", "infragraph-json"]),
        ("convert a b --to", "gra", ["graphml"]),
        # nothing is offered where a file is meant: then the shell completes its name
        ("run", "job", []),
        ("show", "./my", []),
        ("sweep run", "swe", []),
        ("bench all_reduce nvl72 -J", "sim", []),
    ],
)
def test_words_complete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, last: str, expected: list[str]
) -> None:
    assert completed(monkeypatch, capsys, *words.split(), last=last) == expected


def test_the_answer_imports_nothing_heavy() -> None:
    env = {**os.environ, "_SUPERNODE_COMPLETE": "complete_bash", "COMP_WORDS": "supernode bench all_reduce nvl"}
    command = [sys.executable, "-X", "importtime", "-m", "supernode"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**env, "COMP_CWORD": "3"})
    assert done.stdout.split() == ["nvl72"]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "supernode.cli.app" in imported
    assert imported.isdisjoint(HEAVY)


def test_bash_itself(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    program = tmp_path / "supernode"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -W ignore -m supernode "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(supernode --show-completion bash)"
        complete -p supernode
        COMP_WORDS=(supernode show hgx-h) COMP_CWORD=2
        _supernode_completion supernode
        echo "${COMPREPLY[@]}"
    """
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([bash, "--norc", "-c", script], capture_output=True, text=True, check=False, env=env)
    rule, names = done.stdout.splitlines()
    # files where the function offers nothing
    assert "-o default" in rule
    assert names.split() == ["hgx-h100", "hgx-h200"]
