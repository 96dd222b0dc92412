"""The doctor tells what is installed, and fails where something does not work."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import supernode as sn
from supernode.cli import doctor


def test_a_healthy_installation() -> None:
    report = doctor.diagnose()
    assert report.healthy
    assert [check.passed for check in report.checks] == [True] * 4
    text = str(report)
    assert f"supernode    {report.versions['supernode']}" in text
    assert text.count("passed") == 4
    assert 0 < report.machine["memory_free_bytes"] <= report.machine["memory_bytes"]


def test_extras_that_are_missing_are_named_with_their_command(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "numpy>=2.0",
        "altair>=5.5 ; extra == 'plot'",
        "nowhere-at-all[x]>=1; python_version > '3' and extra == \"y-z\"",
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: wanted)
    packages, extras = doctor._dependencies()
    assert list(packages) == ["numpy"] and packages["numpy"]
    assert list(extras) == ["plot", "y-z"] and extras["y-z"] == {"nowhere-at-all": None}
    assert "nowhere-at-all not installed: pip install 'supernode[y-z]'" in str(doctor.diagnose())


@pytest.mark.parametrize("fault", ["time", "raise"])
def test_a_check_that_does_not_hold_fails(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    def wrong(*arguments: Any, **keywords: Any) -> Any:
        if fault == "raise":
            raise RuntimeError("no such luck")
        return sn.all_reduce(*arguments, **keywords | {"size": 999})

    monkeypatch.setattr("supernode.cli.doctor.all_reduce", wrong)
    report = doctor.diagnose()
    assert not report.healthy
    assert "FAILED       a ring all-reduce takes the time of its closed form" in str(report)


def test_the_command() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "supernode", "doctor"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "passed       folded and skipped equals in full" in lines
    found = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True, text=True).stdout)
    assert found["healthy"] is True and len(found["checks"]) == 4
