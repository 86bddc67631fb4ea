"""What an import must not bring of statements: what no verb would have stored."""

from __future__ import annotations

from datetime import UTC, datetime

from agentcl.errors import InvalidInput
from agentcl.memory.digesting import key_of
from agentcl.statements.periods import check_period
from agentcl.store.checks import check_label, check_score, check_text, check_time
from agentcl.store.conversations import Digestion, Proposal, Statement
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


def check_said(said_at: str) -> None:
    """Refuse what is no moment."""
    try:
        moment = check_time(datetime.fromisoformat(said_at), "said_at")
        assert moment is not None
        moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"said_at {said_at[:60]!r} is no moment: {error}") from error
