"""What is done with a request before it goes on, and with the exchange when it is over."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from agentcl.compression.base import Codec
from agentcl.errors import AgentclError, InvalidInput, StoreBusy
from agentcl.memory.adapters.routing import AdapterRoute, all_adapters
from agentcl.memory.context.context import Context
from agentcl.memory.context.weaving import Soft
from agentcl.memory.conversations.messages import Said, read_messages
from agentcl.server.access import Access, is_ours
from agentcl.server.parts import Parts
from agentcl.server.problems import Refused
from agentcl.server.proxy.advising import Advised, Advising, with_lessons
from agentcl.server.proxy.editing import Body
from agentcl.server.proxy.exchanges import Exchange, Exchanges, Prompts
from agentcl.server.proxy.identity import Sessions, mode_of, named_by, narrowed_by, wants_soft
from agentcl.server.proxy.interfaces import CALLS, Interface, Message
from agentcl.server.proxy.softening import ADAPTED, Softening, refused_with
from agentcl.statements import RuleDigester

logger = logging.getLogger(__name__)
_GROWTH: Final = 4  # times the tokens of its beginning that a session's block may have
_ADDED: Final = 4  # a question adds at most this part of the beginning: what it adds, the model's server has to read
# Characters of a token, spaces aside: more would be unlikely in any language
_MOST_WRITTEN: Final = 6
_CUT: Final = (
    "the model's server read {read} tokens of a prompt of more than {written} characters, so it seems to have cut it without a "
    "word, as Ollama does beyond num_ctx: let it read more (OLLAMA_CONTEXT_LENGTH), or lower --memory-tokens"
)
_COMPRESSED: Final = 20  # passages after an exchange; more are left to a job
_ADAPTER: Final = re.compile(r"-v[0-9]{1,9}-[0-9a-f]{8}\Z")  # how names of adapters end
NO_ADAPTER: Final = "none"  # in an exchange: one was to answer, and could not
_TOOLS: Final[frozenset[str]] = frozenset(["tool", "function"])


@dataclass(slots=True)
class Outgoing:
    """A request as it goes on, and what there is to remember of it.

    Attributes:
        body: that the bare model gets.
        exchange: what is told of it.
        interface: of the request.
        access: whose memory it is, with the session; None for no memory.
        said: the messages of the request.
        heard: those of the answer; empty until it is whole.
        route: who is to answer.
        adapted: the body that its adapter gets; empty if there is none.
        advised: the lessons of its session; None where none may be shown.
        raw: the body as it came, but for what is ours.
        codec: by which soft tokens are shown; None for text.
    """

    body: bytes
    exchange: Exchange
    interface: Interface
    access: Access | None = None
    said: Sequence[Message] = ()
    heard: Sequence[Message] = ()
    advised: Advised | None = None
    raw: bytes = b""
    codec: Codec | None = None
    route: AdapterRoute = field(default_factory=AdapterRoute)
    adapted: bytes = b""

    @property
    def sent(self) -> bytes:
        """The body that is sent."""
        return (
            self.adapted
            if self.adapted and self.exchange.adapter not in ("", NO_ADAPTER)
            else self.body
        )

    def fall_back(self) -> None:
        """Note that the bare model answers, since its server does not have the adapter."""
        name = self.route.name
        self.exchange.adapter, self.exchange.coins = NO_ADAPTER, ()
        self.exchange.warning = (
            self.exchange.warning
            or f"the adapter {name} is not loaded where the model is, so the bare model answered; "
            f"`agentcl adapters load {name}` loads it"
        )

    @property
    def has_soft(self) -> bool:
        """Whether there are soft tokens in it."""
        return self.exchange.soft is not None and bool(self.exchange.soft.placed)


class Preparation:
    """The memory's part in the exchanges of a server. Its verbs block, and are for threads.

    Args:
        parts: of the server.
        exchanges: where they are kept.
    """

    def __init__(self, parts: Parts, exchanges: Exchanges) -> None:
        self._memory = parts.memory  # for what the server does by itself
        self._settings = parts.settings
        self._keys = parts.keys
        self._warming = parts.warming
        self._exchanges = exchanges
        self._sessions = Sessions()
        self._prompts = Prompts()
        self.softening = Softening(parts.settings.soft)
        self.advising = Advising(parts.memory, parts.settings.application)

    def prepare(
        self, raw: bytes, headers: Mapping[str, str], access: Access, interface: Interface
    ) -> Outgoing:
        """Return a request with what the memory shows, and without what is said to us.

        A memory that cannot serve does not take the model away: the request goes on without it, and the exchange
        tells why. Only a request for what the key does not open is refused.

        Args:
            raw: the body as it came.
            headers: by their names in lower case.
            access: what the request may reach.
            interface: of the request.

        Raises:
            Refused: if a field names what the key does not open, or nobody can read which model is asked for and there
                are adapters.
            InvalidInput: if a field of ours says nothing that it can say.
        """
        exchange = Exchange(id=token_hex(8), at=datetime.now(UTC))
        try:
            body = Body(raw)
        except InvalidInput as error:
            check_unread(error, access)
            exchange.memory, exchange.warning = "off", str(error)
            return self._kept(Outgoing(raw, exchange, interface))
        values = body.values
        if isinstance(model := values.get("model"), str):
            exchange.model = model
        exchange.memory = mode_of(headers, values)
        is_soft = wants_soft(headers, values, default=self._settings.soft.is_on)
        access = narrowed_by(access, body)
        exchange.scope = access.scope
        check_models(body, access)
        body.drop(is_ours)
        outgoing = Outgoing(body.bytes(), exchange, interface, raw=body.bytes())
        if is_soft and exchange.memory in ("on", "read"):
            outgoing.codec, exchange.soft = self.softening.begin(is_chat=interface.is_chat)
        if exchange.memory != "off":
            self._allow(access, exchange.memory)
            try:
                self._recall(outgoing, body, values, access)
            except Refused:
                raise
            except AgentclError as error:
                self._warn(exchange, error)
        return self._kept(outgoing)

    def _kept(self, outgoing: Outgoing) -> Outgoing:
        self._exchanges.keep(outgoing.exchange)
        return outgoing

    def _allow(self, access: Access, mode: str) -> None:
        """Refuse what is asked for by name and not allowed."""
        if mode in ("read", "write"):
            access.need("read" if mode == "read" else "write")

    def _recall(
        self, outgoing: Outgoing, body: Body, values: Mapping[str, Any], access: Access
    ) -> None:
        interface, exchange = outgoing.interface, outgoing.exchange
        messages = interface.said(values)
        said = read_messages(messages)
        if not said:
            return
        is_alone = self._settings.is_local and not self._keys
        access = named_by(access, values, is_alone=is_alone)
        session = access.scope.get("session") or self._sessions.of(
            access, said, values, interface.instructions(values)
        )
        access = access.narrowed({"session": session})
        exchange.scope = access.scope
        outgoing.access, outgoing.said = access, messages
        key = exchange.session
        is_read = exchange.memory != "write" and "read" in access.rights
        if is_read:
            first = next((one.text for one in said if one.role == "user"), "")
            outgoing.route = access.memory.adapters.answering(asked=first)
            if outgoing.route.name and outgoing.codec is not None:
                outgoing.codec, exchange.soft = None, Soft(f"text: {ADAPTED}")
        if is_read and self._is_warm(exchange):
            began = time.perf_counter()
            # While tools answer, the block stays as it is: what follows it was read by the model already.
            is_round = said[-1].role in _TOOLS and self._prompts.tokens(key) is not None
            found = self._found(outgoing, access, () if is_round else messages)
            self._prompts.note(key, found.tokens)
            exchange.shown, exchange.text, exchange.tokens = found.shown, found.text, found.tokens
            exchange.is_new, exchange.warning = found.is_new, found.warning
            outgoing.advised = self._advised(exchange, access, said, is_round=is_round)
            exchange.recall_s = time.perf_counter() - began
            told = with_lessons(found, outgoing.advised, messages)
            self._insert(outgoing, body, told)
        if outgoing.route.name and exchange.model:
            body.replace("model", json.dumps(outgoing.route.name))
            outgoing.adapted = body.bytes()
        if not (values.get("previous_response_id") or values.get("conversation")):
            exchange.kept = self._prompts.kept(key, interface.prompt(body))

    def _found(self, outgoing: Outgoing, access: Access, messages: Sequence[Message]) -> Context:
        """Return what a memory shows; part of it as soft tokens, where that is wanted and can be."""
        budget = self._budget(outgoing.exchange.session)
        added = max(1, self._settings.memory_tokens // _ADDED)
        if outgoing.codec is None:
            return access.memory.context(messages, budget_tokens=budget, added_tokens=added)
        found = access.memory.context(
            messages, budget_tokens=budget, added_tokens=added, form="soft", base=outgoing.codec
        )
        outgoing.exchange.soft = found.soft
        return found

    def _insert(self, outgoing: Outgoing, body: Body, told: Context) -> None:
        """Put what is shown into a request."""
        is_soft = told.soft is not None and bool(told.soft.placed)
        if is_soft and not self.softening.insert(told, body):
            outgoing.codec, outgoing.exchange.soft = None, self.softening.refusal
            is_soft = False
        if not is_soft and told.placed:
            outgoing.interface.insert(body, told)
        outgoing.body = body.bytes()

    def without_soft(self, outgoing: Outgoing, status: int) -> bytes:
        """Return a request anew whose soft tokens the model's server refused: with text in their place.

        Args:
            outgoing: the request.
            status: of the refusal.
        """
        exchange, access = outgoing.exchange, outgoing.access
        outgoing.codec, exchange.soft = None, refused_with(status)
        body = Body(outgoing.raw)
        if access is None:
            return outgoing.raw
        try:
            found = self._found(outgoing, access, outgoing.said)
        except AgentclError as error:
            self._warn(exchange, error)
            return outgoing.raw
        exchange.shown, exchange.text, exchange.tokens = found.shown, found.text, found.tokens
        self._insert(outgoing, body, with_lessons(found, outgoing.advised, outgoing.said))
        return outgoing.body

    def _advised(
        self, exchange: Exchange, access: Access, said: Sequence[Said], *, is_round: bool
    ) -> Advised | None:
        """Return the lessons of a session. If they cannot be had, what else is recalled is shown all the same."""
        if not self._settings.lessons:
            return None
        begins = exchange.is_new and bool(exchange.shown)
        try:
            return self.advising.advise(exchange, access, said, is_round=is_round, begins=begins)
        except AgentclError as error:
            self._warn(exchange, error)
            return None

    def _is_warm(self, exchange: Exchange) -> bool:
        """Wait for the encoder as long as a call may; if it is not there then, say so in the exchange."""
        if self._warming.wait(self._settings.recall_seconds):
            return True
        exchange.warning = (
            "nothing was recalled: the encoder is still being loaded; /ready tells when it is there"
        )
        return False

    def _budget(self, session: str) -> int:
        """Return how many tokens a session's block may have now.

        One that begins has few. Then it grows to several times that: each new beginning throws away what the model's
        server has read of the whole conversation.
        """
        first, held = self._settings.memory_tokens, self._prompts.tokens(session) or 0
        return _GROWTH * first if 0 < held <= (_GROWTH - 1) * first else first

    def hear(self, outgoing: Outgoing, answer: Mapping[str, Any]) -> None:
        """Take an answer that became whole; the last call counts, for one may have several to choose from.

        It does not block, and goes before the answer's last bytes: who has read them may go on at once, and is
        known by them.

        Args:
            outgoing: the request.
            answer: the whole answer.
        """
        exchange, access = outgoing.exchange, outgoing.access
        if isinstance(usage := answer.get("usage"), Mapping):
            exchange.usage = usage
        if access is None:
            return
        self._note_cut(outgoing)
        outgoing.heard = _readable(outgoing.interface.answer(answer))
        if outgoing.heard:
            said = read_messages([*_since_the_user(outgoing.said), *outgoing.heard])
            id = answer.get("id")
            response = id if isinstance(id, str) else ""
            self._sessions.answered(access, access.scope.get("session", ""), said, response)

    def _note_cut(self, outgoing: Outgoing) -> None:
        """Note where the model's server says that it read far less than the prompt has."""
        exchange = outgoing.exchange
        read = (exchange.usage or {}).get("prompt_tokens")
        texts = (exchange.text, *(one.text for one in read_messages(outgoing.said)))
        written = sum(len(text) - text.count(" ") for text in texts)
        if isinstance(read, int) and 0 < read * _MOST_WRITTEN < written and not exchange.warning:
            exchange.warning = _CUT.format(read=read, written=written)
            logger.warning("exchange %s: the model's server read %d tokens", exchange.id, read)

    def remember(self, outgoing: Outgoing) -> None:
        """Remember an exchange that is over. Of an answer that broke off, the client's next request tells what is left."""
        exchange, access = outgoing.exchange, outgoing.access
        if access is None:
            return
        if exchange.memory != "read" and "write" in access.rights:
            self._store(outgoing, access)
        if outgoing.advised is not None and exchange.episode:
            self._end(outgoing, outgoing.advised)

    def _end(self, outgoing: Outgoing, advised: Advised) -> None:
        exchange, heard = outgoing.exchange, outgoing.heard
        try:
            seen = read_messages(outgoing.said)[-1].text
            answer = "\n".join(one.text for one in read_messages(heard))
            calls = any(one.get("tool_calls") or one.get("type") in CALLS for one in heard)
            self.advising.end(exchange, advised, seen, answer, goes_on=calls)
        except AgentclError as error:
            self._warn(exchange, error)

    def _store(self, outgoing: Outgoing, access: Access) -> None:
        exchange = outgoing.exchange
        try:
            stored = access.memory.remember([*outgoing.said, *outgoing.heard])
        except AgentclError as error:
            self._warn(exchange, error)
            return
        exchange.conversation = stored.conversation
        exchange.remembered = tuple(turn.id for turn in stored.turns)
        exchange.known = stored.known
        if outgoing.codec is not None and stored.turns:
            self._compress(exchange, outgoing.codec)
        if self._settings.digest and stored.turns:
            self._digest(exchange)

    def _compress(self, exchange: Exchange, codec: Codec) -> None:
        """Make soft tokens of what was said. Where somebody is at it, he or the next exchange does this too."""
        try:
            self._memory.scoped(**exchange.home).compressed.compress(codec, limit=_COMPRESSED)
        except StoreBusy:
            return
        except AgentclError as error:
            self._warn(exchange, error)

    def _digest(self, exchange: Exchange) -> None:
        """Read statements out of what was said. Where somebody is at it, he or the next exchange reads this too."""
        try:
            self._memory.scoped(**exchange.home).statements.digest(RuleDigester())
        except StoreBusy:
            return
        except AgentclError as error:
            self._warn(exchange, error)

    def _warn(self, exchange: Exchange, error: AgentclError) -> None:
        exchange.warning = " ".join(str(error).split())
        logger.warning("exchange %s: memory: %s", exchange.id, type(error).__name__)


