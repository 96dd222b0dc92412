"""The error that is expected of a result, by the residuals of docs/validation.md."""

from __future__ import annotations

import hashlib
import json
import pickle
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import supernode as sn
from supernode.errors import SpecError
from supernode.files.data import packaged_text
from supernode.run.expected import SIZES, size_class

ROOT = Path(__file__).parent.parent


def classes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(packaged_text("data", "residuals.toml"))["class"]
    return found


def test_the_packaged_residuals_are_those_of_the_validation_page() -> None:
    folder = ROOT / "docs" / "validation"
    raw = (folder / "measured.csv").read_bytes() + (folder / "rows.toml").read_bytes()
    found = tomllib.loads(packaged_text("data", "residuals.toml"))
    assert found["measured"] == f"sha256:{hashlib.sha256(raw).hexdigest()}", "run python docs/validation.py"
    assert sum(c["points"] for c in found["class"]) == len(pl.read_csv(folder / "measured.csv"))
    if found["basis"] != "in sample":
        return
    predicted = pl.read_csv(folder / "predicted.csv", schema_overrides={"printed": pl.String})
    for entry in found["class"]:
        part = predicted.filter(
            pl.col("stack") == entry["stack"],
            pl.col("collective") == entry["collective"],
            pl.col("fabric") == entry["fabric"],
            pl.col("bytes").map_elements(size_class, return_dtype=pl.String) == entry["size"],
        )
        assert len(part) == entry["points"]
        assert part["error"].abs().quantile(0.9, "linear") == pytest.approx(entry["tail"], abs=1e-3)


def test_classes_of_two_systems_are_validated_and_no_others() -> None:
    for size, name in ((1024, SIZES[0][1]), ("1 GiB", SIZES[3][1])):
        result = sn.all_reduce("hgx-h200", size=size, fidelity="analytic")
        entry = next(c for c in classes() if (c["stack"], c["fabric"], c["size"]) == ("nccl", "nvlink", name))
        expected = result.expected_error
        assert expected is not None
        assert (expected.status, expected.tail, expected.points) == ("validated", entry["tail"], entry["points"])
        assert len(expected.systems) >= 2
        assert str(expected).startswith(f"within {100 * entry['tail']:.0f} % for all_reduce inside NVLink systems")
        assert str(expected).endswith("never measured on this system")
        assert f"expected error {entry['tail']:.0%}" in repr(result)
    here = sn.all_reduce("hgx-h100", size=1024, fidelity="analytic").expected_error
    assert here is not None
    assert here.here
    changed = sn.all_reduce(sn.System.preset("hgx-h100", link_latency="90 ns"), size=1024, fidelity="analytic")
    assert changed.expected_error is not None
    assert not changed.expected_error.here


@pytest.mark.parametrize(
    ("make", "words"),
    [
        # one curve has all-to-alls
        (lambda: sn.all_to_all("hgx-h100", size="2 MiB", fidelity="analytic"), "on one system only (all-to-all)"),
        (lambda: sn.broadcast("hgx-h100", size="2 MiB", fidelity="analytic"), "no measurement of broadcast"),
        (lambda: sn.all_reduce("tpu-v4", size="2 MiB", ranks=64, fidelity="analytic"), "with stack none"),
        (
            lambda: sn.all_reduce(
                sn.System.preset("hgx-h100", **{"ll.launch": "5 us"}), size="2 MiB", fidelity="analytic"
            ),
            "ll.launch of stack nccl was replaced",
        ),
    ],
)
def test_what_is_not_validated_says_why(make: Any, words: str) -> None:
    expected = make().expected_error
    assert expected.status == expected.short == "not validated"
    assert words in str(expected)


def test_a_stack_that_was_fitted_on_its_rows_says_so() -> None:
    expected = sn.all_gather("cloudmatrix384-dies", size="64 MiB", ranks=16, fidelity="analytic").expected_error
    assert expected is not None
    assert expected.status == "fitted"
    assert str(expected).startswith("fitted on these rows: within ")


def test_the_kind_of_fabric_is_that_which_the_ranks_need() -> None:
    def fabric(**options: Any) -> str:
        expected = sn.all_reduce("hgx-h100:2", size="1 MiB", fidelity="analytic", **options).expected_error
        assert expected is not None
        return expected.fabric

    assert fabric() == "net"
    assert fabric(ranks=8) == "nvlink"
    assert fabric(placement=[8, 9, 10, 11]) == "nvlink"
    assert fabric(placement=[0, 1, 8, 9]) == "net"


def test_it_is_saved_and_shown(tmp_path: Path) -> None:
    bench = sn.bench("all_reduce", "hgx-h200", sizes="1K:1G:x32", fidelity="analytic")
    assert str(bench).count("# Expected error") == len({size_class(row["size_bytes"]) for row in bench.rows})
    assert bench.rows[0]["expected_error"] == bench.results[0].expected_error.tail  # type: ignore[union-attr]
    bench.save(tmp_path / "b")
    again = sn.Bench.load(tmp_path / "b")
    assert again.results[0].expected_error == bench.results[0].expected_error
    assert pickle.loads(pickle.dumps(bench.results[0])).expected_error == again.results[0].expected_error  # noqa: S301
    assert "expected error: within" in str(sn.explain("hgx-h200", "all_reduce", size="1K", fidelity="analytic"))
    # what an older version saved has none, and is the same result
    folder = tmp_path / "r"
    bench.results[0].save(folder)
    meta = json.loads((folder / "meta.json").read_text())
    del meta["expected_error"]
    (folder / "meta.json").write_text(json.dumps(meta))
    old = sn.Result.load(folder)
    assert old.expected_error is None
    assert old == bench.results[0]
    meta["expected_error"] = {"status": "validated"}
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(SpecError, match="expected_error"):
        sn.Result.load(folder)
