"""What commands print as JSON: one value on the output stream, nothing else there.

**Invariant.** It is JSON as RFC 8259 has it, in ASCII whatever the locale: a number that is not finite is ``null``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from supernode.cli.headings import OUTPUT

__all__ = ["Json", "print_json"]

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of text; docs/cli.md has the keys.", rich_help_panel=OUTPUT)
]


def print_json(value: object) -> None:
    """Print a value of plain data."""
    typer.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
