"""Workloads: programs of operations on ranks with named axes."""

from supernode.workload.builder import Workload
from supernode.workload.mesh import DeviceMesh
from supernode.workload.operations import Operation

__all__ = ["DeviceMesh", "Operation", "Workload"]
