"""Examining a memory: settings and their origins, and every invariant of the folder."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agentcl.errors import AgentclError, MissingExtra, StoreCorrupt
from agentcl.memory.adapters.files import SHARDS, check_files
from agentcl.memory.adapters.revoking import clean_shards
from agentcl.memory.compressed.compressing import place_of
from agentcl.memory.compressed.room import Compressed
from agentcl.memory.facts.room import Facts
from agentcl.memory.opened import ADAPTERS, Opened
from agentcl.memory.settings import Setting
from agentcl.memory.statements import writing as statement_writing
from agentcl.retrieval.folders import strangers
from agentcl.retrieval.states import IndexState
from agentcl.store.adapters import Adapter
from agentcl.store.conversations import Turn
from agentcl.store.families import PARENTS
from agentcl.store.records import ANY, Compression, Document, Extraction, Passage, ScopeView
from agentcl.store.rows import Row, readable
from agentcl.store.vectors import dimension

logger = logging.getLogger(__name__)
_EVERYONE = ScopeView(None, None, None, None)
_VECTORS = 1_000  # checked at a time
_LOOKS = 3
_ERRORS_SHOWN = 5  # kinds of failure named for each extractor


@dataclass(frozen=True, slots=True)
class Problem:
    """One invariant that does not hold."""

    check: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the doctor found."""

    settings: tuple[Setting, ...]
    checks: tuple[str, ...]  # what was checked, in order
    rows: int  # rows of the journal that were read
    indexes: tuple[IndexState, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()  # no faults of the folder: e.g. passages that no model could read

    @property
    def is_healthy(self) -> bool:
        """Whether every invariant holds."""
        return not self.problems


def examine(opened: Opened) -> Report:
    """Check a memory's folder from end to end; it reads everything and changes no record.

    An erasure that was cut off is finished, and indexes catch up, as on any use.
    """
    checks = {
        "the database file is sound": _file,
        "every row matches its checksum": _checksums,
        "versions follow each other": _versions,
        "provenance leads to records": _provenance,
        "documents and turns are the sum of their passages": _passages,
        "turns belong to conversations": _turns,
        "facts are stated by passages": _facts,
        "what holds follows from what was said": _statements,
        "every searchable row has a sound vector": _vectors,
        "soft tokens are what was written": _compressions,
        "adapters are what was trained": _adapters,
        "natural keys are unique": _keys,
        "nothing waits to be erased": _erasure,
        "indexes hold what the journal holds": _indexes,
        "no foreign files lie in the folder": _files,
    }
    problems: list[Problem] = []
    for name, check in checks.items():
        try:
            problems.extend(Problem(name, message) for message in _found(check, opened))
        except AgentclError as error:
            problems.append(Problem(name, str(error)))
    states: tuple[IndexState, ...] = ()
    rows = 0
    try:
        rows = opened.journal.last_seq()
        states = tuple(opened.retriever.states())
    except MissingExtra as error:  # what it means is among the problems
        logger.info("%s", error)
    except AgentclError as error:
        problems.append(Problem("the memory can be read", str(error)))
    notes = [
        f"index {state.name} is {state.lag:,} rows behind; it catches up when it is asked next"
        for state in states
        if state.lag > 0
    ]
    notes += [f"index {state.name}: {note}" for state in states for note in state.notes]
    with suppress(AgentclError):  # the damage is among the problems
        notes += _extraction_notes(opened)
        notes += _compression_notes(opened)
    settings = tuple(opened.settings.values())
    return Report(settings, tuple(checks), rows, states, tuple(problems), tuple(notes))


def _found(check: Callable[[Opened], Iterator[str]], opened: Opened) -> list[str]:
    """Return what a check finds, looked at again where somebody wrote meanwhile and may be the reason."""
    for _ in range(_LOOKS):
        last = opened.journal.last_seq()
        found = list(check(opened))
        if not found or opened.journal.last_seq() == last:
            break
    return found


def _file(opened: Opened) -> Iterator[str]:
    return opened.journal.faults()


def _checksums(opened: Opened) -> Iterator[str]:
    for row in opened.journal.since(0):
        if not row.is_sound:
            yield f"record {row.id} version {row.version} does not match its checksum"
        elif row.op == "put":
            try:
                row.parts()
            except StoreCorrupt as error:
                yield str(error)


def _sound(opened: Opened) -> Iterator[Row]:
    """Yield the rows that are what was written; `_checksums` names the others."""
    return (row for row in opened.journal.since(0) if row.is_sound)


def _versions(opened: Opened) -> Iterator[str]:
    """Versions count up from 1; only erased records have lost their first ones."""
    last: dict[str, Row] = {}
    for row in _sound(opened):
        before = last.get(row.id)
        if before is None and row.version != 1 and row.op != "erase":
            yield f"record {row.id} begins with version {row.version}"
        if before is not None and row.version != before.version + 1:
            yield f"record {row.id} goes from version {before.version} to {row.version}"
        if before is not None and before.op == "erase":
            yield f"record {row.id} was written to after it was forgotten"
        # A merge may bring back what was written before the deletion, and a piece lives with its whole.
        is_whole = row.kind not in PARENTS
        is_back = is_whole and before is not None and before.op == "delete" and row.op == "put"
        if is_back and before is not None and row.created_at > before.created_at:
            yield f"record {row.id} came back after it was deleted"
        last[row.id] = row


def _provenance(opened: Opened) -> Iterator[str]:
    tenants: dict[str, str | None] = {}
    erased: set[str] = set()
    for row in _sound(opened):
        if row.op == "erase":
            erased.add(row.id)
        else:
            tenants[row.id] = row.tenant
    for row in _sound(opened):
        for source in _sources(row):
            if source in erased:
                yield f"record {row.id} is derived from {source}, which was forgotten"
            elif source not in tenants:
                yield f"record {row.id} is derived from {source}, which does not exist"
            elif tenants[source] != row.tenant:
                yield f"record {row.id} is derived from {source} of another tenant"


def _sources(row: Row) -> Sequence[str]:
    try:
        return row.parts()[0] if row.op == "put" else ()
    except StoreCorrupt:  # `_checksums` names it
        return ()


def _passages(opened: Opened) -> Iterator[str]:
    journal = opened.journal
    parts: dict[str, list[Passage]] = {}
    for passage in journal.records(Passage, view=_EVERYONE):
        parts.setdefault(passage.document_id, []).append(passage)
    for whole in readable(journal.live(view=_EVERYONE, kinds=("document", "turn"))):
        assert isinstance(whole, Document | Turn)
        own = sorted(parts.pop(whole.id, []), key=lambda passage: passage.ordinal)
        is_silent = whole.kind == "turn" and not whole.text.strip()
        if "".join(passage.text for passage in own) != whole.text and (own or not is_silent):
            yield f"the {len(own)} passages of {whole.kind} {whole.id} do not add up to its text"
        if any(passage.scope != whole.scope for passage in own):
            yield f"a passage of {whole.kind} {whole.id} is in another scope"
    for id, orphans in parts.items():
        yield f"{len(orphans)} live passages belong to {id}, which is not live"


def _turns(opened: Opened) -> Iterator[str]:
    """A turn belongs to a conversation of its scope, though that may have given way to another one."""
    kinds = {row.id: (row.kind, row.scope) for row in _sound(opened) if row.kind == "conversation"}
    for row in opened.journal.live(view=_EVERYONE, kinds=("turn",)):
        if any(kinds.get(source) != ("conversation", row.scope) for source in _sources(row)):
            yield f"turn {row.id} belongs to no conversation of its scope"


def _facts(opened: Opened) -> Iterator[str]:
    """What is derived of a passage lives in its scope, and no longer than the passage."""
    journal = opened.journal
    scopes = {row.id: row.scope for row in journal.live(view=_EVERYONE, kinds=("passage",))}
    for row in journal.live(view=_EVERYONE, kinds=("fact", "extraction", "compression")):
        sources = _sources(row)
        if len(sources) != 1 or sources[0] not in scopes:
            yield f"{row.kind} {row.id} is live, and the passage that it comes from is not"
        elif scopes[sources[0]] != row.scope:
            yield f"{row.kind} {row.id} is in another scope than its passage"


def _statements(opened: Opened) -> Iterator[str]:
    for one in statement_writing.unsettled(opened.journal):
        yield (
            f"statement {one.id} does not hold as the statements of {one.slot!r} say; "
            "`memory.statements.settle()` computes it again"
        )


def _compressions(opened: Opened) -> Iterator[str]:
    """Name each shard that lacks soft tokens, or has others than the records say."""
    bank = opened.bank()
    lost: Counter[tuple[str, str]] = Counter()
    for one in opened.journal.records(Compression, view=_EVERYONE):
        if not one.slots:
            continue
        try:
            if bank is not None:
                bank.read(place_of(one))
        except StoreCorrupt as error:
            lost[one.shard, one.codec_name] += 1
            if lost[one.shard, one.codec_name] == 1:
                yield str(error)
    for (shard, codec), count in lost.items():
        yield (
            f"{count} passages lost their soft tokens with {shard}; their text is read instead. `agentcl compress` with "
            f"the codec {codec!r} makes them anew"
        )


def _adapters(opened: Opened) -> Iterator[str]:
    home = opened.path / ADAPTERS
    known = {one.name: one for one in opened.routes.all()}
    for own in sorted(home.iterdir()) if home.is_dir() and not home.is_symlink() else ():
        held = known.get(own.name)
        if held is not None and _waits(opened, held, own):
            continue
        if held is None or held.state == "revoked":
            why = "no record names it" if held is None else "it was revoked"
            yield f"{own} is there, and {why}: it may hold what was forgotten; delete the folder"
    for one in known.values():
        # One whose folder is gone as a whole may be trained anew, and is not served meanwhile.
        if one.state in ("canary", "stable") and (home / one.name).is_dir():
            try:
                check_files(opened.path, one)
            except StoreCorrupt as error:
                yield str(error)


def _waits(opened: Opened, held: Adapter, own: Path) -> bool:
    """Return whether nothing is left of a revoked adapter but shards without what was forgotten, to be used again."""
    if held.state != "revoked" or {one.name for one in own.iterdir()} != {SHARDS}:
        return False
    clean = {str(number) for number in clean_shards(opened.journal, held)}
    return {one.name for one in (own / SHARDS).iterdir()} <= clean


def _extraction_notes(opened: Opened) -> Iterator[str]:
    """Say how far each extractor has come, and on what it failed."""
    found = [*opened.journal.records(Extraction, view=_EVERYONE)]
    for name in sorted({extraction.extractor for extraction in found}):
        state = Facts(opened).state(name, tenant=ANY)
        yield (
            f"facts by {name}: {state.done} passages read, {state.failed} failed, "
            f"{state.pending} to be read"
        )
        for error, count in state.errors[:_ERRORS_SHOWN]:
            yield f"  {count}x {error}"


def _compression_notes(opened: Opened) -> Iterator[str]:
    """Say how many passages each codec compressed, and which it left as text."""
    for state in Compressed(opened).state(tenant=ANY):
        yield (
            f"compressed by {state.codec}: {state.passages} passages of {state.tokens:,} tokens, as {state.slots:,} soft "
            "tokens"
        )
        for reason, count in sorted(state.as_text.items()):
            yield f"  {count}x left as text: {reason}"


def _vectors(opened: Opened) -> Iterator[str]:
    journal = opened.journal
    spec = journal.encoder()
    searchable = (
        row.seq for row in journal.since(0) if row.op == "put" and row.content_hash is not None
    )
    while seqs := list(islice(searchable, _VECTORS)):
        try:
            vectors = journal.vectors(seqs)
        except StoreCorrupt as error:
            yield str(error)
            vectors = {}
            for seq in seqs:
                try:
                    vectors.update(journal.vectors([seq]))
                except StoreCorrupt:
                    continue
        else:
            for seq in seqs:
                if seq not in vectors:
                    yield f"row {seq} can be searched for but has no vector"
        for seq, vector in vectors.items():
            if spec is None or dimension(vector) != spec.dim:
                yield f"the vector of row {seq} has {dimension(vector)} dimensions, not {spec}"


def _keys(opened: Opened) -> Iterator[str]:
    counts = Counter(
        (row.kind, row.scope, row.key)
        for row in opened.journal.live(view=_EVERYONE)
        if row.key is not None
    )
    for (kind, _, key), count in counts.items():
        if count > 1:
            yield f"{count} live records of kind {kind} in one scope have the key {key!r}"


def _erasure(opened: Opened) -> Iterator[str]:
    if opened.journal.is_erasure_due():
        if opened.journal.read_only:
            yield "the bytes of forgotten records are still in the file; open it without read_only"
        else:
            opened.finish_erasure()


def _indexes(opened: Opened) -> Iterator[str]:
    """Each index is asked for everything, and must give exactly the journal's live rows.

    One that lags, as that of a graph does until it is asked, lacks nothing: what it has not read is to come.
    """
    journal = opened.journal
    try:
        retriever = opened.retriever
    except MissingExtra as error:
        named = opened.setting("index")
        yield (
            f"index {named}: {error}. Until then the memory is stored, and not searched; or choose the index 'exact', which needs "
            "nothing more. Files of the index stay, and are used again"
        )
        return
    before = {state.name: state.watermark for state in retriever.states()}
    last = journal.last_seq()
    for name, mark in before.items():
        if mark > last:
            yield (
                f"index {name} has seen row {mark}, but the journal ends at {last}: the journal was "
                "cut short or replaced, and acknowledged writes may be missing; restore a snapshot"
            )
    for feed in retriever.feeds:
        retriever.catch_up()
        kinds = tuple(sorted(feed.kinds))
        try:
            mark = feed.index.watermark()
            held = set(feed.index.live_seqs())
        except StoreCorrupt as error:
            yield f"index {feed.index.name}: {error}"
            continue
        rows = list(journal.live(view=_EVERYONE, kinds=kinds))
        left_out = {row.seq for row in rows if not row.is_sound} | feed.damaged.keys()
        live = {row.seq for row in rows} - left_out
        held -= left_out
        if held != live and mark == journal.last_seq():
            yield (
                f"index {feed.index.name} lacks {len(live - held)} live rows and has "
                f"{len(held - live)} too many; run `agentcl reindex`"
            )


def _files(opened: Opened) -> Iterator[str]:
    known = {path.name for path in opened.own_paths()}
    for entry in sorted(opened.path.iterdir()):
        if entry.is_symlink():
            yield f"{entry.name} is a link; what agentcl deletes it does not look for behind one"
        if entry.name not in known:
            yield f"{entry.name} does not belong to agentcl"
    yield from strangers(opened.journal)
