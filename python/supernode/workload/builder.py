"""Workloads are built call by call: each call adds an operation where the program stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.library.algorithms import parse_algorithm
from supernode.library.collectives import parse_name
from supernode.library.dtypes import parse_dtype
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.units import Quantity, as_integer, format_time, parse_size, parse_time
from supernode.values import listed, parse_flag, parse_whole
from supernode.workload.mesh import DeviceMesh
from supernode.workload.operations import After, Operation, waits
from supernode.workload.write import write_job

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Workload"]

#: Parts of a device that an operation can take: millionths.
_PARTS = 10**6
#: Loops and parts for some ranks that an operation can be inside of. The core reads 60.
_DEEPEST = 32


#: Numbers of workloads, so that handles know theirs.
_IDS = count()


class Workload:
    """A program: operations on streams, ordered by dependencies, for all ranks of a mesh.

    On each rank, the operations of a stream run one after the other. An operation begins on a rank when the one before
    it on its stream and all that it waits for (``after=``) have ended *on that rank*. Nothing else synchronises ranks.
    Operations of different streams run at the same time and contend for links, memory and the device.

    Parameters
    ----------
    mesh
        The ranks and their axes.
    name
        Name of the job in tables.
    start
        When the job starts, in simulated time.
    placement
        Accelerator of each rank. ``"packed"``: those that are free, in order. ``"strided"``: evenly spread over those
        that are free. ``"random"``: any that are free, by ``seed`` of the run. Otherwise a list of accelerators.

    Examples
    --------
    >>> import supernode as sn
    >>> w = sn.Workload(sn.DeviceMesh(dp=9, tp=8))
    >>> with w.repeat(4):
    ...     matmul = w.compute("20 us", stream="compute")
    ...     tp = w.all_reduce("tp", size="1 MiB", after=matmul, stream="tp")
    >>> dp = w.all_reduce("dp", size="64 MiB", after=tp, stream="dp")
    >>> w
    Workload(dp=9, tp=8: 3 operations)
    """

    def __init__(
        self,
        mesh: DeviceMesh,
        *,
        name: str = "job",
        start: Quantity | None = None,
        placement: str | npt.ArrayLike = "packed",
    ) -> None:
        if not isinstance(mesh, DeviceMesh):
            raise SpecError(
                f"mesh: {quote(mesh)} is not valid; it must be a DeviceMesh, for example DeviceMesh(dp=9, tp=8)"
            )
        self.mesh = mesh
        self._id = next(_IDS)
        self.name = plain_text(name, "name of the job")
        if not name:
            raise SpecError("name of the job: '' is not valid; it must have at least one character")
        self.start_fs = 0 if start is None else parse_time(start, "start", zero=True)
        self.placement = placement
        self._body: list[dict[str, Any]] = []
        self._at = [self._body]
        #: In order; a dictionary, because each name is looked up.
        self._names: dict[str, None] = {}
        #: Number of the last operation that got a name by default, by what it was made of.
        self._numbers: dict[str, int] = {}
        #: Sends and receives by what pairs them, in order.
        self._sends: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        self._receives: dict[tuple[Any, ...], list[dict[str, Any]]] = {}

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}={size}" for name, size in self.mesh.axes)
        return f"Workload({axes}: {len(self._names)} operations)"

    @property
    def operations(self) -> list[str]:
        """Names of the operations, in order."""
        return list(self._names)

    @contextmanager
    def repeat(self, count: int) -> Iterator[None]:
        """Repeat what is added inside.

        Nothing is unrolled: a loop of a million iterations costs what one of two costs, before it is simulated.

        Parameters
        ----------
        count
            How many times.
        """
        times = parse_whole(count, "repeat", low=1, high=2**31)
        self._enter({"kind": "repeat", "count": times, "body": []})
        try:
            yield
        finally:
            self._at.pop()

    @contextmanager
    def on(self, /, **coordinates: int | Sequence[int]) -> Iterator[None]:
        """Add what follows for some ranks only.

        A collective inside must not be along these axes: all members of a communicator execute it.

        Parameters
        ----------
        **coordinates
            Name of an axis, and a coordinate along it or several: ``on(pp=0)``, ``on(pp=[1, 2])``.
        """
        if not coordinates:
            raise SpecError("on: give an axis and a coordinate, for example on(pp=0)")
        depth = len(self._at)
        found = {axis: self._coordinates(axis, given) for axis, given in coordinates.items()}
        try:
            for axis, values in found.items():
                self._enter({"kind": "on", "axis": axis, "values": values, "body": []})
            yield
        finally:
            del self._at[depth:]

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
        self._add(
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
                "share_ppm": _share(share),
            }
        )
        return Operation(place["name"], owner=self._id)

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

    def compute(
        self,
        duration: Quantity,
        *,
        stream: str = "main",
        after: After = None,
        name: str | None = None,
    ) -> Operation:
        """Add a computation, which has the device to itself: others wait, first come, first served.

        Collectives that run beside it slow it by their ``share``.

        Parameters
        ----------
        duration
            How long it takes on an undisturbed device.
        stream, after, name
            As in :meth:`collective`.
        """
        place = self._place(name, "compute", stream, after)
        self._add({"kind": "compute", "place": place, "work_fs": parse_time(duration, "duration", zero=True)})
        return Operation(place["name"], owner=self._id)

    def delay(self, time: Quantity, *, stream: str = "main", after: After = None, name: str | None = None) -> Operation:
        """Add a pause of a stream, which occupies nothing.

        Parameters
        ----------
        time
            How long.
        stream, after, name
            As in :meth:`collective`.
        """
        place = self._place(name, "delay", stream, after)
        self._add({"kind": "delay", "place": place, "time_fs": parse_time(time, "time", zero=True)})
        return Operation(place["name"], owner=self._id)

    def body(self) -> list[dict[str, Any]]:
        """Return the program as the core takes it.

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
        return self._body

    def to_toml(self) -> str:
        """Return the workload as TOML, which :func:`supernode.load_workloads` reads.

        Texts of several workloads, one after the other, are a file of several jobs. With a line before them that names
        the system, ``supernode run`` runs it.

        Returns
        -------
        str
            A table ``[[job]]``.

        Raises
        ------
        SpecError
            If a send has no receive, or a receive no send; or if the placement is no list of numbers.
        """
        body, tags = self.body(), {}
        for pairs in (self._sends, self._receives):
            tags.update({node["place"]["name"]: key[-1] for key, nodes in pairs.items() for node in nodes})
        head: dict[str, Any] = {"name": self.name, "axes": dict(self.mesh.axes)}
        if self.start_fs:
            head["start"] = format_time(self.start_fs)
        if not isinstance(self.placement, str):
            what = f"placement of job {quote(self.name)}"
            given = listed(self.placement, what, "a list of accelerators")
            head["placement"] = [parse_whole(each, what, high=2**32 - 1) for each in given]
        elif self.placement != "packed":
            head["placement"] = self.placement
        return write_job(head, body, tags)

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
                "share_ppm": _share(share)}  # fmt: skip
        key = (axis, far if kind == "send" else -far, around, mark)
        (self._sends if kind == "send" else self._receives).setdefault(key, []).append(node)
        self._add(node)
        return Operation(place["name"], owner=self._id)

    def _place(self, name: str | None, default: str, stream: str, after: After) -> dict[str, Any]:
        """Return name, stream and dependencies of an operation."""
        if name is None:
            name = self._next(default)
        elif plain_text(name, "name") in self._names:
            raise SpecError(f"name: {quote(name)} is taken; each operation of a workload has a name of its own")
        elif not name:
            raise SpecError("name: '' is not valid; it must have at least one character")
        return {
            "name": name,
            "stream": plain_text(stream, "stream"),
            "after": waits(after, name, self._names, self._id),
        }

    def _add(self, node: dict[str, Any]) -> None:
        self._names[node["place"]["name"]] = None
        self._at[-1].append(node)

    def _next(self, default: str) -> str:
        """Return a name that is free, made of what an operation is and a number."""
        number = self._numbers.get(default, 0) + 1
        while (name := default if number == 1 else f"{default}_{number}") in self._names:
            number += 1
        self._numbers[default] = number
        return name

    def _enter(self, node: dict[str, Any]) -> None:
        """Add a part of the program, and stand in it."""
        if len(self._at) > _DEEPEST:
            raise SpecError(f"loops and parts for some ranks are nested more than {_DEEPEST} deep")
        self._at[-1].append(node)
        self._at.append(node["body"])

    def _coordinates(self, axis: str, given: object) -> list[int]:
        """Return coordinates along an axis, of which there is at least one, each once."""
        size = self.mesh.size(self.mesh.axis(axis, "on"))
        what = f"on {axis}"
        several = (
            [given]
            if isinstance(given, str) or as_integer(given) is not None
            else listed(given, what, "a coordinate, or a list of them")
        )
        found = [parse_whole(value, what, high=size - 1) for value in several]
        if not found or len(set(found)) < len(found):
            raise SpecError(f"{what}: {quote(given)} is not valid; at least one coordinate, each once")
        return found


def _share(value: float) -> int:
    """Return a part of a device in millionths."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise SpecError(f"share: {quote(value)} is not valid; it must be a part of the device, from 0 to below 1")
    return min(round(Fraction(value) * _PARTS), _PARTS - 1)


def _groups(value: object) -> list[list[int]]:
    """Return communicators rank by rank; the core knows whether they fit."""
    valid = "a list of lists of ranks, at least one"
    found = [listed(group, "groups", valid) for group in listed(value, "groups", valid)]
    if not found:
        raise SpecError(f"groups: {quote(value)} is not valid; it must be {valid}")
    return [[parse_whole(rank, "groups", high=2**31) for rank in group] for group in found]
