"""The checks of a release find what they are for: an archive, or a repository, with one fault each."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import io
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("packaging")

ROOT = Path(__file__).parents[1]
VERSION = "1.2.3"
NAME = f"supernode-{VERSION}-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
INFO = f"supernode-{VERSION}.dist-info"
SECRETS = [b"/home/builder/"]
Files = dict[str, bytes]


def load(name: str) -> ModuleType:
    """Import a module of ``tools``."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


distribution = load("distribution")
release = load("release")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with what the checks compare with."""
    root = tmp_path / "tree"
    for name in (
        "python/supernode/__init__.py", "python/supernode/_core.pyi", "python/supernode/py.typed",
        "python/supernode/presets/a.toml", "python/supernode/_core.abi3.so", "crates/core/src/lib.rs",
        "crates/core/Cargo.toml", *distribution.NEEDED_SOURCES,
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def sound_wheel(tree: Path) -> Files:
    """Files of a wheel without a fault, before its RECORD."""
    package = {f"supernode/{p.name}": b"x" for p in (tree / "python/supernode").iterdir() if p.is_file()}
    package |= {"supernode/presets/a.toml": b"x", "supernode/_core.abi3.so": b"\x7fELF memcpy@GLIBC_2.14 GLIBC_2.17"}
    info = {f"{INFO}/licenses/{name}": (tree / name).read_bytes() for name in distribution.LICENCES}
    info |= {f"{INFO}/METADATA": f"Name: supernode\nVersion: {VERSION}\n".encode(), f"{INFO}/WHEEL": b"x"}
    return package | info | {f"{INFO}/sboms/supernode.cdx.json": b"{}"}


def write_wheel(folder: Path, files: Files, name: str = NAME) -> Path:
    """Write a wheel with a RECORD of its files."""
    text = io.StringIO()
    rows = csv.writer(text)
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(data)])
    rows.writerow([f"{INFO}/RECORD", "", ""])
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, data in (files | {f"{INFO}/RECORD": text.getvalue().encode()}).items():
            archive.writestr(path, data)
    return folder / name


def look(path: Path, tree: Path) -> list[str]:
    found: list[str] = distribution.wheel_findings(path, VERSION, tree, SECRETS)
    return found


def test_a_sound_wheel_has_no_findings(tree: Path, tmp_path: Path) -> None:
    assert look(write_wheel(tmp_path, sound_wheel(tree)), tree) == []


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {path: data for path, data in files.items() if path != name}


def having(name: str, data: bytes) -> Callable[[Files], Files]:
    return lambda files: files | {name: data}


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (without("supernode/_core.pyi"), "supernode/_core.pyi is missing"),
        (without("supernode/py.typed"), "supernode/py.typed is missing"),
        (without("supernode/presets/a.toml"), "supernode/presets/a.toml is missing"),
        (without(f"{INFO}/licenses/THIRD-PARTY-NOTICES.txt"), "licenses/THIRD-PARTY-NOTICES.txt is missing"),
        (having(f"{INFO}/licenses/LICENSE", b"another"), "LICENSE differs from the tree's"),
        (having("supernode/.n.so", b"x"), "supernode/.n.so is not of the package"),
        (having("supernode/__init__.py", b"at /home/builder/x.py"), "__init__.py holds /home/builder/"),
        (having("supernode/_core.abi3.so", b"GLIBC_2.4 GLIBC_2.34"), "and uses symbols of glibc 2.34"),
        (having(f"{INFO}/METADATA", b"Version: 1.2.4\n"), "its metadata say version 1.2.4, not 1.2.3"),
        (having("supernode/__init__.py", bytes(distribution.LARGEST["wheel"])), "more than 8,388,608"),
    ],
)  # fmt: skip
def test_a_fault_of_a_wheel_is_found(
    tree: Path, tmp_path: Path, change: Callable[[Files], Files], finding: str
) -> None:
    (found,) = look(write_wheel(tmp_path, change(sound_wheel(tree))), tree)
    assert finding in found


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        (f"supernode-{VERSION}-cp311-cp311-manylinux_2_17_x86_64.whl", "not tagged cp311-abi3"),
        (f"supernode-{VERSION}-cp311-abi3-linux_x86_64.whl", "no manylinux tag"),
        ("supernode-1.2.4-cp311-abi3-manylinux_2_17_x86_64.whl", "is version 1.2.4, not 1.2.3"),
    ],
)
def test_a_wrong_name_of_a_wheel_is_found(tree: Path, tmp_path: Path, name: str, finding: str) -> None:
    (found,) = look(write_wheel(tmp_path, sound_wheel(tree), name), tree)
    assert finding in found


def test_a_wheel_that_was_changed_afterwards_is_found(tree: Path, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, sound_wheel(tree))
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (files | {"supernode/__init__.py": b"another"}).items():
            archive.writestr(name, data)
    assert look(path, tree) == ["RECORD has another hash for supernode/__init__.py"]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda files: files, None),
        (without("Cargo.lock"), "Cargo.lock is missing"),
        (without("crates/core/src/lib.rs"), "crates/core/src/lib.rs is missing"),
        (having("python/supernode/_core.abi3.so", b"x"), "_core.abi3.so is not a source"),
        (having("README.md", b"/home/builder/"), "README.md holds /home/builder/"),
    ],
)
def test_faults_of_a_source_distribution_are_found(
    tree: Path, tmp_path: Path, change: Callable[[Files], Files], finding: str | None
) -> None:
    sources = {p.relative_to(tree).as_posix(): b"x" for p in tree.rglob("*") if p.is_file() and p.suffix != ".so"}
    path = tmp_path / f"supernode-{VERSION}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in change(sources).items():
            member = tarfile.TarInfo(f"supernode-{VERSION}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found = distribution.sdist_findings(path, VERSION, tree, SECRETS)
    assert len(found) == (finding is not None)
    assert finding is None or finding in found[0]


def test_the_version_is_the_same_everywhere() -> None:
    assert release.version_findings() == []


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        ("CITATION.cff", "version: {}", "version: 9.9.9", "CITATION.cff has version 9.9.9"),
        ("CHANGELOG.md", "## {} (", "## 9.9.9 (", "CHANGELOG.md, the topmost section has version 9.9.9"),
        ("CHANGELOG.md", "## {} (unreleased)", "## {} soon", "CHANGELOG.md, the topmost section has version"),
        (
            "Cargo.lock",
            'name = "supernode-core"\nversion = "{}"',
            'name = "supernode-core"\nversion = "9.9.9"',
            "-core",
        ),
    ],
)
def test_a_version_that_differs_is_found(tmp_path: Path, name: str, old: str, new: str, finding: str) -> None:
    own = release.version()
    for each in ("Cargo.toml", "Cargo.lock", "CITATION.cff", "CHANGELOG.md"):
        text = (ROOT / each).read_text()
        if each == "CHANGELOG.md":  # as it is before a release
            text = text.replace(f"## {own} ({release.changelog_date()})", f"## {own} (unreleased)")
        changed = text.replace(old.format(own), new.format(own)) if each == name else text
        assert (changed != text) == (each == name)
        (tmp_path / each).write_text(changed)
    (found,) = release.version_findings(tmp_path)
    assert finding in found


def test_a_version_that_is_not_semantic_is_found(tmp_path: Path) -> None:
    own = release.version()
    for each in ("Cargo.toml", "Cargo.lock", "CITATION.cff", "CHANGELOG.md"):
        (tmp_path / each).write_text((ROOT / each).read_text().replace(own, "1.2"))
    assert release.version_findings(tmp_path) == ["1.2 is not a semantic version, such as 1.2.3 or 1.2.3-rc.1"]


@pytest.mark.parametrize(("own", "written"), [("1.2.3", "1.2.3"), ("1.2.3-rc.1", "1.2.3rc1"), ("1.2.3-new", None)])
def test_a_version_is_written_as_python_does(tmp_path: Path, own: str, written: str | None) -> None:
    for each in ("Cargo.toml", "Cargo.lock", "CITATION.cff", "CHANGELOG.md"):
        (tmp_path / each).write_text((ROOT / each).read_text().replace(release.version(), own))
    if written is None:
        (found,) = release.version_findings(tmp_path)
        assert "1.2.3-new is no version for a Python registry" in found
    else:
        assert release.version_findings(tmp_path) == []
        assert release.python_version(own) == written


@pytest.mark.parametrize(("heading", "date"), [("1.0.0 (2026-01-31)", "2026-01-31"), ("1.0.0 (unreleased)", None)])
def test_the_changelog_says_when(tmp_path: Path, heading: str, date: str | None) -> None:
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n\n- x\n\n## 0.9.0 (2025-01-01)\n")
    assert release.changelog_date(tmp_path) == date


def test_what_is_lacking_is_an_error_unless_it_is_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lacking = {"tests": ("to do", "run them"), "aarch64": ("not done", "no linker")}
    assert release.finish(lacking, "1.2.3", tmp_path, dry=False) == 1
    assert "git tag" not in capsys.readouterr().out
    assert release.finish(lacking, "1.2.3", tmp_path, dry=True) == 0
    assert "git tag --annotate v1.2.3" in capsys.readouterr().out
    assert release.finish(lacking | {"wheel": ("FAILED", "x")}, "1.2.3", tmp_path, dry=True) == 1


def test_no_wheel_is_a_failure(tmp_path: Path) -> None:
    found = dict(release.files("1.2.3", tmp_path))
    assert [state for state, _ in found.values()] == ["FAILED", "FAILED"]
    assert "holds none: make dist" in found["wheel"][1]
