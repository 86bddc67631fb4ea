"""JSON Schemas as strict servers want them: each object names all that it has, and must have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentcl.models.base import Schema


def is_strict(schema: object) -> bool:
    """Return whether each object of a schema names all that it has, as strict servers want it."""
    if isinstance(schema, list | tuple):
        return all(is_strict(part) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        names = set(schema.get("properties", ()))
        if schema.get("additionalProperties") is not False:
            return False
        if names != set(schema.get("required", ())):
            return False
    return all(
        all(is_strict(part) for part in value.values())
        if name in ("properties", "$defs") and isinstance(value, Mapping)
        else name in ("enum", "const", "required") or is_strict(value)
        for name, value in schema.items()
    )


def strict(schema: Schema) -> dict[str, Any]:
    """Return a schema whose objects must have all that they name and nothing else."""
    full = dict(schema)
    if "properties" in full:
        full["properties"] = {name: strict(part) for name, part in full["properties"].items()}
        full["required"] = list(full["properties"])
        full["additionalProperties"] = False
    if "items" in full:
        full["items"] = strict(full["items"])
    if "enum" in full and all(isinstance(value, str) for value in full["enum"]):
        full.setdefault("type", "string")
    return full
