"""Quantities: exact, strict, and their errors."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supernode.errors import SizeOverflowError, SpecError, SupernodeError, UnitError
from supernode.units import RATE_UNITS, SIZE_UNITS, TIME_UNITS, U64_MAX, parse_power, parse_rate, parse_size, parse_time


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("400 Gbit/s", 400 * 10**9),
        ("400 Gb/s", 400 * 10**9),
        ("400Gbps", 400 * 10**9),
        ("50 GB/s", 400 * 10**9),
        ("8 TB/s", 64 * 10**12),
        ("16 GiB/s", 16 * 2**30 * 8),
        ("106.25 Gbit/s", 106_250_000_000),
        ("1e3 kbit/s", 10**6),
    ],
)
def test_rates(text: str | float, bits: int) -> None:
    assert parse_rate(text) == bits


@pytest.mark.parametrize(
    ("text", "fs"),
    [("71.112 ps", 71_112), ("350 ns", 350 * 10**6), ("1.5 us", 1_500_000_000), ("1 \N{MICRO SIGN}s", 10**9)],
)
def test_times(text: str | int, fs: int) -> None:
    assert parse_time(text) == fs


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("256 MiB", 256 * 2**20),
        ("256 MB", 256 * 10**6),
        ("1 GB", 10**9),
        ("8", 8),
        ("8G", 8 * 2**30),  # nccl-tests counts in binary
        ("32m", 32 * 2**20),
        ("1.5 KiB", 1536),
        ("1_000 B", 1000),
        (1024, 1024),
    ],
)
def test_sizes(text: str | int, count: int) -> None:
    assert parse_size(text) == count


BAD = [
    (parse_rate, "400 Gbyte/s", "unknown unit 'Gbyte/s'"),
    (parse_rate, "400 gb/s", "unknown unit"),
    (parse_rate, "400 Gbit / s", "not a number and a unit"),
    (parse_rate, "fast", "not a number and a unit"),
    (parse_rate, "", "not a number and a unit"),
    (parse_rate, "0 Gbit/s", "must be more than zero"),
    (parse_rate, "-1 Gbit/s", "must be more than zero"),
    (parse_rate, "1e30 bit/s", "overflows"),
    (parse_rate, float("nan"), "not finite"),
    (parse_rate, float("inf"), "not finite"),
    (parse_rate, True, "not a quantity"),
    (parse_rate, None, "not a quantity"),
    (parse_rate, [1], "not a quantity"),
    (parse_time, "1 min", "unknown unit 'min'"),
    (parse_time, "0.5 fs", "not a whole number of fs"),
    (parse_time, 3e-7, "has no unit"),
    (parse_time, 300, "has no unit"),
    (parse_time, "300", "has no unit"),
    (parse_time, 0, "has no unit"),
    (parse_rate, 50e9, "has no unit"),
    (parse_rate, -1, "has no unit"),
    (parse_power, 1000, "has no unit"),
    (parse_time, "6 h", "unknown unit"),
    (parse_time, "20000 s", "overflows"),
    (parse_size, "0", "must be more than zero"),
    (parse_size, 0, "must be more than zero"),
    (parse_size, -8, "must be more than zero"),
    (parse_size, "8 gigs", "unknown unit 'gigs'"),
    (parse_size, "0.5 B", "not a whole number of B"),
    (parse_size, "16777216 TiB", "overflows"),
    (parse_size, 2**64, "overflows"),
]


@pytest.mark.parametrize(("parse", "value", "says"), BAD)
def test_errors_name_the_value_and_what_is_valid(parse: object, value: object, says: str) -> None:
    with pytest.raises(SizeOverflowError if says == "overflows" else UnitError, match=says) as caught:
        parse(value, "link rate")  # type: ignore[operator]
    text = str(caught.value)
    assert repr(value) in text
    assert "link rate" in text
    assert any(unit in text for unit in ("GB/s", "Gbit/s", "ns", "MiB", "kW"))


def test_a_unit_error_is_also_a_value_error() -> None:
    assert issubclass(UnitError, ValueError)
    assert issubclass(UnitError, SpecError)
    assert issubclass(UnitError, SupernodeError)


def test_integers_of_any_type() -> None:
    assert type(parse_size(np.int64(8))) is int  # type: ignore[arg-type]
    for parse in (parse_rate, parse_time):
        with pytest.raises(UnitError, match="x: 8 has no unit"):
            parse(np.int64(8), "x")  # type: ignore[arg-type]


def test_very_long_numbers() -> None:
    with pytest.raises(UnitError, match="more than 1000 digits"):
        parse_size("9" * 5000)
    with pytest.raises(SizeOverflowError, match="an integer of 16610 bits overflows"):
        parse_size(10**5000)


def test_zero_where_it_is_allowed() -> None:
    # zero is the same in every unit
    assert parse_time("0 ns", zero=True) == parse_time(0, zero=True) == parse_time("0", zero=True) == 0


@given(st.integers(1, 2000), st.sampled_from(sorted(RATE_UNITS)))
def test_rates_are_exact(number: int, unit: str) -> None:
    assert parse_rate(f"{number} {unit}") == number * RATE_UNITS[unit]


@given(st.decimals("0.001", "10000", places=3), st.sampled_from(sorted(TIME_UNITS)))
def test_times_are_exact_or_refused(number: object, unit: str) -> None:
    exact = Fraction(str(number)) * TIME_UNITS[unit]
    if exact.denominator == 1:
        assert parse_time(f"{number}{unit}") == exact
    else:
        with pytest.raises(UnitError):
            parse_time(f"{number}{unit}")


@given(st.integers(1, U64_MAX))
def test_sizes_survive_being_written_down(count: int) -> None:
    assert parse_size(str(count)) == parse_size(f"{count} B") == parse_size(count) == count


@given(st.text(max_size=12))
def test_any_text_parses_or_is_a_unit_error(text: str) -> None:
    for parse in (parse_rate, parse_time, parse_size):
        try:
            assert 0 < parse(text) <= U64_MAX
        except (UnitError, SizeOverflowError) as error:
            assert repr(text) in str(error)


def test_the_maps_are_closed() -> None:
    assert "Gb" not in RATE_UNITS
    assert "Gbit" not in RATE_UNITS
    assert "MB" in SIZE_UNITS
    assert SIZE_UNITS["MB"] != SIZE_UNITS["MiB"]


@pytest.mark.parametrize("parse", [parse_rate, parse_time, parse_power])
def test_a_number_without_a_unit_is_no_rate_time_or_power(parse: Any) -> None:
    for value in ("300", 300, 300.0, np.float64(300)):
        with pytest.raises(UnitError, match=r"x: .*300.* has no unit; for example .* valid units: "):
            parse(value, "x")
        assert parse_size(value, "x") == 300
