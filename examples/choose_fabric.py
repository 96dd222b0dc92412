"""Which fabric suits my traffic: a fat tree, a tapered fat tree, a torus or a dragonfly?

Each machine has 64 accelerators with 50 GB/s of injection bandwidth; only the wiring differs. An all-reduce needs
little bisection and an all-to-all needs a lot, so the order of the fabrics depends on the traffic.
"""

import supernode as sn


def tree(oversubscription: int) -> sn.FatTree:
    """Return a fat tree of 16-port switches, with less bandwidth above its leaves."""
    return sn.FatTree(
        radix=16,
        oversubscription=oversubscription,
        link="400 Gbit/s",
        link_latency="500 ns",
        trunk_latency="500 ns",
        switch_latency="300 ns",
    )


GPU = sn.Device("gpu", hbm="3.35 TB/s")
TORUS = sn.Torus(dims=[4, 4, 4], bandwidth="8.333 GB/s", latency="500 ns", hop_latency="100 ns")
DRAGONFLY = sn.Dragonfly(
    terminals=2, routers=4, global_ports=2, groups=8, bandwidth="50 GB/s", latency="500 ns", switch_latency="300 ns"
)
MACHINES = {
    "fat tree, 1:1": sn.System("tree").scale_up(GPU, count=64, fabric=tree(1)),
    "fat tree, 3:1": sn.System("tapered").scale_up(GPU, count=64, fabric=tree(3)),
    "torus 4x4x4": sn.System("torus").scale_up(GPU, count=64, fabric=TORUS),
    "dragonfly": sn.System("dragonfly").scale_up(GPU, count=64, fabric=DRAGONFLY),
}

print(f"{'fabric':<15} {'collective':<11} {'time(us)':>9} {'busbw(GB/s)':>12}  bottleneck")
for collective in ("all_reduce", "all_to_all"):
    for name, machine in MACHINES.items():
        result = sn.simulate(machine, collective, size="16 MiB")
        time, busbw = result.time_ns / 1e3, result.busbw_gbytes_s
        print(f"{name:<15} {collective:<11} {time:>9.1f} {busbw:>12.2f}  {result.bottleneck}")
