"""Computation in FLOP and bytes: the larger of two times, by rates of the system or of the call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import SpecError, SupernodeError


def device(**options: Any) -> sn.System:
    fabric = sn.Switched(bandwidth="50 GB/s", latency="500 ns")
    return sn.System("star").scale_up(sn.Device("gpu", **options), count=4, fabric=fabric)


def compute(system: str | sn.System, **options: Any) -> sn.WorkloadResult:
    w = sn.Workload(sn.DeviceMesh(r=4))
    w.compute(**options)
    return sn.simulate(system, w, stack="none")


def test_the_larger_of_two_times_is_taken() -> None:
    system = device(hbm="2 TB/s", peak={"bf16": "1 PFLOP/s", "float8_e4m3": "2 PFLOPS"})
    times = {  # ns: FLOP over the rate, bytes over the bandwidth
        ("1 TFLOP", None, "bfloat16", 1): 1e6,
        ("1 TFLOP", None, "fp8", 1): 0.5e6,
        ("1 TFLOP", None, "bfloat16", 0.5): 2e6,
        (None, "1 GB", None, None): 0.5e6,
        ("1 TFLOP", "1 GB", "bfloat16", 1): 1e6,
        ("1 TFLOP", "4 GB", "bfloat16", 1): 2e6,
    }
    for (flops, moved, dtype, efficiency), expected in times.items():
        result = compute(system, flops=flops, bytes=moved, dtype=dtype, efficiency=efficiency)
        assert result.time_ns == expected
        assert not any("efficiency" in warning for warning in result.warnings)
    assert compute(system, flops="1 TFLOP", peak_flops="4 PFLOP/s").time_ns == 0.25e6
    # rounded up to a femtosecond: 1 FLOP at 1 PFLOP/s is 1 fs, half of one as well
    assert compute(system, flops=1, dtype="fp8").time_fs == 1


def test_presets_have_rates_and_an_assumed_efficiency_is_said() -> None:
    result = compute("hgx-h100", flops="989 GFLOP", name="matmul")
    assert result.time_ns == 1e6
    assert "efficiency 1 is assumed of computation in FLOP: 'matmul'" in result.warnings
    override = sn.System.preset("hgx-h100", peak_bfloat16="494.5 TFLOP/s")
    assert compute(override, flops="989 GFLOP").time_ns == 2e6
    # the announced rate of a package, not that of the rack that the preset derives from
    assert compute("vera-rubin-nvl144", flops="4 TFLOP").time_ns == 1e6
    assert compute("cloudmatrix384-dies", flops="376 GFLOP").time_ns == 1e6


def test_a_peak_rate_that_nothing_computes_at_has_no_effect() -> None:
    system = sn.System.preset("hgx-h100", peak_bfloat16="494.5 TFLOP/s")

    def said(result: sn.Result | sn.WorkloadResult) -> list[str]:
        return [text for text in result.warnings if text.startswith("override peak_bfloat16 has no effect")]

    assert len(said(sn.all_reduce(system, size=8))) == 1
    assert said(compute(system, flops=1)) == []
    for idle in ({"flops": 1, "dtype": "fp8"}, {"flops": 1, "peak_flops": "1 TFLOP/s"}, {"duration": "1 us"}):
        assert len(said(compute(system, **idle))) == 1


def test_rates_survive_a_file(tmp_path: Path) -> None:
    system = device(hbm="2 TB/s", peak={"bfloat16": "1.5 PFLOP/s"})
    path = tmp_path / "star.toml"
    system.save(path)
    again = sn.System.load(path)
    assert again.device.peaks() == {"bfloat16": 1_500_000 * 10**9}
    assert compute(again, flops="3 TFLOP").time_ns == 2e6
    w = sn.Workload(sn.DeviceMesh(r=4))
    w.compute(flops="2 TFLOP", bytes="3 MiB", efficiency=0.625, peak_flops="2 PFLOP/s", dtype="float16")
    w.compute(flops=7, jitter=0.5)
    (tmp_path / "w.toml").write_text(w.to_toml())
    (read,) = sn.load_workloads(tmp_path / "w.toml")
    assert read.body() == w.body()
    body = w.body()
    sn.simulate(again, w)
    assert w.body() == body, "a run leaves the program as it is"


MISTAKES: list[tuple[Callable[[sn.Workload], object], str]] = [
    (lambda w: w.compute(), "operation 'compute': duration is missing"),
    (lambda w: w.compute("1 us", flops=1), "operation 'compute': duration: '1 us' is not valid beside flops="),
    (lambda w: w.compute("1 us", efficiency=0.5), "efficiency=0.5 has no effect without flops="),
    (
        lambda w: w.compute("1 us", dtype="bfloat16"),
        "operation 'compute': dtype='bfloat16' has no effect without flops=",
    ),
    (lambda w: w.compute(bytes=1, dtype="fp8"), "dtype='fp8' has no effect without flops="),
    (lambda w: w.compute(flops=1, efficiency=0), "operation 'compute': efficiency: 0 is not valid"),
    (lambda w: w.compute(flops="1 TFLOPs"), "unknown unit 'TFLOPs'"),
    (lambda w: w.compute(flops=1, peak_flops=5), "peak_flops: 5 has no unit"),
    (lambda w: w.compute(flops=1, dtype="bfloat17"), "operation 'compute': unknown dtype"),
    (lambda _: sn.Device(peak=5), "peak: 5 is not valid"),  # type: ignore[arg-type]
    (lambda _: compute(device(peak={"bf17": "1 TFLOP/s"}), flops=1), "device gpu: peak: unknown dtype 'bf17'"),
    (lambda _: sn.Device(peak={3: "1 TFLOP/s"}), "element type of peak is 3"),  # type: ignore[dict-item]
    (lambda _: sn.Device(peak={"bf16": "1 TB/s"}), "peak of bf16: unknown unit 'TB/s'"),
]


@pytest.mark.parametrize(("mistake", "text"), MISTAKES)
def test_mistakes_are_named(mistake: Callable[[sn.Workload], object], text: str) -> None:
    with pytest.raises(SupernodeError, match=text):
        mistake(sn.Workload(sn.DeviceMesh(r=4)))


def test_a_rate_that_is_not_known_says_how_to_give_it() -> None:
    with pytest.raises(
        SpecError, match=r"'compute': flops: star has no peak rate of bfloat16 \(known: none\); give peak_"
    ):
        compute(device(), flops=1)
    with pytest.raises(SpecError, match=r"float32 \(known: bfloat16 \(1 PFLOP/s\)\)"):
        compute(device(peak={"bf16": "1 PFLOP/s"}), flops=1, dtype="float32")
    with pytest.raises(SpecError, match=r"'compute': bytes: the memory of star has no bandwidth; give it as Device"):
        compute(device(), bytes=1)


@pytest.mark.parametrize("given", [{"flops": "1 TFLOP", "peak_flops": "1 FLOP/s"}, {"bytes": 2**62}])
def test_work_beyond_an_hour_names_the_operation(given: dict[str, Any]) -> None:
    w = sn.Workload(sn.DeviceMesh(r=4))
    w.compute(name="op", **given)
    with pytest.raises(SpecError, match=r"operation 'op': flops and bytes take .* at most an hour"):
        sn.simulate("hgx-h100", w)
