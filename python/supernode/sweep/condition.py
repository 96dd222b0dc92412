"""The condition ``where``: an SQL expression over the parameters of one point.

**Invariant.** Whether a point is kept follows from its own parameters, not from the points beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.sweep.columns import as_array

__all__ = ["Condition", "check_expression"]

#: What looks at more than one row, as Polars names it in an expression.
_ACROSS = frozenset({"Agg", "Len", "Over", "Window", "Rank"})


class Condition:
    """An SQL expression that is true or false for each point.

    Parameters
    ----------
    text
        The expression.
    types
        Arrow type of each parameter.

    Raises
    ------
    SpecError
        If it is no expression over these parameters, or not true or false.
    """

    def __init__(self, text: object, types: Mapping[str, str]) -> None:
        if not isinstance(text, str):
            raise SpecError(f"where: {quote(text)} is not valid; it must be an SQL expression over {', '.join(types)}")
        check_expression(text, "where")
        self.text = text
        self._types = types
        self.keep([])

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Return for each row of parameters in base units whether the expression is true; null is not."""
        import polars as pl
        import pyarrow as pa

        columns = [as_array([row.get(name) for row in rows], kind) for name, kind in self._types.items()]
        frame = pl.DataFrame(pa.Table.from_arrays(columns, list(self._types)))
        try:
            expression = pl.sql_expr(self.text)
            if _ACROSS & _words(json.loads(expression.meta.serialize(format="json"))):
                raise SpecError(f"where: {quote(self.text)} is not valid; it must look at one point at a time")
            if frame.select(expression).dtypes != [pl.Boolean]:
                raise SpecError(f"where: {quote(self.text)} is not valid; it must be true or false")
            # of each row alone
            kept = frame.with_row_index(_ROW).filter(expression.over(_ROW)).get_column(_ROW)
        except pl.exceptions.PolarsError as error:
            raise SpecError(f"where: {quote(self.text)} is not valid: {error}") from None
        except RecursionError:
            raise SpecError(f"where: {quote(self.text)} is not valid: it has too many parts") from None
        found = [False] * len(rows)
        for place in kept:
            found[place] = True
        return found


def check_expression(text: str, what: str) -> None:
    """Refuse a text that Polars' parser of SQL cannot take, or would take minutes for: its time grows with the square.

    Raises
    ------
    SpecError
        Naming what is too long or no text.
    """
    if len(text) > _LONGEST:
        raise SpecError(
            f"{what}: {quote(text)} is not valid; it has {len(text)} characters, at most {_LONGEST} are read"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SpecError(f"{what}: {quote(text)} is not valid; it has characters that are no text") from None


#: Characters of an expression.
_LONGEST = 10_000
_ROW = "number of the point"


def _words(tree: Any) -> set[str]:
    """Return the names of what an expression consists of."""
    found: set[str] = set()
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            found.update(node)
            # what the user wrote is no word of Polars
            left.extend(value for word, value in node.items() if word not in ("Literal", "Column"))
        elif isinstance(node, list):
            left.extend(node)
        elif node == "Len":
            found.add(node)
    return found
