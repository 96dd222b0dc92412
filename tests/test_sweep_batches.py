"""Batches: points of one machine, about a second of predicted work; what is predicted changes no result."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import networkx as nx
import pytest

import supernode as sn
from supernode import core
from supernode.sweep import batches
from supernode.sweep.batches import Batches, Pace, Point
from supernode.sweep.point import Job, Machines, make_job
from supernode.sweep.task import as_table, run_batch


def point(machine: str, size: int = 1024, algorithm: str = "ring") -> Point:
    columns = {"system_hash": machine, "collective": "all_reduce", "algorithm": algorithm, "size": size}
    return Point(Job("", "", "", None, None), columns)


def cut(points: list[Point], pace: Pace) -> list[list[Point]]:
    made = Batches(pace)
    return [batch for p in points for batch in made.add(p)] + list(made.rest())


def test_a_batch_is_a_second_of_one_machine() -> None:
    pace = Pace()
    for _ in range(40):
        pace.learn([point("a"), point("b")], [0.125, 0.25])
    made = cut([point(name) for _ in range(20) for name in "ab"], pace)
    # 20 points of 1/8 s are batches of 8, 8 and 4; 20 of 1/4 s are five of 4
    assert sorted(len(batch) for batch in made) == [4] * 6 + [8] * 2
    assert all(len({p.machine for p in batch}) == 1 for batch in made)


def test_an_unknown_point_is_taken_for_an_average_one_and_the_nearest_size_counts() -> None:
    pace = Pace()
    assert pace.predict(point("a")) == batches.BATCH_S
    for _ in range(60):
        pace.learn([point("a", 1 << 10), point("a", 1 << 20)], [0.01, 1.0])
    assert pace.predict(point("a", 1 << 12)) == pytest.approx(0.01)
    assert pace.predict(point("a", 1 << 30)) == pytest.approx(1.0)
    assert 0.01 < pace.predict(point("z")) < 1.0


def test_machines_with_few_points_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "WAITING", 50)
    pace = Pace()
    for _ in range(60):
        pace.learn([point("x")], [0.04])
    points = [point(f"m{i}") for i in range(500)]
    made = cut(points, pace)
    assert Counter(p.machine for batch in made for p in batch) == Counter(p.machine for p in points)
    # 25 points of 0.04 s are a second
    assert all(20 <= len(batch) <= 25 for batch in made[:-1])


def test_the_kinds_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "KINDS", 10)
    pace = Pace()
    for i in range(100):
        pace.learn([point(f"m{i}")], [0.5])
    assert len(pace._kinds) == 10


def mesh(nodes: int, degree: int) -> sn.System:
    edges = nx.random_regular_graph(degree, nodes, seed=1).edges
    graph = nx.Graph([(f"gpu{a}", f"gpu{b}") for a, b in edges])
    names = [f"gpu{i}" for i in range(nodes)]
    return sn.System.from_graph(
        graph, link_rate="400 Gbit/s", link_latency="500 ns", accelerators=names, forwarding=True
    )


def jobs(systems: list[Any], sizes: list[int]) -> list[Job]:
    machines = Machines()
    return [
        make_job(p, machines.get(p), machines)
        for system in systems
        for size in sizes
        if (p := {"system": system, "collective": "all_reduce", "size": size, "algorithm": "ring"})
    ]


def test_a_batch_carries_a_machine_once() -> None:
    system = mesh(256, 8)
    one, many = jobs([system], [1024]), jobs([system], [1024 * i for i in range(1, 51)])
    assert len(pickle.dumps(many)) < len(pickle.dumps(one)) + 50 * 2000 < 10 * len(one[0].system)


def test_shared_fabrics_change_no_result() -> None:
    made = jobs([mesh(32, 4), "hgx-h100", "nvl72"], [1024, 65536])
    made = [*made[::2], *made[1::2], *made]  # from one machine to the next and back
    rows = [as_table(run_batch(made, None, core.Fabrics(n))[0]) for n in (0, 1, 8)]
    assert rows[0].equals(rows[1])
    assert rows[0].equals(rows[2])
