"""Why an algorithm: the price of every choice, simulated or predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import msgspec

from supernode import core
from supernode.library.collectives import Collective
from supernode.result.uncertainty import spread_of_candidates
from supernode.run.expected import ExpectedError
from supernode.run.options import RunOptions, refuse_idle
from supernode.run.plan import Plan, expected_of, make_plan
from supernode.spec import encode
from supernode.system import SystemLike
from supernode.units import Quantity

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Explanation", "explain", "explain_plan"]


#: Keywords of ``simulate`` that mean nothing to a comparison: nothing is recorded, shown or compared.
IDLE = ("record", "time_limit", "self_check", "progress")


def _ns(femtoseconds: int | None) -> float | None:
    return None if femtoseconds is None else femtoseconds / 1e6


def _library_ns(row: dict[str, Any]) -> float | None:
    return None if row["estimate_us"] is None else float(row["estimate_us"]) * 1e3


class Explanation:
    """Every algorithm with every protocol: whether it can run, what it costs, and why; and which one the library takes.

    ``rows`` are the core's own records, cheapest first, those that cannot run last. ``missing`` lists what the library
    looks at and the simulator has not got, with the library's estimate in microseconds; ``instead_of`` names one of
    these if the library would take it.
    """

    def __init__(
        self,
        plan: Plan,
        rows: list[dict[str, Any]],
        missing: Sequence[tuple[str, float]] = (),
        instead_of: str | None = None,
    ) -> None:
        self.plan = plan
        self.missing = tuple(missing)
        self.instead_of = instead_of
        self.rows = sorted(rows, key=lambda r: (not r["valid"], r["time_fs"] if r["time_fs"] is not None else 0))

    @property
    def table(self) -> pa.Table:
        """One row per algorithm and protocol.

        Columns algorithm, protocol, lanes (null: the usual number), valid, time_ns (the price: simulated where
        ``priced_by`` says so, otherwise predicted), priced_by, predicted_ns (by the analytic model), reason
        (the bottleneck by the analytic model, which need not be that of a run, or why a candidate cannot run),
        library_ns (what the library's own cost model estimates, null where it has none) and taken (the library takes
        it). With ``uncertainty=True`` also time_low_ns and time_high_ns: shortest and longest time over the ranges of
        parameters.
        """
        import pyarrow as pa

        return pa.table(
            {
                "algorithm": pa.array([r["algorithm"] for r in self.rows], pa.string()),
                "protocol": pa.array([r["protocol"] for r in self.rows], pa.string()),
                "lanes": pa.array([r["lanes"] for r in self.rows], pa.uint32()),
                "valid": pa.array([r["valid"] for r in self.rows], pa.bool_()),
                "time_ns": pa.array([_ns(r["time_fs"]) for r in self.rows], pa.float64()),
                "priced_by": pa.array([r["priced_by"] or None for r in self.rows], pa.string()),
                "predicted_ns": pa.array([_ns(r["predicted_fs"]) for r in self.rows], pa.float64()),
                "reason": pa.array([r["reason"] for r in self.rows], pa.string()),
                "library_ns": pa.array([_library_ns(r) for r in self.rows], pa.float64()),
                "taken": pa.array([r["taken"] for r in self.rows], pa.bool_()),
                "time_low_ns": pa.array([_ns(r.get("time_low_fs")) for r in self.rows], pa.float64()),
                "time_high_ns": pa.array([_ns(r.get("time_high_fs")) for r in self.rows], pa.float64()),
            }
        )

    @property
    def expected_error(self) -> ExpectedError:
        """How far predictions of runs like this one have been from measurements."""
        return expected_of(self.plan)

    def __str__(self) -> str:
        spec = self.plan.spec
        lines = [f"{spec.collective} of {spec.bytes} B on {self.plan.system.label}, {self.plan.ranks} ranks"]
        known = any(row["estimate_us"] is not None for row in self.rows)
        estimate = f" {'library(us)':>12}" if known else ""
        lines.append(f"{'algorithm':<22} {'protocol':<10} {'time(us)':>14}{estimate}  {'priced by':<16}  reason")
        best = next((row for row in self.rows if row["valid"]), None)
        runs = {row["algorithm"] for row in self.rows if row["valid"]}
        shown: set[str] = set()
        for row in self.rows:
            if not row["valid"]:
                # Of an algorithm that runs, the protocols that do not suit it are no news; of one that does not run,
                # one reason is enough.
                if row["algorithm"] in runs | shown:
                    continue
                shown.add(row["algorithm"])
            time = "-" if not row["valid"] or row["time_fs"] is None else f"{row['time_fs'] / 1e9:.3f}"
            if row["priced_by"].endswith("stopped"):
                time = f"> {time}"
            name = row["algorithm"] + ("" if row["lanes"] is None else f" x{row['lanes']}")
            price = row["priced_by"] or "-"
            if known:
                library = "-" if row["estimate_us"] is None else f"{row['estimate_us']:.3f}"
                estimate = f" {library:>12}"
            marks = ["best"] * (row is best) + ["the library's choice"] * row["taken"]
            reason = "; ".join([*marks, row["reason"]])
            if row.get("time_low_fs") is not None:
                reason += f"  ({row['time_low_fs'] / 1e9:.3f} to {row['time_high_fs'] / 1e9:.3f} us)"
            lines.append(
                f"{name:<22} {row['protocol'] or '-':<10} {time:>14}{estimate}  {price:<16}  {reason}".rstrip()
            )
        for name, own in self.missing:
            taken = "the library would take it; " if name == self.instead_of else ""
            lines.append(f"{name:<22} {'-':<10} {'-':>14} {own:>12.3f}  {'-':<16}  {taken}not modelled")
        lines.append(f"expected error: {self.expected_error}")
        return "\n".join(lines)

    __repr__ = __str__


def explain(
    system: SystemLike, collective: Collective | str, *, size: Quantity | None = None, **options: Unpack[RunOptions]
) -> Explanation:
    """Compare every algorithm and protocol for a collective.

    The one that the library takes, and those that may be the fastest, are simulated; with ``algorithm="best"`` they are
    tried with several numbers of lanes, too.

    Parameters
    ----------
    system, collective, size, **options
        As for :func:`supernode.simulate`.
    """
    refuse_idle(options, IDLE, "explain")
    return explain_plan(make_plan(system, collective, size, options))


def explain_plan(plan: Plan) -> Explanation:
    """Compare every algorithm and protocol for a plan."""
    raw = _explained(plan)
    rows = _candidates(raw)
    if plan.uncertainty:
        by_name = {(r["algorithm"], r["protocol"], r["lanes"]): r for r in rows}
        for key, (low, high) in spread_of_candidates(plan, _predicted).items():
            row = by_name.get(key)
            if row is not None and row["time_fs"] is not None:
                row["time_low_fs"], row["time_high_fs"] = (round(row["time_fs"] * factor) for factor in (low, high))
    missing = [(str(name), float(time_us)) for name, time_us in raw["missing"]]
    return Explanation(plan, rows, missing, raw["instead_of"])


def _predicted(plan: Plan) -> dict[tuple[str, str, int | None], int]:
    """Return what the analytic model says of every candidate."""
    return {
        (r["algorithm"], r["protocol"], r["lanes"]): r["predicted_fs"]
        for r in _candidates(_explained(plan))
        if r["predicted_fs"]
    }


def _explained(plan: Plan) -> dict[str, Any]:
    found = core.explain_json(encode(plan.spec), placement=plan.placement, timeout_s=plan.timeout)
    return dict(msgspec.json.decode(found))


def _candidates(raw: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "algorithm": str(r["algorithm"]),
            "protocol": r.get("protocol") or "",
            "valid": bool(r["valid"]),
            "lanes": r.get("lanes"),
            "time_fs": r.get("time_fs"),
            "priced_by": r.get("priced_by") or "",
            "predicted_fs": r.get("predicted_fs"),
            "reason": r.get("reason") or "",
            "estimate_us": r.get("estimate_us"),
            "taken": bool(r["taken"]),
        }
        for r in raw["candidates"]
    ]
