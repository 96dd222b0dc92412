"""Runs too large for memory say so before they start, and links summed up stay small at any scale."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import supernode as sn
from conftest import star
from supernode.errors import MemoryLimitError


def refused(**changes: Any) -> str:
    options: dict[str, Any] = {"fold": False, "fidelity": "packet", "memory_limit": "3 MiB", **changes}
    options = {"system": star(4096), "collective": "all_to_all", "size": "1 MiB", "algorithm": "direct", **options}
    with pytest.raises(MemoryLimitError, match="3145728 are allowed") as caught:
        sn.simulate(options.pop("system"), options.pop("collective"), **options)
    return str(caught.value)


def test_what_needs_less_is_named_in_order() -> None:
    text = refused(record=["levels", "links", "flows"])
    remedies = ["fold=True (", "leave flows out", "record levels instead", 'fidelity "analytic"', "fewer ranks"]
    found = [text.find(remedy) for remedy in remedies]
    assert -1 not in found, text
    assert found == sorted(found), text


def test_only_what_helps_is_named() -> None:
    assert "record" not in refused(record=["levels"])
    assert 'fidelity "flow" (' in refused(collective="all_reduce", algorithm="recursive_doubling")
    assert "fold=True" not in refused(collective="broadcast", algorithm="binomial", record=["links"])
    assert 'fidelity "packet" with fold=True (' in refused(fidelity="flow", system=star(8192), size="4 MiB")


def test_the_check_comes_before_anything_large() -> None:
    tree = sn.FatTree(
        radix=256,
        pod_leaves=128,
        link="400 Gbit/s",
        link_latency="100 ns",
        trunk_latency="100 ns",
        switch_latency="100 ns",
    )
    system = sn.System("million").scale_out(tree, count=1 << 20)
    with pytest.raises(MemoryLimitError, match="fold=True"):
        sn.all_to_all(
            system,
            size="64 MiB",
            algorithm="direct",
            fidelity="packet",
            fold=False,
            record="flows",
            memory_limit="1 GiB",
        )


def test_levels_are_the_links_summed_up() -> None:
    result = sn.all_reduce("hgx-h100:4", size="1 MiB", fidelity="packet", record=["levels", "links"], fold=True)
    place = ["network", "level", "direction"]
    each = pl.DataFrame(result.expand("links")).filter(pl.col("packets") > 0)
    expected = each.group_by(place).agg(
        pl.len().cast(pl.UInt64).alias("links"),
        pl.col("bytes", "wire_bytes", "packets").sum(),
        pl.col("busy_ns").max().alias("busy_max_ns"),
        pl.col("utilisation").max().alias("utilisation_max"),
        pl.col("utilisation").mean().alias("utilisation_mean"),
        pl.col("queue_max_packets").max(),
        pl.col("wait_ns", "stall_ns").sum(),
        pl.col("stall_ns").max().alias("stall_max_ns"),
    )
    found = result.to_polars("levels")
    assert found.columns == expected.columns
    assert_frame_equal(found.sort(place), expected.sort(place))
    assert result.levels.equals(result.expand("levels"))
    alone = sn.all_reduce("hgx-h100:4", size="1 MiB", fidelity="packet", record="levels", fold=False)
    assert alone.tables() == ["summary", "levels"]
    assert alone.levels.equals(result.levels)
    assert alone.bottleneck == result.bottleneck


def test_flows_of_few_ranks_number_the_links_of_the_whole_machine() -> None:
    """About 20 million links at 120 bytes: that is said before it is allocated, also where ``auto`` tries flows."""
    job: dict[str, Any] = {"ranks": 8, "size": 4096, "memory_limit": "512 MiB"}
    with pytest.raises(MemoryLimitError, match="536870912 are allowed"):
        sn.simulate("atlas960-supercluster", "all_reduce", fidelity="flow", **job)
    assert sn.simulate("atlas960-supercluster", "all_reduce", **job).fidelity == "packet"


CRAMPED = """
import sys
import supernode as sn
from supernode.errors import MemoryLimitError, SupernodeError

work = {
    "packets": lambda: sn.all_to_all(
        "cloudmatrix384-cluster", size="1 GiB", fidelity="packet", ranks=20000, fold=False
    ),
    "flows": lambda: sn.all_to_all("cloudmatrix384-cluster", size="1 GiB", fidelity="flow", ranks=20000, fold=False),
    # the estimate is told that there is enough, so the run meets the limit
    "flows beyond": lambda: sn.all_to_all(
        "cloudmatrix384-cluster", size="1 GiB", fidelity="flow", ranks=20000, fold=False, memory_limit="100 GiB"
    ),
    "small": lambda: sn.all_reduce("nvl72", size="1 MiB", threads=2, fidelity="packet"),
}[sys.argv[1]]
try:
    print("ran", work().summary["ranks"][0].as_py())
except MemoryLimitError as error:
    print("refused", error)
"""


@pytest.mark.parametrize(
    ("work", "kib"),
    [
        *((work, kib) for work in ("packets", "small") for kib in (1_200_000, 2_000_000, 4_000_000)),
        ("flows", 1_200_000),
        ("flows", 2_000_000),
        ("flows beyond", 700_000),
    ],
)
def test_a_limit_of_address_space_is_an_error_and_no_abort(work: str, kib: int) -> None:
    command = ["bash", "-c", f'ulimit -v {kib}; exec "$0" "$@"', sys.executable, "-c", CRAMPED, work]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith(("refused", "ran"))
    assert work != "small" or done.stdout == "ran 72\n"
    assert work == "small" or kib > 2_000_000 or done.stdout.startswith("refused")
