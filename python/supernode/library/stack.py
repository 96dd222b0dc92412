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
from supernode.spec import LibrarySpec, PipelineSpec, ProtocolSpec, RulesSpec, RungSpec, StackSpec
from supernode.units import Quantity, parse_latency, parse_rate, parse_size

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


class PipelineFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[protocol.pipeline]``: loops of a kernel whose stages overlap."""

    channels: int
    heads: int
    stages: int
    chunk: Quantity
    stage: StackValue
    #: How data expands on channels that do not slow each other down.
    lone: tuple[int, int] = (1, 1)
    #: What a message to or from a NIC takes.
    message: StackValue | None = None
    #: Pairs of a factor and a chunk: below factor x heads x chunk bytes per channel, this chunk.
    shrink: list[tuple[int, Quantity]] = []


class GenerationFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[protocol.generation]]``: what differs where the innermost links have at least this rate."""

    link_rate: Quantity
    wire: tuple[int, int] | None = None
    channels: int | None = None


class ProtocolFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[protocol]]`` of a stack file."""

    name: str
    launch: StackValue
    step: dict[str, StackValue]
    hop: dict[str, StackValue] = {}
    wire: tuple[int, int] = (1, 1)
    #: By kind of network, where it is not ``wire``.
    wire_of: dict[str, tuple[int, int]] = {}
    algorithms: list[str] = []
    without: list[str] = []
    max_bytes: Quantity | None = None
    pipeline: PipelineFile | None = None
    chunk: Quantity | None = None
    channels: int | None = None
    generation: list[GenerationFile] = []
    note: str = ""


class StackFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stack file."""

    name: str
    protocol: list[ProtocolFile]
    description: str = ""
    sources: dict[str, Source] = {}
    not_modelled: list[str] = []
    algorithms: dict[str, list[str]] = {}
    library: RulesSpec | None = None


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
    _fitted: dict[tuple[object, ...], tuple[StackSpec, tuple[str, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def name(self) -> str:
        """Name of the stack."""
        return self.file.name

    def to_spec(
        self, kinds: Sequence[str], protocol: str | None = None, link_rate: int = 0
    ) -> tuple[StackSpec, tuple[str, ...]]:
        """Fit the stack to the networks of a system.

        Parameters
        ----------
        kinds
            Kind of each network, innermost first.
        protocol
            Name of one protocol, or ``None`` for the fastest.
        link_rate
            Rate of a link of the innermost network, in bit/s, by which generations differ.

        Returns
        -------
        StackSpec
            Latencies in femtoseconds.
        tuple of str
            Latencies that stand in for ones the stack does not have.
        """
        names = [p.name for p in self.file.protocol]
        chosen = "auto" if protocol is None else canonical("protocol", protocol, ["auto", *names])
        key = (chosen, link_rate, *kinds)
        if key not in self._fitted:
            self._fitted[key] = self._fit(kinds, chosen, link_rate)
        return self._fitted[key]

    def _fit(self, kinds: Sequence[str], chosen: str, link_rate: int) -> tuple[StackSpec, tuple[str, ...]]:
        notes: dict[str, None] = {}
        specs = []
        # An empty list means every algorithm that no entry of the file names.
        own = [[parse_algorithm(a) for a in p.algorithms] for p in self.file.protocol]
        named = {name for names in own for name in names}
        every = core.vocabulary()["algorithms"]
        others = [a for a in every if a not in named] if named else []
        for p, algorithms in zip(self.file.protocol, own, strict=True):
            where = f"stack {self.name}, protocol {p.name}"
            steps = []
            for kind in kinds:
                source = self._step_kind(p, kind)
                if source != kind:
                    notes[f"stack {self.name} has no step latency for {kind}; that for {source} is used"] = None
                steps.append(parse_latency(p.step[source].value, f"{where}, step.{source}", zero=True))
            wire, channels = _of_generation(p, link_rate, where)
            without = [parse_algorithm(a) for a in p.without]
            specs.append(
                ProtocolSpec(
                    name=p.name,
                    launch_fs=parse_latency(p.launch.value, f"{where}, launch", zero=True),
                    step_fs=steps,
                    hop_fs=[
                        parse_latency(p.hop[kind].value, f"{where}, hop.{kind}", zero=True) if kind in p.hop else 0
                        for kind in kinds
                    ],
                    wire_num=wire[0],
                    wire_den=wire[1],
                    wires=[p.wire_of.get(kind, wire) for kind in kinds] if p.wire_of else [],
                    algorithms=[a for a in algorithms or (others or every if without else others) if a not in without],
                    max_bytes=None if p.max_bytes is None else parse_size(p.max_bytes, f"{where}, max_bytes"),
                    pipeline=None if p.pipeline is None else _pipeline(p.pipeline, channels, f"{where}, pipeline"),
                    chunk=None if p.chunk is None else parse_size(p.chunk, f"{where}, chunk"),
                    channels=channels if p.pipeline is None else None,
                )
            )
        own_algorithms = {
            parse_name(c): [parse_algorithm(a) for a in names] for c, names in self.file.algorithms.items()
        }
        library = None
        if self.file.library is not None:
            # the nodes of the library are what NVLink joins
            inside = next((i for i, kind in enumerate(kinds) if kind != "nvlink"), len(kinds))
            library = LibrarySpec(inside, self.file.library)
        return StackSpec(self.name, specs, chosen, own_algorithms, library), tuple(notes)

    def values(self) -> list[tuple[str, StackValue]]:
        """List every latency with the name it has in the file."""
        listed = []
        for p in self.file.protocol:
            listed.append((f"{p.name}.launch", p.launch))
            listed += [(f"{p.name}.step.{kind}", value) for kind, value in p.step.items()]
            listed += [(f"{p.name}.hop.{kind}", value) for kind, value in p.hop.items()]
            listed += [(f"{p.name}.stage", p.pipeline.stage)] if p.pipeline else []
            listed += [(f"{p.name}.message", p.pipeline.message)] if p.pipeline and p.pipeline.message else []
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
                pipeline=p.pipeline
                and msgspec.structs.replace(
                    p.pipeline,
                    stage=new(f"{p.name}.stage", p.pipeline.stage),
                    message=p.pipeline.message and new(f"{p.name}.message", p.pipeline.message),
                ),
                wire=_expansion(overrides[f"{p.name}.wire"], p.name) if f"{p.name}.wire" in overrides else p.wire,
                # an override holds for all generations
                generation=[
                    msgspec.structs.replace(g, wire=None) if f"{p.name}.wire" in overrides else g for g in p.generation
                ],
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
                values |= {f"{p.name}.stage": p.pipeline.stage} if p.pipeline else {}
                values |= {f"{p.name}.message": p.pipeline.message} if p.pipeline and p.pipeline.message else {}
                listed |= {name: v for name, v in values.items() if v.mark in ASSUMED_MARKS}
        return tuple(f"{name} = {v.value} ({v.mark})" for name, v in listed.items())

    def _step_kind(self, protocol: ProtocolFile, kind: str) -> str:
        for candidate in (kind, *_NEAREST[kind]):
            if candidate in protocol.step:
                return candidate
        raise SpecError(f"stack {self.name}, protocol {protocol.name}: step has none of {', '.join(KINDS)}")


def _of_generation(p: ProtocolFile, link_rate: int, where: str) -> tuple[tuple[int, int], int | None]:
    """Return wire factor and channels of the last generation that the links reach, or those of the protocol itself."""
    wire, channels = p.wire, p.pipeline.channels if p.pipeline else p.channels
    for g in p.generation:
        if link_rate >= parse_rate(g.link_rate, f"{where}, generation.link_rate"):
            wire, channels = g.wire or p.wire, g.channels or channels
        if g.channels is not None and channels is None:
            raise SpecError(f"{where}: generation.channels is {g.channels}, but the protocol itself has no channels")
    for pair in (p.wire, *p.wire_of.values(), *(g.wire for g in p.generation if g.wire)):
        if min(pair) < 1:
            raise SpecError(f"{where}: wire is {list(pair)}; it must be [numerator, denominator], both at least 1")
    return wire, channels


def _pipeline(file: PipelineFile, channels: int | None, where: str) -> PipelineSpec:
    return PipelineSpec(
        channels=file.channels if channels is None else channels,
        heads=file.heads,
        stages=file.stages,
        chunk=parse_size(file.chunk, f"{where}.chunk"),
        shrink=[RungSpec(below, parse_size(size, f"{where}.shrink")) for below, size in file.shrink],
        stage_fs=parse_latency(file.stage.value, f"{where}.stage", zero=True),
        lone=file.lone,
        message_fs=0 if file.message is None else parse_latency(file.message.value, f"{where}.message", zero=True),
    )


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
        for kind in (*p.step, *p.hop, *p.wire_of):
            parse_kind(kind)
    return Stack(file)
