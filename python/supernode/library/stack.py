"""Software stacks: what a communication library costs, read from its file and fitted to a system's networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from supernode import core
from supernode.errors import SpecError
from supernode.fabric.base import KINDS, parse_kind
from supernode.files.data import list_names, load, locate
from supernode.library.algorithms import parse_algorithm
from supernode.library.collectives import parse_name
from supernode.marks import ASSUMED_MARKS, Mark, Source
from supernode.names import canonical, unknown
from supernode.quoting import quote
from supernode.spec import ProtocolSpec, StackSpec
from supernode.units import Quantity, parse_latency, parse_size

__all__ = ["Stack", "StackValue", "load_stack", "stacks"]

#: Where a stack has no latency for a kind of network, the first of these that it has stands in.
_NEAREST = {
    "nvlink": ("ub", "ici", "pci", "net"),
    "ub": ("nvlink", "ici", "pci", "net"),
    "ici": ("nvlink", "ub", "pci", "net"),
    "pci": ("nvlink", "ub", "ici", "net"),
    "net": ("ub", "nvlink", "pci", "ici"),
}


class StackValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A software latency with its origin."""

    value: Quantity
    mark: Mark
    source: str = ""
    note: str = ""
    range: list[Quantity] | None = None


class ProtocolFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[protocol]]`` of a stack file."""

    name: str
    launch: StackValue
    step: dict[str, StackValue]
    hop: dict[str, StackValue] = {}
    wire: tuple[int, int] = (1, 1)
    algorithms: list[str] = []
    max_bytes: Quantity | None = None
    note: str = ""


class StackFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stack file."""

    name: str
    protocol: list[ProtocolFile]
    description: str = ""
    sources: dict[str, Source] = {}
    not_modelled: list[str] = []
    algorithms: dict[str, list[str]] = {}


