"""Cost of the packet engine: time a packet-hop and memory an accelerator.

The traffic is a permutation (every host sends to one other) over a three-tier fat tree, packets of 4 KiB, credit flow
control, no software cost; nothing is folded or skipped, so that every packet-hop counted was simulated. `even`: hosts
send about half way round and routes follow the destination, so that every link carries the same; `random`: a random
permutation, packets sprayed, queues form.
"""

import numpy as np

import supernode as sn


def permutation(hosts: int, radix: int, size: str, threads: int, pattern: str) -> sn.Result:
    """Run one permutation: a ring shift of ranks placed at random, or alternately in the two halves."""
    tree = sn.FatTree(
        radix=radix,
        tiers=3,
        link="400 Gbit/s",
        link_latency="500 ns",
        trunk_latency="500 ns",
        switch_latency="300 ns",
    )
    system = sn.System("fat-tree").scale_out(tree, count=hosts)
    even = pattern == "even"
    placement = np.arange(hosts).reshape(2, -1).T.ravel() if even else np.random.default_rng(1).permutation(hosts)
    return sn.send_recv(
        system,
        size=size,
        placement=placement,
        routing="d_mod_k" if even else "spray_round_robin",
        algorithm="direct",
        fidelity="packet",
        fold=False,
        skip=False,
        threads=threads,
        progress=False,
    )


class PacketHop:
    """Time of one packet over one link."""

    params = ([(1024, 16), (65_536, 64)], [1, 2], ["even", "random"])
    param_names = ("hosts_radix", "threads", "pattern")
    timeout = 600

    def track_ns_per_packet_hop(self, shape: tuple[int, int], threads: int, pattern: str) -> float:
        """Wall-clock nanoseconds a packet-hop, best of three."""
        hosts, radix = shape
        size = "8 MiB" if hosts <= 1024 else "512 KiB"
        found = []
        for _ in range(3):
            meta = permutation(hosts, radix, size, threads, pattern).meta
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
        meta = permutation(hosts, radix, "512 KiB", 1, "even").meta
        return float(meta["state_bytes"]) / hosts

    track_bytes_per_accelerator.unit = "B"  # type: ignore[attr-defined]
