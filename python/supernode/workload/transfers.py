"""Point-to-point transfers of a workload: between named ranks, or the two sides of transfers along an axis.

**Invariant.** The k-th send belongs to the k-th receive of the opposite distance, whatever is between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supernode.errors import SpecError
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.units import Quantity, as_integer, parse_size
from supernode.values import listed, parse_flag
from supernode.workload.mesh import DeviceMesh
from supernode.workload.operations import After, Operation
from supernode.workload.program import Program, parse_share

__all__ = ["Transfers"]

#: A rank: its number in the job, or its coordinates by axis.
Rank = int | Mapping[str, int]


class Transfers(Program):
    """A program that transfers can be added to."""

    def __init__(self, mesh: DeviceMesh) -> None:
        super().__init__(mesh)
        #: Sends and receives by what pairs them, in order.
        self._sends: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        self._receives: dict[tuple[Any, ...], list[dict[str, Any]]] = {}

    def send(
        self,
        axis: str,
        by: int = 1,
        *,
        size: Quantity,
        wrap: bool = False,
        tag: str = "",
        stream: str = "main",
        after: After = None,
        name: str | None = None,
        share: float = 0,
    ) -> Operation:
        """Add a transfer to the rank ``by`` further along an axis; it ends when its last byte has left.

        The k-th send along an axis, of one distance and tag, belongs to the k-th :meth:`receive` of the opposite one.

        Parameters
        ----------
        axis
            The axis.
        by
            How far; negative: towards coordinate 0. Where the axis ends, nothing is sent.
        size
            Bytes.
        wrap
            From the last coordinate on to the first.
        tag
            Tells transfers apart.
        stream, after, name, share
            As in :meth:`collective`.
        """
        return self._transfer("send", axis, by, size, wrap, tag, (stream, after, name, share))

    def receive(
        self,
        axis: str,
        by: int = -1,
        *,
        size: Quantity,
        wrap: bool = False,
        tag: str = "",
        stream: str = "main",
        after: After = None,
        name: str | None = None,
        share: float = 0,
    ) -> Operation:
        """Add a transfer from the rank ``by`` further along an axis; it ends when all of it is stored.

        Parameters
        ----------
        axis, by, size, wrap, tag, stream, after, name, share
            As in :meth:`send`.
        """
        return self._transfer("receive", axis, by, size, wrap, tag, (stream, after, name, share))

    def transfer(
        self,
        source: Rank | Sequence[Rank],
        destination: Rank | Sequence[Rank],
        *,
        size: Quantity,
        stream: str = "main",
        after: After = None,
        name: str | None = None,
        share: float = 0,
    ) -> Operation:
        """Add a transfer between named ranks, which is an operation of these ranks only.

        On a source it ends when its last byte has left, on a destination when all of it is stored.

        Parameters
        ----------
        source
            The rank that sends: its number in the job, or its coordinates, as ``{"pp": 0, "tp": 3}``. Or a list of
            such, and then the k-th source sends to the k-th destination, all at once.
        destination
            The rank that receives, or a list of as many as there are sources.
        size
            Bytes of each message.
        stream, after, name, share
            As in :meth:`collective`.
        """
        place = self._place(name, "transfer", stream, after)
        with self._naming(place["name"]):
            sources, destinations = self._ranks(source, "source"), self._ranks(destination, "destination")
            if len(sources) != len(destinations):
                found = f"{len(destinations)} ranks and {len(sources)} sources"
                raise SpecError(f"destination: {found} are not valid; as many as there are sources")
            pairs = list(zip(sources, destinations, strict=True))
            for pair in pairs:
                if pair[0] == pair[1]:
                    raise SpecError(f"destination: rank {pair[1]} is the source, too; it must be another rank")
            if len(set(pairs)) < len(pairs):
                twice = next(pair for pair in pairs if pairs.count(pair) > 1)
                raise SpecError(f"source: rank {twice[0]} sends to rank {twice[1]} twice; give each pair once")
            return self._add(
                {
                    "kind": "transfer",
                    "place": place,
                    "pairs": [list(pair) for pair in pairs],
                    "bytes": parse_size(size),
                    "share_ppm": parse_share(share),
                }
            )

    def _ranks(self, given: Any, what: str) -> list[int]:
        """Return one rank or several, of which there is at least one."""
        if isinstance(given, Mapping | str) or as_integer(given) is not None:
            return [self.mesh.rank(given, what)]
        found = [self.mesh.rank(each, what) for each in listed(given, what, "a rank, or a list of ranks")]
        if not found:
            raise SpecError(f"{what}: {quote(given)} is not valid; give at least one rank")
        return found

    def _transfer(
        self,
        kind: str,
        axis: str,
        by: int,
        size: Quantity,
        wrap: bool,
        tag: str,
        common: tuple[str, After, str | None, float],
    ) -> Operation:
        stream, after, name, share = common
        with self._naming(name, kind):
            axis = self.mesh.axis(axis, "axis")
            most, far = self.mesh.size(axis) - 1, as_integer(by)
            if most == 0:
                raise SpecError(f"axis {axis} has one coordinate; there is nobody along it")
            if not far or abs(far) > most:
                raise SpecError(f"by={quote(by)} is not valid; 1 to {most} or -1 to -{most} along {axis}")
        place = self._place(name, f"{kind}_{axis}", stream, after)
        with self._naming(place["name"]):
            around, mark = parse_flag(wrap, "wrap"), plain_text(tag, "tag")
            node = {"kind": kind, "place": place, "axis": axis, "by": far, "wrap": around, "bytes": parse_size(size),
                    "share_ppm": parse_share(share)}  # fmt: skip
        key = (axis, far if kind == "send" else -far, around, mark)
        (self._sends if kind == "send" else self._receives).setdefault(key, []).append(node)
        return self._add(node)

    def _pair(self) -> None:
        """Tell each send which receive it belongs to.

        Raises
        ------
        SpecError
            If a send has no receive, or a receive no send.
        """
        for key in {**self._sends, **self._receives}:
            sends, receives = self._sends.get(key, []), self._receives.get(key, [])
            axis, by, _, tag = key
            if len(sends) != len(receives):
                lonely = (sends if len(sends) > len(receives) else receives)[min(len(sends), len(receives))]
                kind, other = (("send", "receive"), ("receive", "send"))[len(sends) < len(receives)]
                raise SpecError(
                    f"operation {quote(lonely['place']['name'])}: a {kind} without a {other}: there are "
                    f"{len(sends)} sends by {by:+d} along {axis} with tag {tag!r}, "
                    f"and {len(receives)} receives by {-by:+d}"
                )
            for send, receive in zip(sends, receives, strict=True):
                send["to"] = receive["place"]["name"]

    def _tags(self) -> dict[str, str]:
        """Return the tags of sends and receives by name."""
        pairs = (*self._sends.items(), *self._receives.items())
        return {node["place"]["name"]: key[-1] for key, nodes in pairs for node in nodes}
