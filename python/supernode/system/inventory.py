"""What a machine consists of: links by level and medium, bisection, diameter, injection, optics, power.

Everything follows from the graph that is simulated: the core counts it by arithmetic, and :func:`edges` lists it port
by port for checks and for other programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.spec import encode
from supernode.system.system import System, SystemLike, as_system

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["Inventory", "Level", "edges", "inventory"]

#: Media whose links end in an optical module at either side.
OPTICAL = ("optic", "lpo", "cpo", "npo", "fibre", "fiber")


@dataclass(frozen=True)
class Level:
    """A tier of switches with the links below it, or a dimension, over all copies and planes of its network.

    Parameters
    ----------
    network, name
        Name of the network, and ``"tier 1"`` or ``"dimension 1"`` in it.
    medium
        What the links are made of; empty if nobody says.
    links
        Links, both directions counted as one.
    link_gbytes_s
        Rate of each, one way, in GB/s.
    link_ns
        Propagation of each, in ns.
    switches
        Switches of the tier.
    ports
        Ports of each of them.
    switch_ns
        Head in to head out of a switch, or of the router inside an accelerator, in ns.
    per_cable
        Links that share a cable.
    optical_one_in
        If not 0: of every so many links one is optical, whatever ``medium`` says of the others.
    """

    network: str
    name: str
    medium: str
    links: int
    link_gbytes_s: float
    link_ns: float
    switches: int
    ports: int
    switch_ns: float
    per_cable: int = 1
    optical_one_in: int = 0

    @property
    def total_gbytes_s(self) -> float:
        """Rate of all links: those of a tier upwards, those of a dimension in either direction, in GB/s."""
        return self.links * self.link_gbytes_s * (1 if self.switches else 2)

    @property
    def media(self) -> dict[str, int]:
        """Links by medium, ``"unknown"`` where nobody says."""
        own = self.medium or "unknown"
        optical = self.links // self.optical_one_in if self.optical_one_in else 0
        return {m: n for m, n in ((own, self.links - optical), ("optics", optical)) if n}

    @property
    def cables(self) -> int:
        """Cables."""
        return -(-self.links // self.per_cable)

    @property
    def optical_ends(self) -> int:
        """Ends of optical cables, two each: a module, or a part of one where a module serves several cables."""
        return sum(2 * -(-n // self.per_cable) for m, n in self.media.items() if any(w in m.lower() for w in OPTICAL))


@dataclass(frozen=True)
class Inventory:
    """A machine in numbers.

    Parameters
    ----------
    system
        The machine.
    counts
        The core's description, as :meth:`supernode.PresetInfo.counts` returns it.
    levels
        Links and switches, innermost network first.
    """

    system: System
    counts: Mapping[str, Any] = field(repr=False)
    levels: tuple[Level, ...]

    @property
    def accelerators(self) -> int:
        """Number of accelerators."""
        return int(self.counts["accelerators"])

    @property
    def switches(self) -> int:
        """Switches of all networks."""
        return int(self.counts["switches"])

    @property
    def links(self) -> int:
        """Links of all networks, both directions counted as one."""
        return int(self.counts["links"])

    @property
    def injection_gbytes_s(self) -> float:
        """Rate of an accelerator into all its networks, one way, in GB/s."""
        return float(self.counts["injection_gbytes_s"])

    @property
    def bisection_gbytes_s(self) -> float:
        """Least rate between two halves of the accelerators, one way, in GB/s; see :attr:`bisection_exact`."""
        return float(self.counts["bisection_gbytes_s"])

    @property
    def bisection_exact(self) -> bool:
        """False if an explicit graph decides the bisection: the narrowest halves found, others may have less."""
        return bool(self.counts["bisection_exact"])

    @property
    def diameter_hops(self) -> int:
        """Links on the longest route."""
        return int(self.counts["diameter_hops"])

    @property
    def diameter_ns(self) -> float:
        """Propagation over links and switches of the longest route, in ns."""
        return float(self.counts["diameter_ns"])

    @property
    def optical_ends(self) -> int:
        """Ends of optical cables, as far as media are known: a module each, or a part of one."""
        return sum(level.optical_ends for level in self.levels)

    @property
    def power_watts(self) -> int | None:
        """Power of all units, where that of one is known, in W."""
        return None if self.system.unit_power is None else self.system.unit_power * self.system.units

    def by_medium(self) -> dict[str, int]:
        """Return links by medium, ``"unknown"`` where nobody says."""
        found: dict[str, int] = {}
        for medium, links in ((m, n) for level in self.levels for m, n in level.media.items()):
            found[medium] = found.get(medium, 0) + links
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data; units are in the names."""
        levels = [
            {
                **{key: value for key, value in asdict(level).items() if key not in ("per_cable", "optical_one_in")},
                "total_gbytes_s": level.total_gbytes_s,
                "cables": level.cables,
                "optical_ends": level.optical_ends,
            }
            for level in self.levels
        ]
        return {
            "accelerators": self.accelerators,
            "switches": self.switches,
            "links": self.links,
            "links_by_medium": self.by_medium(),
            "optical_ends": self.optical_ends,
            "power_w": self.power_watts,
            "injection_gbytes_s": self.injection_gbytes_s,
            "bisection_gbytes_s": self.bisection_gbytes_s,
            "bisection_exact": self.bisection_exact,
            "diameter_hops": self.diameter_hops,
            "diameter_ns": self.diameter_ns,
            "levels": levels,
        }

    def __str__(self) -> str:
        from supernode.system.text import inventory_text

        return inventory_text(self)


