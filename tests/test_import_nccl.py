"""NCCL topology files as clouds and tools write them: what is read, what is noted, and the NICs."""

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import supernode as sn
from supernode.errors import FabricError, SpecError
from supernode.spec import Clos, GraphShape
from supernode.system import System
from supernode.system.nics import Nics

GBIT = 10**9
NS = 10**6
GIVEN: dict[str, Any] = {"link_rate": "25 GB/s", "link_latency": "500 ns", "switch_latency": "0 ns"}

#: 128b/130b of 16 lanes of 16 and 32 GT/s.
GEN4 = 16 * GBIT * 16 * 128 // 130
GEN5 = 32 * GBIT * 16 * 128 // 130


def gpu(bus: str, rank: int, inside: str = "", speed: str = "32.0 GT/s PCIe") -> str:
    return (
        f'<pci busid="{bus}" class="0x030200" link_speed="{speed}" link_width="16">'
        f'<gpu dev="{rank}" sm="90" rank="{rank}" gdr="1">{inside}</gpu></pci>'
    )


def nic(bus: str, mbits: int | str = 400_000, speed: str = "32.0 GT/s PCIe") -> str:
    return (
        f'<pci busid="{bus}" class="0x020700" link_speed="{speed}" link_width="16">'
        f'<nic><net name="mlx_{bus}" dev="0" speed="{mbits}" port="1" gdr="1"/></nic></pci>'
    )


def bridge(bus: str, *inside: str, speed: str = "32.0 GT/s PCIe") -> str:
    return f'<pci busid="{bus}" class="0x060400" link_speed="{speed}" link_width="16">{"".join(inside)}</pci>'


def system(*inside: str, cpus: int = 1) -> str:
    share = len(inside) // cpus
    parts = ["".join(inside[i * share : (i + 1) * share]) for i in range(cpus)]
    return '<system version="1">' + "".join(f'<cpu numaid="{i}">{p}</cpu>' for i, p in enumerate(parts)) + "</system>"


def read(tmp_path: Path, text: str, **options: Any) -> System:
    (tmp_path / "topo.xml").write_text(text)
    return System.from_file(tmp_path / "topo.xml", **(options or GIVEN))


def wires(found: System) -> dict[tuple[str, str], tuple[int, int, int]]:
    network = found.networks[0]
    assert isinstance(network.spec.topology, GraphShape)
    return {
        (network.names[a], network.names[b]): (count, network.spec.links[k].rate, network.spec.links[k].latency_fs)
        for a, b, k, count in network.spec.topology.edges
    }


def hgx(gpus: int = 8, pcie: str = "16.0 GT/s PCIe") -> str:
    """Accelerators on NVSwitches, each below a PCIe switch with a NIC of its own, half of them on either socket."""
    links = '<nvlink target="0000:aa:00.0" count="18" tclass="0x068000"/>'
    bridges = [bridge(f"b{i}", gpu(f"0{i}", i, links, pcie), nic(f"1{i}", speed=pcie), speed=pcie) for i in range(gpus)]
    return system(*bridges, cpus=2)


def test_bridges_listed_twice_are_one(tmp_path: Path) -> None:
    found = read(tmp_path, system(bridge("c5", gpu("d0", 0)), bridge("c5", gpu("d1", 1))))
    assert wires(found) == {
        ("gpu0", "pci c5"): (1, GEN5, 500 * NS),
        ("gpu1", "pci c5"): (1, GEN5, 500 * NS),
        ("pci c5", "cpu0"): (1, GEN5, 500 * NS),
    }
    assert "<pci> listed several times are taken as one: 'c5'" in found.notes()
    assert sn.all_reduce(found, size="1 MiB", algorithm="ring").time_ns > 0


