"""Moving a memory: lossless export and import as JSON lines.

The first line of an export is a header, then come the journal's rows in order, counters, and a last
line with their number and a digest of everything before, so that a file cut short is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, BinaryIO, Final, TypeVar

from agentcl.errors import EncoderMismatch, StoreCorrupt, TransferError
from agentcl.store import border
from agentcl.store.aside import Admission
from agentcl.store.base import Store
from agentcl.store.border import COUNTS, FORMAT
from agentcl.store.checks import canonical_json
from agentcl.store.merging import Conflict, Merge
from agentcl.store.records import OWN_KINDS, Record, ScopeView, from_micros, now_micros
from agentcl.store.rescoping import rescope
from agentcl.store.rows import Counters, EncoderSpec, Row, readable
from agentcl.text.visible import for_json

_EVERYTHING: Final = ScopeView(None, None, None, None)
T = TypeVar("T")
_AT_ONCE: Final = 256  # rows whose vectors, and records whose counters, are asked for together
_STEP: Final = 200  # rows read one by one around what is destroyed
_MOST_EMPTY: Final = 50_000  # numbers without a row, after which no more is looked for
# Microseconds that the clock of another machine may be ahead of ours
_AHEAD: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Grants:
    """What an import may do besides adding what is new."""

    evidence: bool = False  # of lessons counts, as if it had been gained here
    erasures: bool = False  # what was forgotten there is forgotten here
    rollbacks: bool = False  # spans of time that were taken back there are taken back here


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    added: int = 0  # rows that were new here
    present: int = 0  # rows that were here already
    forgotten: int = 0  # rows left out because their record was forgotten here
    erased: int = 0  # records forgotten here because they were forgotten there
    same: int = 0  # records that say what another one of their key says, which is kept
    conflicts: tuple[Conflict, ...] = ()  # what said different things under one key
    aside: int = 0  # lessons, episodes, reflections and decisions whose evidence does not count
    left_out: int = (
        0  # rows that would have changed what counts here, or for which a flag was missing
    )


def export(store: Store, *, view: ScopeView = _EVERYTHING, salvage: bool = False) -> Iterator[str]:
    """Yield the lines of an export, each with its line end.

    Args:
        store: what to export; writes made meanwhile are left out.
        view: whose records. Traces of erased records belong to nobody: only a full export has them.
        salvage: leave out rows that cannot be read, and what was derived from them alone, instead of raising
            StoreCorrupt.
    """
    digest = hashlib.blake2b(digest_size=16)
    count = 0

    def line(value: dict[str, Any]) -> str:
        text = for_json(canonical_json(value)) + "\n"
        digest.update(text.encode())
        return text

    spec = store.encoder()
    yield line({"agentcl_export": FORMAT, "encoder": None if spec is None else asdict(spec)})
    exported: dict[str, None] = {}
    for row, vector in _with_vectors(store, _wanted(store, view, salvage=salvage), salvage=salvage):
        try:
            value = _row_line(row, vector)
        except (ValueError, RecursionError):
            if not salvage:
                raise StoreCorrupt(row.unreadable("its JSON cannot be read")) from None
            continue
        yield line(value)
        exported[row.id] = None
        count += 1
    for some in _parts(exported):
        counted = store.counters_of(some)
        for id in some:
            counts = {name: getattr(counted.get(id, Counters()), name) for name in COUNTS}
            if any(counts.values()):
                yield line({"counter": id, **counts})
                count += 1
    yield canonical_json({"end": count, "digest": digest.hexdigest()}) + "\n"


def _wanted(store: Store, view: ScopeView, *, salvage: bool) -> Iterator[Row]:
    """Yield the rows of a view that are exported."""
    for row in _readable(store) if salvage else store.since(0):
        if view != _EVERYTHING and (row.tenant is None or not view.sees(row.scope)):
            continue
        if row.kind in OWN_KINDS:
            continue
        if not salvage:
            row.check()
        yield row


def _with_vectors(
    store: Store, rows: Iterable[Row], *, salvage: bool
) -> Iterator[tuple[Row, tuple[bytes, bool] | None]]:
    """Yield rows with their vectors, asked for many at once: each question to a database goes there and back."""
    for some in _parts(rows):
        found: dict[int, tuple[bytes, bool]] = {}
        try:
            found = store.given_vectors([row.seq for row in some])
        except StoreCorrupt:
            if not salvage:
                raise
            for row in some:
                with suppress(StoreCorrupt):
                    found |= store.given_vectors([row.seq])
        yield from ((row, found.get(row.seq)) for row in some)


def _parts(several: Iterable[T]) -> Iterator[list[T]]:
    left = iter(several)
    while some := list(islice(left, _AT_ONCE)):
        yield some


def import_(
    store: Store,
    lines: Iterable[str],
    *,
    view: ScopeView = _EVERYTHING,
    into: Mapping[str, str] | None = None,
    grants: Grants = Grants(),  # it is frozen
    check: Callable[[Record], None] = lambda record: None,
    encoder: str = "",
    dry_run: bool = False,
) -> Imported:
    """Merge the rows of an export into a store; see `agentcl.store.merging`.

    Ids, times and vectors stay as they were. A record that was forgotten here stays forgotten.

    If records were forgotten here (`Imported.erased`), `store.finish_erasure` is to be called.

    Args:
        store: where to.
        lines: of the export.
        view: where all of it must belong.
        into: fields of scopes, and what they become; the others stay.
        grants: what it may do.
        check: raises InvalidInput for a record that no verb would store.
        encoder: whose vectors it must have; default: the first vectors decide.
        dry_run: change nothing, and return what would be done.

    Raises:
        TransferError: if a line is damaged or missing, or says what no memory holds, or what this one must
            not take; nothing is imported then.
        EncoderMismatch: if the vectors were made by another encoder than this journal's; nothing is imported then.
    """
    read = border.read(lines, check=check)
    _check_scopes(read, view, into or {})
    rows, counters = read.rows, read.counters
    if into:
        rows, ids = rescope(rows, into)
        counters = {ids.get(id, id): counts for id, counts in counters.items()}
    try:
        with store.writing() as writing:
            _check_times(read, max(writing.now, now_micros()) + _AHEAD)
            admission = Admission(
                store, rows, view=view, evidence=grants.evidence, erasures=grants.erasures,
                rollbacks=grants.rollbacks,
            )  # fmt: skip
            rows = admission.rows
            if read.spec is not None and any(vector is not None for _, vector, _ in rows):
                _check_encoder(read.spec, store, encoder)
                writing.claim_encoder(read.spec)
            admission.note(writing)
            is_foreign = not grants.evidence
            done = Merge(store, writing, rows, below=admission.below, is_foreign=is_foreign).run()
            admission.check_pieces()
            newest = max((row.created_at for row, _, _ in rows), default=0)
            writing.set_meta("clock", str(max(writing.now, newest)))
            for id, counts in counters.items():
                is_counted = grants.evidence or admission.is_new(id)
                if is_counted and id not in done.lost and store.counters(id) == Counters():
                    writing.credit(id, **counts)
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    if done.erased and not dry_run:
        store.erase(done.erased, view=view)
    return Imported(
        done.added,
        done.present + admission.present,
        done.forgotten,
        len(done.erased),
        done.same,
        tuple(done.conflicts),
        len(admission.aside),
        admission.left_out,
    )


class _DryRunError(Exception):
    """Undoes what an import wrote."""


def _check_encoder(theirs: EncoderSpec, store: Store, named: str) -> None:
    """Refuse vectors of another encoder, and say how the export comes in with vectors made anew."""
    held = store.encoder()
    ours = named or theirs.name if held is None else held.name
    if held not in (None, theirs) or ours != theirs.name:
        raise EncoderMismatch(
            f"the export has vectors of {theirs}, and this memory those of {held or ours}; nothing was imported. "
            "To bring it here with vectors made anew, import it into a new folder, embed that anew, and import what "
            f"that exports: agentcl import EXPORT --path NEW --encoder {theirs.name}; agentcl reembed --path NEW "
            f"--encoder {ours}; agentcl export ANEW.jsonl --path NEW; agentcl import ANEW.jsonl"
        )


def _check_scopes(read: border.Export, view: ScopeView, into: Mapping[str, str]) -> None:
    """Refuse rows that belong to others than the caller named."""
    for (row, _, _), line in zip(read.rows, read.lines, strict=True):
        if row.tenant is not None and not view.sees(replace(row.scope, **into)):
            raise TransferError(
                f"line {line} holds a record of {row.scope}, which is not below the scope that was named; "
                "nothing was imported. Bring it there with --into user=NAME (into={'user': NAME}), or name no scope"
            )


def _check_times(read: border.Export, latest: int) -> None:
    """Refuse what was written in the future: this memory's clock would go on from there."""
    for (row, _, _), line in zip(read.rows, read.lines, strict=True):
        if row.created_at > latest:
            raise TransferError(
                f"line {line} was recorded at {from_micros(row.created_at).isoformat()}, which is still to "
                "come; nothing was imported. Set the clock of this machine, if it is slow"
            )


