"""Levels of a direct network: one dimension each, drawn as the ring, line or full mesh that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernode.picture.model import Dimension, Levels, Links, Panel, plural, rate_text, shown, switch_text, time_text
from supernode.spec import FullMeshShape, NetworkSpec, TorusShape

__all__ = ["direct_levels"]


def direct_levels(
    spec: NetworkSpec, shape: TorusShape | FullMeshShape, counts: Mapping[str, Any], *, riser: bool
) -> Levels:
    """Panel of a direct network, and its links to the accelerators if those stand inside another network."""
    levels = counts["levels"]
    through = f"accelerators forward: {switch_text(spec.switches[0])}"
    panel = Panel(through, tuple(_dimension(i, spec, shape, level) for i, level in enumerate(levels)))
    if not riser:
        return Levels((panel,), shown(spec.span))
    heading = f"{plural(sum(int(level['links']) for level in levels), 'link')} between accelerators"
    ports = sum(int(level["ports"]) for level in levels)
    lines = (f"each accelerator: {ports:,}",)
    return Levels((panel, Links(heading, lines, riser=spec.name, medium=spec.links[0].medium)))


def _dimension(index: int, spec: NetworkSpec, shape: TorusShape | FullMeshShape, level: Mapping[str, Any]) -> Dimension:
    size, link, parallel = shape.dims[index], spec.links[index], spec.planes[0]
    form = "full mesh"
    if isinstance(shape, TorusShape) and size > 2:
        form = "ring" if shape.wrap[index] else "line"
    name = {1: "a single one", 2: "pairs"}.get(size, f"{form} of {size:,}")
    lines = [
        f"{plural(int(level['ports']), 'port')} of {rate_text(link.rate)}",
        ", ".join(t for t in (time_text(link.latency_fs), link.medium) if t),
        plural(int(level["links"]), "link"),
    ]
    if size == 1:
        lines = ["no links"]
    elif parallel > 1:
        lines.append(f"{parallel:,} parallel links a pair")
    if isinstance(shape, TorusShape):
        shifted = [b + 1 for a, b in shape.twist if a == index]
        if shifted:
            lines.append(f"wraparound shifts dimension {' and '.join(str(b) for b in shifted)} by half")
    return Dimension(form, size, parallel, link.medium, f"dimension {index + 1}: {name}", tuple(lines))
