"""`Memory`: what an agent remembers, kept in one folder and found again.

    with Memory("agentcl-memory") as memory:
        memory.add("The ferry to Tessary leaves at seven.", user="ada")
        print(memory.search("when does the boat go?", user="ada").prompt(budget_tokens=200))

Writing calls no language model, and what a verb has returned from is stored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, Unpack

from agentcl.errors import MemoryClosed, StoreUnavailable
from agentcl.memory import changing, reading, watching
from agentcl.memory.bound import UNBOUND
from agentcl.memory.changing import UNCHANGED, Unchanged
from agentcl.memory.conversations.messages import Messages
from agentcl.memory.documents.writing import Draft, Duplicates
from agentcl.memory.lessons.beliefs import Beliefs
from agentcl.memory.opened import Opened
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_unicode,
)
from agentcl.store.conversations import Turn
from agentcl.store.records import AnyScope, Document, Record, now_micros
from agentcl.store.rows import Version
from agentcl.store.vectors import SupportsList
from agentcl.text.paths import check_path
from agentcl.text.tokens import TokenCounter

if TYPE_CHECKING:
    from agentcl.compression.base import Codec
    from agentcl.files import ReadLimits
    from agentcl.memory.adapters.room import Adapters
    from agentcl.memory.compressed.room import Compressed
    from agentcl.memory.context.context import Context, ContextForm
    from agentcl.memory.conversations.remembering import Remembered
    from agentcl.memory.conversations.room import Conversations
    from agentcl.memory.documents.syncing import Synced
    from agentcl.memory.episodes.recording import EpisodeOptions, EpisodeRecorder
    from agentcl.memory.episodes.room import Episodes
    from agentcl.memory.facts.aliases import Aliases
    from agentcl.memory.facts.graph import Graph
    from agentcl.memory.facts.room import Facts
    from agentcl.memory.forgetting import Receipt
    from agentcl.memory.lessons.room import Lessons
    from agentcl.memory.statements.room import Statements
    from agentcl.memory.upkeep.jobs import Jobs
    from agentcl.memory.upkeep.storage import Storage
    from agentcl.retrieval.encoders import Encoder
    from agentcl.retrieval.filters import Filters
    from agentcl.retrieval.graph.search import Recognise
    from agentcl.retrieval.graph.settings import GraphSettings
    from agentcl.retrieval.index import Index
    from agentcl.retrieval.modes import Mode, SearchMode
    from agentcl.retrieval.recall import Recall


class Memory:
    """A persistent memory in one folder.

    Here are the verbs of everyday work. The rest stands in rooms: `conversations`, `statements`, `facts`, `graph`,
    `aliases`, `episodes`, `lessons`, `compressed`, `adapters`, `store`, `jobs`.

    Several processes and threads may open the same folder. All may read, and writers take turns. A search
    sees every write that was acknowledged before it began.

    Every verb takes the same keyword-only scope: `tenant`, `user`, `agent`, `session`. `scoped` binds one.

    - A verb that reads (`search`, `get`, `list`, `history`) sees what is shared, and what belongs to the
      fields that you name. `ANY` opens a field. Tenants never share.
    - A verb that changes records (`add`, `remember`, `update`, `move`, `delete`, `forget` by id) names their scope
      exactly.
    - A verb that works on a whole (`forget(everything=True)`, `store.export`, `store.stats`) takes the named
      scope and all below it.

    Args:
        path: the folder; made if absent. Or a database, as in "postgresql://USER@HOST/DATABASE". Default: the
            setting `path`, else `agentcl-memory`.
        encoder: a name (see `agentcl.retrieval.open_encoder`) or an `Encoder`. Default: the
            one this folder was filled with, which you named for it once; for a new folder "minilm" if
            installed, else "hashing".
        index: the dense index: "exact", "usearch", "chroma", "chroma:http://HOST:PORT", "pgvector" for a memory in PostgreSQL, or
            an `Index`.
        durability: "full" (survives a power cut) or "normal" (survives a crash of the process).
        busy_timeout_s: how long to wait for another process's write.
        passage_limit: the longest passage in characters.
        graph: how `mode="graph"` looks for passages.
        read_only: never change what is stored (SQLite may still keep its own `-wal` and `-shm`).
        clock: returns microseconds since 1970, as an int; for tests and replays.

    Raises:
        ConfigError: if a setting cannot be used; NotTrusted, if a settings file may not say it before you
            confirm it.
        InvalidInput: if the clock cannot be called; and from a verb, if it returns what is no moment until the year 9999.
        EncoderMismatch: if the folder was filled with another encoder.
        StoreUnavailable: (or a subclass) if the folder cannot be opened.
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
        self._opened = Opened(
            path,
            encoder=encoder,
            index=index,
            durability=durability,
            busy_timeout_s=busy_timeout_s,
            passage_limit=passage_limit,
            graph=graph,
            read_only=read_only,
            clock=clock,
        )
        self._beliefs = Beliefs(self._opened)
        self._bound = UNBOUND
        self._owns = True

    def scoped(self, **scope: Unpack[WriteScope]) -> Memory:
        """Return a handle on the same memory that names a scope by itself, in every verb and room.

            ada = memory.scoped(user="ada")
            ada.add("Ada is allergic to nuts.")  # the same as memory.add(..., user="ada")

        A call may name further fields. It cannot open or exchange the bound ones. Closing the handle does
        nothing: close the memory that it was made from.

        Args:
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if a field cannot be bound, or is bound otherwise already.
        """
        handle = object.__new__(type(self))
        handle._opened, handle._beliefs = self._opened, self._beliefs
        handle._bound = self._bound.narrowed(scope)
        handle._owns = False
        return handle

    @property
    def scope(self) -> WriteScope:
        """The fields that `scoped` bound; empty for the whole memory."""
        return self._bound.fields.copy()

    def close(self) -> None:
        """Close files and indexes. Everything is stored already; calling it twice is allowed.

        An index that is being written to files is written first. Who interrupts that leaves the files of before.
        """
        if self._owns:
            self._opened.close()

    def warm_up(
        self, *, mode: Mode | SearchMode = "hybrid", progress: Callable[[float], None] | None = None
    ) -> None:
        """Open now what the first verb would open: the encoder, and the indexes that a mode asks.

        Indexes catch up with all that is stored. Encoding begins with one short text, which with an encoder
        behind an endpoint is one call.

        Args:
            mode: what the searches will be.
            progress: called now and then with the share that is done, 0 to 1, while indexes are filled, which for a
                large memory takes long the first time.

        Raises:
            MissingExtra: if the encoder or the index needs a part that is not installed.
        """
        self._opened.warm_up(mode, progress)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and not issubclass(kind, Exception) and self._owns:
            self._opened.hurry()
        self.close()

    def __repr__(self) -> str:
        bound = "".join(f", {name}={value!r}" for name, value in self._bound.fields.items())
        return f"Memory({str(self.place)!r}{bound}: {self._state()})"

    def __reduce__(self) -> NoReturn:
        self._opened.__reduce__()

    @property
    def path(self) -> Path:
        """The folder; of a memory in a database the one that its indexes are in, on this machine."""
        return self._opened.path

    @property
    def place(self) -> Path | str:
        """Where the memory is: its folder, or the address of its database, without a password."""
        return self._opened.place

    # Rooms

    @cached_property
    def facts(self) -> Facts:
        """What passages state: given, imported, or read by a language model."""
        from agentcl.memory.facts.room import Facts

        return Facts(self._opened, self._bound)

    @cached_property
    def graph(self) -> Graph:
        """The graph of what passages name and state, to be looked at."""
        from agentcl.memory.facts.graph import Graph

        return Graph(self._opened, self._bound)

    @cached_property
    def aliases(self) -> Aliases:
        """Names that are one thing's, for the graph and for who asks by one of them."""
        from agentcl.memory.facts.aliases import Aliases

        return Aliases(self._opened, self._bound)

    @cached_property
    def episodes(self) -> Episodes:
        """What agents went through."""
        from agentcl.memory.episodes.room import Episodes

        return Episodes(self._opened, self._beliefs, self._bound)

    @cached_property
    def lessons(self) -> Lessons:
        """What was learned, and what is believed of it."""
        from agentcl.memory.lessons.room import Lessons

        return Lessons(self._opened, self._beliefs, self._bound)

    @cached_property
    def statements(self) -> Statements:
        """What is said to hold, what held before, and the turns behind it."""
        from agentcl.memory.statements.room import Statements

        return Statements(self._opened, self._bound)

    @cached_property
    def store(self) -> Storage:
        """The memory as a whole: count, check, export, import, copy, embed anew."""
        from agentcl.memory.upkeep.storage import Storage

        return Storage(self._opened, self._bound)

    @cached_property
    def jobs(self) -> Jobs:
        """Long work: what was asked for, how far it is, and running it."""
        from agentcl.memory.upkeep.jobs import Jobs

        return Jobs(self._opened, self._bound)

    @cached_property
    def compressed(self) -> Compressed:
        """Passages as soft tokens that a base model reads in place of their text."""
        from agentcl.memory.compressed.room import Compressed

        return Compressed(self._opened, self._bound)

    @cached_property
    def adapters(self) -> Adapters:
        """What was trained on memory, and who answers."""
        from agentcl.memory.adapters.room import Adapters

        return Adapters(self._opened, self._beliefs, self._bound)

    @cached_property
    def conversations(self) -> Conversations:
        """What was said, session by session, turn by turn."""
        from agentcl.memory.conversations.room import Conversations

        return Conversations(self._opened, self._bound)

    def episode(self, task: str, **given: Unpack[EpisodeOptions]) -> EpisodeRecorder:
        """Begin an episode, to be used in a `with`; the short way to `memory.episodes.begin`."""
        return self.episodes.begin(task, **given)

    # Writing

    @watching.watched("create_memory", watching.of_record)
    def add(
        self,
        text: str,
        *,
        title: str = "",
        uri: str = "",
        media_type: str = "text/plain",
        metadata: Mapping[str, Any] | None = None,
        valid_from: datetime | None = None,
        valid_to: datetime | None = None,
        vector: Sequence[float] | SupportsList | None = None,
        duplicates: Duplicates = "skip",
        **scope: Unpack[WriteScope],
    ) -> Document:
        """Remember a text; it is stored and can be found when this returns.

        The same thing again, that is equal text, title, metadata and validity in one scope, is by default
        not stored twice: the document that is there is returned, and its `repeats` are counted.

        Args:
            text: what to remember; kept exactly.
            title: a name for it; found and shown with each of its passages.
            uri: where it came from. A document with the same uri in the same scope is updated.
            media_type: what kind of text it is.
            metadata: JSON values of your own, to filter by.
            valid_from: when it began to hold in the world (aware); None: always did.
            valid_to: when it ceases to hold (exclusive); a search after that leaves it out.
            vector: a ready vector for the whole text, which then stays one passage. A text with its own
                vector is never taken for a duplicate.
            duplicates: what to do with the same thing again: "skip" returns what is there, "keep" stores
                it once more, "error" raises.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Returns:
            The stored document, with its id.

        Raises:
            InvalidInput: if a value cannot be kept exactly; nothing was stored.
            Duplicate: if the same thing is there and `duplicates` is "error".
            NotTrusted: if only the folder names the encoder, and it would have to be asked or loaded.
            StoreUnavailable: (or a subclass, as EncoderUnavailable) if it could not be stored.
        """
        draft = Draft(
            text=text,
            title=title,
            uri=uri,
            media_type=media_type,
            metadata=metadata,
            valid_from=valid_from,
            valid_to=valid_to,
            vector=vector,
        )
        return changing.add(self._opened, [draft], self._bound.owner(scope), duplicates)[0]

    @watching.watched("create_memory", watching.of_records)
    def add_many(
        self,
        drafts: Iterable[str | Draft],
        *,
        duplicates: Duplicates = "skip",
        progress: Callable[[int], None] | None = None,
        encoded: Callable[[int, int], None] | None = None,
        **scope: Unpack[WriteScope],
    ) -> Sequence[Document]:
        """Remember many texts, faster than one by one.

        What was encoded is stored every few seconds, and every 256 documents at the latest. Others write
        meanwhile: nobody is kept out while texts are encoded.

        Args:
            drafts: texts, or `Draft`s with titles, metadata and so on; read lazily.
            duplicates: what to do with the same thing again; see `add`.
            progress: called after each transaction with the number of documents stored so far.
            encoded: called now and then with how many passages are encoded so far, and how many are known
                by then. Those whose vectors the memory has count for nothing.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if one cannot be kept; those of earlier transactions are stored, those of its
                own are not. Of a list that holds something else, nothing is stored.
            Duplicate: if one is there and `duplicates` is "error"; likewise.
        """
        return changing.add_many(
            self._opened,
            drafts,
            self._bound.owner(scope),
            duplicates,
            progress=progress,
            encoded=encoded,
        )

    @watching.watched("create_memory", watching.of_records)
    def remember(
        self,
        messages: Messages,
        *,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
        progress: Callable[[int, int], None] | None = None,
        **scope: Unpack[WriteScope],
    ) -> Remembered:
        """Remember what was said. It is stored as it is, and can be found when this returns; no model is called.

            memory.remember(
                [
                    {"role": "user", "content": "I moved to Oslo last week."},
                    {"role": "assistant", "content": "How do you like it there?"},
                ],
                user="ada",
                session="chat-7",
            )

        The session names the conversation, and each message becomes a turn of it. With a user or an agent the
        conversation belongs to that user or agent, so that every session of theirs finds it:
        `search(..., user="ada")`. With neither it belongs to the session alone, and only a search that names the
        session finds it.

        What was sent before is stored once: retries, windows that overlap, the whole history each time. A message
        is known by its `id` where it has one. Else the messages are laid onto what is stored: they lie within it,
        or begin with its end. A single message is known if the last turn says the same; its time, if it tells one,
        must be the same too. A turn that was corrected is known by what it said before, too. One that was deleted or
        forgotten does not come back with the messages around it; sent by itself it is stored.

        A list that takes longer than some seconds is stored in parts, as `add_many` does. Cut off, it goes on where it
        stopped when the same list is sent again.

        Args:
            messages: a text (said by the user), a message, or a list of them. A message has a `role`, a `content`
                (a text, or parts as OpenAI and Anthropic have them), and perhaps a `name`, an `id`, and a `time`
                (or `timestamp`, `created_at`): ISO 8601 with an offset, an aware datetime, or seconds since 1970;
                default: now. Calls of tools and their results are kept as they are. Of images, audio and files
                only type and size are kept.
            title: a name for the conversation.
            metadata: JSON values of your own for each of these turns, to filter by. A hit has `role`, `speaker`,
                `said_at`, `turn` and `conversation` beside them.
            progress: called after each transaction with how many turns are stored by then, and how many are to be.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Returns:
            The turns that were stored, and how many messages were known already.

        Raises:
            InvalidInput: if a message cannot be kept exactly, naming its number; nothing was stored.
            StoreUnavailable: (or a subclass, as EncoderUnavailable) if it could not be stored; parts before stay.
        """
        from agentcl.memory.conversations import remembering

        return remembering.remember(
            self._opened,
            messages,
            self._bound.owner(scope),
            title=title,
            metadata=metadata,
            progress=progress,
        )

    @watching.watched("update_memory", watching.of_record)
    def update(
        self,
        id: str | None = None,
        *,
        uri: str | None = None,
        text: str | Unchanged = UNCHANGED,
        title: str | Unchanged = UNCHANGED,
        metadata: Mapping[str, Any] | Unchanged | None = UNCHANGED,
        valid_from: datetime | Unchanged | None = UNCHANGED,
        valid_to: datetime | Unchanged | None = UNCHANGED,
        vector: Sequence[float] | SupportsList | None = None,
        if_version: int | None = None,
        **scope: Unpack[WriteScope],
    ) -> Document:
        """Write the next version of a document; the old one stays in its history.

        Args:
            id: which document; or name its `uri`.
            uri: which document.
            text: the new text.
            title: the new title.
            metadata: the new metadata, whole.
            valid_from: when it began to hold.
            valid_to: when it ceases to hold.
            vector: a ready vector for the whole text. One that the document has already stays while its text does.
            if_version: the version that you have seen; anything else is refused.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            NotFound: if there is no such document in exactly this scope.
            VersionConflict: if it is not `if_version` any more: somebody was faster.
            InvalidInput: if a value cannot be kept, or the id is a passage's.
        """
        return changing.update(
            self._opened,
            id,
            uri,
            self._bound.owner(scope),
            if_version,
            text=text,
            title=title,
            metadata=metadata,
            valid_from=valid_from,
            valid_to=valid_to,
            vector=vector,
        )

    @watching.watched("update_memory", watching.of_record)
    def move(self, uri: str, to: str, **scope: Unpack[WriteScope]) -> Document:
        """Give a document another uri. It keeps its id, its history and its vectors.

        Raises:
            NotFound: if no document of exactly this scope has the uri.
            Duplicate: if another document of the scope has the new one.
            InvalidInput: if the new uri is empty or cannot be kept.
        """
        return changing.move(self._opened, uri, to, self._bound.owner(scope))

    @watching.watched("delete_memory", watching.of_deleted)
    def delete(
        self,
        id: str | None = None,
        *,
        uri: str | None = None,
        if_version: int | None = None,
        **scope: Unpack[WriteScope],
    ) -> None:
        """Stop finding a record; its history stays. `forget` removes it for good.

        A conversation goes with its turns, and a turn with the statements that no other turn bears out.

        Args:
            id: which record; or name a document's `uri`.
            uri: which document.
            if_version: the version that you have seen; anything else is refused.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            NotFound: if there is no such record in exactly this scope.
            VersionConflict: if it is not `if_version` any more: somebody was faster.
            InvalidInput: if the id is a passage's.
        """
        changing.delete(self._opened, id, uri, self._bound.owner(scope), if_version)

    def sync(
        self,
        path: str | os.PathLike[str],
        *,
        dry_run: bool = False,
        limits: ReadLimits | None = None,
        progress: Callable[[int], None] | None = None,
        encoded: Callable[[int, int], None] | None = None,
        **scope: Unpack[WriteScope],
    ) -> Synced:
        """Make the documents of a folder what its files are now.

        A file that is new is added, one that changed becomes the next version, one that was renamed moves, and
        one that is gone is deleted: its history stays. What a `.gitignore` leaves out and what is hidden counts
        as not there. A file that is there and cannot be read keeps what is stored of it. Every few seconds what
        is done is stored, and the same call goes on where the last one was cut off.

        Only documents of exactly the named scope whose uri lies in the folder are touched; and those that moved into it,
        which are known by their text and by their old file being gone.

        Args:
            path: the folder.
            dry_run: only say what would be done.
            limits: what reading one file may take.
            progress: called now and then with the number of new documents that are stored.
            encoded: called now and then with how many passages of new documents are encoded, and how many are
                known by then.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if the path is no folder, or if no file of it can be read while documents came from it.
            LoadError: if a `.gitignore` cannot be read.
        """
        from agentcl.files import ReadLimits
        from agentcl.memory.documents import syncing

        owner = self._bound.owner(scope)
        return syncing.sync(
            self._opened,
            check_path(path),
            owner,
            limits=limits or ReadLimits(),
            dry_run=dry_run,
            add=lambda drafts: self.add_many(drafts, progress=progress, encoded=encoded, **scope),
            rewrite=lambda uri, changed: changing.rewrite(
                self._opened, None, uri, changed, owner, None
            ),
        )

    @watching.watched("delete_memory", watching.of_receipt)
    def forget(self, *ids: str, everything: bool = False, **scope: Unpack[WriteScope]) -> Receipt:
        """Remove records for good: every version, all that was derived from them, and their bytes.

        The journal's file and the indexes are looked through, so this takes time in proportion to their
        size; name many ids in one call rather than calling many times. It works in short steps, between
        which others add and search. The receipt comes when no byte is left. If it is cut off before, the
        next opening of the memory goes on with it.

        Args:
            ids: which records, live or deleted; all in exactly the named scope.
            everything: instead of ids: all records of the named scope and of every scope below it. A session
                takes the conversation of its name along, though that belongs to the user.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            NotFound: if one of the ids is not in this scope; nothing is removed then.
            InvalidInput: if neither ids nor a scope with `everything=True` are named.
            EraseIncomplete: if the records are gone, but not yet their bytes; opening the memory
                again finishes that.
        """
        from agentcl.memory import forgetting

        chosen, view = forgetting.chosen(self._opened, self._bound, ids, scope, everything)
        try:
            return forgetting.forget(self._opened, chosen, view)
        finally:
            self._beliefs.forget()

    # Reading

    @watching.watched("search_memory", watching.of_hits)
    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        mode: Mode | SearchMode = "hybrid",
        filters: Filters | None = None,
        as_of: datetime | None = None,
        valid_at: datetime | AnyScope | None = None,
        vector: Sequence[float] | SupportsList | None = None,
        recognise: Recognise | None = None,
        distinct: bool = True,
        **scope: Unpack[ReadScope],
    ) -> Recall:
        """Find passages, best first.

        Without its encoder a search that compares words too answers by words; `Recall.warning` says so.

        Args:
            query: a question or words; of one of more than 20,000 characters, the first and the last 10,000 are read.
            limit: how many hits at the most.
            mode: "hybrid" joins both rankings, "dense" is by vector only, "text" by words only;
                "graph" goes on from what these find to passages that name the same things.
            filters: conditions on metadata, e.g. `{"lang": "en", "year": {"gte": 2020}}`.
            as_of: search the memory as it was recorded at this moment.
            valid_at: only what holds in the world at this moment; default `as_of`, or now; `ANY`
                finds what held at any time.
            vector: a ready vector for the query.
            recognise: filters the facts that a graph search begins with, e.g.
                `agentcl.memory.Recognition(model)`; default: all are kept.
            distinct: whether passages with the same text are one hit, which says how many there are.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if the query is empty or an argument cannot be used.
            EncoderMismatch: if the folder's vectors are another encoder's.
            EncoderUnavailable: if `mode` is "dense" and the encoder does not answer.
            NotTrusted: if only the folder names the encoder, and it would have to be asked or loaded.
        """
        from agentcl.memory.searching import search

        return search(
            self._opened,
            query,
            self._bound.view(scope),
            limit=limit,
            mode=mode,
            filters=filters,
            as_of=as_of,
            valid_at=valid_at,
            vector=vector,
            recognise=recognise,
            distinct=distinct,
        )

    @watching.watched("search_memory", watching.of_shown)
    def context(
        self,
        messages: Messages,
        *,
        budget_tokens: int = 800,
        added_tokens: int | None = None,
        count_tokens: TokenCounter | None = None,
        hops: int = 1,
        form: ContextForm | Literal["soft"] = "auto",
        base: str | Codec | None = None,
        **scope: Unpack[WriteScope],
    ) -> Context:
        """Return what a model should be shown of this memory before it answers: one call before each model call.

            found = memory.context(messages, user="ada", session="chat-7")
            reply = model(found.into(messages))

        It shows what holds of the user, and what the user's last message finds: statements that hold, what was
        said, and documents. They are ranked together, newer ones higher. What was said and holds no longer is
        left out in favour of what does, or says until when it held. What the messages say already is not repeated.

        Within a session the block only grows at its end, and what was shown stays as it was, so that a server finds
        it in its cache. When the budget is spent, or something that was shown was deleted, a new block begins.
        That is kept in this process: another one begins with a new block.

        With `form="soft"` passages that `compressed.compress` made soft tokens of are shown so, in up to half of the
        budget, and the other half is text. It is all text where there is no codec, where nothing that was found is
        compressed for it, and where the question asks for exact words or numbers; `Context.soft.way` says so.

        Args:
            messages: as the model gets them; see `remember`. Nothing of them is stored.
            budget_tokens: a hard ceiling for the block.
            added_tokens: that a call adds at the most to a block which goes on, unless not even a part of the best fits
                there: then it stands alone. So the block is spent later. Default: as many as the budget has room for.
            count_tokens: the model's own counter; default: an estimate that errs on the high side.
            hops: 2 asks again with what the first look found, for a question whose answer hangs on another one.
            form: "auto" shows texts whole where all have room, and else their best sentences for the question;
                "sentences" says the same; "whole" shows texts whole, the best first, a long one cut; "statements"
                shows statements alone; "soft" shows passages as soft tokens, for the base model that they were made for.
            base: the codec of that model, by its name or its base's fingerprint; default: the only one at hand.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Returns:
            The block: its `text`, what of it is new, what it shows with ids, and `into`, which puts it into messages.

        Raises:
            InvalidInput: if a message cannot be read, or a number is none.
            EncoderMismatch: if the folder's vectors are another encoder's.
        """
        from agentcl.memory.context.context import context

        if form == "soft":
            from agentcl.memory.context.soft import soft_context

            return soft_context(
                self._opened,
                messages,
                self._bound.owner(scope),
                base=base,
                budget_tokens=budget_tokens,
                added_tokens=added_tokens,
                count_tokens=count_tokens,
                hops=hops,
            )
        return context(
            self._opened,
            messages,
            self._bound.owner(scope),
            budget_tokens=budget_tokens,
            added_tokens=added_tokens,
            count_tokens=count_tokens,
            hops=hops,
            form=form,
        )

    @watching.watched("search_memory", watching.of_shown)
    def profile(
        self,
        *,
        budget_tokens: int = 300,
        count_tokens: TokenCounter | None = None,
        **scope: Unpack[WriteScope],
    ) -> Context:
        """Return what holds about a user, as a short block for a prompt: instructions and preferences first.

        Args:
            budget_tokens: a hard ceiling for the block.
            count_tokens: the model's own counter; default: an estimate that errs on the high side.
            scope: `tenant`, `user`, `agent`, `session`; see the class.
        """
        from agentcl.memory.context.context import profile

        return profile(
            self._opened,
            self._bound.owner(scope),
            budget_tokens=budget_tokens,
            count_tokens=count_tokens,
        )

    def get(
        self,
        id: str | None = None,
        *,
        uri: str | None = None,
        as_of: datetime | None = None,
        **scope: Unpack[ReadScope],
    ) -> Record:
        """Return a record by its id, or a document by its uri, as it is or as it was.

        Of several documents with one uri the nearest is returned: the scope's own before one that is
        shared with it.

        Args:
            id: which record; or name a document's `uri`.
            uri: which document.
            as_of: as recorded at this moment.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            NotFound: if the scope does not see such a record (at that moment).
        """
        return reading.get(self._opened, id, uri, self._bound.view(scope), as_of)

    def list(
        self,
        *,
        kind: str = "document",
        prefix: str = "",
        limit: int = 100,
        after: Record | None = None,
        as_of: datetime | None = None,
        **scope: Unpack[ReadScope],
    ) -> Sequence[Record]:
        """Return records in the order of their last change, oldest first.

        Args:
            kind: which kind of record.
            prefix: only documents whose uri begins so.
            limit: how many at the most.
            after: continue after this record, the last one of the previous call.
            as_of: as recorded at this moment.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if there is no such kind.
        """
        return reading.listed(
            self._opened,
            self._bound.view(scope),
            kind=kind,
            prefix=prefix,
            limit=limit,
            after=after,
            as_of=as_of,
        )

    def history(self, id: str, **scope: Unpack[ReadScope]) -> Sequence[Version]:
        """Return every version of a record, oldest first, deletion and erasure included.

        Raises:
            NotFound: if the scope sees no version of it.
        """
        view = self._bound.view(scope)
        return self._opened.journal.history(check_unicode(id, "id"), view=view)

    def _state(self) -> str:
        """Return in words what is in the folder."""
        try:
            counts = self._opened.journal.count(self._bound.view({}))[0]
            encoder = self._opened.encoder_name()
        except StoreUnavailable as error:
            return f"cannot be read: {error}"
        except MemoryClosed:
            return "closed"
        told = [
            f"{counts.get(Document.kind, 0):,} document{'s' * (counts.get(Document.kind) != 1)}"
        ]
        if said := counts.get(Turn.kind):
            told.append(f"{said:,} turn{'s' * (said != 1)}")
        return f"{', '.join(told)}, {encoder}"
