"""From frames of messages or operations to the columns that the core takes.

**Invariant.** A frame that lacks a column, or whose column is of another kind, is an error that names it. What
operations, ranks and sizes mean is checked by the core, which names rank and operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supernode import core
from supernode.errors import SizeOverflowError, SpecError
from supernode.names import unknown
from supernode.quoting import quote
from supernode.values import parse_whole

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Columns", "columns_of_messages", "columns_of_operations", "compile_columns"]

#: Kinds of operation, in the order in which the core counts them.
KINDS = ("send", "receive", "reduce", "compute", "delay")
_MOVING = ("send", "receive", "reduce")
#: Femtoseconds of a nanosecond.
_FS = 10**6


@dataclass(frozen=True)
class Columns:
    """Operations rank by rank, and dependencies.

    Parameters
    ----------
    operations
        ``rank``, ``act`` (its place in :data:`KINDS`), ``peer``, ``amount``, ``tag``, ``stream`` and ``label``.
    waits
        ``after``, ``before`` (rows of ``operations``) and ``on_begin``, sorted by ``after``.
    """

    operations: pl.DataFrame
    waits: pl.DataFrame


def columns_of_operations(frame: object) -> Columns:
    """Return the columns of a frame of operations."""
    import polars as pl

    table = _frame(frame, "operations", ("rank", "kind"))
    count = table.height
    table = table.with_row_index("row")
    texts = {"kind": "", "label": ""}
    whole = {"rank": 0, "peer": -1, "bytes": 0, "tag": 0, "stream": 0}
    known = {"row", "operation", "duration_ns", "after", "after_start", *texts, *whole}
    for name in table.columns:
        if name not in known:
            raise unknown("column", name, sorted(known - {"row", "operation"}))
    columns = [pl.col("row")]
    columns += [_whole(table, name, default) for name, default in whole.items()]
    columns += [_text(table, name, default) for name, default in texts.items()]
    columns += [_femtoseconds(table, "duration_ns")]
    columns += [_lists(table, name) for name in ("after", "after_start")]
    table = table.select(columns).sort("rank", maintain_order=True)
    wrong = table.filter(~pl.col("kind").is_in(KINDS))
    if wrong.height:
        raise unknown(f"kind of row {wrong['row'][0]}", wrong["kind"][0], KINDS)
    moves = pl.col("kind").is_in(_MOVING)
    table = table.drop("row").with_row_index("row").with_columns(
        (pl.col("row") - pl.col("row").min().over("rank")).alias("number")
    )  # fmt: skip
    first = pl.col("row") - pl.col("number")
    waits = []
    for name, on_begin in (("after", False), ("after_start", True)):
        lists = table.select(pl.col("row"), first.alias("first"), pl.col("rank"), pl.col(name).alias("before"))
        each = lists.explode("before").drop_nulls("before")
        sizes = table.group_by("rank").agg(pl.len().alias("count"))
        each = each.join(sizes, on="rank", how="left")
        bad = each.filter((pl.col("before") < 0) | (pl.col("before") >= pl.col("count")))
        if bad.height:
            row = bad.row(0, named=True)
            raise SpecError(
                f"rank {row['rank']}, operation {row['row'] - row['first']}: {name} has {row['before']}, and the rank "
                f"has operations 0 to {row['count'] - 1}"
            )
        waits.append(
            each.select(
                pl.col("row").cast(pl.UInt32).alias("after"),
                (pl.col("before") + pl.col("first")).cast(pl.UInt32).alias("before"),
                pl.lit(on_begin).alias("on_begin"),
            )
        )
    operations = table.select(
        "rank",
        pl.col("kind").replace_strict(list(KINDS), list(range(len(KINDS))), return_dtype=pl.UInt8).alias("act"),
        pl.when(moves).then("peer").otherwise(0).alias("peer"),
        pl.when(moves).then("bytes").otherwise("duration_ns").alias("amount"),
        "tag",
        "stream",
        "label",
    )
    _check_range(operations, count)
    return Columns(operations, pl.concat(waits).sort("after", maintain_order=True))


def columns_of_messages(frame: object) -> Columns:
    """Return the columns of a frame of messages: on each rank, sends and receives stand in the order of messages."""
    import polars as pl

    table = _frame(frame, "messages", ("source", "destination", "bytes")).with_row_index("message")
    whole = {"source": 0, "destination": 0, "bytes": 0, "tag": 0}
    known = {"message", "delay_ns", "after", *whole}
    for name in table.columns:
        if name not in known:
            raise unknown("column", name, sorted(known - {"message"}))
    table = table.select(
        "message", *(_whole(table, name, default) for name, default in whole.items()),
        _femtoseconds(table, "delay_ns"), _lists(table, "after"),
    )  # fmt: skip
    # the receives of a message come at its place, so that ranks post them in order
    parts = [
        table.filter(pl.col("delay_ns") > 0).select("message", pl.lit(0).alias("part"), rank="source"),
        table.select("message", pl.lit(1).alias("part"), rank="source"),
        table.select("message", pl.lit(2).alias("part"), rank="destination"),
    ]
    ends = pl.concat(parts).sort("rank", "message", "part").with_row_index("row")
    ends = ends.join(table, on="message", how="left", maintain_order="left")
    act = pl.col("part").replace_strict([0, 1, 2], [4, 0, 1], return_dtype=pl.UInt8)
    operations = ends.select(
        "rank",
        act.alias("act"),
        pl.when(pl.col("part") == 0).then(0).when(pl.col("part") == 1).then("destination").otherwise("source")
        .alias("peer"),
        pl.when(pl.col("part") == 0).then("delay_ns").otherwise("bytes").alias("amount"),
        "tag",
        pl.lit(0).alias("stream"),
        pl.lit("").alias("label"),
    )  # fmt: skip
    _check_range(operations, table.height)
    rows = ends.select("message", "part", "row")
    first = rows.filter(pl.col("part") < 2).group_by("message").agg(pl.col("row").min())
    send, receive = (rows.filter(pl.col("part") == part).select("message", "row") for part in (1, 2))
    each = table.select("message", "source", pl.col("after").alias("other")).explode("other").drop_nulls("other")
    bad = each.filter((pl.col("other") < 0) | (pl.col("other") >= table.height))
    if bad.height:
        raise SpecError(
            f"message {bad['message'][0]}: after has {bad['other'][0]}, and there are messages 0 to {table.height - 1}"
        )
    others = table.select(pl.col("message").alias("other"), from_="source", to="destination")
    each = each.with_columns(pl.col("other").cast(pl.UInt32)).join(others, on="other", how="left")
    stray = each.filter((pl.col("to") != pl.col("source")) & (pl.col("from_") != pl.col("source")))
    if stray.height:
        row = stray.row(0, named=True)
        raise SpecError(
            f"message {row['message']}: it is sent by rank {row['source']} and waits for message {row['other']}, from "
            f"rank {row['from_']} to rank {row['to']}; it can wait only for what its own rank sends or receives"
        )
    at = each.join(first, on="message").join(send.rename({"message": "other", "row": "sent"}), on="other")
    at = at.join(receive.rename({"message": "other", "row": "received"}), on="other")
    before = pl.when(pl.col("to") == pl.col("source")).then("received").otherwise("sent")
    waits = at.select(pl.col("row").alias("after"), before.alias("before"))
    delays = rows.filter(pl.col("part") == 0).join(send.rename({"row": "sent"}), on="message")
    waits = pl.concat([waits, delays.select(pl.col("sent").alias("after"), pl.col("row").alias("before"))])
    waits = waits.with_columns(on_begin=pl.lit(value=False)).sort("after", "before")
    return Columns(operations, waits)


def compile_columns(columns: Columns, ranks: int | None) -> core.Schedule:
    """Return the schedule of these columns.

    Raises
    ------
    SpecError
        Naming rank and operation.
    """
    import numpy as np
    import polars as pl

    table, waits = columns.operations, columns.waits
    if ranks is None:
        if not table.height:
            raise SpecError("ranks: there is no operation; say how many ranks there are")
        peers = table.filter(pl.col("act") < len(_MOVING)).select(pl.col("peer").max()).item()
        ranks = max(int(table["rank"].max()), -1 if peers is None else int(peers)) + 1  # type: ignore[arg-type]
    labels = [] if (table["label"] == "").all() else table["label"].to_list()
    return core.Schedule.of_columns(
        parse_whole(ranks, "ranks", low=1, high=2**32 - 1),
        table["rank"].cast(pl.UInt32).to_numpy(),
        table["act"].to_numpy(),
        table["peer"].cast(pl.UInt32).to_numpy(),
        table["amount"].cast(pl.UInt64).to_numpy(),
        table["tag"].cast(pl.UInt32).to_numpy(),
        table["stream"].cast(pl.UInt16).to_numpy(),
        labels,
        waits["after"].cast(pl.UInt32).to_numpy(),
        waits["before"].cast(pl.UInt32).to_numpy(),
        waits["on_begin"].to_numpy().astype(np.bool_),
    )


def _frame(value: object, what: str, needed: tuple[str, ...]) -> pl.DataFrame:
    """Return a frame that has these columns."""
    import polars as pl

    if not isinstance(value, pl.DataFrame):
        raise SpecError(f"{what}: {quote(value)} is not valid; it must be a Polars frame")
    for name in needed:
        if name not in value.columns:
            raise SpecError(f"{what}: column {name} is missing")
    return value


def _given(table: pl.DataFrame, name: str, default: Any) -> pl.Expr:
    import polars as pl

    return pl.col(name).fill_null(default) if name in table.columns else pl.lit(default).alias(name)


def _whole(table: pl.DataFrame, name: str, default: int) -> pl.Expr:
    """Return a column of whole numbers."""
    import polars as pl

    if name in table.columns and not table.schema[name].is_integer():
        raise SpecError(f"column {name}: {table.schema[name]} is not valid; it must be of whole numbers")
    if name in table.columns and table.schema[name] == pl.UInt64:
        large = table[name].filter(table[name] >= 2**63)
        if large.len():
            raise SizeOverflowError(f"column {name}: {int(large[0])} is too large; at most {2**63 - 1}")
    return _given(table, name, default).cast(pl.Int64)


def _text(table: pl.DataFrame, name: str, default: str) -> pl.Expr:
    """Return a column of text."""
    import polars as pl

    if name in table.columns and table.schema[name] not in (pl.String, pl.Categorical):
        raise SpecError(f"column {name}: {table.schema[name]} is not valid; it must be text")
    return _given(table, name, default).cast(pl.String)


def _femtoseconds(table: pl.DataFrame, name: str) -> pl.Expr:
    """Return a column of nanoseconds in whole femtoseconds."""
    import polars as pl

    if name not in table.columns:
        return pl.lit(0, dtype=pl.Int64).alias(name)
    if not table.schema[name].is_numeric():
        raise SpecError(f"column {name}: {table.schema[name]} is not valid; it must be of numbers")
    times = table[name].cast(pl.Float64).fill_null(0.0)
    bad = times.filter(~(times.is_finite() & (times >= 0) & (times < 2**43)))
    if bad.len():
        raise SpecError(f"column {name}: {bad[0]} is not valid; it must be nanoseconds from 0 to an hour")
    return (pl.col(name).cast(pl.Float64).fill_null(0.0) * _FS).round().cast(pl.Int64).alias(name)


def _lists(table: pl.DataFrame, name: str) -> pl.Expr:
    """Return a column of lists of whole numbers."""
    import polars as pl

    if name not in table.columns:
        return pl.lit(None, dtype=pl.List(pl.Int64)).alias(name)
    kind = table.schema[name]
    inner = getattr(kind, "inner", None)
    if inner is None or not (inner.is_integer() or inner == pl.Null):
        raise SpecError(f"column {name}: {kind} is not valid; it must be of lists of whole numbers")
    return pl.col(name).cast(pl.List(pl.Int64))


def _check_range(operations: pl.DataFrame, count: int) -> None:
    """Refuse numbers that the core cannot take."""
    limits = {"rank": 2**32 - 1, "peer": 2**32 - 1, "amount": 2**63 - 1, "tag": 2**32 - 1, "stream": 2**16 - 1}
    for name, most in limits.items():
        column = operations[name]
        if not count or column.len() == 0:
            continue
        low, high = int(column.min()), int(column.max())  # type: ignore[arg-type]
        if low < 0 or high > most:
            what = {"amount": "bytes"}.get(name, name)
            raise SpecError(f"{what}: {low if low < 0 else high} is not valid; from 0 to {most}")
