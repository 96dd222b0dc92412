"""Fabrics of user-defined systems, one family a module."""

from supernode.fabric.base import Fabric, Network
from supernode.fabric.fat_tree import FatTree
from supernode.fabric.full_mesh import FullMesh
from supernode.fabric.graph import Edge, Graph, SwitchNode
from supernode.fabric.switched import Switched
from supernode.fabric.torus import Mesh, Torus

__all__ = ["Edge", "Fabric", "FatTree", "FullMesh", "Graph", "Mesh", "Network", "SwitchNode", "Switched", "Torus"]
