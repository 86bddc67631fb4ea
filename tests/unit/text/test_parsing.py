"""Whatever is wrong with JSON or TOML from outside is one kind of error, in words that help."""

import ast
from pathlib import Path

import pytest

import agentcl
from agentcl.text.parsing import parsed_json, parsed_toml


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("9" * 5_000, "too many digits"),
        ('{"a": -%s}' % ("9" * 5_000), "too many digits"),
        ("{", "line 1 column 2"),
        (b"\xff", "decode"),
    ],
)
def test_json_that_is_none_is_a_value_error(text: str | bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        parsed_json(text)
    assert "set_int_max_str_digits" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "9" * 5_000, "too many digits"),
        ("a = ", "Invalid value"),
    ],
)
def test_toml_that_is_none_is_a_value_error(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parsed_toml(text)


def test_what_is_told_of_reading_is_passed_on() -> None:
    assert parsed_json('{"a": "one\nline"}', strict=False) == {"a": "one\nline"}


def test_who_expects_what_is_no_json_reads_it_here() -> None:
    """Python's own reader raises more than those catch who catch a ValueError."""
    found = []
    for file in sorted(Path(agentcl.__file__).parent.rglob("*.py")):
        for tried in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(tried, ast.Try):
                continue
            caught = {name for one in tried.handlers if one.type for name in _names(one.type)}
            reads = any(_is_reading(one) for part in tried.body for one in ast.walk(part))
            if reads and caught & {"ValueError", "JSONDecodeError", "TOMLDecodeError"}:
                found += [] if "RecursionError" in caught else [f"{file.name}:{tried.lineno}"]
    assert found == []


def _names(expression: ast.expr) -> set[str]:
    """Return the last parts of the names in an expression."""
    nodes = list(ast.walk(expression))
    return {one.id for one in nodes if isinstance(one, ast.Name)} | {
        one.attr for one in nodes if isinstance(one, ast.Attribute)
    }


def _is_reading(node: ast.AST) -> bool:
    """Return whether a node calls a reader of Python's, or `.json()` of an answer."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    return (of, node.func.attr) in {("json", "loads"), ("json", "load"), ("tomllib", "loads")} or (
        node.func.attr == "json" and not node.args and not node.keywords
    )
