"""What happened in the latest exchanges, for who wants to see what the memory did; kept in this process."""

from __future__ import annotations

import asyncio
import threading
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from agentcl.errors import AgentclError, NotFound
from agentcl.memory.context.showing import Shown
from agentcl.memory.context.weaving import Soft
from agentcl.retrieval.recall import ScorePart
from agentcl.server.access import Access
from agentcl.store.checks import WriteScope
from agentcl.store.conversations import Statement, Turn
from agentcl.store.episodes import AdapterCoin
from agentcl.store.records import Document, Record

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

State = Literal["open", "done", "left", "broken"]
_MOST: Final = 300  # exchanges
_MOST_PROMPTS: Final = 2_000  # sessions whose last prompt is compared
_MOST_SIZES: Final = 1_000  # sessions whose blocks a memory remembers
_MOST_BLOCKS: Final = 4_000_000  # of all of them together
_BLOCK: Final = 64  # characters


@dataclass(slots=True)
class Exchange:
    """A request and its answer.

    Attributes:
        id: in the header `x-agentcl-exchange`.
        at: when it came.
        model: as the request names it.
        scope: whose it is, with its session.
        memory: what was wanted of the memory: "on", "off", "read" or "write".
        state: "open" while the answer passes; then "done", "left" if the client went away, "broken" if the model did.
        status: of the answer, as HTTP has it; 0 before there is one.
        shown: what the block in the prompt shows.
        text: the block, as it stands in the prompt.
        soft: what is shown as soft tokens, or why nothing is; None where nobody wants that.
        lessons: that stand in the prompt, each by its id and as a sentence.
        withheld: how many lessons a coin left out, to measure what they are worth.
        episode: the id of the episode that this is, or is a part of; empty if none is kept.
        outcome: the score that was reported for it, and what that credited; None: nobody reported any.
        tokens: of the block, and of lessons.
        is_new: whether the block began anew.
        kept: the share of the prompt with which the session's last one began; None if that is not known.
        conversation: the id of the conversation that it was remembered in.
        remembered: ids of the turns that were stored.
        known: messages that were stored before.
        usage: as the model counts it.
        recall_s: seconds that the recall took.
        first_s: seconds until the answer began.
        whole_s: seconds until it ended.
        warning: what the memory could not do; empty if nothing.
        coins: by which an adapter answers, or does not.
        adapter: that answers, with "; stale" if it is, or "none" where it could not; empty if none was to.
    """

    id: str
    at: datetime
    model: str = ""
    scope: WriteScope = field(default_factory=lambda: WriteScope())
    memory: str = "on"
    state: State = "open"
    status: int = 0
    shown: tuple[Shown, ...] = ()
    text: str = field(default="", repr=False)
    soft: Soft | None = None
    lessons: tuple[tuple[str, str], ...] = ()
    withheld: int = 0
    episode: str = ""
    outcome: Mapping[str, Any] | None = None
    tokens: int = 0
    is_new: bool = False
    kept: float | None = None
    conversation: str = ""
    remembered: tuple[str, ...] = ()
    known: int = 0
    usage: Mapping[str, Any] | None = None
    recall_s: float = 0.0
    first_s: float | None = None
    whole_s: float | None = None
    warning: str = ""
    coins: tuple[AdapterCoin, ...] = ()
    adapter: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # while it is scored

    @property
    def session(self) -> str:
        """By what its session is known in this process."""
        return "\0".join(f"{name}={value}" for name, value in self.scope.items())

    @property
    def home(self) -> WriteScope:
        """The scope that its turns are kept in: who is named has his conversations in all his sessions."""
        whose = self.scope.copy()
        if "user" in whose or "agent" in whose:
            whose.pop("session", None)
        return whose


class Exchanges:
    """The latest exchanges of a server. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Exchange] = OrderedDict()

    def keep(self, exchange: Exchange) -> None:
        """Keep an exchange; of many, the latest."""
        with self._lock:
            self._held[exchange.id] = exchange
            if len(self._held) > _MOST:
                self._held.popitem(last=False)

    def get(self, id: str, access: Access) -> Exchange:
        """Return an exchange of somebody's own. Raises NotFound."""
        with self._lock:
            found = self._held.get(id)
        is_foreign = found is not None and (
            any(found.scope.get(k) != v for k, v in access.scope.items())
            or ("tenant" in found.scope and not access.has_tenants)
        )
        if found is None or is_foreign:
            raise NotFound(f"there is no exchange {id!r} of yours among the latest {_MOST}")
        return found


