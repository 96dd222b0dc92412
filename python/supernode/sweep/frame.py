"""What a folder of a sweep holds, as frames. Nothing here needs the sweep itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from supernode.errors import SpecError
from supernode.files.text import as_path
from supernode.files.write import atomic_path, check_file
from supernode.quoting import quote
from supernode.sweep.store import Store

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SweepReader", "SweepStatus", "collect_points", "scan_points"]


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


class SweepReader:
    """What can be read from a folder without the sweep that wrote it."""

    @staticmethod
    def status(out: str | Path) -> SweepStatus:
        """Tell how far the sweep of a folder is.

        Raises
        ------
        SpecError
            If it is none of a sweep, or a part is damaged.
        """
        store = Store(as_path(out, "folder"))
        points = store.read().points
        done = store.ids(store.points)
        return SweepStatus(points, len(done), len(store.attempts(done)))

    @staticmethod
    def scan(out: str | Path) -> pl.LazyFrame:
        """Return the frame of a folder, one row per point that ran.

        The columns are ``id``, ``point`` (its number in the sweep), one per parameter in base units, ``system_hash``,
        those of the table ``summary``, ``chosen_by`` and ``folding_order``. ``asked.algorithm``, ``asked.protocol`` and
        ``asked.fidelity`` are what was asked for.

        Raises
        ------
        SpecError
            If it is none of a sweep, nothing ran yet, or a part is damaged.
        """
        return scan_points(Store(as_path(out, "folder")))

    @staticmethod
    def failures(out: str | Path) -> pl.DataFrame:
        """Return the points that failed and did not run since.

        Returns
        -------
        polars.DataFrame
            ``id``, the parameters, ``error`` (a class of :mod:`supernode.errors`), ``message`` and ``attempt`` (how
            often the point was tried).

        Raises
        ------
        SpecError
            If the folder is none of a sweep, or a part is damaged.
        """
        return _read_failures(Store(as_path(out, "folder")))

    @staticmethod
    def merge(out: str | Path, file: str | Path) -> int:
        """Write the points of a folder into one Parquet file, sorted by id.

        Returns
        -------
        int
            How many points it has.

        Raises
        ------
        SpecError
            If the folder is none of a sweep, nothing ran yet, a part is damaged, or the file is inside the folder.
        """
        return _merge_points(Store(as_path(out, "folder")), as_path(file, "output"))


def scan_points(store: Store) -> pl.LazyFrame:
    """Return the points that ran, each id once.

    Two shards may each run one of two points that come down to the same run.

    Raises
    ------
    SpecError
        If nothing ran yet, or a part is damaged.
    """
    import polars as pl

    store.read()
    parts = store.check(store.points)
    if not parts:
        raise SpecError(f"folder {quote(str(store.folder))} has no points yet")
    frame = pl.scan_parquet(parts, hive_partitioning=False)
    if store.rows(parts) == len(store.ids(store.points)):
        return frame
    # whoever was quicker: the first of the sweep stands for both
    return frame.sort("point").unique("id", keep="first", maintain_order=True)


def collect_points(store: Store) -> pl.DataFrame:
    """Return the points that ran as a frame in memory.

    Raises
    ------
    SpecError
        If nothing ran yet, or a part is damaged.
    """
    import polars as pl

    try:
        return scan_points(store).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SpecError(f"folder {quote(str(store.folder))}: a part cannot be read: {error}") from None


def _read_failures(store: Store) -> pl.DataFrame:
    """Return the last attempt of each point that failed and did not run since.

    Raises
    ------
    SpecError
        If a part is damaged.
    """
    import polars as pl

    store.read()
    done = pl.Series("id", list(store.ids(store.points)), pl.String)
    frames = [pl.DataFrame(table) for table in store.tables(store.failed)]
    if not frames:
        return pl.DataFrame(schema={"id": pl.String, "error": pl.String, "message": pl.String, "attempt": pl.Int32})
    found = pl.concat(frames).sort("attempt", descending=True, maintain_order=True)
    return found.unique("id", keep="first", maintain_order=True).join(done.to_frame(), on="id", how="anti").sort("id")


def _merge_points(store: Store, output: Path) -> int:
    """Write the points into one Parquet file, sorted by id, and return how many they are.

    Raises
    ------
    SpecError
        If nothing ran yet, a part is damaged, or the file would be inside the folder of the sweep.
    """
    if output.suffix != ".parquet":
        raise SpecError(f"output {quote(str(output))} must end in .parquet")
    check_file(output)
    if output.resolve().is_relative_to(store.folder.resolve()):
        raise SpecError(f"output {quote(str(output))} is inside the folder of the sweep, whose files are its parts")
    frame = collect_points(store).sort("id")
    with atomic_path(output) as temporary:
        frame.write_parquet(temporary)
    return frame.height
