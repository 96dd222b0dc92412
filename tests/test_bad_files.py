"""Files that are damaged, too large, of the wrong kind or not to be read: errors that name file and place, at once."""

import os
import re
import tracemalloc
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import supernode as sn
from supernode.errors import FabricError, SizeOverflowError, SpecError, SupernodeError, UnitError
from supernode.io import FORMATS
from supernode.library.stack import load_stack
from supernode.run.job import load_job
from supernode.system import System

DATA = Path(__file__).parent / "data"
GIVEN: dict[str, Any] = {"link_rate": "25 GB/s", "link_latency": "200 ns"}

#: A good file of each format, read by that name and with these keywords.
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "graph.toml": ("toml", {}),
    "pods.graphml": ("graphml", {}),
    "nvswitch.xml": ("nccl", GIVEN),
    "xgmi.xml": ("nccl", GIVEN),
    "astra.yml": ("astra-sim", {}),
    "ns3.txt": ("ns3", {}),
    "simai.txt": ("simai", {}),
    "three_tier.topo": ("htsim", {}),
    "infragraph.yaml": ("infragraph", GIVEN),
}

every = pytest.mark.parametrize("file", GOOD)


def read(path: Path, name: str) -> System:
    format, options = GOOD[name]
    system = System.from_file(path, format, **options)
    system.to_toml()
    return system


def bytes_of(file: str) -> bytes:
    return (DATA / file).read_bytes()


def test_every_format_is_tried() -> None:
    assert {format for format, _ in GOOD.values()} | {"infragraph-json", "dot"} == set(FORMATS)
    for file in GOOD:
        read(DATA / file, file)


#: What a file holds instead.
NOISE: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \n\n",
    "nul": b"\0" * 1000,
    "binary": bytes(range(256)) * 40,
    "a very long word": b"a" * 2_000_000,
    "a very long number": b"1" * 2_000_000,
    "braces": b"{" * 200_000,
    "brackets": b"[" * 200_000,
    "json, nested": b'{"a":' * 100_000,
    "json, closed": b"[" * 100_000 + b"]" * 100_000,
    "tags": b"<a>" * 200_000,
    "toml, nested": b"x = " + b"[" * 100_000 + b"]" * 100_000,
    "toml, tables": b"x = " + b"{a=" * 5_000 + b"1" + b"}" * 5_000,
    "yaml, nested": b"- " * 5_000,
    "a number": b"3",
    "a list": b"[]",
    "a table": b"{}",
    "null": b"null",
    "a text": b'"x"',
    "other formats' first words": b"<graphml><system><!-- topology: nodes 1",
}


@every
@pytest.mark.parametrize("noise", NOISE)
def test_noise_is_no_system(file: str, noise: str, tmp_path: Path) -> None:
    target = tmp_path / file
    target.write_bytes(NOISE[noise])
    with pytest.raises(SupernodeError) as caught:
        read(target, file)
    assert isinstance(caught.value, SpecError | FabricError)
    assert str(caught.value).startswith(f"{file}: ")
    assert len(str(caught.value)) < 3000


@every
def test_encodings(file: str, tmp_path: Path) -> None:
    target = tmp_path / file
    whole = bytes_of(file)
    for same in (b"\xef\xbb\xbf" + whole, whole.replace(b"\n", b"\r\n")):
        target.write_bytes(same)
        assert read(target, file).to_spec() == read(DATA / file, file).to_spec()
    for wrong in (whole.decode().encode("utf-16"), whole + b"\xe9\n", whole[:100] + b"\xff" + whole[100:]):
        target.write_bytes(wrong)
        with pytest.raises(SpecError, match=f"^{file}: not UTF-8.* at byte"):
            read(target, file)


