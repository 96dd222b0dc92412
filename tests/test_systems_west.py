"""Western systems have the counts and rates that their sources publish; every preset builds in full, runs in part."""

from typing import Any

import pytest

import supernode as sn
from supernode.system import System

#: What sources print, by the path of the number in a preset's counts. Figures are as rounded as in the source.
PUBLISHED: list[tuple[str, dict[str, Any], dict[str, float]]] = [
    (
        "nvl72",
        {},
        {
            "accelerators": 72,
            "accelerator_ports": 18,
            "scale_up.injection_gbytes_s": 900,
            "scale_up.all_gbytes_s": 130_000 / 2,
            "scale_up.tier 1.switches": 18,
            "scale_up.tier 1.ports": 72,
        },
    ),
    (
        "gb300-nvl72",
        {},
        {"accelerators": 72, "accelerator_ports": 18, "scale_up.injection_gbytes_s": 900, "switches": 18},
    ),
    (
        "gb300-nvl72:64",
        {},
        {"accelerators": 4608, "scale_out.injection_gbytes_s": 100, "scale_out.tier 1.switches": 64},
    ),
    (
        "vera-rubin-nvl144",
        {},
        {
            "accelerators": 72,
            "accelerator_ports": 36,
            "scale_up.injection_gbytes_s": 1800,
            "scale_up.all_gbytes_s": 260_000 / 2,
            "hbm_gbytes_s": 72 * 22_000,
        },
    ),
    (
        "hgx-h100",
        {},
        {
            "accelerators": 8,
            "accelerator_ports": 18,
            "switches": 4,
            "scale_up.injection_gbytes_s": 450,
            "scale_up.all_gbytes_s": 3600,
        },
    ),
    ("hgx-h200", {}, {"accelerators": 8, "accelerator_ports": 18, "switches": 4, "hbm_gbytes_s": 8 * 4800}),
    (
        "hgx-b200",
        {},
        {
            "accelerators": 8,
            "accelerator_ports": 18,
            "switches": 2,
            "scale_up.tier 1.ports": 72,
            "scale_up.injection_gbytes_s": 900,
        },
    ),
    ("gh200", {}, {"accelerators": 4, "node.injection_gbytes_s": 3600 / 8, "hbm_gbytes_s": 16_000}),
    ("gh200:2", {}, {"scale_out.injection_gbytes_s": 25}),
    (
        "maia100",
        {},
        {
            "server.dimension 1.ports": 9,
            "scale_out.planes": 3,
            "scale_out.injection_gbytes_s": 1200 / 8,
            "injection_gbytes_s": 4800 / 8,
        },
    ),
    ("tpu-v4", {}, {"accelerators": 4096, "accelerator_ports": 6, "ici.bisection_gbytes_s": 46_100 / 2}),
    ("tpu-v5p", {}, {"accelerators": 8960, "accelerator_ports": 6, "ici.injection_gbytes_s": 540}),
    ("tpu-ironwood", {}, {"accelerators": 9216, "accelerator_ports": 6, "ici.injection_gbytes_s": 1200 / 2}),
    ("trn2-ultraserver", {}, {"accelerators": 64, "neuronlink.injection_gbytes_s": 640, "hbm_gbytes_s": 185_600}),
    ("trn2-ultraserver:2", {}, {"scale_out.all_gbytes_s": 2 * 12_800 / 8}),
    (
        "trn3-ultraserver",
        {},
        {
            "accelerators": 144,
            "server.tier 1.switches": 36,
            "server.injection_gbytes_s": 256,
            "ultraserver.injection_gbytes_s": 320,
            "hbm_gbytes_s": 705_600,
        },
    ),
    ("trn3-ultraserver:2", {}, {"scale_out.all_gbytes_s": 2 * 28_800 / 8}),
    ("inf2", {}, {"accelerators": 12, "neuronlink.injection_gbytes_s": 192 * 2**30 / 1e9 / 2}),
    ("mtia-v2", {}, {"accelerators": 72, "rack.injection_gbytes_s": 32, "rack.tier 1.switches": 3}),
    ("mtia-v2", {"chassis": 6}, {"accelerators": 144}),
    (
        "gb200-superpod",
        {},
        {"accelerators": 576, "scale_out.tier 1.switches": 18, "scale_out.all_gbytes_s": 8 * 3600},
    ),
    (
        "h100-superpod",
        {},
        {"accelerators": 1024, "scale_out.tier 1.switches": 32, "scale_out.tier 2.switches": 16},
    ),
    (
        "h100-superpod",
        {"boards": 512},
        {
            "accelerators": 4096,
            "scale_out.tier 1.switches": 128,
            "scale_out.tier 2.switches": 128,
            "scale_out.tier 3.switches": 64,
        },
    ),
    ("fairwater", {}, {"scale_out.tiers": 2, "scale_out.injection_gbytes_s": 100, "scale_up.injection_gbytes_s": 900}),
    ("stargate", {}, {"accelerators": 400_000}),
    ("stargate", {"power": "192 MW"}, {"accelerators": 64_000}),
    ("stargate", {"power": "10 GW", "power_per_rack": "120 kW"}, {"accelerators": 6_000_000}),
    ("colossus", {}, {"accelerators": 100_000, "scale_out.tiers": 3, "scale_out.injection_gbytes_s": 50}),
    ("colossus", {"boards": 25_000}, {"accelerators": 200_000, "scale_out.tiers": 3}),
    (
        "meta-24k-roce",
        {},
        {"accelerators": 24_576, "roce.tier 1.switches": 1536, "roce.tier 1.ports": 34, "roce.injection_gbytes_s": 50},
    ),
    ("meta-24k-ib", {}, {"accelerators": 24_576, "scale_out.injection_gbytes_s": 50}),
]


