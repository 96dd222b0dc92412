"""Explicit schedules from Python: files, frames, runs, and what is wrong with them."""

from __future__ import annotations

import copy
import json
import pickle
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest

import supernode as sn
from other_parsers import Pairs, binary_pairs, goal_pairs, matrix_pairs
from supernode.cli import main
from supernode.errors import SizeOverflowError, SpecError, SupernodeError


def star(count: int = 8) -> sn.System:
    """Accelerators on one switch by one link of 50 GB/s."""
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns")
    return sn.System("star").scale_up(sn.Device("gpu"), count=count, fabric=fabric)


def run(schedule: sn.ExplicitSchedule, **options: Any) -> sn.ScheduleResult:
    return sn.simulate(star(), schedule, **{"stack": "none", "fidelity": "packet", **options})


def ring(ranks: int = 8, steps: int = 7, size: int = 4096) -> str:
    """A ring: each rank sends on what it received a step before."""
    lines = [f"num_ranks {ranks}", "/* a ring */"]
    for rank in range(ranks):
        lines.append(f"rank {rank} {{ // the rank before is {(rank - 1) % ranks}")
        for step in range(steps):
            lines.append(f"s{step}: send {size}b to {(rank + 1) % ranks} tag {step} cpu 1 nic 0")
            lines.append(f"r{step}: recv {size}b from {(rank - 1) % ranks} tag {step}")
            if step:
                lines.append(f"s{step} requires r{step - 1}")
        lines.append("}")
    return "\n".join(lines)


def written(tmp_path: Path, text: str, name: str = "x.goal") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def load(tmp_path: Path, text: str, name: str = "x.goal") -> sn.ExplicitSchedule:
    return sn.load_schedule(written(tmp_path, text, name))


def random_goal(rng: Random, ranks: int = 6, messages: int = 40) -> str:
    """Messages in a random order; a rank's operations wait for some before them."""
    lines: list[list[str]] = [[] for _ in range(ranks)]
    counts = [0] * ranks

    def add(rank: int, text: str) -> None:
        number = counts[rank]
        lines[rank].append(f"l{number}: {text}")
        for _ in range(rng.randrange(3) if number else 0):
            word = rng.choice(("requires", "irequires"))
            lines[rank].append(f"l{number} {word} l{rng.randrange(number)}")
        counts[rank] += 1

    for _ in range(messages):
        source, target = rng.sample(range(ranks), 2)
        size, tag = rng.randrange(20_000), rng.randrange(3)
        add(source, f"send {size}b to {target} tag {tag}")
        add(target, f"recv {size}b from {source} tag {tag} cpu {rng.randrange(2)}")
        add(target, f"calc {rng.randrange(500)} cpu {rng.randrange(2)}")
    blocks = [f"rank {rank} {{\n" + "\n".join(own) + "\n}" for rank, own in enumerate(lines)]
    return f"num_ranks {ranks}\n" + "\n".join(blocks)


def pairs(schedule: sn.ExplicitSchedule) -> Pairs:
    rows = schedule.bytes().select("source", "destination", "bytes").rows()
    return Counter({(source, target): size for source, target, size in rows})


# reading


@pytest.mark.parametrize("seed", range(4))
def test_bytes_of_each_pair_are_those_of_another_parser(tmp_path: Path, seed: int) -> None:
    text = random_goal(Random(f"pairs {seed}"))
    schedule = load(tmp_path, text)
    assert pairs(schedule) == goal_pairs(text)
    schedule.save(tmp_path / "x.bin")
    assert binary_pairs((tmp_path / "x.bin").read_bytes()) == goal_pairs(text)
    assert schedule.bytes(source=2).height == sum(source == 2 for source, _ in goal_pairs(text))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_is_read_again(tmp_path: Path, seed: int) -> None:
    schedule = load(tmp_path, random_goal(Random(f"trips {seed}")))
    first = run(schedule)
    for name in ("y.goal", "y.bin"):
        lost = schedule.save(tmp_path / name)
        assert lost == (() if name == "y.goal" else ("labels are left out",))
        again = sn.load_schedule(tmp_path / name)
        left_out = () if name == "y.goal" else ("label",)
        assert again.operations.drop(left_out).equals(schedule.operations.drop(left_out))
        times = ("start_ns", "end_ns")
        assert run(again).to_polars().select(times).equals(first.to_polars().select(times))
    frame = sn.ExplicitSchedule.from_operations(schedule.operations)
    assert frame == schedule
    assert run(frame).to_polars().equals(first.to_polars())


