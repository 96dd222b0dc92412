"""The result of one run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode import core
from supernode.errors import NotRecordedError
from supernode.files import check_folder, check_format, write_bytes, write_table
from supernode.names import canonical
from supernode.noeffect import merge
from supernode.options import RECORDS
from supernode.plan import Plan

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from supernode.explanation import Explanation

__all__ = ["Result"]


class Result:
    """What one simulation found.

    Times are in nanoseconds, bandwidths in GB/s (10^9 bytes a second), as the names say. Tables are
    ``pyarrow.Table``; those of ``record=[...]`` exist only if they were asked for.
    """

    def __init__(self, run: core.Run, plan: Plan, wall_s: float, self_check: dict[str, Any] | None = None) -> None:
        self._run = run
        self._plan = plan
        self._meta: dict[str, Any] = msgspec.json.decode(run.meta_json)
        self._tables: dict[str, pa.Table] = {}
        #: Seconds of wall-clock time that the run took.
        self.wall_s = wall_s
        #: What ``self_check=True`` compared: ``ranks``, ``levels``, ``size_bytes`` and ``packet_hops`` of the small
        #: case, whether it was ``folded`` and ``skipped``, and the tables ``compared``, which were equal. ``None`` if
        #: it was not asked for or had no effect.
        self.self_check = self_check

    @property
    def time_fs(self) -> int:
        """Simulated time of the collective, in femtoseconds."""
        return self._run.time_fs

    @property
    def time_ns(self) -> float:
        """Simulated time of the collective, in nanoseconds."""
        return self._run.time_fs / 1e6

    @property
    def size_bytes(self) -> int:
        """Size as in nccl-tests' size column, rounded as nccl-tests does."""
        return int(self._row["size_bytes"])

    @property
    def collective(self) -> str:
        """Canonical name of the collective."""
        return self._plan.spec.collective

    @property
    def system(self) -> str:
        """Name of the system, with its number of units and overrides."""
        return self._plan.system.label

    @property
    def n_ranks(self) -> int:
        """Number of ranks that took part."""
        return self._plan.ranks

    @property
    def algbw_gbytes_s(self) -> float:
        """Algorithm bandwidth, size over time, in GB/s."""
        return float(self._row["algbw_gbytes_s"])

    @property
    def busbw_gbytes_s(self) -> float:
        """Bus bandwidth as nccl-tests defines it, in GB/s."""
        return float(self._row["busbw_gbytes_s"])

    @property
    def algorithm(self) -> str:
        """Algorithm that ran."""
        return str(self._meta["algorithm"])

    @property
    def protocol(self) -> str:
        """Protocol of the stack that ran."""
        return str(self._meta["protocol"])

    @property
    def fidelity(self) -> str:
        """Fidelity that ran: packet, flow or analytic."""
        return str(self._meta["fidelity"])

    @property
    def bound(self) -> float:
        """Time below which no schedule can finish on this fabric, in nanoseconds."""
        return int(self._meta["bound_fs"]) / 1e6

    @property
    def bound_kind(self) -> str:
        """What the bound comes from: ``injection``, ``bisection`` (any cut), ``latency`` or ``memory``."""
        return str(self._meta["bound_kind"])

    @property
    def efficiency(self) -> float:
        """Bound over time: 1 is the best possible."""
        return int(self._meta["bound_fs"]) / self._run.time_fs if self._run.time_fs else 1.0

    @property
    def bottleneck(self) -> str:
        """What the time is spent on."""
        return str(self._meta["bottleneck"])

    @property
    def folding(self) -> dict[str, Any]:
        """What was folded.

        ``applied``, ``order`` (how many ranks each simulated one stands for), ``classes`` (ranks that were simulated),
        ``digits`` of the rank that are shifted (stride and size of each) and the ``reason`` why nothing, or not more,
        was folded.
        """
        folding: dict[str, Any] = self._meta["folding"]
        return folding

    @property
    def effective(self) -> dict[str, Any]:
        """The configuration that ran, every default filled in, in base units."""
        effective: dict[str, Any] = self._meta["effective"]
        return effective

    @property
    def overrides(self) -> Mapping[str, Any]:
        """Parameters of the preset that were replaced."""
        return self._plan.system.overrides

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return self._plan.spec.seed

    @property
    def skipping(self) -> dict[str, Any]:
        """What was jumped over because the state repeated: a fact about the run, on which no table depends.

        ``jumps``, ``periods`` jumped over, simulated ``time_ns`` and ``packet_hops`` in them, and ``reason``: why there
        was no jump, or ``None``.
        """
        found = dict(self._meta["skipping"])
        return {"jumps": found["jumps"], "periods": found["periods"], "time_ns": found["time_fs"] / 1e6,
                "packet_hops": found["packet_hops"], "reason": found["reason"]}  # fmt: skip

    @property
    def versions(self) -> dict[str, str]:
        """Versions of supernode and of what it was built with."""
        return core.versions()

    @cached_property
    def warnings(self) -> list[str]:
        """Assumed values, decisions of builders, and options that had no effect."""
        return merge(self._plan.warnings, list(self._meta["warnings"]))

    @property
    def meta(self) -> dict[str, Any]:
        """Everything but the tables, as plain data."""
        return {
            **self._meta,
            "time_fs": self.time_fs,
            "warnings": self.warnings,
            "overrides": dict(self.overrides),
            "seed": self.seed,
            "versions": self.versions,
            "wall_s": self.wall_s,
            "self_check": self.self_check,
        }

    @property
    def summary(self) -> pa.Table:
        """One row: the collective, its size, time, bandwidths, bound and bottleneck."""
        return self.table("summary")

    @property
    def ranks(self) -> pa.Table:
        """One row a rank, or a class of ranks if the run was folded."""
        return self.table("ranks")

    @property
    def levels(self) -> pa.Table:
        """One row a network, level and direction: sums over the links in use there, of the whole machine."""
        return self.table("levels")

    @property
    def links(self) -> pa.Table:
        """One row a directed link, or a class of links if the run was folded."""
        return self.table("links")

    @property
    def switches(self) -> pa.Table:
        """One row a switch, or a class of switches if the run was folded."""
        return self.table("switches")

    @property
    def flows(self) -> pa.Table:
        """One row a message, or a class of messages if the run was folded."""
        return self.table("flows")

    def tables(self) -> list[str]:
        """List the names of the tables that exist."""
        return list(self._run.tables())

    def expand(self, name: str) -> pa.Table:
        """Return a table with one row for each rank, link, switch or message, whether the run was folded or not.

        The rows are those of the run in full, bit for bit. Made anew at each call: a million ranks have some ten
        million links, and 10^12 messages in an all-to-all.

        Parameters
        ----------
        name
            Any of ``"ranks"``, ``"links"``, ``"switches"``, ``"flows"``; ``"levels"`` are sums, and stay as they are.

        Raises
        ------
        NotRecordedError
            If the run did not record it.
        MemoryLimitError
            If it would take more than the run's ``memory_limit``, or else 80 % of the memory that is free now.
        """
        found = self._check(name)
        return self._labelled(self._run.table(found, expand=True))

    def table(self, name: str) -> pa.Table:
        """Return a table.

        Raises
        ------
        NotRecordedError
            If the run did not record it.
        MemoryLimitError
            If it would take more than the run's ``memory_limit``, or else 80 % of the memory that is free now.
        """
        found = self._check(name)
        if found not in self._tables:
            self._tables[found] = self._labelled(self._run.table(found))
        return self._tables[found]

    def _labelled(self, table: pa.Table) -> pa.Table:
        """Return the table with the system and what was overridden of it, which stay with it in files."""
        own = {"system": self.system, "overrides": msgspec.json.encode(dict(self.overrides)).decode()}
        return table.replace_schema_metadata({**(table.schema.metadata or {}), **own})

    def _check(self, name: str) -> str:
        """Return the full name of a table that exists."""
        found = canonical("table", name, ("summary", *RECORDS))
        if found not in self.tables():
            why = "analytic fidelity has no such table" if self.fidelity == "analytic" else "it was not recorded"
            raise NotRecordedError(
                f"table {found!r} is not there: {why}; run again with record=[{found!r}]"
                + (" and fidelity='packet' or 'flow'" if self.fidelity == "analytic" else "")
            )
        return found

    def to_polars(self, name: str = "summary") -> pl.DataFrame:
        """Return a table as a Polars frame, without copying."""
        import polars as pl

        return pl.DataFrame(self.table(name))

    def save(self, folder: str | Path, format: str = "parquet") -> list[Path]:
        """Write every table and ``meta.json``.

        Each file appears whole or not at all, and ``meta.json`` last, so a folder with one is complete.

        Parameters
        ----------
        folder
            Made if it does not exist.
        format
            ``"parquet"`` or ``"arrow"`` (IPC).

        Returns
        -------
        list of Path
            The files.
        """
        check_format(format)
        target = Path(folder)
        check_folder(target)
        paths = []
        for name in self.tables():
            paths.append(target / f"{name}.{format}")
            write_table(paths[-1], self.table(name))
        paths.append(target / "meta.json")
        write_bytes(paths[-1], msgspec.json.format(msgspec.json.encode(self.meta), indent=2) + b"\n")
        return paths

    def explain(self) -> Explanation:
        """Compare every algorithm and protocol for this run."""
        from supernode.explanation import explain_plan

        return explain_plan(self._plan)

    @cached_property
    def _row(self) -> dict[str, Any]:
        row: dict[str, Any] = self.summary.to_pylist()[0]
        return row

    @property
    def row(self) -> dict[str, Any]:
        """The one row of the summary, by column."""
        return dict(self._row)

    def __repr__(self) -> str:
        return (
            f"Result({self.collective} of {self.size_bytes} B on {self.system}: {self.time_ns:.3f} ns, "
            f"busbw {self.busbw_gbytes_s:.3f} GB/s, {self.algorithm}/{self.protocol}, {self.fidelity}, "
            f"bound {self.bound:.3f} ns, bottleneck {self.bottleneck})"
        )

    def _repr_html_(self) -> str:
        from supernode.notebook import result_html

        return result_html(self)
