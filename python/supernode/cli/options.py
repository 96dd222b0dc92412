"""Options of the command line that several commands share: every keyword of ``simulate``, under the same name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Annotated, Any, Optional

import typer

from supernode import core
from supernode.cli.headings import CHOICE, FABRIC, OUTPUT, RANKS, SPEED
from supernode.errors import SpecError, SupernodeError
from supernode.fabric.base import ROUTINGS
from supernode.library.dtypes import DTYPES
from supernode.library.stack import stacks
from supernode.quoting import quote
from supernode.run.options import FIDELITIES, FLOW_CONTROLS, RECORDS, RunOptions
from supernode.system import System
from supernode.units import Quantity

__all__ = ["build_system", "completing", "overrides_of", "with_run_options"]

# (keyword of simulate, type, flags, what stands for the value, heading, help)
_TABLE: tuple[tuple[str, Any, tuple[str, ...], str | None, str, str], ...] = (
    ("algorithm", str, ("--algo", "--algorithm"), "NAME", CHOICE,
     "Algorithm [default: auto, the fastest by simulation]; bench takes several, with commas."),
    ("stack", str, ("--stack",), "NAME", CHOICE, "Software stack: nccl, hccl, or none, which costs nothing."),
    ("protocol", str, ("--protocol",), "NAME", CHOICE, "Protocol of the stack [default: auto]."),
    ("lanes", int, ("--lanes",), "N", CHOICE, "Parallel channels."),
    ("chunks", int, ("--chunks",), "N", CHOICE, "Pipelined chunks of a lane."),
    ("levels", str, ("--levels",), "N,N...", CHOICE, "Group sizes of the hierarchical algorithm, innermost first."),
    ("budget", str, ("--budget",), "TIME", CHOICE, "Processor time that auto and best may take [default: 30 s]."),
    ("ranks", int, ("--ranks",), "N", RANKS, "Ranks taking part [default: one per accelerator]."),
    ("placement", str, ("--placement",), "N,N...", RANKS, "Accelerator of each rank."),
    ("root", int, ("--root", "-r"), "RANK", RANKS, "Root of rooted collectives [default: 0]."),
    ("dtype", str, ("--dtype", "--datatype", "-d"), "TYPE", RANKS, "Element type [default: float32]."),
    ("routing", str, ("--routing",), "NAME", FABRIC,
     "d_mod_k, s_mod_k, ecmp, spray_round_robin, spray_random; graphs: adaptive, valiant, ugal."),
    ("flow_control", str, ("--flow-control",), "NAME", FABRIC, "credit or unlimited."),
    ("fidelity", str, ("--fidelity",), "NAME", SPEED, "auto, packet, flow or analytic [default: auto]."),
    ("fold", bool, ("--fold/--no-fold",), None, SPEED, "Simulate one of each class where the run has a symmetry."),
    ("skip", bool, ("--skip/--no-skip",), None, SPEED, "Jump over periods that repeat; exact."),
    ("self_check", bool, ("--self-check/--no-self-check",), None, SPEED, "Compare a small case with the same in full."),
    ("uncertainty", bool, ("--uncertainty/--no-uncertainty",), None, SPEED,
     "Run what has a range at both ends of it: shortest and longest time."),
    ("threads", int, ("--threads",), "N", SPEED, "Worker threads; 0 chooses [default: 0]."),
    ("seed", int, ("--seed",), "N", SPEED, "Seed of every random choice [default: 0]."),
    ("time_limit", str, ("--time-limit",), "TIME", SPEED, "Simulated time at which to stop, e.g. '1 s'."),
    ("timeout", str, ("--timeout", "-T"), "TIME", SPEED, "Wall-clock time at which to stop: seconds, or '2 s'."),
    ("memory_limit", str, ("--memory-limit",), "SIZE", SPEED, "Memory of a run [default: 80 % of what is free]."),
    ("progress", bool, ("--progress/--no-progress",), None, SPEED, "Progress bar on stderr."),
    ("record", str, ("--record",), "NAMES", OUTPUT, "Tables to keep, with commas: ranks,levels,links,switches,flows."),
)  # fmt: skip


def completing(names: Callable[[], Sequence[str]], *, commas: bool = False) -> Callable[[str], list[str]]:
    """Return what completes a word in a shell: the names that begin with it.

    Parameters
    ----------
    names
        The names.
    commas
        Whether a word may have several, with commas: then its last one is completed.
    """

    def found(incomplete: str) -> list[str]:
        before, comma, word = incomplete.rpartition(",") if commas else ("", "", incomplete)
        return [f"{before}{comma}{name}" for name in names() if name.startswith(word)]

    return found


def with_run_options(
    *, idle: Collection[str] = (), more: Sequence[inspect.Parameter] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each keyword of ``simulate``.

    The command receives those that were given as its keyword ``options``, ready for ``simulate``.

    Parameters
    ----------
    idle
        Keywords that mean nothing to the command: it has no such options.
    more
        Further options, which the command receives as its keyword ``more``.
    """
    return lambda command: _with_options(command, [row for row in _TABLE if row[0] not in idle], more)


