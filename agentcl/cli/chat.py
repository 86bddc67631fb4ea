"""`agentcl chat`: a conversation with a model and its memory, in the terminal or on a page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from agentcl.cli.options import on_memory
from agentcl.cli.screen import Screen
from agentcl.errors import AgentclError, InvalidInput
from agentcl.text.visible import visible

if TYPE_CHECKING:
    from agentcl.memory.context import Context
    from agentcl.memory.memory import Memory
    from agentcl.models.base import ChatModel

_ALONE: Final = "me"
_MOST_TOKENS: Final = 512  # of an answer
_SYSTEM: Final = """\
You talk with a person. The lines under Memory are what you know about this person; answer by the newest of them, in a \
sentence or two."""
# A small model reads it right only when it is told whom "the user" means.
_TALK: Final = (
    'You talk with a user whom you know. Lines in brackets after "Memory" say what is true of the user now; "the user" is '
    'the person you talk to. Answer from them in a short sentence, and say "you" to the user.'
)
_HELP: Final = """\
/why       what the model was shown before its last answer
/forget N  remove number N of that for good
/off, /on  answer without memory, and with it again
/quit      end (or Ctrl-D)"""


@click.command()
@click.option("--model", "name", help="A name of `agentcl model list`, or at --url.")
@click.option("--url", default="", help="An endpoint, e.g. http://localhost:8000/v1.")
@click.option("--web", is_flag=True, help="Talk on a page in the browser.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8321, show_default=True)
@on_memory(begins=True)
def chat(
    screen: Screen,
    memory: Memory,
    name: str | None,
    url: str,
    web: bool,
    port: int,
    scope: dict[str, Any],
) -> None:
    """Talk to a model that remembers.

    The model does not change; what was said and what is stored is shown to it before each answer. Without --model it is
    the first of `agentcl model list`. The user is `me` unless --user names another one.
    """
    if web:
        _serve(screen, memory, name, url, port, scope)
        return
    from agentcl.memory.warming import WarmUp

    WarmUp(memory).begin()
    session = scope.pop("session", None) or _session()
    talk = Talk(memory.scoped(**{"user": _ALONE, **scope}), session, _opened(name, url))
    screen.note(
        f"{talk.model.name}, remembering in {memory.place}; /help lists what else can be said"
    )
    for line in _lines():
        try:
            talk.hear(line)
        except AgentclError as error:
            screen.error(error)
        except KeyboardInterrupt:
            click.echo()
        if talk.is_over:
            return


class Talk:
    """A conversation in the terminal.

    Args:
        memory: a handle that names its user.
        session: the name of the conversation.
        model: that answers.
    """

    def __init__(self, memory: Memory, session: str, model: ChatModel) -> None:
        self.model = model
        self._session = session
        self.is_over = False
        self._memory = memory
        self._messages: list[dict[str, Any]] = [{"role": "system", "content": _TALK}]
        self._shown: Context | None = None
        self._has_memory = True

    def hear(self, line: str) -> None:
        """Answer what was typed: a command, or words for the model."""
        if not line.startswith("/"):
            self._answer(line)
            return
        command, _, rest = line.partition(" ")
        if command == "/why":
            self._why()
        elif command == "/forget":
            self._forget(rest)
        elif command in ("/on", "/off"):
            self._has_memory = command == "/on"
            click.echo(f"memory is {command[1:]}")
        elif command in ("/quit", "/exit"):
            self.is_over = True
        else:
            click.echo(_HELP)

    def _answer(self, said: str) -> None:
        from agentcl.models.base import Message, Sampling

        asked = [*self._messages, {"role": "user", "content": said}]
        self._shown = (
            self._memory.context(asked, session=self._session) if self._has_memory else None
        )
        prompt = self._shown.into(asked) if self._shown else asked
        said_before = [Message(one["role"], one["content"]) for one in prompt]
        messages = [Message("system", _SYSTEM), *said_before]
        pieces = []
        for piece in self.model.stream(messages, sampling=Sampling(max_tokens=_MOST_TOKENS)):
            pieces.append(piece)
            click.echo(visible(piece), nl=False)
        click.echo()
        self._messages = [*asked, {"role": "assistant", "content": "".join(pieces)}]
        if self._has_memory:
            self._memory.remember(self._messages[-2:], session=self._session)
            self._digest()

    def _digest(self) -> None:
        """Read what was just said for what it states, so that it can replace what held before."""
        from agentcl.statements import RuleDigester

        self._memory.statements.digest(RuleDigester())

    def _why(self) -> None:
        if self._shown is None or not self._shown.text:
            click.echo("nothing was shown to the model")
            return
        click.echo(visible(self._shown.text).rstrip())
        click.echo(f"({self._shown.report})")

    def _forget(self, number: str) -> None:
        shown = self._shown.shown if self._shown else ()
        meant = [one for one in shown if str(one.number) == number.strip()]
        if not meant:
            raise InvalidInput("name a number that /why shows: /forget 3")
        receipt = self._memory.forget(meant[0].id)
        self._shown = None  # it holds what is gone
        click.echo(f"forgotten: {len(receipt.removed)} records, receipt {receipt.id}")


def _lines() -> Iterator[str]:
    """Yield what is typed, line by line, until the end of the input."""
    stream = sys.stdin
    is_terminal = stream.isatty()
    while True:
        if is_terminal:
            click.secho("> ", nl=False, fg="green")
        try:
            line = stream.readline()
        except KeyboardInterrupt:
            return
        if not line:
            return
        if line.strip():
            yield line.strip()


def _opened(name: str | None, url: str) -> ChatModel:
    """Return the model that is meant. Raises InvalidInput if none is kept and none was named."""
    if url:
        if not name:
            raise InvalidInput(
                f"which model at {url}? Name it with --model; `agentcl model check {url}` lists them"
            )
        from agentcl.models.openai import OpenAIChat

        return OpenAIChat(name, base_url=url)
    from agentcl.models.named import open_model

    name = name or _kept()
    if not name:
        raise InvalidInput(
            "there is no model here: fetch one (agentcl model get smollm2-135m, or `make model` in a checkout), or "
            "name an endpoint with --url and --model"
        )
    return open_model(name)


def _kept() -> str:
    from agentcl.models.kept import kept_models

    return next((one.name for one in kept_models()), "")


def _session() -> str:
    return f"terminal-{datetime.now(UTC):%Y%m%d%H%M%S%f}"


def _serve(
    screen: Screen, memory: Memory, name: str | None, url: str, port: int, scope: dict[str, Any]
) -> None:
    """Serve the page, with a model behind it if there is one."""
    from agentcl.server.endpoint import listening
    from agentcl.server.serving import serve
    from agentcl.server.settings import ServerSettings

    with ExitStack() as running:
        called = name or _kept()
        upstream = url
        if not url and called:
            upstream = running.enter_context(listening(_opened(called, ""), called))
        if not upstream:
            screen.note(
                "no model is here, so the page shows what is stored and nothing answers; fetch one (agentcl model get "
                "smollm2-135m, or `make model` in a checkout), or name an endpoint with --url"
            )
        serve(
            memory.scoped(**scope) if scope else memory,
            settings=ServerSettings(port=port, upstream=upstream),
            began=lambda address: screen.answer(
                {"url": address, "model": called}, f"open {address} in a browser; Ctrl-C ends it"
            ),
        )
