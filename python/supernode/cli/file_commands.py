"""Commands that read and write files of systems."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from supernode.cli.headings import FORMATS, SUPPLIED
from supernode.cli.options import completing
from supernode.cli.output import Json, print_json
from supernode.cli.terminal import print_warnings
from supernode.cli.words import in_cli_words
from supernode.errors import SpecError
from supernode.explicit.schedule import FORMATS as SCHEDULES
from supernode.explicit.schedule import ExplicitSchedule, is_schedule, load_schedule
from supernode.preset.schema import system_schema
from supernode.system import System
from supernode.units import Quantity

if TYPE_CHECKING:
    from supernode.io.found import ImportOptions

__all__ = ["convert", "report", "schema"]


def _option(name: str, metavar: str, help: str, panel: str = SUPPLIED, **more: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=help, show_default=False, rich_help_panel=panel, **more)


def _readable() -> list[str]:
    from supernode.io import registry

    return [*(name for name, each in registry.FORMATS.items() if each.read is not None or name == "toml"), *SCHEDULES]


def _writable() -> list[str]:
    from supernode.io import registry

    return [*(name for name, each in registry.FORMATS.items() if each.write is not None), *SCHEDULES]


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="File of any known format.", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.", show_default=False)],
    from_format: Annotated[
        Optional[str],  # noqa: UP045
        _option("--from", "FORMAT", "Format of IN.", FORMATS, autocompletion=completing(_readable)),
    ] = None,
    to_format: Annotated[
        Optional[str],  # noqa: UP045
        _option("--to", "FORMAT", "Format of OUT.", FORMATS, autocompletion=completing(_writable)),
    ] = None,
    name: Annotated[Optional[str], _option("--name", "NAME", "Name of the system.")] = None,  # noqa: UP045
    link_rate: Annotated[
        Optional[list[str]],  # noqa: UP045
        _option("--link-rate", "[LINK=]RATE", "Rate of links that IN has none for; repeatable with names."),
    ] = None,
    link_latency: Annotated[
        Optional[list[str]],  # noqa: UP045
        _option("--link-latency", "[LINK=]TIME", "Latency of links that IN has none for; repeatable with names."),
    ] = None,
    switch_latency: Annotated[
        Optional[str],  # noqa: UP045
        _option("--switch-latency", "TIME", "Latency of switches that IN has none for."),
    ] = None,
    accelerators: Annotated[
        Optional[str],  # noqa: UP045
        _option("--accelerators", "NAMES", "Vertices that are accelerators, with commas, in the order of ranks."),
    ] = None,
    hints: Annotated[Optional[Path], _option("--hints", "FILE", "ASTRA-sim's system.json.")] = None,  # noqa: UP045
    forwarding: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--forwarding/--no-forwarding",
            help="Whether accelerators forward packets of others.",
            rich_help_panel=SUPPLIED,
        ),
    ] = None,
    size: Annotated[
        Optional[str],  # noqa: UP045
        _option("--size", "SIZE", "Size of the message, of a schedule that is for any (MSCCL, MSCCL++)."),
    ] = None,
    json: Json = False,
) -> None:
    """Convert a system or a schedule from one format into another.

    The format of IN follows from its content, that of OUT from its extension. What OUT cannot hold is a warning.
    Options supply what IN does not say of a system; a schedule takes none of them.

    Examples
    --------
    supernode convert topo.xml node.toml --link-rate '25 GB/s' --link-latency 1us
    supernode convert node.toml node.graphml
    supernode convert node.toml node.dot --json
    supernode convert ring.goal ring.bin
    """
    supplied = (name, link_rate, link_latency, switch_latency, accelerators, hints, forwarding)
    if _of_schedules(source, from_format, target, to_format):
        if any(value is not None for value in supplied):
            raise SpecError(f"{source.name}: it is a schedule, and takes only --from, --to, --size and --json")
        _convert_schedule(load_schedule(source, from_format, size=size), target, to_format, json)
        return
    if size is not None:
        raise SpecError(f"--size has no effect: {source.name} is a system")
    options: ImportOptions = {
        "name": name,
        "link_rate": _by_name(link_rate, "--link-rate"),
        "link_latency": _by_name(link_latency, "--link-latency"),
        "switch_latency": switch_latency,
        "accelerators": None if accelerators is None else [n.strip() for n in accelerators.split(",")],
        "hints": hints,
        "forwarding": forwarding,
    }
    system = System.from_file(source, from_format, **options)
    left_out = system.save(target, to_format)
    notes = [in_cli_words(text) for text in system.notes()]
    if json:
        found = {"file": str(target), "system": system.label, "accelerators": system.accelerators}
        print_json({**found, "notes": notes, "left_out": list(left_out)})
    print_warnings((*notes, *left_out))
    sys.stderr.write(f"wrote {target}\n")


def _of_schedules(source: Path, from_format: str | None, target: Path, to_format: str | None) -> bool:
    """Tell whether a conversion is of schedules: by the formats that are named, and else by extensions."""
    named = [name for name in (from_format, to_format) if name is not None]
    if named:
        return all(name in SCHEDULES for name in named)
    return is_schedule(source) and is_schedule(target)


def _convert_schedule(schedule: ExplicitSchedule, target: Path, to_format: str | None, json: bool) -> None:
    left_out = schedule.save(target, to_format)
    if json:
        found = {"file": str(target), "schedule": schedule.name, "ranks": schedule.ranks, "operations": len(schedule)}
        print_json({**found, "left_out": list(left_out)})
    print_warnings(left_out)
    sys.stderr.write(f"wrote {target}\n")


def schema() -> None:
    """Print the JSON Schema of system files.

    Editors that know it complete and check system files while you write them.

    Examples
    --------
    supernode schema > system.schema.json
    """
    print_json(system_schema())


def _by_name(values: Sequence[str] | None, option: str) -> Quantity | dict[str, Quantity] | None:
    """Return one value, or one for each name."""
    if not values:
        return None
    pairs = [value.partition("=") for value in values]
    if len(pairs) == 1 and not pairs[0][1]:
        return values[0]
    if not all(equals and name for name, equals, _ in pairs):
        raise SpecError(f"{option}: {', '.join(values)}: give one value, or LINK=VALUE each time")
    found: dict[str, Quantity] = {name.strip(): text.strip() for name, _, text in pairs}
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name.strip() for name, *_ in pairs).items() if times > 1)
        raise SpecError(f"{option} {twice} is given twice")
    return found


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a result, a bench or a sweep.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File that ends in .html.", show_default=False)
    ],
) -> None:
    """Write a report as one HTML file.

    It has key figures, warnings, pictures, tables that sort and filter, and the configuration. It needs no network and
    no other files. The extra 'report' has to be installed: pip install 'supernode[report]'.

    Examples
    --------
    supernode report res/ -o report.html
    """
    from supernode.page import write_report  # with the pictures, which no other command of this module needs

    sys.stderr.write(f"wrote {write_report(folder, output)}\n")
