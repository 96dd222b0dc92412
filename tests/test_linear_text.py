"""Every text that a user or a file gives is read in linear time, and its nesting is limited.

A text of n characters and one of 4n are read; with a quadratic parser the second takes 16 times the processor time of
the first. The bound is 10 times and a second, so that a busy machine does not fail the test: a quadratic parser needs
several seconds for the second text. The collector of garbage is off, because its time depends on what other tests left.
"""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import supernode as sn
from supernode.errors import FabricError, SupernodeError, UnitError
from supernode.names import canonical
from supernode.preset.load import split_name
from supernode.preset.references import resolve
from supernode.run.options import parse_levels
from supernode.run.sizes import parse_sizes
from supernode.units import parse_rate, parse_size
from supernode.values import parse_names


def seconds(call: Callable[[], object]) -> float:
    gc.disable()
    start = time.process_time()
    try:
        call()
    except SupernodeError as error:
        assert len(str(error)) < 5000
    finally:
        gc.enable()
    return time.process_time() - start


def linear(read: Callable[[str], object], text: Callable[[int], str], n: int) -> None:
    small, large = (min(seconds(lambda k=k: read(text(k * n))) for _ in range(2)) for k in (1, 4))  # type: ignore[misc]
    assert large < 10 * small + 1, f"{small:.3f} s for {n}, {large:.3f} s for {4 * n}"


TEXTS: dict[str, Callable[[int], str]] = {
    "digits": lambda n: "1" * n + " GB/s x",
    "underscores": lambda n: "1_" * n + "!",
    "spaces": lambda n: " " * n + "x",
    "spaces inside": lambda n: "1" + " " * n + "x y",
    "fractions": lambda n: "1." + "1" * n + "e" + "1" * n,
    "dots": lambda n: "." * n,
    "unit": lambda n: "1 " + "G" * n,
    "commas": lambda n: "," * n,
    "colons": lambda n: ":" * n,
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "read",
    [parse_rate, parse_size, parse_sizes, parse_levels, split_name, lambda t: canonical("x", t, ["ring", "tree"]),
     lambda t: parse_names(t, "x"), lambda t: resolve(f"$a{t}", {"a": 1}, set()), sn.System.preset],
    ids=["rate", "size", "sizes", "levels", "name", "canonical", "names", "reference", "preset"],
)  # fmt: skip
def test_texts(read: Callable[[str], object], name: str) -> None:
    linear(read, TEXTS[name], 20_000)


def test_exponents_are_not_written_out() -> None:
    for text in ("1e1000000000", "1:1e-1000000000", "9" * 100_000):
        with pytest.raises(FabricError, match="is not a positive ratio"):
            sn.FatTree(radix=8, link="1 GB/s", oversubscription=text)
    with pytest.raises(UnitError, match="unknown unit"):
        parse_size("1e1000000000")
    assert sn.FatTree(radix=8, link="1 GB/s", oversubscription=" 3 : 1 ").ratio() == 3


def test_the_case_that_took_seconds() -> None:
    with pytest.raises(UnitError, match="not a number and a unit"):
        sn.parse_size("1" * 1200 + " GB/s x")


HEAD = 'name = "x"\n'
FILES: dict[str, tuple[str, Callable[[int], str]]] = {
    "dotted key": ("toml", lambda n: "a." * n + "a = 1"),
    "dotted table": ("toml", lambda n: "[" + "a." * n + "a]"),
    "dotted key inside": ("toml", lambda n: "x = {" + "a." * n + "a = 1}"),
    "quoted keys": ("toml", lambda n: '"a" . ' * n + "a = 1"),
    "brackets": ("toml", lambda n: "x = " + "[" * n),
    "lines": ("toml", lambda n: "\n" * n),
    "a long text": ("toml", lambda n: HEAD + 'title = """' + "a\\\n" * n + '"""'),
    "unknown keys": ("toml", lambda n: "".join(f"k{i} = 1\n" for i in range(n // 10))),
    "an unknown key": ("toml", lambda n: "k" * n + " = 1"),
    "empty lines": ("yml", lambda n: "\n" * n),
    "spaces": ("yml", lambda n: " " * n + "a"),
    "empty items": ("yml", lambda n: "{ ," + " \n" * n),
    "flow": ("yml", lambda n: "topology: " + "[" * n),
    "flow tables": ("yml", lambda n: "topology: " + "{a: " * n),
    "dashes": ("yml", lambda n: "topology: 1\nx:\n " + "- " * n),
    "base 60": ("yml", lambda n: "topology: 1" + ":59" * n),
    "aliases": ("yml", lambda n: "topology: &a 1\nx: [" + "*a, " * n + "]"),
    "json": ("json", lambda n: '{"topology": ' + "[" * n),
    "json digits": ("json", lambda n: '{"devices": [], "instances": 1' + "0" * n + "}"),
    "entities": ("xml", lambda n: "<!DOCTYPE a [" + "<!ENTITY a 'b'>" * n + "]><system/>"),
    "elements": ("xml", lambda n: "<system>" + "<cpu>" * n),
    "nested elements": ("xml", lambda n: "<system>" + "<pci>" * n + "</pci>" * n + "</system>"),
    "attributes": ("xml", lambda n: "<system " + " ".join(f"a{i}='1'" for i in range(n // 10)) + "/>"),
    "graphml": ("graphml", lambda n: "<graphml>" + "<graph>" * n + "</graph>" * n + "</graphml>"),
    "ns3": ("txt", lambda n: "2 1 1\n" + " 1" * n),
    "htsim": ("topo", lambda n: "Nodes 4\n" + "Tiers 2\n" * n),
}


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path: Path, name: str) -> None:
    extension, text = FILES[name]

    def read(content: str) -> object:
        path = tmp_path / f"x.{extension}"
        path.write_text(content)
        return sn.System.from_file(path)

    linear(read, text, 20_000)


@pytest.mark.parametrize(
    ("name", "says"),
    [("dotted key", "line 1: a key has more than 64 parts"), ("flow", "nested more than 64 deep"),
     ("base 60", "more than 64 parts between colons")],
)  # fmt: skip
def test_the_limits_are_named(tmp_path: Path, name: str, says: str) -> None:
    extension, text = FILES[name]
    path = tmp_path / f"x.{extension}"
    path.write_text(text(100))
    with pytest.raises(SupernodeError, match=says):
        sn.System.from_file(path)
    path.write_text(text(63) if name != "flow" else "topology: " + "[" * 60 + "]" * 60)
    with pytest.raises(SupernodeError) as caught:
        sn.System.from_file(path)
    assert says not in str(caught.value)


def test_dotted_words_in_a_description_are_no_key(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('x = "see ' + "a." * 200 + 'b"\n')
    with pytest.raises(SupernodeError, match=r"unknown field|missing required"):
        sn.System.load(path)
