"""Packet-level simulation of collective communication on AI supernodes.

>>> import supernode as sn
>>> sn.parse_size("256 MiB")
268435456
"""

from supernode import errors, plot
from supernode.api import (
    all_gather,
    all_reduce,
    all_to_all,
    barrier,
    broadcast,
    gather,
    reduce,
    reduce_scatter,
    scatter,
    send_recv,
    simulate,
)
from supernode.benchmark import Bench
from supernode.catalogue import PresetInfo, show, systems
from supernode.collectives import (
    AllGather,
    AllReduce,
    AllToAll,
    Barrier,
    Broadcast,
    Collective,
    Gather,
    Reduce,
    ReduceScatter,
    Scatter,
    SendRecv,
)
from supernode.core import algorithms, collectives, versions
from supernode.curve import bench
from supernode.device import Device
from supernode.errors import SupernodeError
from supernode.explanation import Explanation, explain
from supernode.fabric import (
    Dragonfly,
    DragonflyPlus,
    Edge,
    FatTree,
    FullMesh,
    Graph,
    Hypercube,
    HyperX,
    Mesh,
    Ring,
    Switched,
    SwitchNode,
    Torus,
)
from supernode.inventory import Inventory, Level, edges, inventory
from supernode.marks import AssumedValueWarning
from supernode.result import Result
from supernode.schedules import Schedule, ScheduleReport, schedule
from supernode.schema import system_schema
from supernode.sizes import sizes
from supernode.stack import Stack, stacks
from supernode.sweep import Optimum, Sweep, optimise
from supernode.system import System
from supernode.units import parse_rate, parse_size, parse_time

__version__ = versions()["supernode"]

__all__ = [
    "AllGather",
    "AllReduce",
    "AllToAll",
    "AssumedValueWarning",
    "Barrier",
    "Bench",
    "Broadcast",
    "Collective",
    "Device",
    "Dragonfly",
    "DragonflyPlus",
    "Edge",
    "Explanation",
    "FatTree",
    "FullMesh",
    "Gather",
    "Graph",
    "HyperX",
    "Hypercube",
    "Inventory",
    "Level",
    "Mesh",
    "Optimum",
    "PresetInfo",
    "Reduce",
    "ReduceScatter",
    "Result",
    "Ring",
    "Scatter",
    "Schedule",
    "ScheduleReport",
    "SendRecv",
    "Stack",
    "SupernodeError",
    "Sweep",
    "SwitchNode",
    "Switched",
    "System",
    "Torus",
    "__version__",
    "algorithms",
    "all_gather",
    "all_reduce",
    "all_to_all",
    "barrier",
    "bench",
    "broadcast",
    "collectives",
    "edges",
    "errors",
    "explain",
    "gather",
    "inventory",
    "optimise",
    "parse_rate",
    "parse_size",
    "parse_time",
    "plot",
    "reduce",
    "reduce_scatter",
    "scatter",
    "schedule",
    "send_recv",
    "show",
    "simulate",
    "sizes",
    "stacks",
    "system_schema",
    "systems",
    "versions",
]


def __dir__() -> list[str]:
    return list(__all__)
