"""The examples answer their questions: each runs as it is, within seconds, and prints what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

#: Words that the output of each example has.
PROMISES: dict[str, tuple[str, ...]] = {
    "busiest_links.py": ("limited by", "busiest", "shape"),
    "choose_fabric.py": ("fat tree, 3:1", "torus 4x4x4", "dragonfly", "all_to_all"),
    "compare_algorithms.py": ("double_binary_tree", "hierarchical", "auto ran"),
    "import_topology.py": ("all_reduce:", "all_to_all:", "bound"),
    "own_machine.py": ("per accelerator", "NICs per GPU: 1", "NICs per GPU: 2"),
    "scale_up_or_scale_out.py": ("one NVL72 (GB/s)", "ratio", "limited by"),
}


def test_every_example_is_tried_and_listed() -> None:
    found = {p.name for p in EXAMPLES.glob("*.py")}
    assert found == set(PROMISES)
    assert all(name in (EXAMPLES / "README.md").read_text() for name in found)


@pytest.mark.parametrize("name", PROMISES)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLES / name)],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for words in PROMISES[name]:
        assert words in done.stdout
