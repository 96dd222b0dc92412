"""Cases on several processes: what they find is printed as it comes, with what repeats it.

Every worker takes numbers of cases from a queue and says which one it starts, so that a case that hangs, aborts or is killed
for its memory is known by its number. A case may take four minutes, so that a busy machine is no finding; a worker may have 8 GiB of addresses.
"""

from __future__ import annotations

import faulthandler
import multiprocessing as mp
import resource
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from fuzz.differential import Measure, differential
from fuzz.judge import judge
from fuzz.mutation import mutation

__all__ = ["FUZZERS", "Report", "one", "run_all"]

FUZZERS: dict[str, Callable[[int], tuple[str, Any]]] = {"differential": differential, "mutation": mutation}

#: Seconds that a case may take, and bytes of addresses that a worker may have.
CASE_S = 240
ADDRESSES = 8 * 2**30

#: Cases that a worker takes at a time.
CHUNK = 20


def one(fuzzer: str, seed: int) -> tuple[str, Any, str | None]:
    """Run a case; return its kind, what it measured, and the finding if there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            kind, measures = FUZZERS[fuzzer](seed)
        except Exception as error:  # any error is a finding
            own = type(error).__name__ == "Finding"
            return "found", [], str(error) if own else traceback.format_exc()
    return kind, measures, None


def work(tasks: Connection) -> None:
    """Take chunks of cases until there are none."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    while (task := tasks.recv()) is not None:
        fuzzer, seeds = task
        for seed in seeds:
            tasks.send(("start", fuzzer, seed))
            faulthandler.dump_traceback_later(CASE_S, exit=True)
            tasks.send(("end", fuzzer, seed, *one(fuzzer, seed)))
            faulthandler.cancel_dump_traceback_later()
        tasks.send(("idle",))


class Report:
    """Counts cases, prints findings as they come, and keeps what was measured."""

    def __init__(self) -> None:
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.measures: list[tuple[int, Measure]] = []
        self.findings = 0

    def add(self, fuzzer: str, seed: int, kind: str, measures: list[Measure], finding: str | None) -> None:
        """Take in one case."""
        self.kinds[fuzzer, kind] += 1
        self.measures += [(seed, measure) for measure in measures]
        if finding is not None:
            self.findings += 1
            print(
                f"\nFOUND by {fuzzer} {seed}: {finding}\nagain: PYTHONPATH=tests python -m fuzz --only {fuzzer} --case {seed}",
                flush=True,
            )

    def close(self) -> int:
        """Print the counts and the judgement over all cases; return the findings."""
        for text in judge(self.measures):
            self.findings += 1
            print(f"\nFOUND over all cases: {text}", flush=True)
        for (fuzzer, kind), count in sorted(self.kinds.items()):
            print(f"{fuzzer:<14} {kind:<28} {count:>7}")
        print(f"{sum(self.kinds.values())} cases, {self.findings} findings")
        return self.findings


def run_all(fuzzers: list[str], first: int, cases: int, processes: int) -> int:
    """Run cases of all fuzzers; return the number of findings."""
    todo = [(f, range(s, min(s + CHUNK, first + cases))) for s in range(first, first + cases, CHUNK) for f in fuzzers]
    todo.reverse()
    report = Report()
    context = mp.get_context("spawn")
    workers: dict[Connection, tuple[Any, list[Any]]] = {}
    started: set[Connection] = set()

    def hire() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        workers[ours] = (process, [])
        give(ours)

    def give(pipe: Connection) -> None:
        process, _ = workers[pipe]
        task = todo.pop() if todo else None
        workers[pipe] = (process, [] if task is None else [task[0], *task[1]])
        pipe.send(task)

    for _ in range(min(processes, len(todo))):
        hire()
    while workers:
        for pipe in wait(list(workers)):
            assert isinstance(pipe, Connection)
            process, left = workers[pipe]
            try:
                message = pipe.recv()
            except (EOFError, ConnectionResetError):
                process.join()
                del workers[pipe]
                if pipe not in started:
                    raise RuntimeError(f"a worker ended with code {process.exitcode} before its first case") from None
                if left:
                    fuzzer, seed, *rest = left
                    report.add(
                        fuzzer, seed, "found", [], f"the process ended with code {process.exitcode}: a hang or abort"
                    )
                    if rest:
                        todo.append((fuzzer, range(rest[0], rest[-1] + 1)))
                if todo:
                    hire()
                continue
            started.add(pipe)
            if message[0] == "end":
                _, fuzzer, seed, kind, measures, finding = message
                left.remove(seed)
                report.add(fuzzer, seed, kind, measures, finding)
            elif message[0] == "idle":
                give(pipe)
    return report.close()
