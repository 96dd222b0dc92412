"""Fabrics in ``[scale_out]`` of files: the keywords of their class, under the same names.

A network that is sized only when the number of units is known cannot be written as vertices and links. So the file says
what the builder does: ``topology`` is the class, and every parameter has the name and the default that it has in
Python. The types that read the table are made from those of the class, so that both stay alike. A parameter that may be
``None`` in Python is ``"auto"`` here, or what :data:`WORDS` says. Fat trees are older and have a form of their own,
:class:`~supernode.preset.form.ScaleOutFile`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields, replace
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from supernode.errors import SpecError, SupernodeError
from supernode.fabric.base import Fabric
from supernode.fabric.dragonfly import Dragonfly
from supernode.fabric.dragonfly_plus import DragonflyPlus
from supernode.fabric.full_mesh import FullMesh
from supernode.fabric.graph import Edge, Graph, SwitchNode
from supernode.fabric.hypercube import Hypercube
from supernode.fabric.hyperx import HyperX
from supernode.fabric.parts import as_edge
from supernode.fabric.switched import Switched
from supernode.fabric.torus import Mesh, Ring, Torus
from supernode.files.data import convert
from supernode.names import choose
from supernode.preset.references import flag, whole
from supernode.units import U64_MAX, as_integer

__all__ = ["CLASSES", "fabric_form", "naming_fabric", "read_fabric", "write_fabric"]

#: Fabrics by the ``topology`` of ``[scale_out]``.
CLASSES: dict[str, type[Any]] = {
    "switched": Switched,
    "torus": Torus,
    "mesh": Mesh,
    "ring": Ring,
    "full_mesh": FullMesh,
    "graph": Graph,
    "dragonfly": Dragonfly,
    "dragonfly_plus": DragonflyPlus,
    "hyperx": HyperX,
    "hypercube": Hypercube,
}

#: What stands for ``None`` where it is not ``"auto"``: TOML has no empty value. Python takes that of a buffer, too.
WORDS = {"reach": "all", "buffer": "unlimited"}

#: Parts of graphs, which are tables.
PARTS = (Edge, SwitchNode)


@cache
def fabric_form(topology: str) -> type[msgspec.Struct]:
    """Return the type of a ``[scale_out]`` of one of :data:`CLASSES`."""
    own = [
        ("topology", Literal[topology]),
        ("name", str, "scale_out"),
        ("nics_per_accelerator", int | str, 1),
    ]
    return _struct(f"{CLASSES[topology].__name__}ScaleOutFile", CLASSES[topology], own)


def read_fabric(raw: Mapping[str, Any], where: str) -> tuple[Fabric, int, str]:
    """Return the fabric of a ``[scale_out]`` table, the ports of an accelerator, and the name of the network.

    Raises
    ------
    SpecError
        Naming the topology or field that is unknown, missing or not valid.
    FabricError
        If the parameters do not make a fabric.
    """
    topology = choose("scale-out topology", raw["topology"], ["fat_tree", *CLASSES])
    form: Any = convert(raw, fabric_form(topology), where)
    ports = whole(form.nics_per_accelerator, f"{where}, nics_per_accelerator")
    return _made(CLASSES[form.topology], form, where), ports, form.name


def write_fabric(fabric: Fabric) -> dict[str, Any]:
    """Return the table of a fabric; :func:`read_fabric` gives the fabric back.

    Raises
    ------
    SpecError
        If it is of a class that no file knows.
    """
    name = next((name for name, kind in CLASSES.items() if kind is type(fabric)), None)
    if name is None:
        known = ", ".join(kind.__name__ for kind in CLASSES.values())
        raise SpecError(f"scale_out: a {type(fabric).__name__} has no form in files; FatTree, {known} have one")
    if isinstance(fabric, Graph):
        fabric = replace(fabric, edges=[as_edge(edge) for edge in fabric.edges])
    return {"topology": name, **_table(fabric)}


@contextmanager
def naming_fabric(name: str) -> Iterator[None]:
    """Name a network of a file in errors of its fabric, which does not know its name while it is made."""
    try:
        yield
    except SupernodeError as error:
        text = str(error).removeprefix("fabric fabric: ").removeprefix("fabric graph: ")
        named = text.startswith((f"fabric {name}: ", f"{name} "))
        raise type(error)(text if named else f"fabric {name}: {text}") from None


def _struct(name: str, kind: type[Any], own: Sequence[Any] = ()) -> type[msgspec.Struct]:
    """Make the type that reads the parameters of a class."""
    hints = get_type_hints(kind)
    needed = [(field.name, _type(hints[field.name])) for field in fields(kind) if field.default is MISSING]
    others = [
        (field.name, _type(hints[field.name]) | msgspec.UnsetType, msgspec.UNSET)
        for field in fields(kind)
        if field.default is not MISSING
    ]
    first = [entry for entry in own if len(entry) == 2]
    rest = [entry for entry in own if len(entry) > 2]
    doc = f"The parameters of ``{kind.__name__}``, as in Python."
    return msgspec.defstruct(
        name, [*first, *needed, *rest, *others], frozen=True, forbid_unknown_fields=True, namespace={"__doc__": doc}
    )


def _leaves(hint: Any) -> tuple[Any, ...]:
    """Return the alternatives of a type."""
    return get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)


def _type(hint: Any) -> Any:
    """Return what a file has for a type of Python: numbers and flags may be texts, which overrides give."""
    found: list[Any] = []
    for one in _leaves(hint):
        if get_origin(one) is Sequence:
            found.append(list[_type(get_args(one)[0])])  # type: ignore[misc]
        elif one in PARTS:
            found.append(_part(one))
        elif one in (int, float, bool):
            found += [one, str]
        elif one in (str, type(None)):
            found.append(str)
        # pairs of names are written as tables
    return Union[tuple(found)]  # noqa: UP007 - the number of types is only known here


@cache
def _part(kind: type[Any]) -> type[msgspec.Struct]:
    return _struct(f"{kind.__name__}Part", kind)


def _made(kind: type[Any], form: msgspec.Struct, where: str) -> Any:
    """Return the object that a table describes."""
    hints = get_type_hints(kind)
    given = {f.name: getattr(form, f.name) for f in fields(kind)}
    return kind(
        **{
            name: _value(value, hints[name], name, f"{where}, {name}")
            for name, value in given.items()
            if value is not msgspec.UNSET
        }
    )


def _value(value: Any, hint: Any, name: str, where: str) -> Any:
    leaves = _leaves(hint)
    if isinstance(value, list):
        inner = next(get_args(one)[0] for one in leaves if get_origin(one) is Sequence)
        return tuple(_value(item, inner, name, where) for item in value)
    if isinstance(value, msgspec.Struct):
        return _made(next(part for part in PARTS if _part(part) is type(value)), value, where)
    if int in leaves and float not in leaves:
        nothing = type(None) in leaves and value == WORDS.get(name, "auto")
        return None if nothing else whole(value, where)
    return flag(value, where) if bool in leaves else value


def _table(thing: Any) -> dict[str, Any]:
    """Return the parameters that differ from their defaults."""
    given = {field.name: (getattr(thing, field.name), field.default) for field in fields(thing)}
    return {
        name: _plain(value, WORDS.get(name, "auto"))
        for name, (value, default) in given.items()
        if default is MISSING or value != default
    }


def _plain(value: Any, nothing: str) -> Any:
    """Return a value as a file has it: exact, and within the integers of TOML."""
    if value is None:
        return nothing
    if isinstance(value, str | bool):
        return value
    if isinstance(value, PARTS):
        return _table(value)
    if isinstance(value, Sequence):
        return [_plain(item, nothing) for item in value]
    number = as_integer(value)
    if number is None:
        number = int(value) if value == int(value) else None
    if number is None:
        return float(value)
    return number if number <= U64_MAX // 2 else str(number)
