"""Digesting: conversations are read for what they state, exchange by exchange, each result stored before the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from agentcl.errors import InvalidInput, NoAnswer, NotEquipped, RequestRefused, SchemaViolation
from agentcl.jobs.loop import LATER, OrLater
from agentcl.jobs.runner import Progress
from agentcl.jobs.workplace import Workplace, as_workplace
from agentcl.memory.opened import Opened
from agentcl.memory.statements import writing as statement_writing
from agentcl.statements.digesters.grounding import is_borne_out
from agentcl.statements.reading import Assertion, Digested, Digester, Wish
from agentcl.store.checks import check_label, check_subtree, check_text, named_scope
from agentcl.store.conversations import Conversation, Digestion, Proposal, Statement, Turn
from agentcl.store.jobs import Job, Price
from agentcl.store.records import Scope, ScopeView
from agentcl.store.writing import Writing
from agentcl.text.function_words import content_terms
from agentcl.text.terms import terms
from agentcl.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from agentcl.models.base import ChatModel

# What is wrong with one exchange, not with the model: other conversations can still be read.
_UNREADABLE: Final = (SchemaViolation, NoAnswer, InvalidInput, RequestRefused)
_MOST_TURNS: Final = 24  # read at a time
_MOST_TOKENS: Final = 2_000  # of their texts
_MOST_ATTEMPTS: Final = 3  # at the same turns, unless somebody says "again"
_MOST_ERROR: Final = 200  # characters of why turns could not be read
P = TypeVar("P", bound="Unread | OrLater")


@dataclass(frozen=True, slots=True)
class DigestReport:
    """What one run of a digester did, or would do."""

    read: int = 0  # turns
    failed: int = 0  # parts of conversations
    statements: int = 0  # kept, with those that were known and are said again
    dropped: int = 0  # that the turns do not bear out, or that could not be kept
    proposals: int = 0  # wishes to forget
    tokens: int = 0  # of a model, by a high estimate
    remaining: int = 0  # turns that are still to be read
    job: str = ""  # its id in `memory.jobs`; empty for a dry run


@dataclass(frozen=True, slots=True)
class Unread:
    """Some turns of a conversation that were not read yet: whole exchanges."""

    conversation: Conversation
    turns: tuple[Turn, ...]
    held: Digestion | None
    seen: datetime | None  # once they are read, all is that was recorded until then; None: not yet


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a digester is asked."""

    part: Unread
    known: tuple[Statement, ...]  # what holds already
    tokens: int


@dataclass(frozen=True, slots=True)
class _Read:
    part: Unread
    found: Digested
    error: str = ""
    tokens: int = 0


class Digest:
    """Reads the turns of a scope and below that a digester has not read yet.

    Its spec: `digester`, a name; `limit`, how many turns at most in one run; `budget_tokens`, how many tokens at most
    (estimated) in one run; `retry`, whether also conversations that it failed on three times.

    Args:
        opened: the memory.
        digesters: by name.
        on: where they read; default: here.
    """

    name = "digest"

    def __init__(
        self, opened: Opened, digesters: Mapping[str, Digester], on: Workplace | None = None
    ) -> None:
        self._opened = opened
        self._on = as_workplace(on)
        self._digesters = digesters
        self.totals = self._nothing()

    @staticmethod
    def _nothing() -> dict[str, int]:
        return dict.fromkeys(("read", "failed", "statements", "dropped", "proposals", "tokens"), 0)

    @staticmethod
    def spec(
        digester: str,
        *,
        limit: int | None = None,
        budget_tokens: int | None = None,
        retry: bool = False,
    ) -> dict[str, Any]:
        """Return the spec of such a job."""
        return {
            "digester": digester, "limit": limit, "budget_tokens": budget_tokens, "retry": retry,
        }  # fmt: skip

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Estimate what is still to be read."""
        name, limit, _, retry = _checked(spec)
        parts = [*_limited(pending(self._opened, _view(scope), name, retry=retry), limit)]
        tokens = sum(self._tokens(name, part, ()) for part in parts)
        return Price(sum(len(part.turns) for part in parts), tokens)

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Read what is still to be read."""
        name, limit, budget, retry = _checked(job.spec)
        if name not in self._digesters:
            raise NotEquipped(
                f"nobody here can digest as {name!r}; hand it over with `memory.jobs.add_digester(...)` (on the "
                "command line, name its endpoint with --url)"
            )
        digester, view = self._digesters[name], _view(job.scope)
        total = self.price(job.spec, scope=job.scope).units
        self.totals = totals = self._nothing()

        reading: list[Scope] = []  # of what is being read

        def affordable() -> Iterator[_Asked | OrLater]:
            asked = 0
            for part in _limited(_in_turn(self._opened, view, name, retry, reading), limit):
                if part is LATER:
                    yield LATER
                    continue
                known = tuple(_known(self._opened, part))
                cost = self._tokens(name, part, known)
                if budget is not None and asked + cost > budget:
                    return
                asked += cost
                reading.append(part.conversation.scope)
                yield _Asked(part, known, cost)

        def keep(results: Sequence[_Read]) -> None:
            for result in results:
                kept, wishes = _store(self._opened, result, name)
                reading.remove(result.part.conversation.scope)
                totals["read"] += 0 if result.error else len(result.part.turns)
                totals["failed"] += bool(result.error)
                totals["statements"] += kept
                totals["proposals"] += wishes
                totals["dropped"] += result.found.dropped
                totals["tokens"] += result.tokens
                progress(min(totals["read"], total), total)

        self._on.work(
            affordable(),
            partial(_read, digester),
            keep=keep,
            job=job.id,
            key=_key,
            should_stop=should_stop,
        )

    def _tokens(self, name: str, part: Unread, known: Sequence[Statement]) -> int:
        """Estimate what reading some turns takes; what a digester does not say costs nothing."""
        estimate = getattr(self._digesters.get(name), "tokens", None)
        if estimate is not None:
            return int(estimate(part.turns, known))
        is_model = name.startswith("model:") and name not in self._digesters
        return sum(estimate_tokens(turn.text) for turn in part.turns) if is_model else 0


