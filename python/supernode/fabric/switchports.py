"""Ports that a tree's switches need, against those that the hardware has.

A preset knows the switch that it is built of. A parameter that asks for more links than the switch has ports makes a
machine that nobody can build, and its times would be those of no machine. Where the number of ports is not known,
nothing is checked. Switches of fat trees that are sized from their radix cannot have too many links.
"""

from __future__ import annotations

from collections.abc import Sequence

from supernode.errors import FabricError
from supernode.spec import Clos

__all__ = ["check_ports"]


def check_ports(name: str, shape: Clos, planes: Sequence[int], ports: Sequence[int]) -> None:
    """Refuse a tree whose switches have more links than ports.

    Parameters
    ----------
    name
        Name of the network.
    shape
        The tree of one plane.
    planes
        Links of an accelerator into each plane.
    ports
        Ports of a switch by tier, 0 where they are not known; missing tiers are not known either.

    Raises
    ------
    FabricError
        Naming the tier, what it needs and has, and the most that would fit.
    """
    if not any(ports) or not planes or not len(shape.down) == len(shape.up) == len(shape.parallel):
        return  # nothing is known, or it is no tree, as the core will say
    ups = [up * parallel for up, parallel in zip(shape.up, shape.parallel, strict=True)]
    for tier, (down, has) in enumerate(zip(shape.down, ports, strict=False)):
        each = max(planes) if tier == 0 else shape.parallel[tier]
        up = ups[tier + 1] if tier + 1 < len(ups) else 0
        needs = down * each + up
        if not has or needs <= has:
            continue
        below = "accelerators" if tier == 0 else f"switches of tier {tier}"
        uplinks = f" + {up} up" if up else ""
        raise FabricError(
            f"fabric {name}: a switch of tier {tier + 1} needs {needs} ports ({down} {below} x {each} "
            f"{'link' if each == 1 else 'links'}{uplinks}), and this switch has {has}; "
            f"at most {max(has - up, 0) // each} {below} fit"
        )
