"""What a report of a sweep shows."""

from __future__ import annotations

import json
from pathlib import Path

from supernode.page.contents import Block, Report, of_table
from supernode.picture.model import time_text
from supernode.sweep.definition import Sweep
from supernode.sweep.store import Store

__all__ = ["of_sweep"]


def of_sweep(folder: Path) -> Report:
    """Collect what there is to the folder of a sweep.

    Raises
    ------
    SpecError
        If nothing ran yet, or a part is damaged.
    """
    mark = Store(folder).read()
    status = Sweep.status(folder)
    varied = [name for kind in ("zip", "grid") for name in mark.sweep.get(kind, {})]
    frame = Sweep.scan(folder).sort("id").collect()
    failures = Sweep.failures(folder)
    times = frame["time_fs"].to_list()
    first = [name for name in ("system", *varied, "algorithm", "time_ns", "busbw_gbytes_s") if name in frame.columns]
    ordered = frame.select([*dict.fromkeys([*first, *(name for name in frame.columns if name != "id")]), "id"])
    tables = [of_table("Points", ordered.sort("time_ns").to_arrow(), "by rising time,")]
    if failures.height:
        tables.append(of_table("Failures", failures.to_arrow()))
    warnings = [f"{status.failed} points failed"] if status.failed else []
    warnings += [f"{status.left} points did not run yet"] if status.left else []
    return Report(
        title="Sweep over " + ", ".join(varied or ["one point"]),
        subtitle=f"{status.done:,} of {status.points:,} points",
        facts={
            "points": f"{status.points:,}",
            "done": f"{status.done:,}",
            "failed": f"{status.failed:,}",
            "least time": time_text(min(times)),
            "most time": time_text(max(times)),
            "SHA-256": mark.sha256[:16],
        },
        warnings=warnings,
        tables=tables,
        blocks=[Block("The sweep", json.dumps(mark.sweep, indent=2))],
        footer="Simulated by " + ", ".join(f"{name} {version}" for name, version in mark.versions.items()) + ".",
    )
