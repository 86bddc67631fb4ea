"""What was said, and what is said to hold: conversations, their turns, and statements.

A conversation is found by its turns: each has passages of its own, as a document has. Turns are never
rewritten. What holds now follows from the statements alone (`agentcl.statements.currency`), so that it can be
computed again at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, get_args

from agentcl.store.fields import Dated, Moment
from agentcl.store.records import Record, Scope, register
from agentcl.store.ulid import derived_ulid

Sort = Literal["fact", "preference", "plan", "event", "instruction", "relation"]
Polarity = Literal["holds", "ended"]
Verdict = Literal["open", "accepted", "refused"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
_NO_MOMENT: Final = "0" * 26


@register("conversation")
@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation(Record):
    """A session: turns that follow each other. Its `key` is the session's name, empty for the one without.

    It grows without a new version: its turns lead to it. Its id follows from its scope and its name, so that two
    memories that took part in it hold one conversation once they are merged.
    """

    title: str = ""


def home_of(owner: Scope) -> tuple[Scope, str]:
    """Return the scope that a conversation belongs to, and its name.

    A user's (or an agent's) conversations are his in all his sessions. One that is nobody's stays its session's.
    """
    if owner.user or owner.agent:
        return replace(owner, session=""), owner.session
    return owner, owner.session


def conversation_id(scope: Scope, name: str, *, times: int = 0) -> str:
    """Return the id of a session's conversation.

    Args:
        scope: whose it is.
        name: the session's; empty for the one without.
        times: how often the conversation of that name was deleted or forgotten: it then begins as another one.
    """
    parts = (scope.tenant, scope.user, scope.agent, scope.session, name, str(times))
    return derived_ulid(_NO_MOMENT, "\0".join(parts))


def turn_key(conversation: str, message: str) -> str | None:
    """Return the natural key of a turn: the conversation's id with the message's own, if it has one."""
    return f"{conversation}/{message}" if message else None


@register("turn")
@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Record):
    """One message, as it came. `sources[0]` is the conversation's id.

    `key` is the conversation's id with the message's own id, if it has one. `text` is what can be read of it, and
    what its passages are pieces of; `content` is what came, where that is more than the text.
    """

    role: str  # "user", "assistant", "system", "developer", "tool", or what else came
    text: str
    said_at: Moment  # ISO 8601 with the speaker's own offset, which relative dates are told from
    ordinal: int = 0  # its place in the conversation, from 0
    name: str = ""  # of who speaks, where it was told
    message: str = ""  # the message's own id
    content: Any = None  # JSON: parts, calls of tools and their results; None where `text` is all
    more: Mapping[str, Any] | None = None  # what else the message had, e.g. `tool_calls`

    @property
    def conversation_id(self) -> str:
        """The id of the conversation that it is a part of."""
        return self.sources[0]

    @property
    def speaker(self) -> str:
        """Who speaks: the name, else the role."""
        return self.name or self.role

    @property
    def moment(self) -> datetime:
        """When it was said."""
        return datetime.fromisoformat(self.said_at)


def told_of(turn: Mapping[str, Any], metadata: str, conversation: str) -> dict[str, Any]:
    """Return the metadata of a turn's passages: what it tells of itself, to filter by, and the caller's own.

    Args:
        turn: its own fields.
        metadata: the caller's, as JSON.
        conversation: the name of its session.
    """
    role, name = turn["role"], turn.get("name", "")
    said_at = datetime.fromisoformat(turn["said_at"]).astimezone(UTC)
    return {
        "role": role,
        "speaker": name or role,
        "said_at": said_at.isoformat(),  # of one spelling, so that conditions can compare it
        "turn": turn.get("ordinal", 0),
        "conversation": conversation,
        **json.loads(metadata),
    }


@register("statement")
@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Record):
    """What somebody said to hold: a subject, an attribute, a value. `sources` are the turns that say so.

    `valid_from` and `valid_to` are when it holds, as far as all statements of its slot tell; `since` and `until`
    are what was said of that, perhaps only a month or a year. A statement that something has ended
    (`polarity="ended"`) is kept as what it is, and closes others.
    """

    text: str  # one plain sentence
    subject: str  # "user", or whom or what it is about
    attribute: str
    value: str
    slot: (
        str  # subject and attribute, canonical: statements of one slot say the same thing's values
    )
    said_at: Moment  # ISO 8601 with offset, of the turn that says it first, or most exactly
    sort: Sort = "fact"
    polarity: Polarity = "holds"
    is_member: bool = False  # one of several that hold beside each other, as of what somebody likes
    since: Dated = ""  # ISO 8601: a moment, a day, a month or a year; empty: not said
    until: Dated = ""
    confidence: float = 1.0
    digester: str = ""  # what read it out of its turns
    replaced_by: str = ""  # the id of the statement that ended it
    same_as: str = ""  # the id of a statement of its slot that says the same in other words

    @property
    def moment(self) -> datetime:
        """When it was first said."""
        return datetime.fromisoformat(self.said_at)

    def search_text(self) -> str:
        """Return the sentence, as it is encoded."""
        return self.text


@register("digestion")
@dataclass(frozen=True, slots=True, kw_only=True)
class Digestion(Record):
    """How far a digester has read a conversation. `sources[0]` is the conversation's id.

    `key` is the conversation's id with the digester's name: each has one. `valid_to` is until when turns were recorded
    that were read: one that came into an earlier place since was not.
    """

    digester: str
    read: int = 0  # turns, from the first
    statements: int = 0  # that were kept
    dropped: int = 0  # that the turns do not bear out, or that could not be kept
    error: str = ""  # why the newest turns could not be read
    attempts: int = 1

    @property
    def conversation_id(self) -> str:
        """The id of the conversation that was read."""
        return self.sources[0]


@register("proposal")
@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(Record):
    """That somebody wished something to be forgotten. `sources` are the turns that say so.

    Nothing is done until it is accepted: no word of a conversation takes anything away by itself.
    """

    text: str  # the wish, as it was said
    said_at: str  # ISO 8601 with offset
    statements: tuple[str, ...] = ()  # ids of those that it seems to mean
    verdict: Verdict = "open"
    ended: tuple[str, ...] = ()  # ids of the statements by which it was carried out

    def __post_init__(self) -> None:
        """Make the ids tuples again after JSON."""
        object.__setattr__(self, "statements", tuple(self.statements))
        object.__setattr__(self, "ended", tuple(self.ended))


class Joined(NamedTuple):
    """A statement that was noted to say the same as another one."""

    id: str
    same_as: str  # the id of the other one
    before: str  # what stood there before; mostly empty


class Used(NamedTuple):
    """How often what a statement says was taken up later."""

    id: str
    uses: int  # turns


@register("tidying")
@dataclass(frozen=True, slots=True, kw_only=True)
class Tidying(Record):
    """What one job of tidying did to the statements of a scope. `key` is the job's id.

    It names records, and quotes none. Of those of a scope that were not undone the newest tells what is in the archive.
    """

    joined: tuple[Joined, ...] = ()
    used: tuple[Used, ...] = ()  # all that were, by then
    archived: tuple[str, ...] = ()  # ids of all statements in the archive, by then
    is_undone: bool = False

    def __post_init__(self) -> None:
        """Make the rows tuples again after JSON."""
        object.__setattr__(self, "joined", tuple(Joined(*one) for one in self.joined))
        object.__setattr__(self, "used", tuple(Used(*one) for one in self.used))
        object.__setattr__(self, "archived", tuple(self.archived))


@register("synopsis")
@dataclass(frozen=True, slots=True, kw_only=True)
class Synopsis(Record):
    """A conversation in a few sentences, or what holds of a user. `sources` are what it was made from.

    `key` is the conversation's id, or "profile". A forgotten source takes it along; the next tidying writes it anew.
    """

    sentences: tuple[str, ...]
    by: str  # who wrote it
    job: str  # the id of the job that did
    read: int = 0  # turns, from the first

    def __post_init__(self) -> None:
        """Make the sentences a tuple again after JSON."""
        object.__setattr__(self, "sentences", tuple(self.sentences))

    @property
    def text(self) -> str:
        """The sentences, one after another."""
        return " ".join(self.sentences)