def passed_on(raw: bytes, kind: str, access: Access) -> bytes:
    """Return the body of a request that no memory takes part in, without what is said to us.

    Args:
        raw: the body as it came.
        kind: its content type; a form is no JSON, and names no adapter.
        access: what the request may reach.

    Raises:
        Refused: as `Preparation.prepare`.
        InvalidInput: likewise.
    """
    if not raw or kind.startswith("multipart/"):
        return raw
    try:
        body = Body(raw)
    except InvalidInput as error:
        check_unread(error, access)
        return raw
    check_models(body, narrowed_by(access, body))
    body.drop(is_ours)
    return body.bytes()


def check_models(body: Body, access: Access) -> None:
    """Refuse a model that is somebody else's adapter, or may be one while the memory cannot tell. Raises Refused."""
    for name in body.models:
        check_model(name, access)


def check_model(name: str, access: Access) -> None:
    """Refuse a model of this name as `check_models` does. Raises Refused."""
    try:
        is_allowed = not name or access.memory.adapters.allows(name)
    except AgentclError:
        is_allowed = _ADAPTER.search(name) is None
    if not is_allowed:
        raise Refused(404, f"the model {name!r} does not exist")


def check_unread(error: InvalidInput, access: Access) -> None:
    """Refuse a body that cannot be read, and may name somebody else's adapter. Raises Refused."""
    try:
        has_adapters = next(all_adapters(access.memory.store.journal), None) is not None
    except AgentclError:
        has_adapters = True
    if has_adapters:
        raise Refused(400, f"{error}; so nobody can tell which model it asks for")


def _readable(messages: list[Message]) -> list[Message]:
    """Return messages, or none if they are of a form that nobody can read: the user's words are kept all the same."""
    try:
        read_messages(messages)
    except InvalidInput:
        return []
    return messages


def _since_the_user(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages from the user's last one on."""
    asked = (at for at in reversed(range(len(messages))) if messages[at].get("role") == "user")
    return messages[next(asked, 0) :]
