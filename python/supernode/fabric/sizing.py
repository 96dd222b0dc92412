"""How many switches a fat tree needs.

Accelerators are distributed evenly, with as few switches as that allows: all leaves alike, where this takes at most a
quarter more switches than the fewest; otherwise the last leaf is at least three quarters as full as the others, if any
number of leaves makes it so. A leaf gets exactly the uplinks that the oversubscription ``p:q`` asks for, counted on the
accelerators that it holds, so that pictures and inventories state the ratio that was asked for; ports that are left
over stay idle. Tiers above the leaf are not oversubscribed. All leaves of a two-tier tree meet at every spine; a
three-tier tree is made of pods, each a two-tier tree of at most ``radix/2`` leaves, joined by cores. Upper tiers are as
small as full use of their ports allows: where one spine has ports for several links to each leaf, there are fewer
spines with parallel links. Cost: O(leaves).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, prod

from supernode.errors import FabricError
from supernode.spec import Clos

__all__ = ["Leaf", "Sized", "size_fat_tree"]


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
        Ports of each leaf that the oversubscription leaves unused where the leaf is as full as it can be.
    short
        Accelerators that the last leaf holds, where it holds fewer than the others; 0 where all are alike.
    """

    topology: Clos
    tiers: int
    idle_ports: int
    short: int


