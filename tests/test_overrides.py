"""Overriding any number of a preset by name changes the system and is recorded, or a warning says that it does not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import supernode as sn
from supernode.cli.app import app
from supernode.errors import SpecError, SupernodeError, UnitError
from supernode.library.stack import load_stack
from supernode.preset.load import load_preset
from supernode.system import System
from supernode.units import Quantity

EVERY = [(name, key) for name in sn.systems() for key in load_preset(name).params]


def doubled(value: Quantity | bool) -> Quantity | bool:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 2 * value
    number, _, unit = value.partition(" ")
    return f"{2 * float(number) or 7.0:g} {unit}".strip()


def facts(system: System) -> Any:
    """Everything that runs and descriptions depend on, but names."""
    found = sn.inventory(system)
    spec = system.to_spec()
    peaks = system.device.peaks()
    return spec.accelerators, spec.device, peaks, spec.networks, found.levels, found.power_watts, system.host


@pytest.mark.parametrize(("name", "key"), EVERY, ids=[f"{n}.{k}" for n, k in EVERY])
def test_every_parameter_of_every_preset(name: str, key: str) -> None:
    new = doubled(load_preset(name).params[key].value)
    tried = 0
    for called in (name, f"{name}:2"):
        try:
            before = System.preset(called)
            after = System.preset(called, **{key: new})
        except SupernodeError:
            continue  # some units cannot be joined, and some numbers only change together
        tried += 1
        warned = any(f"override {key} has no effect" in note for note in after.notes())
        assert (facts(before) == facts(after)) == warned
        assert after.overrides == {key: new}
        assert f"[{key}={new}]" in after.label == after.to_spec().name
        assert f" {key} = " not in after.assumed()
        info = sn.show(called, **{key: new})
        (row,) = info.overridden
        assert (row.name, row.value, row.mark) == (key, new, "override")
        assert f"{key} = {new}: instead of {load_preset(name).params[key].value}" in str(info)
    # what did not fit alone names the numbers that do not go together
    if not tried:
        with pytest.raises(SupernodeError, match=r"\d"):
            System.preset(name, **{key: new})


@pytest.mark.parametrize("name", sn.systems())
def test_most_parameters_can_be_changed_alone(name: str) -> None:
    keys = list(load_preset(name).params)
    changed = 0
    for key in keys:
        try:
            System.preset(name, **{key: doubled(load_preset(name).params[key].value)})
            changed += 1
        except SupernodeError:
            pass
    assert changed >= 0.6 * len(keys)


@pytest.mark.parametrize("name", sn.stacks())
def test_every_value_of_the_software(name: str) -> None:
    preset = next(n for n in sn.systems() if load_preset(n).stack == name) if name != "none" else None
    if preset is None:
        return
    kinds = [n.kind for n in System.preset(preset).all_networks()]
    for key, value in load_stack(name).values():
        system = System.preset(preset, **{key: doubled(value.value)})
        assert system.stack_overrides == {key: doubled(value.value)}
        warned = any(f"override {key} has no effect" in note for note in system.notes())
        before, after = (
            load_stack(name).replaced(s.stack_overrides).to_spec(kinds) for s in (System.preset(preset), system)
        )
        assert (before == after) == warned
        with pytest.raises(UnitError, match="unknown unit 'GB'"):
            System.preset(preset, **{key: "1 GB"})


def test_what_is_used_and_decides_nothing_is_named() -> None:
    # eight accelerators meet in one switch, so that there are no trunks
    system = System.preset("gh200:2", trunk_latency="1 us", link_latency="1 us")
    assert [n for n in system.notes() if "override" in n] == [
        "override trunk_latency has no effect: gh200:2 is the same without it"
    ]
    same = System.preset("nvl72", link_latency=load_preset("nvl72").params["link_latency"].value)
    assert "override link_latency has no effect: nvl72 is the same without it" in same.notes()
    both = System.preset("atlas950", mesh_side=4, npus_per_rack=16, npus=8192)
    assert "override npus has no effect: atlas950 is the same without it" in both.notes()


RUN: Any = {"size": "64 KiB", "fidelity": "analytic"}


def test_results_record_them(tmp_path: Path) -> None:
    changes: Any = {"link_latency": "300 ns", "simple.launch": "1 us"}
    system = System.preset("hgx-h100", **changes)
    result = sn.all_reduce(system, **RUN)
    assert result.overrides == result.meta["overrides"] == changes
    label = "hgx-h100[link_latency=300 ns, simple.launch=1 us]"
    assert result.system == result.effective["system"]["name"] == label
    for table in ("summary", "ranks"):
        recorded = sn.all_reduce(system, **RUN | {"fidelity": "packet"}, record=["ranks"]).table(table)
        assert recorded.schema.metadata[b"system"].decode() == label
        assert json.loads(recorded.schema.metadata[b"overrides"]) == changes
    result.save(tmp_path)
    meta = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert meta["overrides"] == changes
    rows = sn.bench("all_reduce", system, sizes="64 KiB", fidelity="analytic").rows
    assert {row["system"] for row in rows} == {label}


def cli(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_line_takes_the_same_names(tmp_path: Path) -> None:
    done = cli("show", "nvl72", "--set", "link_latency=300 ns", "--set", "gpus=36", "--set", "simple.launch=1 us")
    assert done.exit_code == 0, done.output
    for text in (
        "nvl72[link_latency=300 ns, gpus=36, simple.launch=1 us]",
        "36 x ",
        "link_latency = 300 ns: instead of",
    ):
        assert text in done.output
    folder = tmp_path / "out"
    done = cli(
        "bench", "all_reduce", "nvl72", "--sizes", "8", "--fidelity", "analytic", "--set", "link_latency=300 ns",
        "-o", str(folder),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "nvl72[link_latency=300 ns]" in done.output
    assert pl.read_parquet(next(folder.glob("*.parquet")))["system"].unique().to_list() == [
        "nvl72[link_latency=300 ns]"
    ]
    job = tmp_path / "job.toml"
    job.write_text('system = "nvl72"\ncollective = "all_reduce"\nsize = 8\nfidelity = "analytic"\n')
    done = cli("run", str(job), "--set", "link_latency=300 ns")
    assert "on nvl72[link_latency=300 ns]" in done.output


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        (
            {"link_latncy": "1 ns"},
            SpecError,
            r"unknown parameter of preset nvl72 'link_latncy'; did you mean 'link_lat",
        ),
        ({"simple.lunch": "1 us"}, SpecError, r"did you mean 'simple\.launch'"),
        ({"link_latency": "1 nsec"}, UnitError, "unknown unit 'nsec' in '1 nsec'; valid units: fs, ps, ns"),
        ({"link_latency": "1 GB/s"}, UnitError, "valid units: fs, ps, ns"),
        ({"link_rate": "1 GB"}, UnitError, "valid units: bit/s"),
        ({"link_rate": float("nan")}, UnitError, "nan is not finite"),
        ({"link_rate": "-1 GB/s"}, UnitError, "must be more than zero"),
        ({"link_rate": None}, SpecError, "override link_rate: None is not valid; it must be"),
        ({"gpus": [72]}, SpecError, r"override gpus: \[72\] is not valid"),
        ({"gpus": True}, SpecError, "Expected .*, got `bool`"),
        ({"gpus": 2**40}, SupernodeError, "1099511627776"),
        ({"gpus": 0}, SupernodeError, "0"),
        ({"gpus": "x" * 10_000}, SpecError, "not a whole number"),
        ({"link_latency": np.int64(5), "planes": object()}, SpecError, "planes|object"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_errors(changes: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        System.preset("nvl72", **changes)


def test_numbers_of_any_type() -> None:
    for gpus in (np.int64(36), "36", 36):
        system = System.preset("nvl72", gpus=gpus)  # type: ignore[arg-type]
        assert system.accelerators == 36
        assert sn.all_reduce(system, **RUN).table("summary").schema.metadata[b"overrides"] in (
            b'{"gpus":36}',
            b'{"gpus":"36"}',
        )
