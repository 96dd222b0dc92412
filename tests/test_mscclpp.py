"""Plans of MSCCL++: what they send and wait for, what they claim to do, and what is wrong with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import supernode as sn
from other_parsers import plan_chunks, plan_pairs
from supernode.errors import ScheduleError, SizeOverflowError, SpecError

Op = dict[str, Any]
CHUNK = 4096


def star(count: int) -> sn.System:
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns")
    return sn.System("star").scale_up(sn.Device("gpu"), count=count, fabric=fabric)


def own(kind: str, index: int, size: int = 1) -> Op:
    return {"type": kind, "index": index, "size": size}


def far(buffer: int, index: int, size: int = 1) -> Op:
    """Chunks of a remote buffer; the threadblocks here know each buffer of each peer by one number."""
    return {"buffer_id": buffer, "index": index, "size": size}


def move(name: str, sources: list[Op], targets: list[Op], reach: str = "memory", **more: Any) -> Op:
    return {"name": name, "src_buff": sources, "dst_buff": targets, "channel_type": reach, **more}


def sync(name: str, *channels: int, reach: str = "memory") -> Op:
    return {"name": name, "channel_ids": list(channels), "channel_type": reach}


#: Buffers of a peer in the order in which the gpus here list them.
KINDS = ("i", "o", "s")


def plan(
    blocks: list[list[list[Op]]],
    collective: str,
    chunks: tuple[int, int, int],
    *,
    inplace: bool = False,
    semaphores: int = 0,
    **more: Any,
) -> dict[str, Any]:
    """A plan from the operations of each threadblock of each rank.

    Every threadblock has a memory and a port channel to each peer in the order of their numbers, and all buffers of it.
    Channels of different threadblocks differ, and the ``n``-th threadblocks of two ranks share theirs.
    """
    ranks, gpus = len(blocks), []
    for rank, own_blocks in enumerate(blocks):
        peers = [peer for peer in range(ranks) if peer != rank]
        buffers = range(3 * len(peers))
        gpus.append(
            {
                "id": rank,
                **dict(zip(("input_chunks", "output_chunks", "scratch_chunks"), chunks, strict=True)),
                "threadblocks": [
                    {
                        "id": tb,
                        "ops": ops,
                        "channels": [
                            {
                                "channel_type": reach,
                                "channel_ids": [tb * len(peers) + i for i in range(len(peers))],
                            }
                            for reach in ("memory", "port")
                        ],
                        "remote_buffer_refs": [
                            {"access_channel_type": reach, "remote_buffer_ids": list(buffers)}
                            for reach in ("memory", "port")
                        ],
                    }
                    for tb, ops in enumerate(own_blocks)
                ],
                "channels": [
                    {"channel_type": reach, "connected_to": peers * len(own_blocks)} for reach in ("memory", "port")
                ],
                "remote_buffers": [
                    {"rank": peer, "type": kind, "access_channel_types": ["memory", "port"]}
                    for peer in peers
                    for kind in KINDS
                ],
                "semaphores": [{"init_value": 0}] * semaphores,
            }
        )
    return {"name": "made", "collective": collective, "protocol": "Simple", "inplace": inplace, "gpus": gpus, **more}


def buffer(rank: int, peer: int, kind: str) -> int:
    """The number of a buffer of a peer."""
    return 3 * (peer - (peer > rank)) + KINDS.index(kind)


def channel(rank: int, peer: int) -> int:
    return peer - (peer > rank)


def load(tmp_path: Path, made: dict[str, Any], size: int | None = None) -> sn.ExplicitSchedule:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(made))
    return sn.load_schedule(path, size=plan_chunks(made) * CHUNK if size is None else size)


def check(schedule: sn.ExplicitSchedule, made: dict[str, Any], chunk: int = CHUNK) -> None:
    """Hold the bytes of each pair against those of another parser."""
    found = {(a, b): size for a, b, _, size in schedule.bytes().rows() if size}
    assert found == dict(plan_pairs(json.dumps(made), chunk))


def rows(schedule: sn.ExplicitSchedule, rank: int = 0) -> dict[tuple[str, str], dict[str, Any]]:
    """Operations of a rank by label and kind, as they are run on a star; of several of the same, the last."""
    result = sn.simulate(star(schedule.ranks), schedule, stack="none", fidelity="packet")
    table = result.to_polars().filter(pl.col("rank") == rank)
    return {(row["label"], row["kind"]): row for row in table.iter_rows(named=True)}


def all_gather(ranks: int, *, reach: str = "memory", name: str = "put") -> dict[str, Any]:
    """Each rank writes its chunk to all others and tells them."""
    blocks = []
    for rank in range(ranks):
        peers = [peer for peer in range(ranks) if peer != rank]
        ids = [channel(rank, peer) for peer in peers]
        put = move(
            name,
            [own("i", 0)] * len(peers),
            [far(buffer(rank, peer, "o"), rank) for peer in peers],
            reach,
            channel_ids=ids,
        )
        tell = [] if name.startswith("pws") else [{"name": "nop"}, sync("signal", *ids, reach=reach)]
        blocks.append([[move("copy", [own("i", 0)], [own("o", rank)]), put, *tell, sync("wait", *ids, reach=reach)]])
    return plan(blocks, "allgather", (1, ranks, 0))


@pytest.mark.parametrize(("reach", "name"), [("memory", "put"), ("port", "put"), ("port", "pws"), ("port", "pwsf")])
def test_an_all_gather_of_writes(tmp_path: Path, reach: str, name: str) -> None:
    made = all_gather(4, reach=reach, name=name)
    schedule = load(tmp_path, made)
    check(schedule, made)
    label = "tb0.1" if name.startswith("pws") else "tb0.3"
    found = rows(schedule)
    # three chunks leave one behind the other, and the signals behind them: what waits has all of them
    arrived = 3 * CHUNK / 50 + 1100
    wait = found["tb0.2" if name.startswith("pws") else "tb0.4", "compute"]
    assert wait["end_ns"] >= arrived
    assert wait["end_ns"] == pytest.approx(3 * CHUNK / 50 + 1100, rel=0.05)
    assert found[label, "send"]["bytes"] == 0


def all_reduce(ranks: int) -> dict[str, Any]:
    """Each rank reads its chunk of all others, sums it up, and writes it to them. In place, told before and behind."""
    blocks = []
    for rank in range(ranks):
        peers = [peer for peer in range(ranks) if peer != rank]
        ids = [channel(rank, peer) for peer in peers]
        places = [far(buffer(rank, peer, "i"), rank) for peer in peers]
        both = [own("i", rank), *places]
        ops = [sync("rlxsignal", *ids), sync("rlxwait", *ids), move("rres", both, both, reduce_op="sum")]
        blocks.append([[*ops, sync("signal", *ids), sync("wait", *ids)]])
    return plan(blocks, "allreduce", (ranks, ranks, 0), inplace=True)


def test_an_all_reduce_of_reads(tmp_path: Path) -> None:
    made = all_reduce(4)
    schedule = load(tmp_path, made)
    check(schedule, made)
    found = rows(schedule)
    # a signal, a request and the data back, the sums out, and the signal behind them
    steps = [1100.0, 1100 + 1100 + 3 * CHUNK / 50, 3 * CHUNK / 50 + 1100]
    assert found["tb0.4", "compute"]["end_ns"] == pytest.approx(sum(steps), rel=0.05)
    assert found["tb0.2", "reduce"]["end_ns"] == pytest.approx(sum(steps[:2]), rel=0.05)
    kinds = dict(schedule.operations.filter(rank=0).group_by("kind").len().rows())
    assert kinds["reduce"] == 3
    # the same in place with the output left out
    for gpu in made["gpus"]:
        gpu["output_chunks"] = 0
    assert load(tmp_path, made) == schedule


def packets(ranks: int) -> dict[str, Any]:
    """Each rank writes its chunks to others as packets; they wait for them, sum up, and pass the sum on as packets."""
    blocks = []
    for rank in range(ranks):
        peers = [peer for peer in range(ranks) if peer != rank]
        put = move(
            "ppkt",
            [own("i", peer) for peer in peers],
            [far(buffer(rank, peer, "s"), rank) for peer in peers],
        )
        sources = [own("i", rank), *(own("s", peer) for peer in peers)]
        targets = [own("i", rank), *(far(buffer(rank, peer, "s"), ranks + rank) for peer in peers)]
        unpack = [move("upkt", [own("s", ranks + peer)], [own("i", peer)]) for peer in peers]
        blocks.append([[put, move("respkt", sources, targets, reduce_op="sum"), *unpack]])
    return plan(blocks, "allreduce", (ranks, ranks, 2 * ranks), inplace=True)


def test_packets_are_waited_for(tmp_path: Path) -> None:
    made = packets(4)
    schedule = load(tmp_path, made)
    check(schedule, made)
    assert schedule.operations.filter(pl.col("kind") == "send", pl.col("bytes") == 0).is_empty()
    found = rows(schedule)
    step = 3 * CHUNK / 50 + 1100
    assert found["tb0.4", "compute"]["end_ns"] == pytest.approx(2 * step, rel=0.05)
    # they are passed on to others and kept as packets, too
    for gpu in made["gpus"]:
        rank = gpu["id"]
        ops = gpu["threadblocks"][0]["ops"]
        ops[1]["name"] = "recspkt"
        ops[1]["dst_buff"].insert(1, own("s", 4 + rank))
        ops.append(move("upkt", [own("s", 4 + rank)], [own("i", rank)]))
    check(load(tmp_path, made), made)


def test_groups_of_threadblocks_share_their_bytes(tmp_path: Path) -> None:
    made = all_gather(2)
    for gpu in made["gpus"]:
        rank = gpu["id"]
        ops = gpu["threadblocks"][0]["ops"]
        both = []
        for tb in range(3):
            share = {"tbg_info": {"tb_id": tb, "tbg_size": 3}}
            own_ops = [{**op, **share} if "src_buff" in op else op for op in ops]
            both.append({**gpu["threadblocks"][0], "id": tb, "ops": own_ops})
            ids = [{"channel_type": reach, "channel_ids": [tb]} for reach in ("memory", "port")]
            both[-1]["channels"] = ids
        gpu["threadblocks"] = both
        gpu["channels"] = [{"channel_type": "memory", "connected_to": [1 - rank] * 3}]
    schedule = load(tmp_path, made, 2 * 64)
    check(schedule, made, 64)
    # 4 units of 16 bytes in three parts
    sent = schedule.operations.filter(pl.col("rank") == 0, pl.col("kind") == "send", pl.col("bytes") > 0)
    assert sorted(sent["bytes"].to_list()) == [16, 16, 32]


def pipeline() -> dict[str, Any]:
    """One threadblock copies pieces to scratch, another one puts them. A semaphore says which are there."""
    unit = {"unit_size": 1000, "num_chunks": 1}
    blocks = []
    for rank in range(2):
        copy = [move("copy", [own("i", 0)], [own("s", 0)]), {"name": "sem_release", "semaphore_ids": [0]}]
        put = [
            {"name": "sem_acquire", "semaphore_ids": [0]},
            move("put", [own("s", 0)], [far(1, rank)]),
            sync("signal", 0),
        ]
        wait = [sync("wait", 0)]
        blocks.append(
            [
                [{"name": "pipeline", "iter_context": unit, "ops": copy}],
                [
                    {"name": "pipeline", "iter_context": unit, "ops": put},
                    move("copy", [own("i", 0)], [own("o", rank)]),
                    {"name": "pipeline", "iter_context": unit, "ops": wait},
                ],
            ]
        )
    return plan(blocks, "allgather", (1, 2, 1), semaphores=1)


def test_pipelines_and_semaphores(tmp_path: Path) -> None:
    schedule = load(tmp_path, pipeline())
    sent = schedule.operations.filter(pl.col("rank") == 0, pl.col("kind") == "send", pl.col("bytes") > 0)
    assert sent["bytes"].to_list() == [1000, 1000, 1000, 1000, 96]
    # without the semaphore the second threadblock may not read what the first has not written
    made = pipeline()
    for gpu in made["gpus"]:
        gpu["threadblocks"] = gpu["threadblocks"][::-1]
        for number, block in enumerate(gpu["threadblocks"]):
            block["id"] = number
            for op in block["ops"]:
                if "ops" in op:
                    op["ops"] = [each for each in op["ops"] if "semaphore_ids" not in each]
    with pytest.raises(ScheduleError, match=r"threadblock 0, operation 0 \(put\) reads chunk 0 of Scratch of rank 0"):
        load(tmp_path, made)


def test_a_barrier_passes_on_what_was_written(tmp_path: Path) -> None:
    # one threadblock puts, another one signals behind a barrier
    barrier = {"name": "barrier", "barrier_id": 3, "num_threadblocks": 2}
    blocks = [
        [
            [move("copy", [own("i", 0)], [own("o", rank)]), move("put", [own("i", 0)], [far(1, rank)]), barrier],
            [barrier, sync("signal", 0), sync("wait", 0)],
        ]
        for rank in range(2)
    ]
    made = plan(blocks, "allgather", (1, 2, 0))
    schedule = load(tmp_path, made)
    check(schedule, made)
    found = rows(schedule)
    put, wait = found["gpu1.tb0.1", "receive"], found["tb1.2", "compute"]
    assert wait["end_ns"] >= put["end_ns"]
    assert found["gpu1.tb1.1", "compute"]["start_ns"] >= put["end_ns"]  # what joins the signal and the data


def test_ports_run_beside_their_threadblock(tmp_path: Path) -> None:
    def made(*between: Op) -> dict[str, Any]:
        puts = [move("put", [own("i", 0)], [far(1, rank)], "port", channel_ids=[0]) for rank in range(2)]
        copies = [move("copy", [own("i", 0)], [own("o", rank)]) for rank in range(2)]
        tell = [sync("signal", 0, reach="port"), sync("wait", 0, reach="port")]
        return plan([[[puts[r], *between, copies[r], *tell]] for r in range(2)], "allgather", (1, 2, 0))

    beside = rows(load(tmp_path, made()))
    assert beside["tb0.1", "compute"]["start_ns"] == 0.0
    flushed = rows(load(tmp_path, made(sync("flush", 0, reach="port"))))
    assert flushed["tb0.1", "compute"]["start_ns"] == pytest.approx(CHUNK / 50) == flushed["tb0.0", "send"]["end_ns"]
    # the signal follows the data on its channel
    assert beside["tb0.2", "send"]["start_ns"] == beside["tb0.0", "send"]["end_ns"]


# what is wrong


def change_op(of: str, number: int, /, **values: Any) -> Callable[[dict[str, Any]], None]:
    """Change the first operation of this name of a rank."""

    def change(made: dict[str, Any]) -> None:
        ops = made["gpus"][number]["threadblocks"][0]["ops"]
        op = next(each for each in ops if each["name"] == of)
        if "index" in values:
            op["dst_buff"][0]["index"] = values["index"]
        else:
            op.update(values)

    return change


def change_plan(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda made: made.update(values)


def change_gpu(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda made: made["gpus"][0].update(values)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            change_op("put", 0, index=1),
            'schedule "made" .allgather. is wrong: chunk 0 of the output of rank 1 is not wri',
        ),
        (change_op("copy", 0, index=1), "chunk 0 of the output of rank 0 is not written"),
        (change_op("signal", 0, channel_ids=[]), r"gpu 1, threadblock 0, operation 4 \(wait\) waits for ever"),
        (change_plan(collective="alltoall"), "rank 0 has 1 chunks to begin with and 3 in the end"),
        (change_op("put", 1, src_buff=[own("o", 2)] * 2), r"operation 1 \(put\) reads chunk 2 of Output of rank 1"),
    ],
)
def test_what_a_plan_does_not_do_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], match: str) -> None:
    made = all_gather(3)
    change(made)
    with pytest.raises(ScheduleError, match=match):
        load(tmp_path, made, 3 * CHUNK)


def test_sums_that_count_twice_and_other_chunks_are_named(tmp_path: Path) -> None:
    made = all_reduce(2)
    ops = made["gpus"][0]["threadblocks"][0]["ops"]
    ops.insert(3, ops[2])
    with pytest.raises(ScheduleError, match=r"operation 3 \(rres\) adds chunk 0 of rank 0 a second time"):
        load(tmp_path, made)
    made = all_gather(2)
    made["gpus"][0]["threadblocks"][0]["ops"].append(move("copy", [own("o", 1)], [own("o", 0)]))
    with pytest.raises(ScheduleError, match="chunk 0 of the output of rank 0 lacks chunk 0 of rank 0"):
        load(tmp_path, made)
    made["collective"] = "mine"  # of which nothing is known
    assert load(tmp_path, made).ranks == 2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (change_plan(gpus=[]), "gpus: 0 is not valid; 1 to"),
        (change_plan(name=3), r"line 1, column \d+: invalid type: integer `3`, expected a string is not valid; a plan"),
        (change_plan(buffer_alignment=3), "buffer_alignment: 3 is not valid; a power of two"),
        (change_plan(max_message_size=4096), "size: 12288 is not valid; 0 to 4096 bytes"),
        (change_plan(reuse_resources=True, gpus=[]), "gpus: 0"),
        (change_gpu(id=7), "the 0th gpu: id: 7 is not valid; 0"),
        (change_gpu(input_chunks=-1), "invalid value: integer `-1`"),
        (change_gpu(channels=[{"channel_type": "memory", "connected_to": [5]}]), "gpu 0: connected_to: 5 is not valid"),
        (change_gpu(channels=[{"channel_type": "wire"}]), "unknown variant `wire`"),
        (change_gpu(channels=[]), r"gpu 0, threadblock 0, operation 3 \(signal\): channel: Memory 0 is not valid"),
        (change_gpu(remote_buffers=[]), r"operation 1 \(put\): buffer: none is not valid; buffer_id of a remote"),
        (change_op("put", 0, name="throw"), r"operation 1 \(throw\): unknown is not valid; one of nop, barrier"),
        (change_op("put", 0, name="glres"), "glres is not valid; .*those of switches are not modelled"),
        (change_op("put", 0, name="pipeline"), "iter_context: no unit_size"),
        (
            change_op("put", 0, name="barrier", num_threadblocks=5),
            r"\(barrier\): 5 is not valid; barrier_id, and num_threadblocks from 1 to 1",
        ),
        (change_op("put", 0, name="sem_release", semaphore_ids=[0]), "semaphore: 0 is not valid"),
        (
            change_op("put", 0, index=9),
            r"buffer: chunks 9 to before 10 is not valid; at least one, of the 3 of the Outp",
        ),
        (change_op("put", 0, index=2**63), "buffer: chunks 9223372036854775808 to before"),
        (change_op("put", 0, src_buff=[own("i", 0)]), "1 sources and 2 destinations is not valid"),
        (change_op("put", 0, src_buff=[own("o", 0, 2)] * 2), "8192, 8192. and .4096, 4096. bytes is not valid"),
        (change_op("put", 0, name="ppkt"), r"\(ppkt\): packets: in Output is not valid; in scratch"),
        (change_op("put", 0, tbg_info={"tb_id": 2, "tbg_size": 2}), "tbg_info: 2 of 2 is not valid"),
        (change_op("put", 0, channel_type="port", channel_ids=[]), "channel_ids: 0 is not valid; a channel for each"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, change: Callable[[dict[str, Any]], None], match: str) -> None:
    made = all_gather(3)
    change(made)
    begin = time.process_time()
    with pytest.raises((SpecError, SizeOverflowError), match=match):
        load(tmp_path, made, 3 * CHUNK)
    assert time.process_time() - begin < 1


def test_what_would_depend_on_who_is_first_is_refused(tmp_path: Path) -> None:
    made = all_gather(2)
    block = made["gpus"][0]["threadblocks"][0]
    made["gpus"][0]["threadblocks"].append({**block, "id": 1, "ops": [sync("signal", 0)]})
    with pytest.raises(
        SpecError, match=r"threadblock 1, operation 0 \(signal\): what is signalled by threadblocks 0 and 1"
    ):
        load(tmp_path, made)
    made = packets(2)
    ops = made["gpus"][0]["threadblocks"][0]["ops"]
    ops.insert(1, ops[0])
    with pytest.raises(SpecError, match=r"operation 1 \(ppkt\): packets in chunk 0 of rank 1, a second time"):
        load(tmp_path, made)


def test_sizes_are_for_plans(tmp_path: Path) -> None:
    made = all_gather(2)
    (tmp_path / "y.json").write_text(json.dumps(made))
    with pytest.raises(SpecError, match="size: none is not valid; the bytes of the message"):
        sn.load_schedule(tmp_path / "y.json")
    with pytest.raises(SpecError, match="size: 40 is not valid; a multiple of 32: 2 chunks"):
        load(tmp_path, made, 40)
    shared = plan([[[]]], "mine", (1, 1, 4), reuse_resources=True)
    assert load(tmp_path, shared, 2**24).ranks == 1
    with pytest.raises(SpecError, match="size: 33554432 is not valid; at most 67108864 bytes of scratch"):
        load(tmp_path, shared, 2**25)
    with pytest.raises(SpecError, match="a format that is written: goal"):
        load(tmp_path, made).save(tmp_path / "z.json")


def test_pieces_without_end_are_refused(tmp_path: Path) -> None:
    made = pipeline()
    for gpu in made["gpus"]:
        gpu["threadblocks"][0]["ops"][0]["iter_context"] = {"unit_size": 1, "num_chunks": 2**40}
    with pytest.raises(SpecError, match=r"\(sem_release\): semaphore 0 more than 65536 times before it is acquired"):
        load(tmp_path, made, 2**20)
    for gpu in made["gpus"]:
        del gpu["threadblocks"][0]["ops"][0]["ops"][1]
    begin = time.process_time()
    with pytest.raises(SizeOverflowError, match="operations of the plan overflows: more than 524"):
        load(tmp_path, made, 2**20)
    for gpu in made["gpus"]:
        gpu["threadblocks"][0]["ops"][0]["ops"] = [{"name": "nop"}]
    with pytest.raises(SizeOverflowError, match="steps of the plan overflows: more than 1048"):
        load(tmp_path, made, 2**20)
    assert time.process_time() - begin < 10


def test_the_command_line_tells_plans_from_other_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from supernode.cli import main

    load(tmp_path, all_gather(2))
    for words in (
        ["run", str(tmp_path / "x.json"), "--size", "8 KiB", "--system", "hgx-h100"],
        ["convert", str(tmp_path / "x.json"), str(tmp_path / "x.goal"), "--size", "8 KiB"],
    ):
        with pytest.raises(SystemExit) as done:
            main(words)
        assert not done.value.code
    assert "operations, 4 messages on hgx-h100, 2 ranks" in capsys.readouterr().out
    assert sn.load_schedule(tmp_path / "x.goal").bytes()["bytes"].to_list() == [4096, 4096]
