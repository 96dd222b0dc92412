"""Measured results: what benchmarks print and tables that users write, as one table in base units.

One module a format; :data:`~supernode.measured.registry.FORMATS` lists them.
"""

from supernode.measured.point import schema
from supernode.measured.registry import FORMATS, read_measurements

__all__ = ["FORMATS", "read_measurements", "schema"]
