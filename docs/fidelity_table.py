"""Measure how far flow and analytic fidelity are from packets, and write the tables of docs/fidelity.md.

``python docs/fidelity_table.py`` replaces what is below the markers in ``docs/fidelity.md``; it takes some minutes.
With ``graphs`` or ``others`` it measures explicit graphs or everything else alone.
"""

from __future__ import annotations

import statistics
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import supernode as sn
from supernode.marks import AssumedValueWarning

SIZES = ("64 KiB", "1 MiB", "64 MiB")
#: Packet-hops beyond which a case is left out: it would take more than some ten seconds.
MOST_HOPS = 100_000_000


def tree(name: str, routing: str, oversubscription: int = 1) -> sn.System:
    """Sixty-four accelerators under leaves of a radix-16 fat tree."""
    fabric = sn.FatTree(
        radix=16,
        tiers=2,
        link="400 Gbit/s",
        oversubscription=oversubscription,
        routing=routing,
        link_latency="300 ns",
        trunk_latency="500 ns",
        switch_latency="300 ns",
    )
    return sn.System(name).scale_out(fabric, count=64)


def torus() -> sn.System:
    """Build a torus of 4 x 4 x 4."""
    fabric = sn.Torus(dims=(4, 4, 4), bandwidth="45 GB/s", latency="300 ns")
    return sn.System("torus 4x4x4").scale_up(count=64, fabric=fabric)


def pod() -> sn.System:
    """Four groups of eight on switches of eight planes, joined by a fat tree of a quarter of the rate."""
    switch = sn.Switched(planes=8, bandwidth="25 GB/s", latency="350 ns")
    outer = sn.FatTree(
        radix=16, tiers=2, link="400 Gbit/s", link_latency="300 ns", trunk_latency="500 ns", switch_latency="300 ns"
    )
    return sn.System("pods 4x8").scale_up(count=8, fabric=switch).scale_out(outer).replicate(4)


def dragonfly(routing: str) -> sn.System:
    """Nine groups of four routers with two accelerators each."""
    fabric = sn.Dragonfly(
        terminals=2,
        bandwidth="25 GB/s",
        latency="300 ns",
        global_latency="800 ns",
        switch_latency="200 ns",
        routing=routing,
    )
    return sn.System(f"dragonfly {routing}").scale_up(count=fabric.accelerators, fabric=fabric)


def hyperx(routing: str) -> sn.System:
    """Build a HyperX of 4 x 4 switches with four accelerators each."""
    fabric = sn.HyperX(
        dims=(4, 4), terminals=4, bandwidth="25 GB/s", latency="300 ns", switch_latency="200 ns", routing=routing
    )
    return sn.System(f"hyperx 4x4 {routing}").scale_up(count=64, fabric=fabric)


def hypercube(routing: str) -> sn.System:
    """Build a hypercube of six dimensions."""
    fabric = sn.Hypercube(dimensions=6, bandwidth="25 GB/s", latency="300 ns", switch_latency="200 ns", routing=routing)
    return sn.System(f"hypercube 6 {routing}").scale_up(count=64, fabric=fabric)


def written_out(routing: str) -> sn.System:
    """Write the tree of :func:`tree` out as a graph: eight leaves of eight accelerators, and eight spines."""
    fabric = sn.Graph(
        accelerators=[f"a{i}" for i in range(64)],
        switches=[sn.SwitchNode(f"{kind}{i}", latency="300 ns") for kind in ("leaf", "spine") for i in range(8)],
        edges=[sn.Edge(f"a{i}", f"leaf{i // 8}", latency="300 ns") for i in range(64)]
        + [sn.Edge(f"leaf{i}", f"spine{k}", latency="500 ns") for i in range(8) for k in range(8)],
        rate="400 Gbit/s",
        routing=routing,
    )
    return sn.System(f"tree as graph {routing}").scale_out(fabric, count=64)


RING, DIRECT = ("all_reduce", "ring"), ("all_to_all", "direct")
HALVING, TREE = ("all_reduce", "halving_doubling"), ("all_reduce", "double_binary_tree")
PAIRWISE, NETWORK = ("all_to_all", "pairwise"), ("all_reduce", "in_network")
NESTED, BUCKET = ("all_reduce", "hierarchical"), ("all_reduce", "torus_bucket")

#: Systems and what runs on them.
GRID: tuple[tuple[sn.System | str, tuple[tuple[str, str], ...]], ...] = (
    ("hgx-h100", (RING, TREE, NETWORK, DIRECT)),
    ("nvl72", (RING, TREE, NETWORK, DIRECT)),
    ("hgx-h100:4", (RING, NESTED, TREE, DIRECT)),
    ("cloudmatrix384", (RING, HALVING, DIRECT)),
    (tree("tree 1:1 spray", "spray_round_robin"), (RING, HALVING, TREE, DIRECT, PAIRWISE)),
    (tree("tree 1:1 d_mod_k", "d_mod_k"), (RING, HALVING, DIRECT, PAIRWISE)),
    (tree("tree 1:1 ecmp", "ecmp"), (RING, HALVING, DIRECT, PAIRWISE)),
    (tree("tree 3:1 spray", "spray_round_robin", 3), (RING, HALVING, DIRECT, PAIRWISE)),
    (torus(), (BUCKET, RING, DIRECT)),
    (pod(), (RING, NESTED, TREE, DIRECT)),
)

