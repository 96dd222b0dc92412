"""One collective over many sizes and algorithms, in the form of nccl-tests."""

from __future__ import annotations

import datetime
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
from supernode.errors import SpecError
from supernode.files import check_file, check_folder, check_format, write_bytes, write_table
from supernode.options import RunOptions, parse_names
from supernode.plan import Plan, make_plan
from supernode.result import Result
from supernode.sizes import parse_sizes
from supernode.system import SystemLike
from supernode.units import Quantity

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Bench", "bench", "iterate", "schema"]


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
            pa.field("fidelity", pa.string()),
            pa.field("bottleneck", pa.string()),
            pa.field("seed", pa.uint64()),
            pa.field("wall_s", pa.float64(), metadata={"unit": "s", "doc": "wall-clock time; varies between runs"}),
        ]
    )


@dataclass(frozen=True)
class Bench:
    """The rows of a bench, and the result behind each.

    Parameters
    ----------
    results
        One result a row.
    rows
        The rows of :attr:`summary`.
    left_out
        Requested sizes that round to nothing, in bytes.
    start
        When the first run began.
    args
        The command or call, for the JSON file.
    """

    results: tuple[Result, ...] = field(repr=False)
    rows: tuple[dict[str, Any], ...] = field(repr=False)
    left_out: tuple[int, ...]
    start: datetime.datetime
    args: tuple[str, ...]

    @property
    def summary(self) -> pa.Table:
        """One row a run, columns :func:`schema`."""
        import pyarrow as pa

        return pa.Table.from_pylist(list(self.rows), schema=schema())

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
        if not self.rows:
            raise SpecError("to_nccl_tests: the bench has no rows")
        check_file(Path(path))
        device = self.results[0].effective["system"]["device"].get("name", "") if self.results else ""
        content = nccl_tests.document(self.rows, device=device, args=self.args, start=self.start)
        write_bytes(Path(path), msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        return Path(path)

    def compare(self, path: str | Path, place: str = "out_of_place") -> pa.Table:
        """Join the rows with a measured ``-J`` file of nccl-tests, by size.

        Parameters
        ----------
        path
            The file.
        place
            ``"out_of_place"`` or ``"in_place"``.
        """
        return compare(self.rows, Path(path), place)

    def save(self, folder: str | Path, format: str = "parquet") -> list[Path]:
        """Write ``bench.parquet`` (or ``.arrow``), ``nccl_tests.json`` and, last, ``meta.json``."""
        check_format(format)
        target = Path(folder)
        check_folder(target)
        table = target / f"bench.{format}"
        write_table(table, self.summary)
        paths = [table, self.to_nccl_tests(target / "nccl_tests.json"), target / "meta.json"]
        meta = {"warnings": self.warnings, "versions": self.results[0].versions, "runs": [r.meta for r in self.results]}
        write_bytes(paths[-1], msgspec.json.encode(meta) + b"\n")
        return paths

    def __str__(self) -> str:
        return "\n".join([nccl_tests.header(), *(nccl_tests.row_line(r) for r in self.rows)])

    def print(self) -> None:
        """Print the table of nccl-tests to the output stream."""
        sys.stdout.write(f"{self}\n")


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
        Every keyword of :func:`supernode.simulate`; ``timeout`` and ``time_limit`` apply to each run.

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
    return [base.with_algorithm(a).with_size(size) for a in names for size in kept], left_out


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
        "fidelity": result.fidelity,
        "bottleneck": result.bottleneck,
        "seed": result.seed,
        "wall_s": result.wall_s,
    }