@dataclass(frozen=True)
class Stack:
    """A communication library's software costs.

    Parameters
    ----------
    file
        What the stack's file says.
    """

    file: StackFile = field(repr=False)
    #: What :meth:`to_spec` found.
    _fitted: dict[tuple[str, ...], tuple[StackSpec, tuple[str, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def name(self) -> str:
        """Name of the stack."""
        return self.file.name

    def to_spec(self, kinds: Sequence[str], protocol: str | None = None) -> tuple[StackSpec, tuple[str, ...]]:
        """Fit the stack to the networks of a system.

        Parameters
        ----------
        kinds
            Kind of each network, innermost first.
        protocol
            Name of one protocol, or ``None`` for the fastest.

        Returns
        -------
        StackSpec
            Latencies in femtoseconds.
        tuple of str
            Latencies that stand in for ones the stack does not have.
        """
        names = [p.name for p in self.file.protocol]
        chosen = "auto" if protocol is None else canonical("protocol", protocol, ["auto", *names])
        key = (chosen, *kinds)
        if key not in self._fitted:
            self._fitted[key] = self._fit(kinds, chosen)
        return self._fitted[key]

    def _fit(self, kinds: Sequence[str], chosen: str) -> tuple[StackSpec, tuple[str, ...]]:
        notes: dict[str, None] = {}
        specs = []
        # An empty list means every algorithm that no entry of the file names.
        own = [[parse_algorithm(a) for a in p.algorithms] for p in self.file.protocol]
        named = {name for names in own for name in names}
        others = [a for a in core.vocabulary()["algorithms"] if a not in named] if named else []
        for p, algorithms in zip(self.file.protocol, own, strict=True):
            where = f"stack {self.name}, protocol {p.name}"
            steps = []
            for kind in kinds:
                source = self._step_kind(p, kind)
                if source != kind:
                    notes[f"stack {self.name} has no step latency for {kind}; that for {source} is used"] = None
                steps.append(parse_latency(p.step[source].value, f"{where}, step.{source}", zero=True))
            if min(p.wire) < 1:
                raise SpecError(
                    f"{where}: wire is {list(p.wire)}; it must be [numerator, denominator], both at least 1"
                )
            specs.append(
                ProtocolSpec(
                    name=p.name,
                    launch_fs=parse_latency(p.launch.value, f"{where}, launch", zero=True),
                    step_fs=steps,
                    hop_fs=[
                        parse_latency(p.hop[kind].value, f"{where}, hop.{kind}", zero=True) if kind in p.hop else 0
                        for kind in kinds
                    ],
                    wire_num=p.wire[0],
                    wire_den=p.wire[1],
                    algorithms=algorithms or others,
                    max_bytes=None if p.max_bytes is None else parse_size(p.max_bytes, f"{where}, max_bytes"),
                )
            )
        own_algorithms = {
            parse_name(c): [parse_algorithm(a) for a in names] for c, names in self.file.algorithms.items()
        }
        return StackSpec(self.name, specs, chosen, own_algorithms), tuple(notes)

    def values(self) -> list[tuple[str, StackValue]]:
        """List every latency with the name it has in the file."""
        listed = []
        for p in self.file.protocol:
            listed.append((f"{p.name}.launch", p.launch))
            listed += [(f"{p.name}.step.{kind}", value) for kind, value in p.step.items()]
            listed += [(f"{p.name}.hop.{kind}", value) for kind, value in p.hop.items()]
        return listed

    def ranged(self, kinds: Sequence[str], protocol: str) -> list[tuple[str, StackValue]]:
        """List the values with a range that runs by a protocol can depend on.

        Parameters
        ----------
        kinds
            Kind of each network of the system.
        protocol
            Name of the protocol, or ``"auto"`` for all of them.
        """
        found = []
        for p in self.file.protocol:
            if protocol not in ("auto", p.name):
                continue
            steps = {self._step_kind(p, kind) for kind in kinds}
            idle = {f"{p.name}.step.{kind}" for kind in p.step if kind not in steps}
            idle |= {f"{p.name}.hop.{kind}" for kind in p.hop if kind not in kinds}
            own = [(name, v) for name, v in self.values() if name.startswith(f"{p.name}.") and name not in idle]
            found += [(name, value) for name, value in own if value.range]
        return found

    def replaced(self, overrides: Mapping[str, Quantity]) -> Stack:
        """Return the stack with new values, by the names of :meth:`values`, or ``PROTOCOL.wire`` for expansion of data.

        Raises
        ------
        SpecError
            If a name is unknown; the message has the nearest one. If an expansion is none.
        """
        if not overrides:
            return self
        known = dict(self.values())
        wires = [f"{p.name}.wire" for p in self.file.protocol]
        for name in overrides:
            if name not in known and name not in wires:
                raise unknown(f"value of stack {self.name}", name, [*known, *wires])

        def new(name: str, old: StackValue) -> StackValue:
            if name not in overrides:
                return old
            return StackValue(overrides[name], "override", note=f"instead of {old.value} ({old.mark})")

        protocols = [
            msgspec.structs.replace(
                p,
                launch=new(f"{p.name}.launch", p.launch),
                step={kind: new(f"{p.name}.step.{kind}", value) for kind, value in p.step.items()},
                hop={kind: new(f"{p.name}.hop.{kind}", value) for kind, value in p.hop.items()},
                wire=_expansion(overrides[f"{p.name}.wire"], p.name) if f"{p.name}.wire" in overrides else p.wire,
            )
            for p in self.file.protocol
        ]
        return Stack(msgspec.structs.replace(self.file, protocol=protocols))

    def assumed(self, kinds: Sequence[str], protocol: str) -> tuple[str, ...]:
        """List the values that nobody published and that a run can depend on.

        Parameters
        ----------
        kinds
            Kind of each network of the system.
        protocol
            Name of the protocol, or ``"auto"``.
        """
        listed: dict[str, StackValue] = {}
        for p in self.file.protocol:
            if protocol in ("auto", p.name):
                values = {f"{p.name}.launch": p.launch}
                values |= {f"{p.name}.step.{k}": p.step[k] for k in (self._step_kind(p, kind) for kind in kinds)}
                values |= {f"{p.name}.hop.{kind}": p.hop[kind] for kind in kinds if kind in p.hop}
                listed |= {name: v for name, v in values.items() if v.mark in ASSUMED_MARKS}
        return tuple(f"{name} = {v.value} ({v.mark})" for name, v in listed.items())

    def _step_kind(self, protocol: ProtocolFile, kind: str) -> str:
        for candidate in (kind, *_NEAREST[kind]):
            if candidate in protocol.step:
                return candidate
        raise SpecError(f"stack {self.name}, protocol {protocol.name}: step has none of {', '.join(KINDS)}")


def _expansion(value: Quantity, protocol: str) -> tuple[int, int]:
    """Return the expansion of data on the wire as a ratio of whole numbers."""
    try:
        ratio = Fraction(value).limit_denominator(10_000)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        ratio = Fraction(0)
    if not 1 <= ratio <= 1000:
        raise SpecError(
            f"{protocol}.wire: {quote(value)} is not valid; it must be a number from 1 to 1000, or as '15/7'"
        )
    return ratio.numerator, ratio.denominator


def stacks() -> list[str]:
    """List the stacks that ``simulate(stack=...)`` knows."""
    return list(list_names("stacks"))


def load_stack(name: str) -> Stack:
    """Load a stack by name, or from the path of a ``.toml`` file; files of users are read anew each time.

    Raises
    ------
    SpecError
        If there is no such stack, or its file is not valid.
    """
    path = locate("stacks", "stack", name)
    return _read(path) if isinstance(path, Path) and name.endswith(".toml") else _packaged(path.name)


@lru_cache(maxsize=64)
def _packaged(file: str) -> Stack:
    return _read(locate("stacks", "stack", file.removesuffix(".toml")))


def _read(path: Traversable) -> Stack:
    file = load(path, StackFile)
    for p in file.protocol:
        for kind in (*p.step, *p.hop):
            parse_kind(kind)
    return Stack(file)
