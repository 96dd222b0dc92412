"""Verbs of results and benches, done by the rooms above and attached here.

**Invariant.** As in ``system/verbs.py``: a verb is one call, and imports what it needs when it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from supernode.result.benchmark import Bench
    from supernode.result.result import Result

__all__ = ["Verbs"]


class Verbs:
    """What can be done with a result or a bench beyond reading and saving it."""

    def to_html(self, path: str | Path) -> Path:
        """Write a report as one HTML file that needs no network: figures, warnings, pictures, tables, configuration.

        Raises
        ------
        MissingExtraError
            If the extra ``report`` is not installed.
        """
        from supernode.page import write_report

        return write_report(cast("Result | Bench", self), path)
