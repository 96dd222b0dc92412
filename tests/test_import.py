"""Other tools' files: counts, rates and latencies that are read, and what is wrong named with its place."""

import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import rustworkx as rx
from hypothesis import given, settings
from hypothesis import strategies as st

import supernode as sn
from supernode.errors import FabricError, SizeOverflowError, SpecError, SupernodeError, UnitError
from supernode.io.nccl_tree import pci_rate
from supernode.spec import Clos, FullMeshShape, GraphShape, NetworkSpec, TorusShape
from supernode.system import System

DATA = Path(__file__).parent / "data"
GBIT = 10**9
NS = 10**6


def graph_of(spec: NetworkSpec) -> GraphShape:
    assert isinstance(spec.topology, GraphShape)
    return spec.topology


def wires(system: System, level: int = 0) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Links by the names of their ends: number, bit/s, femtoseconds."""
    network = system.networks[level]
    found = {}
    for a, b, link, count in graph_of(network.spec).edges:
        own = network.spec.links[link]
        found[network.names[a], network.names[b]] = (count, own.rate, own.latency_fs)
    return found


def test_graphml() -> None:
    system = System.from_file(DATA / "pods.graphml")
    spec = system.to_spec().networks[0]
    assert system.label == "pods"
    assert system.networks[0].names == ("a", "b", "c", "d", "left", "right")
    host = (1, 400 * GBIT, 500 * NS)
    assert wires(system) == {
        ("a", "left"): host,
        ("b", "left"): host,
        ("c", "right"): host,
        ("d", "right"): host,
        ("left", "right"): (2, 800 * GBIT, 1500 * NS),
    }
    assert [s.latency_fs for s in spec.switches] == [300 * NS, 100 * NS]
    assert system.notes() == ("attributes without a meaning here are left out: 'colour'",)


def test_nccl_leaves_pcie_out_where_nvlink_joins_all() -> None:
    system = System.from_file(DATA / "nvswitch.xml", link_rate="25 GB/s", link_latency="200 ns")
    assert system.networks[0].names == ("gpu0", "gpu1", "nvswitch0", "nvswitch1")
    two, three = (2, 200 * GBIT, 200 * NS), (3, 200 * GBIT, 200 * NS)
    assert wires(system) == {
        ("gpu0", "nvswitch0"): two,
        ("gpu0", "nvswitch1"): three,
        ("gpu1", "nvswitch0"): two,
        ("gpu1", "nvswitch1"): three,
    }
    assert system.networks[0].kind == "nvlink"
    text = "\n".join(system.notes())
    assert "PCIe leads to NICs only" in text
    assert "1 NICs (<net>): 1 per accelerator, at 100 Gbit/s each behind PCIe" in text
    assert "<c2c> links are left out" in text
    assert "no latency of switches" in text


def test_nccl_leaves_pcie_out_where_accelerators_may_forward(tmp_path: Path) -> None:
    ring = [f"0000:c{i}:00.0" for i in range(4)]
    gpus = "".join(
        f'<pci busid="{bus}" class="0x038000" link_speed="16.0 GT/s PCIe" link_width="16"><gpu dev="{i}" rank="{i}">'
        + "".join(f'<xgmi target="{ring[(i + d) % 4]}" count="1" tclass="0x038000"/>' for d in (1, 3))
        + "</gpu></pci>"
        for i, bus in enumerate(ring)
    )
    (tmp_path / "ring.xml").write_text(f'<system version="2"><cpu numaid="0">{gpus}</cpu></system>')
    given: dict[str, Any] = {"link_rate": "50 GB/s", "link_latency": "100 ns", "switch_latency": "150 ns"}
    system = System.from_file(tmp_path / "ring.xml", forwarding=True, **given)
    assert set(wires(system)) == {("gpu0", "gpu1"), ("gpu1", "gpu2"), ("gpu2", "gpu3"), ("gpu0", "gpu3")}
    spec = system.networks[0].spec
    assert graph_of(spec).forwarding == 0
    assert spec.switches[0].latency_fs == 150 * NS
    assert "PCIe leads to NICs only: NVLink or xGMI joins every pair, by accelerators that forward" in system.notes()
    result = sn.simulate(system, "all_reduce", size="1 MiB", algorithm="ring")
    assert any("by accelerators that forward" in text for text in result.warnings)
    # without being asked, PCIe joins those that xGMI does not
    assert "cpu0" in System.from_file(tmp_path / "ring.xml", **given).networks[0].names
    # and without any PCIe they forward, which a note says
    bare = sn.Graph(accelerators=["a", "b", "c"], edges=[("a", "b"), ("b", "c")], rate="1 GB/s", latency="1 ns")
    result = sn.simulate(System("x").scale_up(count=3, fabric=bare), "all_gather", size="3 KiB")
    assert any(
        "accelerators forward: there are no switches, and no edge joins 'a' and 'c'" in w for w in result.warnings
    )


def test_rccl_keeps_pcie_where_xgmi_does_not_join_all() -> None:
    rates = {"xgmi": "50 GB/s", "cpu": "100 GB/s"}
    latencies = {"xgmi": "100 ns", "pci": "300 ns", "cpu": "400 ns"}
    system = System.from_file(DATA / "xgmi.xml", link_rate=rates, link_latency=latencies, switch_latency="150 ns")
    gen4 = 16 * GBIT * 16 * 128 // 130
    assert wires(system) == {
        ("gpu0", "gpu1"): (2, 400 * GBIT, 100 * NS),
        ("gpu0", "pci 0000:c0:00.0"): (1, gen4, 300 * NS),
        ("gpu1", "pci 0000:c0:00.0"): (1, gen4, 300 * NS),
        ("pci 0000:c0:00.0", "cpu0"): (1, 32 * GBIT * 16 * 128 // 130, 300 * NS),
        ("gpu2", "cpu1"): (1, 5 * GBIT * 8 * 8 // 10, 300 * NS),
        ("cpu0", "cpu1"): (1, 800 * GBIT, 400 * NS),
    }
    assert {s.latency_fs for s in system.to_spec().networks[0].switches} == {150 * NS}


@pytest.mark.parametrize(
    ("speed", "width", "gbps"),
    [("2.5 GT/s PCIe", "4", 8), ("8.0 GT/s PCIe", "16", 126.03), ("32.0 GT/s", "16", 504.12), ("64 GT/s", "16", 968)],
)
def test_rates_of_pcie(speed: str, width: str, gbps: float) -> None:
    assert pci_rate(speed, width, "x") / GBIT == pytest.approx(gbps, rel=1e-4)


def test_astra() -> None:
    system = System.from_file(DATA / "astra.yml", hints=DATA / "astra_system.json")
    inner, outer = system.to_spec().networks
    assert inner.topology == TorusShape(dims=[4, 3], wrap=[True, True])
    assert [link.rate for link in inner.links] == [100 * 2**30 * 8, 50 * 2**30 * 8]
    assert [link.latency_fs for link in inner.links] == [100 * NS, 250_500_000]
    assert outer.topology == Clos(down=[24], up=[1], parallel=[1])
    assert outer.links[0].rate == 12 * 2**30 * 8 + 2**32
    assert outer.span == system.accelerators == 24
    text = "\n".join(system.notes())
    assert "all_reduce as ring, direct, halvingDoubling" in text
    assert "scheduling-policy, active-chunks-per-dimension have no effect" in text
    assert "one switch here" in text


def test_astra_full_mesh_and_single_switch(tmp_path: Path) -> None:
    def read(text: str) -> Any:
        (tmp_path / "n.yml").write_text(text)
        return System.from_file(tmp_path / "n.yml").to_spec().networks[0].topology

    assert read("topology: [Switch]\nnpus_count: [8]\nbandwidth: [400.0]\nlatency: [936.25]") == Clos([8], [1], [1])
    full = "topology: [Ring, FullyConnected]\nnpus_count: [2, 8]\nbandwidth: [1, 1]\nlatency: [1, 1]"
    assert read(full) == FullMeshShape([2, 8])


def test_ns3() -> None:
    system = System.from_file(DATA / "ns3.txt")
    assert system.networks[0].names == ("0", "1", "2", "3", "4")
    assert wires(system) == {
        ("0", "3"): (1, 200 * GBIT, 500 * NS),
        ("1", "3"): (1, 200 * GBIT, 500 * NS),
        ("2", "4"): (1, 100 * GBIT, 1000 * NS),
        ("3", "4"): (1, 400 * GBIT, 2000 * NS),
    }
    assert "the error rates of 1 links have no effect" in system.notes()


def test_simai_servers_are_a_network_of_their_own() -> None:
    system = System.from_file(DATA / "simai.txt")
    inner, outer = system.to_spec().networks
    assert (inner.span, outer.span) == (2, 4)
    assert wires(system) == {
        ("gpu0", "nvswitch0"): (1, 2400 * GBIT, 25 * NS),
        ("gpu1", "nvswitch0"): (1, 2400 * GBIT, 25 * NS),
    }
    assert len(wires(system, 1)) == 6
    assert wires(system, 1)["6", "8"] == (1, 400 * GBIT, 500 * NS)
    assert [n.kind for n in system.networks] == ["nvlink", "net"]


def test_simai_servers_that_differ_stay_one_network(tmp_path: Path) -> None:
    text = (DATA / "simai.txt").read_text().replace("3 5 2400Gbps", "3 5 1200Gbps")
    (tmp_path / "t.txt").write_text(text)
    system = System.from_file(tmp_path / "t.txt")
    assert len(system.networks) == 1
    assert any("they are not all wired alike" in note for note in system.notes())


def test_htsim() -> None:
    system = System.from_file(DATA / "three_tier.topo", payload=4096)
    spec = system.to_spec().networks[0]
    assert spec.topology == Clos(down=[4, 2, 2], up=[1, 1, 2], parallel=[1, 2, 1])
    assert [(link.rate // GBIT, link.latency_fs // NS) for link in spec.links] == [(100, 500), (200, 800), (400, 1000)]
    assert [s.latency_fs // NS for s in spec.switches] == [200, 300, 400]
    assert system.accelerators == 16
    assert [n for n in system.notes() if "queue" in n]


def test_infragraph() -> None:
    system = System.from_file(DATA / "infragraph.yaml", link_rate={"bus": "63 GB/s"}, link_latency={"bus": "300 ns"})
    spec = system.to_spec().networks[0]
    found = wires(system)
    assert system.label == "two hosts"
    assert spec.span == 8
    assert graph_of(spec).switches == 2 * (2 + 2) + 1
    assert found["host.0.gpu.3", "host.0.chip.1"] == (1, 200 * GBIT, 85 * NS)
    assert found["host.1.gpu.0", "host.1.card.0.bridge.0"] == (1, 504 * GBIT, 300 * NS)
    assert found["host.1.card.1.bridge.0", "leaf.0.asic.0"] == (2, 400 * GBIT, 500 * NS)
    assert len(found) == 2 * (8 + 4 + 2)
    text = "\n".join(system.notes())
    assert "16 ports are parts of what they lead to" in text
    assert "2 components that lead nowhere are left out" in text


def networkx_pair(directed: bool) -> Any:
    graph: Any = nx.DiGraph(name="pair") if directed else nx.MultiGraph(name="pair")
    graph.add_node(0, kind="gpu")
    graph.add_node("b", type="NPU")
    graph.add_node("s", kind="switch", latency="100 ns", radix=8)
    edges = [(0, "s"), ("b", "s")]
    for a, b in [*edges, *((b, a) for a, b in edges)] if directed else [*edges, edges[0]]:
        graph.add_edge(a, b, rate="400 Gbit/s", latency="500 ns")
    return graph


@pytest.mark.parametrize("directed", [False, True])
def test_networkx(directed: bool) -> None:
    system = System.from_graph(networkx_pair(directed))
    host = 1 if directed else 2
    assert system.label == "pair"
    assert wires(system) == {("0", "s"): (host, 400 * GBIT, 500 * NS), ("b", "s"): (1, 400 * GBIT, 500 * NS)}


def test_rustworkx() -> None:
    graph: Any = rx.PyGraph()
    gpu, chip = graph.add_node({"name": "g", "kind": "gpu"}), graph.add_node("s")
    other = graph.add_node("h")
    graph.add_edge(gpu, chip, {"rate": "1 GB/s"})
    graph.add_edge(other, chip, None)
    system = System.from_graph(graph, accelerators=["h", "g"], link_rate="2 GB/s", link_latency="1 us", name="mine")
    assert system.label == "mine"
    assert wires(system) == {("g", "s"): (1, 8 * GBIT, 1000 * NS), ("h", "s"): (1, 16 * GBIT, 1000 * NS)}
    assert system.networks[0].names == ("h", "g", "s")


def test_graphs_of_no_known_library() -> None:
    for thing in ({"a": "b"}, nx.Graph, 3):
        with pytest.raises(SpecError, match=r"is not a graph|is a class"):
            System.from_graph(thing)


GIVEN: dict[str, dict[str, Any]] = {
    "nvswitch.xml": {"link_rate": "25 GB/s", "link_latency": "200 ns"},
    "xgmi.xml": {"link_rate": "25 GB/s", "link_latency": "200 ns"},
    "infragraph.yaml": {"link_rate": "25 GB/s", "link_latency": "200 ns"},
}

# (file, text there, text instead, error, what it says)
BAD: list[tuple[str, str, str, type[Exception], str]] = [
    ("pods.graphml", "</graphml>", "", SpecError, "line 25: not valid XML"),
    ("pods.graphml", "<graphml ", "<!DOCTYPE x><graphml ", SpecError, "document types"),
    (
        "pods.graphml",
        '<data key="l">500 ns</data></edge>',
        "</edge>",
        FabricError,
        "edge 'a' - 'left' has no latency; give link_latency=",
    ),
    (
        "pods.graphml",
        "<default>400 Gbit/s</default>",
        "",
        FabricError,
        "edge 'a' - 'left' has no rate; give link_rate=",
    ),
    ("pods.graphml", "400 Gbit/s", "400", FabricError, "edge 'a' - 'left': rate 400 has no unit"),
    ("pods.graphml", "400 Gbit/s", "400 GBit/s", UnitError, "rate of edge 'a' - 'left': unknown unit 'GBit/s'"),
    ("pods.graphml", '"undirected"', '"directed"', FabricError, "links lead from 'a' to 'left' and 0"),
    (
        "pods.graphml",
        '<data key="p">4',
        '<data key="p">3',
        FabricError,
        "switch 'left' has 4 links, more than its radix of 3",
    ),
    ("pods.graphml", 'target="left"', 'target="lift"', FabricError, "ends at 'lift'"),
    (
        "pods.graphml",
        '<data key="x">2<',
        '<data key="x">1099511627776<',
        FabricError,
        "count of edge 'left' - 'right' is 1099511627776",
    ),
    ("pods.graphml", '<data key="k">leaf', '<data key="k">tree', FabricError, "vertex 'left' has kind 'tree'"),
    ("pods.graphml", '<data key="n">3', '<data key="n">2', FabricError, "vertex 'd' has rank 2; ranks must be 0 to 3"),
    ("pods.graphml", 'key="t"', 'key="q"', SpecError, "key 'q' is not declared"),
    ("pods.graphml", '<node id="d">', '<node id="a">', FabricError, "the name 'a' is given twice"),
    ("nvswitch.xml", 'version="1"', 'version="3"', SpecError, "version '3' of <system> is not known"),
    ("nvswitch.xml", "</system>", "", SpecError, "line 27: not valid XML"),
    ("nvswitch.xml", 'count="2"', 'count="many"', FabricError, "gpu1: the count of <nvlink> to 0000:c1:00.0 is 'many'"),
    ("nvswitch.xml", 'rank="0"', 'rank="1"', SpecError, "several <gpu> have the rank or dev '1'"),
    ("astra.yml", "npus_count", "npu_count", SpecError, "unknown key 'npu_count'; did you mean 'npus_count'"),
    ("astra.yml", "4, 3, 2", "4, 3", SpecError, "npus_count has 2 entries for 3 dimensions"),
    ("astra.yml", "4, 3, 2", "4, 3, 1", FabricError, "npus_count has a dimension of 1"),
    ("astra.yml", "4, 3, 2", "4, 3, 1099511627776", FabricError, "npus_count of dimension 2 is 1099511627776"),
    ("astra.yml", "Ring,", "Rong,", SpecError, "unknown topology 'Rong'; did you mean 'Ring'"),
    ("astra.yml", "Ring, F", "Switch, F", FabricError, "dimension 1 is FullyConnected outside of Switch"),
    ("astra.yml", "latency: [ 100,", "latency: [ 0,", FabricError, "dimension 0 has no latency; give link_latency="),
    ("astra.yml", "50, 12.5 ]", "50, 12.5", SpecError, "line 5: not valid YAML"),
    ("astra.yml", "bandwidth: [ 100.0, 50, 12.5 ]", "", SpecError, "bandwidth is None"),
    ("ns3.txt", "3 4 400Gbps 0.002ms 0\n", "", SpecError, "line 5: the file ends after 3 of 4 links"),
    ("ns3.txt", "5 2 4", "1099511627776 2 4", SizeOverflowError, "line 1: 1099511627776 vertices are too many"),
    ("ns3.txt", "3 4\n0", "3 x\n0", SpecError, "line 2: number of a switch is 'x'"),
    ("ns3.txt", "5 2 4", "5 5 4", FabricError, "no accelerators are left"),
    ("ns3.txt", "2 4 100Gbps", "2 7 100Gbps", FabricError, "edge '2' - '7' ends at '7'"),
    ("ns3.txt", "2 4 100Gbps 0.001ms 0.000001", "2 4", FabricError, "line 5 has no rate; give link_rate="),
    ("simai.txt", "9 2 2 3 10 A100", "9 2 2 3 10", SpecError, "type of the accelerator is missing"),
    (
        "three_tier.topo",
        "Podsize 8",
        "Podsize 4",
        FabricError,
        "tier 1: 4 x 2 hosts under its switches are not the podsize 4",
    ),
    ("three_tier.topo", "Nodes 16", "Nodes 1099511627776", FabricError, "1099511627776"),
    ("three_tier.topo", "Bundle 2", "Bundle 3", FabricError, "is not a multiple of the bundle 3 of tier 1"),
    (
        "three_tier.topo",
        "Radix_Up 2",
        "Radix_Upp 2",
        SpecError,
        "line 9: unknown key 'Radix_Upp'; did you mean 'radix_up'",
    ),
    ("three_tier.topo", "Downlink_Latency_ns 500", "", SpecError, "tier 0 has no downlink_latency_ns"),
    (
        "three_tier.topo",
        "Oversubscribed 2",
        "Oversubscribed 1",
        FabricError,
        "tier 0: radix_down / radix_up is 4 / 2, not 1 to 1",
    ),
    (
        "infragraph.yaml",
        "count: 2}\n- {name: leaf",
        "count: 1099511627776}\n- {name: leaf",
        SizeOverflowError,
        "instance 'host': count is 1099511627776",
    ),
    (
        "infragraph.yaml",
        "{name: bridge, count: 1, choice: custom, custom: {type: bridge}}",
        "{name: host, count: 1, choice: device}",
        SpecError,
        "device 'host' is part of itself: host has card has host",
    ),
    ("infragraph.yaml", "choice: xpu", "choice: cpu", FabricError, "no component of kind xpu"),
    ("infragraph.yaml", "gpu[2:4]", "gpu[2:5]", FabricError, r"endpoint 'gpu\[2:5\]': \[2:5\] goes beyond the 4"),
    ("infragraph.yaml", "link: ethernet", "link: internet", SpecError, "unknown link 'internet'"),
    (
        "infragraph.yaml",
        "instance: host,",
        "instance: hast,",
        SpecError,
        "unknown instance 'hast'; did you mean 'host'",
    ),
    ("infragraph.yaml", "name: two hosts", "name: two hosts\ncolour: red", SpecError, "unknown field `colour`"),
]


@pytest.mark.parametrize(("file", "old", "new", "kind", "says"), BAD, ids=lambda v: str(v)[:30])
def test_bad_files_name_the_place(
    file: str, old: str, new: str, kind: type[Exception], says: str, tmp_path: Path
) -> None:
    text = (DATA / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(kind, match=f"^{file}: .*{says}"):
        System.from_file(tmp_path / file, **GIVEN.get(file, {}))


def test_what_a_format_cannot_say_is_named() -> None:
    with pytest.raises(FabricError, match=r"nvswitch.xml: nvlink gpu0 - nvswitch0 has no rate; give link_rate="):
        System.from_file(DATA / "nvswitch.xml")
    with pytest.raises(FabricError, match=r"nvlink gpu0 - nvswitch0 has no latency; give link_latency={'nvlink': ...}"):
        System.from_file(DATA / "nvswitch.xml", link_rate="25 GB/s", link_latency={"pci": "1 ns"})
    with pytest.raises(SpecError, match="unknown link of link_rate 'nvlnk'; did you mean 'nvlink'"):
        System.from_file(DATA / "nvswitch.xml", link_rate={"nvlnk": "25 GB/s"})
    with pytest.raises(FabricError, match=r"link 'bus' has no rate"):
        System.from_file(DATA / "infragraph.yaml", link_latency="1 ns")


def test_files_of_no_known_format(tmp_path: Path) -> None:
    def read(name: str, text: str, **options: Any) -> System:
        (tmp_path / name).write_text(text)
        return System.from_file(tmp_path / name, **options)

    with pytest.raises(SpecError, match=r"its format cannot be told; .* toml, graphml, .*, infragraph-json$"):
        read("a.txt", "hello world")
    with pytest.raises(SpecError, match="its format cannot be told"):
        read("a.xml", "<html></html>")
    with pytest.raises(SpecError, match="give it as hints="):
        read("a.json", (DATA / "astra_system.json").read_text())
    with pytest.raises(SpecError, match="logical topology of ns-3"):
        read("b.json", '{"logical-dims": ["8"]}')
    with pytest.raises(SpecError, match="is written only"):
        read("a.dot", "graph {}")
    with pytest.raises(SpecError, match="unknown format 'graphxml'; did you mean 'graphml'"):
        read("a.txt", "x", format="graphxml")
    with pytest.raises(SpecError, match="the root element is <graphml>, not NCCL"):
        System.from_file(DATA / "pods.graphml", "nccl")
    with pytest.raises(SpecError, match="does not exist"):
        System.from_file(tmp_path / "missing.xml")
    with pytest.raises(SpecError, match="is a directory"):
        System.from_file(tmp_path)
    with pytest.raises(SpecError, match="says everything itself"):
        System.from_file(DATA / "graph.toml", link_latency="1 ns")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        System.from_file(tmp_path / "c.txt")


def test_aliases_of_yaml_do_not_grow(tmp_path: Path) -> None:
    text = "a: &a [1, 1]\nb: &b [*a, *a]\nnpus_count: [*b, *b]\n"
    (tmp_path / "n.yml").write_text(text)
    with pytest.raises(SpecError, match="aliases"):
        System.from_file(tmp_path / "n.yml")


FILES = [file.name for file in sorted(DATA.iterdir()) if file.name != "astra_system.json"]
TOKENS = [
    "",
    '"',
    "<",
    ">",
    "[",
    "]",
    "{",
    "}",
    ":",
    "-1",
    "0",
    "1e400",
    "nan",
    "null",
    "9" * 25,
    "$",
    "\0",
    "\n",
    "*a",
]


@given(data=st.data(), file=st.sampled_from(FILES))
@settings(max_examples=80)
def test_damaged_files_are_errors_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, file: str
) -> None:
    text = (DATA / file).read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.sampled_from([start, start + 1, start + 20, len(text)]))
        text = text[:start] + data.draw(st.sampled_from(TOKENS)) + text[end:]
    target = tmp_path_factory.mktemp("files", numbered=True) / file
    target.write_text(text)
    try:
        System.from_file(target, **GIVEN.get(file, {})).to_toml()
    except SupernodeError as error:
        assert str(error).startswith(file) or file == "graph.toml"


def test_system_files_are_read_as_well() -> None:
    assert System.from_file(DATA / "graph.toml") == System.load(DATA / "graph.toml")


def test_what_is_not_installed_and_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(SpecError, match=r"astra.yml: YAML needs PyYAML: pip install 'supernode\[yaml\]'"):
        System.from_file(DATA / "astra.yml")
    with pytest.raises(SpecError, match=r"or write \.json"):
        System.from_file(DATA / "pods.graphml").save(DATA / "never.yaml")
    monkeypatch.setattr("supernode.files.text.MAX_BYTES", 100)
    with pytest.raises(SizeOverflowError, match=r"pods.graphml: \d+ bytes are too many; at most 100"):
        System.from_file(DATA / "pods.graphml")


def test_ns3_reads_words_and_not_lines(tmp_path: Path) -> None:
    body = (DATA / "ns3.txt").read_text().split("\n", 1)[1]
    (tmp_path / "more.txt").write_text(f"5 2 4 77 8\n{body}")
    system = System.from_file(tmp_path / "more.txt")
    assert wires(system) == wires(System.from_file(DATA / "ns3.txt"))
    assert "line 1: '77', '8' after the first 3 words are left out" in system.notes()
    # numbers of switches on lines of their own, and a link from a switch to itself
    (tmp_path / "own.txt").write_text(
        "4 2 4\n2\n3\n0 2 1Gbps 1us 0\n1 3 1Gbps 1us 0\n3 3 1Gbps 1us 0\n2 3 1Gbps 1us 0\n"
    )
    system = System.from_file(tmp_path / "own.txt")
    assert set(wires(system)) == {("0", "2"), ("1", "3"), ("2", "3")}
    assert "links from a vertex to itself are left out: '3'" in system.notes()


def test_simai_with_links_beside_the_nvswitch(tmp_path: Path) -> None:
    wired = [f"{i} 4 800Gbps 0.001ms 0" for i in range(4)]
    direct = ["3 0 200Gbps 0.002ms 0", "3 1 200Gbps 0.002ms 0"]
    (tmp_path / "mixed.txt").write_text("\n".join(["5 4 1 0 6 A800", "4", *wired, *direct]))
    system = System.from_file(tmp_path / "mixed.txt")
    assert system.networks[0].kind == "nvlink"
    chip = (1, 800 * GBIT, 1000 * NS)
    beside = (1, 200 * GBIT, 2000 * NS)
    assert wires(system) == {
        **{(f"gpu{i}", "nvswitch0"): chip for i in range(4)},
        ("gpu3", "gpu0"): beside,
        ("gpu3", "gpu1"): beside,
    }
    # without a link of 3 to the NVSwitch 0 and 1 pass on what is for it
    (tmp_path / "apart.txt").write_text("\n".join(["5 4 1 0 5 A800", "4", *wired[:3], *direct]))
    system = System.from_file(tmp_path / "apart.txt")
    assert "accelerators forward: no path through switches joins '2' and '3'" in system.notes()
    assert graph_of(system.networks[0].spec).forwarding is not None
    assert sn.all_reduce(system, size="1 MiB", algorithm="ring").time_ns > 0
    with pytest.raises(FabricError, match="no path through switches joins '2' and '3'"):
        System.from_file(tmp_path / "apart.txt", forwarding=False)
