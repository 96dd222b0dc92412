"""What a calibration may change.

**Model.** Constants of a stack have the names of :meth:`supernode.Stack.replaced`: ``ll.launch``,
``simple.step.nvlink``, ``simple.hop.net``, ``ll128.wire`` and whatever else the file has. ``host_launch[LABEL]`` is
what the processor of a system takes to launch a call, ``nic_hop[LABEL]`` what its NICs add to a message.
**Invariant.** Every constant has bounds and a value to fall back to where the data say nothing: the stack's own, the
preset's own, or the middle of its range. **Limits.** Values between the bounds lie on a grid of :data:`LEVELS`
points, so a constant is found to one part in that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from supernode.errors import SpecError
from supernode.library.stack import Stack, StackValue
from supernode.quoting import quote
from supernode.units import Quantity, parse_time
from supernode.values import as_fraction

__all__ = ["LEVELS", "Constant", "bounded", "hop_constant", "host_constant", "stack_constants"]

#: Points of the grid between the bounds of a constant.
LEVELS = 65

#: Bounds of a latency that is published, as factors of it, and of one that is 0.
_FACTORS = (0.25, 4.0)
_FROM_ZERO_FS = 20 * 10**9
#: Bounds of the expansion on the wire, as factors of the stack's own.
_WIRE = (0.75, 2.5)
#: Bounds of launches by a host and of what NICs add, in femtoseconds.
_HOST_FS = (1e9, 20e9)
_HOP_FS = (0.0, 150e9)


@dataclass(frozen=True)
class Constant:
    """A number that a calibration may change.

    Parameters
    ----------
    name
        See the module.
    low, high
        Bounds: femtoseconds, or the expansion on the wire.
    start
        Where the search begins.
    fallback
        What stands where the data say nothing.
    kind
        ``"stack"``, ``"host"`` or ``"transport"``.
    """

    name: str
    low: float
    high: float
    start: float
    fallback: float
    kind: str = "stack"

    @property
    def is_ratio(self) -> bool:
        """Whether it is an expansion and no time."""
        return self.name.endswith(".wire")

    def level(self, index: int) -> float:
        """Return a value of the grid: in geometric steps where both bounds are above 0."""
        share = index / (LEVELS - 1)
        if self.low > 0:
            return float(self.low * (self.high / self.low) ** share)
        return float(self.low + (self.high - self.low) * share)

    def text(self, value: float) -> str:
        """Word a value, as a stack file has it."""
        return f"{value:.4g}" if self.is_ratio else f"{value / 1e9:.4g} us"

    def quantity(self, value: float) -> Quantity:
        """Return a value as an override has it, exactly as it is simulated."""
        return value if self.is_ratio else f"{round(value) / 1e6:.6f} ns"


def stack_constants(stack: Stack, protocols: Mapping[str, set[str]]) -> dict[str, Constant]:
    """List the constants of a stack.

    Parameters
    ----------
    stack
        The stack.
    protocols
        Protocols that rows ran by, each with the kinds of network of these runs.
    """
    found: dict[str, Constant] = {}
    for p in stack.file.protocol:
        if p.name not in protocols:
            continue
        kinds = protocols[p.name]
        for name, value in stack.values():
            own, _, rest = name.partition(".")
            what, _, kind = rest.partition(".")
            if own != p.name or (what in ("step", "hop") and kind not in kinds):
                continue
            found[name] = _time(name, value)
        ratio = p.wire[0] / p.wire[1]
        high = ratio * _WIRE[1]
        found[f"{p.name}.wire"] = Constant(f"{p.name}.wire", max(1.0, ratio * _WIRE[0]), high, ratio, ratio)
    return found


def _time(name: str, value: StackValue) -> Constant:
    own = float(parse_time(value.value, name, zero=True))
    if value.range:
        low, high = (float(parse_time(end, name, zero=True)) for end in (value.range[0], value.range[-1]))
        # what nobody published falls back to the middle of its range
        return Constant(name, low, high, own, (low + high) / 2 if value.mark in ("assumed", "unknown") else own)
    low, high = (own * factor for factor in _FACTORS) if own else (0.0, float(_FROM_ZERO_FS))
    return Constant(name, low, high, own, own)


def host_constant(label: str, own_fs: float, fallback_fs: float) -> Constant:
    """Return the launch of a host."""
    return Constant(f"host_launch[{label}]", _HOST_FS[0], _HOST_FS[1], own_fs, fallback_fs, "host")


def hop_constant(label: str, own_fs: float, fallback_fs: float) -> Constant:
    """Return what NICs add."""
    return Constant(f"nic_hop[{label}]", _HOP_FS[0], _HOP_FS[1], own_fs, fallback_fs, "transport")


_ASKED = re.compile(r"\s*([^=\s]+)\s*(?:=\s*([^:]+?)\s*:\s*(.+?)\s*)?")


def bounded(asked: str, known: Mapping[str, Constant]) -> Constant:
    """Return a constant that the user named, with bounds or without: ``"ll.launch"``, ``"ll.launch=2 us:9 us"``.

    Raises
    ------
    SpecError
        If there is no such constant, or its bounds are none.
    """
    match = _ASKED.fullmatch(asked)
    if match is None or match[1] not in known:
        name = asked.partition("=")[0].strip() if match is None else match[1]
        raise SpecError(f"constant {quote(name)} is not one that these rows could determine; valid: {', '.join(known)}")
    found = known[match[1]]
    if match[2] is None:
        return found
    low, high = (_bound(found, text) for text in (match[2], match[3]))
    if not low < high:
        raise SpecError(f"constant {found.name}: bounds {quote(match[2])} and {quote(match[3])} are in no order")
    inside = min(max(found.start, low), high)
    return replace(found, low=low, high=high, start=inside, fallback=min(max(found.fallback, low), high))


def _bound(constant: Constant, text: str) -> float:
    if not constant.is_ratio:
        return float(parse_time(text, f"constant {constant.name}", zero=True))
    try:
        number = as_fraction(float(text))
    except ValueError:
        number = None
    if number is None or not 1 <= number <= 1000:
        raise SpecError(
            f"constant {constant.name}: bound {quote(text)} is not valid; it must be a number from 1 to 1000"
        )
    return float(number)