#: Everything that reads a file of a user, beside the formats above: each by a function of the path.
READERS: dict[str, Callable[[Path], object]] = {
    "system": lambda path: System.load(path),
    "system, by name": lambda path: sn.simulate(str(path), "barrier"),
    "stack": lambda path: load_stack(str(path)),
    "job": load_job,
    "hints": lambda path: System.from_file(DATA / "astra.yml", hints=path),
    "measurements": lambda path: sn.bench("barrier", "hgx-h100", fidelity="analytic").compare(path),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "noise", [b"\xe9", b"name = 'r\xe9duction'\n", "x = 1".encode("utf-16"), b"a" * 20 + b"\xed\xa0\x80"]
)
def test_what_is_no_text_is_named_by_every_reader(reader: str, noise: bytes, tmp_path: Path) -> None:
    target = tmp_path / "latin.toml"
    target.write_bytes(noise)
    with pytest.raises(SpecError, match=r"latin\.toml: not UTF-8: .* at byte"):
        READERS[reader](target)


def test_bytes_become_text_in_one_place() -> None:
    package = Path(str(resources.files("supernode")))
    opens = re.compile(r"\.read_bytes\(|\.read_text\(|(?<![.\w])open\((?!\))")
    users = {p.relative_to(package).as_posix() for p in package.rglob("*.py") if opens.search(p.read_text())}
    assert users == {"files/text.py", "files/data.py"}  # files/data.py: the package's own files


@every
def test_a_file_that_ends_early(file: str, tmp_path: Path) -> None:
    target = tmp_path / file
    whole = bytes_of(file)
    read_at = []
    for end in range(0, len(whole), 11):
        target.write_bytes(whole[:end])
        try:
            read(target, file)
            read_at.append(end)
        except SupernodeError as error:
            assert str(error).startswith(f"{file}: ")
    # only what can be left out at the end may be missing
    assert all(end > len(whole) * 0.4 for end in read_at)


NUMBERS = ["-1", "0", "nan", "inf", "-inf", ".nan", ".inf", "1e999", "1e-9", "1.5", str(2**40), str(2**64), "9" * 30,
           "", "x", '"', "null", "true", "[]"]  # fmt: skip


@given(file=st.sampled_from(list(GOOD)), data=st.data())
@settings(max_examples=300)
def test_other_numbers_lines_and_words(
    tmp_path_factory: pytest.TempPathFactory, file: str, data: st.DataObject
) -> None:
    text = bytes_of(file).decode()
    for _ in range(data.draw(st.integers(1, 2))):
        kind = data.draw(st.sampled_from(["number", "word", "line", "twice", "swap", "cut", "byte"]))
        if kind in ("number", "word"):
            found = [m.span() for m in re.finditer(r"\d+(\.\d+)?" if kind == "number" else r"[A-Za-z_]+", text)]
            if found:
                a, b = data.draw(st.sampled_from(found))
                text = text[:a] + data.draw(st.sampled_from(NUMBERS)) + text[b:]
        elif kind in ("cut", "byte"):
            at = data.draw(st.integers(0, len(text)))
            text = text[:at] + ("" if kind == "cut" else data.draw(st.characters(codec="utf-8")) + text[at:])
        else:
            lines = text.split("\n")
            i = data.draw(st.integers(0, len(lines) - 1))
            part = {"line": [], "twice": [lines[i]] * 2, "swap": [*lines[i + 1 : i + 2], lines[i]]}[kind]
            text = "\n".join([*lines[:i], *part, *lines[i + 1 + (kind == "swap") :]])
    target = tmp_path_factory.mktemp("files", numbered=True) / file
    target.write_bytes(text.encode())
    try:
        read(target, file)
    except SupernodeError as error:
        assert str(error).startswith(file)
        assert "line 1 column" not in str(error), "an error of the interface to the core, not of the file"


# --- what no bytes can be read from


