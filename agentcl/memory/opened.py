"""A memory's folder, opened: its settings, store, encoder and indexes, for all that work on it."""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import shutil
import threading
import time
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeVar

from agentcl.errors import EncoderMismatch, EraseIncomplete, StoreBusy, StoreUnavailable
from agentcl.memory.adapters.choosing import AdapterChooser
from agentcl.memory.adapters.routing import AdapterRoutes
from agentcl.memory.context.showing import Contexts
from agentcl.memory.conversations.aligning import Transcripts
from agentcl.memory.documents.writing import encode
from agentcl.memory.paging import Listings
from agentcl.memory.settings import Setting, resolve
from agentcl.memory.trusted import confirm, confirmed_encoder
from agentcl.retrieval.encoders.base import GivenVectors
from agentcl.retrieval.encoders.naming import (
    check_known,
    check_named,
    identity,
    is_complete,
    is_own,
)
from agentcl.retrieval.encoders.opening import default_encoder_name, open_encoder
from agentcl.retrieval.folders import FOLDER, claim, clear, home
from agentcl.retrieval.graph.settings import GraphSettings
from agentcl.store.backends import Place, folder_for_memory, holds_store, open_store
from agentcl.store.records import Compression, Record, ScopeView, now_micros
from agentcl.store.rows import EncoderSpec, checked_clock, content_hash, mismatch, readable
from agentcl.store.vectors import unpack
from agentcl.store.writing import Writing

if TYPE_CHECKING:
    from agentcl.compression.bank import Bank
    from agentcl.compression.base import Codec
    from agentcl.jobs.runner import Kind
    from agentcl.retrieval.encoders import Encoder
    from agentcl.retrieval.graph.names import Extractor
    from agentcl.retrieval.index import Index
    from agentcl.retrieval.modes import Mode, SearchMode
    from agentcl.retrieval.retriever import Retriever
    from agentcl.statements.reading import Digester
    from agentcl.statements.summarising import Summariser

logger = logging.getLogger(__name__)
R = TypeVar("R", bound=Record)
ERASING: Final = "erasing"  # the lock of who removes records for good ...
_CLEARING: Final = "clearing"  # ... and of who clears their bytes
ADAPTERS: Final = "adapters"  # the folder of trained weights, beside the journal
_WAIT_S: Final = 0.05  # between two looks at a lock
_CACHED_QUERIES: Final = 1_000
_FIRST_QUERY: Final = "warm up"
_PROBE: Final = "encoder_probe"  # where the store keeps the encoder's vector of a fixed text
_ALIKE: Final = (
    0.9  # cosine of one model's vectors of one text, however it is served, is above this
)


