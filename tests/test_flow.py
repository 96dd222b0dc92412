"""Flow fidelity from Python: closed forms, agreement with packets, tables, and what auto chooses."""

import time

import polars as pl
import pytest

import supernode as sn
from conftest import ALPHA_FS, FS_PER_BYTE, star
from supernode.errors import SimulationTimeout, SpecError
from supernode.system import System

TABLES = ["ranks", "levels", "links", "switches", "flows"]


def flow(system: System | str, collective: str, **options: object) -> sn.Result:
    result = sn.simulate(system, collective, fidelity="flow", **options)  # type: ignore[call-overload]
    assert result.fidelity == "flow"
    assert result.bound * 1e6 <= result.time_fs
    return result  # type: ignore[no-any-return]


def test_closed_forms() -> None:
    ring = flow(star(8), "all_reduce", size=8 * 65_536, algorithm="ring", lanes=1, dtype="int8")
    assert ring.time_fs == 14 * (ALPHA_FS + 65_536 * FS_PER_BYTE)
    direct = flow(star(8), "all_to_all", size=8 * 4096, algorithm="direct", lanes=1, dtype="int8")
    assert direct.time_fs == ALPHA_FS + 7 * 4096 * FS_PER_BYTE


@pytest.mark.parametrize(
    ("system", "collective", "algorithm"),
    [("nvl72", "all_reduce", "ring"), ("nvl72", "all_to_all", "direct"), ("hgx-h100:2", "all_reduce", "hierarchical")],
)
def test_long_flows_agree_with_packets(system: str, collective: str, algorithm: str) -> None:
    packet = sn.simulate(system, collective, size="64 MiB", algorithm=algorithm, fidelity="packet")
    assert flow(system, collective, size="64 MiB", algorithm=algorithm).time_ns == pytest.approx(
        packet.time_ns, rel=0.01
    )


def test_tables_are_those_of_packets_without_queues() -> None:
    options = {"size": "4 MiB", "algorithm": "direct", "record": TABLES}
    packet = sn.simulate("nvl72", "all_to_all", fidelity="packet", **options)  # type: ignore[call-overload]
    found = flow("nvl72", "all_to_all", **options)
    assert found.tables() == packet.tables()
    for table, column in [
        ("ranks", "received_bytes"),
        ("levels", "wire_bytes"),
        ("links", "wire_bytes"),
        ("switches", "bytes"),
        ("flows", "bytes"),
    ]:
        sums = [pl.DataFrame(r.expand(table)).get_column(column).sum() for r in (packet, found)]
        assert sums[0] == sums[1]
    links = found.to_polars("links")
    assert links.schema == packet.to_polars("links").schema
    assert links.select(pl.col("queue_max_packets", "queue_mean_packets", "stall_ns").sum()).row(0) == (0, 0.0, 0.0)
    assert links.get_column("utilisation").max() <= 1.0  # type: ignore[operator]
    ends = found.to_polars("flows")
    assert (ends.get_column("end_ns") >= ends.get_column("start_ns")).all()
    assert found.summary["packet_hops"].to_pylist() == packet.summary["packet_hops"].to_pylist()
    assert found.bottleneck


def test_the_same_run_gives_the_same_tables() -> None:
    first, second = (flow("hgx-h100:2", "all_gather", size="1 MiB", algorithm="ring", record=TABLES) for _ in range(2))
    for table in TABLES:
        assert first.table(table).equals(second.table(table))


def test_auto_takes_flows_where_packets_do_not_fit() -> None:
    result = sn.simulate(
        "nvl72", "all_to_all", size="8 GiB", algorithm="direct", budget="20 ms", fold=False, skip=False
    )
    assert result.fidelity == "flow"
    assert sn.simulate("nvl72", "all_to_all", size="1 MiB", algorithm="direct").fidelity == "packet"


def dragonfly(routing: str) -> System:
    fabric = sn.Dragonfly(terminals=2, bandwidth="25 GB/s", latency="300 ns", routing=routing)
    return System("x").scale_up(count=fabric.accelerators, fabric=fabric)


