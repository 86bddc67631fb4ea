"""Reading skills: answers, two hops, what is not there, facts, relevance, summaries."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from agentcl.envs.names import Names
from agentcl.envs.relations import (
    NOT_STATED,
    OF_KIND,
    phrase_question,
    phrase_two_hops,
    questions,
    reversed_questions,
)
from agentcl.retrieval.recall import Hit, Recall
from agentcl.store.records import Scope
from training.examples import Example, Skill, Turn
from training.worlds import Fact, World, make_world

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)
LIST_FACTS: Final = "List the facts as JSON."
WHICH_HELP: Final = "Which of the facts help? Answer as JSON."
SUMMARISE: Final = "Summarise in two sentences."


def read_passage(
    rng: random.Random,
    *,
    size: int = 6,
    questions: int = 4,
    is_plain: bool = False,
    held_out: bool = False,
) -> Example:
    """Return one passage with about `size` facts, and questions, facts and a summary asked of it.

    With `is_plain` every fact and question has the first form of its relation, each question has an
    answer, and nothing else is asked.
    """
    names = Names(rng, held_out=held_out)
    first = max(1, size // 2 + rng.randint(-1, 1))
    counts = (max(2, size),) if rng.random() < 0.2 else (first, max(1, size - first))
    world = make_world(rng, names, passages=[counts], is_plain=is_plain, held_out=held_out)
    if is_plain:
        facts = world.facts()
        asked = tuple(_plain(fact) for fact in rng.sample(facts, min(questions, len(facts))))
        return Example(f"Passage: {world.passages[0].text}", asked)
    turns = [_question(rng, world, names, held_out=held_out) for _ in range(questions)]
    passage = world.passages[0]
    return Example(
        f"Passage: {passage.text}",
        (
            *turns,
            Turn("facts", LIST_FACTS, write_facts(passage.facts)),
            Turn("summary", SUMMARISE, _summary(world)),
        ),
    )


def read_passages(
    rng: random.Random,
    *,
    passages: int = 4,
    size: int = 3,
    questions: int = 4,
    share_two_hop: float = 0.6,
    is_recall: bool = False,
    held_out: bool = False,
) -> Example:
    """Return several passages of about `size` facts, and questions over one and two hops.

    With `is_recall` the passages stand in the block that `Recall.prompt` makes of what it found.
    """
    names = Names(rng, held_out=held_out)
    counts = [(max(1, size + rng.randint(-1, 1)),) for _ in range(passages)]
    world = make_world(rng, names, passages=counts, held_out=held_out)
    turns = []
    for _ in range(questions):
        turn = None
        if rng.random() < share_two_hop:
            turn = _two_hop(rng, world, held_out=held_out)
        turns.append(turn or _question(rng, world, names, held_out=held_out))
    texts = [passage.text for passage in world.passages]
    if is_recall:
        return Example(_recall_block(rng, texts), tuple(turns))
    lines = "\n".join(f"[{i}] {text}" for i, text in enumerate(texts, 1))
    return Example(f"Passages:\n{lines}", tuple(turns))


def choose_facts(
    rng: random.Random, *, questions: int = 4, listed: int = 5, held_out: bool = False
) -> Example:
    """Return listed facts, and questions for each of which some of them help."""
    names = Names(rng, held_out=held_out)
    world = make_world(rng, names, passages=[(2,)] * (listed // 2 + 1), held_out=held_out)
    facts = world.facts()
    rng.shuffle(facts)
    facts = facts[:listed]
    turns = []
    helping: tuple[Fact, ...]
    for _ in range(questions):
        chain = _chain(rng, facts) if rng.random() < 0.5 else None
        if chain:
            ask = _ask_two_hops(rng, *chain, held_out=held_out)
            helping = chain
        elif rng.random() < 0.15:
            subject = names.fresh()
            fact = rng.choice(facts)
            ask = _ask(rng, Fact(subject, fact.relation, ""), held_out=held_out)
            helping = ()
        else:
            fact = rng.choice(facts)
            ask, helping = _ask(rng, fact, held_out=held_out), (fact,)
        kept = sorted(facts.index(fact) + 1 for fact in helping)
        turns.append(Turn("relevant", f"Question: {ask}\n{WHICH_HELP}", json.dumps({"keep": kept})))
    lines = "\n".join(f"{i}. {' | '.join(fact.triple())}" for i, fact in enumerate(facts, 1))
    return Example(f"Facts:\n{lines}", tuple(turns))


def write_facts(facts: Sequence[Fact]) -> str:
    """Return facts in the format in which a model lists them: {"facts": [[s, p, o], ...]}."""
    return json.dumps({"facts": [fact.triple() for fact in facts]})


def _recall_block(rng: random.Random, texts: Sequence[str]) -> str:
    recorded = _EPOCH + timedelta(days=rng.randrange(3650))
    hits = tuple(
        Hit(
            id=(record := _ulid(rng)),
            document_id=record,
            text=text,
            title="",
            uri="",
            score=0.0,
            parts=(),
            scope=Scope(),
            metadata={},
            created_at=recorded,
            valid_from=None,
            valid_to=None,
            seq=number,
            query="",
        )
        for number, text in enumerate(texts, 1)
    )
    recall = Recall("", hits, "hybrid", "", is_lexical=True, indexes=(), as_of=None)
    return recall.prompt(budget_tokens=100_000)


def _ulid(rng: random.Random) -> str:
    return "01" + "".join(rng.choices(_CROCKFORD, k=24))


def _question(rng: random.Random, world: World, names: Names, *, held_out: bool) -> Turn:
    """One hop: forward, reversed, or about what is not there."""
    facts = world.facts()
    chance = rng.random()
    if chance < 0.2:
        fact = _absent(rng, world, names)
        ask = _ask(rng, fact, held_out=held_out)
        return Turn("absent", f"Question: {ask}", _answer([fact], NOT_STATED))
    fact = rng.choice(facts)
    if chance < 0.4 and _is_reversible(fact, facts):
        form = rng.choice(reversed_questions(fact.relation, held_out=held_out))
        ask = form.format(
            k=fact.relation.subject, v=fact.value, n=fact.relation.noun, d=fact.relation.verb
        )
        return Turn("answer", f"Question: {_sentence(ask)}", _answer([fact], fact.subject))
    ask = _ask(rng, fact, held_out=held_out)
    return Turn("answer", f"Question: {ask}", _answer([fact], fact.value))


def _plain(fact: Fact) -> Turn:
    form = questions(fact.relation, held_out=False)[0]
    ask = form.format(s=fact.subject, n=fact.relation.noun, d=fact.relation.verb)
    return Turn("answer", f"Question: {_sentence(ask)}", _answer([fact], fact.value))


def _answer(facts: Sequence[Fact], answer: str) -> str:
    """The facts that lead there, then the answer: what is found can be checked, and is easier to find."""
    thoughts = [f"The {fact.relation.noun} of {fact.subject} is {fact.value}." for fact in facts]
    return " ".join([*thoughts, f"Answer: {answer}"])


def _is_reversible(fact: Fact, facts: Sequence[Fact]) -> bool:
    same = [f for f in facts if f.relation is fact.relation and f.value == fact.value]
    return len(same) == 1


def _absent(rng: random.Random, world: World, names: Names) -> Fact:
    """A relation that is stated for another subject, or one that nobody has, or an unknown subject."""
    facts = world.facts()
    stated = {(fact.subject, fact.relation.number) for fact in facts}
    subject, kind = rng.choice(sorted(world.kinds.items()))
    missing = [r for r in OF_KIND[kind] if (subject, r.number) not in stated]
    elsewhere = [r for r in missing if any(fact.relation is r for fact in facts)]
    if rng.random() < 0.3 or not missing:
        return Fact(names.fresh(), rng.choice(facts).relation, NOT_STATED)
    return Fact(subject, rng.choice(elsewhere or missing), NOT_STATED)


def _two_hop(rng: random.Random, world: World, *, held_out: bool) -> Turn | None:
    facts = world.facts()
    chain = _chain(rng, facts)
    if chain is None:
        return None
    first, second = chain
    if rng.random() < 0.15:
        missing = [
            relation
            for relation in OF_KIND[second.relation.subject]
            if not any(f.subject == second.subject and f.relation is relation for f in facts)
        ]
        if missing:
            second = Fact(second.subject, rng.choice(missing), NOT_STATED)
    skill: Skill = "absent" if second.value == NOT_STATED else "two-hop"
    ask = _ask_two_hops(rng, first, second, held_out=held_out)
    return Turn(skill, f"Question: {ask}", _answer([first, second], second.value))


def _chain(rng: random.Random, facts: Sequence[Fact]) -> tuple[Fact, Fact] | None:
    """Two facts of which the first's value is the second's subject."""
    of_subject: dict[str, list[Fact]] = {}
    for fact in facts:
        of_subject.setdefault(fact.subject, []).append(fact)
    firsts = [fact for fact in facts if fact.value in of_subject]
    if not firsts:
        return None
    first = rng.choice(firsts)
    return first, rng.choice(of_subject[first.value])


def _ask(rng: random.Random, fact: Fact, *, held_out: bool) -> str:
    return phrase_question(rng, fact.relation, fact.subject, held_out=held_out)


def _ask_two_hops(rng: random.Random, first: Fact, second: Fact, *, held_out: bool) -> str:
    return phrase_two_hops(rng, first.relation, second.relation, first.subject, held_out=held_out)


def _summary(world: World) -> str:
    """A sentence on each of the two subjects; of a lone subject, its first facts and its last."""
    facts = world.passages[0].facts
    subject = facts[0].subject
    own = [fact for fact in facts if fact.subject == subject]
    others = [fact for fact in facts if fact.subject != subject]
    if others:
        other = others[0].subject
        last = f"{other} is a {world.kinds[other]} with {_having(others[:2])}."
        own = own[:2]
    else:
        last = f"Its {own[-1].relation.noun} is {own[-1].value}."
        own = own[:-1][:2]
    return f"{subject} is a {world.kinds[subject]} with {_having(own)}. {last}"


def _having(facts: Sequence[Fact]) -> str:
    return " and ".join(f"{fact.value} as {fact.relation.noun}" for fact in facts)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
