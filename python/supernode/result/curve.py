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
from supernode.run.options import RunOptions
from supernode.run.plan import Plan, make_plan
from supernode.run.sizes import parse_sizes
from supernode.system import SystemLike
from supernode.units import Quantity
from supernode.values import parse_names

__all__ = ["bench", "budgets", "iterate"]

#: Nominal processor time of a curve, in nanoseconds.
CURVE_BUDGET_NS = 60 * 10**9


def bench(
    collective: str,
    system: SystemLike,
    *,
    sizes: Quantity | Iterable[Quantity] = "8:8G:x2",
    algorithms: Sequence[str] | str | None = ("auto",),
    on_row: Callable[[Mapping[str, Any]], None] | None = None,
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
    plans, left_out = _plans(collective, system, sizes, algorithms, options)
    results, rows = [], []
    for result, row in iterate(plans):
        results.append(result)
        rows.append(row)
        if on_row is not None:
            on_row(row)
    text = ("supernode", "bench", parse_name(collective), plans[0].system.label)
    return Bench(tuple(results), tuple(rows), tuple(left_out), start, text)


def iterate(plans: Iterable[Plan]) -> Iterator[tuple[Result, dict[str, Any]]]:
    """Run plans one after the other and yield each result with its row."""
    for plan in plans:
        result = run_plan(plan)
        yield result, _row(plan, result)


def _plans(
    name: str,
    system: SystemLike,
    sizes: Quantity | Iterable[Quantity],
    algorithms: Sequence[str] | str | None,
    options: RunOptions,
) -> tuple[list[Plan], list[int]]:
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
    summary, ratio = result.row, result.efficiency
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
    }
