"""The formats, how they are told apart, and the two ways through them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from supernode.errors import SpecError, SupernodeError
from supernode.files.text import as_path, decode, naming, read_bytes
from supernode.files.write import check_file, write_bytes
from supernode.io.astra import read_astra
from supernode.io.dot import write_dot
from supernode.io.expand import expand
from supernode.io.foreign import foreign
from supernode.io.found import Found, Options
from supernode.io.graphml import read_graphml, write_graphml
from supernode.io.htsim import read_htsim
from supernode.io.infragraph import read_infragraph
from supernode.io.infragraph_write import LEFT_OUT, write_infragraph
from supernode.io.links import read_ns3, read_simai
from supernode.io.nccl import read_nccl
from supernode.io.toml import write_toml
from supernode.names import canonical
from supernode.quoting import quote, shortened
from supernode.system import System
from supernode.system.device import Device
from supernode.system.validity import checked

__all__ = [
    "FORMATS",
    "Format",
    "detect",
    "read_file",
    "render",
    "to_system",
    "write_file",
]

#: Characters of a text up to which it is read again for each option.
_LONG = 2**24

Reader = Callable[[str, str, Options], Found]
Writer = Callable[[System], tuple[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Format:
    """A format of files.

    Parameters
    ----------
    title
        What it is.
    extensions
        Of its files, where they tell it.
    read, write
        What reads and writes it, if anything does.
    """

    title: str
    extensions: tuple[str, ...] = ()
    read: Reader | None = None
    write: Writer | None = None


def _toml(system: System) -> tuple[str, tuple[str, ...]]:
    return write_toml(system), ()


def _graphml(system: System) -> tuple[str, tuple[str, ...]]:
    drawing = expand(system)
    return write_graphml(drawing), drawing.warnings


def _dot(system: System) -> tuple[str, tuple[str, ...]]:
    drawing = expand(system)
    return write_dot(drawing), drawing.warnings


def _infragraph(json: bool) -> Writer:
    def write(system: System) -> tuple[str, tuple[str, ...]]:
        drawing = expand(system)
        left_out = [*drawing.warnings, f"{system.label}: {LEFT_OUT}"]
        if any("weight" in attributes for *_, attributes in drawing.edges):
            left_out.append(f"{system.label}: paths by weights of links are left out; read back, they are the shortest")
        return write_infragraph(drawing, json=json), tuple(left_out)

    return write


#: Every format by name; ``toml``, the package's own, is read by :meth:`supernode.System.load`.
FORMATS: dict[str, Format] = {
    "toml": Format("supernode system file", (".toml",), write=_toml),
    "graphml": Format("GraphML", (".graphml",), read_graphml, _graphml),
    "nccl": Format("NCCL and RCCL topology XML", (), read_nccl),
    "astra-sim": Format("ASTRA-sim network.yml", (), read_astra),
    "ns3": Format("ns-3 physical topology, as ASTRA-sim uses it", (), read_ns3),
    "simai": Format("SimAI topology", (), read_simai),
    "htsim": Format("htsim .topo", (".topo",), read_htsim),
    "infragraph": Format("InfraGraph, YAML", (".yaml", ".yml"), read_infragraph, _infragraph(json=False)),
    "infragraph-json": Format("InfraGraph, JSON", (".json",), read_infragraph, _infragraph(json=True)),
    "dot": Format("Graphviz DOT", (".dot", ".gv"), write=_dot),
}


def read_file(path: str | Path, format: str | None, options: Options) -> System:
    """Read a system from a file of any format.

    Raises
    ------
    SpecError
        If the format is unknown or cannot be told, or the file is not valid: naming file, line and field.
    FabricError
        If the fabric in it cannot be built: naming file and vertex or edge.
    """
    target = as_path(path, "file")
    chosen = None if format is None else canonical("format", format, tuple(FORMATS))
    data = read_bytes(target)
    known = foreign(data)
    if known is not None and chosen is None:
        raise SpecError(f"{target.name}: this is {known.title}, not a topology: {known.instead}")
    text = decode(data, target.name)
    name = detect(target, text) if chosen is None else chosen
    if name == "toml":
        if options != Options():
            raise SpecError(f"{target.name}: a system file says everything itself; set its parameters with load()")
        return System.load(target)
    reader = FORMATS[name].read
    if reader is None:
        raise SpecError(f"{target.name}: {FORMATS[name].title} is written only")
    with naming(target.name):
        system = to_system(reader(text, target.stem, options), options)
        return replace(system, remarks=(*system.remarks, *_idle(reader, text, target.stem, options, system)))


def _idle(reader: Reader, text: str, stem: str, options: Options, system: System) -> list[str]:
    """Name the options without which the system is the same, by reading the text once more without each."""
    found: list[str] = []
    if len(text) > _LONG:
        return found
    for given, without in _without_each(options):
        try:
            other = to_system(reader(text, stem, without), without)
        except SupernodeError:
            continue  # without it there is no such system
        if _facts(other) == _facts(system):
            found.append(f"{given}= has no effect: the file says it itself, or has no use for it")
    return found


def _without_each(options: Options) -> Iterator[tuple[str, Options]]:
    """Leave out each option that was given, and each entry of those that have several."""
    for field in fields(options):
        value = getattr(options, field.name)
        if value is None or field.name == "name":
            continue
        if not isinstance(value, Mapping) or len(value) < 2:
            none: dict[str, Any] = {field.name: None}
            yield field.name, replace(options, **none)
            continue
        for key in value:
            rest: dict[str, Any] = {field.name: {name: one for name, one in value.items() if name != key}}
            yield f"{field.name}[{key!r}]", replace(options, **rest)


def _facts(system: System) -> tuple[object, ...]:
    networks = [(n.spec, n.kind, n.names, n.per_cable) for n in system.networks]
    return system.name, system.device, networks, system.nics, system.remarks


def to_system(found: Found, options: Options) -> System:
    """Return what a reader found as a system, checked as any other."""
    device = options.device or found.device
    system = System(
        name=found.name if options.name is None else options.name,
        device=Device() if device is None else device,
        networks=found.networks,
        unit_accelerators=found.networks[-1].spec.span,
        remarks=found.warnings,
        nics=found.nics,
    )
    return checked(system)


_ROOT = re.compile(r"<(?:\w+:)?(graphml|system)[\s>]")
_KEYS = (
    (re.compile(r'^[ \t]*+"?(?:npus_count|topology)"?[ \t]*+:', re.MULTILINE), "astra-sim"),
    (re.compile(r'(?:^|[{,])[ \t]*+"?(?:devices|instances)"?[ \t]*+:', re.MULTILINE), "infragraph"),
)
_NOT = (
    (
        re.compile(r'"?scheduling-policy"?[ \t]*+:'),
        "it is a system file of ASTRA-sim; give it as hints= beside network.yml",
    ),
    (re.compile(r'"?logical-dims"?[ \t]*+:'), "it is a logical topology of ns-3; give the physical one"),
)


def detect(path: Path, text: str) -> str:
    """Tell the format of a file by its extension and its first lines.

    Raises
    ------
    SpecError
        If it is none that is known.
    """
    suffix = path.suffix.lower()
    for name in ("toml", "graphml", "htsim", "dot"):
        if suffix in FORMATS[name].extensions:
            return name
    read = [name for name, each in FORMATS.items() if name == "toml" or each.read is not None]
    reason = f"its format cannot be told; give format= as one of {', '.join(read)}"
    start = text.lstrip()
    if start.startswith("<"):
        root = _ROOT.search(text)
        if root is not None:
            return "graphml" if root[1] == "graphml" else "nccl"
        raise SpecError(f"{path.name}: {reason}")
    for pattern, name in _KEYS:
        if pattern.search(text):
            return name
    for pattern, why in _NOT:
        if pattern.search(text):
            raise SpecError(f"{path.name}: {why}")
    first = next((words for line in text.splitlines() if (words := line.split()) and words[0][0] != "#"), [])
    numbers = [word.isdigit() for word in first]
    if len(first) > 5 and all(numbers[:5]) and not numbers[5]:
        return "simai"
    if len(first) >= 3 and all(numbers[:3]):
        # SimAI's first line has a word after its five numbers; surplus ones of ns-3's three are numbers
        return "simai" if len(first) in (5, 6) and all(numbers) and _counts_as_simai(text) else "ns3"
    if first and first[0].lower() == "nodes":
        return "htsim"
    raise SpecError(f"{path.name}: {reason}")


def _counts_as_simai(text: str) -> bool:
    """Tell whether five numbers in the first line count the switches of the second one as SimAI does."""
    rows = [words for line in text.split("\n", 20) if (words := line.split()) and words[0][0] != "#"]
    if len(rows) < 2:
        return False
    head = [int(word[:9]) for word in rows[0][:5] if word.isascii()]
    return len(head) == 5 and len(rows[1]) == head[2] + head[3] and len(rows[1]) != head[1]


def render(system: System, format: str) -> tuple[str, tuple[str, ...]]:
    """Return a system as text, and what the format leaves out.

    Raises
    ------
    SpecError
        If the format is unknown or is only read.
    """
    name = canonical("format", format, tuple(FORMATS))
    writer = FORMATS[name].write
    if writer is None:
        written = ", ".join(n for n, f in FORMATS.items() if f.write is not None)
        raise SpecError(f"format {name!r} is read only; written are {written}")
    return writer(system)


def write_file(system: System, path: str | Path, format: str | None) -> tuple[str, ...]:
    """Write a system to a file, whole or not at all, and return what the format leaves out."""
    target = as_path(path, "output")
    if format is None:
        suffix = target.suffix.lower()
        names = [n for n, f in FORMATS.items() if suffix in f.extensions and f.write is not None]
        if not names:
            known = ", ".join(e for f in FORMATS.values() if f.write is not None for e in f.extensions)
            raise SpecError(
                f"{shortened(target.name, 200)}: no format is written with extension {quote(suffix)}; "
                f"use {known}, or format="
            )
        format = names[0]
    text, warnings = render(system, format)
    check_file(target)
    write_bytes(target, text.encode())
    return warnings