@pytest.mark.parametrize("routing", ["d_mod_k", "ecmp", "spray_round_robin", "adaptive"])
def test_graphs_agree_with_packets(routing: str) -> None:
    options = {"size": "16 MiB", "algorithm": "ring", "record": ["links"], "stack": "none"}
    packet = sn.simulate(dragonfly(routing), "all_reduce", fidelity="packet", **options)  # type: ignore[call-overload]
    found = flow(dragonfly(routing), "all_reduce", **options)
    assert found.time_ns == pytest.approx(packet.time_ns, rel=0.01)
    assert any("adaptive" in w for w in found.warnings) == (routing == "adaptive")
    # one shortest path between any two: the same links
    links = [r.to_polars("links").select("link", "bytes", "wire_bytes", "packets") for r in (packet, found)]
    assert links[0].equals(links[1])


def test_detours_and_queues_of_graphs() -> None:
    result = flow(dragonfly("valiant"), "all_to_all", size="16 MiB", algorithm="pairwise", stack="none")
    packet = sn.simulate(
        dragonfly("valiant"), "all_to_all", size="16 MiB", algorithm="pairwise", stack="none", fidelity="packet"
    )
    assert result.time_ns == pytest.approx(packet.time_ns, rel=0.1)
    with pytest.raises(SpecError, match="routes by ugal, which chooses"):
        flow(dragonfly("ugal"), "all_reduce", size="1 MiB")
    # auto leaves out what flows do not follow
    options = {"size": "1 GiB", "algorithm": "ring", "budget": "50 ms", "skip": False}
    chosen = [sn.simulate(dragonfly(r), "all_reduce", **options).fidelity for r in ("ugal", "ecmp")]  # type: ignore[call-overload]
    assert chosen == ["analytic", "flow"]


def test_threads_have_no_effect_and_time_limits_do() -> None:
    result = flow(star(8), "all_reduce", size="1 MiB", threads=2)
    assert any("threads has no effect" in w for w in result.warnings)
    with pytest.raises(SimulationTimeout):
        flow(star(8), "all_reduce", size="64 MiB", time_limit="10 us")


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []

    def tell(_now_ns: int, delivered: int, total: int) -> None:
        seen.append((delivered, total))

    # long enough to be asked many times on any machine
    options = {"size": "64 MiB", "algorithm": "direct", "fold": False, "record": ["ranks"]}
    result = flow(star(512), "all_to_all", progress=tell, **options)
    delivered = [bytes_ for bytes_, _ in seen]
    received = sum(result.ranks["received_bytes"].to_pylist())
    assert delivered == sorted(delivered)
    assert 0 < delivered[-1] <= received
    # the whole is not known until the run is planned
    assert {total for _, total in seen} - {0} == {received}


def test_flows_fold_where_packets_cannot() -> None:
    # virtual channels of a torus have a place unlike the others; fluids have no channels
    torus = System("t").scale_up(count=64, fabric=sn.Torus(dims=(4, 4, 4), bandwidth="45 GB/s", latency="300 ns"))
    options = {"size": "512 KiB", "algorithm": "direct", "stack": "none", "record": ["ranks", "links"]}
    folded, full = (flow(torus, "all_to_all", fold=f, **options) for f in (True, False))
    assert (folded.folding["order"], folded.ranks.num_rows) == (64, 1)
    assert folded.time_ns == pytest.approx(full.time_ns, rel=1e-6)
    for table, column in [("ranks", "received_bytes"), ("links", "wire_bytes")]:
        sums = [pl.DataFrame(r.expand(table)).get_column(column).sum() for r in (folded, full)]
        assert sums[0] == sums[1]


def test_a_ring_in_step_costs_what_one_rank_costs() -> None:
    # 8,192 ranks send 134 million messages; they do alike, so one is simulated: 2 (p - 1) (a + n/p b)
    start = time.process_time()
    options = {"size": 8192 * 4096, "algorithm": "ring", "lanes": 1, "dtype": "int8"}
    ring = flow(star(8192), "all_reduce", **options)
    assert ring.time_fs == 2 * 8191 * (ALPHA_FS + 4096 * FS_PER_BYTE)
    assert time.process_time() - start < 10


def test_empty_messages_cost_what_they_are_worth() -> None:
    options = {"size": 5, "algorithm": "direct", "lanes": 4, "chunks": 4, "dtype": "float16", "stack": "none"}
    start = time.process_time()
    flow("trn2-ultraserver", "all_to_all", **options)
    assert time.process_time() - start < 1
