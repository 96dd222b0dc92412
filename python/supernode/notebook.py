"""What notebooks show: a picture of a preset above its text, a small table of a result."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supernode.catalogue import PresetInfo
    from supernode.result import Result

__all__ = ["preset_html", "result_html"]


def preset_html(info: PresetInfo) -> str:
    """Show the picture of a preset, and behind a fold every number with its source."""
    text = f"<details><summary>every number and its source</summary><pre>{escape(str(info))}</pre></details>"
    return f"{info.system.plot()._repr_html_()}{text}"


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
    cell = 'style="text-align:left"'
    body = "".join(f"<tr><th {cell}>{name}</th><td {cell}>{escape(value)}</td></tr>" for name, value in rows)
    notes = "".join(f"<li>{escape(text)}</li>" for text in result.warnings)
    count = len(result.warnings)
    fold = f"<details><summary>{count} warnings</summary><ul>{notes}</ul></details>" if count else ""
    return f"<table>{body}</table>{fold}"
