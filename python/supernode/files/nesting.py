"""Limits of nesting, looked at before a parser sees a text.

Parsers of TOML and YAML take a time for each level that grows with the number of levels: a dotted key of 100,000 parts
keeps one busy for many seconds. No file of this package's formats has more than a handful of levels, so more than
:data:`MOST` are refused. Cost: one pass over the text.
"""

from __future__ import annotations

import re

from supernode.errors import SpecError

__all__ = ["MOST", "check_keys", "check_levels"]

#: Levels that a text may have.
MOST = 64

# a bare or quoted key; nothing here is matched twice, because no part can begin inside another one
_PART = r"(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+"
_KEY = re.compile(rf"(?:^|[\[{{,])[ \t]*+{_PART}(?:\.[ \t]*+{_PART}){{{MOST}}}", re.MULTILINE)
_BRACKETS = re.compile(r"[\[\]{}]")
# 1:30:00 is a number in base 60 in YAML 1.1
_SIXTIES = re.compile(rf"(?::[0-5]?[0-9]){{{MOST}}}")


def check_keys(text: str) -> None:
    """Refuse a TOML text with a dotted key or name of a table of more than :data:`MOST` parts.

    Raises
    ------
    SpecError
        Naming the line.
    """
    found = _KEY.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise SpecError(f"line {line}: a key has more than {MOST} parts")


def check_levels(text: str) -> None:
    """Refuse a YAML text whose lists and tables are nested more than :data:`MOST` deep, or a number of as many parts.

    Raises
    ------
    SpecError
        Naming the line.
    """
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += 1 if found[0] in "[{" else -1
        if depth > MOST:
            line = text.count("\n", 0, found.start()) + 1
            raise SpecError(f"line {line}: lists and tables are nested more than {MOST} deep")
    number = _SIXTIES.search(text)
    if number is not None:
        line = text.count("\n", 0, number.start()) + 1
        raise SpecError(f"line {line}: a number has more than {MOST} parts between colons")
