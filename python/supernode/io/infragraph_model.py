"""The types of InfraGraph's schema 3.1.0, as its YAML and JSON have them."""

from __future__ import annotations

import msgspec

__all__ = [
    "Bandwidth",
    "Component",
    "Device",
    "DeviceEdge",
    "DeviceEndpoint",
    "EdgeModel",
    "Endpoint",
    "Infrastructure",
    "Instance",
    "Latency",
    "Link",
    "OuterEdge",
    "Physical",
]


class Bandwidth(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Rate of a link; one of the units."""

    choice: str | None = None
    gigabits_per_second: float | int | None = None
    gigabytes_per_second: float | int | None = None
    gigatransfers_per_second: float | int | None = None


class Latency(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Latency of a link; one of the units."""

    choice: str | None = None
    ms: float | int | None = None
    us: float | int | None = None
    ns: float | int | None = None


class Physical(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a link does."""

    bandwidth: Bandwidth | None = None
    latency: Latency | None = None


class Link(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A kind of link."""

    name: str
    description: str | None = None
    physical: Physical | None = None


class Custom(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The word for a component that has no kind of its own."""

    type: str


class Component(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a device; of choice ``device`` it is a device itself, of the same name."""

    name: str
    count: int
    choice: str
    description: str | None = None
    custom: Custom | None = None
    device: dict[str, object] | None = None
    cpu: dict[str, object] | None = None
    xpu: dict[str, object] | None = None
    nic: dict[str, object] | None = None
    memory: dict[str, object] | None = None
    port: dict[str, object] | None = None
    switch: dict[str, object] | None = None


class DeviceEndpoint(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Components of a device, or of a device in it."""

    component: str
    device: str | None = None


class Endpoint(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Components of instances."""

    instance: str
    component: str


class EdgeModel(msgspec.Struct, forbid_unknown_fields=True):
    """What all edges have."""

    link: str
    scheme: str = "many2many"


class DeviceEdge(EdgeModel, forbid_unknown_fields=True, kw_only=True):
    """Edges inside of a device."""

    ep1: DeviceEndpoint
    ep2: DeviceEndpoint

    @property
    def ends(self) -> tuple[DeviceEndpoint, DeviceEndpoint]:
        """Both ends."""
        return self.ep1, self.ep2


class OuterEdge(EdgeModel, forbid_unknown_fields=True, kw_only=True):
    """Edges between instances."""

    ep1: Endpoint
    ep2: Endpoint


class Device(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A kind of device."""

    name: str
    description: str | None = None
    components: list[Component] = []
    links: list[Link] = []
    edges: list[DeviceEdge] = []


class Instance(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Copies of a device."""

    name: str
    device: str
    count: int
    description: str | None = None


class Infrastructure(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The whole."""

    name: str | None = None
    description: str | None = None
    devices: list[Device] = []
    links: list[Link] = []
    instances: list[Instance] = []
    edges: list[OuterEdge] = []
