"""The tree of PCIe in a topology of NCCL: CPUs, bridges, accelerators and NICs, as tolerant as NCCL is.

A bridge may be listed several times, each time with a part of what lies below it: the parts are taken as one, under the
parent of the first. A function of class 0x0302, 0x0380 or 0x1200 is an accelerator where the file has no ``<gpu>`` at
all: clouds ship such files, which NCCL completes on the machine. Likewise a network function of class 0x0200 or 0x0207
is a NIC where there is no ``<net>``.

Cost: linear in the file; no recursion, so that depth does not matter.

Source: src/graph/xml.cc and topo.cc of NCCL 2.30.7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

from supernode.errors import FabricError, SpecError
from supernode.io.found import listed

__all__ = ["Gpu", "Net", "Node", "Tree", "pci_rate", "read_tree"]

#: Classes of accelerators and of network functions: what begins like this.
_GPU_CLASSES = ("0x0302", "0x0380", "0x1200")
_NIC_CLASSES = ("0x0200", "0x0207")

_SPEED = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*GT/s.*")


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
    match, lanes = _SPEED.fullmatch(speed), _lanes(width)
    if match is None or lanes is None:
        raise FabricError(f"{place}: link_speed {speed!r} and link_width {width!r} give no rate; give link_rate=")
    transfers = Fraction(match[1])
    code = Fraction(8, 10) if transfers <= 5 else Fraction(128, 130) if transfers <= 32 else Fraction(242, 256)
    return int(transfers * 10**9 * lanes * code)


def _lanes(width: str) -> int | None:
    """Return a number of lanes, if it is one."""
    return int(width) if width.isascii() and width.isdigit() and len(width) <= 2 and 0 < int(width) <= 32 else None


@dataclass(eq=False)
class Gpu:
    """An accelerator, and the element that has its links."""

    name: str
    order: int
    element: ElementTree.Element


@dataclass(eq=False)
class Net:
    """A port of a NIC; its speed in bit/s, if the file says it."""

    name: str
    speed: int | None


@dataclass(eq=False)
class Node:
    """A CPU, or a function or bridge of PCIe.

    Parameters
    ----------
    name
        Of the vertex: ``cpu0`` or ``pci BUSID``.
    busid
        Empty for a CPU.
    speed, width
        Of the link to the parent, as the file has them.
    up
        The parent; none for a CPU.
    host
        Of a CPU: the host that it belongs to, where the file has several.
    """

    name: str
    busid: str = ""
    speed: str = ""
    width: str = ""
    up: Node | None = None
    host: str = ""
    gpus: list[Gpu] = field(default_factory=list)
    nets: list[Net] = field(default_factory=list)

    @property
    def states_rate(self) -> bool:
        """Whether the file has the rate of the link to the parent."""
        return _SPEED.fullmatch(self.speed) is not None and _lanes(self.width) is not None

    def way(self) -> list[Node]:
        """Return the node and all above it."""
        found, node = [self], self
        while node.up is not None:
            node = node.up
            found.append(node)
        return found


@dataclass
class Tree:
    """What a file says of PCIe.

    Parameters
    ----------
    nodes
        CPUs and PCIe, each after its parent.
    gpus
        Accelerators in the order of ranks, with the node that each is on.
    notes
        What was left out or taken for granted.
    """

    nodes: list[Node] = field(default_factory=list)
    gpus: list[tuple[Gpu, Node]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_tree(root: ElementTree.Element) -> Tree:
    """Read the tree.

    Raises
    ------
    SpecError
        If a ``<pci>`` has no busid, or several accelerators have one rank.
    """
    tree = Tree()
    listed_gpus = next(root.iter("gpu"), None) is not None
    listed_nets = next(root.iter("net"), None) is not None
    by_busid: dict[str, Node] = {}
    cpu_names: dict[str, int] = {}
    twice: list[str] = []
    classed: list[str] = []
    skipped: list[str] = []
    unused: list[str] = []
    pending: list[tuple[ElementTree.Element, Node | None]] = [(child, None) for child in reversed(root)]
    while pending:
        element, parent = pending.pop()
        if element.tag == "cpu" and parent is None:
            name = f"cpu{element.get('numaid', len(cpu_names))}"
            cpu_names[name] = cpu_names.get(name, 0) + 1
            if cpu_names[name] > 1:
                name = f"{name}.{cpu_names[name]}"
            node = Node(name, host=element.get("host_hash", ""))
            tree.nodes.append(node)
        elif element.tag == "pci":
            busid = element.get("busid", "").lower()
            if not busid:
                raise SpecError("a <pci> has no busid")
            known = by_busid.get(busid)
            if known is None:
                node = Node(f"pci {busid}", busid, element.get("link_speed", ""), element.get("link_width", ""), parent)
                by_busid[busid] = node
                tree.nodes.append(node)
            else:
                twice.append(busid)
                node = known
            kind = element.get("class", "").lower()
            if kind.startswith(_GPU_CLASSES) and element.find("gpu") is None and known is None:
                (skipped if listed_gpus else classed).append(busid)
                if not listed_gpus:
                    node.gpus.append(Gpu("", len(classed) - 1, element))
            elif kind.startswith(_NIC_CLASSES) and element.find("nic") is None and known is None:
                if listed_nets:
                    unused.append(busid)
                else:
                    node.nets.append(Net(f"nic {busid}", None))
        elif element.tag == "gpu" and parent is not None:
            parent.gpus.append(_gpu(element, parent))
            continue
        elif element.tag == "net" and parent is not None:
            parent.nets.append(_net(element, parent))
            continue
        elif element.tag == "nic" and parent is not None:
            node = parent
        else:
            continue
        pending.extend((child, node) for child in reversed(element))
    if twice:
        tree.notes.append(f"<pci> listed several times are taken as one: {listed(list(dict.fromkeys(twice)))}")
    if classed:
        tree.notes.append(
            f"there is no <gpu>: the {len(classed)} <pci> of the class of an accelerator (0x0302, 0x0380, 0x1200) are "
            "taken for the accelerators, in the order of the file"
        )
    if skipped:
        tree.notes.append(f"<pci> of accelerators without a <gpu> are left out: {listed(skipped)}")
    if unused:
        tree.notes.append(f"<pci> of NICs without a <net> are left out: {listed(unused)}")
    _rank(tree)
    return tree


def _gpu(element: ElementTree.Element, node: Node) -> Gpu:
    text = element.get("rank") or element.get("dev") or ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise SpecError(f"<gpu> at {node.busid} has neither a rank nor a dev")
    return Gpu(f"gpu{int(text)}", int(text), element)


def _net(element: ElementTree.Element, node: Node) -> Net:
    text = element.get("speed", "")
    speed = int(text) * 10**6 if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return Net(element.get("name") or f"nic {node.busid}", speed or None)


def _rank(tree: Tree) -> None:
    """Put the accelerators in the order of ranks, or of devices where there are no ranks."""
    found: dict[int, tuple[Gpu, Node]] = {}
    again = []
    for node in tree.nodes:
        own = list(node.gpus)
        node.gpus.clear()
        for gpu in own:
            first = found.get(gpu.order)
            if first is None:
                found[gpu.order] = (gpu, node)
                node.gpus.append(gpu)
            elif first[1] is node and dict(first[0].element.items()) == dict(gpu.element.items()):
                again.append(gpu.name)
            else:
                places = " and ".join(dict.fromkeys((first[1].busid, node.busid)))
                raise SpecError(f"several <gpu> have the rank or dev '{gpu.order}', at {places}")
    if again:
        tree.notes.append(f"<gpu> listed several times are taken as one: {listed(list(dict.fromkeys(again)))}")
    tree.gpus = [found[order] for order in sorted(found)]
    for number, (gpu, _) in enumerate(tree.gpus):
        gpu.name = gpu.name or f"gpu{number}"
