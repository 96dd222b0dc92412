"""Who runs the batches, and how what they give becomes parts.

The client makes the points, skips those that are done, hands batches of about a second to an executor and writes what
comes back every ten seconds. Any :class:`concurrent.futures.Executor` will do: threads (the default; the core releases
the interpreter lock), processes, ``distributed.Client(...).get_executor()``, ``mpi4py.futures.MPIPoolExecutor()``.

**Invariant.** What is in the folder is the same for every engine, number of workers and order of batches, but for how
rows are spread over parts. **Cost.** Some 2 ms per point on the client. **Limits.** At most two batches per worker are
under way, so a sweep of any length needs the same memory.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supernode import core
from supernode.errors import SupernodeError, WorkerError
from supernode.marks import AssumedValueWarning
from supernode.sweep.point import Job, Machines, failed_id, make_job, parameters_columns, reason
from supernode.sweep.store import Store
from supernode.sweep.task import FAILURE, as_bytes, as_table, named, run_batch

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Progress", "Runner", "workers_of"]

#: Seconds between two parts, and rows after which one is written before.
FLUSH_S, FLUSH_ROWS = 10.0, 20_000
#: Seconds of work that a batch should have, and points that it has at most.
BATCH_S, BATCH_POINTS = 1.0, 512

#: A function of points done, failed, and in all.
Progress = Callable[[int, int, int], None]


def workers_of(executor: Executor | None, workers: int | None) -> int:
    """Return how many batches run at once."""
    if workers is not None:
        return workers
    own = getattr(executor, "_max_workers", None)
    return own if isinstance(own, int) and own > 0 else len(os.sched_getaffinity(0))


@contextmanager
def pool(executor: Executor | None, workers: int) -> Iterator[tuple[Executor, core.CancelToken | None]]:
    """Give the executor, and what stops its runs where they are threads of this process."""
    if executor is not None:
        yield executor, None
        return
    threads, token = ThreadPoolExecutor(workers, thread_name_prefix="sweep"), core.CancelToken()
    try:
        yield threads, token
    except BaseException:
        token.cancel()
        raise
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


@dataclass
class Runner:
    """One process's part of a sweep.

    Parameters
    ----------
    store
        The folder.
    shard
        Number of this part.
    keys
        Columns that parts are split by.
    facts
        What each part says of its origin.
    known
        Ids that are done.
    lost
        Ids that failed and are not tried again.
    show
        Called after each batch.
    total
        Points that this process has to look at.
    text
        Parameters whose columns are text.
    """

    store: Store
    shard: int
    keys: list[str]
    facts: Mapping[str, str]
    known: set[str]
    lost: set[str]
    show: Progress
    total: int
    text: frozenset[str] = frozenset()
    done: int = 0
    errors: int = 0
    #: Seconds of a point, as found so far.
    _pace: float = BATCH_S
    _tables: list[pa.Table] = field(default_factory=list)
    _failed: list[pa.Table] = field(default_factory=list)
    _written: float = field(default_factory=time.monotonic)
    _part: int = 0

    def run(self, points: Iterator[dict[str, Any]], executor: Executor | None, workers: int) -> None:
        """Run all points.

        Raises
        ------
        WorkerError
            If the executor breaks; what came before is written.
        """
        self._part = self.store.next_part(self.shard)
        under_way: dict[Future[tuple[bytes, bytes, float]], int] = {}
        try:
            with pool(executor, workers) as (engine, token):
                more = {} if token is None else {"cancel": token}
                batches = self._batches(points)
                for batch in batches:
                    under_way[engine.submit(run_batch, batch, **more)] = len(batch)
                    if len(under_way) >= 2 * workers:
                        self._collect(under_way)
                while under_way:
                    self._collect(under_way)
        except BrokenExecutor as error:
            self._flush()
            raise WorkerError(
                f"the workers ended before their work did ({error}); {self.done} points of this run are kept: "
                "run the sweep again to go on"
            ) from None
        finally:
            self._flush()

    def _batches(self, points: Iterator[dict[str, Any]]) -> Iterator[list[Job]]:
        """Put points together that are about a second of work."""
        machines, batch = Machines(self.text), []
        told: set[str] = set()
        for parameters in points:
            try:
                with warnings.catch_warnings():
                    # what is assumed of a preset is said once, not for each of its variants
                    if (name := str(parameters["system"])) in told:
                        warnings.simplefilter("ignore", AssumedValueWarning)
                    told.add(name)
                    job = make_job(parameters, machines)
            except SupernodeError as error:
                self._refused(parameters, error)
                continue
            if self._seen(job.id):
                continue
            batch.append(job)
            if len(batch) >= min(BATCH_POINTS, max(1, int(BATCH_S / self._pace))):
                yield batch
                batch = []
        if batch:
            yield batch

    def _seen(self, id: str) -> bool:
        """Count a point that was tried before; note one that was not."""
        if id in self.known:
            self.done += 1
        elif id in self.lost:
            self.errors += 1
        else:
            self.known.add(id)
            return False
        return True

    def _refused(self, parameters: Mapping[str, Any], error: SupernodeError) -> None:
        """Note a point whose parameters do not go together."""
        id = failed_id(parameters)
        if not self._seen(id):
            self.errors += 1
            row = named(id, parameters_columns(parameters, self.text)) | dict(zip(FAILURE, reason(error), strict=True))
            self._failed.append(as_table(as_bytes([row])))

    def _collect(self, under_way: dict[Future[tuple[bytes, bytes, float]], int]) -> None:
        """Wait for a batch, and write a part if it is time."""
        finished, _ = wait(under_way, timeout=FLUSH_S, return_when=FIRST_COMPLETED)
        for future in finished:
            count = under_way.pop(future)
            done, failed, seconds = future.result()
            for data, tables in ((done, self._tables), (failed, self._failed)):
                if data:
                    tables.append(as_table(data))
            lost = self._failed[-1].num_rows if failed else 0
            self.done, self.errors = self.done + count - lost, self.errors + lost
            self._pace += 0.3 * (max(seconds / count, 1e-4) - self._pace)
        self.show(self.done, self.errors, self.total)
        rows = sum(table.num_rows for table in self._tables)
        if time.monotonic() - self._written >= FLUSH_S or rows >= FLUSH_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Write what came since the last part."""
        import pyarrow as pa

        self._written = time.monotonic()
        if not self._tables and not self._failed:
            return
        name = f"part-{self.shard}-{self._part}.parquet"
        self._part += 1
        for tables, where, keys in (
            (self._tables, self.store.points, self.keys),
            (self._failed, self.store.failed, []),
        ):
            if tables:
                table = pa.concat_tables(tables, promote_options="permissive")
                self.store.write(where, table, keys, name, self.facts)
                tables.clear()
