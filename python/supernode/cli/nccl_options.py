"""Options of nccl-tests that ``supernode bench`` takes over, or answers with a hint.

``-b -e -i -f -d -r -J`` mean the same in both. ``-g`` and ``-t`` count ranks and say how calls are launched; with them
``-n`` counts calls back to back, and ``-G`` captures them. The others say how to measure, which a
simulation does not have to: they are taken, so that a command line of nccl-tests runs as it is, and named as without
effect. ``-o`` is the exception: here it names the output folder.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from supernode.cli.headings import RANKS
from supernode.errors import SpecError

__all__ = ["IDLE", "check_operation", "launch_of", "parameters", "ranks_of", "remarks"]

_EXACT = "a simulation gives the same time in every iteration"
_ONE = "one model stands for all of these"

#: Parameter, flags, and why it has no effect.
IDLE: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("warmup_iters", ("-w", "--warmup_iters"), _EXACT),
    ("agg_iters", ("-m", "--agg_iters"), _EXACT),
    ("average", ("-a", "--average"), "all ranks are timed together, from the first start to the last end"),
    ("check_data", ("-c", "--check"), "'supernode check' proves the schedule instead"),
    ("parallel_init", ("-p", "--parallel_init"), "setting up is not simulated"),
    ("blocking", ("-z", "--blocking"), _ONE),
    ("report_cputime", ("-C", "--report_cputime"), "the time of a host's processor is not simulated"),
    ("local_register", ("-R", "--local_register"), _ONE),
)

#: What ``-o`` of nccl-tests may be.
_OPERATIONS = ("sum", "prod", "min", "max", "avg", "mulsum", "all")


def parameters() -> list[inspect.Parameter]:
    """Return the options, for the signature of a command."""
    counts = (
        ("ngpus", ("-g", "--ngpus"), "GPUs that each thread launches calls on; -t times -g is --ranks."),
        ("nthreads", ("-t", "--nthreads"), "Threads that launch calls."),
        ("iters", ("-n", "--iters"), "Calls back to back, with -g or -t [default: 20]."),
        ("cudagraph", ("-G", "--cudagraph"), "Calls are captured in a graph if this is above 0, with -g or -t."),
    )
    found = [_parameter(name, int, flags, text, hidden=False) for name, flags, text in counts]
    return found + [_parameter(name, str, flags, "", hidden=True) for name, flags, _ in IDLE]


def _parameter(name: str, kind: type, flags: tuple[str, ...], text: str, *, hidden: bool) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        # typer reads the annotation at run time and wants this spelling of "or None"
        annotation=Annotated[
            kind | None,
            typer.Option(*flags, metavar="N", rich_help_panel=RANKS, help=text, show_default=False, hidden=hidden),
        ],
    )


def ranks_of(given: Mapping[str, Any]) -> int | None:
    """Return the ranks that ``-g`` and ``-t`` ask for, ``None`` if neither is given.

    Raises
    ------
    SpecError
        If they are not positive, or make one rank: what nccl-tests runs as one process of many.
    """
    gpus, threads = given.get("ngpus"), given.get("nthreads")
    if gpus is None and threads is None:
        return None
    for flag, value in (("-g", gpus), ("-t", threads)):
        if value is not None and value < 1:
            raise SpecError(f"{flag} {value} is not valid; it must be at least 1")
    ranks: int = (1 if gpus is None else gpus) * (1 if threads is None else threads)
    if ranks == 1:
        raise SpecError(
            "-g 1 is one rank of each process of nccl-tests, and their number is not known here; leave it out to use "
            "all accelerators, or give --ranks"
        )
    return ranks


def launch_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a bench that say how calls are launched; none without ``-g`` and ``-t``.

    Raises
    ------
    SpecError
        If there are no calls.
    """
    gpus, threads, iters, graph = (given.get(name) for name in ("ngpus", "nthreads", "iters", "cudagraph"))
    if gpus is None and threads is None:
        return {}
    if iters is not None and iters < 1:
        raise SpecError(f"-n {iters} is not valid; it must be at least 1")
    return {"devices_per_thread": 1 if gpus is None else gpus, "calls": iters, "graph": bool(graph)}


def remarks(given: Mapping[str, Any]) -> list[str]:
    """Name the options that have no effect here."""
    idle = [(flags[0], given.get(name), why) for name, flags, why in IDLE]
    if not launch_of(given):
        why = "without -g or -t no host launches calls"
        idle += [("-n", given.get("iters"), why), ("-G", given.get("cudagraph"), why)]
    return [f"{flag} {value} has no effect: {why}" for flag, value, why in idle if value is not None]


def check_operation(output: object) -> None:
    """Refuse an output folder that is an operation of nccl-tests.

    Raises
    ------
    SpecError
        If it is one.
    """
    if str(output) in _OPERATIONS:
        raise SpecError(
            f"-o {output} is an operation of nccl-tests; here -o names the output folder, and every operation takes "
            "the same time: leave it out, or give the whole path of a folder of that name"
        )
