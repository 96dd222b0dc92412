"""Every option of every command has an effect, or the command says that it has none.

The tables below name each option of each command once; a new option without a row fails the test.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

import supernode as sn
from conftest import star
from supernode.cli import main
from supernode.cli.app import app
from supernode.errors import SpecError

#: What a run says about itself that is not its configuration.
FOUND = ("algorithm", "protocol", "fidelity", "time_fs", "bottleneck", "folding", "threads", "self_check", "seed",
         "system", "skipping", "n_ranks", "warnings")  # fmt: skip


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code: Any = 0
    try:
        main(list(arguments))
    except SystemExit as end:
        code = end.code or 0
    done = capsys.readouterr()
    return code, done.out, done.err


def shown(value: object) -> str:
    """Name a row in a test's id."""
    return " ".join(value) if isinstance(value, list) else str(value)[:20]


def files(folder: Path) -> dict[str, Any]:
    """Return what a run left, less what differs from run to run."""
    if not folder.exists():
        return {}
    found: dict[str, Any] = {p.name: p.stat().st_size for p in folder.iterdir() if p.name != "meta.json"}
    found = {name: (folder / name).read_bytes() if name == "levels.parquet" else None for name in found}
    meta = json.loads((folder / "meta.json").read_text())
    runs = [{key: run[key] for key in FOUND} for run in meta.get("runs", [meta])]
    return {**found, "meta": [{**r, "skipping": r["skipping"]["jumps"]} for r in runs]}


BENCH = ["bench", "all_reduce", "hgx-h100", "--sizes", "64K", "--fidelity", "packet", "--algo", "ring"]
TWO = ["bench", "all_reduce", "hgx-h100:2", "--sizes", "64K", "--fidelity", "packet", "--algo", "ring"]
PLAIN = ["bench", "all_reduce", "hgx-h100", "--fidelity", "analytic", "--algo", "ring"]
SPREAD = ["bench", "all_to_all", "hgx-h100:4", "--sizes", "1M", "--fidelity", "packet", "--algo", "direct"]
DECIDE = ["bench", "all_reduce", "hgx-h100", "--sizes", "1M"]
GROUPS = [*TWO[:-1], "hierarchical"]
ROOTED = ["bench", "broadcast", "hgx-h100", "--sizes", "64K", "--fidelity", "packet"]
CROWD = ["bench", "gather", "hgx-h100:2", "--sizes", "64M", "--fidelity", "packet", "--record", "levels"]
LONG = ["bench", "all_reduce", "hgx-h100", "--sizes", "64M", "--fidelity", "packet", "--algo", "ring", "--no-fold"]
SLOW = ["bench", "all_to_all", "nvl72", "--sizes", "4G", "--fidelity", "packet", "--no-fold", "--no-skip"]

