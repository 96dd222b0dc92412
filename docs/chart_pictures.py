"""Draw the charts of docs/pictures.md anew: ``python docs/chart_pictures.py``. It takes about a minute.

``--output DIR`` writes them there instead, as PNG too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import supernode as sn
from supernode.marks import AssumedValueWarning
from supernode.plot import (
    busbw_chart,
    latency_chart,
    link_chart,
    pareto_chart,
    save_chart,
    scaling_chart,
    timeline_chart,
)

HERE = Path(__file__).parent / "pictures"


def tree(oversubscription: int) -> sn.System:
    """Return a fat tree of 128 accelerators."""
    fabric = sn.FatTree(
        radix=32,
        tiers=2,
        link="400 Gbit/s",
        oversubscription=oversubscription,
        link_latency="300 ns",
        trunk_latency="500 ns",
        switch_latency="300 ns",
    )
    return sn.System(f"tree {oversubscription}:1").scale_out(fabric, count=128)


def pipeline() -> sn.Workload:
    """Return eight microbatches in three stages of eight ranks, which overlap computation and communication."""
    w = sn.Workload(sn.DeviceMesh(pp=3, tp=8))
    with w.repeat(8):
        for stage in range(3):
            with w.on(pp=stage):
                came = [w.receive("pp", by=-1, size="2 MiB", stream="in")] if stage else []
                forward = w.compute("30 us", after=came, stream="compute", name=f"stage {stage}")
                total = w.all_reduce("tp", size="4 MiB", after=forward, stream="tp", name=f"sum {stage}")
                if stage < 2:
                    w.send("pp", by=1, size="2 MiB", after=total, stream="out")
    return w


def charts() -> dict[str, Any]:
    """Run what is drawn, and return the charts by name."""
    benches = [sn.bench("all_reduce", name, sizes="8:1G:x8") for name in ("hgx-h100", "nvl72")]
    scaled = [
        sn.bench("all_reduce", f"hgx-h100:{n}", sizes="256 MiB", algorithms=["ring", "hierarchical"], fidelity="flow")
        for n in (2, 4, 8, 16, 32)
    ]
    crowded = sn.simulate(tree(3), "all_to_all", size="1 MiB", routing="ecmp", record=["links"], fidelity="packet")
    sweep = sn.Sweep(
        base={"collective": "all_reduce", "size": "16 MiB", "fidelity": "analytic"},
        grid={
            "system": ["hgx-h100:4", "nvl72", "hgx-a100:8", "hgx-b200:4", "cloudmatrix384"],
            "algorithm": ["ring", "double_binary_tree"],
            "system.link_latency": ["100 ns", "300 ns", "500 ns", "700 ns", "1 us"],
            "lanes": [1, 2, 4, 8, 16],
            "chunks": [1, 2],
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        sweep.run(folder)
        points = sweep.collect(folder)
    return {
        "busbw": busbw_chart(benches),
        "latency": latency_chart(benches),
        "scaling": scaling_chart(scaled),
        "links": link_chart(crowded),
        "timeline": timeline_chart(sn.simulate("nvl72", pipeline(), record=["iterations"], fidelity="packet")),
        "front": pareto_chart(points, "power_w", maximise="busbw_gbytes_s"),
    }


def main(arguments: list[str]) -> None:
    """Write the charts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", AssumedValueWarning)
    for name, chart in charts().items():
        save_chart(chart, HERE / f"{name}.svg" if given.output is None else given.output / name)


if __name__ == "__main__":
    main(sys.argv[1:])
