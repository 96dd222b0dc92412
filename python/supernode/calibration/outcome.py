"""What a calibration found, in words, as tables and as a stack file.

**Invariant.** The stack file gives the predictions of the fit: values are written as they were simulated. Every value
that was fitted names its interval and what stood there before, and the file names the measured files with their
hashes. **Limits.** Launches of hosts and what NICs add belong to systems and not to stacks. They stand in the file as
comments.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supernode.calibration.constants import Constant
from supernode.calibration.fit import Fit
from supernode.calibration.leftout import LeftOut
from supernode.calibration.model import Model, error_of
from supernode.core import versions
from supernode.files.text import as_path, read_bytes
from supernode.files.toml import toml_value
from supernode.files.write import check_file, write_bytes
from supernode.library.stack import Stack, StackFile, StackValue
from supernode.marks import Source

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Calibration", "Found", "hashes"]

#: Name of the source of fitted values in a stack file.
_SOURCE = "calibration"


@dataclass(frozen=True)
class Found:
    """A constant that was fitted.

    Parameters
    ----------
    constant
        Name, bounds, and what stood there before.
    value
        What was found: femtoseconds, or the expansion on the wire.
    low, high
        Values whose loss is within 5 % of the least, the other constants fixed.
    rows
        Rows whose prediction it moves between its bounds.
    systems
        Names of the systems that these rows are of.
    """

    constant: Constant
    value: float
    low: float
    high: float
    rows: int
    systems: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the constant."""
        return self.constant.name

    @property
    def text(self) -> str:
        """The value with its unit."""
        return self.constant.text(self.value)


