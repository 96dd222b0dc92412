"""Point-to-point transfers of a workload: a side that sends, and one that receives.

**Invariant.** The k-th send belongs to the k-th receive of the opposite distance, whatever is between them.
"""

from __future__ import annotations

from typing import Any

from supernode.errors import SpecError
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.units import Quantity, as_integer, parse_size
from supernode.values import parse_flag
from supernode.workload.mesh import DeviceMesh
from supernode.workload.operations import After, Operation
from supernode.workload.program import Program, parse_share

__all__ = ["Transfers"]


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
        axis = self.mesh.axis(axis, kind)
        most, far = self.mesh.size(axis) - 1, as_integer(by)
        if most == 0:
            raise SpecError(f"{kind}: axis {axis} has one coordinate; there is nobody along it")
        if not far or abs(far) > most:
            raise SpecError(f"{kind}: by={quote(by)} is not valid; 1 to {most} or -1 to -{most} along {axis}")
        around, mark = parse_flag(wrap, "wrap"), plain_text(tag, "tag")
        place = self._place(name, f"{kind}_{axis}", stream, after)
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
