"""What this installation is, and whether it works: versions, cores, memory, extras, and a self-check of a few seconds.

**Invariant.** A check compares with a closed form or with the same run done another way, so it can fail.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from supernode import core
from supernode.api import all_reduce
from supernode.fabric import Switched
from supernode.marks import AssumedValueWarning
from supernode.result import Result
from supernode.system import System

__all__ = ["Check", "Report", "diagnose"]

#: ``Requires-Dist`` of an extra.
_EXTRA = re.compile(r"([A-Za-z0-9_.-]+)[^;]*;.*extra == ['\"]([\w-]+)['\"]")


@dataclass(frozen=True)
class Check:
    """One check: what was compared, whether it held, what was found, and seconds."""

    name: str
    passed: bool
    detail: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """What :func:`diagnose` finds.

    Parameters
    ----------
    versions
        Of supernode, its core, and what it was built with.
    machine
        Platform, cores that this process may use and that there are, bytes of memory in all, free, and that the
        process may have (``None`` if there is no limit).
    packages
        Version of each dependency.
    extras
        By extra, the version of each of its libraries, ``None`` where it is not installed.
    checks
        The self-check.
    """

    versions: dict[str, str]
    machine: dict[str, Any]
    packages: dict[str, str | None]
    extras: dict[str, dict[str, str | None]]
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self) | {"healthy": self.healthy}

    def __str__(self) -> str:
        def size(value: int | None) -> str:
            return "no limit" if value is None else f"{value / 2**30:.1f} GiB"

        own = self.machine
        lines = [f"{name:<12} {version}" for name, version in self.versions.items()]
        lines += [
            f"{'platform':<12} {own['platform']}",
            f"{'cores':<12} {own['cores_usable']} of {own['cores']}",
            f"{'memory':<12} {size(own['memory_bytes'])}, {size(own['memory_free_bytes'])} free",
            f"{'limit':<12} {size(own['address_space_bytes'])} of address space",
        ]
        if self.packages:
            needs = ", ".join(f"{name} {version or 'MISSING'}" for name, version in self.packages.items())
            lines.append(f"{'needs':<12} {needs}")
        else:
            lines.append(f"{'needs':<12} unknown: this is a source tree, not an installed package")
        for extra, found in self.extras.items():
            absent = [name for name, version in found.items() if version is None]
            there = ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)
            hint = f"{', '.join(absent)} not installed: pip install 'supernode[{extra}]'"
            lines.append(f"{extra:<12} {'; '.join(text for text in (there, hint if absent else '') if text)}")
        for check in self.checks:
            state = "passed" if check.passed else "FAILED"
            lines.append(f"{state:<12} {check.name}: {check.detail} ({check.seconds:.1f} s)")
        return "\n".join(lines)


def diagnose() -> Report:
    """Describe the installation and check it, in about a second of processor time."""
    packages, extras = _dependencies()
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    page = os.sysconf("SC_PAGE_SIZE")
    machine = {
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)),
        "memory_bytes": page * os.sysconf("SC_PHYS_PAGES"),
        "memory_free_bytes": page * os.sysconf("SC_AVPHYS_PAGES"),
        "address_space_bytes": None if soft == resource.RLIM_INFINITY else soft,
    }
    return Report(core.versions(), machine, packages, extras, tuple(_checked(*each) for each in _CHECKS))


def _dependencies() -> tuple[dict[str, str | None], dict[str, dict[str, str | None]]]:
    """Return versions of what the package needs, and of what each extra needs."""
    try:
        wanted = metadata.requires("supernode") or []
    except metadata.PackageNotFoundError:  # a source tree on the path
        wanted = []
    packages: dict[str, str | None] = {}
    extras: dict[str, dict[str, str | None]] = {}
    for requirement in wanted:
        if found := _EXTRA.match(requirement):
            extras.setdefault(found[2], {})[found[1]] = _version(found[1])
        elif name := re.match(r"[A-Za-z0-9_.-]+", requirement):
            packages[name[0]] = _version(name[0])
    return packages, extras


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _checked(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    start = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumedValueWarning)
            passed, detail = check()
    except Exception as error:  # whatever is wrong with the installation is to be told
        passed, detail = False, f"{type(error).__name__}: {error}"
    return Check(name, passed, detail, time.monotonic() - start)


def _closed_form() -> tuple[bool, str]:
    """Check 2 (p - 1) (alpha + n / (p beta)): p = 8 ranks, n = 8 packets of 4096 bytes, one switch."""
    fabric = Switched(
        bandwidth="100 GB/s", latency="1 us", switch_latency="0 ns", payload=4096, overhead=0, cut_through=True
    )
    machine = System("doctor").scale_up(count=8, fabric=fabric)
    found = all_reduce(machine, size=8 * 4096, algorithm="ring", stack="none", fidelity="packet").time_fs
    # each step: two links of 1 us, and 40.96 ns of serialisation, which the switch does not add to
    expected = 2 * 7 * (2 * 10**9 + 40_960_000)
    return found == expected, f"{found} fs, expected {expected} fs"


def _two_ways() -> tuple[bool, str]:
    found = all_reduce("nvl72:2", size="1 MiB", algorithm="hierarchical", self_check=True)
    record = found.self_check or {}
    return bool(record.get("compared")), f"{record.get('packet_hops')} packet-hops, {', '.join(record['compared'])}"


def _threads() -> tuple[bool, str]:
    runs = [all_reduce("hgx-h100", size="4 MiB", algorithm="ring", fold=False, threads=n) for n in (1, 2)]
    return runs[0].summary.equals(runs[1].summary), f"{runs[0].time_fs} fs, {runs[1].time_fs} fs"


def _saved() -> tuple[bool, str]:
    run = all_reduce("hgx-h100", size="1 MiB", algorithm="ring", record=["links"])
    with tempfile.TemporaryDirectory() as folder:
        written = run.save(Path(folder) / "result")
        return Result.load(Path(folder) / "result") == run, f"{len(written)} files"


_CHECKS = (
    ("a ring all-reduce takes the time of its closed form", _closed_form),
    ("folded and skipped equals in full", _two_ways),
    ("1 thread equals 2", _threads),
    ("what is saved is read again", _saved),
)
