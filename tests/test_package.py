"""What is installed, and what the documentation promises about it."""

import inspect
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import supernode as sn
from supernode import api, errors
from supernode.benchmark import SCHEMA
from supernode.options import RunOptions

ROOT = Path(__file__).parent.parent


def test_types_and_data_are_packaged() -> None:
    root = resources.files("supernode")
    for name in ("py.typed", "_core.pyi", "presets/nvl72.toml", "stacks/nccl.toml"):
        assert (root / name).is_file(), name


def test_public_names_exist_and_are_documented() -> None:
    for name in sn.__all__:
        thing = getattr(sn, name)
        if callable(thing):
            assert inspect.getdoc(thing), name


def test_keywords_are_the_same_everywhere() -> None:
    keywords = set(inspect.signature(api.simulate).parameters) - {"system", "collective", "size"}
    assert keywords == set(RunOptions.__annotations__)


def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_columns_of_a_bench_are_documented() -> None:
    section = (ROOT / "docs" / "api.md").read_text().split("## Columns of `Bench.summary`")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == SCHEMA.names


def test_the_documented_errors_are_those_that_exist() -> None:
    section = (ROOT / "docs" / "api.md").read_text().split("## Errors")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+(?:Error|Timeout))`", section.split("Ctrl-C")[0]))
    builtin = {"ValueError", "OverflowError", "LookupError", "MemoryError", "TimeoutError", "RuntimeError"}
    assert named - builtin == {n for n in errors.__all__ if n != "BY_CODE"}


def test_importing_is_cheap() -> None:
    code = "import sys, supernode; print(*sorted({'altair', 'polars', 'typer', 'vl_convert'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_core_is_imported_in_one_place() -> None:
    package = Path(str(resources.files("supernode")))
    users = [p.name for p in package.rglob("*.py") if re.search(r"\b_core\b", p.read_text())]
    assert users == ["core.py"]
