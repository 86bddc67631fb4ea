"""Summaries of conversations and of what holds of a user: what they are made of, and how they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Final, cast

from agentcl.errors import InvalidInput, NoAnswer, RequestRefused, SchemaViolation
from agentcl.memory.statements.merging import Edit
from agentcl.statements.english.hearing import own_words
from agentcl.statements.slots import USER, subject_key
from agentcl.statements.strengths import RANK
from agentcl.statements.summarising import Gist, Summariser, is_told
from agentcl.store.base import Store
from agentcl.store.checks import check_label
from agentcl.store.conversations import Statement, Synopsis, Turn
from agentcl.store.records import Scope
from agentcl.store.rows import readable
from agentcl.store.writing import Writing
from agentcl.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from agentcl.models.base import ChatModel

PROFILE: Final = "profile"  # the key of what holds of a user
EXTRACTS: Final = "statements"  # who wrote a summary that no model wrote
# What is wrong with one summary, not with the model: others can still be written.
UNREADABLE: Final = (SchemaViolation, NoAnswer, InvalidInput, RequestRefused)
_MOST: Final = 8  # sentences of a summary without a model
_MOST_OF_PROFILE: Final = 20
_MOST_HELD: Final = 60  # statements that a profile is made from
_MOST_TOKENS: Final = 1_500  # that are told at a time
# Of lines below which no model is asked: it would read more of its instructions than of them.
_WORTH_TELLING: Final = 300


@dataclass(frozen=True, slots=True)
class Subject:
    """What a summary is to be written of."""

    scope: Scope
    key: str  # the conversation's id, or "profile"
    held: Synopsis | None
    turns: Sequence[Turn] = ()  # of a conversation
    statements: Sequence[Statement] = ()  # that its turns say, or that hold of the user

    def fresh(self) -> Sequence[Turn]:
        """Return the turns that were not told yet."""
        return [one for one in self.turns if not self.held or one.ordinal >= self.held.read]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A summary before it is stored."""

    sentences: tuple[str, ...]
    sources: tuple[str, ...]
    dropped: int = 0  # sentences that nothing bears out
    tokens: int = 0
    error: str = ""


def as_summariser(given: Summariser | ChatModel) -> Summariser:
    """Return a summariser, or one that asks a chat model. Raises InvalidInput for anything else."""
    if callable(getattr(given, "summarise", None)) and isinstance(
        getattr(given, "name", None), str
    ):
        return cast(Summariser, given)
    if callable(getattr(given, "chat", None)):
        from agentcl.statements.model_summariser import ModelSummariser  # slow to import

        return ModelSummariser(cast("ChatModel", given))
    raise InvalidInput(f"a summariser or a chat model is needed, not {given!r}")


def subjects(
    scope: Scope,
    turns: Mapping[str, Sequence[Turn]],
    statements: Sequence[Statement],
    held: Mapping[str, Synopsis],
    now: datetime,
) -> Iterator[Subject]:
    """Yield what summaries of a scope are about: each conversation, then what holds of the user."""
    of_turn: dict[str, list[Statement]] = {}
    for one in statements:
        for source in one.sources:
            of_turn.setdefault(source, []).append(one)
    for id, own in turns.items():
        said = {one.id: one for turn in own for one in of_turn.get(turn.id, ())}
        yield Subject(scope, id, held.get(id), own, list(said.values()))
    holding = [
        one
        for one in statements
        if subject_key(one.subject) == USER and one.polarity == "holds" and one.is_valid(now)
    ]
    if holding:
        holding.sort(key=lambda one: (RANK[one.sort], one.moment, one.id))
        some = holding[:_MOST_HELD]
        yield Subject(scope, PROFILE, held.get(PROFILE), statements=some)


def teller_of(subject: Subject, summariser: Summariser | None) -> Summariser | None:
    """Return who tells something: no model where that is short."""
    if summariser is None:
        return None
    size = sum(estimate_tokens(text) for text, _ in _lines(subject))
    return summariser if size >= _WORTH_TELLING else None


def is_due(subject: Subject, summariser: Summariser | None) -> bool:
    """Return whether a summary is to be written, or written again, by a model or without one."""
    held, by = subject.held, EXTRACTS if summariser is None else summariser.name
    if subject.key != PROFILE and summariser is not None:
        return held is None or held.by != by or bool(subject.fresh())
    if summariser is None:
        if held is not None and held.by != EXTRACTS and not subject.fresh():
            return False  # a model wrote it, and nothing came since
        return extract(subject).sentences != (held.sentences if held else ())
    return held is None or held.by != by or _stated(subject) != set(held.sources)


def extract(subject: Subject) -> Drafted:
    """Return a summary without a model: the statements themselves, in the order they were said."""
    most = _MOST if subject.key != PROFILE else _MOST_OF_PROFILE
    chosen = [one for one in subject.statements if one.polarity == "holds"]
    chosen = sorted(chosen, key=lambda one: (RANK[one.sort], one.moment, one.id))[:most]
    if subject.key != PROFILE:
        chosen.sort(key=lambda one: (one.moment, one.slot, one.value))
    told = {" ".join(one.text.split()): one for one in chosen}
    own = {turn.id for turn in subject.turns}
    turns = (id for one in chosen for id in one.sources if id in own)
    ids = (one.id for one in chosen)
    return Drafted(tuple(told), tuple(dict.fromkeys((*ids, *turns))))


