"""Random small machines, as the Python that builds them.

A machine is text, so that a finding can be printed and run as it stands. Rates are written by one function with a
common factor: an oracle can ask for the same machine with faster links. Machines have up to some 60 accelerators.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from random import Random

__all__ = ["GRAPH_ROUTINGS", "ROUTINGS", "Machine", "any_machine", "number"]

#: Policies of trees, and of explicit graphs besides.
ROUTINGS = ("d_mod_k", "s_mod_k", "ecmp", "spray_round_robin", "spray_random")
BUFFERS = ("auto", "auto", "auto", None, "16 KiB", "64 KiB")
GRAPH_ROUTINGS = (*ROUTINGS, "adaptive", "valiant", "ugal")


@dataclass(frozen=True)
class Machine:
    """A machine: the text of its system, its accelerators, and what the oracles need to know.

    Parameters
    ----------
    text
        An expression with ``sn`` as its only name.
    count
        Accelerators.
    units
        Sizes of the networks, innermost first.
    families
        Of the networks, innermost first.
    """

    text: str
    count: int
    units: tuple[int, ...]
    families: tuple[str, ...]


def number(rng: Random, *, low: int, high: int) -> int:
    """Return a whole number, small ones more often."""
    return low + int((high - low + 1) * rng.random() ** 2)


class _Writer:
    """Writes the parts of fabrics, all of one machine with the same factor."""

    def __init__(self, rng: Random, factor: int) -> None:
        self.rng = rng
        self.factor = factor

    def rate(self) -> str:
        """Return a rate, written with its unit."""
        gbit = self.rng.choice((25, 100, 200, 400, 400, 800, 1000, 123))
        return repr(f"{gbit * self.factor} Gbit/s")

    def time(self, zero: bool = False) -> str:
        """Return a latency."""
        choices = [*["50 ns", "100 ns", "350 ns", "1 us"] * 3, "1234 ps"] + (["0 ns"] * 9 if zero else [])
        return repr(self.rng.choice(choices))

    def packets(self, routings: tuple[str, ...] | None, latency: str = "switch_latency") -> str:
        """Return the keywords that fabrics share."""
        rng = self.rng
        found = [
            f"payload={rng.choice((256, 1024, 4096, 4096, 4096))}",
            f"overhead={rng.choice((0, 0, 32, 64))}",
            f"buffer={rng.choice(BUFFERS)!r}",
            f"cut_through={rng.random() < 0.8}",
            f"{latency}={self.time(zero=True)}",
        ]
        if routings is not None:
            found.append(f"routing={rng.choice(routings)!r}")
        return ", ".join(found)

    def link(self) -> str:
        """Return bandwidth and latency of links."""
        return f"bandwidth={self.rate()}, latency={self.time()}"


def _switched(w: _Writer, span: int) -> tuple[str, str, int]:
    reduce = w.rng.random() < 0.5
    planes, links = number(w.rng, low=1, high=4), number(w.rng, low=1, high=2)
    text = f"sn.Switched({w.link()}, planes={planes}, links={links}, in_network_reduce={reduce}, {w.packets(ROUTINGS)})"
    return text, "switched", span


def _fat_tree(w: _Writer, span: int) -> tuple[str, str, int]:
    rng = w.rng
    text = (
        f"sn.FatTree(radix={rng.choice((4, 8, 16))}, link={w.rate()}, link_latency={w.time()}, "
        f"trunk_latency={w.time()}, oversubscription={rng.choice((1, 1, 1, 2, 3))}, "
        f"in_network_reduce={rng.random() < 0.3}, {w.packets(ROUTINGS)})"
    )
    return text, "fat_tree", span


def _torus(w: _Writer, span: int) -> tuple[str, str, int]:
    rng = w.rng
    family = rng.choice(("Torus", "Torus", "Mesh", "FullMesh", "twisted"))
    if family == "twisted":
        k = rng.choice((3, 4))
        text = f"sn.Torus(dims=({k}, {2 * k}), twist=True, {w.link()}, {w.packets(None, 'hop_latency')})"
        return text, "twisted", 2 * k * k
    dims = _factors(rng, span)
    keys = f"dims={tuple(dims)}, {w.link()}, links={number(rng, low=1, high=2)}, {w.packets(None, 'hop_latency')}"
    return f"sn.{family}({keys})", {"FullMesh": "full_mesh"}.get(family, family.lower()), prod(dims)


def _factors(rng: Random, span: int) -> list[int]:
    """Split a size into one to three dimensions."""
    dims = []
    for most in (2, 1):
        divisors = [d for d in range(2, span // 2 + 1) if span % d == 0]
        if not divisors or rng.random() < 0.4:
            break
        dims.append(rng.choice(divisors))
        span //= dims[-1]
        if most == 1:
            break
    return [*dims, span] if span > 1 or not dims else dims


def _graph(w: _Writer, span: int) -> tuple[str, str, int]:
    """A tree of switches with accelerators on it, and edges of any kind besides; some graphs have no switches."""
    rng = w.rng
    names = [f"a{i}" for i in range(span)]
    switches = [] if rng.random() < 0.2 and span > 2 else [f"s{i}" for i in range(number(rng, low=1, high=5))]
    if not switches:
        edges = [(names[i], names[i + 1]) for i in range(span - 1)]
        edges += [(a, b) for a in names for b in names if a < b and (a, b) not in edges and rng.random() < 0.2]
    else:
        edges = [(switches[rng.randrange(i)], switches[i]) for i in range(1, len(switches))]
        edges += [(name, rng.choice(switches)) for name in names]
        extra = [(rng.choice(names + switches), rng.choice(switches)) for _ in range(number(rng, low=0, high=6))]
        edges += [(a, b) for a, b in extra if a != b]
    rng.shuffle(edges)
    parts = []
    for a, b in edges:
        own = [f"{a!r}, {b!r}, rate={w.rate()}, latency={w.time()}", f"count={number(rng, low=1, high=3)}"]
        if rng.random() < 0.2:
            own.append(f"weight={rng.randint(1, 3)}")
        parts.append(f"sn.Edge({', '.join(own)})" if rng.random() < 0.5 else f"({a!r}, {b!r})")
    policy = rng.choice(GRAPH_ROUTINGS)
    text = (
        f"sn.Graph(accelerators={names}, switches={switches}, edges=[{', '.join(parts)}], rate={w.rate()}, "
        f"latency={w.time()}, {w.packets(None)}, routing={policy!r})"
    )
    return text, "graph", span


def _family(w: _Writer, span: int) -> tuple[str, str, int]:
    """A dragonfly, HyperX or hypercube that is full or nearly so."""
    rng = w.rng
    packets = f"{w.packets(None)}, routing={rng.choice(GRAPH_ROUTINGS)!r}"
    kind = rng.randrange(4)
    if kind == 0:
        p, a, h = number(rng, low=1, high=2), number(rng, low=2, high=4), 1
        groups = min(a * h + 1, rng.randint(2, 5))
        text = f"sn.Dragonfly(terminals={p}, routers={a}, global_ports={h}, groups={groups}, {w.link()}, {packets})"
        return text, "dragonfly", p * a * groups
    if kind == 1:
        dims = [rng.randint(2, 4) for _ in range(rng.randint(1, 2))]
        p = rng.randint(1, 3)
        text = f"sn.HyperX(dims={tuple(dims)}, terminals={p}, {w.link()}, {packets})"
        return text, "hyperx", p * prod(dims)
    if kind == 2:
        n, p = rng.randint(1, 4), rng.randint(1, 2)
        return f"sn.Hypercube(dimensions={n}, terminals={p}, {w.link()}, {packets})", "hypercube", p * 2**n
    leaves, spines, p = rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 2)
    groups = rng.randint(2, spines + 1)
    text = (
        f"sn.DragonflyPlus(terminals={p}, leaves={leaves}, spines={spines}, global_ports=1, groups={groups}, "
        f"{w.link()}, {packets})"
    )
    return text, "dragonfly_plus", p * leaves * groups


def _railed(w: _Writer, span: int) -> tuple[str, str, int]:
    """A rail-optimised tree; rails that do not divide the hosts are refused, which is no case."""
    text, _, _ = _fat_tree(w, span)
    rails = w.rng.choice([d for d in range(1, span + 1) if span % d == 0 and d <= 8])
    return text[:-1] + f", rails={rails})", "rails", span


def _flat(w: _Writer, span: int) -> tuple[str, str, int]:
    """A torus, mesh or full mesh over all accelerators of all copies."""
    family = w.rng.choice(("Torus", "Mesh", "FullMesh"))
    keys = f"dims={tuple(_factors(w.rng, span))}, {w.link()}, {w.packets(None, 'hop_latency')}"
    return f"sn.{family}({keys})", {"FullMesh": "full_mesh"}.get(family, family.lower()), span


def _lattice(w: _Writer, span: int) -> tuple[str, str, int]:
    """A HyperX with a number of switches that divides the accelerators."""
    switches = w.rng.choice([d for d in range(2, span + 1) if span % d == 0])
    policy = w.rng.choice(GRAPH_ROUTINGS)
    keys = f"dims=({switches},), terminals={span // switches}, {w.link()}, {w.packets(None)}, routing={policy!r}"
    return f"sn.HyperX({keys})", "hyperx", span


_INNER = (_switched, _switched, _torus, _torus, _graph, _family)
_OUTER = (_switched, _fat_tree, _fat_tree, _railed)
_DIRECT = (_flat, _lattice)


def _device(w: _Writer) -> str:
    """Return an accelerator, most often one that is no limit."""
    if w.rng.random() < 0.7:
        return "sn.Device('g')"
    found = ["'g'"]
    keys = [key for key in ("hbm", "copy", "reduce") if w.rng.random() < 0.5]
    found += [f"{key}='{w.rng.choice((100, 400, 2000)) * w.factor} GB/s'" for key in keys]
    return f"sn.Device({', '.join(found)})"


def any_machine(rng: Random, factor: int = 1) -> Machine:
    """Return a machine of one to three networks.

    Parameters
    ----------
    rng
        Source of all choices.
    factor
        How many times as fast all links and memories are as without it.
    """
    w = _Writer(rng, factor)
    kind = rng.random()
    if kind < 0.12:
        text, family, count = _fat_tree(w, number(rng, low=2, high=24))
        ports = rng.choice((1, 1, 2))
        return Machine(
            f"sn.System('f').scale_out({text}, device={_device(w)}, count={count}, nics_per_device={ports})",
            count,
            (count,),
            (family,),
        )
    span = number(rng, low=2, high=12)
    text, family, span = rng.choice(_INNER)(w, span)
    start = f"sn.System('f').scale_up({_device(w)}, count={span}, fabric={text})"
    if kind < 0.5 or span > 18:
        return Machine(start, span, (span,), (family,))
    return _nested(w, start, span, family)


def _nested(w: _Writer, start: str, span: int, family: str) -> Machine:
    """Join copies of a machine by a second network, some of these by a third."""
    rng = w.rng
    units, families = [span], [family]
    if rng.random() < 0.3:
        copies = rng.randint(2, 3)
        text, family, _ = _switched(w, span * copies)
        start += f".scale_up(count={span * copies}, fabric={text})"
        units.append(span * copies)
        families.append(family)
    copies = rng.randint(2, 4)
    direct = rng.random() < 0.2
    text, family, _ = rng.choice(_DIRECT if direct else _OUTER)(w, units[-1] * copies)
    ports = 1 if direct else rng.choice((1, 1, 1, 2))
    start += f".scale_out({text}, nics_per_device={ports}).replicate({copies})"
    return Machine(start, units[-1] * copies, (*units, units[-1] * copies), (*families, family))
