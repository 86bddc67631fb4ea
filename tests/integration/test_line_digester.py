"""A model that was trained for it lists what turns state; what they do not bear out is left out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.models import ScriptedModel
from agentcl.models.base import Message
from agentcl.statements import LineDigester
from agentcl.store import Turn

FRIDAY = datetime(2025, 6, 20, 12, tzinfo=UTC)
TOLD = {
    "My sister Ilka moved to Oudra last Friday.": "sibling | user | Ilka\nhome | Ilka | Oudra | when: last Friday",
    "She sold the kiln. I can't stand glaze any more.": "possession | Ilka | kiln | ended\nlikes | user | glaze | ended",
    "What is cobalt?": "-",
    "She is 41.": "age | she | 41\nhome | she | Lisbon",
}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as opened:
        yield opened


def trained(said: Sequence[Message]) -> str:
    """Return the lines of the last turn."""
    return next(lines for text, lines in TOLD.items() if text in said[-1].content)


def turns(texts: Sequence[str]) -> list[Turn]:
    return [
        Turn(
            id=str(place), sources=("c",), role="assistant" if place % 2 else "user", text=text,
            said_at=(FRIDAY + timedelta(minutes=place)).isoformat(), ordinal=place,
        )
        for place, text in enumerate(one for text in texts for one in (text, "And then?"))
    ]  # fmt: skip


def test_what_it_lists_is_asserted_with_dates_worked_out_and_pronouns_told() -> None:
    found = LineDigester(ScriptedModel(trained)).digest(turns(list(TOLD)), ())
    said = {
        (one.subject, one.attribute, one.value, one.polarity, one.since, one.turns)
        for one in found.said
    }
    assert ("Ilka", "home", "Oudra", "holds", "2025-06-13", (0,)) in said
    assert ("Ilka", "possession", "kiln", "ended", "", (2,)) in said
    assert ("Ilka", "age", "41", "holds", "", (6,)) in said
    assert not any(one.value == "Lisbon" for one in found.said)
    assert found.dropped == 1


def test_a_prompt_begins_like_the_one_before_and_stays_short() -> None:
    model = ScriptedModel(lambda _: "-")
    LineDigester(model).digest(turns([f"I have {number} cats." for number in range(40)]), ())
    prompts = [[one.content for one in asked] for asked in model.asked]
    assert max(map(len, prompts)) <= 2 + 2 * 12
    anew = sum(later[: len(before) - 1] != before[:-1] for before, later in pairwise(prompts))
    assert anew == 4


def test_a_model_without_the_adapter_states_nothing() -> None:
    found = LineDigester(ScriptedModel(lambda _: "Sure! Here is a poem.")).digest(
        turns(["I live in Ghent, and Ilka in Oudra."]), ()
    )
    assert found.dropped == 1


def test_a_memory_digests_by_it_and_a_dry_run_says_what_it_takes(memory: Memory) -> None:
    said = [{"role": "user", "content": text} for text in TOLD]
    memory.remember(said, user="ada", session="s")
    digester = LineDigester(ScriptedModel(trained, name="m"))
    dry = memory.statements.digest(digester, user="ada", dry_run=True)
    assert dry.tokens > 100
    report = memory.statements.digest(digester, user="ada", budget_tokens=dry.tokens)
    assert report.read == 4
    held = {(one.subject, one.attribute, one.value) for one in memory.statements.list(user="ada")}
    assert {("Ilka", "home", "Oudra"), ("Ilka", "age", "41")} <= held
    assert memory.statements.list(user="ada")[0].digester == "lines:m"
