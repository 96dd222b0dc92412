"""Who runs the batches, and how what they give becomes parts.

The client makes the points, skips those that are done, hands batches of about a second to an executor and writes what
comes back every ten seconds. Any :class:`concurrent.futures.Executor` will do: threads (the default; the core releases
the interpreter lock), processes, ``distributed.Client(...).get_executor()``, ``mpi4py.futures.MPIPoolExecutor()``.

**Invariant.** What is in the folder is the same for every engine, number of workers and order of batches, but for how
rows are spread over parts. **Cost.** About 1 ms per point on the client. **Limits.** At most two batches per worker are
under way, so a sweep of any length needs the same memory, but for the ids of its points.
"""

from __future__ import annotations

import os
import resource
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supernode import core
from supernode.errors import SpecError, SupernodeError, WorkerError
from supernode.marks import AssumedValueWarning
from supernode.quoting import quote
from supernode.sweep.batches import Batches, Pace, Point
from supernode.sweep.columns import as_array, base_units, column
from supernode.sweep.point import Machines, failed_id, make_job, reason
from supernode.sweep.store import Store
from supernode.sweep.task import Answer, as_table, run_batch

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    import pyarrow as pa

__all__ = ["Progress", "Runner", "as_executor", "workers_of"]

#: Seconds between two parts, and rows after which one is written before.
FLUSH_S, FLUSH_ROWS = 10.0, 20_000

#: A function of points done, failed, and in all.
Progress = Callable[[int, int, int], None]


def as_executor(given: object) -> Executor | None:
    """Return an executor: itself, or that of a ``distributed.Client``.

    Raises
    ------
    SpecError
        If it is neither.
    """
    if given is None:
        return None
    own = getattr(given, "get_executor", None)
    found = own() if callable(own) else given
    if not callable(getattr(found, "submit", None)):
        raise SpecError(
            f"executor: {quote(given)} is not valid; it must be a concurrent.futures.Executor or a distributed.Client"
        )
    return found  # type: ignore[return-value]


def workers_of(executor: Executor | None, workers: int | None) -> int:
    """Return how many batches run at once: so many, or as the executor says, or one per core."""
    if workers is not None:
        return workers
    for name in ("_max_workers", "num_workers"):  # of Python's own, and of MPI's
        own = getattr(executor, name, None)
        if isinstance(own, int) and own > 0:
            return own
    client = getattr(executor, "_client", None)  # of Dask's
    if client is not None:
        with suppress(Exception):  # what it raises, submit will raise, too
            return max(1, sum(map(int, client.nthreads().values())))
    return len(os.sched_getaffinity(0))


