"""Check what is handed out: a wheel and a source distribution, as files.

Each function returns findings, one sentence each; none means that nothing was found. They read archives and change
nothing. ``tools/release.py`` runs them, ``tests/test_release.py`` holds them to archives with one fault each.

Limits: whether the code works is for the tests, and whether the wheel installs elsewhere is for ``tools/release.py``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from email.parser import HeaderParser
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

#: The oldest interpreter whose stable ABI the extension module uses.
PYTHON = "cp311"
#: Bytes of a wheel and of a source distribution, at most: a file that should not be there is found by it.
LARGEST = {"wheel": 8 << 20, "sdist": 4 << 20}
LICENCES = ("LICENSE", "THIRD-PARTY-NOTICES.txt")
#: Of the package, beside the modules of the tree.
NEEDED = ("supernode/_core.abi3.so", "supernode/_core.pyi", "supernode/py.typed")
#: Of a source distribution: what a build needs, and what a reader looks for.
NEEDED_SOURCES = (
    "Cargo.lock", "Cargo.toml", "LICENSE", "PKG-INFO", "README.md", "THIRD-PARTY-NOTICES.txt", "pyproject.toml",
    "supernode.cdx.json",
)  # fmt: skip


def platform_tag(name: str) -> tuple[int, int, str] | None:
    """Return glibc and processor of a wheel's manylinux tag: the least, where it has several."""
    found = re.findall(r"manylinux_(\d+)_(\d+)_(\w+?)(?=\.|$)", name.removesuffix(".whl"))
    return min(((int(major), int(minor), cpu) for major, minor, cpu in found), default=None)


def wheel_findings(path: Path, version: str, root: Path, secrets: Sequence[bytes]) -> list[str]:
    """Look for faults of a wheel.

    Parameters
    ----------
    path
        The wheel.
    version
        What it must be.
    root
        The tree that it was built from.
    secrets
        Paths of the machine, none of which may be in any file.
    """
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    info = f"supernode-{version}.dist-info"
    found = _name(path.name, version) + _size(path, "wheel") + _paths(files, secrets)
    package = {f"supernode/{p.relative_to(root / 'python/supernode').as_posix()}" for p in _package(root)}
    needed = {*NEEDED, *package, *(f"{info}/licenses/{name}" for name in LICENCES)}
    needed |= {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "sboms/supernode.cdx.json")}
    found += [f"{name} is missing" for name in sorted(needed - set(files))]
    found += [
        f"{name} is not of the package" for name in sorted(set(files) - needed) if not name.startswith(f"{info}/")
    ]
    found += [
        f"{name} differs from the tree's"
        for name in LICENCES
        if files.get(f"{info}/licenses/{name}") not in (None, (root / name).read_bytes())
    ]
    if f"{info}/RECORD" in files:
        found += _record(files, f"{info}/RECORD")
    metadata = HeaderParser().parsestr(files.get(f"{info}/METADATA", b"").decode())
    if metadata["Version"] != version:
        found.append(f"its metadata say version {metadata['Version']}, not {version}")
    tag = platform_tag(path.name)
    if tag is not None and NEEDED[0] in files:
        newest = _glibc(files[NEEDED[0]])
        if newest > tag[:2]:
            found.append(f"it is tagged glibc {tag[0]}.{tag[1]}, and uses symbols of glibc {newest[0]}.{newest[1]}")
    return found


def sdist_findings(path: Path, version: str, root: Path, secrets: Sequence[bytes]) -> list[str]:
    """Look for faults of a source distribution; parameters as for :func:`wheel_findings`."""
    top = f"supernode-{version}/"
    files = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if content is not None:
                files[member.name] = content.read()
    found = [] if path.name == f"supernode-{version}.tar.gz" else [f"{path.name} should be supernode-{version}.tar.gz"]
    found += _size(path, "sdist") + _paths(files, secrets)
    found += [f"{name} is outside {top}" for name in sorted(files) if not name.startswith(top)]
    sources = [*_package(root), *(root / "crates").glob("*/src/**/*.rs"), *(root / "crates").glob("*/Cargo.toml")]
    needed = {*NEEDED_SOURCES, *(p.relative_to(root).as_posix() for p in sources)}
    found += [f"{name} is missing" for name in sorted(needed) if top + name not in files]
    binary = (".so", ".pyc", ".whl", ".a", ".rlib")
    return found + [f"{name} is not a source" for name in sorted(files) if name.endswith(binary)]


def _package(root: Path) -> list[Path]:
    """Files of the Python package, without what is built."""
    built = ("__pycache__", "_core.abi3.so")
    return [p for p in (root / "python/supernode").rglob("*") if p.is_file() and not {*p.parts} & {*built}]


def _name(name: str, version: str) -> list[str]:
    try:
        _, found, _, tags = parse_wheel_filename(name)
    except InvalidWheelFilename as error:
        return [str(error)]
    problems = [] if str(found) == version else [f"{name} is version {found}, not {version}"]
    if {(tag.interpreter, tag.abi) for tag in tags} != {(PYTHON, "abi3")}:
        problems.append(f"{name} is not tagged {PYTHON}-abi3: one wheel should serve all Pythons from 3.11 on")
    if not all(tag.platform.startswith("manylinux") for tag in tags):
        problems.append(f"{name} has no manylinux tag: registries refuse it")
    return problems


def _size(path: Path, kind: str) -> list[str]:
    size, most = path.stat().st_size, LARGEST[kind]
    return [f"{path.name} has {size:,} bytes, more than {most:,}"] if size > most else []


def _paths(files: Mapping[str, bytes], secrets: Sequence[bytes]) -> list[str]:
    """Files that name a path of the machine that built them."""
    return [f"{name} holds {secret.decode()}" for name, data in files.items() for secret in secrets if secret in data]


def _record(files: Mapping[str, bytes], record: str) -> list[str]:
    """Files that RECORD does not list, or lists with another content."""
    listed = {row[0]: row[1] for row in csv.reader(io.StringIO(files[record].decode())) if row}
    found = [f"RECORD does not list {name}" for name in sorted(set(files) - set(listed))]
    found += [f"RECORD lists {name}, which is not there" for name in sorted(set(listed) - set(files))]
    for name in sorted(set(files) & set(listed) - {record}):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        if listed[name] != f"sha256={digest}":
            found.append(f"RECORD has another hash for {name}")
    return found


def _glibc(library: bytes) -> tuple[int, int]:
    """Return the newest glibc whose symbols a shared library uses."""
    return max(((int(a), int(b)) for a, b in re.findall(rb"GLIBC_(\d+)\.(\d+)", library)), default=(0, 0))