#: Of bench: parameter, the command without it, what is added, and what is said ("" where the output has to differ).
BENCH_ROWS: list[tuple[str, list[str], list[str], str]] = [
    ("algorithm", BENCH[:-2], ["--algo", "tree"], ""),
    ("fidelity", [*BENCH[:5], "--algo", "ring"], ["--fidelity", "analytic"], ""),
    ("stack", BENCH, ["--stack", "none"], ""),
    ("protocol", [*BENCH, "--protocol", "simple"][:-2], ["--protocol", "simple"], ""),
    ("routing", SPREAD, ["--routing", "ecmp"], ""),
    ("flow_control", CROWD, ["--flow-control", "unlimited"], ""),
    ("record", BENCH, ["--record", "links"], ""),
    ("fold", BENCH, ["--no-fold"], ""),
    ("threads", [*PLAIN, "--sizes", "64K"], ["--threads", "2"], "--threads has no effect"),
    ("seed", [*BENCH, "--routing", "ecmp"], ["--seed", "7"], ""),
    ("seed", BENCH, ["--seed", "7"], "--seed has no effect"),
    ("ranks", BENCH, ["--ranks", "4"], ""),
    ("placement", TWO, ["--placement", "0,8,1,9"], ""),
    ("placement", BENCH, ["--placement", "0,1,2,3,4,5,6,7"], "--placement has no effect"),
    ("root", ROOTED, ["--root", "3"], ""),
    ("root", BENCH, ["--root", "3"], "--root has no effect"),
    ("lanes", BENCH, ["--lanes", "2"], ""),
    ("chunks", BENCH, ["--chunks", "4"], ""),
    ("levels", GROUPS, ["--levels", "4,4"], ""),
    ("levels", BENCH, ["--levels", "2,4"], "--levels has no effect"),
    ("dtype", BENCH, ["-d", "fp8"], ""),
    ("budget", DECIDE, ["--budget", "1 us"], ""),
    ("budget", [*BENCH, "--protocol", "simple"], ["--budget", "1 s"], "--budget has no effect"),
    ("time_limit", BENCH, ["--time-limit", "1 ns"], "limit"),
    ("time_limit", PLAIN, ["--time-limit", "1 ns"], "--time-limit has no effect"),
    ("memory_limit", BENCH, ["--memory-limit", "1 KiB"], "1024"),
    ("skip", LONG, ["--no-skip"], ""),
    ("skip", PLAIN, ["--no-skip"], "--no-skip has no effect"),
    ("self_check", BENCH, ["--self-check"], ""),
    ("self_check", PLAIN, ["--self-check"], "--self-check has no effect"),
    ("uncertainty", BENCH, ["--uncertainty"], ""),
    ("timeout", SLOW, ["--timeout", "0.2"], "timeout of 0.2 s"),
    ("progress", SLOW, ["--progress", "--timeout", "3"], "simulating"),
    ("minbytes", PLAIN, ["-b", "4G"], ""),
    ("maxbytes", PLAIN, ["-e", "64"], ""),
    ("stepfactor", PLAIN, ["-f", "4"], ""),
    ("stepbytes", PLAIN, ["-i", "1G"], ""),
    ("sizes_text", PLAIN, ["--sizes", "8"], ""),
    ("json", BENCH, ["-J", "sim.json"], ""),
    ("measured", BENCH, ["--measured", "../m.csv"], ""),
    ("output", BENCH, ["-o", "out"], ""),
    ("format", [*BENCH, "-o", "out"], ["--format", "arrow"], ""),
    ("format", BENCH, ["--format", "arrow"], "--format arrow has no effect"),
    ("settings", BENCH, ["--set", "link_latency=1 us"], ""),
    ("settings", BENCH, ["--set", "nic_rate=1 GB/s"], "override nic_rate has no effect"),
    ("ngpus", BENCH, ["-g", "4"], ""),
    ("nthreads", BENCH, ["-t", "4"], ""),
    *[
        (name, BENCH, [flags[0], "1"], f"{flags[0]} 1 has no effect")
        for name, flags in [
            ("iters", ["-n"]), ("warmup_iters", ["-w"]), ("agg_iters", ["-m"]), ("average", ["-a"]),
            ("check_data", ["-c"]),
            ("parallel_init", ["-p"]), ("blocking", ["-z"]), ("cudagraph", ["-G"]), ("report_cputime", ["-C"]),
            ("local_register", ["-R"]),
        ]
    ],
]  # fmt: skip


@pytest.mark.parametrize(("name", "base", "more", "says"), BENCH_ROWS, ids=shown)
def test_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, base: list[str], more: list[str], says: str,
) -> None:  # fmt: skip
    (tmp_path / "m.csv").write_text("bytes,time_us\n65536,40\n")
    monkeypatch.chdir(tmp_path)
    seen = []
    for k, arguments in enumerate(([*base, *more],) if says else (base, [*base, *more])):
        (tmp_path / str(k)).mkdir()
        monkeypatch.chdir(tmp_path / str(k))
        folder = Path("out")
        kept = ["-o", "out"] if name not in ("json", "output", "format") else []
        code, out, err = call(capsys, *arguments, *kept)
        content = sorted(p.name for p in Path().rglob("*")) if name in ("json", "output", "format") else files(folder)
        # the first line names the machine, which is no effect
        seen.append((out.splitlines()[1:], content, code))
    if says:
        assert says in err, err
        return
    assert code == 0, err
    assert seen[0] != seen[1], "nothing changed, and nothing was said"


