"""Reading files as text, JSON, YAML and XML: whole, within limits, with errors that name the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec

from supernode.errors import SizeOverflowError, SpecError

__all__ = ["MAX_BYTES", "Line", "lines", "load_plain", "load_xml", "read_text"]

#: Larger files are refused: they would not fit in memory as Python objects.
MAX_BYTES = 2**28


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    SpecError
        If it does not exist, is a directory, or is not UTF-8.
    SizeOverflowError
        If it has more than 256 MiB.
    """
    if path.is_dir():
        raise SpecError(f"{path.name}: it is a directory; give the path of a file")
    if not path.is_file():
        raise SpecError(f"file {str(path)!r} does not exist")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise SizeOverflowError(f"{path.name}: {size} bytes are too many; at most {MAX_BYTES}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path.name}: not UTF-8: {error.reason} at byte {error.start}") from None


class Line:
    """A line of a text file in words, which knows its number."""

    def __init__(self, number: int, words: list[str]) -> None:
        self.number = number
        self.words = words

    def integer(self, index: int, what: str) -> int:
        """Return a word as a whole number that is not negative."""
        word = self.word(index, what)
        if not word.isascii() or not word.isdigit() or len(word) > 30:
            raise SpecError(f"line {self.number}: {what} is {word!r}; it must be a whole number")
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
        If it is neither, naming the line; for YAML also if PyYAML is not installed.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise SpecError(f"not valid JSON: {error}, in {len(text.splitlines())} lines") from None
    try:
        import yaml
    except ImportError:
        raise SpecError("YAML needs PyYAML: pip install 'supernode[yaml]'") from None
    # libyaml is ten times faster, where PyYAML was built with it
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            raise SpecError("aliases of YAML (*name) are not read: write the values out")
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark is not None else ""
        raise SpecError(f"{place}not valid YAML: {getattr(error, 'problem', None) or error}") from None
    except (RecursionError, ValueError) as error:
        raise SpecError(f"not valid YAML: {error}") from None


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
