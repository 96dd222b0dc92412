"""The accelerator of a user-defined system."""

from __future__ import annotations

from dataclasses import dataclass

from supernode.names import plain_text
from supernode.spec import DeviceSpec
from supernode.units import Quantity, parse_rate, parse_time

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
    hbm_latency
        Latency of a memory access. Checked, and not part of the model yet: runs say so in their warnings.
    """

    name: str = "accelerator"
    hbm: Quantity | None = None
    copy: Quantity | None = None
    reduce: Quantity | None = None
    hbm_latency: Quantity | None = None

    def __post_init__(self) -> None:
        self.to_spec()

    def to_spec(self) -> DeviceSpec:
        """Return the device in base units (bit/s)."""
        plain_text(self.name, "name of the device")
        if self.hbm_latency is not None:
            parse_time(self.hbm_latency, "hbm_latency", zero=True)
        return DeviceSpec(
            name=self.name,
            hbm_rate=None if self.hbm is None else parse_rate(self.hbm, "hbm"),
            copy_rate=None if self.copy is None else parse_rate(self.copy, "copy"),
            reduce_rate=None if self.reduce is None else parse_rate(self.reduce, "reduce"),
        )

    def notes(self) -> tuple[str, ...]:
        """List what was given and has no effect on a run."""
        if self.hbm_latency is not None:
            return ("hbm_latency has no effect: the latency of memory accesses is not modelled",)
        return ()
