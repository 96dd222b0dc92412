"""What is handed out: licences and notices are in it, and no path of the machine that built it.

The wheel is the one that ``make`` has built, named by ``SUPERNODE_WHEEL``. A wheel that was built for this machine
alone may hold its paths.
"""

import importlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CARGO_HOME = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
#: What would tell where a file was built: the checkout, the crates that cargo unpacked, the builder's home.
PATHS = [f"{p}/".encode() for p in (ROOT, CARGO_HOME, Path.home()) if len(p.parts) > 1]
LICENCES = {"LICENSE", "THIRD-PARTY-NOTICES.txt"}


@pytest.fixture(scope="module")
def wheel() -> dict[str, bytes]:
    """Return the files of the wheel by name."""
    path = os.environ.get("SUPERNODE_WHEEL")
    if not path:
        pytest.skip("SUPERNODE_WHEEL does not name a wheel; make test does")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def info(wheel: dict[str, bytes], name: str) -> bytes:
    """Return a file of the wheel's ``.dist-info``."""
    return next(data for path, data in wheel.items() if re.fullmatch(rf"supernode-[^/]*\.dist-info/{name}", path))


def test_the_wheel_names_no_path_of_the_machine(wheel: dict[str, bytes]) -> None:
    assert any(name.endswith(".so") for name in wheel)
    for name, data in wheel.items():
        for path in PATHS:
            assert path not in data, f"{name} holds {path.decode()}"
        assert b"registry/src" not in data, f"{name} names the registry's host"


def test_the_wheel_has_licences_notices_and_a_bill_of_materials(wheel: dict[str, bytes]) -> None:
    for name in LICENCES:
        assert info(wheel, f"licenses/{name}") == (ROOT / name).read_bytes()
    boms = [name for name in wheel if "/sboms/" in name]
    assert [name.rpartition("/")[2] for name in boms] == ["supernode.cdx.json"]
    components = json.loads(wheel[boms[0]])["components"]
    assert {"arrow-array", "pyo3", "serde_json"} <= {c["name"] for c in components}
    notices = (ROOT / "THIRD-PARTY-NOTICES.txt").read_text()
    assert all(f"{c['name']} {c['version']}: " in notices for c in components)


def test_the_wheel_passes_the_checks_of_a_release(wheel: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    del wheel  # skips
    monkeypatch.syspath_prepend(ROOT / "tools")
    distribution = importlib.import_module("distribution")
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    path = Path(os.environ["SUPERNODE_WHEEL"])
    assert distribution.wheel_findings(path, version, ROOT, [*PATHS, b"registry/src"]) == []


def test_the_bill_of_materials_has_the_versions_of_the_lock() -> None:
    locked = {(p["name"], p["version"]) for p in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    components = json.loads((ROOT / "supernode.cdx.json").read_text())["components"]
    assert {(c["name"], c["version"]) for c in components} <= locked


def test_the_metadata_lead_to_the_project(wheel: dict[str, bytes]) -> None:
    metadata = HeaderParser().parsestr(info(wheel, "METADATA").decode())
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    assert metadata["License-Expression"] == cargo["license"] == "Apache-2.0"
    assert set(metadata.get_all("License-File") or []) == LICENCES
    urls = dict(text.split(", ", 1) for text in metadata.get_all("Project-URL") or [])
    assert urls["Repository"] == cargo["repository"]
    assert all(url.startswith(cargo["repository"]) for url in urls.values())
    extras = {"dask", "graphs", "mpi", "optimise", "plot", "report", "yaml"}
    assert set(metadata.get_all("Provides-Extra") or []) == extras


@pytest.mark.skipif(find_spec("maturin") is None, reason="maturin is not installed")
def test_the_source_distribution_has_licences_and_no_path(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "maturin", "sdist", "--manifest-path", str(ROOT / "crates/python/Cargo.toml"),
         "--out", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.iterdir()
    with tarfile.open(path) as archive:
        members = {m.name.split("/", 1)[1]: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
        files = {name: member.read() for name, member in members.items() if member is not None}
    assert {*LICENCES, "README.md", "Cargo.lock", "supernode.cdx.json", "python/supernode/py.typed"} <= set(files)
    for name, data in files.items():
        for where in PATHS:
            assert where not in data, f"{name} holds {where.decode()}"


def test_links_of_the_readme_work_outside_the_repository() -> None:
    text = (ROOT / "README.md").read_text()
    repository = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
    targets = re.findall(r"\]\(([^)]*)\)", text) + re.findall(r"(?m)^\[[^\]]*\]: *(\S+)$", text)
    used = set(re.findall(r"\]\[([^\]]+)\]", text))
    assert used == set(re.findall(r"(?m)^\[([^\]]*)\]:", text))
    assert len(targets) > 10
    for target in targets:
        assert target.startswith("https://"), target
        if target.startswith(repository):
            assert (ROOT / re.sub(r".*?/(blob|tree|raw)/main/", "", target).partition("#")[0]).exists(), target
