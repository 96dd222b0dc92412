"""Pictures of systems: every fabric on one page, collapsed by level, without a browser."""

from supernode.picture.figure import Figure, draw

__all__ = ["Figure", "draw"]
