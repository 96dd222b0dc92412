"""Sweeps as arrays of a Slurm of one node, which the test starts and stops: as root, where slurm-wlm and munge are."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import supernode as sn

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
PLACES = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
MISSING = [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons need root"),
]

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
"""

SWEEP = """
[base]
collective = "all_reduce"
system = "nvl72"
algorithm = "ring"
[grid]
seed = [0, 1]
size = [65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216, 33554432]
"""


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Start Slurm, and give what runs its commands and returns their output."""
    # short, since the paths of sockets are
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = socket.gethostname().split(".")[0]
    text = CONFIGURATION.format(host=host, folder=folder, ports=(free_port(), free_port()), cpus=os.cpu_count())
    (folder / "slurm.conf").write_text(text)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    monkeypatch.setenv("PATH", PLACES)
    munge = [
        f"--{name}={folder}/munge.{name.partition('-')[0]}"
        for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")
    ]

    def command(*words: str) -> str:
        # sinfo fails until the controller listens
        check = words[0] != "sinfo"
        return subprocess.run(words, check=check, capture_output=True, text=True, timeout=60).stdout

    daemons = []
    try:
        for words in (["munged", "--foreground", "--force", *munge], ["slurmctld", "-D"], ["slurmd", "-D"]):
            daemons.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            if words[0] == "munged":
                until((folder / "munge.socket").exists, "munge")
        until(lambda: "idle" in command("sinfo", "-h", "-o", "%T"), "a node")
        yield command
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


def test_an_array_gives_the_frame_of_threads_also_after_it_was_cancelled(
    tmp_path: Path, slurm: Callable[..., str]
) -> None:
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(SWEEP)
    sn.Sweep.load(file).run(tmp_path / "threads")
    # parts are written at once, so that the array is cancelled in the middle
    wrapped = (
        f"{sys.executable} -W ignore -c 'from supernode.sweep import batches, engine; from supernode.cli import main; "
        f"engine.FLUSH_S, batches.BATCH_POINTS = 0.01, 1; main()' sweep run {file} -o {out} -j 1"
    )
    submit = ["sbatch", "--array=1-5:2", f"--output={tmp_path}/%A-%a.log", "--export=ALL", "--wrap", wrapped]

    def ended() -> bool:
        return not slurm("squeue", "-h").strip()

    slurm(*submit)
    until(lambda: bool(list(out.rglob("part-*"))) or ended(), "a part")
    slurm("scancel", "--user=root")
    until(ended, "the end of what was cancelled")
    logs = "\n".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert 0 < sn.Sweep.status(out).done < 20, logs
    slurm(*submit)
    until(ended, "the end of the array")
    logs = "\n".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert sn.Sweep.status(out).done == 20, logs
    # three tasks, one of three shards each
    assert {part.name.split("-")[1] for part in out.rglob("part-*")} == {"0", "1", "2"}
    frames = [sn.Sweep.scan(folder).sort("id").collect() for folder in (out, tmp_path / "threads")]
    assert isinstance(frames[0], pl.DataFrame)
    assert_frame_equal(frames[0], frames[1])
