"""Machines that no switch can join are errors, wherever the ports of the switch are known."""

from pathlib import Path

import pytest

import supernode as sn
from supernode.errors import FabricError
from supernode.fabric.base import Network

#: Of each preset that knows its switch: a change that needs one port too many, and what the error says.
TOO_MANY = [
    ("nvl72", {"gpus": 1000}, "tier 1 needs 1000 ports (1000 accelerators x 1 link), and this switch has 72; at most"),
    ("nvl72", {"gpus": 73}, "needs 73 ports"),
    ("nvl72", {"planes": 9, "links_per_plane": 2}, "needs 144 ports (72 accelerators x 2 links)"),
    ("gb300-nvl72", {"gpus": 80}, "has 72"),
    # 5 links of each to the outer chips: 12 x 5 = 60 of 64, 13 x 5 = 65
    ("hgx-h100", {"gpus": 13}, "needs 65 ports (13 accelerators x 5 links), and this switch has 64; at most 12"),
    ("hgx-b200", {"gpus": 9}, "needs 81 ports (9 accelerators x 9 links), and this switch has 72; at most 8"),
    ("cloudmatrix384", {"nodes": 49}, "tier 2 needs 49 ports (49 switches of tier 1 x 1 link), and this switch has 48"),
    # a leaf of 128 ports: 64 down and 64 up
    ("atlas950", {"spines": 65}, "needs 129 ports (64 accelerators x 1 link + 65 up), and this switch has 128"),
    ("panjiu-al128", {"links_per_switch": 2}, "needs 128 ports"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "says"), TOO_MANY)
def test_a_switch_has_as_many_ports_as_it_has(name: str, changes: dict[str, int], says: str) -> None:
    with pytest.raises(FabricError) as caught:
        sn.System.preset(name, **changes)
    assert says in str(caught.value)


def test_the_most_that_fit_do_fit() -> None:
    assert sn.System.preset("hgx-h100", gpus=12).accelerators == 12
    assert sn.System.preset("nvl72", gpus=64).accelerators == 64


def test_another_switch_takes_more() -> None:
    assert sn.System.preset("nvl72", gpus=144, switch_ports=144).accelerators == 144
    with pytest.raises(FabricError, match="has 144; at most 144"):
        sn.System.preset("nvl72", gpus=145, switch_ports=144)


def test_ports_travel_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    system = sn.System.preset("cloudmatrix384")
    system.save(path)
    loaded = sn.System.load(path)
    networks: tuple[Network, ...] = loaded.all_networks()
    assert networks[0].ports == system.all_networks()[0].ports == (0, 48)
    text = path.read_text().replace("ports = 48", "ports = 47")
    path.write_text(text)
    with pytest.raises(FabricError, match=r"x\.toml.*needs 48 ports"):
        sn.System.load(path)


def test_ports_are_for_trees(tmp_path: Path) -> None:
    system = sn.System("t").scale_up(count=4, fabric=sn.Ring(bandwidth="1 GB/s", latency="1 ns"))
    text = system.to_toml().replace('latency = "0 ns" }', 'latency = "0 ns", ports = 4 }')
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(FabricError, match="ports of switches are for trees; a torus has none"):
        sn.System.load(tmp_path / "t.toml")
