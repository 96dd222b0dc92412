"""Traffic patterns, transfers between named ranks, matrices of bytes, and ranks that differ in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import supernode as sn
from supernode import core
from supernode.errors import SpecError, SupernodeError, UnitError

N = 16
#: Payload of a packet on the star.
PACKET = 4096


def star(count: int = N) -> sn.System:
    """Accelerators on one switch by one link of 50 GB/s."""
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns", switch_latency="100 ns")
    return sn.System("star").scale_up(sn.Device("gpu"), count=count, fabric=fabric)


def run(w: sn.Workload, **options: Any) -> sn.WorkloadResult:
    return sn.simulate(star(w.mesh.ranks), w, **{"stack": "none", "fidelity": "packet", "record": ["flows"], **options})


def carried(result: sn.WorkloadResult) -> dict[tuple[int, int], int]:
    """Bytes by source and destination."""
    flows = pl.DataFrame(result.expand("flows")).group_by("src", "dst").agg(pl.col("bytes").sum())
    return {(source, destination): count for source, destination, count in flows.rows()}


def bits(place: int) -> str:
    return f"{place:04b}"


#: Definitions of Dally and Towles, table 3.1, on N = 16 places; ``None``: nothing is sent.
DEFINITIONS: dict[str, Callable[[int], int]] = {
    "neighbour": lambda s: (s + 1) % N,
    "tornado": lambda s: (s + (N + 1) // 2 - 1) % N,
    "transpose": lambda s: int(bits(s)[2:] + bits(s)[:2], 2),
    "bit_complement": lambda s: int(bits(s).translate(str.maketrans("01", "10")), 2),
    "bit_reverse": lambda s: int(bits(s)[::-1], 2),
    "shuffle": lambda s: int(bits(s)[1:] + bits(s)[0], 2),
}


def test_all_patterns_of_the_core_are_here() -> None:
    others = {"permutation", "random_permutation", "uniform", "incast", "all_to_some"}
    assert {*DEFINITIONS, *others} == set(core.vocabulary()["patterns"])


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("fidelity", ["packet", "flow"])
def test_a_pattern_sends_what_its_definition_says(name: str, fidelity: str) -> None:
    found = sn.traffic(star(), name, size=3000, messages=2, fidelity=fidelity, stack="none", record=["flows"])
    to = DEFINITIONS[name]
    assert carried(found) == {(s, to(s)): 6000 for s in range(N) if to(s) != s}


def test_a_pattern_stays_in_its_communicator() -> None:
    w = sn.Workload(sn.DeviceMesh(dp=4, tp=4))
    w.pattern("bit_complement", "dp", size=100)
    w.pattern("permutation", "tp", size=100, destinations=[1, 0, 2, 3], stream="other")
    far = {(4 * d + t, 4 * (3 - d) + t): 100 for d in range(4) for t in range(4)}
    near = {(4 * d + t, 4 * d + 1 - t): 100 for d in range(4) for t in range(2)}
    assert carried(run(w)) == {**far, **near}


def test_what_is_drawn_is_kept_by_its_seed() -> None:
    def drawn(name: str, seed: int) -> dict[tuple[int, int], int]:
        return carried(sn.traffic(star(), name, size=8, messages=50, seed=seed, stack="none", record=["flows"]))

    for name in ("uniform", "random_permutation"):
        one, other = drawn(name, 1), drawn(name, 2)
        assert one == drawn(name, 1)
        assert one != other
        assert all(source != destination for source, destination in one)
        sent = Counter[int]()
        for (source, _), count in one.items():
            sent[source] += count
        assert sent == dict.fromkeys(range(N), 400), "each rank sends 50 messages of 8 bytes"
    permuted = drawn("random_permutation", 1)
    assert len(permuted) == len({destination for _, destination in permuted}) == N


def test_incasts_take_all_messages_through_the_links_of_the_targets() -> None:
    size = 8 * PACKET
    time = size / 50 + 1100  # ns: one message over two links and a switch
    incast = sn.traffic(star(), "incast", size=size, target=3, stack="none", fidelity="packet", record=["flows"])
    assert incast.time_ns == pytest.approx((N - 1) * size / 50 + 1100)
    assert carried(incast) == {(s, 3): size for s in range(N) if s != 3}
    assert incast.bound_kind == "injection"
    assert incast.efficiency == pytest.approx(1)
    some = sn.traffic(star(), "all_to_some", size=size, targets=[9, 3], stack="none", fidelity="packet", messages=2,
                      record=["flows"])  # fmt: skip
    assert carried(some) == {(s, t): 2 * size for s in range(N) for t in (3, 9) if s != t}
    assert some.time_ns >= 2 * (N - 1) * size / 50
    one = sn.traffic(star(), "neighbour", size=size, stack="none", fidelity="packet")
    assert one.time_ns == pytest.approx(time)
    assert one.folding["order"] == N


def test_a_neighbour_on_a_preset_takes_one_message() -> None:
    shift = sn.traffic("nvl72", "neighbour", size="4 MiB", fidelity="packet")
    alone = sn.send_recv("nvl72", size="4 MiB", fidelity="packet")
    assert shift.time_fs == alone.time_fs
    assert shift.choices[0]["pattern"] == "neighbour"
    assert shift.operations["algorithm"].to_pylist() == ["neighbour"]
    assert shift.operations["kind"].to_pylist() == ["pattern"]


def test_a_transfer_is_between_the_ranks_that_are_named() -> None:
    w = sn.Workload(sn.DeviceMesh(pp=2, tp=4))
    first = w.transfer(1, {"pp": 1, "tp": 3}, size=4 * PACKET)
    w.transfer([0, {"pp": 0, "tp": 1}], [5, 5], size=PACKET, after=first, stream="net", name="both")
    found = run(w)
    assert carried(found) == {(1, 7): 4 * PACKET, (0, 5): PACKET, (1, 5): PACKET}
    frame = found.to_polars().filter(pl.col("operation") == "transfer")
    assert frame["ranks"].sum() == 2, "the other ranks do not execute it"
    assert frame["end_ns"].max() == pytest.approx(4 * PACKET / 50 + 1100)
    both = found.to_polars("flows").filter(pl.col("operation") == "both").sort("src")
    assert both["start_ns"].to_list() == pytest.approx([0, 4 * PACKET / 50]), "rank 0 waits for nothing"


def test_a_matrix_sends_its_entries() -> None:
    random = np.random.default_rng(1)
    matrix = random.integers(0, 3, (4, 4)) * 1000
    w = sn.Workload(sn.DeviceMesh(dp=4, tp=4))
    w.all_to_all("tp", matrix=matrix)
    found = run(w)
    expected = {
        (4 * d + i, 4 * d + j): int(matrix[i, j]) for d in range(4) for i in range(4) for j in range(4) if i != j
    }
    assert carried(found) == {pair: count for pair, count in expected.items() if count}
    assert found.operations["algorithm"].to_pylist()[0] == "direct"
    np.fill_diagonal(matrix, 0)
    assert found.operations["size_bytes"].to_pylist()[0] == matrix.sum(axis=1).max()
    # of equal entries it is the direct all-to-all
    w = sn.Workload(sn.DeviceMesh(r=8))
    w.all_to_all(matrix=[["64 KiB"] * 8] * 8)
    alone = sn.all_to_all(star(8), size="512 KiB", algorithm="direct", stack="none", fidelity="packet")
    assert run(w).time_fs == alone.time_fs


def test_jitter_and_slow_ranks_are_drawn_by_name_and_seed() -> None:
    def ends(seed: int = 0, **options: Any) -> list[float]:
        w = sn.Workload(sn.DeviceMesh(r=N))
        for rank in range(N):  # a role per rank, so that each has a row
            with w.on(r=rank):
                w.delay(0, stream="none", name=f"role {rank}")
        w.compute("10 us", jitter=0.2, slow_ranks={3: 2.0, 4: 0.5}, seed=seed, name="step")
        found = run(w, **options).to_polars()
        return found.filter(pl.col("operation") == "step").sort("role")["end_ns"].to_list()

    one = ends()
    assert all(8000 <= end <= 12000 for rank, end in enumerate(one) if rank not in (3, 4))
    assert 16000 <= one[3] <= 24000
    assert 4000 <= one[4] <= 6000
    assert len(set(one)) == N
    assert one == ends(threads=2) == ends(fidelity="flow")
    assert one != ends(seed=1)


def test_a_run_with_slow_ranks_is_not_folded_and_waits_for_them() -> None:
    def time(**options: Any) -> sn.WorkloadResult:
        w = sn.Workload(sn.DeviceMesh(r=8))
        w.all_reduce(size="64 KiB", algorithm="ring", after=w.compute("10 us", **options), stream="sum")
        return run(w)

    plain, slow = time(), time(slow_ranks={5: 1.5})
    assert plain.folding["applied"]
    assert not slow.folding["applied"]
    assert plain.time_ns + 2000 < slow.time_ns <= plain.time_ns + 5000


def test_all_of_it_survives_a_file(tmp_path: Path) -> None:
    w = sn.Workload(sn.DeviceMesh(dp=2, tp=4), name="everything")
    w.pattern("uniform", "tp", size="1 KiB", messages=3, seed=7, share=0.1)
    w.pattern("incast", groups=[[0, 5], [3, 2]], size=12, target=1)
    w.pattern("all_to_some", size=12, targets=[5, 1])
    w.pattern("permutation", "dp", size=12, destinations=[1, 0])
    w.transfer(0, {"dp": 1, "tp": 2}, size="2 MiB", stream="net")
    w.transfer([0, 1], [2, 3], size=5)
    w.all_to_all("dp", matrix=[[0, 5], [6, 0]])
    w.compute("5 us", jitter=0.125, slow_ranks={3: 1.5}, seed=4)
    path = tmp_path / "w.toml"
    path.write_text(w.to_toml())
    (again,) = sn.load_workloads(path)
    assert again.body() == w.body()
    assert again.to_toml() == w.to_toml()
    path.write_text(w.to_toml().replace('size = "2 MiB"', 'size = "2 MiX"'))
    with pytest.raises(UnitError, match=r"w\.toml: job 'everything', operation 5 'transfer': size"):
        sn.load_workloads(path)


def job(dp: int = 2, tp: int = 4) -> sn.Workload:
    return sn.Workload(sn.DeviceMesh(dp=dp, tp=tp))


MISTAKES: list[tuple[Callable[[sn.Workload], object], str]] = [
    (
        lambda w: w.pattern("tornadoes", size=1),
        "^operation 'pattern': unknown pattern 'tornadoes'; did you mean 'tornado'",
    ),
    (lambda w: w.pattern("tornadoes", size=1, name="p"), "^operation 'p': unknown pattern"),
    (lambda w: w.pattern("tornado", "pp", size=1), "^operation 'tornado': axes: 'pp' is not valid; one of dp, tp"),
    (lambda w: w.pattern("tornado", size=0), "operation 'tornado_dp_tp': size"),
    (lambda w: w.pattern("tornado", size=1, messages=0), "operation 'tornado_dp_tp': messages: 0"),
    (lambda w: w.pattern("tornado", size=1, target=2), "target=2 has no effect on pattern tornado; it is for incast"),
    (lambda w: w.pattern("all_to_some", size=1), "targets is missing"),
    (lambda w: w.pattern("permutation", size=1), "destinations is missing"),
    (lambda w: w.pattern("tornado", "tp", size=1, groups=[[0]]), "axes or groups, not both"),
    (lambda w: w.transfer(0, 0, size=1), "operation 'transfer': destination: rank 0 is the source, too"),
    (lambda w: w.transfer(0, 8, size=1), "operation 'transfer': destination: 8 is not valid"),
    (lambda w: w.transfer([0, 1], 2, size=1), "1 ranks and 2 sources"),
    (lambda w: w.transfer([0, 0], [2, 2], size=1), "rank 0 sends to rank 2 twice"),
    (lambda w: w.transfer([], [], size=1), "at least one rank"),
    (lambda w: w.transfer({"dp": 0}, 2, size=1), "lacks a coordinate along tp"),
    (lambda w: w.transfer({"dp": 0, "tp": 4}, 2, size=1), "source: tp: 4 is not valid"),
    (lambda w: w.transfer({"pp": 0}, 2, size=1), "source: 'pp' is not valid; one of dp, tp"),
    (lambda w: w.all_to_all(matrix=[[0, 1]]), "operation 'all_to_all_dp_tp': matrix: 1 rows, and 2 entries in row 0"),
    (lambda w: w.all_to_all(matrix=[[1]]), "nothing is sent"),
    (lambda w: w.all_to_all(matrix=[[0, -1], [1, 0]]), "matrix: -1 is not valid"),
    (
        lambda w: w.all_to_all(matrix=np.ones((8, 8), bool)),
        "'all_to_all_dp_tp': matrix: True is not valid; entries are b",
    ),
    (lambda w: w.all_to_all(matrix=[[True, 2], [1, 2]]), "matrix: True is not valid; entries are bytes"),
    (lambda w: w.all_to_all(matrix=[np.array([0, 1]), np.array([False, True])]), "matrix: False is not valid"),
    (lambda w: w.all_to_all(matrix=[["1 MiX"]]), "matrix: unknown unit 'MiX'"),
    (lambda w: w.all_to_all(matrix=5), "must be a square array of bytes"),
    (lambda w: w.all_to_all(matrix=[[0, 1], [1, 0]], size=5), "size=5 has no effect beside matrix="),
    (lambda w: w.all_to_all(matrix=[[0, 1], [1, 0]], algorithm="ring"), "algorithm='ring' has no effect beside"),
    (lambda w: w.all_reduce(matrix=[[0, 1], [1, 0]]), "matrix= has no effect on all_reduce"),
    (lambda w: w.compute("1 us", jitter=1), "operation 'compute': jitter: 1 is not valid"),
    (lambda w: w.compute("1 us", slow_ranks=[3]), "slow_ranks: .* a factor for each of some ranks"),  # type: ignore[arg-type]
    (lambda w: w.compute("1 us", slow_ranks={8: 2}), "slow_ranks: rank: 8 is not valid; .* from 0 to 7"),
    (lambda w: w.compute("1 us", slow_ranks={0: 0}), "slow_ranks: 0 of rank 0 is not valid"),
    (lambda w: w.barrier(size=8), "operation 'barrier_dp_tp': size=8 has no effect: a barrier moves no data"),
    (lambda w: w.all_reduce(size=1, protocol=3), "operation 'all_reduce_dp_tp': protocol is 3; it must be text"),
    (lambda w: w.all_reduce(size=1, lanes=2**40), "operation 'all_reduce_dp_tp': lanes: 1099511627776 is not valid"),
    (lambda w: w.compute("ten"), "operation 'compute': duration"),
    (lambda _: sn.simulate("nvl72", []), "at least one Workload"),
    (lambda _: sn.traffic(star(12), "transpose", size=1), "transpose among 12 ranks.* a square number of ranks"),
    (lambda _: sn.traffic(star(12), "bit_complement", size=1), "a power of two of ranks"),
    (lambda _: sn.traffic(star(2), "tornado", size=1), "at least three ranks"),
    (
        lambda _: sn.traffic(star(4), "incast", size=1, target=4),
        "target: 4 is not valid; places of the communicator, 0 to 3",
    ),
    (lambda _: sn.traffic(star(4), "incast", size=1, target=2**31), r"incast_\w+\": target: 2147483648 is not valid"),
    (lambda _: sn.traffic(star(4), "all_to_some", size=1, targets=[1, 1]), "targets: 1 twice"),
    (lambda _: sn.traffic(star(4), "permutation", size=1, destinations=[1, 0]), "destinations: 2 of them"),
    (lambda _: sn.traffic(star(4), "tornado", size=1, ranks=5), "ranks: 5 is not valid"),
    (lambda _: sn.traffic(star(4), "tornado", size=1, algorithm="ring"), "algorithm= has no effect"),
]


@pytest.mark.parametrize(("mistake", "text"), MISTAKES)
def test_mistakes_are_named(mistake: Callable[[sn.Workload], object], text: str) -> None:
    with pytest.raises(SupernodeError, match=text):
        mistake(job())


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (
            lambda w: w.compute("7200 s"),
            'operation "compute": duration: 7200000000000 ns is not valid; at most an hour',
        ),
        (lambda w: w.all_to_all("tp", matrix=[[0, 1], [1, 0]]), "matrix: 2 rows is not valid; a square matrix of 4"),
    ],
)
def test_what_the_core_refuses_is_named_in_the_words_of_the_user(
    build: Callable[[sn.Workload], Any], text: str
) -> None:
    w = job()
    build(w)
    with pytest.raises(SpecError, match=text):
        run(w)


def test_a_late_start_is_named() -> None:
    w = sn.Workload(sn.DeviceMesh(r=4), start="7200 s")
    w.barrier()
    with pytest.raises(SpecError, match=r'job "job": start: 7200000000000 ns is not valid; at most an hour'):
        run(w)
