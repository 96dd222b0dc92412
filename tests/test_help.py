"""Help texts: readable at the width of any terminal, and every example in them runs as it is printed."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

import supernode as sn
from supernode.cli import main
from supernode.cli.app import app
from supernode.cli.command import sections
from supernode.cli.headings import ORDER

TOPOLOGY = Path(__file__).parent / "data" / "nvswitch.xml"
#: Commands whose examples make the files that examples of others read come first.
FIRST = ("run", "bench", "convert", "sweep run")


def commands() -> dict[str, Any]:
    """Return every command by what is typed."""
    top: Any = typer.main.get_command(app)
    found = {name: command for name, command in top.commands.items() if not hasattr(command, "commands")}
    sweep = top.commands["sweep"].commands
    return found | {f"sweep {name}": command for name, command in sweep.items()}


COMMANDS = commands()
EXAMPLES = [
    (name, line)
    for name in sorted(COMMANDS, key=lambda n: (n not in FIRST, FIRST.index(n) if n in FIRST else 0, n))
    for line in sections(COMMANDS[name].help)["Examples"].splitlines()
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files that examples name, and no others."""
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text(
        'system = "hgx-h100"\ncollective = "all_reduce"\nsize = "64 KiB"\nalgorithm = "ring"\n'
        'record = ["levels", "links"]\n'
    )
    Path("workload.toml").write_text(
        'system = "hgx-h100"\n[[job]]\naxes = { tp = 8 }\noperation = [{ kind = "all_reduce", size = "64 KiB" }]\n'
    )
    Path("sweep.toml").write_text(
        '[base]\ncollective = "all_reduce"\nsize = "64 KiB"\nalgorithm = "ring"\n'
        '[grid]\nsystem = ["hgx-h100", "hgx-a100", "hgx-h100:2"]\n'
    )
    Path("measured.csv").write_text(
        "collective,ranks,bytes,time_us\nall_reduce,8,8192,27.0\nall_reduce,8,67108864,350\n"
    )
    Path("curves.toml").write_text('[[curve]]\nname = "h100"\nsystem = "hgx-h100"\nmeasured = "measured.csv"\n')
    Path("topo.xml").write_bytes(TOPOLOGY.read_bytes())
    Path("ring.goal").write_text("num_ranks 2 rank 0 { send 64b to 1 } rank 1 { recv 64b from 0 }")
    steps = sn.Workload(sn.DeviceMesh(r=8))
    steps.all_reduce(size="64 KiB")
    sn.simulate("hgx-h100", steps, record=["iterations"]).save("steps")
    return tmp_path


def test_every_command_has_examples_that_begin_with_it() -> None:
    assert {name for name, _ in EXAMPLES} == set(COMMANDS)
    for name, line in EXAMPLES:
        assert line.startswith(f"supernode {name}"), line


def test_every_example_runs_as_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("vl_convert")
    # in one test, since one reads what another writes
    for _, line in EXAMPLES:
        words = shlex.split(line)
        target = words[words.index(">") + 1] if ">" in words else None
        with pytest.raises(SystemExit) as end:
            main(words[1 : words.index(">")] if target else words[1:])
        done = capsys.readouterr()
        assert end.value.code in (0, None), (line, done.err)
        assert done.out or "wrote " in done.err, line
        for name in [w for w in words if w.endswith((".svg", ".png", ".html", ".parquet", ".json"))]:
            assert (folder / name).is_file() or name == target, line
        if target:
            (folder / target).write_text(done.out)


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("name", ["", "sweep", *COMMANDS])
def test_help_fits_the_terminal(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as end:
        main([*name.split(), "--help"])
    assert end.value.code in (0, None)
    text = capsys.readouterr().out
    # examples and codes are lines as they are, which a narrow terminal wraps
    body = text.partition("\nExamples:\n")[0].partition("Exit codes:\n")[0]
    assert max(map(len, body.splitlines())) <= max(columns, 50), body  # no library breaks lines further
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    for code in ("0    success", "2    wrong usage", "130  interrupted"):
        assert f"  {code}" in text or name == "sweep"
    if columns == 80 and name in ("", "sweep"):
        assert "..." not in text.partition("Commands:\n")[2], "what a command does is cut off"


def test_options_of_a_bench_stand_under_headings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    lines = capsys.readouterr().out.splitlines()
    headings = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
    used = [h for h in ORDER if h in headings]
    assert headings == [*used, "Examples", "Exit codes"]
    assert len(used) == 8
    # of what has no heading of its own there is --help only
    assert lines[lines.index("Options:") + 1].split()[0] == "--help"
    assert lines[lines.index("Options:") + 2] == ""
