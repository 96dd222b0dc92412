"""Computation in FLOP and bytes becomes a duration, once the system is known.

**Model.** The larger of ``flops / (peak * efficiency)`` and ``bytes / bandwidth`` of the memory, rounded up to a
femtosecond (Williams, Waterman, Patterson, CACM 2009). **Invariant.** The program of the user is not changed.
**Limits.** A rate is one number per element type and device; caches and the memory traffic of collectives beside a
computation are not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supernode.errors import SpecError
from supernode.files.text import naming
from supernode.library.dtypes import parse_dtype
from supernode.quoting import quote
from supernode.system import System
from supernode.units import format_flop_rate

__all__ = ["peaks_used", "timed"]

_PARTS = 10**6
_FS = 10**15
#: The longest computation: an hour, in femtoseconds.
_LONGEST = 3600 * _FS


def timed(body: Sequence[Mapping[str, Any]], system: System) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a program whose computations have durations, and the names of those whose efficiency is assumed.

    Raises
    ------
    SpecError
        If the system lacks the rate that an operation needs; the message says how to give it.
    """
    found: list[dict[str, Any]] = []
    assumed: list[str] = []
    for node in body:
        new = dict(node)
        if "body" in node:
            new["body"], inside = timed(node["body"], system)
            assumed += inside
        elif "roofline" in node:
            given = new.pop("roofline")
            new["work_fs"] = _duration(given, node["place"]["name"], system)
            if given["flops"] is not None and given["efficiency_ppm"] is None:
                assumed.append(node["place"]["name"])
        found.append(new)
    return found, assumed


def peaks_used(body: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the element types whose peak rates a program takes from the system."""
    found: set[str] = set()
    for node in body:
        if "body" in node:
            found |= peaks_used(node["body"])
        elif "roofline" in node and node["roofline"]["flops"] is not None and node["roofline"]["peak"] is None:
            found.add(node["roofline"]["dtype"])
    return frozenset(found)


def _duration(given: Mapping[str, Any], name: str, system: System) -> int:
    what = f"operation {quote(name)}"
    times = [0]
    if given["flops"] is not None:
        peak = _peak(given, what, system)
        efficiency = _PARTS if given["efficiency_ppm"] is None else given["efficiency_ppm"]
        times.append(-(-given["flops"] * _FS * _PARTS // (peak * efficiency)))
    if given["bytes"] is not None:
        bandwidth = system.device.to_spec().hbm_rate
        if bandwidth is None:
            raise SpecError(
                f"{what}: bytes: the memory of {system.label} has no bandwidth; give it as Device(hbm='8 TB/s')"
            )
        times.append(-(-given["bytes"] * 8 * _FS // bandwidth))
    if max(times) > _LONGEST:
        raise SpecError(
            f"{what}: flops and bytes take {max(times) / _FS:.3g} s; a computation takes at most an hour: give less "
            "work, or a higher peak_flops or efficiency"
        )
    return max(times)


def _peak(given: Mapping[str, Any], what: str, system: System) -> int:
    """Return the peak rate in FLOP/s."""
    if given["peak"] is not None:
        return int(given["peak"])
    with naming(f"device {system.device.name}: peak"):
        peaks = {parse_dtype(kind).name: rate for kind, rate in system.device.peaks().items()}
    if given["dtype"] not in peaks:
        known = ", ".join(f"{kind} ({format_flop_rate(rate)})" for kind, rate in peaks.items()) or "none"
        raise SpecError(
            f"{what}: flops: {system.label} has no peak rate of {given['dtype']} (known: {known}); give "
            f"peak_flops='500 TFLOP/s' to the operation, or Device(peak={{{given['dtype']!r}: '500 TFLOP/s'}}) "
            "to the system"
        )
    return peaks[given["dtype"]]
