"""Quantities with units, parsed once and exactly.

Strings such as ``"400 Gbit/s"``, ``"256 MiB"`` or ``"350 ns"`` become integers in the base units of the
specification: bit/s, bytes and femtoseconds. The map of unit words is closed, and case matters in it: ``Gb`` is a bit
unit, ``GB`` a byte unit, ``MB`` is 10^6 bytes and ``MiB`` 2^20. Numbers without a unit are taken in the base unit. All
arithmetic is rational, so nothing is rounded: a quantity that is not a whole number of base units is an error.
"""

from __future__ import annotations

import operator
import re
import reprlib
from collections.abc import Mapping
from fractions import Fraction
from numbers import Rational

from supernode.errors import SizeOverflowError, UnitError

__all__ = [
    "POWER_UNITS",
    "RATE_UNITS",
    "SIZE_UNITS",
    "TIME_UNITS",
    "U64_MAX",
    "Quantity",
    "as_integer",
    "format_rate",
    "format_size",
    "format_time",
    "parse_power",
    "parse_rate",
    "parse_size",
    "parse_time",
]

#: What a caller may pass for a quantity: a number in base units, or a number and a unit word.
Quantity = int | float | str

#: Largest value of the core's integers.
U64_MAX = 2**64 - 1

_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_PREFIXES = _DECIMAL | _BINARY

#: Unit words of rates, in bit/s.
RATE_UNITS: Mapping[str, int] = {
    f"{prefix}{word}": factor * bits
    for word, bits in (("bit/s", 1), ("b/s", 1), ("bps", 1), ("B/s", 8))
    for prefix, factor in _PREFIXES.items()
}

#: Unit words of electrical power, in watts.
POWER_UNITS: Mapping[str, int] = {f"{prefix}W": factor for prefix, factor in _DECIMAL.items()}

#: Unit words of times, in femtoseconds.
TIME_UNITS: Mapping[str, int] = {
    "fs": 1,
    "ps": 10**3,
    "ns": 10**6,
    "us": 10**9,
    "\N{MICRO SIGN}s": 10**9,
    "\N{GREEK SMALL LETTER MU}s": 10**9,
    "ms": 10**12,
    "s": 10**15,
}

#: Unit words of sizes, in bytes.
SIZE_UNITS: Mapping[str, int] = {f"{p}B": f for p, f in _PREFIXES.items()} | {
    "KB": 10**3,
    "byte": 1,
    "bytes": 1,
}

#: The one-letter suffixes of nccl-tests' ``-b`` and ``-e``, which are binary.
_NCCL_SUFFIXES = {s: f for i, c in enumerate("KMGT", 1) for s, f in ((c, 2 ** (10 * i)), (c.lower(), 2 ** (10 * i)))}

#: Text with more characters than this in its number is refused: no quantity needs them.
_MAX_DIGITS = 1000

_NUMBER = re.compile(r"\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(\S*)\s*")


