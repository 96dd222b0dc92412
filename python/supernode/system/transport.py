"""What the NICs of a network add to a message, besides the links and switches that are simulated.

**Model.** A latency from when a message is stored at its receiver until that knows of it: descriptors, doorbells,
completions, and whatever else the NICs and their host do. It occupies nothing, so the next message is not delayed.
A cost per message, in contrast, occupies the sender: one thread per accelerator hands messages to the NICs, one after
the other, whichever channel they belong to.
**Invariant.** It is the only home of these numbers: what the communication library adds is in its stack, what wires and
switches add is in links and switches.
**Limits.** One value each per network; they do not depend on the size of a message, and receiving occupies nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from supernode.fabric.base import Network
from supernode.spec import TransportSpec
from supernode.units import Quantity, parse_latency

__all__ = ["Transport"]


@dataclass(frozen=True)
class Transport:
    """What the NICs of a network add to every message.

    Parameters
    ----------
    latency
        Time from when a message has arrived until its receiver can use it, besides links and switches: text such as
        ``"20 us"``. Other messages pass meanwhile.
    per_message
        Time that the sender's thread takes to hand a message over, before it leaves: text such as ``"1.6 us"``. The
        next message of the same accelerator waits.

    Raises
    ------
    SpecError
        If one of them is no time, negative, or a second or longer.
    """

    latency: Quantity = 0
    per_message: Quantity = 0

    def __post_init__(self) -> None:
        self.to_spec()

    def to_spec(self) -> TransportSpec:
        """Return the transport in femtoseconds, as the core takes it."""
        return TransportSpec(
            parse_latency(self.latency, "transport, latency", zero=True),
            parse_latency(self.per_message, "transport, per_message", zero=True),
        )

    def on(self, network: Network) -> Network:
        """Return a network with these NICs."""
        return replace(network, spec=msgspec.structs.replace(network.spec, transport=self.to_spec()))
