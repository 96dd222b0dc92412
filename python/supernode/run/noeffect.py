"""Options that a run ignores, each named in a warning."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from supernode.fabric.base import GRAPH_ROUTINGS
from supernode.spec import RunSpec
from supernode.system import System

__all__ = ["idle_if_analytic", "idle_peaks", "merge", "no_effect"]


def no_effect(spec: RunSpec, given: Mapping[str, Any]) -> list[str]:
    """List the options that the core cannot see to be idle; it reports the others itself.

    Parameters
    ----------
    spec
        The specification.
    given
        The keywords that the user wrote.
    """
    found = []
    if given.get("protocol") and len(spec.stack.protocols) == 1:
        found.append(f"protocol={given['protocol']!r} has no effect: stack {spec.stack.name} has only one")
    if spec.fidelity == "analytic":
        found += [
            f"{n.name}: the analytic model takes routing {n.routing!r} as spraying over shortest paths"
            for n in spec.system.networks
            if n.routing in GRAPH_ROUTINGS
        ]
    return found


def idle_if_analytic(given: Mapping[str, Any]) -> tuple[str, ...]:
    """List the options that would be idle if the run turned out to be analytic; the core reports the others itself."""
    return tuple(
        f"{name}={given[name]!r} has no effect: the run is analytic"
        for name, default in (("flow_control", "credit"), ("fold", True), ("skip", True))
        if given.get(name, default) != default
    )


def idle_peaks(system: System, computed: Container[str]) -> list[str]:
    """List the overrides of peak rates that nothing computes at.

    Parameters
    ----------
    system
        The machine.
    computed
        Element types whose peak rates the run depends on.
    """
    return [
        f"override {name} has no effect: nothing in this run computes FLOP of {' or '.join(kinds)} at the system's rate"
        for name, kinds in system.peak_overrides
        if not any(kind in computed for kind in kinds)
    ]


def merge(ours: tuple[str, ...], core: list[str]) -> list[str]:
    """Join the warnings of both sides, each once."""
    return list(dict.fromkeys([*ours, *core]))
