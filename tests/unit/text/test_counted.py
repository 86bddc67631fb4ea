"""Numbers of things in words."""

import pytest

from agentcl.text.counted import counted


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (1, "turn", "1 turn"),
        (0, "turn", "0 turns"),
        (1_000, "summary", "1,000 summaries"),
        (2, "day", "2 days"),
        (2, "alias", "2 aliases"),
        (2, "synopsis", "2 synopses"),
    ],
)
def test_one_thing_is_no_several(count: int, noun: str, said: str) -> None:
    assert counted(count, noun) == said
