"""Whatever is passed where something else belongs is accepted or a typed error, never another exception.

Every builder and function of the package is called with each of its parameters replaced by each of :data:`WRONG`.
"""

import dataclasses
import inspect
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import supernode as sn
from conftest import star
from supernode import core
from supernode.errors import SupernodeError
from supernode.io.found import ImportOptions
from supernode.run.options import RunOptions
from supernode.spec import LinkSpec, SwitchSpec, encode


class Hostile:
    """Raises whatever is asked of it."""

    def _no(self, *_: object, **__: object) -> Any:
        raise RuntimeError("hostile")

    __str__ = __repr__ = __index__ = __int__ = __float__ = __iter__ = __len__ = __fspath__ = __bool__ = _no


WRONG: dict[str, Any] = {
    "None": None, "True": True, "0": 0, "1": 1, "-1": -1, "3": 3, "1.5": 1.5, "inf": float("inf"),
    "-inf": float("-inf"), "nan": float("nan"), "2**32": 2**32, "2**64": 2**64, "10**5000": 10**5000, "''": "",
    "text": "text", "NUL": "a\0b", "surrogate": "\ud800", "long text": "9" * 100_000, "digits": "9" * 400,
    "bytes": b"3", "[]": [], "[None]": [None], "list": [1, 2, 3], "ragged": [[0], [1, 2]], "tuple": (1, "x"),
    "{}": {}, "dict": {"a": 1}, "set": {1}, "class": int, "object": object(), "hostile": Hostile(), "complex": 1j,
    "Decimal": Decimal("1.5"), "Fraction": Fraction(1, 3), "numpy int": np.int64(3), "numpy float": np.float32(1.5),
    "numpy bool": np.bool_(True), "array": np.arange(3), "2d": np.zeros((2, 2)), "0d": np.array(3),
    "NaT": np.datetime64("NaT"), "function": len, "range": range(3), "no unit": "300", "other unit": "3 parsec",
    "path": Path("/nonexistent/x.toml"), "root": "/",
}  # fmt: skip


