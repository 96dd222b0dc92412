"""Jobs as TOML, in the form that :func:`supernode.load_workloads` reads.

**Invariant.** What is read back is the same program. Values at their defaults are left out. An element type is written
as one of the same size, because a run depends on nothing else of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from supernode.files.toml import toml_value
from supernode.library.dtypes import DTYPES
from supernode.units import format_flop, format_flop_rate, format_size, format_time

__all__ = ["write_job"]

_BYTES_BY_DEFAULT = 4


def write_job(head: Mapping[str, Any], body: Sequence[Mapping[str, Any]], tags: Mapping[str, str]) -> str:
    """Return a job as a table ``[[job]]``.

    Parameters
    ----------
    head
        Its keys beside operations.
    body
        The program as the core takes it.
    tags
        Tags of sends and receives by name, where there are any.
    """
    lines = ["[[job]]", *(f"{key} = {toml_value(value)}" for key, value in head.items())]
    return "\n".join([*lines, *_entries(body, "job", tags), ""])


def _entries(body: Sequence[Mapping[str, Any]], above: str, tags: Mapping[str, str]) -> Iterator[str]:
    path = f"{above}.operation"
    for node in body:
        if node["kind"] in ("repeat", "on") and not node["body"]:
            continue  # nothing happens there
        yield from ("", f"[[{path}]]")
        if node["kind"] == "repeat":
            yield f"repeat = {node['count']}"
            yield from _entries(node["body"], path, tags)
        elif node["kind"] == "on":
            yield f"on = {toml_value({node['axis']: node['values']})}"
            yield from _entries(node["body"], path, tags)
        else:
            yield from (f"{key} = {toml_value(value)}" for key, value in _operation(node, tags).items())


def _operation(node: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys of an operation."""
    kind, place = node["kind"], node["place"]
    found: dict[str, Any] = {"kind": node.get("collective", kind), "name": place["name"]}
    if kind == "collective":
        found |= _collective(node)
    elif kind == "compute":
        found |= _computation(node)
    elif kind == "pattern":
        found |= _pattern(node)
    elif kind == "transfer":
        sources, destinations = zip(*node["pairs"], strict=True)
        found |= {"source": sources, "destination": destinations, "size": format_size(node["bytes"])}
    elif kind == "exchange":
        found |= {"kind": "all_to_all", **_members(node), "matrix": node["matrix"]}
    elif kind == "delay":
        found["time"] = format_time(node["time_fs"])
    else:
        found |= {"axis": node["axis"], "by": node["by"], "size": format_size(node["bytes"])}
        found |= {"wrap": True} if node["wrap"] else {}
        found |= {"tag": tags[place["name"]]} if tags.get(place["name"]) else {}
    found["stream"] = place["stream"]
    if place["after"]:
        found["after"] = [
            {"name": each["operation"], "previous": each["previous"]} if each["previous"] else each["operation"]
            for each in place["after"]
        ]
    if node.get("share_ppm"):
        found["share"] = node["share_ppm"] / 10**6
    return found


def _members(node: Mapping[str, Any]) -> dict[str, Any]:
    return {"groups": node["groups"]} if node["groups"] else {"axes": node["axes"]}


def _computation(node: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any]
    found = _roofline(node["roofline"]) if "roofline" in node else {"duration": format_time(node["work_fs"])}
    found |= {"jitter": node["jitter_ppm"] / 10**6} if node["jitter_ppm"] else {}
    if node["slow_ppm"]:
        found["slow_ranks"] = {str(rank): factor / 10**6 for rank, factor in node["slow_ppm"]}
    return found | ({"seed": node["seed"]} if node["seed"] else {})


def _roofline(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {} if given["flops"] is None else {"flops": format_flop(given["flops"])}
    found |= {} if given["bytes"] is None else {"bytes": format_size(given["bytes"])}
    found |= {} if given["dtype"] == "bfloat16" else {"dtype": given["dtype"]}
    found |= {} if given["efficiency_ppm"] is None else {"efficiency": given["efficiency_ppm"] / 10**6}
    return found | ({} if given["peak"] is None else {"peak_flops": format_flop_rate(given["peak"])})


def _pattern(node: Mapping[str, Any]) -> dict[str, Any]:
    pattern = node["pattern"]
    found = {"pattern": pattern["name"], **_members(node), "size": format_size(node["bytes"])}
    found |= {"messages": node["messages"]} if node["messages"] > 1 else {}
    found |= {"seed": node["seed"]} if node["seed"] else {}
    found |= {"target": pattern["target"]} if pattern.get("target") else {}
    found |= {"targets": pattern["targets"]} if "targets" in pattern else {}
    return found | ({"destinations": pattern["to"]} if "to" in pattern else {})


def _collective(node: Mapping[str, Any]) -> dict[str, Any]:
    found = _members(node)
    if node["bytes"]:
        found["size"] = format_size(node["bytes"])
    found |= {key: node[key] for key in ("algorithm", "protocol") if node[key] != "auto"}
    if node["element_bytes"] != _BYTES_BY_DEFAULT:
        found["dtype"] = next(kind.name for kind in DTYPES.values() if kind.bytes == node["element_bytes"])
    found |= {key: node[key] for key in ("lanes", "chunks") if node[key] is not None}
    return found | ({"root": node["root"]} if node["root"] else {})
