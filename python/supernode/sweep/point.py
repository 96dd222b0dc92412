"""One point of a sweep: the specification that runs, its identity, and the columns of its parameters.

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
from supernode.errors import SpecError, SupernodeError, UnitError
from supernode.names import unknown
from supernode.options import RunOptions
from supernode.plan import make_plan
from supernode.quoting import quote
from supernode.spec import encode
from supernode.system import System
from supernode.units import RATE_UNITS, SIZE_UNITS, TIME_UNITS, parse_rate, parse_size, parse_time

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "Job",
    "Machines",
    "base_units",
    "check_names",
    "failed_id",
    "identified",
    "make_job",
    "mixed",
    "parameters_columns",
    "reason",
]

#: Keywords of a run that a sweep decides itself.
_OWN = ("progress", "record", "self_check")
_RUN = tuple(name for name in RunOptions.__annotations__ if name not in _OWN)


@dataclass(frozen=True)
class Job:
    """What is sent to a worker.

    Parameters
    ----------
    id
        See the module.
    spec
        The specification as JSON.
    placement
        Accelerator of each rank, or ``None``.
    timeout
        Wall-clock limit in seconds.
    columns
        Parameters as they stand in the frame.
    """

    id: str
    spec: str
    placement: npt.NDArray[np.uint32] | None
    timeout: float | None
    columns: Mapping[str, Any]


class Machines:
    """Systems by name and overrides, each built once."""

    def __init__(self, text: frozenset[str] = frozenset()) -> None:
        #: Parameters whose columns are text, because their values are of several kinds.
        self.text = text
        self._built: dict[tuple[Any, ...], System] = {}
        #: By identity, with the system itself, so that no other one can have that identity.
        self._columns: dict[int, tuple[System, dict[str, str]]] = {}

    def get(self, base: object, overrides: Mapping[str, Any]) -> System:
        """Return a system with these parameters replaced."""
        if isinstance(base, System):
            if overrides:
                name = next(iter(overrides))
                raise SpecError(f"system.{name}: only presets have parameters, and {base.label} was put together")
            return base
        if not isinstance(base, str):
            raise SpecError(f"system: {quote(base)} is not valid; it must be a System or the name of a preset")
        key = (base, *sorted((name, repr(value)) for name, value in overrides.items()))
        if key not in self._built:
            self._built[key] = System.preset(base, **overrides)
        return self._built[key]

    def columns(self, machine: System) -> dict[str, str]:
        """Return name and hash of a system; overrides have columns of their own."""
        if id(machine) not in self._columns:
            digest = hashlib.sha256(encode(machine.to_spec()).encode()).hexdigest()[:16]
            found = {"system": replace(machine, overrides={}).label, "system_hash": digest}
            self._columns[id(machine)] = (machine, found)
        return self._columns[id(machine)][1]


def check_names(names: list[str]) -> None:
    """Refuse parameters that no point can have.

    Raises
    ------
    SpecError
        Naming the parameter and the nearest valid name.
    """
    valid = ["system", "collective", "size", *_RUN]
    for name in names:
        if not isinstance(name, str):
            raise SpecError(f"{quote(name)} is not the name of a parameter; it must be text")
        if name in _OWN:
            raise SpecError(f"{name}: it has no effect on the points of a sweep, so it is not a parameter of one")
        if name not in valid and not (name.startswith("system.") and len(name) > len("system.")):
            raise unknown("parameter of the sweep", name, [*valid, "system.PARAMETER"])
    for name in ("system", "collective"):
        if name not in names:
            raise SpecError(f"{name} is missing: give it in base, grid or zip")


def make_job(parameters: Mapping[str, Any], machines: Machines) -> Job:
    """Check the parameters of a point and put its specification together.

    Raises
    ------
    SupernodeError
        If a point with these parameters cannot be.
    """
    changes = {name.removeprefix("system."): v for name, v in parameters.items() if name.startswith("system.")}
    machine = machines.get(parameters["system"], changes)
    options: Any = {name: v for name, v in parameters.items() if name in _RUN and v is not None}
    plan = make_plan(machine, parameters["collective"], parameters.get("size"), options)
    spec = plan.spec
    if "threads" not in options:
        # a worker is one thread, so that as many points run at once as there are workers
        spec = msgspec.structs.replace(spec, threads=1)
    identity = hashlib.sha256(encode(msgspec.structs.replace(spec, threads=0)).encode())
    if plan.placement is not None:
        identity.update(plan.placement.tobytes())
    identity.update(core.versions()["supernode"].encode())
    columns = parameters_columns(parameters, machines.text) | machines.columns(machine)
    return Job(identity.hexdigest(), encode(spec), plan.placement, plan.timeout, columns)


def parameters_columns(parameters: Mapping[str, Any], text: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return parameters as they stand in the frame: objects by name, quantities in base units, some as text."""
    found = {name: base_units(name, value) for name, value in parameters.items()}
    return {name: str(v) if name in text and v is not None else v for name, v in found.items()}


def identified(name: str, value: Any) -> Any:
    """Return a value in base units; systems of one name can be different, so they have their hash."""
    if isinstance(value, System):
        return f"{value.label} {hashlib.sha256(encode(value.to_spec()).encode()).hexdigest()[:16]}"
    return base_units(name, value)


def mixed(columns: Mapping[str, list[Any]]) -> frozenset[str]:
    """Return the columns whose values are neither all text, all numbers nor all true or false."""

    def kind(value: Any) -> str:
        if isinstance(value, bool):
            return "truth"
        return "number" if isinstance(value, int | float) else "text"

    return frozenset(n for n, values in columns.items() if len({kind(v) for v in values if v is not None}) > 1)


def base_units(name: str, value: Any) -> Any:
    """Return a value in base units: bytes, bit/s, ns; what is no quantity stays as it is, and objects become text."""
    if name == "size":
        return parse_size(value)
    if isinstance(value, str):
        unit = value.strip().lstrip("+-.0123456789_eE ")
        try:
            if unit in TIME_UNITS:
                return parse_time(value, name, zero=True) / TIME_UNITS["ns"]
            if unit in RATE_UNITS:
                return parse_rate(value, name)
            if unit in SIZE_UNITS:
                return parse_size(value, name)
        except UnitError:
            return value
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, System):
        return value.label
    return getattr(value, "name", None) or repr(value)


def failed_id(parameters: Mapping[str, Any]) -> str:
    """Return the id of a point that has no specification, because its parameters do not go together."""
    said = {name: identified(name, value) for name, value in parameters.items()}
    text = repr(sorted(said.items())) + core.versions()["supernode"]
    return hashlib.sha256(text.encode()).hexdigest()


def reason(error: SupernodeError) -> tuple[str, str]:
    """Return class and text of an error."""
    return type(error).__name__, str(error)
