"""Global links of a dragonfly: which switch of a group leads to which other group.

The palm tree arrangement: of the ``M`` used global ports of a group, in the order of its switches, port ``m`` of group
``i`` leads to group ``i - (m mod (g - 1)) - 1`` of ``g``, where it meets port ``M - 1 - m``. Every pair of groups is
joined by the same number of links, ``M / (g - 1)``, from different switches as far as possible; ports that would make
it unequal stay idle, spread over the switches.

Source: Camarero, Vallejo & Beivide, "Topological characterization of Hamming and dragonfly networks and its
implications on routing", ACM TACO 11(4), 2014, for one link a pair; several are rounds of the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from supernode.errors import FabricError

if TYPE_CHECKING:
    from supernode.fabric.family import Ints

__all__ = ["global_links", "links_per_pair", "palm_tree"]


def links_per_pair(name: str, groups: int, ports: int, sum_: str) -> tuple[int, tuple[str, ...]]:
    """Return the links between two groups of so many global ports each, and a note about ports left over.

    Raises
    ------
    FabricError
        If a group has fewer ports than there are other groups.
    """
    if groups - 1 > ports:
        raise FabricError(
            f"fabric {name}: groups is {groups}; a group has {sum_} = {ports} global ports, so there are at most "
            f"{ports + 1} groups"
        )
    if groups == 1:
        return 0, (f"{ports} global ports of the only group are idle",)
    each, idle = divmod(ports, groups - 1)
    return each, (f"{idle} of {ports} global ports of each group are idle",) if idle else ()


def palm_tree(groups: int, each: int, switches: int) -> Ints:
    """Return the links between groups, with columns group, switch in it, other group, switch in that."""
    import numpy as np

    used = each * (groups - 1)
    port, group = (part.ravel() for part in np.meshgrid(np.arange(used), np.arange(groups), indexing="ij"))
    twin = used - 1 - port
    other = (group - port % max(groups - 1, 1) - 1) % groups
    # every link is seen from both ends; keep one
    first = (port < twin) | ((port == twin) & (group < other))
    port, twin, group, other = port[first], twin[first], group[first], other[first]
    return np.stack([group, port * switches // max(used, 1), other, twin * switches // max(used, 1)], axis=1)


def global_links(groups: int, each: int, switches: int, *, base: int, link: int) -> Ints:
    """Return the edges of a blueprint: switch ``s`` of group ``g`` is vertex ``base + g * switches + s``."""
    import numpy as np

    ends = palm_tree(groups, each, switches)
    a, b = base + ends[:, 0] * switches + ends[:, 1], base + ends[:, 2] * switches + ends[:, 3]
    low, high, span = np.minimum(a, b), np.maximum(a, b), base + groups * switches
    keys, counts = np.unique(low * span + high, return_counts=True)
    return np.stack([keys // span, keys % span, np.full_like(keys, link), counts], axis=1)
