"""Charts as files: PNG, and SVG with the description that screen readers read."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.files.text import as_path
from supernode.files.write import atomic_path
from supernode.quoting import quote

if TYPE_CHECKING:
    import altair as alt

__all__ = ["chart_png", "chart_svg", "save_chart"]

_OPENING = re.compile(r"<svg\b[^>]*>")
#: Names of gradients and clips, which the renderer numbers through all pictures of the process.
_NUMBERED = re.compile(r"\b(gradient_|clip)(\d+)\b")


def chart_svg(chart: alt.Chart | Any) -> str:
    """Return a chart as SVG: the same text for the same chart, with its description.

    Raises
    ------
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    with extra("plot", "a picture of a chart needs vl-convert-python"):
        import vl_convert

    numbers: dict[str, str] = {}
    text = _NUMBERED.sub(
        lambda found: found[1] + numbers.setdefault(found[0], str(len(numbers))),
        vl_convert.vegalite_to_svg(chart.to_json()),
    )
    words = chart.to_dict().get("description", "")
    if not words:
        return text
    return _OPENING.sub(lambda found: f'{found[0][:-1]} role="img"><desc>{escape(words)}</desc>', text, count=1)


def chart_png(chart: alt.Chart | Any, scale: float = 2.0) -> bytes:
    """Return a chart as PNG.

    Parameters
    ----------
    chart
        The chart.
    scale
        Pixels for each unit of the SVG.

    Raises
    ------
    SpecError
        If the scale is not between 0.1 and 10.
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0.1 <= scale <= 10:
        raise SpecError(f"scale: {quote(scale)} is not valid; it must be a number from 0.1 to 10")
    with extra("plot", "a picture of a chart needs vl-convert-python"):
        import vl_convert

    data: bytes = vl_convert.vegalite_to_png(chart.to_json(), scale=scale)
    return data


def save_chart(chart: alt.Chart | Any, path: str | Path, scale: float = 2.0) -> list[Path]:
    """Write a chart as PNG and as SVG, each whole or not at all.

    Parameters
    ----------
    chart
        The chart.
    path
        Path without extension, or with one of ``.png`` and ``.svg``, and then only that is written.
    scale
        Pixels of a PNG for each unit of the SVG.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    MissingExtraError
        If the extra ``plot`` is not installed.
    """
    target = as_path(path, "output")
    kinds = [target.suffix] if target.suffix in (".png", ".svg") else [".png", ".svg"]
    stem = target.with_suffix("") if target.suffix in (".png", ".svg") else target
    written = []
    for kind in kinds:
        data = chart_png(chart, scale) if kind == ".png" else chart_svg(chart).encode()
        out = stem.with_name(stem.name + kind)
        with atomic_path(out) as temporary:
            temporary.write_bytes(data)
        written.append(out)
    return written
