"""Configuration of the documentation site: ``make docs``, or ``make docs EXECUTE=off`` without running the tutorials.

**Invariant.** Pages are plain Markdown that reads on a code host as well: links are relative paths. Links that leave
``docs/`` (the README, sources) become links to the repository. The build fetches nothing, and neither do the pages.

**Limits.** The tutorials run with the supernode that is installed beside Sphinx, and write to ``docs/tutorials/out``.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

import supernode

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
_URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]

project = "supernode"
author = "the supernode authors"
project_copyright = author
release = version = supernode.__version__
html_title = f"supernode {release}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "tutorials/out"]
highlight_language = "none"
nitpicky = False  # docstrings link to classes of NumPy, PyArrow and Polars, whose inventories are not fetched

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "groupwise"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike"}
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
napoleon_google_docstring = False
napoleon_use_rtype = True

nb_execution_mode = "off" if os.environ.get("SUPERNODE_EXECUTE", "on") == "off" else "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # seconds for one cell, on a machine with other work
nb_output_stderr = "remove"  # progress and warnings, which name paths of the machine that builds
nb_merge_streams = True

_LINK = re.compile(r"(\]\(|^\[[^\]]+\]: *)(?![a-z]+:|#)([^)\s#]+)", flags=re.MULTILINE)


def _leaving(base: Path, text: str) -> str:
    """Return a page of folder ``base`` with links that leave ``docs/`` led to the repository."""

    def led(found: re.Match[str]) -> str:
        before, target = found.groups()
        path = (base / target).resolve()
        if path.is_relative_to(HERE) or not path.is_relative_to(ROOT):
            return found.group()
        kind = "tree" if path.is_dir() else "blob"
        return f"{before}{_URLS['Repository']}/{kind}/main/{path.relative_to(ROOT)}"

    return _LINK.sub(led, text)


def _read_page(_: Sphinx, name: str, content: list[str]) -> None:
    content[0] = _leaving((HERE / name).parent, content[0])


def _read_part(_: Sphinx, path: Path, __: str, content: list[str]) -> None:
    """Included texts, whose path is relative to this folder: their links are relative to their own."""
    content[0] = _leaving((HERE / path).resolve().parent, content[0])


def _fresh(_: Sphinx) -> None:
    """Tutorials begin without what an earlier build has written."""
    shutil.rmtree(HERE / "tutorials" / "out", ignore_errors=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what this site adds to Sphinx."""
    app.add_lexer("console", TextLexer)  # that of Pygments takes lines of output that begin with # for commands
    app.connect("builder-inited", _fresh)
    app.connect("source-read", _read_page)
    app.connect("include-read", _read_part)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
