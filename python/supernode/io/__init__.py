"""Files of systems: one module a format.

:data:`FORMATS` lists them. Readers turn a text into a :class:`~supernode.io.found.Found`; writers turn a system into a
text. Everything that is read passes through the same checks as a system that was built in Python; what a format cannot
say is a keyword of :meth:`supernode.System.from_file`, and what is left out is a warning.
"""

from __future__ import annotations

from supernode.io.found import Options
from supernode.io.objects import read_graph
from supernode.io.registry import FORMATS, read_file, render, to_system, write_file

__all__ = ["FORMATS", "Options", "read_file", "read_graph", "render", "to_system", "write_file"]
