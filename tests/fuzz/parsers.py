"""Everything that reads what a user may have from somebody else, each as a function of bytes, with good inputs to begin with.

Whatever the bytes are, a parser returns or raises an error of this package (:func:`outcome`), within a few seconds and without
much memory. ``tests/fuzz/corpus`` has inputs of each that together reach every place that any input was seen to reach; tests
replay them, and :mod:`fuzz.guided` looks for more. **Limits.** Tables of results (Parquet, Arrow) are parsed by Arrow and
Polars, which have fuzzers of their own; ``tests/test_bombs.py`` has what is ours in reading them.
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

import supernode as sn
from fuzz.mutation import ALGORITHM, GOAL, JOB, MATRIX, PLAN, UNITS, WORKLOAD
from supernode import core, units
from supernode.errors import InternalError, SpecError, SupernodeError
from supernode.library.stack import load_stack
from supernode.preset.load import load_preset
from supernode.run.job import load_job
from supernode.run.sizes import parse_sizes
from supernode.sweep.condition import Condition
from supernode.sweep.store import Store
from supernode.system import System

__all__ = ["CORPUS", "PARSERS", "Parser", "outcome"]

CORPUS = Path(__file__).parent / "corpus"
DATA = Path(__file__).parents[1] / "data"
PACKAGE = Path(sn.__file__).parent


@dataclass(frozen=True)
class Parser:
    """What reads bytes, and good ones."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]


