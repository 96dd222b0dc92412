"""Refit constants on the measurements of docs/validation, and predict every system by constants found without it.

``python docs/calibrate.py`` writes ``docs/validation/left_out.csv``, which docs/validation.py reads, and prints what
was found; it takes some minutes. It changes no stack of the package. ``-o stack.toml`` writes the stack as it would be.
``--curve a,b`` takes some curves only; with it, ``--auto`` or ``--fidelity`` no left_out.csv is written.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tomllib
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl

from supernode.calibration.outcome import hashes
from supernode.calibration.procedure import fit_rows
from supernode.calibration.rows import Row, read_setups
from supernode.marks import AssumedValueWarning

FOLDER = Path(__file__).resolve().parent / "validation"
LEFT_OUT = FOLDER / "left_out.csv"
#: Half a unit of the last digit of a time, where a source prints times.
ROUNDING = 5e-4


def stamp() -> str:
    """Return what the table of left-out systems depends on: measurements, setups, constants and the stack."""
    raw = b"".join((FOLDER / name).read_bytes() for name in ("measured.csv", "rows.toml", "constants.toml"))
    raw += (resources.files("supernode") / "stacks" / "nccl.toml").read_bytes()
    return hashlib.sha256(raw).hexdigest()


def rounding(printed: str | None) -> float:
    """Return half a unit of the last printed digit, over the value."""
    if not printed or not printed.startswith("busbw "):
        return ROUNDING
    text = printed.removeprefix("busbw ")
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) / float(text)


def measured(names: Sequence[str] = ()) -> list[Row]:
    """Return the rows of curves that no stack was fitted on, or of those that are named."""
    curves: dict[str, Any] = {c["name"]: c for c in tomllib.loads((FOLDER / "rows.toml").read_text())["curve"]}
    setups = {setup.name: setup for setup in read_setups(FOLDER / "rows.toml")}
    for name in names:
        if name not in setups:
            sys.exit(f"error: there is no curve {name!r}; see docs/validation/rows.toml")
    points = pl.read_csv(FOLDER / "measured.csv", schema_overrides={"printed": pl.String})
    return [
        Row(
            setups[p["curve"]],
            curves[p["curve"]]["collective"],
            p["ranks"],
            p["bytes"],
            p["time_us"] * 1e3,
            rounding(p["printed"]),
        )
        for p in points.iter_rows(named=True)
        if (p["curve"] in names if names else not setups[p["curve"]].fitted)
    ]


def main() -> None:
    """Refit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, help="write the stack as it would be")
    parser.add_argument("--curve", default="", help="these only, with commas")
    parser.add_argument("--auto", action="store_true", help="let calibrate choose the constants")
    parser.add_argument("--fidelity", default="auto", help="of the runs [auto]; analytic takes a quarter of the time")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", AssumedValueWarning)
    names = [name for name in asked.curve.split(",") if name]
    listed = tomllib.loads((FOLDER / "constants.toml").read_text())["constants"]
    found = fit_rows(
        measured(names),
        sources=hashes([FOLDER / "measured.csv", FOLDER / "rows.toml"]),
        constants=None if asked.auto else listed,
        fidelity=asked.fidelity,
        leave_out=True,
        tell=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201
    )
    print(found)  # noqa: T201
    for one in found.left_out:
        moved = ", ".join(f"{c.name} {c.constant.text(one.values[c.name])}" for c in found.found)
        print(f"without {one.system}: {moved}; alone: {', '.join(one.alone) or 'nothing'}")  # noqa: T201
    if asked.output is not None:
        found.save(asked.output)
    if names or asked.auto or asked.fidelity != "auto":
        return
    table = pl.DataFrame(found.predictions).rename({"system": "curve", "size_bytes": "bytes"})
    table = table.select("curve", "ranks", "bytes", "error_before", "error_after", "error_left_out", "error_given")
    text = table.with_columns(pl.col("^error_.*$").round_sig_figs(5)).write_csv()
    LEFT_OUT.write_text(f"# {stamp()}\n{text}")


if __name__ == "__main__":
    main()
