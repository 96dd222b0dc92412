"""Systems small enough to reason about by hand."""

import pytest
from hypothesis import settings

import supernode as sn
from supernode.system import System

# A loaded machine is slow; that is no failure. The usual cases are the same every time, so that the suite fails for a
# change and not for bad luck; pytest --hypothesis-profile=explore tries new ones.
settings.register_profile("supernode", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("supernode")

#: 400 Gbit/s: a byte takes 20 fs times 1000, so every time below is a whole number of femtoseconds.
RATE = "400 Gbit/s"
FS_PER_BYTE = 20_000
LATENCY_FS = 250_000_000
SWITCH_FS = 100_000_000
#: Two links and one switch.
ALPHA_FS = 2 * LATENCY_FS + SWITCH_FS


def star(ranks: int, **changes: object) -> System:
    """One plane of one switch, no overhead, no software: alpha and beta can be read off."""
    options: dict[str, object] = {"bandwidth": RATE, "latency": "250 ns", "switch_latency": "100 ns", **changes}
    return System("star").scale_up(sn.Device("gpu"), count=ranks, fabric=sn.Switched(**options))  # type: ignore[arg-type]


@pytest.fixture
def star8() -> System:
    """Eight accelerators on one switch."""
    return star(8)
