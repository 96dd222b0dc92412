"""Sweeps: many runs, one frame."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.data import load_raw
from supernode.errors import SpecError
from supernode.filetext import as_path
from supernode.names import unknown
from supernode.options import parse_whole
from supernode.quoting import quote
from supernode.sweep.axes import Axes, parse_sample
from supernode.sweep.engine import Progress, Runner, workers_of
from supernode.sweep.point import check_names, identified, mixed, parameters_columns
from supernode.sweep.store import Store, provenance
from supernode.sweep.task import column

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Sweep", "SweepStatus", "parse_shard"]

#: Points whose ``where`` is decided together.
_CHUNK = 4096
#: Values of a column that parts are split by, at most.
_MOST_PARTS = 64
_KEYS = ("base", "grid", "zip", "sample", "seed", "where", "partition")


@dataclass(frozen=True)
class SweepStatus:
    """How far a sweep is.

    Parameters
    ----------
    points
        Points that it has.
    done
        Points that ran.
    failed
        Points that did not, with an error in the folder.
    """

    points: int
    done: int
    failed: int

    @property
    def left(self) -> int:
        """Points that were not tried."""
        return max(0, self.points - self.done - self.failed)


class Sweep:
    """Runs over combinations of parameters.

    A parameter is a keyword of :func:`supernode.simulate` (``system``, ``collective``, ``size``, ``algorithm``, ...) or
    a parameter of the preset, as ``"system.NAME"``.

    Parameters
    ----------
    base
        Parameters of every point.
    grid
        Lists of values that are crossed.
    zip
        Lists of values, equally long, that go side by side.
    sample
        Take so many of the points, by ``seed``; by default all.
    where
        Keep the points for which this SQL expression over their parameters is true; quantities are in base units
        (bytes, bit/s, ns): ``"size >= 1048576 AND algorithm <> 'ring'"``.
    seed
        Seed of the sample.
    partition
        Parameters by whose values the parts of the frame are split into folders; by default the system, where there are
        several.

    Examples
    --------
    >>> import supernode as sn
    >>> sweep = sn.Sweep(
    ...     base={"collective": "all_reduce", "algorithm": "ring"},
    ...     grid={"system": ["hgx-h100", "nvl72"], "size": sn.sizes("1 MiB", "16 MiB", x=4)},
    ... )
    >>> len(sweep)
    6
    """

    def __init__(
        self,
        base: Mapping[str, Any] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        zip: Mapping[str, Sequence[Any]] | None = None,
        *,
        sample: int | None = None,
        where: str | None = None,
        seed: int = 0,
        partition: Sequence[str] | None = None,
    ) -> None:
        for name, given in (("base", base), ("grid", grid), ("zip", zip)):
            if given is not None and not isinstance(given, Mapping):
                raise SpecError(f"{name}: {quote(given)} is not valid; it must be a table of parameters")
        self._seed = parse_whole(seed, "seed")
        self._axes = Axes(base or {}, grid or {}, zip or {}, parse_sample(sample), self._seed)
        check_names(self._axes.names)
        self._where = _parse_where(where, self._axes.names)
        varied = self._axes.varied
        if isinstance(partition, str):
            partition = [partition]
        if partition is None:
            few = "system" in varied and 1 < len(varied["system"]) <= _MOST_PARTS
            partition = ["system"] if few else []
        for name in partition:
            if name not in self._axes.names:
                raise unknown("parameter of partition", name, self._axes.names)
        self._partition = list(partition)
        self._written: dict[str, Any] = {
            "base": {k: identified(k, v) for k, v in self._axes.base.items()},
            "grid": {k: [identified(k, v) for v in vs] for k, vs in self._axes.grid.items()},
            "zip": {k: [identified(k, v) for v in vs] for k, vs in self._axes.zipped.items()},
            "sample": sample, "seed": self._seed, "where": where, "partition": self._partition,
        }  # fmt: skip
        for name, values in self._written["grid"].items():
            texts = [repr(value) for value in values]
            if len(set(texts)) < len(texts):
                twice = next(v for i, v in enumerate(values) if texts[i] in texts[:i])
                raise SpecError(f"grid: {name} has the value {quote(twice)} twice")
        self._text = mixed({**self._written["grid"], **self._written["zip"]})

    @classmethod
    def load(cls, path: str | Path) -> Sweep:
        """Read a sweep file (TOML): the keywords of :class:`Sweep`, with tables ``base``, ``grid`` and ``zip``.

        Raises
        ------
        SpecError
            If the file does not exist or is not valid, naming the key.
        """
        place = as_path(path, "sweep file")
        raw = load_raw(place, "sweep file")
        for key in raw:
            if key not in _KEYS:
                raise unknown(f"key of sweep {place.name}", key, _KEYS)
        return cls(**raw)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self._axes) if self._where is None else sum(1 for _ in self.points())

    def points(self) -> Iterator[dict[str, Any]]:
        """Go through the parameters of all points."""
        return (point for _, point in self._numbered())

    def _numbered(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Go through the points that ``where`` keeps, with their numbers among all."""
        chunk: list[tuple[int, dict[str, Any]]] = []
        for item in enumerate(self._axes):
            chunk.append(item)
            if len(chunk) == _CHUNK:
                yield from self._kept(chunk)
                chunk = []
        yield from self._kept(chunk)

    def _kept(self, chunk: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
        if self._where is None or not chunk:
            yield from chunk
            return
        import polars as pl

        rows = [parameters_columns(point) for _, point in chunk]
        try:
            frame = pl.DataFrame(rows, infer_schema_length=None, strict=False)
            kept = frame.select(pl.sql_expr(self._where).cast(pl.Boolean)).to_series().to_list()
        except pl.exceptions.PolarsError as error:
            raise SpecError(f"where: {quote(self._where)} is not valid: {error}") from None
        if len(kept) != len(chunk):
            raise SpecError(f"where: {quote(self._where)} is not valid; it must be true or false for each point")
        yield from (item for item, keep in zip(chunk, kept, strict=True) if keep)

    @property
    def digest(self) -> str:
        """SHA-256 of the sweep, as hexadecimal text."""
        return hashlib.sha256(msgspec.json.encode(self._written, order="deterministic")).hexdigest()

    def run(
        self,
        out: str | Path,
        *,
        executor: Executor | None = None,
        workers: int | None = None,
        shard: str | tuple[int, int] | None = None,
        retry: bool = False,
        progress: Progress | None = None,
    ) -> SweepStatus:
        """Run the points that are not in a folder yet.

        Parameters
        ----------
        out
            The folder: new, empty, or one of this sweep.
        executor
            Who runs them; by default threads of this process.
        workers
            How many at once; by default those of the executor, or one per core. Each run is one thread, unless the
            sweep says otherwise.
        shard
            ``"i/n"`` or ``(i, n)``: only every n-th point, from i (0 to n - 1). By default that of the Slurm array that
            the process belongs to, if any. Shards of one sweep may run at once, on several machines, into one folder.
        retry
            Try the points again that failed.
        progress
            Called after each batch with the points done, failed, and in all.

        Returns
        -------
        SweepStatus
            Of this shard.

        Raises
        ------
        SpecError
            If the folder is not one of this sweep, or another process writes the same shard.
        WorkerError
            If the workers are lost. What was done is kept; the next call goes on.
        """
        part, of = parse_shard(shard)
        if executor is not None and not callable(getattr(executor, "submit", None)):
            raise SpecError(f"executor: {quote(executor)} is not valid; it must be a concurrent.futures.Executor")
        at_once = workers_of(executor, None if workers is None else parse_whole(workers, "workers", low=1, high=4096))
        store = Store(as_path(out, "folder"))
        total = len(self)
        store.begin(self._written | {"points": total}, self.digest)
        with store.lock(part):
            done = store.ids(store.points)
            store.drop_failed(done | store.ids(store.failed) if retry else done, part)
            lost = store.ids(store.failed)
            mine = (point for i, (_, point) in enumerate(self._numbered()) if i % of == part)
            keys = [column(name) for name in self._partition]
            facts = provenance(self.digest, self._seed)
            show = progress or (lambda *_: None)
            runner = Runner(store, part, keys, facts, done, lost, show, len(range(part, total, of)), self._text)
            runner.run(mine, executor, at_once)
        return SweepStatus(runner.total, runner.done, runner.errors)

    @staticmethod
    def status(out: str | Path) -> SweepStatus:
        """Tell how far the sweep of a folder is.

        Raises
        ------
        SpecError
            If it is none of a sweep.
        """
        store = Store(as_path(out, "folder"))
        found = store.read()
        done = store.ids(store.points)
        failed = store.ids(store.failed) - done
        return SweepStatus(int(found["sweep"]["points"]), len(done), len(failed))

    @staticmethod
    def scan(out: str | Path) -> pl.LazyFrame:
        """Return the frame of a folder, one row per point that ran.

        The columns are ``id``, those of the table ``summary``, ``chosen_by``, ``folding_order``, and one per parameter
        in base units; ``asked.algorithm``, ``asked.protocol`` and ``asked.fidelity`` are what was asked for.

        Raises
        ------
        SpecError
            If it is none of a sweep, or nothing ran yet.
        """
        import polars as pl

        store = Store(as_path(out, "folder"))
        store.read()
        parts = store.parts(store.points)
        if not parts:
            raise SpecError(f"folder {quote(str(store.folder))} has no points yet")
        frames = [pl.scan_parquet(part, hive_partitioning=False) for part in parts]
        return pl.concat(frames, how="diagonal_relaxed")

    @staticmethod
    def failures(out: str | Path) -> pl.DataFrame:
        """Return the points that failed, with ``error`` (a class of :mod:`supernode.errors`) and ``message``."""
        import polars as pl

        store = Store(as_path(out, "folder"))
        store.read()
        frames = [pl.read_parquet(part, hive_partitioning=False) for part in store.parts(store.failed)]
        return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame({"id": [], "error": []})


def _parse_where(where: object, names: Sequence[str]) -> str | None:
    if where is None:
        return None
    if not isinstance(where, str):
        raise SpecError(f"where: {quote(where)} is not valid; it must be an SQL expression over {', '.join(names)}")
    return where


def parse_shard(shard: object) -> tuple[int, int]:
    """Return number and count of shards, from the environment of a Slurm array if none is given.

    Raises
    ------
    SpecError
        If it is not a number below the count.
    """
    if shard is None:
        task, count = os.environ.get("SLURM_ARRAY_TASK_ID"), os.environ.get("SLURM_ARRAY_TASK_COUNT")
        if task is None or count is None:
            return 0, 1
        first = os.environ.get("SLURM_ARRAY_TASK_MIN", "0")
        step = os.environ.get("SLURM_ARRAY_TASK_STEP", "1")
        texts = {"TASK_ID": task, "TASK_COUNT": count, "TASK_MIN": first, "TASK_STEP": step}
        for name, text in texts.items():
            if not re.fullmatch(r"\d{1,9}", text):
                raise SpecError(f"SLURM_ARRAY_{name}: {quote(text)} is not valid; give shard='i/n'")
        place, left = divmod(int(task) - int(first), max(1, int(step)))
        if left or not 0 <= place < int(count):
            raise SpecError(f"SLURM_ARRAY_TASK_ID: {task} is not a task of an array of {count} from {first} by {step}")
        return place, int(count)
    pair: Any = shard
    if isinstance(shard, str):
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard.strip())
        pair = (int(found[1]), int(found[2])) if found else None
    if isinstance(pair, tuple | list) and len(pair) == 2:
        of = parse_whole(pair[1], "shard: the number of shards", low=1, high=10**6)
        return parse_whole(pair[0], "shard", high=of - 1), of
    raise SpecError(f"shard: {quote(shard)} is not valid; it must be 'i/n', with i from 0 to n - 1")