#: Of the other commands: what is asked, what is added, and what is said.
OTHER_ROWS: list[tuple[str, str, list[str], list[str], str]] = [
    ("systems", "json", ["systems"], ["--json"], ""),
    ("show", "settings", ["show", "nvl72"], ["--set", "gpus=36"], ""),
    ("plot", "settings", ["plot", "nvl72"], ["--set", "gpus=36"], ""),
    ("plot", "output", ["plot", "nvl72"], ["-o", "x.svg"], ""),
    ("plot", "scale", ["plot", "nvl72"], ["--scale", "3"], "--scale has no effect"),
    ("plot", "scale", ["plot", "nvl72", "-o", "x.svg"], ["--scale", "3"], "--scale has no effect"),
    ("plot", "chart", ["plot", "nvl72"], ["--chart", "links"], "--chart links is of results, and 'nvl72' is no folder"),
    ("run", "settings", ["run", "job.toml"], ["--set", "link_latency=1 us"], ""),
    ("run", "system", ["run", "job.toml"], ["--system", "nvl72"], "--system has no effect"),
    ("run", "size", ["run", "job.toml"], ["--size", "1 MiB"], "--size has no effect"),
    ("run", "output", ["run", "job.toml"], ["-o", "res"], ""),
    ("run", "format", ["run", "job.toml", "-o", "res"], ["--format", "arrow"], ""),
    ("run", "format", ["run", "job.toml"], ["--format", "arrow"], "--format arrow has no effect"),
    ("show", "json", ["show", "nvl72"], ["--json"], ""),
    ("run", "json", ["run", "job.toml"], ["--json"], ""),
    ("explain", "json", ["explain", "barrier", "hgx-h100", "--fidelity", "analytic"], ["--json"], ""),
    ("check", "json", ["check", "barrier", "hgx-h100"], ["--json"], ""),
]


@pytest.mark.parametrize(
    ("command", "name", "base", "more", "says"), OTHER_ROWS, ids=lambda v: " ".join(v) if v else ""
)
def test_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    command: str, name: str, base: list[str], more: list[str], says: str,
) -> None:  # fmt: skip
    del command, name
    seen = []
    for k, arguments in enumerate((base, [*base, *more])):
        (tmp_path / str(k)).mkdir()
        monkeypatch.chdir(tmp_path / str(k))
        star(4).save("s.toml")
        Path("job.toml").write_text('system = "hgx-h100"\ncollective = "barrier"\n')
        code, out, err = call(capsys, *arguments)
        seen.append((out, {p.name: p.suffix and p.read_bytes() for p in Path().rglob("*") if p.name != "meta.json"}))
    if says:
        assert says in err
        return
    assert code == 0, err
    assert seen[0] != seen[1], "nothing changed, and nothing was said"


NS3 = "3 1 2\n2\n0 2 100Gbps 1us 0\n1 2 100Gbps 1us 0\n"
BARE = "3 1 2\n2\n0 2 100Gbps 0ns 0\n1 2 100Gbps 0ns 0\n"
GRAPH = (
    '<graphml><key id="d0" for="edge" attr.name="rate" attr.type="string"/><graph edgedefault="undirected">'
    '<node id="a"/><node id="b"/><node id="s"/>'
    '<edge source="a" target="s"><data key="d0">1 GB/s</data></edge>'
    '<edge source="b" target="s"><data key="d0">1 GB/s</data></edge></graph></graphml>'
)

#: Of convert: parameter, the file, the other arguments, what is added, and what is said.
CONVERT_ROWS: list[tuple[str, str, list[str], list[str], str]] = [
    ("from_format", NS3, [], ["--from", "nccl"], "not valid XML"),
    ("to_format", NS3, [], ["--to", "dot"], ""),
    ("name", NS3, [], ["--name", "other"], ""),
    ("link_rate", NS3, [], ["--link-rate", "1 GB/s"], "warning: --link-rate has no effect"),
    ("link_latency", NS3, [], ["--link-latency", "1 ns"], "warning: --link-latency has no effect"),
    ("link_latency", BARE, ["--link-latency", "1 ns"], ["--switch-latency", "9 ns"], ""),
    ("switch_latency", NS3, [], ["--switch-latency", "9 ns"], ""),
    ("accelerators", GRAPH, ["--link-latency", "1 ns", "--accelerators", "a,b"], ["--forwarding"], ""),
    ("hints", NS3, [], ["--hints", "hints.json"], "warning: --hints has no effect"),
    ("forwarding", NS3, [], ["--no-forwarding"], "warning: --no-forwarding has no effect"),
    ("size", NS3, [], ["--size", "1MiB"], "--size has no effect"),
    ("json", NS3, [], ["--json"], ""),
]