def counts(name: str, **overrides: Any) -> dict[str, float]:
    """What a preset counts, by path: NETWORK.LEVEL.NUMBER; ``all_gbytes_s`` is the injection of all accelerators."""
    info = sn.show(name, **overrides)
    found = info.counts()
    flat = {key: value for key, value in found.items() if key != "networks"}
    flat["hbm_gbytes_s"] = (info.spec.device.hbm_rate or 0) / 8e9 * info.spec.accelerators
    flat["injection_gbytes_s"] = sum(n["injection_gbytes_s"] for n in found["networks"])
    for network in found["networks"]:
        path = network["name"]
        flat |= {f"{path}.{key}": value for key, value in network.items() if key not in ("name", "levels")}
        flat[f"{path}.all_gbytes_s"] = network["injection_gbytes_s"] * info.spec.accelerators
        flat[f"{path}.tiers"] = len(network["levels"])
        for level in network["levels"]:
            flat |= {f"{path}.{level['name']}.{key}": value for key, value in level.items()}
    return flat


@pytest.mark.parametrize(("name", "overrides", "published"), PUBLISHED)
def test_published_counts(name: str, overrides: dict[str, Any], published: dict[str, float]) -> None:
    found = counts(name, **overrides)
    assert {path: found[path] for path in published} == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize("name", sn.systems())
def test_every_preset_builds_at_full_size(name: str) -> None:
    info = sn.show(name)
    found = info.counts()
    assert found["accelerators"] == System.preset(name).accelerators
    outer = found["networks"][-1]
    assert outer["span"] == found["accelerators"]
    assert 0 < outer["diameter_ns"] < 100_000
    assert all(n["bisection_gbytes_s"] > 0 for n in found["networks"])
    assert info.not_modelled
    assert str(info)


def small(name: str) -> list[tuple[System, list[int] | None]]:
    """Systems that run in no time: one unit, or some of its accelerators; and some of two units."""

    def some(system: System) -> list[int]:
        half = system.accelerators // 2
        return [*range(4), *range(half, half + 4)]

    whole = System.preset(name)
    unit = whole.replicate(1)
    cases: list[tuple[System, list[int] | None]] = [(unit, None if unit.accelerators <= 144 else some(unit))]
    if whole.joined is not None and unit.accelerators <= 400:
        pair = whole.replicate(2)
        cases.append((pair, None if pair.accelerators <= 8 else some(pair)))
    return cases


@pytest.mark.parametrize("collective", ["all_reduce", "all_gather", "all_to_all"])
@pytest.mark.parametrize("name", sn.systems())
def test_every_preset_runs(name: str, collective: str) -> None:
    for system, placement in small(name):
        ranks = None if placement is None else len(placement)
        result = sn.simulate(system, collective, size="64 KiB", fidelity="packet", ranks=ranks, placement=placement)
        assert result.fidelity == "packet"
        assert result.time_ns > 0
        assert result.bound <= result.time_ns
