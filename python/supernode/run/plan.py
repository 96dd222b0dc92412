"""From the keywords of a run to the specification that the core takes."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from supernode import core
from supernode.errors import SpecError
from supernode.fabric.base import GRAPH_ROUTINGS, Network, link_rate, parse_routing
from supernode.library.algorithms import parse_algorithm
from supernode.library.collectives import Collective, parse_collective
from supernode.library.dtypes import DType, parse_dtype
from supernode.library.stack import Stack, load_stack
from supernode.marks import assumed_text, warn_once
from supernode.names import unknown
from supernode.quoting import quote
from supernode.run.expected import ExpectedError, expected_error
from supernode.run.noeffect import idle_if_analytic, idle_peaks, no_effect
from supernode.run.options import (
    ProgressOption,
    RunOptions,
    parse_budget,
    parse_fidelity,
    parse_flow_control,
    parse_levels,
    parse_placement,
    parse_progress,
    parse_record,
    parse_seconds,
)
from supernode.spec import Clos, GraphShape, RunSpec, StackSpec
from supernode.system import System, SystemLike, as_system
from supernode.units import Quantity, parse_size, parse_time
from supernode.values import parse_flag, parse_whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Plan", "expected_of", "make_plan"]

#: Topologies in which a routing policy has a choice.
_ROUTED = (Clos, GraphShape)


@dataclass(frozen=True)
class Plan:
    """One run, ready for the core.

    Parameters
    ----------
    system
        The machine.
    collective
        The operation.
    dtype
        Its element type.
    spec
        The specification.
    placement
        Accelerator of each rank, or ``None`` for the identity.
    warnings
        What the result has to say before the core adds its own.
    timeout
        Wall-clock limit in seconds.
    progress
        How progress is shown.
    self_check
        Whether a small case is run in full for comparison.
    idle_if_analytic
        Warnings that the result has to carry if the run turns out to be analytic.
    software
        The stack, with what was replaced in it.
    options
        The keywords as given.
    uncertainty
        Whether parameters that have a range are run at both ends of it.
    own_costs
        Why the software costs are not those that were compared with measurements; empty if they are.
    """

    system: System
    collective: Collective
    dtype: DType
    spec: RunSpec
    placement: npt.NDArray[np.uint32] | None = field(repr=False)
    warnings: tuple[str, ...]
    timeout: float | None
    progress: ProgressOption
    self_check: bool = False
    idle_if_analytic: tuple[str, ...] = ()
    own_costs: str = ""
    software: Stack | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    uncertainty: bool = False

    def with_size(self, size: int) -> Plan:
        """Return the plan of another size."""
        return replace(self, collective=replace(self.collective, size=size), spec=_replace(self.spec, bytes=size))

    def with_algorithm(self, algorithm: str) -> Plan:
        """Return the plan of another algorithm."""
        return replace(self, spec=_replace(self.spec, algorithm=parse_algorithm(algorithm)))

    def with_budget(self, nanoseconds: int) -> Plan:
        """Return the plan with another budget."""
        return replace(self, spec=_replace(self.spec, budget_ns=nanoseconds))

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return self.system.accelerators if self.spec.ranks is None else self.spec.ranks


def make_plan(
    system: SystemLike,
    collective: Collective | str,
    size: Quantity | None,
    options: RunOptions,
    *,
    computed: Container[str] = (),
    varied: Mapping[str, Quantity] | None = None,
) -> Plan:
    """Check every keyword and put the specification together.

    Parameters
    ----------
    system
        The machine.
    collective, size
        The operation.
    options
        The keywords.
    computed
        Element types whose peak rates the run depends on.
    varied
        New values of the stack by name: the plan is a variant of another one, and warns of nothing.

    Raises
    ------
    SpecError
        Naming the keyword, its value and what would be valid.
    """
    given: dict[str, Any] = dict(options)
    unknown_keys = set(given) - set(RunOptions.__annotations__)
    if unknown_keys:
        raise unknown("keyword", sorted(unknown_keys)[0], sorted(RunOptions.__annotations__))
    machine = as_system(system)
    operation = parse_collective(collective, size)
    dtype = parse_dtype(given.get("dtype", "float32"))
    networks, routing_notes = _route(machine.all_networks(), given.get("routing"))
    if parse_flow_control(given.get("flow_control", "credit")) == "unlimited":
        networks = [replace(n, spec=_replace(n.spec, buffer=None)) for n in networks]
    stack, replaced_notes = _stack(machine, given.get("stack"))
    stack = stack.replaced(varied or {})
    stack_spec, stack_notes = stack.to_spec([n.kind for n in networks], given.get("protocol"), link_rate(networks))
    placement = None if given.get("placement") is None else parse_placement(given["placement"])
    spec = RunSpec(
        system=_replace(machine.to_spec(), networks=[n.spec for n in networks]),
        collective=operation.name,
        algorithm=parse_algorithm(given.get("algorithm", "auto")),
        bytes=operation.bytes(),
        element_bytes=dtype.bytes,
        root=_root(operation, given.get("root", 0)),
        ranks=_ranks(given.get("ranks"), placement),
        lanes=_optional(given.get("lanes"), "lanes"),
        chunks=_optional(given.get("chunks"), "chunks"),
        levels=parse_levels(given.get("levels")),
        stack=stack_spec,
        fidelity=parse_fidelity(given.get("fidelity", "auto")),
        seed=parse_whole(given.get("seed", 0), "seed"),
        fold=parse_flag(given.get("fold", True), "fold"),
        threads=parse_whole(given.get("threads", 0), "threads", high=core.vocabulary()["threads"]),
        record=parse_record(given.get("record", ())),
        time_limit_fs=None if given.get("time_limit") is None else parse_time(given["time_limit"], "time_limit"),
        skip=parse_flag(given.get("skip", True), "skip"),
        memory_limit=None if given.get("memory_limit") is None else parse_size(given["memory_limit"], "memory_limit"),
    )
    if given.get("budget") is not None:
        spec = _replace(spec, budget_ns=parse_budget(given["budget"]))
    notes = [*machine.notes(), *replaced_notes, *stack_notes, *routing_notes, *no_effect(spec, given)]
    notes += idle_peaks(machine, computed)
    assumed = _assumed(machine, stack, stack_spec, [n.kind for n in networks]) if varied is None else ()
    return Plan(
        system=machine,
        collective=operation,
        dtype=dtype,
        spec=spec,
        placement=placement,
        warnings=(*assumed, *notes),
        timeout=None if given.get("timeout") is None else parse_seconds(given["timeout"], "timeout"),
        progress=parse_progress(given.get("progress")),
        self_check=parse_flag(given.get("self_check", False), "self_check"),
        idle_if_analytic=idle_if_analytic(given),
        own_costs=_own_costs(machine, stack, given.get("stack")),
        software=stack,
        options={key: value for key, value in given.items() if key != "progress"},
        uncertainty=parse_flag(given.get("uncertainty", False), "uncertainty"),
    )


def expected_of(plan: Plan) -> ExpectedError:
    """Look up how far predictions of runs like that of a plan have been from measurements."""
    spec, system = plan.spec, plan.system
    return expected_error(
        *(system, system.all_networks(), spec.stack.name, spec.collective, spec.bytes, plan.ranks, plan.placement),
        plan.own_costs,
    )


def _replace(struct: Any, **changes: Any) -> Any:
    fields = {name: getattr(struct, name) for name in struct.__struct_fields__}
    return type(struct)(**(fields | changes))


def _stack(system: System, name: str | None) -> tuple[Stack, list[str]]:
    """Load the stack with the values that were replaced for it."""
    stack, own = load_stack(system.stack if name is None else name), load_stack(system.stack)
    changes = system.stack_overrides
    if stack.name == own.name:
        return stack.replaced(changes), []
    return stack, [f"override {c} has no effect: it is for stack {own.name}, not {stack.name}" for c in changes]


def _own_costs(system: System, stack: Stack, asked: str | None) -> str:
    """Say why software costs are the user's own; empty if they are those of a packaged stack."""
    name = system.stack if asked is None else asked
    if name.endswith(".toml"):
        return f"stack {stack.name} is a file of the user's"
    changed = [key for key in system.overrides if "." in key]
    if changed and load_stack(system.stack).name == stack.name:
        return f"{changed[0]} of stack {stack.name} was replaced"
    return ""


