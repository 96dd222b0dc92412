"""The bottleneck is the cause with the largest measured share, by name, place and share."""

import warnings

import pytest

import supernode as sn


def star(**fabric: object) -> sn.System:
    switched = sn.Switched(**{"bandwidth": "50 GB/s", "latency": "350 ns", **fabric})  # type: ignore[arg-type]
    return sn.System("s").scale_up(sn.Device("g"), count=8, fabric=switched)


def run(system: sn.System | str, collective: str, **options: object) -> sn.Result:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sn.simulate(system, collective, **{"fidelity": "packet", **options})  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("fold", [False, True])
def test_a_large_ring_is_bound_by_its_links(fold: bool) -> None:
    result = run(star(), "all_reduce", size="64 MiB", stack="none", algorithm="ring", fold=fold)
    # 14 steps of 8 MiB at 50 GB/s are 2,348.8 of 2,358.6 us
    assert result.bottleneck == "scale_up tier 1 up links, 100 % busy"


def test_tiny_messages_are_bound_by_propagation_or_software() -> None:
    assert run(star(), "all_reduce", size=64, stack="none").bottleneck.startswith("propagation latency, ")
    assert run("nvl72", "all_reduce", size=64).bottleneck.startswith("software, ")


@pytest.mark.parametrize("fidelity", ["packet", "flow"])
def test_bytes_on_one_link_after_another_are_named(fidelity: str) -> None:
    """A message that passes 15 ranks in turn: no link sends for long, and yet faster links are what would help."""
    fabric = sn.Switched(bandwidth="10 GB/s", latency="100 ns", switch_latency="0 ns", cut_through=False)
    system = sn.System("chain").scale_up(sn.Device("g"), count=16, fabric=fabric)
    result = run(system, "broadcast", size=4096, algorithm="ring", stack="none", fidelity=fidelity)
    # 15 steps of two links of 409.6 + 100 ns: 80 % are bytes
    assert result.time_ns == 15 * 2 * 509.6
    assert result.bottleneck == "scale_up tier 1 up links in one step after another, 80 % of the time"


def test_a_slow_memory_is_named() -> None:
    fabric = sn.Switched(bandwidth="50 GB/s", latency="350 ns")
    system = sn.System("s").scale_up(sn.Device("g", hbm="20 GB/s"), count=8, fabric=fabric)
    result = run(system, "all_gather", size="8 MiB", stack="none", algorithm="ring")
    assert result.bottleneck.startswith("memory, ")


def test_contention_between_routers_is_named() -> None:
    """Small buffers between the switches of a HyperX: paths of 0.2 us, and an all-to-all that takes thousands."""
    fabric = sn.HyperX(dims=(4, 4), terminals=4, bandwidth="25 GB/s", latency="50 ns", payload="1 KiB", buffer="8 KiB")
    system = sn.System("h").scale_up(sn.Device("g"), count=64, fabric=fabric)
    result = run(system, "all_to_all", size="4 MiB", stack="none")
    assert "scale_up" in result.bottleneck
    assert "latency" not in result.bottleneck


def test_credit_stalls_of_the_scale_out_network_are_named() -> None:
    result = run("nvl72:4", "all_to_all", size="16 MiB")
    assert "scale_out" in result.bottleneck
    assert "software" not in result.bottleneck


def test_levels_and_links_show_what_the_label_rests_on() -> None:
    options = {"stack": "none", "algorithm": "ring", "record": ["links", "levels"]}
    result = run(star(buffer="8 KiB"), "all_reduce", size="4 MiB", **options)
    assert result.bottleneck.startswith("credit stalls at scale_up tier 1 ")
    levels, links = result.levels.to_pylist(), result.expand("links").to_pylist()
    for level in levels:
        of_level = [row for row in links if row["direction"] == level["direction"] and row["packets"]]
        assert level["stall_max_ns"] == max(row["stall_ns"] for row in of_level)
        assert level["stall_ns"] == pytest.approx(sum(row["stall_ns"] for row in of_level))
        assert level["wait_ns"] == pytest.approx(sum(row["wait_ns"] for row in of_level))
        assert level["wait_ns"] >= level["stall_ns"] > 0