@pytest.mark.parametrize(("name", "text", "base", "more", "says"), CONVERT_ROWS, ids=shown)
def test_convert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, text: str, base: list[str], more: list[str], says: str,
) -> None:  # fmt: skip
    del name
    monkeypatch.chdir(tmp_path)
    file = "x.graphml" if text == GRAPH else "x.txt"
    Path(file).write_text(text)
    Path("hints.json").write_text("{}")
    seen = []
    for arguments in (base, [*base, *more]):
        code, out, err = call(capsys, "convert", file, "out.toml", *arguments)
        assert "warning: --link-latency has no effect" not in err or "1 ns" not in base
        seen.append(out + Path("out.toml").read_text() if code == 0 else err)
    if says:
        assert says in err
    else:
        assert code == 0, err
        assert seen[0] != seen[1]


def options(command: str) -> set[str]:
    found: Any = typer.main.get_command(app)
    return {str(p.name) for p in found.commands[command].params if p.param_type_name == "option" and p.name != "help"}


def test_every_option_is_in_a_table() -> None:
    assert options("bench") == {name for name, *_ in BENCH_ROWS}
    assert options("convert") == {name for name, *_ in CONVERT_ROWS}
    assert options("schema") == set()
    for command in ("systems", "show", "plot", "run"):
        assert options(command) == {name for c, name, *_ in OTHER_ROWS if c == command}


