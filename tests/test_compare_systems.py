"""Every system that the project promises is there, runs by packets, and stands in the comparison."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import supernode as sn
from supernode.errors import SpecError
from supernode.system import System

#: Rows of the list of systems, a line a row.
PROMISED = [
    "nvl72",
    "gb300-nvl72", "vera-rubin-nvl144",
    "hgx-a100", "hgx-h100", "hgx-h200", "hgx-b200",
    "gh200", "p4de", "oci-gb200",
    "cloudmatrix384",
    "atlas950",
    "atlas960",
    "ub-mesh",
    "panjiu-al128",
    "kunlunxin32", "kunlunxin64",
    "sd200",
    "maia100",
    "tpu-v4", "tpu-v5p", "tpu-ironwood",
    "trn2-ultraserver", "trn3-ultraserver",
    "inf2",
    "mtia-v2",
    "gb200-superpod",
    "h100-superpod",
    "cloudmatrix384-cluster",
    "atlas950-supercluster",
    "atlas960-supercluster",
    "hpn7",
    "hpn8",
    "lingjun",
    "fairwater",
    "stargate",
    "colossus",
    "meta-24k-roce", "meta-24k-ib",
]  # fmt: skip


def load_script() -> ModuleType:
    path = Path(__file__).parents[1] / "docs" / "compare_systems.py"
    spec = importlib.util.spec_from_file_location("compare_systems", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["compare_systems"] = module  # its dataclasses look for it
    spec.loader.exec_module(module)
    return module


COMPARE = load_script()


def test_every_promised_system_is_a_preset_and_is_compared() -> None:
    assert set(PROMISED) <= set(sn.systems())
    assert set(PROMISED) <= {*COMPARE.SUPERNODES, *COMPARE.CLUSTERS} == set(sn.systems())


@pytest.mark.parametrize("collective", ["all_reduce", "all_gather", "all_to_all"])
@pytest.mark.parametrize("name", PROMISED)
def test_it_runs_by_packets_on_a_building_unit(name: str, collective: str) -> None:
    unit = System.preset(name).replicate(1)
    # all of the unit, or the first ranks of one that takes long
    ranks = min(unit.accelerators, 144)
    result = sn.simulate(unit, collective, size="64 KiB", fidelity="packet", ranks=ranks)
    assert (result.fidelity, result.n_ranks) == ("packet", ranks)
    assert 0 < result.bound <= result.time_ns


def test_the_comparison_in_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    COMPARE.main(["--quick"])
    printed = capsys.readouterr().out
    assert all(f"| `{name}` |" in printed for name in PROMISED)
    small = COMPARE.Grid(sizes=("1 KiB",), ranks=4, systems=("hgx-h100", "tpu-v4"))
    frame = COMPARE.compare(small)
    assert frame["system"].to_list() == ["hgx-h100", "tpu-v4"]
    assert frame["fidelity 1 KiB"].to_list() == ["packet", "packet"]
    assert frame.select((pl.col("busbw 1 KiB") <= pl.col("bound 1 KiB") * (1 + 1e-9)).all()).item()
    assert frame["why"].to_list() == ["", ""]
    COMPARE.save_chart(COMPARE.chart(frame, small), tmp_path / "chart.svg")
    assert "tpu-v4" in (tmp_path / "chart.svg").read_text()


def test_a_row_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise SpecError("no such thing")

    monkeypatch.setattr(COMPARE.sn, "all_reduce", fail)
    grid = COMPARE.Grid(sizes=("1 KiB",), systems=("nvl72",))
    frame = COMPARE.compare(grid)
    assert frame["why"].to_list() == ["1 KiB: no such thing"]
    text = COMPARE.table(frame, grid)
    assert "- `nvl72`: 1 KiB: no such thing" in text
