"""MSCCL's algorithms: what they send, what they claim to do, and what is wrong with them."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest

import supernode as sn
from other_parsers import msccl_chunks, msccl_pairs
from supernode.errors import ScheduleError, SizeOverflowError, SpecError


def star(count: int) -> sn.System:
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns")
    return sn.System("star").scale_up(sn.Device("gpu"), count=count, fabric=fabric)


def step(number: int, kind: str, source: str, target: str, new: bool, after: tuple[int, int] = (-1, -1)) -> str:
    """A step in one of the two forms; places are written as ``i3``."""
    tail = f'cnt="1" depid="{after[0]}" deps="{after[1]}" hasdep="0"/>'
    if new:
        place = target if kind.startswith("r") else source
        return f'<op step="{number}" type="{kind}" buf="{place[0]}" off="{place[1:]}" {tail}'
    return (
        f'<step s="{number}" type="{kind}" srcbuf="{source[0]}" srcoff="{source[1:]}" '
        f'dstbuf="{target[0]}" dstoff="{target[1:]}" {tail}'
    )


def ring_all_reduce(ranks: int, *, new: bool = False) -> str:
    """A ring in place: each chunk goes round twice."""
    lines = [f'<algo name="ring" nchunksperloop="{ranks}" ngpus="{ranks}" coll="allreduce" inplace="1">']
    for rank in range(ranks):
        lines.append(f'<gpu id="{rank}" i_chunks="{ranks}" o_chunks="{ranks}" s_chunks="0">')
        lines.append(f'<tb id="0" send="{(rank + 1) % ranks}" recv="{(rank - 1) % ranks}" chan="0">')
        kinds = ["s", *["rrs"] * (ranks - 2), "rrcs", *["rcs"] * (ranks - 2), "r"]
        for number, kind in enumerate(kinds):
            place = f"i{(rank - number) % ranks}"
            lines.append(step(number, kind, place, place, new))
        lines += ["</tb>", "</gpu>"]
    return "\n".join([*lines, "</algo>"])


def direct_all_gather(ranks: int) -> str:
    """Each rank sends its chunk to all others; a copy keeps its own."""
    lines = [f'<algo name="direct" nchunksperloop="{ranks}" ngpus="{ranks}" coll="allgather" inplace="0">']
    for rank in range(ranks):
        lines.append(f'<gpu id="{rank}" i_chunks="1" o_chunks="{ranks}" s_chunks="0">')
        others = [other for other in range(ranks) if other != rank]
        for number, other in enumerate(others):
            lines.append(f'<tb id="{2 * number}" send="{other}" recv="-1" chan="0">')
            lines += [step(0, "s", "i0", "o0", new=False), "</tb>"]
            lines.append(f'<tb id="{2 * number + 1}" send="-1" recv="{other}" chan="0">')
            lines += [step(0, "r", "i0", f"o{other}", new=False), "</tb>"]
        lines.append(f'<tb id="{2 * ranks}" send="-1" recv="-1" chan="0">')
        lines += [step(0, "cpy", "i0", f"o{rank}", new=False, after=(1, 0)), "</tb>", "</gpu>"]
    return "\n".join([*lines, "</algo>"])


def load(tmp_path: Path, text: str, size: int | str | None = "64 KiB") -> sn.ExplicitSchedule:
    path = tmp_path / "x.xml"
    path.write_text(text)
    return sn.load_schedule(path, size=size)


@pytest.mark.parametrize("new", [False, True])
def test_a_ring_in_both_forms(tmp_path: Path, new: bool) -> None:
    text = ring_all_reduce(4, new=new)
    schedule = load(tmp_path, text)
    rows = schedule.bytes().select("source", "destination", "bytes").rows()
    assert {(a, b): size for a, b, size in rows} == dict(msccl_pairs(text, 16384))
    result = sn.simulate(star(4), schedule, stack="none", fidelity="packet")
    whole = sn.all_reduce(
        star(4), size="64 KiB", algorithm="ring", lanes=1, chunks=1, stack="none", fidelity="packet", skip=False
    )
    assert result.time_fs == whole.time_fs
    kinds = Counter(result.to_polars()["kind"])
    assert kinds == {"send": 24, "reduce": 12, "receive": 12}


@pytest.mark.parametrize("new", [False, True])
def test_what_files_leave_out(tmp_path: Path, new: bool) -> None:
    # in place, compilers write the chunks of one buffer only; the newer form leaves out what it can
    text = ring_all_reduce(4, new=new).replace('o_chunks="4"', 'o_chunks="0"')
    if new:
        text = text.replace(' cnt="1" depid="-1" deps="-1" hasdep="0"', "").replace(' nchunksperloop="4"', "")
    assert load(tmp_path, text) == load(tmp_path, ring_all_reduce(4))
    assert msccl_chunks(text) == 4
    only = text.replace("i_chunks", "x").replace("o_chunks", "i_chunks").replace("x=", "o_chunks=")
    only = re.sub(r'((?:src|dst)?buf)="i"', r'\1="o"', only)
    assert load(tmp_path, only) == load(tmp_path, text)


@pytest.mark.parametrize("given", ["input", "output"])
def test_an_all_gather_in_place(tmp_path: Path, given: str) -> None:
    chunks = 'i_chunks="1" o_chunks="0"' if given == "input" else 'i_chunks="0" o_chunks="4"'
    lines = ['<algo name="ring" nchunksperloop="4" ngpus="4" coll="allgather" inplace="1">']
    for rank in range(4):
        lines.append(f'<gpu id="{rank}" {chunks} s_chunks="0">')
        lines.append(f'<tb id="0" send="{(rank + 1) % 4}" recv="{(rank - 1) % 4}" chan="0">')
        for number, kind in enumerate(("s", "rcs", "rcs", "r")):
            place = f"o{(rank - number) % 4}"
            lines.append(step(number, kind, place, place, new=False))
        lines += ["</tb>", "</gpu>"]
    text = "\n".join([*lines, "</algo>"])
    if given == "input":  # the places of the output are not there then
        with pytest.raises(SpecError, match="of the 0 of its Output buffer"):
            load(tmp_path, text)
        return
    assert load(tmp_path, text).bytes()["bytes"].to_list() == [3 * 16384] * 4
    with pytest.raises(ScheduleError, match="chunk 1 of the output of rank 0 lacks chunk 0 of rank 1"):
        load(tmp_path, text.replace('dstoff="1"', 'dstoff="2"', 1))


def test_local_steps_of_the_newer_form_are_refused(tmp_path: Path) -> None:
    text = ring_all_reduce(4, new=True).replace('type="r"', 'type="cpy"', 1)
    with pytest.raises(SpecError, match="op: srcbuf: missing is not valid"):
        load(tmp_path, text)


def test_an_all_gather_with_copies_and_dependencies(tmp_path: Path) -> None:
    text = direct_all_gather(4)
    schedule = load(tmp_path, text, 4096)
    assert {(a, b): size for a, b, _, size in schedule.bytes().rows()} == dict(msccl_pairs(text, 1024))
    result = sn.simulate(star(4), schedule, stack="none", fidelity="packet")
    rows = result.to_polars().filter(rank=0)
    label = dict(zip(rows["label"], rows["end_ns"], strict=True))
    assert label["tb8.0"] == label["tb1.0"]  # the copy waits for that receive
    schedule.save(tmp_path / "x.goal")
    again = sn.load_schedule(tmp_path / "x.goal")
    assert again.bytes().equals(schedule.bytes())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        # a chunk that is sent to the wrong place
        ((r'(type="r" srcbuf="i" srcoff="0" dstbuf="o" dstoff)="1"', r'\1="2"'),
         r'schedule "direct" \(allgather\) is wrong: chunk 1 of the output of rank 0 lacks chunk 0 of rank 1'),
        ((r"<tb id=\"8\".*?</tb>", ""), "chunk 0 of the output of rank 0 lacks chunk 0 of rank 0"),
        ((r'coll="allgather"', 'coll="alltoall"'), "rank 0 has 1 chunks to begin with and 4 in the end"),
        ((r'type="s"', 'type="nop"'), "waits for ever"),
    ],
)  # fmt: skip
def test_what_an_algorithm_does_not_do_is_named(tmp_path: Path, change: tuple[str, str], match: str) -> None:
    text = re.sub(change[0], change[1], direct_all_gather(4), count=1, flags=re.DOTALL)
    with pytest.raises(ScheduleError, match=match):
        load(tmp_path, text, 4096)


def test_sums_that_count_twice_are_named(tmp_path: Path) -> None:
    # the last step adds what was only to be stored
    text = ring_all_reduce(4).replace('type="r"', 'type="rrc"', 1)
    with pytest.raises(ScheduleError, match=r"gpu 0, tb 0, step 6 adds chunk 2 of rank \d to chunk 2 a second time"):
        load(tmp_path, text)


def test_custom_collectives_are_not_checked(tmp_path: Path) -> None:
    text = re.sub(r'coll="\w+"', 'coll="custom"', direct_all_gather(4)).replace('dstoff="1"', 'dstoff="2"', 1)
    assert load(tmp_path, text, 4096).ranks == 4


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (('ngpus="4"', 'ngpus="1000000000"'), "line 1: algo: ngpus: 1000000000 is not valid"),
        (('ngpus="4"', 'ngpus="5"'), "ngpus: 5 is not valid; 4"),
        (('i_chunks="4"', 'i_chunks="1000000000"'), "gpu 0: chunks overflows: 1000000000"),
        (('recv="3"', 'recv="9"'), "gpu 0, tb 0: recv: 9 is not valid; another gpu"),
        (('send="1"', 'send="-1"'), "line 4: gpu 0, tb 0, step 0: type: s is not valid"),
        (('type="rrs"', 'type="rsr"'), 'line 5: step: type: "rsr" is not valid; one of nop, s, r'),
        (('s="1"', 's="7"'), "number: 7 is not valid; 1: steps are numbered"),
        (('srcoff="0"', 'srcoff="4"'), "step 0: chunks: chunks 4 to before 5 is not valid; at least one, of the 4"),
        (('depid="-1" deps="-1"', 'depid="3" deps="0"'), "depid, deps: 3, 0 is not valid"),
        (('cnt="1"', 'cnt="x"'), 'line 4: step: cnt: "x" is not valid'),
        (('id="1"', 'id="0"'), "gpu ids: 0 is not valid"),
        (("<algo", "<!DOCTYPE a><algo"), "a document type is not valid"),
        (("</tb>", ""), "is not valid; XML that is well-formed"),
        (("<gpu", "<cpu"), 'element: "cpu" is not valid; algo'),
    ],
)
def test_errors_name_the_place(tmp_path: Path, change: tuple[str, str], match: str) -> None:
    begin = time.process_time()
    with pytest.raises((SpecError, SizeOverflowError), match=match):
        load(tmp_path, ring_all_reduce(4).replace(*change, 1))
    assert time.process_time() - begin < 1


def test_sizes_are_for_algorithms(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="size: none is not valid"):
        load(tmp_path, ring_all_reduce(4), None)
    with pytest.raises(SpecError, match="size: 1001 is not valid; a multiple of the 4 chunks"):
        load(tmp_path, ring_all_reduce(4), 1001)
    (tmp_path / "x.goal").write_text("num_ranks 1 rank 0 { calc 1 }")
    with pytest.raises(SpecError, match="messages of goal have sizes"):
        sn.load_schedule(tmp_path / "x.goal", size=4)


# writing


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    text = """num_ranks 3
    rank 0 { a: send 3000b to 1 tag 2 b: recv 500b from 2 c: calc 0 d: send 1000b to 2
             c requires a c requires b d requires c }
    rank 1 { a: recv 3000b from 0 tag 2 }
    rank 2 { a: send 500b to 0 b: recv 1000b from 0 b requires a }"""
    (tmp_path / "x.goal").write_text(text)
    schedule = sn.load_schedule(tmp_path / "x.goal")
    lost = schedule.save(tmp_path / "y.xml")
    assert lost == ("sizes are left out: read it with size=3000", "operations of one channel run one after the other")
    again = sn.load_schedule(tmp_path / "y.xml", size=3000)
    assert again.bytes().equals(schedule.bytes())
    first, second = (sn.simulate(star(3), each, stack="none", fidelity="packet") for each in (schedule, again))
    assert first.time_fs == second.time_fs


def test_what_it_cannot_hold_is_named(tmp_path: Path) -> None:
    for text, match in (
        ("num_ranks 1 rank 0 { a: calc 5 }", r'operation 0 "a" \(compute 5 ns\): msccl: a time is not valid'),
        ("num_ranks 2 rank 0 { send 0b to 1 } rank 1 { recv 0b from 0 }", "a message without bytes"),
        ("num_ranks 1 rank 0 { a: calc 0 b: calc 0 b irequires a }", "another one waits for its beginning"),
    ):
        (tmp_path / "x.goal").write_text(text)
        with pytest.raises(SpecError, match=match):
            sn.load_schedule(tmp_path / "x.goal").save(tmp_path / "y.xml")
        assert not (tmp_path / "y.xml").exists()
