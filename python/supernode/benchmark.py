"""One collective over many sizes and algorithms, in the form of nccl-tests."""

from __future__ import annotations

import datetime
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import msgspec

from supernode import nccl_tests
from supernode.api import run_plan
from supernode.collectives import BY_NAME, Barrier, parse_name
from supernode.compare import compare
from supernode.errors import NotRecordedError, SpecError
from supernode.files import MARK, check_file, check_folder, check_format, write_bytes, write_table
from supernode.filetext import as_path
from supernode.folders import whole_folder
from supernode.names import canonical
from supernode.options import RECORDS, RunOptions, parse_names
from supernode.plan import Plan, make_plan
from supernode.quoting import quote
from supernode.result import Result
from supernode.saved import is_folded, read_meta
from supernode.sizes import parse_sizes
from supernode.system import SystemLike
from supernode.tables import FILES, KeptTables, read_table
from supernode.units import Quantity

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Bench", "bench", "iterate", "schema"]

#: Nominal processor time of a curve, in nanoseconds.
CURVE_BUDGET_NS = 60 * 10**9


@cache
def schema() -> pa.Schema:
    """Return the columns of a bench's summary."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("system", pa.string(), metadata={"doc": "system, with number of units and overrides"}),
            pa.field("collective", pa.string()),
            pa.field("ranks", pa.uint32()),
            pa.field(
                "size_bytes", pa.uint64(), metadata={"unit": "B", "doc": "as in nccl-tests' size column, rounded"}
            ),
            pa.field("count", pa.uint64(), metadata={"unit": "elements"}),
            pa.field("type", pa.string()),
            pa.field("redop", pa.string()),
            pa.field("root", pa.int64(), metadata={"doc": "-1 where no rank is special"}),
            pa.field("time_ns", pa.float64(), metadata={"unit": "ns"}),
            pa.field("algbw_gbytes_s", pa.float64(), metadata={"unit": "GB/s", "doc": "size over time"}),
            pa.field(
                "busbw_gbytes_s", pa.float64(), metadata={"unit": "GB/s", "doc": "algbw times nccl-tests' factor"}
            ),
            pa.field("bound_ns", pa.float64(), metadata={"unit": "ns", "doc": "below which no schedule can finish"}),
            pa.field("efficiency", pa.float64(), metadata={"unit": "1", "doc": "bound over time"}),
            pa.field("bound_busbw_gbytes_s", pa.float64(), metadata={"unit": "GB/s", "doc": "busbw at the bound"}),
            pa.field("requested", pa.string(), metadata={"doc": "algorithm asked for"}),
            pa.field("algorithm", pa.string(), metadata={"doc": "algorithm that ran"}),
            pa.field("protocol", pa.string()),
            pa.field("chosen_by", pa.string(), metadata={"doc": "how the price that decided the choice was found"}),
            pa.field("fidelity", pa.string()),
            pa.field("bottleneck", pa.string()),
            pa.field("seed", pa.uint64()),
            pa.field("wall_s", pa.float64(), metadata={"unit": "s", "doc": "wall-clock time; varies between runs"}),
        ]
    )


#: Column that tells the rows of several runs apart in the tables of a saved bench.
RUN = "run"


@dataclass(frozen=True, repr=False)
class Bench:
    """The rows of a bench, and the result behind each.

    It goes through its results like a list, can be pickled, copied, and loaded from what :meth:`save` wrote. Two are
    equal if their results are.

    Parameters
    ----------
    results
        One result for each row.
    rows
        The rows of :attr:`summary`.
    left_out
        Requested sizes that round to nothing, in bytes.
    start
        When the first run began.
    args
        The command or call, for the JSON file.
    """

    results: tuple[Result, ...]
    rows: tuple[dict[str, Any], ...] = field(compare=False)
    left_out: tuple[int, ...]
    start: datetime.datetime = field(compare=False)
    args: tuple[str, ...] = field(compare=False)

    @classmethod
    def load(cls, folder: str | Path) -> Bench:
        """Load a bench that :meth:`save` wrote.

        Parameters
        ----------
        folder
            The folder.

        Raises
        ------
        SpecError
            If there is none, it is not complete, or it is of a :class:`~supernode.Result`.
        """
        place, meta = read_meta(folder, "bench")
        try:
            start = datetime.datetime.fromisoformat(meta["start"])
            left_out, args = tuple(map(int, meta["left_out"])), tuple(map(str, meta["args"]))
            listed = [[str(name) for name in names] for names in meta["tables"]]
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError(f"{place / MARK}: not the description of a bench: {error}") from None
        tables = {name: read_table(place, name) for name in ("bench", "summary", *RECORDS)}
        runs = _by_run(tables, listed, place)
        rows = [] if tables["bench"] is None else tables["bench"].to_pylist()
        if not len(rows) == len(runs) == len(meta["runs"]):
            raise SpecError(f"{place}: its table has {len(rows)} rows, its metadata {len(meta['runs'])} runs")
        results = [
            Result(run, KeptTables(own, folded=is_folded(run))) for run, own in zip(meta["runs"], runs, strict=True)
        ]
        return cls(tuple(results), tuple(rows), left_out, start, args)

    @property
    def summary(self) -> pa.Table:
        """One row per run, columns :func:`schema`."""
        import pyarrow as pa

        return pa.Table.from_pylist(list(self.rows), schema=schema())

    def tables(self) -> list[str]:
        """List the names of the tables that any of the runs has."""
        found = {name for result in self.results for name in result.tables()}
        return [name for name in ("summary", *RECORDS) if name in found]

    def table(self, name: str) -> pa.Table:
        """Return a table of all runs, one below the other; column ``run`` is the row of the bench.

        Raises
        ------
        NotRecordedError
            If no run has it.
        """
        import pyarrow as pa

        column = pa.field(RUN, pa.uint32(), nullable=False, metadata={"doc": "row of the bench"})
        found = canonical("table", name, ("summary", *RECORDS))
        if found not in self.tables():
            raise NotRecordedError(f"table {found!r} is not there: no run recorded it; give record=[{found!r}]")
        parts = []
        for number, result in enumerate(self.results):
            if found in result.tables():
                own = result.table(found)
                parts.append(own.add_column(0, column, pa.array([number] * own.num_rows, pa.uint32())))
        return pa.concat_tables(parts, promote_options="permissive")

    @property
    def warnings(self) -> list[str]:
        """Warnings of all runs, each once, and what the bench left out."""
        found = dict.fromkeys(w for r in self.results for w in r.warnings)
        if self.left_out:
            found[_left_out_text(self.left_out, self.rows)] = None
        return list(found)

    def to_polars(self) -> pl.DataFrame:
        """Return the summary as a Polars frame."""
        import polars as pl

        return pl.DataFrame(self.summary)

    def to_nccl_tests(self, path: str | Path) -> Path:
        """Write the rows as a ``-J`` file of nccl-tests, whole or not at all."""
        target = as_path(path, "output")
        check_file(target)
        write_bytes(target, self._nccl_tests())
        return target

    def compare(self, path: str | Path, place: str = "out_of_place") -> pa.Table:
        """Join the rows with a measured ``-J`` file of nccl-tests, by size.

        Parameters
        ----------
        path
            The file.
        place
            ``"out_of_place"`` or ``"in_place"``.
        """
        return compare(self.rows, as_path(path, "measurements"), place)

    def save(self, folder: str | Path, format: str = "parquet") -> list[Path]:
        """Write ``bench.parquet`` (or ``.arrow``), every table of the runs, ``nccl_tests.json`` and ``meta.json``.

        Tables of the runs are one below the other, as :meth:`table` returns them. The folder has the old files or the
        new ones, whole, whenever the program ends; :meth:`load` reads it.

        Parameters
        ----------
        folder
            Made if it does not exist. Results that it holds are replaced, other files stay.
        format
            ``"parquet"`` or ``"arrow"`` (IPC).

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        SpecError
            If the folder is none, or the format is unknown.
        OutputError
            If it cannot be written: a full disk, for one.
        """
        check_format(format)
        target = as_path(folder, "output")
        check_folder(target)
        meta = {
            "kind": "bench",
            "warnings": self.warnings,
            "versions": self.results[0].versions if self.results else {},
            "left_out": self.left_out,
            "start": self.start.isoformat(),
            "args": self.args,
            "tables": [r.tables() for r in self.results],
            "runs": [r.meta for r in self.results],
        }
        names = [f"{name}.{format}" for name in ("bench", *self.tables())]
        with whole_folder(target, FILES) as stage:
            write_table(stage / names[0], self.summary)
            for name in self.tables():
                write_table(stage / f"{name}.{format}", self.table(name))
            write_bytes(stage / "nccl_tests.json", self._nccl_tests())
            write_bytes(stage / MARK, msgspec.json.encode(meta) + b"\n")
        return [target / name for name in (*names, "nccl_tests.json", MARK)]

    def to_html(self, path: str | Path) -> Path:
        """Write a report as one HTML file that needs no network: figures, warnings, pictures, tables, configuration.

        Raises
        ------
        MissingExtraError
            If the extra ``report`` is not installed.
        """
        from supernode.page import write_report

        return write_report(self, path)

    def _nccl_tests(self) -> bytes:
        if not self.rows:
            raise SpecError("to_nccl_tests: the bench has no rows")
        device = self.results[0].effective["system"]["device"].get("name", "") if self.results else ""
        content = nccl_tests.document(self.rows, device=device, args=self.args, start=self.start)
        return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __getitem__(self, index: int) -> Result:
        return self.results[index]

    def __str__(self) -> str:
        return "\n".join([nccl_tests.header(), *nccl_tests.lines(self.rows)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from supernode.notebook import bench_html

        return bench_html(self)

    def print(self) -> None:
        """Print the table of nccl-tests to the output stream."""
        sys.stdout.write(f"{self}\n")


def _by_run(
    tables: Mapping[str, pa.Table | None], listed: Sequence[Sequence[str]], place: Path
) -> list[dict[str, pa.Table]]:
    """Take the tables of a saved bench apart: those of each run, as the run had them."""
    import numpy as np

    found: list[dict[str, pa.Table]] = [{} for _ in listed]
    for name in dict.fromkeys(name for names in listed for name in names):
        table = tables.get(name)
        if table is None or RUN not in table.column_names:
            raise SpecError(f"{place}: table {name} is missing, or has no column {RUN!r}")
        # rows of a run are together, in the order of the runs
        cuts = np.searchsorted(table[RUN].to_numpy(), np.arange(len(listed) + 1)).tolist()
        own = table.drop_columns([RUN])
        for run, (first, last) in enumerate(itertools.pairwise(cuts)):
            if name in listed[run]:
                found[run][name] = own.slice(first, last - first)
    return found


def bench(
    collective: str,
    system: SystemLike,
    *,
    sizes: Quantity | Iterable[Quantity] = "8:8G:x2",
    algorithms: Sequence[str] | str | None = ("auto",),
    on_row: Callable[[Mapping[str, Any]], None] | None = None,
    **options: Unpack[RunOptions],
) -> Bench:
    """Simulate a collective over sizes and algorithms.

    Parameters
    ----------
    collective
        Name of the collective.
    system
        A :class:`~supernode.System`, or the name of a preset.
    sizes
        Sizes as text (``"8:8G:x2"``) or as a list. As in nccl-tests, the parts of all_gather, reduce_scatter,
        all_to_all, gather and scatter are rounded down to 16 bytes; sizes that leave nothing are left out.
    algorithms
        Algorithms to compare, each at every size.
    on_row
        Called with each row as soon as it is there.
    **options
        Every keyword of :func:`supernode.simulate`; ``timeout`` and ``time_limit`` apply to each run. ``budget`` is
        that of a curve, all sizes of one algorithm, and is 60 s by default: half of it is shared evenly, half by size,
        so that large messages, which cost the most, come out in one fidelity.

    Returns
    -------
    Bench
        Rows, results, and writers for files.

    Examples
    --------
    >>> import supernode as sn
    >>> b = sn.bench("all_reduce", "nvl72", sizes="1M:1G:x4", algorithms=["ring", "auto"])  # doctest: +SKIP
    >>> b.to_nccl_tests("sim.json")  # doctest: +SKIP
    """
    start = datetime.datetime.now()
    if on_row is not None and not callable(on_row):
        raise SpecError(f"on_row: {quote(on_row)} is not valid; it must be a function")
    plans, left_out = _plans(collective, system, sizes, algorithms, options)
    results, rows = [], []
    for result, row in iterate(plans):
        results.append(result)
        rows.append(row)
        if on_row is not None:
            on_row(row)
    text = ("supernode", "bench", parse_name(collective), plans[0].system.label)
    return Bench(tuple(results), tuple(rows), tuple(left_out), start, text)


def iterate(plans: Iterable[Plan]) -> Iterator[tuple[Result, dict[str, Any]]]:
    """Run plans one after the other and yield each result with its row."""
    for plan in plans:
        result = run_plan(plan)
        yield result, _row(plan, result)


def _plans(
    name: str,
    system: SystemLike,
    sizes: Quantity | Iterable[Quantity],
    algorithms: Sequence[str] | str | None,
    options: RunOptions,
) -> tuple[list[Plan], list[int]]:
    if "algorithm" in options:
        raise SpecError("algorithm: bench takes algorithms=[...]")
    kind = BY_NAME[parse_name(name)]
    names = parse_names(algorithms, "algorithms", default=("auto",))
    if not names:
        raise SpecError("algorithms: the list is empty; for example ['ring', 'auto']")
    points = parse_sizes(sizes)
    if kind is Barrier:
        base = make_plan(system, kind.name, None, options)
        return [base.with_algorithm(a) for a in names], []
    base = make_plan(system, kind.name, points[0], options)
    kept, left_out = [], []
    for size in points:
        exact = nccl_tests.rounded(kind, size, base.ranks, base.dtype)
        if exact:
            kept.append(exact)
        else:
            left_out.append(size)
    if not kept:
        raise SpecError(_left_out_text(left_out, [{"ranks": base.ranks}]) + "; ask for larger sizes")
    given = options.get("budget") is not None
    curve = [base.spec.budget_ns] * len(kept)
    if given or base.spec.fidelity == "auto":
        curve = budgets(kept, base.spec.budget_ns if given else CURVE_BUDGET_NS)
    plans = [
        base.with_algorithm(a).with_size(size).with_budget(part)
        for a in names
        for size, part in zip(kept, curve, strict=True)
    ]
    return plans, left_out


def budgets(sizes: Sequence[int], budget_ns: int) -> list[int]:
    """Share the budget of a curve among its sizes.

    Half of it goes evenly, half in proportion to the size: work grows with the size, so that where the largest message
    fits its part the others do, and a curve is of one fidelity.
    """
    whole = sum(sizes)
    return [max(budget_ns // (2 * len(sizes)) + budget_ns * size // (2 * whole), 1) for size in sizes]


def _left_out_text(left_out: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> str:
    ranks = rows[0]["ranks"] if rows else "all"
    return (
        f"sizes {left_out[0]} to {left_out[-1]} B are left out: rounded as nccl-tests does, to parts of 16 B for each "
        f"of {ranks} ranks, they are 0 B"
    )


def _row(plan: Plan, result: Result) -> dict[str, Any]:
    summary, ratio = result.row, result.efficiency
    return {
        "system": result.system,
        "collective": result.collective,
        "ranks": plan.ranks,
        "size_bytes": result.size_bytes,
        "count": summary["count"],
        "type": plan.dtype.nccl_name,
        "redop": nccl_tests.redop_of(type(plan.collective)),
        "root": summary["root"],
        "time_ns": result.time_ns,
        "algbw_gbytes_s": result.algbw_gbytes_s,
        "busbw_gbytes_s": result.busbw_gbytes_s,
        "bound_ns": result.bound,
        "efficiency": ratio,
        "bound_busbw_gbytes_s": result.busbw_gbytes_s / ratio if ratio else None,
        "requested": plan.spec.algorithm,
        "algorithm": result.algorithm,
        "protocol": result.protocol,
        "chosen_by": result.chosen_by,
        "fidelity": result.fidelity,
        "bottleneck": result.bottleneck,
        "seed": result.seed,
        "wall_s": result.wall_s,
    }
