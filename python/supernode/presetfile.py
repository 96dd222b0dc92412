"""The form of a preset file: parameters with their origin, and a system in terms of them (see ``references``)."""

from __future__ import annotations

from typing import Any

import msgspec

from supernode.marks import Mark
from supernode.references import resolve
from supernode.units import Quantity

__all__ = [
    "Body",
    "ClusterFile",
    "Conflict",
    "CoreFile",
    "NetworkFile",
    "Param",
    "PowerFile",
    "PresetFile",
    "ScaleOutFile",
    "Source",
]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a number comes from."""

    title: str
    ref: str = ""
    grade: str = ""


class Param(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number of a preset."""

    value: Quantity | bool
    mark: Mark
    source: str = ""
    range: list[Quantity] | None = None
    note: str = ""


class Conflict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two readings of one number."""

    topic: str
    used: str
    other: str


class DeviceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[device]``."""

    name: str
    hbm_rate: Quantity | None = None
    copy_rate: Quantity | None = None
    reduce_rate: Quantity | None = None


class TopologyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``topology`` of a network; which fields apply depends on the kind."""

    kind: str
    down: list[int | str] = []
    up: list[int | str] = []
    parallel: list[int | str] = []
    rails: int | str = 1
    dims: list[int | str] = []
    wrap: list[bool] | bool = True


class PlanesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``planes`` as a count."""

    count: int | str
    links: int | str = 1


class LinkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tier or dimension of links; ``per_cable`` of them share a cable and its two modules."""

    rate: Quantity
    latency: Quantity
    medium: str = ""
    per_cable: int | str = 1


class SwitchFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tier of switches."""

    latency: Quantity
    cut_through: bool = True
    in_network_reduce: bool | str = False


class NetworkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[network]]``."""

    name: str
    kind: str
    span: int | str
    topology: TopologyFile
    planes: PlanesFile | list[int | str]
    payload: Quantity
    overhead: Quantity
    links: list[LinkFile]
    switches: list[SwitchFile]
    buffer: Quantity = "auto"
    routing: str | None = None


class ScaleOutFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[scale_out]``: how units of the system are joined."""

    radix: int | str
    link_rate: Quantity
    link_latency: Quantity
    trunk_latency: Quantity
    switch_latency: Quantity
    payload: Quantity
    overhead: Quantity
    kind: str = "net"
    name: str = "scale_out"
    topology: str = "fat_tree"
    oversubscription: int | float | str = 1
    tiers: int | str | None = None
    pod_leaves: int | str | None = None
    nics_per_accelerator: int | str = 1
    rails: int | str = 1
    planes: int | str | None = None
    trunk_rate: Quantity | None = None
    cut_through: bool = True
    in_network_reduce: bool | str = False
    buffer: Quantity = "auto"
    routing: str | None = None
    medium: str = ""


class CoreFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[core]``: a tier of switches above the outermost network, which joins units through its own ports."""

    up: int | str
    parallel: int | str
    link: LinkFile
    switch: SwitchFile


class AcceleratorsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[system]``."""

    accelerators: int | str


class PowerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[power]``: what one building unit or one accelerator draws, and what that figure covers."""

    covers: str
    unit: Quantity | None = None
    accelerator: Quantity | None = None


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The system itself, parameters replaced."""

    system: AcceleratorsFile
    device: DeviceFile
    network: list[NetworkFile]
    scale_out: ScaleOutFile | None = None
    core: CoreFile | None = None
    power: PowerFile | None = None


class PresetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A preset file; the system's own tables are still raw, with their references to parameters."""

    name: str
    title: str
    stack: str
    params: dict[str, Param]
    system: dict[str, Any]
    device: dict[str, Any]
    network: list[dict[str, Any]]
    description: str = ""
    not_modelled: list[str] = []
    sources: dict[str, Source] = {}
    scale_out: dict[str, Any] | None = None
    core: dict[str, Any] | None = None
    power: dict[str, Any] | None = None
    conflict: list[Conflict] = []
    #: Units that the name alone stands for; more than one in a cluster. A list is a product: racks, units a rack.
    units: int | str | list[int | str] = 1


class ClusterFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A preset that starts from another one, as many units of it or as a variant: what it says on top of that."""

    name: str
    title: str
    unit: str
    units: int | str = 1
    description: str = ""
    not_modelled: list[str] = []
    sources: dict[str, Source] = {}
    params: dict[str, Param] = {}
    device: dict[str, Any] = {}
    network: list[dict[str, Any]] = []
    scale_out: dict[str, Any] | None = None
    power: dict[str, Any] | None = None
    conflict: list[Conflict] = []

    def on(self, base: PresetFile) -> PresetFile:
        """Return the preset of its units, joined and renamed.

        With networks of its own it describes itself; a conflict replaces that of the same topic; a power of its own
        replaces that of the units with its parameters.
        """
        gone: set[str] = set()
        if self.power is not None:
            resolve(base.power, {name: p.value for name, p in base.params.items()}, gone)
        told = bool(self.network)
        below = base.units if isinstance(base.units, list) else [base.units]
        return msgspec.structs.replace(
            base,
            name=self.name,
            title=self.title,
            description=self.description if told else f"{self.description.strip()} Based on: {base.title}.",
            not_modelled=self.not_modelled if told else [*self.not_modelled, *base.not_modelled],
            sources=base.sources | self.sources,
            params={name: p for name, p in base.params.items() if name not in gone} | self.params,
            device=base.device | self.device,
            network=self.network or base.network,
            scale_out=base.scale_out if self.scale_out is None else self.scale_out,
            core=base.core if self.scale_out is None else None,
            power=base.power if self.power is None else self.power,
            conflict=list({c.topic: c for c in (*base.conflict, *self.conflict)}.values()),
            units=[self.units, *below],
        )
