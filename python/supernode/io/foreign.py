"""Formats that are known and are no topologies: a file of one is named for what it is.

Each is told by the first 64 KiB of its content, whatever its name: the root of an XML text, keys of a JSON text, the
first words of a line, the magic number of a binary file. A compressed file (gzip) is told by what it holds. The search
is linear in these bytes.

Source: the formats' own readers, of msccl-tools 030a750, mscclpp 1f5f065, chakra 21585d8, LogGOPSim 76451de, csg-htsim
841d9e7, nccl 2.30.7, nccl-tests 2.19.6; the manuals of hwloc 2, SimGrid 4, BookSim 2, OSU 7.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["FOREIGN", "Foreign", "foreign"]

#: Bytes that are looked at.
HEAD = 2**16

#: Lines that are looked at.
_LINES = 200

#: Magic number of a binary GOAL file.
_GOAL = struct.pack("<Q", 4223)

_DUMP = "a topology of NCCL is what NCCL_TOPO_DUMP_FILE writes"
_SCHEDULES = "sn.load_schedule reads it, and supernode run FILE --system NAME runs it"


@dataclass(frozen=True)
class Foreign:
    """A format that is known and is no topology.

    Parameters
    ----------
    title
        What a file of it is, with its article.
    instead
        What would be read instead.
    text, line, data
        What tells it: a pattern at the start of the text, or at the start of one of its first lines, or a test of the
        bytes.
    """

    title: str
    instead: str
    text: re.Pattern[str] | None = None
    line: re.Pattern[str] | None = None
    data: Callable[[bytes], bool] | None = None


def _root(name: str, inside: str = "") -> re.Pattern[str]:
    """Return the pattern of an XML text with this root: the first tag after declaration, document type and comments."""
    prolog = r"\s*(?:<\?[^>]{0,400}>\s*)?(?:<!(?:--[^>]{0,2000}|DOCTYPE[^>]{0,400})>\s*){0,8}"
    return re.compile(rf"{prolog}<{name}(?=[\s>/])[^>]{{0,4000}}?{inside}")


def _is_chakra(data: bytes) -> bool:
    """Tell whether delimited messages of Chakra begin here: metadata with a version or schema, then nodes."""
    size, at = _varint(data, 0)
    if size is None or not 0 < size <= 4096 or at + size > len(data):
        return False
    metadata = _fields(data[at : at + size])
    if metadata is None or not {number for number, _ in metadata} <= {1, 2}:
        return False
    version = next((value for number, value in metadata if number == 1), b"")
    schema = any(b"schema" in value for number, value in metadata if number == 2)
    if not re.fullmatch(rb"\d{1,4}(\.\d{1,4}){1,3}", version) and not (schema and not version):
        return False
    at += size
    if at >= len(data):
        return True
    size, at = _varint(data, at)
    if size is None or at + size > len(data):
        return size is not None and len(data) >= HEAD
    node = _fields(data[at : at + size])
    return node is not None and all(1 <= number <= 10 for number, _ in node)


def _varint(data: bytes, at: int) -> tuple[int | None, int]:
    """Return a number of up to five bytes and where it ends."""
    value = 0
    for i, byte in enumerate(data[at : at + 5]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, at + i + 1
    return None, len(data)


def _fields(message: bytes) -> list[tuple[int, bytes]] | None:
    """Return the fields of a protobuf message, if it is one: number, and bytes where it has any."""
    found = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag is None:
            return None
        kind, size = tag & 7, 0
        if kind == 0:
            while at < len(message) and message[at] >= 0x80:
                at += 1
            at += 1
        elif kind == 2:
            length, at = _varint(message, at)
            if length is None:
                return None
            size = length
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            return None
        if at + size > len(message):
            return None
        found.append((tag >> 3, message[at : at + size]))
        at += size
    return found


def _keys(*names: str) -> re.Pattern[str]:
    """Return the pattern of a JSON text that has all of these keys near its start."""
    ahead = "".join(rf'(?=[\s\S]*"{name}"\s{{0,20}}:)' for name in names)
    return re.compile(rf"\s*\{{{ahead}")


#: Formats by what tells them, the first that fits.
FOREIGN: tuple[Foreign, ...] = (
    Foreign("an MSCCL algorithm (XML)", f"{_SCHEDULES}; {_DUMP}", _root("algo", r"n(?:chunksperloop|gpus|channels)=")),
    Foreign("a graph that NCCL found (NCCL_GRAPH_DUMP_FILE)", f"{_DUMP}", _root("graphs")),
    Foreign(
        "a topology of hwloc (XML)",
        "'infragraph translate lstopo' makes an InfraGraph of it, which is read",
        _root("topology"),
    ),
    Foreign(
        "a platform of SimGrid (XML)",
        "GraphML is read, where its hosts, routers and links are vertices and edges",
        _root("platform"),
    ),
    Foreign(
        "a plan of MSCCL++ (JSON)",
        _SCHEDULES,
        _keys("collective", "protocol", "(?:gpus|inplace|num_threads_per_block)"),
    ),
    Foreign(
        "an execution trace of Chakra (JSON)",
        "only those in protobuf are schedules that are read; its network is that of ASTRA-sim's network.yml, which is",
        re.compile(
            r'\s*[{\[][\s\S]*(?:"type"\s{0,20}:\s{0,20}"(?:METADATA|MEM_LOAD|MEM_STORE|COMP|COMM_SEND|COMM_RECV|COMM_COLL)'
            r'(?:_NODE)?"|"schema"\s{0,20}:\s{0,20}"[^"]{0,40}chakra)'
        ),
    ),
    Foreign(
        "an execution trace of Chakra (protobuf)",
        f"{_SCHEDULES}; its network is that of ASTRA-sim's network.yml",
        data=_is_chakra,
    ),
    Foreign("a trace of Kineto (Chrome trace events)", "traces are not read", _keys("traceEvents")),
    Foreign("a GOAL schedule (binary)", _SCHEDULES, data=lambda data: data.startswith(_GOAL)),
    Foreign("a GOAL schedule", _SCHEDULES, line=re.compile(r"(?:/\*[^*]{0,200}\*/)?[ \t]{0,99}num_ranks[ \t]{1,99}\d")),
    Foreign(
        "a connection matrix of htsim (.cm)",
        f"{_SCHEDULES}; the .topo beside it is one",
        line=re.compile(r"(?i)connections[ \t]{1,99}\d{1,99}\s{0,99}\Z"),
    ),
    Foreign(
        "a workload of SimAI or ASTRA-sim",
        "workloads are not read; SimAI's topology and ASTRA-sim's network.yml are",
        re.compile(r"\s*(?:HYBRID_TRANSFORMER|HYBRID_DLRM|HYBRID_CUSTOMIZED|MICRO\b|DATA\b|MODEL\b|HYBRID_DATA_MODEL)"),
    ),
    Foreign(
        "a network of BookSim (anynet)",
        "GraphML is read, where its routers and nodes are vertices",
        re.compile(r"\s*router\s+\d+\s+(?:node|router)\s+\d"),
    ),
    Foreign(
        "a configuration of BookSim",
        "sn.Torus, sn.Mesh, sn.Dragonfly and sn.FatTree build its topologies",
        line=re.compile(r"[ \t]{0,99}(?:topology|routing_function|num_vcs)[ \t]{0,99}=[ \t]{0,99}\w{1,60}[ \t]{0,99};"),
    ),
    Foreign(
        "an output of nccl-tests (text)",
        "sn.read_measurements reads it, and Bench.compare compares it",
        line=re.compile(
            r"#[ \t]{1,99}(?:nThreads? \d{1,9} nGpus \d|nccl-tests version"
            r"|size[ \t]{1,99}count[ \t]{1,99}type[ \t]{1,99}redop)"
        ),
    ),
    Foreign(
        "results of nccl-tests (JSON)",
        "sn.read_measurements reads them, and Bench.compare compares them",
        _keys("results", "(?:average_bus_bandwidth|out_of_bounds|nccl_version)"),
    ),
    Foreign(
        "an output of the OSU benchmarks",
        "sn.read_measurements reads it, and Bench.compare compares it",
        line=re.compile(r"#[ \t]{0,99}OSU "),
    ),
)


def foreign(data: bytes) -> Foreign | None:
    """Return the format that is known and not read, if the file is of one.

    Parameters
    ----------
    data
        Content of the file.
    """
    head = data[:HEAD]
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD)
        except zlib.error:
            return None
    text = head.decode("utf-8-sig", errors="replace")
    lines = text.split("\n", _LINES)[:_LINES]
    for each in FOREIGN:
        if (
            (each.data is not None and each.data(head))
            or (each.text is not None and each.text.match(text))
            or (each.line is not None and any(map(each.line.match, lines)))
        ):
            return each
    return None
