"""Commands that simulate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode import nccl_tests
from supernode.api import simulate
from supernode.benchmark import bench as run_bench
from supernode.cli.inspect_commands import Collective, Settings, System
from supernode.cli.options import build_system, overrides_of, split_options, with_run_options
from supernode.errors import SpecError
from supernode.files import check_file, check_folder, check_format
from supernode.job import load_job
from supernode.sizes import parse_sizes, sizes
from supernode.terminal import print_warnings

__all__ = ["bench", "run"]

Output = Annotated[
    Optional[Path],  # noqa: UP045 - typer's spelling
    typer.Option("--output", "-o", metavar="DIR", help="Write tables and metadata there.", show_default=False),
]
Format = Annotated[str, typer.Option("--format", help="parquet or arrow.")]


@with_run_options
def bench(
    collective: Collective,
    system: System,
    options: Any,
    minbytes: Annotated[str, typer.Option("--minbytes", "-b", help="Smallest size.")] = "8",
    maxbytes: Annotated[str, typer.Option("--maxbytes", "-e", help="Largest size.")] = "8G",
    stepfactor: Annotated[
        Optional[int],  # noqa: UP045 - typer's spelling
        typer.Option("--stepfactor", "-f", help="Factor between sizes [default: 2].", show_default=False),
    ] = None,
    stepbytes: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        typer.Option("--stepbytes", "-i", help="Difference between sizes, instead of -f.", show_default=False),
    ] = None,
    sizes_text: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        typer.Option("--sizes", help="Sizes instead of -b, -e and -f, e.g. '8:8G:x4'.", show_default=False),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045 - typer's spelling
        typer.Option("--json", "-J", metavar="FILE", help="Write nccl-tests' JSON.", show_default=False),
    ] = None,
    output: Output = None,
    format: Format = "parquet",
    settings: Settings = None,
) -> None:
    """Run a collective over sizes and print the table of nccl-tests."""
    points = sizes(minbytes, maxbytes, x=stepfactor, step=stepbytes) if sizes_text is None else parse_sizes(sizes_text)
    rest, algorithms = split_options(options)
    machine = build_system(system, settings)
    if json is not None:
        check_file(json)
    check_format(format)
    if output is not None:
        check_folder(output)
    lines = [f"supernode bench {collective} on {machine.label}, {machine.accelerators} accelerators"]
    printed = False

    def show(row: Any) -> None:
        nonlocal printed
        if not printed:
            typer.echo(nccl_tests.header(lines))
            printed = True
        typer.echo(nccl_tests.row_line(row))

    done = run_bench(collective, machine, sizes=points, algorithms=algorithms, on_row=show, **rest)
    mean = sum(row["busbw_gbytes_s"] for row in done.rows) / len(done.rows)
    typer.echo(f"# Avg bus bandwidth    : {mean:g}")
    print_warnings(done.warnings)
    if json is not None:
        done.to_nccl_tests(json)
    if output is not None:
        done.save(output, format)


def run(
    job: Annotated[Path, typer.Argument(help="TOML file with the keywords of simulate.", show_default=False)],
    output: Output = None,
    format: Format = "parquet",
    settings: Settings = None,
) -> None:
    """Run one collective as a job file describes it."""
    if job.is_dir():
        raise SpecError(f"job file {str(job)!r} is a directory")
    if not job.is_file():
        raise SpecError(f"job file {str(job)!r} does not exist")
    system, collective, options = load_job(job, overrides_of(settings))
    check_format(format)
    if output is not None:
        check_folder(output)
    result = simulate(system, collective, **options)
    typer.echo(
        f"{result.collective} of {result.size_bytes} B on {result.system}, {result.n_ranks} ranks\n"
        f"time       {result.time_ns / 1e3:.3f} us (bound {result.bound / 1e3:.3f} us, {result.bound_kind})\n"
        f"algbw      {result.algbw_gbytes_s:.3f} GB/s\n"
        f"busbw      {result.busbw_gbytes_s:.3f} GB/s\n"
        f"algorithm  {result.algorithm}, protocol {result.protocol}, fidelity {result.fidelity}\n"
        f"bottleneck {result.bottleneck}"
    )
    print_warnings(result.warnings)
    if output is not None:
        for path in result.save(output, format):
            sys.stderr.write(f"wrote {path}\n")
