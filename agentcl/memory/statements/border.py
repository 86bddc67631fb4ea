"""What an import must not bring of statements: what no verb would have stored."""

from __future__ import annotations

from datetime import UTC, datetime

from agentcl.errors import InvalidInput
from agentcl.memory.statements.digesting import key_of
from agentcl.statements.dates.periods import check_period
from agentcl.store.checks import check_label, check_score, check_text, check_time
from agentcl.store.conversations import Digestion, Proposal, Statement, Synopsis, Tidying
from agentcl.store.ulid import is_ulid


def check_statement(one: Statement) -> None:
    """Refuse a statement that cannot be one. When it holds is not looked at: that is computed again."""
    for name in ("subject", "attribute", "value", "slot", "digester"):
        part = check_label(getattr(one, name), name)
        if part != " ".join(part.split()):
            raise InvalidInput(f"a statement's {name} is one line, not {part[:60]!r}")
    if not one.subject or not one.attribute or not (one.value or one.polarity == "ended"):
        raise InvalidInput("a statement has a subject, an attribute, and a value that holds")
    if one.slot.count(" / ") < 1:
        raise InvalidInput(f"a statement's slot is a subject with an attribute, not {one.slot!r}")
    check_text(one.text)
    check_said(one.said_at)
    check_period(one.since)
    check_period(one.until)
    check_score(one.confidence)
    if one.replaced_by and not is_ulid(one.replaced_by):
        raise InvalidInput("what replaced a statement is named by its id")
    if one.same_as and not is_ulid(one.same_as):
        raise InvalidInput("what a statement says in other words is named by its id")


def check_digestion(one: Digestion) -> None:
    """Refuse a note of reading that cannot be one."""
    if len(one.sources) != 1 or one.key != key_of(one.sources[0], one.digester):
        raise InvalidInput(
            "a digestion is of one conversation, by one digester, and its key says so"
        )


def check_proposal(one: Proposal) -> None:
    """Refuse a wish that cannot be one."""
    check_text(one.text)
    check_said(one.said_at)
    if not all(map(is_ulid, (*one.statements, *one.ended))):
        raise InvalidInput("a proposal names statements by their ids")
    if (one.verdict != "accepted") and one.ended:
        raise InvalidInput("only what was accepted has ended something")


def check_tidying(one: Tidying) -> None:
    """Refuse a note of tidying that cannot be one."""
    named = [id for row in one.joined for id in row if id] + [row.id for row in one.used]
    if not all(map(is_ulid, (one.key or "", *named, *one.archived))):
        raise InvalidInput("a tidying names a job and records by their ids")
    if one.sources:
        raise InvalidInput("a tidying comes from nothing")
    if not all(row.uses > 0 for row in one.used):
        raise InvalidInput("a tidying counts uses from 1")


def check_synopsis(one: Synopsis) -> None:
    """Refuse a summary that cannot be one."""
    if not one.sentences or not one.sources or not is_ulid(one.job):
        raise InvalidInput("a summary has sentences, what it was made from, and the id of a job")
    for sentence in one.sentences:
        if check_text(sentence) != " ".join(sentence.split()):
            raise InvalidInput(f"a sentence of a summary is one line, not {sentence[:60]!r}")
    if one.key not in ("profile", one.sources[0]):
        raise InvalidInput("the key of a summary is its conversation's id, or 'profile'")


def check_said(said_at: str) -> None:
    """Refuse what is no moment."""
    try:
        moment = check_time(datetime.fromisoformat(said_at), "said_at")
        assert moment is not None
        moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"said_at {said_at[:60]!r} is no moment: {error}") from error
