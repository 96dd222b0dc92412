"""Everything between a tested commit and an upload, step by step.

``make release-dry-run`` builds the wheel and the source distribution, checks them, installs the wheel where no Rust
is, builds a wheel from the source distribution in a clean folder, and says what the repository still lacks for a
release. ``make release`` is the same, but what is lacking is an error. Neither tags or uploads: the commands for that
are printed at the end, for a person.

A step is ``ok``, ``to do`` (the repository is not ready: an error without ``--dry-run``), ``FAILED`` or ``not done``,
with its reason. What is handed out is taken from ``target/wheels``, where ``make dist`` puts it.

Cost: an installation of the dependencies, and a build without optimisation: some minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import distribution
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ROOT / "target" / "wheels"
#: The second processor, for which a wheel is built where the tools allow.
OTHER = "aarch64-unknown-linux-gnu"
#: https://semver.org, without build metadata: a registry refuses those.
SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
SECTION = re.compile(r"^## (\S+) \((unreleased|\d{4}-\d{2}-\d{2})\)$", re.MULTILINE)
#: A build to see that the sources are complete, not for use.
PLAIN = {
    "CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1", "CARGO_PROFILE_RELEASE_DEBUG": "false",
}  # fmt: skip

#: State, and what there is to say.
Outcome = tuple[str, str]


def version(root: Path = ROOT) -> str:
    """Return the version of the workspace."""
    return str(tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"])


def python_version(own: str) -> str:
    """Return a semantic version as Python's registries write it: 1.2.3-rc.1 is 1.2.3rc1.

    Raises
    ------
    InvalidVersion
        If they cannot, as with 1.2.3-new.
    """
    return str(Version(own))


def version_findings(root: Path = ROOT) -> list[str]:
    """Say where the version is not semantic, or differs between the files that have it."""
    own = version(root)
    lock = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    cited = re.search(r"^version: *\"?([^\"\n]+?)\"?$", (root / "CITATION.cff").read_text(), re.MULTILINE)
    section = SECTION.search((root / "CHANGELOG.md").read_text())
    others = {f"Cargo.lock ({p['name']})": p["version"] for p in lock if p["name"].startswith("supernode-")}
    others["CITATION.cff"] = cited.group(1) if cited else "none"
    others["CHANGELOG.md, the topmost section"] = section.group(1) if section else "none"
    found = [] if SEMANTIC.fullmatch(own) else [f"{own} is not a semantic version, such as 1.2.3 or 1.2.3-rc.1"]
    try:
        python_version(own)
    except InvalidVersion:
        found.append(
            f"{own} is no version for a Python registry; before a release it ends in -alpha.1, -beta.1 or -rc.1"
        )
    return found + [
        f"{where} has version {there}; Cargo.toml has {own}" for where, there in others.items() if there != own
    ]


def changelog_date(root: Path = ROOT) -> str | None:
    """Return the date of the topmost section of the changelog, ``None`` if it is unreleased."""
    section = SECTION.search((root / "CHANGELOG.md").read_text())
    return None if section is None or section.group(2) == "unreleased" else section.group(2)


def run(command: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it prints."""
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


def verdict(problems: Sequence[str], good: str) -> Outcome:
    """Return what follows from findings."""
    return ("FAILED", "; ".join(problems)) if problems else ("ok", good)


def repository(own: str, *, passed: bool) -> Iterator[tuple[str, Outcome]]:
    """Check that the repository is ready."""
    changed = run(["git", "status", "--porcelain"], cwd=ROOT).stdout.splitlines()
    dirty = f"{len(changed)} files differ from the commit, {changed[0][3:]} among them" if changed else ""
    yield "clean tree", ("to do", dirty) if changed else ("ok", "nothing but the commit")
    yield "version", verdict(version_findings(), f"{own} everywhere")
    date = changelog_date()
    yield "changelog", ("ok", date) if date else ("to do", f"date the section: ## {own} (YYYY-MM-DD)")
    exists = run(["git", "rev-parse", "--quiet", "--verify", f"refs/tags/v{own}"], cwd=ROOT).returncode == 0
    yield "tag", ("to do", f"v{own} exists: raise the version") if exists else ("ok", f"v{own} is free")
    tests = "make test-all, make test-oldest and make test-newest on this commit; then --tests-passed"
    yield "tests", ("ok", "passed, as you say") if passed else ("to do", tests)


def secrets() -> list[bytes]:
    """Paths that would tell where a file was built, and the folder that cargo names after the registry's host."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    return [f"{p}/".encode() for p in (ROOT, cargo, Path.home()) if len(p.parts) > 1] + [b"registry/src"]


def files(own: str, folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Check the wheel and the source distribution as files."""
    for kind, pattern, look in (
        ("wheel", "*.whl", distribution.wheel_findings),
        ("source distribution", "*.tar.gz", distribution.sdist_findings),
    ):
        paths = sorted(folder.glob(pattern))
        if len(paths) != 1:
            names = ", ".join(p.name for p in paths) or "none"
            yield kind, ("FAILED", f"{folder.name} should hold one {pattern}, and holds {names}: make dist")
            continue
        (path,) = paths
        yield kind, verdict(look(path, own, ROOT, secrets()), f"{path.name}, {path.stat().st_size / 2**20:.1f} MiB")


