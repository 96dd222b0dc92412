"""Which override an error is about.

A value that replaces a parameter of a preset is read where the fabric is put together, which knows it as the latency of
a link and not by the name that the user gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from supernode.errors import SupernodeError
from supernode.quoting import quote, shortened

__all__ = ["naming_override"]


@contextmanager
def naming_override(overrides: Mapping[str, object]) -> Iterator[None]:
    """Name the override whose value an error quotes, if there is one such, and the error does not name it.

    Parameters
    ----------
    overrides
        New values by name.
    """
    try:
        yield
    except SupernodeError as error:
        text = str(error)
        blamed = [name for name, value in overrides.items() if isinstance(value, str) and quote(value) in text]
        if len(blamed) != 1 or blamed[0] in text:
            raise
        raise type(error)(shortened(f"{blamed[0]}: {text}")) from None
