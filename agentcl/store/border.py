"""The border that an export passes: each line is read, and checked as if a verb had been asked to store it.

What passes could have been written here. A file that holds anything else is refused whole.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from agentcl.errors import InvalidInput, StoreCorrupt, TransferError
from agentcl.store.checks import (
    MAX_LABEL,
    canonical_json,
    check_label,
    check_metadata,
    check_scope,
    check_unicode,
)
from agentcl.store.families import check_families
from agentcl.store.records import KINDS, Record, Scope
from agentcl.store.rows import (
    FIRST_MOMENT,
    LAST_MOMENT,
    MOST_DIMENSIONS,
    EncoderSpec,
    Row,
    content_hash,
    fields_of,
)
from agentcl.store.ulid import is_ulid
from agentcl.store.vectors import pack, unpack
from agentcl.text.json_values import fault_of_line
from agentcl.text.parsing import parsed_json

FORMAT: Final = 1
COUNTS: Final = ("uses", "wins", "losses", "repeats")
Coming = tuple[
    Row, bytes | None, bool
]  # a row of another memory, its vector, and whether it was given
_MOST_VERSIONS: Final = 1_000_000  # of one record
_MOST_COUNTED: Final = 1 << 40
_MOST_KEY: Final = 4 * MAX_LABEL  # a lesson's key holds an application and what it says
_ROW_FIELDS: Final = frozenset(
    [
        "id",
        "version",
        "op",
        "kind",
        "scope",
        "created_at",
        "valid_from",
        "valid_to",
        "key",
        "sources",
        "body",
        "metadata",
        "content_hash",
        "checksum",
        "vector",
        "given",
    ]
)


@dataclass(slots=True)
class Export:
    """What an export holds."""

    rows: list[Coming] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # that each row stands on
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    spec: EncoderSpec | None = None


def read(lines: Iterable[str], *, check: Callable[[Record], None] = lambda record: None) -> Export:
    """Return what an export holds.

    Args:
        lines: of the export.
        check: raises InvalidInput for a record that no verb would store.

    Raises:
        TransferError: naming the first line that is damaged, missing, or could not have been written.
    """
    export = Export()
    digest = hashlib.blake2b(digest_size=16)
    is_complete = False
    for number, text in enumerate(lines, start=1):
        try:
            value = parsed_json(text, parse_constant=_refuse_constant)
            if not isinstance(value, dict):
                raise InvalidInput(f"it is a {type(value).__name__}, and no object")
            if number == 1:
                export.spec = _header(value)
            elif is_complete:
                raise InvalidInput("it follows the last line")
            elif "end" in value:
                count = len(export.rows) + len(export.counters)
                if value.get("digest") != digest.hexdigest() or value["end"] != count:
                    raise InvalidInput("the digest does not match the lines before it")
                is_complete = True
            elif "counter" in value:
                id, counts = _counter(value)
                export.counters[id] = counts
            else:
                export.rows.append(_coming(value, export.spec, check))
                export.lines.append(number)
        except (ValueError, KeyError, TypeError, RecursionError, StoreCorrupt) as error:
            told = f"it has no {error}" if isinstance(error, KeyError) else fault_of_line(error)
            raise TransferError(
                f"line {number} is not part of an agentcl export: {told}; nothing was imported. "
                "What another program wrote goes in by `agentcl add` or `agentcl remember`"
            ) from error
        digest.update(text.encode())
    if not is_complete:
        raise TransferError(
            "the export is cut short: its last line is missing; nothing was imported"
        )
    check_families(export.rows, export.lines)
    strange = export.counters.keys() - {row.id for row, _, _ in export.rows if row.op == "put"}
    if strange:
        raise TransferError(
            f"the export counts uses of {min(strange)}, which it does not hold; nothing was imported"
        )
    return export


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidInput(f"it holds {name}, which is no number")


def _header(value: Mapping[str, Any]) -> EncoderSpec | None:
    if value["agentcl_export"] != FORMAT or type(value["agentcl_export"]) is not int:
        raise TransferError(
            f"this export has format {value['agentcl_export']!r}; this agentcl reads {FORMAT}"
        )
    encoder = value["encoder"]
    if encoder is None:
        return None
    if not isinstance(encoder, dict) or encoder.keys() != {"name", "dim"}:
        raise InvalidInput("its encoder has a name and a dim, and nothing else")
    name, dim = check_label(encoder["name"], "the encoder's name"), encoder["dim"]
    return EncoderSpec(name, _whole(dim, "the encoder's dim", 1, MOST_DIMENSIONS))


def _counter(value: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
    # "repeats" came later; an export of before has none.
    counts = {name: value[name] if name != "repeats" else value.get(name, 0) for name in COUNTS}
    for name, count in counts.items():
        _whole(count, name, 0, _MOST_COUNTED)
    return _id(value["counter"], "a counter's id"), counts


def _coming(
    value: Mapping[str, Any], spec: EncoderSpec | None, check: Callable[[Record], None]
) -> Coming:
    if value.keys() - _ROW_FIELDS:
        raise InvalidInput(f"it has an unknown field {min(value.keys() - _ROW_FIELDS)!r}")
    row = _row(value)
    if row.digest() != row.checksum:
        raise InvalidInput("its checksum does not match its content")
    given = value["given"]
    if type(given) is not bool:
        raise InvalidInput("given must be true or false")
    if row.op != "put":
        _check_mark(row, value)
        return row, None, False
    if row.tenant is None:
        raise InvalidInput("it belongs to nobody")
    record = row.record()
    check_metadata(record.metadata)
    text = record.search_text()
    if row.content_hash != (None if text is None else content_hash(text)):
        raise InvalidInput("its content_hash is not that of its text")
    check(record)
    return row, _vector(value["vector"], spec, is_searched=text is not None), given


def _row(value: Mapping[str, Any]) -> Row:
    op, kind, key = value["op"], value["kind"], value["key"]
    if op not in ("put", "delete", "erase"):
        raise InvalidInput(f"its op is {op!r}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidInput(f"its kind {kind!r} is unknown; known: {', '.join(sorted(KINDS))}")
    if key is not None and (len(check_unicode(key, "its key")) > _MOST_KEY or "\0" in key):
        raise InvalidInput("its key is too long, or holds a NUL character")
    owner, hash = value["scope"], value["content_hash"]
    nobody = (None, None, None, None)
    tenant, user, agent, session = nobody if owner is None else fields_of(_scope(owner))
    valid_from, valid_to = _validity(value["valid_from"], value["valid_to"])
    return Row(
        0,
        _id(value["id"], "its id"),
        _whole(value["version"], "its version", 1, _MOST_VERSIONS),
        op,
        kind,
        tenant,
        user,
        agent,
        session,
        _whole(value["created_at"], "its created_at", 0, LAST_MOMENT),
        valid_from,
        valid_to,
        key,
        canonical_json(_sources(value["sources"])),
        canonical_json(_object(value["body"], "its body")),
        canonical_json(_object(value["metadata"], "its metadata")),
        None if hash is None else bytes.fromhex(hash),
        bytes.fromhex(value["checksum"]),
    )


def _check_mark(row: Row, value: Mapping[str, Any]) -> None:
    """Refuse a deletion or an erasure that says more than that."""
    nothing = (row.valid_from, row.valid_to, row.key, row.content_hash, value["vector"])
    if any(one is not None for one in nothing) or (row.sources, row.body) != ("[]", "{}"):
        raise InvalidInput(f"a row that says {row.op!r} holds nothing else")
    if (row.op == "erase") is not (row.tenant is None):
        raise InvalidInput("a deletion belongs to a scope, and an erasure to nobody")
    metadata = value["metadata"]
    by = metadata.get("superseded_by", "")
    if metadata and (row.op == "erase" or metadata.keys() != {"superseded_by"}):
        raise InvalidInput("the metadata of a deletion says what took its place, and nothing else")
    if by != "":
        _id(by, "superseded_by")


def _vector(value: object, spec: EncoderSpec | None, *, is_searched: bool) -> bytes | None:
    if value is None:
        return None
    if spec is None or not is_searched or not isinstance(value, str):
        raise InvalidInput("it has a vector, and there can be none")
    return pack(unpack(base64.b64decode(value, validate=True)), dim=spec.dim)


def _id(value: object, what: str) -> str:
    if not isinstance(value, str) or not is_ulid(value):
        raise InvalidInput(f"{what} is {repr(value)[:60]}, and no ULID")
    return value


def _whole(value: object, what: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise InvalidInput(f"{what} is {repr(value)[:60]}, and no number from {least} to {most}")
    return value


def _validity(valid_from: object, valid_to: object) -> tuple[int | None, int | None]:
    begin, end = (
        None if one is None else _whole(one, "a time of validity", FIRST_MOMENT, LAST_MOMENT)
        for one in (valid_from, valid_to)
    )
    if begin is not None and end is not None and end <= begin:
        raise InvalidInput("its valid_to is not after its valid_from")
    return begin, end


def _scope(owner: object) -> Scope:
    """Return a scope, each of its fields there: one that is null would be everybody's."""
    if not isinstance(owner, dict):
        raise InvalidInput("its scope is no object")
    return check_scope({name: value for name, value in owner.items() if value != ""})  # type: ignore[arg-type]  # it is checked there


def _sources(value: object) -> list[str]:
    if not isinstance(value, list):
        raise InvalidInput("its sources are no list")
    return [_id(one, "a source") for one in value]


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is no object")
    return value
