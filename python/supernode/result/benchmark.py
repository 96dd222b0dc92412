"""What a bench leaves: rows in the form of nccl-tests, the result behind each, and files."""

from __future__ import annotations

import datetime
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.errors import NotRecordedError, SpecError
from supernode.files.folders import whole_folder
from supernode.files.text import as_path
from supernode.files.write import MARK, check_file, check_folder, check_format, write_bytes, write_table
from supernode.names import canonical
from supernode.result import nccl_tests
from supernode.result.compare import Paths, compare
from supernode.result.html import bench_html
from supernode.result.result import Result
from supernode.result.saved import is_folded, read_meta
from supernode.result.tables import FILES, KeptTables, read_table
from supernode.result.verbs import Verbs
from supernode.run.options import RECORDS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Bench", "left_out_text", "schema"]


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
            pa.field(
                "time_low_ns",
                pa.float64(),
                metadata={"unit": "ns", "doc": "shortest over the ranges of parameters; null without uncertainty"},
            ),
            pa.field(
                "time_high_ns",
                pa.float64(),
                metadata={"unit": "ns", "doc": "longest over the ranges of parameters; null without uncertainty"},
            ),
            pa.field(
                "expected_error",
                pa.float64(),
                metadata={"unit": "1", "doc": "of 9 in 10 measurements of the class; null: not validated"},
            ),
        ]
    )


#: Columns that folders of older versions do not have.
_LATER = ("time_low_ns", "time_high_ns", "expected_error")
#: Column that tells the rows of several runs apart in the tables of a saved bench.
RUN = "run"


@dataclass(frozen=True, repr=False)
class Bench(Verbs):
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
    notes
        What had no effect on the bench as a whole.
    """

    results: tuple[Result, ...]
    rows: tuple[dict[str, Any], ...] = field(compare=False)
    left_out: tuple[int, ...]
    start: datetime.datetime = field(compare=False)
    args: tuple[str, ...] = field(compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

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
            notes = tuple(map(str, meta.get("notes", ())))
            listed = [[str(name) for name in names] for names in meta["tables"]]
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError(f"{place / MARK}: not the description of a bench: {error}") from None
        tables = {name: read_table(place, name) for name in ("bench", "summary", *RECORDS)}
        runs = _by_run(tables, listed, place)
        rows = [] if tables["bench"] is None else _rows(tables["bench"], place)
        if not len(rows) == len(runs) == len(meta["runs"]):
            raise SpecError(f"{place}: its table has {len(rows)} rows, its metadata {len(meta['runs'])} runs")
        results = [
            Result(run, KeptTables(own, folded=is_folded(run))) for run, own in zip(meta["runs"], runs, strict=True)
        ]
        return cls(tuple(results), tuple(rows), left_out, start, args, notes)

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
    def uncertainty(self) -> pa.Table:
        """Which parameter moves the time of each run by how much; column ``run`` is the row of the bench.

        Times are those of one call on the devices. :attr:`Result.uncertainty` has the columns.

        Raises
        ------
        NotRecordedError
            If the bench was not asked for it.
        """
        import pyarrow as pa

        parts = []
        for number, result in enumerate(self.results):
            own = result.uncertainty
            parts.append(own.add_column(0, RUN, pa.array([number] * own.num_rows, pa.uint32())))
        return pa.concat_tables(parts)

    @property
    def warnings(self) -> list[str]:
        """Warnings of all runs, each once, and what the bench left out."""
        found = dict.fromkeys(w for r in self.results for w in r.warnings)
        if self.left_out:
            found[left_out_text(self.left_out, self.rows)] = None
        return [*found, *(note for note in self.notes if note not in found)]

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

    def nccl_tests_json(self) -> str:
        """Return what :meth:`to_nccl_tests` writes."""
        return self._nccl_tests().decode()

    def compare(self, path: Paths, place: str | None = None) -> pa.Table:
        """Join the rows with measured results, by size.

        Parameters
        ----------
        path
            A file that :func:`supernode.read_measurements` reads, or several. What it does not say of collective and
            ranks is taken from the bench.
        place
            ``"out_of_place"`` or ``"in_place"``: which of the measured times to take. By default those out of place,
            and those in place of a file that has no others.

        Returns
        -------
        pyarrow.Table
            One row for each measured time and row of the bench. :func:`supernode.regimes` sums it up, and
            :func:`supernode.plot.comparison_chart` draws it.

        Raises
        ------
        SpecError
            If a file is not valid, or is of another collective, other ranks or other sizes.
        """
        return compare(self.rows, path, place)

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
            "notes": self.notes,
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
        return "\n".join([nccl_tests.header(), *nccl_tests.lines(self.rows), *self.expected_lines()])

    def expected_lines(self) -> list[str]:
        """Return lines that say what error is expected of the rows, one for each class of them."""
        texts = dict.fromkeys(str(r.expected_error) for r in self.results if r.expected_error is not None)
        return [f"# Expected error        : {text}" for text in texts]

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return bench_html(self)

    def print(self) -> None:
        """Print the table of nccl-tests to the output stream."""
        sys.stdout.write(f"{self}\n")


def _rows(table: pa.Table, place: Path) -> list[dict[str, Any]]:
    """Return the rows of a saved bench."""
    import pyarrow as pa

    wanted = schema()
    for column in (f for f in wanted if f.name in _LATER and f.name not in table.column_names):
        table = table.append_column(column, pa.nulls(table.num_rows, column.type))
    try:
        return table.select(wanted.names).cast(wanted).to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise SpecError(f"{place}: table bench does not have the columns of a bench: {error}") from None


def _by_run(
    tables: Mapping[str, pa.Table | None], listed: Sequence[Sequence[str]], place: Path
) -> list[dict[str, pa.Table]]:
    """Take the tables of a saved bench apart: those of each run, as the run had them."""
    import numpy as np
    import pyarrow as pa

    found: list[dict[str, pa.Table]] = [{} for _ in listed]
    for name in dict.fromkeys(name for names in listed for name in names):
        table = tables.get(name)
        if table is None or RUN not in table.column_names:
            raise SpecError(f"{place}: table {name} is missing, or has no column {RUN!r}")
        if not pa.types.is_integer(table.schema.field(RUN).type) or table[RUN].null_count:
            raise SpecError(f"{place}: column {RUN!r} of table {name} is no number of a run")
        # rows of a run are together, in the order of the runs
        cuts = np.searchsorted(table[RUN].to_numpy(), np.arange(len(listed) + 1)).tolist()
        own = table.drop_columns([RUN])
        for run, (first, last) in enumerate(itertools.pairwise(cuts)):
            if name in listed[run]:
                found[run][name] = own.slice(first, last - first)
    return found


def left_out_text(left_out: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> str:
    """Say which sizes of a bench came to nothing."""
    ranks = rows[0]["ranks"] if rows else "all"
    return (
        f"sizes {left_out[0]} to {left_out[-1]} B are left out: rounded as nccl-tests does, to parts of 16 B for each "
        f"of {ranks} ranks, they are 0 B"
    )
