"""Measure how far flow and analytic fidelity are from packets.

``python docs/fidelity_table.py`` runs a grid of systems, collectives, algorithms and sizes at all three fidelities. It
writes the least and the largest error of each kind of fabric and algorithm to
``crates/core/src/measured/table.json``, which the core reads, and the same as a table to ``docs/fidelity.md``. Run
it after every change of a model, then build again. It takes some minutes; ``--keep FILE`` keeps every case in a file of
JSON lines, and reads from it what was measured before.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import supernode as sn
from supernode import core
from supernode.errors import SupernodeError
from supernode.marks import AssumedValueWarning
from supernode.run.plan import make_plan
from supernode.spec import encode

#: Bytes of a rank's buffer: errors count from 1 MiB on.
SIZES = ("1 MiB", "16 MiB")
#: Beyond it a case is left out.
BUDGET = "500 ms"
#: Ranks of a preset that has more: whole units of 8, 16, 64 or 72.
RANKS = (128, 144)
#: Share of a case's time by which a kind may be off before it is named.
FLOW, ANALYTIC = 0.05, 0.20
#: Flows decline a kind that is off by more.
DECLINED = 0.08


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

#: Algorithms that are measured on every preset, where they can run.
COLLECTIVES: dict[str, tuple[str, ...]] = {
    "all_reduce": (
        "ring",
        "halving_doubling",
        "double_binary_tree",
        "hierarchical",
        "torus_bucket",
        "two_shot",
        "in_network",
    ),
    "all_gather": ("ring", "direct"),
    "all_to_all": ("direct", "pairwise"),
}

ROOT = Path(__file__).parents[1]
DATA = ROOT / "crates/core/src/measured/table.json"
PAGE = Path(__file__).with_name("fidelity.md")
MARKER = "<!-- measured -->"

Case = tuple[sn.System, int, str, str]
#: Kind of fabric, collective, algorithm, size.
Kind = tuple[str, str, str, str]


def ranks_of(system: sn.System) -> int:
    """Return how many ranks of a system are measured: whole units, few enough for packets."""
    few, more = RANKS
    if system.accelerators <= more:
        return system.accelerators
    return more if any(network.span in (36, 72) for network in system.to_spec().networks) else few


def cases() -> Iterator[Case]:
    """List system, ranks, collective and algorithm."""
    for system, algorithms in (*GRID, *GRAPHS):
        machine = sn.System.preset(system) if isinstance(system, str) else system
        for collective, algorithm in algorithms:
            yield machine, ranks_of(machine), collective, algorithm
    for preset in sn.systems():
        machine = sn.System.preset(preset)
        for collective, names in COLLECTIVES.items():
            for algorithm in names:
                yield machine, ranks_of(machine), collective, algorithm


def run(case: Case, size: str, fidelity: str) -> dict[str, Any] | None:
    """Run one case without software costs; ``None`` if it cannot run, or not by so few packets.

    Flows run here even where the table so far says that they are off.
    """
    system, ranks, collective, algorithm = case
    options: Any = {"algorithm": algorithm, "ranks": ranks, "stack": "none", "fidelity": fidelity, "threads": 1}
    if fidelity == "packet":
        options |= {"fidelity": "auto", "budget": BUDGET}
    try:
        spec = json.loads(encode(make_plan(system, collective, size, options).spec)) | {"measuring": True}
        done = core.simulate(json.dumps(spec), placement=None, progress=None, cancel=core.CancelToken())
    except SupernodeError:
        return None
    meta: dict[str, Any] = json.loads(done.meta_json) | {"time_fs": done.time_fs}
    return meta if meta["fidelity"] == fidelity else None


def measure(case: Case, size: str) -> dict[str, Any]:
    """Time a case by packets, and find the error of the others against it as a part of that time."""
    packets = run(case, size, "packet")
    if packets is None:
        return {}
    row: dict[str, Any] = {"kind": packets["fabric_kind"], "packet_fs": packets["time_fs"]}
    for fidelity in ("flow", "analytic"):
        other = run(case, size, fidelity)
        row[fidelity] = other and other["time_fs"] / packets["time_fs"] - 1
    return row


def measure_all(keep: Path | None) -> dict[str, dict[str, Any]]:
    """Measure every case, but for those that a file of an earlier run has."""
    known = {}
    if keep is not None and keep.exists():
        known = {row.pop("case"): row for row in map(json.loads, keep.read_text(encoding="utf-8").splitlines())}
    rows = {}
    for case in cases():
        for size in SIZES:
            name = f"{case[0].label}, {case[1]} ranks, {case[2]} {case[3]}, {size}"
            if name in rows:
                continue
            rows[name] = known[name] if name in known else measure(case, size)
            if keep is not None and name not in known:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"case": name, **rows[name]}) + "\n")
    return {name: row for name, row in rows.items() if row}


def collect(rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the cases of a kind together: how many, and the least and the largest error."""
    kinds: dict[Kind, list[dict[str, Any]]] = defaultdict(list)
    for name, row in rows.items():
        _, _, operation, size = name.rsplit(", ", 3)
        collective, algorithm = operation.split()
        kinds[row["kind"], collective, algorithm, size].append(row)

    def errors(of: list[dict[str, Any]], fidelity: str) -> list[float] | None:
        found = [row[fidelity] for row in of if row[fidelity] is not None]
        return [round(min(found), 4), round(max(found), 4)] if found else None

    return [
        {
            "fabric": fabric,
            "collective": collective,
            "algorithm": algorithm,
            "bytes": sn.parse_size(size),
            "cases": len(of),
            "flow": errors(of, "flow"),
            "analytic": errors(of, "analytic"),
        }
        for (fabric, collective, algorithm, size), of in sorted(kinds.items())
    ]


def table(kinds: list[dict[str, Any]], rows: dict[str, dict[str, Any]]) -> str:
    """Write the errors of all kinds as a table."""

    def words(errors: list[float] | None, most: float) -> str:
        if errors is None:
            return "not modelled"
        text = f"{100 * errors[0]:+.1f} to {100 * errors[1]:+.1f}"
        return f"**{text}**" if max(map(abs, errors)) > most else text

    def within(fidelity: str, most: float) -> str:
        found = [abs(row[fidelity]) for row in rows.values() if row[fidelity] is not None]
        return f"{sum(e <= most for e in found)} of {len(found)} cases are within {100 * most:.0f} % as {fidelity}"

    lines = [
        "",
        "",
        f"{within('flow', FLOW)}; {within('analytic', ANALYTIC)}.",
        f"Bold: a kind that is off by more; its runs warn. Flows decline if it is over {100 * DECLINED:.0f} %.",
        "",
        "| kind of fabric | collective | algorithm | MiB | cases | flow, % | analytic, % |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {k['fabric']} | {k['collective']} | {k['algorithm']} | {k['bytes'] >> 20} | {k['cases']} "
        f"| {words(k['flow'], FLOW)} | {words(k['analytic'], ANALYTIC)} |"
        for k in kinds
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    warnings.simplefilter("ignore", AssumedValueWarning)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="file of JSON lines with the cases measured so far")
    rows = measure_all(parser.parse_args().keep)
    kinds = collect(rows)
    DATA.write_text("[\n" + ",\n".join("  " + json.dumps(kind) for kind in kinds) + "\n]\n", encoding="utf-8")
    before, after = PAGE.read_text(encoding="utf-8").split(MARKER)
    # up to the next heading, if there is one
    _, heading, rest = after.partition("\n## ")
    PAGE.write_text(before + MARKER + table(kinds, rows) + heading + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
