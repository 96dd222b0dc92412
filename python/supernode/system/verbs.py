"""Verbs of systems: reading, writing and drawing, done by the rooms above and attached here.

**Invariant.** A verb is one call. Nothing above is imported before the verb is used, so that a system is data to
whoever only builds or simulates one.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, cast

from supernode.errors import SupernodeError
from supernode.units import Quantity

if TYPE_CHECKING:
    from supernode.io.found import ImportOptions
    from supernode.picture import Figure
    from supernode.system.system import System

__all__ = ["Verbs"]


class Verbs:
    """What can be done with a system beyond building it."""

    @classmethod
    def preset(cls, name: str, /, **overrides: Quantity | bool) -> System:
        """Load a preset.

        Parameters
        ----------
        name
            Name of a preset, ``"NAME:n"`` for n units of it joined by its scale-out network, or the path of a preset
            file.
        **overrides
            New values of parameters, by name: ``link_latency="300 ns"``, or of the preset's own software stack:
            ``**{"simple.launch": "5 us"}``.

        Raises
        ------
        SpecError
            If the preset or a parameter is unknown; the message has the nearest name.
        FabricError
            If the parameters do not make a fabric.
        """
        from supernode.preset.assemble import load_system

        return load_system(_systems(cls), name, overrides)

    @classmethod
    def load(cls, path: str | Path, /, **overrides: Quantity | bool) -> System:
        """Load a system file (TOML), which :meth:`save` may have written.

        Parameters
        ----------
        path
            A file that ends in ``.toml``.
        **overrides
            New values of its parameters, by name.

        Raises
        ------
        SpecError
            If the file does not exist or is not valid: naming the line or field, and the nearest valid name.
        FabricError
            If its numbers do not make a fabric.
        """
        from supernode.preset.assemble import load_file

        return load_file(_systems(cls), path, overrides)

    @classmethod
    def from_file(cls, path: str | Path, format: str | None = None, **options: Unpack[ImportOptions]) -> System:
        """Read a system from another tool's file; what is left out is in its notes, and in every result's warnings.

        Parameters
        ----------
        path
            The file.
        format
            One of toml, graphml, nccl, astra-sim, ns3, simai, htsim, infragraph; by default told by the file itself.
        name
            Name of the system; by default that in the file, or the file's own.
        link_rate, link_latency
            Rate per direction (``"50 GB/s"``) and latency (``"500 ns"``) of links for which the file has none. A
            dictionary has one for each kind of link that the format has names for: ``{"nvlink": "25 GB/s"}``.
        switch_latency
            Of switches for which the file has none; by default 0, with a warning.
        accelerators
            Names of the vertices that are accelerators, in the order of ranks, where the file does not say.
        device
            The accelerator, of which most formats say nothing.
        hints
            A second file: ASTRA-sim's ``system.json``.
        payload, overhead, buffer, routing, kind
            As for :class:`~supernode.Switched`, where the file has none.
        forwarding
            Whether accelerators pass on packets of others, as for :class:`~supernode.Graph`; by default what the file
            says, otherwise only in a fabric without switches.

        Raises
        ------
        SpecError
            If the file does not exist or is not valid: naming file, line and field. If a keyword is unknown.
        FabricError
            If its fabric cannot be built, or lacks a value: naming file and vertex, edge or link.
        SizeOverflowError
            If it is too large to be written out.
        """
        from supernode.io.attached import read_with

        return read_with(path, format, options)

    @classmethod
    def from_graph(cls, graph: object, **options: Unpack[ImportOptions]) -> System:
        """Take a graph of NetworkX or rustworkx as a system of one network.

        Vertices have a ``kind`` (``"gpu"``, ``"switch"``, ...), edges ``rate`` and ``latency`` as texts with units.

        Parameters
        ----------
        graph
            The graph.
        **options
            The keywords of :meth:`from_file` but ``hints``, for what the graph does not say.

        Raises
        ------
        SpecError
            If it is no graph of these libraries.
        FabricError
            Naming the vertex or edge that is not valid.
        """
        from supernode.io.attached import read_graph_with

        return read_graph_with(graph, options)

    def to_toml(self, path: str | Path | None = None) -> str:
        """Return the system as a TOML file, and write it if there is a path; :meth:`load` gives the same system back.

        Parameters
        ----------
        path
            File to write, whole or not at all.
        """
        from supernode.io.attached import write_own

        return write_own(_system(self), path)

    def save(self, path: str | Path, format: str | None = None) -> tuple[str, ...]:
        """Write the system to a file, whole or not at all.

        Parameters
        ----------
        path
            The file.
        format
            One of toml, graphml, dot, infragraph, infragraph-json; by default by the extension.

        Returns
        -------
        tuple of str
            What the format leaves out; nothing for TOML.

        Raises
        ------
        SpecError
            If the format is unknown or is only read, or the file cannot be written.
        SizeOverflowError
            If it is too large for a list of vertices and edges; TOML needs none.
        """
        from supernode.io.registry import write_file

        return write_file(_system(self), path, format)

    def plot(self) -> Figure:
        """Draw the system, whatever its size: every level of its networks, a few vertices standing for all.

        Returns
        -------
        Figure
            With ``save("x.svg")`` or ``save("x.png")``; notebooks show it.
        """
        from supernode.picture import draw

        return draw(_system(self))

    def _repr_html_(self) -> str:
        try:
            return self.plot()._repr_html_()
        except SupernodeError as error:  # a system that is not whole yet is shown all the same
            return f"<pre>{escape(repr(self))}\n{escape(str(error))}</pre>"


def _system(value: Verbs) -> System:
    """Return the system that has the verbs; no other class has them."""
    return cast("System", value)


def _systems(kind: type[Verbs]) -> type[System]:
    return cast("type[System]", kind)
