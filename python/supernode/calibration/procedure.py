"""From measured files to the constants that they determine.

**Model.** Run all rows with the constants as they are; list the constants that the rows could determine; keep those
that explain most; search; run all rows again with what was found, and if that is not what the search expected, search
once more from there. **Invariant.** The loss that is reported before and after is that of runs, not of the analytic
model that the search moves on. **Limits.** At most eight constants of the stack, because more fit better and predict
worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike

from supernode.calibration.constants import Constant, bounded
from supernode.calibration.fit import Fit, informing, interval, search, settle
from supernode.calibration.leftout import left_out
from supernode.calibration.model import Model, loss_of
from supernode.calibration.outcome import Calibration, Found, hashes
from supernode.calibration.rows import Row, Setup, read_setups, rows_of
from supernode.errors import SpecError
from supernode.files.text import as_path
from supernode.library.collectives import parse_name
from supernode.quoting import quote
from supernode.run.options import parse_fidelity
from supernode.units import Quantity
from supernode.values import parse_flag, parse_whole

__all__ = ["MOST", "calibrate", "fit_rows"]

#: Constants of a stack that are fitted at most.
MOST = 8
#: Searches at most, and how far runs may be from what a search expected for it to be the last.
_SEARCHES, _AS_EXPECTED = 2, 0.02


def calibrate(
    measured: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
    *,
    system: str | None = None,
    rows: str | PathLike[str] | None = None,
    overrides: Mapping[str, Quantity | bool] | None = None,
    collective: str | None = None,
    ranks: int | None = None,
    algorithm: str = "auto",
    protocol: str | None = None,
    devices_per_thread: int | None = None,
    graph: bool = False,
    stack: str | None = None,
    constants: Sequence[str] | None = None,
    most: int = MOST,
    fidelity: str = "auto",
    leave_out: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Calibration:
    """Find the constants of a stack, of hosts and of NICs that measured times determine.

    Parameters
    ----------
    measured
        Files that :func:`supernode.read_measurements` reads; not with ``rows``, whose curves name their own.
    system
        What they were measured on: the name of a preset, with or without a number of units, or the path of a system
        file.
    rows
        A TOML file with a table ``[[curve]]`` for each system that was measured: ``name``, ``system``, ``measured`` (a
        file or a list of files), and where they matter ``set``, ``collective``, ``ranks``, ``algorithm``,
        ``protocol``, ``devices_per_thread``, ``graph``, ``host``, ``transport``.
    overrides
        New values of parameters of the system, as known of it. They are not fitted.
    collective, ranks
        Of files that do not say them.
    algorithm, protocol, devices_per_thread, graph
        How the library was told to run, and how calls were launched, as for :func:`supernode.bench`; by default what
        the files say.
    stack
        The stack to start from; by default that of the systems.
    constants
        Names of the constants to fit, each with bounds or without: ``"ll.launch"``, ``"simple.wire=1.0:1.5"``,
        ``"host_launch[hgx-h100]"``. By default launches of hosts, what NICs add, and the constants of the stack that
        explain most.
    most
        How many constants of the stack are fitted at most, where ``constants`` does not name them.
    fidelity
        Of the runs that are compared with measurements.
    leave_out
        Also refit without each system in turn, and predict what was left out.
    tell
        A function that is told how far it got.

    Returns
    -------
    Calibration
        ``print`` shows which rows determine which constant. :meth:`Calibration.save` writes a stack file.

    Raises
    ------
    SpecError
        If a file, a curve or a constant is not valid, or a constant that was named is not determined by the rows: no
        prediction moves by more than the measured time is rounded.
    """
    if rows is not None:
        given = {
            "measured": measured,
            "system": system,
            "overrides": overrides,
            "collective": collective,
            "ranks": ranks,
            "protocol": protocol,
            "devices_per_thread": devices_per_thread,
        }
        for name, value in given.items():
            if value:
                raise SpecError(f"{name}= has no effect beside rows=: each curve of {quote(str(rows))} says it")
        setups = read_setups(rows)
        files = [place for setup in setups for place in setup.measured]
    else:
        files = [
            as_path(p, "measurements file") for p in ([measured] if isinstance(measured, str | PathLike) else measured)
        ]
        if not files:
            raise SpecError("measured files are missing: give their paths, or rows= with a file that names them")
        if system is None:
            raise SpecError("system: what was measured is not said; give the name of a preset, or rows=")
        if devices_per_thread is not None:
            devices_per_thread = parse_whole(devices_per_thread, "devices_per_thread", low=1, high=2**32 - 1)
        setups = [
            Setup(
                name=system,
                system=system,
                set=dict(overrides or {}),
                algorithm=algorithm,
                protocol=protocol,
                devices_per_thread=devices_per_thread,
                graph=parse_flag(graph, "graph"),
                measured=tuple(files),
                collective=None if collective is None else parse_name(collective),
                ranks=None if ranks is None else parse_whole(ranks, "ranks", low=1, high=2**32 - 1),
            )
        ]
    return fit_rows(
        rows_of(setups),
        sources=hashes(files),
        stack=stack,
        constants=constants,
        most=parse_whole(most, "most", low=1, high=64),
        fidelity=parse_fidelity(fidelity),
        leave_out=parse_flag(leave_out, "leave_out"),
        tell=tell,
    )


def fit_rows(
    rows: Sequence[Row],
    *,
    sources: Mapping[str, str],
    stack: str | None = None,
    constants: Sequence[str] | None = None,
    most: int = MOST,
    fidelity: str = "auto",
    leave_out: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Calibration:
    """Find constants from rows; see :func:`calibrate`. ``sources`` has the hash of each file of measurements."""
    say = tell or (lambda _: None)
    model = Model(rows, stack, fidelity)
    say(f"{len(rows)} rows as they are predicted now")
    before = model.anchor({})
    loss_before = loss_of(rows, before)
    say(f"loss {loss_before:.4f}")
    start = {c.name: c.start for c in model.constants.values()}
    chosen, refused, informed = _chosen(model, constants, most, start)
    model.constants |= {c.name: c for c in chosen}
    everything = range(len(rows))
    best, after, fit = loss_before, before, Fit(start, loss_before, ())
    values: Mapping[str, float] = start
    for _ in range(_SEARCHES if chosen else 0):
        found = search(model, chosen, values, everything, tell)
        say("rows with what was found")
        times = model.anchor(found.values)
        loss, values = loss_of(rows, times), found.values
        say(f"loss {loss:.4f}")
        if loss < best:
            best, after, fit = loss, times, Fit(found.values, loss, found.fitted)
        if abs(loss - found.loss) <= _AS_EXPECTED * found.loss:
            break
    if fit.values is not values:
        model.anchor(fit.values)  # intervals and what is left out are about what is returned
    # with other values rows may run by other protocols
    informed |= {c.name: informing(model, c, fit.values) for c in chosen}
    idle = [c for c in chosen if not informed[c.name]]
    refused |= {c.name: "with the values that were found no row depends on it any more" for c in idle}
    values = {**fit.values, **{c.name: c.start for c in idle}}
    sure = settle(model, [c for c in chosen if c not in idle], values, start, everything)
    refused |= {
        c.name: f"values from {c.text(c.low)} to {c.text(c.high)} are as good"
        for c in chosen
        if c not in idle and c.name not in sure.fitted
    }
    chosen = [c for c in chosen if c.name in sure.fitted]
    if sure.values != fit.values:
        say("rows without what they do not determine")
        after = model.anchor(sure.values)
        fit = Fit(sure.values, loss_of(rows, after), sure.fitted)
        say(f"loss {fit.loss:.4f}")
        informed |= {c.name: informing(model, c, fit.values) for c in chosen}
    else:
        fit = Fit(fit.values, fit.loss, sure.fitted)
    listed = [_found(model, c, fit, informed[c.name]) for c in chosen]
    out = left_out(model, chosen, informed, fit, tell) if leave_out else []
    return Calibration(
        model=model,
        fit=fit,
        found=tuple(listed),
        refused=refused,
        influence={name: informed[name] for name in fit.fitted},
        loss_before=loss_before,
        loss_after=fit.loss,
        before_ns=tuple(before),
        after_ns=tuple(after),
        sources=dict(sources),
        left_out=tuple(out),
    )


def _chosen(
    model: Model, asked: Sequence[str] | None, most: int, start: Mapping[str, float]
) -> tuple[list[Constant], dict[str, str], dict[str, Mapping[int, float]]]:
    """Return what is fitted, what is not and why, and the rows that inform each constant."""
    known, refused = dict(model.constants), {}
    if asked is not None:
        wanted = [bounded(name, known) for name in asked]
        names = [c.name for c in wanted]
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"constant {quote(name)} is named twice")
    else:
        wanted = list(known.values())
    informed: dict[str, Mapping[int, float]] = {c.name: informing(model, c, start) for c in wanted}
    for constant in wanted:
        if not informed[constant.name]:
            said = "no prediction of these rows moves by more than its rounding between its bounds"
            if asked is not None:
                raise SpecError(f"constant {quote(constant.name)} is not determined: {said}")
            refused[constant.name] = said
    fitted = [c for c in wanted if c.name not in refused]
    if asked is not None:
        return fitted, refused, informed
    # the constants of the stack that explain most, each alone
    everything = range(len(model.rows))
    soft = [c for c in fitted if c.kind == "stack"]
    losses = {c.name: search(model, [c], start, everything).loss for c in soft}
    ranked = sorted(soft, key=lambda c: (losses[c.name], c.name))
    for constant in ranked[most:]:
        refused[constant.name] = f"{most} others explain more"
    return [c for c in fitted if c.name not in refused], refused, informed


def _found(model: Model, constant: Constant, fit: Fit, rows: Mapping[int, float]) -> Found:
    low, high = interval(model, constant, fit, range(len(model.rows)))
    systems = tuple(dict.fromkeys(model.rows[n].setup.name for n in sorted(rows)))
    return Found(constant, fit.values[constant.name], low, high, len(rows), systems)
