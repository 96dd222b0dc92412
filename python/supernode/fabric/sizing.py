"""How many switches a fat tree needs.

A switch of ``radix`` ports and oversubscription ``p/q`` gives its leaf ``p*k`` ports down and ``q*k`` up, with the
largest ``k`` that fits; ports that are left over stay idle. Tiers above the leaf are not oversubscribed. All leaves of
a two-tier tree meet at every spine; a three-tier tree is made of pods, each a two-tier tree of ``radix/2`` leaves,
joined by cores. Upper tiers are as small as full use of their ports allows: where one spine has ports for several
links to each leaf, there are fewer spines with parallel links. Cost: O(radix), whatever the number of ports.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from supernode.errors import FabricError
from supernode.spec import Clos

__all__ = ["Sized", "size_fat_tree"]


@dataclass(frozen=True)
class Sized:
    """A sized tree.

    Parameters
    ----------
    topology
        Shape of one plane.
    tiers
        Tiers of switches.
    idle_ports
        Ports of each leaf that the oversubscription leaves unused.
    """

    topology: Clos
    tiers: int
    idle_ports: int


def size_fat_tree(
    name: str,
    span: int,
    *,
    radix: int,
    oversubscription: Fraction,
    rails: int,
    links: int,
    tiers: int,
    pod_leaves: int | None = None,
) -> Sized:
    """Size one plane.

    Parameters
    ----------
    name
        Name of the fabric in errors.
    span
        Accelerators to join.
    radix
        Ports of a switch, even.
    oversubscription
        Leaf ports down over leaf ports up.
    rails
        Accelerators of a host that go to different leaves.
    links
        Links of each accelerator into this plane.
    tiers
        Fewest tiers to build.
    pod_leaves
        Leaves of a pod, where there are three tiers; by default as many as fit.

    Raises
    ------
    FabricError
        If no tree of at most three tiers has these parameters.
    """
    p, q = oversubscription.numerator, oversubscription.denominator
    share = radix // (p + q)
    if radix < 2 or radix % 2 or share < 1:
        raise FabricError(
            f"fabric {name}: radix {radix} cannot be split {p}:{q} into ports down and up; "
            f"radix must be even and at least {p + q + (p + q) % 2}"
        )
    down_ports, up = p * share, q * share
    down = down_ports // links
    if down < 1:
        raise FabricError(
            f"fabric {name}: {links} links of one accelerator do not fit the {down_ports} ports down of a leaf "
            f"of radix {radix}; use more planes"
        )
    idle = radix - down_ports - up
    if span % rails:
        raise FabricError(f"fabric {name}: {span} accelerators are not whole hosts of {rails} rails")
    leaves = -(-(span // rails) // down) * rails
    if leaves == 1 and tiers <= 1:
        return Sized(Clos(down=[down], up=[1], parallel=[1]), 1, idle)
    if leaves <= radix and tiers <= 2:
        spines, parallel = _upper(up, leaves, radix)
        return Sized(Clos([down, leaves], [1, spines], [1, parallel], rails), 2, idle)
    half = radix // 2
    most = half // rails * rails
    if pod_leaves is not None and (pod_leaves > most or pod_leaves % rails):
        raise FabricError(
            f"fabric {name}: pod_leaves {pod_leaves} is not valid; "
            f"it must be a multiple of {rails} rails, at most {most}"
        )
    pod_leaves = most if pod_leaves is None else pod_leaves
    if pod_leaves == 0:
        raise FabricError(f"fabric {name}: {rails} rails do not fit a pod of {half} leaves of radix {radix}")
    pods = -(-leaves // pod_leaves)
    if pods > radix:
        most = radix * pod_leaves * down
        raise FabricError(
            f"fabric {name}: {span} accelerators need more than three tiers of radix {radix}; "
            f"three tiers join at most {most}; use a larger radix or more planes"
        )
    cores, parallel = _upper(half, pods, radix)
    return Sized(Clos([down, pod_leaves, pods], [1, up, cores], [1, 1, parallel], rails), 3, idle)


def _upper(up: int, children: int, radix: int) -> tuple[int, int]:
    """Fewest parents, and parallel links to each, that give every child ``up`` links up."""
    for parents in range(1, up + 1):
        if up % parents == 0 and children * (up // parents) <= radix:
            return parents, up // parents
    return up, 1
