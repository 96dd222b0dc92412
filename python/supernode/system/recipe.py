"""How a system was made, so that it can be made again with other values of its parameters.

**Model.** A preset is read from a file whose parameters have ranges, and methods of :class:`~supernode.System` change
what was read. A recipe keeps both: who reads the file, and the methods in the order of their calls. **Invariant.**
Two systems that are equal stay equal whatever their recipes: a recipe is how, not what. **Limits.** A system that was
put together by hand has no recipe: its numbers have no ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from supernode.units import Quantity, parse_size

if TYPE_CHECKING:
    from supernode.system.system import System

__all__ = ["Grain", "Ranged", "Recipe"]


@dataclass(frozen=True)
class Ranged:
    """A number that is known within a range.

    Parameters
    ----------
    name
        Name of the parameter.
    value
        What is used.
    low, high
        Ends of the range.
    joins
        Whether only several units depend on it.
    """

    name: str
    value: Quantity
    low: Quantity
    high: Quantity
    joins: bool = False


@dataclass(frozen=True)
class Grain:
    """Payload and overhead of packets that stand for groups of smaller ones.

    Their size is the grain of the simulation and not the efficiency of the fabric, so with another payload the overhead
    changes in proportion.

    Parameters
    ----------
    payload, overhead
        Names of the parameters.
    bytes
        Payload of the file, or the user's.
    extra
        Overhead of the file, or the user's.
    """

    payload: str
    overhead: str
    bytes: Quantity
    extra: Quantity

    def applied(self, changes: Mapping[str, Quantity]) -> Mapping[str, Quantity]:
        """Return the changes with the overhead that goes with the payload."""
        if self.payload not in changes:
            return changes
        whole = parse_size(changes.get(self.overhead, self.extra), self.overhead) * parse_size(
            changes[self.payload], self.payload
        )
        return {**changes, self.overhead: f"{round(whole / parse_size(self.bytes, self.payload))} B"}


@dataclass(frozen=True)
class Recipe:
    """How a system was made.

    Parameters
    ----------
    make
        Makes the system that the file describes, with overrides.
    overrides
        Those that the user gave.
    ranges
        Parameters that have a range and were not overridden.
    grain
        Size of packets that stand for groups of others, where the file has it.
    steps
        Methods of :class:`~supernode.System` that were called since, each with its arguments.
    """

    make: Callable[[Mapping[str, Quantity | bool]], System]
    overrides: Mapping[str, Quantity | bool]
    ranges: tuple[Ranged, ...]
    grain: Grain | None = None
    steps: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    def then(self, method: str, **arguments: Any) -> Recipe:
        """Return the recipe with one more call."""
        return replace(self, steps=(*self.steps, (method, arguments)))

    def build(self, changes: Mapping[str, Quantity]) -> System:
        """Make the system with other values of its parameters.

        Raises
        ------
        SpecError, FabricError
            If there is no such system.
        """
        values = changes if self.grain is None else self.grain.applied(changes)
        system = self.make({**self.overrides, **values})
        for method, arguments in self.steps:
            system = getattr(system, method)(**arguments)
        return system
