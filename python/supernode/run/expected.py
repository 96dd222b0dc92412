"""How far predictions of a kind of run have been from measurements.

**Model.** Runs are told apart by software stack, collective, the kind of the outermost network that their ranks need,
and size. ``docs/validation.py`` compares predictions with measurements, and writes what it finds for each of these
classes into ``data/residuals.toml``. A run carries what that file says about its class. **Invariant.** No number is
written here. **Cost.** A look-up a run. **Limits.** A class that was measured on fewer than two systems is not
validated: one system says how well a model suits that system. Measurements are times per call, the launch by a host
included. With values of the stack replaced, or a stack of the user's own, nothing was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.fabric.base import Network
from supernode.files.data import convert, packaged_text
from supernode.system import System

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["SIZES", "ExpectedError", "expected_error", "size_class"]

#: Upper ends of the classes of sizes, and their names.
SIZES = ((32 << 10, "32 KiB and below"), (1 << 20, "to 1 MiB"), (64 << 20, "to 64 MiB"), (1 << 64, "above 64 MiB"))

#: Where the ranks of a run are, by the kind of the outermost network that they need.
_PLACES = {
    "nvlink": "inside NVLink systems",
    "ub": "inside UB systems",
    "ici": "inside ICI systems",
    "pci": "over PCIe",
    "net": "between units over NICs",
}


class _Class(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[class]]`` of the file."""

    stack: str
    collective: str
    fabric: str
    size: str
    systems: list[str]
    machines: list[str]
    points: int
    median: float
    tail: float
    fitted: bool = False


class _Residuals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/residuals.toml``."""

    version: str
    measured: str
    basis: str
    classes: list[_Class] = msgspec.field(default_factory=list, name="class")


@dataclass(frozen=True)
class ExpectedError:
    """How far predictions of runs like this one have been from measurements.

    Parameters
    ----------
    status
        ``"validated"``; ``"fitted"``: the constants of the stack were fitted on the same measurements, so that these do
        not judge them; or ``"not validated"``.
    stack, collective, fabric, size
        The class: names of stack and collective, kind of the outermost network that the ranks need, class of sizes.
    median, tail
        Median and 90th percentile of abs(predicted / measured - 1); ``None`` if nothing was measured.
    points
        Measurements of the class.
    systems
        Names of the systems that they were taken on, as in docs/validation.md.
    here
        Whether one of them is this system with the same parameters.
    basis
        How the residuals were found: ``"one system left out"`` or ``"in sample"``.
    reason
        Why the class is not validated; empty if it is.
    """

    status: str
    stack: str
    collective: str
    fabric: str
    size: str
    median: float | None
    tail: float | None
    points: int
    systems: tuple[str, ...]
    here: bool
    basis: str
    reason: str

    @property
    def scope(self) -> str:
        """The class in words."""
        return f"{self.collective} {_PLACES.get(self.fabric, self.fabric)}, {self.size}"

    @property
    def short(self) -> str:
        """The error in a few words."""
        return self.status if self.status != "validated" or self.tail is None else f"{self.tail:.0%}"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {**asdict(self), "systems": list(self.systems)}

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> ExpectedError:
        """Return what :meth:`as_dict` gave."""
        return cls(**{**saved, "systems": tuple(saved["systems"])})

    def __str__(self) -> str:
        if self.tail is None or self.status == "not validated":
            return f"not validated: {self.reason}"
        found = f"within {100 * self.tail:.0f} % for {self.scope} in 9 of 10 measurements"
        if self.status == "fitted":
            return f"fitted on these rows: {found}, which do not judge the constants"
        count = f"{self.points} on {len(self.systems)} systems, {self.basis}"
        place = (
            "some on this system, perhaps with other numbers of ranks" if self.here else "never measured on this system"
        )
        return f"{found} ({count}); {place}"


@lru_cache(maxsize=1)
def _residuals() -> tuple[str, dict[tuple[str, str, str, str], _Class]]:
    text = packaged_text("data", "residuals.toml")
    file = convert(msgspec.toml.decode(text), _Residuals, "residuals.toml")
    return file.basis, {(c.stack, c.collective, c.fabric, c.size): c for c in file.classes}


def size_class(size: int) -> str:
    """Return the name of the class of a size."""
    return next(name for most, name in SIZES if size <= most)


def expected_error(
    system: System,
    networks: Sequence[Network],
    stack: str,
    collective: str,
    size: int,
    ranks: int,
    placement: npt.NDArray[np.uint32] | None,
    changed: str = "",
) -> ExpectedError:
    """Look up what is known of the class of a run.

    Parameters
    ----------
    system, networks, stack, collective, size, ranks, placement
        The run.
    changed
        Why the constants of the stack are not those that were compared with measurements; empty if they are.
    """
    fabric = _outermost(networks, ranks, placement)
    basis, classes = _residuals()
    key = (stack, collective, fabric, size_class(size))
    found = None if changed else classes.get(key)
    if found is None:
        reason = (
            changed or f"no measurement of {collective} {_PLACES.get(fabric, fabric)}, {key[3]}, with stack {stack}"
        )
        return ExpectedError("not validated", *key, None, None, 0, (), here=False, basis=basis, reason=reason)
    status, reason = "validated", ""
    if found.fitted:
        status = "fitted"
    elif len(found.systems) < 2:
        names = found.systems[0]
        place = _PLACES.get(fabric, fabric)
        status = "not validated"
        reason = f"{collective} {place}, {key[3]}, was measured on one system only ({names}); two are needed"
    return ExpectedError(
        *(status, *key, found.median, found.tail, found.points, tuple(found.systems)),
        here=machine_label(system) in found.machines and _unchanged(system),
        basis="in sample" if found.fitted else basis,
        reason=reason,
    )


def machine_label(system: System) -> str:
    """Return the name of a system with its overrides, less the number of its units."""
    changed = ", ".join(f"{key}={value}" for key, value in system.overrides.items())
    return f"{system.name}[{changed}]" if changed else system.name


def _unchanged(system: System) -> bool:
    """Tell whether a system is a preset whose units were multiplied at most."""
    return system.recipe is not None and all(method == "replicate" for method, _ in system.recipe.steps)


def _outermost(networks: Sequence[Network], ranks: int, placement: npt.NDArray[np.uint32] | None) -> str:
    """Return the kind of the innermost network that holds all ranks."""
    for network in networks:
        if placement is None:
            inside = ranks <= network.spec.span
        else:
            inside = int(placement.min()) // network.spec.span == int(placement.max()) // network.spec.span
        if inside:
            return network.kind
    return networks[-1].kind
