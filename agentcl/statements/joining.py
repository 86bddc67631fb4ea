"""New statements beside those of their slot: what is said again becomes evidence, not a second record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from agentcl.statements.currency import Span, settle
from agentcl.statements.slots import value_key
from agentcl.store.conversations import Statement

NEW = "+"  # begins the id of what is not stored yet


def joined(
    held: Sequence[Statement], new: Sequence[Statement], said: Mapping[str, datetime]
) -> list[Statement]:
    """Return the statements of one slot with new ones among them, each as it is to be stored.

    Args:
        held: those that are stored.
        new: those that come; they have no ids.
        said: when the turns were said that statements come from, by id.
    """
    statements = list(held)
    fresh = (f"{NEW}{number}" for number in count())
    for one in sorted(new, key=lambda one: one.moment):
        _join(statements, replace(one, id=next(fresh)), said, fresh)
    spans = settle(statements)
    return [settled(one, spans[one.id]) for one in statements]


def settled(one: Statement, span: Span) -> Statement:
    """Return a statement with the times at which it holds."""
    since, until = _utc(span.valid_from), _utc(span.valid_to)
    if (one.valid_from, one.valid_to, one.replaced_by) == (since, until, span.replaced_by):
        return one
    return replace(one, valid_from=since, valid_to=until, replaced_by=span.replaced_by)


def _join(
    statements: list[Statement],
    one: Statement,
    said: Mapping[str, datetime],
    fresh: Iterator[str],
) -> None:
    for place, other in enumerate(list(statements)):
        for parts in _split(other, one, said, fresh):
            apart = [*statements[:place], *parts, *statements[place + 1 :], one]
            if not settle(apart)[parts[1].id].is_again:
                statements[place : place + 1] = parts
    spans = settle([*statements, one])
    for place, other in enumerate(statements):
        if value_key(other.value) != value_key(one.value):
            continue  # in other words: each keeps its own, so that either can be forgotten alone
        if spans[one.id].is_again and spans[one.id].replaced_by == other.id:
            statements[place] = _with_evidence(other, one, said)
            return
        if spans[other.id].is_again and spans[other.id].replaced_by == one.id:
            statements[place] = _with_evidence(replace(one, id=other.id), other, said)
            return
    statements.append(one)


def _with_evidence(kept: Statement, again: Statement, said: Mapping[str, datetime]) -> Statement:
    """Return a statement that another one says again; it keeps the header of what is stored."""
    held = kept if again.id.startswith(NEW) else again
    sources = dict.fromkeys((*kept.sources, *again.sources))
    return replace(
        kept,
        version=held.version,
        created_at=held.created_at,
        metadata=held.metadata,
        sources=tuple(sorted(sources, key=lambda id: said.get(id, kept.moment))),
        confidence=max(kept.confidence, again.confidence),
    )


def _split(
    other: Statement, one: Statement, said: Mapping[str, datetime], fresh: Iterator[str]
) -> Iterator[tuple[Statement, Statement]]:
    """Yield the two parts of a statement between whose turns another one was said, if it was."""
    before = tuple(id for id in other.sources if id not in said or said[id] <= one.moment)
    after = tuple(id for id in other.sources if id not in before)
    if before and after:
        begins = min(said[id] for id in after).isoformat()
        first = replace(other, sources=before)
        yield first, replace(other, id=next(fresh), version=1, sources=after, said_at=begins)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
