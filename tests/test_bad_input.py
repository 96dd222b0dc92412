"""Every way to ask for something impossible is a typed error that names the value and what would be valid."""

from typing import Any

import numpy as np
import pytest

import supernode as sn
from conftest import star
from supernode.errors import (
    AlgorithmError,
    FabricError,
    MemoryLimitError,
    NotRecordedError,
    SimulationTimeout,
    SizeOverflowError,
    SpecError,
    UnitError,
)


def run(**changes: Any) -> sn.Result:
    options: dict[str, Any] = {"system": star(8), "collective": "all_reduce", "size": "1 KiB", **changes}
    return sn.simulate(options.pop("system"), options.pop("collective"), **options)  # type: ignore[no-any-return]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"system": "nvl73"}, SpecError, "unknown system 'nvl73'"),
    ({"collective": "all_redcue"}, SpecError, "did you mean 'all_reduce'"),
    ({"collective": 7}, SpecError, "unknown collective 7"),
    ({"size": None}, SpecError, "all_reduce needs one"),
    ({"size": 0}, UnitError, "more than zero"),
    ({"size": -1}, UnitError, "more than zero"),
    ({"size": "1 MBit"}, UnitError, "unknown unit 'MBit'"),
    ({"size": 2**64}, SizeOverflowError, "overflows"),
    ({"size": "9" * 5000}, UnitError, "more than 1000 digits"),
    ({"collective": sn.AllReduce(8), "size": 8}, SpecError, "given twice"),
    ({"collective": "barrier", "size": 8}, SpecError, "barrier moves no data"),
    ({"algorithm": "rign"}, SpecError, "did you mean 'ring'"),
    ({"algorithm": "torus_bucket"}, AlgorithmError, "torus_bucket"),
    ({"algorithm": "bruck"}, AlgorithmError, "bruck cannot run all_reduce on 8 ranks"),
    ({"algorithm": "in_network"}, AlgorithmError, "in_network"),
    ({"fidelity": "exact"}, SpecError, "unknown fidelity 'exact'"),
    ({"stack": "nccll"}, SpecError, "did you mean 'nccl'"),
    ({"stack": ""}, SpecError, "unknown stack ''"),
    ({"protocol": "ll"}, SpecError, "unknown protocol 'll'"),
    ({"protocol": ["ll"]}, SpecError, r"unknown protocol \['ll'\]"),
    ({"routing": "ecpm"}, SpecError, "did you mean 'ecmp'"),
    ({"flow_control": "pause"}, SpecError, "unknown flow control 'pause'"),
    ({"record": ["link"]}, SpecError, "did you mean 'links'"),
    ({"record": 3}, SpecError, "record: 3"),
    ({"threads": -1}, SpecError, "threads: -1"),
    ({"threads": 1.5}, SpecError, "threads: 1.5"),
    ({"seed": -1}, SpecError, "seed: -1"),
    ({"seed": 2**64}, SpecError, "seed"),
    ({"ranks": 0}, SpecError, "ranks: 0"),
    ({"ranks": 9}, SpecError, "9"),
    ({"placement": [0, 0]}, SpecError, "placement"),
    ({"placement": [0, 8]}, SpecError, "8"),
    ({"placement": [-1, 0]}, SpecError, "-1 is not the number of an accelerator"),
    ({"placement": []}, SpecError, "placement"),
    ({"placement": [[0, 1]]}, SpecError, r"shape \(1, 2\)"),
    ({"placement": [0.5, 1.0]}, SpecError, "float64"),
    ({"placement": [0, 1, 2], "ranks": 4}, SpecError, "places 3 ranks, but ranks=4"),
    ({"collective": "broadcast", "root": 8}, SpecError, "root"),
    ({"collective": "broadcast", "root": -1}, SpecError, "root: -1"),
    ({"collective": sn.Broadcast(8, root=1), "size": None, "root": 2}, SpecError, "root: given twice"),
    ({"lanes": 0}, SpecError, "lanes: 0"),
    ({"chunks": "many"}, SpecError, "chunks: 'many'"),
    ({"dtype": "float31"}, SpecError, "did you mean 'float32'"),
    ({"budget": -1}, UnitError, "budget"),
    ({"budget": "30"}, UnitError, "budget"),
    ({"budget": "1 fs"}, SpecError, "at least 1 ns"),
    ({"time_limit": "0 s"}, UnitError, "more than zero"),
    ({"memory_limit": "1 XB"}, UnitError, "unknown unit 'XB'"),
    ({"timeout": 0}, SpecError, "timeout: 0"),
    ({"timeout": "1"}, UnitError, "timeout: '1' has no unit"),
    ({"timeout": [1]}, SpecError, r"timeout: \[1\]"),
    ({"progress": 3}, SpecError, "progress: 3"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "kind", "says"), WRONG, ids=lambda v: str(v)[:40])
