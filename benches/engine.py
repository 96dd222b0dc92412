"""Cost of the packet engine: time per packet-hop, instructions per packet-hop, and memory per accelerator.

The traffic is a permutation (every host sends to one other) over a three-tier fat tree, packets of 4 KiB, credit flow
control, no software cost; nothing is folded or skipped, so that every packet-hop counted was simulated. `even`: hosts
send about half way round and routes follow the destination, so that every link carries the same; `random`: a random
permutation, packets sprayed, queues form.
"""

from asv_runner.benchmarks.mark import SkipNotImplemented

from benches import cases, instructions


class PacketHop:
    """Time of one packet over one link."""

    params = ([(1024, 16), (65_536, 64)], [1, 2], ["even", "random"])
    param_names = ("hosts_radix", "threads", "pattern")
    timeout = 600

    def track_ns_per_packet_hop(self, shape: tuple[int, int], threads: int, pattern: str) -> float:
        """Wall-clock nanoseconds per packet-hop, best of three."""
        hosts, radix = shape
        size = "8 MiB" if hosts <= 1024 else "512 KiB"
        found = []
        for _ in range(3):
            meta = cases.permutation(hosts, radix, size, pattern, threads).meta
            found.append(meta["wall_s"] * 1e9 / meta["packet_hops"])
        return float(min(found))

    track_ns_per_packet_hop.unit = "ns"  # type: ignore[attr-defined]


class Memory:
    """State of the simulation."""

    params = ([(1024, 16), (65_536, 64)],)
    param_names = ("hosts_radix",)
    timeout = 600

    def track_bytes_per_accelerator(self, shape: tuple[int, int]) -> float:
        """Bytes of simulation state per accelerator, at the largest."""
        hosts, radix = shape
        meta = cases.permutation(hosts, radix, "512 KiB", "even").meta
        return float(meta["state_bytes"]) / hosts

    track_bytes_per_accelerator.unit = "B"  # type: ignore[attr-defined]


class Instructions:
    """What valgrind counts: the same on a noisy machine."""

    params = ([name for name, case in cases.CASES.items() if case.counted],)
    param_names = ("case",)
    timeout = 1800

    def setup_cache(self) -> dict[str, float]:
        """Count all cases in one go; none without valgrind."""
        return instructions.count() if instructions.available() else {}

    setup_cache.timeout = 1800  # type: ignore[attr-defined]

    def setup(self, found: dict[str, float], case: str) -> None:
        """Skip where nothing was counted, in asv's way."""
        if case not in found:
            raise SkipNotImplemented(instructions.MISSING)

    def track_instructions_per_unit(self, found: dict[str, float], case: str) -> float:
        """Instructions per packet-hop, message, flow or call."""
        return found[case]

    track_instructions_per_unit.unit = "instructions"  # type: ignore[attr-defined]
