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

#: Arrow streams of what ran and of what did not, empty where nothing did, and seconds of each job.
Answer = tuple[bytes, bytes, list[float]]


def run_batch(
    jobs: Sequence[Job], cancel: core.CancelToken | None = None, fabrics: core.Fabrics | None = None
) -> Answer:
    """Run points one after the other.

    Parameters
    ----------
    jobs
        The points; those of one machine share a fabric.
    cancel
        Stops them from another thread of this process.
    fabrics
        Fabrics to share with other batches of this process.

    Returns
    -------
    done
        A row per point that ran: ``id``, the columns of the table ``summary``, ``chosen_by``, ``folding_order``.
    failed
        A row per point that did not: ``id``, ``error``, ``message``.
    seconds
        What each job took, in their order.
    """
    import pyarrow as pa

    fabrics = core.Fabrics(1) if fabrics is None else fabrics
    seconds: list[float] = []
    done: list[pa.Table] = []
    failed: list[dict[str, str]] = []
    for job in jobs:
        start = time.monotonic()
        try:
            done.append(_row(job, cancel, fabrics))
        except SupernodeError as error:
            name, message = reason(error)
            failed.append({"id": job.id, "error": name, "message": message})
        seconds.append(time.monotonic() - start)
    return (
        _as_bytes(pa.concat_tables(done)) if done else b"",
        _as_bytes(pa.Table.from_pylist(failed)) if failed else b"",
        seconds,
    )


def _row(job: Job, cancel: core.CancelToken | None, fabrics: core.Fabrics) -> pa.Table:
    import pyarrow as pa

    run = core.simulate(job.spec, placement=job.placement, cancel=cancel, timeout_s=job.timeout, fabrics=fabrics)
    meta = json.loads(run.meta_json)
    row = run.table("summary").drop_columns(["system"])
    for column, text in (("chosen_by", meta["chosen_by"]), ("folding_order", meta["folding"]["order"])):
        row = row.append_column(column, pa.array([text]))
    return row.add_column(0, "id", pa.array([job.id]))


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
