"""What a checkout installs is exact: every dependency with one version and hashes, within the bounds that users get.

``dev.lock`` is the environment of the tests, ``docs.lock`` that of the site.
"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LOCKS = ("dev.lock", "docs.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = [
    name.rpartition(" ")[2] for name in PROJECT["project"]["classifiers"] if re.search(r"Python :: 3\.\d+$", name)
]


def locked_text(lock: str) -> str:
    return (ROOT / "requirements" / lock).read_text()


def entries(lock: str) -> list[tuple[Requirement, list[str]]]:
    """Return what is locked, each with its hashes."""
    text = re.sub(r"(?m)^ *#.*\n", "", locked_text(lock)).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        requirement, *hashes = line.split(" --hash=")
        found.append((Requirement(requirement.strip()), [h.strip() for h in hashes]))
    return found


def asked_for(lock: str) -> list[Requirement]:
    """Return what pyproject.toml names for a lock: of the package, and of its extras and groups of developers."""
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    lists = [PROJECT["project"]["dependencies"]]
    if lock == "docs.lock":
        lists += [extras["dask"], extras["plot"], extras["report"], groups["docs"]]
    else:
        lists += [*extras.values(), *(group for name, group in groups.items() if name != "docs")]
    return [Requirement(text) for each in lists for text in each if isinstance(text, str)]


def holds(marker: Marker | None, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    return marker is None or marker.evaluate(environment)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_exact_and_has_hashes(lock: str) -> None:
    assert len(entries(lock)) > 40
    for requirement, hashes in entries(lock):
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes), requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_each_python_gets_one_version_of_all_that_is_asked_for(lock: str) -> None:
    assert len(PYTHONS) >= 4
    for python in PYTHONS:
        locked: dict[str, str] = {}
        for requirement, _ in entries(lock):
            if holds(requirement.marker, python):
                assert requirement.name.lower() not in locked, f"{requirement.name} twice for Python {python}"
                locked[requirement.name.lower()] = next(iter(requirement.specifier)).version
        for wanted in asked_for(lock):
            version = locked.get(wanted.name.lower())
            assert version is not None, f"{wanted.name} is not locked for Python {python}: run make lock"
            assert wanted.specifier.contains(version, prereleases=True), f"{wanted}, locked {version}: run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_registry_and_no_path(lock: str) -> None:
    assert not re.search(r"https?:|--index|--find-links|(?m:^-)|/", locked_text(lock))
