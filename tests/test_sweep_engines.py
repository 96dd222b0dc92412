"""Sweeps on Dask workers and in MPI jobs: the same frame as on threads, and nothing lost when processes are killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import supernode as sn
from supernode.errors import SpecError, WorkerError
from supernode.sweep import dask

distributed = pytest.importorskip("distributed")

SWEEP = sn.Sweep(
    base={"collective": "all_reduce", "system": "nvl72", "algorithm": "in_network"},
    grid={"size": list(range(1 << 16, (1 << 16) + 100 * 1152, 1152)), "seed": [0, 1]},
)


def frame(folder: Path) -> pl.DataFrame:
    """All points, in an order of their own."""
    return sn.Sweep.scan(folder).sort("id").collect()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The frame that threads give."""
    folder = tmp_path_factory.mktemp("threads")
    SWEEP.run(folder)
    return frame(folder)


@dataclass
class Cluster:
    """A Dask scheduler and two workers, each a process, over TCP on loopback."""

    file: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, command: str, *arguments: str) -> None:
        """Start a process."""
        line = [sys.executable, "-W", "ignore", "-m", f"distributed.cli.{command}", "--scheduler-file", str(self.file)]
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen([*line, "--no-dashboard", *arguments], **quiet))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """See :class:`Cluster`."""
    found = Cluster(tmp_path / "scheduler.json")
    found.start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
    for _ in range(2):
        found.start("dask_worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
    try:
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.wait()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Any]:
    """A client of the two workers."""
    with distributed.Client(scheduler_file=str(cluster.file), timeout=60) as found:
        found.wait_for_workers(2, timeout=60)
        yield found


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches so small that a kill comes in the middle."""
    monkeypatch.setattr("supernode.sweep.batches.BATCH_POINTS", 5)
    monkeypatch.setattr("supernode.sweep.engine.FLUSH_S", 0.05)


@pytest.mark.parametrize("given", ["client", "executor"])
def test_dask_gives_the_frame_of_threads(tmp_path: Path, client: Any, expected: pl.DataFrame, given: str) -> None:
    done = SWEEP.run(tmp_path / "out", executor=client if given == "client" else client.get_executor())
    assert (done.done, done.failed) == (200, 0)
    assert_frame_equal(frame(tmp_path / "out"), expected)


def test_a_killed_worker_loses_no_point(
    tmp_path: Path, client: Any, cluster: Cluster, expected: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    done = SWEEP.run(tmp_path / "out", executor=client, progress=lambda *_: cluster.processes[1].kill())
    assert (done.done, done.failed) == (200, 0)
    assert_frame_equal(frame(tmp_path / "out"), expected)


def test_a_scheduler_that_goes_away_is_an_error_and_the_sweep_goes_on(
    tmp_path: Path, client: Any, cluster: Cluster, expected: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)

    def kill(*_: int) -> None:
        if list(tmp_path.rglob("part-*")):
            cluster.processes[0].kill()

    with pytest.raises(WorkerError, match="run the sweep again to go on"):
        SWEEP.run(tmp_path / "out", executor=client, progress=kill)
    assert 0 < sn.Sweep.status(tmp_path / "out").done < 200
    assert SWEEP.run(tmp_path / "out").done == 200
    assert_frame_equal(frame(tmp_path / "out"), expected)


def test_the_command_line_takes_a_scheduler(tmp_path: Path, client: Any, cluster: Cluster) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(
        '[base]\ncollective = "all_reduce"\nsystem = "hgx-h100"\nalgorithm = "ring"\n[grid]\nsize = [1, 2]\n'
    )
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "supernode",
        "sweep",
        "run",
        str(file),
        "-o",
        str(tmp_path / "out"),
    ]
    for scheduler in (str(cluster.file), client.scheduler.address):
        run = subprocess.run([*command, "--dask", scheduler], capture_output=True, text=True)
        assert run.stdout == "2 of 2 points ran, 0 failed, 0 left\n", run.stderr
    assert len(client.run(os.getpid)) == 2  # the workers are the cluster's own, and both are there


def test_no_scheduler_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_PATIENCE_S", 1)
    for nobody in ("tcp://127.0.0.1:1", "what://x"):
        with pytest.raises(WorkerError, match="no Dask scheduler at"), dask.connected(nobody):
            pass
    with pytest.raises(SpecError, match=r"must be a concurrent\.futures\.Executor or a distributed\.Client"):
        SWEEP.run(tmp_path / "out", executor="tcp://127.0.0.1:1")


#: Run by ``mpiexec -n 3 python -m mpi4py.futures``: one client and two workers. With ``DIE``, a worker kills itself
#: once the first part is written.
MPI = """
import os, signal, sys
from pathlib import Path
from mpi4py.futures import MPIPoolExecutor
from supernode.sweep import batches, engine, task
sys.path.insert(0, TESTS)
from test_sweep_engines import SWEEP

def die(jobs):
    if list(Path(OUT).rglob("part-*")):
        os.kill(os.getpid(), signal.SIGKILL)
    return task.run_batch(jobs)

if __name__ == "__main__":
    if DIE:
        engine.run_batch, batches.BATCH_POINTS, engine.FLUSH_S = die, 5, 0.05
    with MPIPoolExecutor() as executor:
        print(SWEEP.run(OUT, executor=executor))
"""


def test_mpi_gives_the_frame_of_threads_also_after_a_kill(tmp_path: Path, expected: pl.DataFrame) -> None:
    pytest.importorskip("mpi4py")
    launcher = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if launcher is None:
        pytest.skip("mpiexec is not installed")
    script, out = tmp_path / "job.py", tmp_path / "out"
    command = [launcher, "-n", "3", sys.executable, "-W", "ignore", "-m", "mpi4py.futures", str(script)]

    def run(*, die: bool) -> subprocess.CompletedProcess[str]:
        script.write_text(f"TESTS, OUT, DIE = {str(Path(__file__).parent)!r}, {str(out)!r}, {die}\n{MPI}")
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    killed = run(die=True)
    assert killed.returncode != 0
    assert 0 < sn.Sweep.status(out).done < 200, killed.stderr
    again = run(die=False)
    assert "SweepStatus(points=200, done=200, failed=0)" in again.stdout, again.stderr
    assert_frame_equal(frame(out), expected)
