"""What a program says on the error stream: warnings in one line each, nothing twice."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from typing import TextIO

__all__ = ["print_warnings", "use_plain_warnings"]


def use_plain_warnings() -> None:
    """Let Python's warnings appear as one line, without the place in the code that raised them."""
    warnings.showwarning = _show


def print_warnings(texts: Iterable[str]) -> None:
    """Print what Python's warnings have not shown yet: assumed values went out when the run was planned."""
    for text in texts:
        if "uses assumed or unknown values" not in text:
            sys.stderr.write(f"warning: {text}\n")


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del category, filename, lineno, line
    (file or sys.stderr).write(f"warning: {message}\n")
