"""What joins the units of a system: a network of its own, or one more tier of switches above the outermost one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import msgspec

from supernode.errors import FabricError
from supernode.fabric.base import Fabric, Network
from supernode.fabric.switchports import check_ports
from supernode.spec import Clos, LinkSpec, SwitchSpec
from supernode.system.transport import Transport

__all__ = ["Core", "ScaleOut"]


@dataclass(frozen=True)
class ScaleOut:
    """The network that joins units: a fabric still without a size, ports per accelerator, and what its NICs add."""

    fabric: Fabric
    ports: int = 1
    name: str = "scale_out"
    transport: Transport | None = None

    def join(self, networks: tuple[Network, ...], accelerators: int) -> tuple[Network, ...]:
        """Add the network over all accelerators."""
        network = self.fabric.network(self.name, accelerators, ports=self.ports)
        return (*networks, network if self.transport is None else self.transport.on(network))


@dataclass(frozen=True)
class Core:
    """What joins units through the outermost network of a unit: one more tier of switches above its top one.

    Parameters
    ----------
    up, parallel
        Core switches above each switch of the top tier, and links to each of them.
    link, switch
        The new links and switches.
    ports
        Ports of a new switch, 0 where they are not known.
    """

    up: int
    parallel: int
    link: LinkSpec
    switch: SwitchSpec
    ports: int = 0

    def join(self, networks: tuple[Network, ...], accelerators: int) -> tuple[Network, ...]:
        """Put the tier on the outermost network, over all accelerators."""
        *inner, top = networks
        old, shape = top.spec, top.spec.topology
        if not isinstance(shape, Clos) or prod(shape.down) != old.span:
            raise FabricError(f"fabric {old.name}: a core joins only trees that are full; this one spans {old.span}")
        joined = Clos(
            down=[*shape.down, accelerators // old.span],
            up=[*shape.up, self.up],
            parallel=[*shape.parallel, self.parallel],
            rails=shape.rails,
        )
        spec = msgspec.structs.replace(
            old,
            span=accelerators,
            topology=joined,
            links=[*old.links, self.link],
            switches=[*old.switches, self.switch],
        )
        known = dict(enumerate(top.ports)) | {len(shape.down): self.ports}
        ports = tuple(known.get(tier, 0) for tier in range(len(shape.down) + 1))
        check_ports(old.name, joined, spec.planes, ports)
        return (*inner, replace(top, spec=spec, ports=ports if any(ports) else ()))
