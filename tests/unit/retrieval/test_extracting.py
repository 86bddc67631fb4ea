"""Sentences chosen for a question: together, within a budget, in the order of their text, with their places."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agentcl.retrieval.extracting.choosing import Candidate, ChosenSentences
from agentcl.retrieval.extracting.cues import cue_of
from agentcl.retrieval.extracting.extracts import Excerpt, extract_of, extracts
from agentcl.retrieval.extracting.scoring import FoundText
from agentcl.text.sentences import sentences
from agentcl.text.tokens import estimate_tokens

FERRY = (
    "Halden is a town on the fjord. Its market is held on Saturdays. The ferry to Hallin leaves at seven. "
    "Nobody knows who built the old mill. The church has two towers."
)


def shown(question: str, sources: Sequence[FoundText], budget: int) -> list[Excerpt | None]:
    def size(made: Sequence[Excerpt | None]) -> int:
        return sum(
            source.label + estimate_tokens(one.text)
            for source, one in zip(sources, made, strict=True)
            if one
        )

    return extracts(question, sources, weights={}, budget=budget, count=estimate_tokens, size=size)


def text_of(made: Excerpt | None) -> str:
    return "" if made is None else made.text


def test_the_sentence_that_answers_is_shown_and_gaps_are_marked() -> None:
    (made,) = shown("When does the ferry leave?", [FoundText(FERRY)], 20)
    assert text_of(made) == "\u2026 The ferry to Hallin leaves at seven. \u2026"
    assert made is not None
    assert [FERRY[start:end] for start, end in made.spans] == [
        "The ferry to Hallin leaves at seven."
    ]


def test_with_room_for_all_a_text_is_shown_as_it_is() -> None:
    (made,) = shown("When?", [FoundText(FERRY)], 10_000)
    assert made == Excerpt(FERRY, ((0, len(FERRY)),))


def test_a_sentence_that_points_back_comes_with_the_one_before_it() -> None:
    text = (
        "The sky is blue. Anna Berg wrote the novel. She won the Holberg prize for it. Rain fell."
    )
    (made,) = shown("Who won the Holberg prize?", [FoundText(text)], 28)
    assert (
        text_of(made)
        == "\u2026 Anna Berg wrote the novel. She won the Holberg prize for it. \u2026"
    )


def test_a_row_comes_with_the_head_of_its_table() -> None:
    rows = "\n".join(f"| boat {n} | {n}:30 |" for n in range(1, 9))
    table = f"| boat | leaves |\n{rows}"
    (made,) = shown("When does boat 6 leave?", [FoundText(table)], 35)
    assert text_of(made).startswith("| boat | leaves |\n")
    assert "| boat 6 | 6:30 |" in text_of(made)


def test_what_is_said_twice_is_shown_once_while_something_else_has_room() -> None:
    again = "The ferry to Hallin leaves at seven."
    other = "The ferry to Moss leaves from pier four."
    made = shown(
        "When does the ferry leave?",
        [FoundText(again), FoundText(again), FoundText(other, score=0.9)],
        30,
    )
    assert [text_of(one) for one in made] == [again, "", other]


def test_what_may_only_be_shown_whole_is_never_cut() -> None:
    made = shown(
        "When does the ferry leave?", [FoundText(FERRY, is_whole=True), FoundText(FERRY)], 30
    )
    assert made[0] is None
    assert made[1] is not None


def test_a_chinese_question_finds_its_sentence() -> None:
    text = "\u57ce\u5e02\u5f88\u5927\u3002\u6e21\u8f6e\u4e03\u70b9\u51fa\u53d1\u3002\u5929\u6c14\u5f88\u597d\u3002\u6559\u5802\u5f88\u8001\u3002"
    (made,) = shown("\u6e21\u8f6e\u4ec0\u4e48\u65f6\u5019\u51fa\u53d1\uff1f", [FoundText(text)], 32)
    assert "\u6e21\u8f6e\u4e03\u70b9\u51fa\u53d1\u3002" in text_of(made)


def test_a_question_tells_what_sort_of_answer_it_asks_for() -> None:
    assert cue_of("When did it open?")("It opened in 1912.") == 1
    assert cue_of("When did it open?")("It opened at last.") == 0
    assert cue_of("Wie viele Boote?")("Es sind 12 Boote.") == 1
    assert cue_of("Who wrote it?")("It was written by Anna Berg.") == 1
    assert cue_of("Who is Anna Berg?")("She met Anna Berg there.") == 0
    assert cue_of("Why?")("Because.") == 0.5


TEXTS = st.lists(st.text(alphabet=st.sampled_from("ab .\n|A\u3002")) | st.just(FERRY), max_size=5)


@given(TEXTS, st.text(alphabet="ab A?"), st.integers(0, 120))
def test_the_budget_holds_and_every_span_is_what_is_shown(
    texts: list[str], question: str, budget: int
) -> None:
    sources = [FoundText(text, label=3, score=1 / (n + 1)) for n, text in enumerate(texts)]
    made = shown(question, sources, budget)
    taken = sum(3 + estimate_tokens(one.text) for one in made if one)
    assert taken <= budget or not any(made)
    for source, one in zip(sources, made, strict=True):
        if one is not None:
            said = [source.text[start:end] for start, end in one.spans]
            rest = one.text
            for piece in said:
                before, found, rest = rest.partition(piece)
                assert found == piece
                assert before.strip() in ("", "\u2026")
            assert rest.strip() in ("", "\u2026")
            assert list(one.spans) == sorted(one.spans)


def test_a_better_sentence_is_taken_before_a_longer_one() -> None:
    some = [Candidate(0, 0, 0.9, 10, frozenset("a")), Candidate(1, 0, 0.5, 10, frozenset("b"))]
    assert [one.worth for one in ChosenSentences(some, [0, 0], 10).order] == [0.9]


def test_sentences_that_follow_each_other_have_no_gap() -> None:
    parts = sentences(FERRY)
    made = extract_of(FERRY, parts, [1, 2])
    assert made is not None
    assert made.text.count("\u2026") == 2
    assert len(made.spans) == 1
