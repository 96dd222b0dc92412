"""Where the ranks of jobs sit: on accelerators of their own, in the order of the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernode.errors import SpecError
from supernode.quoting import quote
from supernode.workload.builder import Workload

__all__ = ["PLACEMENTS", "place_jobs"]

#: Placements by name.
PLACEMENTS = ("packed", "strided", "random")


def place_jobs(jobs: Sequence[Workload], accelerators: int, seed: int) -> list[list[int] | None]:
    """Return the accelerators of each job; ``None`` are those after the job before, in order.

    Raises
    ------
    SpecError
        If there are not enough, one is given twice, or a placement is unknown.
    """
    needed = sum(job.mesh.ranks for job in jobs)
    if needed > accelerators:
        raise SpecError(f"the jobs have {needed} ranks, and the system has {accelerators} accelerators")
    if all(isinstance(job.placement, str) and job.placement == "packed" for job in jobs):
        return [None for _ in jobs]
    import numpy as np

    free = np.ones(accelerators, dtype=bool)
    found: list[list[int] | None] = [None for _ in jobs]
    # what is given comes first, so that the others take what is left
    for i, job in enumerate(jobs):
        if not isinstance(job.placement, str):
            found[i] = _given(job, free)
    random = np.random.default_rng(seed)
    for i, job in enumerate(jobs):
        if found[i] is not None:
            continue
        if job.placement not in PLACEMENTS:
            raise SpecError(
                f"placement of job {quote(job.name)}: {quote(job.placement)} is not valid; one of "
                f"{', '.join(PLACEMENTS)}, or a list of accelerators"
            )
        left = np.flatnonzero(free)
        if job.placement == "packed":
            chosen = left[: job.mesh.ranks]
        elif job.placement == "strided":
            chosen = left[np.arange(job.mesh.ranks) * len(left) // job.mesh.ranks]
        else:
            chosen = random.permutation(left)[: job.mesh.ranks]
        free[chosen] = False
        found[i] = chosen.tolist()
    return found


def _given(job: Workload, free: Any) -> list[int]:
    """Return the accelerators that a job was given, and take them."""
    import numpy as np

    what = f"placement of job {quote(job.name)}"
    try:
        array = np.asarray(job.placement)
    except Exception:  # ragged lists, and objects that NumPy cannot take apart
        raise SpecError(f"{what}: {quote(job.placement)} is not valid; it must be a list of accelerators") from None
    if array.ndim != 1 or len(array) != job.mesh.ranks or array.dtype.kind not in "iu":
        raise SpecError(f"{what}: it must be a list of {job.mesh.ranks} accelerators, one for each rank")
    for accelerator in array.tolist():
        if not 0 <= accelerator < len(free):
            raise SpecError(f"{what}: {accelerator} is not valid; accelerators are 0 to {len(free) - 1}")
        if not free[accelerator]:
            raise SpecError(f"{what}: accelerator {accelerator} is taken")
        free[accelerator] = False
    found: list[int] = array.tolist()
    return found
