"""NCCL's and RCCL's topology XML (``NCCL_TOPO_DUMP_FILE``): the accelerators of one host and what joins them.

NVLink and xGMI become links between accelerators, or to NVSwitch chips (targets of class 0x068000); both ends must
list the same count. Where they join every pair, the PCIe tree is left out: NCCL does not use it then; with
``forwarding=True`` (a cube mesh, a ring) also where they do by way of others. Where they do not, PCIe switches and
CPUs become switches, and a PCIe link has its transfers per second times its lanes, less the line code (8b/10b to 5
GT/s, 128b/130b to 32, 242/256 of a flit at 64). The file has no rate of NVLink, xGMI and the links between CPUs,
and no latency of anything: ``link_rate`` and ``link_latency`` give them, by the names ``nvlink``, ``xgmi``,
``pci``, ``cpu``.

Source: src/graph/xml.cc and topo.cc of NCCL 2.30.7; tools/topo_expl of RCCL for ``xgmi`` and ``version="2"``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

from supernode.errors import FabricError, SpecError
from supernode.fabric.parts import Edge, SwitchNode
from supernode.fabric.reach import unjoined, unreachable
from supernode.io.found import Draft, Found, Options, listed
from supernode.io.text import load_xml

__all__ = ["pci_rate", "read_nccl"]

#: Class of an NVSwitch as the target of a link.
_NVSWITCH = "0x068000"

_SPEED = re.compile(r"\s*(\d+(?:\.\d+)?)\s*GT/s.*")


@dataclass(frozen=True)
class _Gpu:
    name: str
    busid: str
    element: ElementTree.Element


def read_nccl(text: str, name: str, options: Options) -> Found:
    """Read a topology of NCCL or RCCL.

    Raises
    ------
    SpecError
        If it is not one, or of another version.
    FabricError
        Naming the accelerator or link: one without its way back, without a rate or a latency, or a pair that nothing
        joins.
    """
    root = load_xml(text)
    if root.tag != "system":
        raise SpecError(f"the root element is <{root.tag.rpartition('}')[2]}>, not NCCL's <system>")
    if root.get("version") not in ("1", "2"):
        raise SpecError(f"version {root.get('version')!r} of <system> is not known; versions 1 (NCCL) and 2 (RCCL) are")
    draft = Draft(name, kind="nvlink")
    gpus = _gpus(root)
    draft.accelerators = [gpu.name for gpu in gpus]
    options.check_links(("nvlink", "xgmi", "pci", "cpu"))
    _direct_links(draft, gpus, options)
    numbers = {vertex: i for i, vertex in enumerate([*draft.accelerators, *(s.name for s in draft.switches)])}
    pairs = [(numbers[edge.a], numbers[edge.b]) for edge in draft.edges]
    if unreachable(len(gpus), len(draft.switches), pairs) is None and len(gpus) > 1:
        draft.warnings.append("PCIe is left out: NVLink or xGMI joins every pair")
    elif options.forwarding and unjoined(len(gpus), len(draft.switches), pairs) is None and len(gpus) > 1:
        draft.warnings.append("PCIe is left out: NVLink or xGMI joins every pair, by accelerators that forward")
    else:
        if not draft.edges:
            draft.kind = "pci"
        _Tree(draft, options).add(root, {gpu.busid: gpu.name for gpu in gpus})
    _outward(draft, root)
    left = sorted({e.tag for e in root.iter() if e.tag in ("c2c", "pcilink")})
    if left:
        draft.warnings.append(f"{' and '.join(f'<{tag}>' for tag in left)} links are left out")
    return draft.found(options)


def _gpus(root: ElementTree.Element) -> list[_Gpu]:
    """Return the accelerators in the order of ranks, or of devices where there are no ranks."""
    found: list[tuple[int, _Gpu]] = []
    for pci in root.iter("pci"):
        for element in pci.findall("gpu"):
            busid = _busid(pci)
            order = element.get("rank") or element.get("dev") or ""
            if not order.isdigit():
                raise SpecError(f"<gpu> at {busid} has neither a rank nor a dev")
            found.append((int(order), _Gpu(f"gpu{order}", busid, element)))
    orders = Counter(order for order, _ in found)
    twice = [str(order) for order, times in orders.items() if times > 1]
    if twice:
        raise SpecError(f"several <gpu> have the rank or dev {listed(twice)}")
    if not found:
        raise FabricError("it has no <gpu>: dump it from a process that uses them (NCCL_TOPO_DUMP_FILE)")
    return [gpu for _, gpu in sorted(found, key=lambda pair: pair[0])]


def _direct_links(draft: Draft, gpus: list[_Gpu], options: Options) -> None:
    names = {gpu.busid: gpu.name for gpu in gpus}
    counts: Counter[tuple[str, str, str]] = Counter()
    chips: dict[str, str] = {}
    for gpu in gpus:
        for link in gpu.element:
            if link.tag not in ("nvlink", "xgmi"):
                continue
            target = link.get("target", "").lower()
            text = link.get("count", "")
            if not text.isdigit() or not 0 < int(text[:9]) < 2**16:
                raise FabricError(f"{gpu.name}: the count of <{link.tag}> to {target} is {text!r}")
            count = int(text)
            if link.get("tclass", "").lower() == _NVSWITCH:
                chip = chips.setdefault(target, f"nvswitch{len(chips)}")
                counts[gpu.name, chip, link.tag] += count
            elif target in names:
                counts[gpu.name, names[target], link.tag] += count
            else:
                draft.warnings.append(f"<{link.tag}> of {gpu.name} to {target} is left out: it leads to no <gpu>")
    draft.switches = [SwitchNode(chip) for chip in chips.values()]
    switches = set(chips.values())
    for (a, b, kind), count in list(counts.items()):
        if b not in switches:
            if counts[b, a, kind] != count:
                raise FabricError(
                    f"{count} <{kind}> lead from {a} to {b} and {counts[b, a, kind]} back; links are full duplex"
                )
            if draft.accelerators.index(a) > draft.accelerators.index(b):
                continue
        place = f"{kind} {a} - {b}"
        draft.edges.append(Edge(a, b, options.rate(kind, place), options.latency(kind, place), count))


def pci_rate(speed: str, width: str, place: str) -> int:
    """Return the rate of a PCIe link per direction in bit/s, after its line code.

    Parameters
    ----------
    speed
        As NCCL writes it: ``"16.0 GT/s PCIe"``.
    width
        Lanes.
    place
        Where it stands, for errors.
    """
    match = _SPEED.fullmatch(speed)
    if match is None or not width.isdigit() or not 0 < int(width) <= 32:
        raise FabricError(f"{place}: link_speed {speed!r} and link_width {width!r} give no rate; give link_rate=")
    transfers = Fraction(match[1])
    code = Fraction(8, 10) if transfers <= 5 else Fraction(128, 130) if transfers <= 32 else Fraction(242, 256)
    return int(transfers * 10**9 * int(width) * code)


class _Tree:
    """The PCIe switches and CPUs above the accelerators."""

    def __init__(self, draft: Draft, options: Options) -> None:
        self.draft = draft
        self.options = options

    def add(self, root: ElementTree.Element, names: dict[str, str]) -> None:
        cpus = []
        for number, cpu in enumerate(root.findall("cpu")):
            vertex = f"cpu{cpu.get('numaid', number)}"
            if self._children(cpu, vertex, names):
                cpus.append(vertex)
                self.draft.switches.append(SwitchNode(vertex))
        for i, a in enumerate(cpus):
            for b in cpus[i + 1 :]:
                rate, latency = (
                    self.options.rate("cpu", f"cpu {a} - {b}"),
                    self.options.latency("cpu", f"cpu {a} - {b}"),
                )
                self.draft.edges.append(Edge(a, b, rate, latency))

    def _children(self, element: ElementTree.Element, vertex: str, names: dict[str, str]) -> bool:
        """Add what lies below; return whether there is an accelerator."""
        found = False
        for pci in element.findall("pci"):
            busid = _busid(pci)
            if pci.find("gpu") is not None:
                self._link(pci, names[busid], vertex)
                found = True
            elif self._children(pci, f"pci {busid}", names):
                self.draft.switches.append(SwitchNode(f"pci {busid}"))
                self._link(pci, f"pci {busid}", vertex)
                found = True
        return found

    def _link(self, pci: ElementTree.Element, below: str, above: str) -> None:
        place = f"pci {_busid(pci)}"
        speed, width = pci.get("link_speed", ""), pci.get("link_width", "")
        given = _SPEED.fullmatch(speed) is not None and width not in ("", "0")
        rate = pci_rate(speed, width, place) if given else self.options.rate("pci", place)
        self.draft.edges.append(Edge(below, above, rate, self.options.latency("pci", place)))


def _busid(pci: ElementTree.Element) -> str:
    busid = pci.get("busid", "").lower()
    if not busid:
        raise SpecError("a <pci> has no busid")
    return busid


def _outward(draft: Draft, root: ElementTree.Element) -> None:
    """Say which ports lead outwards: they are the caller's to join."""
    speeds = Counter(net.get("speed", "") for net in root.iter("net"))
    for speed, count in speeds.items():
        rate = f"{int(speed) / 1000:g} Gbit/s" if speed.isdigit() else "unknown rate"
        draft.warnings.append(
            f"{count} ports of {rate} lead outwards (<net>) and are left out: "
            "join hosts with scale_out() and replicate()"
        )
