"""Design search over a sweep: what machines consist of beside how fast they are, and the points that none beats.

**Invariant.** A point is on the front if no other point is at least as good in every objective and better in one.
Points without a value of an objective are left out, and a warning counts them. **Cost.** O(points x front).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.sweep.condition import check_expression
from supernode.system import System
from supernode.system.inventory import inventory

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

__all__ = ["INVENTORY", "expression", "facts", "front"]

#: Columns of :func:`facts`, with their types.
INVENTORY = {
    "accelerators": int, "switches": int, "links": int, "optics": int, "power_w": int,
    "bisection_gbytes_s": float, "injection_gbytes_s": float,
}  # fmt: skip


def facts(machine: System) -> dict[str, int | float | None]:
    """Return what a machine consists of.

    ``optics`` counts ends of optical cables as far as media are known, and is ``None`` where the medium of any link is
    unknown; ``power_w`` is ``None`` where nobody published that of a unit.
    """
    found = inventory(machine)
    return {
        "accelerators": found.accelerators,
        "switches": found.switches,
        "links": found.links,
        "optics": None if "unknown" in found.by_medium() else found.optical_ends,
        "power_w": found.power_watts,
        "bisection_gbytes_s": found.bisection_gbytes_s,
        "injection_gbytes_s": found.injection_gbytes_s,
    }


def expression(text: object, names: Iterable[str], what: str) -> pl.Expr:
    """Return an SQL expression over columns.

    Raises
    ------
    SpecError
        If it is none, or names a column that is not there.
    """
    import polars as pl

    known = list(names)
    if not isinstance(text, str):
        raise SpecError(f"{what}: {quote(text)} is not valid; it must be a column, or an SQL expression over columns")
    # a name with dots is a column before it is anything else
    if text in known:
        return pl.col(text)
    check_expression(text, what)
    try:
        found = pl.sql_expr(text)
        missing = [name for name in found.meta.root_names() if name not in known]
    except pl.exceptions.PolarsError as error:
        raise SpecError(f"{what}: {quote(text)} is not valid: {error}") from None
    if missing:
        raise SpecError(f"{what}: there is no column {quote(missing[0])}; there are {', '.join(sorted(known))}")
    return found


def values(frame: pl.DataFrame, text: str, what: str) -> pl.Series:
    """Return the numbers that an expression has for each row.

    Raises
    ------
    SpecError
        If it is not a number for each row.
    """
    import polars as pl

    found = expression(text, frame.columns, what)
    try:
        column = frame.select(found.alias("value")).to_series()
    except pl.exceptions.PolarsError as error:
        raise SpecError(f"{what}: {quote(text)} is not valid: {error}") from None
    if not (column.dtype.is_numeric() or column.dtype == pl.Null) or len(column) != frame.height:
        raise SpecError(f"{what}: {quote(text)} is not a number for each point")
    return column.cast(pl.Float64)


def front(frame: pl.DataFrame, objectives: Sequence[str], maximise: Sequence[str]) -> pl.DataFrame:
    """Return the rows that no other row beats, sorted by the first objective.

    Parameters
    ----------
    frame
        The rows.
    objectives
        Columns or SQL expressions that should be small.
    maximise
        Those that should be large.

    Raises
    ------
    SpecError
        If there is no objective, or one is not a number for each row.
    """
    import numpy as np
    import polars as pl

    if not objectives and not maximise:
        raise SpecError("pareto: give the columns that should be small, as 'time_ns', 'switches'")
    signed = [*((text, 1.0) for text in objectives), *((text, -1.0) for text in maximise)]
    columns = [values(frame, text, "pareto") * sign for text, sign in signed]
    there = np.ones(frame.height, dtype=bool)
    for (text, _), column in zip(signed, columns, strict=True):
        known = column.is_not_null().to_numpy() & ~column.is_nan().fill_null(value=False).to_numpy()
        if lacking := int(frame.height - known.sum()):
            warnings.warn(f"pareto: {lacking} of {frame.height} points have no {text} and are left out", stacklevel=3)
        there &= known
    costs = np.column_stack([column.to_numpy() for column in columns])
    rows = np.flatnonzero(there)
    kept = rows[_unbeaten(costs[rows])]
    order = np.lexsort([costs[kept, i] for i in reversed(range(costs.shape[1]))])
    return frame[kept[order].tolist()] if len(kept) else frame.filter(pl.lit(value=False))


def _unbeaten(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which rows no other row beats."""
    import numpy as np

    found = np.zeros(len(costs), dtype=bool)
    best = np.empty((0, costs.shape[1]))
    # in this order, whoever beats a row comes before it
    for i in np.lexsort(costs.T[::-1]):
        row = costs[i]
        if not bool(((best <= row).all(axis=1) & (best < row).any(axis=1)).any()):
            found[i] = True
            best = np.vstack([best, row])
    return found
