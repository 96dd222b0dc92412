"""Whether the core takes a system, asked when a file is read and not only when it is run.

The core's description of trees, tori and meshes is arithmetic. Of an explicit graph it is a distance of every two
switches, so that graphs of many switches are left to the first run. Cost: under a millisecond, or for graphs
O(switches x edges).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from supernode import core
from supernode.spec import GraphShape, encode

if TYPE_CHECKING:
    from supernode.system.system import System

__all__ = ["checked"]

#: Switches of graphs up to which the core is asked.
_SWITCHES = 1024


def checked(system: System) -> System:
    """Return the system.

    Raises
    ------
    SpecError
        If levels do not fit inside one another.
    FabricError
        If a network cannot be built: naming it, and what would be valid.
    """
    spec = system.to_spec()
    graphs = [n.topology for n in spec.networks if isinstance(n.topology, GraphShape)]
    if sum(shape.switches for shape in graphs) <= _SWITCHES:
        core.describe(encode(spec))
    return system
