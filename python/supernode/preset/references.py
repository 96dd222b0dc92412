"""Numbers of a preset that stand for others: ``"$NAME"``, products and quotients.

Any string ``"$NAME"`` in the system refers to the value of parameter ``NAME``; ``"$A * $B"`` is the product of two
whole numbers, ``"$A / $B"`` how many whole B go into A, both numbers or both powers. Parameters are replaced first, so
that everything behind :func:`resolve` sees plain numbers and quantities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from supernode.errors import SpecError
from supernode.names import unknown
from supernode.quoting import quote
from supernode.units import Quantity, as_integer, parse_power

__all__ = ["flag", "resolve", "whole"]

_OPERATOR = re.compile(r"([*/])")


def resolve(value: Any, params: Mapping[str, Quantity | bool], used: set[str]) -> Any:
    """Replace every ``"$NAME"`` by the parameter's value, and products and quotients of them by theirs.

    A text that begins with ``$$`` is no reference: it stands for itself, less one ``$``.

    Parameters
    ----------
    value
        Plain data.
    params
        Values by name.
    used
        Receives the names that occur.
    """
    if isinstance(value, str) and value.startswith("$$"):
        return value[1:]
    if isinstance(value, str) and value.startswith("$"):
        first, *rest = (part.strip() for part in _OPERATOR.split(value.replace("$", "")))
        result = _look_up(first, params, used)
        for operator, name in zip(rest[::2], rest[1::2], strict=True):
            other = _look_up(name, params, used)
            if operator == "*":
                result = whole(result, first) * whole(other, name)
            else:
                result = _quotient(result, other, first, name)
        return result
    if isinstance(value, dict):
        return {key: resolve(item, params, used) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, params, used) for item in value]
    return value


def _look_up(name: str, params: Mapping[str, Quantity | bool], used: set[str]) -> Quantity | bool:
    if name not in params:
        raise unknown("parameter", name, params)
    used.add(name)
    return params[name]


def _quotient(first: object, second: object, name: str, other: str) -> int:
    """Return how many whole ``second`` go into ``first``: of two numbers, or of two powers."""
    if isinstance(first, str) and isinstance(second, str):
        return parse_power(first, name) // parse_power(second, other)
    divisor = whole(second, other)
    if divisor < 1:
        raise SpecError(f"{other}: {divisor} divides nothing; it must be at least 1")
    return whole(first, name) // divisor


def flag(value: object, what: str) -> bool:
    """Return yes or no, which a preset or an override gives as such or as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise SpecError(f"{what}: {quote(value)} is not valid; true or false")


def whole(value: object, what: str) -> int:
    """Return a whole number that a preset or an override gives as a number or as text."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise SpecError(f"{what}: {quote(value)} is not a whole number") from None
    number = int(value) if isinstance(value, float) and value.is_integer() else as_integer(value)
    if number is None:
        raise SpecError(f"{what}: {quote(value)} is not a whole number")
    return number
