"""The main job: all-reduce and all-to-all on CloudMatrix 384 and NVL72, across message sizes.

Run by ``make demo`` as ``python -m supernode.cli.demo``. Prints the tables, and writes tables, nccl-tests
JSON and one picture.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from supernode.cli.terminal import print_warnings, use_plain_warnings
from supernode.plot import busbw_chart, save_chart
from supernode.result.benchmark import Bench
from supernode.result.curve import bench

__all__ = ["COLLECTIVES", "SYSTEMS", "main"]

SYSTEMS = ("cloudmatrix384", "nvl72")
COLLECTIVES = ("all_reduce", "all_to_all")


def main(arguments: list[str] | None = None) -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(prog="supernode.cli.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("out/demo"), help="folder for the files")
    parser.add_argument("--sizes", default="8:8G:x4", help="message sizes (default %(default)s)")
    given = parser.parse_args(arguments)
    use_plain_warnings()
    benches = [_run(c, s, given.sizes, given.output) for c in COLLECTIVES for s in SYSTEMS]
    chart = busbw_chart(benches, "Collectives on CloudMatrix 384 and NVL72")
    for path in save_chart(chart, given.output / "busbw"):
        sys.stderr.write(f"wrote {path}\n")


def _run(collective: str, system: str, sizes: str, output: Path) -> Bench:
    start = time.monotonic()
    done = bench(collective, system, sizes=sizes)
    sys.stdout.write(f"# {collective} on {system}, {done.rows[0]['ranks']} ranks\n{done}\n")
    packets = sum(int(r.meta["packet_hops"]) for r in done.results)
    sys.stdout.write(f"# {time.monotonic() - start:.1f} s, {packets} packet-hops\n\n")
    sys.stdout.flush()
    print_warnings(done.warnings)
    for path in done.save(output / f"{collective}-{system}"):
        sys.stderr.write(f"wrote {path}\n")
    return done


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
