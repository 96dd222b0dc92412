"""What it costs to have a system: seconds per 100,000 accelerators and bytes per accelerator, for the largest presets.

*Build* is the preset, its specification, the fabric and its counts: arithmetic, whatever the size. *Plan* is all that
comes before the first packet of an all-reduce by ``algorithm="auto"``: every algorithm and protocol priced over all
ranks. Each is measured in an interpreter of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from typing import Any

import supernode as sn
from supernode import core
from supernode.marks import AssumedValueWarning
from supernode.run.plan import make_plan
from supernode.spec import encode

#: The largest presets, with overrides.
LARGEST: dict[str, tuple[str, dict[str, Any]]] = {
    "stargate 10 GW": ("stargate", {"power": "10 GW"}),
    "atlas960-supercluster": ("atlas960-supercluster", {}),
    "atlas950-supercluster": ("atlas950-supercluster", {}),
    "stargate": ("stargate", {}),
    "cloudmatrix384-cluster": ("cloudmatrix384-cluster", {}),
}


def job(name: str, overrides: dict[str, Any], step: str) -> dict[str, float]:
    """Build a system, or build and plan it; seconds, bytes on top of the interpreter's, accelerators."""
    warnings.simplefilter("ignore", AssumedValueWarning)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    system = sn.System.preset(name, **overrides)
    sn.inventory(system)
    if step == "plan":
        core.validate(encode(make_plan(system, "all_reduce", "1 GiB", {}).spec))
    seconds = time.monotonic() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return {"seconds": seconds, "bytes": grown, "accelerators": system.accelerators}


def measure(label: str, step: str) -> dict[str, float]:
    """Run :func:`job` in a process of its own."""
    name, overrides = LARGEST[label]
    command = [sys.executable, __file__, name, json.dumps(overrides), step]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - its own file
    found: dict[str, float] = json.loads(done.stdout)
    return found


class Scale:
    """Goals: 1 s per 100,000 accelerators, 4,096 bytes per accelerator."""

    params = (list(LARGEST), ["build", "plan"])
    param_names = ("system", "step")
    timeout = 900

    def setup_cache(self) -> dict[str, dict[str, float]]:
        """Run each once, for both values."""
        return {f"{label} {step}": measure(label, step) for label in self.params[0] for step in self.params[1]}

    setup_cache.timeout = 1800  # type: ignore[attr-defined]

    def track_seconds(self, found: dict[str, dict[str, float]], system: str, step: str) -> float:
        """Seconds per 100,000 accelerators. Goal: 1 s."""
        one = found[f"{system} {step}"]
        return one["seconds"] / one["accelerators"] * 1e5

    def track_bytes(self, found: dict[str, dict[str, float]], system: str, step: str) -> float:
        """Bytes per accelerator, at the peak. Goal: 4096 B."""
        one = found[f"{system} {step}"]
        return one["bytes"] / one["accelerators"]

    track_seconds.unit = "s"  # type: ignore[attr-defined]
    track_bytes.unit = "B"  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(job(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3])))
