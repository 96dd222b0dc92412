"""Names of algorithms, as other libraries spell them."""

from __future__ import annotations

from supernode import core
from supernode.names import canonical

__all__ = ["parse_algorithm"]


def parse_algorithm(name: str) -> str:
    """Return the canonical name of an algorithm, ``"auto"`` or ``"best"``.

    Raises
    ------
    SpecError
        If there is no such algorithm; the message lists those there are.
    """
    return canonical("algorithm", name, {"auto": (), "best": (), **core.vocabulary()["algorithms"]})
