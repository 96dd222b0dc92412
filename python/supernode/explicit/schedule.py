"""A schedule that is given operation by operation, as data."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from supernode import core
from supernode.errors import SpecError
from supernode.explicit.frames import columns_of_messages, columns_of_operations, compile_columns
from supernode.files.text import as_path, is_folder, naming, size_of
from supernode.files.write import atomic_path, check_file
from supernode.names import canonical, plain_text
from supernode.units import Quantity, parse_size

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FORMATS", "ExplicitSchedule", "is_schedule", "load_schedule"]

#: Formats of schedules and the extension of each.
FORMATS: dict[str, str] = dict(core.schedule_formats())

#: Bytes by which a plan is told from other JSON.
_BEGIN = 2**16


class ExplicitSchedule:
    """Sends, receives, computations and delays of each rank, and what each waits for.

    An operation begins when all that it waits for on its rank has ended, or begun where the dependency says so. The
    k-th send and the k-th receive of the same source, destination and tag belong together. It can be pickled.

    Parameters
    ----------
    name
        Name in tables.
    core
        What the core holds of it.

    See Also
    --------
    load_schedule : reads one from a file.

    Examples
    --------
    >>> import polars as pl
    >>> import supernode as sn
    >>> frame = pl.DataFrame({"source": [0, 1], "destination": [1, 2], "bytes": [4096, 4096], "after": [[], [0]]})
    >>> sn.ExplicitSchedule.from_messages(frame)
    ExplicitSchedule('messages': 4 operations on 3 ranks)
    """

    def __init__(self, name: str, core: core.Schedule) -> None:
        self.name = plain_text(name, "name")
        self.core = core

    @classmethod
    def from_messages(
        cls, messages: pl.DataFrame, *, ranks: int | None = None, name: str = "messages"
    ) -> ExplicitSchedule:
        """Make a schedule of messages.

        Parameters
        ----------
        messages
            One row per message, with ``source``, ``destination`` and ``bytes``. Optional: ``tag``; ``delay_ns``, a time
            before the message is sent; ``after``, a list of rows: the message is sent when those that end at its
            source have been received there, and those that begin there have left.
        ranks
            Number of ranks; by default one more than the largest that is named.
        name
            Name in tables.

        Raises
        ------
        SpecError
            Naming the column, or the message and what it waits for.
        """
        columns = columns_of_messages(messages)
        return cls(name, compile_columns(columns, ranks))

    @classmethod
    def from_operations(
        cls, operations: pl.DataFrame, *, ranks: int | None = None, name: str = "operations"
    ) -> ExplicitSchedule:
        """Make a schedule of operations; :attr:`operations` is such a frame.

        Parameters
        ----------
        operations
            One row per operation, with ``rank`` and ``kind`` (``send``, ``receive``, ``reduce``, ``compute`` or
            ``delay``). ``peer`` and ``bytes`` of messages, ``duration_ns`` of computations and delays. Optional:
            ``tag``, ``stream``, ``label``; ``after`` and ``after_start``, lists of the numbers of operations of the
            same rank, counted from 0 in the order of its rows.
        ranks
            Number of ranks; by default one more than the largest that is named.
        name
            Name in tables.

        Raises
        ------
        SpecError
            Naming the column, or rank and operation.
        """
        columns = columns_of_operations(operations)
        return cls(name, compile_columns(columns, ranks))

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return int(self.core.ranks)

    def __len__(self) -> int:
        return len(self.core)

    @cached_property
    def operations(self) -> pl.DataFrame:
        """One row per operation: what it does, and the numbers of those that it waits for."""
        import polars as pl

        frame = pl.DataFrame(self.core.table("operations"))
        waits = pl.DataFrame(self.core.table("dependencies"))
        for name, on_begin in (("after", 0), ("after_start", 1)):
            lists = (
                waits.filter(pl.col("on_begin") == on_begin)
                .group_by("rank", "operation")
                .agg(pl.col("after").sort().alias(name))
            )
            frame = frame.join(lists, on=["rank", "operation"], how="left", maintain_order="left")
        empty = pl.lit([], dtype=pl.List(pl.UInt32))
        return frame.with_columns(
            (pl.col("duration_fs") / 1e6).alias("duration_ns"),
            pl.col("after").fill_null(empty),
            pl.col("after_start").fill_null(empty),
        ).select(
            "rank", "operation", "label", "kind", "stream", "peer", "tag", "bytes", "duration_ns", "after",
            "after_start",
        )  # fmt: skip

    def bytes(self, source: int | None = None, destination: int | None = None) -> pl.DataFrame:
        """Return the messages and bytes of each pair of ranks.

        Parameters
        ----------
        source, destination
            Only those of this rank; by default all.

        Returns
        -------
        polars.DataFrame
            ``source``, ``destination``, ``messages`` and ``bytes``, in the order of ranks.
        """
        import polars as pl

        sends = pl.DataFrame(self.core.table("operations")).filter(pl.col("kind") == "send")
        pairs = sends.select(
            pl.col("rank").alias("source"), pl.col("peer").cast(pl.UInt32).alias("destination"), "bytes"
        )
        for column, wanted in (("source", source), ("destination", destination)):
            if wanted is not None:
                pairs = pairs.filter(pl.col(column) == wanted)
        return (
            pairs.group_by("source", "destination")
            .agg(pl.len().cast(pl.UInt64).alias("messages"), pl.col("bytes").sum())
            .sort("source", "destination")
        )

    def save(self, path: str | Path, format: str | None = None) -> tuple[str, ...]:
        """Write it to a file.

        Parameters
        ----------
        path
            The file.
        format
            One of the formats of schedules that are written; by default the extension tells it.

        Returns
        -------
        tuple of str
            What the format cannot hold.

        Raises
        ------
        SpecError
            If the format is unknown, cannot hold the schedule, or the file cannot be written.
        """
        target = as_path(path, "output")
        chosen = _format(format) or _by_extension(target)
        check_file(target)
        with atomic_path(target) as place:
            return tuple(self.core.write(place, chosen))

    def __repr__(self) -> str:
        return f"ExplicitSchedule({self.name!r}: {len(self)} operations on {self.ranks} ranks)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ExplicitSchedule):
            return NotImplemented
        return self.ranks == other.ranks and self.operations.equals(other.operations)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.name, self.ranks, self.operations)


def load_schedule(path: str | Path, format: str | None = None, *, size: Quantity | None = None) -> ExplicitSchedule:
    """Read a schedule from a file.

    Parameters
    ----------
    path
        The file. Of Chakra's traces, a folder, or the file of any rank (``name.0.et``), beside which the others lie.
    format
        ``"goal"``, ``"goal-binary"``, ``"htsim"``, ``"msccl"``, ``"mscclpp"`` or ``"chakra"``; by default content and
        extension tell it.
    size
        Bytes of the message, of formats that are for any: MSCCL and MSCCL++.

    Returns
    -------
    ExplicitSchedule
        Named after the file.

    Raises
    ------
    SpecError
        Naming the file, the line or operation, and what would be valid.
    SizeOverflowError
        If a number does not fit.
    ScheduleError
        If an algorithm does not do what it claims to.
    """
    place = as_path(path, "schedule")
    if not is_folder(place):
        size_of(place, "schedule")
    with naming(place.name):
        found, _ = core.Schedule.read(place, _format(format), None if size is None else parse_size(size))
    return ExplicitSchedule(place.stem, found)


def is_schedule(path: Path) -> bool:
    """Tell by its extension whether a file is a schedule; a folder is one if it holds traces.

    JSON is one if it begins as a plan of MSCCL++ does.
    """
    suffix = path.suffixes[-2:][0] if path.suffix == ".gz" else path.suffix
    if is_folder(path):
        return any(each.name.lower().endswith((".et", ".et.gz")) for each in path.iterdir())
    if suffix.lower() == ".json":
        return path.is_file() and _is_plan(path)
    return suffix.lower().removeprefix(".") in FORMATS.values()


def _is_plan(path: Path) -> bool:
    with path.open("rb") as file:
        begin = file.read(_BEGIN)
    return begin.lstrip().startswith(b"{") and b'"collective"' in begin and b'"gpus"' in begin


def _format(name: str | None) -> str | None:
    return None if name is None else canonical("format", name, tuple(FORMATS))


def _by_extension(path: Path) -> str:
    found = path.suffix.lower().removeprefix(".")
    for name, extension in FORMATS.items():
        if extension == found:
            return name
    valid = ", ".join(f".{extension} ({name})" for name, extension in FORMATS.items())
    raise SpecError(f"output {path.name}: its extension tells no format of schedules; valid: {valid}; or give format=")


def _restored(name: str, ranks: int, operations: pl.DataFrame) -> ExplicitSchedule:
    return ExplicitSchedule.from_operations(operations, ranks=ranks, name=name)
