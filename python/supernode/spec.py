"""The specification that crosses into the core: plain data, whole numbers only.

The classes mirror the core's own, field by field. Strings with units end before this module; what is checked here is
nothing, because the core validates the whole.
"""

from __future__ import annotations

import msgspec

from supernode.errors import SpecError

__all__ = [
    "Clos",
    "DeviceSpec",
    "FullMeshShape",
    "GraphShape",
    "LibrarySpec",
    "LinkSpec",
    "NetworkSpec",
    "ProtocolSpec",
    "RulesSpec",
    "RunSpec",
    "StackSpec",
    "SwitchSpec",
    "SystemSpec",
    "Topology",
    "TorusShape",
    "encode",
]


class Clos(msgspec.Struct, frozen=True, tag_field="kind", tag="clos"):
    """A tree of switch tiers: children, parents and parallel links by tier."""

    down: list[int]
    up: list[int]
    parallel: list[int]
    rails: int = 1


class TorusShape(msgspec.Struct, frozen=True, tag_field="kind", tag="torus"):
    """A torus or mesh, first dimension fastest.

    Of each pair in ``twist``, the wraparound of the first dimension shifts the second by half.
    """

    dims: list[int]
    wrap: list[bool]
    twist: list[tuple[int, int]] = []


class FullMeshShape(msgspec.Struct, frozen=True, tag_field="kind", tag="full_mesh"):
    """All pairs of accelerators that differ in one coordinate are joined."""

    dims: list[int]


class GraphShape(msgspec.Struct, frozen=True, tag_field="kind", tag="graph", omit_defaults=True):
    """An explicit graph: accelerators are its vertices 0 to span - 1, its switches follow.

    An edge is (vertex, vertex, index into the network's ``links``, parallel full-duplex links); ``switch_kinds`` has an
    index into the network's ``switches`` for each switch, and is empty if all of them are of the first kind. Packets
    take the lightest paths; ``weights`` has an entry for each of the ``links``, and is empty if all weigh the same.
    With ``forwarding``, accelerators pass on packets of others; it is the index of their routers into ``switches``.
    """

    switches: int
    edges: list[tuple[int, int, int, int]]
    switch_kinds: list[int] = []
    weights: list[int] = []
    forwarding: int | None = None


Topology = Clos | TorusShape | FullMeshShape | GraphShape


class LinkSpec(msgspec.Struct, frozen=True):
    """A directed link: bit/s and femtoseconds."""

    rate: int
    latency_fs: int
    medium: str = ""


class SwitchSpec(msgspec.Struct, frozen=True):
    """A switch, or the router inside an accelerator."""

    latency_fs: int
    cut_through: bool = True
    in_network_reduce: bool = False


class TransportSpec(msgspec.Struct, frozen=True):
    """What the NICs of a network add to a message."""

    latency_fs: int = 0
    per_message_fs: int = 0


class NetworkSpec(msgspec.Struct, frozen=True):
    """One network; disjoint copies of it each join ``span`` consecutive accelerators."""

    name: str
    span: int
    topology: Topology
    planes: list[int]
    links: list[LinkSpec]
    switches: list[SwitchSpec]
    payload: int
    overhead: int
    routing: str = "spray_round_robin"
    buffer: int | None = None
    dateline: bool = True
    transport: TransportSpec = TransportSpec()


class DeviceSpec(msgspec.Struct, frozen=True):
    """An accelerator: bit/s, ``None`` where it is no limit."""

    name: str
    generation: str = ""
    hbm_rate: int | None = None
    copy_rate: int | None = None
    reduce_rate: int | None = None


class SystemSpec(msgspec.Struct, frozen=True):
    """A machine, networks innermost first."""

    name: str
    accelerators: int
    device: DeviceSpec
    networks: list[NetworkSpec]


class RungSpec(msgspec.Struct, frozen=True):
    """A smaller chunk, below so many times heads x chunk bytes per channel."""

    below: int
    chunk: int


class PipelineSpec(msgspec.Struct, frozen=True):
    """Loops of a kernel whose stages overlap."""

    channels: int
    heads: int
    stages: int
    chunk: int
    shrink: list[RungSpec]
    stage_fs: int
    lone: tuple[int, int]
    message_fs: int