def test_labels_may_stand_before_their_operations(tmp_path: Path) -> None:
    schedule = load(tmp_path, "num_ranks 1 rank 0 { b requires a a: calc 5 b: calc 7 c: calc 0 c irequires b }")
    assert schedule.operations["after"].to_list() == [[], [0], []]
    assert schedule.operations["after_start"].to_list() == [[], [], [1]]
    assert run(schedule).to_polars()["end_ns"].to_list() == [5.0, 12.0, 5.0]


def test_a_connection_matrix(tmp_path: Path) -> None:
    text = """Nodes 4
    Connections 4
    Triggers 2
    0->1 id 1 start 2000.75 size 4096 recv_done_trigger 1
    2->1 id 2 start 0 size 8192 recv_done_trigger 1
    1->3 id 3 trigger 1 size 5000 send_done_trigger 2
    1->0 id 4 trigger 2 size 100 prio 7
    trigger id 1 barrier count 2
    trigger id 2 oneshot
    """
    schedule = load(tmp_path, text, "x.cm")
    assert pairs(schedule) == matrix_pairs(text)
    rows = run(schedule).to_polars()
    of = {(row["rank"], row["kind"], row["peer"]): row for row in rows.iter_rows(named=True)}
    assert of[0, "send", 1]["start_ns"] == 2.0  # 2000.75 ps, without the fraction
    both = max(of[1, "receive", 0]["end_ns"], of[1, "receive", 2]["end_ns"])
    assert of[1, "send", 3]["start_ns"] == both
    assert of[1, "send", 0]["start_ns"] == of[1, "send", 3]["end_ns"]
    # written and read again: the same times
    assert schedule.save(tmp_path / "y.cm") == ()
    again = sn.load_schedule(tmp_path / "y.cm")
    assert run(again).time_ns == run(schedule).time_ns
    assert matrix_pairs((tmp_path / "y.cm").read_text()) == matrix_pairs(text)


# running


def test_a_ring_takes_as_long_as_the_collective(tmp_path: Path) -> None:
    # 7 steps of 4096 B at 50 GB/s, over two links of 500 ns and a switch of 100 ns: 7 x (81.92 + 1100) ns
    result = run(load(tmp_path, ring()))
    assert result.time_ns == pytest.approx(7 * (81.92 + 1100))
    whole = sn.all_gather(
        star(), size=8 * 4096, algorithm="ring", lanes=1, chunks=1, stack="none", fidelity="packet", skip=False
    )
    assert result.time_fs == whole.time_fs
    assert result.bound <= result.time_ns
    assert result.bound == pytest.approx(result.time_ns, rel=1e-4)
    assert result.bound_kind == "dependencies"


def test_threads_and_fidelities_agree(tmp_path: Path) -> None:
    schedule = load(tmp_path, ring(size=1 << 20))
    one = run(schedule, threads=1, record=["levels", "ranks", "links", "flows"])
    assert one == run(schedule, threads=3, record=["levels", "ranks", "links", "flows"])
    fluid = run(schedule, fidelity="flow")
    assert fluid.fidelity == "flow"
    assert fluid.time_ns == pytest.approx(one.time_ns, rel=0.05)
    ranks = one.to_polars("ranks")
    assert ranks["sent_bytes"].to_list() == [7 << 20] * 8 == ranks["received_bytes"].to_list()
    assert not one.folding["applied"]
    assert one.folding["reason"] == "an explicit schedule is simulated rank by rank"
    assert "explicit" in one.meta["skipping"]["reason"]
    with pytest.raises(SpecError, match="predictions are of collectives"):
        run(schedule, fidelity="analytic")


