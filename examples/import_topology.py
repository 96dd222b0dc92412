"""I have my topology as a file (GraphML here): what does it do under load?

Vertices say whether they are accelerators or switches, edges have a rate and a latency. The same call reads NCCL's XML
files, ASTRA-sim, ns-3, SimAI, htsim and InfraGraph; see docs/files.md.
"""

from pathlib import Path

import supernode as sn

HEAD = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="k" for="node" attr.name="kind" attr.type="string"/>
<key id="r" for="edge" attr.name="rate" attr.type="string"/>
<key id="l" for="edge" attr.name="latency" attr.type="string"/>
<graph edgedefault="undirected">
"""


def node(name: str, kind: str) -> str:
    """Write a vertex."""
    return f'<node id="{name}"><data key="k">{kind}</data></node>\n'


def edge(one: str, other: str, rate: str) -> str:
    """Write a link."""
    data = f'<data key="r">{rate}</data><data key="l">500 ns</data>'
    return f'<edge source="{one}" target="{other}">{data}</edge>\n'


# Two leaves with four accelerators each, joined by one link: 4 x 50 GB/s come down to 100 GB/s.
text = HEAD + node("leaf0", "switch") + node("leaf1", "switch") + edge("leaf0", "leaf1", "100 GB/s")
for gpu in range(8):
    text += node(f"gpu{gpu}", "gpu") + edge(f"gpu{gpu}", f"leaf{gpu // 4}", "50 GB/s")
Path("cluster.graphml").write_text(text + "</graph></graphml>\n")

system = sn.System.from_file("cluster.graphml", switch_latency="300 ns")
for collective in ("all_reduce", "all_to_all"):
    result = sn.simulate(system, collective, size="64 MiB")
    time, bound = result.time_ns / 1e3, result.bound / 1e3
    print(f"{collective}: {time:.0f} us (bound {bound:.0f} us, {result.bound_kind}), limited by {result.bottleneck}")
