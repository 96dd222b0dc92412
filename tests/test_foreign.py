"""Formats that are known and are no topologies: each is named for what it is, whatever the file is called."""

import gzip
import json
import struct
import time
from pathlib import Path

import pytest

from supernode.errors import SpecError
from supernode.io.foreign import FOREIGN, foreign
from supernode.system import System

DATA = Path(__file__).parent / "data"


def delimited(*messages: bytes) -> bytes:
    """Protobuf messages, each after its length."""
    return b"".join(bytes([len(message)]) + message for message in messages)


#: Metadata with version 0.0.4; a node with id 1, the name "comp" and type COMP (4).
CHAKRA = delimited(b"\x0a\x050.0.4", b"\x08\x01\x12\x04comp\x18\x04")

SAMPLES: dict[str, list[bytes]] = {
    "an MSCCL algorithm (XML)": [
        (
            b'<algo name="ring" proto="Simple" nchannels="1" nchunksperloop="4" ngpus="4" coll="allreduce">\n'
            b'  <gpu id="0" i_chunks="4" o_chunks="4" s_chunks="0">\n  </gpu>\n</algo>'
        ),
        b'<?xml version="1.0"?>\n<!-- made by hand -->\n<algo name="x" ngpus="2"/>',
    ],
    "a graph that NCCL found (NCCL_GRAPH_DUMP_FILE)": [
        b'<graphs version="1">\n  <graph id="0" pattern="4" crossnic="0" nchannels="2" speedintra="20"/>\n</graphs>'
    ],
    "a topology of hwloc (XML)": [
        (
            b'<?xml version="1.0"?>\n<!DOCTYPE topology SYSTEM "hwloc2.dtd">\n<topology version="2.0">\n'
            b'  <object type="Machine" os_index="0"/>\n</topology>'
        )
    ],
    "a platform of SimGrid (XML)": [
        (
            b"<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
            b'<platform version="4.1"><zone id="AS0" routing="Full"/></platform>'
        )
    ],
    "a plan of MSCCL++ (JSON)": [
        json.dumps({"name": "x", "collective": "allgather", "protocol": "Simple", "inplace": True, "gpus": []}).encode()
    ],
    "an execution trace of Chakra (JSON)": [
        b'{"version": "0.0.4"}\n{"id": "1", "name": "c", "type": "COMM_COLL_NODE", "attr": []}',
        b'{"schema": "1.1.0-chakra.0.0.4", "pid": 1, "nodes": []}',
    ],
    "an execution trace of Chakra (protobuf)": [
        CHAKRA,
        gzip.compress(CHAKRA, mtime=0),
        delimited(b"\x0a\x050.0.4"),
        delimited(b"\x12\x14\x0a\x06schema\xa2\x02\x091.0.2-abc", b"\x08\x01"),
    ],
    "a trace of Kineto (Chrome trace events)": [b'{"schemaVersion": 1, "traceEvents": [{"ph": "X"}]}'],
    "a GOAL schedule": [b"num_ranks 2\n\nrank 0 {\nl1: calc 100\n}\n", b"// a comment\n/* and one */ num_ranks 4\n"],
    "a GOAL schedule (binary)": [struct.pack("<QIBB", 4223, 2, 1, 1) + bytes(64)],
    "a connection matrix of htsim (.cm)": [b"Nodes 16\nConnections 1\n0->1 id 1 start 0 size 1000\n"],
    "a workload of SimAI or ASTRA-sim": [b"HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: 8 ep: 1\n1\n"],
    "a network of BookSim (anynet)": [b"router 0 node 0 router 1\nrouter 1 node 1\n"],
    "a configuration of BookSim": [b"// 4x4 mesh\n\ntopology = mesh;\nk = 4;\nn = 2;\nrouting_function = dor;\n"],
    "an output of nccl-tests (text)": [
        b"# nThread 1 nGpus 8 minBytes 8 maxBytes 134217728 step: 2(factor) warmup iters: 5 iters: 20\n#\n",
        b"mpirun says\n#       size         count      type   redop    root     time   algbw   busbw #wrong\n",
    ],
    "results of nccl-tests (JSON)": [b'{"version": 1, "config": {}, "results": [], "average_bus_bandwidth": {}}'],
    "an output of the OSU benchmarks": [b"\n# OSU MPI Allreduce Latency Test v7.5\n# Size  Avg Latency(us)\n8  1.2\n"],
}


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES) == {each.title for each in FOREIGN}


@pytest.mark.parametrize(("title", "number"), [(t, i) for t, samples in SAMPLES.items() for i in range(len(samples))])
@pytest.mark.parametrize("name", ["file.xml", "file.json", "file.txt", "file"])
def test_each_is_named(title: str, number: int, name: str, tmp_path: Path) -> None:
    each = next(each for each in FOREIGN if each.title == title)
    (tmp_path / name).write_bytes(SAMPLES[title][number])
    with pytest.raises(SpecError) as error:
        System.from_file(tmp_path / name)
    assert str(error.value) == f"{name}: this is {title}, not a topology: {each.instead}"


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_what_is_read_is_not_taken_for_one(path: Path) -> None:
    assert foreign(path.read_bytes()) is None


@pytest.mark.parametrize(
    "data",
    [
        b" " * 2**20,
        b"\n" * 2**20,
        b"\n#\n" * 2**18,
        b"#" * 2**20,
        b"<!--" * 2**18,
        b"<algo " * 2**18,
        b"// \n" * 2**18,
        b"/*" * 2**19,
        b'{"collective":' * 2**16,
        b'{"schema" : "' * 2**16,
        b"\x80" * 2**20,
        b"\x01" * 2**20,
        gzip.compress(bytes(2**26), mtime=0),
        b"\x1f\x8b" * 100,
    ],
    ids=range(14),
)
def test_the_search_is_bounded(data: bytes) -> None:
    start = time.process_time()
    foreign(data)
    assert time.process_time() - start < 0.5
