"""Runs give what they gave when they were recorded, to the last femtosecond and byte.

``make golden`` compares all of them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from golden.__main__ import FILE, differences, run
from golden.outcome import outcome
from supernode import core

#: One case in so many is compared here.
EVERY = 12


@pytest.fixture(scope="module")
def cases() -> pl.DataFrame:
    return pl.read_parquet(FILE)


def test_a_sample_of_the_recorded_cases_is_the_same(cases: pl.DataFrame) -> None:
    sample = cases.filter(pl.col("system").str.starts_with("sn.")).gather_every(EVERY)
    assert differences(sample.to_dicts(), processes=1) == []


def test_what_is_recorded_covers_all_kinds(cases: pl.DataFrame) -> None:
    random = cases.filter(pl.col("system").str.starts_with("sn."))
    assert random.height == 3000
    assert set(cases["system"]) > {"nvl72", "cloudmatrix384", "tpu-v4", "stargate"}
    assert set(random["collective"]) == set(core.collectives())
    fidelities = Counter(json.loads(options)["fidelity"] for options in random["options"])
    assert min(fidelities[name] for name in ("packet", "flow", "analytic", "auto")) > 100
    assert cases.filter(pl.col("kind") != "").height > 100


def test_a_difference_is_found(cases: pl.DataFrame) -> None:
    case = next(row for row in cases.to_dicts() if row["levels"] is not None)
    moved = case | {"time_fs": case["time_fs"] + 1, "levels": case["levels"] + 1}
    assert "time_fs, levels" in differences([moved], processes=1)[0]


def test_another_femtosecond_or_byte_is_another_hash() -> None:
    options: dict[str, Any] = {"size": 4096, "record": ["ranks", "links"], "algorithm": "ring", "stack": "none"}
    one = outcome("hgx-h100", "all_reduce", options)
    other = outcome("hgx-h100", "all_reduce", options | {"size": 4224})
    assert one["links"] != other["links"]
    assert one["ranks"] != other["ranks"]
    assert one == outcome("hgx-h100", "all_reduce", options)


def test_an_error_is_compared_by_its_text(cases: pl.DataFrame) -> None:
    case = next(row for row in cases.to_dicts() if row["kind"] == "AlgorithmError")
    assert run(case)["error"] == case["error"]
    assert outcome("hgx-a100", "all_reduce", {"algorithm": "in_network", "size": 64})["error"] != case["error"]


def test_the_file_is_small() -> None:
    assert Path(FILE).stat().st_size < 400_000
