"""Where a program stands while it is built: names, loops and parts for some ranks.

Each kind of operation has a module of its own, whose class adds it through :class:`Program`.

**Invariant.** Each operation has a name of its own, and waits for those before it or for earlier iterations.
**Limits.** Loops and parts for some ranks are nested at most :data:`DEEPEST` deep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from typing import Any

from supernode.errors import SpecError
from supernode.files.text import naming
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.units import as_integer
from supernode.values import as_fraction, listed, parse_whole
from supernode.workload.mesh import DeviceMesh
from supernode.workload.operations import After, Operation, waits

__all__ = ["DEEPEST", "Program", "parse_share"]

#: Parts of a device that an operation can take: millionths.
_PARTS = 10**6
#: Loops and parts for some ranks that an operation can be inside of. The core reads 60.
DEEPEST = 32
#: Numbers of workloads, so that handles know theirs.
_IDS = count()


class Program:
    """Operations in order, and where the next one is added.

    Parameters
    ----------
    mesh
        The ranks and their axes.
    """

    def __init__(self, mesh: DeviceMesh) -> None:
        if not isinstance(mesh, DeviceMesh):
            raise SpecError(
                f"mesh: {quote(mesh)} is not valid; it must be a DeviceMesh, for example DeviceMesh(dp=9, tp=8)"
            )
        self.mesh = mesh
        self._id = next(_IDS)
        self._body: list[dict[str, Any]] = []
        self._at = [self._body]
        #: In order; a dictionary, because each name is looked up.
        self._names: dict[str, None] = {}
        #: Number of the last operation that got a name by default, by what it was made of.
        self._numbers: dict[str, int] = {}
        #: Whether errors name the operation. The reader of files does so itself.
        self.says_names = True

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

    def _place(self, name: str | None, default: str, stream: str, after: After) -> dict[str, Any]:
        """Return name, stream and dependencies of an operation."""
        with self._naming(name, default):
            if name is None:
                name = self._next(default)
            elif plain_text(name, "name") in self._names:
                raise SpecError(f"name: {quote(name)} is taken; each operation of a workload has a name of its own")
            elif not name:
                raise SpecError("name: '' is not valid; it must have at least one character")
        with self._naming(name):
            return {
                "name": name,
                "stream": plain_text(stream, "stream"),
                "after": waits(after, self._names, self._id),
            }

    def _naming(self, name: str | None, default: str = "") -> AbstractContextManager[None]:
        """Name an operation in errors about its keywords: by its name, or by what it is as long as it has none."""
        shown = name if isinstance(name, str) and name else default
        return naming(f"operation {quote(shown)}") if self.says_names else nullcontext()

    def _members(
        self, axes: str | Sequence[str] | None, groups: Sequence[Sequence[int]] | None
    ) -> tuple[list[str], list[list[int]]]:
        """Return the axes of communicators, or their ranks."""
        if groups is None:
            return self.mesh.along(axes, "axes"), []
        if axes is not None:
            raise SpecError("give axes or groups, not both")
        return [], _groups(groups)

    def _add(self, node: dict[str, Any]) -> Operation:
        """Add an operation where the program stands."""
        name = node["place"]["name"]
        self._names[name] = None
        self._at[-1].append(node)
        return Operation(name, owner=self._id)

    def _next(self, default: str) -> str:
        """Return a name that is free, made of what an operation is and a number."""
        number = self._numbers.get(default, 0) + 1
        while (name := default if number == 1 else f"{default}_{number}") in self._names:
            number += 1
        self._numbers[default] = number
        return name

    def _enter(self, node: dict[str, Any]) -> None:
        """Add a part of the program, and stand in it."""
        if len(self._at) > DEEPEST:
            raise SpecError(f"loops and parts for some ranks are nested more than {DEEPEST} deep")
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


def parse_share(value: float) -> int:
    """Return a part of a device in millionths."""
    share = as_fraction(value)
    if share is None or not 0 <= share < 1:
        raise SpecError(f"share: {quote(value)} is not valid; it must be a part of the device, from 0 to below 1")
    return min(round(share * _PARTS), _PARTS - 1)


def _groups(value: object) -> list[list[int]]:
    """Return communicators rank by rank; the core knows whether they fit."""
    valid = "a list of lists of ranks, at least one"
    found = [listed(group, "groups", valid) for group in listed(value, "groups", valid)]
    if not found:
        raise SpecError(f"groups: {quote(value)} is not valid; it must be {valid}")
    return [[parse_whole(rank, "groups", high=2**31) for rank in group] for group in found]
