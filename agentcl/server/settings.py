"""How a server is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from agentcl.errors import InvalidInput

if TYPE_CHECKING:
    from agentcl.compression.base import Codec
    from agentcl.models.soft_tokens import Sending

HOST: Final = "127.0.0.1"
PORT: Final = 8321
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class SoftServing:
    """Soft memories for the model behind a server.

    Attributes:
        codec: of that model; None: there is none at hand.
        is_on: whether a request that does not say gets soft tokens.
        reason: why there are none, in words; empty where there is a codec.
        sending: in which format they are sent: "torch" to vLLM, "numpy" to a model of this process.
    """

    codec: Codec | None = None
    is_on: bool = False
    reason: str = "this server was started without a codec for its model"
    sending: Sending = "torch"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What a server listens to, and what it bears.

    Attributes:
        host: the address to listen on.
        port: 0 takes a free one.
        hosts: further names under which it is reached, without port, as behind nginx.
        origins: pages of other servers that may ask in a browser, as `https://notes.example.org`.
        most_body: bytes of a request.
        body_seconds: in which the body of a request has to come.
        rate_per_second: requests of one key, or of one address without keys, in the long run; 0 for any number.
        burst: requests that may come at once before `rate_per_second` counts.
        stop_seconds: that requests under way get to end when the server is stopped.
        upstream: the OpenAI-compatible endpoint that the proxy asks; empty for no proxy.
        upstream_key: sent to it where a client brings none of its own.
        upstream_seconds: that it may say nothing before it is given up.
        recall_seconds: that the proxy's first calls wait for the encoder to be loaded; then they go on without recall.
        memory_tokens: of the block that the proxy puts into a prompt, when it begins; it grows to four times that.
        digest: whether the proxy reads statements out of what was said, by rules, after each exchange.
        lessons: whether the proxy shows lessons, and keeps what is reported of an exchange as an episode.
        soft: soft memories for the model behind the proxy.
        application: the program in whose tasks lessons are offered; empty for any.
    """

    host: str = HOST
    port: int = PORT
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    most_body: int = 8 * 1024 * 1024
    body_seconds: float = 30.0
    rate_per_second: float = 0.0
    burst: int = 100
    stop_seconds: int = 10
    upstream: str = ""
    upstream_key: str = field(default="", repr=False)
    upstream_seconds: float = 600.0
    recall_seconds: float = 30.0
    memory_tokens: int = 800
    digest: bool = False
    lessons: bool = True
    application: str = ""
    soft: SoftServing = field(default_factory=SoftServing)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host in _LOCAL:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def answers_to(self, host: str) -> bool:
        """Return whether a `Host` header names this server; only one on this machine looks (DNS rebinding)."""
        if not self.is_local and not self.hosts:
            return True
        name = host.lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        return name in (*_LOCAL, self.host, *map(str.lower, self.hosts))

    def check(self, *, has_keys: bool) -> None:
        """Refuse what would let everybody in. Raises InvalidInput."""
        if not self.is_local and not has_keys:
            raise InvalidInput(
                f"everybody who reaches {self.host} could read and change this memory; make a key first "
                "(agentcl key add), or listen on this machine only (--host 127.0.0.1)"
            )
