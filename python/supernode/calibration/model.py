"""Predictions of measured times for any values of the constants.

**Model.** At an anchor, values of the constants are given, and every row is run as a bench runs it: its choice of
algorithm and protocol, its fidelity. Elsewhere the time is that of the analytic model with the same algorithm,
protocol and lanes, times the ratio of the two at the anchor. A search moves over many values at the cost of analytic
runs, and an anchor at what it found says how good that was. **Invariant.** At the anchor a prediction is the
simulator's own. Nothing depends on the order of calls. **Cost.** A bench of all rows an anchor, a few milliseconds a
row and value elsewhere, each once. **Limits.** Away from the anchor the choice stays what it was there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from supernode import core
from supernode.calibration.constants import Constant, hop_constant, host_constant, stack_constants
from supernode.calibration.rows import Row, Setup
from supernode.errors import SpecError
from supernode.library.stack import Stack, load_stack
from supernode.result.curve import curve_plans
from supernode.result.result import Result
from supernode.result.running import run_plan
from supernode.run.launch import Launch
from supernode.run.plan import Plan
from supernode.spec import TransportSpec, encode
from supernode.system import System
from supernode.units import parse_time

__all__ = ["Model", "Values", "error_of", "loss_of"]

#: Values of constants by name, in femtoseconds or as ratios.
Values = Mapping[str, float]

#: What a host takes where nobody says: the middle of the 4 to 6 us that launches are published to take.
_LAUNCH_FS = 5 * 10**9
_CALLS = 20


@dataclass(frozen=True)
class _Anchor:
    """What the run of a row was at the anchor."""

    plan: Plan
    ratio: float
    device_fs: int
    protocol: str


def error_of(row: Row, predicted_ns: float) -> float:
    """Return predicted over measured time, less 1; 0 within the rounding of the measured one."""
    found = predicted_ns / row.time_ns - 1
    return 0.0 if abs(found) <= row.rounding else found


def loss_of(rows: Sequence[Row], predicted_ns: Sequence[float]) -> float:
    """Return the mean of abs(log(predicted / measured)): a factor of two counts the same above and below."""
    logs = [
        0.0 if error_of(row, time) == 0.0 else abs(math.log(time / row.time_ns))
        for row, time in zip(rows, predicted_ns, strict=True)
    ]
    return sum(logs) / len(logs)


class Model:
    """Measured rows with what predicts them.

    Parameters
    ----------
    rows
        The rows.
    stack
        Name or path of the stack whose constants are looked for; by default that of the systems.
    fidelity
        Of the runs at anchors.
    """

    def __init__(self, rows: Sequence[Row], stack: str | None = None, fidelity: str = "auto") -> None:
        if not rows:
            raise SpecError("there is no measured row to calibrate on")
        self.rows = list(rows)
        self._fidelity = fidelity
        self._groups = self._grouped()
        self._machines = {n: machine for _, machine, group in self._groups for n in group}
        names = dict.fromkeys(machine.stack for _, machine, _ in self._groups) if stack is None else {stack: None}
        if len(names) > 1:
            raise SpecError(f"the rows are of systems with stacks {', '.join(names)}; calibrate one stack at a time")
        self.stack: Stack = load_stack(next(iter(names)))
        self._anchors: list[_Anchor] = []
        self._memo: dict[tuple[Any, ...], int] = {}
        self._runs: dict[str, Result] = {}
        self.constants: dict[str, Constant] = {}

    def _grouped(self) -> list[tuple[Setup, System, list[int]]]:
        """Return the rows of each curve of a bench: one setup, collective and number of ranks."""
        groups: dict[Any, list[int]] = {}
        for number, row in enumerate(self.rows):
            key = (msgspec.json.encode(_plain(row.setup)), row.collective, row.ranks)
            groups.setdefault(key, []).append(number)
        found = []
        for numbers in groups.values():
            first = self.rows[numbers[0]]
            found.append((first.setup, first.setup.machine(first.ranks), numbers))
        return found

    def anchor(self, values: Values) -> list[float]:
        """Run every row with these values, as a bench does, and return the times per call in nanoseconds."""
        stack = self.stack.replaced(_of_stack(values, self.constants))
        anchors: list[_Anchor | None] = [None] * len(self.rows)
        for setup, machine, numbers in self._groups:
            first = self.rows[numbers[0]]
            sizes = sorted({self.rows[n].size for n in numbers})
            options: Any = {"ranks": first.ranks, "progress": False, "fidelity": self._fidelity}
            if setup.protocol is not None:
                options["protocol"] = setup.protocol
            plans, left_out = curve_plans(first.collective, machine, sizes, [setup.algorithm], options)
            if left_out:
                raise SpecError(f"{first.label}: {left_out[0]} B round to 0 B for each rank, as nccl-tests rounds")
            kinds = [n.kind for n in machine.all_networks()]
            plans = [self._with(plan, stack, kinds, setup, values) for plan in plans]
            runs = {size: self._run(plan) for size, plan in zip(sizes, plans, strict=True)}
            by_size = dict(zip(sizes, plans, strict=True))
            for n in numbers:
                result = runs[self.rows[n].size]
                spec = by_size[self.rows[n].size].spec
                kept = {"algorithm": result.algorithm, "fidelity": "analytic", "lanes": result.effective["lanes"]}
                plan = replace(by_size[self.rows[n].size], spec=_changed(spec, **kept), software=stack)
                plan = replace(plan, spec=_changed(plan.spec, stack=stack.to_spec(kinds, result.protocol)[0]))
                analytic = core.simulate(encode(plan.spec), placement=None).time_fs
                anchors[n] = _Anchor(plan, result.time_fs / max(analytic, 1), result.time_fs, result.protocol)
        self._anchors = [a for a in anchors if a is not None]
        if not self.constants:
            self.constants = self._candidates()
        return [self._per_call(n, values, a.device_fs) for n, a in enumerate(self._anchors)]

    def _run(self, plan: Plan) -> Result:
        """Run a plan, or return what it gave before."""
        key = encode(plan.spec)
        if key not in self._runs:
            self._runs[key] = run_plan(plan)
        return self._runs[key]

    @property
    def protocols(self) -> list[str]:
        """Protocol of each row at the anchor."""
        return [a.protocol for a in self._anchors]

    def predict(self, number: int, values: Values) -> float:
        """Return the time per call of a row in nanoseconds, for any values."""
        anchor = self._anchors[number]
        changes = _of_stack(values, self.constants, anchor.protocol)
        spec = anchor.plan.spec
        # the specification without the values of the anchor: what was predicted counts at other anchors, too
        own = (number, spec.algorithm, spec.lanes, anchor.protocol)
        key = (*own, *sorted(changes.items()), _hop_of(values, self.hop_label(number)))
        if key not in self._memo:
            kinds = [n.kind for n in anchor.plan.system.all_networks()]
            stack = self.stack.replaced(changes)
            plan = self._with(anchor.plan, stack, kinds, self.rows[number].setup, values, anchor.protocol)
            self._memo[key] = core.simulate(encode(plan.spec), placement=None).time_fs
        return self._per_call(number, values, self._memo[key] * anchor.ratio)

    def predictions(self, values: Values, numbers: Sequence[int]) -> list[float]:
        """Return the times per call of several rows."""
        return [self.predict(n, values) for n in numbers]

    def host_label(self, number: int) -> str | None:
        """Return what names the processor of a row; ``None`` where no host is in the way, or it is given."""
        setup = self.rows[number].setup
        if setup.devices_per_thread is None or setup.graph or "host_launch" in setup.set:
            return None
        return setup.host or setup.system.partition(":")[0]

    def hop_label(self, number: int) -> str | None:
        """Return what names the NICs of a row; ``None`` where it leaves no unit, or they are given."""
        setup, machine = self.rows[number].setup, self._machines[number]
        if "nic_hop" in setup.set or not any(n.kind == "net" for n in machine.all_networks()):
            return None
        return setup.transport or setup.name

    def _per_call(self, number: int, values: Values, device_fs: float) -> float:
        row = self.rows[number]
        setup = row.setup
        if setup.devices_per_thread is None or setup.graph:
            return device_fs / 1e6
        host = self._machines[number].host
        label = self.host_label(number)
        own = _LAUNCH_FS if host is None else host.launch_fs()
        launch = own if label is None else values.get(f"host_launch[{label}]", own)
        return Launch(round(launch), min(setup.devices_per_thread, row.ranks), _CALLS).per_call(round(device_fs)) / 1e6

    def _with(
        self, plan: Plan, stack: Stack, kinds: list[str], setup: Setup, values: Values, protocol: str | None = None
    ) -> Plan:
        """Return a plan with the values of constants in its specification."""
        chosen = protocol or setup.protocol
        spec = _changed(plan.spec, stack=stack.to_spec(kinds, chosen)[0])
        label = setup.transport or setup.name
        hop = None if "nic_hop" in setup.set else _hop_of(values, label)
        if hop is not None:
            networks = [
                msgspec.structs.replace(n, transport=TransportSpec(hop)) if kind == "net" else n
                for n, kind in zip(spec.system.networks, kinds, strict=True)
            ]
            spec = _changed(spec, system=msgspec.structs.replace(spec.system, networks=networks))
        return replace(plan, spec=spec)

    def _candidates(self) -> dict[str, Constant]:
        """List what the rows could determine."""
        ran: dict[str, set[str]] = {}
        found: dict[str, Constant] = {}
        for anchor in self._anchors:
            kinds = {n.kind for n in anchor.plan.system.all_networks()}
            ran.setdefault(anchor.protocol, set()).update(kinds)
        found |= stack_constants(self.stack, ran)
        for number, machine in self._machines.items():
            label = self.host_label(number)
            if label is not None:
                own = _LAUNCH_FS if machine.host is None else machine.host.launch_fs()
                constant = host_constant(label, own, _middle(machine, "host_launch", _LAUNCH_FS))
                found.setdefault(constant.name, constant)
            label = self.hop_label(number)
            if label is not None:
                nets = [n for n in machine.all_networks() if n.kind == "net"]
                hop = nets[-1].spec.transport.latency_fs
                constant = hop_constant(label, hop, _middle(machine, "nic_hop", hop))
                found.setdefault(constant.name, constant)
        return found


def _middle(machine: System, name: str, otherwise: float) -> float:
    """Return the middle of the range of a parameter."""
    for ranged in machine.ranged():
        if ranged.name == name:
            return sum(parse_time(end, name, zero=True) for end in (ranged.low, ranged.high)) / 2
    return float(otherwise)


def _of_stack(values: Values, constants: Mapping[str, Constant], protocol: str | None = None) -> dict[str, Any]:
    """Return the values that are of the stack, and of one protocol if that is given."""
    return {
        name: constants[name].quantity(value)
        for name, value in values.items()
        if constants[name].kind == "stack" and (protocol is None or name.startswith(f"{protocol}."))
    }


def _hop_of(values: Values, label: str | None) -> int | None:
    value = None if label is None else values.get(f"nic_hop[{label}]")
    return None if value is None else round(value)


def _changed(struct: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(struct, **changes)


def _plain(setup: Setup) -> dict[str, Any]:
    return {key: str(value) for key, value in vars(setup).items()}
