"""Predict every measured point of docs/validation/measured.csv, and write the tables of docs/validation.md.

``python docs/validation.py`` replaces everything below the marker in ``docs/validation.md``, and writes
``docs/validation/predicted.csv`` and ``python/supernode/data/residuals.toml``, from which results take the error that
is expected of them; it takes some minutes. ``--curve NAME`` predicts one curve and writes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tomllib
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from calibrate import LEFT_OUT, stamp

import supernode as sn
from supernode.marks import AssumedValueWarning
from supernode.run.expected import SIZES, machine_label, size_class

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "validation"
PAGE = HERE / "validation.md"
RESIDUALS = HERE.parent / "python" / "supernode" / "data" / "residuals.toml"
MARKER = "<!-- computed -->"


def predict(curve: dict[str, Any], points: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield a row for each measured point of a curve."""
    for (ranks,), part in points.group_by("ranks", maintain_order=True):
        unit = sn.System.preset(curve["system"], **curve.get("set", {}))
        boards = -(-int(ranks) // unit.accelerators)
        machine = unit if boards == 1 else sn.System.preset(f"{curve['system']}:{boards}", **curve.get("set", {}))
        launch = {"devices_per_thread": n} if (n := curve.get("devices_per_thread")) else {}
        sizes = part["bytes"].unique(maintain_order=True).to_list()
        bench = sn.bench(
            *(curve["collective"], machine),
            sizes=sizes,
            algorithms=curve["algorithm"],
            ranks=int(ranks),
            progress=False,
            **launch,
        )
        found = dict(zip(sizes, zip(bench.rows, bench.results, strict=True), strict=True))
        for point in part.iter_rows(named=True):
            row, result = found[point["bytes"]]
            expected = result.expected_error
            assert expected is not None  # noqa: S101 - a run of now has it
            yield {
                **point,
                "predicted_us": row["time_ns"] / 1e3,
                "error": error(point, row),
                "algorithm": row["algorithm"],
                "protocol": row["protocol"],
                "fidelity": row["fidelity"],
                "stack": expected.stack,
                "collective": expected.collective,
                "fabric": expected.fabric,
                "machine": machine_label(machine),
            }


def error(point: dict[str, Any], row: dict[str, Any]) -> float:
    """Return predicted over measured time, less 1; 0 where a bandwidth would print as it was printed."""
    printed = point["printed"] or ""
    if printed.startswith("busbw "):
        text = printed.removeprefix("busbw ")
        digits = len(text.partition(".")[2])
        if round(row["busbw_gbytes_s"], digits) == float(text):
            return 0.0
    return float(row["time_ns"] / 1e3 / point["time_us"] - 1)


def summary(rows: pl.DataFrame, by: str, names: list[str]) -> list[str]:
    """Return a table of errors by a column, in this order of its values."""
    lines = [f"| {by} | points | median error | 90th percentile | median with its sign |", "|---|---|---|---|---|"]
    for name in [*names, "all"]:
        part = rows if name == "all" else rows.filter(pl.col(by) == name)
        if not part.is_empty():
            size = part["error"].abs()
            tail = size.quantile(0.9, "linear")
            lines.append(f"| {name} | {len(part)} | {size.median():.0%} | {tail:.0%} | {part['error'].median():+.0%} |")
    return lines


def one_left_out() -> pl.DataFrame | None:
    """Return the errors that make calibrate found, if it was run on what is there now."""
    if not LEFT_OUT.exists():
        return None
    first, _, table = LEFT_OUT.read_text().partition("\n")
    if first.removeprefix("# ") != stamp():
        sys.stderr.write("docs/validation/left_out.csv is of other measurements or another stack; run make calibrate\n")
        return None
    return pl.read_csv(table.encode())


#: Columns of the table of left-out systems, in words.
COLUMNS = (
    ("error_before", "as shipped"),
    ("error_after", "fitted to all"),
    ("error_left_out", "one system left out"),
    ("error_given", "left out, host and NICs given"),
)


def left_out_text(found: pl.DataFrame | None) -> list[str]:
    """Return the section about constants found without a system."""
    text = ["", "## One system left out", ""]
    if found is None:
        return [*text, "Not known for these measurements and this stack: `make calibrate` finds it."]
    text += [
        "`make calibrate` refits at most eight constants of `nccl`, a launch for each host and what the NICs of each",
        "fabric add, and does it again without each system in turn. What the others do not determine falls back to the",
        "published value or the middle of its range. Median and 90th percentile of the error:",
        "",
        f"| left out | points | {' | '.join(words for _, words in COLUMNS)} |",
        f"|---|---|{'---|' * len(COLUMNS)}",
    ]
    found = found.with_columns(size=pl.col("bytes").map_elements(size_class, return_dtype=pl.String))
    parts = [(name, found.filter(pl.col("curve") == name)) for name in found["curve"].unique(maintain_order=True)]
    parts += [(f"all, {name}", found.filter(pl.col("size") == name)) for _, name in SIZES]
    for name, part in [*parts, ("all", found)]:
        cells = []
        for column, _ in COLUMNS:
            size = part[column].abs()
            cells.append(f"{size.median():.0%}, {size.quantile(0.9, 'linear'):.0%}")
        text.append(f"| {name} | {len(part)} | {' | '.join(cells)} |")
    return [
        *text,
        "",
        "Only constants are left out: the model, algorithms and setups were decided with all systems in view.",
        "Predictions of left-out systems are analytic, scaled to the run at the fit to all",
        "([Calibration](calibration.md#calibration)).",
    ]


def residuals(rows: pl.DataFrame, curves: list[dict[str, Any]], basis: str) -> str:
    """Return the file that results take the error expected of them from."""
    fitted = {curve["name"] for curve in curves if curve.get("fitted")}
    digest = hashlib.sha256((FOLDER / "measured.csv").read_bytes() + (FOLDER / "rows.toml").read_bytes()).hexdigest()
    lines = [
        "# How far predictions were from measurements, by class of runs. Written by docs/validation.py: do not edit.",
        "#",
        "# median, tail: median and 90th percentile of abs(predicted / measured - 1).",
        "# systems: curves of docs/validation.md. machines: the presets that stand for them.",
        "# fitted: constants of the stack were fitted on these measurements.",
        "",
        f'version = "{sn.__version__}"',
        f'measured = "sha256:{digest}"',
        f'basis = "{basis}"',
    ]
    order = [name for _, name in SIZES]
    for keys, part in sorted(
        rows.group_by("stack", "collective", "fabric", "size"), key=lambda g: (*g[0][:3], order.index(g[0][3]))
    ):
        size, names = part["error"].abs(), part["curve"].unique(maintain_order=True).to_list()
        lines += ["", "[[class]]"]
        lines += [f'{k} = "{v}"' for k, v in zip(("stack", "collective", "fabric", "size"), keys, strict=True)]
        lines += [f"systems = {_texts(names)}", f"machines = {_texts(part['machine'].unique(maintain_order=True))}"]
        lines += [
            f"points = {len(part)}",
            f"median = {size.median():.4f}",
            f"tail = {size.quantile(0.9, 'linear'):.4f}",
        ]
        if set(names) <= fitted:
            lines.append("fitted = true")
    return "\n".join([*lines, ""])


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def page(rows: pl.DataFrame, curves: list[dict[str, Any]]) -> str:
    """Return what stands below the marker."""
    judged = rows.filter(pl.col("curve") != "atlas-a3")
    text = ["", "## By curve", "", *summary(rows, "curve", [c["name"] for c in curves])]
    text += left_out_text(one_left_out())
    text += ["", "## By size", "", "Without `atlas-a3`, on which its stack was fitted.", ""]
    text += summary(judged, "size", [name for _, name in SIZES])
    for curve in curves:
        part = rows.filter(pl.col("curve") == curve["name"])
        if part.is_empty():
            continue
        given = ", ".join(f"`{key}={value}`" for key, value in curve.get("set", {}).items())
        setup = f"`{curve['system']}`{' with ' + given if given else ''}, algorithm `{curve['algorithm']}`"
        text += [
            "",
            f"## {curve['title']}",
            "",
            f"{setup}. Decided here: {curve['guess']}.",
            "",
            f"Source: {curve['source']}",
        ]
        text += ["", "| ranks | bytes | measured us | predicted us | error | ran |", "|---|---|---|---|---|---|"]
        text += [
            f"| {r['ranks']} | {r['bytes']:,} | {r['time_us']:,.5g} | {r['predicted_us']:,.5g} | {r['error']:+.0%} | "
            f"{r['algorithm']}, {r['protocol']}, {r['fidelity']} |"
            for r in part.iter_rows(named=True)
        ]
    return "\n".join([*text, ""])


def main() -> None:
    """Predict and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--curve", help="predict this one, print it, and write nothing")
    asked = parser.parse_args().curve
    warnings.simplefilter("ignore", AssumedValueWarning)
    curves = tomllib.loads((FOLDER / "rows.toml").read_text())["curve"]
    measured = pl.read_csv(FOLDER / "measured.csv", schema_overrides={"printed": pl.String})
    if asked is not None:
        curves = [curve for curve in curves if curve["name"] == asked]
        if not curves:
            sys.exit(f"error: there is no curve {asked!r}; see docs/validation/rows.toml")
    rows: list[dict[str, Any]] = []
    for curve in curves:
        sys.stderr.write(f"{curve['name']}\n")
        rows += predict(curve, measured.filter(pl.col("curve") == curve["name"]))
    frame = pl.DataFrame(rows).with_columns(size=pl.col("bytes").map_elements(size_class, return_dtype=pl.String))
    text = page(frame, curves)
    if asked is not None:
        sys.stdout.write(text)
        return
    frame.drop("size").with_columns(pl.col("predicted_us", "error").round_sig_figs(5)).write_csv(
        FOLDER / "predicted.csv"
    )
    left, basis = one_left_out(), "in sample"
    known = frame
    if left is not None:
        # expected errors are those of a system that no constant was found on, as far as it is known
        keys, basis = ["curve", "ranks", "bytes"], "one system left out"
        again = pl.int_range(pl.len()).over(keys).alias("again")  # a point may have been measured twice
        left = left.select(*keys, again, own=pl.col("error_left_out"))
        known = frame.with_columns(again).join(left, on=[*keys, "again"], how="left", maintain_order="left")
        known = known.with_columns(error=pl.coalesce("own", "error"))
    RESIDUALS.write_text(residuals(known, curves, basis))
    head = PAGE.read_text().partition(MARKER)[0]
    PAGE.write_text(head + MARKER + "\n" + text)


if __name__ == "__main__":
    main()
