"""Bytes by source and destination of schedules' files, by parsers that share nothing with the readers.

Each is written from its format's description and looks only at what is sent. What a reader checks besides is not
checked here.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

Pairs = Counter[tuple[int, int]]


def goal_pairs(text: str) -> Pairs:
    """GOAL as text, read with regular expressions."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    found: Pairs = Counter()
    for block in re.finditer(r"rank\s+(\d+)\s*\{(.*?)\}", text, re.DOTALL):
        for send in re.finditer(r"send\s+(\d+)b\s+to\s+(\d+)", block[2]):
            found[int(block[1]), int(send[2])] += int(send[1])
    return found


def binary_pairs(data: bytes) -> Pairs:
    """GOAL, compiled."""
    found: Pairs = Counter()
    magic, ranks, _, _ = struct.unpack_from("<QIBB", data)
    assert magic == 4223
    for rank in range(ranks):
        start, _ = struct.unpack_from("<QQ", data, 14 + 16 * rank)
        nodes, roots = struct.unpack_from("<II", data, 8 + start)
        for node in range(nodes):
            at = 8 + start + 8 + 4 * roots + 39 * node
            _, kind, peer, size, *_ = struct.unpack_from("<IBIQIBBIIII", data, at)
            if kind == 1:
                found[rank, peer] += size
    return found


def matrix_pairs(text: str) -> Pairs:
    """A connection matrix of htsim."""
    found: Pairs = Counter()
    for flow in re.finditer(r"(\d+)->(\d+)[^\n]* size (\d+)", text):
        found[int(flow[1]), int(flow[2])] += int(flow[3])
    return found


def msccl_chunks(text: str) -> int:
    """Chunks that the message of an MSCCL algorithm is cut into."""
    algorithm = ElementTree.fromstring(text)  # noqa: S314 - a test's own choice of files
    sizes = [int(gpu.attrib[name]) for gpu in algorithm.iter("gpu") for name in ("i_chunks", "o_chunks")]
    return int(algorithm.attrib.get("nchunksperloop", max(sizes)))


def msccl_pairs(text: str, chunk: int) -> Pairs:
    """An MSCCL algorithm with chunks of so many bytes, in either form."""
    found: Pairs = Counter()
    for gpu in ElementTree.fromstring(text).iter("gpu"):  # noqa: S314 - as above
        for block in gpu.iter("tb"):
            for each in block:
                if each.attrib["type"] in ("s", "rcs", "rrs", "rrcs"):
                    count = int(each.attrib.get("cnt", 1))
                    found[int(gpu.attrib["id"]), int(block.attrib["send"])] += count * chunk
    return found


# Chakra's traces


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: numbers, and bytes of what has a length."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: Any
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = 8 if kind == 1 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        yield key >> 3, value


def _nodes(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Kind and attributes of each node of a trace."""
    at = number = 0
    while at < len(data):
        size, at = _varint(data, at)
        message, at = data[at : at + size], at + size
        number += 1
        if number == 1:
            continue  # facts about the trace
        kind, attributes = 0, {}
        for field, value in _fields(message):
            if field == 3:
                kind = value
            elif field == 10:
                name, content = "", None
                for inner, each in _fields(value):
                    if inner == 1:
                        name = each.decode()
                    elif inner != 2:
                        content = each >> 1 ^ -(each & 1) if inner in (15, 17) else each
                attributes[name] = content.decode() if isinstance(content, bytes) and name == "pg_name" else content
        yield kind, attributes


def _ring(found: Pairs, members: list[int], rank: int, each: int) -> None:
    found[rank, members[(members.index(rank) + 1) % len(members)]] += each


def chakra_pairs(files: list[Path], groups: dict[str, list[int]] | None = None) -> Pairs:
    """Chakra's traces by rank: messages, rings for all-reduce, all-gather and reduce-scatter, pairs for all-to-all."""
    found: Pairs = Counter()
    for rank, path in enumerate(files):
        data = path.read_bytes()
        for kind, values in _nodes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data):
            size = values.get("comm_size", 0)
            if kind == 5:
                found[rank, values["comm_dst"]] += size
            if kind != 7:
                continue
            members = (groups or {}).get(values.get("pg_name") or "") or list(range(len(files)))
            others = len(members) - 1
            if others == 0:
                continue
            assert values["comm_type"] == 2 or size % len(members) == 0, "pieces of different sizes"
            piece = size // len(members)
            if values["comm_type"] == 0:
                _ring(found, members, rank, 2 * others * piece)
            elif values["comm_type"] == 2:
                _ring(found, members, rank, others * size)
            elif values["comm_type"] in (7, 8):
                _ring(found, members, rank, others * piece)
            elif values["comm_type"] == 6:
                for other in members:
                    found[rank, other] += piece if other != rank else 0
            else:
                raise AssertionError(f"a collective that this parser does not know: {values['comm_type']}")
    return +found


# MSCCL++


#: Operations that write to other ranks: how many of their destinations are local.
PUTS = {"put": 0, "pws": 0, "pwsf": 0, "ppkt": 0, "rppkt": 0, "res": 1, "rres": 1, "respkt": 1, "recspkt": 2}
#: Operations that read from other ranks: how many of their sources are local.
GETS = {"get": 0, "rre": 1, "rres": 1}


def plan_chunks(plan: dict[str, Any]) -> int:
    """Chunks that the message of a plan of MSCCL++ is cut into."""
    return max(max(int(gpu["input_chunks"]), int(gpu["output_chunks"])) for gpu in plan["gpus"])


def plan_pairs(text: str, chunk: int) -> Pairs:
    """A plan of MSCCL++ with chunks of so many bytes, all of them aligned."""
    found: Pairs = Counter()
    plan = json.loads(text)
    unit = int(plan.get("buffer_alignment", 16))

    def part(op: dict[str, Any], size: int) -> int:
        if "tbg_info" not in op:
            return size
        number, count = (int(op["tbg_info"][name]) for name in ("tb_id", "tbg_size"))
        units, more = divmod(size // unit, count)
        return (units + (number < more)) * unit

    for gpu in plan["gpus"]:
        for block in gpu["threadblocks"]:
            refs = {
                each["access_channel_type"]: each["remote_buffer_ids"] for each in block.get("remote_buffer_refs", [])
            }
            ops = [inner for op in block["ops"] for inner in (op["ops"] if op["name"] == "pipeline" else [op])]
            for op in ops:
                for names, side, reads in ((PUTS, "dst_buff", False), (GETS, "src_buff", True)):
                    if op["name"] not in names:
                        continue
                    for each in op[side][names[op["name"]] :]:
                        peer = gpu["remote_buffers"][refs[op["channel_type"]][each["buffer_id"]]]["rank"]
                        size = part(op, each["size"] * chunk)
                        found[(peer, gpu["id"]) if reads else (gpu["id"], peer)] += size
    return found
