"""Moving a memory: lossless export and import as JSON lines.

The first line of an export is a header, then come the journal's rows in order, counters, and a last
line with their number and a digest of everything before, so that a file cut short is noticed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Final

from agentcl.errors import InvalidInput, StoreCorrupt, TransferError
from agentcl.store.base import Store
from agentcl.store.checks import canonical_json, check_scope, check_unicode
from agentcl.store.merging import Conflict, Merge
from agentcl.store.records import KINDS, ScopeView
from agentcl.store.rescoping import rescope
from agentcl.store.rows import Counters, EncoderSpec, Row, fields_of
from agentcl.text.visible import for_json

FORMAT: Final = 1
_COUNTS: Final = ("uses", "wins", "losses", "repeats")
_EVERYTHING: Final = ScopeView(None, None, None, None)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    added: int = 0  # rows that were new here
    present: int = 0  # rows that were here already
    forgotten: int = 0  # rows left out because their record was forgotten here
    erased: int = 0  # records forgotten here because they were forgotten there
    same: int = 0  # records that say what another one of their key says, which is kept
    conflicts: tuple[Conflict, ...] = ()  # what said different things under one key


def export(store: Store, *, view: ScopeView = _EVERYTHING, salvage: bool = False) -> Iterator[str]:
    """Yield the lines of an export, each with its line end.

    Args:
        store: what to export; writes made meanwhile are left out.
        view: whose records. Traces of erased records belong to nobody: only a full export has them.
        salvage: leave out rows that cannot be read instead of raising StoreCorrupt.
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
    for row in _readable(store) if salvage else store.since(0):
        if view != _EVERYTHING and (row.tenant is None or not view.sees(row.scope)):
            continue
        if not salvage and row.digest() != row.checksum:
            row.record()  # raises with the words for this damage
        try:
            vector = store.given_vectors([row.seq]).get(row.seq)
        except StoreCorrupt:
            if not salvage:
                raise
            vector = None
        yield line(_row_line(row, vector))
        exported[row.id] = None
        count += 1
    for id in exported:
        counters = store.counters(id)
        counts = {name: getattr(counters, name) for name in _COUNTS}
        if any(counts.values()):
            yield line({"counter": id, **counts})
            count += 1
    yield canonical_json({"end": count, "digest": digest.hexdigest()}) + "\n"


def import_(
    store: Store,
    lines: Iterable[str],
    *,
    into: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Imported:
    """Merge the rows of an export into a store; see `agentcl.store.merging`.

    Ids, times and vectors stay as they were. A record that was forgotten here stays forgotten, and one that
    was forgotten there is forgotten here.

    Args:
        store: where to.
        lines: of the export.
        into: fields of scopes, and what they become; the others stay.
        dry_run: change nothing, and return what would be done.

    Raises:
        TransferError: if a line is damaged or missing; nothing is imported then.
        EncoderMismatch: if the vectors were made by another encoder than this journal's.
    """
    rows, counters, spec = _parse(lines)
    if into:
        rows, ids = rescope(rows, into)
        counters = {ids.get(id, id): counts for id, counts in counters.items()}
    try:
        with store.writing() as writing:
            if spec is not None and any(vector is not None for _, vector, _ in rows):
                writing.claim_encoder(spec)
            done = Merge(store, writing, rows).run()
            newest = max((row.created_at for row, _, _ in rows), default=0)
            writing.set_meta("clock", str(max(writing.now, newest)))
            for id, counts in counters.items():
                if id not in done.lost and store.counters(id) == Counters():
                    writing.credit(id, **counts)
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    if done.erased and not dry_run:
        store.erase(done.erased, view=_EVERYTHING)
        store.finish_erasure()
    return Imported(
        done.added,
        done.present,
        done.forgotten,
        len(done.erased),
        done.same,
        tuple(done.conflicts),
    )


class _DryRunError(Exception):
    """Undoes what an import wrote."""


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


def _parse_row(value: dict[str, Any]) -> tuple[Row, bytes | None, bool]:
    owner = value["scope"]
    nobody = (None, None, None, None)
    tenant, user, agent, session = nobody if owner is None else _fields_of(owner)
    row = Row(
        0,
        check_unicode(value["id"], "id"),
        value["version"],
        value["op"],
        value["kind"],
        tenant,
        user,
        agent,
        session,
        value["created_at"],
        value["valid_from"],
        value["valid_to"],
        value["key"],
        canonical_json(value["sources"]),
        canonical_json(value["body"]),
        canonical_json(value["metadata"]),
        None if value["content_hash"] is None else bytes.fromhex(value["content_hash"]),
        bytes.fromhex(value["checksum"]),
    )
    if row.digest() != row.checksum:
        raise ValueError("its checksum does not match its content")
    if row.op == "put" and row.kind not in KINDS:
        raise ValueError(f"its kind {row.kind!r} is unknown; known: {', '.join(sorted(KINDS))}")
    vector = value["vector"]
    packed = None if vector is None else base64.b64decode(vector, validate=True)
    return row, packed, bool(value["given"])


def _fields_of(owner: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return the fields of a scope, each of them there: one that is null would be everybody's."""
    scope = check_scope({name: value for name, value in owner.items() if value != ""})  # type: ignore[arg-type]  # it is checked there
    return fields_of(scope)


_Parsed = tuple[list[tuple[Row, bytes | None, bool]], dict[str, dict[str, int]], EncoderSpec | None]


def _parse(lines: Iterable[str]) -> _Parsed:
    digest = hashlib.blake2b(digest_size=16)
    rows: list[tuple[Row, bytes | None, bool]] = []
    counters: dict[str, dict[str, int]] = {}
    spec: EncoderSpec | None = None
    is_complete = False
    for number, text in enumerate(lines, start=1):
        try:
            value = json.loads(text)
            if number == 1:
                if value["agentcl_export"] != FORMAT:
                    raise TransferError(
                        f"this export has format {value['agentcl_export']}; this agentcl reads {FORMAT}"
                    )
                spec = None if value["encoder"] is None else EncoderSpec(**value["encoder"])
            elif is_complete:
                raise ValueError("it follows the last line")
            elif "end" in value:
                if value["digest"] != digest.hexdigest() or value["end"] != len(rows) + len(
                    counters
                ):
                    raise ValueError("the digest does not match the lines before it")
                is_complete = True
            elif "counter" in value:
                # "repeats" came later; an export of before has none.
                counters[value["counter"]] = {
                    name: value[name] if name != "repeats" else value.get(name, 0)
                    for name in _COUNTS
                }
            else:
                rows.append(_parse_row(value))
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            binascii.Error,
            InvalidInput,
        ) as error:
            raise TransferError(
                f"line {number} is not part of an agentcl export: {error!s}; nothing was imported"
            ) from error
        digest.update(text.encode())
    if not is_complete:
        raise TransferError(
            "the export is cut short: its last line is missing; nothing was imported"
        )
    return rows, counters, spec


def _readable(store: Store) -> Iterator[Row]:
    """Yield every row that can still be read from a damaged file, one by one."""
    for seq in range(1, store.last_seq() + 1):
        try:
            for row in store.rows([seq]).values():
                if row.digest() == row.checksum:
                    yield row
        except StoreCorrupt:
            continue
