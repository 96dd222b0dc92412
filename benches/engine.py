"""Cost of the packet engine: time a packet-hop and memory an accelerator.

The traffic is a random permutation (every host sends to one other) over a three-tier fat tree, packets of 4 KiB sprayed
evenly, credit flow control, no software cost.
"""

import numpy as np

import supernode as sn


def permutation(hosts: int, radix: int, size: str, threads: int) -> sn.Result:
    """Run one permutation; a ring shift of randomly placed ranks is one."""
    tree = sn.FatTree(
        radix=radix,
        tiers=3,
        link="400 Gbit/s",
        link_latency="500 ns",
        trunk_latency="500 ns",
        switch_latency="300 ns",
    )
    system = sn.System("fat-tree").scale_out(tree, count=hosts)
    placement = np.random.default_rng(1).permutation(hosts)
    return sn.send_recv(
        system, size=size, placement=placement, algorithm="direct", fidelity="packet", threads=threads, progress=False
    )


class PacketHop:
    """Time of one packet over one link."""

    params = ([(1024, 16), (65_536, 64)], [1, 2])
    param_names = ("hosts_radix", "threads")
    timeout = 600

    def track_ns_per_packet_hop(self, shape: tuple[int, int], threads: int) -> float:
        """Wall-clock nanoseconds a packet-hop, best of three."""
        hosts, radix = shape
        size = "4 MiB" if hosts <= 1024 else "128 KiB"
        found = []
        for _ in range(3):
            meta = permutation(hosts, radix, size, threads).meta
            found.append(meta["wall_s"] * 1e9 / meta["packet_hops"])
        return float(min(found))

    track_ns_per_packet_hop.unit = "ns"  # type: ignore[attr-defined]


class Memory:
    """State of the simulation."""

    params = ([(1024, 16), (65_536, 64)],)
    param_names = ("hosts_radix",)
    timeout = 600

    def track_bytes_per_accelerator(self, shape: tuple[int, int]) -> float:
        """Bytes of simulation state an accelerator, at the largest."""
        hosts, radix = shape
        meta = permutation(hosts, radix, "64 KiB", 1).meta
        return float(meta["state_bytes"]) / hosts

    track_bytes_per_accelerator.unit = "B"  # type: ignore[attr-defined]
