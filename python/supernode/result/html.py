"""What notebooks show of results and benches: a small table, with the warnings behind a fold."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supernode.result.benchmark import Bench
    from supernode.result.result import Result

__all__ = ["bench_html", "result_html"]


def result_html(result: Result) -> str:
    """Show what matters of a result, with its warnings behind a fold."""
    rows = [
        ("system", f"{result.system}, {result.n_ranks:,} ranks"),
        ("collective", f"{result.collective} of {result.size_bytes:,} B"),
        ("time", f"{result.time_ns / 1000:,.3f} us"),
        ("algbw, busbw", f"{result.algbw_gbytes_s:,.3f} GB/s, {result.busbw_gbytes_s:,.3f} GB/s"),
        ("algorithm", f"{result.algorithm}, protocol {result.protocol}, fidelity {result.fidelity}"),
        ("bound", f"{result.bound / 1000:,.3f} us ({result.bound_kind}), efficiency {result.efficiency:.1%}"),
        ("bottleneck", result.bottleneck),
    ]
    if "uncertainty" in result.meta:
        low, high = result.time_low_ns / 1000, result.time_high_ns / 1000
        rows.insert(3, ("over the ranges of parameters", f"{low:,.3f} to {high:,.3f} us"))
    if result.expected_error is not None:
        rows.append(("expected error", str(result.expected_error)))
    cell = 'style="text-align:left"'
    body = "".join(f"<tr><th {cell}>{name}</th><td {cell}>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{body}</table>{_folded(result.warnings)}"


def bench_html(bench: Bench) -> str:
    """Show the rows of a bench as a table, with its warnings behind a fold."""
    heads = (
        "size (B)",
        "algorithm",
        "fidelity",
        "time (us)",
        "algbw (GB/s)",
        "busbw (GB/s)",
        "efficiency",
        "bottleneck",
    )
    body = "".join(
        "<tr>"
        f"<td>{row['size_bytes']:,}</td><td>{escape(row['algorithm'])}</td><td>{escape(row['fidelity'])}</td>"
        f"<td>{row['time_ns'] / 1e3:,.3f}</td><td>{row['algbw_gbytes_s']:,.3f}</td>"
        f"<td>{row['busbw_gbytes_s']:,.3f}</td><td>{row['efficiency']:.1%}</td><td>{escape(row['bottleneck'])}</td>"
        "</tr>"
        for row in bench.rows
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    title = ""
    if bench.rows:
        row = bench.rows[0]
        title = f"<caption>{escape(row['collective'])} on {escape(row['system'])}, {row['ranks']:,} ranks</caption>"
    return f"<table>{title}<tr>{head}</tr>{body}</table>{_folded(bench.warnings)}"


def _folded(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    notes = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    count = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    return f"<details><summary>{count}</summary><ul>{notes}</ul></details>"