def test_accelerators_by_class_alone(tmp_path: Path) -> None:
    cloud = [f'<pci busid="000{i}" class="0x030200" link_speed="16 GT/s" link_width="16"/>' for i in (1, 2)]
    cloud.append('<pci busid="0101" class="0x020700" link_speed="16 GT/s" link_width="16"/>')
    found = read(tmp_path, system(bridge("ff", *cloud, speed="16 GT/s")))
    assert found.networks[0].names[:2] == ("gpu0", "gpu1")
    assert found.nics == Nics(1, GEN4 // 2, 1000 * NS)
    text = "\n".join(found.notes())
    assert "there is no <gpu>: the 2 <pci> of the class of an accelerator" in text
    assert "1 NICs have no speed in the file: that of their PCIe link is taken" in text
    assert "up to 2 accelerators share a NIC" in text
    # one that has a <gpu> says that the others are not in use
    part = read(tmp_path, system(bridge("ff", gpu("0009", 3), *cloud)))
    assert part.accelerators == 1
    assert any("without a <gpu> are left out: '0001', '0002'" in note for note in part.notes())


def test_network_functions_beside_nets_are_named(tmp_path: Path) -> None:
    bare = '<pci busid="77" class="0x020700" link_speed="16 GT/s" link_width="16"/>'
    found = read(tmp_path, system(bridge("b", gpu("0", 0), nic("1"), bare)))
    assert found.nics == Nics(1, 400 * GBIT, 1000 * NS)
    assert "<pci> of NICs without a <net> are left out: '77'" in found.notes()


def test_links_to_itself_and_uneven_ones(tmp_path: Path) -> None:
    def nvlink(target: str, count: int) -> str:
        return f'<nvlink target="{target}" count="{count}" tclass="0x030200"/>'

    found = read(tmp_path, system(gpu("a", 0, nvlink("a", 2) + nvlink("b", 4)), gpu("b", 1, nvlink("a", 3))))
    assert wires(found) == {("gpu0", "gpu1"): (3, 200 * GBIT, 500 * NS)}
    assert "<nvlink> of gpu0 to itself is left out" in found.notes()
    assert any("4 <nvlink> lead from gpu0 to gpu1 and 3 back" in note for note in found.notes())
    # a link that only one end lists is none; PCIe joins the two
    one = read(tmp_path, system(gpu("a", 0, nvlink("b", 4)), gpu("b", 1)))
    assert set(wires(one)) == {("gpu0", "cpu0"), ("gpu1", "cpu0")}
    assert any("4 <nvlink> lead from gpu0 to gpu1 and 0 back" in note for note in one.notes())


def test_accelerators_of_one_function_share_its_links(tmp_path: Path) -> None:
    two = '<gpu dev="{0}" rank="{0}"/><gpu dev="{1}" rank="{1}"/>'
    slots = [
        f'<pci busid="{bus}" class="0x038000" link_speed="16.0 GT/s PCIe" link_width="16">{two.format(*ranks)}</pci>'
        for bus, ranks in (("a", (0, 1)), ("b", (2, 3)))
    ]
    found = read(tmp_path, system(*slots))
    # a quarter of 500 ns lies inside the function, so that a path from gpu0 to gpu2 is 2 x (125 + 375) = 1000 ns
    assert wires(found) == {
        ("pci a", "cpu0"): (1, GEN4, 375 * NS),
        ("pci b", "cpu0"): (1, GEN4, 375 * NS),
        **{(f"gpu{i}", f"pci {'ab'[i // 2]}"): (1, GEN4, 125 * NS) for i in range(4)},
    }
    assert any("gpu0 and gpu1 are in one <pci> (a): they share its links" in note for note in found.notes())

    # two accelerators send 1 MiB each over one link: twice the time of one
    def time(ranks: list[int]) -> float:
        return sn.send_recv(
            found, size="1 MiB", placement=ranks, stack="none", fidelity="packet", flow_control="unlimited"
        ).time_ns

    alone = (2**20 * 8 / GEN4) * 1e9
    assert time([0, 2]) == pytest.approx(alone, rel=0.02, abs=2000)
    # 0 -> 2 and 1 -> 3 and back: each direction of the link carries two messages
    assert time([0, 2, 1, 3]) == pytest.approx(2 * alone, rel=0.02, abs=2000)


def test_nics_behind_slow_pcie_limit_the_network_outside(tmp_path: Path) -> None:
    fabric = sn.FatTree(
        radix=64, link="400 Gbit/s", link_latency="300 ns", switch_latency="300 ns", trunk_latency="1 us"
    )
    found = read(tmp_path, hgx())
    assert found.nics == Nics(1, GEN4, 1000 * NS)
    assert "PCIe leads to NICs only: NVLink or xGMI joins every pair" in found.notes()
    assert any("8 NICs (<net>): 1 per accelerator" in note for note in found.notes())
    two = found.scale_out(fabric).replicate(2)
    inner, outer = two.to_spec().networks
    assert isinstance(outer.topology, Clos)
    assert outer.links[0].rate == GEN4
    assert outer.links[0].latency_fs == 1300 * NS
    assert inner.span == 8
    # every accelerator exchanges with the one of the same place in the other host: the NIC is the limit
    ranks = [i + 8 * side for i in range(8) for side in (0, 1)]
    result = sn.send_recv(two, size="8 MiB", placement=ranks, stack="none", fidelity="packet")
    assert result.time_ns == pytest.approx(2**23 * 8 / GEN4 * 1e9, rel=0.02)
    # over PCIe 5.0 the link of the fabric is
    fast = read(tmp_path, hgx(pcie="32.0 GT/s PCIe")).scale_out(fabric).replicate(2)
    assert fast.to_spec().networks[1].links[0].rate == 400 * GBIT
    # what is saved is what is loaded, NICs included, also of one host that is joined later
    found.scale_out(fabric).save(tmp_path / "host.toml")
    assert System.load(tmp_path / "host.toml").replicate(2).to_spec().networks == two.to_spec().networks
    two.save(tmp_path / "two.toml")
    assert System.load(tmp_path / "two.toml").to_spec() == two.to_spec()


def test_a_nic_below_a_shared_switch_is_divided(tmp_path: Path) -> None:
    # two accelerators and one NIC of 400 Gbit/s below each switch: 200 Gbit/s for each of them
    parts = [bridge(f"b{i}", gpu(f"0{i}", 2 * i), gpu(f"1{i}", 2 * i + 1), nic(f"2{i}")) for i in (0, 1)]
    found = read(tmp_path, system(*parts, cpus=2))
    assert found.nics == Nics(1, 200 * GBIT, 1000 * NS)
    assert any("up to 2 accelerators share a NIC" in note for note in found.notes())


def test_several_nics_of_an_accelerator(tmp_path: Path) -> None:
    parts = [bridge(f"b{i}", gpu(f"0{i}", i), nic(f"1{i}", 200_000), nic(f"2{i}", 200_000)) for i in (0, 1)]
    found = read(tmp_path, system(*parts))
    assert found.nics == Nics(2, 200 * GBIT, 1000 * NS)
    fabric = sn.FatTree(radix=8, link="800 Gbit/s", link_latency="1 us", switch_latency="0 ns")
    outer = found.scale_out(fabric).replicate(2).to_spec().networks[1]
    assert (outer.planes, outer.links[0].rate) == ([1, 1], 200 * GBIT)
    # two links into each of two planes: the NICs have 400 Gbit/s together
    planes = sn.Switched(bandwidth="100 GB/s", latency="1 us", planes=2)
    outer = found.scale_out(planes).replicate(2).to_spec().networks[1]
    assert (outer.planes, outer.links[0].rate) == ([2, 2], 100 * GBIT)
    # a graph's links to its accelerators, of which each of these four has one
    graph = sn.HyperX(dims=(2, 2), terminals=1, bandwidth="100 GB/s", latency="1 us")
    spec = found.scale_out(graph, nics_per_device=1).replicate(2).to_spec().networks[1]
    assert isinstance(spec.topology, GraphShape)
    own = {spec.links[k].rate for a, b, k, _ in spec.topology.edges if min(a, b) < 4}
    others = {spec.links[k].rate for a, b, k, _ in spec.topology.edges if min(a, b) >= 4}
    assert (own, others) == ({400 * GBIT}, {800 * GBIT})
    assert (
        sn.all_reduce(found.scale_out(graph, nics_per_device=1).replicate(2), size="1 MiB", algorithm="ring").time_ns
        > 0
    )
    # the same NICs through one port
    one = found.scale_out(sn.Switched(bandwidth="100 GB/s", latency="1 us"), nics_per_device=1).replicate(2)
    assert one.to_spec().networks[1].links[0].rate == 400 * GBIT


def test_nics_across_sockets_and_of_unknown_speed(tmp_path: Path) -> None:
    far = system(gpu("0", 0), gpu("1", 1) + nic("2", "unknown"), cpus=2)
    rates = {"cpu": "20 GB/s", "net": "400 Gbit/s"}
    found = read(tmp_path, far, link_rate=rates, link_latency={"pci": "300 ns", "cpu": "100 ns"}, switch_latency="0 ns")
    # both share one NIC of 400 Gbit/s; the half of gpu0 crosses the sockets at 160 Gbit/s, over two links of PCIe
    assert found.nics == Nics(1, 160 * GBIT, 700 * NS)
    assert any("the NICs of accelerators differ, from 160 Gbit/s to 200 Gbit/s" in note for note in found.notes())
    none = read(tmp_path, system(gpu("0", 0), gpu("1", 1)))
    assert none.nics is None


def test_several_hosts_in_one_file(tmp_path: Path) -> None:
    links = '<nvlink target="aa" count="2" tclass="0x068000"/>'
    parts = [bridge(f"b{host}", gpu(f"0{host}", host, links), nic(f"1{host}")) for host in (0, 1)]
    cpus = "".join(f'<cpu numaid="0" host_hash="0x{host}">{part}</cpu>' for host, part in enumerate(parts))
    found = read(tmp_path, f'<system version="1">{cpus}</system>')
    assert found.networks[0].names == ("gpu0", "gpu1", "nvswitch0")
    assert found.nics == Nics(1, 400 * GBIT, 1000 * NS)


def test_what_is_no_topology_stays_an_error(tmp_path: Path) -> None:
    with pytest.raises(FabricError, match="neither a <gpu> nor a <pci> of the class of an accelerator"):
        read(tmp_path, system(nic("0")))


def test_deep_trees_take_no_recursion(tmp_path: Path) -> None:
    deep = system(gpu("0", 0), "".join(f'<pci busid="b{i}">' for i in range(20_000)) + "</pci>" * 20_000)
    assert read(tmp_path, deep).accelerators == 1


def test_nics_in_files_are_checked(tmp_path: Path) -> None:
    read(tmp_path, hgx()).save(tmp_path / "host.toml")
    text = (tmp_path / "host.toml").read_text()
    validator = jsonschema.Draft202012Validator(sn.system_schema())
    assert validator.is_valid(tomllib.loads(text))
    wrong = text.replace("per_accelerator", "per_gpu")
    assert not validator.is_valid(tomllib.loads(wrong))
    (tmp_path / "host.toml").write_text(wrong)
    with pytest.raises(SpecError, match="per_gpu"):
        System.load(tmp_path / "host.toml")
