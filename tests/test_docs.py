"""Every snippet of the documentation runs and prints what the page says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("snippets", Path(__file__).parents[1] / "docs" / "snippets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


snippets = _load()


@pytest.mark.parametrize("page", snippets.PAGES)
def test_snippets_print_what_the_page_says(page: str) -> None:
    # python docs/snippets.py --write renews the outputs
    assert snippets.run_page(page) == (snippets.ROOT / page).read_text()


def test_a_wrong_output_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```console\n$ supernode --version\nno\n```\n"
    (tmp_path / "page.md").write_text(page)
    monkeypatch.setattr(snippets, "ROOT", tmp_path)
    new = snippets.run_page("page.md")
    assert "```text\n2\n```" in new
    assert "no\n" not in new


def test_three_dots_stand_for_any_lines() -> None:
    assert snippets._merged("a\n...\nz\n", "a\nb\nc\nz\n") == "a\n...\nz\n"
    assert snippets._merged("a\n...\nz\n", "a\nb\nc\n") == "a\nb\nc\n"
