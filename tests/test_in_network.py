"""Sums in the network from Python: over one tier of switches and over trees of them."""

from typing import Any

import polars as pl
import pytest

import supernode as sn
from supernode.errors import AlgorithmError, SpecError
from supernode.system import System


def tree(hosts: int = 64, *, adds: bool = True, nics: int = 1) -> System:
    fabric = sn.FatTree(
        radix=8,
        link="400 Gbit/s",
        link_latency="500 ns",
        trunk_latency="500 ns",
        switch_latency="100 ns",
        planes=nics,
        in_network_reduce=adds,
    )
    return sn.System("tree").scale_out(fabric, count=hosts, nics_per_device=nics)


@pytest.mark.parametrize(("hosts", "tiers"), [(4, 1), (16, 2), (64, 3)])
def test_an_all_reduce_costs_one_way_up_and_down(hosts: int, tiers: int) -> None:
    result = sn.all_reduce(tree(hosts), size="1 MiB", algorithm="in_network", fidelity="packet", record=["links"])
    if tiers > 1:
        # 2 t links of 500 ns, 2 t - 1 switches of 100 ns, every byte once at 50 GB/s: 20 ps a byte
        assert result.time_ns == tiers * 1000 + (2 * tiers - 1) * 100 + (1 << 20) * 0.02
        assert result.folding["classes"] == 1
    assert result.time_ns >= result.bound
    links = pl.from_arrow(result.links)
    assert isinstance(links, pl.DataFrame)
    # all links that carried something, counted by what they stand for, are those of the run in full
    used = links.filter(pl.col("packets") > 0)["multiplicity"].sum()
    full = sn.all_reduce(
        tree(hosts), size="1 MiB", algorithm="in_network", fidelity="packet", record=["links"], fold=False, skip=False
    )
    assert full.time_fs == result.time_fs
    every = pl.from_arrow(full.links)
    assert isinstance(every, pl.DataFrame)
    assert used == every.filter(pl.col("packets") > 0).height
    assert result.expand("links").equals(full.links)


def test_two_ports_are_two_trees() -> None:
    one, two = (
        sn.all_reduce(tree(nics=nics), size="64 MiB", algorithm="sharp", fidelity="packet").busbw_gbytes_s
        for nics in (1, 2)
    )
    assert two == pytest.approx(2 * one, rel=0.01)


def test_other_collectives_climb() -> None:
    for collective in ("all_gather", "reduce_scatter", "broadcast", "reduce", "barrier"):
        size = {} if collective == "barrier" else {"size": "256 KiB"}
        result = sn.simulate(tree(16), collective, algorithm="in_network", fidelity="packet", **size)  # type: ignore[call-overload]
        assert result.time_ns >= result.bound > 0


def test_analytic_knows_the_tree() -> None:
    packet, analytic = (
        sn.all_reduce(tree(), size="4 MiB", algorithm="in_network", fidelity=fidelity)
        for fidelity in ("packet", "analytic")
    )
    assert analytic.time_ns == pytest.approx(packet.time_ns, rel=0.05)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(AlgorithmError, match="in_network_reduce"):
        sn.all_reduce(tree(adds=False), size="1 MiB", algorithm="in_network")
    with pytest.raises(SpecError, match="fluids"):
        sn.all_reduce(tree(), size="1 MiB", algorithm="in_network", fidelity="flow")
    # too many packets for auto: not flows, which cannot, but analytic
    result = sn.all_reduce(tree(), size="1 GiB", algorithm="in_network", fold=False, budget="1 us")
    assert result.fidelity == "analytic"


def test_a_preset_whose_switches_add() -> None:
    plain = sn.System.preset("atlas950-supercluster", superpods=2)
    with pytest.raises(AlgorithmError):
        sn.all_reduce(plain, size="1 MiB", algorithm="in_network")
    system = sn.System.preset("atlas950-supercluster", superpods=2, nic_switch_reduce=True)
    assert sn.all_reduce(system, size="1 MiB", algorithm="in_network").folding["applied"]
    as_text = sn.System.preset("atlas950-supercluster", superpods=2, nic_switch_reduce="true")
    assert as_text.to_spec().networks == system.to_spec().networks
    with pytest.raises(SpecError, match="true or false"):
        sn.System.preset("atlas950-supercluster", superpods=2, nic_switch_reduce="perhaps")


