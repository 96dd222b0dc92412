"""Ranges of sizes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supernode.errors import SpecError
from supernode.run.sizes import parse_sizes, sizes


def test_as_nccl_tests_steps() -> None:
    points = parse_sizes("8:8G:x2")
    assert points[0] == 8
    assert points[-1] == 8 * 2**30
    assert len(points) == 31


@pytest.mark.parametrize(
    ("given_", "points"),
    [
        ("1K:4K", [1024, 2048, 4096]),
        ("1K:4K:1K", [1024, 2048, 3072, 4096]),
        ("1000:10000:x10", [1000, 10000]),
        ("8,1 MiB", [8, 2**20]),
        ("8:32:x4,1K", [8, 32, 1024]),
        (64, [64]),
        (["8", 16], [8, 16]),
    ],
)
def test_forms(given_: object, points: list[int]) -> None:
    assert parse_sizes(given_) == points  # type: ignore[arg-type]


def test_factor() -> None:
    assert sizes("1 KiB", "64 KiB", x=4) == [1024, 4096, 16384, 65536]


@pytest.mark.parametrize(
    "wrong", ["8:4", "8:8G:x1", "8:8G:x0", "8:8G:xtwo", "8:8G:2:2", "", "8:", "0:8", "8:8G:-1", [], "1:8G:1"]
)
def test_errors(wrong: object) -> None:
    with pytest.raises(SpecError):
        parse_sizes(wrong)  # type: ignore[arg-type]


def test_factor_and_step_exclude_each_other() -> None:
    with pytest.raises(SpecError, match="not both"):
        sizes(8, 64, x=2, step=8)


@given(st.integers(1, 2**40), st.integers(1, 2**40), st.integers(2, 1000))
def test_points_stay_within_the_range(a: int, b: int, x: int) -> None:
    low, high = sorted((a, b))
    points = sizes(low, high, x=x)
    assert points[0] == low
    assert all(q == p * x for p, q in pairwise(points))
    assert points[-1] <= high < points[-1] * x
