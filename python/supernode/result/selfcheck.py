"""Self-check: a small case of the same run, simulated with and without folding and skipping, compared bit for bit.

Folding and exact cycle skipping promise the results of the run in full. A user who cannot afford the run in full can
have the promise tested next to each run: ``self_check=True`` takes the same system, stack, routing, algorithm, element
type, flow control, seed and lanes, with fewer ranks and a smaller size, and runs it twice as the run was and twice in
full: with a row a message, and without, because messages that are told apart cannot be skipped from step to step.

**The case.** Ranks are the first ones of the run, in a number that keeps its structure: whole leaves, rows, boards or
units, or with ``levels`` a divisor of each. The size is what a number of packet-hops drawn at random needs. Candidates
are tried in random order, those first that reach as many networks and tiers as the run, until one is folded and skipped
as the run was; the first that is at least one of both is the next best. The generator is seeded by what names the run,
so that the case can be made again.

**Invariants.** No case has more than :data:`MOST_HOPS` packet-hops, so the full runs take about a second, and the time
to build the machine. Machines of more than :data:`MOST_ACCELERATORS` have too many links to list them four times over:
their ranks, messages and summary are compared, and the record of the check says so.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, product
from math import prod
from operator import mul
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.errors import (
    AlgorithmError,
    FabricError,
    InternalError,
    MemoryLimitError,
    SpecError,
    SupernodeError,
)
from supernode.result.result import Result
from supernode.run.execute import execute
from supernode.run.options import RECORDS
from supernode.run.plan import Plan
from supernode.spec import Clos, GraphShape, NetworkSpec

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MOST_ACCELERATORS", "MOST_HOPS", "self_check"]

#: Packet-hops of a case, at most.
MOST_HOPS = 1_500_000
#: Accelerators of a machine whose links are compared, at most.
MOST_ACCELERATORS = 1 << 16
#: Ranks of a case, at most.
_MOST_RANKS = 1024
#: Ranks of a case, as far as fewer do not show less, and more are not needed to reach a second leaf or unit.
_RANKS = (8, 64)
#: Parts of the machine that a case may have.
_MULTIPLES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
#: Candidates that are tried.
_TRIES = 16
#: Tables without a row a message.
_PLAIN = RECORDS[:-1]


@dataclass(frozen=True)
class _Case:
    """A case that was accelerated: its plan, and what its run was."""

    plan: Plan
    folded: bool
    skipped: bool
    packet_hops: int


def self_check(plan: Plan, result: Result) -> tuple[dict[str, Any] | None, str]:
    """Compare a small case of a run with and without what accelerated the run.

    Parameters
    ----------
    plan
        The run.
    result
        What it found.

    Returns
    -------
    record
        ``ranks``, ``levels``, ``size_bytes``, ``packet_hops``, whether the case was ``folded`` and ``skipped``, and the
        tables ``compared``; ``None`` if nothing was compared.
    warning
        Why nothing was compared; empty if something was.

    Raises
    ------
    InternalError
        If a table differs; the message names the case.
    """
    folded, skipped = bool(result.folding["applied"]), result.skipping["jumps"] > 0
    if not folded and not skipped:
        return None, "self_check=True has no effect: nothing was folded or skipped"
    case = _find(plan, result, folded, skipped)
    if case is None:
        return None, "self_check=True has no effect: no small case of this run is folded or skipped"
    small = case.plan.spec.system.accelerators <= MOST_ACCELERATORS
    records = [[r for r in names if small or r in ("ranks", "levels", "flows")] for names in (RECORDS, _PLAIN)]
    for record in records:
        _compare(case, record)
    spec = case.plan.spec
    return {
        "ranks": case.plan.ranks,
        "levels": spec.levels,
        "size_bytes": spec.bytes,
        "packet_hops": case.packet_hops,
        "folded": case.folded,
        "skipped": case.skipped,
        "compared": ["summary", *records[0]],
    }, ""


def _find(plan: Plan, result: Result, folded: bool, skipped: bool) -> _Case | None:
    """Return the first candidate that is folded and skipped as the run was, or the first that is either."""
    draw = _generator(plan, result)
    best = None
    for count, (ranks, levels) in enumerate(_candidates(plan, draw)):
        if count == _TRIES:
            break
        case = _sized(_base(plan, result, ranks, levels), draw, long=skipped)
        if case is None or not (case.folded or case.skipped):
            continue
        if case.folded >= folded and case.skipped >= skipped:
            return case
        best = best or case
    return best


def _generator(plan: Plan, result: Result) -> np.random.Generator:
    spec = plan.spec
    text = f"{spec.seed}/{plan.system.label}/{spec.collective}/{result.algorithm}/{spec.bytes}"
    import numpy as np

    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def _candidates(plan: Plan, draw: np.random.Generator) -> Iterator[tuple[int, list[int] | None]]:
    """Yield numbers of ranks, with levels if the run had any, in random order but for what shows most."""
    blocks = _blocks(plan.spec.system.networks)
    found: list[tuple[int, list[int] | None]] = []
    if plan.spec.levels:
        found = [(prod(own), list(own)) for own in product(*(_divisors(n) for n in plan.spec.levels))]
    else:
        counts = {block * k for block in (1, *blocks) for k in _MULTIPLES} | {plan.ranks}
        found = [(n, None) for n in sorted(counts)]
    found = [(n, levels) for n, levels in found if 2 <= n <= min(plan.ranks, _MOST_RANKS)]

    def shortfall(pair: tuple[int, list[int] | None]) -> tuple[int, int, int]:
        """Count levels of one rank, and tiers and networks that the case does not reach; then prefer some ten ranks."""
        n, levels = pair
        idle = sum(n <= block < plan.ranks for block in blocks)
        return (0 if levels is None else levels.count(1)), idle, n.bit_length() if n > _RANKS[1] else n < _RANKS[0]

    mixed = [found[i] for i in draw.permutation(len(found))]
    yield from sorted(mixed, key=shortfall)


def _blocks(networks: list[NetworkSpec]) -> list[int]:
    """List the sizes of whole parts of the machine: rows, leaves, pods, units."""
    found: set[int] = set()
    below = 1
    for network in networks:
        topology = network.topology
        if isinstance(topology, Clos):
            steps = [topology.down[0] * topology.rails, *topology.down[1:]]
        elif isinstance(topology, GraphShape):
            steps = [network.span // below]
        else:
            steps = list(topology.dims)
        whole = (below * s for s in accumulate(steps, mul))
        found.update(min(block, network.span) for block in whole)
        below = network.span
    return sorted(found)


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, min(number, _RANKS[1]) + 1) if number % d == 0]


def _base(plan: Plan, result: Result, ranks: int, levels: list[int] | None) -> Plan:
    """Return the plan of fewer ranks, with the choices that the run made."""
    spec = msgspec.structs.replace(
        plan.spec,
        ranks=ranks,
        levels=levels,
        root=plan.spec.root % ranks,
        algorithm=result.algorithm,
        lanes=result.effective["lanes"],
        stack=msgspec.structs.replace(plan.spec.stack, protocol=result.protocol or plan.spec.stack.protocol),
        fidelity="packet",
        record=[],
        time_limit_fs=None,
    )
    placement = None if plan.placement is None else plan.placement[:ranks]
    return replace(plan, spec=spec, placement=placement, timeout=None, progress=False, self_check=False)


def _sized(plan: Plan, draw: np.random.Generator, *, long: bool) -> _Case | None:
    """Give a case a size that takes a number of packet-hops drawn at random; ``None`` if it cannot run."""
    ranks, most = plan.ranks, plan.spec.bytes
    hops = int(2 ** draw.uniform(17 if long else 13, math.log2(MOST_HOPS)))
    grain = plan.spec.element_bytes * (16 * ranks if draw.integers(2) else 1)
    size = min(most, 64 * ranks * plan.spec.element_bytes)
    case = _attempt(plan.with_size(size))
    if case is None or case.packet_hops > MOST_HOPS:
        return None
    wanted = min(most, size * hops // max(1, case.packet_hops))
    wanted = wanted // grain * grain
    while wanted > size:
        longer = _attempt(plan.with_size(wanted))
        if longer is not None and longer.packet_hops <= MOST_HOPS:
            return longer
        wanted = wanted // 2 // grain * grain
    return case


def _attempt(plan: Plan) -> _Case | None:
    """Run a case as the run was; ``None`` if it cannot run with so few ranks or bytes."""
    try:
        result = _run(plan)
    except (AlgorithmError, FabricError, MemoryLimitError, SpecError):
        return None
    except SupernodeError as error:
        if isinstance(error, InternalError) or not _fails_in_full(plan, type(error)):
            raise InternalError(f"internal error (please report): self-check: {_name(plan)}: {error}") from error
        return None
    return _Case(plan, bool(result.folding["applied"]), result.skipping["jumps"] > 0, int(result.meta["packet_hops"]))


def _fails_in_full(plan: Plan, kind: type[SupernodeError]) -> bool:
    """Say whether a case that failed as the run was fails in full, too."""
    try:
        _run(_full(plan))
    except kind:
        return True
    return False


def _compare(case: _Case, record: list[str]) -> None:
    """Run a case as the run was and in full, and compare the tables."""
    spec = msgspec.structs.replace(case.plan.spec, record=record)
    plan = replace(case.plan, spec=spec)
    short, full = _run(plan), _run(_full(plan))
    different = [] if short.summary.equals(full.summary) else ["summary"]
    different += [name for name in record if not short.expand(name).equals(full.expand(name))]
    if different:
        raise InternalError(
            f"internal error (please report): self-check: {_name(case.plan)}, record={record}: "
            f"{', '.join(different)} of the run with fold={spec.fold} and skip={spec.skip} "
            f"({short.time_fs} fs) and of the one in full ({full.time_fs} fs) are not the same"
        )


def _full(plan: Plan) -> Plan:
    return replace(plan, spec=msgspec.structs.replace(plan.spec, fold=False, skip=False, threads=1))


def _run(plan: Plan) -> Result:
    return Result.from_run(execute(plan)[0], plan, 0.0)


def _name(plan: Plan) -> str:
    """Name a case so that it can be run again."""
    spec = plan.spec
    parts = [f"algorithm={spec.algorithm!r}", f"protocol={spec.stack.protocol!r}", f"seed={spec.seed}"]
    parts += [f"{key}={value}" for key in ("lanes", "chunks", "levels") if (value := getattr(spec, key)) is not None]
    if plan.placement is not None:
        parts.append(f"placement={plan.placement.tolist()}")
    return (
        f"{spec.collective} of {spec.bytes} B on {plan.system.label}, {plan.ranks} ranks, stack {spec.stack.name}, "
        f"{', '.join(parts)}"
    )
