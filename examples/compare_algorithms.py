"""Which all-reduce algorithm should run at which message size, and does `auto` choose it?

``explain`` predicts every algorithm without running any. ``bench`` simulates those that you name.
"""

import supernode as sn

SYSTEM = "hgx-h100:4"
ALGORITHMS = ["ring", "double_binary_tree", "hierarchical", "auto"]

print(sn.explain(SYSTEM, "all_reduce", size="1 MiB"))
print()

bench = sn.bench("all_reduce", SYSTEM, sizes="16K:256M:x32", algorithms=ALGORITHMS)
by_size: dict[int, dict[str, dict[str, object]]] = {}
for row in bench.rows:
    by_size.setdefault(row["size_bytes"], {})[row["requested"]] = row
print(f"{'size':>10} " + " ".join(f"{name + '(us)':>22}" for name in ALGORITHMS) + "  auto ran")
for size, rows in by_size.items():
    times = " ".join(f"{float(str(rows[name]['time_ns'])) / 1e3:>22.1f}" for name in ALGORITHMS)
    print(f"{size:>10} {times}  {rows['auto']['algorithm']}")
