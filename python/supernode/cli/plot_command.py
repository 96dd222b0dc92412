"""The command that draws."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from supernode.cli.inspect_commands import Settings, System
from supernode.cli.options import build_system
from supernode.errors import SpecError

__all__ = ["plot"]

Output = Annotated[
    Optional[Path],  # noqa: UP045 - typer's spelling
    typer.Option("--output", "-o", metavar="FILE", help="File that ends in .svg or .png.", show_default=False),
]
Scale = Annotated[
    Optional[float],  # noqa: UP045 - typer's spelling
    typer.Option(
        "--scale", metavar="FACTOR", help="Pixels of a PNG for each unit of the SVG [default: 2].", show_default=False
    ),
]


def plot(system: System, output: Output = None, scale: Scale = None, settings: Settings = None) -> None:
    """Draw a system of any size, as SVG or PNG.

    SVG goes to stdout where there is no -o.

    Examples
    --------
    supernode plot cloudmatrix384 -o cloudmatrix384.png
    supernode plot nvl72:4 --set link_latency='300 ns' > nvl72-4.svg
    """
    if scale is not None and (output is None or output.suffix.lower() != ".png"):
        raise SpecError("--scale has no effect: it is for PNG files; give -o FILE.png, or leave it out")
    figure = build_system(system, settings).plot()
    if output is None:
        typer.echo(figure.svg, nl=False)
    else:
        figure.save(output, scale=2.0 if scale is None else scale)
        sys.stderr.write(f"wrote {output}\n")
