"""The command that puts two sides next to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode.cli.inspect_commands import complete_systems
from supernode.cli.options import build_system, completing
from supernode.cli.output import Json, print_json
from supernode.cli.plot_command import check_picture
from supernode.errors import SpecError
from supernode.files.text import is_folder, is_there
from supernode.library.collectives import BY_NAME, parse_name
from supernode.measured.point import Facts
from supernode.names import choose
from supernode.plot import comparison_chart, save_chart
from supernode.result.compare import PLACES
from supernode.result.curve import bench
from supernode.result.regimes import regimes
from supernode.result.sidebyside import Side, load_side, points, points_comparison, points_text, side_of
from supernode.run.sizes import parse_sizes
from supernode.system import System

__all__ = ["compare"]

#: Sizes of two systems, where none are asked for.
_SIZES = "1KiB:1GiB:x8"
_SAVED = "a folder of a result or a bench, or a file of measurements"


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
            help="What systems run, and what a file is of that does not say it [default: all_reduce].",
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
    ranks: Annotated[
        Optional[int],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--ranks",
            metavar="N",
            help="Of systems, and of a file that does not say them [default: those of the other side].",
            show_default=False,
        ),
    ] = None,
    place: Annotated[
        Optional[str],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--place",
            metavar="PLACE",
            help="Of measured times: out_of_place or in_place [default: the first that a file has].",
            show_default=False,
            autocompletion=completing(lambda: list(PLACES)),
        ),
    ] = None,
    picture: Annotated[
        Optional[Path],  # noqa: UP045 - typer's spelling
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw simulated and measured curve: a file that ends in .svg or .png.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Put two systems, results or measurements side by side.

    A and B are systems, folders that run -o or bench -o wrote, or files of measurements: logs and JSON of nccl-tests
    and rccl-tests, outputs of OSU, CSV. A system is simulated, at the sizes of the other side if that is a file or
    folder, and with the devices per thread that a log says. Prints a line per point and the median of the ratios; of a
    measurement also the errors of small, middle and large messages.

    Examples
    --------
    supernode compare hgx-a100 hgx-h100 --sizes '1MiB:256MiB:x16'
    supernode compare hgx-h100 sim.json --plot curves.svg
    supernode compare bench/ bench/ --json

    Exit codes
    ----------
    a simulation failed
    """
    if picture is not None:
        check_picture(picture)
    if place is not None:
        choose("place", place, PLACES)
    names = (a, b)
    operation = None if collective is None else parse_name(collective)
    machines = [None if _is_saved(name) else build_system(name, None) for name in names]
    folders = [load_side(name) if _is_saved(name) and is_folder(Path(name)) else None for name in names]
    files = [machine is None and folder is None for machine, folder in zip(machines, folders, strict=True)]
    _check_options(machines, files, {"--collective": collective, "--ranks": ranks, "--sizes": sizes, "--place": place})
    found: list[Side | None] = list(folders)
    for i, name in enumerate(names):
        if files[i]:
            found[i] = load_side(name, _facts(machines[1 - i], folders[1 - i], operation, ranks), place)
    for i, machine in enumerate(machines):
        if machine is not None:
            found[i] = _simulated(machine, found[1 - i], operation, sizes, ranks)
    left, right = (side for side in found if side is not None)
    table = points(left, right)
    comparison = points_comparison(table, left, right)
    if picture is not None:
        if comparison is None:
            raise SpecError("--plot draws a simulated and a measured curve; one side must be a file of measurements")
        save_chart(comparison_chart(comparison), picture)
    if json:
        print_json(table.to_pylist())
    else:
        summary = () if comparison is None else regimes(comparison)
        typer.echo(points_text(table, left.name, right.name, summary))


def _is_saved(name: str) -> bool:
    """Tell results from systems, whose files end in .toml."""
    return not name.endswith(".toml") and is_there(Path(name))


def _check_options(machines: Sequence[System | None], files: Sequence[bool], given: Mapping[str, object]) -> None:
    """Refuse options that nothing uses."""
    simulated = any(machine is not None for machine in machines)
    used = {
        "--collective": simulated or any(files),
        "--ranks": simulated or any(files),
        "--sizes": simulated,
        "--place": any(files),
    }
    for word, value in given.items():
        if value is not None and not used[word]:
            why = "neither side is a file of measurements" if word == "--place" else "nothing is simulated"
            raise SpecError(f"{word} has no effect: both sides are results, and {why}")


def _facts(machine: System | None, folder: Side | None, collective: str | None, ranks: int | None) -> Facts:
    """Return what is known of a file that does not say it: what the options say, or what the other side is of."""
    known = () if folder is None else folder.rows
    counts, kinds = {int(row["ranks"]) for row in known}, {str(row["collective"]) for row in known}
    if ranks is None:
        ranks = machine.accelerators if machine is not None else counts.pop() if len(counts) == 1 else None
    if collective is None:
        collective = kinds.pop() if len(kinds) == 1 else "all_reduce"
    return Facts(collective, ranks, binding=False)


def _simulated(
    machine: System, other: Side | None, collective: str | None, sizes: str | None, ranks: int | None
) -> Side:
    """Run a system at the sizes of the other side, or at those asked for."""
    rows = () if other is None else other.rows
    known = sorted({str(row["collective"]) for row in rows})
    if collective is None and len(known) > 1:
        raise SpecError(f"{other.name if other else ''} has {', '.join(known)}; give --collective")
    operation = collective or (known[0] if known else "all_reduce")
    own = [row for row in rows if row["collective"] == operation]
    if other is not None and not own:
        raise SpecError(f"{other.name} has no rows of {operation}; it has {', '.join(known)}")
    wanted = parse_sizes(sizes or _SIZES) if sizes is not None or not own else _sizes(own)
    options: dict[str, Any] = {} if ranks is None else {"ranks": ranks}
    name = machine.label
    if other is not None and other.measured:
        options |= _as_measured(own, ranks)
        if "devices_per_thread" in options:
            name += f", {options['devices_per_thread']} devices per thread"
    return side_of(bench(operation, machine, sizes=wanted, **options), name)


def _sizes(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    return sorted({int(row["size_bytes"]) for row in rows})


def _as_measured(rows: Sequence[Mapping[str, Any]], ranks: int | None) -> dict[str, Any]:
    """Return how a system is simulated as the measured one ran: its ranks, and how calls were launched."""
    found: dict[str, Any] = {}
    for name in ("ranks", "devices_per_thread", "graph"):
        values = {row[name] for row in rows}
        if len(values) == 1 and values != {None}:
            found[name] = values.pop()
    if "devices_per_thread" not in found:
        found.pop("graph", None)
    if ranks is not None:
        found.pop("ranks", None)
    return found
