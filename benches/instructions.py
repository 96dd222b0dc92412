"""Instructions of the hot loop: the same on a noisy machine, where seconds are not.

``python benches/instructions.py`` (``make bench-instructions``) counts every case of ``cases.py`` that has amounts
for it, prints instructions per unit beside those of ``baseline.json``, and ends with an error if one is above its
baseline by more than :data:`WITHIN`, counted twice. Without valgrind it says so and counts nothing.

How: one interpreter under valgrind's cachegrind, without its cache model, imports the package and does every small
amount once. Then it forks for each amount of each case, and valgrind prints what each child executed. A large amount
less a small one leaves nothing of imports and set-up. What is left of chance is the thread that listens for Ctrl-C,
which wakes up by the clock: the least of :data:`REPEAT` children counts. A minute of processor time.

Why not gungraun (iai-callgrind): it needs a runner of exactly its version installed beside the crate, and counts Rust
benchmarks, so it could neither count what the installed wheel does nor a revision that was built before the benchmark
was written. Limits: instructions are not time (caches, branches), the compiler's version moves them, and a build
without the release profile has others.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
#: By which share of its baseline a count may be above it.
WITHIN = 0.02
#: Children per amount, of which the least counts: the thread that listens for Ctrl-C wakes up more often in a slow run.
REPEAT = 3
#: What valgrind says of a process.
REFS = re.compile(r"^==(\d+)== I\s+refs:\s+([\d,]+)", re.MULTILINE)
MISSING = "valgrind is not on the path, so no instructions were counted; on Debian: apt-get install valgrind"


def available() -> bool:
    """Whether valgrind is on the path."""
    return shutil.which("valgrind") is not None


def count(names: Sequence[str] = (), site: Path | None = None) -> dict[str, float]:
    """Count instructions per unit.

    Parameters
    ----------
    names
        Cases to count; all that can be by default.
    site
        Folder of the package to count; the one that is installed by default.

    Returns
    -------
    counts
        By case.

    Raises
    ------
    RuntimeError
        If valgrind failed, or did not say what each child executed.
    """
    # nothing of the environment or of hash seeds may move a count
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    if site is not None or "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = str(site) if site is not None else os.environ["PYTHONPATH"]
    command = [
        "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable, "-P",
        str(Path(__file__).resolve()), "--children", *names,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"counting failed with exit code {done.returncode}: {done.stderr[-2000:]}")
    executed = {int(pid): int(refs.replace(",", "")) for pid, refs in REFS.findall(done.stderr)}
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for line in done.stdout.splitlines():
        child = json.loads(line)
        if child["pid"] not in executed:
            raise RuntimeError(f"valgrind did not say what process {child['pid']} executed: {done.stderr[-2000:]}")
        kept = found.setdefault(child["case"], {})
        one = (executed[child["pid"]], child["units"])
        kept[child["amount"]] = min(one, kept.get(child["amount"], one))
    return {name: per_unit(amounts) for name, amounts in found.items()}


def per_unit(amounts: Mapping[int, tuple[int, int]]) -> float:
    """Return instructions per unit of the larger amount less the smaller; each is instructions and units."""
    (low, fewer), (high, more) = (amounts[key] for key in sorted(amounts))
    return (high - low) / (more - fewer)


def _children(names: Sequence[str]) -> None:
    """Do each amount in a child, and print its process, case, amount and units as JSON."""
    sys.path.insert(0, str(HERE.parent))
    from benches.cases import CASES
    from supernode.marks import AssumedValueWarning

    warnings.simplefilter("ignore", AssumedValueWarning)
    chosen = {name: (case.work, case.counted) for name, case in CASES.items() if case.counted}
    chosen = {name: each for name, each in chosen.items() if not names or name in names}
    for work, amounts in chosen.values():
        work(min(amounts))  # warms up, in the parent, for all
    for name, (work, amounts) in chosen.items():
        for amount in amounts * REPEAT:
            pid = os.fork()
            if pid == 0:
                row = {"pid": os.getpid(), "case": name, "amount": amount, "units": work(amount)}
                os.write(1, (json.dumps(row) + "\n").encode())
                os._exit(0)
            if os.waitpid(pid, 0)[1]:
                raise RuntimeError(f"the child that did {amount} of {name} failed")


def compared(found: Mapping[str, float], kept: Mapping[str, float], within: float = WITHIN) -> tuple[list[str], bool]:
    """Compare counts with those of the baseline.

    Returns
    -------
    lines
        One per case.
    worse
        Whether a count is above its baseline by more than ``within``, or has none.
    """
    lines, worse = [], False
    for name, value in found.items():
        if name not in kept:
            lines.append(f"{name:<12} {value:12,.1f}  not in the baseline: make bench-baseline")
            worse = True
            continue
        ratio = value / kept[name]
        mark = "WORSE" if ratio > 1 + within else "better: make bench-baseline" if ratio < 1 - within else "ok"
        worse |= ratio > 1 + within
        lines.append(f"{name:<12} {value:12,.1f} of {kept[name]:12,.1f} in the baseline  {ratio:6.3f}  {mark}")
    return lines, worse


def main() -> int:
    """Count, compare, print."""
    if not available():
        sys.stdout.write(f"skipped: {MISSING}\n")
        return 0
    kept = json.loads(BASELINE.read_text(encoding="utf-8"))
    found = count()
    suspects = [name for name in found if compared({name: found[name]}, kept["instructions"])[1]]
    if suspects:  # a disturbance only adds, so the least of two counts is nearer
        again = count(suspects)
        found |= {name: min(found[name], again[name]) for name in suspects}
    lines, worse = compared(found, kept["instructions"])
    sys.stdout.write("instructions per unit\n" + "\n".join(lines) + "\n")
    if worse:
        made = kept["machine"]
        sys.stdout.write(
            f"A count is more than {WITHIN:.0%} above the baseline, which was made with Rust {made['rust']} and "
            f"valgrind {made['valgrind']}. If the change is meant to cost that, renew it: make bench-baseline\n"
        )
    return int(worse)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--children"]:
        _children(sys.argv[2:])
        sys.exit(0)
    sys.exit(main())
