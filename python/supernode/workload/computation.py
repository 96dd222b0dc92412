"""Computation and pauses of a workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernode.errors import SpecError
from supernode.library.dtypes import parse_dtype
from supernode.quoting import quote
from supernode.units import Quantity, parse_flop, parse_flop_rate, parse_size, parse_time
from supernode.values import as_fraction, parse_whole
from supernode.workload.operations import After, Operation
from supernode.workload.program import Program

__all__ = ["Computation"]

#: Parts of a whole: millionths.
_PARTS = 10**6


class Computation(Program):
    """A program that computation can be added to."""

    def compute(
        self,
        duration: Quantity | None = None,
        *,
        flops: Quantity | None = None,
        bytes: Quantity | None = None,
        dtype: str | None = None,
        efficiency: float | None = None,
        peak_flops: Quantity | None = None,
        jitter: float = 0,
        slow_ranks: Mapping[int, float] | None = None,
        seed: int = 0,
        stream: str = "main",
        after: After = None,
        name: str | None = None,
    ) -> Operation:
        """Add a computation, which has the device to itself: others wait, first come, first served.

        Collectives that run beside it slow it by their ``share``.

        Parameters
        ----------
        duration
            How long it takes on an undisturbed device. Instead of it, ``flops``, ``bytes`` or both may be given.
        flops
            Floating-point operations of each rank: ``"2 TFLOP"``. They take ``flops`` over the device's peak rate for
            ``dtype`` times ``efficiency``.
        bytes
            Bytes that each rank reads and writes in its memory. They take ``bytes`` over the memory's bandwidth. With
            both, the larger of the two times is the duration (the roofline model of Williams et al., 2009).
        dtype
            Element type of ``flops``, by default ``bfloat16``.
        efficiency
            Part of the peak rate that is reached, above 0 to 1. By default 1, which the result's warnings say.
        peak_flops
            Peak rate, instead of the system's: ``"989 TFLOP/s"``.
        jitter
            Part of the duration, from 0 to below 1, by which it varies: each instance on each rank takes any time from
            ``1 - jitter`` to ``1 + jitter`` of it with equal probability. A draw depends on ``seed``, the names of job
            and operation, the instance and the rank in its job. A run with jitter or slow ranks is not folded.
        slow_ranks
            Factor of the duration on some ranks, by number in the job: ``{3: 1.5}``. From 0.001 to 1000; a rank with a
            factor below 1 is faster.
        seed
            Seed of ``jitter``.
        stream, after, name
            As in :meth:`collective`.
        """
        place = self._place(name, "compute", stream, after)
        with self._naming(place["name"]):
            return self._add(
                {
                    "kind": "compute",
                    "place": place,
                    **_work(duration, flops, bytes, dtype, efficiency, peak_flops),
                    "jitter_ppm": _jitter(jitter),
                    "slow_ppm": self._slow(slow_ranks),
                    "seed": parse_whole(seed, "seed", high=2**63 - 1),
                }
            )

    def _slow(self, given: Mapping[int, float] | None) -> list[list[int]]:
        """Return factors of slow ranks in millionths, by rank."""
        valid = "a factor for each of some ranks, as {3: 1.5}"
        if given is None:
            return []
        if not isinstance(given, Mapping):
            raise SpecError(f"slow_ranks: {quote(given)} is not valid; it must be {valid}")
        found: dict[int, int] = {}
        for key, factor in given.items():
            # keys of a table of TOML are text
            number = int(key) if isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 12 else key
            rank = parse_whole(number, "slow_ranks: rank", high=self.mesh.ranks - 1)
            slower = as_fraction(factor)
            if slower is None or not 0.001 <= slower <= 1000:
                raise SpecError(f"slow_ranks: {quote(factor)} of rank {rank} is not valid; a factor from 0.001 to 1000")
            found[rank] = round(slower * _PARTS)
        return [[rank, found[rank]] for rank in sorted(found)]

    def delay(self, time: Quantity, *, stream: str = "main", after: After = None, name: str | None = None) -> Operation:
        """Add a pause of a stream, which occupies nothing.

        Parameters
        ----------
        time
            How long.
        stream, after, name
            As in :meth:`collective`.
        """
        place = self._place(name, "delay", stream, after)
        with self._naming(place["name"]):
            return self._add({"kind": "delay", "place": place, "time_fs": parse_time(time, "time", zero=True)})


def _work(
    duration: Quantity | None,
    flops: Quantity | None,
    moved: Quantity | None,
    dtype: str | None,
    efficiency: float | None,
    peak: Quantity | None,
) -> dict[str, Any]:
    """Return a duration, or what it follows from once the system is known."""
    if flops is None:
        for name, given in (("dtype", dtype), ("efficiency", efficiency), ("peak_flops", peak)):
            if given is not None:
                raise SpecError(f"{name}={quote(given)} has no effect without flops=")
    if flops is None and moved is None:
        if duration is None:
            raise SpecError("duration is missing, for example '10 us'; or give flops=, bytes= or both")
        return {"work_fs": parse_time(duration, "duration", zero=True)}
    if duration is not None:
        raise SpecError(f"duration: {quote(duration)} is not valid beside flops= or bytes=; give one or the other")
    kind = parse_dtype("bfloat16" if dtype is None else dtype).name
    part = None if efficiency is None else as_fraction(efficiency)
    if efficiency is not None and (part is None or not 1e-6 <= part <= 1):
        raise SpecError(f"efficiency: {quote(efficiency)} is not valid; a part of the peak rate, from 0.000001 to 1")
    return {
        "roofline": {
            "flops": None if flops is None else parse_flop(flops, "flops"),
            "bytes": None if moved is None else parse_size(moved, "bytes"),
            "dtype": kind,
            "efficiency_ppm": None if part is None else round(part * _PARTS),
            "peak": None if peak is None else parse_flop_rate(peak, "peak_flops"),
        }
    }


def _jitter(value: float) -> int:
    """Return a part of a duration in millionths."""
    part = as_fraction(value)
    if part is None or not 0 <= part < 1:
        raise SpecError(f"jitter: {quote(value)} is not valid; it must be a part of the duration, from 0 to below 1")
    return min(round(part * _PARTS), _PARTS - 1)
