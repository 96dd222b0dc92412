"""InfraGraph's compact model, written.

Accelerators are instances of one device, an ``xpu`` with ports; switches of another. Each link of an edge takes a
port at either end. What InfraGraph has no place for (latencies of switches, packets, buffers, routing) is named in
a warning.

Source: schema 3.1.0 of Keysight's infragraph 2701fa5.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import msgspec

from supernode.extras import extra
from supernode.io.expand import Drawing
from supernode.io.infragraph_model import (
    Bandwidth,
    Component,
    Device,
    DeviceEdge,
    DeviceEndpoint,
    Endpoint,
    Infrastructure,
    Instance,
    Latency,
    Link,
    OuterEdge,
    Physical,
)
from supernode.units import parse_rate, parse_time

__all__ = ["LEFT_OUT", "write_infragraph"]

#: What the package does not take in a name.
_OTHER = re.compile(r"[^\sA-Za-z0-9\-_()<>\[\]]")

#: What the format cannot say.
LEFT_OUT = (
    "latencies of switches and of routers in accelerators, packets, buffers, routing, media and in-network reduction "
    "are left out"
)


def write_infragraph(drawing: Drawing, *, json: bool) -> str:
    """Return a system as InfraGraph.

    Parameters
    ----------
    drawing
        The system, written out.
    json
        JSON instead of YAML.

    Raises
    ------
    SpecError
        For YAML, if PyYAML is not installed.
    """
    numbers = {"accelerator": 0, "switch": 0}
    place: dict[str, tuple[str, int]] = {}
    for name, attributes in drawing.vertices:
        device = "accelerator" if attributes["kind"] == "accelerator" else "switch"
        place[name] = (device, numbers[device])
        numbers[device] += 1
    links: dict[tuple[str, str], Link] = {}
    ports = dict.fromkeys(place, 0)
    edges = []
    for a, b, attributes in drawing.edges:
        key = (attributes["rate"], attributes["latency"])
        link = links.setdefault(key, _link(f"link_{len(links)}", *key))
        count = int(attributes.get("count", "1"))
        ends = []
        for vertex in (a, b):
            device, index = place[vertex]
            first = ports[vertex]
            ports[vertex] += count
            ends.append(Endpoint(f"{device}[{index}]", f"port[{first}:{first + count}]"))
        edges.append(OuterEdge(link=link.name, scheme="one2one", ep1=ends[0], ep2=ends[1]))
    used = [device for device in numbers if numbers[device]]
    model = Infrastructure(
        name=_OTHER.sub("-", drawing.attributes["name"]),
        description="Written by supernode",
        devices=[
            _device(device, max((ports[name] for name, (d, _) in place.items() if d == device), default=0))
            for device in used
        ],
        links=list(links.values()),
        instances=[Instance(name=device, device=device, count=numbers[device]) for device in used],
        edges=edges,
    )
    if json:
        return msgspec.json.format(msgspec.json.encode(model), indent=2).decode() + "\n"
    with extra("yaml", "YAML needs PyYAML, or write .json"):
        import yaml
    # libyaml is several times faster, where PyYAML was built with it
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(msgspec.to_builtins(model), Dumper=dumper, sort_keys=False)
    return text


def _device(name: str, ports: int) -> Device:
    part = "xpu" if name == "accelerator" else "switch"
    inner = DeviceEdge(
        link="inside",
        scheme="many2many",
        ep1=DeviceEndpoint(component=part),
        ep2=DeviceEndpoint(component="port"),
    )
    components = [Component(name=part, count=1, choice=part)]
    if not ports:
        return Device(name=name, components=components)
    components.append(Component(name="port", count=ports, choice="port"))
    return Device(name=name, components=components, links=[Link(name="inside")], edges=[inner])


def _link(name: str, rate: str, latency: str) -> Link:
    bits, fs = parse_rate(rate), parse_time(latency)
    return Link(
        name=name,
        physical=Physical(
            bandwidth=Bandwidth(choice="gigabits_per_second", gigabits_per_second=_number(Fraction(bits, 10**9))),
            latency=Latency(choice="ns", ns=_number(Fraction(fs, 10**6))),
        ),
    )


def _number(value: Fraction) -> Any:
    return value.numerator if value.denominator == 1 else float(value)