def _read(digester: Digester, asked: _Asked) -> _Read:
    """Read some turns; what is wrong with them alone is noted, and the others go on."""
    part = asked.part
    try:
        found = digester.digest(part.turns, asked.known)
        return _Read(part, _borne_out(found, part.turns), tokens=asked.tokens)
    except _UNREADABLE as error:
        message = f"{type(error).__name__}: {error}"[:_MOST_ERROR]
        return _Read(part, Digested(()), error=message, tokens=asked.tokens)


def _key(asked: _Asked) -> str:
    """Return what names some turns; their versions tell what they say."""
    return ",".join(f"{turn.id}/{turn.version}" for turn in asked.part.turns)


def as_digester(given: Digester | ChatModel) -> Digester:
    """Return a digester, or one that asks a chat model. Raises InvalidInput for anything else."""
    if callable(getattr(given, "digest", None)) and isinstance(getattr(given, "name", None), str):
        return cast(Digester, given)
    if callable(getattr(given, "chat", None)):
        from agentcl.statements.digesters.model import ModelDigester  # slow to import

        return ModelDigester(cast("ChatModel", given))
    raise InvalidInput(
        f"a digester or a chat model is needed, e.g. agentcl.statements.RuleDigester(), not {given!r}"
    )


def pending(
    opened: Opened, view: ScopeView, digester: str, *, retry: bool = False
) -> Iterator[Unread]:
    """Yield the turns that a digester has not read yet, in whole exchanges, what was said first before the rest.

    Args:
        opened: the memory.
        view: whose conversations.
        digester: its name.
        retry: also those that it failed on three times.
    """
    for one in _waiting(opened, view, digester, retry):
        while one.parts:
            yield one.next()
            if is_stuck(opened.journal, one.conversation, digester):
                break


@dataclass(slots=True, eq=False)
class _Waiting:
    """A conversation with the parts of it that were not read yet."""

    conversation: Conversation
    held: Digestion | None
    parts: deque[tuple[Turn, ...]]
    seen: datetime  # when the newest of its turns was recorded

    def next(self) -> Unread:
        turns = self.parts.popleft()
        has_more = self.held and self.parts and self.parts[0][0].ordinal < self.held.read
        return Unread(self.conversation, turns, self.held, None if has_more else self.seen)