@contextmanager
def pool(executor: Executor | None, workers: int) -> Iterator[tuple[Executor, core.CancelToken | None]]:
    """Give the executor, and what stops its runs where they are threads of this process."""
    if executor is not None:
        yield executor, None
        return
    from concurrent.futures import ThreadPoolExecutor  # slow to import, and needed here only

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
    types
        Arrow type of each parameter.
    before
        Ids that were done before.
    lost
        Ids that failed before, with the number of attempts.
    again
        Whether those are tried again.
    show
        Called after each batch.
    total
        Points that this process has to look at; those that come down to the same run are counted once when found.
    """

    store: Store
    shard: int
    keys: list[str]
    facts: Mapping[str, str]
    types: Mapping[str, str]
    before: set[str]
    lost: Mapping[str, int]
    again: bool
    show: Progress
    total: int
    done: int = 0
    errors: int = 0
    _mine: set[str] = field(default_factory=set)
    _pace: Pace = field(default_factory=Pace)
    _done: list[pa.Table] = field(default_factory=list)
    _failed: list[pa.Table] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)
    _written: float = field(default_factory=time.monotonic)
    _part: int = 0
    #: That wait to be written.
    _rows: int = 0

    def run(self, points: Iterator[tuple[int, dict[str, Any]]], executor: Executor | None, workers: int) -> None:
        """Run all points.

        Raises
        ------
        WorkerError
            If the executor or a worker breaks; what came before is written.
        """
        from concurrent.futures import Future

        self._part = self.store.next_part(self.shard)
        under_way: dict[Future[Answer], list[Point]] = {}
        try:
            with pool(executor, workers) as (engine, token):
                # threads share fabrics, too: each works on one machine, or goes over to the next
                more: dict[str, Any] = {} if token is None else {"cancel": token, "fabrics": core.Fabrics(2 * workers)}
                for batch in self._batches(points):
                    with self._working():
                        future = engine.submit(run_batch, [p.job for p in batch], **more)
                        if not isinstance(future, Future):
                            raise TypeError(f"submit returned {quote(future)}, which is no concurrent.futures.Future")
                    under_way[future] = batch
                    if len(under_way) >= 2 * workers:
                        self._collect(under_way)
                while under_way:
                    self._collect(under_way)
        finally:
            for future in under_way:
                future.cancel()
            self._flush()

    def _batches(self, points: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[list[Point]]:
        """Make the points that have to be run, in batches."""
        machines, batches = Machines(), Batches(self._pace)
        told: set[str] = set()
        for number, parameters in points:
            try:
                with warnings.catch_warnings():
                    # what is assumed of a preset is said once, not for each of its variants
                    if (name := str(parameters["system"])) in told:
                        warnings.simplefilter("ignore", AssumedValueWarning)
                    told.add(name)
                    machine = machines.get(parameters)
                    job = make_job(parameters, machine, machines)
            except SupernodeError as error:
                self._refused(number, parameters, error)
                self._tick()
                continue
            if self._seen(job.id):
                continue
            columns = {name: base_units(name, value) for name, value in parameters.items()}
            yield from batches.add(Point(job, {"point": number} | columns | machines.columns(machine)))
        yield from batches.rest()

    def _seen(self, id: str) -> bool:
        """Count a point that needs no run."""
        if id in self._mine:
            self.total -= 1
            return True
        self._mine.add(id)
        if id in self.before:
            self.done += 1
        elif id in self.lost and not self.again:
            self.errors += 1
        else:
            return False
        return True

    def _refused(self, number: int, parameters: Mapping[str, Any], error: SupernodeError) -> None:
        """Note a point whose parameters do not go together."""
        import pyarrow as pa

        id = failed_id(parameters)
        if not self._seen(id):
            name, message = reason(error)
            columns: dict[str, Any] = {"point": number}
            for parameter, value in parameters.items():
                try:
                    columns[parameter] = base_units(parameter, value)
                except SupernodeError:
                    columns[parameter] = None
            self._rows += 1
            row = pa.table({"id": [id], "error": [name], "message": [message]})
            self._note_failed(row, [columns | {"system": str(columns["system"]), "system_hash": None}])

    def _collect(self, under_way: dict[Future[Answer], list[Point]]) -> None:
        """Wait for a batch, and write a part if it is time."""
        from concurrent.futures import FIRST_COMPLETED, wait

        finished, _ = wait(under_way, timeout=FLUSH_S, return_when=FIRST_COMPLETED)
        for future in finished:
            points = under_way.pop(future)
            batch = {point.job.id: point.columns for point in points}
            with self._working():
                done, failed, seconds = future.result()
                ran, lost = (as_table(data) if data else None for data in (done, failed))
                found = [id for table in (ran, lost) if table is not None for id in table.column("id").to_pylist()]
                if set(found) != set(batch) or len(found) != len(batch):
                    raise ValueError("its answer is about other points")
                self._pace.learn(points, seconds)
            if ran is not None:
                self.done += ran.num_rows
                self._done.append(self._beside(ran, [batch[id] for id in ran.column("id").to_pylist()]))
            if lost is not None:
                self._note_failed(lost, [batch[id] for id in lost.column("id").to_pylist()])
            self._rows += len(batch)
        self.show(self.done, self.errors, self.total)
        self._tick()

    def _tick(self) -> None:
        """Write a part if it is time, or if many rows wait."""
        if time.monotonic() - self._written >= FLUSH_S or self._rows >= FLUSH_ROWS:
            self._flush()
            self.show(self.done, self.errors, self.total)

    def _note_failed(self, table: pa.Table, columns: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa

        self.errors += table.num_rows
        attempts = [self.lost.get(id, 0) + 1 for id in table.column("id").to_pylist()]
        table = table.append_column("attempt", pa.array(attempts, pa.int32()))
        self._failed.append(self._beside(table, columns))

    def _beside(self, table: pa.Table, columns: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Put the parameters before the columns of a result; where both have a name, the result's says what ran."""
        types = {"point": "int64", **self.types, "system": "string", "system_hash": "string"}
        place = 1
        for name, kind in types.items():
            if column(name) not in table.column_names:
                table = table.add_column(place, column(name), as_array([row[name] for row in columns], kind))
                place += 1
        return table.replace_schema_metadata(None)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Tell what executors and workers raise from what is raised here."""
        try:
            yield
        except (SupernodeError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # a cancelled future is no Exception everywhere
            raise WorkerError(
                f"a worker or the executor failed ({type(error).__name__}: {quote(str(error))}); what is written is "
                "kept: run the sweep again to go on"
            ) from error

    def _flush(self) -> None:
        """Write what came since the last part.

        If that fails, or is interrupted between two folders, the next call writes the same part again.
        """
        import pyarrow as pa

        self._written = time.monotonic()
        if not self._done and not self._failed:
            return
        self.store.read()  # the folder is still that of the sweep
        name = f"part-{self.shard}-{self._part}.parquet"
        facts = {
            **self.facts,
            "wall_s": f"{self._written - self._start:.3f}",
            "peak_memory_bytes": str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
        }
        for tables, where, keys in (
            (self._done, self.store.points, self.keys),
            (self._failed, self.store.failed, []),
        ):
            if tables:
                self.store.write(where, pa.concat_tables(tables), keys, name, facts)
        self._done, self._failed, self._rows = [], [], 0
        self._part += 1
