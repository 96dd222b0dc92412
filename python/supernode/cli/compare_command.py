"""The command that puts two sides next to each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from supernode.cli.inspect_commands import complete_systems
from supernode.cli.options import build_system, completing
from supernode.cli.output import Json, print_json
from supernode.errors import SpecError
from supernode.files.text import is_there
from supernode.library.collectives import BY_NAME
from supernode.result.curve import bench
from supernode.result.sidebyside import Side, load_side, points, points_text, side_of
from supernode.run.sizes import parse_sizes

__all__ = ["compare"]

#: Sizes of two systems, where none are asked for.
_SIZES = "1KiB:1GiB:x8"
_SAVED = "a folder of a result or a bench, or a -J file of nccl-tests"


def compare(
    a: Annotated[
        str,
        typer.Argument(metavar="A", help=f"A system, {_SAVED}.", show_default=False, autocompletion=complete_systems),
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The same.", show_default=False, autocompletion=complete_systems)
    ],
    collective: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--collective",
            metavar="COLLECTIVE",
            help="What systems run [default: all_reduce].",
            show_default=False,
            autocompletion=completing(lambda: list(BY_NAME)),
        ),
    ] = None,
    sizes: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--sizes",
            metavar="SIZES",
            help=f"Of systems [default: those of the other side, or {_SIZES}].",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Put two systems, results or measurements side by side.

    A and B are systems, folders that run -o or bench -o wrote, or -J files of nccl-tests. A system is simulated, at the
    sizes of the other side if that is a file or folder. Prints a line per point and the median of the ratios.

    Examples
    --------
    supernode compare hgx-a100 hgx-h100 --sizes '1MiB:256MiB:x16'
    supernode compare hgx-h100 sim.json
    supernode compare bench/ bench/ --json

    Exit codes
    ----------
    a simulation failed
    """
    saved = {name: load_side(name) for name in (a, b) if _is_saved(name)}
    if len(saved) == len({a, b}) and (collective is not None or sizes is not None):
        word = "--collective" if collective is not None else "--sizes"
        raise SpecError(f"{word} has no effect: both sides are results, and nothing is simulated")
    found = [saved.get(name) for name in (a, b)]
    for i, name in enumerate((a, b)):
        found[i] = found[i] or _simulated(name, found[1 - i], collective, sizes)
    left, right = (side for side in found if side is not None)
    table = points(left, right)
    if json:
        print_json(table.to_pylist())
    else:
        typer.echo(points_text(table, left.name, right.name))


def _is_saved(name: str) -> bool:
    """Tell results from systems, whose files end in .toml."""
    return not name.endswith(".toml") and is_there(Path(name))


def _simulated(name: str, other: Side | None, collective: str | None, sizes: str | None) -> Side:
    """Run a system at the sizes of the other side, or at those asked for."""
    known = {} if other is None else {str(row["collective"]) for row in other.rows if "collective" in row}
    if collective is None and len(known) > 1:
        raise SpecError(f"{other.name if other else ''} has {', '.join(sorted(known))}; give --collective")
    operation = collective or next(iter(known), "all_reduce")
    if sizes is not None or other is None:
        wanted = parse_sizes(sizes or _SIZES)
    else:
        wanted = sorted({int(row["size_bytes"]) for row in other.rows if row.get("collective", operation) == operation})
        if not wanted:
            raise SpecError(f"{other.name} has no rows of {operation}; it has {', '.join(sorted(known))}")
    machine = build_system(name, None)
    return side_of(bench(operation, machine, sizes=wanted), machine.label)
