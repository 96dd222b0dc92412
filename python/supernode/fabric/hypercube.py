"""Hypercubes of switches."""

from __future__ import annotations

from dataclasses import dataclass

from supernode.errors import SizeOverflowError
from supernode.fabric.family import Blueprint, some
from supernode.fabric.fit import Open
from supernode.fabric.hyperx import Lattice, LatticeFamily
from supernode.fabric.parts import MAX_SWITCHES

__all__ = ["Hypercube"]


@dataclass(frozen=True, kw_only=True)
class Hypercube(LatticeFamily):
    """A hypercube: ``2**dimensions`` switches, joined where their numbers differ in one bit.

    A switch has ``terminals + dimensions`` ports; a shortest path has at most ``dimensions`` links between switches.

    Parameters
    ----------
    dimensions
        Bits of a switch's number; the lowest is dimension 0. ``None`` for as many as the accelerators to join need.
    terminals
        Accelerators of a switch.
    bandwidth, latency, medium
        Of the links to accelerators.
    dim_bandwidth, dim_latency, dim_medium
        Of the links between switches; one value, or one a dimension, by default as those to accelerators.
    radix, switch_latency, cut_through, in_network_reduce, payload, overhead, buffer, routing, kind
        As for :class:`~supernode.Dragonfly`.
    """

    dimensions: int | None
    terminals: int = 1

    def _free(self, name: str) -> tuple[str, Open]:
        p = self._size("terminals", name)
        return "dimensions", Open("dimensions", lambda n: p * 2**n, MAX_SWITCHES.bit_length() - 1)

    def _blueprint(self, name: str) -> Blueprint:
        n = 1 if self.dimensions is None else self._size("dimensions", name)
        p = self._size("terminals", name)
        if n >= MAX_SWITCHES.bit_length():
            raise SizeOverflowError(
                f"fabric {name}: a hypercube of {n} dimensions has 2^{n} switches; an explicit graph has at most "
                f"{MAX_SWITCHES}"
            )
        lattice = Lattice([2] * n, [1] * n, [1] * n)
        return Blueprint(
            label=f"hypercube of {some(n, 'dimension')}, {lattice.points} switches with {some(p, 'accelerator')} each",
            form={"kind": "hypercube", "dimensions": n, "terminals": p},
            switches=lattice.points,
            homes=lattice.points,
            ports=[("switch", True, [(n, "to other switches")])],
            links=self._dim_links(n, name),
            count=lattice.count,
            edges=lattice.edges,
            names=lattice.names,
            diameter=n,
        )
