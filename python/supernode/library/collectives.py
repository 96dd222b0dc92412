"""The collectives, one small class each.

``size`` is what nccl-tests prints in its size column for the collective: the whole buffer of a rank for all_reduce,
reduce, broadcast and send_recv; the total of all ranks' parts for all_gather, reduce_scatter, gather and scatter; what
one rank sends to all others and itself for all_to_all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from supernode import core
from supernode.errors import SpecError
from supernode.names import canonical, fold
from supernode.quoting import quote
from supernode.units import Quantity, as_integer, parse_size

__all__ = [
    "BY_NAME",
    "AllGather",
    "AllReduce",
    "AllToAll",
    "Barrier",
    "Broadcast",
    "Collective",
    "Gather",
    "Reduce",
    "ReduceScatter",
    "Scatter",
    "SendRecv",
    "parse_collective",
    "parse_name",
]


@dataclass(frozen=True)
class Collective:
    """A collective operation; use one of its subclasses.

    Parameters
    ----------
    size
        Bytes as in the size column of nccl-tests: text such as ``"256 MiB"``, or a number.
    """

    name: ClassVar[str] = ""
    #: Whether one rank is special.
    rooted: ClassVar[bool] = False
    #: Whether data is combined.
    reduces: ClassVar[bool] = False
    #: Whether the buffer is cut into one part a rank, as nccl-tests rounds sizes for.
    parted: ClassVar[bool] = False

    size: Quantity

    def __init_subclass__(cls) -> None:
        """Take over what the core knows of the collective."""
        known = core.vocabulary()
        cls.rooted, cls.reduces, cls.parted = (cls.name in known[k] for k in ("rooted", "reduces", "parted"))

    def bytes(self) -> int:
        """Return the size in bytes."""
        return parse_size(self.size)


@dataclass(frozen=True)
class _Rooted(Collective):
    """A collective with a root.

    Parameters
    ----------
    size
        Bytes as in the size column of nccl-tests.
    root
        The special rank.
    """

    root: int = 0


@dataclass(frozen=True)
class AllReduce(Collective):
    """Every rank ends with the sum of all ranks' buffers."""

    name: ClassVar[str] = "all_reduce"


@dataclass(frozen=True)
class AllGather(Collective):
    """Every rank ends with the parts of all ranks."""

    name: ClassVar[str] = "all_gather"


@dataclass(frozen=True)
class ReduceScatter(Collective):
    """Every rank ends with its part of the sum."""

    name: ClassVar[str] = "reduce_scatter"


@dataclass(frozen=True)
class AllToAll(Collective):
    """Every rank sends a different part to every rank."""

    name: ClassVar[str] = "all_to_all"


@dataclass(frozen=True)
class Broadcast(_Rooted):
    """Every rank ends with the root's buffer."""

    name: ClassVar[str] = "broadcast"


@dataclass(frozen=True)
class Reduce(_Rooted):
    """The root ends with the sum of all ranks' buffers."""

    name: ClassVar[str] = "reduce"


@dataclass(frozen=True)
class Gather(_Rooted):
    """The root ends with the parts of all ranks."""

    name: ClassVar[str] = "gather"


@dataclass(frozen=True)
class Scatter(_Rooted):
    """Every rank ends with its part of the root's buffer."""

    name: ClassVar[str] = "scatter"


@dataclass(frozen=True)
class SendRecv(Collective):
    """Every rank sends its buffer to the next rank and receives from the one before."""

    name: ClassVar[str] = "send_recv"


@dataclass(frozen=True)
class Barrier(Collective):
    """No rank leaves before all have come; it moves no data, so it has no size."""

    name: ClassVar[str] = "barrier"

    size: Quantity = 0

    def bytes(self) -> int:
        """Return 0."""
        if as_integer(self.size) != 0:
            raise SpecError(f"size: a barrier moves no data, so it takes no size; {quote(self.size)} was given")
        return 0


#: Classes by canonical name.
BY_NAME: dict[str, type[Collective]] = {
    c.name: c
    for c in (
        AllReduce,
        AllGather,
        ReduceScatter,
        AllToAll,
        Broadcast,
        Reduce,
        Gather,
        Scatter,
        SendRecv,
        Barrier,
    )
}


def parse_name(name: str) -> str:
    """Return the canonical name of a collective, from any library's spelling (``AllReduce``, ``MPI_Allreduce``)."""
    known = core.vocabulary()
    if isinstance(name, str):
        letters = fold(name)
        for prefix in known["libraries"]:
            if letters.startswith(prefix):
                with suppress(SpecError):
                    return canonical("collective", letters.removeprefix(prefix), known["collectives"])
    return canonical("collective", name, known["collectives"])


def parse_collective(value: Collective | str, size: Quantity | None) -> Collective:
    """Return a collective with its size.

    Parameters
    ----------
    value
        A collective, or the name of one.
    size
        Its size, given exactly once: here or in the collective.
    """
    if isinstance(value, Collective):
        if size is not None:
            raise SpecError(f"size: given twice, as {quote(value.size)} in the collective and as {quote(size)}")
        value.bytes()
        return value
    kind = BY_NAME[parse_name(value)]
    if kind is Barrier:
        return Barrier() if size is None else Barrier(size)
    if size is None:
        raise SpecError(f"size: {kind.name} needs one; for example size='1 MiB'")
    collective = kind(size)
    collective.bytes()
    return collective
