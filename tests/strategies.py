"""Random small systems and runs."""

from math import prod
from typing import Any

from hypothesis import strategies as st

import supernode as sn
from supernode.library.collectives import BY_NAME
from supernode.system import System

RATES = st.sampled_from(["25 Gbit/s", "400 Gbit/s", "50 GB/s"])
TIMES = st.sampled_from(["50 ns", "250 ns", "1 us"])


@st.composite
def switched(draw: st.DrawFn) -> System:
    fabric = sn.Switched(
        bandwidth=draw(RATES),
        latency=draw(TIMES),
        planes=draw(st.integers(1, 3)),
        overhead=draw(st.sampled_from([0, 64])),
        payload=draw(st.sampled_from([256, 4096])),
        routing=draw(st.sampled_from(["d_mod_k", "s_mod_k", "ecmp", "spray_round_robin", "spray_random"])),
        cut_through=draw(st.booleans()),
    )
    return System("switched").scale_up(count=draw(st.integers(2, 9)), fabric=fabric)


@st.composite
def direct(draw: st.DrawFn) -> System:
    dims = tuple(draw(st.lists(st.integers(2, 4), min_size=1, max_size=3).filter(lambda d: prod(d) <= 24)))
    family = draw(st.sampled_from([sn.Torus, sn.Mesh, sn.FullMesh]))
    fabric = family(dims=dims, bandwidth=draw(RATES), latency=draw(TIMES))
    return System("direct").scale_up(count=prod(dims), fabric=fabric)


@st.composite
def clusters(draw: st.DrawFn) -> System:
    tree = sn.FatTree(
        radix=draw(st.sampled_from([4, 8])),
        link=draw(RATES),
        link_latency=draw(TIMES),
        trunk_latency=draw(TIMES),
        switch_latency="100 ns",
        routing=draw(st.sampled_from(["d_mod_k", "ecmp", "spray_round_robin"])),
    )
    count = draw(st.integers(2, 16))
    if draw(st.booleans()):
        return System("cluster").scale_out(tree, count=count)
    unit = sn.Switched(bandwidth="50 GB/s", latency="100 ns")
    return System("pods").scale_up(count=2, fabric=unit).scale_out(tree).replicate(max(2, count // 2))


@st.composite
def graphs(draw: st.DrawFn) -> System:
    """A tree of switches with accelerators on it, and edges of any kind besides."""
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
    names = draw(st.lists(text, min_size=3, max_size=9, unique=True))
    cut = draw(st.integers(1, len(names) - 1))
    accelerators, switches = names[:cut], names[cut:]
    rate = st.sampled_from([None, "25 GB/s", "400 Gbit/s", "123456789 bit/s"])
    edge = st.builds(
        sn.Edge,
        a=st.sampled_from(switches),
        b=st.sampled_from(names),
        rate=rate,
        latency=st.sampled_from([None, "1 us", "7 fs", "350 ns"]),
        count=st.integers(1, 5),
        medium=st.sampled_from([None, "copper", 'a "b" \\ \x7f']),
    )
    edges = [sn.Edge(name, switches[0]) for name in (*accelerators, *switches[1:])]
    edges += draw(st.lists(edge.filter(lambda e: e.a != e.b), max_size=6))
    fabric = sn.Graph(
        accelerators=accelerators,
        switches=[
            sn.SwitchNode(n, latency=draw(st.sampled_from([None, "90 ns"])), cut_through=draw(st.booleans()))
            for n in switches
        ],
        edges=draw(st.permutations(edges)),
        rate="50 GB/s",
        latency="100 ns",
        buffer=draw(st.sampled_from(["auto", None, "1 MiB"])),
        overhead=draw(st.sampled_from([0, 64])),
    )
    return System(draw(text)).scale_up(sn.Device(draw(text), hbm="8 TB/s"), count=cut, fabric=fabric)


systems = st.one_of(switched(), direct(), clusters())


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    """Keywords of ``simulate``: a small run of anything."""
    collective = draw(st.sampled_from(sorted(BY_NAME)))
    options: dict[str, Any] = {
        "system": draw(systems),
        "collective": collective,
        "seed": draw(st.integers(0, 3)),
        "fidelity": "packet",
        "flow_control": draw(st.sampled_from(["credit", "unlimited"])),
    }
    if collective != "barrier":
        options["size"] = draw(st.sampled_from([1024, 10_000, 65_536]))
    return options