class Opened:
    """What the verbs and the rooms of one memory share. `Memory` documents the arguments.

    Threads may share it. The encoder and the indexes are opened when they are first needed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        encoder: str | Encoder | None = None,
        index: str | Index | None = None,
        durability: Literal["full", "normal"] | None = None,
        busy_timeout_s: float | None = None,
        passage_limit: int | None = None,
        graph: GraphSettings | None = None,
        read_only: bool = False,
        clock: Callable[[], int] = now_micros,
    ) -> None:
        self.settings: dict[str, Setting] = resolve(
            {
                "path": path,
                "encoder": encoder if isinstance(encoder, str | None) else encoder.name,
                "index": index if isinstance(index, str | None) else index.name,
                "durability": durability,
                "busy_timeout_s": busy_timeout_s,
                "passage_limit": passage_limit,
            }
        )
        self.place: Place = self.setting("path")
        check_named(self.setting("encoder"))
        is_folder = isinstance(self.place, Path)
        if not (is_folder and holds_store(self.place)):  # before a folder is made for it
            self._check_known(encoder)
        self.clock = checked_clock(clock)
        self.graph_settings = graph or GraphSettings()
        self.lock = threading.RLock()
        # Who does jobs: extractors with how many passages each reads at once, digesters, summarisers, codecs, and
        # further kinds; by name.
        self.extractors: dict[str, tuple[Extractor, int]] = {}
        self.digesters: dict[str, Digester] = {}
        self.summarisers: dict[str, Summariser] = {}
        self.codecs: dict[str, Codec] = {}
        self.kinds: dict[str, Kind] = {}
        self._encoder = None if isinstance(encoder, str | None) else encoder
        self._spec: EncoderSpec | None = None
        self._index = None if isinstance(index, str | None) else index
        self._retriever: Retriever | None = None
        self._queries: OrderedDict[str, bytes] = OrderedDict()
        self.transcripts = Transcripts()
        self.contexts = Contexts()
        self.listings = Listings()
        # How often soft tokens were shown, or text for which reason.
        self.ways: Counter[str] = Counter()
        if isinstance(self.place, Path) and not read_only:
            folder_for_memory(self.place)
        self.journal = open_store(
            self.place,
            busy_timeout_s=self.setting("busy_timeout_s"),
            durability=self.setting("durability"),
            read_only=read_only,
            clock=self.clock,
        )
        self.path: Path = self.journal.folder  # of what lies beside the journal
        own = weakref.proxy(self)  # in no circle, what nobody closed goes with its last reference
        chooser = AdapterChooser(
            self.path / ADAPTERS,
            encoder=lambda: "" if own.is_lexical else own.encoder_name(),
            encode=lambda query: own.encode_query(query),
        )
        self.routes = AdapterRoutes(self.journal, chooser)
        try:
            self.check_encoder()
            self.confirm(self._named())
            if not read_only:
                self._finish_cut_off()
        except BaseException:
            self.close()
            raise

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a memory is neither copied nor pickled: open Memory({str(self.place)!r}) where you need it"
        )

    def close(self) -> None:
        """Close files and indexes. Everything is stored already; calling it twice is allowed."""
        with self.lock:
            self._drop_retriever()
            self.journal.close()

    def hurry(self) -> None:
        """Let nothing be waited for that can be made again."""
        if self._retriever is not None:
            self._retriever.stop()

    def own_paths(self) -> frozenset[Path]:
        """Return what of the folder is the memory's own, whether or not it is there; with links followed."""
        folder = self.path.resolve()
        return frozenset(folder / name for name in (*self.journal.files(), FOLDER, ADAPTERS))

    def setting(self, name: str) -> Any:  # noqa: ANN401  # each setting has its own type
        """Return the effective value of a setting."""
        return self.settings[name].value

    # What is opened on first use

    @property
    def encoder(self) -> Encoder:
        """The encoder of this memory. Raises MissingExtra and NotTrusted."""
        with self.lock:
            if self._encoder is None:
                self._encoder = open_encoder(self._named() or self.opened_by(self.encoder_name()))
            return self._encoder

    @property
    def is_lexical(self) -> bool:
        """Whether the encoder compares spelling only; without opening it."""
        if self._encoder is not None:
            return self._encoder.is_lexical
        return self.encoder_name().partition(":")[0] == "hashing"

    def named_encoder(self) -> str:
        """Return the name of the encoder that vectors must be of; empty if the first ones decide."""
        is_open = self._encoder is None and self.setting("encoder") == "auto"
        return "" if is_open else self.encoder_name()

    def encoder_name(self) -> str:
        """Return the name of the encoder, without opening it."""
        if self._encoder is not None:
            return self._encoder.name
        wanted = str(self.setting("encoder"))
        if wanted != "auto":
            return identity(wanted)
        held = self.journal.encoder()
        return default_encoder_name() if held is None else held.name

    @property
    def spec(self) -> EncoderSpec:
        """The name and dimension of the encoder.

        Raises:
            EncoderUnavailable: if it has to ask for them, and gets no answer.
            EncoderMismatch: if another model than the folder's answers to the name.
        """
        with self.lock:
            if self._spec is None:
                spec = EncoderSpec(self.encoder.name, self.encoder.dim)
                self._check_probe()
                self._spec = spec
            return self._spec

    def claim(self, writing: Writing) -> None:
        """Make sure that vectors of this encoder may be stored; the first one decides."""
        writing.claim_encoder(self.spec)
        probe = getattr(self.encoder, "probe", None)
        if probe is not None and self.journal.meta(_PROBE) is None:
            writing.set_meta(_PROBE, base64.b64encode(probe).decode())

    @property
    def retriever(self) -> Retriever:
        """The indexes of this memory."""
        from agentcl.retrieval.retriever import Retriever

        with self.lock:
            if self._retriever is None:
                self.journal.last_seq()  # raises MemoryClosed after `close`
                self._retriever = Retriever(
                    self.journal,
                    index=self.setting("index") if self._index is None else self._index,
                    is_lexical=self.is_lexical,
                    encode=partial(_encode_passages, weakref.ref(self)),
                    graph_settings=self.graph_settings,
                )
            return self._retriever

    def encode_query(self, query: str) -> bytes:
        """Return the vector of a query; the last thousand are kept."""
        with self.lock:
            if query in self._queries:
                self._queries.move_to_end(query)
                return self._queries[query]
        (vector,) = self.encoder.encode([query], role="query")
        with self.lock:
            self._queries[query] = vector
            if len(self._queries) > _CACHED_QUERIES:
                self._queries.popitem(last=False)
        return vector

    def warm_up(
        self, mode: Mode | SearchMode, progress: Callable[[float], None] | None = None
    ) -> None:
        """Open the encoder and the indexes; `Memory.warm_up` documents it."""
        if not isinstance(self.encoder, GivenVectors):
            self.encode_query(_FIRST_QUERY)
        self.retriever.catch_up(mode=mode, progress=progress)

    def finish_erasure(self) -> tuple[str, ...]:
        """Clear the bytes of all that was erased; return from where.

        If another thread or process is at it, this waits.

        Raises:
            EraseIncomplete: if somebody or something is in the way; call again later.
        """
        from agentcl.retrieval.indexes import clear_closed

        with self.lock:
            retriever = self._retriever
        cleared = [] if retriever is None else [state.name for state in retriever.states()]

        def clear_indexes() -> None:
            cleared[:] = clear_closed(self.journal) if retriever is None else retriever.clear()
            cleared.extend(self.clear_bank())

        with self.waiting_lock(_CLEARING):
            if self.journal.is_erasure_due():  # else who held the lock before cleared all
                with self.waiting_lock(ERASING):
                    self.journal.resume_erasure()
                self.journal.finish_erasure(clear_indexes)
        return tuple(cleared) if self.journal.beyond else ("journal", *cleared)

    def bank(self) -> Bank | None:
        """Return where soft tokens of passages lie; None where the folder for it is not to be trusted."""
        from agentcl.compression.bank import Bank

        folder = home(self.journal)
        return None if folder is None else Bank(folder / Bank.name, mode=self.journal.mode())

    def clear_bank(self) -> list[str]:
        """Clear the soft tokens that no live record names; return the name of the bank, if there is one.

        Others write between two shards. What they write meanwhile is not cleared.
        """
        from agentcl.compression.bank import Bank

        bank = self.bank()
        if bank is None:  # nobody can say which of it is ours
            folder = self.path / FOLDER / Bank.name
            is_cleared = not folder.parent.is_symlink() and clear(folder)
            return [f"{Bank.name} (unused, deleted)"] if is_cleared else []
        shards = bank.shards()
        named: dict[str, set[int]] = {}
        seq = 0
        for shard in shards:
            with self.journal.writing():
                seq = self._follow_compressions(named, seq)
                bank.clear(named, only=shard)
        bank.clear_partial()
        return [Bank.name] if shards else []

    def copy_bank(self, folder: Path) -> None:
        """Copy the soft tokens to another memory's folder. Raises StoreUnavailable."""
        from agentcl.compression.bank import Bank

        bank = self.bank()
        shards = [] if bank is None else bank.shards()
        if bank is None or not shards:
            return
        target = claim(folder / FOLDER / Bank.name, mode=self.journal.mode())
        try:
            for shard in shards:
                with suppress(FileNotFoundError):  # somebody forgot what was in it
                    shutil.copy(bank.folder / shard, target / shard)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot copy soft tokens to {target}: {error.strerror or error}"
            ) from error

    def _follow_compressions(self, named: dict[str, set[int]], seq: int) -> int:
        """Add to the rows that live records name those of what was written since; return the newest number."""
        view = ScopeView(None, None, None, None)
        kinds = (Compression.kind,)
        last = self.journal.last_seq()
        rows = (
            self.journal.since(seq, kinds=kinds)
            if seq
            else self.journal.live(view=view, kinds=kinds)
        )
        for one in readable(row for row in rows if row.op == "put"):
            if isinstance(one, Compression) and one.slots:
                named.setdefault(one.shard, set()).add(one.row)
        return last

    def _finish_cut_off(self) -> None:
        """Finish an erasure that is due, unless another process is at it; what cannot be finished stays due."""
        if not self.journal.is_erasure_due():
            return
        try:
            for name in (_CLEARING, ERASING):
                with self.journal.lock(name):
                    pass
        except StoreBusy:
            return
        try:
            self.finish_erasure()
        except EraseIncomplete as error:
            logger.warning("%s", error)

    @contextmanager
    def waiting_lock(self, name: str) -> Iterator[None]:
        """Hold a lock of the journal; wait for it as long as for the right to write. Raises StoreBusy."""
        deadline = time.monotonic() + self.setting("busy_timeout_s")
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self.journal.lock(name))
                    break
                except StoreBusy:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_WAIT_S)
            yield

    def forget_queries(self) -> None:
        """Drop the vectors of past queries."""
        with self.lock:
            self._queries.clear()

    def use_encoder(self, encoder: Encoder) -> None:
        """Go on with another encoder, whose vectors are stored by now."""
        with self.lock:
            self._encoder, self._spec = encoder, None
            self._queries.clear()
            self.hurry()  # files of vectors that nobody has any more
            self._drop_retriever()

    def check_encoder(self) -> None:
        """Refuse at once to mix the vectors of two encoders. Raises EncoderMismatch."""
        held = self.journal.encoder()
        if held is not None and held.name != self.encoder_name():
            self._check_known(self._encoder)
            raise EncoderMismatch(mismatch(held, self._named() or self.encoder_name(), self.place))

    def _check_known(self, encoder: str | Encoder | None) -> None:
        """Refuse a name that no encoder has; one that is given as an object may have any. Raises ConfigError."""
        if isinstance(encoder, str | None) and self.setting("encoder") != "auto":
            check_known(self.setting("encoder"))

    def confirm(self, named: str) -> None:
        """Keep that the user named an encoder for this folder, so that it is opened without being named."""
        if not is_own(named) and is_complete(named):
            confirm(self.path, {identity(named): named})

    def opened_by(self, name: str) -> str:
        """Return what opens an encoder that the folder names. Raises NotTrusted if the user never did."""
        if is_own(name):
            return name
        said = json.loads(self.journal.meta("encoder") or "{}").get("name", name)
        said = said if identity(said) == identity(name) else name
        return confirmed_encoder(self.path, identity(name), said=said)

    def _named(self) -> str:
        """Return what the user said that opens the encoder; empty if he leaves it to the folder."""
        if self._encoder is not None:
            return str(getattr(self._encoder, "named", self._encoder.name))
        wanted = str(self.setting("encoder"))
        return wanted if wanted != "auto" and is_complete(wanted) else ""

    def _check_probe(self) -> None:
        """Refuse another model that is served under the name of the folder's. Raises EncoderMismatch."""
        held, probe = self.journal.meta(_PROBE), getattr(self.encoder, "probe", None)
        if held is None or probe is None:
            return
        one, other = unpack(base64.b64decode(held)), unpack(probe)
        if len(one) != len(other):
            return  # the dimension says it
        cosine = math.fsum(a * b for a, b in zip(one, other, strict=True))
        cosine /= math.hypot(*one) * math.hypot(*other)
        if cosine < _ALIKE:
            raise EncoderMismatch(
                f"{self._named()} gives other vectors than those that {self.place} was filled with (cosine "
                f"{cosine:.2f}): another model answers to the name {self.encoder.name!r}. Serve the former one "
                f"there, or embed everything anew: agentcl reembed --path {self.place} --encoder {self._named()}"
            )

    # Single records, with their vectors

    def create(self, record: R) -> R:
        """Store a new record, with its vector if it can be searched for."""
        vectors = self.vectors([record])
        with self.journal.writing() as writing:
            if vectors:
                self.claim(writing)
            stored = writing.create(record, vector=vector_of(record, vectors))
        assert isinstance(stored, type(record))
        return stored

    def revise(self, record: R) -> R:
        """Store the next version of a record."""
        vectors = self.vectors([record])
        with self.journal.writing() as writing:
            if vectors:
                self.claim(writing)
            stored = writing.revise(record, vector=vector_of(record, vectors))
        assert isinstance(stored, type(record))
        return stored

    def vectors(self, records: Iterable[Record]) -> dict[bytes, bytes]:
        """Return the vectors of what can be searched for, by the hash of its text."""
        texts = {content_hash(t): t for one in records if (t := one.search_text()) is not None}
        return encode(texts, encoder=self.encoder, journal=self.journal) if texts else {}

    def _drop_retriever(self) -> None:
        if self._retriever is not None:
            self._retriever.close()
            self._retriever = None


def _encode_passages(opened: weakref.ref[Opened], texts: Sequence[str]) -> list[bytes]:
    """Return vectors, by an encoder that is opened only now.

    The indexes refer to what opened them weakly: a memory that nobody closes goes with its last reference.
    """
    held = opened()
    assert held is not None, "indexes do not outlive what opened them"
    return held.encoder.encode(texts, role="passage")


def vector_of(record: Record, vectors: Mapping[bytes, bytes]) -> bytes | None:
    """Return the vector of a record's text; None for one that is not searched for."""
    text = record.search_text()
    return None if text is None else vectors[content_hash(text)]
