"""Commands that look at systems and schedules without running them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode import catalogue
from supernode.cli.options import build_system, overrides_of, with_run_options
from supernode.explanation import explain as explain_collective
from supernode.report import systems_text
from supernode.schedules import schedule

__all__ = ["check", "explain", "plot", "show", "systems"]

System = Annotated[str, typer.Argument(help="Preset, NAME:n, or a preset file.", show_default=False)]
Collective = Annotated[str, typer.Argument(help="Collective, e.g. all_reduce.", show_default=False)]
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
Scale = Annotated[float, typer.Option("--scale", help="Pixels of a PNG for each unit of the SVG.")]


def systems() -> None:
    """List the systems that are known by name."""
    typer.echo(systems_text(catalogue.systems()))


def show(system: System, settings: Settings = None) -> None:
    """Print a system: every number with its mark, source and range."""
    typer.echo(str(catalogue.show(system, **overrides_of(settings))))


def plot(system: System, output: Output = None, scale: Scale = 2.0, settings: Settings = None) -> None:
    """Draw a system of any size, as SVG or PNG; to stdout as SVG without -o."""
    figure = build_system(system, settings).plot()
    if output is None:
        typer.echo(figure.svg, nl=False)
    else:
        figure.save(output, scale=scale)


@with_run_options
def explain(collective: Collective, system: System, options: Any, size: Size = None, settings: Settings = None) -> None:
    """Compare every algorithm and protocol for a collective, without running it."""
    typer.echo(str(explain_collective(build_system(system, settings), collective, size=size, **options)))


@with_run_options
def check(collective: Collective, system: System, options: Any, size: Size = None, settings: Settings = None) -> None:
    """Execute a schedule symbolically and prove that every rank gets the right data."""
    found = schedule(collective, system=build_system(system, settings), size=size, **options).check()
    typer.echo(
        f"{collective} by {found.algorithm}: correct; {found.messages} messages, {found.bytes} B, "
        f"{found.steps} steps, {found.lanes} lanes"
    )
