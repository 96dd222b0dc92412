"""Time of whole jobs, as users run them."""

from typing import Any

import supernode as sn

EVERY_PACKET: dict[str, Any] = {"fidelity": "packet", "fold": False, "skip": False, "progress": False}


class Jobs:
    """The jobs that the goals name."""

    timeout = 900

    def time_bench_nvl72(self) -> None:
        """All-reduce on NVL72 from 8 B to 8 GiB in powers of two."""
        sn.bench("all_reduce", "nvl72", sizes="8:8G:x2", progress=False)

    def time_all_to_all_1024(self) -> None:
        """All-to-all of 8 KiB per pair over 1,024 hosts, every packet."""
        tree = sn.FatTree(
            radix=64, link="400 Gbit/s", link_latency="500 ns", trunk_latency="500 ns", switch_latency="300 ns"
        )
        system = sn.System("clos").scale_out(tree, count=1024)
        sn.all_to_all(system, size="8 MiB", algorithm="direct", **EVERY_PACKET)

    def time_first_packet_2048(self) -> None:
        """A two-tier Clos of 2,048 hosts: build it and send one packet each."""
        tree = sn.FatTree(
            radix=64, link="400 Gbit/s", link_latency="500 ns", trunk_latency="500 ns", switch_latency="300 ns"
        )
        system = sn.System("clos").scale_out(tree, count=2048)
        sn.send_recv(system, size="1 KiB", algorithm="direct", **EVERY_PACKET)
