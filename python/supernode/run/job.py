"""Job files: one run as TOML.

The keys are the keywords of ``simulate``, with ``system``, ``collective`` and ``size``. ``system`` is a name, or a
table with ``preset`` and overrides of its parameters::

    system = { preset = "nvl72:4", link_latency = "300 ns" }
    collective = "all_reduce"
    size = "1 GiB"
    record = ["links"]
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supernode.errors import SpecError
from supernode.files.data import load_raw
from supernode.names import unknown
from supernode.quoting import quote
from supernode.run.options import RunOptions
from supernode.system import System
from supernode.units import Quantity

__all__ = ["load_job"]

_REQUIRED = ("system", "collective")


def load_job(path: Path, overrides: Mapping[str, Quantity | bool] | None = None) -> tuple[System, str, dict[str, Any]]:
    """Read a job file.

    Parameters
    ----------
    path
        The file.
    overrides
        New values of parameters of its system, before those of the file.

    Returns
    -------
    system
        The machine, overrides applied.
    collective
        Name of the collective.
    options
        Keywords for ``simulate``, with ``size``.

    Raises
    ------
    SpecError
        Naming the key that is unknown, missing or of the wrong type.
    """
    raw = load_raw(path, "job file")
    valid = [*_REQUIRED, "size", *sorted(RunOptions.__annotations__)]
    for key in raw:
        if key not in valid:
            raise unknown(f"key of job {path.name}", key, valid)
    for key in _REQUIRED:
        if key not in raw:
            raise SpecError(f"job {path.name}: {key} is missing")
    system, collective = raw.pop("system"), raw.pop("collective")
    if not isinstance(collective, str):
        raise SpecError(f"job {path.name}: collective must be a name, not {quote(collective)}")
    return _system(system, path.name, overrides or {}), collective, raw


def _system(value: object, where: str, changes: Mapping[str, Quantity | bool]) -> System:
    if isinstance(value, str):
        return System.preset(value, **changes)
    if isinstance(value, dict) and isinstance(value.get("preset"), str):
        overrides = {k: v for k, v in value.items() if k != "preset"}
        return System.preset(value["preset"], **(overrides | dict(changes)))
    raise SpecError(f"job {where}: system must be a name, or a table with 'preset' and overrides, not {quote(value)}")
