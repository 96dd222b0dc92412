"""The documentation site without Sphinx: pages, links and names are complete, and the tutorials run.

``make docs`` builds the site, and its warnings are errors. What is here is quick and needs nothing but the package.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import warnings
from pathlib import Path

import pytest

import supernode

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SKIPPED = ("_build", "out")
PAGES = sorted(p for p in DOCS.rglob("*.md") if not set(SKIPPED) & set(p.relative_to(DOCS).parts))
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
#: Namespaces whose public names the reference must have.
NAMESPACES = (
    "supernode",
    "supernode.errors",
    "supernode.fabric",
    "supernode.io",
    "supernode.measured",
    "supernode.plot",
    "supernode.sweep",
)
_DIRECTIVE = re.compile(r"^\.\. (?:auto(?:function|class|data|module)|py:data):: (\S+)$", flags=re.MULTILINE)


def listed() -> set[str]:
    """Pages that can be reached from the index by tables of contents."""
    found, ahead = set(), ["index"]
    while ahead:
        name = ahead.pop()
        found.add(name)
        text = (DOCS / f"{name}.md").read_text()
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
            entries = [line for line in block.splitlines() if line and not line.startswith(":")]
            ahead += [str(Path(name).parent / entry) for entry in entries]
    return found


def prose(text: str) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(path: Path) -> set[str]:
    """Return what a link into a page may name: its headings as code hosts write them."""
    heads = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def documented() -> set[str]:
    return {name for page in (DOCS / "reference").glob("*.md") for name in _DIRECTIVE.findall(page.read_text())}


def named(path: str) -> object:
    """Return what a full name stands for."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise LookupError(path)


def test_every_page_is_in_a_table_of_contents() -> None:
    assert {str(p.relative_to(DOCS).with_suffix("")) for p in PAGES} == listed()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES])
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = prose(page.read_text())
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: *(\S+)$", text, flags=re.MULTILINE)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(there), f"{target}: no such heading"


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_public_name_is_in_the_reference(namespace: str) -> None:
    module = importlib.import_module(namespace)
    known = documented()
    things = {id(named(name)) for name in known}
    for name in module.__all__:
        # a name may be documented at another place that it can be imported from
        assert (
            f"{namespace}.{name}" in known
            or id(getattr(module, name)) in things
            or (namespace == "supernode" and f"supernode.{name}" in NAMESPACES)
        ), f"{namespace}.{name} is not in docs/reference"


def test_the_reference_names_what_exists() -> None:
    assert len(documented()) > len(supernode.__all__)
    for name in documented():
        assert named(name) is not None, name


def test_links_that_leave_the_pages_lead_to_the_repository() -> None:
    spec = importlib.util.spec_from_file_location("conf", DOCS / "conf.py")
    assert spec
    assert spec.loader
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    page = [
        "[a](../api.md) [b](../../LICENSE) [c](../../examples) [d](https://e.org/f) [g](#h)\n\n[i]: ../../README.md#j\n"
    ]
    conf._read_page(None, "models/x", page)
    at = conf._URLS["Repository"]
    links = f"[a](../api.md) [b]({at}/blob/main/LICENSE) [c]({at}/tree/main/examples) [d](https://e.org/f) [g](#h)"
    assert page == [f"{links}\n\n[i]: {at}/blob/main/README.md#j\n"]
    part = ["[a](docs/api.md) [b](LICENSE)"]
    conf._read_part(None, Path("../CHANGELOG.md"), "changelog", part)
    assert part == [f"[a](docs/api.md) [b]({at}/blob/main/LICENSE)"]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorials_lead_on(page: Path) -> None:
    assert "## What to read next" in page.read_text()


# About a minute in all: make test-all sets the variable.
@pytest.mark.skipif("SUPERNODE_SLOW" not in os.environ, reason="set SUPERNODE_SLOW=1")
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorials_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("altair")
    pytest.importorskip("distributed")
    for file in page.parent.glob("*.json"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    text = page.read_text()
    cells = re.findall(r"^```\{code-cell\} python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert 0 < len(cells) == text.count("{code-cell}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", supernode.AssumedValueWarning)
        for number, cell in enumerate(cells):
            exec(compile(cell, f"{page.name}, cell {number}", "exec"), names)  # noqa: S102  the documentation's own code