def _with_options(
    command: Callable[..., None],
    table: Sequence[tuple[str, Any, tuple[str, ...], str | None, str, str]],
    more: Sequence[inspect.Parameter],
) -> Callable[..., None]:
    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name, *_ in table}
        if more:
            arguments["more"] = {p.name: arguments.pop(p.name) for p in more}
        options: Any = {name: value for name, value in given.items() if value is not None}
        if "placement" in options:
            options["placement"] = _placement(options["placement"])
        if "timeout" in options:
            options["timeout"] = _seconds(options["timeout"])
        command(**arguments, options=options)

    hidden = ("options", "more")
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name not in hidden]
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            # typer reads the annotation at run time and wants this spelling of "or None"
            annotation=Annotated[
                Optional[kind],  # noqa: UP045
                typer.Option(*flags, metavar=metavar, rich_help_panel=panel, help=text, **_complete(name)),
            ],
        )
        for name, kind, flags, metavar, panel, text in table
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared + list(more)
    setattr(wrapped, "__signature__", inspect.Signature(parameters))  # noqa: B010
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapped


def _complete(name: str) -> dict[str, Any]:
    """Return the arguments of an option: its values complete in a shell where they are a closed list."""
    values: dict[str, Callable[[], Sequence[str]]] = {
        "algorithm": core.algorithms,
        "dtype": lambda: list(DTYPES),
        "fidelity": lambda: FIDELITIES,
        "flow_control": lambda: FLOW_CONTROLS,
        "record": lambda: RECORDS,
        "routing": lambda: ROUTINGS,
        "stack": stacks,
    }
    several = name in ("algorithm", "record")
    more = {"autocompletion": completing(values[name], commas=several)} if name in values else {}
    return {"show_default": False, **more}


def check_complete() -> set[str]:
    """Return the keywords of ``simulate`` that the table lacks; a test holds it empty."""
    return set(RunOptions.__annotations__) ^ {name for name, *_ in _TABLE}


def overrides_of(settings: Sequence[str] | None) -> dict[str, Quantity | bool]:
    """Read ``NAME=VALUE`` settings; whole numbers and booleans become such."""
    found: dict[str, Quantity | bool] = {}
    for setting in settings or ():
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise SpecError(f"--set {quote(setting)} is not NAME=VALUE; for example --set link_latency='300 ns'")
        if name.strip() in found:
            raise SpecError(f"--set {name.strip()} is given twice")
        found[name.strip()] = _value(text.strip())
    return found


def build_system(name: str, settings: Sequence[str] | None) -> System:
    """Load a preset with the overrides of ``--set``."""
    overrides = overrides_of(settings)
    try:
        return System.preset(name, **overrides)
    except SupernodeError as error:
        # the library names the override; who typed it has to find the option
        if any(str(error).startswith(f"{name}: ") for name in overrides):
            raise type(error)(f"--set {error}") from None
        raise


def _value(text: str) -> Quantity | bool:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return text


def _placement(text: str) -> Any:
    import numpy as np  # it takes longer to import than a shell may wait for names

    try:
        return np.array([int(part) for part in text.split(",")], dtype=np.int64)
    except (ValueError, OverflowError):
        raise SpecError(f"placement: {quote(text)} is not a list of numbers with commas") from None


def _seconds(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def split_options(options: RunOptions) -> tuple[dict[str, Any], list[str]]:
    """Take the algorithms out of the options of a bench."""
    rest: dict[str, Any] = dict(options)
    names = str(rest.pop("algorithm", "auto"))
    return rest, [n.strip() for n in names.split(",") if n.strip()]
