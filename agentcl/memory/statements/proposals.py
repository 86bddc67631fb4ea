"""What somebody wished to be forgotten, carried out or taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory import forgetting
from agentcl.memory.bound import record_of
from agentcl.memory.opened import Opened
from agentcl.memory.statements import writing as statement_writing
from agentcl.statements.joining import NEW
from agentcl.store.base import Store
from agentcl.store.conversations import Proposal, Statement
from agentcl.store.records import Scope, from_micros
from agentcl.store.writing import Writing

BY_HAND = "by hand"


def accept(opened: Opened, proposal: Proposal) -> Proposal:
    """End the statements that a proposal is about; return it as it is then."""
    now = from_micros(opened.clock()).isoformat()
    drafts = [_ending(one, now) for one in _meant(opened, proposal)]
    vectors = opened.vectors(drafts)
    with opened.journal.writing() as writing:
        ended = statement_writing.write(writing, opened.journal, drafts, vectors)
        done = replace(proposal, verdict="accepted", ended=tuple(one.id for one in ended))
        return cast(Proposal, writing.revise(done))


def erase(opened: Opened, proposal: Proposal) -> None:
    """Forget what a proposal is about for good: the statements, the turns that say them, and the wish."""
    meant = _meant(opened, proposal)
    turns = [source for one in meant for source in one.sources]
    going = dict.fromkeys((*(one.id for one in meant), *turns, *proposal.sources, proposal.id))
    forgetting.forget(opened, list(going), proposal.scope.exactly())


def open_one(opened: Opened, id: str, owner: Scope) -> Proposal:
    """Return a proposal of exactly this scope that is not decided yet."""
    try:
        proposal = record_of(opened.journal, id, owner)
    except NotFound as error:
        raise NotFound(
            f"there is no {Proposal.kind} {id!r} in exactly this scope; `agentcl statements proposals` has those that are "
            "open, and check tenant, user, agent and session"
        ) from error
    if not isinstance(proposal, Proposal):
        raise InvalidInput(f"{id!r} is a {proposal.kind}, and no {Proposal.kind}")
    if proposal.verdict != "open":
        raise InvalidInput(f"proposal {id} is {proposal.verdict} already; `undo` opens it again")
    return proposal


def take_back(opened: Opened, id: str, owner: Scope) -> None:
    """Take back a statement, or a decision on a proposal; `Statements.undo` documents it."""
    record = record_of(opened.journal, id, owner)
    with opened.journal.writing() as writing:
        if isinstance(record, Statement):
            statement_writing.withdraw(writing, opened.journal, record)
        elif isinstance(record, Proposal) and record.verdict != "open":
            _reopen(writing, opened.journal, record)
        else:
            raise InvalidInput(
                f"{id!r} is a {record.kind}, and there is nothing to be taken back; name a statement, or a "
                "proposal that was accepted or refused"
            )


def _reopen(writing: Writing, journal: Store, proposal: Proposal) -> None:
    """Take back what was decided on a proposal."""
    for one in statement_writing.live(journal, proposal.scope.exactly()):
        if one.id in proposal.ended:
            statement_writing.withdraw(writing, journal, one)
    writing.revise(replace(proposal, verdict="open", ended=()))


def _meant(opened: Opened, proposal: Proposal) -> list[Statement]:
    """Return the live statements that a proposal is about."""
    live = statement_writing.live(opened.journal, proposal.scope.exactly())
    return [one for one in live if one.id in proposal.statements]


def _ending(one: Statement, now: str) -> Statement:
    """Return the statement that another one holds no longer, which goes wherever that one goes."""
    return replace(
        one,
        id=NEW,
        version=1,
        valid_from=None,
        valid_to=None,
        sources=(one.id,),
        text=f"No longer: {one.text}",
        polarity="ended",
        since="",
        until="",
        said_at=now,
        replaced_by="",
        digester=BY_HAND,
    )
