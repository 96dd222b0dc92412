"""Chakra execution traces: what they do, in any spelling of their numbers, and what is wrong with them."""

from __future__ import annotations

import gzip
import json
import struct
import time
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

import supernode as sn
from other_parsers import chakra_pairs
from supernode.errors import SizeOverflowError, SpecError, SupernodeError

METADATA, LOAD, STORE, COMPUTE, SEND, RECEIVE, COLLECTIVE = range(1, 8)
#: Numbers of the fields that hold a whole number, and how it is written there.
ARMS = {
    "int32": 7,
    "int64": 9,
    "uint32": 11,
    "uint64": 13,
    "sint32": 15,
    "sint64": 17,
    "fixed32": 19,
    "fixed64": 21,
    "sfixed64": 25,
}


def star(count: int) -> sn.System:
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns")
    return sn.System("star").scale_up(sn.Device("gpu"), count=count, fabric=fabric)


# a writer of the wire format, independent of the reader


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def attribute(name: str, value: int | str | bool | list[bool], arm: str = "int64") -> bytes:
    if isinstance(value, list):
        return field(1, name) + field(28, field(1, bytes(value)))
    if isinstance(value, bool):
        return field(1, name) + field(27, int(value))
    if isinstance(value, str):
        return field(1, name) + field(29, value)
    number = ARMS[arm]
    if arm.startswith("sint"):
        return field(1, name) + field(number, value << 1)
    if "fixed" in arm:
        wide = arm.endswith("64")
        return field(1, name) + varint(number << 3 | (1 if wide else 5)) + struct.pack("<Q" if wide else "<I", value)
    return field(1, name) + field(number, value)


def node(
    id: int, kind: int, *, after: tuple[int, ...] = (), micros: int = 0, arm: str = "int64", **values: Any
) -> bytes:
    parts = [field(1, id), field(2, f"node{id}"), field(3, kind)]
    control, data = after[::2], after[1::2]
    if control:  # packed, as proto3 writes them; the others one by one
        parts.append(field(4, b"".join(varint(each) for each in control)))
    parts += [field(5, each) for each in data]
    parts.append(field(7, micros))
    parts += [field(10, attribute(name, value, arm)) for name, value in values.items()]
    return b"".join(parts)


def trace(*nodes: bytes, version: str = "0.0.4") -> bytes:
    return b"".join(varint(len(message)) + message for message in (field(1, version), *nodes))


