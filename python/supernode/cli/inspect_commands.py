"""Commands that look at systems and schedules without running them."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode import catalogue
from supernode.cli.options import build_system, completing, overrides_of, with_run_options
from supernode.collectives import BY_NAME
from supernode.doctor import diagnose
from supernode.errors import SpecError
from supernode.explanation import IDLE as NO_EXPLAIN
from supernode.explanation import explain as explain_collective
from supernode.report import system_rows, systems_text
from supernode.schedules import IDLE as NO_SCHEDULE
from supernode.schedules import schedule

__all__ = ["check", "doctor", "explain", "plot", "show", "systems"]

System = Annotated[
    str,
    typer.Argument(
        help="Preset, NAME:n, or a preset file.", show_default=False, autocompletion=completing(catalogue.systems)
    ),
]
Collective = Annotated[
    str,
    typer.Argument(
        help="Collective, e.g. all_reduce.", show_default=False, autocompletion=completing(lambda: list(BY_NAME))
    ),
]
Settings = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer's spelling
    typer.Option("--set", metavar="NAME=VALUE", help="Override a parameter; repeatable.", show_default=False),
]
Size = Annotated[
    Optional[str],  # noqa: UP045 - typer's spelling
    typer.Option("--size", "-s", help="Bytes, e.g. 1MiB.", show_default=False),
]

Output = Annotated[
    Optional[Path],  # noqa: UP045 - typer's spelling
    typer.Option("--output", "-o", help="File that ends in .svg or .png.", show_default=False),
]
Scale = Annotated[
    Optional[float],  # noqa: UP045 - typer's spelling
    typer.Option("--scale", help="Pixels of a PNG for each unit of the SVG [default: 2].", show_default=False),
]


def systems(
    json: Annotated[bool, typer.Option("--json", help="Print a list of objects instead of a table.")] = False,
) -> None:
    """List the systems that are known by name."""
    rows = system_rows(catalogue.systems())
    typer.echo(dumps(rows, indent=2) if json else systems_text(rows))


def show(system: System, settings: Settings = None) -> None:
    """Print a system: every number with its mark, source and range."""
    typer.echo(str(catalogue.show(system, **overrides_of(settings))))


def plot(system: System, output: Output = None, scale: Scale = None, settings: Settings = None) -> None:
    """Draw a system of any size, as SVG or PNG; to stdout as SVG without -o."""
    if scale is not None and (output is None or output.suffix.lower() != ".png"):
        raise SpecError("--scale has no effect: it is for PNG files; give -o FILE.png, or leave it out")
    figure = build_system(system, settings).plot()
    if output is None:
        typer.echo(figure.svg, nl=False)
    else:
        figure.save(output, scale=2.0 if scale is None else scale)
        sys.stderr.write(f"wrote {output}\n")


@with_run_options(idle=NO_EXPLAIN)
def explain(collective: Collective, system: System, options: Any, size: Size = None, settings: Settings = None) -> None:
    """Compare every algorithm and protocol for a collective, without running it."""
    typer.echo(str(explain_collective(build_system(system, settings), collective, size=size, **options)))


@with_run_options(idle=NO_SCHEDULE)
def check(collective: Collective, system: System, options: Any, size: Size = None, settings: Settings = None) -> None:
    """Execute a schedule symbolically and prove that every rank gets the right data."""
    found = schedule(collective, system=build_system(system, settings), size=size, **options).check()
    typer.echo(
        f"{collective} by {found.algorithm}: correct; {found.messages} messages, {found.bytes} B, "
        f"{found.steps} steps, {found.lanes} lanes"
    )


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print an object instead of lines.")] = False,
) -> None:
    """Print versions, cores, memory and extras, and check the installation in a few seconds.

    Ends with exit code 1 if a check fails. Example: supernode doctor
    """
    report = diagnose()
    typer.echo(dumps(report.as_dict(), indent=2) if json else str(report))
    if not report.healthy:
        raise typer.Exit(1)
