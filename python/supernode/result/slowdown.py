"""How much longer operations took than alone: each is simulated once more with nothing else on the machine.

**Model.** The same ranks on the same accelerators execute one instance of the operation, with the algorithm and
protocol that the run chose, at the fidelity that the run had. **Invariant.** A random choice is the same, because it
goes by the names of job and operation. **Cost.** A run per operation that moves messages, of one instance.
**Limits.** What ranks waited for partners that began later counts as slowdown, because an operation begins on each rank
by itself. The two sides of a transfer along an axis are not simulated alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.run.program import ProgramPlan

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["slowdown_table"]

#: Kinds of operation that can be executed alone.
_ALONE = ("collective", "exchange", "pattern", "transfer")


def slowdown_table(
    plan: ProgramPlan, operations: pa.Table, choices: Sequence[Mapping[str, Any]], fidelity: str
) -> pa.Table:
    """Return a row per operation that was executed, with its time in the run and alone.

    Parameters
    ----------
    plan
        The run.
    operations
        Its table of operations.
    choices
        What was chosen for each operation.
    fidelity
        What ran.
    """
    import pyarrow as pa

    chosen = {(each["job"], each["operation"]): each for each in choices}
    times = _means(operations)
    rows = []
    for (job, operation), node in _nodes(plan):
        if (job, operation) not in times:
            continue  # no rank executes it
        took, alone = times[job, operation], None
        if node["kind"] in _ALONE:
            spec = _spec(plan, job, node, chosen[job, operation], fidelity)
            run = core.program(msgspec.json.encode(spec).decode(), timeout_s=plan.timeout)
            alone = _means(run.table("operations"))[job, operation]
        rows.append(
            {
                "job": job,
                "operation": operation,
                "time_ns": took,
                "alone_ns": alone,
                "slowdown": took / alone if alone else None,
            }
        )
    kinds = [("job", pa.string()), ("operation", pa.string())]
    kinds += [(name, pa.float64()) for name in ("time_ns", "alone_ns", "slowdown")]
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def _means(operations: pa.Table) -> dict[tuple[str, str], float]:
    """Return the mean time of an instance by job and operation, over all roles."""
    sums: dict[tuple[str, str], tuple[float, int]] = {}
    for row in operations.select(["job", "operation", "time_ns", "instances"]).to_pylist():
        key = row["job"], row["operation"]
        time, count = sums.get(key, (0.0, 0))
        sums[key] = time + row["time_ns"] * row["instances"], count + row["instances"]
    return {key: time / count for key, (time, count) in sums.items()}


def _nodes(plan: ProgramPlan) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Go through the operations with the restrictions around them, less loops and dependencies."""

    def inside(body: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for node in body:
            if "body" not in node:
                yield node["place"]["name"], {**node, "place": {**node["place"], "after": []}}
                continue
            for name, found in inside(node["body"]):
                wraps = node["kind"] == "on"
                # the kind of the operation stays visible from outside
                yield name, {**found, "around": [*([node] if wraps else []), *found.get("around", [])]}

    for job in plan.spec["jobs"]:
        for name, node in inside(job["body"]):
            yield (job["name"], name), node


def _spec(
    plan: ProgramPlan, name: str, node: Mapping[str, Any], choice: Mapping[str, Any], fidelity: str
) -> dict[str, Any]:
    """Return the specification of a run of one operation."""
    alone = {key: value for key, value in node.items() if key != "around"}
    if alone["kind"] == "collective":
        if alone["algorithm"] == "auto":
            alone["algorithm"] = choice["algorithm"]
        alone["protocol"] = choice["protocol"]
    for around in reversed(node.get("around", [])):
        alone = {**around, "body": [alone]}
    number = next(i for i, job in enumerate(plan.spec["jobs"]) if job["name"] == name)
    job = {**plan.spec["jobs"][number], "start_fs": 0, "placement": _placement(plan, number), "body": [alone]}
    return {**plan.spec, "jobs": [job], "fidelity": fidelity, "record": [], "time_limit_fs": None}


def _placement(plan: ProgramPlan, number: int) -> list[int]:
    """Return the accelerator of each rank of a job: those given, or those after the job before."""
    last = -1
    found: list[int] = []
    for job, spec in zip(plan.jobs[: number + 1], plan.spec["jobs"], strict=False):
        found = spec["placement"] or list(range(last + 1, last + 1 + job.mesh.ranks))
        last = found[-1]
    return found