@dataclass(frozen=True)
class Calibration:
    """What measured times say of the constants of a stack, of hosts and of NICs.

    Parameters
    ----------
    model
        Rows and what predicts them.
    fit
        Values of all constants.
    found
        Those that were fitted.
    refused
        Those that were not, each with the reason.
    influence
        For each fitted constant the rows whose prediction it moves, and by what share.
    loss_before, loss_after
        Mean of abs(log(predicted / measured)) of runs with the constants as they were and as they were found.
    before_ns, after_ns
        Predicted time per call of each row.
    sources
        Measured files, each with its hash.
    left_out
        What was found without each system in turn, if that was asked for.
    """

    model: Model = field(repr=False)
    fit: Fit = field(repr=False)
    found: tuple[Found, ...]
    refused: Mapping[str, str]
    influence: Mapping[str, Mapping[int, float]] = field(repr=False)
    loss_before: float
    loss_after: float
    before_ns: tuple[float, ...] = field(repr=False)
    after_ns: tuple[float, ...] = field(repr=False)
    sources: Mapping[str, str]
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)

    @property
    def stack(self) -> Stack:
        """The stack with the values that were found."""
        soft = [f for f in self.found if f.constant.kind == "stack"]
        changed = self.model.stack.replaced({f.name: f.constant.quantity(f.value) for f in soft})
        return Stack(_marked(changed.file, self.model.stack.file, soft, self._source()))

    @property
    def sensitivities(self) -> pa.Table:
        """Which rows determine which constant: a row for each measured time and constant that moves its prediction."""
        import pyarrow as pa

        listed = [
            {
                "constant": name,
                "system": self.model.rows[n].setup.name,
                "collective": self.model.rows[n].collective,
                "ranks": self.model.rows[n].ranks,
                "size_bytes": self.model.rows[n].size,
                "protocol": self.model.protocols[n],
                "moved": moved,
            }
            for name, rows in self.influence.items()
            for n, moved in rows.items()
        ]
        kinds = {"ranks": pa.uint32(), "size_bytes": pa.uint64(), "moved": pa.float64()}
        names = ("constant", "system", "collective", "ranks", "size_bytes", "protocol", "moved")
        return pa.Table.from_pylist(listed, schema=pa.schema([(name, kinds.get(name, pa.string())) for name in names]))

    @property
    def predictions(self) -> pa.Table:
        """Measured and predicted time of every row, before and after, and with its system left out if that was done."""
        import pyarrow as pa

        out = {
            n: (a, b)
            for one in self.left_out
            for n, a, b in zip(one.numbers, one.predicted_ns, one.given_ns, strict=True)
        }
        listed = []
        for n, row in enumerate(self.model.rows):
            times = {"before": self.before_ns[n], "after": self.after_ns[n], "left_out": None, "given": None}
            if n in out:
                times["left_out"], times["given"] = out[n]
            listed.append(
                {
                    "system": row.setup.name,
                    "collective": row.collective,
                    "ranks": row.ranks,
                    "size_bytes": row.size,
                    "measured_ns": row.time_ns,
                    **{f"{name}_ns": time for name, time in times.items()},
                    **{f"error_{n}": None if time is None else error_of(row, time) for n, time in times.items()},
                }
            )
        return pa.Table.from_pylist(listed)

    def __str__(self) -> str:
        lines = [
            f"{len(self.model.rows)} measured times of {len(_systems(self))} systems, stack {self.model.stack.name}"
        ]
        for word, loss, times in (
            ("before", self.loss_before, self.before_ns),
            ("after", self.loss_after, self.after_ns),
        ):
            lines.append(f"{word:<7} loss {loss:.4f}, {_summary(self._errors(times))}")
        for given in (False, True) if self.left_out else ():
            errors = [e for one in self.left_out for e in one.errors(self.model, given=given)]
            lines.append(f"one system left out{', its host and NICs given' if given else ''}: {_summary(errors)}")
        lines += ["", f"{'constant':<28} {'before':>10} {'found':>10}   {'as good':<24} rows  determined by"]
        for f in self.found:
            c = f.constant
            ends = f"{c.text(f.low)} to {c.text(f.high)}"
            lines.append(f"{f.name:<28} {c.text(c.start):>10} {f.text:>10}   {ends:<24} {f.rows:>4}  {self._by(f)}")
        if self.refused:
            lines += ["", "not fitted:"]
            lines += [f"  {name}: {why}" for name, why in self.refused.items()]
        return "\n".join(lines)

    def _errors(self, times: Sequence[float]) -> list[float]:
        return [error_of(row, time) for row, time in zip(self.model.rows, times, strict=True)]

    def _by(self, found: Found) -> str:
        """Word the rows that determine a constant."""
        parts = []
        for system in found.systems:
            sizes = [
                self.model.rows[n].size for n in self.influence[found.name] if self.model.rows[n].setup.name == system
            ]
            parts.append(f"{system} ({len(sizes)} rows, {min(sizes)} to {max(sizes)} B)")
        return ", ".join(parts)

    def _source(self) -> Source:
        files = "; ".join(f"{name} {digest}" for name, digest in self.sources.items())
        title = (
            f"supernode {versions()['supernode']}, calibrate: {len(self.model.rows)} rows of "
            f"{', '.join(_systems(self))}; loss {self.loss_before:.4f} before, {self.loss_after:.4f} after"
        )
        return Source(title=title, ref=files)

    def to_toml(self) -> str:
        """Return the stack as a file that ``stack="stack.toml"`` loads."""
        hard = [f for f in self.found if f.constant.kind != "stack"]
        lines = ["# Written by supernode calibrate."]
        for f in hard:
            c = f.constant
            lines.append(
                f"# {f.name} = {f.text} ({c.text(f.low)} to {c.text(f.high)}): a value of the system, not here"
            )
        return "\n".join([*lines, *_file(self.stack.file), ""])

    def save(self, path: str | Path) -> Path:
        """Write the stack file, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        target = as_path(path, "output")
        check_file(target)
        write_bytes(target, self.to_toml().encode())
        return target


def _systems(calibration: Calibration) -> list[str]:
    return list(dict.fromkeys(row.setup.name for row in calibration.model.rows))


def _summary(errors: Sequence[float]) -> str:
    size = sorted(abs(e) for e in errors)
    tail = size[min(len(size) - 1, round(0.9 * (len(size) - 1)))]
    return f"median error {statistics.median(size):.1%}, 90th percentile {tail:.1%}"


def _marked(file: StackFile, before: StackFile, soft: Iterable[Found], source: Source) -> StackFile:
    """Give what was fitted its mark, source, range and note."""
    by_name = {f.name: f for f in soft}
    old = dict(Stack(before).values())

    def new(name: str, value: StackValue) -> StackValue:
        if name not in by_name:
            return value
        f = by_name[name]
        c = f.constant
        note = f"fitted on {f.rows} rows of {', '.join(f.systems)}; before: {old[name].value} ({old[name].mark})"
        ends = [c.quantity(f.low), c.quantity(f.high)]
        return StackValue(c.quantity(f.value), "derived", _SOURCE, note, ends)

    protocols = []
    for p in file.protocol:
        raw: dict[str, Any] = {
            "launch": new(f"{p.name}.launch", p.launch),
            "step": {kind: new(f"{p.name}.step.{kind}", v) for kind, v in p.step.items()},
            "hop": {kind: new(f"{p.name}.hop.{kind}", v) for kind, v in p.hop.items()},
        }
        if p.pipeline is not None:
            message = p.pipeline.message and new(f"{p.name}.message", p.pipeline.message)
            stage = new(f"{p.name}.stage", p.pipeline.stage)
            raw["pipeline"] = msgspec.structs.replace(p.pipeline, stage=stage, message=message)
        wire = by_name.get(f"{p.name}.wire")
        if wire is not None:
            c = wire.constant
            said = (
                f"wire fitted on {wire.rows} rows of {', '.join(wire.systems)}: {c.text(wire.low)} to "
                f"{c.text(wire.high)}; before: {c.text(c.start)}"
            )
            raw["note"] = f"{p.note}; {said}" if p.note else said
        protocols.append(msgspec.structs.replace(p, **raw))
    return msgspec.structs.replace(file, protocol=protocols, sources={**file.sources, _SOURCE: source})


def _file(file: StackFile) -> list[str]:
    """Return the lines of a stack file; a table on one line for each value."""
    raw: dict[str, Any] = msgspec.to_builtins(file)
    protocols = raw.pop("protocol")
    plain = {key: value for key, value in raw.items() if not isinstance(value, dict)}
    lines = [f"{key} = {toml_value(value)}" for key, value in plain.items() if value not in ("", [])]
    for key, table in raw.items():
        if isinstance(table, dict) and table:
            lines += ["", f"[{key}]", *(f"{name} = {toml_value(_lean(value))}" for name, value in table.items())]
    for protocol in protocols:
        lines += ["", "[[protocol]]"]
        for key, value in protocol.items():
            if value not in (None, "", {}):
                lines.append(f"{key} = {toml_value(_lean(value))}")
    return lines


def _lean(value: Any) -> Any:
    """Leave out what is empty, at any depth."""
    if isinstance(value, dict):
        return {key: _lean(item) for key, item in value.items() if item not in (None, "")}
    if isinstance(value, list):
        return [_lean(item) for item in value]
    return value


def hashes(paths: Iterable[Path]) -> dict[str, str]:
    """Return the hash of each file by its name."""
    return {
        path.name: f"sha256:{hashlib.sha256(read_bytes(path, 'measurements file')).hexdigest()}"
        for path in dict.fromkeys(paths)
    }
