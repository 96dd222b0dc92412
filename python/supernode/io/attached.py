"""What the verbs of systems do with files: keywords become options, and a format is read or written."""

from __future__ import annotations

from pathlib import Path

from supernode.errors import SpecError
from supernode.io.found import ImportOptions, Options
from supernode.io.objects import read_graph
from supernode.io.registry import read_file, render, to_system, write_file
from supernode.system import System

__all__ = ["read_graph_with", "read_with", "write_own"]


def read_with(path: str | Path, format: str | None, given: ImportOptions) -> System:
    """Read a system from a file, as :meth:`supernode.System.from_file` does."""
    return read_file(path, format, Options.of(given))


def read_graph_with(graph: object, given: ImportOptions) -> System:
    """Take a graph of NetworkX or rustworkx as a system, as :meth:`supernode.System.from_graph` does."""
    found = Options.of(given)
    if found.hints is not None:
        raise SpecError("hints: a graph has no second file")
    return to_system(read_graph(graph, found), found)


def write_own(system: System, path: str | Path | None) -> str:
    """Return a system as the package's own file, as :meth:`supernode.System.to_toml` does, and write it if asked to."""
    text, _ = render(system, "toml")
    if path is not None:
        write_file(system, path, "toml")
    return text
