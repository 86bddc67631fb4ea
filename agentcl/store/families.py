"""What the rows of one export must be to each other: versions of one record, and pieces of one text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NoReturn

from agentcl.errors import TransferError
from agentcl.store.conversations import told_of
from agentcl.store.rows import Row, superseded_by

# By kind of what cannot be without it, the kinds of the record that it was made from.
PARENTS: Final[Mapping[str, Sequence[str]]] = {
    "passage": ("document", "turn"),
    "turn": ("conversation",),
    "fact": ("passage",),
    "extraction": ("passage",),
    "compression": ("passage",),
    "step": ("episode",),
}


# By kind of what says where it comes from, the kinds of these; a statement that was added by hand comes from none.
_SAID_BY: Final[Mapping[str, Sequence[str]]] = {
    "statement": ("turn", "statement"),
    "proposal": ("turn",),
    "digestion": ("conversation",),
    "synopsis": ("conversation", "turn", "statement"),
}


def check_families(rows: Sequence[tuple[Row, object, object]], lines: Sequence[int]) -> None:
    """Refuse rows that no memory can hold together.

    - The versions of a record rise, and all are of one kind and scope. What was erased has nothing left.
    - A piece has its whole in the same scope.
    - A live passage says what stands there in a version of its document, and overlaps no other one.
    - What took another record's place is of its kind and scope. Nothing is derived from another tenant's.

    Raises:
        TransferError: naming the first line where that is not so.
    """
    versions: dict[str, list[Row]] = {}
    line_of: dict[str, int] = {}
    for (row, _, _), line in zip(rows, lines, strict=True):
        held = versions.setdefault(row.id, [])
        if held and not _follows(row, held[-1]):
            _refuse(line, f"it does not follow the versions of {row.id} before it")
        held.append(row)
        line_of[row.id] = line
    for id, held in versions.items():
        for row in held:
            if wrong := _misplaced(row, versions):
                _refuse(line_of[id], wrong)
    _check_passages(versions, line_of)
    _check_told(versions, line_of)


def _follows(row: Row, before: Row) -> bool:
    return (
        row.version > before.version
        and row[4:9] == before[4:9]
        and "erase" not in (row.op, before.op)
    )


def _misplaced(row: Row, versions: Mapping[str, Sequence[Row]]) -> str:
    """Return in words why a row cannot stand beside the others; empty if it can."""
    by = superseded_by(row)
    if by and by in versions and versions[by][0][4:9] != row[4:9] and versions[by][0].op != "erase":
        return f"{by} cannot have taken the place of {row.id}: it is of another kind or scope"
    if row.op != "put":
        return ""
    sources = json.loads(row.sources)
    for source in sources:
        held = versions.get(source)
        if held and held[0].op != "erase" and held[0].tenant != row.tenant:
            return f"{row.id} is derived from {source}, which belongs to another tenant"
    for source in sources if row.kind in _SAID_BY else ():
        held = versions.get(source)
        is_gone = held is not None and held[0].op == "erase"
        if not is_gone and not (held and _is_of(row, held[0], _SAID_BY[row.kind])):
            kinds = " or ".join(_SAID_BY[row.kind])
            return f"the {row.kind} {row.id} comes from {source}, which is no {kinds} of its scope in the export"
    if row.kind in PARENTS:
        (source,) = sources
        held = versions.get(source)
        if not (held and _is_of(row, held[0], PARENTS[row.kind])):
            kinds = " or ".join(PARENTS[row.kind])
            return f"the {row.kind} {row.id} has no {kinds} of its scope in the export"
    return ""


def _is_of(row: Row, source: Row, kinds: Sequence[str]) -> bool:
    return source.kind in kinds and source[5:9] == row[5:9]


def _check_passages(versions: Mapping[str, Sequence[Row]], line_of: Mapping[str, int]) -> None:
    texts: dict[str, list[str]] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    for id, held in versions.items():
        row = held[-1]
        if row.kind != "passage" or row.op != "put":
            continue
        (source,), own = json.loads(row.sources), json.loads(row.body)
        if source not in texts:
            puts = (one for one in versions[source] if one.op == "put")
            texts[source] = [json.loads(one.body)["text"] for one in puts]
        start, end = own.get("start", 0), own.get("end", 0)
        if not 0 <= start <= end or own["text"] not in (t[start:end] for t in texts[source]):
            _refuse(line_of[id], f"the passage {id} is not what its document says there")
        spans.setdefault(source, []).append((start, end))
    for source, own_spans in spans.items():
        if overlap(own_spans):
            _refuse(line_of[source], f"passages of document {source} overlap")


def _check_told(versions: Mapping[str, Sequence[Row]], line_of: Mapping[str, int]) -> None:
    """Refuse a passage that tells another speaker, time or place than its turn."""
    for id, held in versions.items():
        row = held[-1]
        if row.kind != "passage" or row.op != "put":
            continue
        turn = versions[json.loads(row.sources)[0]][-1]
        if turn.kind != "turn" or turn.op != "put":
            continue
        (conversation,) = json.loads(turn.sources)
        keys = {one.key or "" for one in versions[conversation] if one.op == "put"}
        own, told, title = json.loads(turn.body), json.loads(row.metadata), json.loads(row.body)
        wanted = [told_of(own, turn.metadata, key) for key in keys]
        if told not in wanted or title.get("title", "") != own.get("name", ""):
            _refuse(line_of[id], f"the passage {id} tells something else than its turn")


def overlap(spans: Sequence[tuple[int, int]]) -> bool:
    """Return whether two of several spans have a character in common."""
    ordered = sorted(spans)
    return any(after[0] < before[1] for before, after in pairwise(ordered))


def _refuse(line: int, what: str) -> NoReturn:
    raise TransferError(f"line {line} does not fit the others: {what}; nothing was imported")