def told(exchange: Exchange, memory: Memory) -> dict[str, Any]:
    """Return what happened in an exchange as JSON. What was forgotten since is not told.

    Args:
        exchange: the exchange.
        memory: with the scope of who asks.
    """
    shown = [_shown(one, memory) for one in exchange.shown]
    is_gone = any(one["is_gone"] for one in shown)
    return {
        "id": exchange.id,
        "at": exchange.at.isoformat(timespec="milliseconds"),
        "model": exchange.model,
        "scope": dict(exchange.scope),
        "memory": exchange.memory,
        "state": exchange.state,
        "status": exchange.status,
        "shown": shown,
        "text": "" if is_gone else exchange.text,
        "soft": None if exchange.soft is None else _soft(exchange.soft, memory),
        "lessons": [_lesson(one, memory) for one in exchange.lessons],
        "withheld": exchange.withheld,
        "episode": exchange.episode,
        "outcome": exchange.outcome,
        "tokens": exchange.tokens,
        "is_new": exchange.is_new,
        "kept": exchange.kept,
        "conversation": exchange.conversation,
        "remembered": list(exchange.remembered),
        "known": exchange.known,
        "usage": exchange.usage,
        "seconds": {
            "recall": exchange.recall_s,
            "first": exchange.first_s,
            "whole": exchange.whole_s,
        },
        "warning": exchange.warning,
        "adapter": exchange.adapter,
    }


def _shown(one: Shown, memory: Memory) -> dict[str, Any]:
    told: dict[str, Any] = {"number": one.number, "id": one.id, "kind": one.kind}
    try:
        record = memory.get(one.id)
    except AgentclError:
        return {**told, "is_gone": True}
    return {
        **told,
        "is_gone": False,
        "text": one.text,
        "spans": one.spans,
        "is_past": one.is_past,
        "score": one.score,
        "parts": [_part(part) for part in one.parts],
        "source": _source(record),
    }


def _soft(soft: Soft, memory: Memory) -> dict[str, Any]:
    """Return what is shown as soft tokens: of each passage what it says, and how much it takes."""
    shown: list[dict[str, Any]] = []
    for one in soft.memories:
        told: dict[str, Any] = {"id": one.id, "document": one.document_id}
        try:
            passage = memory.compressed.get(one.id).passage
        except AgentclError:
            shown.append({**told, "is_gone": True})
            continue
        told |= {"is_gone": False, "title": one.title, "text": passage.text}
        shown.append({**told, "tokens": one.tokens, "slots": one.slots})
    return {
        "way": soft.way,
        "codec": soft.codec,
        "tokens": soft.tokens,
        "saved": soft.saved,
        "memories": shown,
    }


def _lesson(one: tuple[str, str], memory: Memory) -> dict[str, Any]:
    id, line = one
    try:
        memory.get(id)
    except AgentclError:
        return {"id": id, "is_gone": True}
    return {"id": id, "is_gone": False, "text": line}


def _part(part: ScorePart) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ranking": part.source, "rank": part.rank, "score": part.score, "contribution": part.contribution,
    }  # fmt: skip
    if part.link is not None:
        told["link"] = [
            {"passage": passage, "phrase": phrase} for passage, phrase in part.link.steps
        ]
    return told


def _source(record: Record) -> dict[str, Any]:
    """Return where something comes from."""
    told: dict[str, Any] = {"version": record.version, "stored_at": record.created_at.isoformat()}
    match record:
        case Turn():
            told |= {
                "conversation": record.conversation_id, "turn": record.ordinal, "role": record.role,
                "speaker": record.speaker, "said_at": record.said_at,
            }  # fmt: skip
        case Document():
            told |= {"title": record.title, "uri": record.uri}
        case Statement():
            told |= {
                "subject": record.subject, "attribute": record.attribute, "value": record.value,
                "turns": list(record.sources), "since": record.since, "until": record.until,
            }  # fmt: skip
    return told


class Prompts:
    """The last prompt of each session: digests of its beginnings, and its memory's tokens. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, array[int]] = OrderedDict()
        self._blocks = 0
        self._tokens: OrderedDict[str, int] = OrderedDict()

    def tokens(self, session: str) -> int | None:
        """Return how many tokens the memory's block had last; None if the session is new."""
        with self._lock:
            return self._tokens.get(session)

    def note(self, session: str, tokens: int) -> None:
        """Note how many tokens the memory's block has."""
        with self._lock:
            self._tokens[session] = tokens
            self._tokens.move_to_end(session)
            if len(self._tokens) > _MOST_SIZES:
                self._tokens.popitem(last=False)

    def kept(self, session: str, prompt: str) -> float | None:
        """Return the share of a prompt with which the last one began, and keep it in its place; None for the first."""
        new = _digests(prompt.encode("utf-8", "surrogatepass"))
        with self._lock:
            held = self._held.pop(session, None)
            self._held[session] = new
            self._blocks += len(new) - len(held or ())
            while len(self._held) > 1 and (
                len(self._held) > _MOST_PROMPTS or self._blocks > _MOST_BLOCKS
            ):
                _, dropped = self._held.popitem(last=False)
                self._blocks -= len(dropped)
        if held is None:
            return None
        same = 0
        for one, other in zip(held, new, strict=False):
            if one != other:
                break
            same += 1
        return round(same / len(new), 4) if new else 1.0


def _digests(text: bytes) -> array[int]:
    """Return a digest of each beginning of a text that ends with a block."""
    made, digest = array("L"), 0
    for at in range(0, len(text), _BLOCK):
        digest = zlib.crc32(text[at : at + _BLOCK], digest)
        made.append(digest)
    return made
