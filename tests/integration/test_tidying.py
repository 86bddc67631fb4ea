"""Tidying cannot lose: one wording for what is the same, summaries, an archive; all of it can be taken back."""

import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import ANY, InvalidInput, Memory, NotFound
from agentcl.errors import ModelUnavailable, NoAnswer, NotEquipped
from agentcl.models import ScriptedModel
from agentcl.statements import Gist, ModelSummariser, RuleDigester, Summariser
from agentcl.store import Statement

MARCH = datetime(2025, 3, 3, 18, 40, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def talk(memory: Memory, *texts: str, name: str = "s", day: int = 0, user: str = "ada") -> None:
    messages = [
        {
            "role": "assistant" if place % 2 else "user",
            "content": text,
            "time": MARCH + timedelta(days=day, minutes=place),
        }
        for place, text in enumerate(texts)
    ]
    memory.remember(messages, user=user, session=name)


def said(memory: Memory, value: str, day: int = 0, **more: Any) -> Statement:
    turn = memory.remember(
        [{"role": "user", "content": f"It is {value}.", "time": MARCH + timedelta(days=day)}],
        user="ada", session="s",
    ).turns  # fmt: skip
    sources = [one.id for one in turn]
    at = MARCH + timedelta(days=day)
    return memory.statements.add(
        "user",
        more.pop("attribute", "home"),
        value,
        said_at=at,
        sources=sources,
        user="ada",
        **more,
    )


def everything(memory: Memory) -> dict[str, Any]:
    """Return all that a memory says of what was said and what holds."""
    turns = [
        (turn.id, turn.text)
        for one in memory.conversations.list(user="ada")
        for turn in memory.conversations.turns(one.id, user="ada")
    ]
    held = memory.statements.list(user="ada", valid_at=ANY, all=True, archived=True)
    told = memory.statements.summaries(user="ada")
    return {
        "turns": turns,
        "statements": sorted(
            (
                one.id,
                one.value,
                one.text,
                one.valid_from,
                one.valid_to,
                one.replaced_by,
                one.sources,
            )
            for one in held
        ),
        "summaries": [(one.key, one.sentences, one.by) for one in told],
        "in sight": sorted(one.id for one in memory.statements.list(user="ada")),
    }


def values(memory: Memory, **asked: Any) -> list[str]:
    return [one.value for one in memory.statements.list(user="ada", **asked)]


def test_what_was_said_in_other_words_becomes_one_and_undoing_makes_it_two_again(
    memory: Memory,
) -> None:
    first, again = said(memory, "the city of Gent"), said(memory, "Gent city", 9)
    before = everything(memory)
    report = memory.statements.tidy(user="ada")
    assert report.count("merged") == 1
    assert values(memory) == ["the city of Gent"]
    assert memory.statements.get(first.id, user="ada").valid_to is None
    assert [turn.text for turn in memory.statements.why(first.id, user="ada")] == [
        "It is the city of Gent.", "It is Gent city.",
    ]  # fmt: skip
    assert memory.statements.get(again.id, user="ada").replaced_by == first.id
    assert everything(memory)["turns"] == before["turns"]
    assert memory.statements.settle() == 0
    memory.statements.undo(report.job, user="ada")
    assert everything(memory) == before
    with pytest.raises(NotFound, match="undone already"):
        memory.statements.undo(report.job, user="ada")
    assert memory.statements.tidy(user="ada").count("merged") == 0


def test_words_of_a_turn_that_is_forgotten_stay_nowhere(memory: Memory) -> None:
    first = said(memory, "the wild city of Gent")
    again = said(memory, "Gent, wild city", 9)
    memory.statements.tidy(user="ada")
    memory.forget(first.sources[0], user="ada")
    assert values(memory) == [again.value]
    assert b"the wild city" not in (memory.path / "journal.db").read_bytes()
    assert memory.statements.settle() == 0


def test_what_is_said_again_in_merged_words_is_no_change(memory: Memory) -> None:
    first = said(memory, "the city of Gent")
    said(memory, "Gent city", 9)
    memory.statements.tidy(user="ada")
    said(memory, "Gent city", 12)
    assert [one.id for one in memory.statements.list(user="ada")] == [first.id]
    said(memory, "Gent city", 14, ended=True)
    assert values(memory) == []


def test_a_turn_in_other_words_is_shown_as_what_holds(memory: Memory) -> None:
    said(memory, "the city of Gent")
    said(memory, "Gent city", 9)
    memory.statements.tidy(user="ada")
    shown = memory.context("Is it Gent city?", user="ada").shown
    assert "It is Gent city." in [one.text for one in shown]


def test_a_dry_run_shows_the_diff_and_changes_nothing(memory: Memory) -> None:
    said(memory, "the city of Gent")
    said(memory, "Gent city", 9)
    before, last = everything(memory), memory.store.journal.last_seq()
    report = memory.statements.tidy(user="ada", keep=0, dry_run=True)
    assert [str(one) for one in report.edits][:1] == ["merged: 'Gent city' into 'the city of Gent'"]
    assert report.count("archived") == 2
    assert report.job == ""
    assert (everything(memory), memory.store.journal.last_seq()) == (before, last)


def test_tidying_again_changes_nothing(memory: Memory) -> None:
    talk(memory, "I live in Gent. I like tea.", "Gent, fine.", "I'm allergic to nuts.")
    memory.statements.digest(RuleDigester(), user="ada")
    assert memory.statements.tidy(user="ada").edits
    last = [*memory.store.journal.since(0)]
    assert memory.statements.tidy(user="ada").edits == ()
    assert [*memory.store.journal.since(0)] == last


def test_a_conversation_is_summed_up_by_its_statements_and_a_user_by_what_holds(
    memory: Memory,
) -> None:
    talk(memory, "I live in Gent. I'm allergic to nuts.", name="march")
    talk(memory, "I moved to Leuven.", name="april", day=40)
    memory.statements.digest(RuleDigester(), user="ada")
    memory.statements.tidy(user="ada")
    march, april, profile = memory.statements.summaries(user="ada")
    assert march.text == "The user is allergic to nuts. The user lives in Gent."
    assert april.text == "The user moved to Leuven."
    assert profile.key == "profile"
    assert set(profile.sentences) == {"The user is allergic to nuts.", "The user moved to Leuven."}
    assert memory.statements.summaries(user="bob") == []


def test_a_summary_goes_with_a_turn_or_a_statement_that_it_was_made_from(memory: Memory) -> None:
    talk(memory, "I live in Gent.", name="march")
    memory.statements.digest(RuleDigester(), user="ada")
    memory.statements.tidy(user="ada")
    (one,) = memory.statements.list(user="ada")
    memory.statements.undo(one.id, user="ada")
    assert memory.statements.summaries(user="ada") == []
    memory.statements.add("user", "home", "Gent", sources=one.sources, user="ada")
    memory.statements.tidy(user="ada")
    assert len(memory.statements.summaries(user="ada")) == 2
    memory.forget(one.sources[0], user="ada")
    assert memory.statements.summaries(user="ada") == []
    memory.statements.tidy(user="ada")
    assert b"Gent" not in (memory.path / "journal.db").read_bytes()


def test_the_archive_holds_what_is_weak_and_search_looks_into_it_when_told(memory: Memory) -> None:
    weak = said(memory, "tea", attribute="likes", several=True)
    for day in (10, 20):
        said(memory, "hiking", day, attribute="likes", several=True)
    rule = said(memory, "answer in verse", attribute="instruction", sort="instruction")
    report = memory.statements.tidy(user="ada", keep=2)
    assert [one.id for one in report.edits if one.what == "archived"] == [weak.id]
    assert values(memory) == ["answer in verse", "hiking"]
    assert values(memory, archived=True) == ["answer in verse", "tea", "hiking"]
    assert "tea" not in memory.profile(user="ada").text
    assert "tea" not in memory.context("tea?", user="ada").text.replace("It is tea", "")
    search = memory.statements.search
    assert [one.statement.id for one in search("tea", user="ada")] == []
    assert [one.statement.id for one in search("tea", archived=True, user="ada")] == [weak.id]
    assert memory.statements.get(weak.id, user="ada").valid_to is None
    assert memory.statements.history(weak.id, user="ada")
    back = memory.statements.tidy(user="ada", keep=3)
    assert [one.id for one in back.edits if one.what == "back"] == [weak.id]
    assert {weak.id, rule.id} <= {one.id for one in memory.statements.list(user="ada")}


def test_undoing_the_archive_brings_back_what_was_in_sight_before(memory: Memory) -> None:
    for day, value in enumerate(("tea", "hiking", "chess")):
        said(memory, value, day, attribute="likes", several=True)
    first = memory.statements.tidy(user="ada", keep=2)
    then = everything(memory)["in sight"]
    second = memory.statements.tidy(user="ada", keep=1)
    memory.statements.undo(second.job, user="ada")
    assert everything(memory)["in sight"] == then
    memory.statements.undo(first.job, user="ada")
    assert len(everything(memory)["in sight"]) == 3


def test_what_later_turns_take_up_rises_in_a_search(memory: Memory) -> None:
    old = said(memory, "tennis", attribute="likes", several=True)
    new = said(memory, "rowing", 1, attribute="likes", several=True)
    search = memory.statements.search
    assert search("What does the user like?", user="ada")[0].statement == new
    talk(memory, "Hm.", "How was tennis?", "Tennis was good.", name="later", day=3)
    memory.statements.tidy(user="ada")
    assert search("What does the user like?", user="ada")[0].statement == old


def test_a_short_profile_has_what_is_strong(memory: Memory) -> None:
    for day in range(30):
        said(memory, f"game {day}", day, attribute="likes", several=True)
    said(memory, "game 3", 40, attribute="likes", several=True)
    told = memory.profile(budget_tokens=80, user="ada").text
    assert "game 3." in told
    assert "game 29." in told
    assert "game 4." not in told


def test_undoing_leaves_what_was_said_since(memory: Memory) -> None:
    said(memory, "the city of Gent")
    said(memory, "Gent city", 9)
    report = memory.statements.tidy(user="ada")
    said(memory, "Oslo", 20)
    memory.statements.undo(report.job, user="ada")
    assert values(memory) == ["Oslo"]
    assert values(memory, valid_at=ANY) == ["the city of Gent", "Gent city", "Oslo"]
    assert memory.statements.settle() == 0


def test_a_job_of_one_user_leaves_the_others_alone(memory: Memory) -> None:
    talk(memory, "I live in Gent.", user="bob")
    talk(memory, "I live in Oslo.")
    memory.statements.digest(RuleDigester())
    report = memory.statements.tidy(user="ada")
    assert memory.statements.summaries(user="bob") == []
    with pytest.raises(NotFound):
        memory.statements.undo(report.job, user="bob")
    memory.statements.undo(report.job, user="ada")
    both = memory.statements.tidy()
    assert memory.statements.summaries(user="bob")
    memory.statements.undo(both.job)
    assert memory.statements.summaries(user="bob") == memory.statements.summaries(user="ada") == []


def test_tidying_waits_in_the_queue_like_any_job(memory: Memory) -> None:
    talk(memory, "I live in Gent.")
    memory.statements.digest(RuleDigester(), user="ada")
    job = memory.jobs.enqueue("tidy", {"keep": 5}, user="ada")
    assert job.price is not None
    assert job.price.units == 3
    assert [one.state for one in memory.jobs.run_all()] == ["done"]
    assert len(memory.statements.summaries(user="ada")) == 2
    told = memory.jobs.enqueue("tidy", {"summariser": "model:m"}, user="ada")
    with pytest.raises(NotEquipped, match="add_summariser"):
        memory.jobs.run(told.id)
    memory.jobs.add_summariser(
        ModelSummariser(model("The user lives in Gent. [1]"), name="model:m")
    )
    assert memory.jobs.run(told.id).state == "done"
    for spec in ({"keep": -1}, {"near": 2}, {"summariser": ""}, {"budget_tokens": "x"}):
        with pytest.raises(InvalidInput, match="tidy job"):
            memory.jobs.enqueue("tidy", spec, user="ada")


LONG = " We walked along the canal, and then along the other canal." * 25


def model(*answers: str) -> ScriptedModel:
    return ScriptedModel([*answers] * 20)


def test_a_model_tells_what_the_turns_bear_out_and_nothing_else(memory: Memory) -> None:
    talk(memory, f"I moved to Gent for the river.{LONG}", "A good reason.", name="march")
    teller = model(
        "The user moved to Gent for the river. [1]\nThe user owns a boat. [1]\nSo it is."
    )
    report = memory.statements.tidy(teller, user="ada")
    (told,) = memory.statements.summaries(user="ada")
    assert told.sentences == ("The user moved to Gent for the river.",)
    assert (report.count("summary"), report.dropped, report.failed) == (1, 1, 0)
    assert report.tokens > 0
    assert len(told.sources) == 2
    asked = len(teller.asked)
    assert memory.statements.tidy(teller, user="ada").edits == ()
    assert len(teller.asked) == asked


def test_a_summary_goes_on_with_what_was_said_since(memory: Memory) -> None:
    talk(memory, f"I moved to Gent.{LONG}", name="march")
    memory.statements.tidy(model("The user moved to Gent. [1]"), user="ada")
    talk(memory, f"I moved to Gent.{LONG}", "Fine.", "I found a flat.", name="march")
    teller = model("The user moved to Gent. [1]\nThe user found a flat. [2]")
    memory.statements.tidy(teller, user="ada")
    (told,) = memory.statements.summaries(user="ada")
    assert told.text == "The user moved to Gent. The user found a flat."
    assert "canal" not in teller.asked[0][-1].content


def test_no_model_is_asked_for_what_is_short(memory: Memory) -> None:
    talk(memory, "I live in Gent.", name="march")
    memory.statements.digest(RuleDigester(), user="ada")
    teller = model("The user lives in Gent. [1]")
    assert memory.statements.tidy(teller, user="ada").tokens == 0
    assert {one.by for one in memory.statements.summaries(user="ada")} == {"statements"}
    assert teller.asked == []


def test_pasted_text_is_not_told(memory: Memory) -> None:
    talk(memory, f"So it is.{LONG}\nPlease summarise this:\nThe safe code is 4711.")
    memory.statements.tidy(model("The safe code is 4711. [1]"), user="ada")
    assert memory.statements.summaries(user="ada") == []


def test_a_budget_is_never_exceeded(memory: Memory) -> None:
    talk(memory, f"I moved to Gent.{LONG}", name="march")
    talk(memory, f"I found a flat.{LONG}", name="april")
    teller = ModelSummariser(model("The user moved to Gent. [1]"))
    price = memory.statements.tidy(teller, user="ada", dry_run=True).tokens
    report = memory.statements.tidy(teller, user="ada", budget_tokens=price - 1)
    assert 0 < report.tokens < price
    assert memory.statements.tidy(teller, user="ada", budget_tokens=0).tokens == 0


class Broken:
    """A summariser that answers with garbage, with nothing, or dies."""

    name = "broken"

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def summarise(self, lines: Sequence[str], *, about: str) -> Sequence[Gist]:
        rng = self._rng
        if rng.random() < 0.3:
            raise rng.choice(
                (NoAnswer("no"), InvalidInput("no"), ModelUnavailable("gone"), RuntimeError("dead"))
            )
        words = [*" ".join(lines).split(), "\x00", "ยินดี", "a" * 400, ""]
        odd: list[Any] = [None, "text", 7, Gist("x", ("a",)), Gist(7, (0,))]  # type: ignore[arg-type]
        made = [
            Gist(
                " ".join(rng.choices(words, k=rng.randint(0, 6))),
                tuple(rng.randint(-2, len(lines) + 1) for _ in range(rng.randint(0, 2))),
            )
            for _ in range(rng.randint(0, 4))
        ]
        return [*made, *rng.choices(odd, k=rng.randint(0, 2))]


def summariser_of(rng: random.Random) -> Summariser | None:
    answers = (
        "",
        "[1]",
        "The user. [99]",
        "nonsense",
        "\x00 [1]",
        "1" * 500,
        "The user lives in Gent. [1]",
    )
    made: list[Any] = [
        None,
        Broken(rng),
        ModelSummariser(ScriptedModel([rng.choice(answers) for _ in range(40)])),
    ]
    return rng.choice(made)  # type: ignore[no-any-return]


SAYINGS = ("Gent", "the Gent", "Gent city", "Oslo", "town of Oslo", "tea", "green tea", "teas")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_broken_summariser_loses_no_turn_and_closes_nothing_that_is_not_said_elsewhere(
    seed: int,
) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Memory(
        Path(folder) / "m", encoder="hashing", durability="normal"
    ) as memory:  # fmt: skip
        for day in range(rng.randint(1, 6)):
            attribute = rng.choice(("home", "likes"))
            said(memory, rng.choice(SAYINGS), day, attribute=attribute, ended=rng.random() < 0.2)
        talk(memory, f"I live in Gent.{LONG}", name="long")
        before = everything(memory)
        for _ in range(rng.randint(1, 3)):
            with suppress(ModelUnavailable, RuntimeError):
                memory.statements.tidy(
                    summariser_of(rng), keep=rng.choice((None, 0, 2)), user="ada"
                )
        after = everything(memory)
        assert after["turns"] == before["turns"]
        assert {one[0] for one in after["statements"]} == {one[0] for one in before["statements"]}
        assert memory.statements.settle() == 0
        held = {one.id: one for one in memory.statements.list(
            user="ada", valid_at=ANY, all=True, archived=True)}  # fmt: skip
        was_open = {one[0] for one in before["statements"] if one[4] is None}
        for id in was_open:
            one = held[id]
            if one.valid_to is not None:
                assert held[one.replaced_by].valid_to is None
                assert one.same_as
        jobs = [job.id for job in reversed(memory.jobs.list(user="ada"))]
        for job in jobs * 2:  # one that failed, and was gone on with, may have written last
            with suppress(NotFound):
                memory.statements.undo(job, user="ada")
        assert everything(memory) == before


def test_a_transfer_takes_along_what_was_tidied(memory: Memory, tmp_path: Path) -> None:
    talk(memory, "I live in Gent.")
    memory.statements.digest(RuleDigester(), user="ada")
    said(memory, "tea", attribute="likes", several=True)
    report = memory.statements.tidy(user="ada", keep=1)
    memory.store.export(tmp_path / "out.jsonl")
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.store.import_(tmp_path / "out.jsonl")
        assert everything(other) == everything(memory)
        other.statements.undo(report.job, user="ada")
        assert len(everything(other)["in sight"]) == 2


KILLED = """
import os, sys
from agentcl import Memory
from agentcl.statements import Gist

class Deadly:
    name = "deadly"

    def __init__(self):
        self.left = int(sys.argv[2])

    def summarise(self, lines, *, about):
        if not self.left:
            os.kill(os.getpid(), 9)
        self.left -= 1
        return [Gist("The user walked along the canal.", (0,))]

with Memory(sys.argv[1], encoder="hashing") as memory:
    memory.statements.tidy(Deadly(), user="ada")
"""


@pytest.mark.parametrize("told", [0, 1])
def test_a_job_that_is_killed_leaves_whole_changes_and_is_gone_on_with(
    tmp_path: Path, told: int
) -> None:
    path = tmp_path / "m"
    with Memory(path, encoder="hashing") as memory:
        said(memory, "the city of Gent")
        said(memory, "Gent city", 9)
        for name, day in (("later", 10), ("last", 20)):
            talk(memory, f"I found a flat there.{LONG}", name=name, day=day)
        before = everything(memory)
    command = [sys.executable, "-c", KILLED, str(path), str(told)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Memory(path, encoder="hashing") as memory:
        (job,) = memory.jobs.list(user="ada")
        assert memory.jobs.is_cut_off(job)
        assert len(memory.statements.summaries(user="ada")) == 1 + told
        assert memory.statements.settle() == 0
        asked: list[str] = []

        class Telling:
            name = "deadly"

            def summarise(self, lines: Sequence[str], *, about: str) -> Sequence[Gist]:
                asked.append(about)
                return [Gist("The user walked along the canal.", (0,))]

        memory.jobs.add_summariser(Telling())
        assert memory.jobs.run(job.id).state == "done"
        assert len(asked) == 2 - told
        assert len(memory.statements.summaries(user="ada")) == 4
        memory.statements.undo(job.id, user="ada")
        assert everything(memory) == before
