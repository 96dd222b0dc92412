"""Damaged inputs of every kind: files, jobs, command lines, texts with units, keyword values.

Whatever comes of them, it is a result or an error of this package: no other exception, no panic, no hang, no memory beyond
reason. A case takes a good input, changes it in a few places, and gives it to the function that reads it. What is still
good is used: its system is checked, written, and run for a moment. Cost: some 10 ms per case.
"""

from __future__ import annotations

import contextlib
import io
import math
import resource
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import supernode as sn
from fuzz.machines import any_machine
from fuzz.runs import Finding, Refused, build
from supernode import units
from supernode.errors import InternalError, SupernodeError
from supernode.io import FORMATS
from supernode.library.collectives import BY_NAME
from supernode.preset.load import load_preset
from supernode.run.job import load_job
from supernode.system import System

__all__ = ["SOURCES", "mutation"]

#: Processor seconds and bytes of memory that a case may take.
LIMIT_S = 5.0
LIMIT_BYTES = 2**30

DATA = Path(__file__).parents[1] / "data"

#: What a place in a text becomes.
TOKENS = (
    "", "0", "-1", "1", "2", "3", "255", "65536", "4294967296", "9223372036854775808", "18446744073709551616", "1e999", "-1e-9",
    "0.1", "nan", "inf", "1" * 400, "9" * 40, "true", "None", "null", "[]", "{}", "\0", "\n", "\t", " ", "'", '"', "$", "$$a", "\\",
    "<", ">", "/>", "<a>", "&lt;", "]]>", "<!--", "%", "é", "\U0001f600", "\u202e", "\ud7ff", "٣", "²", "a" * 5000, "[" * 300, "{" * 300,
    "GB/s", "Gbit/s", "ns", "MiB", "KB", "1 GB/s", "400 Gbit/s", "1 ns", "0 ns", "1e30 GB/s", "1e-30 GB/s", "-5 ns", "..", "/", ":", ",",
    "#", "=", "gpu0", "s", "a", "switch", "accelerator", "ring", "nvl72", "auto", "unlimited", "clos", "graph", "torus",
)  # fmt: skip

#: What a keyword becomes.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 2**31, 2**32, 2**63, 2**64, 2**200, 10**400, 0.0, 0.5, 1.5, -0.0, math.nan, math.inf, -math.inf,
    1e308, 5e-324, "", " ", "0", "1", "-1", "auto", "none", "1 GB/s", "400 Gbit/s", "1 ns", "0 ns", "4 KiB", "1 GiB", "a" * 10_000,
    "9" * 1000, "1" * 5000 + " GB/s", "\0", "\ud800", "ring", "credit", b"x", [], [1], [1, 2], [0, 0], ["a"], [[0], [1, 2]], [None], (), (2, 3), (2, "x"),
    {}, {"a": 1}, {1: 2}, set(), 1j, object, object(), range(3), range(2**40), np.int64(3), np.float64(2.5), np.nan, np.array([1, 2]), np.array([]),
    np.arange(8).reshape(2, 4), np.array(["a"]), print, Ellipsis,
)  # fmt: skip


def mutated(rng: Random, text: str) -> str:
    """Change a text in a few places: words and numbers become others, lines go, come twice or change places."""
    for _ in range(1 + int(4 * rng.random() ** 2)):
        kind = rng.randrange(9)
        at = rng.randrange(len(text) + 1)
        if kind == 0:
            text = text[:at] + rng.choice(TOKENS) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + rng.randint(1, 40) :]
        elif kind == 2:
            text = text[:at]
        elif kind in (3, 4):
            start, end = _word(text, at)
            text = text[:start] + rng.choice(TOKENS) + text[end:]
        elif kind == 5 and at < len(text):
            text = text[:at] + chr(ord(text[at]) ^ 1 << rng.randrange(7)) + text[at + 1 :]
        elif kind == 8:
            start, end = _word(text, at)
            first, last = _word(text, rng.randrange(len(text) + 1))
            text = text[:start] + text[first:last] + text[end:]
        else:
            rows = text.split("\n")
            i, j = rng.randrange(len(rows)), rng.randrange(len(rows))
            if kind == 6:
                rows.insert(j, rows[i])
            else:
                rows[i], rows[j] = rows[j], rows[i]
            text = "\n".join(rows)
    return text


