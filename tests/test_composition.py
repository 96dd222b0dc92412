"""Units of accelerators that any fabric joins, and levels of fabrics inside one another."""

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import supernode as sn
from supernode.errors import FabricError, SpecError, SupernodeError
from supernode.fabric.base import Fabric
from supernode.spec import Clos, FullMeshShape, GraphShape, TorusShape
from supernode.system import System
from supernode.system.joins import ScaleOut

LINK: dict[str, Any] = {"bandwidth": "50 GB/s", "latency": "100 ns"}
BOARD = sn.Switched(bandwidth="100 GB/s", latency="50 ns", planes=2)
UNIT = 4

GRAPH = sn.Graph(
    accelerators=[f"gpu{i}" for i in range(16)],
    switches=["left", sn.SwitchNode("right", latency="90 ns", radix=64)],
    edges=[(f"gpu{i}", "left" if i < 8 else "right") for i in range(16)]
    + [sn.Edge("left", "right", rate="1 Tbit/s", latency="300 ns", count=2, weight=2, medium="optics")],
    rate="50 GB/s",
    latency="100 ns",
)

#: Fabrics that join four units of four, most of them sized from the number of units.
FABRICS: dict[str, Fabric] = {
    "switched": sn.Switched(planes=2, **LINK),
    "fat tree": sn.FatTree(radix=8, link="400 Gbit/s", rails=4, link_latency="1 ns", trunk_latency="2 ns"),
    "dragonfly": sn.Dragonfly(terminals=2, global_latency="500 ns", global_medium="optics", **LINK),
    "dragonfly, one group": sn.Dragonfly(terminals=2, routers=8, global_ports=1, **LINK),
    "dragonfly+": sn.DragonflyPlus(terminals=2, leaves=2, spines=2, global_ports=4, local_links=2, **LINK),
    "hyperx": sn.HyperX(dims=(2, None), terminals=2, links=[2, 1], dim_latency=["1 us", "200 ns"], **LINK),
    "hyperx, partly": sn.HyperX(dims=(None, 2), terminals=1, reach=[1, None], **LINK),
    "hypercube": sn.Hypercube(dimensions=None, terminals=4, radix=8, **LINK),
    "torus": sn.Torus(dims=(4, None), wrap=[True, False], **LINK),
    "mesh": sn.Mesh(dims=(2, 2, None), **LINK),
    "ring": sn.Ring(links=2, buffer=None, **LINK),
    "full mesh": sn.FullMesh(dims=(None, 4), **LINK),
    "graph": GRAPH,
}


def pod(fabric: Fabric, units: int = 4, ports: int = 1) -> System:
    unit = System("pod").scale_up(sn.Device("gpu", hbm="3 TB/s"), count=UNIT, fabric=BOARD)
    return unit.scale_out(fabric, nics_per_device=ports).replicate(units)


every = pytest.mark.parametrize("fabric", FABRICS.values(), ids=FABRICS)


@every
def test_collectives_run_over_units(fabric: Fabric) -> None:
    system = pod(fabric)
    assert system.accelerators == 16
    for collective in ("all_reduce", "all_gather", "all_to_all"):
        result = sn.simulate(system, collective, size="64 KiB", fidelity="packet", self_check=True)
        assert result.time_ns >= result.bound > 0


@every
def test_between_units_the_outer_network_is_all_there_is(fabric: Fabric) -> None:
    # One rank a unit: what joins the units decides alone, as if there were no units.
    flat = System("flat").scale_out(fabric, count=16, device=sn.Device("gpu", hbm="3 TB/s"))
    options: dict[str, Any] = {"size": "64 KiB", "placement": np.arange(4) * UNIT, "fidelity": "packet"}
    for collective, algorithm in (("all_reduce", "ring"), ("all_to_all", "direct")):
        times = [sn.simulate(s, collective, algorithm=algorithm, **options).time_fs for s in (pod(fabric), flat)]
        assert times[0] == times[1]


@every
def test_within_a_unit_it_has_no_effect(fabric: Fabric) -> None:
    alone = System("unit").scale_up(sn.Device("gpu", hbm="3 TB/s"), count=UNIT, fabric=BOARD)
    times = [sn.all_reduce(s, size="64 KiB", ranks=UNIT, algorithm="ring").time_fs for s in (pod(fabric), alone)]
    assert times[0] == times[1]


