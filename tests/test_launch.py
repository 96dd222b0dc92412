"""What NICs add to messages, and calls that a host launches back to back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import SpecError


def pair(**options: Any) -> sn.System:
    """Return two accelerators on a switch."""
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns", overhead=0)
    return sn.System("pair").scale_up(sn.Device("g"), count=2, fabric=fabric, **options)


def test_a_transport_adds_its_latency_once_to_a_message() -> None:
    nics = sn.Transport(latency="20 us")
    plain, slow = (sn.send_recv(s, size="1 MiB").time_ns for s in (pair(), pair(transport=nics)))
    assert slow - plain == pytest.approx(20_000, abs=1e-6)
    outside = sn.System("pair").scale_out(
        sn.FatTree(radix=4, link="400 Gbit/s"), count=2, device=sn.Device("g"), transport=nics
    )
    bare = sn.System("pair").scale_out(sn.FatTree(radix=4, link="400 Gbit/s"), count=2, device=sn.Device("g"))
    found = sn.send_recv(outside, size="1 MiB").time_ns - sn.send_recv(bare, size="1 MiB").time_ns
    assert found == pytest.approx(20_000, abs=1e-6)
    # a parameter that only a bench or only several units depend on is not said to be idle
    for name in ("host_launch", "nic_hop"):
        assert not [note for note in sn.System.preset("hgx-h100:2", **{name: "20 us"}).notes() if name in note]
    assert "its NICs add 20 us to every message" in str(sn.show("hgx-h100:2", nic_hop="20 us"))


def test_a_cost_per_message_is_counted_by_packets_flows_and_prediction() -> None:
    nics = sn.Transport(per_message="30 us")
    run: dict[str, Any] = {"size": "64 KiB", "algorithm": "ring", "stack": "none", "lanes": 4}
    for fidelity in ("packet", "flow", "analytic"):
        plain, slow = (sn.all_gather(s, fidelity=fidelity, **run).time_ns for s in (pair(), pair(transport=nics)))
        # four lanes, a message each: handed over one after the other, the last after 120 us
        assert 115_000 < slow - plain < 121_000, fidelity


@pytest.mark.parametrize("joined", ["fat_tree", "torus", "preset"])
def test_transports_and_hosts_are_saved(tmp_path: Path, joined: str) -> None:
    nics = sn.Transport("1.5 us", "0.5 us")
    if joined == "preset":
        system = sn.System.preset("hgx-h100:2", nic_hop="30 us", host_launch="4.5 us")
    else:
        fabric: Any = sn.FatTree(radix=8, link="400 Gbit/s")
        if joined == "torus":
            fabric = sn.Torus(dims=(4,), bandwidth="10 GB/s", latency="1 us")
        system = pair(transport=nics).scale_out(fabric, transport=nics).replicate(2).with_host(sn.Host("4 us"))
    system.save(tmp_path / "s.toml")
    again = sn.System.load(tmp_path / "s.toml")
    # a preset is saved as what it became, so its parameters are no more in its name
    spec, same = system.to_spec(), again.to_spec()
    assert [n.transport for n in spec.networks] == [n.transport for n in same.networks]
    assert any(n.transport.latency_fs for n in same.networks)
    assert system.host is not None
    assert again.host is not None
    assert again.host.launch_fs() == system.host.launch_fs()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sn.Transport("-1 us"), "transport, latency"),
        (lambda: sn.Transport("2 s"), "less than 1 s"),
        (lambda: sn.Transport(per_message="5"), "transport, per_message"),
        (lambda: sn.Host("5 GB"), "host, launch"),
        (lambda: pair(transport="5 us"), "it must be a Transport"),
        (lambda: pair().with_host("5 us"), "it must be a Host"),  # type: ignore[arg-type]
        (lambda: sn.bench("all_reduce", "hgx-h100", sizes=8, devices_per_thread=0), "devices_per_thread"),
        (lambda: sn.bench("all_reduce", "hgx-h100", sizes=8, devices_per_thread=9), "there are 8 ranks"),
        (lambda: sn.bench("all_reduce", "hgx-h100", sizes=8, devices_per_thread=8, calls=0), "calls"),
        (lambda: sn.bench("all_reduce", "hgx-h100", sizes=8, calls=5), "calls= has no effect"),
        (lambda: sn.bench("all_reduce", "hgx-h100", sizes=8, graph=True), "graph= has no effect"),
    ],
)
def test_mistakes_are_named(make: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        make()


def test_the_slower_of_host_and_devices_sets_the_time_per_call() -> None:
    options: Any = {"sizes": ["1K", "256M"], "fidelity": "packet"}
    alone = sn.bench("all_reduce", "hgx-h100", **options)
    calls = sn.bench("all_reduce", "hgx-h100", devices_per_thread=8, **options)
    small, large = (row["time_ns"] for row in alone.rows)
    # a thread launches on eight devices in 8 x 3.2 us: 20 launches and the last call, or one launch and 20 calls
    assert small < 25_600 < large
    assert calls.rows[0]["time_ns"] == pytest.approx(25_600 + small / 20, rel=1e-9)
    assert calls.rows[1]["time_ns"] == pytest.approx(25_600 / 20 + large, rel=1e-9)
    assert calls.rows[0]["bottleneck"] == "host: a thread launches 8 devices in turn, 3.2 us each"
    assert calls.rows[1]["bottleneck"] == alone.rows[1]["bottleneck"]
    for row in calls.rows:
        assert row["algbw_gbytes_s"] == pytest.approx(row["size_bytes"] / row["time_ns"])
        assert row["efficiency"] == pytest.approx(row["bound_ns"] / row["time_ns"])
    # what is behind a row is one call on the devices
    assert [r.time_ns for r in calls] == [small, large]
    once = sn.bench("all_reduce", "hgx-h100", devices_per_thread=8, calls=1, **options)
    assert once.rows[0]["time_ns"] == pytest.approx(25_600 + small)
    graph = sn.bench("all_reduce", "hgx-h100", devices_per_thread=8, graph=True, **options)
    assert [row["time_ns"] for row in graph.rows] == [small, large]


def test_a_system_without_a_host_says_so(tmp_path: Path) -> None:
    bench = sn.bench("send_recv", pair(), sizes=8, devices_per_thread=2)
    assert [w for w in bench.warnings if "devices_per_thread has no effect: pair has no host" in w]
    bench.save(tmp_path / "b")
    assert sn.Bench.load(tmp_path / "b").warnings == bench.warnings


def test_trees_have_chains_inside_nodes() -> None:
    # a node is left and entered once each way: 2 x 100 us; a flat tree over 16 ranks crosses it several times
    slow = sn.System.preset("hgx-a100:2", nic_hop="100 us")
    fast = sn.System.preset("hgx-a100:2")
    options: Any = {"size": "1 KiB", "algorithm": "double_binary_tree", "protocol": "ll_tree"}
    more = sn.all_reduce(slow, **options).time_ns - sn.all_reduce(fast, **options).time_ns
    assert more == pytest.approx(200_000, rel=1e-6)
