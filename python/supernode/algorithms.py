"""Names of algorithms, as other libraries spell them."""

from __future__ import annotations

from supernode import core
from supernode.names import canonical

__all__ = ["parse_algorithm"]

# Folded spellings of NCCL, MPI libraries, oneCCL and HCCL. A name that the core does not have is never offered.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "ring": ("onering", "ringrma", "segmentedring", "chain", "pipeline"),
    "direct": (
        "oneshot",
        "linear",
        "linearsync",
        "basiclinear",
        "mesh",
        "fullmesh",
        "flat",
        "naive",
        "onedirect",
        "p2p",
    ),
    "two_shot": ("directtwoshot",),
    "recursive_doubling": ("rd", "doubling"),
    "halving_doubling": (
        "rabenseifner",
        "recursivehalvingdoubling",
        "recursivehalving",
        "onehalvingdoubling",
        "hdr",
        "hd",
    ),
    "bruck": ("modifiedbruck", "dissemination", "nb"),
    "double_binary_tree": ("tree", "doubletree", "dbt", "twotree"),
    "binomial": ("binomialtree",),
    "pairwise": ("pairwiseexchange",),
    "torus_bucket": ("torus", "bucket", "buckettorus", "multiring"),
    "hierarchical": ("2d", "topo", "ahc", "multilevel", "hier"),
    "in_network": ("nvls", "nvlstree", "collnet", "collnetdirect", "collnetchain", "sharp", "multimem", "switch"),
}
_ALIASES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}


def parse_algorithm(name: str) -> str:
    """Return the canonical name of an algorithm, or ``"auto"``.

    Raises
    ------
    SpecError
        If there is no such algorithm; the message lists those there are.
    """
    return canonical("algorithm", name, ["auto", *core.algorithms()], _ALIASES)