class ProtocolSpec(msgspec.Struct, frozen=True):
    """One protocol of a stack; ``step_fs``, ``hop_fs`` and, if not empty, ``wires`` have one entry per network."""

    name: str
    launch_fs: int
    step_fs: list[int]
    hop_fs: list[int]
    wire_num: int = 1
    wire_den: int = 1
    wires: list[tuple[int, int]] = []
    algorithms: list[str] = []
    max_bytes: int | None = None
    pipeline: PipelineSpec | None = None
    chunk: int | None = None
    channels: int | None = None


class SendsSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sends between pairs: the protocols of short and of long ones."""

    short: str
    long: str
    short_bytes: int


class RingRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rings."""

    protocols: tuple[str, str, str]
    base_us: tuple[float, float, float]
    inside_us: tuple[float, float, float]
    across_us: tuple[float, float, float]
    least_us: tuple[float, float, float]
    share: tuple[float, float, float]
    plateau: float
    plateau_bytes: int


class TreeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Trees."""

    protocols: tuple[str, str, str]
    base_us: tuple[float, float, float]
    inside_us: tuple[float, float, float]
    across_us: tuple[float, float, float]
    share: float
    share_inside: tuple[float, float, float]
    share_across: tuple[float, float, float]
    lone: float
    correction: tuple[list[float], list[float], list[float]]


class NvlsRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sums in the switches of a node."""

    protocol: str
    inside_us: float
    heads: int


class NvlsTreeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tree between nodes whose sums are formed in switches."""

    protocol: str
    inside_us: float
    across_us: float


class PatRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Trees over nodes of one accelerator; they are not modelled."""

    name: str
    base_us: float
    overlap: float
    rank_us: float
    share: float


class GenerationRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What depends on the generation of the accelerator."""

    link: float
    nic: float
    rates_inside: list[float]
    rates_across: list[float]
    ll: float
    ring_ll128: tuple[float, float, float]
    tree: tuple[float, float, float]
    tree_ll128: tuple[float, float, float]
    nvls_tree: tuple[float, float]
    split_many: float = 0.0
    again: float | None = None
    nvls: float = 0.0


class RulesSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The constants of a library's cost model: microseconds, 1e9 bytes per second; the core says what each is."""

    channels: int
    split: float
    few: int
    copies: int
    again_below: int
    ll_across: tuple[float, float]
    ring: RingRule
    tree: TreeRule
    nvls: NvlsRule
    nvls_tree: NvlsTreeRule
    pat: PatRule
    generations: dict[str, GenerationRule]
    sends: SendsSpec | None = None


class LibrarySpec(msgspec.Struct, frozen=True):
    """How a library chooses on a machine, whose ``inside`` innermost networks are inside a node."""

    inside: int
    rules: RulesSpec


class StackSpec(msgspec.Struct, frozen=True):
    """Software costs, and how the library chooses."""

    name: str
    protocols: list[ProtocolSpec]
    protocol: str = "auto"
    algorithms: dict[str, list[str]] = {}
    library: LibrarySpec | None = None


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one simulation needs. Placement travels beside it, as an array."""

    system: SystemSpec
    collective: str
    algorithm: str = "auto"
    bytes: int
    element_bytes: int = 4
    root: int = 0
    ranks: int | None = None
    lanes: int | None = None
    chunks: int | None = None
    levels: list[int] | None = None
    stack: StackSpec
    fidelity: str = "auto"
    budget_ns: int = 30_000_000_000
    seed: int = 0
    fold: bool = True
    threads: int = 0
    record: list[str] = []
    time_limit_fs: int | None = None
    skip: bool = True
    memory_limit: int | None = None


def encode(spec: RunSpec | SystemSpec) -> str:
    """Return the specification as JSON text.

    Raises
    ------
    SpecError
        If a value has no form in JSON; builders and options refuse such values before they come here.
    """
    try:
        return msgspec.json.encode(spec).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SpecError(f"the specification cannot be written: {error}") from None
