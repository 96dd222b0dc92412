"""Values as errors quote them: short, and whatever the value is.

A user may pass anything: an integer that Python itself refuses to write, an object whose ``__repr__`` raises, a text of
a million characters. The error that names it must not fail on it, nor fill the screen.
"""

from __future__ import annotations

__all__ = ["quote", "shortened"]

#: Characters of a quoted value.
_LONGEST_VALUE = 200

#: Characters of a whole message.
_LONGEST_TEXT = 2000

#: Integers of more bits than this are described by their number of bits.
_LARGEST_BITS = 1024


def quote(value: object) -> str:
    """Return the ``repr`` of a value, shortened, or what stands for it where it has none."""
    if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str | bytes):
        # cut first: the repr of a text has at least as many characters
        value = value if len(value) <= 2 * _LONGEST_VALUE else value[:_LONGEST_VALUE] + value[-_LONGEST_VALUE:]  # type: ignore[operator]
    try:
        text = repr(value)
    except Exception:  # whatever the object raises, the error about it has to be told
        return f"a {type(value).__name__} that cannot be shown"
    return shortened(text, _LONGEST_VALUE)


def shortened(text: str, most: int = _LONGEST_TEXT) -> str:
    """Return text without its middle, where it is long."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} ... {len(text) - most} characters ... {text[-most // 2 :]}"
