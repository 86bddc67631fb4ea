"""`memory.statements`: what is said to hold, what held before, and the turns behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar, Unpack, cast

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory import forgetting, statement_search, statement_writing
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.forgetting import refuse_other_scope
from agentcl.memory.opened import Opened
from agentcl.statements.currency import contradictions, slots
from agentcl.statements.joining import NEW
from agentcl.statements.periods import check_period
from agentcl.statements.reading import Assertion
from agentcl.statements.slots import USER, has_several, slot_of, subject_key
from agentcl.store.base import Writing
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_a,
    check_choice,
    check_count,
    check_each,
    check_label,
    check_score,
    check_text,
    check_time,
    check_unicode,
)
from agentcl.store.conversations import SORTS, Proposal, Sort, Statement, Turn, Verdict
from agentcl.store.records import AnyScope, Record, Scope, ScopeView, from_micros
from agentcl.store.rows import readable

R = TypeVar("R", bound=Record)
BY_HAND: Final = "by hand"


@dataclass(frozen=True, slots=True)
class FoundStatement:
    """A statement that a search found."""

    statement: Statement
    score: float  # from 0 to 1; comparable within one search only


class Statements:
    """What is said to hold. Made by `Memory.statements`.

    What holds follows from all statements of a subject's attribute by one rule, `agentcl.statements.settle`. Nothing
    is overwritten: what holds no longer has a `valid_to`, and names what replaced it.
    """

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    # Saying

    def add(
        self,
        subject: str,
        attribute: str,
        value: str,
        *,
        text: str = "",
        sort: Sort = "fact",
        ended: bool = False,
        several: bool | None = None,
        since: str = "",
        until: str = "",
        said_at: datetime | None = None,
        sources: Iterable[str] = (),
        **scope: Unpack[WriteScope],
    ) -> Statement:
        """State something by hand. The same again adds its sources, and no second record.

            memory.statements.add("user", "lives in", "Leuven", since="2025-03-29", user="ada")

        Args:
            subject: "user", or whom or what it is about.
            attribute: of the subject; words that mean the same everyday attribute are one, e.g. "city" and
                "lives in".
            value: the attribute's; may be empty with `ended`: whatever value there was.
            text: the statement in one plain sentence; default: made of the three.
            sort: "fact", "preference", "plan", "event", "instruction" or "relation".
            ended: whether the value holds no longer.
            several: whether values of the attribute hold beside each other, as of what somebody likes;
                default: as it is known of everyday attributes, else one value.
            since: from when it holds, as far as it is known: a year, a month, a day or a moment of ISO 8601.
                With `ended`, since when it holds no longer.
            until: until when it holds, to the end of that day, month or year.
            said_at: when it was said (aware); default: now.
            sources: ids of the turns that say it.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Returns:
            The statement as it is stored.

        Raises:
            InvalidInput: if something cannot be kept, or a source is no record of the tenant.
        """
        owner = self._bound.owner(scope)
        moment = check_time(said_at, "said_at") or from_micros(self._opened.clock())
        said = Assertion(
            subject=subject,
            attribute=attribute,
            value=value,
            text=text or sentence(subject, attribute, value, ended=ended),
            turns=(),
            sort=sort,
            polarity="ended" if ended else "holds",
            is_member=bool(
                has_several(check_unicode(attribute, "attribute")) if several is None else several
            ),
            since=since,
            until=until,
        )
        given = tuple(
            check_unicode(one, "a source") for one in check_each(sources, "sources", "ids")
        )
        draft = stated(said, owner, moment.isoformat(), sources=given, digester=BY_HAND)
        vectors = self._opened.vectors([draft])
        with self._opened.journal.writing() as writing:
            if vectors:
                self._opened.claim(writing)
            (stored,) = statement_writing.write(writing, self._opened.journal, [draft], vectors)
        return stored

    # Reading

    def list(
        self,
        *,
        subject: str | None = None,
        valid_at: datetime | AnyScope | None = None,
        all: bool = False,
        coming: bool = False,
        limit: int | None = None,
        **scope: Unpack[ReadScope],
    ) -> Sequence[Statement]:
        """Return what holds, in the order it was said.

        Args:
            subject: only what is about this one, e.g. "user".
            valid_at: what held at this moment, as far as is known today; default: now; `ANY`: at any time.
            all: return also what says that something has ended.
            coming: return also what is said to begin later.
            limit: the newest so many.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        view = self._bound.view(scope)
        wanted = None if subject is None else subject_key(check_unicode(subject, "subject"))
        found = [
            one
            for one in statement_writing.live(self._opened.journal, view)
            if (all or one.polarity == "holds")
            and (wanted is None or subject_key(one.subject) == wanted)
            and self._is_meant(one, valid_at, coming=coming)
        ]
        found.sort(key=_said)
        return found if limit is None else found[-check_count(limit, "limit") :]

    def get(self, id: str, **scope: Unpack[ReadScope]) -> Statement:
        """Return a statement. Raises NotFound, and InvalidInput if the id is of something else."""
        return self._get(id, Statement, self._bound.view(scope))

    def history(self, of: str | Statement, **scope: Unpack[ReadScope]) -> Sequence[Statement]:
        """Return all that was said of a subject's attribute, in the order it was said.

        Args:
            of: a statement, its id, or a slot, e.g. "user / home".
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if nothing was said of it that the scope sees.
        """
        view = self._bound.view(scope)
        if not isinstance(of, Statement) and "/" not in check_unicode(of, "of"):
            of = self._get(of, Statement, view)
        if isinstance(of, Statement):
            slot, owner = of.slot, of.scope
        else:
            slot, owner = slot_of(*of.split("/", 1)), None
        found = [
            one
            for one in statement_writing.live(self._opened.journal, view)
            if one.slot == slot and owner in (None, one.scope)
        ]
        if not found:
            raise NotFound(
                f"nothing is said of {slot!r} that this scope sees; `list(all=True, valid_at=ANY)` shows what is"
            )
        return sorted(found, key=_said)

    def why(self, id: str, **scope: Unpack[ReadScope]) -> Sequence[Turn]:
        """Return the turns that say a statement, in the order they were said; none, if it was added by hand.

        Raises:
            NotFound: if the scope sees no such statement.
        """
        view = self._bound.view(scope)
        turns: list[Turn] = []
        for source in self._get(id, Statement, view).sources:
            record = next(readable(reversed(self._opened.journal.versions(source))), None)
            if isinstance(record, Turn) and view.sees(record.scope):
                turns.append(record)
        return sorted(turns, key=lambda turn: (turn.moment, turn.ordinal))

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        subject: str | None = None,
        valid_at: datetime | AnyScope | None = None,
        coming: bool = False,
        **scope: Unpack[ReadScope],
    ) -> Sequence[FoundStatement]:
        """Find statements that hold by meaning and by words, best first.

        Args:
            query: a question or words.
            limit: how many at the most.
            subject: only what is about this one.
            valid_at: what held at this moment; default: now; `ANY`: at any time.
            coming: find also what is said to begin later.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if the query is empty.
            EncoderMismatch: if the folder's vectors are another encoder's.
        """
        if not check_unicode(query, "query").strip():
            raise InvalidInput("the query is empty; ask something, or use list()")
        wanted = self.list(subject=subject, valid_at=valid_at, coming=coming, all=True, **scope)
        found = statement_search.search(self._opened, query, wanted, check_count(limit, "limit"))
        return [FoundStatement(one, score) for one, score in found]

    def contradictions(
        self, *, valid_at: datetime | None = None, **scope: Unpack[ReadScope]
    ) -> Sequence[Sequence[Statement]]:
        """Return groups of statements that give one attribute several values at once, each newest first."""
        at = check_time(valid_at, "valid_at") or self._now()
        found = []
        for group in slots(statement_writing.live(self._opened.journal, self._bound.view(scope))):
            if against := contradictions(group, at):
                found.append(against)
        return found

    # What somebody wished to be forgotten

    def proposals(
        self, verdict: Verdict | None = "open", **scope: Unpack[ReadScope]
    ) -> Sequence[Proposal]:
        """Return what somebody wished to be forgotten, oldest first.

        Args:
            verdict: "open", "accepted", "refused", or None: all.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        if verdict is not None:
            check_choice(verdict, ("open", "accepted", "refused"), "verdict")
        rows = self._opened.journal.live(view=self._bound.view(scope), kinds=(Proposal.kind,))
        found = (one for one in readable(rows) if isinstance(one, Proposal))
        return [one for one in found if verdict in (None, one.verdict)]

    def accept(
        self, id: str, *, erase: bool = False, **scope: Unpack[WriteScope]
    ) -> Proposal | None:
        """Do what somebody wished: the statements that he means hold no longer. `undo` takes that back.

        Args:
            id: of the proposal.
            erase: forget the statements, the turns that say them, and the wish, for good. That is never undone.
            scope: `tenant`, `user`, `agent`, `session`: exactly the proposal's.

        Returns:
            The proposal as it is then; None if it was erased.

        Raises:
            NotFound: if there is no such proposal in exactly this scope.
            InvalidInput: if it is decided already.
        """
        proposal = self._open_proposal(id, scope)
        meant = self._live(proposal)
        if erase:
            turns = [source for one in meant for source in one.sources]
            going = dict.fromkeys((*(one.id for one in meant), *turns, proposal.id))
            forgetting.forget(self._opened, list(going), proposal.scope.exactly())
            return None
        now = from_micros(self._opened.clock()).isoformat()
        drafts = [_ending(one, proposal, now) for one in meant]
        vectors = self._opened.vectors(drafts)
        with self._opened.journal.writing() as writing:
            ended = statement_writing.write(writing, self._opened.journal, drafts, vectors)
            done = replace(proposal, verdict="accepted", ended=tuple(one.id for one in ended))
            return cast(Proposal, writing.revise(done))

    def refuse(self, id: str, **scope: Unpack[WriteScope]) -> Proposal:
        """Decide against a proposal. Raises as `accept` does."""
        proposal = self._open_proposal(id, scope)
        return self._opened.revise(replace(proposal, verdict="refused"))

    def undo(self, id: str, **scope: Unpack[WriteScope]) -> None:
        """Take something back: a statement that is wrong, or a decision on a proposal, which is open again then.

        What was taken back stays in the history, and what holds is computed again without it.

        Args:
            id: of the statement or the proposal.
            scope: `tenant`, `user`, `agent`, `session`: exactly its own.

        Raises:
            NotFound: if there is none in exactly this scope.
            InvalidInput: if the id is of something else, or the proposal is open.
        """
        owner = self._bound.owner(scope)
        record = self._opened.journal.get(check_unicode(id, "id"), view=owner.view())
        refuse_other_scope(id, record.scope, owner)
        with self._opened.journal.writing() as writing:
            if isinstance(record, Statement):
                statement_writing.withdraw(writing, self._opened.journal, record)
            elif isinstance(record, Proposal) and record.verdict != "open":
                self._reopen(writing, record)
            else:
                raise InvalidInput(
                    f"{id!r} is a {record.kind}, and there is nothing to be taken back; name a statement, or a "
                    "proposal that was accepted or refused"
                )

    def settle(self, **scope: Unpack[ReadScope]) -> int:
        """Compute again what holds, and return how many statements were not stored so.

        Every verb that changes statements does that itself; `agentcl doctor` says when this is needed.

        Args:
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.
        """
        return statement_writing.resettle_all(self._opened.journal, self._bound.subtree(scope))

    def _reopen(self, writing: Writing, proposal: Proposal) -> None:
        for one in statement_writing.live(self._opened.journal, proposal.scope.exactly()):
            if one.id in proposal.ended:
                statement_writing.withdraw(writing, self._opened.journal, one)
        writing.revise(replace(proposal, verdict="open", ended=()))

    def _open_proposal(self, id: str, scope: WriteScope) -> Proposal:
        owner = self._bound.owner(scope)
        proposal = self._get(id, Proposal, owner.view())
        refuse_other_scope(id, proposal.scope, owner)
        if proposal.verdict != "open":
            raise InvalidInput(
                f"proposal {id} is {proposal.verdict} already; `undo` opens it again"
            )
        return proposal

    def _live(self, proposal: Proposal) -> list[Statement]:
        live = statement_writing.live(self._opened.journal, proposal.scope.exactly())
        return [one for one in live if one.id in proposal.statements]

    def _get(self, id: str, kind: type[R], view: ScopeView) -> R:
        record = self._opened.journal.get(check_unicode(id, "id"), view=view)
        if not isinstance(record, kind):
            raise InvalidInput(f"{id!r} is a {record.kind}, and no {kind.kind}")
        return record

    def _is_meant(
        self, one: Statement, valid_at: datetime | AnyScope | None, *, coming: bool
    ) -> bool:
        if isinstance(valid_at, AnyScope):
            return True
        return holds(one, check_time(valid_at, "valid_at") or self._now(), coming=coming)

    def _now(self) -> datetime:
        return from_micros(self._opened.clock())


def holds(one: Statement, at: datetime, *, coming: bool = False) -> bool:
    """Return whether a statement holds at a moment, or is to (`coming`)."""
    has_begun = one.valid_from is None or one.valid_from <= at
    is_over = one.valid_to is not None and one.valid_to <= at
    return not is_over and (has_begun or coming)


def stated(
    said: Assertion, scope: Scope, said_at: str, *, sources: tuple[str, ...], digester: str
) -> Statement:
    """Return the statement that an assertion is, without id, and not settled yet.

    Raises:
        InvalidInput: if it cannot be kept.
    """
    check_a(said, Assertion, "an assertion")
    parts = {name: _line(getattr(said, name), name) for name in ("subject", "attribute", "value")}
    for name, part in parts.items():
        if not part and not (name == "value" and said.polarity == "ended"):
            raise InvalidInput(f"a statement's {name} is empty; only what has ended needs no value")
    return Statement(
        id="",
        scope=scope,
        sources=sources,
        text=check_text(said.text),
        **parts,
        slot=slot_of(said.subject, said.attribute),
        said_at=said_at,
        sort=cast(Sort, check_choice(said.sort, SORTS, "sort")),
        polarity=said.polarity,
        is_member=bool(said.is_member),
        since=check_period(said.since),
        until=check_period(said.until),
        confidence=check_score(said.confidence) or 0.0,
        digester=check_label(digester, "digester"),
    )


def sentence(subject: str, attribute: str, value: str, *, ended: bool = False) -> str:
    """Return three parts as one plain sentence."""
    who = "The user" if subject_key(check_unicode(subject, "subject")) == USER else subject
    what = f"{check_unicode(attribute, 'attribute')}: {check_unicode(value, 'value')}".strip(" :")
    return f"{who}, {what}, no longer." if ended else f"{who}, {what}."


def _ending(one: Statement, proposal: Proposal, now: str) -> Statement:
    """Return the statement that another one holds no longer."""
    return replace(
        one,
        id=NEW,
        version=1,
        valid_from=None,
        valid_to=None,
        sources=proposal.sources,
        text=f"No longer: {one.text}",
        polarity="ended",
        since="",
        until="",
        said_at=now,
        replaced_by="",
        digester=BY_HAND,
    )


def _line(text: object, what: str) -> str:
    return check_label(" ".join(check_unicode(text, what).split()), what)


def _said(one: Statement) -> tuple[datetime, datetime, str]:
    return one.moment.astimezone(UTC), one.created_at, one.id
