"""How closely every preset is looked at by default, and how good its choices are.

``make matrix`` runs it: every preset at full size with all-reduce of 1 GiB, all-gather of 1 GiB and all-to-all of
1 MiB per pair, written between the markers of ``docs/performance.md``; then, for smaller cases, ``best``, and ``auto``
where no library chooses, against every candidate by packets. It ends with an error if a choice is more than a tenth
slower than the best of its candidates, or if more cases are analytic than when this was last measured.
``python benches/matrix.py fidelity`` or ``choice`` does one half; names of presets restrict it.

Cost: the budget of each run, 30 s of a nominal core at most, and 2 s per candidate of a choice, of which ``best`` has
up to 68. Fidelities take a quarter of an hour, choices minutes for a board and hours for all presets.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import supernode as sn
from supernode.errors import SupernodeError
from supernode.marks import AssumedValueWarning

MIB, GIB = 1 << 20, 1 << 30
#: Analytic cases at most, of three per preset. The aim is 20; these are too many ranks for packets and for flows.
MOST_ANALYTIC = 27
#: A choice may be slower than the best of its candidates by this factor.
WITHIN = 1.10
#: What each candidate of a choice may cost; those that need more are not compared.
TRIAL = "2 s"
#: Numbers of lanes that ``best`` tries.
LANES = (None, 1, 2, 4, 8)
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"


def cases(ranks: int) -> Iterator[tuple[str, int]]:
    """Yield collective and size of the three cases."""
    yield "all_reduce", GIB
    yield "all_gather", GIB
    yield "all_to_all", MIB * ranks


def fidelity_rows(names: Sequence[str]) -> list[dict[str, Any]]:
    """Run the three cases of each preset as a user would, at full size."""
    rows = []
    for name in names:
        ranks = sn.System.preset(name).accelerators
        for collective, size in cases(ranks):
            start = time.perf_counter()
            row: dict[str, Any] = {"system": name, "ranks": ranks, "collective": collective}
            try:
                result = sn.simulate(name, collective, size=size, progress=False)
            except SupernodeError as error:
                row |= {"fidelity": "error", "algorithm": "", "chosen_by": "", "time_ns": None, "reason": str(error)}
            else:
                why = [w.split("because ", 1)[1] for w in result.warnings if w.startswith("fidelity: ")]
                row |= {
                    "fidelity": result.fidelity,
                    "algorithm": result.algorithm,
                    "chosen_by": result.chosen_by,
                    "time_ns": result.time_ns,
                    "reason": why[0] if why else "",
                }
            row["wall_s"] = time.perf_counter() - start
            rows.append(row)
            print(
                f"{name:<26} {collective:<10} {row['fidelity']:<8} {row['algorithm']:<20} {row['chosen_by']:<12}"
                f" {row['wall_s']:6.1f} s  {row['reason']}",
                flush=True,
            )
    return rows


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table as Markdown: a line per preset, then the reasons."""
    head = "| system | accelerators | all-reduce 1 GiB | all-gather 1 GiB | all-to-all 1 MiB per pair |"
    lines = [head, "|---|---:|---|---|---|"]
    for i in range(0, len(rows), 3):
        three = rows[i : i + 3]
        texts = [f"{r['fidelity']}, {r['algorithm']}" for r in three]
        lines.append(f"| `{three[0]['system']}` | {three[0]['ranks']:,} | {' | '.join(texts)} |")
    counts = {f: sum(r["fidelity"] == f for r in rows) for f in ("packet", "flow", "analytic")}
    text = ", ".join(f"{count} {fidelity}" for fidelity, count in counts.items())
    lines += ["", f"Of {len(rows)} cases: {text}. Why a case is not by packets:", ""]
    lines += ["| case | reason |", "|---|---|"]
    lines += [f"| `{r['system']}` {r['collective']} | {r['reason']} |" for r in rows if r["fidelity"] != "packet"]
    return "\n".join(lines)


