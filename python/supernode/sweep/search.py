"""The cheapest machine that meets a time.

**Model.** The parameters to choose have lists of values. What a machine costs is an expression over what it consists
of, which is counted without simulating. If there are at most ``trials`` combinations, they are simulated by rising cost
until one meets the time, which is then the cheapest. If there are more, Optuna's tree-structured Parzen estimator
proposes them, and combinations that cost more than the best one so far are not simulated.

**Invariant.** The result depends on the arguments only, unless a ``timeout`` is among them: the sampler has a seed, and
each combination runs once.
**Limits.** Of more than ``trials`` combinations the best one that was found need not be the cheapest of all.

**Source.** Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.
"""

from __future__ import annotations

import inspect
import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supernode.api import simulate
from supernode.errors import MemoryLimitError, SimulationTimeout, SpecError, SupernodeError
from supernode.extras import extra
from supernode.quoting import quote
from supernode.result import Result
from supernode.run.options import RunOptions
from supernode.sweep.axes import value_list
from supernode.sweep.columns import base_units, column_type
from supernode.sweep.design import INVENTORY, expression, facts, values
from supernode.sweep.point import Machines, check_names
from supernode.system import System
from supernode.units import TIME_UNITS, Quantity, parse_time
from supernode.values import parse_whole

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Optimum", "optimise"]

#: Columns of the result that are no parameters.
_OWN = (*INVENTORY, "cost", "time_ns", "state", "error")
#: More combinations than this are taken for a mistake.
_MOST = 10**9


@dataclass(frozen=True)
class Optimum:
    """What a search found.

    Parameters
    ----------
    best
        The row of the cheapest machine that meets the time, of several the fastest, or ``None``.
    proven
        True if no other combination is cheaper and meets the time, or if none at all does. False if some were not
        looked at, have no cost, or ran into a limit of time or memory, as far as they could have been the best.
    frame
        A row per combination that was looked at: the parameters that were chosen, what the machine consists of,
        ``cost``, ``time_ns`` and ``state``: ``"met"``, ``"too slow"``, ``"costs more"`` (not simulated, because a
        cheaper one met the time), ``"no cost"`` (something that the cost needs is unknown) or ``"failed"``, with
        ``error``. Sorted by cost.
    result
        The run of the best.
    """

    best: Mapping[str, Any] | None
    proven: bool
    frame: pl.DataFrame = field(repr=False)
    result: Result | None = field(repr=False)

    def __str__(self) -> str:
        counts = ", ".join(
            f"{count} {state}" for state, count in self.frame["state"].value_counts(sort=True).iter_rows()
        )
        if self.best is None:
            end = "" if self.proven else "; others could: some were not tried, have no cost or ran into a limit"
            return f"none of {self.frame.height} combinations meets the time ({counts}){end}"
        chosen = ", ".join(
            f"{name} = {value}" for name, value in self.best.items() if name in self.frame.columns[: self._n]
        )
        sure = "the cheapest" if self.proven else "the cheapest that was found"
        return f"{chosen}: cost {self.best['cost']:g}, {self.best['time_ns']:g} ns; {sure} ({counts})"

    @property
    def _n(self) -> int:
        return self.frame.columns.index("accelerators")


def optimise(
    base: Mapping[str, Any],
    choose: Mapping[str, Sequence[Any]],
    *,
    within: Quantity,
    cost: str = "switches + optics",
    trials: int = 100,
    seed: int = 0,
) -> Optimum:
    """Find the cheapest machine that does a collective within a time.

    Parameters
    ----------
    base
        Parameters that stay: keywords of :func:`simulate` and ``system.NAME``, as in a :class:`Sweep`. ``system`` may
        also be a function that makes a :class:`System` of parameters to choose. What it raises ends the search, unless
        it is a :class:`SupernodeError`, as of a fabric that cannot be built.
    choose
        The values of each parameter to choose. Names that the function takes, and names that are no parameters of a
        run, are its arguments.
    within
        The longest time, as ``"2 ms"``.
    cost
        SQL expression over what a machine consists of: ``accelerators``, ``switches``, ``links``, ``optics`` (ends of
        optical cables), ``power_w``, ``bisection_gbytes_s``, ``injection_gbytes_s``, and over the parameters chosen.
    trials
        Combinations that are simulated, at most. If there are more, Optuna proposes them
        (``pip install 'supernode[optimise]'``).
    seed
        Seed of what it proposes.

    Returns
    -------
    Optimum
        The best, whether it is proven to be, and a row per combination that was looked at.

    Raises
    ------
    SpecError
        If a parameter is unknown, or the cost is no expression over these columns.
    MissingExtraError
        If Optuna is needed and not there.

    Examples
    --------
    >>> import supernode as sn
    >>> def tree(oversubscription):
    ...     fabric = sn.FatTree(radix=32, tiers=2, link="400 Gbit/s", oversubscription=oversubscription)
    ...     return sn.System("tree").scale_out(fabric, count=128)
    >>> base = {"system": tree, "collective": "all_to_all", "size": "16 MiB", "stack": "none"}
    >>> found = sn.optimise(base, {"oversubscription": [1, 2, 4]}, within="1 ms", cost="switches")
    >>> found.best["oversubscription"], found.best["switches"], found.proven
    (2, 10, True)
    """
    search = _Search(base, choose, parse_time(within, "within") / TIME_UNITS["ns"], cost)
    most = parse_whole(trials, "trials", low=1, high=10**6)
    number = parse_whole(seed, "seed", high=2**32 - 1)
    if search.combinations <= most:
        search.all()
    else:
        search.propose(most, number)
    return search.optimum()


