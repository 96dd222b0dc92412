"""How well a number is known, who says it, and the warning for numbers that nobody published."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from typing import Literal

import msgspec

__all__ = ["ASSUMED_MARKS", "MARKS", "AssumedValueWarning", "Mark", "Source", "assumed_text", "warn_once"]

Mark = Literal["published", "derived", "assumed", "unknown", "override"]

#: In order of confidence. ``override`` is a value that the user gave in place of the preset's.
MARKS: tuple[Mark, ...] = ("published", "derived", "override", "assumed", "unknown")

#: Marks that a result has to warn about.
ASSUMED_MARKS = frozenset({"assumed", "unknown"})

_warned: set[str] = set()


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a number comes from."""

    title: str
    ref: str = ""
    grade: str = ""


class AssumedValueWarning(UserWarning):
    """A result depends on values that nobody published."""


def assumed_text(owner: str, values: Iterable[str]) -> str:
    """Word the warning for a system or stack with assumed or unknown values; empty if there are none."""
    listed = list(values)
    return f"{owner} uses assumed or unknown values: {'; '.join(listed)}" if listed else ""


def warn_once(key: str, text: str) -> None:
    """Issue :class:`AssumedValueWarning` at the caller's own line, the first time this process meets ``key``."""
    if text and key not in _warned:
        _warned.add(key)
        frame, level = sys._getframe(), 1
        while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("supernode."):
            frame, level = frame.f_back, level + 1
        warnings.warn(text, AssumedValueWarning, stacklevel=level)
