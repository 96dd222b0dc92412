"""Measured times, each with the run that predicts it.

**Model.** A setup says what a curve was measured on: system and overrides, collective, algorithm, how calls were
launched. Setups come from a file of ``[[curve]]`` tables, as docs/validation/rows.toml is, or from the caller, for
all rows at once. **Invariant.** Launch mode, forced algorithm and fabric are never guessed: what a setup does not say
is the default of a bench. **Limits.** Rows of one system are one setup even where they were measured years apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from supernode.errors import SpecError
from supernode.files.data import convert, load_raw
from supernode.files.text import as_path
from supernode.library.collectives import parse_name
from supernode.measured import read_measurements
from supernode.quoting import quote
from supernode.system import System
from supernode.units import Quantity
from supernode.values import parse_whole

__all__ = ["Row", "Setup", "read_setups", "rows_of"]

#: What a time may be off by where nobody says how it was rounded.
_ROUNDING = 5e-4


class _Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[curve]]`` of a file of setups."""

    name: str
    system: str
    measured: str | list[str] = ""
    set: dict[str, Quantity | bool] = {}
    collective: str | None = None
    ranks: int | None = None
    algorithm: str = "auto"
    protocol: str | None = None
    devices_per_thread: int | None = None
    graph: bool = False
    host: str = ""
    transport: str = ""
    fitted: bool = False
    title: str = ""
    source: str = ""
    guess: str = ""


class _Curves(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of setups."""

    curve: list[_Curve]


@dataclass(frozen=True)
class Setup:
    """What a curve was measured on, and how a run predicts it.

    Parameters
    ----------
    name
        Name of the system that was measured: what is left out together.
    system
        Preset, with or without a number of units, or the path of a system file.
    set
        Overrides of its parameters. They are published or known: they are not fitted.
    algorithm, protocol
        As in a bench.
    devices_per_thread, graph
        How calls were launched; ``None``: nobody says, so no host is simulated.
    host, transport
        What names the processor and the NICs: rows with the same name share a constant.
    fitted
        Whether the stack was fitted on these rows before.
    measured
        Files of measurements.
    collective, ranks
        Of files that do not say them.
    """

    name: str
    system: str
    set: Mapping[str, Quantity | bool]
    algorithm: str = "auto"
    protocol: str | None = None
    devices_per_thread: int | None = None
    graph: bool = False
    host: str = ""
    transport: str = ""
    fitted: bool = False
    measured: tuple[Path, ...] = ()
    collective: str | None = None
    ranks: int | None = None

    def machine(self, ranks: int) -> System:
        """Return the system with as many units as the ranks need.

        Raises
        ------
        SupernodeError
            If there is no such system.
        """
        base, colon, count = self.system.rpartition(":")
        if colon and count.isdecimal():
            found = System.preset(self.system, **self.set)
            if ranks <= found.accelerators:
                return found
        else:
            base = self.system
        unit = System.preset(base, **self.set)
        boards = -(-ranks // unit.accelerators)
        return unit if boards == 1 else System.preset(f"{base}:{boards}", **self.set)


@dataclass(frozen=True)
class Row:
    """One measured time.

    Parameters
    ----------
    setup
        What it was measured on.
    collective, ranks, size
        The operation.
    time_ns
        Time per call.
    rounding
        Half a unit of the last printed digit, over the value: predictions that are closer have no error.
    """

    setup: Setup
    collective: str
    ranks: int
    size: int
    time_ns: float
    rounding: float = _ROUNDING

    @property
    def label(self) -> str:
        """The row in words."""
        return f"{self.setup.name}, {self.collective} of {self.size} B on {self.ranks} ranks"


def read_setups(path: str | PathLike[str]) -> list[Setup]:
    """Read a file of setups.

    Parameters
    ----------
    path
        TOML with a table ``[[curve]]`` for each system that was measured. Paths in it start at its folder.

    Raises
    ------
    SpecError
        Naming the file, the curve and the key.
    """
    place = as_path(path, "file of setups")
    file = convert(load_raw(place, "file of setups"), _Curves, place.name)
    if not file.curve:
        raise SpecError(f"{place.name}: it has no [[curve]]")
    names = [curve.name for curve in file.curve]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{place.name}: curve {quote(name)} is there {names.count(name)} times")
    found = []
    for curve in file.curve:
        where = f"{place.name}, curve {quote(curve.name)}"
        for word in ("devices_per_thread", "ranks"):
            if (value := getattr(curve, word)) is not None:
                parse_whole(value, f"{where}, {word}", low=1, high=2**32 - 1)
        files = [curve.measured] if isinstance(curve.measured, str) else curve.measured
        found.append(
            Setup(
                name=curve.name,
                system=curve.system,
                set=curve.set,
                algorithm=curve.algorithm,
                protocol=curve.protocol,
                devices_per_thread=curve.devices_per_thread,
                graph=curve.graph,
                host=curve.host,
                transport=curve.transport,
                fitted=curve.fitted,
                measured=tuple(place.parent / file for file in files if file),
                collective=None if curve.collective is None else parse_name(curve.collective),
                ranks=curve.ranks,
            )
        )
    return found


def rows_of(setups: Iterable[Setup]) -> list[Row]:
    """Read the measurements of setups; what a file says of launches counts where the setup says nothing.

    Raises
    ------
    SpecError
        If a file cannot be read, or a setup has none.
    """
    rows: list[Row] = []
    for setup in setups:
        if not setup.measured:
            raise SpecError(f"curve {quote(setup.name)}: measured is missing; it must be the path of a file, or a list")
        table = read_measurements(setup.measured, collective=setup.collective, ranks=setup.ranks)
        for point in table.to_pylist():
            rows.append(_row(setup, point))  # noqa: PERF401 - a comprehension would hide what a row is
    return rows


def _row(setup: Setup, point: Mapping[str, Any]) -> Row:
    own = setup
    if setup.devices_per_thread is None and point["devices_per_thread"] is not None:
        own = replace(own, devices_per_thread=point["devices_per_thread"], graph=bool(point["graph"]))
    if setup.algorithm == "auto" and point["algorithm"] is not None:
        own = replace(own, algorithm=point["algorithm"])
    if setup.protocol is None and point["protocol"] is not None:
        own = replace(own, protocol=point["protocol"])
    rounding = _ROUNDING if point["rounding"] is None else point["rounding"]
    return Row(own, point["collective"], point["ranks"], point["size_bytes"], point["time_ns"], rounding)
