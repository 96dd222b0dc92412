"""Machines: what a system is as data, and what follows from that alone.

A :class:`System` has accelerators, networks and what joins copies of them. Reading, drawing and writing systems are
verbs of the rooms above; ``verbs.py`` attaches them.
"""

from supernode.system.system import System, SystemLike, as_system

__all__ = ["System", "SystemLike", "as_system"]