def test_a_placement_and_a_protocol(tmp_path: Path) -> None:
    schedule = load(tmp_path, ring(ranks=4))
    result = run(schedule, placement=[6, 4, 2, 0], record=["ranks"])
    assert result.to_polars("ranks")["accelerator"].to_list() == [6, 4, 2, 0]
    ll = sn.simulate("hgx-h100", schedule, protocol="ll")
    assert ll.protocol == "ll"
    assert ll.to_polars("summary")["messages"].to_list() == [28]
    with pytest.raises(SpecError, match="places 3 ranks, and the schedule has 4"):
        run(schedule, placement=[0, 1, 2])
    with pytest.raises(SpecError, match="8 ranks are too many; star has 2"):
        sn.simulate(star(2), load(tmp_path, ring()))
    with pytest.raises(SpecError, match="algorithm= has no effect on a run of an explicit schedule"):
        run(schedule, algorithm="ring")
    with pytest.raises(SpecError, match="size=4096 has no effect on an explicit schedule"):
        sn.simulate(star(), schedule, size=4096)  # type: ignore[call-overload]


def test_results_are_kept(tmp_path: Path) -> None:
    result = run(load(tmp_path, ring()), record=["levels"])
    result.save(tmp_path / "out")
    pickled = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own
    for again in (pickled, copy.deepcopy(result), sn.ScheduleResult.load(tmp_path / "out")):
        assert again == result
    assert repr(result).startswith("ScheduleResult(star, 'x': 112 operations on 8 ranks: 8.273 us, packet")
    with pytest.raises(SpecError, match=r"ScheduleResult\.load reads it"):
        sn.WorkloadResult.load(tmp_path / "out")
    schedule = load(tmp_path, ring())
    assert pickle.loads(pickle.dumps(schedule)) == schedule  # noqa: S301 - our own
    assert repr(schedule) == "ExplicitSchedule('x': 112 operations on 8 ranks)"


# frames


def test_messages_of_a_frame() -> None:
    frame = pl.DataFrame(
        {
            "source": [0, 1, 1, 2],
            "destination": [1, 2, 3, 0],
            "bytes": [4096, 4096, 8192, 100],
            "delay_ns": [10.0, 0.0, 0.0, 0.5],
            "after": [[], [0], [0, 1], [1]],
        }
    )
    schedule = sn.ExplicitSchedule.from_messages(frame, name="four")
    rows = run(schedule).to_polars()
    of = {(row["kind"], row["rank"], row["peer"]): row for row in rows.iter_rows(named=True)}
    assert of["send", 0, 1]["start_ns"] == 10.0
    assert of["send", 1, 2]["start_ns"] == of["receive", 1, 0]["end_ns"] == pytest.approx(10 + 81.92 + 1100)
    # the third waits for what rank 1 received, and for what it has sent
    assert of["send", 1, 3]["start_ns"] == of["send", 1, 2]["end_ns"]
    assert of["send", 2, 0]["start_ns"] == pytest.approx(of["receive", 2, 1]["end_ns"] + 0.5)
    with pytest.raises(
        SpecError, match=r"message 1: it is sent by rank 2 and waits for message 0, from rank 0 to rank 1"
    ):
        sn.ExplicitSchedule.from_messages(
            pl.DataFrame({"source": [0, 2], "destination": [1, 3], "bytes": [1, 1], "after": [[], [0]]})
        )