def _waiting(opened: Opened, view: ScopeView, digester: str, retry: bool) -> list[_Waiting]:
    """Return the conversations with turns that a digester has not read yet, what was said first before the rest."""
    journal = opened.journal
    done = {
        record.sources[0]: record
        for record in journal.records(Digestion, view=view)
        if record.digester == digester
    }
    waiting: list[tuple[datetime, _Waiting]] = []
    for conversation in journal.records(Conversation, view=view):
        held = done.get(conversation.id)
        if held and held.error and held.attempts >= _MOST_ATTEMPTS and not retry:
            continue
        said = [*journal.records(Turn, view=view, source=conversation.id)]
        turns = [one for one in said if held is None or _is_unread(one, held)]
        if turns:
            turns.sort(key=lambda turn: (turn.ordinal, turn.moment))
            seen = max(one.created_at for one in said)
            left = _Waiting(conversation, held, deque(_parts(turns)), seen)
            waiting.append((turns[0].moment, left))
    waiting.sort(key=lambda one: (one[0], one[1].conversation.id))
    return [left for _, left in waiting]


def _is_unread(turn: Turn, held: Digestion) -> bool:
    """Return whether a turn follows what was read, or came into an earlier place since, as a correction does."""
    is_later = turn.created_at > (held.valid_to or held.created_at)
    return turn.ordinal >= held.read or (turn.version == 1 and is_later)


def _in_turn(
    opened: Opened, view: ScopeView, digester: str, retry: bool, reading: Sequence[Scope]
) -> Iterator[Unread | OrLater]:
    """Yield what `pending` does, but what need not wait for what is being read, nor for what was said before it.

    Turns wait for others whose statements their reader is told of: those of the same scope, of one that it sees, or of one
    that sees it.
    """
    waiting = _waiting(opened, view, digester, retry)
    begun: set[str] = set()
    while waiting:
        before = [*reading]
        for one in waiting:  # the one that is found is used below
            scope = one.conversation.scope
            if not any(_is_told_of(scope, other) for other in before):
                break
            if scope not in before:
                before.append(scope)
        else:
            yield LATER
            continue
        is_over = one.conversation.id in begun and is_stuck(
            opened.journal, one.conversation, digester
        )
        if not is_over:
            begun.add(one.conversation.id)
            yield one.next()
        if is_over or not one.parts:
            waiting.remove(one)


def _is_told_of(one: Scope, other: Scope) -> bool:
    return one.view().sees(other) or other.view().sees(one)


def is_stuck(journal: Any, conversation: Conversation, digester: str) -> bool:  # noqa: ANN401  # a store
    """Return whether the newest turns of a conversation could not be read: what follows them has to wait."""
    held = journal.find(
        kind=Digestion.kind, scope=conversation.scope, key=key_of(conversation.id, digester)
    )
    return isinstance(held, Digestion) and bool(held.error)


def key_of(conversation: str, digester: str) -> str:
    """Return the natural key of a digestion."""
    return f"{conversation}/{digester}"


def _parts(turns: Sequence[Turn]) -> Iterator[tuple[Turn, ...]]:
    """Yield turns in whole exchanges, several together as far as they are short."""
    part: list[Turn] = []
    tokens = 0
    for exchange in _exchanges(turns):
        size = sum(estimate_tokens(turn.text) for turn in exchange)
        if part and (len(part) + len(exchange) > _MOST_TURNS or tokens + size > _MOST_TOKENS):
            yield tuple(part)
            part, tokens = [], 0
        part += exchange
        tokens += size
    if part:
        yield tuple(part)


