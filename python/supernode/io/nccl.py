"""NCCL's and RCCL's topology XML (``NCCL_TOPO_DUMP_FILE``): the accelerators of one host, what joins them, their NICs.

NVLink and xGMI become links between accelerators, or to NVSwitch chips (targets of class 0x068000). Where they join
every pair, PCIe leads to the NICs only: NCCL does not use it between accelerators then; with ``forwarding=True`` (a
cube mesh, a ring) also where they do by way of others. Where they do not, PCIe switches and CPUs become switches. A
PCIe link has its transfers per second times its lanes, less the line code (8b/10b to 5 GT/s, 128b/130b to 32, 242/256
of a flit at 64). Accelerators of one ``<pci>`` hang on a vertex of their own, which has the links of that ``<pci>``.
The file has no rate of NVLink, xGMI and the links between CPUs, and no latency of anything: ``link_rate`` and
``link_latency`` give them, by the names ``nvlink``, ``xgmi``, ``pci``, ``cpu``, ``net``.

NICs and the PCIe links to them limit the network outside: see :mod:`supernode.io.nccl_nics`.

Source: src/graph/xml.cc and topo.cc of NCCL 2.30.7; tools/topo_expl of RCCL for ``xgmi`` and ``version="2"``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

from supernode.errors import FabricError, SpecError
from supernode.fabric.parts import Edge, SwitchNode
from supernode.fabric.reach import unjoined, unreachable
from supernode.io.found import Draft, Found, Options
from supernode.io.nccl_nics import assign
from supernode.io.nccl_tree import Node, Tree, pci_rate, read_tree
from supernode.io.text import load_xml
from supernode.units import Quantity, format_rate, format_time, parse_rate, parse_time

__all__ = ["read_nccl"]

#: Class of an NVSwitch as the target of a link.
_NVSWITCH = "0x068000"

#: Kinds of link that take a rate or latency from the caller.
_KINDS = ("nvlink", "xgmi", "pci", "cpu", "net")


def read_nccl(text: str, name: str, options: Options) -> Found:
    """Read a topology of NCCL or RCCL.

    Raises
    ------
    SpecError
        If it is not one, or of another version.
    FabricError
        Naming the accelerator or link: one without a rate or a latency, or a pair that nothing joins.
    """
    root = load_xml(text)
    if root.tag != "system":
        raise SpecError(f"the root element is <{root.tag.rpartition('}')[2]}>, not NCCL's <system>")
    if root.get("version") not in ("1", "2"):
        raise SpecError(f"version {root.get('version')!r} of <system> is not known; versions 1 (NCCL) and 2 (RCCL) are")
    tree = read_tree(root)
    if not tree.gpus:
        raise FabricError(
            "it has neither a <gpu> nor a <pci> of the class of an accelerator (0x0302): dump it from a process that "
            "uses them (NCCL_TOPO_DUMP_FILE)"
        )
    draft = Draft(name, kind="nvlink", warnings=list(tree.notes))
    draft.accelerators = [gpu.name for gpu, _ in tree.gpus]
    options.check_links(_KINDS)
    shared = {node.name for node in tree.nodes if len(node.gpus) > 1}
    _direct_links(draft, tree, options)
    graph = _joined(draft, tree)
    if len(tree.gpus) > 1 and unreachable(*graph) is None:
        draft.warnings.append("PCIe leads to NICs only: NVLink or xGMI joins every pair")
    elif len(tree.gpus) > 1 and options.forwarding and unjoined(*graph) is None:
        draft.warnings.append("PCIe leads to NICs only: NVLink or xGMI joins every pair, by accelerators that forward")
    else:
        if not draft.edges:
            draft.kind = "pci"
        _pcie(draft, tree, options)
    _share(draft, tree, shared)
    nics, notes = assign(tree, options)
    draft.warnings += notes
    left = sorted({e.tag for e in root.iter() if e.tag in ("c2c", "pcilink")})
    if left:
        draft.warnings.append(f"{' and '.join(f'<{tag}>' for tag in left)} links are left out")
    return replace(draft.found(options), nics=nics)


def _vertex(node: Node) -> str:
    """Return what stands for a function of PCIe: its only accelerator, or a vertex of its own."""
    return node.gpus[0].name if len(node.gpus) == 1 else node.name


def _direct_links(draft: Draft, tree: Tree, options: Options) -> None:
    """Add NVLink and xGMI; both ends list a link, so those of either direction are compared."""
    places = {node.busid: node for _, node in tree.gpus}
    counts: dict[tuple[str, str, str], int] = {}
    chips: dict[str, str] = {}
    for node in places.values():
        found: dict[tuple[str, str, str], int] = {}
        for gpu in node.gpus:
            own: Counter[tuple[str, str, str]] = Counter()
            for link in gpu.element:
                key = _target(draft, link, gpu.name, node, places, chips)
                if key is not None:
                    own[key] += _count(link, gpu.name)
            # accelerators of one function list the same links
            found.update({key: max(count, found.get(key, 0)) for key, count in own.items()})
        counts.update(found)
    order = {_vertex(node): i for i, node in enumerate(places.values())}
    draft.switches += [SwitchNode(chip) for chip in chips.values()]
    for (a, b, kind), count in counts.items():
        if b in order:
            back = counts.get((b, a, kind), 0)
            if back != count and (order[a] < order[b] or not back):
                draft.warnings.append(
                    f"{count} <{kind}> lead from {a} to {b} and {back} back: the lesser number is taken, as links are "
                    "full duplex"
                )
            count = min(count, back)
            if order[a] > order[b] or not count:
                continue
        place = f"{kind} {a} - {b}"
        draft.edges.append(Edge(a, b, options.rate(kind, place), options.latency(kind, place), count))


def _target(
    draft: Draft, link: ElementTree.Element, gpu: str, node: Node, places: dict[str, Node], chips: dict[str, str]
) -> tuple[str, str, str] | None:
    """Return both ends and the kind of a link, if it is one and leads anywhere."""
    if link.tag not in ("nvlink", "xgmi"):
        return None
    target = link.get("target", "").lower()
    if link.get("tclass", "").lower() == _NVSWITCH:
        return _vertex(node), chips.setdefault(target, f"nvswitch{len(chips)}"), link.tag
    if target == node.busid:
        draft.warnings.append(f"<{link.tag}> of {gpu} to itself is left out")
        return None
    if target not in places:
        draft.warnings.append(f"<{link.tag}> of {gpu} to {target} is left out: it leads to no <gpu>")
        return None
    return _vertex(node), _vertex(places[target]), link.tag


def _count(link: ElementTree.Element, gpu: str) -> int:
    text = link.get("count", "")
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) < 2**16 or len(text) > 9:
        raise FabricError(f"{gpu}: the count of <{link.tag}> to {link.get('target', '').lower()} is {text!r}")
    return int(text)


def _joined(draft: Draft, tree: Tree) -> tuple[int, int, list[tuple[int, int]]]:
    """Return accelerators, switches and edges by number, the vertices of shared functions among the switches."""
    shared = [node for node in tree.nodes if len(node.gpus) > 1]
    names = [*draft.accelerators, *(s.name for s in draft.switches), *(node.name for node in shared)]
    numbers = {vertex: i for i, vertex in enumerate(names)}
    pairs = [(numbers[edge.a], numbers[edge.b]) for edge in draft.edges]
    pairs += [(numbers[gpu.name], numbers[node.name]) for node in shared for gpu in node.gpus]
    return len(draft.accelerators), len(names) - len(draft.accelerators), pairs


def _pcie(draft: Draft, tree: Tree, options: Options) -> None:
    """Add the PCIe links that lead to accelerators, and those between the CPUs of a host."""
    needed = {id(above) for _, node in tree.gpus for above in node.way()}
    cpus: list[Node] = []
    for node in tree.nodes:
        if id(node) not in needed:
            continue
        if not node.gpus:
            draft.switches.append(SwitchNode(node.name))
        if node.up is not None:
            rate = _rate(node, options)
            draft.edges.append(Edge(_vertex(node), _vertex(node.up), rate, options.latency("pci", node.name)))
        elif not node.busid:
            cpus += [node]
    for i, a in enumerate(cpus):
        for b in cpus[i + 1 :]:
            if a.host == b.host:
                place = f"cpu {a.name} - {b.name}"
                draft.edges.append(Edge(a.name, b.name, options.rate("cpu", place), options.latency("cpu", place)))


def _rate(node: Node, options: Options) -> Quantity:
    if not node.states_rate:
        return options.rate("pci", node.name)
    return format_rate(pci_rate(node.speed, node.width, node.name))


def _share(draft: Draft, tree: Tree, shared: set[str]) -> None:
    """Join the accelerators of one function to its vertex, which has its links.

    What is inside takes a quarter of the shortest link's latency, by which the links of the vertex are shorter, so that
    paths to others are as long as without it. It is as fast as all links of the vertex together: no limit.
    """
    if not shared:
        return
    ends = [(edge, sum(end in shared for end in (edge.a, edge.b))) for edge in draft.edges]
    times = [parse_time(edge.latency, "link_latency") for edge, own in ends if own and edge.latency is not None]
    inside = max(min(times, default=4 * 10**6) // 4, 1)
    draft.edges = [
        replace(edge, latency=format_time(parse_time(edge.latency, "link_latency") - own * inside))
        if own and edge.latency is not None
        else edge
        for edge, own in ends
    ]
    total: Counter[str] = Counter()
    for edge, own in ends:
        if own and edge.rate is not None:
            for end in {edge.a, edge.b} & shared:
                total[end] += parse_rate(edge.rate, "link_rate") * edge.count
    for node in tree.nodes:
        if node.name not in shared:
            continue
        if node.name not in {s.name for s in draft.switches}:
            draft.switches.append(SwitchNode(node.name))
        rate = int(min(Fraction(total[node.name] or 10**12), Fraction(2**62)))
        draft.edges += [Edge(gpu.name, node.name, format_rate(rate), format_time(inside)) for gpu in node.gpus]
        draft.warnings.append(
            f"{' and '.join(gpu.name for gpu in node.gpus)} are in one <pci> ({node.busid}): they share its links; "
            "what joins them inside is taken to be no limit"
        )
