"""InfraGraph's compact model (YAML or JSON), read without its package.

Devices have components, links and edges; instances are copies of devices; edges join slices of them one to one,
each with each, or in a ring. Everything is written out here: components of kind ``xpu`` are the accelerators, all
others forward. A ``port`` that leads to one component inside its device is part of that component, so that links
are counted by ports; what leads nowhere (memory, unused NICs) is left out. Links give a rate in Gbit/s or GB/s and
a latency; where they do not, and for transfers per second, ``link_rate`` and ``link_latency`` have a value for each
name of a link.

An edge that is given twice between the same two components is one edge, as in InfraGraph itself.

Source: schema 3.1.0 and infragraph_service.py of Keysight's infragraph 2701fa5 (endpoints, slices, schemes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite
from typing import Any

from supernode.errors import FabricError, SizeOverflowError, SpecError
from supernode.fabric.parts import MAX_VERTICES, Edge, SwitchNode, check_size
from supernode.files.data import convert
from supernode.io.found import Draft, Found, Options
from supernode.io.infragraph_model import Device, EdgeModel, Endpoint, Infrastructure, Link
from supernode.io.text import load_plain
from supernode.names import unknown
from supernode.quoting import quote
from supernode.units import Quantity, format_rate, format_time

__all__ = ["read_infragraph"]

_PART = re.compile(r"([^\[\].]+)(?:\[([^\]]*)\])?")


@dataclass
class _Body:
    """A device written out: components by path with their kind, and edges with the name of their link."""

    nodes: dict[str, str] = field(default_factory=dict)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)


def read_infragraph(text: str, name: str, options: Options) -> Found:
    """Read an infrastructure.

    Raises
    ------
    SpecError
        Naming the field that is missing or unknown, or the device that is part of itself.
    FabricError
        Naming the component, slice or link that is not valid.
    SizeOverflowError
        If it has more than 2^21 components.
    """
    raw = load_plain(text)
    if isinstance(raw, dict):
        raw = {key: value for key, value in raw.items() if value is not None}
    model = convert(raw, Infrastructure, "infrastructure")
    if not model.instances:
        raise FabricError("it has no instances")
    return _Reader(model, options).found(model.name or name)


class _Reader:
    def __init__(self, model: Infrastructure, options: Options) -> None:
        self.model = model
        self.options = options
        self.devices = {device.name: device for device in model.devices}
        self.instances = {instance.name: instance for instance in model.instances}
        self.bodies: dict[str, _Body] = {}
        self.links: dict[str, Link] = {}
        for link in (*(link for device in model.devices for link in device.links), *model.links):
            self.links[link.name] = link

    def found(self, name: str) -> Found:
        self.options.check_links(list(self.links))
        whole = _Body()
        sizes: dict[str, int] = {}
        total = sum(
            self._size(i.device, sizes, ()) * _count(i.count, f"instance {i.name!r}") for i in self.model.instances
        )
        check_size(total, 0, "infrastructure")
        for instance in self.model.instances:
            body = self._body(instance.device)
            for index in range(instance.count):
                prefix = f"{instance.name}.{index}."
                whole.nodes.update((prefix + node, kind) for node, kind in body.nodes.items())
                whole.edges.update(((prefix + a, prefix + b), link) for (a, b), link in body.edges.items())
        inside = dict(whole.edges)
        for edge in self.model.edges:
            self._join(whole, edge, list(self._outer(edge.ep1)), list(self._outer(edge.ep2)))
        return self._draft(name, whole, inside).found(self.options)

    def _device(self, name: str) -> Device:
        if name not in self.devices:
            raise unknown("device", name, self.devices)
        return self.devices[name]

    def _size(self, name: str, sizes: dict[str, int], above: tuple[str, ...]) -> int:
        """Count the components of a device, before any is made."""
        if name in above:
            raise SpecError(f"device {name!r} is part of itself: {' has '.join((*above[above.index(name) :], name))}")
        if name not in sizes:
            total = 0
            for part in self._device(name).components:
                each = self._size(part.name, sizes, (*above, name)) if part.choice == "device" else 1
                total += _count(part.count, f"component {part.name!r} of {name!r}") * each
            if total > MAX_VERTICES:
                raise SizeOverflowError(f"device {name!r} has {total} components; at most {MAX_VERTICES}")
            sizes[name] = total
        return sizes[name]

    def _body(self, name: str) -> _Body:
        if name in self.bodies:
            return self.bodies[name]
        device, body = self._device(name), _Body()
        for part in device.components:
            for index in range(part.count):
                path = f"{part.name}.{index}"
                if part.choice != "device":
                    body.nodes[path] = part.choice
                    continue
                inner = self._body(part.name)
                body.nodes.update((f"{path}.{node}", kind) for node, kind in inner.nodes.items())
                body.edges.update(((f"{path}.{a}", f"{path}.{b}"), link) for (a, b), link in inner.edges.items())
        for edge in device.edges:
            ends = [
                list(self._inner(name, f"{p.device}.{p.component}" if p.device else p.component)) for p in edge.ends
            ]
            self._join(body, edge, ends[0], ends[1])
        self.bodies[name] = body
        return body

    def _inner(self, device: str, text: str) -> Iterator[str]:
        """Write out the endpoint of a component: every index, by levels of devices."""
        head, _, rest = text.partition(".")
        part, indices = _slice(head, text)
        parts = {p.name: p for p in self._device(device).components}
        if part not in parts:
            raise unknown(f"component of device {device!r}", part, parts)
        for index in _range(indices, parts[part].count, text):
            if rest:
                for below in self._inner(part, rest):
                    yield f"{part}.{index}.{below}"
            else:
                yield f"{part}.{index}"

    def _outer(self, end: Endpoint) -> Iterator[str]:
        """Write out the endpoint of an instance."""
        name, indices = _slice(end.instance, end.instance)
        instances = self.instances
        if name not in instances:
            raise unknown("instance", name, instances)
        parts = list(self._inner(instances[name].device, end.component))
        for index in _range(indices, instances[name].count, end.instance):
            for part in parts:
                yield f"{name}.{index}.{part}"

    def _join(self, body: _Body, edge: EdgeModel, first: list[str], second: list[str]) -> None:
        if edge.link not in self.links:
            raise unknown("link", edge.link, self.links)
        if edge.scheme == "many2many":
            check_size(0, len(first) * len(second), "infrastructure")
            pairs = [(a, b) for a in first for b in second]
        elif edge.scheme == "one2one":
            pairs = list(zip(first, second, strict=False))
        elif edge.scheme == "ring":
            around = list(dict.fromkeys(first + second))
            pairs = list(zip(around, around[1:] + around[:1], strict=True))
        else:
            raise unknown("scheme", edge.scheme, ("one2one", "many2many", "ring"))
        for a, b in pairs:
            if a not in body.nodes or b not in body.nodes:
                raise FabricError(f"edge {a!r} - {b!r}: an end is a device, not a component of one")
            if a != b:
                body.edges.pop((b, a), None)
                body.edges[a, b] = edge.link

    def _draft(self, name: str, whole: _Body, inside: dict[tuple[str, str], str]) -> Draft:
        draft = Draft(name, network="network")
        owner = _owners(whole, inside)
        edges = [(owner.get(a, a), owner.get(b, b), link) for (a, b), link in whole.edges.items()]
        edges = [edge for edge in edges if edge[0] != edge[1]]
        kept = _pruned(whole, edges)
        draft.accelerators = [node for node, kind in whole.nodes.items() if kind == "xpu"]
        if not draft.accelerators:
            raise FabricError("it has no component of kind xpu")
        draft.switches = [SwitchNode(n) for n, kind in whole.nodes.items() if kind != "xpu" and n in kept]
        left = len(whole.nodes) - len(owner) - len(draft.accelerators) - len(draft.switches)
        if owner:
            draft.warnings.append(
                f"{len(owner)} ports are parts of what they lead to; links inside of devices to them go"
            )
        if left:
            draft.warnings.append(f"{left} components that lead nowhere are left out")
        known: dict[str, tuple[Quantity, Quantity]] = {}
        for a, b, link in edges:
            if a not in kept or b not in kept:
                continue
            if link not in known:
                known[link] = self._physical(self.links[link])
            draft.edges.append(Edge(a, b, *known[link]))
        return draft

    def _physical(self, link: Link) -> tuple[Quantity, Quantity]:
        """Return rate and latency of a link."""
        place = f"link {link.name!r}"
        physical = link.physical
        bits = latency = None
        if physical is not None and physical.bandwidth is not None:
            width = physical.bandwidth
            bits = _value(width, {"gigabits_per_second": 10**9, "gigabytes_per_second": 8 * 10**9}, place)
        if physical is not None and physical.latency is not None:
            latency = _value(physical.latency, {"ns": 10**6, "us": 10**9, "ms": 10**12}, place)
        return (
            self.options.rate(link.name, place) if bits is None else format_rate(bits),
            format_time(latency) if latency else self.options.latency(link.name, place),
        )


def _count(value: int, place: str) -> int:
    if value < 0:
        raise FabricError(f"{place}: count is {value}; it must not be negative")
    if value > MAX_VERTICES:
        raise SizeOverflowError(f"{place}: count is {value}; at most {MAX_VERTICES}")
    return value


def _slice(text: str, whole: str) -> tuple[str, str | None]:
    match = _PART.fullmatch(text)
    if match is None:
        raise FabricError(f"endpoint {whole!r} is not a name with a slice, such as 'xpu[0:4]'")
    return match[1], match[2]


def _range(indices: str | None, count: int, whole: str) -> range:
    """Return the indices that Python's slice notation means."""
    if indices is None:
        return range(count)
    words = [w.strip() for w in indices.split(":")]
    try:
        numbers = [int(w) if w else None for w in words]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or numbers == [None]:
        raise FabricError(f"endpoint {whole!r}: [{indices}] is not a slice")
    first = numbers[0]
    if len(numbers) == 1 and first is not None:
        numbers = [first, first + 1]
    stop = numbers[1]
    if any(n is not None and not 0 <= n <= count for n in numbers[:2]) or (stop == 0 and len(words) == 1):
        raise FabricError(f"endpoint {whole!r}: [{indices}] goes beyond the {count} there are")
    if numbers[2:] == [0]:
        raise FabricError(f"endpoint {whole!r}: [{indices}] has a step of 0")
    return range(count)[slice(*numbers)]


