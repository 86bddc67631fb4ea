"""What servers that are strict about schemas are asked for."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import agentcl
from agentcl.models.schemas import is_strict, strict


def problems(schema: Any, at: str = "$") -> Iterator[str]:
    """Yield what a strict server refuses of a schema; written apart from what is tested."""
    if isinstance(schema, list):
        for part in schema:
            yield from problems(part, at)
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            yield f"{at} is open"
        if set(schema.get("required", ())) != set(schema.get("properties", ())):
            yield f"{at} has what is not required"
        for name, part in schema.get("properties", {}).items():
            yield from problems(part, f"{at}.{name}")
    if at != "$" and not {"type", "anyOf", "$ref"} & set(schema):
        yield f"{at} has no type"
    for name in ("items", "anyOf"):
        yield from problems(schema.get(name), f"{at}.{name}")


def schemas() -> list[tuple[str, Mapping[str, Any]]]:
    """Return every schema that the package holds, and that is not the form of an answer only."""
    found = []
    for module in pkgutil.walk_packages(agentcl.__path__, "agentcl."):
        if module.name.split(".")[1] not in ("agents", "memory", "models", "bench", "guidance"):
            continue
        try:
            names = vars(importlib.import_module(module.name))
        except ImportError:  # an optional part
            continue
        for name, value in names.items():
            is_schema = isinstance(value, Mapping) and value.get("type") in ("object", "array")
            if is_schema and not name.endswith("_FORM"):
                found.append((f"{module.name}.{name}", value))
    return found


def test_every_schema_of_ours_is_one_that_strict_servers_take() -> None:
    found = schemas()
    assert len(found) >= 7
    assert {name: list(problems(schema)) for name, schema in found if list(problems(schema))} == {}
    assert all(is_strict(schema) for _, schema in found)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": False,
        },
        {"type": "array", "items": {"type": "object", "properties": {"required": {}}}},
        {"anyOf": [{"type": "null"}, {"type": "object", "additionalProperties": True}]},
    ],
)
def test_a_schema_that_leaves_something_open_is_not_strict(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)


def test_a_schema_is_made_strict_at_all_depths_and_the_first_is_left_as_it_was() -> None:
    inner = {"type": "object", "properties": {"claim": {"enum": ["do", "avoid"]}, "n": {}}}
    schema = {"type": "object", "properties": {"all": {"type": "array", "items": inner}}}
    made = strict(schema)
    assert is_strict(made)
    assert made["properties"]["all"]["items"]["required"] == ["claim", "n"]
    assert made["properties"]["all"]["items"]["properties"]["claim"]["type"] == "string"
    assert "required" not in schema
    assert "required" not in inner
    assert strict(made) == made
