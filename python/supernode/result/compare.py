"""Simulated against measured: a bench joined with a file of nccl-tests by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.errors import SpecError
from supernode.files.text import read_text
from supernode.names import choose

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["compare", "read_nccl_tests", "schema"]


@cache
def schema() -> pa.Schema:
    """Return the columns of a comparison."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("system", pa.string()),
            pa.field("requested", pa.string(), metadata={"doc": "algorithm asked for"}),
            pa.field("size_bytes", pa.uint64(), metadata={"unit": "B"}),
            pa.field("time_ns", pa.float64(), metadata={"unit": "ns", "doc": "simulated"}),
            pa.field("measured_time_ns", pa.float64(), metadata={"unit": "ns"}),
            pa.field("busbw_gbytes_s", pa.float64(), metadata={"unit": "GB/s", "doc": "simulated"}),
            pa.field("measured_busbw_gbytes_s", pa.float64(), metadata={"unit": "GB/s"}),
            pa.field(
                "error_percent", pa.float64(), metadata={"unit": "%", "doc": "simulated time over measured, less 1"}
            ),
        ]
    )


def compare(rows: Sequence[Mapping[str, Any]], path: Path, place: str = "out_of_place") -> pa.Table:
    """Join rows of a bench with a ``-J`` file of nccl-tests.

    Parameters
    ----------
    rows
        Rows of :attr:`supernode.Bench.summary`.
    path
        The file.
    place
        ``"out_of_place"`` or ``"in_place"``: which of the measured numbers to take.

    Returns
    -------
    pyarrow.Table
        Columns :func:`schema`, one row for each size that both have.
    """
    choose("place", place, ("out_of_place", "in_place"))
    measured = read_nccl_tests(path, place)
    joined = []
    for row in rows:
        found = measured.get(row["size_bytes"])
        if found is not None:
            time_ns, busbw = found
            joined.append(
                {
                    "system": row["system"],
                    "requested": row["requested"],
                    "size_bytes": row["size_bytes"],
                    "time_ns": row["time_ns"],
                    "measured_time_ns": time_ns,
                    "busbw_gbytes_s": row["busbw_gbytes_s"],
                    "measured_busbw_gbytes_s": busbw,
                    "error_percent": 100 * (row["time_ns"] / time_ns - 1) if time_ns else None,
                }
            )
    if not joined:
        sizes = ", ".join(str(s) for s in list(measured)[:5])
        raise SpecError(f"{path.name}: none of its sizes ({sizes}, ...) is among those of the bench")
    import pyarrow as pa

    return pa.Table.from_pylist(joined, schema=schema())


def read_nccl_tests(path: Path, place: str) -> dict[int, tuple[float, float]]:
    """Return time in ns and bus bandwidth in GB/s by size; where a size occurs twice, the last counts.

    Raises
    ------
    SpecError
        If it is no ``-J`` file, or has no such times.
    """
    text = read_text(path, "measurements file")
    try:
        results = msgspec.json.decode(text)["results"]
        measured = [(r["size"], r[place]) for r in results if isinstance(r.get(place), dict) and "time" in r[place]]
        found = {int(size): (float(one["time"]) * 1e3, float(one["bus_bw"])) for size, one in measured}
    except (
        msgspec.DecodeError,
        ArithmeticError,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        RecursionError,
    ) as error:
        raise SpecError(f"{path.name}: not a -J file of nccl-tests: {error}") from None
    if not found:
        raise SpecError(f"{path.name}: it has no {place} times")
    return found
