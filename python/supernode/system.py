"""Systems: presets by name, and machines that users put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from supernode.assemble import of_file
from supernode.device import Device
from supernode.errors import FabricError, SpecError, SupernodeError
from supernode.fabric.base import Fabric, Network, parse_fabric, positive
from supernode.filetext import as_path, naming
from supernode.marks import assumed_text
from supernode.names import plain_text
from supernode.nics import Nics
from supernode.options import parse_flag
from supernode.overrides import naming_override
from supernode.preset import Core, ScaleOut
from supernode.presetload import load_preset, split_name
from supernode.quoting import quote
from supernode.spec import SystemSpec
from supernode.units import Quantity
from supernode.validity import checked

if TYPE_CHECKING:
    from supernode.io.found import ImportOptions
    from supernode.picture import Figure

__all__ = ["System", "SystemLike", "as_system"]


@dataclass(frozen=True)
class System:
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
    #: A preset carries its scale-out network whether one unit is used or several.
    from_preset: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        plain_text(self.name, "name of the system")
        plain_text(self.stack, f"system {self.name}: stack")

    @classmethod
    def preset(cls, name: str, /, **overrides: Quantity | bool) -> System:
        """Load a preset.

        Parameters
        ----------
        name
            Name of a preset, ``"NAME:n"`` for n units of it joined by its scale-out network, or the path of a preset
            file.
        **overrides
            New values of parameters, by name: ``link_latency="300 ns"``, or of the preset's own software stack:
            ``**{"simple.launch": "5 us"}``.

        Raises
        ------
        SpecError
            If the preset or a parameter is unknown; the message has the nearest name.
        FabricError
            If the parameters do not make a fabric.
        """
        base, asked = split_name(name)
        file = load_preset(base)
        # parameters and networks of a file of users are errors of that file
        with naming(Path(base).name if base.endswith(".toml") else ""), naming_override(overrides):
            return checked(of_file(cls, file, name, asked, overrides))

    @classmethod
    def load(cls, path: str | Path, /, **overrides: Quantity | bool) -> System:
        """Load a system file (TOML), which :meth:`save` may have written.

        Parameters
        ----------
        path
            A file that ends in ``.toml``.
        **overrides
            New values of its parameters, by name.

        Raises
        ------
        SpecError
            If the file does not exist or is not valid: naming the line or field, and the nearest valid name.
        FabricError
            If its numbers do not make a fabric.
        """
        text = str(as_path(path, "system file"))
        if not text.endswith(".toml"):
            raise SpecError(f"system file {quote(text)} must end in .toml; other formats are read by System.from_file")
        return cls.preset(text, **overrides)

    @classmethod
    def from_file(cls, path: str | Path, format: str | None = None, **options: Unpack[ImportOptions]) -> System:
        """Read a system from another tool's file; what is left out is in its notes, and in every result's warnings.

        Parameters
        ----------
        path
            The file.
        format
            One of toml, graphml, nccl, astra-sim, ns3, simai, htsim, infragraph; by default told by the file itself.
        name
            Name of the system; by default that in the file, or the file's own.
        link_rate, link_latency
            Rate per direction (``"50 GB/s"``) and latency (``"500 ns"``) of links for which the file has none. A
            dictionary has one for each kind of link that the format has names for: ``{"nvlink": "25 GB/s"}``.
        switch_latency
            Of switches for which the file has none; by default 0, with a warning.
        accelerators
            Names of the vertices that are accelerators, in the order of ranks, where the file does not say.
        device
            The accelerator, of which most formats say nothing.
        hints
            A second file: ASTRA-sim's ``system.json``.
        payload, overhead, buffer, routing, kind
            As for :class:`~supernode.Switched`, where the file has none.
        forwarding
            Whether accelerators pass on packets of others, as for :class:`~supernode.Graph`; by default what the file
            says, otherwise only in a fabric without switches.

        Raises
        ------
        SpecError
            If the file does not exist or is not valid: naming file, line and field. If a keyword is unknown.
        FabricError
            If its fabric cannot be built, or lacks a value: naming file and vertex, edge or link.
        SizeOverflowError
            If it is too large to be written out.
        """
        from supernode import io

        return io.read_file(path, format, io.Options.of(options))

    @classmethod
    def from_graph(cls, graph: object, **options: Unpack[ImportOptions]) -> System:
        """Take a graph of NetworkX or rustworkx as a system of one network.

        Vertices have a ``kind`` (``"gpu"``, ``"switch"``, ...), edges ``rate`` and ``latency`` as texts with units.

        Parameters
        ----------
        graph
            The graph.
        **options
            The keywords of :meth:`from_file` but ``hints``, for what the graph does not say.

        Raises
        ------
        SpecError
            If it is no graph of these libraries.
        FabricError
            Naming the vertex or edge that is not valid.
        """
        from supernode import io

        found = io.Options.of(options)
        if found.hints is not None:
            raise SpecError("hints: a graph has no second file")
        return io.to_system(io.read_graph(graph, found), found)

    def to_toml(self, path: str | Path | None = None) -> str:
        """Return the system as a TOML file, and write it if there is a path; :meth:`load` gives the same system back.

        Parameters
        ----------
        path
            File to write, whole or not at all.
        """
        from supernode import io

        text, _ = io.render(self, "toml")
        if path is not None:
            io.write_file(self, path, "toml")
        return text

    def save(self, path: str | Path, format: str | None = None) -> tuple[str, ...]:
        """Write the system to a file, whole or not at all.

        Parameters
        ----------
        path
            The file.
        format
            One of toml, graphml, dot, infragraph, infragraph-json; by default by the extension.

        Returns
        -------
        tuple of str
            What the format leaves out; nothing for TOML.

        Raises
        ------
        SpecError
            If the format is unknown or is only read, or the file cannot be written.
        SizeOverflowError
            If it is too large for a list of vertices and edges; TOML needs none.
        """
        from supernode import io

        return io.write_file(self, path, format)

    def scale_up(self, device: Device | None = None, *, count: int, fabric: Fabric, nics_per_device: int = 1) -> System:
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
        return dataclasses.replace(
            self,
            device=self.device if device is None else device,
            networks=(*self.networks, fabric.network(level, span, ports=ports)),
            unit_accelerators=span,
        )

    def scale_out(
        self,
        fabric: Fabric,
        *,
        nics_per_device: int | None = None,
        count: int | None = None,
        device: Device | None = None,
        replace: bool = False,
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
            return dataclasses.replace(self, joined=ScaleOut(fabric, ports))
        if count is None:
            raise SpecError(f"system {self.name}: scale_out without a scale-up network needs count=")
        span = positive(count, "count", self.name)
        return dataclasses.replace(
            self,
            device=self.device if device is None else _device(device, self.name),
            networks=(fabric.network("scale_out", span, ports=ports),),
            unit_accelerators=span,
        )

    def replicate(self, n: int) -> System:
        """Take ``n`` copies, joined by the scale-out network."""
        return dataclasses.replace(self, units=positive(n, "replicate", self.name))

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

    def plot(self) -> Figure:
        """Draw the system, whatever its size: every level of its networks, a few vertices standing for all.

        Returns
        -------
        Figure
            With ``save("x.svg")`` or ``save("x.png")``; notebooks show it.
        """
        from supernode.picture import draw

        return draw(self)

    def _repr_html_(self) -> str:
        try:
            return self.plot()._repr_html_()
        except SupernodeError as error:  # a system that is not whole yet is shown all the same
            return f"<pre>{escape(repr(self))}\n{escape(str(error))}</pre>"

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


#: What ``simulate`` takes as a system.
SystemLike = System | str


def as_system(value: SystemLike) -> System:
    """Return the system itself, or the preset of that name."""
    if isinstance(value, System):
        return value
    if isinstance(value, str):
        return System.preset(value)
    raise SpecError(f"system {quote(value)} is neither a System nor the name of a preset")
