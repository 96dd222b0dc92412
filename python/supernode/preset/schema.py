"""The JSON Schema of system files, made from the same types that read them."""

from __future__ import annotations

from typing import Any

import msgspec

from supernode.preset.fabrics import CLASSES, fabric_form
from supernode.preset.form import Body, ClusterFile, PresetFile, ScaleOutFile

__all__ = ["system_schema"]

_REFERENCE = {"type": "string", "pattern": r"^\$"}


def system_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a system file, for editors and checks before a run.

    Returns
    -------
    dict
        Plain data. Wherever a file may refer to a parameter (``"$NAME"``), the schema allows it.

    Examples
    --------
    >>> import supernode as sn
    >>> sn.system_schema()["title"]
    'supernode system file, format 1'
    """
    joins: list[Any] = [ScaleOutFile, *map(fabric_form, CLASSES)]
    types = [PresetFile, ClusterFile, Body, *joins]
    refs, parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    body = {**parts.pop("Body")["properties"], "scale_out": {"anyOf": list(refs[-len(joins) :])}}
    for name in ("PresetFile", "ClusterFile"):
        properties = parts[name]["properties"]
        properties["format"] = {"const": 1}
        for key in ("system", "device", "network", "scale_out", "core", "nics", "host"):
            if key in properties:
                properties[key] = body[key]
    for name, part in parts.items():
        if name.endswith("File") and name not in ("PresetFile", "ClusterFile"):
            part["properties"] = {key: _referable(value) for key, value in part["properties"].items()}
    # What a variant says on top of its unit need not be whole.
    device = {**parts["DeviceFile"], "required": []}
    parts["ClusterFile"]["properties"]["device"] = device
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "supernode system file, format 1",
        "anyOf": [{"$ref": "#/$defs/PresetFile"}, {"$ref": "#/$defs/ClusterFile"}],
        "$defs": parts,
    }


def _referable(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow a reference to a parameter where a number or a truth value stands."""
    if schema.get("type") not in ("boolean", "integer", "number"):
        return schema
    return {"anyOf": [schema, _REFERENCE]}
