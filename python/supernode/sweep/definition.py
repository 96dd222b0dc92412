"""Sweeps: many runs, one frame."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.errors import SpecError, SupernodeError
from supernode.files.data import load_raw
from supernode.files.text import as_path
from supernode.names import unknown
from supernode.quoting import quote
from supernode.sweep.axes import Axes, parse_sample
from supernode.sweep.columns import base_units, column, column_type, identified
from supernode.sweep.condition import Condition
from supernode.sweep.design import INVENTORY, facts, front
from supernode.sweep.engine import Progress, Runner, as_executor, workers_of
from supernode.sweep.frame import SweepReader, SweepStatus, collect_points
from supernode.sweep.point import SAME, Machines, check_names
from supernode.sweep.shard import parse_shard
from supernode.sweep.store import Store, provenance
from supernode.values import listed, parse_flag, parse_whole

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import polars as pl

__all__ = ["Sweep", "SweepStatus"]

#: Points whose ``where`` is decided together.
_CHUNK = 4096
#: Folders that the parts are split into, at most.
_MOST_FOLDERS = 256
_KEYS = ("base", "grid", "zip", "sample", "seed", "where", "partition")


class Sweep(SweepReader):
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
        check_names(self._axes.values)
        self._partition = _parse_partition(partition, self._axes)
        shown = {name: [identified(name, v) for v in values] for name, values in self._axes.values.items()}
        self._types = {
            name: column_type([base_units(name, v) for v in values]) for name, values in self._axes.values.items()
        }
        self._where = None if where is None else Condition(where, self._types)
        self._written: dict[str, Any] = {
            "base": {name: shown[name][0] for name in self._axes.base},
            "grid": {name: shown[name] for name in self._axes.grid},
            "zip": {name: shown[name] for name in self._axes.zipped},
            "sample": sample, "seed": self._seed, "where": where, "partition": self._partition,
        }  # fmt: skip
        for name in self._axes.grid:
            _refuse_twice(f"grid: {name}", shown[name])
        if self._axes.zipped:
            _refuse_twice("zip: " + ", ".join(self._axes.zipped), _rows([shown[name] for name in self._axes.zipped]))

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
        try:
            return cls(**raw)
        except SupernodeError as error:
            # the file is where to look, not an option of the command line
            error.args = (f"sweep {place.name}: {error}",)
            raise

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self._axes) if self._where is None else sum(1 for _ in self.points())

    @property
    def varied(self) -> list[str]:
        """Names of the parameters that are not the same everywhere."""
        return list(self._axes.varied)

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
            return iter(chunk)
        rows = [{name: base_units(name, value) for name, value in point.items()} for _, point in chunk]
        return compress(chunk, self._where.keep(rows))

    @property
    def digest(self) -> str:
        """SHA-256 of the sweep without ``threads`` and ``timeout``, as hexadecimal text."""
        base = {name: value for name, value in self._written["base"].items() if name not in SAME}
        return hashlib.sha256(msgspec.json.encode(self._written | {"base": base}, order="deterministic")).hexdigest()

    def run(
        self,
        out: str | Path,
        *,
        executor: Executor | Any = None,
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
            Who runs them: a ``concurrent.futures.Executor`` or a ``distributed.Client``; by default threads of this
            process.
        workers
            How many batches at once; by default one per worker of the executor, or one per core. Each run is one
            thread, unless the sweep says otherwise.
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
            If the folder is not one of this sweep, or another process runs the same shard, or shards of another count.
        WorkerError
            If workers are lost or raise. What was done is kept; the next call goes on.
        OutputError
            If a file cannot be written.
        """
        part, of = parse_shard(shard)
        again = parse_flag(retry, "retry")
        engine = as_executor(executor)
        if progress is not None and not callable(progress):
            raise SpecError(f"progress: {quote(progress)} is not valid; it must be a function of done, failed and all")
        at_once = workers_of(engine, None if workers is None else parse_whole(workers, "workers", low=1, high=4096))
        store = Store(as_path(out, "folder"))
        total = len(self)
        store.begin(self._written, self.digest, total)
        with store.lock(part, of):
            done = store.ids(store.points)
            mine = (numbered for i, numbered in enumerate(self._numbered()) if i % of == part)
            runner = Runner(
                store=store,
                shard=part,
                keys=[column(name) for name in self._partition],
                facts=provenance(self.digest, self._seed),
                types=self._types,
                before=done,
                lost=store.attempts(done),
                again=again,
                show=progress or (lambda *_: None),
                total=len(range(part, total, of)),
            )
            runner.run(mine, engine, at_once)
            store.finish(part, of)
        return SweepStatus(runner.total, runner.done, runner.errors)

    def inventory(self) -> pl.DataFrame:
        """Return what the machines of the sweep consist of, one row per ``system_hash``.

        Returns
        -------
        polars.DataFrame
            ``system_hash``, ``accelerators``, ``switches``, ``links``, ``optics`` (ends of optical cables; null where
            the medium of links is unknown), ``power_w`` (null where it is unknown), ``bisection_gbytes_s``,
            ``injection_gbytes_s``. Machines that cannot be built are left out; their points fail.
        """
        import polars as pl

        machines = Machines()
        found: dict[str, dict[str, Any]] = {}
        for point in self.points():
            try:
                machine = machines.get(point)
            except SupernodeError:
                continue
            key = machines.columns(machine)["system_hash"]
            if key not in found:
                found[key] = {"system_hash": key, **facts(machine)}
        return pl.DataFrame(list(found.values()), schema={"system_hash": str, **INVENTORY})

    def pareto(self, out: str | Path, *objectives: str, maximise: Sequence[str] | str = ()) -> pl.DataFrame:
        """Return the points of a folder that no other point beats.

        Parameters
        ----------
        out
            The folder of this sweep.
        objectives
            What should be small: columns of :meth:`scan` and :meth:`inventory`, or SQL expressions over them
            (``"switches + 0.1 * optics"``).
        maximise
            What should be large.

        Returns
        -------
        polars.DataFrame
            The points, with the columns of both, sorted by the first objective. Points without a value are left out; a
            warning counts them.

        Raises
        ------
        SpecError
            If the folder is not one of this sweep, nothing ran yet, or an objective is not a number for each point.
        """
        large = listed([maximise] if isinstance(maximise, str) else maximise, "maximise", "a list of columns")
        return front(self.collect(out), objectives, large)

    def collect(self, out: str | Path) -> pl.DataFrame:
        """Return the points of a folder that ran, each with what its machine consists of.

        Parameters
        ----------
        out
            The folder of this sweep.

        Returns
        -------
        polars.DataFrame
            The columns of :meth:`scan` and :meth:`inventory`.

        Raises
        ------
        SpecError
            If the folder is not one of this sweep, or nothing ran yet.
        """
        store = Store(as_path(out, "folder"))
        if store.read().sha256 != self.digest:
            raise SpecError(f"folder {quote(str(store.folder))} holds another sweep")
        return collect_points(store).join(self.inventory(), on="system_hash", how="left", maintain_order="left")


def _parse_partition(partition: Sequence[str] | str | None, axes: Axes) -> list[str]:
    """Return the parameters that parts are split by."""
    if partition is None:
        few = "system" in axes.varied and 1 < len(axes.varied["system"]) <= _MOST_FOLDERS
        return ["system"] if few else []
    names = listed([partition] if isinstance(partition, str) else partition, "partition", "a list of parameters")
    for name in names:
        if not isinstance(name, str) or name not in axes.names:
            raise unknown("parameter of partition", name, axes.names)
    _refuse_twice("partition:", names)
    folders = math.prod(len(axes.values[name]) for name in names)
    if folders > _MOST_FOLDERS:
        raise SpecError(f"partition: {', '.join(names)} make {folders} folders; at most {_MOST_FOLDERS} are valid")
    return names


def _rows(columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def _refuse_twice(what: str, values: Sequence[Any]) -> None:
    seen = set()
    for value in values:
        text = repr(value)
        if text in seen:
            raise SpecError(f"{what} has the value {quote(value)} twice")
        seen.add(text)
