"""The jobs that have a goal in seconds or in memory, each in a process of its own.

A job is a function with the size of its goal as defaults, so that a test can run all of them in small (:data:`SMALL`).
:func:`measure` runs one in a new interpreter and returns its wall-clock seconds, without the start of the interpreter,
and the largest resident memory of the process, with it. Goals hold for a machine of two cores.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import supernode as sn

#: Every packet, on a given number of threads.
FULL: dict[str, Any] = {"fidelity": "packet", "fold": False, "skip": False, "progress": False}
#: Whatever is exact and quick.
PACKET: dict[str, Any] = {"fidelity": "packet", "progress": False}
GIB = 1 << 30


def fat_tree(hosts: int, radix: int, rate: str = "400 Gbit/s", **changes: Any) -> sn.System:
    """Hosts of one NIC each on a fat tree."""
    tree = sn.FatTree(
        radix=radix, link=rate, link_latency="500 ns", trunk_latency="500 ns", switch_latency="300 ns", **changes
    )
    return sn.System("fat-tree").scale_out(tree, count=hosts)


def full_all_reduce(superpods: int = 16, size: str = "1 MiB", **overrides: Any) -> None:
    """Hierarchical all-reduce over superpods of 8,192 accelerators, every packet on one thread."""
    system = sn.System.preset("atlas950-supercluster", superpods=superpods, **overrides)
    sn.all_reduce(system, size=size, algorithm="hierarchical", threads=1, **FULL)


def folded_all_to_all(hosts: int = 1 << 20, radix: int = 256, pair: int = 64, **changes: Any) -> None:
    """All-to-all over a three-tier fat tree, folded."""
    system = fat_tree(hosts, radix, tiers=3, **changes)
    result = sn.all_to_all(system, size=hosts * pair, algorithm="direct", **PACKET)
    if not result.folding["applied"]:
        raise RuntimeError(result.folding["reason"])


def hierarchical(preset: str = "atlas950-supercluster", size: str = "1 GiB", **overrides: Any) -> None:
    """Hierarchical all-reduce over a preset."""
    sn.all_reduce(sn.System.preset(preset, **overrides), size=size, algorithm="hierarchical", **PACKET)


def in_network(preset: str = "atlas950-supercluster", size: str = "1 GiB", **overrides: Any) -> None:
    """All-reduce over a preset whose switches add."""
    system = sn.System.preset(preset, nic_switch_reduce=True, **overrides)
    sn.all_reduce(system, size=size, algorithm="in_network", **PACKET)


def ring(
    hosts: int = 131_072, radix: int = 512, rate: str = "200 Gbit/s", tiers: int = 2, size: str = "64 MiB"
) -> None:
    """Ring all-reduce over a fat tree."""
    sn.all_reduce(fat_tree(hosts, radix, rate, tiers=tiers), size=size, algorithm="ring", **PACKET)


def three_levels(levels: tuple[int, ...] = (8, 64, 32), size: str = "64 MiB") -> None:
    """All-reduce in three levels over nodes of 8 on a rail-optimised fat tree."""
    tree = sn.FatTree(
        radix=128, link="400 Gbit/s", link_latency="500 ns", trunk_latency="500 ns", switch_latency="300 ns", rails=8
    )
    node = sn.Switched(planes=8, bandwidth="50 GB/s", latency="300 ns")
    units = int(np.prod(levels)) // 8
    system = sn.System("nodes").scale_up(count=8, fabric=node).scale_out(tree).replicate(units)
    sn.all_reduce(system, size=size, algorithm="hierarchical", levels=list(levels), stack="none", **PACKET)


def full_all_to_all(hosts: int = 4096, radix: int = 64, pair: int = 8192) -> None:
    """All-to-all over a three-tier fat tree, every packet on two threads."""
    sn.all_to_all(fat_tree(hosts, radix, tiers=3), size=hosts * pair, algorithm="direct", threads=2, **FULL)


def ecmp_permutation(hosts: int = 65_536, radix: int = 64, size: str = "1 MiB") -> None:
    """Random permutation over a three-tier fat tree, each message on a path of its own hash, every packet."""
    placement = np.random.default_rng(1).permutation(hosts)
    system = fat_tree(hosts, radix, tiers=3)
    sn.send_recv(system, size=size, placement=placement, routing="ecmp", algorithm="direct", threads=2, **FULL)


def bench_nvl72(sizes: str = "8:8G:x2") -> None:
    """All-reduce on NVL72 over sizes in powers of two."""
    sn.bench("all_reduce", "nvl72", sizes=sizes, **PACKET)


def growth(preset: str, short: str = "64 MiB", long: str = "16 GiB", repeat: int = 3) -> float:
    """Time of a long ring all-reduce over that of a short one, medians."""

    def seconds(size: str) -> float:
        return statistics.median(
            sn.all_reduce(preset, size=size, algorithm="ring", **PACKET).wall_s for _ in range(repeat)
        )

    return seconds(long) / seconds(short)


JOBS: dict[str, Callable[..., None]] = {
    job.__name__: job
    for job in (
        full_all_reduce, folded_all_to_all, hierarchical, in_network, ring, three_levels, full_all_to_all,
        ecmp_permutation, bench_nvl72,
    )
}  # fmt: skip

#: Two superpods of an eighth of the size.
SMALL_SUPERPODS = {"superpods": 2, "npus": 1024, "leaves": 16, "spines": 8}
#: The job of each goal in small: some tenths of a second.
SMALL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("full_all_reduce", SMALL_SUPERPODS | {"size": "4 KiB"}),
    ("folded_all_to_all", {"hosts": 1024, "radix": 16}),
    ("folded_all_to_all", {"hosts": 1024, "radix": 24, "oversubscription": 2, "pod_leaves": 8}),
    ("hierarchical", SMALL_SUPERPODS | {"size": "1 MiB"}),
    ("hierarchical", {"preset": "cloudmatrix384-cluster", "supernodes": 2, "size": "1 MiB"}),
    ("in_network", SMALL_SUPERPODS | {"size": "1 MiB"}),
    ("ring", {"hosts": 128, "radix": 16, "size": "1 MiB"}),
    ("ring", {"hosts": 128, "radix": 8, "rate": "400 Gbit/s", "tiers": 3, "size": "1 MiB"}),
    ("three_levels", {"levels": (8, 4, 4), "size": "1 MiB"}),
    ("full_all_to_all", {"hosts": 64, "radix": 8, "pair": 1024}),
    ("ecmp_permutation", {"hosts": 128, "radix": 8, "size": "16 KiB"}),
    ("bench_nvl72", {"sizes": "8:64K:x16"}),
)


def measure(job: str, **parameters: Any) -> tuple[float, int]:
    """Run a job in a process of its own.

    Returns
    -------
    seconds
        Wall-clock time of the job.
    peak
        Bytes of resident memory of the process, at the most.
    """
    command = [sys.executable, __file__, job, json.dumps(parameters)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - its own file
    found = json.loads(done.stdout)
    return float(found["seconds"]), int(found["peak"])


def _main(job: str, parameters: str) -> None:
    start = time.monotonic()
    JOBS[job](**json.loads(parameters))
    seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": peak}))


class Full:
    """The jobs that simulate every packet: one run of each for both values, seconds and memory."""

    params = (["full_all_reduce", "full_all_to_all"],)
    param_names = ("job",)
    timeout = 900

    def setup_cache(self) -> dict[str, tuple[float, int]]:
        """Run each once. asv keeps one cache for each place in the source, so classes could not share this method."""
        return {job: measure(job) for job in self.params[0]}

    setup_cache.timeout = 1800  # type: ignore[attr-defined]

    def track_seconds(self, found: dict[str, tuple[float, int]], job: str) -> float:
        """Seconds of the job. Goal: 60 s.

        ``full_all_reduce``: hierarchical, 1 MiB over 16 superpods of 8,192 accelerators, one thread.
        ``full_all_to_all``: 8 KiB per pair over 4,096 hosts (radix 64, three tiers), two threads.
        """
        return found[job][0]

    def track_peak(self, found: dict[str, tuple[float, int]], job: str) -> float:
        """Largest resident memory of the same jobs. Goal: 8 GiB for the all-reduce, 4 GiB for the all-to-all."""
        return found[job][1] / GIB

    track_seconds.unit = "s"  # type: ignore[attr-defined]
    track_peak.unit = "GiB"  # type: ignore[attr-defined]


class Seconds:
    """Jobs with a goal in seconds only."""

    timeout = 900

    def track_all_to_all_1m(self) -> float:
        """All-to-all of 64 B per pair over 1,048,576 hosts, three tiers of radix 256, 400 Gbit/s, folded. Goal: 5 s."""
        return measure("folded_all_to_all")[0]

    def track_all_to_all_1m_oversubscribed(self) -> float:
        """All-to-all over as many hosts at 2:1, radix 192, pods of 64 leaves, folded. Goal: 5 s."""
        return measure("folded_all_to_all", radix=192, oversubscription=2, pod_leaves=64)[0]

    def track_hierarchical_atlas950(self) -> float:
        """Hierarchical all-reduce of 1 GiB over the 524,288 NPUs of atlas950-supercluster. Goal: 10 s."""
        return measure("hierarchical")[0]

    def track_in_network_atlas950(self) -> float:
        """All-reduce of 1 GiB over the 524,288 NPUs of atlas950-supercluster by switches that add. Goal: 10 s."""
        return measure("in_network")[0]

    def track_hierarchical_cloudmatrix384(self) -> float:
        """Hierarchical all-reduce of 1 GiB over cloudmatrix384-cluster. Goal: 10 s."""
        return measure("hierarchical", preset="cloudmatrix384-cluster")[0]

    def track_ring_131072_short(self) -> float:
        """Ring all-reduce of 64 MiB over 131,072 hosts, two tiers of radix 512, 200 Gbit/s. Goal: 10 s."""
        return measure("ring")[0]

    def track_ring_131072_long(self) -> float:
        """Ring all-reduce of 1 GiB over 131,072 hosts, two tiers of radix 512, 200 Gbit/s. Goal: 10 s."""
        return measure("ring", size="1 GiB")[0]

    def track_ring_131072_three_tiers(self) -> float:
        """Ring all-reduce of 1 GiB over 131,072 hosts, three tiers of radix 128, 400 Gbit/s. No goal: slow."""
        return measure("ring", size="1 GiB", radix=128, rate="400 Gbit/s", tiers=3)[0]

    def track_three_levels_16384(self) -> float:
        """All-reduce of 64 MiB in levels of 8, 64 and 32 over nodes of 8 GPUs on rails. Goal: 1 s."""
        return measure("three_levels")[0]

    def track_three_levels_131072(self) -> float:
        """All-reduce of 64 MiB in levels of 8, 64 and 256 over nodes of 8 GPUs on rails. Goal: 5 s."""
        return measure("three_levels", levels=(8, 64, 256))[0]

    def track_ecmp_permutation_65536(self) -> float:
        """Permutation by random hash, 1 MiB from each of 65,536 hosts, in full, two threads. Goal: 60 s."""
        return measure("ecmp_permutation")[0]

    def track_bench_nvl72(self) -> float:
        """Bench of all-reduce on NVL72 from 8 B to 8 GiB in powers of two, packets at every size. Goal: 2 s."""
        return measure("bench_nvl72")[0]


for _name, _track in list(vars(Seconds).items()):
    if _name.startswith("track_"):
        _track.unit = "s"


class Growth:
    """What a message of 256 times the size costs."""

    params = (["nvl72", "hgx-h100"],)
    param_names = ("preset",)
    timeout = 900

    def track_ratio(self, preset: str) -> float:
        """Seconds of a ring all-reduce of 16 GiB over those of 64 MiB. Goal: at most 2."""
        return growth(preset)

    track_ratio.unit = "1"  # type: ignore[attr-defined]


if __name__ == "__main__":
    _main(*sys.argv[1:])
