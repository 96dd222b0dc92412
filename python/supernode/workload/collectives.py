"""Collectives of a workload: those of all communicators along some axes are one operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernode.errors import SpecError
from supernode.library.algorithms import parse_algorithm
from supernode.library.collectives import parse_name
from supernode.library.dtypes import parse_dtype
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.units import Quantity, parse_size
from supernode.values import listed, parse_whole
from supernode.workload.operations import After, Operation
from supernode.workload.program import Program, parse_share

__all__ = ["Collectives"]


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
        """
        kind = parse_name(collective)
        if groups is not None and axes is not None:
            raise SpecError(f"{kind}: give axes or groups, not both")
        along = [] if groups is not None else self.mesh.along(axes, f"{kind}: axes")
        place = self._place(name, "_".join([kind, *along]), stream, after)
        if size is None and kind != "barrier":
            raise SpecError(f"operation {quote(place['name'])}: size is missing, for example size='64 MiB'")
        return self._add(
            {
                "kind": "collective",
                "place": place,
                "collective": kind,
                "bytes": 0 if size is None else parse_size(size),
                "axes": along,
                "groups": [] if groups is None else _groups(groups),
                "algorithm": parse_algorithm(algorithm),
                "protocol": "auto" if protocol is None else plain_text(protocol, "protocol"),
                "element_bytes": parse_dtype(dtype).bytes,
                "root": parse_whole(root, "root", high=2**31),
                "lanes": None if lanes is None else parse_whole(lanes, "lanes", low=1, high=2**32 - 1),
                "chunks": None if chunks is None else parse_whole(chunks, "chunks", low=1, high=2**32 - 1),
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


def _groups(value: object) -> list[list[int]]:
    """Return communicators rank by rank; the core knows whether they fit."""
    valid = "a list of lists of ranks, at least one"
    found = [listed(group, "groups", valid) for group in listed(value, "groups", valid)]
    if not found:
        raise SpecError(f"groups: {quote(value)} is not valid; it must be {valid}")
    return [[parse_whole(rank, "groups", high=2**31) for rank in group] for group in found]
