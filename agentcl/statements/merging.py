"""What is said in several wordings taken for one: what holds, and ever held, stays what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from agentcl.statements.currency import Span, in_one_wording, settle
from agentcl.statements.joining import settled
from agentcl.statements.slots import value_key
from agentcl.store.conversations import Statement


def merged(group: Sequence[Statement], same: Mapping[str, str]) -> list[Statement]:
    """Return the statements of one slot with notes of which say the same, each as it is to be stored.

    One that says again what another one says stays, in its own words, and names that one as what replaced it. Nothing is
    changed where what holds at any moment would be something else than before, but for its words.

    Args:
        group: all statements of the slot, as they are stored.
        same: by the id of a statement that of the one whose value it gives in other words.
    """
    new = [replace(one, same_as=same.get(one.id, one.same_as)) for one in group]
    spans = settle(new)
    keys = {one.id: value_key(one.value) for one in in_one_wording(new)}
    if not _is_as_before(group, new, spans, keys):
        return list(group)
    return [settled(one, spans[one.id]) for one in new]


def parted(group: Sequence[Statement], before: Mapping[str, tuple[str, str]]) -> list[Statement]:
    """Return the statements of one slot as they are without a merging; what was done since stays done.

    Args:
        group: all statements of the slot, as they are stored.
        before: by id, what the merging noted as the same, and what was noted before it.
    """
    new = []
    for one in group:
        noted, was = before.get(one.id, ("", ""))
        new.append(replace(one, same_as=was) if noted and one.same_as == noted else one)
    spans = settle(new)
    return [settled(one, spans[one.id]) for one in new]


def _is_as_before(
    group: Sequence[Statement],
    new: Sequence[Statement],
    spans: Mapping[str, Span],
    keys: Mapping[str, str],
) -> bool:
    """Return whether at each moment the same holds, in other words."""
    before = [
        (Span(one.valid_from, one.valid_to), keys[one.id])
        for one in group
        if one.polarity == "holds"
    ]
    after = [(spans[one.id], keys[one.id]) for one in new if one.polarity == "holds"]
    edges = {edge for span, _ in (*before, *after) for edge in (span.valid_from, span.valid_to)}
    moments: list[datetime | None] = [None, *(one for one in edges if one is not None)]
    return all(_held(before, at) == _held(after, at) for at in moments)


def _held(lines: Sequence[tuple[Span, str]], at: datetime | None) -> set[str]:
    """Return what holds at a moment; None: before all others."""
    if at is None:
        return {key for span, key in lines if span.valid_from is None}
    return {key for span, key in lines if span.covers(at)}
