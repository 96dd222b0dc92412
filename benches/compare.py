"""Compare the working tree with another revision: both built the same way, run by turns, medians of ratios.

``make bench-compare REV=<revision>`` checks the revision out under ``target/compare``, builds a wheel of each, runs
every case of ``cases.py`` by turns (A B, B A, A B ...), and prints new over old: the median of the ratios of the
rounds, the least and the largest of them, and the medians of both. A ratio of two runs that follow each other is not
moved by a machine that slows down over the hour. Instructions are counted where valgrind is on the path; they repeat
to within half a per cent, so trust them first. The checkout is not touched. Checkout and wheels are removed
afterwards; compiled dependencies stay in ``target/compare``.

The cases are those of the working tree, for both; one that the old revision cannot run is named and left out.
``FAIL_ABOVE=1.05`` ends with exit code 1 if a ratio is above that and every round was slower. ``QUICK=1`` builds with
thin LTO in 16 units, in a third of the time: then ratios hold for that profile only. ``ROUNDS=5`` sets the rounds.

Cost: two release builds, about four minutes of a core each (thin: one), then two minutes per round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benches import instructions

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "target" / "compare"
#: What QUICK=1 changes of the release profile.
QUICK = {"CARGO_PROFILE_RELEASE_LTO": "thin", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}


class CompareError(Exception):
    """What stands in the way of a comparison."""


@dataclass(frozen=True)
class Ratio:
    """New over old of one name: median, least and largest of the rounds, and the medians of both."""

    name: str
    unit: str
    ratio: float
    least: float
    largest: float
    old: float
    new: float

    def __str__(self) -> str:
        spread = "" if self.least == self.largest else f"{self.least:.3f} to {self.largest:.3f}"
        return f"{self.name:<18} {self.ratio:6.3f}  {spread:<15} {self.old:14,.4g} {self.new:14,.4g}  {self.unit}"


def git(*arguments: str) -> str:
    """Return what git prints.

    Raises
    ------
    CompareError
        If git fails.
    """
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=False, capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode:
        raise CompareError(done.stderr.strip() or f"git {' '.join(arguments)} failed")
    return done.stdout.strip()


def resolve(revision: str) -> str:
    """Return the commit that a name stands for.

    Raises
    ------
    CompareError
        If there is none.
    """
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except CompareError:
        raise CompareError(
            f"unknown revision {revision!r}: give a commit, a branch, a tag, or one such as HEAD~20"
        ) from None


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check a commit out into a folder of its own, and remove it afterwards."""
    folder = WORK / "tree"
    _remove(folder)
    git("worktree", "add", "--detach", "--force", str(folder), commit)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a checkout, also one that a killed run left behind, and no other."""
    with suppress(CompareError):  # git does not know it
        git("worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def build(tree: Path, name: str, *, quick: bool) -> Path:
    """Build the wheel of a tree and unpack it.

    Returns
    -------
    site
        A folder for ``PYTHONPATH``.

    Raises
    ------
    CompareError
        If the build fails.
    """
    site, wheels = WORK / f"site-{name}", WORK / f"wheel-{name}"
    for folder in (site, wheels):
        shutil.rmtree(folder, ignore_errors=True)
    # both by the profile of their own Cargo.toml, whatever the environment says, and with one cache of dependencies
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CARGO_PROFILE_")}
    environment |= {"CARGO_TARGET_DIR": str(WORK / ("quick" if quick else "release")), "CARGO_INCREMENTAL": "0"}
    environment |= QUICK if quick else {}
    command = [sys.executable, "-m", "maturin", "build", "--release", "--interpreter", sys.executable, "--out"]
    done = subprocess.run(  # noqa: S603
        [*command, str(wheels)], cwd=tree, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise CompareError(f"the build of {name} failed:\n{done.stderr[-3000:]}")
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    shutil.rmtree(wheels)
    return site


def by_turns(
    names: Sequence[str], rounds: int, old: Callable[[str], float], new: Callable[[str], float]
) -> tuple[dict[str, list[tuple[float, float]]], list[str]]:
    """Run every case of both, old first and new first in turn.

    Returns
    -------
    pairs
        By name, old and new of each round.
    failed
        Why names were left out.
    """
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    failed = []
    for turn in range(rounds):
        for name in list(pairs):
            try:
                if turn % 2:
                    second, first = new(name), old(name)
                else:
                    first, second = old(name), new(name)
            except RuntimeError as error:
                failed.append(f"left out: {error}")
                del pairs[name]
                continue
            pairs[name].append((first, second))
        sys.stderr.write(f"round {turn + 1} of {rounds}\n")
    return pairs, failed


def ratios(pairs: Mapping[str, Sequence[tuple[float, float]]], units: Mapping[str, str]) -> list[Ratio]:
    """Return new over old of each name.

    A cost that is zero or less, because others disturbed its short run, is passed over.
    """
    found = []
    for name, rounds in pairs.items():
        usable = [(a, b) for a, b in rounds if a > 0 and b > 0]
        if usable:
            each = [b / a for a, b in usable]
            old, new = (statistics.median(column) for column in zip(*usable, strict=True))
            found.append(Ratio(name, units[name], statistics.median(each), min(each), max(each), old, new))
    return found


def compare(old: Path, new: Path, rounds: int) -> tuple[list[Ratio], list[str]]:
    """Compare two builds: times by turns, memory and instructions once."""
    sys.path.insert(0, str(new))  # the package need not be installed
    from benches import baseline, cases

    units = {name: case.unit for name, case in cases.CASES.items()} | dict.fromkeys(cases.MEMORY, "bytes per host")
    runs = (lambda name: baseline.once(name, old), lambda name: baseline.once(name, new))
    pairs, failed = by_turns(list(cases.CASES), rounds, *runs)
    memory, more = by_turns(list(cases.MEMORY), 1, *runs)
    found, notes = ratios(pairs | memory, units), failed + more
    absent = {*pairs, *memory} - {each.name for each in found}
    notes += [f"left out: {name}: no round had a cost above 0; others disturbed them" for name in sorted(absent)]
    if instructions.available():
        notes_of, counts = [], []
        for site in (old, new):
            try:
                counts.append(instructions.count(site=site))
            except RuntimeError as error:
                notes_of.append(f"left out: instructions: {error}")
        if not notes_of:
            counted = {f"{n} instr.": [(counts[0][n], counts[1][n])] for n in counts[0] if n in counts[1]}
            units |= {f"{name} instr.": f"per {case.per}" for name, case in cases.CASES.items()}
            found += ratios(counted, units)
        notes += notes_of
    else:
        notes.append(instructions.MISSING)
    return found, notes


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, run, print."""
    parser = argparse.ArgumentParser(prog="make bench-compare", description="Compare with another revision.")
    parser.add_argument("revision", help="the revision to compare with (REV=)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (ROUNDS=)")
    parser.add_argument("--fail-above", type=float, default=None, help="a ratio that is an error (FAIL_ABOVE=)")
    parser.add_argument("--quick", action="store_true", help="thin LTO (QUICK=1)")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error(f"ROUNDS={given.rounds}: at least 1")
    if given.fail_above is not None and given.fail_above <= 0:
        parser.error(f"FAIL_ABOVE={given.fail_above}: a ratio above 0, such as 1.05")
    try:
        commit = resolve(given.revision)
        dirty = bool(git("status", "--porcelain"))
        print(f"old: {git('log', '-1', '--format=%h %s', commit)}")
        print(f"new: the working tree as it is, {git('log', '-1', '--format=%h %s')}", end="")
        print(", with changes that are not committed" if dirty else "")
        if given.quick:
            print("built with thin LTO in 16 units, not as released")
        with checkout(commit) as tree:
            old = build(tree, "old", quick=given.quick)
        new = build(ROOT, "new", quick=given.quick)
        found, notes = compare(old, new, given.rounds)
    except CompareError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        for name in ("old", "new"):
            shutil.rmtree(WORK / f"site-{name}", ignore_errors=True)
    print(f"{'':<18} {'ratio':>6}  {'spread':<15} {'old':>14} {'new':>14}")
    print(*found, *notes, sep="\n")
    limit = given.fail_above
    worse = [each.name for each in found if limit is not None and each.ratio > limit and each.least > 1]
    if worse:
        print(f"above {limit}: {', '.join(worse)}")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
