"""Commands that simulate."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode.api import simulate
from supernode.cli import nccl_options
from supernode.cli.headings import FABRIC, OUTPUT, SIZES
from supernode.cli.inspect_commands import Collective, Settings, System, complete_systems
from supernode.cli.measured_option import measured_sizes
from supernode.cli.options import build_system, completing, overrides_of, split_options, with_run_options
from supernode.cli.output import Json, print_json
from supernode.cli.terminal import print_warnings
from supernode.cli.words import in_cli_words
from supernode.errors import SpecError, SupernodeError
from supernode.explicit import load_schedule
from supernode.explicit.schedule import is_schedule
from supernode.files.write import TABLE_FORMATS, check_file, check_folder, check_format
from supernode.library.collectives import Barrier, parse_name
from supernode.result import Result, ScheduleResult, WorkloadResult, nccl_tests
from supernode.result.curve import bench as run_bench
from supernode.result.operationtext import workload_text
from supernode.result.regimes import comparison_text
from supernode.result.schedule import schedule_text
from supernode.run.job import load_job
from supernode.run.sizes import parse_sizes, sizes

__all__ = ["bench", "run"]

#: Format of tables, where none is asked for.
DEFAULT_FORMAT = "parquet"
#: As a file: the output stream.
STDOUT = Path("-")

Output = Annotated[
    Optional[Path],  # noqa: UP045 - typer's spelling
    typer.Option(
        "--output", "-o", metavar="DIR", help="Write tables and metadata there.", show_default=False,
        rich_help_panel=OUTPUT,
    ),
]  # fmt: skip
Format = Annotated[
    Optional[str],  # noqa: UP045 - typer's spelling
    typer.Option(
        "--format", metavar="FORMAT", help="Of tables: parquet or arrow [default: parquet].", show_default=False,
        rich_help_panel=OUTPUT, autocompletion=completing(lambda: list(TABLE_FORMATS)),
    ),
]  # fmt: skip


def _size_option(flags: tuple[str, ...], metavar: str, text: str) -> Any:
    return typer.Option(*flags, metavar=metavar, help=text, show_default=False, rich_help_panel=SIZES)


@with_run_options(more=nccl_options.parameters())
def bench(
    collective: Collective,
    system: System,
    options: Any,
    more: Any,
    minbytes: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _size_option(("--minbytes", "-b"), "SIZE", "Smallest size [default: 8]."),
    ] = None,
    maxbytes: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _size_option(("--maxbytes", "-e"), "SIZE", "Largest size [default: 8G]."),
    ] = None,
    stepfactor: Annotated[
        Optional[int],  # noqa: UP045 - typer's spelling
        _size_option(("--stepfactor", "-f"), "N", "Factor between sizes [default: 2]."),
    ] = None,
    stepbytes: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _size_option(("--stepbytes", "-i"), "SIZE", "Difference between sizes, instead of -f."),
    ] = None,
    sizes_text: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _size_option(("--sizes",), "SIZES", "Instead of -b, -e, -f and -i, e.g. '8:8G:x4' or '1K,1MiB'."),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--json",
            "-J",
            metavar="FILE",
            show_default=False,
            rich_help_panel=OUTPUT,
            help="Write nccl-tests' JSON; '-' prints it instead of the table.",
        ),
    ] = None,
    measured: Annotated[
        Optional[Path],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--measured",
            metavar="FILE",
            show_default=False,
            rich_help_panel=OUTPUT,
            help="Compare with a log or JSON of nccl-tests, OSU or CSV; its sizes are run, unless others are given.",
        ),
    ] = None,
    output: Output = None,
    format: Format = None,
    settings: Settings = None,
) -> None:
    """Run a collective over sizes; print nccl-tests' table.

    Options are those of nccl-tests where both have them. Each row has the lower bound, the algorithm and fidelity that
    ran, and the bottleneck. A row is printed once it is known. Files are written at the end.

    Examples
    --------
    supernode bench all_reduce nvl72 -b 1M -e 64M -f 8
    supernode bench all_gather hgx-h100:2 --sizes '64K:4M:x8' --algo ring,auto
    supernode bench all_reduce hgx-h100 -b 8 -e 64K -f 8 -g 8
    supernode bench all_to_all hgx-h100 -b 1M -e 1M --record levels -o bench/
    supernode bench all_reduce hgx-h100 -b 8 -e 64K -f 8 -J - > sim.json
    supernode bench all_reduce hgx-h100 --measured sim.json

    Exit codes
    ----------
    a simulation failed, or a file could not be written
    """
    points = _points(collective, minbytes, maxbytes, stepfactor, stepbytes, sizes_text)
    rest, algorithms = split_options(options)
    ranks = nccl_options.ranks_of(more)
    if ranks is not None:
        if "ranks" in rest:
            raise SpecError("--ranks and -g or -t both say how many ranks there are; give one of them")
        rest["ranks"] = ranks
    launch = nccl_options.launch_of(more)
    nccl_options.check_operation(output)
    machine = build_system(system, settings)
    printed = json == STDOUT
    if measured is not None:
        if printed:
            raise SpecError("--measured has no effect with -J -, which prints nccl-tests' JSON and nothing else")
        known = measured_sizes(measured, collective, rest.get("ranks", machine.accelerators))
        if all(given is None for given in (minbytes, maxbytes, stepfactor, stepbytes, sizes_text)):
            points = known
    if json is not None and not printed:
        check_file(json)
    _check_output(output, format)
    print_warnings(nccl_options.remarks(more))
    lines = [f"supernode bench {collective} on {machine.label}, {machine.accelerators} accelerators"]
    before: Any = None

    def show(row: Any) -> None:
        nonlocal before
        if before is None:
            typer.echo(nccl_tests.header(lines))
        if remark := nccl_tests.change_line(before, row):
            typer.echo(remark)
        typer.echo(nccl_tests.row_line(row))
        before = row

    done = run_bench(
        collective, machine, sizes=points, algorithms=algorithms, on_row=None if printed else show, **launch, **rest
    )
    if printed:
        typer.echo(done.nccl_tests_json(), nl=False)
    else:
        mean = sum(row["busbw_gbytes_s"] for row in done.rows) / len(done.rows)
        typer.echo(f"# Avg bus bandwidth    : {mean:g}")
        for line in done.expected_lines():
            typer.echo(line)
        if measured is not None:
            typer.echo(comparison_text(done.compare(measured)))
    _warn(done.warnings)
    written = [] if json is None or printed else [done.to_nccl_tests(json)]
    if output is not None:
        written += done.save(output, format or DEFAULT_FORMAT)
    elif set(done.tables()) - {"summary"}:
        _warn([f"record: {', '.join(done.tables()[1:])} were recorded and not written; give -o DIR"])
    for path in written:
        sys.stderr.write(f"wrote {path}\n")


def _points(
    collective: str, first: str | None, last: str | None, factor: int | None, step: str | None, text: str | None
) -> list[int]:
    """Return the sizes that the options ask for, refusing those that contradict each other."""
    given = [flag for flag, value in (("-b", first), ("-e", last), ("-f", factor), ("-i", step)) if value is not None]
    if text is not None and given:
        raise SpecError(f"--sizes and {' '.join(given)} both say which sizes there are; give one of them")
    if parse_name(collective) == Barrier.name and (given or text is not None):
        raise SpecError(f"{given[0] if given else '--sizes'} has no effect: a barrier moves no data")
    if text is not None:
        return parse_sizes(text)
    return sizes("8" if first is None else first, "8G" if last is None else last, x=factor, step=step)


def _check_output(output: Path | None, format: str | None) -> None:
    """Find out before anything runs whether the files can be written."""
    if format is not None:
        check_format(format)
        if output is None:
            raise SpecError(f"--format {format} has no effect: no tables are written; give -o DIR, or leave it out")
    if output is not None:
        check_folder(output)


def _warn(texts: Iterable[str]) -> None:
    print_warnings(in_cli_words(text) for text in texts)


def run(
    job: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A file with the keywords of simulate (.toml), or a schedule.", show_default=False
        ),
    ],
    system: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--system",
            metavar="SYSTEM",
            help="The system that a schedule runs on.",
            show_default=False,
            rich_help_panel=FABRIC,
            autocompletion=complete_systems,
        ),
    ] = None,
    size: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--size",
            metavar="SIZE",
            help="Size of the message, of a schedule that is for any (MSCCL, MSCCL++).",
            show_default=False,
            rich_help_panel=SIZES,
        ),
    ] = None,
    output: Output = None,
    format: Format = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Run a collective, workloads or a schedule from a file.

    The keys of the file are the keywords of simulate, with system, collective and size; or with system and tables
    [[job]], which are workloads; or with system and schedule, the path of a schedule. A schedule itself (GOAL,
    htsim, MSCCL, MSCCL++, Chakra) is run on --system. Prints time, bound and bottleneck, and bandwidths or a table of
    operations. Tables that the file records go to -o.

    Examples
    --------
    supernode run job.toml
    supernode run job.toml --set link_latency='1 us' --json
    supernode run job.toml -o res/
    supernode run workload.toml
    supernode run ring.goal --system nvl72

    Exit codes
    ----------
    a simulation failed, or a file could not be written
    """
    overrides = overrides_of(settings)
    # the keys of the file are what the user wrote, so errors name the file and leave its keys as they are
    what: Any
    options: dict[str, Any] = {}
    if is_schedule(job):
        if system is None:
            raise SpecError(
                f"{job.name}: it is a schedule; give the system that it runs on, for example --system nvl72"
            )
        machine, what = build_system(system, settings), load_schedule(job, size=size)
    elif system is not None or size is not None:
        option = "--size" if system is None else "--system"
        raise SpecError(f"{option} has no effect: {job.name} is a job file, which says it")
    else:
        with _naming(job):
            machine, what, options = load_job(job, overrides)
    _check_output(output, format)
    with _naming(job):
        result: Result | WorkloadResult | ScheduleResult = simulate(machine, what, **options)
    written = [] if output is None else result.save(output, format or DEFAULT_FORMAT)
    if json:
        print_json({**_row(result), "warnings": result.warnings, "files": [str(path) for path in written]})
    else:
        typer.echo(_text(result))
    _warn(result.warnings)
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
    shown = ("summary",) if isinstance(result, Result) else ("summary", "operations")
    unwritten = [name for name in result.tables() if name not in shown]
    if output is None and unwritten:
        _warn([f"record: {', '.join(unwritten)} were recorded and not written; give -o DIR"])


