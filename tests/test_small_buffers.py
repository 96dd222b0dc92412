"""Buffers that hold one packet: the least that any flow control needs."""

from typing import Any

import pytest

import supernode as sn
from conftest import ALPHA_FS, FS_PER_BYTE, LATENCY_FS, SWITCH_FS, star

PACKET = 4096


def test_a_lone_flow_sends_a_packet_each_round_trip() -> None:
    # The buffer at the switch is free when the packet begins to leave: the switch's latency after its head came. The
    # credit takes the link's latency back: 250 + 100 + 250 = 600 ns. The buffer at the receiver is free when the packet
    # is there: 81.92 + 250 + 250 = 581.92 ns. Ten packets take nine times the longer one, and the way of the last:
    # 9 x 600 + 250 + 100 + 250 + 81.92 = 6,081.92 ns.
    period = max(2 * LATENCY_FS + SWITCH_FS, PACKET * FS_PER_BYTE + 2 * LATENCY_FS)
    expected = 9 * period + ALPHA_FS + PACKET * FS_PER_BYTE
    assert expected == 6_081_920_000
    for skip in (True, False):
        found = sn.send_recv(star(2, buffer=PACKET), size=10 * PACKET, fidelity="packet", stack="none", skip=skip)
        assert found.time_fs == expected


LINK: dict[str, Any] = {"bandwidth": "400 Gbit/s", "latency": "250 ns", "buffer": PACKET}
FABRICS: dict[str, tuple[sn.fabric.Fabric, int]] = {
    "Switched": (sn.Switched(planes=2, **LINK), 8),
    "FatTree": (sn.FatTree(radix=4, link="400 Gbit/s", buffer=PACKET), 16),
    "Ring": (sn.Ring(**LINK), 8),
    "Torus": (sn.Torus(dims=(4, 4), **LINK), 16),
    "Mesh": (sn.Mesh(dims=(3, 3), **LINK), 9),
    "FullMesh": (sn.FullMesh(dims=(3, 3), **LINK), 9),
    "Dragonfly": (sn.Dragonfly(terminals=1, **LINK), 6),
    "HyperX": (sn.HyperX(dims=(3, 3), terminals=1, **LINK), 9),
}


@pytest.mark.parametrize("name", FABRICS)
@pytest.mark.parametrize("part", [PACKET, PACKET + 16, 16, 3 * PACKET - 16])
def test_what_is_not_announced_yet_never_keeps_a_packet_out(name: str, part: int) -> None:
    # short and full packets in turn: with credits in eighths of the buffer, 16 bytes that are freed and not
    # announced would keep a full packet out for ever
    fabric, count = FABRICS[name]
    system = sn.System(name).scale_up(count=count, fabric=fabric)
    times = {
        sn.all_to_all(
            system, size=part * count, fidelity="packet", algorithm="direct", stack="none", fold=fold, threads=threads
        ).time_fs
        for fold, threads in ((True, 1), (False, 1), (False, 3))
    }
    assert len(times) == 1
