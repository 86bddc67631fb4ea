"""The gates of the reference model: what it must get right on names and phrasings it never met."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from agentcl.envs.relations import NOT_STATED
from agentcl.models.base import ChatModel, Sampling
from agentcl.text.answers import final_answer
from training.acting import choose_action, write_guidance
from training.examples import Example, Turn
from training.reading import choose_facts, read_passage, read_passages

_ACTING: Final = ("applicable", "none", "misleading", "hidden", "crowded")
_SAMPLING: Final = Sampling(max_tokens=320)


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn of an example, put to a model on its own."""

    example: Example
    turn: Turn


@dataclass(frozen=True, slots=True)
class Score:
    """What a model reached on one set, with the 95 % interval, and whether that passes."""

    name: str
    value: float  # a share, from 0 to 1
    low: float
    high: float
    count: int  # of questions
    without_context: float  # the same questions with the context taken away
    limit: float | None  # what is asked for; None: reported only
    is_passed: bool


def draw_sets(seed: int, count: int) -> dict[str, list[Asked]]:
    """Return `count` held-out questions for each set, each of a world of its own."""
    makers: dict[str, Callable[[random.Random], Example]] = {
        "answer": lambda rng: read_passage(rng, size=rng.randint(4, 9), held_out=True),
        "two-hop": partial(_passages, share_two_hop=1.0),
        "absent": lambda rng: (
            read_passage(rng, size=rng.randint(4, 9), questions=12, held_out=True)
            if rng.random() < 0.5
            else _passages(rng, share_two_hop=0.5)
        ),
        "facts": lambda rng: read_passage(rng, size=rng.randint(3, 8), held_out=True),
        "relevant": partial(choose_facts, held_out=True),
        "applicable": partial(_situation, kind="applicable"),
        "none": partial(_situation, kind="none"),
        "misleading": partial(_situation, kind="misleading"),
        "hidden": partial(_situation, kind="applicable", hidden=1.0),
        "crowded": partial(_situation, kind="applicable", crowded=1.0),
        "guidance": partial(write_guidance, held_out=True),
        "summary": lambda rng: read_passage(rng, size=rng.randint(3, 8), held_out=True),
    }
    return {name: _draw(name, make, seed, count) for name, make in makers.items()}


def ask(
    model: ChatModel,
    asked: Sequence[Asked],
    *,
    has_context: bool = True,
    workers: int = 1,
) -> list[str]:
    """Return the model's greedy answer to each question.

    Args:
        model: any chat model.
        asked: the questions.
        has_context: False takes away everything that there is to read.
        workers: how many questions are put at once.

    Raises:
        ModelUnavailable: if the model cannot be asked.
    """

    def one(question: Asked) -> str:
        example = question.example if has_context else question.example.without_context()
        return model.chat(example.messages(question.turn), sampling=_SAMPLING).text.strip()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, asked))


def judge(
    sets: dict[str, list[Asked]], replies: dict[str, list[str]], blind: dict[str, list[str]]
) -> list[Score]:
    """Return the scores of all sets.

    Args:
        sets: as `draw_sets` gives them.
        replies: the answers to each set, in its order.
        blind: the answers of the same model without context.
    """
    scores = [
        _score("answer from one passage, exact match", sets, replies, blind, "answer", exact, 0.9),
        _score("two hops, exact match", sets, replies, blind, "two-hop", exact, 0.8),
        _absent("precision", sets, replies, blind),
        _absent("recall", sets, replies, blind),
        _triples(sets, replies, blind),
        _score("relevant facts, exact match", sets, replies, blind, "relevant", same_json, None),
    ]
    right = _score("action, applicable guidance", sets, replies, blind, "applicable", exact, 0.95)
    # Without the context of "none" nothing is missing: the chance of its world stands there instead.
    chance = _mean([_chance(q) for q in sets["none"]])
    unguided = _score("action, no guidance", sets, replies, blind, "none", _is_remedy, None)
    unguided = _with(unguided, chance, unguided.low <= chance)
    misled = _score(
        "action, misleading guidance", sets, replies, blind, "misleading", _is_remedy, None
    )
    misled = _with(misled, _mean([_chance(q) for q in sets["misleading"]]), misled.high >= chance)
    return [
        *scores,
        right,
        unguided,
        misled,
        _score("action, sign found first", sets, replies, blind, "hidden", exact, None),
        _score("action, much tried in vain", sets, replies, blind, "crowded", exact, None),
        _score("guidance written, exact match", sets, replies, blind, "guidance", same_json, None),
        _score("summary, exact match", sets, replies, blind, "summary", exact, None),
    ]


def exact(question: Asked, reply: str) -> bool:
    """Return whether the final answers are equal."""
    return final_answer(reply) == final_answer(question.turn.answer)


