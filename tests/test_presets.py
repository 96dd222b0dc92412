"""Preset and stack files: complete, cited, and in step with the loader."""

import re
from importlib import resources
from math import prod
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import FabricError, SpecError, UnitError
from supernode.files.data import list_names
from supernode.library.stack import load_stack
from supernode.marks import ASSUMED_MARKS, MARKS
from supernode.preset.load import load_preset
from supernode.preset.references import resolve
from supernode.spec import Clos, GraphShape
from supernode.system import System
from supernode.units import Quantity

SIZES = {
    "nvl72": 72,
    "hgx-a100": 8,
    "hgx-h100": 8,
    "cloudmatrix384": 384,
    "hpn7": 15_360,
    "tpu-v4": 4096,
    "atlas950": 8192,
    "cloudmatrix384-cluster": 165_888,
    "atlas950-supercluster": 524_288,
}


@pytest.mark.parametrize(("name", "count"), sorted(SIZES.items()))
def test_full_size(name: str, count: int) -> None:
    assert System.preset(name).accelerators == count


@pytest.mark.parametrize("name", sn.systems())
def test_every_number_has_an_origin(name: str) -> None:
    file = load_preset(name)
    assert file.name == name
    assert file.title
    for key, param in file.params.items():
        assert param.mark in MARKS, key
        assert param.source in file.sources, key
        if param.mark in ASSUMED_MARKS:
            assert param.note, key
            assert param.range, key


@pytest.mark.parametrize("name", sn.stacks())
def test_every_software_cost_has_an_origin(name: str) -> None:
    file = load_stack(name).file
    assert file.name == name
    for key, value in load_stack(name).values():
        assert value.source in file.sources, key


#: Words that do not tell a user where a number comes from, or that say that nobody looked.
WEAK = re.compile(
    r"public (web )?pages|web pages|not read|read again|read through|through (notes|copies|a blog)|blog summary|"
    r"\(secondary|\(weak|\bpress\b|unverified|from memory|republished|wiki",
    re.IGNORECASE,
)
#: What leads to a document: an address, an identifier, a repository, a date, or the versions of a measurement.
DOCUMENT = re.compile(r"https?://|arXiv:|doi:|github:|\b20\d\d\b|driver \d")


@pytest.mark.parametrize("folder", ["presets", "stacks"])
def test_no_source_is_weak(folder: str) -> None:
    for file in (Path(str(resources.files("supernode"))) / folder).glob("*.toml"):
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            assert not WEAK.search(line), f"{file.name}:{number}: {line}"


@pytest.mark.parametrize("name", sn.systems())
def test_what_is_published_leads_to_a_document(name: str) -> None:
    file = load_preset(name)
    for key, param in file.params.items():
        if param.mark not in ASSUMED_MARKS:
            source = file.sources[param.source]
            assert DOCUMENT.search(source.ref), (
                f"{key}: {param.mark}, but its source is {source.title!r}, {source.ref!r}"
            )


@pytest.mark.parametrize("name", sn.systems())
def test_networks_hold_their_accelerators(name: str) -> None:
    spec = System.preset(name).to_spec()
    inner = 1
    for network in spec.networks:
        assert network.span % inner == 0
        assert spec.accelerators % network.span == 0
        shape = network.topology
        assert not isinstance(shape, GraphShape)
        places = prod(shape.down) if isinstance(shape, Clos) else prod(shape.dims)
        assert places >= network.span
        inner = network.span
    assert inner == spec.accelerators


@pytest.mark.parametrize("name", sn.systems())
def test_presets_use_what_they_state(name: str) -> None:
    info = sn.show(name)
    assert [p.name for p in info.parameters if not p.used] == []


def test_show_lists_marks_and_what_is_assumed() -> None:
    info = sn.show("nvl72:4", link_latency="300 ns")
    text = str(info)
    for parameter in info.parameters:
        assert parameter.name in text
    for assumed in info.assumed:
        assert f"{assumed.name} = {assumed.value} ({assumed.mark})" in text
    changed = next(p for p in info.parameters if p.name == "link_latency")
    assert (changed.value, changed.mark) == ("300 ns", "override")
    assert "not modelled" in text


