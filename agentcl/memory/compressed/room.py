"""`memory.compressed`: passages as soft tokens of a base model, how far that is, and what it saves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Unpack

from agentcl.compression.bank import Bank, Form
from agentcl.compression.base import Codec
from agentcl.errors import InvalidInput, NotFound
from agentcl.jobs.queue import Queue
from agentcl.jobs.runner import Progress, Runner
from agentcl.jobs.workplace import Workplace
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.compressed.codecs import as_codec, codec_named
from agentcl.memory.compressed.compressing import Compress, compressions, state_of
from agentcl.memory.documents import writing as documents
from agentcl.memory.opened import Opened
from agentcl.store.checks import ReadScope, check_count, check_unicode
from agentcl.store.conversations import Turn
from agentcl.store.records import Compression, Document, Passage


@dataclass(frozen=True, slots=True)
class CompressionReport:
    """What one run of `compress` did, or would do."""

    compressed: int = 0  # passages
    tokens: int = 0  # of the texts that were read; of a dry run, of those that would be
    slots: int = 0  # soft tokens that came of them
    as_text: Mapping[str, int] = field(
        default_factory=dict
    )  # passages that are left as text, by the reason
    remaining: int = 0  # passages that are still to be compressed
    others: Mapping[str, int] = field(
        default_factory=dict
    )  # memories of other codecs of the base, by name: they are not used
    job: str = ""  # its id in `memory.jobs`; empty for a dry run


@dataclass(frozen=True, slots=True)
class CompressionState:
    """What one codec compressed, as far as a scope sees."""

    codec: str  # its name
    fingerprint: str
    base: str
    passages: int  # with soft tokens
    as_text: Mapping[str, int]  # passages that are left as text, by the reason
    slots: int  # soft tokens of them all
    tokens: int  # of the texts that became soft tokens


@dataclass(frozen=True, slots=True)
class CompressedPassage:
    """How one passage stands: what it says, and what it takes as text and as soft tokens."""

    passage: Passage
    codec: str  # its name
    base: str
    tokens: int  # as text
    slots: int  # as soft tokens; 0: it is shown as text
    reason: str  # why it is shown as text; empty if it need not be

    @property
    def saved(self) -> int:
        """The tokens that a prompt is shorter by, if it has the soft tokens instead."""
        return self.tokens - self.slots if self.slots else 0


class Compressed:
    """The compressed memories of a memory. Made by `Memory.compressed`.

    They are derived: the text stays what is true, each is forgotten with its passage, and those of several base models
    stand side by side.
    """

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    def codec(self, named: str | Codec | None = None) -> Codec:
        """Return the codec that is meant.

        Args:
            named: a codec, its name, or the fingerprint of its base; default: the only one at hand.

        Raises:
            NotEquipped: if there is none.
        """
        return codec_named(self._opened, named)

    def compress(
        self,
        codec: Codec,
        *,
        reencode: bool = False,
        slots: int | None = None,
        form: Form = "float16",
        limit: int | None = None,
        dry_run: bool = False,
        on: Workplace | None = None,
        progress: Progress = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
        **scope: Unpack[ReadScope],
    ) -> CompressionReport:
        """Compress every passage that a codec has not compressed yet.

        Can be stopped at any time, killed even, and called again: what was compressed is stored and is not read again.
        A passage that is empty, longer than the codec reads, or as short as its soft tokens, is left as text and
        counted. Soft tokens that are missing or damaged are made anew. It is a job in `memory.jobs`.

        Args:
            codec: what compresses.
            reencode: also passages whose soft tokens another codec of this base made, or in another number. Without it
                these are left as they are, and are not used.
            slots: how many soft tokens a passage becomes; default: as many as the codec makes. A prompt may take the
                first of them only.
            form: how they are kept: "float16", or "int8", which takes half of that.
            limit: at most so many passages in this call.
            dry_run: compress nothing; return how many passages wait, and their tokens.
            on: where they are compressed, e.g. `agentcl.jobs.Ray()`; default: in this process.
            progress: called with the numbers of passages done and to do.
            should_stop: asked after each batch; True ends the run early.
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.

        Raises:
            StoreBusy: if another run is at work on this memory.
            InvalidInput: if the codec does not make so many soft tokens, or makes others than it promises.
            StoreUnavailable: if they cannot be kept; what was compressed before is.
            ClusterUnavailable: if the machines of `on` do not answer; likewise.
        """
        held = as_codec(codec)
        kind = Compress(self._opened, {held.name: held}, on)
        limit = None if limit is None else check_count(limit, "limit", least=0)
        spec = kind.spec(held.name, reencode=bool(reencode), limit=limit, slots=slots, form=form)
        root = self._bound.root(scope)
        price = kind.price(spec, scope=root)
        if dry_run:
            others = {} if reencode else self._others(held, scope)
            return CompressionReport(tokens=price.tokens or 0, remaining=price.units, others=others)
        job = Runner(Queue(self._opened.journal), [kind]).run_now(
            kind.name, spec, scope=root, progress=progress, should_stop=should_stop
        )
        left = kind.price({**spec, "limit": None}, scope=root).units
        return CompressionReport(
            compressed=kind.totals["compressed"],
            tokens=kind.totals["tokens"],
            slots=kind.totals["slots"],
            as_text=dict(kind.reasons),
            remaining=left,
            others=self._others(held, scope),
            job=job.id,
        )

    def state(self, **scope: Unpack[ReadScope]) -> Sequence[CompressionState]:
        """Return what each codec compressed in a scope and below, by their names."""
        view = self._bound.subtree(scope)
        by_codec: dict[tuple[str, str], list[Compression]] = {}
        for one in self._opened.journal.records(Compression, view=view):
            by_codec.setdefault((one.codec_name, one.codec), []).append(one)
        return [
            CompressionState(
                codec=name,
                fingerprint=fingerprint,
                base=own[0].base,
                passages=sum(bool(one.slots) for one in own),
                as_text=dict(Counter(one.reason for one in own if not one.slots)),
                slots=sum(one.slots for one in own),
                tokens=sum(one.tokens for one in own if one.slots),
            )
            for (name, fingerprint), own in sorted(by_codec.items())
        ]

    def list(
        self, *, codec: str | None = None, limit: int = 100, **scope: Unpack[ReadScope]
    ) -> Sequence[Compression]:
        """Return which passages were compressed, or left as text, oldest first.

        Args:
            codec: only by this one, by its name.
            limit: how many at the most.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        wanted = None if codec is None else check_unicode(codec, "codec")
        view = self._bound.view(scope)
        found = self._opened.journal.records(Compression, view=view)
        own = (one for one in found if wanted in (None, one.codec_name))
        return [*islice(own, check_count(limit, "limit"))]

    def get(
        self, id: str, *, codec: str | None = None, **scope: Unpack[ReadScope]
    ) -> CompressedPassage:
        """Return how a passage stands that was compressed.

        Args:
            id: of the passage.
            codec: by this one, by its name; default: the one that was at it last.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if the scope sees no such passage, or it was not compressed.
        """
        view = self._bound.view(scope)
        journal = self._opened.journal
        passage = journal.get(check_unicode(id, "id"), view=view)
        held = journal.records(Compression, view=view, source=id)
        own = [one for one in held if codec in (None, one.codec_name)]
        if not isinstance(passage, Passage) or not own:
            by = f" by {codec!r}" if codec is not None else ""
            raise NotFound(
                f"{id!r} was not compressed{by}; `agentcl compress` does that, and `memory.store.passages` tells the "
                "passages of a document"
            )
        return _told(passage, own[-1], self._opened.bank())

    def explain(self, id: str, **scope: Unpack[ReadScope]) -> Sequence[CompressedPassage]:
        """Return how the passages of a document, or of a turn, stand, in order, for each codec that was at them.

        Args:
            id: of the document, the turn, or one passage.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if the scope sees no such record.
            InvalidInput: if it has no passages.
        """
        journal, view = self._opened.journal, self._bound.view(scope)
        record = journal.get(check_unicode(id, "id"), view=view)
        if isinstance(record, Document | Turn):
            passages = documents.passages_of(journal, record)
        elif isinstance(record, Passage):
            passages = [record]
        else:
            raise InvalidInput(
                f"{id!r} is a {record.kind}, and only documents and turns have passages"
            )
        bank = self._opened.bank()
        return [
            _told(passage, one, bank)
            for passage in passages
            for one in journal.records(Compression, view=view, source=passage.id)
        ]

    def ways(self) -> Mapping[str, int]:
        """Return how often `context` of this process showed soft tokens, and for which reasons it showed text.

        Raises:
            InvalidInput: if the memory is bound to a scope: they are counted for everybody.
        """
        self._bound.check_whole("counting what everybody was shown")
        return dict(self._opened.ways)

    def _others(self, codec: Codec, scope: ReadScope) -> dict[str, int]:
        """Return by name how many memories other codecs of the base made, which this one does not read."""
        view = self._bound.subtree(scope)
        found = Counter(
            held.codec_name
            for _, held in compressions(self._opened.journal, codec.base, view)
            if held is not None and held.codec != codec.fingerprint
        )
        return dict(found)


def _told(passage: Passage, one: Compression, bank: Bank | None) -> CompressedPassage:
    _, reason = state_of(passage, one, one.codec, bank)
    slots = 0 if reason else one.slots
    return CompressedPassage(passage, one.codec_name, one.base, one.tokens, slots, reason)