class _Search:
    """The combinations that were looked at."""

    def __init__(self, base: Mapping[str, Any], choose: Mapping[str, Sequence[Any]], within: float, cost: str) -> None:
        for name, given in (("base", base), ("choose", choose)):
            if not isinstance(given, Mapping):
                raise SpecError(f"{name}: {quote(given)} is not valid; it must be a table of parameters")
        self.base = dict(base)
        self.choose = {name: value_list(name, values, "choose") for name, values in choose.items()}
        for name in self.choose:
            if name in self.base:
                raise SpecError(f"{name}: given twice, in base and in choose")
            if name in _OWN:
                raise SpecError(f"choose: {quote(name)} is a column of the result; give the argument another name")
        system = self.base.get("system")
        self.make: Callable[..., object] | None = system if callable(system) else None
        self.arguments = self._arguments()
        valid = {name: [v] for name, v in self.base.items()} | self.choose
        if self.make is not None:
            valid = {name: v for name, v in valid.items() if name not in self.arguments}
        check_names(valid)
        self.combinations = math.prod(map(len, self.choose.values()))
        if self.combinations > _MOST:
            raise SpecError(f"choose: it has {self.combinations} combinations; at most {_MOST} are valid")
        self.within, self.cost = within, cost
        self.columns = {name: [base_units(name, v) for v in options] for name, options in self.choose.items()}
        # a cost that is no number is an error here, not of each combination
        expression(cost, [*INVENTORY, *self.columns], "cost")
        self._priced({name: found[0] for name, found in self.columns.items()} | dict.fromkeys(INVENTORY, 1))
        self.machines = Machines()
        self.rows: dict[tuple[int, ...], dict[str, Any]] = {}
        self.best: tuple[float, tuple[int, ...], Result] | None = None
        #: Costs of combinations that ran into a limit.
        self.undecided: list[float] = []

    def _arguments(self) -> list[str]:
        """Return the parameters that are arguments of the function: all that it takes, and all that no run takes.

        Raises
        ------
        SpecError
            If the function does not take them, or takes more.
        """
        if self.make is None:
            return []
        signature = inspect.signature(self.make)
        run = {*RunOptions.__annotations__, "collective", "size"}
        names = [name for name in self.choose if name in signature.parameters or name not in run]
        try:
            signature.bind(**dict.fromkeys(names))
        except TypeError as error:
            given = ", ".join(names) or "nothing"
            raise SpecError(f"system: the function takes {signature}, and choose has {given} for it: {error}") from None
        return names

    def machine(self, place: tuple[int, ...]) -> tuple[System, dict[str, Any]]:
        """Return the machine of a combination, and the keywords of its run."""
        chosen = {name: options[i] for (name, options), i in zip(self.choose.items(), place, strict=True)}
        point = self.base | chosen
        if self.make is not None:
            point = {name: value for name, value in point.items() if name not in self.arguments}
            found = self.make(**{name: chosen[name] for name in self.arguments})
            if not isinstance(found, System):
                raise TypeError(f"system: the function returned {quote(found)}; it must return a System")
            point["system"] = found
        rest = {name: v for name, v in point.items() if name != "system" and not name.startswith("system.")}
        return self.machines.get(point), {name: v for name, v in rest.items() if v is not None}

    def look(self, place: tuple[int, ...]) -> dict[str, Any]:
        """Count what a combination consists of and costs; no run yet."""
        if place not in self.rows:
            row: dict[str, Any] = {name: self.columns[name][i] for name, i in zip(self.columns, place, strict=True)}
            row |= dict.fromkeys(INVENTORY) | {"cost": None, "time_ns": None, "state": "", "error": None}
            try:
                row |= facts(self.machine(place)[0])
                row["cost"] = self._priced(row)
                row["state"] = "no cost" if row["cost"] is None else ""
            except SupernodeError as error:
                row |= {"state": "failed", "error": f"{type(error).__name__}: {error}"}
            self.rows[place] = row
        return self.rows[place]

    def _priced(self, row: Mapping[str, Any]) -> float | None:
        import polars as pl

        frame = pl.DataFrame({name: [row[name]] for name in (*self.columns, *INVENTORY)})
        price: float | None = values(frame, self.cost, "cost")[0]
        return None if price is None or math.isnan(price) else price

    def run(self, place: tuple[int, ...]) -> None:
        """Simulate a combination, unless it cannot be the best."""
        row = self.look(place)
        if row["state"]:
            return
        if self.best is not None and row["cost"] > self.best[0]:
            row["state"] = "costs more"
            return
        try:
            machine, options = self.machine(place)
            result = simulate(machine, options.pop("collective"), **options)
        except SupernodeError as error:
            row |= {"state": "failed", "error": f"{type(error).__name__}: {error}"}
            if isinstance(error, SimulationTimeout | MemoryLimitError):
                self.undecided.append(row["cost"])
            return
        row |= {"time_ns": result.time_ns, "state": "met" if result.time_ns <= self.within else "too slow"}
        better = self.best is None or (row["cost"], result.time_ns) < (self.best[0], self.best[2].time_ns)
        if row["state"] == "met" and better:
            self.best = (row["cost"], place, result)

    def all(self) -> None:
        """Look at all combinations, by rising cost."""
        places = list(itertools.product(*(range(len(options)) for options in self.choose.values())))
        price = {place: self.look(place)["cost"] for place in places}
        for place in sorted(places, key=lambda place: (price[place] is None, price[place] or 0.0, place)):
            self.run(place)

    def propose(self, trials: int, seed: int) -> None:
        """Look at combinations that Optuna proposes."""
        with extra("optimise", f"{self.combinations} combinations and {trials} trials need Optuna"):
            import optuna

        names = list(self.choose)

        def violations(trial: Any) -> list[float]:
            return [float(trial.user_attrs.get("over", math.inf))]

        with warnings.catch_warnings():
            # by release, constraints are an experiment there, or on their way out
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, constraints_func=violations)
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(sampler=sampler, direction="minimize")
            for _ in range(4 * trials):
                trial = study.ask()
                place = tuple(trial.suggest_categorical(name, list(range(len(self.choose[name])))) for name in names)
                self.run(place)
                row = self.rows[place]
                if row["time_ns"] is not None:
                    # how far it is from the time, as a part of it
                    trial.set_user_attr("over", row["time_ns"] / self.within - 1.0)
                    study.tell(trial, row["cost"])
                else:
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                if len(self.rows) == self.combinations or self._ran() >= trials:
                    break
        finally:
            optuna.logging.set_verbosity(before)

    @property
    def proven(self) -> bool:
        """Whether nothing that was not decided could be better."""
        unpriced = any(row["state"] == "no cost" for row in self.rows.values())
        least = math.inf if self.best is None else self.best[0]
        return len(self.rows) == self.combinations and not unpriced and not any(c <= least for c in self.undecided)

    def _ran(self) -> int:
        return sum(row["time_ns"] is not None for row in self.rows.values())

    def optimum(self) -> Optimum:
        """Put together what was found."""
        import polars as pl

        kinds: dict[str, Any] = {"int64": pl.Int64, "float64": pl.Float64, "bool": pl.Boolean, "null": pl.Null}
        types = {name: kinds.get(column_type(found), pl.String) for name, found in self.columns.items()}
        text = {name for name, kind in types.items() if kind == pl.String}
        schema = types | INVENTORY | {"cost": float, "time_ns": float, "state": str, "error": str}
        rows = [
            {name: str(v) if name in text and v is not None else v for name, v in row.items()}
            for row in self.rows.values()
        ]
        frame = pl.DataFrame(rows, schema=schema).sort("cost", nulls_last=True, maintain_order=True)
        if lacking := sum(row["state"] == "no cost" for row in self.rows.values()):
            warnings.warn(f"optimise: {lacking} of {len(rows)} combinations have no {self.cost}", stacklevel=3)
        if self.best is None:
            return Optimum(None, self.proven, frame, None)
        _, place, result = self.best
        return Optimum(dict(self.rows[place]), self.proven, frame, result)