def typed(call: Callable[[], object], what: str) -> None:
    """Fail unless the call succeeds or raises an error of this package that can be printed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except SupernodeError as error:
        assert 0 < len(str(error)) < 20_000, what
        str(error).encode()
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {str(error)[:300]}")


LINK: dict[str, Any] = {"bandwidth": "1 GB/s", "latency": "1 ns"}
EDGES = [("a", "s"), ("b", "s")]
BUILDERS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "Switched": (sn.Switched, LINK, 4),
    "FatTree": (sn.FatTree, {"radix": 8, "link": "1 GB/s"}, 16),
    "Torus": (sn.Torus, {"dims": (3, 6), **LINK}, 18),
    "Mesh": (sn.Mesh, {"dims": (3, 3), **LINK}, 9),
    "Ring": (sn.Ring, LINK, 4),
    "FullMesh": (sn.FullMesh, {"dims": (3, 3), **LINK}, 9),
    "Graph": (sn.Graph, {"accelerators": ["a", "b"], "switches": ["s"], "edges": EDGES, "rate": "1 GB/s",
                         "latency": "1 ns"}, 2),
    "Dragonfly": (sn.Dragonfly, {"terminals": 1, **LINK}, 6),
    "DragonflyPlus": (sn.DragonflyPlus, {"terminals": 1, "leaves": 2, "spines": 2, "global_ports": 1, **LINK}, 6),
    "HyperX": (sn.HyperX, {"dims": (2, 2), "terminals": 1, **LINK}, 4),
    "Hypercube": (sn.Hypercube, {"dimensions": 2, **LINK}, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILDERS)
def test_builders(name: str, tmp_path: Path) -> None:
    make, good, count = BUILDERS[name]
    for field in dataclasses.fields(make):
        for label, value in WRONG.items():
            what = f"{name}({field.name}={label})"
            built: list[sn.System] = []

            def build(field: str = field.name, value: Any = value, built: list[sn.System] = built) -> None:
                fabric = make(**{**good, field: value})
                built.append(sn.System("s").scale_up(count=count, fabric=fabric))

            typed(build, what)
            for system in built:
                # what a builder accepts, the core accepts, and what save writes, load reads
                try:
                    system.save(tmp_path / "s.toml")
                    assert sn.System.load(tmp_path / "s.toml").to_spec() == system.to_spec(), what
                except SupernodeError as error:
                    pytest.fail(f"{what}: accepted by the builder, and then: {error}")


#: The least and the most that each limit of the core lets through, and the next value, which it does not.
LIMITS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"payload": 65_535}, {"payload": 65_536}),
    ({"payload": 65_000, "overhead": 535}, {"payload": 65_000, "overhead": 536}),
    ({"buffer": 4096}, {"buffer": 4095}),
    ({"buffer": 4224, "overhead": 128}, {"buffer": 4223, "overhead": 128}),
    ({"latency": "1 fs"}, {"latency": "0 fs"}),
    ({"latency": "999999999999999 fs"}, {"latency": "1 s"}),
    ({"switch_latency": "999999999999999 fs"}, {"switch_latency": "1 s"}),
    ({"bandwidth": "1 bit/s"}, {"bandwidth": "0 bit/s"}),
    ({"planes": 16_384}, {"planes": 16_385}),
]


@pytest.mark.parametrize(("good", "bad"), LIMITS, ids=str)
def test_builders_have_the_limits_of_the_core(good: dict[str, Any], bad: dict[str, Any]) -> None:
    base = {"bandwidth": "1 GB/s", "latency": "1 ns"}
    spec = sn.System("s").scale_up(count=2, fabric=sn.Switched(**{**base, **good})).to_spec()
    core.describe(encode(spec))
    with pytest.raises(SupernodeError):
        sn.Switched(**{**base, **bad})
    # and no narrower: the core refuses the same
    network = spec.networks[0]
    fields: dict[str, Any] = {"payload": network.payload, "overhead": network.overhead, "buffer": network.buffer}
    fields |= {key: value for key, value in bad.items() if key in fields}
    link = LinkSpec(
        0 if "bandwidth" in bad else network.links[0].rate,
        {"0 fs": 0, "1 s": 10**15}.get(str(bad.get("latency")), network.links[0].latency_fs),
    )
    switch = SwitchSpec(10**15 if "switch_latency" in bad else 0)
    planes = [1] * bad["planes"] if "planes" in bad else network.planes
    broken = msgspec.structs.replace(network, links=[link], switches=[switch], planes=planes, **fields)
    with pytest.raises(SupernodeError):
        core.describe(encode(msgspec.structs.replace(spec, networks=[broken])))


@pytest.mark.parametrize("part", [sn.Edge, sn.SwitchNode])
def test_parts_of_graphs(part: Any) -> None:
    for field in dataclasses.fields(part):
        for label, value in WRONG.items():

            def build(field: str = field.name, value: Any = value) -> None:
                edges: list[Any] = list(EDGES)
                switches: list[Any] = ["s"]
                if part is sn.Edge:
                    edges = [EDGES[0], sn.Edge(**{"a": "b", "b": "s", field: value})]
                else:
                    switches = [sn.SwitchNode(**{"name": "s", field: value})]
                graph = sn.Graph(accelerators=["a", "b"], switches=switches, edges=edges, rate="1 GB/s", latency="1 ns")
                sn.System("s").scale_up(count=2, fabric=graph).to_spec()

            typed(build, f"{part.__name__}({field.name}={label})")


def _device(field: str, value: Any) -> sn.Device:
    return sn.Device(**{field: value})


def test_devices_and_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fabric = sn.Switched(**LINK)
    pod = sn.System("s").scale_up(count=4, fabric=fabric)
    calls: dict[str, Callable[[Any], object]] = {
        **{f"Device.{f.name}": partial(_device, f.name) for f in dataclasses.fields(sn.Device)},
        "System name": lambda v: sn.System(v).scale_up(count=2, fabric=fabric).to_spec(),
        "System stack": lambda v: sn.all_reduce(
            sn.System("s", v).scale_up(count=2, fabric=fabric), size=8, fidelity="analytic"
        ),
        "scale_up device": lambda v: sn.System("s").scale_up(v, count=2, fabric=fabric),
        "scale_up count": lambda v: sn.System("s").scale_up(count=v, fabric=fabric),
        "scale_up fabric": lambda v: sn.System("s").scale_up(count=2, fabric=v),
        "scale_up nics": lambda v: sn.System("s").scale_up(count=2, fabric=fabric, nics_per_device=v),
        "scale_out fabric": lambda v: pod.scale_out(v),
        "scale_out nics": lambda v: pod.scale_out(fabric, nics_per_device=v),
        "scale_out count": lambda v: sn.System("s").scale_out(fabric, count=v),
        "scale_out device": lambda v: sn.System("s").scale_out(fabric, count=4, device=v),
        "scale_out replace": lambda v: pod.scale_out(fabric).scale_out(fabric, replace=v),
        "replicate": lambda v: pod.scale_out(fabric).replicate(v),
        "preset": sn.System.preset,
        "preset override": lambda v: sn.System.preset("nvl72", link_latency=v),
        "preset count": lambda v: sn.System.preset("tpu-v4", side_x=v),
        "preset stack": lambda v: sn.System.preset("nvl72", **{"simple.launch": v}),
        "show": sn.show,
        "load": sn.System.load,
        "from_file": sn.System.from_file,
        "from_file format": lambda v: sn.System.from_file(tmp_path / "x.xml", v),
        "from_graph": sn.System.from_graph,
        "to_toml": lambda v: pod.to_toml(tmp_path / "s.toml" if v is None else v),
        "save format": lambda v: pod.save(tmp_path / "s.toml", v),
        "save": pod.save,
        "figure": lambda v: pod.plot().save(v),
        "scale": lambda v: pod.plot().save(tmp_path / "x.svg", v),
        "inventory": sn.inventory,
    }
    (tmp_path / "x.xml").write_text("<system/>")
    for name, call in calls.items():
        for label, value in WRONG.items():
            typed(lambda call=call, value=value: call(value), f"{name} of {label}")  # type: ignore[misc]


@pytest.mark.parametrize("keyword", sorted(RunOptions.__annotations__))
def test_keywords_of_a_run(keyword: str) -> None:
    for label, value in WRONG.items():
        given: Any = {"fidelity": "analytic", keyword: value}
        typed(lambda given=given: sn.simulate(star(4), "broadcast", size=64, **given), f"{keyword}={label}")  # type: ignore[misc]


@pytest.mark.parametrize("keyword", sorted(ImportOptions.__annotations__))
def test_keywords_of_an_import(keyword: str, tmp_path: Path) -> None:
    (tmp_path / "net.yml").write_text(
        "topology: [Ring]\nnpus_count: [4]\nbandwidth: [50.0]\nlatency: [500.0]\n", encoding="utf-8"
    )
    (tmp_path / "net.topo").write_text("3 1 2\n2\n0 2 100Gbps 1us 0\n1 2 100Gbps 0ns 0\n")
    for file in ("net.yml", "net.topo"):
        for label, value in WRONG.items():
            given: Any = {"link_latency": "1 us", keyword: value}
            kind = "ns3" if file.endswith("topo") else None
            typed(
                lambda given=given, file=file, kind=kind: sn.System.from_file(tmp_path / file, kind, **given),  # type: ignore[misc]
                f"{file}, {keyword}={label}",
            )


def test_other_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = sn.all_reduce(star(4), size=64, fidelity="analytic")
    bench = sn.bench("all_reduce", star(4), sizes=64, fidelity="analytic")
    calls: dict[str, Callable[[Any], object]] = {
        "system": lambda v: sn.all_reduce(v, size=8),
        "collective": lambda v: sn.simulate(star(4), v, size=8),
        "size": lambda v: sn.all_reduce(star(4), size=v, fidelity="analytic"),
        "size of a class": lambda v: sn.simulate(star(4), sn.AllReduce(v), fidelity="analytic"),
        "size of a barrier": lambda v: sn.barrier(star(4), size=v),
        "root of a class": lambda v: sn.simulate(star(4), sn.Broadcast(8, root=v), fidelity="analytic"),
        "sizes": lambda v: (
            sn.bench("all_reduce", star(4), sizes=v, fidelity="analytic") if v is not WRONG["class"] else 0
        ),
        "algorithms": lambda v: sn.bench("all_reduce", star(4), sizes=8, algorithms=v, fidelity="analytic"),
        "on_row": lambda v: (
            sn.bench("all_reduce", star(4), sizes=8, on_row=v, fidelity="analytic")
            if v is not int  # a function, and so its own errors are its caller's
            else None
        ),
        "bench": lambda v: sn.bench(v, star(4), sizes=8),
        "sn.sizes first": lambda v: sn.sizes(v, "1 KiB"),
        "sn.sizes last": lambda v: sn.sizes(8, v),
        "sn.sizes x": lambda v: sn.sizes(8, "1 KiB", x=v),
        "sn.sizes step": lambda v: sn.sizes(8, "1 KiB", step=v),
        "explain": lambda v: sn.explain(star(4), v, size=8),
        "schedule": lambda v: sn.schedule(v, ranks=4, size=8),
        "schedule ranks": lambda v: sn.schedule("all_reduce", ranks=v, size=8),
        "table": result.table,
        "expand": result.expand,
        "save": lambda v: (
            result.save(v if v not in ("", "text") else tmp_path) if isinstance(v, str) else result.save(v)
        ),
        "save format": lambda v: result.save(tmp_path / "r", v),
        "load": sn.Result.load,
        "bench.load": sn.Bench.load,
        "bench.save": lambda v: bench.save(tmp_path / "b", v),
        "nccl": lambda v: bench.to_nccl_tests(v if not isinstance(v, str) else tmp_path / "x" / v),
        "compare": bench.compare,
        "compare place": lambda v: bench.compare(tmp_path / "x.json", v),
        "bench.table": bench.table,
    }
    for name, call in calls.items():
        for label, value in WRONG.items():
            typed(lambda call=call, value=value: call(value), f"{name} of {label}")  # type: ignore[misc]


def test_every_builder_is_tried() -> None:
    classes = {
        name for name in sn.__all__ if inspect.isclass(getattr(sn, name)) and hasattr(getattr(sn, name), "network")
    }
    assert classes - {"Fabric"} == set(BUILDERS)
