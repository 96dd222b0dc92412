"""Options that a run ignores, each named in a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernode.fabric.base import GRAPH_ROUTINGS
from supernode.spec import RunSpec

__all__ = ["merge", "no_effect"]


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
    if given.get("flow_control") == "unlimited" and spec.fidelity == "analytic":
        found.append("flow_control='unlimited' has no effect: the run is analytic")
    if spec.fidelity == "analytic":
        found += [
            f"{n.name}: the analytic model takes routing {n.routing!r} as spraying over shortest paths"
            for n in spec.system.networks
            if n.routing in GRAPH_ROUTINGS
        ]
    if "skip" in given and spec.fidelity == "analytic":
        found.append(f"skip={given['skip']!r} has no effect: the run is analytic")
    return found


def merge(ours: tuple[str, ...], core: list[str]) -> list[str]:
    """Join the warnings of both sides, each once."""
    return list(dict.fromkeys([*ours, *core]))