def outcome(name: str, data: bytes) -> str:
    """Read bytes; return ``"accepted"`` or ``"refused"``. Any other error than one of this package comes through.

    Raises
    ------
    InternalError
        Which is a defect, whoever raises it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            PARSERS[name].read(data)
        except InternalError:
            raise
        except SupernodeError as error:
            # whoever reads the message must be able to print it
            str(error).encode()
            return "refused"
    return "accepted"


@cache
def _folder() -> Path:
    kept = tempfile.TemporaryDirectory(prefix="supernode-parsers-")
    _KEPT.append(kept)
    return Path(kept.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return what reads a file, as a function of its content."""

    def whole(data: bytes) -> object:
        path = _folder() / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return read(path)

    return whole


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Return what reads a text of a command line, as a function of its bytes."""
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _system(path: Path, format: str | None) -> object:
    options: dict[str, Any] = {"link_rate": "25 GB/s", "link_latency": "200 ns"} if format in _NEEDY else {}
    return System.from_file(path, format, **options).to_toml()


#: Formats that have no rates or latencies.
_NEEDY = (None, "nccl", "infragraph", "infragraph-json")


def _data(*names: str) -> Callable[[], list[bytes]]:
    return lambda: [(DATA / name).read_bytes() for name in names]


def _packaged(pattern: str) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for path in sorted(PACKAGE.glob(pattern))]


def _texts(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


@cache
def _bench() -> sn.Bench:
    return sn.bench("all_reduce", "hgx-h100", sizes="1M", fidelity="analytic")


def _meta(kind: str) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            (_bench() if kind == "bench" else _bench()[0]).save(folder)
            return [(Path(folder) / "meta.json").read_bytes()]

    return made


def _in_folder(kind: str) -> Callable[[bytes], object]:
    """Return what loads a folder of results with this ``meta.json`` and good tables."""

    @cache
    def folder() -> Path:
        place = _folder() / kind
        (_bench() if kind == "bench" else _bench()[0]).save(place)
        return place

    def read(data: bytes) -> object:
        (folder() / "meta.json").write_bytes(data)
        loaded: Any = sn.Bench.load(folder()) if kind == "bench" else sn.Result.load(folder())
        return repr(loaded)

    return read


def _sweep(path: Path) -> object:
    sweep = sn.Sweep.load(path)
    return list(islice(sweep.points(), 3)), sweep.digest


def _measurements() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return [_bench().to_nccl_tests(Path(folder) / "x.json").read_bytes()]


def _core(data: bytes) -> None:
    """Give the core a specification that the Python surface never made."""
    text = data.decode("utf-8", "replace")
    for ask in (core.validate, core.describe):
        with contextlib.suppress(SpecError):
            ask(text)


def _specs() -> list[bytes]:
    system = System.preset("hgx-h100").to_spec()
    return [msgspec.json.encode(system)]


def _compiled() -> list[bytes]:
    """Return a compiled schedule."""
    path = _folder() / "seed.goal"
    path.parent.mkdir(exist_ok=True)
    path.write_text(GOAL)
    sn.load_schedule(path).save(path.with_suffix(".bin"))
    return [path.with_suffix(".bin").read_bytes()]


def _traces() -> list[bytes]:
    """Return a trace of one rank: a computation, a barrier, and a memory node that waits for both."""

    def text(field: int, value: bytes) -> bytes:
        return bytes([field << 3 | 2, len(value)]) + value

    barrier = text(10, text(1, b"comm_type") + bytes([9 << 3, 9]))
    nodes = (
        bytes([8, 1, 3 << 3, 4, 7 << 3, 5]) + text(2, b"a"),
        bytes([8, 2, 3 << 3, 7, 4 << 3, 1]) + barrier,
        bytes([8, 3, 3 << 3, 2]) + text(5, bytes([1, 2])),
    )
    return [b"".join(bytes([len(each)]) + each for each in (text(1, b"0.0.4"), *nodes))]


def _units(text: str) -> None:
    for parse in (units.parse_rate, units.parse_size, units.parse_time, units.parse_power):
        try:
            parse(text)
        except SupernodeError as error:
            str(error).encode()


SWEEP = """where = "size >= 4096 AND algorithm <> 'ring'"
seed = 3
sample = 5
partition = ["system"]
[base]
collective = "all_reduce"
"system.link_latency" = "300 ns"
[grid]
system = ["hgx-h100", "nvl72:2"]
size = ["1 KiB", 4096, "1G"]
[zip]
algorithm = ["ring", "auto"]
lanes = [1, 2]
"""
MARK = '{"kind": "sweep", "sha256": "00", "points": 4, "versions": {"supernode": "0.1.0"}, "sweep": {"base": {}}}'
WHERE = ("size >= 1048576 AND algorithm <> 'ring'", "size / 2 IN (1, 2) OR NOT algorithm LIKE 'r%'", "abs(size) = 1")
_TYPES = {"size": "uint64", "algorithm": "string"}

PARSERS: dict[str, Parser] = {
    "toml": Parser(_file("x.toml", lambda p: _system(p, "toml")), _data("graph.toml")),
    "graphml": Parser(_file("x.graphml", lambda p: _system(p, "graphml")), _data("pods.graphml")),
    "nccl": Parser(_file("x.xml", lambda p: _system(p, "nccl")), _data("nvswitch.xml", "xgmi.xml")),
    "astra-sim": Parser(_file("x.yml", lambda p: _system(p, "astra-sim")), _data("astra.yml")),
    "astra-sim-hints": Parser(
        _file("hints.json", lambda p: System.from_file(DATA / "astra.yml", hints=p)), _data("astra_system.json")
    ),
    "ns3": Parser(_file("x.txt", lambda p: _system(p, "ns3")), _data("ns3.txt")),
    "simai": Parser(_file("x.simai", lambda p: _system(p, "simai")), _data("simai.txt")),
    "htsim": Parser(_file("x.topo", lambda p: _system(p, "htsim")), _data("three_tier.topo")),
    "infragraph": Parser(_file("x.yaml", lambda p: _system(p, "infragraph")), _data("infragraph.yaml")),
    "any-format": Parser(
        _file("x.any", lambda p: _system(p, None)), _data("pods.graphml", "xgmi.xml", "ns3.txt", "infragraph.yaml")
    ),
    "system": Parser(_file("system.toml", System.load), _packaged("presets/n*.toml")),
    "preset": Parser(_file("preset.toml", lambda p: load_preset(str(p))), _packaged("presets/[tu]*.toml")),
    "stack": Parser(_file("stack.toml", lambda p: load_stack(str(p))), _packaged("stacks/*.toml")),
    "job": Parser(_file("job.toml", load_job), _texts(JOB, WORKLOAD)),
    "goal": Parser(_file("x.goal", sn.load_schedule), _texts(GOAL)),
    "goal-binary": Parser(_file("x.bin", sn.load_schedule), _compiled),
    "connection-matrix": Parser(_file("x.cm", sn.load_schedule), _texts(MATRIX)),
    "chakra": Parser(_file("trace.0.et", sn.load_schedule), _traces),
    "msccl": Parser(_file("x.xml", lambda p: sn.load_schedule(p, "msccl", size=4096)), _texts(ALGORITHM)),
    "mscclpp": Parser(_file("x.json", lambda p: sn.load_schedule(p, "mscclpp", size=4096)), _texts(PLAN)),
    "sweep": Parser(_file("sweep.toml", _sweep), _texts(SWEEP)),
    "where": Parser(_text(lambda text: Condition(text, _TYPES)), _texts(*WHERE)),
    "sizes": Parser(_text(parse_sizes), _texts("8:8G:x2", "1K:64K:4K", "8:8G,1,2 MiB")),
    "units": Parser(_text(_units), lambda: [text.encode() for texts in UNITS.values() for text in texts]),
    "measurements": Parser(_file("measured.json", lambda p: _bench().compare(p)), _measurements),
    "result-meta": Parser(_in_folder("result"), _meta("result")),
    "bench-meta": Parser(_in_folder("bench"), _meta("bench")),
    "sweep-mark": Parser(_file("sweep.json", lambda p: Store(p.parent).read()), _texts(MARK)),
    "specification": Parser(_core, _specs),
}
