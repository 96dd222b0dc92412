"""A batch of points, run by a worker.

A worker gets specifications and gives back Arrow bytes, so it needs neither a shared disk nor the objects of the
client. What a worker returns depends on its points only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from supernode import core
from supernode.errors import SupernodeError
from supernode.sweep.point import Job, reason

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FAILURE", "as_bytes", "as_table", "column", "named", "run_batch"]

#: Parameters whose column says what ran; what was asked for is in ``asked.NAME``.
ASKED = ("algorithm", "protocol", "fidelity")
#: Columns of a point that failed.
FAILURE = ("error", "message")


def run_batch(jobs: Sequence[Job], cancel: core.CancelToken | None = None) -> tuple[bytes, bytes, float]:
    """Run points one after the other.

    Returns
    -------
    done, failed
        Two Arrow streams: a row per point that ran, and one per point that did not; empty where there are none.
    seconds
        What it took, by the worker's clock.
    """
    start = time.monotonic()
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for job in jobs:
        columns = named(job.id, job.columns)
        try:
            run = core.simulate(job.spec, placement=job.placement, cancel=cancel, timeout_s=job.timeout)
        except SupernodeError as error:
            failed.append(columns | dict(zip(FAILURE, reason(error), strict=True)))
            continue
        meta = json.loads(run.meta_json)
        (row,) = run.table("summary").to_pylist()
        row |= {"chosen_by": meta["chosen_by"], "folding_order": meta["folding"]["order"]}
        # parameters first; where the summary has a column of that name, it says what ran
        done.append(columns | {name: value for name, value in row.items() if name != "system"})
    return as_bytes(done), as_bytes(failed), time.monotonic() - start


def named(id: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a point's parameters under the names that they have in the frame."""
    return {"id": id, **{column(name): value for name, value in columns.items()}}


def column(name: str) -> str:
    """Return the name of a parameter's column."""
    return f"asked.{name}" if name in ASKED else name


def as_bytes(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return rows as an Arrow stream."""
    import pyarrow as pa

    if not rows:
        return b""
    table = pa.Table.from_pylist(list(rows))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def as_table(data: bytes) -> pa.Table:
    """Return the table of an Arrow stream."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()