def _word(text: str, at: int) -> tuple[int, int]:
    """Return where the word around a place begins and ends."""
    start = end = at
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return start, end


@cache
def _files() -> tuple[tuple[str, str], ...]:
    """Return good files of every format: a name, and the text."""
    found = [(path.name, path.read_text()) for path in sorted(DATA.iterdir())]
    found += [(path.name, path.read_text()) for path in sorted((Path(sn.__file__).parent / "presets").glob("*.toml"))]
    rng = Random("files")
    for i in range(8):
        system = None
        while system is None:
            machine = any_machine(rng)
            # written as one graph, only accelerators without switches beside them forward again when it is read
            if len(machine.units) > 1 and {"torus", "twisted", "mesh", "full_mesh"} & {*machine.families}:
                continue
            with contextlib.suppress(Refused):
                system = build(machine)
        for name in ("toml", "graphml", "infragraph", "infragraph-json"):
            with tempfile.TemporaryDirectory() as folder:
                suffix = {"infragraph": "yaml", "infragraph-json": "json"}.get(name, name)
                target = Path(folder) / f"machine{i}.{suffix}"
                system.save(target, name)
                found.append((target.name, target.read_text()))
    return tuple(found)


def _in_folder(name: str, text: str, use: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / name
        target.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        use(target)


def _used(rng: Random, system: System, fidelities: tuple[str, ...] = ("packet", "flow", "analytic")) -> None:
    """Use a system that was read: everything that is refused is refused by name."""
    system.notes()
    repr(system)
    system.to_toml()
    if system.accelerators <= 4096:
        sn.inventory(system)
    few = min(system.accelerators, 8)
    options: dict[str, Any] = {"size": 4096, "ranks": few, "timeout": 2.0, "memory_limit": "512 MiB", "threads": 1}
    fidelity = rng.choice(fidelities)
    sn.simulate(system, rng.choice(("all_reduce", "all_gather")), fidelity=fidelity, **options)


def file(rng: Random) -> None:
    """A file of any format, read as itself or as another one."""
    name, text = rng.choice(_files())
    text = mutated(rng, text)
    options: dict[str, Any] = {}
    if rng.random() < 0.7:
        options = {"link_rate": "25 GB/s", "link_latency": "200 ns"}
    format = rng.choice(list(FORMATS)) if rng.random() < 0.15 else None
    if name.endswith(".toml") and format is None:
        options = {}
    LAST[:] = [f"# {name}, format {format}, {options}\n{text}"]

    def use(path: Path) -> None:
        _used(rng, System.from_file(path, format, **options))

    _in_folder(name, text, use)


JOB = """system = { preset = "hgx-h100:2", link_latency = "300 ns" }
collective = "all_reduce"
size = "1 MiB"
algorithm = "ring"
record = ["links", "ranks"]
ranks = 8
placement = [0, 1, 2, 3, 4, 5, 6, 7]
threads = 1
fold = true
seed = 3
lanes = 2
timeout = 1.0
memory_limit = "512 MiB"
fidelity = "packet"
stack = "none"
"""


WORKLOAD = """system = "hgx-h100"
fidelity = "packet"

[[job]]
name = "train"
axes = { pp = 2, tp = 2 }
placement = "strided"

[[job.operation]]
repeat = 3

[[job.operation.operation]]
on = { pp = 0 }
operation = [
  { kind = "compute", name = "f", duration = "10 us", stream = "c", after = { name = "sum", previous = 2 } },
  { kind = "send", axis = "pp", by = 1, size = "64 KiB", stream = "n", after = ["f"], share = 0.1 },
]

[[job.operation.operation]]
kind = "receive"
on = { pp = [1] }
axis = "pp"
size = "64 KiB"

[[job.operation.operation]]
kind = "all_reduce"
name = "sum"
axes = "tp"
size = "64 KiB"
algorithm = "ring"
lanes = 2

[[job]]
name = "other"
axes = { r = 4 }
start = "5 us"
operation = [{ kind = "all_gather", groups = [[0, 1], [2, 3]], size = 4096 }, { kind = "delay", time = "1 us" }]
"""


def job(rng: Random) -> None:
    """A job file or a workload file."""
    text = mutated(rng, rng.choice((JOB, WORKLOAD)))
    LAST[:] = [text]

    def use(path: Path) -> None:
        system, collective, options = load_job(path)
        sn.simulate(system, collective, **{"timeout": 1.0, "memory_limit": "512 MiB", **options})

    _in_folder("job.toml", text, use)


UNITS: dict[Callable[[str], int], tuple[str, ...]] = {
    units.parse_rate: ("400 Gbit/s", "50 GB/s", "100 Gb/s", "1.5e3 Mbit/s"),
    units.parse_size: ("256 MiB", "8G", "1e3 KB", "1_000 B", "2^20", "4096"),
    units.parse_time: ("350 ns", "1.5 us", "12 ps", "0.25 ms"),
    units.parse_power: ("12 kW", "1.2 GW", "700 W"),
}


GOAL = """num_ranks 3
rank 0 { // first
a: send 4096b to 1 tag 2 cpu 0 nic 1
b: recv 64b from 2
c: calc 100 cpu 1
a requires c
b irequires a
}
rank 1 {
x: recv 4096b from 0 tag 2
y: send 0b to 2
y requires x
}
rank 2 {
x: recv 0b from 1
/* and */ y: send 64b to 0
y requires x
}
"""
MATRIX = """Nodes 4
Connections 3
Triggers 2
0->1 id 1 start 2000 size 4096 recv_done_trigger 1
2->1 id 2 start 0 size 8192 recv_done_trigger 1 prio 3
1->3 id 3 trigger 1 size 5000 send_done_trigger 2
trigger id 1 barrier count 2
trigger id 2 oneshot
"""
ALGORITHM = """<algo name="a" proto="Simple" nchannels="1" nchunksperloop="2" ngpus="2" coll="allgather" inplace="0">
<gpu id="0" i_chunks="1" o_chunks="2" s_chunks="1">
<tb id="0" send="1" recv="1" chan="0">
<step s="0" type="s" srcbuf="i" srcoff="0" dstbuf="o" dstoff="0" cnt="1" depid="-1" deps="-1" hasdep="0"/>
<step s="1" type="r" srcbuf="i" srcoff="0" dstbuf="o" dstoff="1" cnt="1" depid="-1" deps="-1" hasdep="1"/>
</tb>
<tb id="1" send="-1" recv="-1" chan="0">
<op step="0" type="cpy" src_buf="i" src_off="0" dst_buf="o" dst_off="0" cnt="1" depid="0" deps="1" hasdep="0"/>
</tb>
</gpu>
<gpu id="1" i_chunks="1" o_chunks="2" s_chunks="0">
<tb id="0" send="0" recv="0" chan="0">
<op step="0" type="s" buf="i" off="0" cnt="1" depid="-1" deps="-1" hasdep="0"/>
<op step="1" type="r" buf="o" off="0" cnt="1" depid="-1" deps="-1" hasdep="0"/>
<op step="2" type="cpy" src_buf="i" src_off="0" dst_buf="o" dst_off="1" cnt="1" depid="-1" deps="-1" hasdep="0"/>
</tb>
</gpu>
</algo>
"""
#: A gather of two ranks: one writes and signals over a port in pieces, the other one reads, and packets come back.
PLAN = """{"name": "p", "collective": "allgather", "protocol": "Simple", "inplace": false, "buffer_alignment": 16, "gpus": [
{"id": 0, "input_chunks": 1, "output_chunks": 2, "scratch_chunks": 1, "semaphores": [{"init_value": 1}], "threadblocks": [
{"id": 0, "channels": [{"channel_type": "port", "channel_ids": [0]}, {"channel_type": "memory", "channel_ids": [0]}],
"remote_buffer_refs": [{"access_channel_type": "port", "remote_buffer_ids": [0, 1]}], "ops": [
{"name": "copy", "src_buff": [{"type": "i", "index": 0, "size": 1}], "dst_buff": [{"type": "o", "index": 0, "size": 1}]},
{"name": "sem_acquire", "semaphore_ids": [0]},
{"name": "pipeline", "iter_context": {"unit_size": 1000, "num_chunks": 1}, "ops": [{"name": "put", "channel_type": "port",
"channel_ids": [0], "src_buff": [{"type": "i", "index": 0, "size": 1}],
"dst_buff": [{"buffer_id": 0, "index": 0, "size": 1}]}]},
{"name": "signal", "channel_ids": [0], "channel_type": "port"}, {"name": "nop"},
{"name": "barrier", "barrier_id": 0, "num_threadblocks": 1},
{"name": "rlxwait", "channel_ids": [0], "channel_type": "memory"},
{"name": "upkt", "src_buff": [{"type": "s", "index": 0, "size": 1}], "dst_buff": [{"type": "o", "index": 1, "size": 1}]}]}],
"channels": [{"channel_type": "port", "connected_to": [1]}, {"channel_type": "memory", "connected_to": [1]}],
"remote_buffers": [{"rank": 1, "type": "o", "access_channel_types": ["port"]}, {"rank": 1, "type": "s"}]},
{"id": 1, "input_chunks": 1, "output_chunks": 2, "scratch_chunks": 1, "threadblocks": [
{"id": 0, "channels": [{"channel_type": "port", "channel_ids": [0]}, {"channel_type": "memory", "channel_ids": [0]}],
"remote_buffer_refs": [{"access_channel_type": "memory", "remote_buffer_ids": [0, 1]}], "ops": [
{"name": "rlxsignal", "channel_ids": [0], "channel_type": "memory"},
{"name": "wait", "channel_ids": [0], "channel_type": "port"},
{"name": "get", "channel_type": "memory", "src_buff": [{"buffer_id": 0, "index": 0, "size": 1}],
"dst_buff": [{"type": "s", "index": 0, "size": 1}]},
{"name": "copy", "src_buff": [{"type": "s", "index": 0, "size": 1}], "dst_buff": [{"type": "o", "index": 0, "size": 1}]},
{"name": "ppkt", "channel_type": "memory", "src_buff": [{"type": "i", "index": 0, "size": 1}],
"dst_buff": [{"buffer_id": 1, "index": 0, "size": 1}]},
{"name": "copy", "src_buff": [{"type": "i", "index": 0, "size": 1}], "dst_buff": [{"type": "o", "index": 1, "size": 1}],
"tbg_info": {"tb_id": 0, "tbg_size": 1}}]}],
"channels": [{"channel_type": "port", "connected_to": [0]}, {"channel_type": "memory", "connected_to": [0]}],
"remote_buffers": [{"rank": 0, "type": "i", "access_channel_types": ["memory"]}, {"rank": 0, "type": "s"}]}]}
"""
#: Schedules by extension.
SCHEDULES = {"goal": GOAL, "cm": MATRIX, "xml": ALGORITHM, "json": PLAN}


def schedule(rng: Random) -> None:
    """A schedule of any format, run for a moment."""
    name = rng.choice([*SCHEDULES])
    text = mutated(rng, SCHEDULES[name])
    LAST[:] = [f"# {name}\n{text}"]

    def use(path: Path) -> None:
        found = sn.load_schedule(path, size=4096 if name in ("xml", "json") else None)
        if found.ranks <= 8:
            sn.simulate("hgx-h100", found, timeout=1.0, memory_limit="512 MiB", threads=1, stack="none")

    _in_folder(f"x.{name}", text, use)


def unit(rng: Random) -> None:
    """A text with a unit."""
    parse, good = rng.choice(list(UNITS.items()))
    text = mutated(rng, rng.choice(good))
    if rng.random() < 0.2:
        text = rng.choice(("1", "9", " ", "1 ", "a", ".", "_")) * 10**5 + text
    LAST[:] = [f"{parse.__name__}({text[:300]!r})"]
    parse(text)


def keyword(rng: Random) -> None:
    """A keyword of a run, a machine, a fabric or an import."""
    kind = rng.randrange(5)
    value = rng.choice(VALUES)
    if kind == 0:
        names = [n for n in sn.simulate.__kwdefaults__ or () if n not in ("progress",)]
        given: dict[str, Any] = {"size": 4096, "timeout": 2.0, "memory_limit": "512 MiB", "threads": 1}
        given[rng.choice(names)] = value
        LAST[:] = [f"simulate('hgx-h100', 'all_reduce', **{given})"]
        sn.simulate("hgx-h100", rng.choice(sorted(set(BY_NAME) - {"barrier"})), **given)
    elif kind == 1:
        family, good = rng.choice(FABRICS)
        given = {**good, rng.choice([*family.__dataclass_fields__]): value}
        LAST[:] = [f"{family.__name__}(**{given})"]
        fabric = family(**given)
        _used(rng, System("x").scale_up(count=8, fabric=fabric))
    elif kind == 2:
        name = rng.choice(("nvl72", "tpu-v4", "hpn7", "cloudmatrix384", "atlas950-supercluster"))
        key = rng.choice(sorted(load_preset(name).params))
        LAST[:] = [f"System.preset({name!r}, {key}={value!r})"]
        _used(rng, System.preset(name, **{key: value}))
    elif kind == 3:
        good_call, keys = rng.choice(BUILDS)
        key = rng.choice(keys)
        LAST[:] = [f"{good_call.__name__} with {key}={value!r}"]
        _used(rng, good_call(**{key: value}))
    else:
        key = rng.choice(IMPORTS)
        LAST[:] = [f"System.from_file('xgmi.xml', {key}={value!r})"]
        given = {"link_rate": "50 GB/s", "link_latency": "100 ns", key: value}
        _used(rng, System.from_file(DATA / "xgmi.xml", **given))


FABRICS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (sn.Switched, {"bandwidth": "50 GB/s", "latency": "100 ns"}),
    (sn.FatTree, {"radix": 8, "link": "400 Gbit/s"}),
    (sn.Torus, {"dims": (2, 4), "bandwidth": "50 GB/s", "latency": "100 ns"}),
    (sn.Mesh, {"dims": (2, 4), "bandwidth": "50 GB/s", "latency": "100 ns"}),
    (sn.FullMesh, {"dims": (2, 4), "bandwidth": "50 GB/s", "latency": "100 ns"}),
    (sn.Dragonfly, {"terminals": 2, "bandwidth": "50 GB/s", "latency": "100 ns"}),
    (sn.HyperX, {"dims": (2, 2), "terminals": 2, "bandwidth": "50 GB/s", "latency": "100 ns"}),
    (sn.Hypercube, {"dimensions": 2, "terminals": 2, "bandwidth": "50 GB/s", "latency": "100 ns"}),
    (
        sn.Graph,
        {
            "accelerators": [f"a{i}" for i in range(8)],
            "switches": ["s"],
            "edges": [(f"a{i}", "s") for i in range(8)],
            "rate": "1 GB/s",
            "latency": "1 ns",
        },
    ),
)

