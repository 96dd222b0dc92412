"""Options of nccl-tests that ``supernode bench`` takes over, or answers with a hint.

``-b -e -i -f -d -r -J`` mean the same in both. ``-g`` and ``-t`` count ranks. The others say how to measure, which a
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

__all__ = ["IDLE", "check_operation", "parameters", "ranks_of", "remarks"]

_EXACT = "a simulation gives the same time in every iteration"
_ONE = "one model stands for all of these"

#: Parameter, flags, and why it has no effect.
IDLE: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("iters", ("-n", "--iters"), _EXACT),
    ("warmup_iters", ("-w", "--warmup_iters"), _EXACT),
    ("agg_iters", ("-m", "--agg_iters"), _EXACT),
    ("average", ("-a", "--average"), "all ranks are timed together, from the first start to the last end"),
    ("check_data", ("-c", "--check"), "'supernode check' proves the schedule instead"),
    ("parallel_init", ("-p", "--parallel_init"), "setting up is not simulated"),
    ("blocking", ("-z", "--blocking"), _ONE),
    ("cudagraph", ("-G", "--cudagraph"), _ONE),
    ("report_cputime", ("-C", "--report_cputime"), "the time of a host's processor is not simulated"),
    ("local_register", ("-R", "--local_register"), _ONE),
)

#: What ``-o`` of nccl-tests may be.
_OPERATIONS = ("sum", "prod", "min", "max", "avg", "mulsum", "all")


def parameters() -> list[inspect.Parameter]:
    """Return the options, for the signature of a command."""
    counts = (
        ("ngpus", ("-g", "--ngpus"), "GPUs per thread, as in nccl-tests; -t times -g is --ranks."),
        ("nthreads", ("-t", "--nthreads"), "Threads per process, as in nccl-tests."),
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


def remarks(given: Mapping[str, Any]) -> list[str]:
    """Name the options that have no effect here."""
    return [
        f"{flags[0]} {given[name]} has no effect: {why}" for name, flags, why in IDLE if given.get(name) is not None
    ]


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