def written(folder: Path, *ranks: bytes, name: str = "t", packed: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for rank, data in enumerate(ranks):
        path = folder / f"{name}.{rank}.et{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(data) if packed else data)
    return folder


def pair(arm: str = "int64", **more: Any) -> tuple[bytes, bytes]:
    """A computation, a message, and a computation of the receiver."""
    send = node(2, SEND, after=(1,), arm=arm, comm_dst=1, comm_size=4096, comm_tag=3, **more)
    receive = node(7, RECEIVE, arm=arm, comm_src=0, comm_size=4096, comm_tag=3, is_cpu_op=True)
    return (
        trace(node(1, COMPUTE, micros=5), send),
        trace(receive, node(9, COMPUTE, after=(7,), micros=2), node(8, LOAD, after=(9, 7), micros=1)),
    )


@pytest.mark.parametrize("arm", ARMS)
def test_any_integer_will_do(tmp_path: Path, arm: str) -> None:
    schedule = sn.load_schedule(written(tmp_path / "traces", *pair(arm)))
    assert schedule.bytes().rows() == [(0, 1, 1, 4096)]
    result = sn.simulate(star(2), schedule, stack="none", fidelity="packet")
    # 5 us, the message (81.92 + 1100 ns), 2 us and 1 us
    assert result.time_ns == pytest.approx(5000 + 1181.92 + 3000)
    rows = result.to_polars()
    assert rows["label"].to_list() == ["node1", "node2", "node7", "node9", "node8"]
    assert rows["kind"].to_list() == ["compute", "send", "receive", "compute", "delay"]
    assert rows["stream"].to_list() == [0, 0, 1, 0, 0]


def test_files_packed_and_named_by_one_of_them(tmp_path: Path) -> None:
    plain = sn.load_schedule(written(tmp_path / "plain", *pair()) / "t.1.et")
    packed = sn.load_schedule(written(tmp_path / "packed", *pair(), packed=True) / "t.0.et.gz")
    assert plain == packed
    both = written(tmp_path / "plain", *pair(), name="u")
    with pytest.raises(SpecError, match=r"of t, u is not valid; traces of one name"):
        sn.load_schedule(both)
    assert sn.load_schedule(both / "u.0.et") == plain


KINDS = ("all_reduce", "reduce", "all_gather", "gather", "scatter", "broadcast", "all_to_all", "reduce_scatter")
ALGORITHMS = {"all_reduce": "ring", "all_gather": "ring", "reduce_scatter": "ring", "all_to_all": "pairwise"}


@pytest.mark.parametrize(("number", "kind"), [*enumerate(KINDS)])
def test_collectives_take_as_long_as_computed_ones(tmp_path: Path, number: int, kind: str) -> None:
    size = 64 * 1024
    given = size // 4 if kind == "all_gather" else size
    nodes = (
        node(1, COMPUTE, micros=5),
        node(2, COLLECTIVE, after=(1,), comm_type=number, comm_size=given),
        node(3, COMPUTE, after=(2,), micros=1),
    )
    schedule = sn.load_schedule(written(tmp_path / "x", *[trace(*nodes, version="1.0.0")] * 4))
    result = sn.simulate(star(4), schedule, stack="none", fidelity="packet")
    whole = sn.simulate(
        star(4), kind, size=size, algorithm=ALGORITHMS.get(kind, "binomial"), lanes=1, chunks=1, stack="none",
        fidelity="packet", skip=False,
    )  # fmt: skip
    assert result.time_ns == pytest.approx(6000 + whole.time_ns)


def test_barriers_and_several_collectives(tmp_path: Path) -> None:
    nodes = [node(i, COLLECTIVE, after=(i - 1,) if i > 1 else (), comm_type=9) for i in range(1, 4)]
    result = sn.simulate(star(4), sn.load_schedule(written(tmp_path / "x", *[trace(*nodes)] * 4)), stack="none")
    # three barriers, each of two steps without bytes
    assert result.time_ns == pytest.approx(3 * 2 * 1100)


GOOD = pair()[1]


@pytest.mark.parametrize(
    ("first", "match"),
    [
        (b"", "rank 0: file: no bytes"),
        (trace(node(1, COMPUTE))[:-1], r"rank 0: message 1 at byte 8: \d+ bytes, of which \d+ are there"),
        (field(1, "x") + b"\xff" * 10, "rank 0: message"),
        (trace(node(1, COMPUTE, after=(5,))), r'rank 0, node 1 "node1": dependency on node: 5 is not valid'),
        (trace(node(1, COMPUTE, after=(2,)), node(2, COMPUTE, after=(1,))), "in a cycle"),
        (trace(node(1, COMPUTE), node(1, COMPUTE)), "id: 1 is not valid; an id of its own"),
        (trace(node(1, 0)), r'node 1 "node1": type: 0 is not valid; 1 to 7'),
        (trace(node(1, SEND, comm_size=4)), "comm_dst: missing"),
        (trace(node(1, SEND, comm_size=4, comm_dst=2**31)), "comm_dst: 2147483648 is not valid; a rank: 0 to 1"),
        (trace(node(1, SEND, comm_size=4, comm_dst=1, comm_tag=2**25)), "comm_tag: 33554432"),
        (trace(node(1, SEND, comm_size=2**60, comm_dst=1)), "bytes overflows"),
        (trace(node(1, COMPUTE, num_ops=5)), "num_ops: 5 is not valid; duration_micros"),
        (trace(node(1, COMPUTE, micros=2**60)), "femtoseconds overflows"),
        (trace(node(1, SEND, comm_size=4096, comm_dst=1, comm_tag=4)), r"node1.*no receive on rank 1 is left"),
        (trace(node(1, COLLECTIVE, comm_type=0, comm_size=4)), "rank 1: 0 collectives, and rank 0 has 1"),
    ],
)
def test_errors_name_rank_and_node(tmp_path: Path, first: bytes, match: str) -> None:
    begin = time.process_time()
    with pytest.raises((SpecError, SizeOverflowError), match=match):
        sn.load_schedule(written(tmp_path / "x", first, trace(node(1, COMPUTE))))
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"comm_type": 11}, "comm_type: 11 is not valid; 0 to 9"),
        ({"comm_type": 0, "pg_name": "tp"}, "pg_name: tp is not valid; a group that the trace describes"),
        ({"comm_type": 0, "involved_dim": [True, False]}, r"involved_dim: \[true, false\] is not valid; all of them"),
        ({"comm_type": 0, "involved_dim": 3}, r"involved_dim: \[\] is not valid"),
        ({"comm_type": 0, "comm_size": 2**60}, "comm_size: 1152921504606846976"),
    ],
)
def test_collectives_that_are_not_of_all_ranks_are_refused(tmp_path: Path, values: dict[str, Any], match: str) -> None:
    with pytest.raises(SpecError, match=match):
        sn.load_schedule(written(tmp_path / "x", *[trace(node(1, COLLECTIVE, **values))] * 2))


