"""Pictures of systems: every preset, every number, nothing clipped or on top of something else."""

import itertools
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

import supernode as sn
from conftest import star
from supernode.errors import SpecError
from supernode.picture import Figure
from supernode.picture.build import compose
from supernode.picture.layout import render
from supernode.picture.model import Picture, number, plural, shown
from supernode.picture.svg import text_width, wrap
from supernode.spec import DeviceSpec, LinkSpec, NetworkSpec, SwitchSpec, SystemSpec, TorusShape
from supernode.system import System

GB = 8 * 10**9
SVG = "{http://www.w3.org/2000/svg}"
NAMES = [*sn.systems(), "nvl72:4", "hpn7:7", "hgx-h100:3"]


class GraphShape(msgspec.Struct, frozen=True, tag_field="kind", tag="graph"):
    switches: int
    edges: list[tuple[int, int, int, int]]
    switch_kinds: list[int]


class OtherShape(msgspec.Struct, frozen=True, tag_field="kind", tag="moebius"):
    pass


def parse(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parse(svg).iter(f"{SVG}text")]


def boxes(svg: str) -> list[tuple[float, float, float, float, str]]:
    """Left, top, right and bottom of each line of text, with an estimate of its width that is none of the package's."""
    found = []
    for e in parse(svg).iter(f"{SVG}text"):
        x, y, size, words = float(e.attrib["x"]), float(e.attrib["y"]), float(e.attrib["font-size"]), e.text or ""
        narrow = sum(c in " .,:;'|ijltfrI()/" for c in words)
        width = size * ((len(words) - narrow) * 0.6 + narrow * 0.33)
        found.append((x, y - 0.75 * size, x + width, y + 0.22 * size, words))
    return found


