"""The accelerator of a user-defined system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from supernode.errors import SpecError
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.spec import DeviceSpec
from supernode.units import Quantity, parse_flop_rate, parse_rate, parse_time

__all__ = ["Device"]


@dataclass(frozen=True)
class Device:
    """An accelerator: what moves and combines data inside it.

    Parameters
    ----------
    name
        Name in tables.
    hbm
        Memory bandwidth, reads and writes together, for example ``"8 TB/s"``. ``None`` is no limit.
    copy
        Rate at which copy channels (streaming processors, DMA engines) together store arriving data.
    reduce
        Rate at which reduce channels together combine arriving data.
    peak
        Peak rate of dense matrix products by element type: ``{"bfloat16": "989 TFLOP/s"}``. It is used by
        computations of workloads that are given in FLOP.
    hbm_latency
        Latency of a memory access. Checked, and not part of the model yet: runs say so in their warnings.
    generation
        Generation of the accelerator, by which a communication library knows its links: ``"ampere"``, ``"hopper"`` or
        ``"blackwell"`` for the stack ``nccl``. Without it, or with another one, the library's own choice is not known.
    """

    name: str = "accelerator"
    hbm: Quantity | None = None
    copy: Quantity | None = None
    reduce: Quantity | None = None
    hbm_latency: Quantity | None = None
    peak: Mapping[str, Quantity] | None = field(default=None, hash=False)
    generation: str = ""

    def __post_init__(self) -> None:
        self.to_spec()

    def to_spec(self) -> DeviceSpec:
        """Return the device in base units (bit/s)."""
        plain_text(self.name, "name of the device")
        plain_text(self.generation, "generation of the device")
        if self.hbm_latency is not None:
            parse_time(self.hbm_latency, "hbm_latency", zero=True)
        self.peaks()
        return DeviceSpec(
            name=self.name,
            generation=self.generation,
            hbm_rate=None if self.hbm is None else parse_rate(self.hbm, "hbm"),
            copy_rate=None if self.copy is None else parse_rate(self.copy, "copy"),
            reduce_rate=None if self.reduce is None else parse_rate(self.reduce, "reduce"),
        )

    def peaks(self) -> dict[str, int]:
        """Return the peak rates in FLOP/s, by element types as they were given."""
        if self.peak is None:
            return {}
        if not isinstance(self.peak, Mapping):
            raise SpecError(
                f"peak: {quote(self.peak)} is not valid; it must be rates by element type, as "
                "{'bfloat16': '989 TFLOP/s'}"
            )
        return {
            plain_text(name, "element type of peak"): parse_flop_rate(rate, f"peak of {name}")
            for name, rate in self.peak.items()
        }

    def notes(self) -> tuple[str, ...]:
        """List what was given and has no effect on a run."""
        if self.hbm_latency is not None:
            return ("hbm_latency has no effect: the latency of memory accesses is not modelled",)
        return ()
