"""Soft memories in exchanges: whether a request can have them, and what happens where the model's server takes none."""

from __future__ import annotations

import json
import logging
from typing import Final

from agentcl.compression.base import Codec
from agentcl.errors import MissingExtra
from agentcl.memory.context.context import Context
from agentcl.memory.context.weaving import Soft
from agentcl.server.proxy.editing import Body
from agentcl.server.settings import SoftServing

logger = logging.getLogger(__name__)
# A server that knows no soft tokens refuses the request, or fails at it.
REFUSED: Final = frozenset([400, 404, 415, 422, 500, 501])
_SALT: Final = "cache_salt"  # of vLLM: what was read with another one is not used again
_TAKES_NONE: Final = "the model's server takes no soft tokens (it answered {status}; vLLM takes them with --enable-prompt-embeds)"
_CHAT_ALONE: Final = "soft tokens go with chat/completions, and with no other request"
ADAPTED: Final = "an adapter answers, and soft tokens are read by the bare model alone"


class Softening:
    """Soft memories of a server. Safe for threads: what is noted once stays.

    Args:
        serving: the codec of the model behind it.
    """

    def __init__(self, serving: SoftServing) -> None:
        self._serving = serving
        self._refused = ""

    def begin(self, *, is_chat: bool) -> tuple[Codec | None, Soft]:
        """Return the codec for a request that wants soft memories, or why it gets text."""
        codec = self._serving.codec
        why = "" if codec is not None else self._serving.reason
        why = why or self._refused or ("" if is_chat else _CHAT_ALONE)
        return (None, Soft(f"text: {why}")) if why else (codec, Soft(""))

    def insert(self, found: Context, body: Body) -> bool:
        """Put soft tokens into a request; return whether they can be sent from here.

        vLLM keeps what it read of them apart by their codec, unless the caller keeps his own requests apart.
        """
        messages = body.values.get("messages")
        try:
            made = found.into(
                messages if isinstance(messages, list) else (), sending=self._serving.sending
            )
        except MissingExtra as error:
            self._refused = str(error)
            return False
        body.replace("messages", json.dumps(made, ensure_ascii=False))
        if found.soft is not None and self._serving.sending == "torch":
            body.add(_SALT, found.soft.salt)
        return True

    def refuse(self, status: int) -> None:
        """Note that the model's server took text where it had refused soft tokens with a status."""
        self._refused = _TAKES_NONE.format(status=status)
        logger.warning("soft memories are shown as text: %s", self._refused)

    @property
    def refusal(self) -> Soft:
        """What is told where they cannot be sent."""
        return Soft(f"text: {self._refused}")


def refused_with(status: int) -> Soft:
    """Return what is told of a request whose soft tokens were refused."""
    return Soft(f"text: {_TAKES_NONE.format(status=status)}")
