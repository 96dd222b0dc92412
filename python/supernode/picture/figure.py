"""A finished picture, and how it is saved and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.extras import extra
from supernode.files.text import as_path
from supernode.files.write import check_file, write_bytes
from supernode.picture.build import compose, picture_of
from supernode.picture.layout import render
from supernode.picture.style import busy
from supernode.quoting import quote
from supernode.spec import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supernode.spec import SystemSpec
    from supernode.system import System

__all__ = ["FORMATS", "Figure", "draw", "draw_busy"]

#: Formats of files, by extension.
FORMATS = (".svg", ".png")
#: Pixels of a PNG, width times height, that are still reasonable.
MAX_PIXELS = 10**8


@dataclass(frozen=True)
class Figure:
    """A picture as SVG text; the same system gives the same bytes.

    Parameters
    ----------
    svg
        The picture.
    title
        Name of what it shows.
    width, height
        In pixels, at scale 1.
    """

    svg: str = field(repr=False)
    title: str
    width: float
    height: float

    def png(self, scale: float = 2) -> bytes:
        """Return the picture as PNG.

        Parameters
        ----------
        scale
            Pixels for each unit of the SVG.

        Raises
        ------
        SpecError
            If the scale is no positive number, or gives more than 10^8 pixels.
        MissingExtraError
            If the extra ``plot`` is not installed.
        """
        number = isinstance(scale, int | float) and not isinstance(scale, bool)
        if not number or not 0 < scale * scale * self.width * self.height <= MAX_PIXELS or scale < 0.05:
            raise SpecError(
                f"picture: scale {quote(scale)} is not valid; it must be a number from 0.05 that gives at most "
                f"{MAX_PIXELS:,} pixels, and 1 is {self.width:.0f} x {self.height:.0f}"
            )
        with extra("plot", "a PNG needs vl-convert-python"):
            import vl_convert

        return bytes(vl_convert.svg_to_png(self.svg, scale=float(scale)))

    def save(self, path: str | Path, scale: float = 2) -> Path:
        """Write the picture to a file, whole or not at all.

        Parameters
        ----------
        path
            File whose extension says the format: ``.svg`` or ``.png``.
        scale
            Pixels of a PNG for each unit of the SVG.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        SpecError
            If the extension is neither, or the file cannot be written.
        """
        target = as_path(path, "picture")
        kind = target.suffix.lower()
        if kind not in FORMATS:
            raise SpecError(f"picture: {quote(str(target))} does not end in one of {', '.join(FORMATS)}")
        check_file(target)
        write_bytes(target, self.png(scale) if kind == ".png" else self.svg.encode())
        return target

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="max-width:100%;overflow-x:auto">{self.svg}</div>'


def draw(system: System) -> Figure:
    """Draw a system: every level of its networks, a few vertices standing for all.

    Parameters
    ----------
    system
        The system.
    """
    picture = picture_of(system)
    svg, width, height = render(picture)
    return Figure(svg=svg, title=picture.title, width=width, height=height)


def draw_busy(spec: SystemSpec, shares: Mapping[tuple[str, int], float]) -> Figure:
    """Draw a system with its links by how busy they were.

    Parameters
    ----------
    spec
        The system.
    shares
        Part of the time that links of a level were sending, by name of the network and number of the level from 1;
        levels that are not there were idle.
    """
    networks = [
        msgspec.structs.replace(
            net,
            links=[
                msgspec.structs.replace(link, medium=busy(shares.get((net.name, tier), 0.0)))
                for tier, link in enumerate(net.links, 1)
            ],
        )
        for net in spec.networks
    ]
    shown = msgspec.structs.replace(spec, networks=networks)
    counts = msgspec.json.decode(core.describe(encode(shown)))
    notes = ("Drawn by supernode. Colour and width: the busiest link of each level, in the busier direction.",)
    picture = compose(shown, counts, "", notes)
    svg, width, height = render(picture)
    return Figure(svg=svg, title=picture.title, width=width, height=height)