def _value(choices: Any, factors: dict[str, int], place: str) -> int | None:
    """Return the one quantity of a choice in base units, ``None`` if it is given in nothing that can be converted."""
    for unit, factor in factors.items():
        value = getattr(choices, unit)
        if value is not None and choices.choice in (None, unit):
            whole = isinstance(value, int)
            exact = (Fraction(value) if whole else Fraction(str(value)) if isfinite(value) else Fraction(-1)) * factor
            if exact < 0 or exact >= 2**64:
                raise FabricError(f"{place}: {unit} is {quote(value)}; it must be a number from 0 to {2**64 // factor}")
            return int(exact)
    return None


def _owners(whole: _Body, inside: dict[tuple[str, str], str]) -> dict[str, str]:
    """Return the component of each port that leads to just one inside of its device."""
    near: dict[str, set[str]] = {node: set() for node, kind in whole.nodes.items() if kind == "port"}
    for a, b in inside:
        for port, other in ((a, b), (b, a)):
            if port in near and whole.nodes[other] != "port":
                near[port].add(other)
    return {port: next(iter(others)) for port, others in near.items() if len(others) == 1}


def _pruned(whole: _Body, edges: list[tuple[str, str, str]]) -> set[str]:
    """Return what is left when components with less than two neighbours are taken away, until none is."""
    near: dict[str, set[str]] = {}
    for a, b, _ in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    ends = [node for node, others in near.items() if len(others) < 2 and whole.nodes[node] != "xpu"]
    while ends:
        node = ends.pop()
        for other in near.pop(node):
            near[other].discard(node)
            if len(near[other]) == 1 and whole.nodes[other] != "xpu":
                ends.append(other)
    return set(near)
