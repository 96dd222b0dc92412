"""Workers of a Dask scheduler, for sweeps past one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from supernode.errors import WorkerError
from supernode.extras import extra
from supernode.files.text import is_there
from supernode.quoting import quote

__all__ = ["connected"]

#: Seconds to wait for the scheduler.
_PATIENCE_S = 10


@contextmanager
def connected(scheduler: str | None) -> Iterator[Any]:
    """Give a client of a scheduler, or nothing if none is named.

    Parameters
    ----------
    scheduler
        Its address (``tcp://host:8786``), or the path of the file that it wrote (``--scheduler-file``).

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    WorkerError
        If there is no such scheduler.
    """
    if scheduler is None:
        yield None
        return
    with extra("dask", "workers of a scheduler need Dask"):
        import distributed
    key = "scheduler_file" if is_there(Path(scheduler)) else "address"
    try:
        client: Any = distributed.Client(**{key: scheduler}, timeout=_PATIENCE_S)  # type: ignore[no-untyped-call]
    except Exception as error:  # of Dask, of its transports and of the system
        raise WorkerError(
            f"no Dask scheduler at {quote(scheduler)} ({type(error).__name__}: {quote(str(error))}); "
            "give its address, as tcp://host:8786, or the file that it wrote"
        ) from None
    with client:
        yield client
