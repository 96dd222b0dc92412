"""Names: spellings of other libraries, and suggestions."""

import pytest

from supernode.core import algorithms, collectives
from supernode.errors import SpecError
from supernode.fabric.base import parse_routing
from supernode.library.algorithms import parse_algorithm
from supernode.library.collectives import BY_NAME, parse_name
from supernode.library.dtypes import DTYPES, parse_dtype


def test_python_and_core_know_the_same_collectives() -> None:
    assert set(collectives()) == set(BY_NAME)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("all_reduce", "all_reduce"),
        ("AllReduce", "all_reduce"),
        ("allreduce", "all_reduce"),
        ("ncclAllReduce", "all_reduce"),
        ("MPI_Allreduce", "all_reduce"),
        ("alltoall", "all_to_all"),
        ("AlltoAll", "all_to_all"),
        ("MPI_Reduce_scatter_block", "reduce_scatter"),
        ("HcclReduceScatter", "reduce_scatter"),
        ("bcast", "broadcast"),
        ("sendrecv", "send_recv"),
    ],
)
def test_collectives(spelling: str, name: str) -> None:
    assert parse_name(spelling) == name


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("auto", "auto"),
        ("Ring", "ring"),
        ("tree", "double_binary_tree"),
        ("rabenseifner", "halving_doubling"),
        ("NVLS", "in_network"),
        ("NVLSTree", "in_network_tree"),
        ("fullmesh", "direct"),
        ("H-D_R", "halving_doubling"),
        ("2d", "hierarchical"),
        ("bucket", "torus_bucket"),
    ],
)
def test_algorithms(spelling: str, name: str) -> None:
    assert parse_algorithm(spelling) == name


def test_every_algorithm_of_the_core_parses_to_itself() -> None:
    for name in algorithms():
        assert parse_algorithm(name) == name


def test_other_names() -> None:
    assert parse_dtype("bf16").bytes == 2
    assert parse_dtype("float").nccl_name == "float"
    assert parse_routing("dimension-order") == "d_mod_k"
    assert {t.bytes for t in DTYPES.values()} == {1, 2, 4, 8}


@pytest.mark.parametrize(
    ("parse", "wrong", "near"),
    [
        (parse_name, "all_redcue", "all_reduce"),
        (parse_algorithm, "rign", "ring"),
        (parse_dtype, "float31", "float32"),
        (parse_routing, "ecmpp", "ecmp"),
    ],
)
def test_unknown_names_suggest_the_nearest(parse: object, wrong: str, near: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(wrong)  # type: ignore[operator]
    assert repr(wrong) in str(caught.value)
    assert f"did you mean {near!r}?" in str(caught.value)
    assert "valid:" in str(caught.value)
