"""The main job: all-reduce and all-to-all on CloudMatrix 384 and NVL72, across message sizes.

Run by ``make demo`` as ``python -m supernode.cli.demo``. Prints the tables, and writes tables, nccl-tests JSON and
pictures. Where published measurements exist, measured times stand beside the predicted ones: of one NVL72, and of
boards of eight H100 and of eight A100, which are run at a few sizes for that. ``published/`` has them with their
sources, as ``docs/validation`` has them; ``docs/validation.md`` says what is known of each, and which numbers were read
off them.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from supernode.cli.terminal import print_warnings, use_plain_warnings
from supernode.files.data import packaged_text
from supernode.measured import read_measurements
from supernode.plot import busbw_chart, comparison_chart, save_chart
from supernode.result.benchmark import Bench
from supernode.result.curve import bench
from supernode.result.regimes import comparison_text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLLECTIVES", "SYSTEMS", "main"]

SYSTEMS = ("cloudmatrix384", "nvl72")
COLLECTIVES = ("all_reduce", "all_to_all")
#: Boards of published measurements, and the sizes that are run of them: a few seconds.
BOARDS = ("hgx-h100", "hgx-a100")
BOARD_SIZES = "1K:1G:x16"


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
    for done, system in [*zip(benches, SYSTEMS, strict=False), *((_board(name), name) for name in BOARDS)]:
        _beside_measured(done, system, given.output)


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


def _board(system: str) -> Bench:
    """Run a board as the published one ran: its algorithm, and the devices of each thread."""
    with resources.as_file(resources.files("supernode.cli") / "published" / f"{system}.csv") as path:
        row = read_measurements(path).slice(0, 1).to_pylist()[0]
    launch = row["devices_per_thread"]
    return bench("all_reduce", system, sizes=BOARD_SIZES, algorithms=row["algorithm"], devices_per_thread=launch)


def _beside_measured(done: Bench, system: str, output: Path) -> None:
    """Print and draw what was measured beside what is predicted, where something was at the sizes that were run."""
    found = _published(done, system)
    if found is None:
        return
    what, table = found
    sys.stdout.write(f"# {what}\n{comparison_text(table)}\n\n")
    sys.stdout.flush()
    for path in save_chart(comparison_chart(table, what), output / f"measured-{system}"):
        sys.stderr.write(f"wrote {path}\n")


def _published(done: Bench, system: str) -> tuple[str, pa.Table] | None:
    """Return what was measured on a system and the comparison with it, with the publication as its source."""
    file = resources.files("supernode.cli") / "published" / f"{system}.csv"
    if not file.is_file():
        return None
    import pyarrow as pa

    with resources.as_file(file) as path:
        sizes = set(read_measurements(path)["size_bytes"].to_pylist())
        if sizes.isdisjoint(row["size_bytes"] for row in done.rows):
            return None
        table = done.compare(path)
    what, source = (line.removeprefix("# ") for line in packaged_text("cli/published", file.name).splitlines()[:2])
    at = table.column_names.index("source")
    return what, table.set_column(at, table.schema.field(at), pa.array([source] * table.num_rows))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
