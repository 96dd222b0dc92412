"""Running one collective over many sizes and algorithms."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Unpack

from supernode.errors import SpecError
from supernode.library.collectives import BY_NAME, Barrier, parse_name
from supernode.quoting import quote
from supernode.result import nccl_tests
from supernode.result.benchmark import Bench, left_out_text
from supernode.result.result import Result
from supernode.result.running import run_plan
from supernode.result.uncertainty import Scan
from supernode.run.launch import Launch, parse_launch
from supernode.run.options import RunOptions
from supernode.run.plan import Plan, make_plan
from supernode.run.sizes import parse_sizes
from supernode.system import SystemLike
from supernode.units import Quantity
from supernode.values import parse_names

__all__ = ["bench", "budgets", "curve_plans", "iterate"]

#: Nominal processor time of a curve, in nanoseconds.
CURVE_BUDGET_NS = 60 * 10**9


def bench(
    collective: str,
    system: SystemLike,
    *,
    sizes: Quantity | Iterable[Quantity] = "8:8G:x2",
    algorithms: Sequence[str] | str | None = ("auto",),
    on_row: Callable[[Mapping[str, Any]], None] | None = None,
    devices_per_thread: int | None = None,
    calls: int | None = None,
    graph: bool = False,
    **options: Unpack[RunOptions],
) -> Bench:
    """Simulate a collective over sizes and algorithms.

    Parameters
    ----------
    collective
        Name of the collective.
    system
        A :class:`~supernode.System`, or the name of a preset.
    sizes
        Sizes as text (``"8:8G:x2"``) or as a list. As in nccl-tests, the parts of all_gather, reduce_scatter,
        all_to_all, gather and scatter are rounded down to 16 bytes; sizes that leave nothing are left out.
    algorithms
        Algorithms to compare, each at every size.
    on_row
        Called with each row as soon as it is there.
    devices_per_thread
        Devices that each thread of the host launches calls on, one after the other: ``-g`` of nccl-tests. The time of a
        row is then that per call of ``calls`` back to back, as nccl-tests measures it, and small messages take what
        the host takes to launch them. ``None``: one call, without a host.
    calls
        Calls back to back, 20 by default.
    graph
        Whether calls are captured in a graph, whose launches cost nothing.
    **options
        Every keyword of :func:`supernode.simulate`; ``timeout`` and ``time_limit`` apply to each run. ``budget`` is
        that of a curve, all sizes of one algorithm, and is 60 s by default: half of it is shared evenly, half by size,
        so that large messages, which cost the most, come out in one fidelity.

    Returns
    -------
    Bench
        Rows, results, and writers for files.

    Examples
    --------
    >>> import supernode as sn
    >>> b = sn.bench("all_reduce", "nvl72", sizes="1M:1G:x4", algorithms=["ring", "auto"])  # doctest: +SKIP
    >>> b.to_nccl_tests("sim.json")  # doctest: +SKIP
    """
    start = datetime.datetime.now()
    if on_row is not None and not callable(on_row):
        raise SpecError(f"on_row: {quote(on_row)} is not valid; it must be a function")
    plans, left_out = curve_plans(collective, system, sizes, algorithms, options)
    launch, notes = parse_launch(plans[0].system, plans[0].ranks, devices_per_thread, calls, graph)
    results, rows = [], []
    for result, row in iterate(plans, launch):
        results.append(result)
        rows.append(row)
        if on_row is not None:
            on_row(row)
    text = ("supernode", "bench", parse_name(collective), plans[0].system.label)
    return Bench(tuple(results), tuple(rows), tuple(left_out), start, text, notes)


def iterate(plans: Iterable[Plan], launch: Launch | None = None) -> Iterator[tuple[Result, dict[str, Any]]]:
    """Run plans one after the other and yield each result with its row."""
    scan, ends = None, None
    for plan in plans:
        if plan.uncertainty and scan is None:
            scan = Scan(plan)
            ends = None if launch is None else scan.launches(launch)
        result = run_plan(plan, scan)
        row = _row(plan, result)
        yield result, row if launch is None else _launched(row, result, launch, ends)


def _launched(
    row: dict[str, Any], result: Result, launch: Launch, ends: tuple[Launch, Launch] | None
) -> dict[str, Any]:
    """Return the row of calls back to back."""
    if ends is not None:
        low, high = (round(row[name] * 1e6) for name in ("time_low_ns", "time_high_ns"))
        row = {**row, "time_low_ns": ends[0].per_call(low) / 1e6, "time_high_ns": ends[1].per_call(high) / 1e6}
    time_ns = launch.per_call(result.time_fs) / 1e6
    share = result.time_ns / time_ns if time_ns else 1.0
    rates = ("algbw_gbytes_s", "busbw_gbytes_s", "efficiency")
    scaled = {name: None if row[name] is None else row[name] * share for name in rates}
    return {**row, **scaled, "time_ns": time_ns, "bottleneck": launch.cause(result.time_fs) or row["bottleneck"]}


def curve_plans(
    name: str,
    system: SystemLike,
    sizes: Quantity | Iterable[Quantity],
    algorithms: Sequence[str] | str | None,
    options: RunOptions,
) -> tuple[list[Plan], list[int]]:
    """Return a plan for each algorithm and size of a bench, and the sizes that round to nothing."""
    if "algorithm" in options:
        raise SpecError("algorithm: bench takes algorithms=[...]")
    kind = BY_NAME[parse_name(name)]
    names = parse_names(algorithms, "algorithms", default=("auto",))
    if not names:
        raise SpecError("algorithms: the list is empty; for example ['ring', 'auto']")
    points = parse_sizes(sizes)
    if kind is Barrier:
        base = make_plan(system, kind.name, None, options)
        return [base.with_algorithm(a) for a in names], []
    base = make_plan(system, kind.name, points[0], options)
    kept, left_out = [], []
    for size in points:
        exact = nccl_tests.rounded(kind, size, base.ranks, base.dtype)
        if exact:
            kept.append(exact)
        else:
            left_out.append(size)
    if not kept:
        raise SpecError(left_out_text(left_out, [{"ranks": base.ranks}]) + "; ask for larger sizes")
    given = options.get("budget") is not None
    curve = [base.spec.budget_ns] * len(kept)
    if given or base.spec.fidelity == "auto":
        curve = budgets(kept, base.spec.budget_ns if given else CURVE_BUDGET_NS)
    plans = [
        base.with_algorithm(a).with_size(size).with_budget(part)
        for a in names
        for size, part in zip(kept, curve, strict=True)
    ]
    return plans, left_out


def budgets(sizes: Sequence[int], budget_ns: int) -> list[int]:
    """Share the budget of a curve among its sizes.

    Half of it goes evenly, half in proportion to the size: work grows with the size, so that where the largest message
    fits its part the others do, and a curve is of one fidelity.
    """
    whole = sum(sizes)
    return [max(budget_ns // (2 * len(sizes)) + budget_ns * size // (2 * whole), 1) for size in sizes]


def _row(plan: Plan, result: Result) -> dict[str, Any]:
    summary, ratio, expected = result.row, result.efficiency, result.expected_error
    return {
        "system": result.system,
        "collective": result.collective,
        "ranks": plan.ranks,
        "size_bytes": result.size_bytes,
        "count": summary["count"],
        "type": plan.dtype.nccl_name,
        "redop": nccl_tests.redop_of(type(plan.collective)),
        "root": summary["root"],
        "time_ns": result.time_ns,
        "algbw_gbytes_s": result.algbw_gbytes_s,
        "busbw_gbytes_s": result.busbw_gbytes_s,
        "bound_ns": result.bound,
        "efficiency": ratio,
        "bound_busbw_gbytes_s": result.busbw_gbytes_s / ratio if ratio else None,
        "requested": plan.spec.algorithm,
        "algorithm": result.algorithm,
        "protocol": result.protocol,
        "chosen_by": result.chosen_by,
        "fidelity": result.fidelity,
        "bottleneck": result.bottleneck,
        "seed": result.seed,
        "wall_s": result.wall_s,
        "time_low_ns": result.time_low_ns if plan.uncertainty else None,
        "time_high_ns": result.time_high_ns if plan.uncertainty else None,
        "expected_error": None if expected is None or expected.status != "validated" else expected.tail,
    }
