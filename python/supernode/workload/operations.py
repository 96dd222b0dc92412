"""Handles of operations, by which others wait for them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from supernode.errors import SpecError
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.values import parse_whole

__all__ = ["After", "Operation", "waits"]


@dataclass(frozen=True)
class Operation:
    """An operation of a workload, as others wait for it.

    Parameters
    ----------
    name
        Its name.
    iterations_ago
        How many iterations before this one.
    """

    name: str
    iterations_ago: int = 0
    #: The workload that made it, if one did.
    owner: int | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain_text(self.name, "name of an operation")
        object.__setattr__(self, "iterations_ago", parse_whole(self.iterations_ago, "iterations_ago", high=2**31))

    def previous(self, n: int = 1) -> Operation:
        """Return the same operation ``n`` iterations earlier, of the innermost loop that holds both.

        The first ``n`` iterations of the run wait for nothing. In an inner loop, the first iteration of the next outer
        one waits for the last of the one before.
        """
        ago = self.iterations_ago + parse_whole(n, "previous", low=1, high=2**31)
        return replace(self, iterations_ago=ago)


#: What an operation waits for.
After = Operation | Iterable[Operation] | None


def waits(after: After, known: Container[str], owner: int) -> list[dict[str, Any]]:
    """Return what an operation waits for, as the core takes it."""
    if after is None:
        return []
    found = []
    try:
        items: list[Any] = [after] if isinstance(after, Operation) else list(after)
    except TypeError:
        items = [after]
    for item in items:
        if not isinstance(item, Operation):
            raise SpecError(
                f"after: {quote(item)} is not valid; it must be what a method of the workload returned, or a list of "
                "such"
            )
        if item.owner is not None and item.owner != owner:
            raise SpecError(f"after: {quote(item.name)} is of another workload")
        # an operation of an earlier iteration may be added later; the core knows all names
        if item.iterations_ago == 0 and item.name not in known:
            raise SpecError(f"after: {quote(item.name)} is not valid; no operation of that name was added before it")
        found.append({"operation": item.name, "previous": item.iterations_ago})
    return found