@every
def test_files_say_how_units_are_joined(fabric: Fabric, tmp_path: Path) -> None:
    system = pod(fabric)
    target = tmp_path / "pod.toml"
    assert system.save(target) == ()
    raw = tomllib.loads(target.read_text())
    jsonschema.Draft202012Validator(sn.system_schema()).validate(raw)
    loaded = System.load(target)
    assert loaded.to_spec() == system.to_spec()
    assert loaded.all_networks()[-1] == system.all_networks()[-1]
    assert (loaded.label, loaded.notes(), loaded.assumed()) == (system.label, system.notes(), system.assumed())
    assert loaded.to_toml() == system.to_toml()
    # the rule is what is kept, so that other numbers of units are joined by it as well
    if fabric is not GRAPH:
        other = pod(fabric, 8)
        assert loaded.replicate(8).to_spec().networks == other.to_spec().networks
    assert "nics_per_accelerator" in raw["scale_out"]


@every
def test_they_are_shown_drawn_and_written(fabric: Fabric, tmp_path: Path) -> None:
    system = pod(fabric)
    system.save(tmp_path / "pod.toml")
    text = str(sn.show(str(tmp_path / "pod.toml")))
    assert "scale_out" in text
    found = sn.inventory(system)
    assert found.accelerators == 16
    assert f"{found.links}" in text
    assert "scale_out" in system.plot().svg
    for name in ("x.graphml", "x.json", "x.dot"):
        assert any("become one graph" in line for line in system.save(tmp_path / name))
    if all(isinstance(n.spec.topology, Clos | GraphShape) for n in system.all_networks()):
        back = System.from_file(tmp_path / "x.graphml")
        assert (back.accelerators, sn.inventory(back).links, sn.inventory(back).switches) == (
            16,
            found.links,
            found.switches,
        )


SIZED: list[tuple[Fabric, int, Any]] = [
    (sn.Dragonfly(terminals=2, **LINK), 16, ("groups", 8)),
    (sn.DragonflyPlus(terminals=2, leaves=2, spines=3, global_ports=5, **LINK), 15, ("groups", 15)),
    (sn.HyperX(dims=(3, None), terminals=2, **LINK), 9, ("dims", [3, 6])),
    (sn.Hypercube(dimensions=None, terminals=2, **LINK), 8, ("dimensions", 4)),
    (sn.Torus(dims=(None, 2, 3), **LINK), 9, [6, 2, 3]),
    (sn.FullMesh(dims=(6, None), **LINK), 9, [6, 6]),
    (sn.Ring(**LINK), 9, [36]),
]


@pytest.mark.parametrize(("fabric", "units", "expected"), SIZED, ids=lambda v: type(v).__name__)
def test_what_is_left_open_follows_from_the_number(fabric: Fabric, units: int, expected: Any) -> None:
    network = pod(fabric, units).all_networks()[-1]
    assert network.spec.span == units * UNIT
    shape = network.spec.topology
    if isinstance(shape, TorusShape | FullMeshShape):
        assert shape.dims == expected
    else:
        assert network.form[expected[0]] == expected[1]


def test_ports_are_links() -> None:
    one, two = (sn.inventory(pod(FABRICS["dragonfly"], ports=ports)) for ports in (1, 2))
    assert two.links - one.links == 16
    assert pod(FABRICS["torus"], ports=3).to_spec().networks[1].planes == [3]


def test_families_nest(tmp_path: Path) -> None:
    system = (
        System("nest")
        .scale_up(count=2, fabric=sn.FullMesh(dims=(2,), **LINK))
        .scale_up(count=8, fabric=sn.Dragonfly(terminals=2, routers=2, global_ports=1, **LINK))
        .scale_up(count=16, fabric=sn.Torus(dims=(4, None), **LINK))
        .scale_out(sn.HyperX(dims=(None,), terminals=8, **LINK))
        .replicate(3)
    )
    assert [n.span for n in system.to_spec().networks] == [2, 8, 16, 48]
    system.save(tmp_path / "nest.toml")
    assert System.load(tmp_path / "nest.toml").to_spec() == system.to_spec()
    assert sn.all_to_all(system, size="48 KiB", fidelity="packet").time_ns > 0
    assert "nest" in system.plot().svg


WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: pod(sn.Dragonfly(terminals=3, **LINK)), FabricError, "groups joins 16 accelerators; nearest: 18$"),
    (lambda: pod(sn.Dragonfly(terminals=1, **LINK), 2), FabricError, "groups joins 8 accelerators; nearest: 6$"),
    (
        lambda: pod(sn.Dragonfly(terminals=2, groups=3, **LINK)),
        FabricError,
        "dragonfly of 3 groups .* joins 24 accelerators, not 16; leave groups open to join 16",
    ),
    (
        lambda: pod(sn.DragonflyPlus(terminals=3, leaves=2, spines=2, global_ports=2, groups=3, **LINK)),
        FabricError,
        "joins 18 accelerators, not 16; with groups left open it would join 12 and 18",
    ),
    (lambda: pod(sn.HyperX(dims=(3, None), terminals=2, **LINK)), FabricError, "6 along .* 12 and 18$"),
    (
        lambda: pod(sn.HyperX(dims=(3, 3), terminals=2, **LINK)),
        FabricError,
        "joins 18 accelerators, not 16; with the last of dims left open it would join 12 and 18",
    ),
    (lambda: pod(sn.Hypercube(dimensions=None, terminals=3, **LINK)), FabricError, "joins 16 .* 12 and 24$"),
    (lambda: pod(sn.Hypercube(dimensions=3, terminals=3, **LINK)), FabricError, "joins 24 .*, not 16; .* 12 and 24"),
    (lambda: pod(sn.Torus(dims=(3, None), **LINK)), FabricError, "layers of 3 along dimension 1 .*: 15 and 18"),
    (lambda: pod(sn.Torus(dims=(3, 3), **LINK)), FabricError, "16 accelerators do not fill dims 3 x 3 = 9"),
    (lambda: pod(GRAPH, 2), FabricError, "the graph has 16 accelerators, not 8"),
    (lambda: pod(GRAPH, 4, ports=2), FabricError, "edges of a graph say how many ports"),
    (lambda: sn.Torus(dims=(None, None), **LINK), FabricError, "one dimension may be open, not 2"),
    (lambda: sn.HyperX(dims=(None, 3, None), terminals=1, **LINK), FabricError, "one dimension may be open, not 2"),
    (lambda: pod(sn.Hypercube(dimensions=None, terminals=4, radix=5, **LINK)), FabricError, "6 ports .* radix of 5"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "says"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_errors_name_numbers_that_would_do(make: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        make().to_spec()


@given(
    span=st.integers(1, 400),
    terminals=st.integers(1, 4),
    fabric=st.sampled_from(["dragonfly", "dragonfly+", "hyperx", "hypercube", "torus"]),
)
@settings(max_examples=200)
def test_nearest_numbers_are_possible_and_nearest(span: int, terminals: int, fabric: str) -> None:
    choices: dict[str, Fabric] = {
        "dragonfly": sn.Dragonfly(terminals=terminals, **LINK),
        "dragonfly+": sn.DragonflyPlus(terminals=terminals, leaves=2, spines=2, global_ports=terminals, **LINK),
        "hyperx": sn.HyperX(dims=(None, 3), terminals=terminals, **LINK),
        "hypercube": sn.Hypercube(dimensions=None, terminals=terminals, **LINK),
        "torus": sn.Torus(dims=(terminals, 2, None), **LINK),
    }
    made = choices[fabric]

    def possible(count: int) -> bool:
        try:
            return made.network("x", count).spec.span == count
        except FabricError:
            return False

    try:
        assert made.network("x", span).spec.span == span
    except FabricError as error:
        near = [int(word) for word in str(error).partition("nearest: ")[2].replace("and", "").split()]
        assert near
        assert all(possible(count) for count in near)
        assert not any(possible(count) for count in range(min(near) + 1, max(near)) if len(near) == 2)
        assert len(near) == 1 or near[0] < span < near[1]


FILE = """
name = "pods"
[params.arms]
value = 2
mark = "assumed"
[system]
accelerators = 4
[device]
name = "gpu"
[[network]]
name = "scale_up"
kind = "nvlink"
span = 4
payload = 4096
overhead = 0
links = [{ rate = "50 GB/s", latency = "100 ns" }]
switches = [{ latency = 0 }]
topology = { kind = "clos", down = [4], up = [1], parallel = [1] }
[scale_out]
"""

OWN = 'topology = "hyperx"\nterminals = "$arms"\ndims = ["auto", 2]\nbandwidth = "25 GB/s"\nlatency = "1 us"\n'


def load(path: Path, text: str, units: int = 4, **overrides: Any) -> System:
    (path / "pods.toml").write_text(FILE + text)
    return System.preset(f"{path / 'pods.toml'}:{units}", **overrides)


def test_files_may_refer_to_parameters(tmp_path: Path) -> None:
    found = load(tmp_path, OWN).all_networks()[-1]
    assert found.label == "HyperX of 4 x 2 switches with 2 accelerators each"
    assert "arms = 2 (assumed)" in load(tmp_path, OWN).assumed()
    assert load(tmp_path, OWN, arms="4").all_networks()[-1].form["dims"] == [2, 2]
    joined = load(tmp_path, OWN + 'reach = ["all", 1]\nin_network_reduce = "true"\nbuffer = "unlimited"').joined
    assert isinstance(joined, ScaleOut)
    assert joined.fabric == sn.HyperX(
        dims=(None, 2), terminals=2, bandwidth="25 GB/s", latency="1 us", reach=(None, 1), in_network_reduce=True,
        buffer="unlimited",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('topology = "hyperxx"', "unknown scale-out topology 'hyperxx'; did you mean 'hyperx'"),
        ("topology = { kind = 'torus' }", "unknown scale-out topology"),
        ("topology = 3", "unknown scale-out topology 3"),
        (OWN.replace("dims", "dim"), "scale_out: .*unknown field `dim`; did you mean 'dims'"),
        (OWN.replace("terminals", "# "), "missing required field `terminals`"),
        (OWN.replace('"$arms"', '"many"'), "terminals: 'many' is not a whole number"),
        (OWN.replace('"$arms"', "true"), "got `bool` - at `\\$.terminals`"),
        (OWN.replace('"$arms"', "1099511627776"), "terminals is 1099511627776"),
        (OWN.replace('"auto"', '"all"'), "dims: 'all' is not a whole number"),
        (OWN.replace('["auto", 2]', "[1024, 1024]"), "has 1048576 switches; an explicit graph has at most 16384"),
        (OWN.replace('"25 GB/s"', '"25 GB"'), "bandwidth: unknown unit 'GB'"),
        (OWN.replace('"25 GB/s"', "nan"), "bandwidth: nan is not finite"),
        (OWN + 'cut_through = "maybe"', "cut_through: 'maybe' is not valid; true or false"),
        (OWN + 'nics_per_accelerator = "x"', "nics_per_accelerator: 'x' is not a whole number"),
        (OWN + "reach = [1]", "reach has 1 values for 2 dimensions"),
        (OWN + "reach = [[1]]", r"Expected `int \| str`, got `array`"),
        ('topology = "graph"\naccelerators = ["a"]\nedges = [{ a = "a" }]', "missing required field `b`"),
        ('topology = "graph"\naccelerators = ["a"]\nedges = [["a", "b"]]', "Expected `object`, got `array`"),
        ("radix = 8", "missing required field `link_rate`"),
    ],
)
def test_errors_of_files(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises((SpecError, SupernodeError), match=says):
        load(tmp_path, text)


def test_numbers_of_other_types_become_those_of_toml(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"dims": (np.int64(4), None), "bandwidth": f"{2**63} bit/s", "latency": "1 fs",
                           "payload": np.uint16(512)}  # fmt: skip
    system = pod(sn.Torus(**odd))
    system.save(tmp_path / "x.toml")
    assert System.load(tmp_path / "x.toml").to_spec() == system.to_spec()


def test_a_fabric_of_your_own_has_no_form_in_files() -> None:
    class Own:
        def network(self, name: str, span: int, *, ports: int = 1) -> sn.fabric.Network:
            return BOARD.network(name, span, ports=ports)

    with pytest.raises(SpecError, match=r"a Own has no form in files; FatTree, Switched, Torus, .* have one"):
        pod(Own()).to_toml()
    assert pod(Own()).accelerators == 16
