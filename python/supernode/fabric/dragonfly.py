"""Dragonflies: groups of routers that are all joined, and links between all groups."""

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

__all__ = ["Dragonfly"]

#: Of a global link, where a local one has 1: the lightest path between two groups has one of them.
GLOBAL_WEIGHT = 3


@dataclass(frozen=True, kw_only=True)
class Dragonfly(Family):
    """A dragonfly: ``p`` accelerators a router, ``a`` routers a group, ``h`` global links a router, ``g`` groups.

    All routers of a group are joined, and so is every pair of groups, by ``a*h // (g-1)`` links each. A router has
    ``p + (a-1) + h`` ports. A minimal path has one global link and at most three links between routers: a path through
    a third group is never minimal, even where it has fewer links. In the order of ranks, accelerators fill the routers
    and routers the groups. Source: Kim, Dally, Scott & Abts, "Technology-driven, highly-scalable dragonfly topology",
    ISCA 2008; links between groups are in the palm tree arrangement of Camarero, Vallejo & Beivide, 2014.

    Parameters
    ----------
    terminals
        Accelerators of a router, ``p``.
    bandwidth, latency, medium
        Of the links to accelerators: rate of one link per direction, latency, and copper, optics, ... for tables.
    routers, global_ports
        ``a`` and ``h``; by default balanced, ``2p`` and ``p``.
    groups
        By default as many as the accelerators to join fill; at most ``a*h + 1``.
    local_bandwidth, local_latency, local_medium
        Of the links in a group; by default as those to accelerators.
    global_bandwidth, global_latency, global_medium
        Of the links between groups; by default as those to accelerators.
    local_links
        Parallel links between two routers of a group.
    radix
        Ports of a router; more links than these are an error.
    switch_latency, cut_through, in_network_reduce, payload, overhead, buffer, kind
        As for :class:`~supernode.Switched`. The buffer is per virtual channel.
    routing
        As for :class:`~supernode.Graph`.

    Raises
    ------
    FabricError
        If the sizes do not make a dragonfly, or a router has too few ports.
    UnitError
        If a quantity is not valid.
    SizeOverflowError
        If there are more than 16,384 routers.

    Examples
    --------
    >>> import supernode as sn
    >>> fabric = sn.Dragonfly(terminals=2, bandwidth="25 GB/s", latency="300 ns", global_latency="800 ns")
    >>> fabric.accelerators, fabric.switches
    (72, 36)
    """

    routers: int | None = None
    global_ports: int | None = None
    groups: int | None = None
    local_bandwidth: Quantity | None = None
    local_latency: Quantity | None = None
    local_medium: str | None = None
    local_links: int = 1
    global_bandwidth: Quantity | None = None
    global_latency: Quantity | None = None
    global_medium: str | None = None

    def _free(self, name: str) -> tuple[str, Open]:
        p, a, h = self._sizes(name)
        return "groups", Open("groups", lambda groups: groups * p * a, a * h + 1)

    def _sizes(self, name: str) -> tuple[int, int, int]:
        p = self._size("terminals", name)
        a = 2 * p if self.routers is None else self._size("routers", name)
        return p, a, p if self.global_ports is None else self._size("global_ports", name)

    def _blueprint(self, name: str) -> Blueprint:
        p, a, h = self._sizes(name)
        g = a * h + 1 if self.groups is None else positive(self.groups, "groups", name)
        parallel = self._size("local_links", name)
        each, notes = links_per_pair(name, g, a * h, f"routers x global_ports = {a} x {h}")

        def edges() -> Ints:
            import numpy as np

            x, y = np.triu_indices(a, 1)
            start = np.arange(g)[:, None] * a
            pairs = np.stack([(start + x).ravel(), (start + y).ravel()], axis=1)
            local = np.concatenate([pairs, np.tile([0, parallel], (len(pairs), 1))], axis=1)
            return np.concatenate([local, global_links(g, each, a, base=0, link=1)])

        used = -(-each * (g - 1) // a)
        return Blueprint(
            label=f"dragonfly of {some(g, 'group')} of {some(a, 'router')} with {some(p, 'accelerator')} and "
            f"{some(h, 'global port')} each",
            form={
                "kind": "dragonfly",
                "terminals": p,
                "routers": a,
                "global_ports": h,
                "groups": g,
                **({"local_links": parallel} if parallel > 1 else {}),
            },
            switches=g * a,
            homes=g * a,
            ports=[("router", True, [((a - 1) * parallel, "in its group"), (h, "to other groups")])],
            links=[
                self._link(self.local_bandwidth, self.local_latency, self.local_medium, "local_"),
                self._link(self.global_bandwidth, self.global_latency, self.global_medium, "global_"),
            ],
            count=g * a * (a - 1) // 2 + g * (g - 1) // 2 * each,
            edges=edges,
            names=lambda: (f"group{i}.router{r}" for i in range(g) for r in range(a)),
            diameter=min(a - 1, 1) if g == 1 else 1 if used == 0 else 1 + 2 * min(a - 1, 1),
            notes=notes,
            # two global links weigh more than a local, a global and a local one
            weights=(1, GLOBAL_WEIGHT) if a > 1 and g > 1 else (),
        )
