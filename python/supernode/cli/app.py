"""The ``supernode`` command and its exit codes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from supernode.cli import (
    calibrate_command,
    compare_command,
    file_commands,
    inspect_commands,
    plot_command,
    run_commands,
    sweep_commands,
    trace_command,
)
from supernode.cli.command import Command
from supernode.cli.terminal import use_plain_warnings
from supernode.core import versions

__all__ = ["app", "main"]

app = typer.Typer(
    name="supernode",
    help="Simulate collective communication on AI supernodes, packet by packet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="""
"supernode COMMAND --help" describes a command, with examples.

\b
Exit codes:
  0    success
  1    a simulation or a check failed, or a file could not be written
  2    wrong usage: an option, a name, a value or a file is not valid
  130  interrupted
""",
)

_COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("systems", inspect_commands.systems),
    ("show", inspect_commands.show),
    ("plot", plot_command.plot),
    ("bench", run_commands.bench),
    ("run", run_commands.run),
    ("explain", inspect_commands.explain),
    ("check", inspect_commands.check),
    ("compare", compare_command.compare),
    ("calibrate", calibrate_command.calibrate),
    ("convert", file_commands.convert),
    ("report", file_commands.report),
    ("trace", trace_command.trace),
    ("schema", file_commands.schema),
    ("doctor", inspect_commands.doctor),
)
for _name, _function in _COMMANDS:
    app.command(_name, cls=Command)(_function)

_sweep = typer.Typer(help="Run many points and keep them as one frame.", no_args_is_help=True, rich_markup_mode=None)
for _name, _function in (
    ("run", sweep_commands.run),
    ("status", sweep_commands.status),
    ("retry", sweep_commands.retry),
    ("merge", sweep_commands.merge),
    ("pareto", sweep_commands.pareto),
):
    _sweep.command(_name, cls=Command)(_function)
app.add_typer(_sweep, name="sweep")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo("\n".join(f"{name} {version}" for name, version in versions().items()))
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", help="Print versions and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has done the work


def _write_anything() -> None:
    """Let text with letters that the locale has not, as in "µ", be written nevertheless: escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    use_plain_warnings()
    _write_anything()
    try:
        app(args, prog_name="supernode")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader has gone, as in "supernode show nvl72 | head": stop without a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or 'output'}: {error.strerror or error}\n")
        sys.exit(1)
