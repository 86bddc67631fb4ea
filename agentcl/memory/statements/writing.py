"""Writing statements: beside those of their slot, settled by the rule, as one change of the journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory.opened import Opened
from agentcl.statements.currency import settle, slots
from agentcl.statements.dates.periods import check_period
from agentcl.statements.joining import NEW, joined, settled
from agentcl.statements.reading import Assertion
from agentcl.statements.slots import slot_of, value_key
from agentcl.store.base import Store
from agentcl.store.checks import (
    check_a,
    check_choice,
    check_label,
    check_score,
    check_text,
    check_unicode,
)
from agentcl.store.conversations import SORTS, Sort, Statement, Synopsis, Turn
from agentcl.store.records import Record, Scope, ScopeView
from agentcl.store.rows import Row, content_hash, readable
from agentcl.store.writing import Writing

EVERYBODY = ScopeView(None, None, None, None)


def add(opened: Opened, statement: Statement) -> Statement:
    """Store one statement; return it as it is stored."""
    vectors = opened.vectors([statement])
    with opened.journal.writing() as writing:
        if vectors:
            opened.claim(writing)
        (stored,) = write(writing, opened.journal, [statement], vectors)
    return stored


def write(
    writing: Writing,
    journal: Store,
    new: Sequence[Statement],
    vectors: Mapping[bytes, bytes],
    held: Iterable[Statement] | None = None,
) -> list[Statement]:
    """Store statements of one scope; return what of each slot they belong to is stored, in their order.

    Args:
        writing: the right to write.
        journal: where to.
        new: without ids.
        vectors: of their texts, by content hash.
        held: all statements of the scope, as they are now; default: they are read.
    """
    if not new:
        return []
    wanted = {one.slot for one in new}
    stated = live(journal, new[0].scope.exactly()) if held is None else held
    held = [one for one in stated if one.slot in wanted]
    # The only turn of a statement was said when the statement was: it need not be read.
    single = {one.sources[0]: one.moment for one in (*held, *new) if len(one.sources) == 1}
    moments = single | _moments(journal, [one for one in (*held, *new) if len(one.sources) > 1])
    stored: list[Statement] = []
    for slot in dict.fromkeys(one.slot for one in new):
        own = [one for one in held if one.slot == slot]
        coming = [one for one in new if one.slot == slot]
        stored += _store(writing, journal, own, joined(own, coming, moments), vectors)
    return [_kept_as(one, stored) for one in new]


def resettle(
    writing: Writing,
    journal: Store,
    scope: Scope,
    among: Collection[str] | None = None,
    *,
    without: Collection[str] = (),
) -> int:
    """Compute again what holds in a scope; return how many statements changed.

    Args:
        writing: the right to write.
        journal: where to.
        scope: exactly this one.
        among: the slots; None: all.
        without: ids of statements that count no more.
    """
    found = [one for one in live(journal, scope.exactly()) if one.id not in without]
    changed = 0
    for group in slots(one for one in found if among is None or one.slot in among):
        spans = settle(group)
        changed += len(_revise(writing, journal, group, [settled(o, spans[o.id]) for o in group]))
    return changed


def revise_all(
    writing: Writing, journal: Store, held: Iterable[Statement], wanted: Iterable[Statement]
) -> int:
    """Write those of the statements that are to be otherwise; return how many.

    Args:
        writing: the right to write.
        journal: where to.
        held: as they are stored.
        wanted: as they are to be, some or all of them.
    """
    return len(_revise(writing, journal, held, wanted))


def resettle_all(journal: Store, view: ScopeView = EVERYBODY) -> int:
    """Compute again what holds in a view, where it is not stored so; return how many statements changed."""
    wrong = [one.scope for one in unsettled(journal, view)]
    if not wrong:
        return 0
    with journal.writing() as writing:
        return sum(resettle(writing, journal, scope) for scope in dict.fromkeys(wrong))


def withdraw(writing: Writing, journal: Store, statement: Statement) -> None:
    """Delete a statement, and compute again what holds without it."""
    writing.delete(statement)
    withdraw_told(writing, journal, statement)
    resettle(writing, journal, statement.scope, {statement.slot}, without={statement.id})


def withdraw_told(writing: Writing, journal: Store, source: Record) -> None:
    """Delete the summaries that were made from a record: the next tidying writes them anew."""
    view = source.scope.exactly()
    for row in [*journal.live(view=view, kinds=(Synopsis.kind,), source=source.id)]:
        writing.delete(row.record())


def release(opened: Opened, ids: Collection[str]) -> None:
    """Keep of statements what others say too, before turns or conversations are forgotten.

    A statement that is said elsewhere goes on as a new record from there, since the old one goes with what is
    forgotten. What holds is computed as it is afterwards.
    """
    journal = opened.journal
    named = set(ids)
    statements = live(journal, EVERYBODY)
    going = {id for one in statements for id in one.sources if _goes(journal, id, named)} | named
    lost = {one.id: one for one in statements if going.intersection((one.id, *one.sources))}
    if not lost:
        return
    kept = [(one, _without(journal, one, going)) for one in lost.values() if one.id not in going]
    # Without an encoder: to forget must not wait for one, and the texts are those that are stored.
    left = [(old, new) for old, new in kept if new.sources]
    with journal.writing() as writing:
        for old, new in left:
            writing.create(new, vector=_vector(journal, new, {}, old))
        for scope in {one.scope for one in lost.values()}:
            among = {one.slot for one in lost.values() if one.scope == scope}
            resettle(writing, journal, scope, among, without=lost)


def _goes(journal: Store, turn: str, named: Collection[str]) -> bool:
    """Return whether a turn is among what is named, or its conversation is."""
    if turn in named:
        return True
    rows = [row for row in journal.versions(turn) if row.op == "put"]
    return any(source in named for row in rows[-1:] for source in row.parts()[0])


def stated(
    said: Assertion, scope: Scope, said_at: str, *, sources: tuple[str, ...], digester: str
) -> Statement:
    """Return the statement that an assertion is, without id, and not settled yet.

    Raises:
        InvalidInput: if it cannot be kept.
    """
    check_a(said, Assertion, "an assertion")
    subject, attribute, value = (
        _line(getattr(said, name), name) for name in ("subject", "attribute", "value")
    )
    for name, part in (("subject", subject), ("attribute", attribute), ("value", value)):
        if not part and not (name == "value" and said.polarity == "ended"):
            raise InvalidInput(f"a statement's {name} is empty; only what has ended needs no value")
    return Statement(
        id="",
        scope=scope,
        sources=sources,
        text=check_text(said.text),
        subject=subject,
        attribute=attribute,
        value=value,
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


def _line(text: object, what: str) -> str:
    return check_label(" ".join(check_unicode(text, what).split()), what)


def live(journal: Store, view: ScopeView, at: int | None = None) -> list[Statement]:
    """Return the statements that a view sees, in the order of their last change."""
    return list(_statements(journal.live(view=view, kinds=("statement",), at=at)))


def unsettled(journal: Store, view: ScopeView = EVERYBODY) -> Iterator[Statement]:
    """Yield the statements that are not stored as the rule has them."""
    for group in slots(live(journal, view)):
        spans = settle(group)
        yield from (one for one in group if settled(one, spans[one.id]) != one)


def _statements(rows: Iterable[Row]) -> Iterator[Statement]:
    return (one for one in readable(rows) if isinstance(one, Statement))


def _without(journal: Store, one: Statement, going: Collection[str]) -> Statement:
    """Return a statement as its other turns say it."""
    sources = tuple(id for id in one.sources if id not in going)
    moments = _moments(journal, [replace(one, sources=sources)])
    said_at = min(moments.values()).isoformat() if moments else one.said_at
    return replace(one, id="", version=1, sources=sources, said_at=said_at, replaced_by="")


def _moments(journal: Store, statements: Sequence[Statement]) -> dict[str, datetime]:
    """Return when turns were said, as far as several of one statement could be told apart."""
    ids = dict.fromkeys(id for one in statements for id in one.sources)
    found: dict[str, datetime] = {}
    for id in ids:
        try:
            found[id] = _turn(journal, id).moment
        except NotFound:
            continue
    return found


def _turn(journal: Store, id: str) -> Turn:
    record = journal.versions(id)[-1].record() if journal.versions(id) else None
    if not isinstance(record, Turn):
        raise NotFound(f"there is no turn {id!r}")
    return record


def _store(
    writing: Writing,
    journal: Store,
    held: Sequence[Statement],
    wanted: Sequence[Statement],
    vectors: Mapping[bytes, bytes],
) -> list[Statement]:
    """Create and revise the statements of one slot; return all of them."""
    ids: dict[str, str] = {}
    stored: list[Statement] = []
    # What replaces others comes first, so that these can name it.
    new = sorted((one for one in wanted if one.id.startswith(NEW)), key=lambda one: one.moment)
    for one in reversed(new):
        named = replace(one, id="", replaced_by=_named(one.replaced_by, ids))
        made = writing.create(named, vector=_vector(journal, named, vectors))
        assert isinstance(made, Statement)
        ids[one.id] = made.id
        stored.append(made)
    by_id = {one.id: one for one in (*held, *stored)}
    final = [
        replace(
            one, id=ids.get(one.id, one.id), replaced_by=ids.get(one.replaced_by, one.replaced_by)
        )
        for one in wanted
    ]
    final = [
        replace(one, version=by_id[one.id].version, created_at=by_id[one.id].created_at)
        for one in final
    ]
    return _revise(writing, journal, by_id.values(), final, vectors, all_of=True)


def _named(id: str, ids: Mapping[str, str]) -> str:
    return "" if id.startswith(NEW) and id not in ids else ids.get(id, id)


def _revise(
    writing: Writing,
    journal: Store,
    held: Iterable[Statement],
    wanted: Iterable[Statement],
    vectors: Mapping[bytes, bytes] = {},  # never changed
    *,
    all_of: bool = False,
) -> list[Statement]:
    """Write the next versions of those statements that differ; return them, or all."""
    known = {one.id: one for one in held}
    done: list[Statement] = []
    for one in wanted:
        if known[one.id] == one:
            done += [one] if all_of else []
            continue
        revised = writing.revise(one, vector=_vector(journal, one, vectors, known[one.id]))
        assert isinstance(revised, Statement)
        done.append(revised)
    return done


def _vector(
    journal: Store, one: Statement, vectors: Mapping[bytes, bytes], held: Statement | None = None
) -> bytes | None:
    """Return the vector of a statement: what was encoded, or what the journal has of the same text."""
    found = vectors.get(content_hash(one.text))
    if found is not None:
        return found
    if held is not None and held.text == one.text:
        seq = journal.seq_of(held)
        return journal.vectors([seq]).get(seq)
    return journal.encodings([content_hash(one.text)]).get(content_hash(one.text))


def _kept_as(one: Statement, stored: Sequence[Statement]) -> Statement:
    """Return the record that a new statement became."""
    own = [
        other
        for other in stored
        if other.slot == one.slot and other.polarity == one.polarity and _is_same_value(other, one)
    ]
    with_turns = [other for other in own if set(one.sources) <= set(other.sources)]
    exact = [other for other in with_turns if other.said_at == one.said_at]
    return (exact or with_turns or own)[-1]


def _is_same_value(one: Statement, other: Statement) -> bool:
    """Return whether two statements of a slot give the same value."""
    return value_key(one.value) == value_key(other.value)