def test_frames_that_are_not_valid_are_named() -> None:
    good = {"rank": [0, 1], "kind": ["send", "receive"], "peer": [1, 0], "bytes": [4, 4]}
    made: Callable[..., Any] = lambda **change: sn.ExplicitSchedule.from_operations(pl.DataFrame({**good, **change}))  # noqa: E731
    made()
    for change, match in (
        ({"kind": ["send", "recv"]}, "unknown kind of row 1 'recv'"),
        ({"peer": [1, 5]}, "no receive on rank 1 is left for it"),
        ({"peer": [0, 0]}, "rank 0: operation 0, send: rank: 0 is not valid"),
        ({"bytes": [4, 5]}, "has 5 B"),
        ({"bytes": [-1, -1]}, "bytes: -1 is not valid"),
        ({"bytes": ["a", "b"]}, "column bytes: String is not valid"),
        ({"after": [[0], []]}, "0 on itself"),
        ({"after": [[3], []]}, "rank 0, operation 0: after has 3"),
        ({"sise": [1, 2]}, "unknown column 'sise'"),
        ({"duration_ns": [float("nan"), 0.0]}, "column duration_ns"),
    ):
        with pytest.raises(SpecError, match=match):
            made(**change)
    with pytest.raises(SpecError, match="column kind is missing"):
        sn.ExplicitSchedule.from_operations(pl.DataFrame({"rank": [0]}))
    with pytest.raises(SpecError, match="must be a Polars frame"):
        sn.ExplicitSchedule.from_operations([1, 2])  # type: ignore[arg-type]
    columns = ("source", "destination", "bytes")
    with pytest.raises(SpecError, match="ranks"):
        sn.ExplicitSchedule.from_messages(pl.DataFrame(schema=dict.fromkeys(columns, pl.Int64)))


# what is wrong with files

GOAL_ERRORS = (
    ("num_ranks 1000000000", "1000000000 is not valid; 1 to 4194304"),
    ("num_ranks 0", "ranks: 0 is not valid"),
    ("num_ranks x", "line 1: num_ranks: \"x\" is not valid; a whole number"),
    ("ranks 2", 'line 1: word: "ranks" is not valid; "num_ranks"'),
    ("num_ranks 2\nrank 5 { }", "line 2: rank 0: rank: 5 is not valid; 0 to 1"),
    ("num_ranks 2\nrank 1 { }\nrank 0 { }", "line 3: .*ascending order"),
    ("num_ranks 2\nrank 0 {\na: send 4b to 1\n", "line 3: rank: the end of the file is not valid; a }"),
    ("num_ranks 2\nrank 0 { a: send 4b to 2 }", "line 2: rank 0: operation 0, send: rank: 2 is not valid"),
    ("num_ranks 2\nrank 0 { a: recv 4b from -1 }", r"line 2: recv: rank: -1 .*wildcard"),
    ("num_ranks 2\nrank 0 { a: recv 4b from 1 tag -1 }", r"line 2: recv: tag: -1 .*wildcard"),
    ("num_ranks 2\nrank 0 {\na: send 4b to 1\n}", r'line 3: rank 0, operation 0 "a" \(send 4 B .*: no receive'),
    ("num_ranks 2\nrank 0 { a: send 4b to 1 }\nrank 1 { a: recv 5b from 0 }", "line 2: rank 0, operation 0 .* has 5 B"),
    ("num_ranks 1\nrank 0 { a: calc 1 b requires a }", r'line 2: rank 0: label: "b" is not valid'),
    ("num_ranks 1\nrank 0 { a: calc 1 a: calc 1 }", r'line 2: label: "a" is not valid; a label of its own'),
    ("num_ranks 1\nrank 0 { a: calc 1 b: calc 1 a requires b b requires a }", "rank 0, operation 0 .*in a cycle"),
    ("num_ranks 1\nrank 0 { a: calc 1 a requires a }", "on itself"),
    ("num_ranks 1\nrank 0 { a: work 1 }", 'operation: "work" is not valid; send, recv or calc'),
    ("num_ranks 1\nrank 0 { a needs b }", "requires or irequires behind"),
    ("num_ranks 1\nrank 0 { calc 99999999999999999999 }", "calc: .* is not valid; a whole number of at most 64 bits"),
    ("num_ranks 1\nrank 0 { calc 9999999999999 }", "femtoseconds overflows"),
    ("num_ranks 2\nrank 0 { send 9999999999999999999b to 1 }", "bytes overflows"),
    ("num_ranks 2 /* x", "comment: /\\* is not valid"),
    ("num_ranks 2 rank 0 { " + "x" * 2_000_000, "line: 1048576 bytes or more"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "match"), GOAL_ERRORS)
