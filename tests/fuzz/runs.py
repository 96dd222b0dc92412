"""Random runs on random machines, and how two runs of the same case are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import supernode as sn
from fuzz.machines import Machine, number
from supernode import core
from supernode.errors import (
    AlgorithmError,
    FabricError,
    InternalError,
    SimulationTimeout,
    SpecError,
    SupernodeError,
)
from supernode.library.collectives import BY_NAME
from supernode.result import Result

__all__ = ["DRAWN", "TABLES", "Case", "Finding", "Refused", "build", "draw_case", "equal", "require", "run"]

TABLES = ["ranks", "levels", "links", "switches", "flows"]

#: The cases that were drawn since it was cleared, for the report of a finding.
DRAWN: list[Case] = []


class Finding(Exception):
    """What should not be."""


class Refused(Exception):
    """A machine or run that is refused by name: no case."""


@dataclass
class Case:
    """A run: a machine, a collective, and the keywords of :func:`supernode.simulate`."""

    machine: Machine
    collective: str
    options: dict[str, Any]
    system: Any = field(repr=False, default=None)

    def __post_init__(self) -> None:
        DRAWN.append(self)

    def code(self) -> str:
        """Return the Python that runs it."""
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        return (
            "import supernode as sn\n"
            f"system = {self.machine.text}\n"
            f"result = sn.simulate(system, {self.collective!r}{options})"
        )


def require(condition: object, text: str) -> None:
    """Raise a finding unless the condition holds."""
    if not condition:
        raise Finding(text)


def build(machine: Machine) -> Any:
    """Build a machine; one that is refused by name is no case."""
    try:
        system = eval(machine.text, {"sn": sn, "__builtins__": {}})  # noqa: S307 - text of this package
        system.to_spec()
    except (FabricError, SpecError) as error:
        raise Refused(str(error)) from None
    return system


def run(case: Case, **more: Any) -> Result:
    """Run a case, some keywords replaced; every error but a refusal is a finding."""
    options = {"fidelity": "packet", "threads": 1, "timeout": 120.0, **case.options, **more}
    try:
        return sn.simulate(case.system, case.collective, **options)
    except (SupernodeError, MemoryError) as error:
        if isinstance(error, SimulationTimeout) and "time_limit" in more and "wall-clock" not in str(error):
            raise Refused(f"{type(error).__name__}: {error}") from None
        if isinstance(error, AlgorithmError | SpecError | FabricError) and not isinstance(error, InternalError):
            raise Refused(f"{type(error).__name__}: {error}") from None
        raise Finding(f"{more}: {type(error).__name__}: {error}") from None


def draw_case(rng: Random, machine: Machine, *, sizes: tuple[int, int] = (1, 2**16), stacks: bool = True) -> Case:
    """Return a run with any collective, algorithm and options that go together."""
    collective = rng.choice(sorted(BY_NAME))
    options: dict[str, Any] = {"seed": rng.randrange(100), "record": TABLES}
    ranks = machine.count
    if rng.random() < 0.3:
        ranks = rng.randint(1, machine.count)
        options["ranks"] = ranks
    if rng.random() < 0.25:
        options["placement"] = rng.sample(range(machine.count), ranks)
    if collective != "barrier":
        low, high = sizes
        options["size"] = int(low * (high / low) ** rng.random()) * (ranks if _has_parts(collective) else 1)
    if collective in ("broadcast", "reduce", "gather", "scatter"):
        options["root"] = rng.randrange(ranks)
    for key, most in (("lanes", 4), ("chunks", 4)):
        if rng.random() < 0.25:
            options[key] = number(rng, low=1, high=most)
    options["stack"] = rng.choice(("none", "none", "none", "nccl", "hccl")) if stacks else "none"
    if rng.random() < 0.3:
        options["flow_control"] = "unlimited"
    if rng.random() < 0.1:
        options["memory_limit"] = "2 GiB"
    if rng.random() < 0.3:
        options["dtype"] = rng.choice(("float16", "float64", "uint8"))
    case = Case(machine, collective, options, build(machine))
    names = core.algorithms()
    for name in rng.sample(names, len(names)):
        case.options["algorithm"] = name
        try:
            sn.schedule(collective, system=case.system, **_of_schedule(options))
            sn.simulate(case.system, collective, **{**options, "record": [], "fidelity": "analytic"})
        except (AlgorithmError, SpecError, FabricError):
            continue
        return case
    raise Refused("no algorithm runs")


def _has_parts(collective: str) -> bool:
    """Tell whether the size is that of all ranks' parts."""
    return collective in ("all_gather", "reduce_scatter", "gather", "scatter", "all_to_all")


def _of_schedule(options: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords that make a difference to a schedule."""
    return {k: v for k, v in options.items() if k not in ("record", "flow_control", "memory_limit")}


def equal(what: str, one: Result, other: Result) -> None:
    """Require that two runs are the same to the last femtosecond, with every table written out."""
    require(one.time_fs == other.time_fs, f"{what}: {one.time_fs} fs and {other.time_fs} fs")
    for name in TABLES:
        a, b = one.expand(name), other.expand(name)
        if a.equals(b):
            continue
        if a.num_rows != b.num_rows:
            raise Finding(f"{what}: table {name} has {a.num_rows} rows and {b.num_rows}")
        for column in a.column_names:
            for i, (x, y) in enumerate(zip(a[column].to_pylist(), b[column].to_pylist(), strict=True)):
                require(x == y, f"{what}: table {name}, row {i}, {column} is {x!r} and {y!r}")