IMPORTS = (
    "name", "link_rate", "link_latency", "switch_latency", "accelerators", "device", "hints", "payload", "overhead", "buffer", "routing",
    "kind", "forwarding", "format",
)  # fmt: skip


def device(**given: Any) -> System:
    """A machine with this accelerator."""
    return System("x").scale_up(sn.Device(**given), count=2, fabric=sn.Switched(bandwidth="1 GB/s", latency="1 ns"))


def scale_up(**given: Any) -> System:
    """A machine of one network."""
    whole = {"count": 8, "fabric": sn.Switched(bandwidth="1 GB/s", latency="1 ns"), **given}
    return System("x").scale_up(**whole)


def scale_out(**given: Any) -> System:
    """A machine of two networks."""
    fabric = sn.FatTree(radix=8, link="400 Gbit/s")
    return scale_up().scale_out(**{"fabric": fabric, **given}).replicate(2)


def replicate(**given: Any) -> System:
    """Copies of a machine."""
    return scale_up().scale_out(sn.FatTree(radix=8, link="400 Gbit/s")).replicate(**given)


BUILDS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (device, ("name", "hbm", "copy", "reduce", "hbm_latency")),
    (scale_up, ("device", "count", "fabric", "nics_per_device")),
    (scale_out, ("fabric", "nics_per_device", "count", "device")),
    (replicate, ("n",)),
)

