"""The command line's words for the keywords that errors and warnings of the library name.

An error says ``give link_rate=`` to the one who calls :meth:`supernode.System.from_file`; on the command line it has to
say ``give --link-rate``. Keywords have the names of options, so one rule translates them all: ``name=value`` becomes
``--name value``, and ``name:`` or ``name has no effect`` at the start of a message ``--name:`` and so on.

**Invariant.** While a command runs, only keywords that are its own options are translated, spelled as the user typed
them. So a message about a key of a job or sweep file keeps the key: those commands have no such option.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from supernode.run.options import RunOptions

__all__ = ["in_cli_words", "speaking"]

#: Keywords whose option has another name, and what else a message calls an option.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "algorithm": ("algorithm", "algorithms"),
    "from_format": ("format",),
    "maxbytes": ("last size",),
    "minbytes": ("first size",),
    "sizes_text": ("sizes",),
    "stepbytes": ("size step",),
    "stepfactor": ("size factor",),
}
#: What an unknown name is said to be, and the option that gives it.
_KINDS: Mapping[str, str] = {
    "algorithm": "algorithm", "dtype": "dtype", "fidelity": "fidelity", "flow control": "flow_control",
    "protocol": "protocol", "routing": "routing", "stack": "stack", "table": "record",
}  # fmt: skip
#: Options that say together which sizes there are.
_SIZES = ("minbytes", "maxbytes", "stepfactor", "stepbytes")

#: Keyword: the option as typed, and where it is yes or no, what says yes and what says no.
Words = Mapping[str, tuple[str, tuple[str, str] | None]]


def _usual() -> Words:
    """Return the words where no command runs: the usual spelling of every keyword."""
    found: dict[str, tuple[str, tuple[str, str] | None]] = {
        name: (f"--{name.replace('_', '-')}", None)
        for name in (
            *RunOptions.__annotations__, "accelerators", "hints", "link_latency", "link_rate", "name", "size", "sizes",
            "switch_latency",
        )
    }  # fmt: skip
    for name in ("fold", "skip", "progress", "forwarding", "self_check", "uncertainty"):
        flag = name.replace("_", "-")
        found[name] = (f"--{flag}", (f"--{flag}", f"--no-{flag}"))
    return {**found, "algorithm": ("--algo", None), "algorithms": ("--algo", None), "format": ("--from", None)}


_current: ContextVar[tuple[Words, frozenset[str]] | None] = ContextVar("words", default=None)

# a value is a list, a table, a quoted text or a word
_VALUE = r"\[[^\[\]]*\]|\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[^\s,;:)]*"
_UNKNOWN = re.compile(r"unknown ([a-z ]+?) ['\"]")


@contextmanager
def speaking(params: Sequence[Any], args: Sequence[str]) -> Iterator[None]:
    """Translate into the options of a command, as they were typed.

    Parameters
    ----------
    params
        Parameters of the command, as typer has them.
    args
        What was typed.
    """
    typed = {text.split("=")[0] if text.startswith("--") else text[:2] for text in args if text.startswith("-")}
    words: dict[str, tuple[str, tuple[str, str] | None]] = {}
    given = set()
    spelled: dict[str, str] = {}
    for param in params:
        if param.param_type_name != "option":
            continue
        own = [flag for flag in (*param.opts, *param.secondary_opts) if flag in typed]
        name = (own or [flag for flag in param.opts if flag.startswith("--")] or param.opts)[0]
        if own:
            given.add(param.name)
            spelled[param.name] = name
        both = (param.opts[0], param.secondary_opts[0]) if param.secondary_opts else None
        words |= dict.fromkeys(_NAMES.get(param.name, (param.name,)), (name, both))
    if "sizes" in words and "sizes_text" not in given and given.intersection(_SIZES):
        words["sizes"] = (", ".join(spelled[name] for name in _SIZES if name in given), None)
    token = _current.set((words, frozenset(given)))
    try:
        yield
    finally:
        _current.reset(token)


def in_cli_words(text: str) -> str:
    """Return a message with options instead of keywords."""
    words, given = _current.get() or (_usual(), frozenset())
    keyword, start = _patterns(tuple(words))
    kind = _UNKNOWN.match(text)
    option = _KINDS.get(kind[1], "") if kind else ""
    if option in given:
        text = f"{option}: {text}"
    found = start.match(text)
    if found is not None:
        text = f"{words[found[1]][0]}{text[found.end(1) :]}"
    return keyword.sub(lambda found: _option(words[found[1]], found[2]), text)


@lru_cache(maxsize=8)
def _patterns(names: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds ``name=value`` anywhere, and a name at the start."""
    either = "|".join(sorted(map(re.escape, names), key=len, reverse=True)) or r"(?!)"
    return re.compile(rf"(?<![\w\-$\[.])({either})=({_VALUE})"), re.compile(rf"({either})(?:: | has no effect)")


def _option(word: tuple[str, tuple[str, str] | None], value: str) -> str:
    name, both = word
    if both is not None and value in ("True", "False"):
        return both[value == "False"]
    plain = value.strip("[]").replace("'", "").replace('"', "").replace(", ", ",")
    if value.startswith("{"):
        plain = plain.strip("{}").replace(": ", "=")
    return f"{name} {plain}".rstrip()
