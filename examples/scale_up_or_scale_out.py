"""What does one big NVLink domain gain over nine 8-GPU boards on InfiniBand?

Both machines have 72 GPUs. The curve shows from which size on bandwidth matters more than latency, and how far apart
the two are for the message sizes of your job.
"""

import supernode as sn

SIZES = "64K:16M:x4"
MACHINES = {"one NVL72": "nvl72", "nine HGX H100": "hgx-h100:9"}

curves = {name: sn.bench("all_reduce", system, sizes=SIZES) for name, system in MACHINES.items()}
print(f"{'size':>12} " + " ".join(f"{name + ' (GB/s)':>22}" for name in curves) + f" {'ratio':>6}")
for up, out in zip(*(curve.rows for curve in curves.values()), strict=True):
    ratio = out["time_ns"] / up["time_ns"]
    print(f"{up['size_bytes']:>12} {up['busbw_gbytes_s']:>22.2f} {out['busbw_gbytes_s']:>22.2f} {ratio:>6.1f}")

for name, curve in curves.items():
    last = curve.rows[-1]
    print(f"{name}: {last['algorithm']} at the largest size, limited by {last['bottleneck']}")
