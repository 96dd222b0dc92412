"""Quantities with units, parsed once and exactly.

Strings such as ``"400 Gbit/s"``, ``"256 MiB"`` or ``"350 ns"`` become integers in the base units of the
specification: bit/s, bytes and femtoseconds. The map of unit words is closed, and case matters in it: ``Gb`` is a bit
unit, ``GB`` a byte unit, ``MB`` is 10^6 bytes and ``MiB`` 2^20. Rates, times and powers need a unit: 300 could be
nanoseconds to the one who wrote it. Only zero is the same in every unit. Sizes may be plain numbers of bytes. All
arithmetic is rational, so nothing is rounded: a quantity that is not a whole number of base units is an error.

Cost: linear in the length of the text. The pattern of a number is possessive, so it never goes back.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from fractions import Fraction
from numbers import Rational

from supernode.errors import SizeOverflowError, UnitError
from supernode.quoting import quote

__all__ = [
    "FLOP_RATE_UNITS",
    "FLOP_UNITS",
    "MAX_LATENCY",
    "POWER_UNITS",
    "RATE_UNITS",
    "SIZE_UNITS",
    "TIME_UNITS",
    "U64_MAX",
    "Quantity",
    "as_integer",
    "format_flop",
    "format_flop_rate",
    "format_rate",
    "format_size",
    "format_time",
    "parse_flop",
    "parse_flop_rate",
    "parse_latency",
    "parse_power",
    "parse_rate",
    "parse_size",
    "parse_time",
]

#: What a caller may pass for a quantity: a number and a unit word, or for sizes a plain number of bytes.
Quantity = int | float | str

#: Largest latency in the core, in femtoseconds.
MAX_LATENCY = 10**15 - 1

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

#: Unit words of work: floating-point operations.
FLOP_UNITS: Mapping[str, int] = {f"{prefix}FLOP": factor for prefix, factor in _DECIMAL.items()}

#: Unit words of its rate, in floating-point operations per second.
FLOP_RATE_UNITS: Mapping[str, int] = {
    f"{prefix}{word}": factor for word in ("FLOP/s", "FLOPS") for prefix, factor in _DECIMAL.items()
}

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

_NUMBER = re.compile(r"\s*+([+-]?(?:\d[\d_]*+\.?\d*+|\.\d++)(?:[eE][+-]?\d{1,3})?+)\s*+(\S*+)\s*+")


def as_integer(value: object) -> int | None:
    """Return an integer of any type, NumPy's included, as Python's own; ``None`` for booleans and all else."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except Exception:  # __index__ may be anyone's
        return None


def parse_rate(value: Quantity, what: str = "rate") -> int:
    """Parse a data rate.

    Parameters
    ----------
    value
        Text such as ``"400 Gbit/s"``, ``"50 GB/s"`` or ``"16 GiB/s"``.
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
        Text such as ``"350 ns"`` or ``"1.5 us"``.
    what
        Name of the quantity in error messages.
    zero
        Whether zero is allowed, and then without a unit, too.

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


def parse_latency(value: Quantity, what: str = "latency", *, zero: bool = False) -> int:
    """Parse the latency of a link, a switch or a step of software: as :func:`parse_time`, and less than a second.

    Raises
    ------
    UnitError
        If the text, the unit or the range is not valid.
    """
    latency = parse_time(value, what, zero=zero)
    if latency > MAX_LATENCY:
        raise UnitError(f"{what}: {quote(value)} is not valid; a latency must be less than 1 s")
    return latency


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
    return _parse(value, what, units, "B", examples="8, 8G (binary, as in nccl-tests), 256 MiB, 1 GB", bare=True)


def parse_power(value: Quantity, what: str = "power") -> int:
    """Parse an electrical power.

    Parameters
    ----------
    value
        Text such as ``"1.2 GW"`` or ``"120 kW"``.
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


def parse_flop(value: Quantity, what: str = "flops") -> int:
    """Parse a number of floating-point operations: text such as ``"2 TFLOP"``, or a plain number.

    Raises
    ------
    UnitError
        If the text, the unit or the range is not valid.
    SizeOverflowError
        If it does not fit 64 bits.
    """
    return _parse(value, what, FLOP_UNITS, "FLOP", examples="2 TFLOP, 2e12", bare=True)


def parse_flop_rate(value: Quantity, what: str = "peak_flops") -> int:
    """Parse a rate of floating-point operations: text such as ``"989 TFLOP/s"``.

    Raises
    ------
    UnitError
        If the text, the unit or the range is not valid.
    SizeOverflowError
        If it does not fit 64 bits.
    """
    return _parse(value, what, FLOP_RATE_UNITS, "FLOP/s", examples="989 TFLOP/s, 2.5 PFLOPS")


def _parse(
    value: Quantity,
    what: str,
    units: Mapping[str, int],
    base: str,
    *,
    examples: str,
    zero: bool = False,
    bare: bool = False,
) -> int:
    """Return a quantity in base units; ``bare`` ones need no unit."""
    whole = as_integer(value)
    shown = quote(value if whole is None else whole)
    unit = ""
    if isinstance(value, str):
        number, unit = _split(value, what, examples)
        if unit and unit not in units:
            raise UnitError(f"{what}: unknown unit {quote(unit)} in {shown}; valid units: {', '.join(units)}")
    elif whole is not None:
        number = Fraction(whole)
    elif isinstance(value, float | Rational) and not isinstance(value, bool):
        if value != value or value in (float("inf"), float("-inf")):
            raise UnitError(f"{what}: {shown} is not finite; for example {examples}")
        number = Fraction(value)
    else:
        raise UnitError(f"{what}: {shown} is not a quantity; for example {examples}")
    if not unit and not bare and not (zero and number == 0):
        raise UnitError(f"{what}: {shown} has no unit; for example {examples}; valid units: {', '.join(units)}")
    exact = number * units.get(unit, 1)
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
        raise UnitError(f"{what}: {quote(text)} is not a number and a unit; for example {examples}")
    if len(match[1]) > _MAX_DIGITS:
        raise UnitError(f"{what}: {quote(text)} has more than {_MAX_DIGITS} digits; for example {examples}")
    return Fraction(match[1].replace("_", "")), match[2]


def format_rate(bits: int) -> str:
    """Return the text of a rate in bit/s, exactly: in the largest unit that leaves a whole number."""
    return _format(bits, {f"{p}bit/s": f for p, f in _DECIMAL.items()})


def format_time(fs: int) -> str:
    """Return the text of a duration in femtoseconds, exactly: in the largest unit that leaves a whole number."""
    return _format(fs, {word: TIME_UNITS[word] for word in ("fs", "ps", "ns", "us", "ms", "s")}, zero="0 ns")


def format_size(count: int) -> str:
    """Return the text of a number of bytes, exactly: in the largest binary unit that leaves a whole number."""
    return _format(count, {"B": 1, **{f"{p}B": f for p, f in _BINARY.items()}})


def format_flop(count: int) -> str:
    """Return the text of a number of floating-point operations, exactly."""
    return _format(count, FLOP_UNITS)


def format_flop_rate(rate: int) -> str:
    """Return the text of a rate of floating-point operations, exactly."""
    return _format(rate, {f"{p}FLOP/s": f for p, f in _DECIMAL.items()})


def _format(value: int, units: Mapping[str, int], zero: str = "") -> str:
    if value == 0 and zero:
        return zero
    word, factor = max(((w, f) for w, f in units.items() if value % f == 0), key=lambda pair: pair[1])
    return f"{value // factor} {word}"