def write_export(lines: Iterable[str], file: BinaryIO) -> int:
    """Write an export's lines to a file; return how many rows it has."""
    count = -2  # the header and the last line are no rows
    for text in lines:
        file.write(text.encode())
        count += 1
    return count


def _row_line(row: Row, vector: tuple[bytes, bool] | None) -> dict[str, Any]:
    scope = None if row.tenant is None else asdict(row.scope)
    return {
        "id": row.id,
        "version": row.version,
        "op": row.op,
        "kind": row.kind,
        "scope": scope,
        "created_at": row.created_at,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "key": row.key,
        "sources": json.loads(row.sources),
        "body": json.loads(row.body),
        "metadata": json.loads(row.metadata),
        "content_hash": None if row.content_hash is None else row.content_hash.hex(),
        "checksum": row.checksum.hex(),
        "vector": None if vector is None else base64.b64encode(vector[0]).decode(),
        "given": vector is not None and vector[1],
    }


def _readable(store: Store) -> Iterator[Row]:
    """Yield every row that can still be read from a damaged file, if all that it comes from can."""
    whole: set[str] = set()
    for row in _around_damage(store):
        if row.op != "put":
            if row.is_sound:
                yield row
            continue
        for record in readable([row]):
            if whole.issuperset(record.sources):
                whole.add(row.id)
                yield row


def _around_damage(store: Store) -> Iterator[Row]:
    """Yield rows in their order: where a part of the file is destroyed, number by number."""
    at, empty = 0, 0
    while empty < _MOST_EMPTY:
        try:
            for row in store.since(at):
                at, empty = row.seq, 0
                yield row
        except StoreCorrupt:
            pass
        else:
            return
        for _ in range(_STEP):
            at, empty = at + 1, empty + 1
            try:
                yield from store.rows([at]).values()
            except StoreCorrupt:
                continue