def same_json(question: Asked, reply: str) -> bool:
    """Return whether both are the same JSON."""
    return _parsed(reply) == _parsed(question.turn.answer)


def read_triples(reply: str) -> set[tuple[str, ...]]:
    """Return the triples that a listing of facts holds; none if it is not in the format."""
    parsed = _parsed(reply)
    facts = parsed.get("facts") if isinstance(parsed, dict) else None
    if not isinstance(facts, list):
        return set()
    return {tuple(map(str, fact)) for fact in facts if isinstance(fact, list) and len(fact) == 3}


def _draw(
    name: str, make: Callable[[random.Random], Example], seed: int, count: int
) -> list[Asked]:
    rng = random.Random(f"{seed}:gates:{name}")
    drawn: list[Asked] = []
    kind = "applicable" if name == "crowded" else name
    while len(drawn) < count:
        example = make(rng)
        wanted = _wanted(name, len(drawn))
        fitting = [
            turn
            for turn in example.turns
            if turn.skill in wanted and turn.about.get("kind", kind) == kind
        ]
        if fitting:
            drawn.append(Asked(example, rng.choice(fitting)))
    return drawn


def _wanted(name: str, number: int) -> tuple[str, ...]:
    """Every other question of the set "absent" has an answer."""
    if name == "absent":
        return ("absent",) if number % 2 else ("answer", "two-hop")
    return ("action",) if name in _ACTING else (name,)


def _passages(rng: random.Random, *, share_two_hop: float) -> Example:
    return read_passages(
        rng,
        passages=rng.randint(3, 6),
        size=rng.randint(2, 4),
        share_two_hop=share_two_hop,
        held_out=True,
    )


def _situation(
    rng: random.Random, *, kind: str, hidden: float = 0.0, crowded: float = 0.0
) -> Example:
    return choose_action(
        rng,
        turns=2,
        lessons=rng.randint(2, 6),
        actions=4,
        kind=kind,
        hidden=hidden,
        crowded=crowded,
        held_out=True,
    )


def _score(
    label: str,
    sets: dict[str, list[Asked]],
    replies: dict[str, list[str]],
    blind: dict[str, list[str]],
    name: str,
    is_right: Callable[[Asked, str], bool],
    limit: float | None,
) -> Score:
    value = _share(is_right, sets[name], replies[name])
    without = _share(is_right, sets[name], blind[name])
    count = len(sets[name])
    return Score(label, value, *_wilson(value, count), count, without, limit, _passes(value, limit))


def _absent(
    what: str,
    sets: dict[str, list[Asked]],
    replies: dict[str, list[str]],
    blind: dict[str, list[str]],
) -> Score:
    def measure(answers: Sequence[str]) -> tuple[float, int]:
        said = [final_answer(answer) == NOT_STATED for answer in answers]
        true = [question.turn.skill == "absent" for question in sets["absent"]]
        both = sum(s and t for s, t in zip(said, true, strict=True))
        of = sum(said) if what == "precision" else sum(true)
        return both / max(1, of), of

    value, of = measure(replies["absent"])
    low, high = _wilson(value, of)
    without, _ = measure(blind["absent"])
    return Score(f"not there, {what}", value, low, high, of, without, 0.85, value >= 0.85)


def _triples(
    sets: dict[str, list[Asked]], replies: dict[str, list[str]], blind: dict[str, list[str]]
) -> Score:
    def measure(answers: Sequence[str]) -> tuple[float, int]:
        gold = [read_triples(question.turn.answer) for question in sets["facts"]]
        said = [read_triples(answer) for answer in answers]
        both = sum(len(s & g) for s, g in zip(said, gold, strict=True))
        total = sum(map(len, gold))
        return 2 * both / max(1, total + sum(map(len, said))), total

    value, total = measure(replies["facts"])
    low, high = _wilson(value, total)
    without, _ = measure(blind["facts"])
    return Score("facts as triples, F1", value, low, high, total, without, 0.9, value >= 0.9)


def _with(score: Score, chance: float, is_passed: bool) -> Score:
    return Score(
        score.name, score.value, score.low, score.high, score.count, chance, None, is_passed
    )


def _is_remedy(question: Asked, reply: str) -> bool:
    return bool(final_answer(reply) == question.turn.about["right"])


def _chance(question: Asked) -> float:
    return float(question.turn.about["chance"])


def _passes(value: float, limit: float | None) -> bool:
    return limit is None or value >= limit


def _share(
    is_right: Callable[[Asked, str], bool], asked: Sequence[Asked], replies: Sequence[str]
) -> float:
    return _mean([float(is_right(q, reply)) for q, reply in zip(asked, replies, strict=True)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    z = 1.96
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - reach) / (1 + z * z / count), (middle + reach) / (1 + z * z / count)