def test_all_dimensions_are_all_ranks(tmp_path: Path) -> None:
    made = []
    for name, more in (("plain", {}), ("all", {"involved_dim": [True, True]}), ("zero", {"pg_name": "0"})):
        data = trace(node(1, COLLECTIVE, comm_type=0, comm_size=4096, **more))
        made.append(sn.load_schedule(written(tmp_path / name, *[data] * 4)))
    assert made[0] == made[1] == made[2]


def test_control_dependencies_of_pytorch_name_the_caller(tmp_path: Path) -> None:
    # after= is control, data, control and so on
    nodes = node(1, COMPUTE, rf_id=7), node(2, COMPUTE, after=(2, 1)), node(3, COMPUTE, after=(40,))
    schedule = sn.load_schedule(written(tmp_path / "x", trace(*nodes)))
    assert schedule.operations["after"].to_list() == [[], [0], []]
    with pytest.raises(SpecError, match="dependency on node: 40 is not valid; a node of this rank"):
        sn.load_schedule(written(tmp_path / "y", trace(node(1, COMPUTE), nodes[2])))


def test_calls_of_the_host_are_computations(tmp_path: Path) -> None:
    nodes = node(1, COLLECTIVE, micros=3, is_cpu_op=True), node(2, COLLECTIVE, after=(1,), comm_type=9)
    rows = sn.load_schedule(written(tmp_path / "x", *[trace(*nodes)] * 2)).operations.filter(rank=0)
    assert rows.select("kind", "stream", "duration_ns").row(0) == ("compute", 1, 3000.0)


# process groups


def grouped(**more: Any) -> list[bytes]:
    """A node for each rank, of two groups of two ranks: 0 and 2, 1 and 3."""
    return [node(8, COLLECTIVE, comm_type=0, comm_size=4096, pg_name=name, **more) for name in ("1", "2", "1", "2")]


GROUPS = {"1": [0, 2], "2": [3, 1]}
#: A ring of two ranks sends each half of the message twice.
RINGS = [(0, 2, 2, 4096), (1, 3, 2, 4096), (2, 0, 2, 4096), (3, 1, 2, 4096)]


def described(groups: dict[str, list[int]]) -> bytes:
    """A metadata node as PyTorch writes it."""
    text = json.dumps([{"pg_name": name, "pg_desc": "x", "ranks": ranks} for name, ranks in groups.items()])
    return field(1, 3) + field(2, "## process_group:init ##") + field(3, METADATA) + field(8, field(1, f"['{text}']"))


@pytest.mark.parametrize("name", ["t.json", "comm_group.json", "the trace"])
def test_groups_beside_a_trace_or_in_it(tmp_path: Path, name: str) -> None:
    inside = [described({**GROUPS, "9": []})] if name == "the trace" else []
    last = node(9, COLLECTIVE, after=(8,), comm_type=9, pg_name="9" if inside else "")
    folder = written(tmp_path / "x", *[trace(*inside, each, last) for each in grouped()])
    if not inside:
        with pytest.raises(SpecError, match="pg_name: 1 is not valid; a group that the trace describes"):
            sn.load_schedule(folder)
        (folder / name).write_text(json.dumps(GROUPS))
    schedule = sn.load_schedule(folder)
    filled = schedule.operations.filter(pl.col("kind") == "send", pl.col("bytes") > 0)
    found = filled.group_by("rank", "peer").agg(pl.len(), pl.col("bytes").sum()).sort("rank", "peer")
    assert found.rows() == RINGS
    files = [folder / f"t.{rank}.et" for rank in range(4)]
    if not inside:  # that parser knows no barriers
        files = [written(tmp_path / "y", *[trace(each) for each in grouped()]) / f.name for f in files]
    assert inside or chakra_pairs(files, GROUPS) == {(a, b): size for a, b, _, size in RINGS}
    result = sn.simulate(star(4), schedule, stack="none", fidelity="packet")
    # both rings at once, 2 KiB twice, and a barrier of two steps
    assert result.time_ns == pytest.approx(2 * (40.96 + 1100) + 2 * 1100)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ({"1": [0, 2]}, 'rank 1, node 8 "node8": pg_name: 2 is not valid; a group that the trace describes'),
        ({"1": [0, 2], "2": [3]}, 'rank 1, node 8 "node8": pg_name: 2 is not valid; a group that the rank is in'),
        ({"1": [0, 2], "2": [1, 7]}, 'comm_group.json: group "2": 7 is not valid; ranks from 0 to 3'),
        ({"1": [0, 0], "2": [1, 3]}, 'comm_group.json: group "1": 0 twice is not valid'),
        ({"1": [], "2": [1, 3]}, 'comm_group.json: group "1": no rank is not valid'),
        ([1, 2], "comm_group.json: .* a JSON object of groups"),
        ({"1": [0, 1, 2], "2": [1, 3]}, "rank 1: 0 collectives, and rank 0 has 1 is not valid; as many on all ranks"),
    ],
)
def test_groups_that_are_not_valid_are_named(tmp_path: Path, groups: Any, match: str) -> None:
    folder = written(tmp_path / "x", *[trace(each) for each in grouped()])
    (folder / "comm_group.json").write_text(json.dumps(groups))
    with pytest.raises(SpecError, match=match):
        sn.load_schedule(folder)


