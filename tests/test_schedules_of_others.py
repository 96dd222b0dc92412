"""Files that others made: each is read, and its bytes per pair of ranks are those of another parser.

The files are not part of this repository. ``SUPERNODE_SCHEDULES`` names a folder of them; without it the test is
skipped. A file beside one, with ``.refused`` behind its name, says that it has to be refused, and with which words.
A folder of Chakra's traces is one schedule; its groups may lie in it as ``comm_group.json``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import supernode as sn
from other_parsers import (
    Pairs,
    binary_pairs,
    chakra_pairs,
    goal_pairs,
    matrix_pairs,
    msccl_chunks,
    msccl_pairs,
    plan_chunks,
    plan_pairs,
)
from supernode.errors import SupernodeError

FOLDER = os.environ.get("SUPERNODE_SCHEDULES", "")
#: Bytes of a chunk, where a file leaves the size open. A multiple of what any of them aligns to.
CHUNK = 4096


def schedules(folder: Path) -> list[Path]:
    """Files and folders of traces that are schedules, by their names."""
    found = [each for each in folder.rglob("*") if each.suffix in (".goal", ".bin", ".cm", ".xml", ".json")]
    traces = {each.parent for each in folder.rglob("*") if each.name.endswith((".et", ".et.gz"))}
    return sorted([*(each for each in found if each.name != "comm_group.json"), *traces])


def traces(folder: Path) -> list[Path]:
    files = [each for each in folder.iterdir() if each.name.endswith((".et", ".et.gz"))]
    return sorted(files, key=lambda each: int(each.name.removesuffix(".gz").split(".")[-2]))


def expected(path: Path) -> tuple[Pairs, int | None]:
    """Bytes of each pair by the other parser, and the size of the message if the file leaves it open."""
    if path.is_dir():
        groups = path / "comm_group.json"
        return chakra_pairs(traces(path), json.loads(groups.read_text()) if groups.exists() else None), None
    data = path.read_bytes()
    if path.suffix in (".goal", ".bin"):  # either may lie under either name
        return goal_pairs(data.decode()) if data.lstrip()[:1] in (b"n", b"/") else binary_pairs(data), None
    text = data.decode()
    if path.suffix == ".cm":
        return matrix_pairs(text), None
    if path.suffix == ".xml":
        return msccl_pairs(text, CHUNK), msccl_chunks(text) * CHUNK
    return plan_pairs(text, CHUNK), plan_chunks(json.loads(text)) * CHUNK


@pytest.mark.skipif(not FOLDER, reason="SUPERNODE_SCHEDULES names no folder of schedules that others made")
def test_bytes_are_those_of_another_parser() -> None:
    paths = schedules(Path(FOLDER))
    assert paths, f"{FOLDER} holds no schedules"
    wrong = []
    for path in paths:
        refused = path.with_name(path.name + ".refused")
        pairs, size = Pairs(), 1 << 20 if path.suffix in (".xml", ".json") else None
        if not refused.exists():
            pairs, size = expected(path)
        try:
            schedule = sn.load_schedule(path, size=size)
        except SupernodeError as error:
            if not refused.exists() or refused.read_text().strip() not in str(error):
                wrong.append(f"{path.name}: {error}")
            continue
        found = {(source, target): count for source, target, _, count in schedule.bytes().rows() if count}
        if refused.exists():
            wrong.append(f"{path.name}: is read, and has to be refused")
        elif found != {pair: count for pair, count in pairs.items() if count}:
            wrong.append(f"{path.name}: {sum(found.values())} bytes, and the other parser counts {sum(pairs.values())}")
    assert not wrong, "\n".join(wrong)
