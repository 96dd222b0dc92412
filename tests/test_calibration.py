"""Constants found from measured times."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import SpecError

SIZES = "1K:4G:x16"
#: What the rows are made with: no value is the stack's or the preset's own.
TRUE: dict[str, Any] = {"simple.wire": 1.12, "ll.launch": "9 us", "host_launch": "6 us"}


def written(path: Path, system: sn.System, factor: float = 1.0, **options: Any) -> Path:
    """Write what a machine with these constants would have been measured at."""
    bench = sn.bench(
        "all_reduce", system, sizes=SIZES, algorithms="ring", fidelity="analytic", progress=False, **options
    )
    lines = ["collective,ranks,bytes,time_us"]
    lines += [f"all_reduce,{r['ranks']},{r['size_bytes']},{r['time_ns'] / 1e3 * factor:.6g}" for r in bench.rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    return written(tmp_path / "h100.csv", sn.System.preset("hgx-h100", **TRUE), devices_per_thread=2)


OPTIONS: dict[str, Any] = {"system": "hgx-h100", "algorithm": "ring", "devices_per_thread": 2, "fidelity": "analytic"}


def test_constants_that_made_the_rows_are_found(measured: Path, tmp_path: Path) -> None:
    names = ["simple.wire", "ll.launch", "host_launch[hgx-h100]"]
    found = sn.calibrate(measured, constants=names, **OPTIONS)
    by_name = {f.name: f for f in found.found}
    assert list(by_name) == names
    # a grid of 65 points over these bounds has steps of 1.6 and 4.4 %; the stack has 1.071 and 6.6 us
    assert by_name["simple.wire"].value == pytest.approx(1.12, rel=0.016)
    assert by_name["ll.launch"].value == pytest.approx(9e9, rel=0.045)
    assert all(f.low <= f.value <= f.high for f in found.found)
    assert found.loss_after < found.loss_before / 4
    # large messages go by Simple, small ones by LL
    moved = found.sensitivities.to_pylist()
    assert {row["protocol"] for row in moved if row["constant"] == "simple.wire"} == {"simple"}
    assert max(r["size_bytes"] for r in moved if r["constant"] == "ll.launch") < min(
        r["size_bytes"] for r in moved if r["constant"] == "simple.wire"
    )
    assert "h100.csv sha256:" in str(found.stack.file.sources["calibration"].ref)
    assert str(found) == str(sn.calibrate(measured, constants=names, **OPTIONS))
    # the file is a stack, and gives the predictions of the fit
    path = found.save(tmp_path / "stack.toml")
    raw = tomllib.loads(path.read_text())
    assert "loss" in raw["sources"]["calibration"]["title"]
    launch = next(p for p in raw["protocol"] if p["name"] == "ll")["launch"]
    assert (launch["mark"], launch["source"], len(launch["range"])) == ("derived", "calibration", 2)
    assert "before: 6.6 us (published)" in launch["note"]
    host = by_name["host_launch[hgx-h100]"]
    system = sn.System.preset("hgx-h100", host_launch=host.text)
    again = sn.bench("all_reduce", system, sizes=SIZES, algorithms="ring", fidelity="analytic", stack=str(path),
                     devices_per_thread=2)  # fmt: skip
    for row, time in zip(again.rows, found.after_ns, strict=True):
        assert row["time_ns"] == pytest.approx(time, rel=1e-3)


def test_values_as_they_are_have_no_error(tmp_path: Path) -> None:
    file = written(tmp_path / "same.csv", sn.System.preset("hgx-h100"))
    found = sn.calibrate(file, system="hgx-h100", algorithm="ring", fidelity="analytic", constants=["simple.wire"])
    assert found.loss_before == found.loss_after == 0.0
    assert found.found[0].value == pytest.approx(15 / 14)


def test_what_the_rows_do_not_determine_is_refused(measured: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"'nvls.wire' is not one that these rows could determine; valid: .*simple.wire"
    ):
        sn.calibrate(measured, constants=["nvls.wire"], **OPTIONS)
    # a launch of 20 us is hidden behind a time of milliseconds, which is printed without a decimal
    large = tmp_path / "large.csv"
    large.write_text("collective,ranks,bytes,time_ms\nall_reduce,8,268435456,2\n")
    with pytest.raises(
        SpecError, match=r"'host_launch\[hgx-h100\]' is not determined: no prediction of these rows moves"
    ):
        sn.calibrate(large, constants=["host_launch[hgx-h100]"], **OPTIONS)
    found = sn.calibrate(large, **OPTIONS)
    assert "host_launch[hgx-h100]" in found.refused
    assert "host_launch[hgx-h100]: no prediction" in str(found)
    few = sn.calibrate(measured, most=1, **OPTIONS)
    assert [f.constant.kind for f in few.found].count("stack") == 1
    assert "1 others explain more" in few.refused.values()


def test_curves_of_several_systems_and_one_left_out(tmp_path: Path) -> None:
    made: dict[str, Any] = {"simple.wire": 1.4}
    written(tmp_path / "h100.csv", sn.System.preset("hgx-h100", **made), protocol="simple")
    written(tmp_path / "h200.csv", sn.System.preset("hgx-h200", **made), protocol="simple")
    slow = sn.System.preset("hgx-h100:2", nic_hop="40 us", **made)
    written(tmp_path / "pair.csv", slow, protocol="simple")
    curve = '[[curve]]\nname = "{0}"\nsystem = "{1}"\nmeasured = "{0}.csv"\nalgorithm = "ring"\nprotocol = "simple"\n'
    names = (("h100", "hgx-h100"), ("h200", "hgx-h200"), ("pair", "hgx-h100"))
    rows = tmp_path / "curves.toml"
    rows.write_text("".join(curve.format(*pair) for pair in names))
    found = sn.calibrate(rows=rows, constants=["simple.wire", "nic_hop[pair]"], fidelity="analytic", leave_out=True)
    values = {f.name: f for f in found.found}
    assert values["simple.wire"].systems == ("h100", "h200", "pair")
    assert values["nic_hop[pair]"].value == pytest.approx(40e9, abs=3e9)
    out = {one.system: one for one in found.left_out}
    assert list(out) == ["h100", "h200", "pair"]
    # what the NICs add is known of the pair alone; published is 0
    assert out["pair"].alone == ("nic_hop[pair]",)
    assert out["pair"].values["nic_hop[pair]"] == 0
    assert out["h100"].values["simple.wire"] == pytest.approx(1.4, rel=0.05)
    blind, given = (max(map(abs, out["pair"].errors(found.model, given=g))) for g in (False, True))
    assert given < blind / 2
    assert "one system left out, its host and NICs given" in str(found)
    assert found.predictions["left_out_ns"].null_count == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"system": None}, "system: what was measured is not said"),
        ({"rows": "x.toml"}, "measured= has no effect beside rows="),
        ({"constants": ["ll.lanch"]}, "ll.lanch"),
        ({"constants": ["ll.launch=9 us:2 us"]}, "are in no order"),
        ({"constants": ["ll.launch=2:9"]}, "ll.launch"),
        ({"constants": ["simple.wire=0.5:2"]}, "from 1 to 1000"),
        ({"constants": ["ll.launch", "ll.launch"]}, "named twice"),
        ({"most": 0}, "most"),
        ({"devices_per_thread": 0}, "devices_per_thread"),
        ({"fidelity": "exact"}, "fidelity"),
    ],
)
def test_mistakes_are_named(measured: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        sn.calibrate(measured, **{**OPTIONS, **options})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "curve"),
        ("[[curve]]\nname = 'a'\n", "system"),
        ("[[curve]]\nname = 'a'\nsystem = 'hgx-h100'\n", "measured is missing"),
        ("[[curve]]\nname = 'a'\nsystem = 'hgx-h100'\nalgoritm = 'ring'\n", "algorithm"),
        ("[[curve]]\nname = 'a'\nsystem = 'hgx-h100'\ndevices_per_thread = 0\n", "devices_per_thread"),
        (2 * "[[curve]]\nname = 'a'\nsystem = 'hgx-h100'\n", "'a' is there 2 times"),
    ],
)
def test_mistakes_in_a_file_of_curves_are_named(tmp_path: Path, text: str, words: str) -> None:
    rows = tmp_path / "rows.toml"
    rows.write_text(text)
    with pytest.raises(SpecError, match=words) as caught:
        sn.calibrate(rows=rows)
    assert "rows.toml" in str(caught.value) or "curve" in str(caught.value)


@pytest.mark.parametrize("value", [0.5, "2/0", "wide", 1e9])
def test_an_expansion_can_be_replaced(value: Any) -> None:
    slow = sn.System.preset("hgx-h100", **{"simple.wire": "15/7"})
    options: Any = {"size": "256 MiB", "algorithm": "ring", "protocol": "simple", "fidelity": "analytic"}
    assert sn.all_reduce(slow, **options).time_ns > 1.8 * sn.all_reduce("hgx-h100", **options).time_ns
    with pytest.raises(SpecError, match=r"simple\.wire"):
        sn.System.preset("hgx-h100", **{"simple.wire": value})
