"""Job files: one run as TOML, of one collective, of workloads, or of an explicit schedule.

The keys are the keywords of ``simulate``, with ``system``, ``collective`` and ``size``. ``system`` is a name, or a
table with ``preset`` and overrides of its parameters::

    system = { preset = "nvl72:4", link_latency = "300 ns" }
    collective = "all_reduce"
    size = "1 GiB"
    record = ["links"]

A file with a table ``[[job]]``, or several, is of workloads. It has no ``collective`` and ``size``: each job has
``axes`` and a list of operations, whose keys are the keywords of the builder's methods::

    system = "nvl72"

    [[job]]
    axes = { dp = 9, tp = 8 }

    [[job.operation]]
    repeat = 4

    [[job.operation.operation]]
    kind = "all_reduce"
    axes = "tp"
    size = "1 MiB"

A file with ``schedule`` is of an explicit schedule: the path of its file, from the folder of the job file::

    system = "nvl72"
    schedule = "ring.goal"
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supernode.errors import SpecError
from supernode.explicit import ExplicitSchedule, load_schedule
from supernode.files.data import load_raw
from supernode.files.text import as_path
from supernode.names import unknown
from supernode.quoting import quote
from supernode.run.explicit import IDLE as NO_SCHEDULE
from supernode.run.options import RunOptions
from supernode.run.program import IDLE
from supernode.system import System
from supernode.units import Quantity
from supernode.workload import Workload
from supernode.workload.file import check_count, read_jobs

__all__ = ["load_job", "load_workloads"]

_REQUIRED = ("system", "collective")


def load_job(
    path: Path, overrides: Mapping[str, Quantity | bool] | None = None
) -> tuple[System, str | list[Workload] | ExplicitSchedule, dict[str, Any]]:
    """Read a job file or a workload file.

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
    what
        Name of the collective, the workloads, or the explicit schedule.
    options
        Keywords for ``simulate``, with ``size``.

    Raises
    ------
    SupernodeError
        Naming the key that is unknown, missing or of the wrong type.
    """
    raw = _read(path)
    for key in ("system",) if "job" in raw or "schedule" in raw else _REQUIRED:
        if key not in raw:
            raise SpecError(f"job {path.name}: {key} is missing")
    system = _system(raw.pop("system"), path.name, overrides or {})
    if "job" in raw:
        return system, read_jobs(raw.pop("job"), path.name), raw
    if "schedule" in raw:
        name = raw.pop("schedule")
        if not isinstance(name, str):
            raise SpecError(f"job {path.name}: schedule must be the path of a file, not {quote(name)}")
        size = raw.pop("size", None)
        return system, load_schedule(path.parent / name, size=size), raw
    collective = raw.pop("collective")
    if not isinstance(collective, str):
        raise SpecError(f"job {path.name}: collective must be a name, not {quote(collective)}")
    return system, collective, raw


def load_workloads(path: str | Path) -> list[Workload]:
    """Read the jobs of a workload file (TOML).

    A file can have several jobs, so this is a function that returns a list, which :func:`supernode.simulate` takes as
    it is, and no method that would have to choose one of them. The system and the options of a run that the file may
    have are checked for their names only: ``supernode run`` uses them, and :func:`supernode.simulate` has keywords of
    its own for them.

    Parameters
    ----------
    path
        The file: what :meth:`Workload.to_toml` returned, or written by hand.

    Returns
    -------
    list of Workload
        In the order of the file.

    Raises
    ------
    SupernodeError
        Naming the file, the job, the operation and the key.
    """
    place = as_path(path, "workload file")
    raw = _read(place)
    if "job" not in raw:
        raise SpecError(f"{place.name}: job is missing; a workload file has a table [[job]] or several")
    return read_jobs(raw["job"], place.name)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a file whose keys are known."""
    raw = load_raw(path, "job file", check_count)
    options = sorted(RunOptions.__annotations__)
    if "schedule" in raw:
        valid = ["system", "schedule", "size", *(key for key in options if key not in NO_SCHEDULE)]
        what = f"job {path.name}"
    elif "job" in raw:
        what, valid = f"workload {path.name}", ["system", "job", *(key for key in options if key not in IDLE)]
    else:
        what, valid = f"job {path.name}", [*_REQUIRED, "size", *options]
    for key in raw:
        if key not in valid:
            if "job" in raw and key in (*IDLE, "size", "collective"):
                raise SpecError(f"{what}: {key} has no effect beside [[job]]; jobs and their operations have their own")
            raise unknown(f"key of {what}", key, valid)
    return raw


def _system(value: object, where: str, changes: Mapping[str, Quantity | bool]) -> System:
    if isinstance(value, str):
        return System.preset(value, **changes)
    if isinstance(value, dict) and isinstance(value.get("preset"), str):
        overrides = {k: v for k, v in value.items() if k != "preset"}
        return System.preset(value["preset"], **(overrides | dict(changes)))
    raise SpecError(f"job {where}: system must be a name, or a table with 'preset' and overrides, not {quote(value)}")