def _exchanges(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """Yield what the user says, each time with what is answered."""
    exchange: list[Turn] = []
    for turn in turns:
        if exchange and turn.role == "user" and exchange[-1].role != "user":
            yield exchange
            exchange = []
        exchange.append(turn)
    if exchange:
        yield exchange


def _known(opened: Opened, part: Unread) -> list[Statement]:
    """Return what holds already when some turns are said, in the order it was said."""
    held = opened.contexts.stated(opened.journal, part.conversation.scope.view()).statements
    at = part.turns[-1].moment
    found = [
        one
        for one in held
        if one.polarity == "holds"
        and (one.valid_to is None or one.valid_to > at)
        and one.moment <= at
    ]
    return sorted(found, key=lambda one: one.moment)


def _borne_out(found: Digested, turns: Sequence[Turn]) -> Digested:
    said = tuple(one for one in found.said if _can_be_kept(one) and is_borne_out(one, turns))
    return replace(found, said=said, dropped=found.dropped + len(found.said) - len(said))


def _can_be_kept(one: Assertion) -> bool:
    try:
        statement_writing.stated(one, Scope(), "", sources=(), digester="")
    except InvalidInput:
        return False
    return True


def _store(opened: Opened, result: _Read, digester: str) -> tuple[int, int]:
    """Store what some turns say, and that they were read, as one change."""
    part = result.part
    drafts = [_statement(one, part, digester) for one in result.found.said]
    vectors = opened.vectors(drafts)
    journal = opened.journal
    opened.contexts.stated(journal, part.conversation.scope.exactly())
    with journal.writing() as writing:
        if vectors:
            opened.claim(writing)
        alive = writing.live_versions([turn.id for turn in part.turns])
        drafts = [one for one in drafts if all(id in alive for id in one.sources)]
        own = part.conversation.scope.exactly()
        held = opened.contexts.stated(journal, own, is_kept=False).statements
        statement_writing.write(writing, journal, drafts, vectors, held)
        wishes = [
            _proposal(opened, wish, part)
            for wish in result.found.wishes
            if part.turns[wish.turn].id in alive
        ]
        writing.create_many(wishes, {}, count=len(wishes))
        _note(writing, opened, result, digester, len(drafts))
    return len(drafts), len(wishes)


def _statement(one: Assertion, part: Unread, digester: str) -> Statement:
    turns = [part.turns[place] for place in one.turns]
    said_at = min(turns, key=lambda turn: turn.moment).said_at
    sources = tuple(turn.id for turn in turns)
    return statement_writing.stated(
        one, part.conversation.scope, said_at, sources=sources, digester=digester
    )


def _proposal(opened: Opened, wish: Wish, part: Unread) -> Proposal:
    """Return a wish with the statements that it seems to mean."""
    turn = part.turns[wish.turn]
    live = statement_writing.live(opened.journal, part.conversation.scope.exactly())
    if wish.about:
        asked = set(content_terms(wish.about))
        meant = [
            one for one in live if asked & set(terms(f"{one.subject} {one.attribute} {one.value}"))
        ]
    else:
        earlier = [one for one in part.turns[: wish.turn] if one.role == "user"]
        before = {one.id for one in earlier[-1:]}
        meant = [one for one in live if before.intersection(one.sources)]
    return Proposal(
        id="",
        scope=part.conversation.scope,
        sources=(turn.id,),
        text=check_text(wish.text),
        said_at=turn.said_at,
        statements=tuple(one.id for one in meant if one.polarity == "holds"),
    )


def _note(writing: Writing, opened: Opened, result: _Read, digester: str, kept: int) -> None:
    """Note how far a conversation was read."""
    conversation, seen = result.part.conversation, result.part.seen
    held = opened.journal.find(
        kind=Digestion.kind, scope=conversation.scope, key=key_of(conversation.id, digester)
    )
    assert held is None or isinstance(held, Digestion)
    before = held.read if held else 0
    if result.error or seen is None:
        seen = (held.valid_to or held.created_at) if held else None
    note = Digestion(
        valid_to=seen,
        id=held.id if held else "",
        scope=conversation.scope,
        sources=(conversation.id,),
        key=key_of(conversation.id, digester),
        digester=check_label(digester, "digester"),
        read=before if result.error else max(before, result.part.turns[-1].ordinal + 1),
        statements=kept + (held.statements if held else 0),
        dropped=result.found.dropped + (held.dropped if held else 0),
        error=result.error,
        attempts=(held.attempts + 1 if held and held.error else 1),
    )
    if held:
        writing.revise(note)
    else:
        writing.create(note)


def _limited(parts: Iterator[P], limit: int | None) -> Iterator[P]:
    """Yield parts until a number of turns is reached."""
    left = limit
    for part in parts:
        if left is not None and left <= 0:
            return
        yield part
        if left is not None and isinstance(part, Unread):
            left -= len(part.turns)


def _view(scope: Scope) -> ScopeView:
    return check_subtree({**named_scope(scope)})


def _checked(spec: Mapping[str, Any]) -> tuple[str, int | None, int | None, bool]:
    match {"limit": None, "budget_tokens": None, "retry": False, **spec}:
        case {
            "digester": str(name),
            "limit": None | int() as limit,
            "budget_tokens": None | int() as budget,
            "retry": bool(retry),
        } if name and (limit is None or limit >= 0) and (budget is None or budget >= 0):
            return name, limit, budget, retry
    raise InvalidInput(
        "a digest job needs `digester`, a name, and perhaps `limit` and `budget_tokens`, numbers, and `retry`, true "
        f"or false; {dict(spec)} cannot be used"
    )