@dataclass(frozen=True)
class Leaf:
    """What is asked of a leaf.

    Parameters
    ----------
    radix
        Its ports.
    ratio
        Ports down over ports up, ``None`` if ``uplinks`` says it.
    links
        Links of each accelerator to it.
    hosts, uplinks
        Accelerators and uplinks, where they were given.
    """

    radix: int
    ratio: Fraction | None
    links: int = 1
    hosts: int | None = None
    uplinks: int | None = None

    def most(self, name: str) -> int:
        """Return how many accelerators fit.

        Raises
        ------
        FabricError
            If none does, or not as many as were asked for.
        """
        p, q = self._parts()
        down = p * (self.radix // (p + q)) if self.uplinks is None else self.radix - self.uplinks
        if self.radix % 2 or down < 1:
            split, least = (f"{p}:{q}", p + q) if self.uplinks is None else ("so", self.uplinks + 1)
            raise FabricError(
                f"fabric {name}: radix {self.radix} cannot be split {split} into ports down and "
                f"{'up' if self.uplinks is None else f'{self.uplinks} up'}; radix must be even and at least "
                f"{least + least % 2}"
            )
        asked = f"{p}:{q}" if self.uplinks is None else f"{self.uplinks} uplinks"
        split = f"{down} ports down of a leaf of radix {self.radix} with {asked}"
        most = down // self.links
        if most < 1:
            raise FabricError(
                f"fabric {name}: {self.links} links of one accelerator do not fit the {split}; use more planes"
            )
        if self.hosts is not None and self.hosts > most:
            raise FabricError(
                f"fabric {name}: hosts_per_leaf is {self.hosts}; the {split} hold at most {most} accelerators"
            )
        return most

    def step(self) -> int:
        """Return the number of which a leaf's accelerators are a multiple, so that its uplinks are a whole number."""
        if self.uplinks is not None:
            return 1
        p, q = self._parts()
        return p // gcd(p, q * self.links)

    def up(self, hosts: int, name: str) -> int:
        """Return the uplinks of a leaf of so many accelerators.

        Raises
        ------
        FabricError
            If the oversubscription asks for a fraction of one; naming the ratios on either side.
        """
        if self.uplinks is not None:
            return self.uplinks
        p, q = self._parts()
        down = hosts * self.links
        up, rest = divmod(down * q, p)
        if rest:
            can = " or ".join(f"{ratio(down, n)} ({n} up)" for n in (up, up + 1) if n and down + n <= self.radix)
            raise FabricError(
                f"fabric {name}: a leaf with {down} ports down cannot be oversubscribed {p}:{q}; "
                f"it can be {can or 'none'}, or hold a multiple of {self.step()} accelerators: give oversubscription, "
                "uplinks_per_leaf or hosts_per_leaf accordingly"
            )
        return up

    def _parts(self) -> tuple[int, int]:
        shape = Fraction(1) if self.ratio is None else self.ratio
        return shape.numerator, shape.denominator


def ratio(down: int, up: int) -> str:
    """Word ports down over ports up."""
    shape = Fraction(down, up)
    return f"{shape.numerator}:{shape.denominator}"


def size_fat_tree(name: str, span: int, leaf: Leaf, *, rails: int, tiers: int, pod_leaves: int | None = None) -> Sized:
    """Size one plane.

    Parameters
    ----------
    name
        Name of the fabric in errors.
    span
        Accelerators to join.
    leaf
        What is asked of a leaf.
    rails
        Accelerators of a host that go to different leaves.
    tiers
        Fewest tiers to build.
    pod_leaves
        Leaves of a pod, where there are three tiers; by default so many that pods are alike.

    Raises
    ------
    FabricError
        If no tree of at most three tiers has these parameters.
    """
    radix, most = leaf.radix, leaf.most(name)
    if span % rails:
        raise FabricError(f"fabric {name}: {span} accelerators are not whole hosts of {rails} rails")
    hosts = span // rails
    if rails == 1 and tiers <= 1 and hosts <= (leaf.hosts or most):
        return Sized(Clos(down=[leaf.hosts or most], up=[1], parallel=[1]), 1, 0, 0)
    step = leaf.step()
    if most < step:
        leaf.up(most, name)  # says what can be built
    half = radix // 2
    pods_of = half // rails * rails
    if pod_leaves is not None and (pod_leaves > pods_of or pod_leaves % rails):
        raise FabricError(
            f"fabric {name}: pod_leaves {pod_leaves} is not valid; "
            f"it must be a multiple of {rails} rails, at most {pods_of}"
        )
    fewest = -(-hosts // (leaf.hosts or most // step * step))
    two = fewest * rails <= radix and tiers <= 2
    limit = radix // rails if two else radix * (pod_leaves or pods_of) // rails
    if pods_of == 0 and not two:
        raise FabricError(f"fabric {name}: {rails} rails do not fit a pod of {half} leaves of radix {radix}")
    if fewest > limit:
        raise FabricError(
            f"fabric {name}: {span} accelerators need more than three tiers of radix {radix}; "
            f"three tiers join at most {limit * rails * most}; use a larger radix or more planes"
        )

    def tree(groups: int, down: int) -> Sized:
        up = leaf.up(down, name)
        leaves = groups * rails
        idle = radix - down * leaf.links - up if down == most else 0
        short = (hosts - 1) % down + 1 if hosts % down else 0
        if two:
            spines, parallel = _upper(up, leaves, radix)
            return Sized(Clos([down, leaves], [1, spines], [1, parallel], rails), 2, idle, short)
        each = pod_leaves
        if each is None:
            each = -(-groups // -(-leaves // pods_of)) * rails
        pods = -(-leaves // each)
        cores, parallel = _upper(half, pods, radix)
        return Sized(Clos([down, each, pods], [1, up, cores], [1, 1, parallel], rails), 3, idle, short)

    if leaf.hosts is not None:
        return tree(fewest, leaf.hosts)
    if fewest == 1 and hosts % step:
        leaf.up(hosts, name)  # no leaf would have the ratio
    shapes = [tree(*shape) for shape in _shapes(hosts, fewest, limit, most, step)]
    least = min(_switches(sized.topology) for sized in shapes)
    even = [sized for sized in shapes if not sized.short and 4 * _switches(sized.topology) <= 5 * least]
    return min(even or shapes, key=lambda sized: (_switches(sized.topology), sized.topology.down[0] - sized.short))


def _shapes(hosts: int, fewest: int, limit: int, most: int, step: int) -> list[tuple[int, int]]:
    """Return leaves and accelerators of each, of which the last leaf is at least three quarters as full as the others.

    Where there are none, the one whose last leaf is fullest.
    """
    found: list[tuple[Fraction, tuple[int, int]]] = []
    for leaves in range(fewest, min(fewest + max(4, fewest // 4), limit) + 1):
        down = -(-hosts // leaves)
        down = -(-down // step) * step
        while down <= most and leaves * down - hosts < down:
            found.append((Fraction(leaves * down - hosts, down), (leaves, down)))
            down += step
    if not found:  # leaves as full as the ratio allows
        return [(fewest, most // step * step)]
    emptiest = max(min(found)[0], Fraction(1, 4))
    return [shape for empty, shape in found if empty <= emptiest]


def _switches(shape: Clos) -> int:
    """Count the switches of a tree, those that are not in use included."""
    return sum(prod(shape.down[tier + 1 :]) * prod(shape.up[: tier + 1]) for tier in range(len(shape.down)))


def _upper(up: int, children: int, radix: int) -> tuple[int, int]:
    """Fewest parents, and parallel links to each, that give every child ``up`` links up."""
    for parents in range(1, up + 1):
        if up % parents == 0 and children * (up // parents) <= radix:
            return parents, up // parents
    return up, 1
