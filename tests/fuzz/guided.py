"""Coverage-guided fuzzing of every parser: ``python -m fuzz.guided --minutes 15`` (``make fuzz-corpus``).

Atheris (libFuzzer for Python) changes inputs of the stored corpus and keeps what reaches a branch of this package that nothing
reached before. Each parser has a process of its own. What raises anything but an error of this package is a finding, once
per place, and so is an input that takes longer than ten seconds or more than 2 GiB; its file is named. Afterwards the corpus is
made small: the fewest inputs that reach every edge that any of them reaches.

**Limits.** Branches of Rust and of other libraries are not seen. Findings depend on time and seed; what is found belongs into a test.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

#: Larger inputs show nothing that smaller ones do not, and fill the repository.
MOST_BYTES = 8192


def child(name: str, program: str, words: list[str]) -> None:
    """Fuzz one parser in this process, which libFuzzer ends."""
    import atheris

    if "-merge=1" in words and "-merge_inner=1" not in words:
        # the outer process of a merge only starts others
        atheris.Setup([program, *words], lambda data: None)
        atheris.Fuzz()
    with atheris.instrument_imports(include=["supernode"]):
        from fuzz.parsers import outcome
    seen: set[str] = set()

    def one(data: bytes) -> None:
        try:
            outcome(name, data)
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if "supernode" in f.filename]
            place = (
                f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
                if frames
                else repr(error)
            )
            if place not in seen:
                seen.add(place)
                kept = Path(f"finding-{hashlib.sha256(data).hexdigest()[:12]}")
                kept.write_bytes(data)
                print(f"FOUND {name}: {place}: {str(error)[:200]!r}, input {kept.resolve()}", flush=True)

    outcome(name, b"")  # what is made once is none of a case
    atheris.Setup([program, *words], one)
    atheris.Fuzz()


def run(name: str, words: list[str], place: Path) -> str:
    """Run a process for a parser; return what it said."""
    # libFuzzer starts itself again, by the name of its program
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "fuzz"
        command = shlex.join([sys.executable, "-P", "-W", "ignore", "-m", "fuzz.guided", "--program", str(program)])
        program.write_text(f'#!/bin/sh\nexec {command} --child {name} -- "$@"\n')
        program.chmod(0o755)
        done = subprocess.run(
            [program, *words], cwd=place, capture_output=True, text=True, errors="replace", check=False
        )
    return done.stdout + done.stderr


def fuzz(name: str, seconds: float, findings: Path) -> int:
    """Extend and shrink the corpus of a parser; return the number of findings."""
    from fuzz.mutation import TOKENS
    from fuzz.parsers import CORPUS, PARSERS

    stored = CORPUS / name
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        grown, small, words = (Path(folder) / part for part in ("grown", "small", "words"))
        for path in (grown, small):
            path.mkdir()
        for data in [*PARSERS[name].seeds(), *(p.read_bytes() for p in sorted(stored.glob("*")))]:
            (grown / _name(data)).write_bytes(data)
        dictionary = sorted({t for t in TOKENS if 1 < len(t) < 60 and t.isascii() and t.isprintable()})
        words.write_text("".join('"' + t.replace("\\", "\\\\").replace('"', '\\"') + '"\n' for t in dictionary))
        limits = [f"-max_len={MOST_BYTES}", "-timeout=10", "-rss_limit_mb=2048"]
        said = run(name, [str(grown), f"-max_total_time={seconds:.0f}", f"-dict={words}", *limits], findings)
        # counters tell how often an edge was taken; one input per edge is enough
        merged = run(name, ["-merge=1", "-use_counters=0", str(small), str(grown), *limits], findings)
        if "MERGE-OUTER: successful" not in merged:
            raise RuntimeError(f"{name}: the corpus could not be made small:\n{merged[-3000:]}")
        if not any(small.iterdir()):  # a parser of which nothing is Python
            small = grown
        shutil.rmtree(stored, ignore_errors=True)
        stored.mkdir(parents=True)
        for path in small.iterdir():
            data = path.read_bytes()
            (stored / _name(data)).write_bytes(data)
    lines = [
        line
        for line in said.splitlines()
        if line.startswith("FOUND") or "ERROR: libFuzzer" in line or "Traceback" in line
    ]
    print("\n".join(lines), flush=True) if lines else None
    tail = [line for line in said.splitlines() if line.startswith("#") and "DONE" in line]
    kept = sorted(stored.iterdir())
    print(
        f"{name:<16} {len(kept):>4} inputs, {sum(p.stat().st_size for p in kept):>7} bytes  {' '.join(tail)}",
        flush=True,
    )
    return len(lines)


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.guided", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=15.0, help="for all parsers together")
    parser.add_argument("--only", help="one parser instead of all")
    parser.add_argument("--findings", type=Path, default=Path("out/fuzz"), help="where inputs of findings are kept")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.program, given.words)
        return 0
    from fuzz.parsers import PARSERS

    names = [given.only] if given.only else list(PARSERS)
    start = time.monotonic()
    found = sum(fuzz(name, 60 * given.minutes / len(names), given.findings.absolute()) for name in names)
    print(f"{time.monotonic() - start:.0f} s, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
