"""Dragonfly+: groups of leaves and spines, and links between the spines of all groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supernode.fabric.arrangement import global_links, links_per_pair
from supernode.fabric.base import positive
from supernode.fabric.family import Blueprint, Family, some
from supernode.fabric.fit import Open
from supernode.units import Quantity

if TYPE_CHECKING:
    from supernode.fabric.family import Ints

__all__ = ["DragonflyPlus"]


@dataclass(frozen=True, kw_only=True)
class DragonflyPlus(Family):
    """A dragonfly+ (Megafly): every group is a two-tier tree, and its spines have links to the other groups.

    In a group each leaf meets each spine; ``s`` spines with ``h`` global ports each join every pair of ``g`` groups by
    ``s*h // (g-1)`` links. A leaf has ``terminals + spines`` ports, a spine ``leaves + global_ports``; a shortest path
    has at most three links between switches. Where ``h`` is a multiple of ``g - 1``, every spine meets every other
    group. Source: Shpiner et al., "Dragonfly+: Low cost topology for scaling datacenters", HiPINEB 2017.

    Parameters
    ----------
    terminals
        Accelerators of a leaf.
    leaves, spines
        Of a group.
    global_ports
        Of a spine.
    groups
        By default as many as the accelerators to join fill; at most ``spines*global_ports + 1``.
    local_links
        Parallel links between a leaf and a spine.
    radix
        Ports of a switch; more links than these are an error.
    bandwidth, latency, medium
        Of the links to accelerators.
    local_bandwidth, local_latency, local_medium
        Of the links between leaves and spines; by default as those to accelerators.
    global_bandwidth, global_latency, global_medium
        Of the links between groups; by default as those to accelerators.
    switch_latency, cut_through, in_network_reduce, payload, overhead, buffer, routing, kind
        As for :class:`~supernode.Dragonfly`.
    """

    leaves: int
    spines: int
    global_ports: int
    groups: int | None = None
    local_bandwidth: Quantity | None = None
    local_latency: Quantity | None = None
    local_medium: str | None = None
    local_links: int = 1
    global_bandwidth: Quantity | None = None
    global_latency: Quantity | None = None
    global_medium: str | None = None

    def _free(self, name: str) -> tuple[str, Open]:
        p, leaves, spines, h = (self._size(f, name) for f in ("terminals", "leaves", "spines", "global_ports"))
        return "groups", Open("groups", lambda groups: groups * p * leaves, spines * h + 1)

    def _blueprint(self, name: str) -> Blueprint:
        p, leaves, spines, h = (self._size(f, name) for f in ("terminals", "leaves", "spines", "global_ports"))
        g = spines * h + 1 if self.groups is None else positive(self.groups, "groups", name)
        parallel = self._size("local_links", name)
        each, notes = links_per_pair(name, g, spines * h, f"spines x global_ports = {spines} x {h}")

        def edges() -> Ints:
            import numpy as np

            group, leaf, spine = (part.ravel() for part in np.meshgrid(*map(np.arange, (g, leaves, spines))))
            local = np.zeros((len(group), 4), np.int64)
            local[:, 0] = group * leaves + leaf
            local[:, 1] = g * leaves + group * spines + spine
            local[:, 3] = parallel
            return np.concatenate([local, global_links(g, each, spines, base=g * leaves, link=1)])

        def names() -> list[str]:
            kinds = (("leaf", leaves), ("spine", spines))
            return [f"group{i}.{kind}{n}" for kind, count in kinds for i in range(g) for n in range(count)]

        return Blueprint(
            label=f"dragonfly+ of {some(g, 'group')} of {leaves} {'leaf' if leaves == 1 else 'leaves'} with "
            f"{some(p, 'accelerator')} each and {some(spines, 'spine')} with {some(h, 'global port')} each",
            form={
                "kind": "dragonfly_plus",
                "terminals": p,
                "leaves": leaves,
                "spines": spines,
                "global_ports": h,
                "groups": g,
                **({"local_links": parallel} if parallel > 1 else {}),
            },
            switches=g * (leaves + spines),
            homes=g * leaves,
            ports=[
                ("leaf", True, [(spines * parallel, "to spines")]),
                ("spine", False, [(leaves * parallel, "to leaves"), (h, "to other groups")]),
            ],
            links=[
                self._link(self.local_bandwidth, self.local_latency, self.local_medium, "local_"),
                self._link(self.global_bandwidth, self.global_latency, self.global_medium, "global_"),
            ],
            count=g * leaves * spines + g * (g - 1) // 2 * each,
            edges=edges,
            names=names,
            diameter=3 if g > 1 else 2,
            notes=notes,
        )