def inventory(system: SystemLike) -> Inventory:
    """Count what a machine consists of.

    Parameters
    ----------
    system
        A :class:`~supernode.System`, or the name of a preset. Its size does not matter: nothing is walked but explicit
        graphs, whose narrowest halves are looked for (a second or two for the largest).

    Returns
    -------
    Inventory
        Printing it shows all of it.
    """
    machine = as_system(system)
    counts = msgspec.json.decode(core.describe(encode(machine.to_spec())))
    levels = []
    for network, found in zip(machine.all_networks(), counts["networks"], strict=True):
        for i, level in enumerate(found["levels"]):
            per_cable = network.per_cable[i] if i < len(network.per_cable) else 1
            optics = network.optical_one_in[i] if i < len(network.optical_one_in) else 0
            levels.append(Level(network=found["name"], per_cable=per_cable, optical_one_in=optics, **level))
    return Inventory(machine, counts, tuple(levels))


def edges(system: SystemLike) -> pa.Table:
    """List the graph of a machine, one row a directed link.

    Parameters
    ----------
    system
        A :class:`~supernode.System`, or the name of a preset, of at most ten million directed links.

    Returns
    -------
    pyarrow.Table
        ``vertex`` and ``port`` that a link leaves, ``peer`` and ``peer_port`` that it reaches (accelerators are the
        vertices from 0, switches follow), ``network``, ``level`` (tier or dimension, from 1), ``rate_gbytes_s``
        in GB/s, ``latency_ns``, and ``forward_ns``: head in to head out at the far end, for what is forwarded there.

    Raises
    ------
    MemoryLimitError
        If there are more.
    """
    import pyarrow as pa

    spec = as_system(system).to_spec()
    found: dict[str, np.ndarray[Any, Any]] = dict(core.edges(encode(spec)))
    names = pa.DictionaryArray.from_arrays(pa.array(found["network"]), [n.name for n in spec.networks])
    columns = {key: pa.array(found[key]) for key in ("vertex", "port", "peer", "peer_port")}
    columns |= {"network": names, "level": pa.array(found["level"] + 1), "rate_gbytes_s": pa.array(found["rate"] / 8e9)}
    columns |= {key: pa.array(found[f"{key[:-3]}_fs"] / 1e6) for key in ("latency_ns", "forward_ns")}
    return pa.table(columns)
