"""Writes that are done once, however often they are sent: by the `Idempotency-Key` that a client gives each.

That a request was done is noted in the transaction that does it, so both are there or neither, also after a kill. Its
answer follows, without the texts of records: of these only id and version are kept, so that what is forgotten does not
live on in an answer. Where the server was killed before it had answered, the answer is made from the rows that were
written. A key is known for a day or two.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, Final

from agentcl import errors
from agentcl.errors import AgentclError, InvalidInput
from agentcl.memory.conversations.remembering import Remembered
from agentcl.server.access import Access
from agentcl.server.problems import Refused
from agentcl.store.base import Store
from agentcl.store.checks import check_subtree
from agentcl.store.conversations import Turn
from agentcl.store.episodes import Episode
from agentcl.store.noting import noting
from agentcl.store.records import Record, ScopeView, now_micros
from agentcl.store.rows import readable
from agentcl.store.writing import Writing
from agentcl.wire.codec import to_json
from agentcl.wire.hints import fields_of, is_named_tuple
from agentcl.wire.verbs import Begun, Verb

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

_PREFIX: Final = "once:"
_DAY: Final = 86_400_000_000  # microseconds
_MOST_KEY: Final = 255  # characters
_RECORD: Final = "$record"
_JSON: Final = "$json"
# Work that goes on where it was: to run it again does nothing twice.
_AGAIN: Final = frozenset(
    ["add_many", "statements.digest", "statements.tidy", "statements.settle", "facts.extract", "compressed.compress", "store.reembed", "jobs.run", "jobs.run_all",
     "lessons.adopt", "jobs.cancel"]
)  # fmt: skip
_BESIDE_ROWS: Final = frozenset(
    ["store.credit", "jobs.enqueue", "jobs.retry"]
)  # what they do is in no row


class Once:
    """What was done for keys of one memory. Safe for threads and processes.

    Args:
        memory: the whole of it.
    """

    def __init__(self, memory: Memory) -> None:
        self._journal = memory.store.journal
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def run(
        self,
        key: str,
        access: Access,
        verb: Verb,
        sent: Mapping[str, Any],
        call: Callable[[], object],
    ) -> object:
        """Return what a request answers, and do it only if it was not done.

        Args:
            key: that the client gave it.
            access: of the client; keys of one know nothing of those of another.
            verb: what is asked.
            sent: its arguments.
            call: does it.

        Raises:
            InvalidInput: if the key is too long.
            Refused: if the key was another request's, if that one is under way, or if its answer cannot be told again.
        """
        if not 0 < len(key) <= _MOST_KEY:
            raise InvalidInput(f"an Idempotency-Key has 1 to {_MOST_KEY} characters")
        scope = sorted(access.scope.items())
        digest = _hash([access.key, key] if access.key else [scope, key])
        asked = _hash([verb.path, scope, dict(sent)])
        with self._alone(digest):
            name, held = self._found(digest)
            if held is not None:
                if held.get("asked") != asked:
                    raise Refused(422, f"the Idempotency-Key {key!r} was given to another request")
                if (answer := self._answered(access, verb, sent, held)) is not _UNDONE:
                    return answer
            noted = _Noted(self, name, asked, held)
            try:
                with noting(noted):
                    answer = call()
            except AgentclError as error:
                if noted.is_done and verb.key not in _AGAIN:
                    self._keep(name, noted.held, "error", [type(error).__name__, str(error)])
                raise
            if noted.is_done:
                self._keep(name, noted.held, "answer", _without_texts(answer))
            return answer

    @contextmanager
    def _alone(self, digest: str) -> Iterator[None]:
        with self._lock:
            if digest in self._running:
                raise Refused(
                    409,
                    "the request of this Idempotency-Key is under way",
                    headers={"retry-after": "1"},
                )
            self._running.add(digest)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(digest)

    def _found(self, digest: str) -> tuple[str, dict[str, Any] | None]:
        """Return the name under which a request is noted, and what is noted of it."""
        day = now_micros() // _DAY
        names = [f"{_PREFIX}{one:08}:{digest}" for one in (day, day - 1)]
        for name in names:
            if (text := self.text(name)) is not None:
                held = json.loads(text)
                return name, held if isinstance(held, dict) else None
        return names[0], None

    def text(self, name: str) -> str | None:
        """Return what is noted under a name."""
        return self._journal.meta(name)

    def _keep(self, name: str, held: Mapping[str, Any], what: str, told: object) -> None:
        with self._journal.writing() as writing:
            writing.set_meta(name, json.dumps({**held, what: told}))
            writing.clear_meta(_PREFIX, f"{_PREFIX}{now_micros() // _DAY - 1:08}")

    def _answered(
        self, access: Access, verb: Verb, sent: Mapping[str, Any], held: Mapping[str, Any]
    ) -> object:
        """Return the answer of a request that was done; `_UNDONE` if it is to be done."""
        if "answer" in held:
            return _with_texts(self._journal, check_subtree({**access.scope}), held["answer"])
        if "error" in held:
            title, detail = held["error"]
            kind: type[AgentclError] = getattr(errors, title, AgentclError)
            raise kind(detail)
        rows = [
            row
            for first, last in held["rows"]
            for row in self._journal.since(first)
            if row.seq <= last
        ]
        if verb.key in _AGAIN or (not rows and verb.key not in _BESIDE_ROWS):
            return _UNDONE
        return _made(verb, sent, list(readable(row for row in rows if row.op == "put")))


_UNDONE: Final = object()


class _Noted:
    """Notes in each transaction of a request that it was done, and which rows it wrote."""

    def __init__(self, once: Once, name: str, asked: str, held: Mapping[str, Any] | None) -> None:
        self._once, self._name = once, name
        self._before = None if held is None else json.dumps(dict(held))
        self.held: dict[str, Any] = {"rows": [], **(held or {}), "asked": asked}
        self.is_done = False

    def __call__(self, writing: Writing, before: int, after: int) -> None:
        """Note it. Raises Refused if another server did it meanwhile."""
        if self._once.text(self._name) != self._before:
            raise Refused(409, "the request of this Idempotency-Key is under way")
        self.held["rows"] = [*self.held["rows"], [before, after]]
        self._before = json.dumps(self.held)
        writing.set_meta(self._name, self._before)
        self.is_done = True


def _made(verb: Verb, sent: Mapping[str, Any], written: list[Record]) -> object:
    """Return the answer of a request whose server was killed before it had answered, from what it wrote."""
    answer = verb.answer
    if answer is Begun:
        episode = next(one for one in written if isinstance(one, Episode))
        return Begun(episode.id, episode)
    if answer is Remembered:
        turns = tuple(one for one in written if isinstance(one, Turn))
        messages = sent["messages"]
        count = len(messages) if isinstance(messages, list) else 1
        return Remembered(turns[0].conversation_id, turns, count - len(turns))
    if answer in (None, type(None)):
        return None
    is_record = isinstance(answer, type) and issubclass(answer, Record)
    if is_record and (of_kind := [one for one in written if isinstance(one, answer)]):
        return of_kind[-1]
    raise Refused(
        409,
        "this request was done, and the server was stopped before it had answered. It is not done again: look at what is "
        "stored, and send under a new Idempotency-Key what is still to be done",
    )


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _without_texts(value: object) -> Any:  # noqa: ANN401  # any JSON
    """Return an answer as JSON, with ids and versions in place of records."""
    if isinstance(value, Record):
        return {_RECORD: [value.id, value.version]}
    kind: Any = type(value)
    if is_dataclass(kind) or is_named_tuple(kind):
        return {name: _without_texts(getattr(value, name)) for name in fields_of(kind)}
    if isinstance(value, list | tuple):
        return [_without_texts(one) for one in value]
    # What a client wrote itself is marked, so that it cannot look like a record.
    return {_JSON: to_json(value)} if isinstance(value, Mapping) else to_json(value)


def _with_texts(journal: Store, view: ScopeView, kept: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return an answer with its records again. Raises Refused if one was forgotten."""
    if isinstance(kept, list):
        return [_with_texts(journal, view, one) for one in kept]
    if not isinstance(kept, dict):
        return kept
    if _JSON in kept:
        return kept[_JSON]
    if _RECORD not in kept:
        return {name: _with_texts(journal, view, one) for name, one in kept.items()}
    id, version = kept[_RECORD]
    for row in journal.versions(id):
        if row.version == version and row.op == "put" and view.sees(row.scope):
            return to_json(row.record())
    raise Refused(
        410, f"this request was done; what it answered, record {id!r}, was forgotten since"
    )
