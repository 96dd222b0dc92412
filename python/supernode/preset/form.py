"""The form of a preset file: parameters with their origin, and a system in terms of them (see ``references.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from supernode.errors import SpecError
from supernode.marks import Mark, Source
from supernode.preset.references import resolve
from supernode.quoting import quote
from supernode.units import Quantity

__all__ = [
    "FORMAT",
    "Body",
    "ClusterFile",
    "Conflict",
    "CoreFile",
    "EdgeFile",
    "NetworkFile",
    "NicsFile",
    "NodeFile",
    "Param",
    "PowerFile",
    "PresetFile",
    "ScaleOutFile",
    "TopologyFile",
    "check_format",
]

#: Version of the form, which a file may state as ``format``.
FORMAT = 1


def check_format(raw: Mapping[str, Any], where: str) -> None:
    """Refuse a file of another version of the form.

    Raises
    ------
    SpecError
        Naming both versions.
    """
    given = raw.get("format", FORMAT)
    if isinstance(given, bool) or given != FORMAT:
        raise SpecError(f"{where}: format {quote(given)} is not known; this version of supernode reads format {FORMAT}")


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
    hbm_latency: Quantity | None = None
    peak: dict[str, Quantity] | None = None
    generation: str = ""


class NodeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A switch of a graph; ``switch`` is an index into the ``switches`` of its network."""

    name: str
    switch: int | str = 0
    radix: int | str | None = None


class EdgeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parallel links between two vertices of a graph; ``link`` is an index into the ``links`` of its network."""

    a: str
    b: str
    link: int | str = 0
    count: int | str = 1
    weight: int | str = 1


class TopologyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``topology`` of a network; which fields apply depends on the kind."""

    kind: str
    down: list[int | str] = []
    up: list[int | str] = []
    parallel: list[int | str] = []
    rails: int | str = 1
    dims: list[int | str] = []
    wrap: list[bool] | bool | str = True
    twist: list[list[int]] | bool | str = False
    accelerators: list[str] = []
    nodes: list[NodeFile] = []
    edges: list[EdgeFile] = []
    #: Accelerators pass on packets of others; the index of the router in each into the ``switches`` of its network.
    forwarding: int | str | None = None
    #: Of families of graphs: accelerators of a switch, ports of each of them, and the sizes that the family has.
    terminals: int | str = 1
    ports: int | str = 1
    routers: int | str | None = None
    leaves: int | str | None = None
    spines: int | str | None = None
    global_ports: int | str | None = None
    groups: int | str | None = None
    local_links: int | str = 1
    reach: list[int | str] = []
    dimensions: int | str | None = None
    radix: int | str | None = None


class PlanesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``planes`` as a count."""

    count: int | str
    links: int | str = 1


class LinkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tier or dimension of links.

    ``per_cable`` of them share a cable and its two modules; of every ``optical_one_in`` one is optical, whatever the
    medium of the others (0: the medium says it for all).
    """

    rate: Quantity
    latency: Quantity
    medium: str = ""
    per_cable: int | str = 1
    optical_one_in: int | str = 0


class SwitchFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tier of switches; ``ports`` of a tree's are those of the hardware, 0 where they are not known."""

    latency: Quantity
    cut_through: bool = True
    in_network_reduce: bool | str = False
    ports: int | str = 0


def _one_plane() -> list[int | str]:
    return [1]


class TransportFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``transport`` of a network: what its NICs add to a message."""

    latency: Quantity = 0
    per_message: Quantity = 0


class NetworkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[network]]``."""

    name: str
    kind: str
    span: int | str
    topology: TopologyFile
    payload: Quantity
    overhead: Quantity
    links: list[LinkFile]
    switches: list[SwitchFile] = []
    planes: list[int | str] | PlanesFile = msgspec.field(default_factory=_one_plane)
    buffer: Quantity = "auto"
    routing: str | None = None
    dateline: bool = True
    transport: TransportFile | None = None
    #: What the builder of the network had to decide, and the values that it assumed: every run shows them.
    notes: list[str] = []
    assumed: list[str] = []


class ScaleOutFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[scale_out]``: the fat tree that joins units of the system; other topologies have forms of their own."""

    radix: int | str
    link_rate: Quantity
    payload: Quantity
    overhead: Quantity
    link_latency: Quantity | None = None
    trunk_latency: Quantity | None = None
    switch_latency: Quantity | None = None
    kind: str = "net"
    name: str = "scale_out"
    topology: Literal["fat_tree"] = "fat_tree"
    oversubscription: int | float | str = 1
    tiers: int | str | None = None
    hosts_per_leaf: int | str | None = None
    uplinks_per_leaf: int | str | None = None
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
    transport: TransportFile | None = None


class NicsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[nics]``: what each accelerator of an imported host has to reach the scale-out network."""

    per_accelerator: int | str
    rate: Quantity
    latency: Quantity = "0 ns"


class HostFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[host]``: the processor that launches calls."""

    launch: Quantity


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
    core: CoreFile | None = None
    power: PowerFile | None = None
    nics: NicsFile | None = None
    host: HostFile | None = None


class PresetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A preset file; the system's own tables are still raw, with their references to parameters."""

    format: int = FORMAT
    name: str
    title: str = ""
    stack: str = "none"
    params: dict[str, Param] = {}
    system: dict[str, Any]
    device: dict[str, Any]
    network: list[dict[str, Any]]
    description: str = ""
    not_modelled: list[str] = []
    sources: dict[str, Source] = {}
    scale_out: dict[str, Any] | None = None
    core: dict[str, Any] | None = None
    power: dict[str, Any] | None = None
    nics: dict[str, Any] | None = None
    host: dict[str, Any] | None = None
    conflict: list[Conflict] = []
    #: Values of the software stack that this system replaces, by name: ``"simple.launch" = "5 us"``.
    stack_values: dict[str, Quantity] = {}
    #: Units that the name alone stands for; more than one in a cluster. A list is a product: racks, units a rack.
    units: int | str | list[int | str] = 1
    #: Values that nobody published and remarks of the program that wrote the file: every run shows them.
    assumed: list[str] = []
    notes: list[str] = []


class ClusterFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A preset that starts from another one, as many units of it or as a variant: what it says on top of that."""

    format: int = FORMAT
    name: str
    title: str = ""
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
