"""The ``supernode`` command and its exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from supernode.cli import compare_command, file_commands, inspect_commands, run_commands, sweep_commands
from supernode.cli.once import OnceCommand
from supernode.cli.words import in_cli_words
from supernode.core import versions
from supernode.errors import SupernodeError
from supernode.terminal import use_plain_warnings

__all__ = ["app", "main"]

app = typer.Typer(
    name="supernode",
    help="Simulate collective communication on AI supernodes, packet by packet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Let Ctrl-C end a command with exit code 130 and one word."""

    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        try:
            command(**arguments)
        except KeyboardInterrupt:
            sys.stderr.write("interrupted\n")
            raise typer.Exit(130) from None

    return wrapped


_COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("systems", inspect_commands.systems),
    ("show", inspect_commands.show),
    ("plot", inspect_commands.plot),
    ("bench", run_commands.bench),
    ("run", run_commands.run),
    ("explain", inspect_commands.explain),
    ("check", inspect_commands.check),
    ("compare", compare_command.compare),
    ("convert", file_commands.convert),
    ("report", file_commands.report),
    ("schema", file_commands.schema),
    ("doctor", inspect_commands.doctor),
)
for _name, _function in _COMMANDS:
    app.command(_name, cls=OnceCommand)(_interruptible(_function))

_sweep = typer.Typer(help="Run many points and keep them as one frame.", no_args_is_help=True, rich_markup_mode=None)
for _name, _function in (
    ("run", sweep_commands.run),
    ("status", sweep_commands.status),
    ("retry", sweep_commands.retry),
    ("merge", sweep_commands.merge),
    ("pareto", sweep_commands.pareto),
):
    _sweep.command(_name, cls=OnceCommand)(_interruptible(_function))
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


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    use_plain_warnings()
    try:
        app(args)
    except SupernodeError as error:
        sys.stderr.write(f"error: {in_cli_words(str(error))}\n")
        sys.exit(error.exit_code)
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
