"""Packet-level simulation of collective communication on AI supernodes.

>>> import supernode as sn
>>> sn.parse_size("256 MiB")
268435456
"""

from typing import TYPE_CHECKING

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
    traffic,
)
from supernode.core import algorithms, collectives, versions
from supernode.errors import SupernodeError
from supernode.explicit import ExplicitSchedule, load_schedule
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
from supernode.library.collectives import (
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
from supernode.library.stack import Stack, stacks
from supernode.marks import AssumedValueWarning
from supernode.measured import read_measurements
from supernode.preset.catalogue import PresetInfo, show, systems
from supernode.preset.schema import system_schema
from supernode.result import Result, ScheduleResult, WorkloadResult
from supernode.result.benchmark import Bench
from supernode.result.curve import bench
from supernode.result.explanation import Explanation, explain
from supernode.result.regimes import Regime, regimes
from supernode.run.expected import ExpectedError
from supernode.run.job import load_workloads
from supernode.run.schedules import Schedule, ScheduleReport, schedule
from supernode.run.sizes import sizes
from supernode.system import System
from supernode.system.device import Device
from supernode.system.host import Host
from supernode.system.inventory import Inventory, Level, edges, inventory
from supernode.system.transport import Transport
from supernode.units import parse_rate, parse_size, parse_time
from supernode.workload import DeviceMesh, Operation, Workload

if TYPE_CHECKING:
    from supernode.calibration import Calibration, calibrate
    from supernode.sweep import Optimum, Sweep, optimise

__version__ = versions()["supernode"]

__all__ = [
    "AllGather",
    "AllReduce",
    "AllToAll",
    "AssumedValueWarning",
    "Barrier",
    "Bench",
    "Broadcast",
    "Calibration",
    "Collective",
    "Device",
    "DeviceMesh",
    "Dragonfly",
    "DragonflyPlus",
    "Edge",
    "ExpectedError",
    "Explanation",
    "ExplicitSchedule",
    "FatTree",
    "FullMesh",
    "Gather",
    "Graph",
    "Host",
    "HyperX",
    "Hypercube",
    "Inventory",
    "Level",
    "Mesh",
    "Operation",
    "Optimum",
    "PresetInfo",
    "Reduce",
    "ReduceScatter",
    "Regime",
    "Result",
    "Ring",
    "Scatter",
    "Schedule",
    "ScheduleReport",
    "ScheduleResult",
    "SendRecv",
    "Stack",
    "SupernodeError",
    "Sweep",
    "SwitchNode",
    "Switched",
    "System",
    "Torus",
    "Transport",
    "Workload",
    "WorkloadResult",
    "__version__",
    "algorithms",
    "all_gather",
    "all_reduce",
    "all_to_all",
    "barrier",
    "bench",
    "broadcast",
    "calibrate",
    "collectives",
    "edges",
    "errors",
    "explain",
    "gather",
    "inventory",
    "load_schedule",
    "load_workloads",
    "optimise",
    "parse_rate",
    "parse_size",
    "parse_time",
    "plot",
    "read_measurements",
    "reduce",
    "reduce_scatter",
    "regimes",
    "scatter",
    "schedule",
    "send_recv",
    "show",
    "simulate",
    "sizes",
    "stacks",
    "system_schema",
    "systems",
    "traffic",
    "versions",
]


def __dir__() -> list[str]:
    return list(__all__)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import the rooms of sweeps and calibration when a name of theirs is first used: a run needs none of it."""
        if name in ("Calibration", "calibrate"):
            import supernode.calibration as room

            return getattr(room, name)
        if name not in ("Optimum", "Sweep", "optimise", "sweep"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import supernode.sweep as room

        return room if name == "sweep" else getattr(room, name)
