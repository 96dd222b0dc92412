"""What a result carries."""

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import supernode as sn
from conftest import star
from supernode.errors import DeadlockError
from supernode.library.collectives import BY_NAME
from supernode.run.options import RECORDS


def test_a_result_explains_itself() -> None:
    result = sn.all_reduce("nvl72", size="1 MiB", seed=3)
    assert result.time_ns == result.time_fs / 1e6 > 0
    assert 0 < result.bound <= result.time_ns
    assert 0 < result.efficiency <= 1
    assert result.algorithm in sn.algorithms()
    assert result.fidelity in ("packet", "analytic")
    assert result.bottleneck
    assert result.protocol
    assert result.seed == 3
    assert {"supernode", "python"} <= set(result.versions)
    assert result.effective["system"]["name"] == "nvl72"
    assert result.effective["bytes"] == 2**20
    assert "all_reduce" in repr(result)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_one_function_a_collective(name: str) -> None:
    function = getattr(sn, name)
    size = {} if name == "barrier" else {"size": "64 KiB"}
    result = function(star(8), **size)
    assert result.collective == name
    assert result.time_fs > 0
    assert function.__doc__


@pytest.mark.parametrize("kind", sorted(BY_NAME))
def test_a_collective_as_an_object(kind: str) -> None:
    collective = BY_NAME[kind]() if kind == "barrier" else BY_NAME[kind](size="64 KiB")  # type: ignore[call-arg]
    by_object = sn.simulate(star(8), collective)
    by_name = sn.simulate(star(8), kind, size=None if kind == "barrier" else 65536)
    assert by_object.summary.equals(by_name.summary)


def test_tables_are_arrow_and_polars() -> None:
    result = sn.all_to_all(star(4), size="16 KiB", record=RECORDS, fidelity="packet")
    assert set(result.tables()) == {"summary", *RECORDS}
    for name in result.tables():
        assert isinstance(result.table(name), pa.Table)
        frame = result.to_polars(name)
        assert isinstance(frame, pl.DataFrame)
        assert frame.height == result.table(name).num_rows
    # the four ranks do alike: one row stands for all of them
    assert result.ranks["multiplicity"].to_pylist() == [4]
    assert result.expand("ranks").num_rows == 4
    assert result.expand("flows").num_rows >= 4 * 3


#: Units of floating-point columns, and what the name has to say about them; a ratio has a name of its own.
UNITS = {b"ns": "_ns", b"GB/s": "_gbytes_s", b"packets": "_packets", b"1": ""}


def test_units_stand_in_column_names() -> None:
    result = sn.all_to_all(star(4), size="16 KiB", record=RECORDS, fidelity="packet")
    for name in result.tables():
        for field in result.table(name).schema:
            if pa.types.is_floating(field.type):
                assert field.metadata[b"unit"] in UNITS
                assert UNITS[field.metadata[b"unit"]] in field.name


def test_bytes_are_conserved() -> None:
    # 4 ranks send 3 x 4 KiB each, everything over one link up and one link down.
    result = sn.all_to_all(
        star(4), size="16 KiB", record=["ranks", "links", "flows"], fidelity="packet", algorithm="direct"
    )
    ranks, links, flows = (pl.DataFrame(result.expand(n)) for n in ("ranks", "links", "flows"))
    assert ranks["sent_bytes"].sum() == ranks["received_bytes"].sum() == flows["bytes"].sum() == 4 * 3 * 4096
    assert links["bytes"].sum() == 2 * 4 * 3 * 4096


def test_no_link_above_its_rate() -> None:
    result = sn.all_reduce(star(8), size="1 MiB", record=["links"], fidelity="packet")
    assert result.to_polars("links")["utilisation"].max() <= 1.0  # type: ignore[operator]


def test_options_without_effect_are_named() -> None:
    def texts(**options: Any) -> str:
        return "\n".join(sn.all_reduce(star(8), size="64 KiB", **options).warnings)

    assert "root has no effect" in texts(root=3)
    assert "seed has no effect" in texts(seed=5)
    assert "seed" not in texts(seed=5, routing="ecmp")
    assert "budget has no effect" in texts(budget="5 s", fidelity="packet", algorithm="ring")
    assert "record has no effect" in texts(record=["links"], fidelity="analytic")
    assert "flow_control='unlimited' has no effect" in texts(flow_control="unlimited", fidelity="analytic")
    assert "protocol='raw' has no effect" in texts(protocol="raw")
    assert "placement has no effect" in texts(placement=range(8))
    assert texts() == ""


def test_direct_topologies_have_one_routing() -> None:
    torus = sn.System("t").scale_up(count=16, fabric=sn.Torus(dims=(4, 4), bandwidth="1 GB/s", latency="100 ns"))
    result = sn.all_reduce(torus, size="64 KiB", routing="ecmp")
    assert any("routing='ecmp' has no effect" in w for w in result.warnings)


def test_a_deadlock_is_reported_with_its_cycle() -> None:
    """A ring without a second virtual channel, and buffers of two packets: all-to-all locks it up."""

    def ring(dateline: bool) -> sn.System:
        fabric = sn.Torus(dims=(8,), bandwidth="1 GB/s", latency="100 ns", buffer="8 KiB", dateline=dateline)
        return sn.System("ring").scale_up(count=8, fabric=fabric)

    assert sn.all_to_all(ring(True), size="1 MiB", algorithm="direct", fidelity="packet").time_fs > 0
    with pytest.raises(DeadlockError, match=r"deadlock at \d+ ns: .*accelerator 0 .*back to the first"):
        sn.all_to_all(ring(False), size="1 MiB", algorithm="direct", fidelity="packet")


def test_unlimited_queues() -> None:
    result = sn.all_to_all(star(8), size="64 KiB", flow_control="unlimited", fidelity="packet")
    assert result.effective["system"]["networks"][0]["buffer"] is None


def test_numpy_placement_and_subsets() -> None:
    result = sn.all_reduce(star(8), size="64 KiB", placement=[5, 1, 3], record=["ranks"], fidelity="packet")
    assert result.n_ranks == 3
    assert result.ranks["accelerator"].to_pylist() == [5, 1, 3]


def test_stacks_cost_time() -> None:
    free = sn.all_reduce("hgx-h100", size="64 KiB", stack="none", algorithm="ring")
    paid = sn.all_reduce("hgx-h100", size="64 KiB", stack="nccl", algorithm="ring")
    assert free.time_fs < paid.time_fs
    assert paid.protocol in ("ll", "ll128", "simple")
    forced = sn.all_reduce("hgx-h100", size="64 KiB", stack="nccl", algorithm="ring", protocol="simple")
    assert forced.protocol == "simple"
    assert forced.time_fs >= paid.time_fs
