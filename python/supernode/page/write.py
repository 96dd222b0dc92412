"""A report as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.files.data import packaged_text
from supernode.files.text import as_path, is_there
from supernode.files.write import check_file, write_bytes
from supernode.page.contents import Report, of_bench, of_result
from supernode.page.sweeps import of_sweep
from supernode.quoting import quote
from supernode.result import Result
from supernode.result.benchmark import Bench
from supernode.result.saved import read_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["render", "write_report"]


def write_report(source: Result | Bench | str | Path, target: str | Path) -> Path:
    """Write a report.

    Parameters
    ----------
    source
        A result, a bench, or the folder of one or of a sweep.
    target
        The file, whose name ends in ``.html``.

    Raises
    ------
    SpecError
        If the folder is none of these, or the name does not end in ``.html``.
    MissingExtraError
        If the extra ``report`` is not installed.
    OutputError
        If the file cannot be written.
    """
    place = as_path(target, "output")
    if place.suffix != ".html":
        raise SpecError(f"output {quote(str(place))} must end in .html")
    check_file(place)
    write_bytes(place, render(_contents(source)).encode())
    return place


def _contents(source: Result | Bench | str | Path) -> Report:
    if isinstance(source, Result):
        return of_result(source)
    if isinstance(source, Bench):
        return of_bench(source)
    folder = as_path(source, "folder")
    if is_there(folder / "sweep.json"):
        return of_sweep(folder)
    kind = read_kind(folder)
    if kind not in ("result", "bench"):
        raise SpecError(f"folder {quote(str(folder))} holds a {kind}; give one of a result, a bench or a sweep")
    return of_result(Result.load(folder)) if kind == "result" else of_bench(Bench.load(folder))


def render(report: Report) -> str:
    """Return the page."""
    with extra("report", "a report needs Jinja2"):
        from jinja2 import Environment, StrictUndefined

    page = packaged_text("page", "page.html")
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    values: Mapping[str, Report] = {"report": report}
    return made.from_string(page).render(values)
