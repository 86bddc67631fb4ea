"""Numbered facts: seeded, later ones hold, and every overridden one leads to a wrong answer."""

import random
import re
from collections import Counter
from collections.abc import Sequence

import pytest

from agentcl import InvalidInput
from agentcl.envs.names import Names
from agentcl.envs.questions.fact_consolidation import CATEGORIES, fact_consolidation_stream
from agentcl.envs.questions.numbered_facts import NumberedFact, newest, read_facts
from agentcl.envs.questions.records import Question, QuestionStream
from agentcl.envs.relations import RELATIONS, statements


def facts_of(stream: QuestionStream) -> list[NumberedFact]:
    return [fact for arrival in stream.arrivals for fact in read_facts(arrival.text)]


def follow(facts: Sequence[NumberedFact], question: Question) -> str | None:
    """Answer a plain question by the facts given: the later of two that contradict each other holds."""
    known = {(fact.subject, fact.noun): fact.value for fact in facts}
    asked = re.fullmatch(r"What is the (.+) of (\w+)\?", question.text)
    assert asked is not None
    value: str | None = asked[2]
    for noun in reversed(asked[1].split(" of the ")):
        value = known.get((value or "", noun))
    return value


@pytest.mark.parametrize("facts", [20, 150, 1000])
@pytest.mark.parametrize("held_out", [False, True])
def test_every_fact_can_be_read_back(facts: int, held_out: bool) -> None:
    stream = fact_consolidation_stream(facts, seed=facts, held_out=held_out)
    read = facts_of(stream)
    assert [fact.number for fact in read] == list(range(1, facts + 1))
    assert [fact.text() for fact in read] == [arrival.text for arrival in stream.arrivals]
    versions = Counter((fact.subject, fact.noun) for fact in read)
    assert Counter(versions.values()) == {1: round(facts * 0.2), 2: round(facts * 0.4)}
    assert len(newest(read)) == round(facts * 0.6)


def test_answers_are_what_the_newest_facts_say() -> None:
    stream = fact_consolidation_stream(300, seed=1, plain=True)
    facts = facts_of(stream)
    for question in stream.questions:
        assert follow(facts, question) == question.answers[0]
        held = [f for a in stream.arrivals if a.id in question.evidence for f in read_facts(a.text)]
        assert follow(held, question) == question.answers[0]
        for left_out in held:
            assert follow([f for f in held if f is not left_out], question) is None


@pytest.mark.parametrize("category", CATEGORIES)
def test_believing_one_overridden_fact_gives_a_wrong_answer(category: str) -> None:
    stream = fact_consolidation_stream(300, seed=2, plain=True)
    facts = facts_of(stream)
    for question in stream.questions:
        if question.category != category:
            continue
        held = [f for a in stream.arrivals if a.id in question.evidence for f in read_facts(a.text)]
        slots = {(f.subject, f.noun) for f in held}
        overridden = [f for f in facts if (f.subject, f.noun) in slots and f not in held]
        assert bool(overridden) == (category != "unchanged")
        for believed in overridden:
            others = [f for f in newest(facts)
                      if (f.subject, f.noun) != (believed.subject, believed.noun)]  # fmt: skip
            wrong = follow([*others, believed], question)
            assert wrong is not None
            assert wrong != question.answers[0]


def test_each_category_has_its_questions_of_so_many_facts() -> None:
    stream = fact_consolidation_stream(200, questions=25)
    assert Counter(q.category for q in stream.questions) == dict.fromkeys(CATEGORIES, 25)
    hops = {q.category: len(q.evidence) for q in stream.questions}
    assert hops == {"unchanged": 1, "single-hop": 1, "two-hop": 2, "three-hop": 3}
    assert len({q.text for q in stream.questions}) > 95


def test_facts_can_arrive_several_at_a_time() -> None:
    one, several = (fact_consolidation_stream(50, facts_per_arrival=n) for n in (1, 8))
    assert len(several.arrivals) == 7
    assert facts_of(one) == facts_of(several)
    assert [q.text for q in one.questions] == [q.text for q in several.questions]


def test_the_seed_decides() -> None:
    assert fact_consolidation_stream(60, seed=3) == fact_consolidation_stream(60, seed=3)
    assert fact_consolidation_stream(60, seed=3) != fact_consolidation_stream(60, seed=4)


def test_held_out_streams_share_no_name_with_the_others() -> None:
    def names(held_out: bool) -> set[str]:
        stream = fact_consolidation_stream(1000, held_out=held_out)
        return {fact.subject for fact in facts_of(stream)}

    assert not names(held_out=True) & names(held_out=False)


@pytest.mark.parametrize(("held_out", "largest"), [(False, 15_000), (True, 4_000)])
def test_there_are_names_for_the_largest(held_out: bool, largest: int) -> None:
    stream = fact_consolidation_stream(largest, overriding=0.001, questions=1, held_out=held_out)
    assert len(stream.arrivals) == largest


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"facts": 19}, "facts must be from 20 to 15,000, and is 19"),
        ({"facts": 15_001}, "facts must be from 20 to 15,000"),
        ({"facts": 4_001, "held_out": True}, "facts must be from 20 to 4,000"),
        ({"overriding": 0.51}, "overriding must be"),
        ({"overriding": 0.0}, "overriding must be"),
        ({"questions": 0}, "must be at least 1"),
        ({"facts_per_arrival": 0}, "must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        fact_consolidation_stream(**options)  # type: ignore[arg-type]


def test_every_phrasing_is_read_as_what_it_states() -> None:
    for relation in RELATIONS:
        for held_out in (False, True):
            for form in statements(relation, held_out=held_out):
                said = form.format(s="Medom", v="Zazor", n=relation.noun, d=relation.verb)
                (fact,) = read_facts(f"17. {said[0].upper()}{said[1:]}")
                assert (fact.number, fact.subject, fact.noun, fact.value) == (
                    17, "Medom", relation.noun, "Zazor")  # fmt: skip


def test_other_text_is_passed_over() -> None:
    assert list(read_facts("The mayor of Medom is Zazor.")) == []
    assert list(read_facts("3. Nobody knows.")) == []
    text = "Retrieved:\n4. The mayor of Medom is Zazor.\n5. Hm. 12. Medom's mayor is Tavo."
    assert [fact.number for fact in read_facts(text)] == [4, 12]


def test_the_higher_number_holds_whatever_the_order() -> None:
    facts = list(read_facts("9. Medom's mayor is Tavo. 12. Medom's trade is salt. "
                            "10. The mayor of Medom is Zazor."))  # fmt: skip
    assert [fact.number for fact in newest(reversed(facts))] == [10, 12]


def test_no_invented_name_can_be_mistaken_for_a_word_of_a_phrasing() -> None:
    words = {word for relation in RELATIONS for held_out in (False, True)
             for form in statements(relation, held_out=held_out) for word in form.split()}  # fmt: skip
    names = Names(random.Random(0))
    assert not {names.fresh() for _ in range(5000)} & words
