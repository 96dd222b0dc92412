"""Reading a folder of a sweep as frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from supernode.errors import SpecError
from supernode.files import atomic_path, check_file
from supernode.quoting import quote
from supernode.sweep.store import Store

if TYPE_CHECKING:
    import polars as pl

__all__ = ["merge_points", "read_failures", "scan_points"]


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
    return pl.scan_parquet(parts, hive_partitioning=False).unique("id", keep="first", maintain_order=True)


def read_failures(store: Store) -> pl.DataFrame:
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


def merge_points(store: Store, output: Path) -> int:
    """Write the points into one Parquet file, sorted by id, and return how many they are.

    Raises
    ------
    SpecError
        If nothing ran yet, a part is damaged, or the file would be inside the folder of the sweep.
    """
    import polars as pl

    if output.suffix != ".parquet":
        raise SpecError(f"output {quote(str(output))} must end in .parquet")
    check_file(output)
    if output.resolve().is_relative_to(store.folder.resolve()):
        raise SpecError(f"output {quote(str(output))} is inside the folder of the sweep, whose files are its parts")
    try:
        frame = scan_points(store).sort("id").collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SpecError(f"folder {quote(str(store.folder))}: a part cannot be read: {error}") from None
    with atomic_path(output) as temporary:
        frame.write_parquet(temporary)
    return frame.height
