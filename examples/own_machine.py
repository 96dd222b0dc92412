"""How do I describe a machine that is not among the presets, keep it in a file and change one number of it?

A system is a device, the fabric inside a unit, and the fabric between units. It is saved as TOML, which is read back,
edited and kept under version control.
"""

import supernode as sn

gpu = sn.Device("gpu", hbm="8 TB/s")
inside = sn.Switched(planes=8, bandwidth="50 GB/s", latency="300 ns", switch_latency="150 ns", in_network_reduce=True)
between = sn.FatTree(radix=64, link="400 Gbit/s", link_latency="1 us", trunk_latency="150 ns", switch_latency="300 ns")
pod = sn.System("my-pod").scale_up(gpu, count=16, fabric=inside).scale_out(between, nics_per_device=1).replicate(4)

pod.save("my-pod.toml")
assert sn.System.load("my-pod.toml").to_spec() == pod.to_spec()

print(sn.inventory(pod))
for name, machine in {
    "64 x 16 GPUs": pod,
    "two NICs": sn.System("two-nics")
    .scale_up(gpu, count=16, fabric=inside)
    .scale_out(between, nics_per_device=2)
    .replicate(4),
}.items():
    result = sn.all_reduce(machine, size="256 MiB")
    print(f"{name}: {result.time_ns / 1e3:.0f} us, {result.busbw_gbytes_s:.1f} GB/s, {result.bottleneck}")
