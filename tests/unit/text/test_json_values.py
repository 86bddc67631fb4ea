"""JSON that is there is found."""

from typing import Any

import pytest

from agentcl.text.json_values import json_values

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
