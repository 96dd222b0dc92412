"""The command that finds constants from measurements."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode.calibration import calibrate as find
from supernode.cli.headings import CHOICE, FABRIC, OUTPUT, RANKS
from supernode.cli.inspect_commands import Settings, complete_systems
from supernode.cli.options import build_system, completing, overrides_of
from supernode.cli.output import Json, print_json
from supernode.errors import SpecError
from supernode.files.write import check_file
from supernode.library.collectives import BY_NAME
from supernode.library.stack import stacks

__all__ = ["calibrate"]


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _option(*flags: str, metavar: str | None, heading: str, text: str, **more: Any) -> Any:
    return typer.Option(*flags, metavar=metavar, help=text, show_default=False, rich_help_panel=heading, **more)


def calibrate(
    measured: Annotated[
        Optional[list[Path]],  # noqa: UP045 - typer's spelling
        typer.Argument(metavar="FILE...", help="Files of measurements.", show_default=False),
    ] = None,
    system: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _option(
            "--system",
            metavar="SYSTEM",
            heading=FABRIC,
            text="What they were measured on.",
            autocompletion=complete_systems,
        ),
    ] = None,
    rows: Annotated[
        Optional[Path],  # noqa: UP045 - typer's spelling
        _option(
            "--rows", metavar="FILE", heading=FABRIC, text="A file of [[curve]] tables, instead of files and options."
        ),
    ] = None,
    settings: Settings = None,
    collective: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _option(
            "--collective",
            metavar="COLLECTIVE",
            heading=RANKS,
            text="Of files that do not say it.",
            autocompletion=completing(lambda: list(BY_NAME)),
        ),
    ] = None,
    ranks: Annotated[
        Optional[int],  # noqa: UP045 - typer's spelling
        _option("--ranks", metavar="N", heading=RANKS, text="Of files that do not say them."),
    ] = None,
    devices_per_thread: Annotated[
        Optional[int],  # noqa: UP045 - typer's spelling
        _option(
            "--devices-per-thread",
            "-g",
            metavar="N",
            heading=RANKS,
            text="Devices that each thread launched calls on [default: what the files say].",
        ),
    ] = None,
    graph: Annotated[
        Optional[bool],  # noqa: UP045 - typer's spelling
        _option("--graph", metavar=None, heading=RANKS, text="Calls were captured in a graph."),
    ] = None,
    algorithm: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _option(
            "--algo", "--algorithm", metavar="NAME", heading=CHOICE, text="Algorithm that was forced [default: auto]."
        ),
    ] = None,
    protocol: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _option("--protocol", metavar="NAME", heading=CHOICE, text="Protocol that was forced."),
    ] = None,
    stack: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _option(
            "--stack",
            metavar="NAME",
            heading=CHOICE,
            text="Stack to start from [default: the system's].",
            autocompletion=completing(stacks),
        ),
    ] = None,
    constant: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer's spelling
        _option(
            "--constant",
            metavar="NAME[=LOW:HIGH]",
            heading=CHOICE,
            text="A constant to fit; repeatable [default: those that explain most].",
        ),
    ] = None,
    most: Annotated[
        Optional[int],  # noqa: UP045 - typer's spelling
        _option(
            "--most", metavar="N", heading=CHOICE, text="Constants of the stack that are fitted at most [default: 8]."
        ),
    ] = None,
    leave_out: Annotated[
        Optional[bool],  # noqa: UP045 - typer's spelling
        _option("--leave-out", metavar=None, heading=CHOICE, text="Also refit without each system in turn."),
    ] = None,
    fidelity: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        _option("--fidelity", metavar="NAME", heading=CHOICE, text="Of the runs [default: auto]."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer's spelling
        _option("--output", "-o", metavar="FILE.toml", heading=OUTPUT, text="Write the stack there."),
    ] = None,
    json: Json = False,
) -> None:
    """Find constants of a stack from measured times.

    Reads what benchmarks print, runs each row as it was measured, and looks for the values of the constants with
    which predictions are nearest. Prints which rows determine which constant, and what they do not determine.
    --stack loads the file that -o writes.

    Examples
    --------
    supernode calibrate measured.csv --system hgx-h100 -g 2 -o stack.toml
    supernode calibrate measured.csv --system hgx-h100 --most 2 --json
    supernode calibrate measured.csv --system hgx-h100 --constant nvls.wire
    supernode calibrate --rows curves.toml --leave-out
    """
    if output is not None:
        if output.suffix != ".toml":
            raise SpecError(f"-o {output} must end in .toml, so that --stack takes it for a file")
        check_file(output)
    if system is not None:
        build_system(system, settings)  # its errors name --set
    elif settings:
        raise SpecError("--set has no effect without --system")
    given: dict[str, Any] = {
        "system": system, "rows": rows, "overrides": overrides_of(settings) or None, "collective": collective,
        "ranks": ranks, "devices_per_thread": devices_per_thread, "graph": graph, "algorithm": algorithm,
        "protocol": protocol, "stack": stack, "constants": constant, "most": most, "leave_out": leave_out,
        "fidelity": fidelity,
    }  # fmt: skip
    found = find(
        measured or (),
        tell=_tell,
        **{name: value for name, value in given.items() if value is not None},
    )
    written = [] if output is None else [str(found.save(output))]
    if json:
        constants = [
            {"name": f.name, "value": f.text, "low": f.constant.text(f.low), "high": f.constant.text(f.high),
             "before": f.constant.text(f.constant.start), "rows": f.rows, "systems": list(f.systems)}
            for f in found.found
        ]  # fmt: skip
        print_json(
            {
                "loss_before": found.loss_before,
                "loss_after": found.loss_after,
                "constants": constants,
                "refused": dict(found.refused),
                "predictions": found.predictions.to_pylist(),
                "files": written,
            }
        )
    else:
        typer.echo(str(found))
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