def check_places(svg: str) -> None:
    root = parse(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    lines = boxes(svg)
    assert lines
    for left, top, right, bottom, words in lines:
        assert left >= 0, words
        assert top >= 0, words
        assert right <= width, words
        assert bottom <= height, words
    for a, b in itertools.combinations(lines, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (a[4], b[4])
    # no link runs through text
    for e in root.iter(f"{SVG}path"):
        if "C" in e.attrib["d"] or "H" in e.attrib["d"]:
            continue
        points = [tuple(map(float, p.split(","))) for p in e.attrib["d"][1:].split("L")]
        for (ax, ay), (bx, by) in itertools.pairwise(points):
            for k in range(101):
                x, y = ax + (bx - ax) * k / 100, ay + (by - ay) * k / 100
                hit = [t[4] for t in lines if t[0] < x < t[2] and t[1] < y < t[3]]
                assert not hit, hit


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {name: System.preset(name).plot() for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_clipped_or_hidden(figures: dict[str, Figure], name: str) -> None:
    svg = figures[name].svg
    check_places(svg)
    assert len(svg) < 60_000
    assert name in texts(svg)


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_core(figures: dict[str, Figure], name: str) -> None:
    info = sn.show(name)
    counts, words = info.counts(), " ".join(texts(figures[name].svg)) + " "
    assert f"{info.spec.device.name}: {counts['accelerators']:,} " in words
    assert f"{counts['links']:,} links" in words
    assert f" {plural(counts['accelerator_ports'], 'port')} each" in words
    assert f"injection {number(sum(n['injection_gbytes_s'] for n in counts['networks']))} GB/s" in words
    for net in counts["networks"]:
        assert f"joins {net['span']:,} accelerators" in words
        assert f"bisection {number(net['bisection_gbytes_s'])} GB/s" in words
        for level in net["levels"]:
            assert f"{level['links']:,} links" in words
            if level["switches"]:
                assert f"switches: {level['switches']:,} " in words
                listed = re.search(rf"switches: {level['switches']:,} .*?ports: ([\d,]+)", words)
                assert listed
            else:
                assert f" {plural(level['ports'], 'port')} of {number(level['link_gbytes_s'])} GB/s" in words


@pytest.mark.parametrize("name", NAMES)
def test_factors_multiply_to_the_number_of_switches(figures: dict[str, Figure], name: str) -> None:
    lines = texts(figures[name].svg)
    for heading, factors in itertools.pairwise(lines):
        if (total := re.fullmatch(r"(?:\w+ )?switches: ([\d,]+)", heading)) and "\N{MULTIPLICATION SIGN}" in factors:
            product = 1
            for part in factors.split("\N{MULTIPLICATION SIGN}"):
                product *= int(part.split()[0].replace(",", ""))
            assert product == int(total[1].replace(",", "")), (heading, factors)


def test_levels_of_the_supercluster(figures: dict[str, Figure]) -> None:
    words = texts(figures["atlas950-supercluster"].svg)
    for line in (
        "rack \N{MULTIPLICATION SIGN} 128",
        "clos \N{MULTIPLICATION SIGN} 64",
        "pod \N{MULTIPLICATION SIGN} 32",
        "core switches: 4,096",
        "2 planes \N{MULTIPLICATION SIGN} 32 pods \N{MULTIPLICATION SIGN} 128",
        "ports: 128 = 64 down + 64 up",
        "oversubscription 1:1",
        "dimension 1: full mesh of 8",
        "injection 1,108 GB/s = 784 rack + 224 clos + 100 scale_out",
        "1,048,576 links of 50 GB/s, 1.5 us, optics",
        "optics",
        "copper",
    ):
        assert line in words, line


def test_oversubscription_reduction_and_assumptions(figures: dict[str, Figure]) -> None:
    pod = texts(figures["hpn7"].svg)
    assert "oversubscription 1.07:1" in pod  # 128 x 200 Gbit/s down, 60 x 400 Gbit/s up
    assert "reduces in the network" in pod
    assert "switch that reduces in the network" in pod
    assumed = len(System.preset("hpn7").unpublished)
    assert any(line.startswith(f"{assumed} parameters are assumed or unknown") for line in pod)
    assert any(line.startswith("Drawn by supernode.") for line in pod)
    assert "switch that reduces in the network" not in texts(figures["cloudmatrix384"].svg)
    part = texts(figures["panjiu-al128"].svg)
    # 16 NICs on each leaf of radix 512, and as many uplinks
    assert "ports: 32 = 16 down + 16 up" in part
    assert "oversubscription 1:1" in part


def test_direct_networks_are_drawn_as_what_they_are(figures: dict[str, Figure]) -> None:
    torus = figures["tpu-v4"].svg
    assert [t for t in texts(torus) if t.startswith("dimension")] == [f"dimension {i}: ring of 16" for i in (1, 2, 3)]
    assert "dimension 3: line of 4" in texts(figures["sd200"].svg)
    board = figures["gh200"].svg
    assert "6 parallel links a pair" in texts(board)
    # six pairs of accelerators with six links each, and one in the legend
    assert board.count("<path") == 37


def own() -> System:
    gpu = sn.Device("gpu", hbm="8 TB/s")
    return (
        sn.System("my-pod")
        .scale_up(gpu, count=4, fabric=sn.FullMesh(dims=(4,), bandwidth="50 GB/s", latency="200 ns", medium="package"))
        .scale_up(
            count=64, fabric=sn.Switched(planes=18, bandwidth="50 GB/s", latency="350 ns", in_network_reduce=True)
        )
        .scale_up(count=1024, fabric=sn.Torus(dims=(16, 64), bandwidth="50 GB/s", latency="350 ns", medium="LPO"))
        .scale_out(sn.FatTree(radix=64, link="400 Gbit/s", oversubscription=2, medium="CPO"), nics_per_device=2)
        .replicate(64)
    )


def odd() -> list[System]:
    mesh = sn.Mesh(dims=(2, 3, 4, 5, 40, 1), bandwidth="50 GB/s", latency="350 ns", links=4)
    tree = sn.FatTree(radix=64, link="400 Gbit/s", oversubscription="3:1", rails=8)
    return [
        star(1),
        star(3, planes=40),
        sn.System("flat").scale_out(tree, count=8192),
        sn.System("a name that goes on " * 12).scale_up(sn.Device("A" * 90), count=4800, fabric=mesh),
        sn.System("<&\x00\n>").scale_up(sn.Device("超节点" * 30), count=8, fabric=sn.Switched(
            bandwidth="1 Gbit/s", latency="1 ns", medium="<wet string>")),
    ]  # fmt: skip


@pytest.mark.parametrize("system", [own(), *odd()], ids=lambda s: ascii(s.name)[:12])
def test_own_systems(system: System) -> None:
    figure = system.plot()
    check_places(figure.svg)
    assert figure.png(scale=1).startswith(b"\x89PNG")


def test_nesting_of_four_networks() -> None:
    words = texts(own().plot().svg)
    for line in (
        "900 GB/s into scale_up_2",
        "200 GB/s into scale_up_3",
        "100 GB/s into scale_out",
        "dimension 2: ring of 64",
    ):
        assert line in words
    assert {"co-packaged optics", "linear optics", "on package", "medium not given"} <= set(words)


def test_the_same_bytes_each_time() -> None:
    for name in ("nvl72", "atlas960-supercluster"):
        first, second = System.preset(name).plot(), System.preset(name).plot()
        assert first.svg == second.svg
        assert first.png() == second.png()


def test_files(tmp_path: Path, figures: dict[str, Figure]) -> None:
    figure = figures["nvl72"]
    assert figure.save(tmp_path / "new" / "x.svg").read_text() == figure.svg
    png = figure.save(tmp_path / "x.PNG", scale=1).read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert 10_000 < len(png) < 500_000
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    assert (abs(width - figure.width) < 2, abs(height - figure.height) < 2) == (True, True)
    for path in ("x.pdf", "x", "svg"):
        with pytest.raises(SpecError, match=r"\.svg, \.png"):
            figure.save(tmp_path / path)
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(SpecError, match="directory"):
        figure.save(tmp_path / "folder.svg")


@pytest.mark.parametrize("scale", [0, -1, 1e9, float("nan"), float("inf"), "2", None, True])
def test_scales_that_make_no_picture(figures: dict[str, Figure], scale: Any) -> None:
    with pytest.raises(SpecError, match="scale"):
        figures["nvl72"].png(scale=scale)


def test_notebooks() -> None:
    system = System.preset("hgx-h100")
    assert "<svg" in system._repr_html_()
    assert "<style" not in system._repr_html_()
    assert system.plot()._repr_svg_() == system.plot().svg
    page = sn.show("hgx-h100")._repr_html_()
    assert "<svg" in page
    assert "<details>" in page
    unfinished = sn.System("<later>")._repr_html_()
    assert unfinished.startswith("<pre>")
    assert "&lt;later&gt;" in unfinished
    table = sn.all_reduce(star(4), size="1 KiB")._repr_html_()
    parse(f"<div>{table}</div>")
    assert "all_reduce of 1,024 B" in table


@pytest.mark.parametrize("name", ["cloudmatrix384", "atlas950-supercluster"])
def test_pictures_of_the_documentation_are_up_to_date(figures: dict[str, Figure], name: str) -> None:
    path = Path(__file__).parents[1] / "docs" / "pictures" / f"{name}.svg"
    assert path.read_text() == figures[name].svg, f"supernode plot {name} -o docs/pictures/{name}.svg"


def graph(span: int, shape: Any, inner: int = 0) -> Picture:
    """A picture of a network by its edges, with counts as the core would give them, around rings if asked for."""
    links = [LinkSpec(50 * GB, 250 * 10**6, "copper"), LinkSpec(25 * GB, 500 * 10**6, "optics")]
    switches = [SwitchSpec(10**8), SwitchSpec(3 * 10**8, cut_through=False, in_network_reduce=True)]
    net = NetworkSpec("g", span, shape, [1], links, switches, 4096, 0)
    spec = SystemSpec("graph", span, DeviceSpec("gpu"), [net])
    described = {
        "name": "g",
        "copies": 1,
        "bisection_gbytes_s": 1.0,
        "bisection_exact": False,
        "injection_gbytes_s": 100.0,
        "diameter_hops": 4,
    }
    described |= {"diameter_ns": 1000.0, "levels": []}
    counts = {"switches": getattr(shape, "switches", 0), "links": 1, "accelerator_ports": 2, "diameter_hops": 4}
    counts |= {"diameter_ns": 1000.0, "networks": [described]}
    if inner:
        ring = msgspec.structs.replace(
            net, name="ring", span=inner, topology=TorusShape([inner], [True]), links=links[:1], switches=switches[:1]
        )
        level = {"switches": 0, "ports": 2, "links": span}
        counts["networks"] = [described | {"name": "ring", "copies": span // inner, "levels": [level]}, described]
        spec = msgspec.structs.replace(spec, networks=[ring, net])
    return compose(spec, counts, "", ())


def test_a_small_graph_is_drawn_vertex_by_vertex() -> None:
    edges = [(i, 8 + i // 4, 0, 1) for i in range(8)] + [(2 * i, 2 * i + 1, 0, 2) for i in range(4)]
    edges += [(8, 10, 1, 2), (9, 10, 1, 2), (8, 9, 1, 1), (10, 11, 1, 1)]
    svg, _, _ = render(graph(8, GraphShape(4, edges, [0, 0, 0, 1])))
    check_places(svg)
    words = texts(svg)
    for line in (
        "2 switches, 1 from the accelerators",
        "1 switch, 3 from the accelerators",
        "8 links of 50 GB/s, 250 ns, copper",
        "among accelerators: 8 links of 50 GB/s, 250 ns, copper",
        "within: 1 link of 25 GB/s, 500 ns, optics",
        "reduces in the network",
    ):
        assert line in words, line
    # 16 edges, a plus in the switch and in the legend, two media in the legend
    assert svg.count("<path") == len(edges) + 4


def test_a_graph_around_other_networks() -> None:
    edges = [(i, 16 + i % 4, 0, 1) for i in range(16)] + [(0, 1, 1, 3)]
    svg, _, _ = render(graph(16, GraphShape(4, edges, [0, 1, 0, 1]), inner=8))
    check_places(svg)
    words = texts(svg)
    for line in (
        "4 switches, 1 from the accelerators",
        "2: 100 ns through one, cut-through",
        "among accelerators: 3 links of 25 GB/s, 500 ns, optics",
        "100 GB/s into g",
        "ring \N{MULTIPLICATION SIGN} 2",
    ):
        assert line in words, line


@pytest.mark.parametrize("switches", [0, 2])
def test_a_graph_of_accelerators_alone(switches: int) -> None:
    edges = [(i, i + 1, 0, 1) for i in range(15)]
    for inner in (0, 4):
        svg, _, _ = render(graph(16, GraphShape(switches, edges, []), inner=inner))
        check_places(svg)
        assert "among accelerators: 15 links of 50 GB/s, 250 ns, copper" in texts(svg)


def test_a_large_graph_is_collapsed_by_distance() -> None:
    n = 2000
    edges = [(i, n + i // 8, 0, 1) for i in range(n)]
    edges += [(n + j, n + 250 + k, 1, 1) for j in range(250) for k in range(10)]
    svg, _, _ = render(graph(n, GraphShape(261, edges, [0] * 261)))
    check_places(svg)
    assert len(svg) < 30_000
    words = texts(svg)
    assert "250 switches, 1 from the accelerators" in words
    assert "2,500 links of 25 GB/s, 500 ns, optics" in words
    assert "1 switch, joined to no accelerator" in words


def test_an_unknown_kind_of_topology() -> None:
    with pytest.raises(SpecError, match=r"moebius.*clos, torus, full_mesh and graph"):
        graph(8, OtherShape())


def test_text_is_broken_to_the_room_there_is() -> None:
    for text in ("one two three four five six", "W" * 80, "a " + "m" * 60 + " b"):
        lines = wrap(text, 12, 90)
        assert all(text_width(line, 12) <= 90 for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert shown(9) == tuple(range(9))
    assert shown(1_000_000) == (0, 1, 2, 3, 4, 5, None, 999_998, 999_999)
