"""The command that draws: the fabric of a system, or a chart of what runs left in folders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from supernode.cli.inspect_commands import Settings, complete_systems
from supernode.cli.options import build_system, completing
from supernode.errors import SpecError
from supernode.files.text import is_folder
from supernode.files.write import check_file, write_bytes
from supernode.names import choose
from supernode.plot import (
    busbw_chart,
    chart_png,
    chart_svg,
    latency_chart,
    link_chart,
    scaling_chart,
    time_chart,
    timeline_chart,
)
from supernode.quoting import quote
from supernode.result import Result, WorkloadResult
from supernode.result.benchmark import Bench
from supernode.result.saved import read_kind
from supernode.sweep import Sweep

__all__ = ["CHARTS", "check_picture", "plot"]

#: Charts, and the kinds of folders that each is made of.
CHARTS: Mapping[str, tuple[str, ...]] = {
    "busbw": ("bench",),
    "time": ("bench",),
    "latency": ("bench",),
    "scaling": ("bench", "result", "sweep"),
    "scaling-busbw": ("bench", "result", "sweep"),
    "links": ("result",),
    "links-by-number": ("result",),
    "timeline": ("workload",),
}
#: What is drawn of a folder where nothing else is asked for.
_USUAL = {"bench": "busbw", "result": "links", "sweep": "scaling", "workload": "timeline"}
_DRAW: Mapping[str, Callable[[Any], Any]] = {
    "busbw": busbw_chart,
    "time": time_chart,
    "latency": latency_chart,
    "scaling": scaling_chart,
    "scaling-busbw": lambda found: scaling_chart(found, "busbw", "Bus bandwidth with ranks"),
}

What = Annotated[
    list[str],
    typer.Argument(
        metavar="WHAT...",
        help="A system, or folders of results, benches, workloads or a sweep.",
        show_default=False,
        autocompletion=complete_systems,
    ),
]
Chart = Annotated[
    Optional[str],  # noqa: UP045 - typer's spelling
    typer.Option(
        "--chart",
        metavar="NAME",
        help="Of benches: busbw, time, latency, scaling, scaling-busbw. Of a result: links, links-by-number, scaling. "
        "Of a sweep: scaling, scaling-busbw. Of a workload: timeline [default: the first of these].",
        show_default=False,
        autocompletion=completing(lambda: list(CHARTS)),
    ),
]
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


def plot(
    what: What, chart: Chart = None, output: Output = None, scale: Scale = None, settings: Settings = None
) -> None:
    """Draw a system, or a chart of results, as SVG or PNG.

    A system of any size is drawn with its fabric. Of folders that run -o, bench -o and sweep run -o wrote, a chart is
    drawn. SVG goes to stdout where there is no -o.

    Examples
    --------
    supernode plot cloudmatrix384 -o cloudmatrix384.png
    supernode plot nvl72:4 --set link_latency='300 ns' > nvl72-4.svg
    supernode plot bench/ --chart time -o time.svg
    supernode plot res/ -o links.svg
    supernode plot out/ --chart scaling-busbw -o scaling.svg

    Exit codes
    ----------
    the file could not be written
    """
    if scale is not None and (output is None or output.suffix.lower() != ".png"):
        raise SpecError("--scale has no effect: it is for PNG files; give -o FILE.png, or leave it out")
    if output is not None:
        check_picture(output)
    if chart is not None:
        choose("chart", chart, CHARTS)
    folders = [name for name in what if not name.endswith(".toml") and is_folder(Path(name))]
    if not folders:
        _draw_system(what, chart, output, scale, settings)
        return
    if len(folders) < len(what):
        other = next(name for name in what if name not in folders)
        raise SpecError(f"{quote(other)} is no folder, and others are; give one system, or folders only")
    if settings:
        raise SpecError(f"--set {settings[0]} has no effect: what ran is drawn; give it where it runs")
    drawn = _chart([Path(name) for name in folders], chart)
    if output is None:
        typer.echo(chart_svg(drawn), nl=False)
        return
    if output.suffix.lower() == ".png":
        _write(output, chart_png(drawn, 2.0 if scale is None else scale))
    else:
        _write(output, chart_svg(drawn).encode())


def check_picture(output: Path) -> None:
    """Refuse a file that is no picture or cannot be written, before anything is drawn.

    Raises
    ------
    SpecError
        If it is one.
    """
    if output.suffix.lower() not in (".svg", ".png"):
        raise SpecError(f"output {quote(str(output))} must end in one of .svg, .png")
    check_file(output)


def _draw_system(
    what: Sequence[str], chart: str | None, output: Path | None, scale: float | None, settings: list[str] | None
) -> None:
    if len(what) > 1:
        raise SpecError(f"{len(what)} systems do not fit one picture; give one, or folders of results")
    if chart is not None:
        raise SpecError(f"--chart {chart} is of results, and {quote(what[0])} is no folder; give one that -o wrote")
    figure = build_system(what[0], settings).plot()
    if output is None:
        typer.echo(figure.svg, nl=False)
    else:
        figure.save(output, scale=2.0 if scale is None else scale)
        sys.stderr.write(f"wrote {output}\n")


def _chart(folders: Sequence[Path], name: str | None) -> Any:
    """Draw the chart of a name, or the usual one, of folders."""
    kinds = [_kind(folder) for folder in folders]
    for folder, kind in zip(folders, kinds, strict=True):
        if kind not in _USUAL:
            raise SpecError(f"folder {quote(str(folder))} holds a {kind}; give a result, bench, workload or sweep")
    name = name or _USUAL[kinds[0]]
    for folder, kind in zip(folders, kinds, strict=True):
        if kind not in CHARTS[name]:
            valid = ", ".join(chart for chart, of in CHARTS.items() if kind in of)
            raise SpecError(
                f"{folder}: a {name} chart is of {' or '.join(CHARTS[name])}, and this is a {kind}: {valid}"
            )
    if name in _DRAW:
        load: Mapping[str, Callable[[Path], Any]] = {
            "bench": Bench.load,
            "result": Result.load,
            "sweep": lambda folder: Sweep.scan(folder).sort("point").collect(),
        }
        return _DRAW[name]([load[kind](folder) for folder, kind in zip(folders, kinds, strict=True)])
    if len(folders) > 1:
        found = "workloads do not fit one timeline" if name == "timeline" else "results do not fit one picture of links"
        raise SpecError(f"{len(folders)} {found}; give one folder")
    if name == "timeline":
        return timeline_chart(WorkloadResult.load(folders[0]))
    return link_chart(Result.load(folders[0]), "index" if name == "links-by-number" else "busiest")


def _kind(folder: Path) -> str:
    return "sweep" if (folder / "sweep.json").is_file() else read_kind(folder)


def _write(output: Path, data: bytes) -> None:
    write_bytes(output, data)
    sys.stderr.write(f"wrote {output}\n")
