"""Which share of a sweep a process runs, as given or as the environment of a Slurm array says."""

from __future__ import annotations

import os
import re
from typing import Any

from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.values import parse_whole

__all__ = ["parse_shard"]


def parse_shard(shard: object) -> tuple[int, int]:
    """Return number and count of shards, from the environment of a Slurm array if none is given.

    Raises
    ------
    SpecError
        If it is not a number below the count.
    """
    if shard is None:
        return _of_slurm()
    pair: Any = shard
    if isinstance(shard, str):
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard.strip(), re.ASCII)
        pair = (int(found[1]), int(found[2])) if found else None
    if isinstance(pair, tuple | list) and len(pair) == 2:
        of = parse_whole(pair[1], "shard: the number of shards", low=1, high=10**6)
        return parse_whole(pair[0], "shard", high=of - 1), of
    raise SpecError(f"shard: {quote(shard)} is not valid; it must be 'i/n', with i from 0 to n - 1")


def _of_slurm() -> tuple[int, int]:
    task, count = os.environ.get("SLURM_ARRAY_TASK_ID"), os.environ.get("SLURM_ARRAY_TASK_COUNT")
    if task is None or count is None:
        return 0, 1
    first = os.environ.get("SLURM_ARRAY_TASK_MIN", "0")
    step = os.environ.get("SLURM_ARRAY_TASK_STEP", "1")
    for name, text in {"TASK_ID": task, "TASK_COUNT": count, "TASK_MIN": first, "TASK_STEP": step}.items():
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            raise SpecError(f"SLURM_ARRAY_{name}: {quote(text)} is not valid; give shard='i/n'")
    place, left = divmod(int(task) - int(first), max(1, int(step)))
    if left or not 0 <= place < int(count):
        raise SpecError(f"SLURM_ARRAY_TASK_ID: {task} is not a task of an array of {count} from {first} by {step}")
    return place, int(count)
