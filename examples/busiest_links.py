"""Which links limit my collective, and how busy are the others?

``record=["links"]`` keeps one row for each directed link, or for each class of equal links. The table is Arrow; Polars
sums it up.
"""

import polars as pl

import supernode as sn

result = sn.all_reduce("hgx-h100:4", size="64 MiB", algorithm="ring", record=["links"])
links = result.to_polars("links")

by_level = (
    links.filter(pl.col("bytes") > 0)
    .group_by("network", "level", "direction")
    .agg(
        links=pl.col("multiplicity").sum(),
        busiest=pl.col("utilisation").max().round(3),
        mean=((pl.col("utilisation") * pl.col("multiplicity")).sum() / pl.col("multiplicity").sum()).round(3),
    )
    .sort("busiest", descending=True)
)
print(f"{result.time_ns / 1e3:.1f} us, limited by {result.bottleneck}")
print(by_level)