@every
def test_paths_that_are_no_files(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / file
    with pytest.raises(SpecError, match="does not exist"):
        read(target, file)
    target.symlink_to(target)
    with pytest.raises(SpecError, match=r"does not exist|cannot be read|is not the path"):
        read(target, file)
    target.unlink()
    target.mkdir()
    with pytest.raises(SpecError, match="is a directory"):
        read(target, file)
    target.rmdir()
    os.mkfifo(target)
    with pytest.raises(SpecError, match="is no regular file"):
        read(target, file)
    target.unlink()
    for odd in ("x" * 5000, "a\0b"):
        with pytest.raises(SpecError, match=r"does not exist|cannot be read|is not the path"):
            read(tmp_path / f"{odd}{Path(file).suffix}", file)
    target.write_bytes(bytes_of(file))

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SpecError, match=f"{file}' cannot be read: Permission denied"):
        read(target, file)


def test_files_that_are_too_large_are_not_read(tmp_path: Path) -> None:
    for file in GOOD:
        target = tmp_path / file
        with target.open("wb") as hole:
            hole.truncate(2**40)
        with pytest.raises(SizeOverflowError, match=f"{file}: 1099511627776 bytes are too many"):
            read(target, file)


# --- what a format says in its own way

HUGE = str(2**40)

BAD: list[tuple[str, str, str, type[Exception], str]] = [
    ("graph.toml", "accelerators = 3", f"accelerators = {HUGE}", FabricError, f"accelerators is {HUGE}"),
    ("graph.toml", "accelerators = 3", "accelerators = -1", FabricError, "accelerators is -1; .* from 1"),
    ("graph.toml", "accelerators = 3", "accelerators = 6", FabricError, "join all 6 .*; the outermost one joins 3"),
    ("graph.toml", "format = 1", f"format = 1\nunits = {HUGE}", FabricError, f"units is {HUGE}"),
    ("graph.toml", "format = 1", "format = 9", SpecError, "format 9 is not known; .* reads format 1"),
    ("graph.toml", "format = 1", 'unit = "graph.toml"', SpecError, "unknown field"),
    ("graph.toml", "format = 1", f"format = {'9' * 5000}", SpecError, "not valid TOML: Exceeds the limit"),
    ("graph.toml", '"50 GB/s"', "nan", UnitError, "scale_up rate: nan is not finite"),
    ("graph.toml", '"100 ns"', "-inf", UnitError, "scale_up latency: -inf is not finite"),
    ("graph.toml", '"100 ns"', '"-1 ns"', UnitError, "scale_up latency: '-1 ns' must be more than zero"),
    ("graph.toml", '"100 ns"', '"1e40 s"', SizeOverflowError, "scale_up latency: '1e40 s' overflows"),
    ("graph.toml", '{ name = "t"', '{ name = "s"', FabricError, "fabric scale_up: the name 's' is given twice"),
    ("graph.toml", "count = 3", "count = 3, weight = 16", FabricError, "weight of edge 'c' - 't' is 16; .* 1 to 15"),
    ("graph.toml", 'payload = "4 KiB"', 'payload = "8 GiB"', SpecError, "fabric scale_up: payload and overhead"),
    ("graph.toml", "[params.trunk]", "[[params.trunk]]", SpecError, r"Expected `object`, got `array` - at `\$.params"),
    ("pods.graphml", "<graphml ", "<!DOCTYPE x [<!ENTITY a 'b'>]><graphml ", SpecError, "entities of XML are not read"),
    ("pods.graphml", "<graphml ", "<graphml colour='&lol;' ", SpecError, "line 2: not valid XML: undefined entity"),
    ("pods.graphml", "500 ns", "0 ns", UnitError, "latency of edge 'a' - 'left': '0 ns' must be more than zero"),
    ("pods.graphml", "500 ns", "inf ns", UnitError, "latency of edge 'a' - 'left': 'inf ns' is not a number"),
    ("pods.graphml", '"b" target="left"', '"b" target="b"', FabricError, "edge 'b' - 'b' joins 'b' to itself"),
    ("pods.graphml", '"d" target="right"', '"d" target="c"', FabricError, "no path through switches joins 'a' and 'd'"),
    ("pods.graphml", '<node id="d">', "<node>", SpecError, "a <node> has no id"),
    ("pods.graphml", '"p">4', f'"p">{HUGE}', FabricError, f"radix of switch 'left' is {HUGE}"),
    ("nvswitch.xml", "<system ", "<!DOCTYPE x><system ", SpecError, "document types"),
    ("nvswitch.xml", 'count="3"', f'count="{HUGE}"', FabricError, HUGE),
    ("nvswitch.xml", 'count="3"', 'count="-3"', FabricError, "'-3'"),
    ("astra.yml", "100.0", ".nan", FabricError, "bandwidth of dimension 0 is nan"),
    ("astra.yml", "100.0", ".inf", FabricError, "bandwidth of dimension 0 is inf"),
    ("astra.yml", "250.5", "-250.5", FabricError, "latency of dimension 1 is -250.5"),
    ("astra.yml", "4, 3, 2", "4, 3, 4000000000", FabricError, "count is 48000000000"),
    ("ns3.txt", "100Gbps", "-100Gbps", UnitError, "must be more than zero"),
    ("ns3.txt", "100Gbps", "nan", UnitError, "'nan' is not a number and a unit"),
    ("ns3.txt", "5 2 4", "5 2 1099511627776", SizeOverflowError, "1099511627776 edges are too many"),
    ("simai.txt", "9 2 2 3 10", f"9 {HUGE} 2 3 10", FabricError, f"server is {HUGE}"),
    ("three_tier.topo", "speed_Gbps 100", f"speed_Gbps {HUGE}", SizeOverflowError, "downlink_speed_gbps of tier 0"),
    ("three_tier.topo", "Radix_Up 2", f"Radix_Up {HUGE}", FabricError, HUGE),
    ("infragraph.yaml", "gigabytes_per_second: 25", "gigabytes_per_second: .nan", FabricError, "per_second is nan"),
    ("infragraph.yaml", "ns: 85", "ns: -.inf", FabricError, "link 'mesh': ns is -inf; it must be a number from 0"),
    ("infragraph.yaml", "gpu[0:2]", f"gpu[0:{HUGE}]", FabricError, "goes beyond the 4 there are"),
    ("infragraph.yaml", "name: ram, count: 1", f"name: ram, count: {HUGE}", SizeOverflowError, f"count is {HUGE}"),
    ("infragraph.yaml", "name: ram, count: 1", "name: ram, count: -1", FabricError, "count is -1"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "kind", "says"), BAD, ids=[f"{b[0]} {b[2][:30]}" for b in BAD])
