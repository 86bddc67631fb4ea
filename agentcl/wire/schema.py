"""Types as JSON Schema, for the OpenAPI document: what `agentcl.wire.codec` writes and reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from agentcl.store.records import KINDS, AnyScope, Record
from agentcl.wire.codec import to_json
from agentcl.wire.hints import fields_of, is_named_tuple, needed_of
from agentcl.wire.verbs import Verb

_PLAIN: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    Path: {"type": "string"},
    None: {"type": "null"},
    NoneType: {"type": "null"},
    AnyScope: {"type": "object", "properties": {"any": {"const": True}}, "required": ["any"]},
}
_REF: Final = "#/components/schemas/"


class Schemas:
    """The schemas of one document; `components` holds those that have a name."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}

    def of(self, hint: Any) -> dict[str, Any]:  # noqa: ANN401  # any type
        """Return the schema of a type."""
        origin, inner = get_origin(hint), get_args(hint)
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        if origin is Literal:
            return {"type": "string", "enum": list(inner)}
        if origin in (Union, UnionType):
            return {"anyOf": [self.of(one) for one in inner]}
        if hint in (Any, object):
            return {}
        kind = origin or hint
        if kind is Record:
            return {
                "anyOf": [self.of(one) for one in KINDS.values()],
                "discriminator": {"propertyName": "kind"},
            }
        if is_dataclass(kind) or is_named_tuple(kind):
            return self._named(kind)
        if issubclass(kind, Mapping):
            return {"type": "object", "additionalProperties": self.of(inner[1]) if inner else {}}
        if kind is tuple and inner and inner[-1] is not Ellipsis:
            size = len(inner)
            return {
                "type": "array",
                "prefixItems": [*map(self.of, inner)],
                "minItems": size,
                "maxItems": size,
            }
        return {"type": "array", "items": self.of(inner[0]) if inner else {}}

    def request(self, verb: Verb) -> dict[str, Any]:
        """Return the schema of what a verb takes."""
        own = {one.name: self.of(one.hint) for one in verb.parameters}
        for one in verb.parameters:
            if one.about:
                own[one.name]["description"] = one.about
            if not one.is_needed and one.default not in (None, ()):
                own[one.name]["default"] = to_json(one.default)
        scope = {name: self.of(hint) for name, hint in verb.hints.items() if name not in own}
        needed = [one.name for one in verb.parameters if one.is_needed]
        made = {"type": "object", "properties": {**own, **scope}, "additionalProperties": False}
        return {**made, "required": needed} if needed else made

    def _named(self, kind: Any) -> dict[str, Any]:  # noqa: ANN401  # a type
        if kind.__name__ not in self.components:
            self.components[kind.__name__] = {}  # it may hold itself
            self.components[kind.__name__] = self._object(kind)
        return {"$ref": _REF + kind.__name__}

    def _object(self, kind: Any) -> dict[str, Any]:  # noqa: ANN401  # a type
        own = {name: self.of(hint) for name, hint in fields_of(kind).items()}
        is_record = issubclass(kind, Record)
        if is_record:
            own = {"kind": {"type": "string", "const": kind.kind}, **own}
        doc = (kind.__doc__ or "").split("\n\n")[0]
        return {
            "type": "object",
            "description": doc,
            "properties": own,
            "required": [*own] if is_record else [*needed_of(kind)],
        }
