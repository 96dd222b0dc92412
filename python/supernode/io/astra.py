"""ASTRA-sim's ``network.yml`` of its analytical backend: one building block a dimension.

``Switch`` becomes a switch over all accelerators of the dimensions up to its own, with the same links: ASTRA-sim
has one switch for each place of the inner dimensions, which is the same for traffic along the dimension and joins
the other pairs as well. ``Ring`` dimensions first in the list become a torus, ``FullyConnected`` ones a full mesh;
further out they would need accelerators of one group that forward for another, and are refused. Rates are in units
of 2^30 byte/s, as the backend counts them, and latencies, in ns, are of one link: a switch is two away. Fewer than
two accelerators in a dimension are refused, as there.

Source: common/NetworkFunction.cpp, common/network-parser and congestion_aware/basic-topology of
astra-network-analytical 599a047; keys of the system file as of astra-sim 518bd51.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

from supernode.errors import FabricError, SpecError
from supernode.fabric.base import Network, positive
from supernode.fabric.full_mesh import FullMesh
from supernode.fabric.switched import Switched
from supernode.fabric.torus import Torus
from supernode.io.found import Found, Options
from supernode.io.text import load_plain
from supernode.names import unknown
from supernode.units import Quantity, format_rate, format_time

__all__ = ["read_astra"]

_KEYS = ("topology", "npus_count", "bandwidth", "latency")
_BLOCKS = ("Ring", "FullyConnected", "Switch")


def read_astra(text: str, name: str, options: Options) -> Found:
    """Read a network file of ASTRA-sim, with hints from its system file if the caller gives one.

    Raises
    ------
    SpecError
        Naming the key that is missing, unknown, or of the wrong length.
    FabricError
        Naming the dimension that cannot be built.
    """
    raw = load_plain(text)
    if not isinstance(raw, dict):
        raise SpecError("it is not a table of keys")
    for key in raw:
        if key not in _KEYS:
            raise unknown("key", key, _KEYS)
    columns = {}
    for key in _KEYS:
        value = raw.get(key)
        if not isinstance(value, list) or not value:
            raise SpecError(f"{key} is {value!r}; it must be a list with an entry for each dimension")
        if len(value) != len(raw["topology"]):
            raise SpecError(f"{key} has {len(value)} entries for {len(raw['topology'])} dimensions")
        columns[key] = value
    blocks = [_block(block) for block in columns["topology"]]
    sizes = [positive(count, f"npus_count of dimension {i}", name) for i, count in enumerate(columns["npus_count"])]
    if min(sizes) < 2:
        raise FabricError(f"npus_count has a dimension of {min(sizes)}; ASTRA-sim's have at least 2")
    rates = [_rate(value, i) for i, value in enumerate(columns["bandwidth"])]
    latencies = [_latency(value, i, options) for i, value in enumerate(columns["latency"])]
    family, inner = _inner(blocks, sizes)
    networks: list[Network] = []
    if inner:
        networks.append(_direct(family, sizes[:inner], rates[:inner], latencies[:inner], options))
    for i in range(inner, len(blocks)):
        if blocks[i] != "Switch":
            raise FabricError(
                f"dimension {i} is {blocks[i]} outside of {blocks[i - 1]}: only Switch may follow another block, and "
                "Ring or FullyConnected only dimensions of their own kind (or of two or three accelerators)"
            )
        network = Switched(
            bandwidth=rates[i],
            latency=latencies[i],
            switch_latency="0 ns" if options.switch_latency is None else options.switch_latency,
            kind=options.kind or ("nvlink" if i == 0 else "net"),
            **options.packets(),  # type: ignore[arg-type]
        )
        networks.append(network.network(f"dimension_{i}", prod(sizes[: i + 1])))
    return Found(name, tuple(networks), tuple(_warnings(blocks, options)))


def _block(value: object) -> str:
    if value not in _BLOCKS:
        raise unknown("topology", value, _BLOCKS)
    return str(value)


def _inner(blocks: list[str], sizes: list[int]) -> tuple[str, int]:
    """Return the family of the direct dimensions that come first, and their number.

    A ring of two or three is a full mesh as well.
    """
    runs = {}
    for family in ("Ring", "FullyConnected"):
        fits = [b == family or (b != "Switch" and n <= 3) for b, n in zip(blocks, sizes, strict=True)]
        runs[family] = (*fits, False).index(False)
    family = max(runs, key=lambda key: runs[key])
    return family, runs[family]


def _rate(value: object, dimension: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**40:
        raise FabricError(f"bandwidth of dimension {dimension} is {value!r}; it must be a positive number of GB/s")
    return format_rate(int(Fraction(str(value)) * 2**30 * 8))


def _latency(value: object, dimension: int, options: Options) -> Quantity:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise FabricError(f"latency of dimension {dimension} is {value!r}; it must be a number of ns")
    if value == 0:
        return options.latency("", f"dimension {dimension}")
    return format_time(int(Fraction(str(value)) * 10**6))


def _direct(block: str, sizes: list[int], rates: list[str], latencies: list[Quantity], options: Options) -> Network:
    given: dict[str, Any] = options.packets()
    given.pop("routing", None)
    family = Torus if block == "Ring" else FullMesh
    fabric = family(dims=sizes, bandwidth=rates, latency=latencies, kind=options.kind or "nvlink", **given)
    return fabric.network("dimension_0", prod(sizes))


def _warnings(blocks: list[str], options: Options) -> list[str]:
    found = []
    if blocks.count("Switch") > 1 or (len(blocks) > 1 and blocks[-1] == "Switch"):
        found.append("the separate switches of an outer dimension are one switch here; its links are the same")
    if options.hints is None:
        return found
    hints = load_plain(options.hints)
    if not isinstance(hints, dict):
        raise SpecError("hints: it is not a system file of ASTRA-sim")
    for key, value in hints.items():
        if key.endswith("-implementation"):
            collective = key.removesuffix("-implementation").replace("-", "_")
            names = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
            found.append(f"ASTRA-sim runs {collective} as {names} (by dimension); choose algorithm= to match")
    left = [key for key in hints if not key.endswith("-implementation")]
    if left:
        found.append(f"of the system file, {', '.join(left)} have no effect")
    return found
