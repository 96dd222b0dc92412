"""How far a time can be off because parameters are known within ranges only.

**Model.** Each parameter of the preset and the stack that has a range is run at both ends of it, the others at their
values: which end is slower, and by how much. These runs are analytic. Then two runs of the fidelity of the result
have every parameter at the end that makes it faster, and at the end that makes it slower. They give the shortest and
the longest time. Sums of the single deviations would need no such runs; but effects do not add up (of two latencies
that pass side by side only the longer one counts), and a sum can fall below zero. **Invariant.** The shortest time is
at most the time of the result, and the longest at least that. Algorithm, protocol and lanes are those that ran, so
that the range is that of one run and not of a choice. **Cost.** ``2 k + 1`` analytic runs and two others for ``k``
parameters. **Limits.** A time that is longest inside a range, or where one parameter is low only while another is
high, is missed. Values that the user gave do not vary. What has no range is taken as exact: this is no interval of
confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from supernode.errors import AlgorithmError, FabricError, SpecError
from supernode.run.execute import execute
from supernode.run.launch import Launch
from supernode.run.plan import Plan, make_plan
from supernode.system.recipe import Ranged
from supernode.units import Quantity

if TYPE_CHECKING:
    import pyarrow as pa

    from supernode.result.result import Result

__all__ = ["Scan", "parameters_of", "schema", "spread_of_candidates", "table", "variant"]

#: New values by the names of parameters; those with a dot are of the stack.
Changes = Mapping[str, Quantity]

#: Algorithm, protocol and lanes.
Candidate = tuple[str, str, int | None]

#: What a combination of ends can fail with: there is no such system, or the algorithm does not fit it.
_IMPOSSIBLE = (SpecError, FabricError, AlgorithmError)
#: What a variant does not take over from the keywords of its run.
_NOT_TAKEN = (
    "uncertainty",
    "self_check",
    "record",
    "progress",
    "algorithm",
    "protocol",
    "lanes",
    "fidelity",
    "time_limit",
)


@cache
def schema() -> pa.Schema:
    """Return the columns of the table of uncertainty."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("parameter", pa.string(), metadata={"doc": "of the preset, or PROTOCOL.VALUE of the stack"}),
            pa.field("value", pa.string(), metadata={"doc": "what the run used"}),
            pa.field("low", pa.string(), metadata={"doc": "lower end of its range"}),
            pa.field("high", pa.string(), metadata={"doc": "upper end of its range"}),
            pa.field("time_low_ns", pa.float64(), metadata={"unit": "ns", "doc": "shortest time over its range"}),
            pa.field("time_high_ns", pa.float64(), metadata={"unit": "ns", "doc": "longest time over its range"}),
            pa.field("slower_at", pa.string(), metadata={"doc": "end with the longer time: low, high, or neither"}),
        ]
    )


