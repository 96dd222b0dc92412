"""Running one collective, workloads, or an explicit schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Never, Protocol, Unpack, overload

from supernode.errors import SpecError
from supernode.explicit import ExplicitSchedule
from supernode.library.collectives import BY_NAME, Collective
from supernode.quoting import quote
from supernode.result import Result, ScheduleResult, WorkloadResult
from supernode.result.running import run_plan, run_program, run_schedule
from supernode.run.explicit import make_schedule
from supernode.run.options import ProgressOption, RunOptions
from supernode.run.plan import make_plan
from supernode.run.program import make_program, workloads
from supernode.system import SystemLike, as_system
from supernode.units import Quantity
from supernode.values import parse_whole
from supernode.workload import DeviceMesh, Workload

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "CollectiveFunction",
    "all_gather",
    "all_reduce",
    "all_to_all",
    "barrier",
    "broadcast",
    "gather",
    "reduce",
    "reduce_scatter",
    "scatter",
    "send_recv",
    "simulate",
    "traffic",
]


@overload
def simulate(
    system: SystemLike,
    collective: Workload | Sequence[Workload],
    *,
    size: None = None,
    **options: Unpack[RunOptions],
) -> WorkloadResult: ...
@overload
def simulate(
    system: SystemLike,
    collective: ExplicitSchedule,
    *,
    size: None = None,
    **options: Unpack[RunOptions],
) -> ScheduleResult: ...
@overload
def simulate(
    system: SystemLike,
    collective: Collective | str,
    *,
    size: Quantity | None = None,
    **options: Unpack[RunOptions],
) -> Result: ...
def simulate(
    system: SystemLike,
    collective: Collective | str | Workload | Sequence[Workload] | ExplicitSchedule,
    *,
    size: Quantity | None = None,
    algorithm: str = "auto",
    fidelity: str = "auto",
    stack: str | None = None,
    protocol: str | None = None,
    routing: str | None = None,
    flow_control: str = "credit",
    record: Sequence[str] | str | None = (),
    fold: bool = True,
    threads: int = 0,
    seed: int = 0,
    ranks: int | None = None,
    placement: npt.ArrayLike | None = None,
    root: int = 0,
    lanes: int | None = None,
    chunks: int | None = None,
    levels: Sequence[int] | str | None = None,
    dtype: str = "float32",
    budget: Quantity | None = None,
    time_limit: Quantity | None = None,
    memory_limit: Quantity | None = None,
    skip: bool = True,
    self_check: bool = False,
    uncertainty: bool = False,
    timeout: float | str | None = None,
    progress: ProgressOption = None,
    **unknown: Never,
) -> Result | WorkloadResult | ScheduleResult:
    """Simulate one collective, workloads, or an explicit schedule on one system.

    Parameters
    ----------
    system
        A :class:`~supernode.System`, or the name of a preset: ``"nvl72"``, ``"nvl72:4"``.
    collective
        A collective such as ``AllReduce(size="1 GiB")``, or its name, and then ``size``. Or a
        :class:`~supernode.Workload`, or several that run side by side as jobs. Then what belongs to an operation
        (``algorithm``, ``protocol``, ``root``, ``lanes``, ``chunks``, ``levels``, ``dtype``) or to a job (``ranks``,
        ``placement``) is given there. Or an :class:`~supernode.ExplicitSchedule`, which takes ``placement`` and
        ``protocol``.
    size
        Bytes as in nccl-tests' size column: ``"256 MiB"``, ``"8G"``, 1024. Where every rank has a part, the part is
        rounded down to 16 bytes as nccl-tests does, and a warning says so.
    algorithm
        Name of an algorithm; ``"auto"``: what the stack's library would take, or, where its rule is not known, the
        fastest of its own; ``"best"``: the fastest of all algorithms, protocols and numbers of lanes. To find the
        fastest, candidates are simulated, within an eighth of ``budget``; :attr:`Result.chosen_by` says how the choice
        was made.
    fidelity
        ``"packet"``, ``"flow"`` (messages as fluids that share links max-min fairly), ``"analytic"``, or ``"auto"``:
        the closest of the three that fits ``budget``; a warning says why if it is not packets. Flows do not follow
        routing ``"ugal"``.
    stack
        Software costs; by default the preset's own. ``"none"`` costs nothing.
    protocol
        Protocol of the stack; by default the cheapest.
    routing
        Choice among equal paths, of every network that has any: ``"d_mod_k"``, ``"s_mod_k"``, ``"ecmp"``,
        ``"spray_round_robin"``, ``"spray_random"``; explicit graphs have ``"adaptive"``, ``"valiant"`` and ``"ugal"``,
        too. By default the system's own.
    flow_control
        ``"credit"``: lossless, with the system's buffers. ``"unlimited"``: output queues without end.
    record
        Detail tables to keep: any of ``"ranks"``, ``"levels"`` (links summed up by network, level and direction),
        ``"links"``, ``"switches"``, ``"flows"``, ``"operations"``, ``"iterations"`` (of workloads: a row per instance
        of each operation, of one rank of each role).
    fold
        Where fabric, routes and schedule have a symmetry, simulate only one of each class of accelerators and links.
        Results are the same to the last femtosecond; tables then have one row a class and a ``multiplicity``, and
        :meth:`Result.expand` gives all rows. ``result.folding`` says what was folded, or why nothing was.
    threads
        Worker threads; 0 chooses. Results do not depend on it.
    seed
        Seed of every random choice.
    ranks
        Ranks taking part; by default every accelerator.
    placement
        Accelerator of each rank; by default the identity.
    root
        Root of broadcast, reduce, gather and scatter.
    lanes
        Parallel channels; by default the algorithm's own choice.
    chunks
        Pipelined chunks of a lane; by default the algorithm's own choice.
    levels
        Sizes of nested groups for ``algorithm="hierarchical"``, innermost first: ``[8, 64, 32]``, or ``"8,64,32"``.
        Their product is the number of ranks. By default those of the system's networks.
    dtype
        Element type: ``"float32"``, ``"bfloat16"``, ...
    budget
        Time that ``"auto"`` and ``"best"`` may take on a nominal core: ``"30 s"``, the default. It is counted in
        packet-hops (60 ns each in trees of switches) and flow events, never by the clock, so that it decides the same
        on every machine.
    time_limit
        Simulated time after which the run stops with :class:`~supernode.errors.SimulationTimeout`: ``"1 s"``.
    memory_limit
        Bytes that the run and its tables may occupy: ``"8 GiB"``. By default 80 % of what is free, on the machine or
        within the limits of the control groups around the process. A run that would need more raises
        :class:`~supernode.errors.MemoryLimitError` before it starts, with what would need less.
    skip
        Jump over whole periods of a state that repeats. Exact: no result depends on it, see :attr:`Result.skipping`.
    self_check
        After a run that was folded or skipped, compare a small random case of it with the same case in full, bit for
        bit; :class:`~supernode.errors.InternalError` if they differ. See :attr:`Result.self_check`.
    uncertainty
        Run each parameter of the preset and the stack that has a range at both ends of it, and the fastest and the
        slowest combination: :attr:`Result.time_low_ns`, :attr:`Result.time_high_ns` and :attr:`Result.uncertainty`.
        Values that you gave do not vary. It takes two analytic runs a parameter and two runs more.
    timeout
        Wall-clock time after which the run stops in the same way as at ``time_limit``: a number of seconds, or text
        such as ``"2 s"``.
    progress
        ``True`` for a progress bar on the error stream, ``False`` for none, ``None`` for one if that is a terminal and
        the run takes longer than about a second, or a function of simulated time in ns, bytes delivered and bytes in
        all. It sees the run itself, not the candidates of a choice. Time and bytes begin again where ``"auto"`` gives a
        run up and looks less closely.

    Returns
    -------
    Result
        Time, bandwidth, bound, bottleneck, warnings and tables. Of workloads a :class:`~supernode.WorkloadResult`,
        of an explicit schedule a :class:`~supernode.ScheduleResult`.

    Raises
    ------
    SupernodeError
        A subclass for each way that a run can fail; the message names the value and what would be valid.
    KeyboardInterrupt
        On Ctrl-C, within a fraction of a second.

    Examples
    --------
    >>> import supernode as sn
    >>> result = sn.simulate("nvl72", sn.AllReduce(size="256 MiB"))  # doctest: +SKIP
    >>> result.time_ns, result.busbw_gbytes_s, result.bound  # doctest: +SKIP
    """
    options = {k: v for k, v in locals().items() if k in RunOptions.__annotations__}
    given: Any = {**_given(options), **unknown}  # make_plan names a keyword that nobody knows
    if isinstance(collective, ExplicitSchedule):
        if size is not None:
            raise SpecError(f"size={quote(size)} has no effect on an explicit schedule: its messages have sizes")
        return run_schedule(make_schedule(system, collective, given))
    jobs = workloads(collective)
    if jobs is not None:
        if size is not None:
            raise SpecError(f"size={quote(size)} has no effect on a run of workloads: operations have sizes")
        return run_program(make_program(system, jobs, given))
    single: Any = collective  # make_plan names what is no collective
    return run_plan(make_plan(system, single, size, given))


def _given(options: dict[str, Any]) -> RunOptions:
    """Leave out the keywords at their defaults, so that only what the user wrote can be reported as without effect."""
    defaults = simulate.__kwdefaults__ or {}
    kept: Any = {k: v for k, v in options.items() if v is not defaults[k]}
    return kept  # type: ignore[no-any-return]


def traffic(
    system: SystemLike,
    pattern: str,
    *,
    size: Quantity,
    messages: int = 1,
    ranks: int | None = None,
    seed: int = 0,
    target: int | None = None,
    targets: Sequence[int] | None = None,
    destinations: Sequence[int] | None = None,
    placement: npt.ArrayLike | str = "packed",
    **options: Any,
) -> WorkloadResult:
    """Simulate a traffic pattern on one system: every rank sends messages to the ranks that a rule gives.

    Parameters
    ----------
    system
        A :class:`~supernode.System`, or the name of a preset.
    pattern
        ``"neighbour"``, ``"tornado"``, ``"transpose"``, ``"bit_complement"``, ``"bit_reverse"``, ``"shuffle"``,
        ``"permutation"``, ``"random_permutation"``, ``"uniform"``, ``"incast"`` or ``"all_to_some"``;
        :meth:`supernode.Workload.pattern` defines them.
    size
        Bytes of a message.
    messages
        Messages of a rank to each destination, one after the other.
    ranks
        Ranks taking part; by default every accelerator.
    seed
        Seed of every random choice, those of the pattern included.
    target, targets, destinations
        As in :meth:`supernode.Workload.pattern`.
    placement
        As in :class:`supernode.Workload`.
    **options
        Keywords of :func:`simulate` that a run of workloads takes.

    Returns
    -------
    WorkloadResult
        ``record=["flows", "links"]`` keeps messages and links.

    Examples
    --------
    >>> import supernode as sn
    >>> sn.traffic("hgx-h100", "incast", size="1 MiB").choices[0]["pattern"]  # doctest: +SKIP
    'incast'
    """
    machine = as_system(system)
    count = machine.accelerators if ranks is None else parse_whole(ranks, "ranks", low=1, high=machine.accelerators)
    job = Workload(DeviceMesh(rank=count), name="traffic", placement=placement)
    own: dict[str, Any] = {"target": target, "targets": targets, "destinations": destinations}
    job.pattern(pattern, size=size, messages=messages, seed=seed, **own)
    given: Any = {**options, "seed": seed}
    return run_program(make_program(machine, (job,), given))


class CollectiveFunction(Protocol):
    """A function that simulates one kind of collective."""

    __name__: str

    def __call__(self, system: SystemLike, *, size: Quantity | None = None, **options: Unpack[RunOptions]) -> Result:
        """Simulate it; see :func:`simulate` for the keywords."""
        ...


def _function(name: str) -> CollectiveFunction:
    def run(system: SystemLike, *, size: Quantity | None = None, **options: Unpack[RunOptions]) -> Result:
        return run_plan(make_plan(system, name, size, options))

    run.__name__ = run.__qualname__ = name
    run.__doc__ = f"""{BY_NAME[name].__doc__}

    Parameters
    ----------
    system
        A :class:`~supernode.System`, or the name of a preset.
    size
        Bytes as in nccl-tests' size column.
    **options
        Every keyword of :func:`simulate`.

    Returns
    -------
    Result
        As of :func:`simulate`.
    """
    return run


all_reduce = _function("all_reduce")
all_gather = _function("all_gather")
reduce_scatter = _function("reduce_scatter")
all_to_all = _function("all_to_all")
broadcast = _function("broadcast")
reduce = _function("reduce")
gather = _function("gather")
scatter = _function("scatter")
send_recv = _function("send_recv")
barrier = _function("barrier")
