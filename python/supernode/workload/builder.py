"""Workloads are built call by call: each call adds an operation where the program stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supernode.errors import SpecError
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.units import Quantity, format_time, parse_time
from supernode.values import listed, parse_whole
from supernode.workload.collectives import Collectives
from supernode.workload.computation import Computation
from supernode.workload.mesh import DeviceMesh
from supernode.workload.patterns import Patterns
from supernode.workload.transfers import Transfers
from supernode.workload.write import write_job

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Workload"]


class Workload(Collectives, Transfers, Patterns, Computation):
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
        super().__init__(mesh)
        self.name = plain_text(name, "name of the job")
        if not name:
            raise SpecError("name of the job: '' is not valid; it must have at least one character")
        self.start_fs = 0 if start is None else parse_time(start, "start", zero=True)
        self.placement = placement

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}={size}" for name, size in self.mesh.axes)
        return f"Workload({axes}: {len(self._names)} operations)"

    def body(self) -> list[dict[str, Any]]:
        """Return the program as the core takes it.

        Raises
        ------
        SpecError
            If a send has no receive, or a receive no send.
        """
        self._pair()
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
        head: dict[str, Any] = {"name": self.name, "axes": dict(self.mesh.axes)}
        if self.start_fs:
            head["start"] = format_time(self.start_fs)
        if not isinstance(self.placement, str):
            what = f"placement of job {quote(self.name)}"
            given = listed(self.placement, what, "a list of accelerators")
            head["placement"] = [parse_whole(each, what, high=2**32 - 1) for each in given]
        elif self.placement != "packed":
            head["placement"] = self.placement
        return write_job(head, self.body(), self._tags())