def _assumed(system: System, stack: Stack, spec: StackSpec, kinds: Sequence[str]) -> tuple[str, ...]:
    """Warn, once a process, about values that nobody published and that this run uses."""
    parts = [system.assumed(), assumed_text(f"stack {stack.name}", stack.assumed(kinds, spec.protocol))]
    text = "; ".join(part for part in parts if part)
    warn_once(f"{system.label} {stack.name}", text)
    return (text,) if text else ()


def _route(networks: Sequence[Network], routing: str | None) -> tuple[list[Network], list[str]]:
    if routing is None:
        return list(networks), []
    graphs = any(isinstance(n.spec.topology, GraphShape) for n in networks)
    policy = parse_routing(routing, graph=graphs)
    kinds = (GraphShape,) if policy in GRAPH_ROUTINGS else _ROUTED
    routed = [
        replace(n, spec=_replace(n.spec, routing=policy)) if isinstance(n.spec.topology, kinds) else n for n in networks
    ]
    if not any(isinstance(n.spec.topology, _ROUTED) for n in networks):
        return routed, [f"routing={quote(routing)} has no effect: direct topologies route in dimension order"]
    kept = [n.spec for n in networks if isinstance(n.spec.topology, _ROUTED) and not isinstance(n.spec.topology, kinds)]
    return routed, [
        f"routing={quote(routing)} is for explicit graphs; {spec.name} keeps {spec.routing}" for spec in kept
    ]


def _root(collective: Collective, root: object) -> int:
    number = parse_whole(root, "root", high=2**32 - 1)
    own = getattr(collective, "root", None)
    if own is not None:
        own = parse_whole(own, "root", high=2**32 - 1)
    if own is None:
        return number
    if number not in (0, own) and own != 0:
        raise SpecError(f"root: given twice, as {own} in the collective and as {number}")
    return parse_whole(own or number, "root", high=2**32 - 1)


def _ranks(ranks: object, placement: npt.NDArray[np.uint32] | None) -> int | None:
    if ranks is None:
        return None if placement is None else len(placement)
    number = parse_whole(ranks, "ranks", low=1, high=2**32 - 1)
    if placement is not None and len(placement) != number:
        raise SpecError(f"placement: it places {len(placement)} ranks, but ranks={number}")
    return number


def _optional(value: object, what: str) -> int | None:
    return None if value is None else parse_whole(value, what, low=1, high=2**32 - 1)
