"""The command line's words for the keywords that errors and warnings of the library name.

An error says ``give link_rate=`` to the one who calls :meth:`supernode.System.from_file`; on the command line it has to
say ``give --link-rate``. The keywords have the names of the options, so one rule translates them all: ``name=value``
becomes ``--name value``, and ``name:`` at the start of a message ``--name:``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from supernode.options import RunOptions

__all__ = ["in_cli_words"]

#: Options whose name is not that of the keyword.
_NAMES: Mapping[str, str] = {
    "accelerators": "--accelerators",
    "algorithm": "--algo",
    "algorithms": "--algo",
    "format": "--from",
    "hints": "--hints",
    "link_latency": "--link-latency",
    "link_rate": "--link-rate",
    "forwarding": "--forwarding",
    "name": "--name",
    "size": "--size",
    "sizes": "--sizes",
    "switch_latency": "--switch-latency",
}

#: Keywords that are yes or no.
_FLAGS = ("fold", "skip", "self_check", "progress", "forwarding")

_OPTIONS = {**{name: f"--{name.replace('_', '-')}" for name in RunOptions.__annotations__}, **_NAMES}
_ANY = "|".join(sorted(map(re.escape, _OPTIONS), key=len, reverse=True))

# a value is a list, a table, a quoted text or a word
_VALUE = r"\[[^\[\]]*\]|\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[^\s,;:)]*"
_KEYWORD = re.compile(rf"(?<![\w\-$\[.])({_ANY})=({_VALUE})")
_START = re.compile(rf"({_ANY}): ")


def in_cli_words(text: str) -> str:
    """Return a message with options instead of keywords."""
    start = _START.match(text)
    if start is not None:
        text = f"{_OPTIONS[start[1]]}: {text[start.end() :]}"
    return _KEYWORD.sub(lambda found: _option(found[1], found[2]), text)


def _option(name: str, value: str) -> str:
    option = _OPTIONS[name]
    if name in _FLAGS and value in ("True", "False"):
        return option if value == "True" else f"--no-{option.removeprefix('--')}"
    plain = value.strip("[]").replace("'", "").replace('"', "").replace(", ", ",")
    if value.startswith("{"):
        plain = plain.strip("{}").replace(": ", "=")
    return f"{option} {plain}".rstrip()
