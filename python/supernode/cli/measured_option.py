"""What ``supernode bench --measured`` needs before it runs: the file, whole and valid, and the sizes in it."""

from __future__ import annotations

from pathlib import Path

from supernode.errors import SpecError
from supernode.library.collectives import parse_name
from supernode.measured.point import Facts
from supernode.measured.registry import read_tables

__all__ = ["measured_sizes"]


def measured_sizes(path: Path, collective: str, ranks: int) -> list[int]:
    """Return the sizes that were measured of a collective on a number of ranks, growing.

    Parameters
    ----------
    path
        The file.
    collective, ranks
        What is run. A file that does not say them is taken to be of these.

    Raises
    ------
    SpecError
        If the file is not valid, or has nothing of what is run.
    """
    name = parse_name(collective)
    found = read_tables(path, Facts(name, ranks, binding=False)).to_pylist()
    sizes = {row["size_bytes"] for row in found if (row["collective"], row["ranks"]) == (name, ranks)}
    if not sizes:
        others = dict.fromkeys(f"{row['collective']} on {row['ranks']} ranks" for row in found)
        raise SpecError(f"{path}: it is of {', '.join(list(others)[:5])}; {name} on {ranks} ranks is run: give --ranks")
    return sorted(sizes)
