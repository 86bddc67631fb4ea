"""Whose conversation a request is: what its key, its headers and its fields tell, in a fixed order.

1. `x-agentcl-user`, `-session`, `-agent`, `-tenant`, as headers (which the guards have bound) or as fields of the body
2. the scope of the key, or of the server
3. OpenAI's own fields: `safety_identifier`, `user`, `metadata`, `conversation`, `previous_response_id`

A session that nobody names is told from the conversation itself: from the last answer, where this process gave it, or
else from how it begins. So the windows of one conversation, which a client sends again with each request, are
laid onto each other, however much of the system's prompt changes meanwhile.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal, cast, get_args

from agentcl.errors import InvalidInput
from agentcl.memory.conversations.messages import Said
from agentcl.server.access import FIELDS, HEADERS, MODE, SOFT, Access, refuse_unclear
from agentcl.server.proxy.editing import Body

Mode = Literal["on", "off", "read", "write"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
_SWITCH: Final = ("on", "off")
ALONE: Final = "me"  # the user of a server that only this machine reaches, and that has no keys
_METADATA: Final[Mapping[str, Sequence[str]]] = {
    "user": ("user", "user_id"),
    "agent": ("agent", "agent_id"),
    "session": ("session", "session_id", "conversation_id", "thread_id", "chat_id"),
}
_NUMBER: Final = re.compile(r"\d+")
_MOST: Final = 20_000  # clues that are kept


def mode_of(headers: Mapping[str, str], body: Mapping[str, Any]) -> Mode:
    """Return what a request wants of the memory. Raises InvalidInput."""
    said = headers.get(MODE, body.get(MODE, "on"))
    if said not in MODES:
        raise InvalidInput(f"{MODE} is one of {', '.join(MODES)}, and not {said!r}")
    return cast(Mode, said)


def wants_soft(headers: Mapping[str, str], body: Mapping[str, Any], *, default: bool) -> bool:
    """Return whether a request wants soft memories. Raises InvalidInput."""
    said = headers.get(SOFT, body.get(SOFT, _SWITCH[not default]))
    if said not in _SWITCH:
        raise InvalidInput(f"{SOFT} is on or off, and not {said!r}")
    return bool(said == "on")


def narrowed_by(access: Access, body: Body) -> Access:
    """Return the access that fields of ours in a body leave; they say what the headers of the same names would.

    Raises:
        Refused: if one names what the key does not open.
        InvalidInput: if one is none that a scope can have, is not known, or stands twice.
    """
    refuse_unclear(body.names, FIELDS)
    values, scope = body.values, access.scope
    ours = {field: values[name] for field, name in HEADERS.items() if name in values}
    return access.narrowed({k: v for k, v in ours.items() if k not in scope or scope[k] != v})  # type: ignore[literal-required]  # of HEADERS


def named_by(access: Access, body: Mapping[str, Any], *, is_alone: bool) -> Access:
    """Return the access of who OpenAI's own fields name, where nobody is named yet.

    Args:
        access: what the key opens, narrowed by what is ours.
        body: the fields of the request.
        is_alone: whether one person uses this server, who need not be named.

    Raises:
        InvalidInput: if a name is none that a scope can have.
    """
    told = {
        field: value
        for field, value in _told(body).items()
        if field not in access.scope and value not in (None, "")
    }
    access = access.narrowed(cast(dict[str, str], told))
    if is_alone and not access.scope.get("user") and not access.scope.get("agent"):
        access = access.narrowed({"user": ALONE})
    return access


def _told(body: Mapping[str, Any]) -> dict[str, object]:
    """Return what OpenAI's own fields tell of a scope."""
    metadata = body.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    found: dict[str, object] = {
        field: next((told[name] for name in names if told.get(name)), None)
        for field, names in _METADATA.items()
    }
    conversation = body.get("conversation")
    if isinstance(conversation, Mapping):
        conversation = conversation.get("id")
    found["user"] = body.get("safety_identifier") or body.get("user") or found["user"]
    found["session"] = found["session"] or conversation
    return found


class Sessions:
    """Which session an answer belonged to, of the latest ones; kept in this process. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, str] = OrderedDict()

    def of(
        self, access: Access, said: Sequence[Said], body: Mapping[str, Any], instructions: str
    ) -> str:
        """Return the session of a conversation that names none.

        Args:
            access: whose it is.
            said: its messages, without those of the system.
            body: the fields of the request; `prompt_cache_key` keeps apart what begins alike.
            instructions: the system's prompt.
        """
        previous = body.get("previous_response_id")
        if isinstance(previous, str) and previous:
            return self._get(_clue(access, "response", previous)) or _name(
                access, "chain", previous
            )
        if known := self._get(_after(access, said)):
            return known
        first = next((one.text for one in said if one.role == "user"), "")
        hint = body.get("prompt_cache_key")
        # A prompt of the system tells the day or a count, which changes.
        system = _NUMBER.sub("0", instructions)
        return _name(access, "head", hint if isinstance(hint, str) else "", system, first)

    def answered(self, access: Access, session: str, said: Sequence[Said], response: str) -> None:
        """Note that an answer belongs to a session.

        Args:
            access: whose it is.
            session: the session.
            said: the messages up to the answer.
            response: the answer's id; empty for none.
        """
        clues = [_after(access, said), _clue(access, "response", response) if response else ""]
        with self._lock:
            for clue in filter(None, clues):
                self._held[clue] = session
                self._held.move_to_end(clue)
            while len(self._held) > _MOST:
                self._held.popitem(last=False)

    def _get(self, clue: str) -> str:
        with self._lock:
            return self._held.get(clue, "")


def _after(access: Access, said: Sequence[Said]) -> str:
    """Return what the last answer among messages is known by, with the question before it; empty if there is none."""
    last = next((at for at in reversed(range(len(said))) if said[at].role == "assistant"), None)
    if last is None:
        return ""
    asked = next((one.text for one in reversed(said[:last]) if one.role == "user"), "")
    return _clue(access, "answer", asked, said[last].text)


def _clue(access: Access, *parts: str) -> str:
    whose = [str(access.scope.get(field, "")) for field in HEADERS if field != "session"]
    told = "\0".join([*whose, *parts])
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _name(access: Access, *parts: str) -> str:
    return f"chat-{_clue(access, *parts)[:20]}"
