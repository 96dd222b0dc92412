"""One point of a sweep: the specification that runs, and its identity.

**Invariant.** The id is the SHA-256 of the validated specification, the placement and the version of the program,
without the number of threads. Whoever writes a size as ``"1 MiB"`` or as 1048576 has the same point.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.errors import SpecError, SupernodeError
from supernode.names import unknown
from supernode.quoting import quote
from supernode.run.options import RunOptions
from supernode.run.plan import make_plan
from supernode.spec import RunSpec, encode
from supernode.sweep.columns import digest, identified
from supernode.system import System

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["SAME", "Job", "Machines", "check_names", "failed_id", "make_job", "reason"]

#: Keywords of a run that a sweep decides itself.
_OWN = ("progress", "record", "self_check", "uncertainty")
#: Keywords that are no part of a point, so they cannot tell two points apart.
SAME = ("threads", "timeout")
#: Machines whose specification is kept as text.
_TEXTS = 64
_RUN = tuple(name for name in RunOptions.__annotations__ if name not in _OWN)


@dataclass(frozen=True)
class Job:
    """What is sent to a worker.

    Parameters
    ----------
    id
        See the module.
    system
        The machine as JSON; jobs of one machine share the text, so that a batch of them carries it once.
    run
        What follows it in the specification as JSON.
    placement
        Accelerator of each rank, or ``None``.
    timeout
        Wall-clock limit in seconds.
    """

    id: str
    system: str
    run: str
    placement: npt.NDArray[np.uint32] | None
    timeout: float | None

    @property
    def spec(self) -> str:
        """The whole specification."""
        return _joined(self.system, self.run)


def _joined(system: str, run: str) -> str:
    return f'{{"system":{system},{run}'


def _rest(run: RunSpec) -> str:
    """Return what follows the system in the specification as JSON; it has ``null`` for it."""
    return encode(run).removeprefix('{"system":null,')


class Machines:
    """Systems by name and overrides, each built once."""

    def __init__(self) -> None:
        self._built: dict[tuple[Any, ...], System] = {}
        #: By identity, with the system itself, so that no other one can have that identity.
        self._columns: dict[int, tuple[System, dict[str, str]]] = {}
        self._texts: dict[str, str] = {}

    def get(self, parameters: Mapping[str, Any]) -> System:
        """Return the system of a point, with the parameters replaced that the point has."""
        base = parameters["system"]
        if isinstance(base, System):
            return base
        if not isinstance(base, str):
            raise SpecError(f"system: {quote(base)} is not valid; it must be a System or the name of a preset")
        changes = {name.removeprefix("system."): v for name, v in parameters.items() if name.startswith("system.")}
        key = (base, *sorted((name, repr(value)) for name, value in changes.items()))
        if key not in self._built:
            self._built[key] = System.preset(base, **changes)
        return self._built[key]

    def columns(self, machine: System) -> dict[str, str]:
        """Return name and hash of a system; overrides have columns of their own."""
        if id(machine) not in self._columns:
            found = {"system": replace(machine, overrides={}).label, "system_hash": digest(encode(machine.to_spec()))}
            self._columns[id(machine)] = (machine, found)
        return self._columns[id(machine)][1]

    def shared(self, text: str) -> str:
        """Return the same object for equal texts of the last machines."""
        found = self._texts.pop(text, text)
        self._texts[found] = found
        if len(self._texts) > _TEXTS:
            self._texts.pop(next(iter(self._texts)))
        return found


def check_names(values: Mapping[str, list[Any]]) -> None:
    """Refuse parameters that no point can have, and those that go through values without a meaning for a sweep.

    Parameters
    ----------
    values
        The values of each parameter.

    Raises
    ------
    SpecError
        Naming the parameter and the nearest valid name.
    """
    valid = ["system", "collective", "size", *_RUN]
    for name, given in values.items():
        if not isinstance(name, str):
            raise SpecError(f"{quote(name)} is not the name of a parameter; it must be text")
        if name in _OWN:
            raise SpecError(f"{name}: it has no effect on the points of a sweep, so it is not a parameter of one")
        if name in SAME and len(given) > 1:
            raise SpecError(f"{name}: it has no effect on the result of a point, so it has one value; give it in base")
        if name not in valid and not (name.startswith("system.") and len(name) > len("system.")):
            raise unknown("parameter of the sweep", name, [*valid, "system.PARAMETER"])
    for name in ("system", "collective"):
        if name not in values:
            raise SpecError(f"{name} is missing: give it in base, grid or zip")
    changed = next((name for name in values if name.startswith("system.")), None)
    built = next((value for value in values["system"] if isinstance(value, System)), None)
    if changed is not None and built is not None:
        raise SpecError(f"{changed}: only presets have parameters, and {quote(built.label)} was put together")


def make_job(parameters: Mapping[str, Any], machine: System, machines: Machines) -> Job:
    """Check the parameters of a point and put its specification together.

    Raises
    ------
    SupernodeError
        If a point with these parameters cannot be.
    """
    options: Any = {name: v for name, v in parameters.items() if name in _RUN and v is not None}
    plan = make_plan(machine, parameters["collective"], parameters.get("size"), options)
    spec = plan.spec
    if "threads" not in options:
        # a worker is one thread, so that as many points run at once as there are workers
        spec = msgspec.structs.replace(spec, threads=1)
    system = machines.shared(encode(spec.system))
    run = msgspec.structs.replace(spec, system=msgspec.Raw(b"null"))
    identity = hashlib.sha256(_joined(system, _rest(msgspec.structs.replace(run, threads=0))).encode())
    if plan.placement is not None:
        identity.update(plan.placement.tobytes())
    identity.update(core.versions()["supernode"].encode())
    return Job(identity.hexdigest(), system, _rest(run), plan.placement, plan.timeout)


def failed_id(parameters: Mapping[str, Any]) -> str:
    """Return the id of a point that has no specification, because its parameters do not go together."""
    said = {}
    for name, value in parameters.items():
        if name not in SAME:
            try:
                said[name] = identified(name, value)
            except SupernodeError:  # a size that is none
                said[name] = quote(value)
    text = repr(sorted(said.items())) + core.versions()["supernode"]
    return hashlib.sha256(text.encode()).hexdigest()


def reason(error: SupernodeError) -> tuple[str, str]:
    """Return class and text of an error."""
    return type(error).__name__, str(error)
