"""Reading text as lines, JSON, YAML and XML: with errors that name the line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import msgspec

from supernode.errors import SpecError
from supernode.extras import extra
from supernode.files.nesting import MOST, check_levels
from supernode.files.text import shortened

__all__ = ["Line", "lines", "load_plain", "load_xml"]


class Line:
    """A line of a text file in words, which knows its number."""

    def __init__(self, number: int, words: list[str]) -> None:
        self.number = number
        self.words = words

    def integer(self, index: int, what: str) -> int:
        """Return a word as a whole number that is not negative."""
        word = self.word(index, what)
        if not word.isascii() or not word.isdigit() or len(word) > 30:
            raise SpecError(f"line {self.number}: {what} is {shortened(word, 100)!r}; it must be a whole number")
        return int(word)

    def word(self, index: int, what: str) -> str:
        """Return a word."""
        if index >= len(self.words):
            raise SpecError(f"line {self.number}: {what} is missing")
        return self.words[index]


def lines(text: str) -> Iterator[Line]:
    """Split text into lines of words; empty lines and comments (``#``, ``//``) are left out."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and not words[0].startswith(("#", "//")):
            yield Line(number, words)


def load_plain(text: str) -> Any:
    """Return the data of a JSON or YAML text.

    Raises
    ------
    SpecError
        If it is neither, naming the line.
    MissingExtraError
        If it is YAML and PyYAML is not installed.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
            raise SpecError(f"not valid JSON: {error}, in {len(text.splitlines())} lines") from None
    with extra("yaml", "YAML needs PyYAML"):
        import yaml
    # libyaml is ten times faster, where PyYAML was built with it
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    check_levels(text)
    try:
        _check_events(yaml, text, loader)
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
    except SpecError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark is not None else ""
        raise SpecError(f"{place}not valid YAML: {getattr(error, 'problem', None) or error}") from None
    except (RecursionError, ValueError) as error:
        raise SpecError(f"not valid YAML: {error}") from None


def _check_events(yaml: Any, text: str, loader: Any) -> None:
    """Refuse aliases, and nesting that is too deep: building data is recursive, and in C; reading events is not."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.AliasEvent):
            raise SpecError("aliases of YAML (*name) are not read: write the values out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST:
            raise SpecError(f"line {event.start_mark.line + 1}: lists and tables are nested more than {MOST} deep")


def load_xml(text: str) -> ElementTree.Element:
    """Return the root of an XML text. Document types are refused, and with them entities and what they may expand to.

    Raises
    ------
    SpecError
        If it is not valid, naming the line.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SpecError("not valid here: document types and entities of XML are not read")
    try:
        # ElementTree resolves no external entities, and internal ones were refused
        return ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError as error:
        line, column = error.position
        raise SpecError(f"line {line}: not valid XML: {str(error).split(':')[0]} (column {column})") from None
    except ValueError as error:
        raise SpecError(f"not valid XML: {error}") from None
