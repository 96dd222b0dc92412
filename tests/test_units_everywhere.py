"""A rate, a time or a power without a unit is an error wherever one is given; sizes may be plain bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from conftest import star
from supernode.cli import main
from supernode.errors import SupernodeError, UnitError

LINK: dict[str, Any] = {"bandwidth": "1 GB/s", "latency": "1 ns"}
EDGES = [("a", "s"), ("b", "s")]


def graph(**changes: Any) -> sn.Graph:
    given: dict[str, Any] = {"accelerators": ["a", "b"], "switches": ["s"], "edges": EDGES, "rate": "1 GB/s",
                             "latency": "1 ns", **changes}  # fmt: skip
    return sn.Graph(**given)


#: Everything that takes a rate, a time or a power, as a function of it.
PLACES: dict[str, Callable[[Any], object]] = {
    **{
        f"Switched.{key}": lambda v, key=key: sn.Switched(**{**LINK, key: v})  # type: ignore[misc]
        for key in ("bandwidth", "latency", "switch_latency")
    },
    **{
        f"Torus.{key}": lambda v, key=key: sn.Torus(dims=(3, 3), **{**LINK, key: v})  # type: ignore[misc]
        for key in ("bandwidth", "latency", "hop_latency")
    },
    "Torus.bandwidth[1]": lambda v: sn.Torus(dims=(3, 3), bandwidth=["1 GB/s", v], latency="1 ns"),
    "FullMesh.latency": lambda v: sn.FullMesh(dims=(3, 3), bandwidth="1 GB/s", latency=v),
    **{
        f"FatTree.{key}": lambda v, key=key: sn.FatTree(**{"radix": 8, "link": "1 GB/s", key: v})  # type: ignore[misc]
        for key in ("link", "trunk", "link_latency", "trunk_latency", "switch_latency")
    },
    **{
        f"Dragonfly.{key}": lambda v, key=key: sn.Dragonfly(terminals=1, **{**LINK, key: v})  # type: ignore[misc]
        for key in ("bandwidth", "latency", "local_bandwidth", "local_latency", "global_bandwidth", "global_latency",
                    "switch_latency")
    },
    "HyperX.dim_latency": lambda v: sn.HyperX(dims=(2, 2), terminals=1, dim_latency=v, **LINK),
    "Graph.rate": lambda v: graph(rate=v),
    "Graph.latency": lambda v: graph(latency=v),
    "Graph.switch_latency": lambda v: graph(switch_latency=v),
    "Edge.rate": lambda v: graph(edges=[EDGES[0], sn.Edge("b", "s", rate=v)]),
    "Edge.latency": lambda v: graph(edges=[EDGES[0], sn.Edge("b", "s", latency=v)]),
    "SwitchNode.latency": lambda v: graph(switches=[sn.SwitchNode("s", latency=v)]),
    **{f"Device.{key}": lambda v, key=key: sn.Device(**{key: v}) for key in ("hbm", "copy", "reduce", "hbm_latency")},  # type: ignore[misc]
    "override of a latency": lambda v: sn.System.preset("nvl72", link_latency=v),
    "override of a rate": lambda v: sn.System.preset("nvl72", link_rate=v),
    "override of a power": lambda v: sn.System.preset("nvl72", rack_power=v),
    "override of a NIC": lambda v: sn.System.preset("nvl72:2", nic_rate=v),
    "override of the stack": lambda v: sn.System.preset("nvl72", **{"simple.launch": v}),
    "time_limit": lambda v: sn.all_reduce(star(4), size=64, time_limit=v),
    "parse_rate": sn.parse_rate,
    "parse_time": sn.parse_time,
}  # fmt: skip


@pytest.mark.parametrize("value", [300, 50e9, "300", "300.0", "1e3"], ids=repr)
@pytest.mark.parametrize("place", PLACES)
def test_builders_overrides_and_limits(place: str, value: Any) -> None:
    with pytest.raises(UnitError, match=r"has no unit; for example .*valid units: "):
        PLACES[place](value)


TOML = sn.System("x").scale_up(sn.Device("d", hbm="1 TB/s"), count=2, fabric=sn.Switched(**LINK)).to_toml()


@pytest.mark.parametrize(
    ("text", "number"),
    [('rate = "1 GB/s"', "rate = 1000000000"), ('latency = "1 ns"', "latency = 1"), ('latency = "0 ns"', "latency = 3"),
     ('hbm_rate = "1 TB/s"', "hbm_rate = 1e12"), ('latency = "1 ns"', 'latency = "1"')],
)  # fmt: skip
def test_numbers_in_files(tmp_path: Path, text: str, number: str) -> None:
    readable = TOML.replace('"8 Gbit/s"', '"1 GB/s"').replace('"8 Tbit/s"', '"1 TB/s"')
    assert text in readable
    (tmp_path / "x.toml").write_text(readable.replace(text, number))
    with pytest.raises(UnitError, match=r"x\.toml: .*has no unit"):
        sn.System.load(tmp_path / "x.toml")


@pytest.mark.parametrize("keyword", ["link_rate", "link_latency", "switch_latency"])
def test_options_of_imports(tmp_path: Path, keyword: str) -> None:
    given: dict[str, Any] = {"link_rate": "1 GB/s", "link_latency": "1 ns", keyword: 300}
    (tmp_path / "x.graphml").write_text(
        '<graphml><graph edgedefault="undirected"><node id="a"/><node id="b"/><node id="s"/>'
        '<edge source="a" target="s"/><edge source="b" target="s"/></graph></graphml>'
    )
    with pytest.raises(SupernodeError, match="300 has no unit"):
        sn.System.from_file(tmp_path / "x.graphml", accelerators=["a", "b"], **given)


@pytest.mark.parametrize(
    "arguments",
    [["show", "nvl72", "--set", "link_latency=300"], ["bench", "all_reduce", "nvl72", "--set", "link_rate=50"],
     ["bench", "all_reduce", "nvl72", "--sizes", "8", "--time-limit", "5"],
     ["bench", "all_reduce", "nvl72", "--sizes", "8", "--set", "simple.launch=5"]],
)  # fmt: skip
def test_the_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "has no unit" in capsys.readouterr().err


def test_sizes_may_be_plain_bytes() -> None:
    system = sn.System("s").scale_up(count=4, fabric=sn.Switched(payload=256, overhead=16, buffer=4096, **LINK))
    assert sn.all_reduce(system, size=4096, memory_limit=10**9, fidelity="analytic").size_bytes == 4096


def test_zero_is_the_same_in_every_unit() -> None:
    assert sn.Switched(switch_latency=0, **LINK) is not None
    with pytest.raises(UnitError, match="0 has no unit"):
        sn.Switched(bandwidth="1 GB/s", latency=0)
