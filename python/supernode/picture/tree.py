"""Levels of a tree of switches: tiers by planes and pods, with the links between the vertices that are drawn.

A box stands for all planes, and a box for all subtrees below a third or higher tier; each shows its first one. A
switch of tier t is its number ``b`` among the switches over one subtree, a leaf its number within the box. Links follow
the core's own arithmetic (a parent ``b`` is over child ``b % twins``), so two vertices of a box are joined in the
picture if and only if they are in the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import prod
from typing import Any

from supernode.picture.model import (
    SLOTS,
    TIMES,
    Group,
    Item,
    Levels,
    Links,
    Row,
    link_text,
    number,
    plural,
    shown,
    switch_text,
)
from supernode.spec import Clos, NetworkSpec

__all__ = ["tree_levels"]

NAMES = {1: ("",), 2: ("leaf", "spine"), 3: ("leaf", "spine", "core")}
#: Leaves drawn above accelerators: few, so that each has room for its own.
LEAVES = 5


def tree_levels(spec: NetworkSpec, shape: Clos, counts: Mapping[str, Any], *, riser: bool) -> Levels:
    """Levels of a tree.

    Parameters
    ----------
    spec, shape
        The network and its topology.
    counts
        What the core counts of it.
    riser
        Whether the accelerators stand inside another network.
    """
    tree = _Tree(spec, shape, counts, LEAVES if len(shape.down) > 1 and not riser else SLOTS)
    body = tree.below(tree.tiers - 1)
    if tree.planes > 1 and tree.tiers > 1:
        body = (Group(f"plane {TIMES} {tree.planes:,}", (), tree.planes, body),)
    if riser:
        return Levels((*body, tree.access((), riser=True)))
    members = tree.members()
    return Levels((*body, tree.access(members)), members)


class _Tree:
    def __init__(self, spec: NetworkSpec, shape: Clos, counts: Mapping[str, Any], leaves: int) -> None:
        self.spec, self.shape, self.counts = spec, shape, counts
        self.tiers = len(shape.down)
        self.names = NAMES.get(self.tiers) or tuple(f"tier {t + 1}" for t in range(self.tiers))
        self.planes = len(spec.planes)
        self.slots = [shown(self.population(t), SLOTS if t else leaves) for t in range(self.tiers)]

    def twins(self, tier: int) -> int:
        """Switches over one subtree of a tier."""
        return prod(self.shape.up[: tier + 1])

    def population(self, tier: int) -> int:
        """Switches of a tier in the box that is drawn: planes of one switch stand side by side."""
        if self.tiers == 1:
            return self.planes
        return self.twins(tier) if tier else self.shape.down[1]

    def below(self, tier: int) -> tuple[Item, ...]:
        """Levels from a tier down to the leaves."""
        row = self.row(tier)
        if tier == 0:
            return (row,)
        inner = self.below(tier - 1)
        count = self.shape.down[tier]
        if tier > 1 and count > 1:
            inner = (Group(f"{self.word(tier)} {TIMES} {count:,}", (), count, inner),)
        return (row, self.between(tier), *inner)

    def word(self, tier: int) -> str:
        """Name the subtrees below a tier."""
        return "pod" if self.tiers == 3 else f"subtree of tier {tier}"

    def row(self, tier: int) -> Row:
        """Switches of a tier."""
        level, switch = self.counts["levels"][tier], self.spec.switches[tier]
        lines = [*self.factors(tier), self.ports(tier, level)]
        if tier + 1 < self.tiers:
            lines.append(self.oversubscription(tier, level))
        lines.append(switch_text(switch))
        if switch.in_network_reduce:
            lines.append("reduces in the network")
        slots = self.slots[tier]
        heading = f"{self.names[tier]} switches: {level['switches']:,}".lstrip()
        return Row("switch", heading, tuple(lines), slots, (switch.in_network_reduce,) * len(slots))

    def factors(self, tier: int) -> list[str]:
        """Where the number of switches comes from."""
        boxes = prod(self.shape.down[max(tier, 1) + 1 :])
        per = 1 if self.tiers == 1 else self.population(tier)
        named = [(int(self.counts["copies"]), "copies"), (self.planes, "planes"), (boxes, f"{self.word(tier + 1)}s")]
        parts = [f"{n:,} {what}" for n, what in named if n > 1]
        if per == len(parts) == 1:
            return [f"one in each of {parts[0]}"]
        return [f" {TIMES} ".join([*parts, f"{per:,}"] if per > 1 else parts)] if parts else []

    def up(self, tier: int) -> int:
        """Ports up of a switch."""
        return self.shape.up[tier + 1] * self.shape.parallel[tier + 1] if tier + 1 < self.tiers else 0

    def ports(self, tier: int, level: Mapping[str, Any]) -> str:
        """Word the ports of a switch, and how many of those down lead anywhere."""
        ports, up = int(level["ports"]), self.up(tier)
        if tier == 0 and len(set(self.spec.planes)) > 1:
            # the planes differ in their links, and so do their switches
            each = [self.shape.down[0] * links + up for links in self.spec.planes]
            return f"ports: {_listed(each)}"
        used = Fraction(int(level["links"]), int(level["switches"]))
        down = f"{ports - up:,} down" + (f" ({number(round(float(used), 1))} in use)" if used < ports - up else "")
        return f"ports: {ports:,} = {down} + {up:,} up" if up else f"ports: {down}"

    def oversubscription(self, tier: int, level: Mapping[str, Any]) -> str:
        """Word the rate down over the rate up of a switch, by its ports and by those in use."""
        rate, up = self.spec.links[tier].rate, self.up(tier) * self.spec.links[tier + 1].rate
        ratio = Fraction((int(level["ports"]) - self.up(tier)) * rate, up)
        used = Fraction(int(level["links"]) * rate, int(level["switches"]) * up)
        text = f"oversubscription {float(ratio):.3g}:1"
        return text if used >= ratio else f"{text} by ports, {float(used):.3g}:1 in use"

    def between(self, tier: int) -> Links:
        """Links from a tier to the one below."""
        link, level = self.spec.links[tier], self.counts["levels"][tier]
        parallel, up, twins = self.shape.parallel[tier], self.shape.up[tier], self.twins(tier - 1)
        to = f"to each of {up:,}" if up > 1 else "to its"
        line = f"each {self.names[tier - 1]}: {parallel:,} {to} {_many(self.names[tier], up)}"
        edges = tuple(
            (i, j, link.medium)
            for i, parent in enumerate(self.slots[tier])
            for j, child in enumerate(self.slots[tier - 1])
            if parent is not None and child is not None and (tier == 1 or parent % twins == child)
        )
        return Links(link_text(int(level["links"]), link), (line,), edges)

    def access(self, members: tuple[int | None, ...], *, riser: bool = False) -> Links:
        """Links of the lowest tier to the accelerators."""
        spec, link, total = self.spec, self.spec.links[0], sum(self.spec.planes)
        lines = [f"each accelerator: {total:,}"]
        if self.planes > 1 and len(set(spec.planes)) == 1:
            lines[0] += f" ({spec.planes[0]:,} into each of {self.planes:,} planes)"
        elif self.planes > 1:
            lines[0] += f" ({_listed(spec.planes)} into {self.planes:,} planes)"
        if self.shape.rails > 1:
            lines.append(f"{self.shape.rails:,} rails: accelerator i of a host on leaf i of its group")
        heading = link_text(int(self.counts["levels"][0]["links"]), link)
        if riser:
            return Links(heading, tuple(lines), riser=spec.name, medium=link.medium)
        edges = tuple(
            (i, j, link.medium)
            for i, leaf in enumerate(self.slots[0])
            for j, member in enumerate(members)
            if leaf is not None and member is not None and (self.tiers == 1 or self.leaf(member) == leaf)
        )
        return Links(heading, tuple(lines), edges)

    def leaf(self, member: int) -> int:
        """Leaf of an accelerator."""
        rails = self.shape.rails
        return member // rails // self.shape.down[0] * rails + member % rails

    def members(self) -> tuple[int | None, ...]:
        """Accelerators to draw: the first and the last of each leaf that is drawn."""
        span, rails, hosts = self.spec.span, self.shape.rails, self.shape.down[0]
        if self.tiers == 1:
            return shown(span)
        drawn: list[int | None] = []
        for leaf in self.slots[0]:
            if leaf is None:
                drawn.append(None)
                continue
            first = leaf // rails * hosts
            here = [h * rails + leaf % rails for h in range(first, min(first + hosts, -(-span // rails)))]
            here = [m for m in here if m < span]
            drawn += here if len(here) <= 3 else [here[0], None, here[-1]]
        return tuple(drawn)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values)) if len(values) <= 8 else f"{min(values):,} to {max(values):,}"


def _many(noun: str, count: int) -> str:
    return noun if count == 1 else plural(count, noun).split(" ", 1)[1]
