"""Whether a graph joins every two accelerators, when only switches forward or when all vertices do.

Two accelerators reach each other over an edge of their own, or if both have an edge into the same connected group of
switches. The groups are found once; each set of groups is then looked at once, with the accelerators as the bits of a
whole number. Cost: O(vertices + edges) where all accelerators meet in one group, and a few words an accelerator more
where they do not.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["unjoined", "unreachable"]


def unreachable(span: int, switches: int, pairs: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Find two accelerators that no path through switches joins.

    Parameters
    ----------
    span
        Accelerators: vertices 0 to ``span - 1``.
    switches
        Switches, the vertices after them.
    pairs
        Both ends of every edge.

    Returns
    -------
    tuple of int or None
        The first such pair, or ``None`` if there is none.
    """
    group = list(range(switches))
    ports: list[set[int]] = [set() for _ in range(span)]
    direct: dict[int, list[int]] = {}
    for a, b in pairs:
        low, high = min(a, b), max(a, b)
        if low >= span:
            _join(group, low - span, high - span)
        elif high >= span:
            ports[low].add(high - span)
        else:
            direct.setdefault(low, []).append(high)
            direct.setdefault(high, []).append(low)
    attached = [frozenset(_find(group, switch) for switch in own) for own in ports]
    lists: dict[int, list[int]] = {}
    for number, groups in enumerate(attached):
        for one in groups:
            lists.setdefault(one, []).append(number)
    if any(len(members) == span for members in lists.values()):
        return None
    everyone = (1 << span) - 1
    bits: dict[int, int] = {}
    beyond: dict[frozenset[int], int] = {}
    for number, groups in enumerate(attached):
        if groups not in beyond:
            reached = 0
            for one in groups:
                if one not in bits:
                    bits[one] = _bits(lists[one], span)
                reached |= bits[one]
            beyond[groups] = reached
        missing = everyone & ~(beyond[groups] | 1 << number)
        if missing and number in direct:
            missing &= ~_bits(direct[number], span)
        if missing:
            return number, (missing & -missing).bit_length() - 1
    return None


def unjoined(span: int, switches: int, pairs: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Find two accelerators that no path at all joins; the arguments are those of :func:`unreachable`."""
    group = list(range(span + switches))
    for a, b in pairs:
        _join(group, a, b)
    first = _find(group, 0)
    return next(((0, other) for other in range(span) if _find(group, other) != first), None)


def _bits(members: list[int], span: int) -> int:
    """Return the whole number whose bits are set at the members."""
    found = bytearray(-(-span // 8))
    for number in members:
        found[number // 8] |= 1 << number % 8
    return int.from_bytes(found, "little")


def _find(group: list[int], switch: int) -> int:
    while group[switch] != switch:
        group[switch] = group[group[switch]]
        switch = group[switch]
    return switch


def _join(group: list[int], a: int, b: int) -> None:
    group[_find(group, a)] = _find(group, b)
