"""The JSON file of nccl-tests (``-J``), which :meth:`supernode.Bench.to_nccl_tests` writes as well.

The collective is that of the program in ``args``, ranks are counted in ``devices``. Files without them, made by hand
from a published table, leave both to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from supernode.errors import SpecError, SupernodeError
from supernode.library.collectives import BY_NAME, parse_name
from supernode.measured.point import MAX_POINTS, Facts, Point
from supernode.measured.words import program
from supernode.quoting import quote

__all__ = ["is_json", "read_nccl_json"]

#: A line of a log may begin with a bracket, too: ``[1,0]<stdout>:``.
_START = re.compile(r"\s*(?:\{|\[\s*[\[{\]])")
_PLACES = {"out_of_place": False, "in_place": True}


def is_json(text: str) -> bool:
    """Tell whether a text is JSON, of whatever content."""
    return _START.match(text) is not None


def read_nccl_json(text: str, name: str, facts: Facts) -> Iterator[Point]:
    """Go through the points of a ``-J`` file.

    Parameters
    ----------
    text
        The file.
    name
        Name of the file, which may have that of the program.
    facts
        What the caller says.

    Raises
    ------
    SpecError
        If it is none, or a result is not what it must be.
    """
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise SpecError(f"not a -J file of nccl-tests: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("results"), list):
        raise SpecError("not a -J file of nccl-tests: it has no list 'results'")
    results = content["results"]
    if len(results) > MAX_POINTS:
        raise SpecError(f"there are more than {MAX_POINTS} results; split the file")
    config = content.get("config")
    config = config if isinstance(config, dict) else {}
    said = {
        "collective": facts.settle_collective(_collective(content, name), "results"),
        "ranks": facts.settle_ranks(_ranks(content, config), "results"),
        "devices_per_thread": _count(config, "ngpus", "config"),
        "graph": None if "graph" not in config else _count(config, "graph", "config") != 0,
    }
    found = False
    for number, result in enumerate(results):
        for point in _points(result, f"results[{number}]", said):
            found = True
            yield point
    if not found:
        raise SpecError("it has no out_of_place times and no in_place times")


def _collective(content: Mapping[str, Any], name: str) -> str | None:
    args = content.get("args")
    words = [word for word in args if isinstance(word, str)] if isinstance(args, list) else []
    if words[:2] == ["supernode", "bench"] and len(words) > 2:
        try:
            return parse_name(words[2])
        except SupernodeError:
            return None
    return program(words[0][-200:] if words else "") or program(name) or None


def _ranks(content: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    for devices in (content.get("devices"), config.get("devices")):
        if isinstance(devices, list) and devices:
            groups = [one.get("group", 0) if isinstance(one, dict) else 0 for one in devices]
            # split communicators are of the same size
            several = len({group for group in groups if isinstance(group, int)}) or 1
            return len(devices) // several
    return None


def _count(table: Mapping[str, Any], key: str, where: str, least: int = 0) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63:
        return value
    raise SpecError(f"not a -J file of nccl-tests: {where}: {key} is {quote(value)}; it must be a whole number")


def _number(table: Mapping[str, Any], key: str, where: str) -> float:
    value = table.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e18:
        return float(value)
    raise SpecError(f"not a -J file of nccl-tests: {where}: {key} is {quote(value)}; it must be a number of at least 0")


def _points(result: object, where: str, said: dict[str, Any]) -> Iterator[Point]:
    """Return the times of a result, out of place and in place."""
    if not isinstance(result, dict):
        raise SpecError(f"not a -J file of nccl-tests: {where} is {quote(result)}; it must be a table")
    size = _count(result, "size", where)
    if size is None:
        raise SpecError(f"not a -J file of nccl-tests: {where} has no size")
    redop = result.get("redop")
    if isinstance(redop, str) and (redop == "none") == BY_NAME[said["collective"]].reduces:
        raise SpecError(
            f"{where}: redop is {quote(redop)}, which does not go with {said['collective']}; give collective="
        )
    for place, in_place in _PLACES.items():
        group = result.get(place)
        if group is None:
            continue
        if not isinstance(group, dict):
            raise SpecError(f"not a -J file of nccl-tests: {where}: {place} is {quote(group)}; it must be a table")
        if "time" not in group and "cpu_time" in group:
            raise SpecError(f"{where}: cpu_time is what the host takes to launch (-C); measure without -C")
        wrong = group.get("nwrong")
        yield Point(
            size_bytes=size,
            time_ns=_number(group, "time", where) * 1e3,
            place=where,
            in_place=in_place,
            iterations=_count(result, "actual_iterations", where),
            wrong=int(wrong) if isinstance(wrong, int | float) and 0 <= wrong < 1e18 else None,
            type=result["type"] if isinstance(result.get("type"), str) else None,
            redop=redop if isinstance(redop, str) else None,
            root=_root(result.get("root")),
            **said,
        )


def _root(value: object) -> int | None:
    """Return the root, which nccl-tests writes as text with spaces."""
    try:
        return int(value) if isinstance(value, str | int) and len(str(value)) < 12 else None
    except ValueError:
        return None
