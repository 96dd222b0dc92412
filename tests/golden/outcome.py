"""What a run gave, as numbers that do not depend on how tables are stored.

Times are whole femtoseconds, shares whole billionths. Only the columns that are listed here count, so a table may get
more columns. An error counts with its class and its text.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import Any

import numpy as np
import pyarrow as pa

import supernode as sn
from supernode.errors import SupernodeError

__all__ = ["TABLES", "outcome"]

TABLES: dict[str, tuple[str, ...]] = {
    "ranks": (
        *("rank", "accelerator", "finish_ns", "sent_bytes", "received_bytes", "sent_messages", "received_messages"),
        *("memory_busy_ns", "memory_utilisation"),
    ),
    "levels": (
        *("network", "level", "direction", "links", "bytes", "wire_bytes", "packets", "busy_max_ns", "utilisation_max"),
        *("utilisation_mean", "queue_max_packets", "wait_ns", "stall_ns", "stall_max_ns"),
    ),
    "links": (
        *("link", "src", "dst", "network", "level", "direction", "bytes", "wire_bytes", "packets", "busy_ns"),
        *("utilisation", "queue_max_packets", "queue_mean_packets", "wait_ns", "stall_ns"),
    ),
    "switches": (
        *("switch", "network", "level", "bytes", "wire_bytes", "packets", "ports_used", "utilisation_max"),
        *("queue_max_packets", "stall_ns"),
    ),
    "flows": ("src", "dst", "lane", "step", "bytes", "start_ns", "end_ns", "duration_ns"),
}


def outcome(system: str, collective: str, options: dict[str, Any], expand: bool = True) -> dict[str, Any]:
    """Run a case.

    Parameters
    ----------
    system
        The name of a preset, or an expression with ``sn`` as its only name.
    collective, options
        As for :func:`supernode.simulate`.
    expand
        Write tables of folded runs out.

    Returns
    -------
    dict
        ``error``, ``time_fs``, ``facts`` (algorithm, bound, bottleneck, warnings, ...) and a hash per table.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            machine = eval(system, {"sn": sn, "__builtins__": {}}) if system.startswith("sn.") else system  # noqa: S307
            result = sn.simulate(machine, collective, threads=1, **options)
        except SupernodeError as error:
            return {"error": _digest(f"{type(error).__name__}: {error}".encode()), "kind": type(error).__name__}
    meta = result.meta
    facts = {name: meta[name] for name in ("algorithm", "protocol", "fidelity", "chosen_by", "bound_kind")}
    facts |= {"bound_fs": meta["bound_fs"], "bottleneck": meta["bottleneck"], "warnings": meta["warnings"]}
    facts |= {"packet_hops": meta["packet_hops"], "order": meta["folding"]["order"]}
    found: dict[str, Any] = {"kind": "", "error": None, "time_fs": result.time_fs}
    found["facts"] = _digest(json.dumps(facts, sort_keys=True, ensure_ascii=True).encode())
    for name in options.get("record", ()):
        if name in result.tables():
            table = result.expand(name) if expand else result.table(name)
            found[name] = _digest(b"\n".join(_bytes(column, table[column]) for column in TABLES[name]))
    return found


def _bytes(name: str, column: pa.ChunkedArray) -> bytes:
    """Return a column as bytes: whole numbers, or text."""
    if pa.types.is_floating(column.type):
        scale = 1e6 if name.endswith("_ns") else 1e9
        return name.encode() + bytes(np.rint(column.to_numpy() * scale).astype("<i8").tobytes())
    if pa.types.is_integer(column.type):
        return name.encode() + bytes(column.to_numpy().astype("<i8").tobytes())
    return name.encode() + "\0".join(map(str, column.to_pylist())).encode()


def _digest(data: bytes) -> int:
    """Return 63 bits of the SHA-256."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") >> 1
