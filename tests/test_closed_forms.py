"""Contention-free cases equal the closed forms to the femtosecond.

One switch, one plane, no header bytes, no software. A message of m bytes takes alpha + m beta, with
alpha = link + switch + link = 250 + 100 + 250 ns and beta = 20,000 fs a byte (400 Gbit/s); cut-through adds nothing.
"""

from math import ceil, log2

import pytest

import supernode as sn
from conftest import ALPHA_FS, FS_PER_BYTE, star


def time_fs(collective: str, ranks: int, size: int, algorithm: str) -> int:
    result = sn.simulate(
        star(ranks), collective, size=size, algorithm=algorithm, fidelity="packet", lanes=1, dtype="int8"
    )
    assert result.fidelity == "packet"
    return result.time_fs


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
@pytest.mark.parametrize("part", [64, 4096, 65_536])
def test_ring_all_reduce(ranks: int, part: int) -> None:
    # 2(p-1) steps of n/p bytes each: 2(p-1) (alpha + n/p beta)
    assert time_fs("all_reduce", ranks, ranks * part, "ring") == 2 * (ranks - 1) * (ALPHA_FS + part * FS_PER_BYTE)


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
@pytest.mark.parametrize("collective", ["all_gather", "reduce_scatter"])
def test_ring_halves(collective: str, ranks: int) -> None:
    # (p-1) (alpha + n/p beta)
    assert time_fs(collective, ranks, ranks * 4096, "ring") == (ranks - 1) * (ALPHA_FS + 4096 * FS_PER_BYTE)


@pytest.mark.parametrize("ranks", [2, 4, 8, 16])
def test_recursive_doubling_all_reduce(ranks: int) -> None:
    # lg p (alpha + n beta)
    steps = int(log2(ranks))
    assert time_fs("all_reduce", ranks, 8192, "recursive_doubling") == steps * (ALPHA_FS + 8192 * FS_PER_BYTE)


@pytest.mark.parametrize("ranks", [2, 4, 8, 16])
def test_halving_doubling_all_reduce(ranks: int) -> None:
    # 2 lg p alpha + 2 n (p-1)/p beta
    size = ranks * 4096
    steps = int(log2(ranks))
    expected = 2 * steps * ALPHA_FS + 2 * (size // ranks) * (ranks - 1) * FS_PER_BYTE
    assert time_fs("all_reduce", ranks, size, "halving_doubling") == expected


@pytest.mark.parametrize("ranks", [2, 3, 4, 6, 7, 8])
def test_bruck_all_gather(ranks: int) -> None:
    # ceil(lg p) alpha + n (p-1)/p beta, for any p
    expected = ceil(log2(ranks)) * ALPHA_FS + (ranks - 1) * 4096 * FS_PER_BYTE
    assert time_fs("all_gather", ranks, ranks * 4096, "bruck") == expected


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_pairwise_all_to_all(ranks: int) -> None:
    # (p-1) (alpha + n/p beta)
    expected = (ranks - 1) * (ALPHA_FS + 4096 * FS_PER_BYTE)
    assert time_fs("all_to_all", ranks, ranks * 4096, "pairwise") == expected


@pytest.mark.parametrize("ranks", [2, 3, 8])
def test_send_recv(ranks: int) -> None:
    # alpha + n beta
    assert time_fs("send_recv", ranks, 65_536, "direct") == ALPHA_FS + 65_536 * FS_PER_BYTE


def test_store_and_forward_takes_one_packet_more() -> None:
    # alpha + n beta + one packet of 4,096 B
    result = sn.send_recv(
        star(2, cut_through=False), size=65_536, algorithm="direct", fidelity="packet", lanes=1, dtype="int8"
    )
    assert result.time_fs == ALPHA_FS + (65_536 + 4096) * FS_PER_BYTE


def test_headers_cost_their_bytes() -> None:
    # 16 packets of 4,096 + 64 B
    result = sn.send_recv(
        star(2, overhead=64), size=65_536, algorithm="direct", fidelity="packet", lanes=1, dtype="int8"
    )
    assert result.time_fs == ALPHA_FS + 16 * (4096 + 64) * FS_PER_BYTE


@pytest.mark.parametrize(
    ("collective", "factor"),
    [("all_reduce", 2 * 7 / 8), ("all_gather", 7 / 8), ("reduce_scatter", 7 / 8), ("all_to_all", 7 / 8),
     ("gather", 7 / 8), ("scatter", 7 / 8), ("broadcast", 1), ("reduce", 1), ("send_recv", 1)],
)  # fmt: skip
def test_bus_bandwidth_is_that_of_nccl_tests(collective: str, factor: float) -> None:
    result = sn.simulate(star(8), collective, size="1 MiB")
    assert result.algbw_gbytes_s == pytest.approx(2**20 / result.time_ns, rel=1e-12)  # B/ns is GB/s
    assert result.busbw_gbytes_s == pytest.approx(result.algbw_gbytes_s * factor, rel=1e-12)


@pytest.mark.parametrize("collective", ["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast"])
@pytest.mark.parametrize("size", [4096, 2**20])
def test_never_below_the_bound(collective: str, size: int) -> None:
    for algorithm in sn.explain(star(8), collective, size=size).rows:
        if algorithm["valid"]:
            result = sn.simulate(star(8), collective, size=size, algorithm=algorithm["algorithm"], fidelity="packet")
            assert result.time_ns >= result.bound


def test_analytic_agrees_where_there_is_no_contention() -> None:
    for algorithm in ("ring", "recursive_doubling", "halving_doubling"):
        both = [
            sn.all_reduce(star(8), size="64 KiB", algorithm=algorithm, fidelity=f, lanes=1)
            for f in ("packet", "analytic")
        ]
        assert both[0].time_ns == pytest.approx(both[1].time_ns, rel=1e-6)
