"""Commands that look at systems and schedules without running them."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from supernode.cli.doctor import diagnose
from supernode.cli.headings import FABRIC, SIZES
from supernode.cli.options import build_system, completing, overrides_of, with_run_options
from supernode.cli.output import Json, print_json
from supernode.library.collectives import BY_NAME
from supernode.preset import catalogue
from supernode.preset.text import system_rows, systems_text
from supernode.result.explanation import IDLE as NO_EXPLAIN
from supernode.result.explanation import explain as explain_collective
from supernode.run.schedules import IDLE as NO_SCHEDULE
from supernode.run.schedules import schedule

__all__ = ["check", "complete_systems", "doctor", "explain", "show", "systems"]

#: Completes the name of a system. Where nothing begins so, the shell completes files.
complete_systems = completing(catalogue.systems)

System = Annotated[
    str,
    typer.Argument(
        metavar="SYSTEM",
        help="A preset, NAME:n for n of its units, or a system file.",
        show_default=False,
        autocompletion=complete_systems,
    ),
]
Collective = Annotated[
    str,
    typer.Argument(
        metavar="COLLECTIVE",
        help="The collective, e.g. all_reduce.",
        show_default=False,
        autocompletion=completing(lambda: list(BY_NAME)),
    ),
]
Settings = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer's spelling
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Override a parameter; repeatable.", show_default=False,
        rich_help_panel=FABRIC,
    ),
]  # fmt: skip
Size = Annotated[
    Optional[str],  # noqa: UP045 - typer's spelling
    typer.Option(
        "--size", "-s", metavar="SIZE", help="Size as nccl-tests counts it, e.g. 1MiB.", show_default=False,
        rich_help_panel=SIZES,
    ),
]  # fmt: skip


def systems(json: Json = False) -> None:
    """List the systems that are known by name.

    Prints name, accelerators, software stack and title of each.

    Examples
    --------
    supernode systems
    supernode systems --json
    """
    rows = system_rows(catalogue.systems())
    if json:
        print_json(rows)
    else:
        typer.echo(systems_text(rows))


def show(system: System, settings: Settings = None, json: Json = False) -> None:
    """Print a system: every number with its source.

    Prints the networks, what the machine consists of, every parameter with its mark, source and range, the software
    stack, where sources disagree, and what is not modelled.

    Examples
    --------
    supernode show nvl72
    supernode show nvl72:4 --set link_latency='300 ns'
    supernode show cloudmatrix384 --json
    """
    overrides = overrides_of(settings)
    build_system(system, settings)  # its errors name --set
    found = catalogue.show(system, **overrides)
    if json:
        print_json(found.as_dict())
    else:
        typer.echo(str(found))


@with_run_options(idle=NO_EXPLAIN)
def explain(
    collective: Collective,
    system: System,
    options: Any,
    size: Size = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Compare every algorithm and protocol by its price.

    Prints what each would cost, how the price was found, and why it cannot run where it cannot; and what the library
    itself estimates and takes, where that is known. What it takes and what may be the fastest are simulated.

    Examples
    --------
    supernode explain all_reduce hgx-h100:4 --size 1MiB
    supernode explain all_to_all nvl72 --size 64KiB --json

    Exit codes
    ----------
    a simulation failed
    """
    machine = build_system(system, settings)
    found = explain_collective(machine, collective, size=size, **options)
    if json:
        spec = found.plan.spec
        print_json(
            {
                "system": machine.label,
                "collective": spec.collective,
                "size_bytes": spec.bytes,
                "ranks": found.plan.ranks,
                "candidates": found.table.to_pylist(),
                "missing": [{"algorithm": name, "library_ns": 1e3 * time_us} for name, time_us in found.missing],
                "instead_of": found.instead_of,
                "expected_error": found.expected_error.as_dict(),
            }
        )
    else:
        typer.echo(str(found))


@with_run_options(idle=NO_SCHEDULE)
def check(
    collective: Collective,
    system: System,
    options: Any,
    size: Size = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Prove that a schedule gives every rank the right data.

    Executes the schedule symbolically, the same one that is simulated. Prints the number of messages, bytes, steps and
    lanes. A schedule that is wrong is an error that says where.

    Examples
    --------
    supernode check all_reduce hgx-h100 --size 1MiB --algo ring
    supernode check all_to_all hgx-h100:2 --size 4KiB --json

    Exit codes
    ----------
    the schedule is wrong, or the check needs more than it may take
    """
    machine = build_system(system, settings)
    found = schedule(collective, system=machine, size=size, **options).check()
    if json:
        counts = {"messages": found.messages, "bytes": found.bytes, "steps": found.steps, "lanes": found.lanes}
        print_json({"system": machine.label, "collective": collective, "algorithm": found.algorithm, **counts})
    else:
        typer.echo(
            f"{collective} by {found.algorithm}: correct; {found.messages} messages, {found.bytes} B, "
            f"{found.steps} steps, {found.lanes} lanes"
        )


def doctor(json: Json = False) -> None:
    """Check the installation in a few seconds.

    Prints versions, cores, memory, and what extras are installed, and simulates a few small cases whose results are
    known.

    Examples
    --------
    supernode doctor

    Exit codes
    ----------
    a check failed
    """
    report = diagnose()
    if json:
        print_json(report.as_dict())
    else:
        typer.echo(str(report))
    if not report.healthy:
        raise typer.Exit(1)