def table(found: Mapping[str, Any]) -> pa.Table:
    """Return what moves the time, most first."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(found["parameters"]), schema=schema())


def parameters_of(plan: Plan, protocol: str) -> list[Ranged]:
    """List what has a range, was not given by the user, and a run of a plan can depend on."""
    kinds = [n.kind for n in plan.system.all_networks()]
    found = list(plan.system.ranged())
    if plan.software is not None:
        for name, value in plan.software.ranged(kinds, protocol):
            ends = value.range or [value.value]
            found.append(Ranged(name, value.value, ends[0], ends[-1]))
    return found


def variant(plan: Plan, changes: Changes, **options: Any) -> Plan:
    """Return the plan with other values of parameters, and other keywords.

    Raises
    ------
    SpecError, FabricError
        If there is no such system, or it has another number of ranks.
    """
    hard = {name: value for name, value in changes.items() if "." not in name}
    system = plan.system if not hard or plan.system.recipe is None else plan.system.recipe.build(hard)
    kept: Any = {key: value for key, value in plan.options.items() if key not in _NOT_TAKEN}
    soft = {name: value for name, value in changes.items() if name not in hard}
    keywords: Any = {**kept, **options, "progress": False}
    made = make_plan(system, plan.collective, None, keywords, varied=soft)
    if made.ranks != plan.ranks:
        raise SpecError(f"{', '.join(changes)}: {made.ranks} ranks instead of {plan.ranks}")
    return made


@dataclass(frozen=True)
class _Ends:
    """Times of one parameter at both ends, as factors of the time at its value."""

    parameter: Ranged
    low: float
    high: float

    @property
    def spread(self) -> float:
        """By how much it moves the time."""
        return max(self.low, self.high, 1.0) - min(self.low, self.high, 1.0)

    def at(self, *, slow: bool) -> Quantity:
        """Return the value at which the time is longest or shortest."""
        parameter = self.parameter
        ends = [(1.0, parameter.value), (self.low, parameter.low), (self.high, parameter.high)]
        return (max if slow else min)(ends, key=lambda end: end[0])[1]


class Scan:
    """Runs of one plan at the ends of ranges; systems and stacks are made once for all sizes.

    Parameters
    ----------
    plan
        Any plan of the curve.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made: dict[Any, Plan | None] = {}
        self._runs = 0

    def of(self, plan: Plan, result: Result) -> dict[str, Any]:
        """Run a plan at the ends of the ranges, and return what was found as plain data."""
        fixed: dict[str, Any] = {"algorithm": result.algorithm, "protocol": result.protocol}
        if result.effective["lanes"] is not None:
            fixed["lanes"] = result.effective["lanes"]
        parameters = parameters_of(plan, result.protocol)
        before = self._runs
        notes, ends = [], []
        base = self._time(plan, {}, {**fixed, "fidelity": "analytic"}) if parameters else None
        for parameter in parameters if base else []:
            both = [
                self._time(plan, {parameter.name: end}, {**fixed, "fidelity": "analytic"})
                for end in (parameter.low, parameter.high)
            ]
            for end, time in zip((parameter.low, parameter.high), both, strict=True):
                if time is None:
                    notes.append(f"{parameter.name} = {end} is left out: this run cannot be had with it")
            ends.append(_Ends(parameter, *((time or base) / base for time in both)))  # type: ignore[operator]
        moving = sorted((e for e in ends if e.spread), key=lambda e: (-e.spread, e.parameter.name))
        low, high = (
            self._corner(plan, moving, {**fixed, "fidelity": result.fidelity}, notes, slow=s) for s in (False, True)
        )
        time = result.time_fs
        if not parameters:
            notes.append("no parameter of this run has a range: shortest and longest time are the time itself")
        return {
            "time_low_fs": min(time, time if low is None else low),
            "time_high_fs": max(time, time if high is None else high),
            "runs": self._runs - before,
            "notes": notes,
            "parameters": [_row(e, result.time_ns) for e in sorted(ends, key=lambda e: (-e.spread, e.parameter.name))],
        }

    def launches(self, launch: Launch) -> tuple[Launch, Launch]:
        """Return the fastest and the slowest host that launches calls."""
        recipe, times = self._plan.system.recipe, [launch.launch_fs]
        for parameter in self._plan.system.ranged():
            for end in (parameter.low, parameter.high):
                try:
                    host = None if recipe is None else recipe.build({parameter.name: end}).host
                except _IMPOSSIBLE:
                    continue
                times += [] if host is None else [host.launch_fs()]
        return replace(launch, launch_fs=min(times)), replace(launch, launch_fs=max(times))

    def _corner(
        self, plan: Plan, moving: Sequence[_Ends], fixed: Mapping[str, Any], notes: list[str], *, slow: bool
    ) -> int | None:
        """Run every parameter at the end that makes it faster or slower; leave out what cannot be had together."""
        taken = list(moving)
        while taken:
            time = self._time(plan, {e.parameter.name: e.at(slow=slow) for e in taken}, fixed)
            if time is not None:
                return time
            gone = taken.pop()
            word = "slowest" if slow else "fastest"
            notes.append(f"{gone.parameter.name} is left out of the {word} run: its end cannot be had with the others")
        return None

    def _time(self, plan: Plan, changes: Changes, options: Mapping[str, Any]) -> int | None:
        """Return the time of a variant in femtoseconds; ``None`` if there is no such run."""
        made = self.made(changes, options)
        if made is None:
            return None
        made = made.with_budget(plan.spec.budget_ns)
        self._runs += 1
        try:
            run, _ = execute(made if made.spec.bytes == plan.spec.bytes else made.with_size(plan.spec.bytes))
        except _IMPOSSIBLE:
            return None
        return run.time_fs

    def made(self, changes: Changes, options: Mapping[str, Any]) -> Plan | None:
        """Return a variant of the plan; ``None`` if there is none."""
        key = (tuple(changes.items()), tuple(options.items()))
        if key not in self._made:
            try:
                self._made[key] = variant(self._plan, changes, **options)
            except _IMPOSSIBLE:
                self._made[key] = None
        return self._made[key]


def _row(ends: _Ends, time_ns: float) -> dict[str, Any]:
    parameter = ends.parameter
    factors = (1.0, ends.low, ends.high)
    slower = "neither"
    if ends.spread and max(factors) > 1.0:
        slower = "low" if ends.low == max(factors) else "high"
    return {
        "parameter": parameter.name,
        "value": str(parameter.value),
        "low": str(parameter.low),
        "high": str(parameter.high),
        "time_low_ns": time_ns * min(factors),
        "time_high_ns": time_ns * max(factors),
        "slower_at": slower,
    }


def spread_of_candidates(
    plan: Plan, predict: Callable[[Plan], Mapping[Candidate, int]]
) -> dict[Candidate, tuple[float, float]]:
    """Return shortest and longest time of every candidate for a plan, as factors of its predicted time.

    All runs are predictions. Candidates that are slower at the same ends share the two runs of their combination.

    Parameters
    ----------
    plan
        The plan.
    predict
        Returns the predicted time of every candidate.
    """
    scan, fixed = Scan(plan), {"fidelity": "analytic", "algorithm": plan.spec.algorithm}

    def times(changes: Changes) -> Mapping[Candidate, int]:
        made = scan.made(changes, fixed)
        try:
            return {} if made is None else predict(made.with_budget(plan.spec.budget_ns))
        except _IMPOSSIBLE:
            return {}

    base = times({})
    parameters = parameters_of(plan, plan.spec.stack.protocol)
    ends = [(p, times({p.name: p.low}), times({p.name: p.high})) for p in parameters]
    corners: dict[tuple[tuple[str, Quantity], ...], list[tuple[Candidate, bool]]] = {}
    for name, time in base.items():
        moved = [_Ends(p, low.get(name, time) / time, high.get(name, time) / time) for p, low, high in ends]
        for slow in (False, True):
            taken = tuple((e.parameter.name, e.at(slow=slow)) for e in moved if e.spread)
            corners.setdefault(taken, []).append((name, slow))
    found = {name: [1.0, 1.0] for name in base}
    for corner, members in corners.items():
        there = times(dict(corner))
        for name, slow in members:
            factor = there.get(name, base[name]) / base[name]
            found[name][slow] = max(1.0, factor) if slow else min(1.0, factor)
    return {name: (low, high) for name, (low, high) in found.items()}
