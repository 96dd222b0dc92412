"""Optional dependencies: an import that an extra of the package brings, and an error that names the extra.

Libraries of an extra are imported where they are used, inside ``with extra(...)``, so that the rest of the package
works without them and does not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from supernode.errors import MissingExtraError

__all__ = ["extra"]


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Turn a failed import into an error that says how to get what is missing.

    Parameters
    ----------
    name
        The extra.
    what
        What needs which library, as in ``"YAML needs PyYAML"``.

    Raises
    ------
    MissingExtraError
        If an import inside fails.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(f"{what}: pip install 'supernode[{name}]' ({error})") from None