def test_errors_of_goal_name_the_place(tmp_path: Path, text: str, match: str) -> None:
    begin = time.process_time()
    with pytest.raises((SpecError, SizeOverflowError), match=match):
        load(tmp_path, text)
    assert time.process_time() - begin < 1


def test_a_deadlock_across_ranks_is_found_before_the_run(tmp_path: Path) -> None:
    rank = "rank {0} {{ r: recv 4b from {1} s: send 4b to {1} s requires r }}"
    text = f"num_ranks 2\n{rank.format(0, 1)}\n{rank.format(1, 0)}"
    with pytest.raises(SpecError, match=r'rank 0, operation 0 "r" .*waits for line 3: rank 1, operation 1 "s"'):
        load(tmp_path, text)


def test_damaged_compiled_files(tmp_path: Path) -> None:
    load(tmp_path, random_goal(Random("damaged"), messages=10)).save(tmp_path / "x.bin")
    good = (tmp_path / "x.bin").read_bytes()
    rng = Random("damage")
    for _ in range(300):
        bad = bytearray(good)
        if rng.random() < 0.3:
            bad = bad[: rng.randrange(8, len(bad))]
        for _ in range(rng.randrange(3)):
            bad[rng.randrange(8, len(bad))] = rng.choice((0, 1, 255, rng.randrange(256)))
        (tmp_path / "y.bin").write_bytes(bytes(bad))
        begin = time.process_time()
        try:
            sn.load_schedule(tmp_path / "y.bin")
        except SupernodeError as error:
            assert "y.bin" in str(error)
        assert time.process_time() - begin < 1
    (tmp_path / "y.bin").write_bytes(struct.pack("<QIBB", 4223, 2**31, 0, 0))
    with pytest.raises(SpecError, match="cut off"):
        sn.load_schedule(tmp_path / "y.bin")


TWICE = """Nodes 4
0->1 size 4 send_done_trigger 1
0->2 size 4 send_done_trigger 1
0->3 trigger 1 size 4
trigger id 1 oneshot
"""


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("Nodes 2\n0->5 start 0 size 4", r'line 2: flow: "0->5" is not valid; source->target, nodes from 0 to 1'),
        ("Nodes 2\n0->0 start 0 size 4", "two different nodes"),
        ("Nodes 2\n0->1 start 0", "line 2: flow: 0->1 is not valid; a size"),
        ("Nodes 2\n0->1 start 0 size 0\n1->0 start 0 size 4", "line 2: size: 0 is not valid; at least 1"),
        ("Nodes 2\n0->1 start 1.5e3 size 4", 'line 2: start: "1.5e3" is not valid'),
        ("0->1 start 0 size 4", "Nodes N before all flows"),
        ("Nodes 2\nConnections 3\n0->1 size 4", "Connections: 3 is not valid; 1"),
        ("Nodes 2\n0->1 trigger 9 size 4", "trigger: 9 is not valid"),
        ("Nodes 2\nFailures 1\nfailure switch_type TOR switch_id 0 link_id 0", "Failures: 1 is not valid; none"),
        ("Nodes 4\n0->1 size 4 recv_done_trigger 1\n2->3 trigger 1 size 4\ntrigger id 1 oneshot", "fired on node 1"),
        (TWICE, "2 flows fire it, and it waits for 1"),
        ("Nodes 9999999999\n0->1 size 4", "ranks: 9999999999 is not valid"),
        ("Nodes 2\n0->1 size 4\n1->0 trigger 1 size 4 send_done_trigger 1\ntrigger id 1 oneshot", "on itself"),
    ],
)  # fmt: skip
def test_errors_of_connection_matrices_name_the_place(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(SpecError, match=match):
        load(tmp_path, text, "x.cm")


def test_what_a_connection_matrix_cannot_hold_is_named(tmp_path: Path) -> None:
    between = """num_ranks 2
    rank 0 { a: send 4b to 1 b: calc 5 c: send 4b to 1 b requires a c requires b }
    rank 1 { x: recv 4b from 0 y: recv 4b from 0 y requires x }"""
    with pytest.raises(SpecError, match=r'operation 1 "b" \(compute 5 ns\): htsim: a time between messages'):
        load(tmp_path, between).save(tmp_path / "x.cm")
    assert not (tmp_path / "x.cm").exists()
    empty = "num_ranks 2 rank 0 { send 0b to 1 } rank 1 { recv 0b from 0 }"
    with pytest.raises(SpecError, match="a message without bytes is not valid; at least one byte"):
        load(tmp_path, empty).save(tmp_path / "x.cm")
    large = "num_ranks 2 rank 0 { send 2147483648b to 1 } rank 1 { recv 2147483648b from 0 }"
    with pytest.raises(SpecError, match="smaller messages"):
        load(tmp_path, large).save(tmp_path / "x.cm")
    late = "num_ranks 2 rank 0 { a: send 4b to 1 } rank 1 { w: calc 5 x: recv 4b from 0 x requires w }"
    assert load(tmp_path, late).save(tmp_path / "x.cm") == (
        "what 1 receives wait for is left out: htsim's receivers are always ready",
    )


def test_files_and_formats_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="does not exist"):
        sn.load_schedule(tmp_path / "none.goal")
    with pytest.raises(SpecError, match="or say its format"):
        load(tmp_path, "hello", "x.txt")
    with pytest.raises(SpecError, match="unknown format 'gaol'"):
        sn.load_schedule(written(tmp_path, ring()), format="gaol")
    with pytest.raises(SpecError, match="tells no format of schedules"):
        load(tmp_path, ring()).save(tmp_path / "x.txt")
    assert len(sn.load_schedule(written(tmp_path, ring(), "x.txt"), format="GOAL")) == 112
    assert len(load(tmp_path, ring(), "y.txt")) == 112  # told by its content


