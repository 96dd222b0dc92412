"""Collectives of a workload: those of all communicators along some axes are one operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from supernode import core
from supernode.errors import SpecError
from supernode.library.algorithms import parse_algorithm
from supernode.library.collectives import parse_name
from supernode.library.dtypes import parse_dtype
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.units import Quantity, parse_size
from supernode.values import parse_whole
from supernode.workload.matrix import parse_matrix
from supernode.workload.operations import After, Operation
from supernode.workload.program import Program, parse_share

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Collectives"]

#: Most lanes, and most chunks of a lane.
_MOST_LANES = core.vocabulary()["lanes"]
#: Keywords that a matrix leaves nothing to, and their defaults.
_INSTEAD = {"size": None, "algorithm": "auto", "protocol": None, "dtype": "float32", "root": 0, "lanes": None,
            "chunks": None}  # fmt: skip


class Collectives(Program):
    """A program that collectives can be added to."""

    def collective(
        self,
        collective: str,
        axes: str | Sequence[str] | None = None,
        *,
        size: Quantity | None = None,
        groups: Sequence[Sequence[int]] | None = None,
        stream: str = "main",
        after: After = None,
        name: str | None = None,
        algorithm: str = "auto",
        protocol: str | None = None,
        dtype: str = "float32",
        root: int = 0,
        lanes: int | None = None,
        chunks: int | None = None,
        share: float = 0,
        matrix: npt.ArrayLike | None = None,
    ) -> Operation:
        """Add a collective of the communicators along some axes; all of them are one operation.

        Parameters
        ----------
        collective
            Its name, as in :func:`supernode.simulate`.
        axes
            One axis or several: the ranks that agree on all other axes form a communicator. ``None``: all ranks.
        size
            Bytes as in nccl-tests' size column.
        groups
            Communicators rank by rank, instead of axes; all of one size.
        stream
            The stream.
        after
            What it waits for besides the operation before it on its stream.
        name
            Name in tables; by default made of collective and axes.
        algorithm, protocol, dtype, lanes, chunks
            As in :func:`supernode.simulate`; one choice holds for all communicators.
        root
            Place of the root in each communicator.
        share
            Part of the device that it takes from computation beside it while it runs: 0 (copy engines) to below 1.
        matrix
            Of an all-to-all, instead of ``size``: bytes that each place of a communicator sends to each other, as a
            square array; row ``i`` is what place ``i`` sends. Entries that are 0, and those of a place for itself, are
            not sent. All messages are posted at once, those to the next higher places first, as by algorithm
            ``direct``.
        """
        with self._naming(name, "collective"):
            kind = parse_name(collective)
        with self._naming(name, kind):
            along, listed_ranks = self._members(axes, groups)
        place = self._place(name, "_".join([kind, *along]), stream, after)
        with self._naming(place["name"]):
            if matrix is not None:
                given = {"size": size, "algorithm": algorithm, "protocol": protocol, "dtype": dtype, "root": root,
                         "lanes": lanes, "chunks": chunks}  # fmt: skip
                _check_matrix(kind, given)
                return self._add(
                    {
                        "kind": "exchange",
                        "place": place,
                        "matrix": parse_matrix(matrix),
                        "axes": along,
                        "groups": listed_ranks,
                        "share_ppm": parse_share(share),
                    }
                )
            if kind == "barrier" and size is not None:
                raise SpecError(f"size={quote(size)} has no effect: a barrier moves no data")
            if size is None and kind != "barrier":
                raise SpecError("size is missing, for example size='64 MiB'")
            return self._add(
                {
                    "kind": "collective",
                    "place": place,
                    "collective": kind,
                    "bytes": 0 if size is None else parse_size(size),
                    "axes": along,
                    "groups": listed_ranks,
                    "algorithm": parse_algorithm(algorithm),
                    "protocol": "auto" if protocol is None else plain_text(protocol, "protocol"),
                    "element_bytes": parse_dtype(dtype).bytes,
                    "root": parse_whole(root, "root", high=2**31),
                    "lanes": None if lanes is None else parse_whole(lanes, "lanes", low=1, high=_MOST_LANES),
                    "chunks": None if chunks is None else parse_whole(chunks, "chunks", low=1, high=_MOST_LANES),
                    "share_ppm": parse_share(share),
                }
            )

    def all_reduce(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add an all-reduce; see :meth:`collective`."""
        return self.collective("all_reduce", axes, **options)

    def all_gather(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add an all-gather; see :meth:`collective`."""
        return self.collective("all_gather", axes, **options)

    def reduce_scatter(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add a reduce-scatter; see :meth:`collective`."""
        return self.collective("reduce_scatter", axes, **options)

    def all_to_all(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add an all-to-all; see :meth:`collective`."""
        return self.collective("all_to_all", axes, **options)

    def broadcast(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add a broadcast; see :meth:`collective`."""
        return self.collective("broadcast", axes, **options)

    def reduce(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add a reduce; see :meth:`collective`."""
        return self.collective("reduce", axes, **options)

    def gather(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add a gather; see :meth:`collective`."""
        return self.collective("gather", axes, **options)

    def scatter(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add a scatter; see :meth:`collective`."""
        return self.collective("scatter", axes, **options)

    def barrier(self, axes: str | Sequence[str] | None = None, **options: Any) -> Operation:
        """Add a barrier; see :meth:`collective`."""
        return self.collective("barrier", axes, **options)


def _check_matrix(kind: str, given: Mapping[str, Any]) -> None:
    """Refuse what has no meaning beside a matrix of bytes."""
    if kind != "all_to_all":
        raise SpecError(f"matrix= has no effect on {kind}; only all_to_all takes one")
    for name, default in _INSTEAD.items():
        if given[name] is not default and given[name] != default:
            raise SpecError(f"{name}={quote(given[name])} has no effect beside matrix=, which has all messages")
