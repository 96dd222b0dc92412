"""Jobs from the tables of a workload file, through the builder, so that its checks and messages are those of Python.

An entry of a list ``operation`` is an operation, with ``kind`` and the keywords of the builder's method of that name;
or it holds such a list itself. Either may have ``on`` (for some ranks only) and ``repeat``, the former outside.

**Invariant.** An error names file, job and operation: ``w.toml: job 'train', operation 1.2: ...`` is the second entry
inside the first one.

**Limits.** At most :data:`MOST` operations in a file; the core's time grows with their square. Nesting is bounded by
the builder.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any

from supernode.errors import SizeOverflowError, SpecError
from supernode.files.text import naming
from supernode.library.collectives import BY_NAME
from supernode.names import unknown
from supernode.quoting import quote
from supernode.workload.builder import Workload
from supernode.workload.mesh import DeviceMesh
from supernode.workload.operations import Operation

__all__ = ["MOST", "check_count", "read_jobs"]

#: Operations of a file.
MOST = 10_000
#: Kinds of operation that are no collectives, each a method of the builder.
_OTHERS = ("send", "receive", "transfer", "pattern", "compute", "delay")
_JOB = ("name", "axes", "start", "placement", "operation")
_AROUND = ("on", "repeat")
_KIND = re.compile(r"\bkind[ \t\"']*=")


def check_count(text: str) -> None:
    """Refuse a text of more operations than a file may have, before a parser of TOML takes minutes over it.

    Raises
    ------
    SizeOverflowError
        If there are more than :data:`MOST`.
    """
    # counting a word takes a fraction of the time
    if text.count("kind") > MOST and sum(1 for _ in _KIND.finditer(text)) > MOST:
        raise SizeOverflowError(f"it has more than {MOST} operations; use loops (repeat = n), or several files")


def read_jobs(value: object, where: str) -> list[Workload]:
    """Return the jobs of a workload file.

    Parameters
    ----------
    value
        The value of the key ``job``.
    where
        Name of the file.

    Raises
    ------
    SupernodeError
        Naming file, job, operation and key.
    """
    if not isinstance(value, list) or not value:
        raise SpecError(f"{where}: job must be a list of tables, each begun by [[job]], not {quote(value)}")
    jobs: list[Workload] = []
    for i, table in enumerate(value, 1):
        name = table.get("name") if isinstance(table, dict) else None
        place = f"{where}: job {i if name is None else quote(name)}"
        with naming(place):
            job = _job(table)
            if job.name in {other.name for other in jobs}:
                raise SpecError(f"name: {quote(job.name)} is taken; give each job a name of its own, as name = 'other'")
        left = MOST - sum(len(other.operations) for other in jobs)
        for count, _ in enumerate(_add(job, table["operation"], place, ""), 1):
            if count > left:
                raise SizeOverflowError(f"{where}: it has more than {MOST} operations")
        with naming(place):
            job.body()  # finds sends without a receive
        job.says_names = True
        jobs.append(job)
    return jobs


def _job(table: object) -> Workload:
    """Return a job without operations."""
    if not isinstance(table, dict):
        raise SpecError(f"{quote(table)} is not valid; it must be a table")
    _check_keys(table, _JOB, ("axes", "operation"))
    if not isinstance(table["axes"], dict):
        raise SpecError(f"axes: {quote(table['axes'])} is not valid; it must be a table, as {{ dp = 9, tp = 8 }}")
    with naming("axes"):
        mesh = DeviceMesh(**table["axes"])
    job = Workload(mesh, **{key: table[key] for key in ("name", "start", "placement") if key in table})
    job.says_names = False  # its place in the file is named
    return job


def _add(job: Workload, entries: object, where: str, above: str) -> Iterator[None]:
    """Add the entries of a list, one after the other."""
    if not isinstance(entries, list) or not entries:
        inside = f", operation {above.rstrip('.')}" if above else ""
        raise SpecError(f"{where}{inside}: operation: {quote(entries)} is not valid; it must be a list of tables")
    for i, entry in enumerate(entries, 1):
        number = f"{above}{i}"
        name = entry.get("name") if isinstance(entry, dict) else None
        with ExitStack() as around:
            with naming(f"{where}, operation {number}{'' if name is None else f' {quote(name)}'}"):
                single = _checked(entry)
                if "on" in entry:
                    around.enter_context(job.on(**_table(entry["on"])))
                if "repeat" in entry:
                    around.enter_context(job.repeat(entry["repeat"]))
                if single:
                    _call(job, entry)
            if single:
                yield
            else:
                yield from _add(job, entry["operation"], where, f"{number}.")


def _checked(entry: object) -> bool:
    """Check the keys of an entry; return whether it is an operation, not a list of such."""
    if not isinstance(entry, dict):
        raise SpecError(f"{quote(entry)} is not valid; it must be a table")
    if "kind" not in entry:
        if "operation" not in entry:
            raise SpecError("kind is missing; or operation, a list of what is repeated or for some ranks only")
        _check_keys(entry, (*_AROUND, "operation"), ())
        if not any(key in entry for key in _AROUND):
            raise SpecError("repeat or on is missing beside a list of operations")
        return False
    kinds = [*BY_NAME, *_OTHERS]
    if entry["kind"] not in kinds:
        raise unknown("kind", entry["kind"], kinds)
    valid = _keywords("collective" if entry["kind"] in BY_NAME else entry["kind"])
    _check_keys(entry, ("kind", *_AROUND, *valid), [key for key, needed in valid.items() if needed])
    return True


@cache
def _keywords(method: str) -> Mapping[str, bool]:
    """Return the keywords of a method of the builder, and whether each is needed."""
    parameters = list(inspect.signature(getattr(Workload, method)).parameters.values())[1:]
    return {p.name: p.default is p.empty for p in parameters if p.name != "collective"}


def _check_keys(table: Mapping[str, Any], valid: tuple[str, ...], needed: list[str] | tuple[str, ...]) -> None:
    for key in table:
        if key not in valid:
            raise unknown("key", key, valid)
    for key in needed:
        if key not in table:
            raise SpecError(f"{key} is missing")


def _call(job: Workload, entry: Mapping[str, Any]) -> None:
    """Add an operation."""
    kind = entry["kind"]
    options = {key: value for key, value in entry.items() if key not in ("kind", *_AROUND)}
    if "after" in options:
        options["after"] = _after(options["after"])
    if kind in BY_NAME:
        job.collective(kind, **options)
    else:
        getattr(job, kind)(**options)


def _after(value: object) -> list[Operation]:
    return [_operation(each) for each in (value if isinstance(value, list) else [value])]


def _operation(value: object) -> Operation:
    """Return what is waited for: a name, or a table of a name and how many iterations ago."""
    if isinstance(value, str):
        return Operation(value)
    if not isinstance(value, dict):
        raise SpecError(
            f"after: {quote(value)} is not valid; it must be the name of an operation, or a table as "
            "{ name = 'sum', previous = 1 }"
        )
    with naming("after"):
        _check_keys(value, ("name", "previous"), ("name",))
        found = Operation(value["name"])
        return found.previous(value["previous"]) if "previous" in value else found


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise SpecError(f"on: {quote(value)} is not valid; it must be a table, as {{ pp = 0 }}")
    return value
