"""What must hold for a run of anything, and for the special cases that once did not.

Each kind of case draws its machine and run from the case's own number, and requires relations that need no reference: a
run is the same folded, skipped and on any number of threads; nothing is faster than its bound; what is sent arrives; three
fidelities tell the same story. Cost: some 20 ms per case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, prod
from random import Random
from typing import Any

import supernode as sn
from fuzz.machines import Machine, any_machine
from fuzz.runs import DRAWN, TABLES, Case, Finding, Refused, build, draw_case, equal, require, run
from supernode import core
from supernode.errors import DeadlockError, SupernodeError
from supernode.result import Result
from supernode.spec import Clos

__all__ = ["KINDS", "Measure", "differential"]

MIB = 2**20

#: Packet-hops of a case that compares fidelities, roughly.
MOST_PACKETS = 100_000


@dataclass(frozen=True)
class Measure:
    """An error that is judged over all cases: of which fidelity, as time over packets, and whether a warning says it."""

    fidelity: str
    ratio: float
    warned: bool
    system: str


def any_run(rng: Random) -> Case:
    """A run of anything: folding, skipping, threads, flows, bounds, conservation and the checker."""
    case = draw_case(rng, any_machine(rng))
    full = run(case, fold=False, skip=False)
    folded = run(case)
    equal("folded and skipped against in full", folded, full)
    threads = rng.choice((2, 3, 7))
    equal(f"threads={threads} against 1", run(case, threads=threads, fold=rng.random() < 0.5), full)
    if rng.random() < 0.5:
        equal("skipped against not, in full", run(case, fold=False), full)
    _bounded(full)
    _conserved(full)
    _checked(case, full)
    # what is first on the machine is the same whether it is placed there or counted
    if "placement" not in case.options and "ranks" in case.options:
        placed = run(case, placement=list(range(case.options["ranks"])))
        require(
            placed.time_fs == full.time_fs,
            f"ranks={case.options['ranks']} takes {full.time_fs} fs, placed so {placed.time_fs}",
        )
    try:
        flow = run(case, fidelity="flow")
    except Refused:
        flow = None
    if flow is not None:
        _bounded(flow)
        _conserved(flow)
        equal("flow: folded against in full", flow, run(case, fidelity="flow", fold=False, threads=2))
        _same_bytes(full, flow)
    _bounded(run(case, fidelity="analytic", record=[]))
    return case


def _bounded(result: Result) -> None:
    require(
        result.time_ns >= result.bound,
        f"{result.fidelity}: {result.time_ns} ns is below the bound of {result.bound} ns ({result.bound_kind})",
    )


def _conserved(result: Result) -> None:
    """What enters a vertex leaves it, but for what is sent and received there; no link is busy for longer than the run."""
    links = result.expand("links").to_pydict()
    busiest = max(links["utilisation"], default=0.0)
    require(busiest <= 1 + 1e-9, f"{result.fidelity}: a link is used to {busiest} of its rate")
    through: Counter[str] = Counter()
    for source, sent in zip(links["src"], links["bytes"], strict=True):
        through[source] += sent
    switches = result.expand("switches").to_pydict()
    for name, sent, used in zip(switches["switch"], switches["bytes"], switches["utilisation_max"], strict=True):
        require(used <= 1 + 1e-9, f"{result.fidelity}: a port of {name} is used to {used} of its rate")
        require(through[name] == sent, f"{result.fidelity}: {name} sent {sent} B on, its links carried {through[name]}")
    if result.algorithm == "in_network":
        return  # switches add and replicate
    left: Counter[str] = Counter()
    for source, target, sent in zip(links["src"], links["dst"], links["bytes"], strict=True):
        left[source] -= sent
        left[target] += sent
    ranks = result.expand("ranks").to_pydict()
    for accelerator, sent, received in zip(
        ranks["accelerator"], ranks["sent_bytes"], ranks["received_bytes"], strict=True
    ):
        left[f"accelerator {accelerator}"] += sent - received
    wrong = {vertex: value for vertex, value in left.items() if value}
    require(not wrong, f"{result.fidelity}: bytes appear or vanish at {dict(list(wrong.items())[:3])}")
    flows = result.expand("flows").to_pydict()
    require(
        sum(flows["bytes"]) == sum(ranks["sent_bytes"]), f"{result.fidelity}: flows and ranks count different bytes"
    )


def _checked(case: Case, result: Result) -> None:
    """The checker proves the schedule that runs: as many messages and bytes."""
    if result.algorithm == "in_network":
        return
    report = _proved(case)
    flows = result.expand("flows")
    sent = (flows.num_rows, sum(flows["bytes"].to_pylist()))
    require(
        (report.messages, report.bytes) == sent,
        f"the checker proves {report.messages} messages of {report.bytes} B, {sent[0]} of {sent[1]} B were sent",
    )


def _proved(case: Case) -> sn.ScheduleReport:
    options = {k: v for k, v in case.options.items() if k not in ("record", "flow_control", "memory_limit")}
    try:
        return sn.schedule(case.collective, system=case.system, **options).check()
    except SupernodeError as error:
        raise Finding(f"the checker refuses what runs: {type(error).__name__}: {error}") from None


def _same_bytes(packet: Result, flow: Result) -> None:
    """Packets and flows carry the same bytes over each level, where all paths are as long."""
    if any(n["routing"] in ("valiant", "ugal") for n in packet.effective["system"]["networks"]):
        return
    columns = ("network", "level", "direction", "bytes")
    rows = [{tuple(row[c] for c in columns[:3]): row["bytes"] for row in r.levels.to_pylist()} for r in (packet, flow)]
    for key in rows[0].keys() | rows[1].keys():
        a, b = rows[0].get(key, 0), rows[1].get(key, 0)
        if key[2] == "up" or key[2] == "down":
            require(
                abs(a - b) <= max(64, 0.02 * a) or _weighted(packet), f"flow carries {b} B over {key}, packets {a} B"
            )


def _weighted(result: Result) -> bool:
    """Tell whether paths of different networks or levels can stand in for each other."""
    return any(n["topology"]["kind"] != "clos" for n in result.effective["system"]["networks"])


def fidelities(rng: Random) -> tuple[Case, list[Measure]]:
    """Flow and analytic against packets: measured at 1 MiB per rank or more, by and large for a few bytes."""
    small = rng.random() < 0.3
    case = draw_case(rng, any_machine(rng), sizes=(1, 4096) if small else (MIB, 2 * MIB), stacks=False)
    if case.collective == "barrier":
        raise Refused("no bytes")
    if _proved(case).bytes * 4 // 4096 > MOST_PACKETS:
        raise Refused("too many packets")
    packet = run(case, record=[])
    found = []
    for fidelity in ("flow", "analytic"):
        try:
            other = run(case, fidelity=fidelity, record=[])
        except Refused:
            continue
        if packet.time_fs:
            ratio = other.time_fs / packet.time_fs
            warned = any(_tells(fidelity, text) for text in other.warnings)
            if not small:
                found.append(Measure(fidelity, ratio, warned, "+".join(case.machine.families)))
            require(1 / 4 < ratio < 4 or warned, f"{fidelity} takes {ratio:.3f} times as long as packets, unsaid")
    return case, found


def _tells(fidelity: str, warning: str) -> bool:
    """Tell whether a warning is about what a fidelity leaves out."""
    return (fidelity in warning or "%" in warning) and "has no effect" not in warning


def lone_flow(rng: Random) -> Case:
    """With buffer="auto" one flow alone is as fast as without limits, within 0.5 %."""
    gbit, ns = rng.choice((10, 50, 200, 400, 900, 1600, 7200)), rng.choice((1, 10, 100, 350, 1000, 5000, 20000))
    payload = rng.choice((128, 256, 1024, 4096, 9000))
    planes = rng.choice((1, 1, 2, 4))
    text = (
        f"sn.System('f').scale_up(count=3, fabric=sn.Switched(bandwidth='{gbit} Gbit/s', latency='{ns} ns', "
        f"payload={payload}, planes={planes}, switch_latency='{rng.choice((0, 100, 300))} ns'))"
    )
    # many round trips, so that what is lost once does not count
    trip = 2 * ns * gbit // 8
    size = min(max(64 * trip, 2000 * payload) * planes, 200_000 * payload)
    machine = Machine(text, 3, (3,), ("switched",))
    case = Case(machine, "send_recv", {"size": size, "ranks": 2, "stack": "none"}, build(machine))
    credit, free = run(case), run(case, flow_control="unlimited")
    require(
        credit.time_fs <= 1.005 * free.time_fs,
        f'buffer="auto": {credit.time_fs / free.time_fs:.4f} times as long as without limits',
    )
    return case


def sprayed(rng: Random) -> Case:
    """A short packet more per message costs about as much as its bytes, wherever it goes."""
    planes, packets = rng.choice(((2, 1), (2, 3), (3, 2), (4, 1), (4, 3)))
    payload, hosts = rng.choice((1024, 4096)), 64
    machine = Machine(
        f"sn.System('f').scale_out(sn.FatTree(radix=16, tiers=2, planes={planes}, link='400 Gbit/s', "
        f"link_latency='300 ns', trunk_latency='500 ns', switch_latency='300 ns', payload={payload}), count={hosts}, "
        f"nics_per_device={planes})",
        hosts,
        (hosts,),
        ("fat_tree",),
    )
    size = packets * payload * hosts
    case = Case(machine, "all_to_all", {"size": size, "stack": "none", "algorithm": "direct"}, build(machine))
    more = 16 * rng.randint(1, 4)
    even, odd = run(case), run(case, size=size + more * hosts)
    require(
        odd.time_fs <= 1.1 * even.time_fs * (1 + more / (packets * payload)),
        f"{more} B more per pair take {odd.time_fs / even.time_fs:.2f} times as long",
    )
    return case


def sums(rng: Random) -> Case:
    """Sums in the network, by the switches that join the ranks: not faster than the bound, folded as in full."""
    copies, inner = rng.randint(2, 3), rng.randint(2, 6)

    inside = rng.random() < 0.5  # all ranks in one inner copy, whose switches do not add

    def fabric(outer: bool) -> str:
        rate, latency = rng.choice((8, 80, 400, 800)), rng.choice(("1 ns", "350 ns", "10 us"))
        reduce = outer if inside else rng.random() < 0.7
        return f"sn.Switched(bandwidth='{rate} Gbit/s', latency={latency!r}, planes={rng.randint(1, 3)}, in_network_reduce={reduce})"

    text = (
        f"sn.System('f').scale_up(count={inner}, fabric={fabric(False)}).scale_out({fabric(True)}).replicate({copies})"
    )
    machine = Machine(text, inner * copies, (inner, inner * copies), ("switched", "switched"))
    collective = rng.choice(("all_reduce", "broadcast", "reduce", "all_gather", "reduce_scatter", "barrier"))
    ranks = rng.randint(2, inner if inside else machine.count)
    options: dict[str, Any] = {"stack": "none", "algorithm": "in_network", "ranks": ranks, "record": TABLES}
    if collective != "barrier":
        options["size"] = rng.choice((1, 4096, 2**18, 2**20)) * (ranks if "_" in collective else 1)
    if rng.random() < 0.3:
        options["placement"] = rng.sample(range(machine.count), ranks)
    case = Case(machine, collective, options, build(machine))
    full = run(case, fold=False)
    _bounded(full)
    equal("folded against in full", run(case), full)
    _bounded(run(case, fidelity="analytic", record=[]))
    return case


def crowds(rng: Random) -> Case:
    """More peers at once than a rank has open messages by default do not wait for each other: each has its own link."""
    count = rng.randint(290, 320)
    machine = Machine(
        f"sn.System('f').scale_up(count={count}, fabric=sn.FullMesh(dims=({count},), bandwidth='50 GB/s', latency='100 ns'))",
        count,
        (count,),
        ("full_mesh",),
    )
    options = {"size": 65536 * count, "stack": "none", "algorithm": "direct"}
    case = Case(machine, "all_to_all", options, build(machine))
    # 64 KiB at 50 GB/s are 1.31 us, and the latency comes on top
    for fidelity in ("packet", "flow"):
        result = run(case, fidelity=fidelity)
        require(
            result.time_ns <= 1.2 * (65536 / 50 + 100),
            f"{fidelity}: {count} peers with a link each take {result.time_ns} ns for 64 KiB at 50 GB/s",
        )
    return case


def leaves(rng: Random) -> Case:
    """A fat tree fills its leaves evenly and has the oversubscription that was asked for, or is refused."""
    radix, count = rng.choice((8, 16, 32, 64)), rng.randint(4, 300)
    ratio = rng.choice(("1:1", "2:1", "3:1", "4:1", "3:2"))
    machine = Machine(
        f"sn.System('f').scale_out(sn.FatTree(radix={radix}, tiers=2, link='400 Gbit/s', link_latency='300 ns', "
        f"trunk_latency='500 ns', switch_latency='300 ns', oversubscription={ratio!r}), count={count})",
        count,
        (count,),
        ("fat_tree",),
    )
    system = build(machine)
    case = Case(machine, "all_to_all", {"size": 16 * count, "stack": "none", "algorithm": "direct"}, system)
    shape = system.to_spec().networks[0].topology
    require(isinstance(shape, Clos), "a fat tree is no tree")
    if len(shape.down) < 2:
        return case
    each = shape.down[0]
    number_of = -(-count // each)
    # as few as fill so many leaves, in steps that keep the ratio exact
    step = int(ratio.partition(":")[0])
    even = ceil(ceil(count / number_of) / step) * step
    if number_of == 1:
        return case
    # a few more on each may save most of the spines: 29 uplinks need 29 of them or one, 30 need three
    require(each <= 1.15 * even, f"{count} hosts stand on {number_of} leaves of {each}; {even} each would do")
    up = shape.up[1] * shape.parallel[1]
    down, _, over = ratio.partition(":")
    asked, built = int(down) / int(over), each / up
    told = any("oversubscription" in note for note in system.notes())
    require(
        abs(built - asked) <= 0.2 * asked or told,
        f"oversubscription {ratio} was asked for; leaves have {each} hosts and {up} links up, and no note says so",
    )
    return case


def neighbours(rng: Random) -> Case:
    """Ranks that exchange with a neighbour over links of their own are as fast as the bound says."""
    dims = rng.choice(((4,), (6,), (2, 3), (4, 4), (3, 5)))
    family = rng.choice(("Mesh", "Torus", "FullMesh"))
    links = rng.choice((1, 2))
    count = prod(dims)
    machine = Machine(
        f"sn.System('f').scale_up(count={count}, fabric=sn.{family}(dims={dims}, bandwidth='50 GB/s', latency='100 ns', "
        f"links={links}))",
        count,
        (count,),
        (family.lower(),),
    )
    at = rng.randrange(dims[0] - 1)
    case = Case(
        machine,
        "send_recv",
        {"size": 4 * MIB, "placement": [at, at + 1], "stack": "none", "flow_control": "unlimited"},
        build(machine),
    )
    result = run(case)
    _bounded(result)
    require(
        result.efficiency > 0.9,
        f"two neighbours send each other as fast as their links allow, and are called {result.efficiency:.2f} efficient",
    )
    return case


def deadlocks(rng: Random) -> Case:
    """A deadlock is the same error folded and in full."""
    count = rng.choice((4, 5, 6, 8))
    payload = rng.choice((256, 1024))
    machine = Machine(
        f"sn.System('f').scale_up(count={count}, fabric=sn.Ring(bandwidth='10 GB/s', latency='10 ns', dateline=False, "
        f"payload={payload}, buffer={payload * rng.choice((2, 3, 4))}))",
        count,
        (count,),
        ("ring",),
    )
    options: dict[str, Any] = {"size": (1 << 16) * count, "stack": "none", "algorithm": "direct"}
    case = Case(machine, rng.choice(("all_to_all", "all_gather")), options, build(machine))
    said = []
    for fold in (True, False):
        try:
            said.append(
                f"{sn.simulate(case.system, case.collective, fidelity='packet', threads=1, fold=fold, **options).time_fs} fs"
            )
        except DeadlockError as error:
            said.append(str(error))
    require(said[0] == said[1], f"folded: {said[0]}; in full: {said[1]}")
    return case


def partial(rng: Random) -> Case:
    """Parts of units are as fast as a machine of units of that size; several NICs as fast as one of their rate."""
    inner, part, copies = 8, rng.choice((4, 6)), 2
    up = "sn.Switched(bandwidth='50 GB/s', latency='350 ns', planes=4)"
    out = "sn.Switched(bandwidth='{}', latency='1 us', planes={}, routing={!r})"

    def machine(count: int, nics: int, routing: str) -> Machine:
        outer = out.format(f"{400 // nics} Gbit/s", nics, routing)
        text = f"sn.System('f').scale_up(count={count}, fabric={up}).scale_out({outer}).replicate({copies})"
        return Machine(text, count * copies, (count, count * copies), ("switched", "switched"))

    collective = rng.choice(("all_reduce", "all_gather", "reduce_scatter", "all_to_all"))
    size = 8 * MIB
    nics, routing = rng.choice((1, 2, 4)), rng.choice(("d_mod_k", "spray_round_robin"))
    options: dict[str, Any] = {"size": size, "stack": "none"}
    whole = machine(part, nics, routing)
    small = Case(whole, collective, options, build(whole))
    large = machine(inner, nics, routing)
    placement = [unit * inner + i for unit in range(copies) for i in range(part)]
    case = Case(large, collective, {**options, "placement": placement}, build(large))
    a, b = run(case), run(small)
    require(
        a.time_fs <= 1.1 * b.time_fs,
        f"{part} of {inner} accelerators of {copies} units take {a.time_fs / b.time_fs:.2f} times as long by {a.algorithm} "
        f"as units of {part} by {b.algorithm}",
    )
    one = machine(part, 1, routing)
    single = run(Case(one, collective, options, build(one)))
    require(
        b.time_fs <= 1.1 * single.time_fs,
        f"{nics} NICs of {400 // nics} Gbit/s under {routing} take {b.time_fs / single.time_fs:.2f} times as long as one of 400",
    )
    return case


def automatic(rng: Random) -> Case:
    """What ``auto`` takes is at most 10 % slower than the best algorithm that can run; more bytes take no less time."""
    machine = any_machine(rng)
    size = rng.choice((1 << 10, 1 << 16, 1 << 20))
    collective = rng.choice(("all_reduce", "all_gather", "reduce_scatter", "broadcast", "all_to_all"))
    case = Case(machine, collective, {"size": size, "stack": "none"}, build(machine))
    chosen = run(case)
    # whoever takes longer than this is not the best, and need not be simulated to its end
    limit = f"{1.2 * chosen.time_ns + 1:.0f} ns"
    times = {chosen.algorithm: chosen.time_fs}
    for name in core.algorithms():
        try:
            times[name] = run(case, algorithm=name, time_limit=limit).time_fs
        except Refused:
            continue
    best = min(times, key=lambda name: times[name])
    require(
        chosen.time_fs <= 1.1 * times[best],
        f"auto takes {chosen.algorithm} of {chosen.time_ns / 1e3:.1f} us, {best} takes {times[best] / 1e9:.1f} us",
    )
    double = run(case, size=2 * size)
    require(
        double.time_fs >= chosen.time_fs / 1.1,
        f"twice the bytes take less time: {double.time_ns / 1e3:.1f} us by {double.algorithm} instead of "
        f"{chosen.time_ns / 1e3:.1f} us by {chosen.algorithm}",
    )
    return case


def budgets(rng: Random) -> Case:
    """``auto`` stays with packets where they fit the budget, leaves them where they do not, and says why.

    These runs take some milliseconds of the nominal core, so 30 s are enough for all of them. Neither threads nor memory
    change the fidelity.
    """
    case = draw_case(rng, any_machine(rng))
    case.options["record"] = []
    plain = run(case, fidelity="auto")
    require(plain.fidelity == "packet", f"{plain.fidelity} within 30 s: {plain.warnings}")
    nanoseconds = rng.choice((1_000, 10_000, 100_000, 1_000_000))
    tight = run(case, fidelity="auto", budget=f"{nanoseconds} ns")
    other = run(case, fidelity="auto", budget=f"{nanoseconds} ns", threads=rng.choice((2, 7)), memory_limit="8 GiB")
    require(
        (tight.fidelity, tight.time_fs) == (other.fidelity, other.time_fs),
        f"{tight.fidelity} with one thread and {other.fidelity} with more, or with another memory limit",
    )
    if tight.fidelity == "packet":
        # a run may take twice the budget, at 60 ns or more per packet-hop that is not skipped
        hops = tight.meta["packet_hops"] // tight.folding["order"] - tight.skipping["packet_hops"]
        require(hops * 60 <= 2 * nanoseconds + 60_000, f"{hops} packet-hops within {nanoseconds} ns")
    else:
        told = any(w.startswith("fidelity: ") and "because" in w for w in tight.warnings)
        require(told, f"{tight.fidelity} without a reason: {tight.warnings}")
    return case


def bottlenecks(rng: Random) -> Case:
    """What is named takes the largest share: no level stalls for longer, and faster links help where it is not latency."""
    seed = rng.randrange(2**32)
    machine = any_machine(Random(seed))
    case = draw_case(rng, machine, sizes=(2**10, 2**18), stacks=False)
    case.options["record"] = ["levels"]
    result = run(case)
    faster = any_machine(Random(seed), factor=64)
    quick = run(replace(case, machine=faster, system=build(faster)))
    helped = 1 - quick.time_fs / result.time_fs if result.time_fs else 0.0
    label = result.bottleneck
    require("software" not in label, f"without a software stack the bottleneck is {label!r}")
    share = int(label.split(", ")[-1].split(" ")[0]) / 100 if "%" in label else 0.0
    levels = result.to_polars("levels")
    stalled = max(levels.get_column("stall_max_ns").to_list(), default=0.0) / max(result.time_ns, 1e-6)
    require(
        share >= 0.8 or share >= stalled - 0.01,
        f"the bottleneck is {label!r}, and links of a level stall for {stalled:.0%} of the time",
    )
    sole = "several causes" not in label
    require(
        helped < 0.6 or share >= 0.3 or not sole or "latency" not in label,
        f"the bottleneck is {label!r}, and links 64 times as fast save {helped:.0%} of the time",
    )
    if "links in one step" in label:
        # with the same buffers, faster links would wait for credits
        quick = run(replace(case, machine=faster, system=build(faster)), flow_control="unlimited")
        helped = 1 - quick.time_fs / result.time_fs
        require(
            helped >= share / 3,
            f"the bottleneck is {label!r}, and links 64 times as fast save only {helped:.0%} of the time",
        )
    return case


#: Kinds of case and how many of a hundred are of each.
KINDS: dict[Callable[[Random], Any], int] = {
    any_run: 42,
    fidelities: 12,
    automatic: 8,
    budgets: 3,
    bottlenecks: 8,
    leaves: 6,
    lone_flow: 4,
    sprayed: 3,
    sums: 4,
    neighbours: 3,
    deadlocks: 3,
    partial: 3,
    crowds: 1,
}


def differential(seed: int) -> tuple[str, list[Measure]]:
    """Run the case of a number; return its kind and what it measured.

    Raises
    ------
    Finding
        With the code of the run, if anything is not as it should be.
    """
    rng = Random(f"differential {seed}")
    kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    for _ in range(20):
        DRAWN.clear()
        try:
            found = kind(rng)
        except Refused:
            continue
        except Finding as finding:
            code = "\n".join(dict.fromkeys(case.code() for case in DRAWN))
            raise Finding(f"{kind.__name__}: {finding}\n{code}") from None
        return kind.__name__, found[1] if isinstance(found, tuple) else []
    return f"{kind.__name__}, refused", []
