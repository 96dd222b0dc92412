"""System files: what is saved is what is loaded, and what is wrong with a file is named."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

import strategies
import supernode as sn
from supernode.errors import FabricError, SpecError
from supernode.preset.load import load_preset
from supernode.spec import GraphShape
from supernode.system import System

DATA = Path(__file__).parent / "data"


def again(system: System, folder: Path) -> System:
    target = folder / "saved.toml"
    assert system.save(target) == ()
    loaded = System.load(target)
    assert loaded.to_spec() == system.to_spec()
    assert loaded.assumed() == system.assumed()
    return loaded


@pytest.mark.parametrize("name", sn.systems())
def test_every_preset_comes_back(name: str, tmp_path: Path) -> None:
    system = System.preset(name)
    loaded = again(system, tmp_path)
    assert loaded.notes() == system.notes()
    assert loaded.stack == system.stack
    assert [n.kind for n in loaded.networks] == [n.kind for n in system.networks]
    assert [n.per_cable for n in loaded.networks] == [n.per_cable for n in system.networks]
    found, expected = sn.inventory(loaded), sn.inventory(system)
    assert found.levels == expected.levels
    assert (found.power_watts, loaded.power_covers) == (expected.power_watts, system.power_covers)
    if system.joined is not None:
        more = System.preset(f"{tmp_path / 'saved.toml'}:2")
        assert more.to_spec().networks == System.preset(f"{name}:2").to_spec().networks


@given(system=strategies.systems)
@settings(max_examples=60)
def test_built_systems_come_back(tmp_path_factory: pytest.TempPathFactory, system: System) -> None:
    again(system, tmp_path_factory.mktemp("files", numbered=True))


@given(system=strategies.graphs())
@settings(max_examples=60)
def test_graphs_come_back_with_their_names(tmp_path_factory: pytest.TempPathFactory, system: System) -> None:
    folder = tmp_path_factory.mktemp("files", numbered=True)
    loaded = again(system, folder)
    assert loaded.networks[0].names == system.networks[0].names


def test_units_and_what_joins_them_come_back(tmp_path: Path) -> None:
    switch = sn.Switched(planes=2, bandwidth="50 GB/s", latency="350 ns", in_network_reduce=True)
    tree = sn.FatTree(radix=16, link="400 Gbit/s", trunk="50 GB/s", oversubscription="3:1", pod_leaves=4, planes=2)
    pod = (
        System("pod")
        .scale_up(sn.Device(hbm_latency="600 ns"), count=8, fabric=switch)
        .scale_out(tree, nics_per_device=2)
    )
    once = again(pod, tmp_path)
    assert once.notes() == tuple(n for n in pod.notes() if "scale_out has no effect" not in n)
    loaded = again(pod.replicate(16), tmp_path)
    assert loaded.label == "pod:16"
    assert loaded.notes() == pod.replicate(16).notes()
    assert "link_latency = 300 ns (assumed: not given)" in loaded.assumed()


def test_odd_directions_come_back(tmp_path: Path) -> None:
    torus = sn.Torus(dims=(2, 3, 4), bandwidth="1 GB/s", latency=["1 ns", "2 ns", "3 ns"], dateline=False, medium="x")
    again(System("t").scale_up(count=24, fabric=torus), tmp_path)
    again(System("f").scale_up(count=6, fabric=sn.FullMesh(dims=(3, 2), bandwidth="1 GB/s", latency="1 ns")), tmp_path)


def test_accelerators_that_forward_come_back(tmp_path: Path) -> None:
    names = [f"g{i}" for i in range(6)]
    ring = [(a, b) for a, b in zip(names, names[1:] + names[:1], strict=True)]
    common: dict[str, Any] = {"accelerators": names, "rate": "1 GB/s", "latency": "1 ns", "switch_latency": "5 ns"}
    again(System("r").scale_up(count=6, fabric=sn.Graph(edges=ring, cut_through=False, **common)), tmp_path)
    mixed = sn.Graph(
        edges=[*ring, ("g0", "s")], switches=[sn.SwitchNode("s", latency="9 ns")], forwarding=True, **common
    )
    again(System("m").scale_up(count=6, fabric=mixed), tmp_path)


def test_a_dollar_in_a_name_is_no_parameter(tmp_path: Path) -> None:
    fabric = sn.Graph(accelerators=["$a", "$$"], edges=[("$a", "$$")], rate="1 GB/s", latency="1 ns", medium="$m")
    loaded = again(System("$x").scale_up(sn.Device("$d"), count=2, fabric=fabric), tmp_path)
    assert loaded.networks[0].names == ("$a", "$$")


def test_the_text_is_what_is_written(tmp_path: Path) -> None:
    system = System.preset("hgx-h100")
    text = system.to_toml(tmp_path / "a.toml")
    assert (tmp_path / "a.toml").read_text() == text == system.to_toml()


def test_values_of_the_software_come_back(tmp_path: Path) -> None:
    system = System.preset("nvl72", link_latency="300 ns", **{"simple.launch": "1 us"})
    loaded = again(system, tmp_path)
    assert loaded.stack_overrides == {"simple.launch": "1 us"}
    options: Any = {"size": "1 MiB", "algorithm": "ring", "protocol": "simple", "fidelity": "analytic"}
    assert sn.all_reduce(loaded, **options).time_fs == sn.all_reduce(system, **options).time_fs
    changed = System.load(tmp_path / "saved.toml", **{"simple.launch": "2 us"})
    assert sn.all_reduce(changed, **options).time_ns == sn.all_reduce(system, **options).time_ns + 1000
    assert again(changed, tmp_path).stack_overrides == {"simple.launch": "2 us"}


def test_cables_of_a_graph_come_back(tmp_path: Path) -> None:
    text = (DATA / "graph.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(text.replace('medium = "copper"', 'medium = "copper", per_cable = 3', 1))
    system = System.load(own)
    assert sn.inventory(system).levels[0].per_cable == 3
    assert again(system, tmp_path).networks == system.networks


def test_a_graph_in_a_file() -> None:
    system = System.load(DATA / "graph.toml")
    spec = system.to_spec().networks[0]
    assert spec.topology == GraphShape(
        switches=2, edges=[(0, 3, 0, 1), (1, 3, 0, 1), (2, 4, 0, 3), (3, 4, 1, 2)], switch_kinds=[0, 1]
    )
    assert [link.rate for link in spec.links] == [400 * 10**9, 800 * 10**9]
    assert [s.latency_fs for s in spec.switches] == [8 * 10**7, 12 * 10**7]
    assert "trunk = 100 GB/s (assumed)" in system.assumed()
    assert System.load(DATA / "graph.toml", trunk="1 TB/s").to_spec().networks[0].links[1].rate == 8 * 10**12


def test_the_file_in_the_documentation(tmp_path: Path) -> None:
    text = (DATA.parent.parent / "docs" / "files.md").read_text()
    (tmp_path / "own.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    assert System.load(tmp_path / "own.toml").accelerators == 3


BAD = [
    ("format = 1", "format = 2", SpecError, "graph.toml: format 2 is not known; .* reads format 1"),
    ("format = 1", 'format = "1"', SpecError, "format '1' is not known"),
    ("span = 3", "spam = 3", SpecError, r"unknown field `spam` - at `\$.network\[0\]`; did you mean 'span'"),
    ("hbm_rate", "hbm_rat", SpecError, r"`hbm_rat` - at `\$.device`; did you mean 'hbm_rate'"),
    (
        "radix = 4",
        "radius = 4",
        SpecError,
        r"`radius` - at `\$.network\[0\].topology.nodes\[0\]`; did you mean 'radix'",
    ),
    ("[params.trunk]", "[paramz.trunk]", SpecError, "`paramz`; did you mean 'params'"),
    ("$trunk", "$trank", SpecError, "unknown parameter 'trank'; did you mean 'trunk'"),
    ('rate = "50 GB/s", ', "", SpecError, r"missing required field `rate` - at `\$.network\[0\].links\[0\]`"),
    ('rate = "50 GB/s"', "rate = 0", SpecError, "scale_up rate: 0 has no unit"),
    ("span = 3", "span = 1099511627776", FabricError, "count is 1099511627776"),
    ("count = 3", "count = 1099511627776", FabricError, "count of edge 'c' - 't' is 1099511627776"),
    ("link = 1", "link = 2", FabricError, "link of edge 's' - 't' 2 is none of the 2"),
    ("switch = 1", "switch = -1", FabricError, "switch of node 't' -1 is none of the 2"),
    ("radix = 4", "radix = 3", FabricError, "switch 's' has 4 links, more than its radix of 3"),
    ('b = "t", link = 1', 'b = "u", link = 1', FabricError, "ends at 'u'"),
    ('  { a = "c", b = "t", count = 3 },\n', "", FabricError, "no path joins 'a' and 'c'"),
    ('kind = "graph"', 'kind = "grap"', SpecError, "unknown topology 'grap'; did you mean 'graph'"),
    ("span = 3", "span = 3\nplanes = [2]", FabricError, "a graph has one plane"),
    ('  { a = "c", b = "t", count = 3 },', '  { a = "c", b =', SpecError, "not valid TOML: .*line 36"),
]


@pytest.mark.parametrize(("old", "new", "kind", "says"), BAD, ids=lambda v: str(v)[:30])
def test_bad_files_name_the_place(old: str, new: str, kind: type[Exception], says: str, tmp_path: Path) -> None:
    text = (DATA / "graph.toml").read_text()
    assert old in text
    target = tmp_path / "graph.toml"
    target.write_text(text.replace(old, new, 1))
    with pytest.raises(kind, match=says):
        System.load(target)


def test_a_file_that_ends_early_names_its_last_line(tmp_path: Path) -> None:
    whole = (DATA / "graph.toml").read_text()
    target = tmp_path / "cut.toml"
    target.write_text(whole[: whole.index('{ a = "b"')])
    with pytest.raises(SpecError, match=r"cut.toml: not valid TOML: .*line 35"):
        System.load(target)


def test_units_in_a_circle_are_an_error(tmp_path: Path) -> None:
    for name, unit in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.toml").write_text(f'name = "{name}"\nunit = "{unit}.toml"\nunits = 2\n')
    with pytest.raises(SpecError, match=r"a.toml is made of b.toml is made of c.toml is made of a.toml"):
        System.load(tmp_path / "a.toml")


def test_a_unit_lies_beside_its_file(tmp_path: Path) -> None:
    System.preset("hgx-h100").save(tmp_path / "board.toml")
    (tmp_path / "rack.toml").write_text('format = 1\nname = "rack"\nunit = "board.toml"\nunits = 4\n')
    assert System.load(tmp_path / "rack.toml").accelerators == 32


def test_a_file_is_read_anew(tmp_path: Path) -> None:
    target = tmp_path / "own.toml"
    System.preset("hgx-h100").save(target)
    first = System.load(target)
    target.write_text(target.read_text().replace("85 ns", "95 ns"))
    assert System.load(target).to_spec() != first.to_spec()


def test_other_names_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"must end in .toml"):
        System.load(tmp_path / "x.graphml")
    with pytest.raises(SpecError, match="does not exist"):
        System.load(tmp_path / "x.toml")
    with pytest.raises(SpecError, match=r"no format is written with extension '\.xyz'"):
        System.preset("hgx-h100").save(tmp_path / "x.xyz")
    with pytest.raises(SpecError, match="format 'nccl' is read only"):
        System.preset("hgx-h100").save(tmp_path / "x.xml", "nccl")
    with pytest.raises(SpecError, match="which UTF-8 cannot hold"):
        System("\ud800").scale_up(count=2, fabric=sn.Switched(bandwidth="8 bit/s", latency="1 fs")).to_toml()


def test_the_schema_takes_what_is_read_and_nothing_else(tmp_path: Path) -> None:
    schema = sn.system_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    presets = Path(sn.__file__).parent / "presets"
    files = [*presets.glob("*.toml"), DATA / "graph.toml"]
    System.preset("cloudmatrix384:2").save(tmp_path / "saved.toml")
    for path in (*files, tmp_path / "saved.toml"):
        errors = list(check.iter_errors(tomllib.loads(path.read_text())))
        assert not errors, (path.name, errors[:1])
    raw = tomllib.loads((DATA / "graph.toml").read_text())
    assert not check.is_valid({**raw, "format": 2})
    assert not check.is_valid({**raw, "colour": "red"})
    assert not check.is_valid({**raw, "network": [{**raw["network"][0], "spam": 1}]})
    assert json.loads(json.dumps(schema)) == schema


def test_presets_are_read_once() -> None:
    assert load_preset("hgx-h100") is load_preset("hgx_h100")
