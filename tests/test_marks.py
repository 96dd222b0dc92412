"""Values that nobody published are visible wherever they matter."""

import warnings

import pytest

import supernode as sn
from conftest import star
from supernode import marks


@pytest.fixture(autouse=True)
def forget() -> None:
    marks._warned.clear()


def test_a_run_on_assumed_values_warns_once_a_process() -> None:
    with pytest.warns(sn.AssumedValueWarning, match="nvl72 uses assumed or unknown values") as caught:
        first = sn.all_reduce("nvl72", size="1 MiB")
        second = sn.all_reduce("nvl72", size="2 MiB")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    for result in (first, second):
        assert sum("uses assumed or unknown values" in w for w in result.warnings) == 1


def test_overridden_values_are_not_assumed() -> None:
    with pytest.warns(sn.AssumedValueWarning) as caught:
        sn.all_reduce(sn.System.preset("nvl72", link_latency="200 ns"), size="1 MiB")
    assert "link_latency = " not in str(caught[0].message)
    assert "nvl72[link_latency=200 ns]" in str(caught[0].message)


def test_only_values_that_the_run_uses() -> None:
    with pytest.warns(sn.AssumedValueWarning) as caught:
        sn.all_reduce("nvl72", size="1 MiB")
        sn.all_reduce("nvl72:2", size="1 MiB")
    assert "nic_" not in str(caught[0].message)
    assert "nic_" in str(caught[1].message)


def test_an_override_without_effect_is_named() -> None:
    with pytest.warns(sn.AssumedValueWarning):
        result = sn.all_reduce(sn.System.preset("nvl72", nic_rate="800 Gbit/s"), size="1 MiB")
    assert any("override nic_rate has no effect" in w for w in result.warnings)


def test_users_own_numbers_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = sn.all_reduce(star(8), size=1024)
    assert result.warnings == []
