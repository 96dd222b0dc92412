"""Names as users write them: spelling aliases and suggestions for unknown ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from supernode.errors import SpecError, SupernodeError
from supernode.quoting import quote

__all__ = ["canonical", "choose", "fold", "plain_text", "unknown"]


#: Longer names are not kept.
_LONG = 64


def fold(name: str) -> str:
    """Reduce a name to its lower-case letters and digits, the form in which spellings are compared."""
    return _folded(name) if len(name) <= _LONG else _fold(name)


def _fold(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


_folded = lru_cache(maxsize=4096)(_fold)


def plain_text(value: object, what: str, error: type[SupernodeError] = SpecError) -> str:
    """Return a text that a file can hold, or raise ``error``."""
    if not isinstance(value, str):
        raise error(f"{what} is {quote(value)}; it must be text")
    try:
        value.encode()
    except UnicodeEncodeError as found:
        raise error(f"{what} is {quote(value)}, which UTF-8 cannot hold: {found.reason}") from None
    return value


def unknown(kind: str, name: object, valid: Iterable[str]) -> SpecError:
    """Build the error for an unknown name: the name, the nearest valid one, and all valid ones."""
    names = list(valid)
    # names of many letters are no slips, and comparing them would take long
    near = difflib.get_close_matches(name[:100].lower(), names, n=1, cutoff=0.5) if isinstance(name, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return SpecError(f"unknown {kind} {quote(name)}{hint} (valid: {', '.join(names) or 'none'})")


def canonical(kind: str, name: str, valid: Iterable[str] | Mapping[str, Iterable[str]]) -> str:
    """Return the valid name that ``name`` spells, whatever its case and separators.

    Parameters
    ----------
    kind
        What is named, for the error message.
    name
        The name as given.
    valid
        Canonical names; as a mapping, with the other folded spellings of each.

    Raises
    ------
    SpecError
        If no valid name is meant.
    """
    names = list(valid)
    if not isinstance(name, str):
        raise unknown(kind, name, names)
    if name in names:
        return name
    table = {fold(n): n for n in names}
    key = fold(name)
    if key in table:
        return table[key]
    if isinstance(valid, Mapping):
        for known, spellings in valid.items():
            if key in spellings:
                return known
    raise unknown(kind, name, names)


def choose(kind: str, name: object, valid: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``valid``, exactly; raise :class:`SpecError` otherwise."""
    names = list(valid)
    if isinstance(name, str) and name in names:
        return name
    raise unknown(kind, name, names)