def test_errors(changes: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        run(**changes)
    assert isinstance(caught.value, sn.SupernodeError)


def test_integers_of_any_type_are_whole_numbers() -> None:
    whole = {name: np.int64(1) for name in ("lanes", "chunks", "root", "seed", "threads")}
    result = run(collective="broadcast", size=np.uint16(4096), ranks=np.int32(8), **whole)
    assert (result.size_bytes, result.n_ranks, result.seed) == (4096, 8, 1)


def test_none_is_the_default() -> None:
    assert run(record=None).tables() == ["summary"]
    assert sn.bench("all_reduce", star(8), sizes=8, algorithms=None).rows[0]["requested"] == "auto"
    with pytest.raises(SpecError, match="algorithms: 3"):
        sn.bench("all_reduce", star(8), sizes=8, algorithms=3)  # type: ignore[arg-type]


def test_unknown_keywords_are_errors() -> None:
    with pytest.raises(SpecError, match="did you mean 'threads'"):
        sn.all_reduce(star(8), size=8, thread=1)  # type: ignore[call-arg]


def test_more_ranks_than_accelerators_names_both() -> None:
    with pytest.raises(SpecError, match=r"9.*8"):
        run(ranks=9)


def test_an_invalid_algorithm_names_valid_ones() -> None:
    with pytest.raises(AlgorithmError, match="ring"):
        run(algorithm="bruck")


def test_a_byte_count_that_overflows() -> None:
    # The total over all ranks, 2^63 x 2 x 7 B and more, fits no 64-bit counter.
    with pytest.raises(SizeOverflowError, match="overflows"):
        run(size=2**63, fidelity="packet")


def test_a_table_that_would_not_fit() -> None:
    with pytest.raises(MemoryLimitError, match="allowed"):
        run(
            system=star(512),
            collective="all_to_all",
            size="512 KiB",
            record=["flows"],
            memory_limit="1 MiB",
            fold=False,
        )


def test_a_simulated_time_limit() -> None:
    with pytest.raises(SimulationTimeout, match="limit"):
        run(size="1 GiB", fidelity="packet", algorithm="ring", time_limit="10 us")


def test_tables_that_were_not_recorded() -> None:
    result = run(record=["ranks"])
    assert result.expand("ranks").num_rows == 8
    with pytest.raises(NotRecordedError, match=r"record=\['flows'\]"):
        result.expand("flows")
    with pytest.raises(NotRecordedError, match=r"record=\['links'\]"):
        _ = result.links
    with pytest.raises(SpecError, match="unknown table"):
        result.table("packets")


def test_a_fabric_that_does_not_reach_everyone() -> None:
    # 12 accelerators, but the only network joins groups of 8.
    with pytest.raises((SpecError, FabricError)):
        sn.System("odd").scale_up(count=8, fabric=sn.Switched(bandwidth="1 GB/s", latency="1 ns")).replicate(
            2
        ).to_spec()
