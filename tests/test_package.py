"""What is installed, and what the documentation promises about it."""

import inspect
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import supernode as sn
from supernode import api, core, errors
from supernode.result.benchmark import schema
from supernode.run.options import RunOptions

ROOT = Path(__file__).parent.parent


def test_types_and_data_are_packaged() -> None:
    root = resources.files("supernode")
    for name in ("py.typed", "_core.pyi", "page/page.html", "presets/nvl72.toml", "stacks/nccl.toml"):
        assert (root / name).is_file(), name


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {sn.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_a_debug_build_warns() -> None:
    with pytest.warns(RuntimeWarning, match="debug build"):
        core.warn_if_slow({"profile": "debug"})
    core.warn_if_slow({"profile": "release"})


def test_public_names_exist_and_are_documented() -> None:
    for name in sn.__all__:
        thing = getattr(sn, name)
        if callable(thing):
            assert inspect.getdoc(thing), name


def test_keywords_are_the_same_everywhere() -> None:
    keywords = set(inspect.signature(api.simulate).parameters) - {"system", "collective", "size", "unknown"}
    assert keywords == set(RunOptions.__annotations__)


def test_the_columns_of_a_bench_are_documented() -> None:
    section = (ROOT / "docs" / "api.md").read_text().split("## Columns of `Bench.summary`")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == schema().names


def test_the_documented_errors_are_those_that_exist() -> None:
    section = (ROOT / "docs" / "api.md").read_text().split("## Errors")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+(?:Error|Timeout))`", section.split("Ctrl-C")[0]))
    builtin = {
        "ValueError",
        "ImportError",
        "OverflowError",
        "LookupError",
        "MemoryError",
        "OSError",
        "TimeoutError",
        "RuntimeError",
    }
    assert named - builtin == {n for n in errors.__all__ if n != "BY_CODE"}


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


#: What takes long to import, or belongs to an extra: each is imported where it is used, and nowhere before.
HEAVY = {
    "altair",
    "networkx",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "rich",
    "rustworkx",
    "typer",
    "vl_convert",
    "yaml",
}


def test_importing_is_cheap() -> None:
    assert run_python(f"import sys, supernode; print(*sorted({HEAVY} & set(sys.modules)))") == ""


@pytest.mark.parametrize(
    ("use", "brings"),
    [
        ("sn.all_reduce('hgx-h100', size='1 MiB').time_ns", set()),
        ("sn.all_reduce('hgx-h100', size='1 MiB').summary", {"numpy", "pyarrow"}),
        ("sn.bench('all_reduce', 'hgx-h100', sizes='1M', progress=False).to_polars()", {"numpy", "polars", "pyarrow"}),
        ("sn.show('nvl72')", set()),
    ],
)
def test_a_library_is_imported_when_it_is_used(use: str, brings: set[str]) -> None:
    # PyArrow imports pandas for itself, where that is installed
    found = run_python(f"import sys, supernode as sn; {use}; print(*({HEAVY} - {{'pandas'}}) & set(sys.modules))")
    assert set(found.split()) == brings


def test_dir_shows_the_public_surface_and_nothing_else() -> None:
    assert run_python("import supernode as sn; print(*dir(sn))").split() == sorted(sn.__all__)
    assert run_python("import supernode as sn; print(sn.plot.__name__, sn.errors.__name__)") == (
        "supernode.plot supernode.errors"
    )


@pytest.mark.parametrize(
    ("missing", "extra", "use"),
    [
        ("altair", "plot", "sn.plot.busbw_chart(sn.bench('all_reduce', 'hgx-h100', sizes='1M'))"),
        (
            "vl_convert",
            "plot",
            "sn.plot.save_chart(sn.plot.busbw_chart(sn.bench('all_reduce', 'nvl72', sizes='1M')), 'x')",
        ),
        ("vl_convert", "plot", "sn.System.preset('nvl72').plot().png()"),
        ("yaml", "yaml", "sn.System.from_file('astra.yml', format='astra-sim')"),
    ],
)
def test_what_needs_an_extra_says_which(missing: str, extra: str, use: str, tmp_path: Path) -> None:
    (tmp_path / "astra.yml").write_text("topology: [Ring]\n")
    code = f"""
import os, sys
os.chdir({str(tmp_path)!r})
sys.modules[{missing!r}] = None  # as if it were not installed
import supernode as sn
try:
    {use}
except sn.errors.MissingExtraError as error:
    assert isinstance(error, ImportError)
    print(error)
"""
    assert f"pip install 'supernode[{extra}]'" in run_python(code)
    assert [p.name for p in tmp_path.iterdir()] == ["astra.yml"]


def test_pictures_as_svg_need_no_extra() -> None:
    code = "import sys; sys.modules['vl_convert'] = sys.modules['altair'] = None; import supernode as sn; "
    assert run_python(f"{code}print(sn.System.preset('nvl72').plot().svg)").startswith("<svg")


def test_the_core_is_imported_in_one_place() -> None:
    package = Path(str(resources.files("supernode")))
    users = [p.name for p in package.rglob("*.py") if re.search(r"\b_core\b", p.read_text())]
    assert users == ["core.py"]