def as_integer(value: object) -> int | None:
    """Return an integer of any type, NumPy's included, as Python's own; ``None`` for booleans and all else."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def parse_rate(value: Quantity, what: str = "rate") -> int:
    """Parse a data rate.

    Parameters
    ----------
    value
        Text such as ``"400 Gbit/s"``, ``"50 GB/s"`` or ``"16 GiB/s"``, or a number in bit/s.
    what
        Name of the quantity in error messages.

    Returns
    -------
    int
        Bits per second, positive.

    Raises
    ------
    UnitError
        If the text, the unit or the range is not valid.
    SizeOverflowError
        If it does not fit 64 bits.
    """
    return _parse(value, what, RATE_UNITS, "bit/s", examples="400 Gbit/s, 400 Gbps, 50 GB/s, 16 GiB/s")


def parse_time(value: Quantity, what: str = "time", *, zero: bool = False) -> int:
    """Parse a duration.

    Parameters
    ----------
    value
        Text such as ``"350 ns"`` or ``"1.5 us"``, or a number in femtoseconds.
    what
        Name of the quantity in error messages.
    zero
        Whether zero is allowed.

    Returns
    -------
    int
        Femtoseconds.

    Raises
    ------
    UnitError
        If the text, the unit or the range is not valid.
    SizeOverflowError
        If it does not fit 64 bits.
    """
    return _parse(value, what, TIME_UNITS, "fs", examples="350 ns, 1.5 us", zero=zero)


def parse_size(value: Quantity, what: str = "size") -> int:
    """Parse a number of bytes.

    Parameters
    ----------
    value
        Text such as ``"256 MiB"`` (2^20 each), ``"1 GB"`` (10^9), or as nccl-tests writes it, ``"8"`` or ``"8G"``
        (2^30); or a number in bytes.
    what
        Name of the quantity in error messages.

    Returns
    -------
    int
        Bytes, positive.

    Raises
    ------
    UnitError
        If the text, the unit or the range is not valid.
    SizeOverflowError
        If it does not fit 64 bits.
    """
    units = {**SIZE_UNITS, **_NCCL_SUFFIXES}
    return _parse(value, what, units, "B", examples="8, 8G (binary, as in nccl-tests), 256 MiB, 1 GB")


def parse_power(value: Quantity, what: str = "power") -> int:
    """Parse an electrical power.

    Parameters
    ----------
    value
        Text such as ``"1.2 GW"`` or ``"120 kW"``, or a number in watts.
    what
        Name of the quantity in error messages.

    Returns
    -------
    int
        Watts, positive.

    Raises
    ------
    UnitError
        If the text, the unit or the range is not valid.
    SizeOverflowError
        If it does not fit 64 bits.
    """
    return _parse(value, what, POWER_UNITS, "W", examples="1.2 GW, 120 kW")


def _parse(
    value: Quantity, what: str, units: Mapping[str, int], base: str, *, examples: str, zero: bool = False
) -> int:
    whole = as_integer(value)
    shown = _shown(value if whole is None else whole)
    if isinstance(value, str):
        number, unit = _split(value, what, examples)
        if unit and unit not in units:
            raise UnitError(f"{what}: unknown unit {unit!r} in {shown}; valid units: {', '.join(units)}")
        if not unit and base != "B" and 0 < number < 2**63:
            # 300 could be nanoseconds to the one who wrote it; bytes are what nccl-tests means by a number alone, and
            # what TOML has no integer for is written as text
            raise UnitError(f"{what}: {shown} has no unit; valid units: {', '.join(units)}")
        exact = number * units.get(unit, 1)
    elif whole is not None:
        exact = Fraction(whole)
    elif isinstance(value, float | Rational) and not isinstance(value, bool):
        if value != value or value in (float("inf"), float("-inf")):
            raise UnitError(f"{what}: {shown} is not finite; for example {examples}")
        exact = Fraction(value)
    else:
        raise UnitError(f"{what}: {shown} is not a quantity; for example {examples}")
    if exact < 0 or (exact == 0 and not zero):
        bound = "zero or more" if zero else "more than zero"
        raise UnitError(f"{what}: {shown} must be {bound}; for example {examples}")
    if exact > U64_MAX:
        raise SizeOverflowError(f"{what}: {shown} overflows; at most {U64_MAX} {base} (units: {', '.join(units)})")
    if exact.denominator != 1:
        raise UnitError(f"{what}: {shown} is not a whole number of {base}; for example {examples}")
    return exact.numerator


def _split(text: str, what: str, examples: str) -> tuple[Fraction, str]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UnitError(f"{what}: {text!r} is not a number and a unit; for example {examples}")
    if len(match[1]) > _MAX_DIGITS:
        raise UnitError(f"{what}: {reprlib.repr(text)} has more than {_MAX_DIGITS} digits; for example {examples}")
    return Fraction(match[1].replace("_", "")), match[2]


def _shown(value: object) -> str:
    """Return what the user gave; Python itself refuses to write very large integers."""
    large = isinstance(value, int) and value.bit_length() > 1024
    return f"an integer of {value.bit_length()} bits" if large else repr(value)  # type: ignore[attr-defined]


def format_rate(bits: int) -> str:
    """Return the text of a rate in bit/s, exactly: in the largest unit that leaves a whole number."""
    return _format(bits, {f"{p}bit/s": f for p, f in _DECIMAL.items()})


def format_time(fs: int) -> str:
    """Return the text of a duration in femtoseconds, exactly: in the largest unit that leaves a whole number."""
    return _format(fs, {word: TIME_UNITS[word] for word in ("fs", "ps", "ns", "us", "ms", "s")}, zero="0 ns")


def format_size(count: int) -> str:
    """Return the text of a number of bytes, exactly: in the largest binary unit that leaves a whole number."""
    return _format(count, {"B": 1, **{f"{p}B": f for p, f in _BINARY.items()}})


def _format(value: int, units: Mapping[str, int], zero: str = "") -> str:
    if value == 0 and zero:
        return zero
    word, factor = max(((w, f) for w, f in units.items() if value % f == 0), key=lambda pair: pair[1])
    return f"{value // factor} {word}"
