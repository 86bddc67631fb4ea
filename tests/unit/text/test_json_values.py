"""JSON that is there is found."""

from typing import Any

import pytest

from agentcl.text.json_values import fault_of_line, json_values
from agentcl.text.parsing import parsed_json

J = '{"facts": [["Mara", "works at", "Lindholm {Optics]"]]}'
FACTS = {"facts": [["Mara", "works at", "Lindholm {Optics]"]]}


@pytest.mark.parametrize(
    "text",
    [
        J,
        f" \n{J}\n",
        f"\ufeff{J}",
        f"```json\n{J}\n```",
        f"```json {J} ```",
        f"```{J}```",
        f"```JSON\n{J}\n```",
        f"```jsonc\r\n{J}\r\n```",
        f"~~~json\n{J}\n~~~",
        f"Here are the facts:\n```json\n{J}\n```\nLet me know!",
        f"Based on the passage {{about work}} [1], here it is: {J}".replace("[1]", "[one]"),
        f"{J}\n\nHope this helps :}}",
        f"Use {{ and [ with care. {J} ] }}",
        f"json\n{J}",
        f"<answer>{J}</answer>",
    ],
)
def test_a_value_is_found_wherever_it_stands(text: str) -> None:
    assert json_values(text) == [FACTS]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('First {"a": 1}, rather {"a": 2}.', [{"a": 1}, {"a": 2}]),
        ("7", [7]),
        ('"ready"', ["ready"]),
        ("```json\n7\n```", [7]),
        ('{"a": "one\nline"}', [{"a": "one\nline"}]),
        ('{"a": ["one\nline"], "b": []}', [{"a": ["one\nline"], "b": []}]),
        ('Of ["a sort\nof" {"a": 1}', [{"a": 1}]),
        ("", []),
        ("at seven", []),
        ("{'a': 1}", []),
        ('{"facts": [["Mara", "works at", "Lindh', []),
        ('{"a": {"b": 1}, "c": "tr', []),
        ('{"a": {"b": 1}, "c": ', []),
        ('{"a": {"b": 1}', []),
        ("[" * 100_000, []),
        ("{" * 100_000, []),
    ],
)
def test_of_several_values_all_and_of_one_that_is_cut_off_nothing(
    text: str, values: list[Any]
) -> None:
    assert json_values(text) == values


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("// x", "column 1 has a comment"),
        ('{"a": 1} # x', "column 10 has a comment"),
        ('{"a": 1 /* x */}', "column 9 has a comment"),
        ("{'a': 1}", "column 2 has a single quote"),
        ('{"a": 1,}', "comma"),
        ('{"a": True}', "column 7 has a word that is no JSON"),
        ("{a: 1}", "column 2 has a name without double quotes"),
        ('{"a": ', "is where it breaks off"),
        ('{"a": "x', "Unterminated string starting at column 7"),
        ("[1 2]", "Expecting ',' delimiter at column 4"),
    ],
)
def test_where_and_why_a_line_is_no_json_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # of any reader
        parsed_json(text)
    assert told in fault_of_line(caught.value)
