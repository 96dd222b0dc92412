"""What a run of workloads found, as text: key figures, and a line per operation.

Columns are as wide as what they hold. A name of more than 24 characters is shortened, that of a stream or job after 12.
So a line of one job fits into 100 columns while times stay below 100 ms; several jobs with the longest names take 114.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from supernode.quoting import shortened

if TYPE_CHECKING:
    from supernode.result.workload import WorkloadResult

__all__ = ["workload_text"]

#: Columns by heading; those of text come first and begin at the left.
_TEXTS = {"job": "job", "operation": "operation", "stream": "stream"}
_COUNTS = {"ranks": "ranks", "instances": "instances"}
_TIMES = {"start": "start_ns", "end": "end_ns", "time": "time_ns", "exposed": "exposed_ns"}
_LONGEST = {"job": 12, "operation": 24, "stream": 12}


def workload_text(result: WorkloadResult) -> str:
    """Word a result: times in microseconds, one line per operation and role of ranks."""
    rows = result.operations.to_pylist()
    jobs = len(result.meta["jobs"])
    of_jobs = f"{jobs} jobs, " if jobs > 1 else ""
    lines = [
        f"{of_jobs}{_counted(len(result.choices), 'operation')} on {result.system}, {_counted(result.n_ranks, 'rank')}",
        f"time       {_us(result.time_ns)} us (bound {_us(result.bound)} us, {result.bound_kind})",
        f"fidelity   {result.fidelity}",
        f"bottleneck {result.bottleneck}",
    ]
    texts = {title: name for title, name in _TEXTS.items() if title != "job" or jobs > 1}
    table = [[*texts, *_COUNTS, *_TIMES], [*("" for _ in (*texts, *_COUNTS)), *("(us)" for _ in _TIMES)]]
    for row in rows:
        names = [_short(row[name], _LONGEST[title]) for title, name in texts.items()]
        counts = [str(row[name]) for name in _COUNTS.values()]
        table.append([*names, *counts, *(_us(row[name]) for name in _TIMES.values())])
    wide = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    if rows:
        lines.append("")
    for line in table if rows else ():
        cells = [
            cell.ljust(width) if i < len(texts) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, wide, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _us(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e3:.3f}"


def _short(name: str, most: int) -> str:
    """Return a name on one line, without its middle where it is long."""
    plain = name if name.isprintable() else shortened(repr(name), 10 * most)
    half = (most - 2) // 2
    return plain if len(plain) <= most else f"{plain[:half]}..{plain[-half:]}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