FLAGS = ("--size", "--set", "-b", "-e", "--ranks", "--fidelity", "--threads", "--record", "--stack", "--algo", "--json")

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("bench", "all_reduce", "hgx-h100", "-b", "8", "-e", "64K", "-f", "8", "--algo", "ring,auto"),
    ("bench", "all_gather", "nvl72", "--sizes", "1K,4K", "--set", "link_latency=90 ns", "--stack", "none"),
    ("explain", "all_reduce", "hgx-h100", "--size", "1MiB"),
    ("show", "nvl72"),
    ("systems",),
    ("check", "all_reduce", "--ranks", "8", "--algorithm", "ring", "--size", "1 KiB"),
    ("inventory", "hgx-h100:2"),
    ("schema",),
    ("plot", "hgx-h100", "--set", "link_latency=90 ns"),
)


def command(rng: Random) -> None:
    """A command line, run in this process: an exit code, and nothing but messages."""
    from supernode.cli import main

    words = list(rng.choice(COMMANDS))
    for _ in range(rng.randint(1, 3)):
        kind, at = rng.randrange(5), rng.randrange(len(words))
        if kind == 0:
            words[at] = mutated(rng, words[at])
        elif kind == 1:
            words[at] = rng.choice(TOKENS)
        elif kind == 2:
            words.insert(at, rng.choice((*TOKENS, *FLAGS)))
        elif kind == 3 and len(words) > 1:
            del words[at]
        else:
            words.append(words[at])
    # no system passes a zero byte, and nothing is written outside of the folder
    words = [word.replace("\0", "").replace("..", ".").lstrip("/") for word in words]
    LAST[:] = [f"supernode {words}"]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(words)
        except SystemExit as done:
            code = done.code
    if code not in (0, 1, 2, None) or "Traceback" in err.getvalue():
        raise Finding(f"exit code {code!r}: {err.getvalue()[-2000:]}")


