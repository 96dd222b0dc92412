"""Compare all recorded cases with what they give now, or record new ones."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import nullcontext
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import polars as pl

from golden.draw import draw
from golden.outcome import TABLES, outcome

FILE = Path(__file__).parent / "cases.parquet"
_TYPES = {
    **dict.fromkeys(("system", "collective", "options", "kind"), pl.String),
    **dict.fromkeys(("error", "time_fs", "facts", *TABLES), pl.Int64),
}


def run(case: dict[str, Any]) -> dict[str, Any]:
    """Return a case with its outcome."""
    options = json.loads(case["options"])
    found = outcome(case["system"], case["collective"], options, expand=case["system"].startswith("sn."))
    same = {name: case[name] for name in ("system", "collective", "options")}
    return dict.fromkeys(_TYPES) | same | found


def differences(cases: list[dict[str, Any]], processes: int) -> list[str]:
    """Return a line for every case that differs, with the columns that do and the Python that repeats it."""
    found = []
    with Pool(processes) if processes > 1 else nullcontext() as pool:
        results = map(run, cases) if pool is None else pool.imap(run, cases, 10)
        for number, (old, new) in enumerate(zip(cases, results, strict=True)):
            if columns := [name for name in _TYPES if old[name] != new[name]]:
                system = old["system"] if old["system"].startswith("sn.") else repr(old["system"])
                call = f"sn.simulate({system}, {old['collective']!r}, **{json.loads(old['options'])})"
                found.append(f"case {number}: {', '.join(columns)}: {call}")
    return found


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="draw and record instead of comparing")
    parser.add_argument("--cases", type=int, default=3000, help="random cases to record")
    parser.add_argument("--seed", type=int, default=1, help="of the cases to record")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    start = time.monotonic()
    if options.write:
        drawn = [
            {"system": system, "collective": collective, "options": json.dumps(keywords)}
            for system, collective, keywords in draw(options.cases, options.seed)
        ]
        with Pool(options.processes) as pool:
            rows = pool.map(run, drawn, 10)
        frame = pl.DataFrame(rows, schema=_TYPES)
        frame.write_parquet(FILE, compression="zstd", compression_level=19)
        print(frame.group_by("kind").len().sort("len"), f"{len(rows)} cases in {time.monotonic() - start:.0f} s")
        return
    cases = pl.read_parquet(FILE).to_dicts()
    found = differences(cases, options.processes)
    print(*found[:20], sep="\n", end="\n" if found else "")
    print(f"{len(cases)} cases, {len(found)} differ, in {time.monotonic() - start:.0f} s")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