def test_overrides_change_every_place() -> None:
    before, after = System.preset("nvl72").to_spec(), System.preset("nvl72", link_latency="300 ns").to_spec()
    assert before.networks[0].links[0].latency_fs != after.networks[0].links[0].latency_fs == 300 * 10**6
    assert after.name == "nvl72[link_latency=300 ns]"
    assert System.preset("nvl72", gpus="36", planes=9).accelerators == 36


def test_units_are_joined() -> None:
    four = System.preset("nvl72:4")
    assert four.accelerators == 288
    assert [n.span for n in four.to_spec().networks] == [72, 288]
    assert System.preset("nvl72:1").to_spec() == System.preset("nvl72").to_spec()


WRONG = [
    (lambda: System.preset("nvl73"), SpecError, "did you mean 'nvl72'"),
    (lambda: System.preset("nvl72:x"), SpecError, "'x' is not a number of units"),
    (lambda: System.preset("nvl72:0"), FabricError, "number of units is 0"),
    (lambda: System.preset("atlas950:2"), SpecError, "has no scale-out network"),
    (lambda: System.preset("missing.toml"), SpecError, "does not exist"),
    (lambda: System.preset("nvl72", link_latncy="1 ns"), SpecError, "did you mean 'link_latency'"),
    (lambda: System.preset("nvl72", link_latency="1 nsec"), UnitError, "unknown unit 'nsec'"),
    (lambda: System.preset("nvl72", gpus="many"), SpecError, "not a whole number"),
    (lambda: System.preset("nvl72:4", nic_switch_radix=7), FabricError, "radix 7 cannot be split"),
    (lambda: System.preset("stargate", power="200 kW"), FabricError, "fabric stargate: units is 0"),
    (lambda: System.preset("stargate", power="1 GWh"), UnitError, "power: unknown unit 'GWh'"),
    (lambda: System.preset("mtia-v2", chassis="few"), SpecError, "chassis: 'few' is not a whole number"),
    (lambda: sn.simulate(7, "all_reduce", size=8), SpecError, "neither a System nor the name"),  # type: ignore[call-overload]
]


@pytest.mark.parametrize(("build", "kind", "says"), WRONG)
def test_errors(build: object, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        build()  # type: ignore[operator]


def test_users_can_bring_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        """
        name = "own"
        title = "Four accelerators on a switch"
        stack = "none"
        params.rate = { value = "1 GB/s", mark = "assumed", source = "me", note = "guess", range = ["1 GB/s"] }
        sources.me = { title = "me" }
        system.accelerators = 4
        device.name = "toy"
        [[network]]
        name = "scale_up"
        kind = "nvlink"
        span = 4
        topology = { kind = "clos", down = [4], up = [1], parallel = [1] }
        planes = [1]
        payload = 1024
        overhead = 0
        buffer = "unlimited"
        links = [{ rate = "$rate", latency = "100 ns" }]
        switches = [{ latency = "0 ns" }]
        """
    )
    system = System.preset(str(own), rate="2 GB/s")
    assert system.to_spec().networks[0].links[0].rate == 16 * 10**9
    own.write_text(own.read_text().replace("payload", "pay_load"))
    with pytest.raises(SpecError, match=r"pay_load.*did you mean 'payload'"):
        System.preset(str(own))
    own.write_text("name = ")
    with pytest.raises(SpecError, match=r"own\.toml: not valid TOML"):
        System.preset(str(own))


def test_a_cluster_is_units_of_another_preset() -> None:
    cluster = System.preset("cloudmatrix384-cluster")
    assert cluster.label == "cloudmatrix384-cluster"
    assert cluster.to_spec().networks == System.preset("cloudmatrix384:432").to_spec().networks
    assert System.preset("cloudmatrix384-cluster:2").accelerators == 2 * 165_888
    assert System.preset("cloudmatrix384-cluster", supernodes=6).accelerators == 6 * 384
    assert "supernodes = 432" not in str(cluster.unpublished)
    info = str(sn.show("cloudmatrix384-cluster"))
    assert "432 x 384" in info


def test_numbers_can_follow_from_parameters() -> None:
    values: dict[str, Quantity | bool] = {"site": "1.2 GW", "rack": "216 kW", "x": 4, "y": "6", "gpus": 100}
    used: set[str] = set()
    assert resolve(["$site / $rack", "$x * $y * $x", "$gpus/$x", "$y"], values, used) == [5555, 96, 25, "6"]
    assert used == set(values)
    with pytest.raises(SpecError, match="did you mean 'rack'"):
        resolve("$site / $rak", values, used)


