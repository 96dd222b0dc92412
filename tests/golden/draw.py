"""Random cases: small machines of every family, any collective and algorithm, and runs of every preset.

What is drawn is written down as text, so cases stay what they are when this file or the fuzzer changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import supernode as sn
from fuzz.machines import any_machine
from fuzz.runs import Case, Refused, draw_case
from golden.outcome import TABLES
from supernode import core

__all__ = ["Drawn", "draw"]

#: Text of the system, collective, keywords.
Drawn = tuple[str, str, dict[str, Any]]


def draw(count: int, seed: int) -> Iterator[Drawn]:
    """Give so many random cases, then those of the presets."""
    rng = Random(seed)  # noqa: S311 - reproducible
    given = 0
    while given < count:
        try:
            case = draw_case(rng, any_machine(rng))
        except Refused:
            continue
        yield case.machine.text, case.collective, _options(rng, case)
        given += 1
    for preset in sn.systems():
        for collective, size in (("all_reduce", 2**20), ("all_gather", 2**22), ("barrier", None)):
            options: dict[str, Any] = {"record": ["levels"], "budget": "0.5 s"}
            yield preset, collective, options | ({} if size is None else {"size": size})


def _options(rng: Random, case: Case) -> dict[str, Any]:
    """Vary how closely a case is looked at, who chooses, and what is wrong with it."""
    options = {**case.options, "record": list(TABLES), "fidelity": "packet"}
    fidelity = rng.random()
    if fidelity < 0.15:
        options["fidelity"] = "flow"
    elif fidelity < 0.2:
        options |= {"fidelity": "analytic", "record": []}
    elif fidelity < 0.3:
        options |= {"fidelity": "auto", "budget": "20 ms"}
    choice = rng.random()
    if choice < 0.15:
        options |= {"algorithm": rng.choice(("auto", "best")), "stack": "nccl", "budget": "50 ms"}
    elif choice < 0.2:
        options["algorithm"] = rng.choice(core.algorithms())  # many of these cannot run
    if rng.random() < 0.05:
        options["time_limit"] = f"{rng.choice((1, 5, 20))} us"
    if rng.random() < 0.15:
        options["fold"] = False
    if rng.random() < 0.15:
        options["skip"] = False
    return options
