"""The extension module, imported in this one place."""

from __future__ import annotations

import json
import platform
import warnings
from functools import cache
from typing import TypedDict

try:
    from supernode import _core
except ImportError as error:  # a source tree on the path without the built extension
    raise ImportError(
        "the extension module supernode._core is missing or does not load; build and install it with "
        f"'pip install .' from the repository's top level ({error})"
    ) from error

from supernode._core import (
    CancelToken,
    Fabrics,
    ProgramRun,
    Run,
    Schedule,
    ScheduleRun,
    auto_buffer,
    calls,
    check_schedule,
    describe,
    edges,
    program,
    rounded_bytes,
    run_schedule,
    schedule_formats,
    simulate,
    validate,
)
from supernode._core import explain as explain_json

__all__ = [
    "CancelToken",
    "Fabrics",
    "ProgramRun",
    "Run",
    "Schedule",
    "ScheduleRun",
    "Vocabulary",
    "algorithms",
    "auto_buffer",
    "calls",
    "check_schedule",
    "collectives",
    "describe",
    "edges",
    "explain_json",
    "program",
    "rounded_bytes",
    "run_schedule",
    "schedule_formats",
    "simulate",
    "validate",
    "versions",
    "vocabulary",
    "warn_if_slow",
]


class Vocabulary(TypedDict):
    """What the core knows by name.

    A dictionary of names has the other spellings of each, in lower case and without separators.
    """

    collectives: dict[str, list[str]]
    algorithms: dict[str, list[str]]
    fidelities: dict[str, list[str]]
    tables: dict[str, list[str]]
    routings: dict[str, list[str]]
    #: Policies that only explicit graphs have.
    routings_of_graphs: list[str]
    #: Collectives in which one rank is special.
    rooted: list[str]
    #: Collectives that combine data.
    reduces: list[str]
    #: Collectives whose buffer is cut into one part per rank.
    parted: list[str]
    #: Traffic patterns.
    patterns: dict[str, list[str]]
    #: Prefixes that libraries put before names.
    libraries: list[str]
    #: Most lanes, and most chunks of a lane.
    lanes: int
    #: Most worker threads.
    threads: int


@cache
def vocabulary() -> Vocabulary:
    """Return names, their spellings and limits, as the core has them."""
    read = json.loads(_core.vocabulary())
    kinds = ("collectives", "algorithms", "fidelities", "tables", "routings", "patterns")
    found: Vocabulary = read | {kind: dict(read[kind]) for kind in kinds}
    return found


def collectives() -> tuple[str, ...]:
    """List the canonical names of the collectives."""
    return tuple(vocabulary()["collectives"])


def algorithms() -> tuple[str, ...]:
    """List the canonical names of the algorithms."""
    return tuple(vocabulary()["algorithms"])


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {"supernode": _core.__version__, **_core.version_info(), "python": platform.python_version()}


def warn_if_slow(found: dict[str, str]) -> None:
    """Warn if the core was built without optimisation: it is tens of times slower."""
    if found.get("profile") == "debug":
        warnings.warn(
            "supernode's core is a debug build, tens of times slower; build it with 'maturin develop --release', or "
            "install a wheel",
            RuntimeWarning,
            stacklevel=3,
        )


warn_if_slow(versions())
