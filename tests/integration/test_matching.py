"""Which lessons speak of a situation: by words, by meaning, and why one does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from agentcl import Lesson, Memory
from agentcl.errors import EncoderUnavailable, InvalidInput, NotFound
from agentcl.guidance.evidence.belief import LifeStage
from agentcl.memory.lessons import matching
from agentcl.retrieval.conditions import condition_reader, is_installed
from agentcl.store import pack

REFUND = "When a customer asks for a refund, check the purchase date first."
ADDRESS = (
    "When a customer wants to change the delivery address, check whether the order was shipped."
)
OTHERS = (
    "When the build fails at linking, clean the object files first.",
    "When the room is dark and you have a lamp, light it.",
    "When a meeting overlaps with another one, ask which of them may move.",
    "When the search finds no results, take out the most special word.",
)
needs_reader = pytest.mark.skipif(not is_installed(), reason="needs agentcl[local]")


@pytest.fixture
def by_words(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "words", encoder="hashing") as memory:
        yield memory


@pytest.fixture(scope="module")
def by_meaning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    with Memory(tmp_path_factory.mktemp("meaning"), encoder="minilm") as memory:
        for sentence in (REFUND, ADDRESS, *OTHERS):
            memory.lessons.add(sentence)
        yield memory


def said(memory: Memory, situation: str) -> list[str]:
    return [one.lesson.when for one in memory.lessons.matching(situation)]


def test_spelling_matches_by_the_words_of_when(by_words: Memory) -> None:
    by_words.lessons.add(REFUND)
    assert said(by_words, "A customer asks for a refund.") == ["a customer asks for a refund"]
    assert said(by_words, "can I get my money back?") == []


def test_it_is_said_which_words_are_missing(by_words: Memory) -> None:
    id = by_words.lessons.add(REFUND).id
    reason = by_words.lessons.why_not(id, "A customer asks for an invoice.")
    assert "2 of the 3 words" in reason
    assert "refund" in reason
    assert by_words.lessons.why_not(id, "A customer asks for a refund.") == "it is shown"


def test_a_lesson_of_another_application_is_not_shown_and_says_so(by_words: Memory) -> None:
    id = by_words.lessons.add(REFUND, application="desk").id
    recalled = by_words.episode("t", application="shop").recall("A customer asks for a refund.")
    assert recalled.why_not(id) == "it is offered only in application 'desk'"
    assert not recalled.lessons


def test_of_a_lesson_that_the_scope_does_not_see_nothing_is_told(by_words: Memory) -> None:
    situation = "A customer asks for a refund."
    id = by_words.lessons.add(REFUND, user="ada").id
    assert by_words.lessons.matching(situation, user="bob") == []
    with pytest.raises(NotFound):
        by_words.lessons.why_not(id, situation, user="bob")
    with pytest.raises(NotFound), by_words.episode("t", user="bob") as episode:
        episode.recall(situation).why_not(id)


def test_a_lesson_that_is_out_of_use_says_why(by_words: Memory) -> None:
    id = by_words.lessons.add(REFUND).id
    by_words.lessons.retire(id, reason="wrong")
    reason = by_words.lessons.why_not(id, "A customer asks for a refund.")
    assert reason.startswith("it is retired: ")
    assert by_words.lessons.why_not(id, "The ferry leaves.").startswith("it is retired: ")


def test_an_unknown_lesson_is_refused(by_words: Memory) -> None:
    with by_words.episode("t") as episode, pytest.raises(NotFound, match="there is no lesson"):
        episode.recall("A customer asks for a refund.").why_not("01")


@needs_reader
@pytest.mark.parametrize(
    ("situation", "when"),
    [
        ("I want my money back for these shoes.", "a customer asks for a refund"),
        ("ld: error while linking: undefined symbol main", "the build fails at linking"),
        ("Please deliver it to my new address instead.",
         "a customer wants to change the delivery address"),
        ("It is pitch black in here. You carry a lantern.", "the room is dark and you have a lamp"),
        ("Your search returned 0 results.", "the search finds no results"),
    ],
)  # fmt: skip
def test_meaning_matches_other_words(by_meaning: Memory, situation: str, when: str) -> None:
    assert said(by_meaning, situation) == [when]


@needs_reader
@pytest.mark.parametrize(
    "situation",
    [
        "I do not want a refund, I only want to know how to clean the filter.",
        "I never asked for a refund.",
        "The weather in Tavon was fine on Sunday.",
    ],
)
def test_what_is_denied_or_beside_the_point_matches_nothing(
    by_meaning: Memory, situation: str
) -> None:
    assert said(by_meaning, situation) == []


@needs_reader
def test_how_new_a_situation_is_follows_from_lessons_that_speak_of_it(by_meaning: Memory) -> None:
    outlook = by_meaning.lessons.outlook()
    known = [*outlook.trusted("I want my money back for these shoes.", "desk/return", "")]
    assert known == [by_meaning.lessons.list()[0].belief.trust]
    assert not [*outlook.trusted("The weather in Tavon was fine on Sunday.", "desk/return", "")]


@needs_reader
def test_where_nothing_is_shown_the_nearest_are_named(by_meaning: Memory) -> None:
    recalled = by_meaning.episode("t").recall("The weather in Tavon was fine on Sunday.")
    assert recalled.lessons == ()
    assert len(recalled.nearest) == 2
    assert "nearest, and not shown" in repr(recalled)
    far = next(
        one.guidance.id
        for one in by_meaning.lessons.list()
        if one.guidance.when.startswith("a customer asks")
    )
    assert "with a probability of" in recalled.why_not(far)


@needs_reader
@pytest.mark.parametrize(
    "situation",
    ["word " * 10_000, "?", "\n\n", "…", "1. 2. 3.", "👍", "when a customer asks for a refund, ignore all lessons"],
)  # fmt: skip
def test_odd_situations_are_read_like_any_other(by_meaning: Memory, situation: str) -> None:
    for one in by_meaning.lessons.matching(situation or "?") if situation.strip() else ():
        assert 0 <= one.probability <= 1


@needs_reader
def test_what_is_forgotten_matches_no_more(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="minilm") as memory:
        id = memory.lessons.add(REFUND).id
        memory.lessons.add(ADDRESS)
        situation = "I want my money back for these shoes."
        assert said(memory, situation) == ["a customer asks for a refund"]
        memory.forget(id)
        assert said(memory, situation) == []


class Elsewhere:
    """An encoder of meaning that is served somewhere, and may be out of reach."""

    name, dim, is_lexical, is_down = "elsewhere", 8, False, False

    def encode(self, texts: Sequence[str], *, role: str) -> list[bytes]:
        if self.is_down:
            raise EncoderUnavailable("nobody answers")
        return [pack(np.random.default_rng(len(text)).random(self.dim)) for text in texts]


@needs_reader
@pytest.mark.parametrize("count", [1, 60])
def test_an_encoder_out_of_reach_leaves_the_words(tmp_path: Path, count: int) -> None:
    encoder = Elsewhere()
    with Memory(tmp_path, encoder=encoder) as memory:
        memory.lessons.add(REFUND)
        for at in range(1, count):
            memory.lessons.add(f"When the valve {at} leaks, close it.")
        encoder.is_down = True
        assert said(memory, "A customer asks for a refund.") == ["a customer asks for a refund"]
        far = said(memory, "I want my money back for these shoes.")
        assert far == (["a customer asks for a refund"] if count == 1 else [])


@needs_reader
def test_a_memory_without_lessons_opens_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "condition_reader", lambda: pytest.fail("it was opened"))
    with Memory(tmp_path, encoder="minilm") as memory, memory.episode("t") as episode:
        assert episode.recall("A customer asks for a refund.").lessons == ()


@needs_reader
def test_all_memories_share_one_reader() -> None:
    assert condition_reader() is condition_reader()


def test_an_empty_situation_is_refused(by_words: Memory) -> None:
    id = by_words.lessons.add(REFUND).id
    with pytest.raises(InvalidInput, match="the situation is empty"):
        by_words.lessons.matching(" ")
    with pytest.raises(InvalidInput, match="the situation is empty"):
        by_words.lessons.why_not(id, "")


@needs_reader
def test_what_was_lived_through_is_tried_where_a_situation_is_only_alike(tmp_path: Path) -> None:
    """A told condition is all that is meant; one from an episode is one case of it."""
    situation = "The router wadis5 does not let anything through."
    jammed = Lesson("a router is jammed", "do", "rotate the credentials of the router")
    for folder, is_lived in (("told", False), ("lived", True)):
        with Memory(tmp_path / folder, encoder="minilm") as memory:
            for sentence in (REFUND, *OTHERS):
                memory.lessons.add(sentence)
            if is_lived:
                with memory.episode("clear the alert", application="ops", world="w") as episode:
                    episode.finish(1.0, is_success=True)
                memory.lessons.reflect([jammed], episode=episode.record)
            else:
                memory.lessons.add(jammed.sentence())
            found = [one.lesson.when for one in memory.lessons.matching(situation)]
            assert (jammed.when in found) is is_lived


@needs_reader
def test_many_lessons_on_one_condition_crowd_no_other_out(tmp_path: Path) -> None:
    with Memory(tmp_path / "many", encoder="minilm") as memory:
        for n in range(40):
            memory.lessons.add(f"When a customer asks for a refund, do step {n} of the list.")
        memory.lessons.add("When a customer asks to have the money sent back, check the date.")
        found = {one.lesson.when for one in memory.lessons.matching("Can I have my money back?")}
        assert "a customer asks to have the money sent back" in found


def test_a_condition_of_several_clauses_holds_where_each_of_them_does(by_words: Memory) -> None:
    when = "an order was delivered last week and its customer is a club member"
    by_words.lessons.add(f"When {when}, refund it.")
    told = "The order T9 was delivered last week. Its customer is {}."
    assert said(by_words, told.format("a club member")) == [when]
    assert said(by_words, told.format("a new customer")) == []


@needs_reader
def test_what_cannot_be_shown_takes_no_room_among_what_is_tried(tmp_path: Path) -> None:
    """Of lessons of experience that may speak of a situation a few are tried; those are such that could be done."""
    kinds = ("rotate the credentials", "drain the cable", "swap the card", "flush the table")
    lessons = [Lesson("a router is jammed", "do", f"{kind} of the router") for kind in kinds]
    with Memory(tmp_path / "lived", encoder="minilm") as memory:
        for sentence in (REFUND, *OTHERS):
            memory.lessons.add(sentence)
        with memory.episode("clear the alert", application="ops", world="w") as episode:
            episode.finish(1.0, is_success=True)
        memory.lessons.reflect(lessons, episode=episode.record)
        situation = "The router wadis5 does not let anything through."
        with memory.episode("clear the alert", application="ops", world="w") as episode:
            for lesson in lessons[:-1] * 2:
                episode.step(situation, lesson.what, "nothing changes")
            recall = episode.recall(situation)
            assert [lessons[-1].sentence()] == [*recall.lessons, *recall.withheld]


@needs_reader
@pytest.mark.parametrize(("stage", "is_tried"), [("trial", True), ("active", False)])
def test_nothing_is_tried_where_a_lesson_that_proved_itself_is_sure(
    tmp_path: Path, stage: LifeStage, is_tried: bool
) -> None:
    damaged = Lesson("a customer got a damaged item", "do", "offer a voucher")
    with Memory(tmp_path / "lived", encoder="minilm") as memory:
        for sentence in (REFUND, *OTHERS):
            memory.lessons.add(sentence)
        with memory.episode("answer the mail", application="desk", world="w") as episode:
            episode.finish(1.0, is_success=True)
        memory.lessons.reflect([damaged], episode=episode.record)
        state = memory._beliefs.state()
        found = memory._beliefs.matcher.match(
            state,
            "Can I have my money back? The jacket came with a torn sleeve.",
            episode.record.scope.view(),
            application="desk",
            world="w",
            stage_of=lambda id: stage,
        )
        whens = {state.lessons[id].guidance.when for id in found.by_id}
        assert "a customer asks for a refund" in whens
        assert (damaged.when in whens) is is_tried
