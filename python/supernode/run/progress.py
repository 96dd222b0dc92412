"""Progress of a run, shown on the terminal's error stream or handed to a function."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from supernode.run.options import ProgressOption

__all__ = ["Reporter", "make_reporter"]

#: Runs shorter than this show no bar.
_DELAY_S = 1.0


class Reporter(Protocol):
    """Shows the progress of one run."""

    #: Whether anybody wants to know.
    active: bool

    def update(self, time_ns: int, done: int, total: int, phase: str, predicted_s: float) -> None:
        """Show simulated time in nanoseconds, bytes delivered of those in all, and what the run does.

        ``predicted_s`` is what it was predicted to take, in seconds of the nominal core of ``docs/performance.md``. It
        is 0 while that is not known.
        """


class _Silent:
    active = False

    def update(self, time_ns: int, done: int, total: int, phase: str, predicted_s: float) -> None:
        """Show nothing."""


class _Calling:
    active = True

    def __init__(self, function: Callable[[int, int, int], None]) -> None:
        self._function = function

    def update(self, time_ns: int, done: int, total: int, phase: str, predicted_s: float) -> None:
        """Call the user's function."""
        self._function(time_ns, done, total)


class _Bar:
    active = True

    def __init__(self, *, forced: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._start = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[simulated]}{task.fields[predicted]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, force_terminal=True if forced else None),
            transient=True,
        )
        self._task = self._progress.add_task("simulating", total=None, simulated="", predicted="")
        self._shown = False

    def update(self, time_ns: int, done: int, total: int, phase: str, predicted_s: float) -> None:
        """Move the bar; it appears once the run has taken a while."""
        if not self._shown:
            if time.monotonic() - self._start < _DELAY_S:
                return
            self._progress.start()
            self._shown = True
        self._progress.update(
            self._task,
            description=phase,
            completed=done,
            total=total or None,
            simulated=f"{time_ns / 1e3:.3f} us simulated",
            predicted=f", about {predicted_s:.1f} s expected" if predicted_s >= _DELAY_S else "",
        )

    def stop(self) -> None:
        """Remove the bar."""
        if self._shown:
            self._progress.stop()


@contextmanager
def make_reporter(option: ProgressOption) -> Iterator[Reporter]:
    """Make what shows the progress of one run.

    Parameters
    ----------
    option
        ``True`` for a bar, ``False`` for nothing, ``None`` for a bar if the error stream is a terminal, or a function.
    """
    if callable(option):
        yield _Calling(option)
    elif option or (option is None and sys.stderr.isatty()):
        bar = _Bar(forced=option is True)
        try:
            yield bar
        finally:
            bar.stop()
    else:
        yield _Silent()
