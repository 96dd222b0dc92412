"""Fabrics of user-defined systems, one family a module."""

from supernode.fabric.base import Fabric, Network
from supernode.fabric.dragonfly import Dragonfly
from supernode.fabric.dragonfly_plus import DragonflyPlus
from supernode.fabric.fat_tree import FatTree
from supernode.fabric.full_mesh import FullMesh
from supernode.fabric.graph import Edge, Graph, SwitchNode
from supernode.fabric.hypercube import Hypercube
from supernode.fabric.hyperx import HyperX
from supernode.fabric.switched import Switched
from supernode.fabric.torus import Mesh, Ring, Torus

__all__ = [
    "Dragonfly",
    "DragonflyPlus",
    "Edge",
    "Fabric",
    "FatTree",
    "FullMesh",
    "Graph",
    "HyperX",
    "Hypercube",
    "Mesh",
    "Network",
    "Ring",
    "SwitchNode",
    "Switched",
    "Torus",
]
