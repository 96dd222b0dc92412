"""The command line of the fuzzers: ``PYTHONPATH=tests python -m fuzz --cases 1000``."""

from __future__ import annotations

import argparse
import sys
import time

from fuzz.pool import FUZZERS, Report, one, run_all


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="cases of each fuzzer")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="run this one alone, in this process")
    parser.add_argument("--only", choices=list(FUZZERS), help="one fuzzer instead of all")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    fuzzers = [given.only] if given.only else list(FUZZERS)
    start = time.monotonic()
    if given.case is not None:
        report = Report()
        for fuzzer in fuzzers:
            report.add(fuzzer, given.case, *one(fuzzer, given.case))
        found = report.close()
    else:
        found = run_all(fuzzers, given.first, given.cases, given.processes)
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