def tell(subject: Subject, summariser: Summariser) -> Drafted:
    """Return a summary by a summariser, without the sentences that the lines do not bear out.

    What it cannot tell now is noted as an error, and what was written before stays.

    Raises:
        ModelUnavailable: if a model cannot be asked.
    """
    dropped = tokens = 0
    told, sources, parts = _given(subject, summariser)
    for lines, ids in parts:
        given = [*told, *lines]
        tokens += _tokens(summariser, given, subject)
        try:
            gists = [_checked(one) for one in summariser.summarise(given, about=_about(subject))]
        except UNREADABLE as error:
            return Drafted((), (), dropped, tokens, f"{type(error).__name__}: {error}"[:200])
        good = [one for one in gists if one is not None and is_told(one, given)]
        dropped += len(gists) - len(good)
        if not good:
            return Drafted((), (), dropped, tokens, "nothing of it is borne out")
        named = {place - len(told) for one in good for place in one.of}
        is_profile = subject.key == PROFILE  # is due again only when other statements hold
        sources += ids if is_profile else [ids[place] for place in sorted(named) if place >= 0]
        told = list(dict.fromkeys(one.text for one in good))
    return Drafted(tuple(told), tuple(dict.fromkeys(sources)), dropped, tokens)


def price(subject: Subject, summariser: Summariser | None) -> int:
    """Estimate how many tokens a summary takes."""
    if summariser is None:
        return 0
    told, _, parts = _given(subject, summariser)
    return sum(_tokens(summariser, [*told, *lines], subject) for lines, _ in parts)


def store(
    writing: Writing, journal: Store, subject: Subject, written: Drafted, by: str, job: str
) -> bool:
    """Store a summary if all that it was made from is still there; return whether it was."""
    if not written.sentences:
        return False
    of = (subject.key,) if subject.key != PROFILE else ()
    sources = tuple(dict.fromkeys((*of, *written.sources)))
    if len(writing.live_versions(sources)) != len(sources):
        return False
    live = journal.find(kind=Synopsis.kind, scope=subject.scope, key=subject.key)
    held = live if isinstance(live, Synopsis) else None
    new = Synopsis(
        id="" if held is None else held.id,
        scope=subject.scope,
        key=subject.key,
        sources=sources,
        sentences=written.sentences,
        by=check_label(by, "summariser"),
        job=job,
        read=subject.turns[-1].ordinal + 1 if subject.turns else 0,
    )
    if held is None:
        writing.create(new)
    else:
        writing.revise(new)
    return True


def take_back(writing: Writing, journal: Store, written: Iterable[Synopsis]) -> None:
    """Undo summaries of one job: of each the one before stands again, or none."""
    for one in written:
        rows = [row for row in journal.versions(one.id) if row.op == "put"]
        versions = (old for old in readable(rows) if isinstance(old, Synopsis))
        earlier = takewhile(lambda old: old.job != one.job, versions)  # noqa: B023  # read at once
        whole = [old for old in earlier if _is_whole(writing, old)]
        if whole:
            writing.revise(replace(whole[-1], version=one.version))
        else:
            writing.delete(one)


def held_in(journal: Store, scope: Scope) -> dict[str, Synopsis]:
    """Return the summaries of exactly a scope, by key."""
    return {one.key or "": one for one in journal.records(Synopsis, view=scope.exactly())}


def edit_of(subject: Subject, sentences: Sequence[str]) -> Edit:
    """Return what the writing of a summary changes."""
    is_profile = subject.key == PROFILE
    before = subject.held.text if subject.held else ""
    after = " ".join(sentences)
    return Edit(
        "profile" if is_profile else "summary", "" if is_profile else subject.key, before, after
    )


def _is_whole(writing: Writing, one: Synopsis) -> bool:
    return len(writing.live_versions(one.sources)) == len(set(one.sources))


def _given(
    subject: Subject, summariser: Summariser
) -> tuple[list[str], list[str], list[tuple[list[str], list[str]]]]:
    """Return what was told already, its sources, and what is to be told, with ids, in parts."""
    goes_on = subject.held is not None and subject.held.by == summariser.name
    if subject.key == PROFILE or not goes_on:
        return [], [], [*_parts(_lines(subject))]
    assert subject.held is not None
    new = _lines(replace(subject, turns=subject.fresh()))
    return list(subject.held.sentences), list(subject.held.sources[1:]), [*_parts(new)]


def _lines(subject: Subject) -> list[tuple[str, str]]:
    """Return what is told, each with its id: what holds, or what the user said in his own words and did not paste."""
    if subject.key == PROFILE:
        return [(one.text, one.id) for one in subject.statements]
    said = ((" ".join(own_words(one.text).split()), one) for one in subject.turns)
    return [(text, one.id) for text, one in said if text and one.role == "user"]


def _parts(lines: Iterable[tuple[str, str]]) -> Iterator[tuple[list[str], list[str]]]:
    texts: list[str] = []
    ids: list[str] = []
    tokens = 0
    for text, id in lines:
        size = estimate_tokens(text)
        if texts and tokens + size > _MOST_TOKENS:
            yield texts, ids
            texts, ids, tokens = [], [], 0
        texts.append(text)
        ids.append(id)
        tokens += size
    if texts:
        yield texts, ids


def _tokens(summariser: Summariser, lines: Sequence[str], subject: Subject) -> int:
    estimate = getattr(summariser, "tokens", None)
    return 0 if estimate is None else int(estimate(lines, about=_about(subject)))


def _about(subject: Subject) -> str:
    return "what holds of the user" if subject.key == PROFILE else "a conversation"


def _checked(one: object) -> Gist | None:
    """Return a sentence of a summariser as one; None for what is none."""
    if not isinstance(one, Gist) or not isinstance(one.text, str):
        return None
    if not all(type(place) is int for place in one.of):
        return None
    text = " ".join(one.text.split())
    return Gist(text if text.isprintable() else "", one.of)


def _stated(subject: Subject) -> set[str]:
    return {one.id for one in subject.statements}
