"""Sweeps: one frame of many runs, written as it grows, resumed after a kill.

``axes`` has which points there are, ``point`` what each is, ``task`` how a batch of them runs, ``store`` the folder,
``engine`` who runs the batches, and ``definition`` puts them together.
"""

from supernode.sweep.definition import Sweep, SweepStatus

__all__ = ["Sweep", "SweepStatus"]
