"""Traffic patterns of a workload: every rank sends messages of one size to the ranks that a rule gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernode import core
from supernode.errors import SpecError
from supernode.names import canonical
from supernode.quoting import quote
from supernode.units import Quantity, parse_size
from supernode.values import listed, parse_whole
from supernode.workload.operations import After, Operation
from supernode.workload.program import Program, parse_share

__all__ = ["PATTERNS", "Patterns"]

#: Names of the patterns, with their other spellings.
PATTERNS = core.vocabulary()["patterns"]
#: Most messages of a rank to a destination.
_MOST = 2**20
#: Keywords by the one pattern that has them.
_OWN = {"target": "incast", "targets": "all_to_some", "destinations": "permutation"}


class Patterns(Program):
    """A program that traffic patterns can be added to."""

    def pattern(
        self,
        pattern: str,
        axes: str | Sequence[str] | None = None,
        *,
        size: Quantity,
        messages: int = 1,
        seed: int = 0,
        target: int | None = None,
        targets: Sequence[int] | None = None,
        destinations: Sequence[int] | None = None,
        groups: Sequence[Sequence[int]] | None = None,
        stream: str = "main",
        after: After = None,
        name: str | None = None,
        share: float = 0,
    ) -> Operation:
        """Add messages by a traffic pattern, within each communicator along some axes.

        In each of ``messages`` rounds, a rank sends one message to each of its destinations; the next round begins on
        a rank when these have left. The operation ends on a rank when all that goes to it has come, too. No rank sends
        to itself: what a pattern would send there is not sent.

        Ranks are counted by their place in the communicator, from 0 to ``n - 1``. With ``s`` for the source:

        ====================== ========================================================================================
        ``neighbour``          to ``s + 1``, and from the last to the first
        ``tornado``            to ``s + ceil(n / 2) - 1``, modulo ``n``: as far as a ring is short of half way
        ``transpose``          ``n`` is a square ``k * k``: from row ``i``, column ``j`` to row ``j``, column ``i``
        ``bit_complement``     ``n`` is a power of two: all bits of ``s`` inverted
        ``bit_reverse``        ``n`` is a power of two: the bits of ``s`` in the opposite order
        ``shuffle``            ``n`` is a power of two: the bits of ``s`` rotated to the left by one
        ``permutation``        to ``destinations[s]``
        ``random_permutation`` each to one other and from one other, drawn by ``seed``
        ``uniform``            every message to another rank that is drawn by ``seed``
        ``incast``             all others to ``target``
        ``all_to_some``        all to each of ``targets``
        ====================== ========================================================================================

        Parameters
        ----------
        pattern
            Its name.
        axes, groups
            As in :meth:`collective`.
        size
            Bytes of a message.
        messages
            Rounds: messages of a rank to each destination; of ``uniform``, messages of a rank.
        seed
            Seed of ``random_permutation`` and ``uniform``. What is drawn is the same in all communicators.
        target
            Place that ``incast`` goes to, by default 0.
        targets
            Places that ``all_to_some`` goes to.
        destinations
            Of ``permutation``: the place that each place sends to, each once.
        stream, after, name, share
            As in :meth:`collective`.
        """
        with self._naming(name, "pattern"):
            kind = canonical("pattern", pattern, PATTERNS)
        with self._naming(name, kind):
            along, listed_ranks = self._members(axes, groups)
        place = self._place(name, "_".join([kind, *along]), stream, after)
        with self._naming(place["name"]):
            own = {"target": target, "targets": targets, "destinations": destinations}
            return self._add(
                {
                    "kind": "pattern",
                    "place": place,
                    "pattern": _described(kind, own),
                    "bytes": parse_size(size),
                    "messages": parse_whole(messages, "messages", low=1, high=_MOST),
                    "seed": parse_whole(seed, "seed", high=2**63 - 1),
                    "axes": along,
                    "groups": listed_ranks,
                    "share_ppm": parse_share(share),
                }
            )


def _described(kind: str, own: dict[str, Any]) -> dict[str, Any]:
    """Return a pattern as the core takes it."""
    for keyword, value in own.items():
        if value is not None and _OWN[keyword] != kind:
            raise SpecError(f"{keyword}={quote(value)} has no effect on pattern {kind}; it is for {_OWN[keyword]}")
    if kind == "incast":
        target = 0 if own["target"] is None else own["target"]
        return {"name": kind, "target": parse_whole(target, "target", high=2**31)}
    for keyword, of, name in (("targets", "all_to_some", "targets"), ("destinations", "permutation", "to")):
        if kind == of:
            if own[keyword] is None:
                raise SpecError(f"{keyword} is missing: pattern {kind} needs a list of places of the communicator")
            given = listed(own[keyword], keyword, "a list of places of the communicator")
            return {"name": kind, name: [parse_whole(each, keyword, high=2**31) for each in given]}
    return {"name": kind}
