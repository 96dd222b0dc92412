"""Self-check: a small case of an accelerated run is the same case in full."""

from __future__ import annotations

from typing import Any

import pytest

import supernode as sn
import supernode.result.selfcheck
from conftest import star
from supernode.errors import InternalError, SpecError
from supernode.run.options import RECORDS
from supernode.run.plan import Plan

MESH = sn.System("mesh").scale_up(count=64, fabric=sn.FullMesh(dims=(8, 8), bandwidth="50 GB/s", latency="500 ns"))
#: system, collective, keywords
RUNS: list[tuple[sn.System | str, str, dict[str, Any]]] = [
    ("nvl72", "all_reduce", {"size": "64 MiB", "algorithm": "ring"}),
    ("nvl72:4", "all_to_all", {"size": "1 MiB", "stack": "none"}),
    ("hgx-h100", "all_reduce", {"size": "1 GiB", "algorithm": "ring", "routing": "d_mod_k"}),
    ("hgx-h100:8", "all_reduce", {"size": "1 MiB", "algorithm": "hierarchical"}),
    ("hgx-h100:8", "all_to_all", {"size": "1 MiB", "dtype": "bfloat16", "flow_control": "unlimited"}),
    ("atlas950", "all_reduce", {"size": "1 MiB", "algorithm": "hierarchical"}),
    ("cloudmatrix384", "reduce_scatter", {"size": "6 MiB", "algorithm": "ring", "lanes": 2}),
    (MESH, "all_gather", {"size": "1 MiB", "algorithm": "direct"}),
    ("hpn7", "send_recv", {"size": "1 MiB", "algorithm": "direct"}),
    ("hgx-h100", "barrier", {}),
]


@pytest.mark.parametrize(("system", "collective", "options"), RUNS)
def test_a_small_case_is_the_same_in_full(system: sn.System | str, collective: str, options: dict[str, Any]) -> None:
    result = sn.simulate(system, collective, fidelity="packet", self_check=True, **options)
    assert result.folding["applied"] or result.skipping["jumps"]
    found = result.self_check
    assert found is not None, result.warnings
    assert found["folded"] or found["skipped"]
    assert 2 <= found["ranks"] <= 1024
    assert found["packet_hops"] <= supernode.result.selfcheck.MOST_HOPS
    assert found["compared"] == ["summary", *RECORDS]
    assert result.meta["self_check"] == found
    again = sn.simulate(system, collective, fidelity="packet", self_check=True, **options)
    assert again.self_check == found


def test_levels_are_reduced_together() -> None:
    system = sn.System.preset("hgx-h100:32")
    result = sn.all_reduce(
        system, size="1 MiB", algorithm="hierarchical", levels=[8, 4, 8], fidelity="packet", self_check=True
    )
    found = result.self_check
    assert found is not None, result.warnings
    assert [given % own for given, own in zip([8, 4, 8], found["levels"], strict=True)] == [0, 0, 0]
    assert found["ranks"] == found["levels"][0] * found["levels"][1] * found["levels"][2]


def test_a_placement_is_cut() -> None:
    order = [*range(1, 16), 0]
    result = sn.all_reduce(
        star(16), size="64 MiB", algorithm="ring", placement=order, fidelity="packet", self_check=True
    )
    assert not result.folding["applied"]
    assert result.self_check is not None
    assert result.self_check["skipped"]


def test_a_difference_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    own = supernode.result.selfcheck._full

    def doctored(plan: Plan) -> Plan:
        return own(plan.with_size(plan.spec.bytes // 2))

    monkeypatch.setattr(supernode.result.selfcheck, "_full", doctored)
    with pytest.raises(InternalError, match=r"all_reduce of \d+ B on star, \d+ ranks, .*summary, ranks.* in full"):
        sn.all_reduce(star(8), size="64 MiB", algorithm="ring", fidelity="packet", self_check=True)


def test_without_effect_it_warns() -> None:
    for options in ({"fidelity": "analytic"}, {"fidelity": "packet", "fold": False, "skip": False}):
        result = sn.all_reduce(star(8), size="1 MiB", self_check=True, **options)
        assert result.self_check is None
        assert "self_check=True has no effect: nothing was folded or skipped" in result.warnings
    quiet = sn.all_reduce(star(8), size="1 MiB", fidelity="packet")
    assert quiet.self_check is None
    assert "self_check" not in "".join(quiet.warnings)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_it_is_a_yes_or_no(value: Any) -> None:
    with pytest.raises(SpecError, match="self_check"):
        sn.all_reduce(star(8), size="64 KiB", self_check=value)