def test_a_variant_is_another_preset_with_changes(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        """
        name = "own"
        title = "Faster"
        unit = "hgx-h100"
        not_modelled = ["what it leaves out"]
        params.link_rate = { value = "30 GB/s", mark = "assumed", source = "me", note = "guess", range = ["30 GB/s"] }
        sources.me = { title = "me" }
        device.name = "faster"
        [[conflict]]
        topic = "latency of a switch between units"
        used = "this"
        other = "that"
        """
    )
    base, variant = System.preset("hgx-h100"), System.preset(str(own))
    assert variant.units == 1
    assert variant.device.name == "faster"
    assert variant.device.hbm == base.device.hbm
    assert variant.to_spec().networks[0].links[0].rate == 240 * 10**9
    file = load_preset(str(own))
    topics = [c.topic for c in file.conflict]
    assert len(topics) == len(set(topics)) == len(load_preset("hgx-h100").conflict)
    assert next(c for c in file.conflict if c.topic == "latency of a switch between units").used == "this"
    assert file.not_modelled == ["what it leaves out", *load_preset("hgx-h100").not_modelled]
    assert "HGX H100" in file.description


def test_packaged_data_is_there() -> None:
    assert set(SIZES) <= set(list_names("presets"))
    assert {"none", "nccl"} <= set(sn.stacks())


def test_a_protocol_without_algorithms_takes_those_nobody_names() -> None:
    spec, _ = load_stack("nccl").to_spec(["nvlink"])
    lists = {p.name: set(p.algorithms) for p in spec.protocols}
    named = {a for p in load_stack("nccl").file.protocol for a in p.algorithms}
    assert named
    assert "ring" in lists["simple"]
    assert not lists["simple"] & lists["simple_tree"]
    assert set().union(*lists.values()) == set(sn.algorithms())


def test_a_stack_without_a_kind_says_what_stands_in(tmp_path: Path) -> None:
    own = tmp_path / "lib.toml"
    own.write_text(
        """
        name = "lib"
        [[protocol]]
        name = "only"
        launch = { value = "1 us", mark = "assumed" }
        step.net = { value = "2 us", mark = "assumed" }
        """
    )
    spec, notes = load_stack(str(own)).to_spec(["nvlink", "net"])
    assert spec.protocols[0].step_fs == [2 * 10**9, 2 * 10**9]
    assert notes == ("stack lib has no step latency for nvlink; that for net is used",)


def test_values_of_the_software_can_be_replaced() -> None:
    quick = System.preset("nvl72", **{"simple.launch": "1 us", "link_latency": "300 ns"})
    slow = System.preset("nvl72", link_latency="300 ns")
    options: dict[str, Any] = {"size": "1 MiB", "algorithm": "ring", "protocol": "simple", "fidelity": "analytic"}
    results = [sn.all_reduce(system, **options) for system in (quick, slow)]
    assert results[1].time_ns - results[0].time_ns == pytest.approx(7400)
    assert results[0].overrides == results[0].meta["overrides"] == dict(quick.overrides)
    assert results[0].effective["system"]["name"] == "nvl72[simple.launch=1 us, link_latency=300 ns]"
    shown = sn.show("nvl72", **{"simple.launch": "1 us", "link_latency": "300 ns"})
    assert [(p.name, p.value) for p in shown.overridden] == [("link_latency", "300 ns"), ("simple.launch", "1 us")]
    assert "simple.launch = 1 us: instead of 8.4 us (published)" in str(shown)
    with pytest.raises(SpecError, match=r"did you mean 'simple\.launch'"):
        System.preset("nvl72", **{"simple.lunch": "1 us"})
    other = sn.all_reduce(quick, size=8, stack="none", fidelity="analytic")
    assert "override simple.launch has no effect: it is for stack nccl, not none" in other.warnings


def test_power_changes_no_time() -> None:
    system = System.preset("nvl72", rack_power="130 kW")
    assert sn.inventory(system).power_watts == 130_000
    assert not system.remarks
    assert "power" not in System.preset("hgx-b200").assumed()
    assert "board_power" in str(sn.show("hgx-b200"))
