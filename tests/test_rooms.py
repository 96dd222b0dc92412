"""The rooms of the Python package: each imports only rooms below it, as the table in docs/architecture.md has them.

The table is read from the page, so that page and code cannot part. Every ``import`` counts: at the top of a module,
inside a function, and for annotations only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = Path(str(resources.files("supernode")))
#: Modules of verbs, which alone may import rooms above, for annotations or when a verb is used.
VERBS = ("system.verbs", "result.verbs")


@dataclass(frozen=True)
class Import:
    """An import of the package by one of its modules: when it is carried out, and the function that it stands in."""

    target: str
    when: str = "top"
    function: ast.FunctionDef | None = None


def name_of(path: Path) -> str:
    """Return the name of a module below ``supernode``; that of ``supernode`` itself is ``__init__``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts if len(parts) == 1 or parts[-1] != "__init__" else parts[:-1])


MODULES = {name_of(path): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def imports(text: str) -> Iterator[Import]:
    """Go through what a module imports of the package."""

    def inside(node: ast.AST, when: str, function: ast.FunctionDef | None) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom):
                assert child.level == 0, "imports are absolute"
                if (child.module or "").partition(".")[0] == "supernode":
                    for alias in child.names:
                        yield Import(resolved(f"{child.module}.{alias.name}"), when, function)
            elif isinstance(child, ast.Import):
                for alias in child.names:
                    if alias.name.partition(".")[0] == "supernode":
                        yield Import(resolved(alias.name), when, function)
            elif isinstance(child, ast.FunctionDef):
                yield from inside(child, "typing" if when == "typing" else "use", child)
            elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                yield from inside(child, "typing", function)
            else:
                yield from inside(child, when, function)

    return inside(ast.parse(text), "top", None)


def resolved(name: str) -> str:
    """Return the module that a dotted name of an import leads to, without ``supernode``."""
    below = name.removeprefix("supernode").removeprefix(".")
    while below and below not in MODULES and below != "_core":
        below = below.rpartition(".")[0]
    return below or "__init__"


def room_of(module: str) -> str:
    return module.partition(".")[0]


def table() -> dict[str, int]:
    """Return the layer of each room by the table of docs/architecture.md."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.split("\n## Rooms of the Python package\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", section, flags=re.MULTILINE)
    return {room: int(layer) for layer, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}


def upward(module: str, text: str, layers: dict[str, int]) -> list[str]:
    """Name the imports of a module that do not lead into its own room or to a lower layer."""
    own = room_of(module)
    found = []
    for each in imports(text):
        room = room_of(each.target)
        attached = module in VERBS and each.when != "top"
        if room not in (own, "_core") and layers[room] >= layers[own] and not attached:
            found.append(f"{module} imports {each.target} ({each.when})")
    return found


def test_the_table_has_every_room_and_no_other() -> None:
    assert set(table()) == {room_of(module) for module in MODULES}


def test_rooms_import_lower_rooms_only() -> None:
    layers = table()
    assert [arrow for module, text in MODULES.items() for arrow in upward(module, text, layers)] == []


def test_only_the_door_imports_the_extension() -> None:
    assert [name for name, text in MODULES.items() if any(i.target == "_core" for i in imports(text))] == ["core"]


def test_nothing_is_imported_by_a_name_that_this_test_cannot_read() -> None:
    assert [name for name, text in MODULES.items() if re.search(r"\bimport_module\b|\b__import__\b", text)] == []


def test_modules_import_each_other_in_no_circle() -> None:
    # not what is for annotations only, which is never carried out, nor what a verb imports when it is used
    graph = {
        name: {i.target for i in imports(text) if i.when != "typing" and name not in VERBS} - {name, "_core"}
        for name, text in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("module", VERBS)
def test_a_verb_is_one_call(module: str) -> None:
    layers = table()
    above = [i for i in imports(MODULES[module]) if layers[room_of(i.target)] > layers[room_of(module)]]
    verbs = [i.function for i in above if i.when == "use"]
    assert verbs
    for verb in verbs:
        assert verb is not None
        doc, source, call = verb.body  # nothing else
        assert isinstance(doc, ast.Expr)
        assert isinstance(source, ast.ImportFrom)
        assert isinstance(call, ast.Return)
        assert isinstance(call.value, ast.Call)
        assert ast.unparse(call.value.func) == source.names[0].name


@pytest.mark.parametrize(
    ("module", "text", "wrong"),
    [
        ("run.plan", "from supernode.result import Result", ["run.plan imports result (top)"]),
        ("run.plan", "def f():\n    from supernode import api", ["run.plan imports api (use)"]),
        ("run.plan", "if TYPE_CHECKING:\n    import supernode.cli.app", ["run.plan imports cli.app (typing)"]),
        (
            "run.plan",
            "class A:\n    if True:\n        from supernode import SpecError",
            ["run.plan imports __init__ (top)"],
        ),
        (
            "preset.build",
            "from supernode.picture import draw",
            ["preset.build imports picture (top)"],
        ),  # of the same layer
        ("run.plan", "from supernode.run.options import RunOptions\nfrom supernode.system import System", []),
        ("system.verbs", "from supernode.picture import draw", ["system.verbs imports picture (top)"]),
        ("system.verbs", "def f():\n    from supernode.picture import draw", []),
    ],
)
def test_an_arrow_up_is_found(module: str, text: str, wrong: list[str]) -> None:
    assert upward(module, text, table()) == wrong