@pytest.mark.parametrize("collective", ["all_reduce", "broadcast", "reduce", "all_gather", "reduce_scatter", "barrier"])
def test_inside_one_unit_of_a_machine_whose_outer_switches_add(collective: str) -> None:
    inner = sn.Switched(bandwidth="1 GB/s", latency="10 us")
    outer = sn.Switched(bandwidth="100 GB/s", latency="1 ns", in_network_reduce=True)
    machine = sn.System("s").scale_up(count=4, fabric=inner).scale_out(outer).replicate(2)
    size = None if collective == "barrier" else 1 << 20
    options: dict[str, Any] = {"size": size, "stack": "none"}
    asked = sn.simulate(machine, collective, ranks=4, algorithm="in_network", **options)
    # messages and sums take the innermost network that joins the ranks; it does not add, so the choice is that of auto
    auto = sn.simulate(machine, collective, ranks=4, algorithm="auto", **options)
    assert (asked.algorithm, asked.time_fs) == (auto.algorithm, auto.time_fs)
    assert asked.algorithm != "in_network"
    assert asked.time_ns >= asked.bound
    said = "algorithm in_network: the 4 ranks are inside one scale_up, whose switches do not add"
    assert [w for w in asked.warnings if w.startswith(said)]
    assert not [w for w in auto.warnings if w.startswith(said)]
    # over two units the outer switches add
    assert sn.simulate(machine, collective, algorithm="in_network", **options).algorithm == "in_network"


def test_inner_switches_that_add_do_not_help_between_units() -> None:
    with pytest.raises(AlgorithmError, match="innermost network that joins all ranks"):
        sn.all_reduce("hgx-h100:2", size="1 MiB", algorithm="in_network")


def test_trees_join_units_whose_switches_add() -> None:
    packet, flow, analytic = (
        sn.all_reduce("hgx-h100:2", size="16 MiB", algorithm="nvls_tree", fidelity=fidelity)
        for fidelity in ("packet", "flow", "analytic")
    )
    assert (packet.algorithm, packet.protocol) == ("in_network_tree", "nvls_tree")
    assert flow.time_ns == pytest.approx(packet.time_ns, rel=0.1)
    assert packet.time_ns / 1.5 < analytic.time_ns < packet.time_ns * 1.5
    assert packet.time_ns >= packet.bound
    assert packet.folding["reason"] == "switches add some messages and only forward others"


def test_trees_need_units_that_add() -> None:
    for system in ("hgx-a100:2", "hgx-h100"):
        with pytest.raises(AlgorithmError, match="of a unit" if ":" in system else "several units evenly"):
            sn.all_reduce(system, size="1 MiB", algorithm="in_network_tree")
    # twelve ranks are a whole board and a half
    with pytest.raises(AlgorithmError, match="several units evenly"):
        sn.all_reduce("hgx-h100:2", ranks=12, size="1 MiB", algorithm="in_network_tree")


def test_nics_carry_a_piece_of_each_owner() -> None:
    # eight owners of an eighth of 1 MiB: the other board sends up what the root's sends down, over all sixteen NICs
    result = sn.all_reduce("hgx-h100:2", size="1 MiB", algorithm="in_network_tree", stack="none", record=["links"])
    links = pl.from_arrow(result.links)
    assert isinstance(links, pl.DataFrame)
    out = links.filter((pl.col("network") != "scale_up") & (pl.col("level") == 1) & (pl.col("bytes") > 0))
    for direction in ("up", "down"):
        assert out.filter(pl.col("direction") == direction)["bytes"].to_list() == [1 << 17] * 16