def test_other_json_beside_traces_without_groups(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", *[trace(node(1, COLLECTIVE, comm_type=9))] * 2)
    alone = sn.load_schedule(folder)
    (folder / "t.json").write_text('{"traceEvents": []}')
    assert sn.load_schedule(folder) == alone


def test_more_about_groups_that_are_not_valid(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", *[trace(each) for each in grouped(root_rank=2)])
    (folder / "comm_group.json").write_text(json.dumps(GROUPS))
    with pytest.raises(SpecError, match="root_rank: 2 is not valid; 0: in a group it may be a rank or a place"):
        sn.load_schedule(folder)
    bad = described(GROUPS).replace(b'"ranks"', b'"rinks"')
    with pytest.raises(SpecError, match='node 3 "## process_group:init ##": inputs: missing field `ranks`'):
        sn.load_schedule(written(tmp_path / "y", *[trace(bad, each) for each in grouped()]))
    # a rank that has one more than the first of its group
    more = [trace(each) for each in grouped()]
    more[2] = trace(grouped()[2], node(9, COLLECTIVE, comm_type=0, pg_name="1"))
    (written(tmp_path / "z", *more) / "t.json").write_text(json.dumps(GROUPS))
    with pytest.raises(
        SpecError, match='rank 2, node 9 "node9": collectives: 2 or more of group "1", and rank 0 has 1'
    ):
        sn.load_schedule(tmp_path / "z")


def test_collectives_differ_between_ranks(tmp_path: Path) -> None:
    of = [trace(node(1, COLLECTIVE, comm_type=0, comm_size=size)) for size in (4096, 8192)]
    with pytest.raises(SpecError, match=r'rank 1, node 1 "node1": comm_size: 8192 is not valid; what the same'):
        sn.load_schedule(written(tmp_path / "x", *of))


def test_ranks_that_are_missing_and_bombs(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", *pair(), GOOD)
    (folder / "t.1.et").unlink()
    with pytest.raises(SpecError, match="2 files, none of them of rank 1"):
        sn.load_schedule(folder)
    with pytest.raises(SpecError, match="a folder without any"):
        sn.load_schedule(written(tmp_path / "empty"))
    bomb = tmp_path / "bomb"
    bomb.mkdir()
    (bomb / "t.0.et.gz").write_bytes(gzip.compress(bytes(2**20)) * 400)
    with pytest.raises(SizeOverflowError, match="unpacked bytes overflows: more than 268435456"):
        sn.load_schedule(bomb)


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    rng = Random("damage")
    for _ in range(200):
        data = bytearray(pair()[0])
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        folder = written(tmp_path / "x", bytes(data[: rng.randrange(1, len(data) + 1)]), GOOD)
        try:
            sn.load_schedule(folder)
        except SupernodeError as error:
            assert str(error)


def test_traces_are_not_written(tmp_path: Path) -> None:
    schedule = sn.load_schedule(written(tmp_path / "x", *pair()))
    with pytest.raises(SpecError, match="a format that is written: goal"):
        schedule.save(tmp_path / "y.et")