def _text(result: Result | WorkloadResult | ScheduleResult) -> str:
    """Word a result."""
    if isinstance(result, ScheduleResult):
        return schedule_text(result)
    return workload_text(result) if isinstance(result, WorkloadResult) else _summary(result)


def _row(result: Result | WorkloadResult | ScheduleResult) -> dict[str, Any]:
    """Return what is printed as JSON of a run."""
    if not isinstance(result, Result):
        tables = {"summary": result.summary.to_pylist()[0], "operations": result.operations.to_pylist()}
        return {**tables, "overrides": result.meta["overrides"]}
    expected = None if result.expected_error is None else result.expected_error.as_dict()
    return {
        **result.row,
        "chosen_by": result.chosen_by,
        "overrides": result.overrides,
        "expected_error": expected,
    }


@contextmanager
def _naming(job: Path) -> Iterator[None]:
    """Name the job in every error that does not, such as that of a file that does not exist."""
    try:
        yield
    except SupernodeError as error:
        if job.name in str(error):
            raise
        raise type(error)(f"job {job.name}: {error}") from None


def _summary(result: Result) -> str:
    return (
        f"{result.collective} of {result.size_bytes} B on {result.system}, {result.n_ranks} ranks\n"
        f"time       {result.time_ns / 1e3:.3f} us (bound {result.bound / 1e3:.3f} us, {result.bound_kind})\n"
        f"algbw      {result.algbw_gbytes_s:.3f} GB/s\n"
        f"busbw      {result.busbw_gbytes_s:.3f} GB/s\n"
        f"algorithm  {result.algorithm}, protocol {result.protocol}, fidelity {result.fidelity}\n"
        f"bottleneck {result.bottleneck}\n"
        f"expected error: {result.expected_error}"
    )
