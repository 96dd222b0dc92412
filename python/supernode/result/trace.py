"""Instances of operations as a trace that Perfetto and ``chrome://tracing`` show.

A role is a process, a stream a thread, an instance an event. **Invariant.** The same table gives the same bytes.
**Cost.** One pass over the table. **Limits.** Times are microseconds in floating point, as the format has them; a
picosecond is seen in runs of up to about an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.errors import SpecError
from supernode.files.text import as_path
from supernode.files.write import check_file, write_bytes
from supernode.quoting import quote

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["INSTANCE_COLUMNS", "trace_target", "write_trace"]

#: Columns of the table ``iterations`` that a timeline needs.
INSTANCE_COLUMNS = (
    "job", "operation", "kind", "stream", "role", "rank", "iteration", "start_ns", "end_ns", "exposed_ns",
)  # fmt: skip


def trace_target(path: str | Path) -> Path:
    """Return the path of a trace that can be written there.

    Raises
    ------
    SpecError
        If it does not end in ``.json``, or cannot be written.
    """
    target = as_path(path, "output")
    if target.suffix.lower() != ".json":
        raise SpecError(f"output {quote(str(target))} must end in .json")
    check_file(target)
    return target


def write_trace(table: pa.Table, path: Path, about: Mapping[str, str]) -> None:
    """Write the table ``iterations`` as a trace.

    Parameters
    ----------
    table
        The table.
    path
        The file.
    about
        What is said of the run, for the metadata of the trace.

    Raises
    ------
    SpecError
        If a column is missing.
    """
    for name in INSTANCE_COLUMNS:
        if name not in table.column_names:
            raise SpecError(f"trace: column {name!r} is missing; the table of a run with record=['iterations'] has it")
    rows = table.select(INSTANCE_COLUMNS).to_pylist()
    whole = {"traceEvents": list(_events(rows)), "displayTimeUnit": "ns", "otherData": dict(about)}
    write_bytes(path, msgspec.json.encode(whole) + b"\n")


def _events(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Name the processes and threads, and go through the instances in the order of time."""
    roles = sorted({(row["role"], row["job"], row["rank"]) for row in rows})
    streams = list(dict.fromkeys(row["stream"] for row in rows))
    # numbers from 1: Perfetto takes process 0 for the kernel; those of threads are unique in the whole trace
    process = {role: number for number, (role, _, _) in enumerate(roles, 1)}
    used = {(row["role"], row["stream"]) for row in rows}
    lanes = [(role, stream) for role, _, _ in roles for stream in streams if (role, stream) in used]
    thread = {lane: number for number, lane in enumerate(lanes, 1)}
    several = len({job for _, job, _ in roles}) > 1
    for role, job, rank in roles:
        named = f"{job}, role {role} (rank {rank})" if several else f"role {role} (rank {rank})"
        yield _said("process_name", process[role], 0, name=named)
        yield _said("process_sort_index", process[role], 0, sort_index=process[role])
    for role, stream in lanes:
        yield _said("thread_name", process[role], thread[role, stream], name=stream or "stream")
        yield _said("thread_sort_index", process[role], thread[role, stream], sort_index=thread[role, stream])
    for row in sorted(rows, key=lambda row: (row["start_ns"], thread[row["role"], row["stream"]], row["end_ns"])):
        yield {
            "name": row["operation"],
            "cat": row["kind"],
            "ph": "X",
            "ts": row["start_ns"] / 1e3,
            "dur": (row["end_ns"] - row["start_ns"]) / 1e3,
            "pid": process[row["role"]],
            "tid": thread[row["role"], row["stream"]],
            "args": {key: row[key] for key in ("job", "rank", "iteration", "exposed_ns")},
        }


def _said(what: str, process: int, thread: int, **arguments: object) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": arguments}
