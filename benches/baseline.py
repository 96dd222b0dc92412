"""The stored baseline: what each case of ``cases.py`` costs, kept in ``baseline.json`` and read in review.

``make bench-baseline`` measures the installed release wheel and writes the file, then the table of
``docs/performance.md``. Each cost is the median of :data:`ROUNDS` processes, with the least and the largest beside
it, and the load of the machine is noted; memory and errors against published plateaus are the same each time.
Instructions are counted if valgrind is on the path, and the old counts are dropped if it is not. Three minutes on an
idle core. ``make test`` checks that file, page and cases agree, not the times.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benches import cases, instructions

ROOT = Path(__file__).resolve().parents[1]
BASELINE = instructions.BASELINE
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- baseline: begin -->", "<!-- baseline: end -->"
#: Processes per case.
ROUNDS = 5


def output(*command: str) -> str:
    """Return the first line that a command prints."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)  # noqa: S603
    return done.stdout.splitlines()[0].strip()


def machine() -> dict[str, Any]:
    """Describe the machine and the tools in general words."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return {
        "cpu": model.group(1).strip() if model else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "rust": output("rustc", "--version").split()[1],
        "valgrind": output("valgrind", "--version").removeprefix("valgrind-") if instructions.available() else None,
    }


def once(name: str, site: Path | None = None) -> float:
    """Measure one name in a process of its own, of the installed package or of the one in a folder.

    Raises
    ------
    RuntimeError
        If the process failed.
    """
    # settings of Python may not move a cost: without compiled bytecode an import takes half as long again
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") or k == "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(site)} if site is not None else {}
    command = [sys.executable, "-P", str(Path(cases.__file__)), name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return float(json.loads(done.stdout))


def measured(
    measure: Callable[[str], float] = once, count: Callable[[], dict[str, float]] = instructions.count
) -> dict[str, Any]:
    """Measure everything that the baseline keeps."""
    load, costs = os.getloadavg()[0], {}
    for name in cases.CASES:
        found = [measure(name) for _ in range(ROUNDS)]
        costs[name] = {
            "median": _short(statistics.median(found)),
            "least": _short(min(found)),
            "largest": _short(max(found)),
        }
        sys.stderr.write(f"{name} {costs[name]}\n")
    return {
        "revision": output("git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"),
        "machine": machine() | {"load": round(load, 1)},
        "costs": costs,
        "memory_bytes": {name: _short(measure(name)) for name in cases.MEMORY},
        "error_percent": {name: round(measure(name), 2) for name in cases.FACTS},
        "instructions": {n: round(v, 1) for n, v in count().items()} if instructions.available() else {},
    }


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def table(kept: dict[str, Any]) -> str:
    """Return the baseline as Markdown."""
    made = kept["machine"]
    cpu = f"{made['cpu']} with {made['cores']} cores, {made['memory_gib']} GiB and a load of {made['load']:g} before"
    lines = [
        f"Revision {kept['revision']}, {cpu}, {made['system']}, Python {made['python']}, Rust {made['rust']}.",
        "",
        "| case | unit of work | processor time, median | least to largest | instructions |",
        "|---|---|---:|---:|---:|",
    ]
    for name, case in cases.CASES.items():
        cost, counted = kept["costs"][name], kept["instructions"].get(name)
        spread = f"{cost['least']:,g} to {cost['largest']:,g}"
        refs = "" if counted is None else f"{counted:,.0f}"
        lines.append(f"| `{name}` | {case.what} | {cost['median']:,g} {case.unit} | {spread} | {refs} |")
    lines += ["", "| memory | bytes per host |", "|---|---:|"]
    lines += [f"| {what} | {kept['memory_bytes'][name]:,.0f} |" for name, (what, _) in cases.MEMORY.items()]
    lines += ["", "| published plateau | GB/s | error of the prediction | source |", "|---|---:|---:|---|"]
    for name, fact in cases.FACTS.items():
        error = kept["error_percent"][name]
        lines.append(f"| {fact['what']} | {fact['busbw_gbytes_s']:g} | {error:+.1f} % | {fact['source']} |")
    return "\n".join(lines)


def page(text: str, kept: dict[str, Any]) -> str:
    """Replace what is between the markers of a page."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(kept)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Measure and write, or only renew the page from the file with ``--page``."""
    if arguments not in ([], ["--page"]):
        sys.stderr.write(f"error: unknown arguments {arguments}; baseline.py takes --page or nothing\n")
        return 2
    if not arguments:
        BASELINE.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
    kept = json.loads(BASELINE.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), kept), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