def without_rust(wheel: Path) -> Outcome:
    """Install a wheel into a new environment from binaries alone, with no Rust on the path, and use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = f"{folder / 'venv/bin'}:/usr/bin:/bin"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CARGO", "RUST", "PYTHON", "VIRTUAL"))}
        environment |= {"PATH": path}
        there = [tool for tool in ("cargo", "rustc") if shutil.which(tool, path=path)]
        program = str(folder / "venv/bin/supernode")
        # the base interpreter: an environment of an environment could see the packages of the outer one
        python = str(Path(sys.base_prefix) / "bin" / Path(sys.executable).resolve().name)
        commands = [
            [python, "-m", "venv", str(folder / "venv")],
            [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", str(wheel)],
            [program, "--version"],
            [program, "doctor"],
            [program, "bench", "all_reduce", "hgx-h100", "-b", "1M", "-e", "1M"],
        ]
        if there:
            return "not done", f"{' and '.join(there)} in /usr/bin cannot be hidden"
        for command in commands:
            done = run(command, env=environment, cwd=folder)
            if done.returncode:
                return "FAILED", f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:]}"
    return "ok", f"{wheel.name} installs from binaries alone; doctor and a bench pass"


def from_source(sdist: Path, wheel: Path) -> Outcome:
    """Build a wheel from the source distribution in a clean folder; it must hold the same files."""
    with tempfile.TemporaryDirectory() as name:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CARGO_PROFILE")}
        environment |= PLAIN | {"CARGO_TARGET_DIR": str(ROOT / "target" / "sdist")}
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", name, str(sdist)]
        done = run(command, env=environment, cwd=name)
        if done.returncode:
            return "FAILED", done.stderr[-3000:]
        (built,) = Path(name).glob("*.whl")
        difference = sorted(_names(built) ^ _names(wheel))
    return verdict([f"{file} is in one of the wheels only" for file in difference], "builds a wheel of the same files")


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def other_processor(own: str) -> Outcome:
    """Build the wheel of the second processor, where its standard library and a linker are."""
    out = ROOT / "target" / "wheels-aarch64"
    shutil.rmtree(out, ignore_errors=True)
    sysroot = Path(run(["rustc", "--print", "sysroot"]).stdout.strip())
    if not (sysroot / "lib/rustlib" / OTHER / "lib").is_dir():
        return "not done", f"no {OTHER} wheel: its standard library is not installed; rustup target add {OTHER}"
    zig = run([sys.executable, "-c", "import ziglang"]).returncode == 0
    if not zig and not shutil.which("aarch64-linux-gnu-gcc"):
        return (
            "not done",
            f"no {OTHER} wheel: no linker for it; pip install ziglang, or apt-get install gcc-aarch64-linux-gnu",
        )
    linker = {"CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER": "aarch64-linux-gnu-gcc"}
    command = [sys.executable, "-m", "maturin", "build", "--release", "--target", OTHER, "--out", str(out)]
    done = run([*command, *(["--zig"] if zig else [])], cwd=ROOT, env=os.environ | ({} if zig else linker))
    if done.returncode:
        return "FAILED", done.stderr[-3000:]
    (wheel,) = out.glob("*.whl")
    return verdict(distribution.wheel_findings(wheel, own, ROOT, secrets()), f"{wheel.name}; not run on such a machine")


def steps(own: str, folder: Path, *, passed: bool) -> Iterator[tuple[str, Outcome]]:
    """Take all steps in order."""
    yield from repository(own, passed=passed)
    if version_findings():
        return
    named = python_version(own)
    found = dict(files(named, folder))
    yield from found.items()
    if any(state != "ok" for state, _ in found.values()):
        return
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    yield "install without Rust", without_rust(wheel)
    yield "build from source", from_source(sdist, wheel)
    yield "aarch64", other_processor(named)


def finish(outcomes: Mapping[str, Outcome], own: str, folder: Path, *, dry: bool) -> int:
    """Say what is next, and return the exit code."""
    states = [state for state, _ in outcomes.values()]
    failed = "FAILED" in states or ("to do" in states and not dry)
    if failed:
        print("No release: mend what is named above.")
        return 1
    print(
        "Dry run: nothing was tagged or uploaded. A release then needs:"
        if dry
        else "Ready. Nothing is tagged or uploaded yet:"
    )
    print(f"  git tag --annotate v{own} --message 'supernode {own}'")
    print(f"  git push origin v{own}")
    for path in sorted([*folder.iterdir(), *(ROOT / "target" / "wheels-aarch64").glob("*.whl")]):
        print(f"  python -m twine upload {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the steps and print each as it ends."""
    parser = argparse.ArgumentParser(
        prog="tools/release.py", description="Check a release; nothing is tagged or uploaded."
    )
    parser.add_argument("--dry-run", action="store_true", help="what the repository lacks is no error")
    parser.add_argument("--tests-passed", action="store_true", help="the tests passed on this commit")
    parser.add_argument("--wheels", type=Path, default=WHEELS, help="folder of the wheel and the source distribution")
    given = parser.parse_args(arguments)
    own = version()
    passed = given.tests_passed
    if not passed and not given.dry_run and sys.stdin.isatty():
        asked = f"Did make test-all, make test-oldest and make test-newest pass on this commit, {own}? [y/N] "
        passed = input(asked).strip().lower() in ("y", "yes")
    outcomes = {}
    for name, outcome in steps(own, given.wheels.resolve(), passed=passed):
        outcomes[name] = outcome
        print(f"{outcome[0]:<9} {name}: {outcome[1]}", flush=True)
    return finish(outcomes, own, given.wheels.resolve(), dry=given.dry_run)


if __name__ == "__main__":
    sys.exit(main())
