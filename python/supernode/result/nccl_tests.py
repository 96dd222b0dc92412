"""The conventions of nccl-tests: rounding of sizes, its table and its JSON file.

Sizes and counts follow nccl-tests: a collective whose buffer is cut into one part a rank rounds the part down to whole
units of 16 bytes. GB is 10^9 bytes. What nccl-tests measures twice, out of place and in place, is one number here: the
model does not tell them apart, so the file repeats it.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from supernode import core
from supernode.library.collectives import Collective
from supernode.library.dtypes import DType

__all__ = ["JSON_VERSION", "change_line", "document", "header", "lines", "redop_of", "rounded", "row_line"]

#: Version of the file's shape, as nccl-tests numbers it.
JSON_VERSION = 3

_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


def rounded(collective: type[Collective], size: int, ranks: int, dtype: DType) -> int:
    """Round a requested size as nccl-tests does.

    Parameters
    ----------
    collective
        The operation.
    size
        Requested bytes.
    ranks
        Number of ranks.
    dtype
        Element type.

    Returns
    -------
    int
        Bytes of the size column; 0 if the request is too small to give every rank a part.
    """
    return core.rounded_bytes(collective.name, size, ranks, dtype.bytes)


def redop_of(collective: type[Collective]) -> str:
    """Return the redop column."""
    return "sum" if collective.reduces else "none"


def header(lines: Sequence[str] = ()) -> str:
    """Return the lines above a table: remarks, then column names and their units."""
    names = (
        f"# {'size':>12}  {'count':>12}  {'type':>8}  {'redop':>6}  {'root':>6}  {'time':>12}  {'algbw':>9}"
        f"  {'busbw':>9}  {'bound':>12}  {'eff':>6}  {'algorithm':<20}  {'protocol':<8}  {'fidelity':<8}  bottleneck"
    )
    units = (
        f"# {'(B)':>12}  {'(elements)':>12}  {'':>8}  {'':>6}  {'':>6}  {'(us)':>12}  {'(GB/s)':>9}  {'(GB/s)':>9}"
        f"  {'(us)':>12}  {'(%)':>6}"
    )
    return "\n".join([*(f"# {line}" for line in lines), names, units])


def row_line(row: Mapping[str, Any]) -> str:
    """Return one line of the table."""
    between = ""
    if row.get("time_low_ns") is not None:
        between = f"  ({row['time_low_ns'] / 1e3:.3f} to {row['time_high_ns'] / 1e3:.3f} us)"
    return (
        f"  {row['size_bytes']:>12}  {row['count']:>12}  {row['type']:>8}  {row['redop']:>6}  {row['root']:>6}"
        f"  {row['time_ns'] / 1e3:>12.3f}  {row['algbw_gbytes_s']:>9.3f}  {row['busbw_gbytes_s']:>9.3f}"
        f"  {row['bound_ns'] / 1e3:>12.3f}  {100 * row['efficiency']:>6.1f}  {row['algorithm']:<20}"
        f"  {row['protocol']:<8}  {row['fidelity']:<8}  {row['bottleneck']}{between}"
    )


def change_line(before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> str | None:
    """Return the line between two rows of a curve whose fidelities differ, or ``None``."""
    if before is None or before["requested"] != row["requested"] or before["fidelity"] == row["fidelity"]:
        return None
    return f"# fidelity changes here: {before['fidelity']} above, {row['fidelity']} below"


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the table, with a remark wherever the fidelity of a curve changes."""
    found = []
    for before, row in zip([None, *rows], rows, strict=False):
        remark = change_line(before, row)
        found += [remark, row_line(row)] if remark else [row_line(row)]
    return found


def document(
    rows: Sequence[Mapping[str, Any]], *, device: str, args: Sequence[str], start: datetime.datetime
) -> dict[str, Any]:
    """Return the content of a ``-J`` file.

    Parameters
    ----------
    rows
        Rows of a bench's summary, at least one.
    device
        Name of the accelerator.
    args
        The command or call that made the rows.
    start
        When the first run began.

    Returns
    -------
    dict
        Plain data with the keys of nccl-tests, and one key more in each result, ``supernode``, with what only a
        simulation knows. Times in microseconds, bandwidths in GB/s. Booleans are the strings that nccl-tests writes.
    """
    sizes = [row["size_bytes"] for row in rows]
    devices = [
        {
            "rank": rank,
            "group": 0,
            "pid": 0,
            "hostname": rows[0]["system"],
            "device": rank,
            "device_hex": f"{rank:04x}",
            "device_info": device,
        }
        for rank in range(rows[0]["ranks"])
    ]
    mean = sum(row["busbw_gbytes_s"] for row in rows) / len(rows)
    return {
        "version": JSON_VERSION,
        "start_time": start.strftime(_TIME_FORMAT),
        "args": list(args),
        "env": [],
        "nccl_version": 0,
        "config": {
            "nthreads": 1,
            "ngpus": rows[0]["ranks"],
            "minimum_bytes": min(sizes),
            "maximum_bytes": max(sizes),
            **_step(sizes),
            "warmup_iters": 0,
            "iterations": 1,
            "aggregated_iterations": 1,
            "validation": 0,
            "graph": 0,
            "blocking_collectives": "false",
            "per_iter_timing": "false",
            "per_iter_skip": 0,
            "parallel_init": "false",
            # nccl-tests nests the list here; its documentation shows it beside config. Readers of both kinds exist.
            "devices": devices,
        },
        "devices": devices,
        "results": [_result(row) for row in rows],
        "out_of_bounds": {"count": 0, "okay": "true"},
        "average_bus_bandwidth": {"bandwidth": mean, "okay": "unchecked"},
        "errors": [],
        "end_time": datetime.datetime.now().strftime(_TIME_FORMAT),
    }


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    measured = {
        "time": row["time_ns"] / 1e3,
        "alg_bw": row["algbw_gbytes_s"],
        "bus_bw": row["busbw_gbytes_s"],
        "nwrong": None,
    }
    return {
        "size": row["size_bytes"],
        "count": row["count"],
        "type": row["type"],
        "redop": row["redop"],
        "root": f"{row['root']:6d}",
        "out_of_place": measured,
        "in_place": dict(measured),
        "actual_iterations": 1,
        "experiment_name": f"{row['collective']} {row['system']} {row['requested']}",
        "supernode": {
            "system": row["system"],
            "bound": row["bound_ns"] / 1e3,
            "efficiency": row["efficiency"],
            "algorithm": row["algorithm"],
            "protocol": row["protocol"],
            "fidelity": row["fidelity"],
            "bottleneck": row["bottleneck"],
            "seed": row["seed"],
        },
    }


def _step(sizes: Sequence[int]) -> dict[str, int]:
    """Describe the sizes as nccl-tests would have stepped through them."""
    points = sorted(set(sizes))
    pairs = list(itertools.pairwise(points))
    if pairs and all(b == a * (points[1] // points[0]) for a, b in pairs):
        return {"step_factor": points[1] // points[0]}
    if pairs and len({b - a for a, b in pairs}) == 1:
        return {"step_bytes": pairs[0][1] - pairs[0][0]}
    return {"step_bytes": 0}