def test_bad_values_are_named_and_cost_nothing(
    file: str, old: str, new: str, kind: type[Exception], says: str, tmp_path: Path
) -> None:
    text = (DATA / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    tracemalloc.start()
    try:
        with pytest.raises(kind, match=f"(?s)^{file}: .*{says}"):
            read(tmp_path / file, file)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


TREE = """
name = "x"
[system]
accelerators = 4
[device]
name = "d"
[[network]]
name = "n"
kind = "net"
span = 4
payload = 4096
overhead = 0
links = [{ rate = "1 GB/s", latency = "1 ns" }]
switches = [{ latency = 0 }]
planes = [1]
topology = { kind = "clos", down = [4], up = [1], parallel = [1], rails = 1 }
"""

TREES = [
    ("down = [4]", "down = [1099511627776]", "down is 1099511627776; it must be a whole number from 1"),
    ("down = [4]", "down = [-4]", "down is -4"),
    ("down = [4]", "down = []", r"down \[\], up \[1\]"),
    ("down = [4]", "down = [4, 2]", "three lists of one entry a tier"),
    ("down = [4]", "down = [3]", "n: "),
    ("up = [1]", "up = [0]", "up is 0"),
    ("parallel = [1]", "parallel = [1099511627776]", "parallel is 1099511627776"),
    ("rails = 1", "rails = 0", "rails is 0"),
    ("rails = 1", "rails = 3", "3 rails over 4 accelerators"),
    ("planes = [1]", "planes = []", r"planes \[\]"),
    ("planes = [1]", "planes = [0]", "planes is 0"),
    ("planes = [1]", "planes = { count = 1099511627776 }", "planes is 1099511627776"),
    ("planes = [1]", "planes = { count = 4294967295 }", "planes is 4294967295; at most 65536"),
    ("switches = [{ latency = 0 }]", "switches = []", "1 link and 0 switch entries"),
    ("switches = [{ latency = 0 }]", "switches = [{ latency = nan }]", "n switch latency: nan is not finite"),
    ('kind = "clos", down = [4]', 'kind = "torus", dims = []', r"dimensions \[\]"),
    ('kind = "clos", down = [4]', 'kind = "torus", dims = [5]', r"dimensions \[5\] hold 5 accelerators, the span is 4"),
    ('kind = "clos", down = [4]', 'kind = "mesh", dims = [1099511627776]', "dims is 1099511627776"),
    ('kind = "clos", down = [4]', 'kind = "full_mesh", dims = [-2, -2]', "dims is -2"),
    ('kind = "clos", down = [4]', 'kind = "hypercube", dimensions = 1099511627776', "n: dimensions is 1099511627776"),
    ('kind = "clos", down = [4]', 'kind = "hypercube", dimensions = 2, radix = 2', "n: a switch needs 3 ports"),
    ('kind = "clos", down = [4]', 'kind = "dragonfly", terminals = 1000000', "explicit graph has at most 16384"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), TREES, ids=[t[1][:40] for t in TREES])
def test_structures_are_checked_when_they_are_read(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in TREE
    (tmp_path / "x.toml").write_text(TREE)
    assert sn.inventory(str(tmp_path / "x.toml")).switches == 1
    (tmp_path / "x.toml").write_text(TREE.replace(old, new))
    with pytest.raises((FabricError, UnitError, SizeOverflowError), match=f"^x.toml: .*{says}"):
        System.load(tmp_path / "x.toml")


def test_units_that_lead_nowhere_name_the_file_that_asks(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    for unit, says in (
        ("self.toml", "unit leads back to the file itself: self.toml is made of self.toml"),
        ("missing.toml", "self.toml, unit: system file 'missing.toml' does not exist"),
        ("nvl73", "self.toml, unit: unknown system 'nvl73'; did you mean 'nvl72'"),
        (".", "self.toml, unit: unknown system"),
        ("folder.toml", "folder.toml' is a directory"),
        ("loop.toml", "loop.toml' (does not exist|cannot be read)"),
        ("x" * 5000 + ".toml", "self.toml, unit: .*does not exist"),
    ):
        (tmp_path / "self.toml").write_text(f'name = "x"\nunit = "{unit}"\nunits = 2\n')
        with pytest.raises(SpecError, match=says):
            System.load(tmp_path / "self.toml")


def test_keywords_of_readers_are_checked() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"link_rat": "1 GB/s"}, "unknown keyword 'link_rat'; did you mean 'link_rate'"),
        ({"accelerators": "a,b"}, "accelerators: 'a,b' is not a list of names"),
        ({"device": "gpu"}, "device: 'gpu' is not a Device"),
        ({"name": 3}, "name: 3 is not a text"),
        ({"hints": "missing.json"}, "'missing.json' does not exist"),
    ]
    for options, says in wrong:
        with pytest.raises(SpecError, match=says):
            System.from_file(DATA / "pods.graphml", **options)
    with pytest.raises(SpecError, match="hints: a graph has no second file"):
        System.from_graph(object(), hints=DATA / "astra_system.json")