#: What was made last, for the report of a finding.
LAST: list[str] = []

#: Kinds of input and how many of a hundred are of each.
SOURCES: dict[Callable[[Random], None], int] = {
    file: 45, keyword: 25, unit: 10, job: 8, command: 7, schedule: 5,
}  # fmt: skip


def mutation(seed: int) -> tuple[str, list[Any]]:
    """Run the case of a number; return its kind.

    Raises
    ------
    Finding
        If it raises anything but an error of this package, or takes too long or too much memory.
    """
    _files()  # an error in here is none of the case
    rng = Random(f"mutation {seed}")
    kind = rng.choices(list(SOURCES), weights=list(SOURCES.values()))[0]
    LAST.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    outcome = "accepted"
    try:
        kind(rng)
    except SupernodeError as error:
        if isinstance(error, InternalError):
            raise Finding(f"{kind.__name__}: {error}\n{''.join(LAST)[:2000]}") from None
        outcome = "refused"
    except Finding as finding:
        raise Finding(f"{kind.__name__}: {finding}\n{''.join(LAST)[:2000]}") from None
    except Exception as error:
        raise Finding(f"{kind.__name__}: {_told(error)}\n{''.join(LAST)[:2000]}") from error
    spent = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if spent > LIMIT_S or grown > LIMIT_BYTES:
        raise Finding(f"{kind.__name__}: {spent:.1f} s and {grown / 2**20:.0f} MiB\n{''.join(LAST)[:2000]}")
    return f"{kind.__name__}, {outcome}", []


def _told(error: Exception) -> str:
    """Word an exception with the place in this package where it came from."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "supernode" in code.co_filename:
            place = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {str(error)[:300]} at {place}"
