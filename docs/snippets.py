"""Run the snippets of the documentation, and hold their output to what is printed.

``python docs/snippets.py`` checks README.md and every page of docs/; ``--write`` puts the new outputs into the pages.
Tutorials are notebooks, whose outputs are not in the page: ``tests/test_site.py`` runs them.

A page is run from top to bottom in one namespace and one folder, which holds an NCCL topology file, topo.xml:

- A ``python`` block runs. A ``text`` block right after it is what it prints.
- Each line ``$ supernode ...`` of a ``console`` block runs. The lines up to the next ``$`` are what it prints.
- A ``toml`` block that begins with a comment of a file's name, ``# own.toml``, is that file.
- Other blocks are not run. A line of three dots in an expected output stands for any lines.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
#: Folders of docs/ that hold no such pages.
_OTHER = ("_build", "tutorials")
_FOUND = sorted(p.relative_to(ROOT) for p in (ROOT / "docs").rglob("*.md"))
PAGES = ("README.md", *(str(p) for p in _FOUND if p.parts[1] not in _OTHER))
_TOPOLOGY = ROOT / "tests" / "data" / "nvswitch.xml"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", flags=re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# ([\w-]+\.toml)\n")
_OUTPUT = re.compile(r"\n*```text\n(.*?)^```\n", flags=re.MULTILINE | re.DOTALL)


def run_page(page: str) -> str:
    """Run a page and return its text with the outputs that its snippets print.

    Raises
    ------
    Exception
        Whatever a snippet raises.
    """
    text = (ROOT / page).read_text()
    names: dict[str, Any] = {"__name__": "__main__"}
    parts, end = [], 0
    with _folder():
        for found in _BLOCK.finditer(text):
            if found.start() < end:
                continue
            parts.append(text[end : found.start()])
            end = found.end()
            language, code = found.groups()
            if language == "python":
                printed = _python(code, names, page)
                output = _OUTPUT.match(text, end)
                parts.append(found.group())
                if output:
                    gap = text[end : output.start(1)]
                    parts.append(gap + _merged(output.group(1), printed) + "```\n")
                    end = output.end()
            elif language == "console":
                parts.append(f"```console\n{_console(code)}```\n")
            else:
                if language == "toml" and (named := _NAMED.match(code)):
                    Path(named.group(1)).write_text(code)
                parts.append(found.group())
    return "".join([*parts, text[end:]])


def _python(code: str, names: dict[str, Any], page: str) -> str:
    out = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(out):
        warnings.simplefilter("ignore")
        exec(compile(code, page, "exec"), names)  # noqa: S102  the documentation's own code
    return _lines(out.getvalue())


def _console(code: str) -> str:
    """Run each command of a block and return the block with what they print."""
    parts = []
    for entry in re.split(r"^(?=\$ )", code, flags=re.MULTILINE):
        if not entry:
            continue
        command, _, expected = entry.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = f"{command}\n{more}"
        words = shlex.split(command[2:].replace("\\\n", " "), comments=True)
        printed = ""
        if words[0] == "supernode":
            done = subprocess.run(  # noqa: S603  the documentation's own commands
                [sys.executable, "-W", "ignore", "-m", *words], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{command}: exit code {done.returncode}: {done.stderr}")
            printed = done.stdout
        parts.append(f"{command}\n{_merged(expected, _lines(printed)) if expected.strip() else ''}")
    return "".join(parts)


def _lines(text: str) -> str:
    """Return the text without blanks at the ends of its lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def _merged(expected: str, printed: str) -> str:
    """Return what is expected if what is printed matches it, dots and all, or else what is printed."""
    parts = f"\n{expected}".split("\n...\n")
    pattern = r"\n(?:.*\n)?".join(re.escape(part) for part in parts)
    return expected if re.fullmatch(pattern, f"\n{printed}", flags=re.DOTALL) else printed


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    """Work in a folder of its own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(_TOPOLOGY, Path(name) / "topo.xml")
        os.chdir(name)
        try:
            yield
        finally:
            os.chdir(before)


def main() -> int:
    """Check or renew the pages; the exit code is the number of pages whose output differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", default=PAGES)
    parser.add_argument("--write", action="store_true", help="print the outputs anew into the pages")
    given = parser.parse_args()
    differing = 0
    for page in given.pages:
        new = run_page(page)
        if new != (ROOT / page).read_text():
            differing += 1
            sys.stderr.write(f"{page}: the output of its snippets differs\n")
            if given.write:
                (ROOT / page).write_text(new)
    return 0 if given.write else differing


if __name__ == "__main__":
    sys.exit(main())
