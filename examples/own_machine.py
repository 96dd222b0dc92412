"""How do I describe a machine that is not among the presets, keep it in a file and change one number of it?

A system is a device, the fabric inside a unit, and the fabric between units. It is saved as TOML, which is read back,
edited and kept under version control.
"""

import supernode as sn

gpu = sn.Device("gpu", hbm="8 TB/s")
inside = sn.Switched(planes=8, bandwidth="50 GB/s", latency="300 ns", switch_latency="150 ns", in_network_reduce=True)
between = sn.FatTree(radix=64, link="400 Gbit/s", link_latency="1 us", trunk_latency="150 ns", switch_latency="300 ns")


def pod(nics: int) -> sn.System:
    """Return four units of sixteen GPUs, each GPU with so many NICs."""
    unit = sn.System(f"my-pod-{nics}").scale_up(gpu, count=16, fabric=inside)
    return unit.scale_out(between, nics_per_device=nics).replicate(4)


pod(1).save("my-pod.toml")
machine = sn.System.load("my-pod.toml")
assert machine.to_spec() == pod(1).to_spec()
print(sn.inventory(machine))

for nics in (1, 2):
    result = sn.all_reduce(pod(nics), size="256 MiB")
    print(f"NICs per GPU: {nics}, {result.time_ns / 1e3:.0f} us, {result.busbw_gbytes_s:.1f} GB/s, {result.bottleneck}")
