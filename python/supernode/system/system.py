"""Systems: machines as data, built by methods that each return a new one.

**Invariant.** A system knows what it consists of and what follows from that: its networks, its size, its specification
for the core. Whatever else can be done with it is in ``verbs.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from supernode.errors import FabricError, SpecError
from supernode.fabric.base import Fabric, Network, parse_fabric, positive
from supernode.marks import assumed_text
from supernode.names import plain_text
from supernode.quoting import quote
from supernode.spec import SystemSpec
from supernode.system.device import Device
from supernode.system.host import Host
from supernode.system.joins import Core, ScaleOut
from supernode.system.nics import Nics
from supernode.system.recipe import Ranged, Recipe
from supernode.system.transport import Transport
from supernode.system.verbs import Verbs
from supernode.units import Quantity
from supernode.values import parse_flag

__all__ = ["System", "SystemLike", "as_system"]


@dataclass(frozen=True)
class System(Verbs):
    """A machine: accelerators and the networks that join them.

    A system is built by methods that each return a new one::

        nvlink = sn.Switched(planes=18, bandwidth="50 GB/s", latency="350 ns")
        pod = (sn.System("my-pod")
                 .scale_up(sn.Device("gpu", hbm="8 TB/s"), count=64, fabric=nvlink)
                 .scale_out(sn.FatTree(radix=64, link="400 Gbit/s"), nics_per_device=1)
                 .replicate(128))

    Parameters
    ----------
    name
        Name in tables.
    stack
        Software stack that runs use by default.
    """

    name: str
    stack: str = "none"
    device: Device = field(default_factory=Device)
    networks: tuple[Network, ...] = field(default=(), repr=False)
    joined: ScaleOut | Core | None = field(default=None, repr=False)
    #: NICs of an imported host, which limit the links of accelerators into the scale-out network.
    nics: Nics | None = field(default=None, repr=False)
    #: The processor that launches calls, where it is known.
    host: Host | None = field(default=None, repr=False)
    unit_accelerators: int = 0
    units: int = 1
    #: Units that the name alone stands for: more than one in the preset of a cluster.
    bundle: int = 1
    #: Values that nobody published, each with its mark.
    unpublished: tuple[str, ...] = field(default=(), repr=False)
    #: Parameters of a preset that the user replaced.
    overrides: Mapping[str, Quantity | bool] = field(default_factory=dict)
    #: Values of the software stack that the file of the system replaces.
    stack_values: Mapping[str, Quantity] = field(default_factory=dict)
    #: Watts of one unit, where that is known, and what the figure covers.
    unit_power: int | None = field(default=None, repr=False)
    power_covers: str = field(default="", repr=False)
    remarks: tuple[str, ...] = field(default=(), repr=False)
    #: Overrides that change peak rates and nothing else, each with the element types of these rates.
    peak_overrides: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), repr=False)
    #: How it was made, where its numbers have ranges.
    recipe: Recipe | None = field(default=None, repr=False, compare=False)
    #: A preset carries its scale-out network whether one unit is used or several.
    from_preset: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        plain_text(self.name, "name of the system")
        plain_text(self.stack, f"system {self.name}: stack")

    def scale_up(
        self,
        device: Device | None = None,
        *,
        count: int,
        fabric: Fabric,
        nics_per_device: int = 1,
        transport: Transport | None = None,
    ) -> System:
        """Join ``count`` accelerators, the first network of the system or the next one outwards.

        Parameters
        ----------
        device
            The accelerator; only with the first network.
        count
            Accelerators that one copy of the network joins.
        fabric
            The network.
        nics_per_device
            Ports of each accelerator into this network, as for :meth:`scale_out`; of a :class:`~supernode.FatTree` with
            planes a multiple of their number.
        transport
            What the NICs of this network add to every message; nothing by default.
        """
        fabric = parse_fabric(fabric, self.name)
        device = None if device is None else _device(device, self.name)
        ports = positive(nics_per_device, "nics_per_device", self.name)
        span = positive(count, "count", self.name)
        if self.networks and span % self.unit_accelerators:
            raise FabricError(
                f"fabric {self.name}: a network of {span} accelerators does not hold whole groups of "
                f"{self.unit_accelerators}"
            )
        if self.networks and device is not None:
            raise SpecError(f"system {self.name}: its device is {quote(self.device.name)} already")
        level = "scale_up" if not self.networks else f"scale_up_{len(self.networks) + 1}"
        network = _attached(fabric.network(level, span, ports=ports), transport, self.name)
        return dataclasses.replace(
            self,
            device=self.device if device is None else device,
            networks=(*self.networks, network),
            unit_accelerators=span,
            recipe=self._then(
                *("scale_up",),
                device=device,
                count=count,
                fabric=fabric,
                nics_per_device=nics_per_device,
                transport=transport,
            ),
        )

    def scale_out(
        self,
        fabric: Fabric,
        *,
        nics_per_device: int | None = None,
        count: int | None = None,
        device: Device | None = None,
        replace: bool = False,
        transport: Transport | None = None,
    ) -> System:
        """Choose the network that joins the copies of :meth:`replicate`, or all accelerators directly.

        Parameters
        ----------
        fabric
            The network, of any kind. All accelerators of all copies are its hosts, in the order of ranks; a size that
            it leaves open (the number of switches of a :class:`~supernode.FatTree`, ``groups`` of a
            :class:`~supernode.Dragonfly`, a dimension that is ``None``) follows from their number.
        nics_per_device
            Ports of each accelerator into this network; by default those that an imported host has, otherwise one. The
            NICs of an imported host limit their rate.
        count
            Accelerators, in a system without a scale-up network.
        device
            The accelerator, in a system without a scale-up network.
        replace
            Whether it may take the place of a scale-out network that the system has, as presets do.
        transport
            What the NICs of this network add to every message; nothing by default.
        """
        fabric = parse_fabric(fabric, self.name)
        own = 1 if self.nics is None else self.nics.count
        ports = positive(own if nics_per_device is None else nics_per_device, "nics_per_device", self.name)
        if self.networks:
            if count is not None or device is not None:
                raise SpecError(f"system {self.name}: with a scale-up network, use replicate(n) instead of count=")
            if self.joined is not None and not parse_flag(replace, "replace"):
                raise SpecError(
                    f"system {self.name}: it has a scale-out network already; give replace=True to put this one in its "
                    "place"
                )
            recipe = self._then(
                "scale_out", fabric=fabric, nics_per_device=nics_per_device, replace=replace, transport=transport
            )
            joined = ScaleOut(fabric, ports, transport=_transport(transport, self.name))
            return dataclasses.replace(self, joined=joined, recipe=recipe)
        if count is None:
            raise SpecError(f"system {self.name}: scale_out without a scale-up network needs count=")
        span = positive(count, "count", self.name)
        return dataclasses.replace(
            self,
            device=self.device if device is None else _device(device, self.name),
            networks=(_attached(fabric.network("scale_out", span, ports=ports), transport, self.name),),
            unit_accelerators=span,
        )

    def replicate(self, n: int) -> System:
        """Take ``n`` copies, joined by the scale-out network."""
        return dataclasses.replace(self, units=positive(n, "replicate", self.name), recipe=self._then("replicate", n=n))

    def with_host(self, host: Host) -> System:
        """Say what processor launches calls on the accelerators.

        Parameters
        ----------
        host
            The processor. Runs of one call do not depend on it; ``bench(devices_per_thread=)`` does.
        """
        if not isinstance(host, Host):
            raise SpecError(
                f"system {self.name}: host is {quote(host)}; it must be a Host, such as Host(launch='4 us')"
            )
        return dataclasses.replace(self, host=host, recipe=self._then("with_host", host=host))

    def _then(self, method: str, **arguments: object) -> Recipe | None:
        """Return the recipe with one more call."""
        return None if self.recipe is None else self.recipe.then(method, **arguments)

    def ranged(self) -> tuple[Ranged, ...]:
        """List the parameters that have a range, and that a run of this many units can depend on."""
        found = () if self.recipe is None else self.recipe.ranges
        return tuple(r for r in found if self.units > 1 or not r.joins)

    @property
    def accelerators(self) -> int:
        """Number of accelerators."""
        return self.unit_accelerators * self.units

    def __hash__(self) -> int:
        # equal systems have all of these in common; networks and overrides themselves hold lists and dictionaries
        changed = tuple(sorted(self.overrides.items(), key=str))
        return hash((self.name, self.stack, self.unit_accelerators, self.units, changed))

    @property
    def label(self) -> str:
        """Name with the number of units and the overrides."""
        text = self.name if self.units == self.bundle else f"{self.name}:{self.units // self.bundle}"
        changed = ", ".join(f"{k}={v}" for k, v in self.overrides.items())
        return f"{text}[{changed}]" if changed else text

    @property
    def stack_overrides(self) -> dict[str, Quantity]:
        """Values of the system's own software stack that its file or the user replaced."""
        return {**self.stack_values, **{name: value for name, value in self.overrides.items() if "." in name}}

    def all_networks(self) -> tuple[Network, ...]:
        """Return every network, innermost first, the scale-out network sized."""
        return self._joined_networks

    @cached_property
    def _joined_networks(self) -> tuple[Network, ...]:
        if not self.networks:
            raise SpecError(f"system {self.name}: it has no network; call scale_up or scale_out")
        if self.units == 1:
            return self.networks
        if self.joined is None:
            raise SpecError(f"system {self.name}: {self.units} copies need scale_out to join them")
        networks = self.joined.join(self.networks, self.accelerators)
        if self.nics is None or not isinstance(self.joined, ScaleOut):
            return networks
        return (*networks[:-1], self.nics.behind(networks[-1], self.joined.fabric))

    def to_spec(self) -> SystemSpec:
        """Return the system in base units, as the core takes it."""
        return SystemSpec(
            name=self.label,
            accelerators=self.accelerators,
            device=self.device.to_spec(),
            networks=[n.spec for n in self.all_networks()],
        )

    def notes(self) -> tuple[str, ...]:
        """List what was decided by the builder, and what was given without effect."""
        notes = [*self.remarks, *self.device.notes()]
        notes += [note for n in self.all_networks() for note in n.notes]
        if self.units == 1 and self.joined is not None and not self.from_preset:
            notes.append("scale_out has no effect on one unit; use replicate(n)")
        return tuple(notes)

    def assumed(self) -> str:
        """Word the warning about values that nobody published; empty if there are none."""
        defaults = [f"{a} (assumed: not given)" for n in self.all_networks() for a in n.assumed]
        return assumed_text(f"system {self.label}", [*self.unpublished, *defaults])


def _device(value: object, system: str) -> Device:
    if not isinstance(value, Device):
        raise SpecError(f"system {system}: device is {quote(value)}; it must be a Device object, such as Device('gpu')")
    return value


def _transport(value: object, system: str) -> Transport | None:
    if value is not None and not isinstance(value, Transport):
        raise SpecError(
            f"system {system}: transport is {quote(value)}; it must be a Transport, such as Transport(latency='20 us')"
        )
    return value


def _attached(network: Network, transport: object, system: str) -> Network:
    nics = _transport(transport, system)
    return network if nics is None else nics.on(network)


#: What ``simulate`` takes as a system.
SystemLike = System | str


def as_system(value: SystemLike) -> System:
    """Return the system itself, or the preset of that name."""
    if isinstance(value, System):
        return value
    if isinstance(value, str):
        return System.preset(value)
    raise SpecError(f"system {quote(value)} is neither a System nor the name of a preset")
