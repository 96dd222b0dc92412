"""A batch of points, run by a worker.

A worker gets specifications and gives back Arrow bytes, so it needs neither a shared disk nor the objects of the
client. What a worker returns depends on its points only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from supernode import core
from supernode.errors import SupernodeError
from supernode.sweep.point import Job, reason

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Answer", "as_table", "run_batch"]

#: Arrow streams of what ran and of what did not, empty where nothing did, and seconds by the worker's clock.
Answer = tuple[bytes, bytes, float]


def run_batch(jobs: Sequence[Job], cancel: core.CancelToken | None = None) -> Answer:
    """Run points one after the other.

    Returns
    -------
    done
        A row per point that ran: ``id``, the columns of the table ``summary``, ``chosen_by``, ``folding_order``.
    failed
        A row per point that did not: ``id``, ``error``, ``message``.
    seconds
        What it took.
    """
    import pyarrow as pa

    start = time.monotonic()
    done: list[pa.Table] = []
    failed: list[dict[str, str]] = []
    for job in jobs:
        try:
            run = core.simulate(job.spec, placement=job.placement, cancel=cancel, timeout_s=job.timeout)
        except SupernodeError as error:
            name, message = reason(error)
            failed.append({"id": job.id, "error": name, "message": message})
            continue
        meta = json.loads(run.meta_json)
        row = run.table("summary").drop_columns(["system"])
        for column, text in (("chosen_by", meta["chosen_by"]), ("folding_order", meta["folding"]["order"])):
            row = row.append_column(column, pa.array([text]))
        done.append(row.add_column(0, "id", pa.array([job.id])))
    return (
        _as_bytes(pa.concat_tables(done)) if done else b"",
        _as_bytes(pa.Table.from_pylist(failed)) if failed else b"",
        time.monotonic() - start,
    )


def as_table(data: bytes) -> pa.Table:
    """Return the table of an Arrow stream."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()


def _as_bytes(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