def write(rows: Sequence[dict[str, Any]]) -> None:
    """Replace what is between the markers of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{page(rows)}\n{END}{after}", encoding="utf-8")


def candidates(
    system: sn.System | str, collective: str, size: int, lanes: Sequence[int | None], budget: str, **options: Any
) -> list[tuple[str, str, int | None, float]]:
    """Times by packets of every algorithm, protocol and number of lanes that fits the budget."""
    rows = sn.explain(system, collective, size=size, fidelity="analytic", **options).rows
    found = []
    for row in rows:
        for count in lanes if row["valid"] else ():
            given = {"algorithm": row["algorithm"], "protocol": row["protocol"], "lanes": count} | options
            try:
                run = sn.simulate(system, collective, size=size, budget=budget, progress=False, **given)
            except SupernodeError:
                continue
            if run.fidelity == "packet":
                found.append((row["algorithm"], row["protocol"], count, run.time_ns))
    return found


def own(system: sn.System | str, collective: str, size: int, **options: Any) -> set[str]:
    """Names of the algorithms that the library has."""
    rows = [r for r in sn.explain(system, collective, size=size, fidelity="analytic", **options).rows if r["valid"]]
    names = {r["algorithm"] for r in rows if "auto passes over it" not in r["reason"]}
    return names or {r["algorithm"] for r in rows}


def worst_choice(
    system: sn.System | str, collective: str, size: int, pick: str, budget: str, **options: Any
) -> tuple[float, str]:
    """Return how much slower a choice is than the best of its candidates, and which is the best."""
    chosen = sn.simulate(system, collective, size=size, algorithm=pick, progress=False, **options)
    if chosen.chosen_by == "library":
        return 1.0, f"{chosen.algorithm}, as the library takes it"
    tried = candidates(system, collective, size, LANES if pick == "best" else (None,), budget, **options)
    allowed = own(system, collective, size, **options)
    tried = [t for t in tried if pick == "best" or t[0] in allowed]
    if not tried or chosen.fidelity != "packet":
        return 1.0, f"not compared ({len(tried)} candidates, {chosen.fidelity})"
    best = min(tried, key=lambda t: t[3])
    name = f"{best[0]} {best[1]}" + ("" if best[2] is None else f" x{best[2]}")
    return chosen.time_ns / best[3], f"{chosen.algorithm} by {chosen.chosen_by}; best {name}, of {len(tried)}"


def choice_rows(names: Sequence[str]) -> list[dict[str, Any]]:
    """Compare ``auto`` and ``best`` with all candidates by packets."""
    rows = []
    for name in names:
        for collective in ("all_reduce", "all_gather", "all_to_all"):
            for size in (64 << 10, 16 * MIB, GIB):
                for pick in ("auto", "best"):
                    try:
                        ratio, text = worst_choice(name, collective, size, pick, TRIAL)
                    except SupernodeError as error:
                        ratio, text = 1.0, f"error: {error}"
                    mark = "WORSE" if ratio > WITHIN else "ok"
                    print(f"{name:<26} {collective:<10} {size:>10} {pick:<4} {ratio:6.3f} {mark:<5} {text}", flush=True)
                    rows.append({"system": name, "ratio": ratio})
    return rows


def main(arguments: Sequence[str]) -> int:
    """Run both halves, or one."""
    warnings.simplefilter("ignore", AssumedValueWarning)
    halves = [a for a in arguments if a in ("fidelity", "choice")] or ["fidelity", "choice"]
    names = [a for a in arguments if a not in ("fidelity", "choice")]
    presets = names or sn.systems()
    failed = 0
    if "fidelity" in halves:
        rows = fidelity_rows(presets)
        analytic = sum(row["fidelity"] == "analytic" for row in rows)
        print(f"{analytic} of {len(rows)} cases are analytic")
        failed += analytic > MOST_ANALYTIC
        if not names:
            write(rows)
    if "choice" in halves:
        worse = sum(row["ratio"] > WITHIN for row in choice_rows(presets))
        print(f"{worse} choices are more than {WITHIN:.2f} times as slow as the best candidate")
        failed += worse > 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
