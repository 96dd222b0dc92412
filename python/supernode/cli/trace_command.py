"""The command that writes the timeline of a workload's run as a trace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from supernode.result.trace import trace_target
from supernode.result.workload import WorkloadResult

__all__ = ["trace"]


def trace(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a workload's result.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File that ends in .json.", show_default=False)
    ],
) -> None:
    """Write the timeline of a workload as a trace for Perfetto.

    The run has to have recorded the table iterations. https://ui.perfetto.dev and chrome://tracing open the file: a
    role of ranks is a process, a stream a thread, an instance of an operation an event.

    Examples
    --------
    supernode trace steps/ -o steps.json

    Exit codes
    ----------
    the file could not be written
    """
    trace_target(output)
    sys.stderr.write(f"wrote {WorkloadResult.load(folder).to_perfetto(output)}\n")