@pytest.mark.parametrize("command", ["explain", "check"])
def test_a_command_that_runs_nothing_has_no_options_of_a_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = ("fold", "threads", "skip") if command == "check" else ()
    idle = ("record", "time_limit", "self_check", "progress", *more)
    assert not options(command) & set(idle)
    for name in idle:
        option = f"--{name.replace('_', '-')}"
        code, _, err = call(capsys, command, "all_reduce", "hgx-h100", "--size", "8", option)
        assert code == 2
        assert option in err
        value: Any = {"record": ["links"], "progress": False}.get(name, 1)
        with pytest.raises(SpecError, match=f"{name}= has no effect on"):
            if command == "explain":
                sn.explain(star(4), "all_reduce", size=8, **{name: value})
            else:
                sn.schedule("all_reduce", ranks=4, size=8, **{name: value})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sizes", "8", "-b", "8"], "--sizes and -b both say which sizes there are"),
        (["--sizes", "8", "-e", "8", "-f", "2"], "--sizes and -e -f both say"),
        (["--sizes", "8", "--set", "gpus=4", "--set", "gpus=4"], "--set gpus is given twice"),
        (["--sizes", "8", "--threads", "1", "--threads", "2"], "--threads is given 2 times"),
        (["--sizes", "8", "--sizes=16"], "--sizes is given 2 times"),
        (["--sizes", "8", "--fold", "--no-fold"], "is given 2 times"),
        (["-b8", "-b", "16"], "--minbytes / -b is given 2 times"),
        (["--sizes", "8", "-g", "4", "--ranks", "4"], "--ranks and -g or -t both say"),
        (["--sizes", "8", "-g", "1"], "one rank of each process"),
        (["--sizes", "8", "-g", "0"], "-g 0 is not valid"),
        (["--sizes", "8", "-o", "sum"], "-o sum is an operation of nccl-tests"),
    ],
)
def test_options_that_contradict_each_other(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    code, out, err = call(capsys, "bench", "all_reduce", "hgx-h100", *arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_a_barrier_has_no_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    for more in (["-b", "8"], ["--sizes", "8"]):
        code, _, err = call(capsys, "bench", "barrier", "hgx-h100", *more)
        assert code == 2
        assert f"{more[0]} has no effect: a barrier moves no data" in err


def test_a_command_line_of_nccl_tests_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = "-b 8 -e 64 -f 2 -g 8 -t 1 -n 20 -w 5 -c 1 -d half -r 0 -T 60"
    code, out, err = call(capsys, "bench", "all_reduce", "hgx-h100", *text.split())
    assert code == 0, err
    rows = [line.split() for line in out.splitlines() if not line.startswith("#")]
    assert [int(row[0]) for row in rows] == [8, 16, 32, 64]
    assert rows[0][2] == "half"
    for flag in ("-w 5", "-c 1"):
        assert f"warning: {flag} has no effect" in err
    # one thread launches on all eight devices, so that the host sets the time
    assert "host: a thread launches 8 devices in turn, 3.2 us each" in out
    code, _, err = call(capsys, "bench", "all_reduce", "hgx-h100", "-b", "8", "-e", "8", "-n", "20")
    assert code == 0
    assert "warning: -n 20 has no effect: without -g or -t no host launches calls" in err


def test_recorded_tables_that_go_nowhere_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, *BENCH, "--record", "links")
    assert code == 0
    assert "warning: --record: links were recorded and not written; give -o DIR" in err


def test_a_second_scale_out_has_to_be_meant() -> None:
    net = sn.FatTree(radix=8, link="1 GB/s")
    fast = sn.FatTree(radix=8, link="2 GB/s")
    system = star(4).scale_out(net)
    with pytest.raises(SpecError, match="it has a scale-out network already; give replace=True"):
        system.scale_out(fast)
    with pytest.raises(SpecError, match="it has a scale-out network already"):
        sn.System.preset("nvl72").scale_out(fast)
    assert system.scale_out(fast, replace=True) == star(4).scale_out(fast)


def test_unknown_keywords_of_simulate_are_errors() -> None:
    for name in ("thread", "memoryLimit", "Threads"):
        with pytest.raises(SpecError, match=f"unknown keyword '{name}'; did you mean"):
            sn.simulate(star(4), "all_reduce", size=8, **{name: 1})  # type: ignore[call-overload]


WORDS = [
    ("link 'a' has no rate; give link_rate=", "link 'a' has no rate; give --link-rate"),
    ("give link_rate={'nvlink': ...}", "give --link-rate nvlink=..."),
    ("run again with record=['flows'] and fidelity='packet'", "run again with --record flows and --fidelity packet"),
    ("placement: it places 2 ranks, but ranks=4", "--placement: it places 2 ranks, but --ranks 4"),
    ("use fold=False, or skip=True", "use --no-fold, or --skip"),
    ("algorithms: the list is empty", "--algo: the list is empty"),
    ("overrides link_latency=300 ns", "overrides --link-latency 300 ns"),
    ("nvl72[link_latency=300 ns] uses", "nvl72[link_latency=300 ns] uses"),
    ("fabric x: radix is 3", "fabric x: radix is 3"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_errors_of_the_command_line_name_its_options(text: str, words: str) -> None:
    from supernode.cli.words import in_cli_words

    assert in_cli_words(text) == words


def test_an_import_says_which_option_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.txt").write_text("3 1 2\n2\n0 2 100Gbps 0ns 0\n1 2 100Gbps 0ns 0\n")
    code, _, err = call(capsys, "convert", str(tmp_path / "net.txt"), str(tmp_path / "x.toml"))
    assert code == 2
    assert "give --link-latency" in err
    assert not re.search(r"\w_\w+=", err)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fp8", "float8_e4m3"), ("FP8_E5M2", "float8_e5m2"), ("fp16", "float16"), ("half", "float16"),
     ("bf16", "bfloat16"), ("float", "float32"), ("double", "float64"), ("int8", "int8"), ("f32", "float32"),
     ("float8_e4m3fn", "float8_e4m3")],
)  # fmt: skip
def test_types_have_the_names_of_every_library(name: str, kind: str) -> None:
    assert sn.all_reduce(star(4), size=64, dtype=name, fidelity="analytic") == sn.all_reduce(
        star(4), size=64, dtype=kind, fidelity="analytic"
    )


def test_type_objects_are_types() -> None:
    import numpy as np

    from supernode.library.dtypes import parse_dtype

    assert parse_dtype(np.float16).name == parse_dtype(np.dtype("float16")).name == "float16"
    with pytest.raises(SpecError, match="unknown dtype"):
        parse_dtype(np.complex64)


def test_systems_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "systems", "--json")
    assert code == 0
    rows = json.loads(out)
    assert [row["name"] for row in rows] == sn.systems()
    assert {"name": "nvl72", "accelerators": 72, "stack": "nccl", "title": "NVIDIA GB200 NVL72"} in rows


def test_shells_complete_names(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (("supernode show nvl", "nvl72"), ("supernode bench all_re", "all_reduce"),
                            ("supernode bench all_reduce nvl72 --algo rin", "ring")):  # fmt: skip
        monkeypatch.setenv("_SUPERNODE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        with pytest.raises(SystemExit):
            app(prog_name="supernode")
        assert expected in capsys.readouterr().out.split()
