"""The extension module, imported in this one place."""

from __future__ import annotations

import platform
from functools import cache

try:
    from supernode import _core
except ImportError as error:  # a source tree on the path without the built extension
    raise ImportError(
        "the extension module supernode._core is missing or does not load; build and install it with "
        f"'pip install .' from the repository's top level ({error})"
    ) from error

from supernode._core import CancelToken, Run, check_schedule, describe, edges, simulate, validate
from supernode._core import explain as explain_json

__all__ = [
    "CancelToken",
    "Run",
    "algorithms",
    "check_schedule",
    "collectives",
    "describe",
    "edges",
    "explain_json",
    "simulate",
    "validate",
    "versions",
]


@cache
def collectives() -> tuple[str, ...]:
    """List the canonical names of the collectives."""
    return tuple(_core.collectives())


@cache
def algorithms() -> tuple[str, ...]:
    """List the canonical names of the algorithms."""
    return tuple(_core.algorithms())


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {"supernode": _core.__version__, **_core.version_info(), "python": platform.python_version()}