#: The same of explicit graphs.
GRAPHS: tuple[tuple[sn.System | str, tuple[tuple[str, str], ...]], ...] = (
    (dragonfly("spray_round_robin"), (RING, TREE, DIRECT, PAIRWISE)),
    (dragonfly("valiant"), (RING, TREE, DIRECT, PAIRWISE)),
    (hyperx("d_mod_k"), (RING, HALVING, DIRECT, PAIRWISE)),
    (hyperx("spray_round_robin"), (RING, HALVING, DIRECT, PAIRWISE)),
    (hypercube("spray_round_robin"), (RING, HALVING, DIRECT, PAIRWISE)),
    (hypercube("adaptive"), (RING, HALVING, DIRECT, PAIRWISE)),
    (written_out("d_mod_k"), (RING, HALVING, DIRECT, PAIRWISE)),
    (written_out("spray_round_robin"), (RING, HALVING, DIRECT, PAIRWISE)),
)

#: What can be measured, in the order of the page, by the marker above it.
PARTS = {"others": ("<!-- measured -->", GRID), "graphs": ("<!-- measured: graphs -->", GRAPHS)}


@dataclass(frozen=True)
class Row:
    """One case."""

    system: str
    collective: str
    algorithm: str
    size: str
    packet_us: float
    flow: float
    analytic: float
    packet_s: float
    flow_s: float


def run(system: sn.System | str, collective: str, algorithm: str, size: str, fidelity: str) -> sn.Result:
    """Run one case without software costs."""
    return sn.simulate(
        system,
        collective,
        size=size,
        algorithm=algorithm,
        stack="none",
        fidelity=fidelity,
        packet_budget=MOST_HOPS if fidelity == "auto" else None,
    )


def error(of: sn.Result, packets: sn.Result) -> float:
    """Difference in percent of the packets' time."""
    return 100 * (of.time_ns / packets.time_ns - 1)


def measure(grid: tuple[tuple[sn.System | str, tuple[tuple[str, str], ...]], ...]) -> Iterator[Row]:
    """Run every case at every fidelity."""
    for system, cases in grid:
        label = system if isinstance(system, str) else system.label
        for collective, algorithm in cases:
            for size in SIZES:
                packets = run(system, collective, algorithm, size, "auto")
                if packets.fidelity != "packet":
                    continue
                flow = run(system, collective, algorithm, size, "flow")
                analytic = run(system, collective, algorithm, size, "analytic")
                yield Row(
                    label,
                    collective,
                    algorithm,
                    size,
                    packets.time_ns / 1e3,
                    error(flow, packets),
                    error(analytic, packets),
                    packets.wall_s,
                    flow.wall_s,
                )


def quantiles(errors: list[float]) -> str:
    """Median, nine in ten, and worst of the absolute errors."""
    size = sorted(abs(e) for e in errors)
    return f"{statistics.median(size):.2f} | {size[int(0.9 * (len(size) - 1))]:.1f} | {size[-1]:.1f}"


def table(rows: list[Row]) -> str:
    """Return what is below a marker."""
    lines = [
        "",
        "",
        f"Absolute error in percent over {len(rows)} cases:",
        "",
        "| size | flow: median | 9 in 10 below | worst | analytic: median | 9 in 10 below | worst |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in (*SIZES, "all"):
        some = [r for r in rows if size in (r.size, "all")]
        lines.append(f"| {size} | {quantiles([r.flow for r in some])} | {quantiles([r.analytic for r in some])} |")
    lines += [
        "",
        "Each case: time by packets, and the error of the others against it; wall-clock seconds on one core.",
        "",
        "| system | collective | algorithm | size | packets, us | flow, % | analytic, % | packets, s | flow, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.system} | {r.collective} | {r.algorithm} | {r.size} | {r.packet_us:.2f} | {r.flow:+.2f} "
        f"| {r.analytic:+.2f} | {r.packet_s:.2f} | {r.flow_s:.3f} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    warnings.simplefilter("ignore", AssumedValueWarning)
    page = Path(__file__).with_name("fidelity.md")
    for part in sys.argv[1:] or PARTS:
        marker, grid = PARTS[part]
        rows = list(measure(grid))
        before, after = page.read_text(encoding="utf-8").split(marker)
        # up to the next heading, if there is one
        _, heading, rest = after.partition("\n## ")
        page.write_text(before + marker + table(rows) + heading + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
