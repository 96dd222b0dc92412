"""What families of explicit graphs share: parameters of their parts, and the network that a rule's edges make.

A family says how many switches there are and which of them are joined, in whole numbers; no object stands for a vertex
or an edge, so that a hundred thousand accelerators take a fraction of a second. Switches with accelerators come first;
accelerator ``i`` is plugged into switch ``i // terminals``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from supernode.errors import FabricError, SizeOverflowError
from supernode.fabric.base import (
    Network,
    buffer_bytes,
    flag,
    medium_of,
    packet_bytes,
    parse_kind,
    parse_routing,
    positive,
)
from supernode.fabric.fit import Open
from supernode.fabric.parts import CHANNELS, MAX_SWITCHES, check_size
from supernode.spec import GraphShape, LinkSpec, NetworkSpec, SwitchSpec
from supernode.units import Quantity, parse_latency, parse_rate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

__all__ = ["Blueprint", "Family", "some"]


def some(number: int, noun: str) -> str:
    """Word a number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True)
class Blueprint:
    """A graph by its rule, before any edge of it is made.

    Parameters
    ----------
    label
        Family and sizes, for people.
    form
        The same for files: the kind of topology and its parameters.
    switches, homes
        All switches, and those with accelerators, which come first.
    ports
        By kind of switch: its name, whether it has accelerators, and its links to other switches as (number, where to).
    links
        Classes of links between switches.
    count
        Edges between switches, or a few more.
    edges
        Makes them: a row has two switches, the class of their links, and how many there are in parallel.
    names
        Makes the names of the switches.
    diameter
        Most links between two switches with accelerators.
    notes
        What the rule leaves idle.
    weights
        What paths of least weight count for a link of each of ``links``, if not one.
    """

    label: str
    form: Mapping[str, Any]
    switches: int
    homes: int
    ports: Sequence[tuple[str, bool, Sequence[tuple[int, str]]]]
    links: Sequence[LinkSpec]
    count: int
    edges: Callable[[], Ints]
    names: Callable[[], Iterable[str]]
    diameter: int
    notes: Sequence[str] = ()
    weights: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """Parameters that all families of explicit graphs have; :class:`~supernode.Dragonfly` explains them."""

    terminals: int
    bandwidth: Quantity
    latency: Quantity
    medium: str = ""
    radix: int | None = None
    switch_latency: Quantity = "0 ns"
    cut_through: bool = True
    in_network_reduce: bool = False
    payload: Quantity = 4096
    overhead: Quantity = 0
    buffer: Quantity | None = "auto"
    routing: str = "spray_round_robin"
    kind: str = "net"

    def __post_init__(self) -> None:
        plan = self._blueprint("fabric")
        self._check(plan, "fabric", 1)
        self._spec(plan, "fabric", 1, GraphShape(switches=0, edges=[]))
        parse_kind(self.kind)

    @abstractmethod
    def _blueprint(self, name: str) -> Blueprint:
        """Check the sizes and return the rule."""

    @abstractmethod
    def _free(self, name: str) -> tuple[str, Open]:
        """Return the parameter that may be left open, ``None``, and what it says about the number of accelerators."""

    def _fitted(self, name: str, span: int) -> Self:
        """Return the fabric with the open parameter, if it is, worked out."""
        field, free = self._free(name)
        return self if getattr(self, field) is not None else replace(self, **{field: free.solve(span, name)})  # type: ignore[arg-type]

    @property
    def accelerators(self) -> int:
        """Number of accelerators that the fabric joins; where a size is open, a dragonfly's most, others' fewest."""
        return self._size("terminals", "fabric") * self._blueprint("fabric").homes

    @property
    def switches(self) -> int:
        """Number of its switches."""
        return self._blueprint("fabric").switches

    def network(self, name: str, span: int, *, ports: int = 1) -> Network:
        """Build the network of ``span`` accelerators, with so many ports each.

        Raises
        ------
        FabricError
            If the fabric does not join so many; naming the nearest numbers that it could.
        """
        links = positive(ports, "ports", name)
        return self._fitted(name, positive(span, "count", name))._network(name, span, links)

    def _network(self, name: str, span: int, links: int) -> Network:
        plan = self._blueprint(name)
        self._check(plan, name, links)
        joins = self._size("terminals", name) * plan.homes
        if span != joins:
            raise FabricError(
                f"fabric {name}: a {plan.label} joins {joins} accelerators, not {span}; "
                f"{self._free(name)[1].instead(span)}"
            )
        shape = GraphShape(
            switches=plan.switches,
            edges=self._edges(plan, span, links),
            weights=[1, *plan.weights] if plan.weights else [],
        )
        spec = self._spec(plan, name, span, shape)
        notes = list(plan.notes)
        if plan.diameter > CHANNELS and spec.buffer is not None:
            notes.append(
                f"shortest paths have up to {plan.diameter} links between switches, more than {CHANNELS} virtual "
                "channels: packets change channel at turns only, and by an escape where these are too many"
            )
        return Network(
            spec,
            parse_kind(self.kind),
            tuple(f"{name}: {note}" for note in notes),
            names=(*(f"accelerator.{i}" for i in range(span)), *plan.names()),
            label=plan.label,
            form={**plan.form, **({"ports": links} if links > 1 else {})},
        )

    def _size(self, field: str, name: str) -> int:
        return positive(getattr(self, field), field, name)

    def _link(self, rate: Quantity | None, latency: Quantity | None, medium: str | None, what: str = "") -> LinkSpec:
        """Parse a class of links; what is not given is as for the links to accelerators."""
        return LinkSpec(
            parse_rate(self.bandwidth if rate is None else rate, f"{what}bandwidth"),
            parse_latency(self.latency if latency is None else latency, f"{what}latency"),
            medium_of(self.medium if medium is None else medium, "fabric"),
        )

    def _check(self, plan: Blueprint, name: str, ports: int) -> None:
        """Refuse what is too large for a list, and switches with more links than ports."""
        if plan.switches > MAX_SWITCHES:
            raise SizeOverflowError(
                f"fabric {name}: a {plan.label} has {plan.switches} switches; an explicit graph has at most "
                f"{MAX_SWITCHES}"
            )
        ends = self._size("terminals", name) * plan.homes
        check_size(ends + plan.switches, ends + plan.count, f"fabric {name}")
        if self.radix is None:
            return
        radix = self._size("radix", name)
        for what, home, trunks in plan.ports:
            parts = [(self.terminals * ports, "to accelerators")] if home else []
            parts += [part for part in trunks if part[0]]
            needs = sum(number for number, _ in parts)
            if needs > radix:
                listed = " + ".join(f"{number} {where}" for number, where in parts)
                raise FabricError(
                    f"fabric {name}: a {what} needs {needs} ports ({listed}), more than its radix of {radix}"
                )

    def _spec(self, plan: Blueprint, name: str, span: int, shape: GraphShape) -> NetworkSpec:
        payload, overhead = packet_bytes(self.payload, self.overhead)
        links = [self._link(None, None, None), *plan.links]
        latency = parse_latency(self.switch_latency, "switch_latency", zero=True)
        switch = SwitchSpec(
            latency,
            flag(self.cut_through, "cut_through", name),
            flag(self.in_network_reduce, "in_network_reduce", name),
        )
        return NetworkSpec(
            name=name,
            span=span,
            topology=shape,
            planes=[1],
            links=links,
            switches=[switch],
            payload=payload,
            overhead=overhead,
            routing=parse_routing(self.routing, graph=True),
            buffer=buffer_bytes(self.buffer, links, [switch], payload, overhead),
        )

    def _edges(self, plan: Blueprint, span: int, ports: int) -> list[tuple[int, int, int, int]]:
        import numpy as np

        ends = np.zeros((span, 4), np.int64)
        ends[:, 0] = np.arange(span)
        ends[:, 1] = span + ends[:, 0] // self.terminals
        ends[:, 3] = ports
        trunks = plan.edges() + np.array([span, span, 1, 0])
        a, b, link, count = np.concatenate([ends, trunks]).T.tolist()
        return list(zip(a, b, link, count, strict=True))
