"""Commands of sweeps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode.cli.output import Json, print_json
from supernode.cli.plot_command import check_picture
from supernode.plot import pareto_chart, save_chart
from supernode.sweep import Sweep, SweepStatus
from supernode.sweep.columns import column
from supernode.sweep.dask import connected
from supernode.sweep.design import INVENTORY
from supernode.sweep.engine import Progress

__all__ = ["merge", "pareto", "retry", "run", "status"]

File = Annotated[Path, typer.Argument(metavar="SWEEP.TOML", help="The sweep file.", show_default=False)]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a sweep.", show_default=False)]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the points.", show_default=False)
]
Workers = Annotated[
    Optional[int],  # noqa: UP045 - typer's spelling
    typer.Option("--workers", "-j", metavar="N", help="Runs at once [default: one per core].", show_default=False),
]
Shard = Annotated[
    Optional[str],  # noqa: UP045 - typer's spelling
    typer.Option("--shard", metavar="I/N", help="Every N-th point from I [default: of the Slurm array].",
                 show_default=False),
]  # fmt: skip
Dask = Annotated[
    Optional[str],  # noqa: UP045 - typer's spelling
    typer.Option("--dask", metavar="ADDRESS", help="Run on the workers of a Dask scheduler: its address or file.",
                 show_default=False),
]  # fmt: skip


def run(
    file: File, output: Output, workers: Workers = None, shard: Shard = None, dask: Dask = None, json: Json = False
) -> None:
    """Run the points of a sweep that are not there yet.

    A run that was interrupted or killed goes on where it was. Prints how many points ran, failed and are left.

    Examples
    --------
    supernode sweep run sweep.toml -o out/
    supernode sweep run sweep.toml -o out/ --shard 0/4 --json

    Exit codes
    ----------
    a point failed, or a file could not be written
    """
    _run(file, output, workers, shard, dask, json, again=False)


def retry(
    file: File, output: Output, workers: Workers = None, shard: Shard = None, dask: Dask = None, json: Json = False
) -> None:
    """Run a sweep and try failed points again.

    Examples
    --------
    supernode sweep retry sweep.toml -o out/

    Exit codes
    ----------
    a point failed, or a file could not be written
    """
    _run(file, output, workers, shard, dask, json, again=True)


def status(folder: Folder, json: Json = False) -> None:
    """Tell how many points ran, failed and are left.

    Each kind of failure has a line, with the first point that failed so.

    Examples
    --------
    supernode sweep status out/
    supernode sweep status out/ --json
    """
    found, kinds = Sweep.status(folder), _kinds(folder)
    if json:
        print_json({**_counts(found), "failures": kinds})
        return
    typer.echo(_text(found))
    for kind in kinds:
        typer.echo(_kind_text(kind))


def pareto(
    file: File,
    objectives: Annotated[
        list[str], typer.Argument(metavar="COLUMN...", help="What should be small.", show_default=False)
    ],
    output: Output,
    maximise: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer's spelling
        typer.Option("--maximise", metavar="COLUMN", help="What should be large; may be repeated.", show_default=False),
    ] = None,
    picture: Annotated[
        Optional[Path],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--plot", metavar="FILE", help="Draw all points, too: a file that ends in .svg or .png.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the points that no other point beats, as CSV.

    A COLUMN is one of the frame, or of what the machines consist of (switches, links, optics, power_w), or an SQL
    expression over these.

    Examples
    --------
    supernode sweep pareto sweep.toml -o out/ time_ns switches --plot front.svg
    supernode sweep pareto sweep.toml -o out/ switches --maximise busbw_gbytes_s
    supernode sweep pareto sweep.toml -o out/ time_ns 'switches + 0.1 * links'
    """
    if picture is not None:
        check_picture(picture)
    sweep = Sweep.load(file)
    found = sweep.pareto(output, *objectives, maximise=maximise or ())
    _tell_if_partial(output)
    if picture is not None:
        save_chart(pareto_chart(sweep.collect(output), *objectives, maximise=maximise or ()), picture)
    # what tells the points apart, and what they were judged by
    wanted = [c for c in found.columns if c in {"system", *map(column, sweep.varied), *objectives, *(maximise or ())}]
    shown = found.select(list(dict.fromkeys([*wanted, "time_ns", *INVENTORY])))
    if json:
        print_json(shown.to_dicts())
    else:
        typer.echo(shown.write_csv(), nl=False)
    if picture is not None:
        sys.stderr.write(f"wrote {picture}\n")


def merge(
    folder: Folder,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Parquet file to write.", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Write the points into one Parquet file, sorted by id.

    Examples
    --------
    supernode sweep merge out/ -o points.parquet
    """
    points = Sweep.merge(folder, output)
    _tell_if_partial(folder)
    if json:
        print_json({"file": str(output), "points": points})
    sys.stderr.write(f"wrote {output}, {points} points\n")


def _run(
    file: Path,
    output: Path,
    workers: int | None,
    shard: str | None,
    dask: str | None,
    json: bool,
    *,
    again: bool,
) -> None:
    sweep = Sweep.load(file)
    with connected(dask) as client, _bar() as show:
        done = sweep.run(output, executor=client, workers=workers, shard=shard, retry=again, progress=show)
    if json:
        print_json(_counts(done))
    else:
        typer.echo(_text(done))
    if done.failed:
        for kind in _kinds(output):
            sys.stderr.write(f"{_kind_text(kind)}\n")
        raise typer.Exit(1)


def _kinds(folder: Path) -> list[dict[str, Any]]:
    """Return each class of failure with the number of its points and the message of the first one."""
    import polars as pl

    failures = Sweep.failures(folder)
    if not failures.height:
        return []
    grouped = failures.sort("error", "id").group_by("error", maintain_order=True)
    return grouped.agg(pl.len().alias("points"), pl.col("message").first()).to_dicts()


def _kind_text(kind: dict[str, Any]) -> str:
    return f"  {kind['points']} {kind['error']}, as: {kind['message']}"


def _tell_if_partial(folder: Path) -> None:
    """Say on the error stream that points are missing."""
    found = Sweep.status(folder)
    if found.done < found.points:
        sys.stderr.write(f"only a part of the sweep: {_text(found)}\n")


def _counts(status: SweepStatus) -> dict[str, int]:
    return {"points": status.points, "done": status.done, "failed": status.failed, "left": status.left}


def _text(status: SweepStatus) -> str:
    return f"{status.done} of {status.points} points ran, {status.failed} failed, {status.left} left"


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """Show points, rate and time left on the error stream, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.speed:.0f}/s, {task.fields[failed]} failed"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("points", total=None, failed=0)

        def show(done: int, failed: int, total: int) -> None:
            progress.update(task, completed=done + failed, total=total, failed=failed)

        yield show
