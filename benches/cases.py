"""What is tracked: units of work that are timed or counted, and values that are the same on every machine.

A *case* does an amount of work and returns how many units it did. Its cost is a difference, a large amount less a small
one, so that imports, the first build of a preset and set-up do not count. ``baseline.py`` keeps the costs,
``compare.py`` takes them for two revisions, ``instructions.py`` counts instructions in place of seconds.

A file of its own that needs nothing but the package, because a process of another revision runs it as well:
``python benches/cases.py time hop_even`` prints JSON. Limits: one thread, so a cost is not what a user with more waits;
processor time still depends on what others do to caches and clocks, by up to a tenth.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import supernode as sn
from supernode.marks import AssumedValueWarning

#: Every packet on one thread: each packet-hop counted was simulated.
EVERY: dict[str, Any] = {
    "algorithm": "direct", "fidelity": "packet", "stack": "none", "fold": False, "skip": False, "threads": 1,
    "progress": False,
}  # fmt: skip
KIB = 1 << 10


@dataclass(frozen=True)
class Case:
    """Work whose cost per unit is tracked.

    Parameters
    ----------
    what
        What a unit is, for the page.
    per
        Name of the unit.
    in_ns
        The unit of the cost in nanoseconds.
    work
        Does an amount of work and returns the units done.
    timed, counted
        Small and large amount: for seconds, and for instructions, which take fifty times as long. ``None`` if what the
        case does is not the same in each run.
    """

    what: str
    per: str
    in_ns: int
    work: Callable[[int], int]
    timed: tuple[int, int]
    counted: tuple[int, int] | None = None

    @property
    def unit(self) -> str:
        """Unit of the cost."""
        return {1: "ns", 1_000: "us", 1_000_000: "ms"}[self.in_ns] + f" per {self.per}"


def fat_tree(hosts: int, radix: int) -> sn.System:
    """Three tiers with full bisection."""
    tree = sn.FatTree(
        radix=radix, tiers=3, link="400 Gbit/s", link_latency="500 ns", trunk_latency="500 ns", switch_latency="300 ns"
    )
    return sn.System("fat-tree").scale_out(tree, count=hosts)


def permutation(hosts: int, radix: int, size: str | int, pattern: str, threads: int = 1) -> sn.Result:
    """Run a permutation: a ring shift of ranks placed at random (sprayed), or alternately in the two halves (even)."""
    even = pattern == "even"
    placement = np.arange(hosts).reshape(2, -1).T.ravel() if even else np.random.default_rng(1).permutation(hosts)
    routing = "d_mod_k" if even else "spray_round_robin"
    options = EVERY | {"threads": threads, "placement": placement, "routing": routing}
    return sn.send_recv(fat_tree(hosts, radix), size=size, **options)


def _even(kib: int) -> int:
    return int(permutation(1024, 16, kib * KIB, "even").meta["packet_hops"])


def _random(kib: int) -> int:
    return int(permutation(1024, 16, kib * KIB, "random").meta["packet_hops"])


def _torus(kib: int) -> int:
    fabric = sn.Torus(dims=(8, 8, 8), bandwidth="50 GB/s", latency="300 ns")
    system = sn.System("torus").scale_up(count=512, fabric=fabric)
    placement = np.random.default_rng(1).permutation(512)
    return int(sn.send_recv(system, size=kib * KIB, placement=placement, **EVERY).meta["packet_hops"])


def _messages(ranks: int) -> int:
    sn.all_to_all(fat_tree(ranks, 16), size=ranks * 256, **EVERY)
    return ranks * (ranks - 1)


def _flows(hosts: int) -> int:
    placement = np.random.default_rng(1).permutation(hosts)
    options = EVERY | {"fidelity": "flow", "placement": placement, "routing": "d_mod_k"}
    sn.send_recv(fat_tree(hosts, 32), size="1 MiB", **options)
    return hosts


def _calls(count: int) -> int:
    for k in range(count):
        sn.all_reduce("hgx-h100", size=1024 + 32 * k, algorithm="ring", fidelity="analytic")
    return count


def points(count: int, algorithm: str = "in_network") -> int:
    """Run a sweep of so many sizes from 1 MiB on ``nvl72``, one at a time."""
    sizes = [(1 << 20) + 1152 * k for k in range(count)]
    whole = sn.Sweep(base={"collective": "all_reduce", "system": "nvl72", "algorithm": algorithm}, grid={"size": sizes})
    with tempfile.TemporaryDirectory() as folder:
        whole.run(folder, workers=1)
    return count


def _imports(count: int) -> int:
    for _ in range(count):
        subprocess.run([sys.executable, "-c", "import supernode"], check=True)
    return count


CASES = {
    "hop_even": Case(
        "a packet over one link; permutation on a fat tree of 1,024 hosts, routed by destination, no queues",
        "packet-hop", 1, _even, (256, 2048), (16, 64),
    ),
    "hop_random": Case(
        "the same, random and sprayed: queues form", "packet-hop", 1, _random, (256, 2048), (16, 64)
    ),
    "hop_torus": Case(
        "the same, random on a torus of 8 x 8 x 8", "packet-hop", 1, _torus, (256, 2048), (16, 64)
    ),
    "message": Case(
        "a message of 256 B of an all-to-all on a fat tree, 512 hosts less 128", "message", 1, _messages, (128, 512),
        (32, 96),
    ),
    "flow": Case(
        "a flow of a random permutation routed by destination, fidelity flow, 4,096 hosts less 512", "flow", 1_000,
        _flows, (512, 4096), (128, 512),
    ),
    "call": Case("a call that predicts: the way into the core and back", "call", 1_000, _calls, (20, 220), (2, 12)),
    "sweep_point": Case("a point of a sweep, in-network all-reduce on `nvl72`", "point", 1_000_000, points, (20, 120)),
    "import": Case("a new interpreter that imports the package", "start", 1_000_000, _imports, (1, 4)),
}  # fmt: skip


def _state_per_host() -> float:
    return float(permutation(65_536, 64, "16 KiB", "even").meta["state_bytes"]) / 65_536


def _resident_per_host() -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    permutation(65_536, 64, "16 KiB", "even")
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 65_536


#: Values in bytes: what they are, and how they are found.
MEMORY: dict[str, tuple[str, Callable[[], float]]] = {
    "state_per_host": ("state of the simulation per host, even permutation of 65,536 hosts", _state_per_host),
    "resident_per_host": (
        "resident memory per host of the same run, above that of the interpreter",
        _resident_per_host,
    ),
}
MEASURED = Path(__file__).with_name("measured.toml")
#: Published plateaus by name.
FACTS: dict[str, dict[str, Any]] = {fact.pop("name"): fact for fact in tomllib.loads(MEASURED.read_text())["fact"]}


def error_percent(fact: str) -> float:
    """By how much the predicted bus bandwidth is above (or below) the published one, in per cent."""
    given = FACTS[fact]
    result = sn.all_reduce(given["system"], size=given["size"], algorithm=given["algorithm"], progress=False)
    return 100 * (result.busbw_gbytes_s / float(given["busbw_gbytes_s"]) - 1)


def processor_seconds() -> float:
    """Processor time of this process and of those that it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cost(case: Case, amounts: tuple[int, int] | None = None) -> float:
    """Time a case once.

    Returns
    -------
    cost
        Processor time per unit, in the unit of the case. Negative if others disturbed the short run by more than the
        long one took.
    """
    small, large = amounts or case.timed
    case.work(small)  # warms up
    marks, units = [processor_seconds()], []
    for amount in (small, large):
        units.append(case.work(amount))
        marks.append(processor_seconds())
    seconds = (marks[2] - marks[1]) - (marks[1] - marks[0])
    return 1e9 * seconds / (units[1] - units[0]) / case.in_ns


def value(name: str) -> float:
    """Measure one name once: a case, a value of memory, or the error against a published plateau."""
    if name in CASES:
        return cost(CASES[name])
    return MEMORY[name][1]() if name in MEMORY else error_percent(name)


#: All names, in the order of the page.
NAMES = (*CASES, *MEMORY, *FACTS)


if __name__ == "__main__":
    warnings.simplefilter("ignore", AssumedValueWarning)
    sys.stdout.write(json.dumps(value(sys.argv[1])))
