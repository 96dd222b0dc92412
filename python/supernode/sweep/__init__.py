"""Sweeps: one frame of many runs, written as it grows, resumed after a kill.

``axes`` has which points there are, ``point`` what each is, ``task`` how a batch of them runs, ``store`` the folder,
``engine`` who runs the batches, ``definition`` puts them together, and ``design`` and ``search`` look for machines.
"""

from supernode.sweep.definition import Sweep
from supernode.sweep.frame import SweepStatus
from supernode.sweep.search import Optimum, optimise

__all__ = ["Optimum", "Sweep", "SweepStatus", "optimise"]
