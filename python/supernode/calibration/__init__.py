"""Calibration: constants of a stack, of hosts and of NICs, found from measured times.

``rows`` maps measurements to runs, ``constants`` says what may be changed, ``model`` predicts, ``fit`` searches,
``leftout`` refits without each system in turn, ``outcome`` words what was found and writes it as a stack file.
"""

from supernode.calibration.outcome import Calibration, Found
from supernode.calibration.procedure import calibrate

__all__ = ["Calibration", "Found", "calibrate"]