# the command line


def command(*words: str) -> object:
    with pytest.raises(SystemExit) as done:
        main(list(words))
    return done.value.code or 0


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, ring(), "ring.goal")
    assert command("run", "ring.goal", "--system", "hgx-h100", "-o", "out") == 0
    assert capsys.readouterr().out.startswith("112 operations, 56 messages on hgx-h100, 8 ranks\ntime ")
    assert sn.ScheduleResult.load("out").schedule == "ring"
    assert command("run", "ring.goal", "--system", "hgx-h100", "--json") == 0
    assert json.loads(capsys.readouterr().out)["summary"]["operations"] == 112
    (tmp_path / "job.toml").write_text('system = "hgx-h100"\nschedule = "ring.goal"\nfidelity = "flow"\n')
    assert command("run", "job.toml") == 0
    assert "fidelity flow" in capsys.readouterr().out
    assert command("convert", "ring.goal", "ring.bin", "--json") == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == ["labels are left out"]
    assert command("convert", "ring.bin", "ring.cm") == 0
    assert sn.load_schedule("ring.cm").bytes().equals(sn.load_schedule("ring.goal").bytes())
    capsys.readouterr()
    for words, match in (
        (["run", "ring.goal"], "--system nvl72"),
        (["run", "job.toml", "--system", "nvl72"], "--system has no effect"),
        (["convert", "ring.goal", "x.bin", "--name", "y"], "takes only --from, --to, --size and --json"),
    ):
        assert command(*words) == 2
        assert match in capsys.readouterr().err


def test_many_operations_take_little_memory() -> None:
    count = 50_000
    frame = pl.DataFrame(
        {
            "source": np.arange(count) % 8,
            "destination": (np.arange(count) + 1) % 8,
            "bytes": np.full(count, 64),
        }
    )
    schedule = sn.ExplicitSchedule.from_messages(frame)
    assert schedule.core.state_bytes / len(schedule) < 40
    result = run(schedule)
    assert result.to_polars("summary")["messages"].to_list() == [count]
