"""What a checkout installs is exact: every dependency with one version and hashes, within the bounds that users get."""

import re
import tomllib
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "dev.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = [
    name.rpartition(" ")[2] for name in PROJECT["project"]["classifiers"] if re.search(r"Python :: 3\.\d+$", name)
]


def entries() -> list[tuple[Requirement, list[str]]]:
    """Return what is locked, each with its hashes."""
    text = re.sub(r"(?m)^ *#.*\n", "", LOCK.read_text()).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        requirement, *hashes = line.split(" --hash=")
        found.append((Requirement(requirement.strip()), [h.strip() for h in hashes]))
    return found


def asked_for() -> list[Requirement]:
    """Return every dependency that pyproject.toml names: of the package, its extras and the groups of developers."""
    project = PROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += [[d for d in group if isinstance(d, str)] for group in PROJECT["dependency-groups"].values()]
    return [Requirement(text) for each in lists for text in each]


def holds(marker: Marker | None, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    return marker is None or marker.evaluate(environment)


def test_every_entry_is_exact_and_has_hashes() -> None:
    assert len(entries()) > 40
    for requirement, hashes in entries():
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes), requirement


def test_each_python_gets_one_version_of_all_that_is_asked_for() -> None:
    assert len(PYTHONS) >= 4
    for python in PYTHONS:
        locked: dict[str, str] = {}
        for requirement, _ in entries():
            if holds(requirement.marker, python):
                assert requirement.name.lower() not in locked, f"{requirement.name} twice for Python {python}"
                locked[requirement.name.lower()] = next(iter(requirement.specifier)).version
        for wanted in asked_for():
            version = locked.get(wanted.name.lower())
            assert version is not None, f"{wanted.name} is not locked for Python {python}: run make lock"
            assert wanted.specifier.contains(version, prereleases=True), f"{wanted}, locked {version}: run make lock"


def test_the_lock_names_no_registry_and_no_path() -> None:
    assert not re.search(r"https?:|--index|--find-links|(?m:^-)|/", LOCK.read_text())
