"""`agentcl chat`: a conversation with a model and its memory, in the terminal or on a page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from agentcl.cli.options import on_memory
from agentcl.cli.screen import Screen
from agentcl.errors import AgentclError, InvalidInput
from agentcl.text.counted import counted
from agentcl.text.endpoint import check_address
from agentcl.text.suggesting import did_you_mean
from agentcl.text.visible import visible

if TYPE_CHECKING:
    from agentcl.compression import Codec
    from agentcl.memory.context.context import Context
    from agentcl.memory.memory import Memory
    from agentcl.models.base import ChatModel
    from agentcl.server.settings import SoftServing

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
_FIRST: Final = 500  # passages that are compressed before the conversation begins
_COMPRESSED: Final = 20  # after each answer
_NO_CODEC: Final = (
    "there is no codec for {name}, which soft memories need: each is trained for one model. --model reference has one in the "
    "package; --codec FOLDER names one that `python -m training.compressor` made"
)
_READS_TEXT: Final = (
    "llama.cpp runs {name}, and reads text alone. Serve it by vLLM with --enable-prompt-embeds, and name that by --url; or name a "
    "folder of safetensors, which transformers runs"
)
_TAKES_NONE: Final = (
    "the endpoint takes no soft tokens (vLLM takes them with --enable-prompt-embeds)"
)
_HELP: Final = """\
/why       what the model was shown before its last answer
/forget N  remove number N of that for good
/soft, /text  show passages as soft tokens, and as text again
/off, /on  answer without memory, and with it again
/quit      end (or Ctrl-D)"""


@click.command()
@click.option("--model", "name", help="A name of `agentcl model list`, or at --url.")
@click.option("--url", default="", help="An endpoint, e.g. http://localhost:8000/v1.")
@click.option("--web", is_flag=True, help="Talk on a page in the browser.")
@click.option("--soft", is_flag=True, help="Show passages as soft tokens.")
@click.option("--codec", help="Its folder, of the model; see `agentcl compress`.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8321, show_default=True)
@on_memory(begins=True)
def chat(
    screen: Screen,
    memory: Memory,
    name: str | None,
    url: str,
    web: bool,
    soft: bool,
    codec: str | None,
    port: int,
    scope: dict[str, Any],
) -> None:
    """Talk to a model that remembers.

    The model does not change; what was said and what is stored is shown to it before each answer. Without --model it is
    the first of `agentcl model list`. The user is `me` unless --user names another one.
    """
    if url:
        check_address(url, "the model (--url)")
    if soft and not (name or url or codec):
        name = _with_codec(screen)
    serving = _soft_serving(name or ("" if url else _kept()), url, codec, is_on=soft)
    if soft and serving.codec is not None:
        _compress(screen, memory, serving.codec, scope)
    if web:
        _serve(screen, memory, name, url, port, serving, scope)
        return
    from agentcl.memory.upkeep.warming import WarmUp

    model = _opened(name, url)
    WarmUp(memory).begin()
    session = scope.pop("session", None) or _session()
    me = memory.scoped(**{"user": _ALONE, **scope})
    talk = Talk(me, session, model, serving, screen=screen)
    screen.note(
        f"{talk.model.name}, remembering in {memory.place}; /help lists what else can be said"
    )
    has_failed = False
    for line in _lines():
        try:
            talk.hear(line)
        except AgentclError as error:
            screen.error(error)
            has_failed = True
        except KeyboardInterrupt:
            click.echo()
        if talk.is_over:
            break
    if has_failed and not sys.stdin.isatty():  # a program that pipes reads the status
        click.get_current_context().exit(1)


class Talk:
    """A conversation in the terminal.

    Args:
        memory: a handle that names its user.
        session: the name of the conversation.
        model: that answers.
        soft: soft memories for it; None for text alone.
        screen: what is printed on; as JSON each answer is one line.
    """

    def __init__(
        self,
        memory: Memory,
        session: str,
        model: ChatModel,
        soft: SoftServing | None = None,
        *,
        screen: Screen | None = None,
    ) -> None:
        self._screen = screen or Screen(as_json=False)
        self.model = model
        self._codec = soft.codec if soft else None
        self._no_codec = soft.reason if soft else _NO_CODEC.format(name=model.name)
        self._is_soft = soft is not None and soft.is_on
        self._session = session
        self.is_over = False
        self._memory = memory
        self._messages: list[dict[str, Any]] = [{"role": "system", "content": _TALK}]
        self._shown: Context | None = None
        self._has_memory = True

    def hear(self, line: str) -> None:
        """Answer what was typed: a command, or words for the model."""
        try:
            line.encode()
        except UnicodeEncodeError:
            raise InvalidInput(
                "that line is not UTF-8, so nothing was asked; say it again"
            ) from None
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
            self._screen.row({"memory": command[1:]}, f"memory is {command[1:]}")
        elif command in ("/soft", "/text"):
            self._switch(is_soft=command == "/soft")
        elif command in ("/quit", "/exit"):
            self.is_over = True
        else:
            known = re.findall(r"/\w+", _HELP)
            told = f"there is no {visible(command)}{did_you_mean(command, known)}"
            wrong = {} if command == "/help" else {"told": told}
            self._screen.row({**wrong, "help": _HELP}, *wrong.values(), _HELP)

    def _answer(self, said: str) -> None:
        from agentcl.models.base import Message, Sampling

        asked = [*self._messages, {"role": "user", "content": said}]
        self._shown = self._found(asked) if self._has_memory else None
        turns = (
            self._shown.turns(asked)
            if self._shown
            else [Message(one["role"], one["content"]) for one in asked]
        )
        messages = [Message("system", _SYSTEM), *turns]
        pieces = []
        for piece in self.model.stream(messages, sampling=Sampling(max_tokens=_MOST_TOKENS)):
            pieces.append(piece)
            if not self._screen.as_json:
                click.echo(visible(piece), nl=False)
        shown = self._shown.shown if self._shown else ()
        self._screen.row({"answer": "".join(pieces), "shown": shown}, "")
        self._tell()
        self._messages = [*asked, {"role": "assistant", "content": "".join(pieces)}]
        if self._has_memory:
            self._memory.remember(self._messages[-2:], session=self._session)
            self._digest()
            if self._is_soft and self._codec is not None:
                self._memory.compressed.compress(self._codec, limit=_COMPRESSED)

    def _found(self, asked: list[dict[str, Any]]) -> Context:
        if not self._is_soft:
            return self._memory.context(asked, session=self._session)
        return self._memory.context(asked, session=self._session, form="soft", base=self._codec)

    def _tell(self) -> None:
        """Say what of the last answer's memory was soft tokens."""
        soft = self._shown.soft if self._shown else None
        if soft is None or self._screen.as_json:
            return
        # An endpoint that takes no soft tokens is noticed when it is asked.
        is_text = bool(soft.placed) and getattr(self.model, "takes_soft", None) is False
        way = f"text: {_TAKES_NONE}" if is_text else soft.way
        click.secho(visible(f"({way})"), dim=True)

    def _switch(self, *, is_soft: bool) -> None:
        if is_soft and self._codec is None:
            raise InvalidInput(self._no_codec)
        self._is_soft = is_soft
        form = "soft tokens" if is_soft else "text"
        self._screen.row({"passages": form}, f"passages are shown as {form}")

    def _digest(self) -> None:
        """Read what was just said for what it states, so that it can replace what held before."""
        from agentcl.statements import RuleDigester

        self._memory.statements.digest(RuleDigester())

    def _why(self) -> None:
        soft = self._shown.soft.memories if self._shown and self._shown.soft else ()
        if self._shown is None or not (self._shown.text or soft):
            self._screen.row({"text": "", "soft": []}, "nothing was shown to the model")
            return
        lines = [
            f"[{one.slots} soft tokens for {one.tokens} of text] "
            f"{self._memory.compressed.get(one.id).passage.text}"
            for one in soft
        ]
        told = {"text": self._shown.text, "soft": lines, "report": self._shown.report}
        self._screen.row(told, *lines, self._shown.text.rstrip(), f"({self._shown.report})")

    def _forget(self, number: str) -> None:
        shown = self._shown.shown if self._shown else ()
        meant = [one for one in shown if str(one.number) == number.strip()]
        if not meant:
            raise InvalidInput("name a number that /why shows: /forget 3")
        receipt = self._memory.forget(meant[0].id)
        self._shown = None  # it holds what is gone
        told = f"forgotten: {counted(len(receipt.removed), 'record')}, receipt {receipt.id}"
        self._screen.row({"receipt": receipt}, told)


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


def _with_codec(screen: Screen) -> str:
    """Return the model whose codec is in the package, and say that it is asked."""
    from agentcl.models.reference.shipped import REFERENCE_NAME

    screen.note(
        f"soft memories need a model that has a codec: {REFERENCE_NAME}, which is tiny and talks badly. --url and --codec "
        "name another one"
    )
    return REFERENCE_NAME


def _soft_serving(name: str, url: str, codec: str | None, *, is_on: bool) -> SoftServing:
    """Return the codec for a model, or why it has none. Raises InvalidInput where one was asked for."""
    from agentcl.memory.compressed.codecs import shipped_codec
    from agentcl.models.named import is_for_llamacpp
    from agentcl.models.reference.shipped import REFERENCE_NAME
    from agentcl.server.settings import SoftServing

    found, reason = None, _NO_CODEC.format(name=name or "this model")
    if codec is not None and name and (url or not is_for_llamacpp(name)):
        from agentcl.compression import open_codec

        found = open_codec(codec, base=name)
    elif codec is not None and name:
        reason = _READS_TEXT.format(name=name)
    elif name == REFERENCE_NAME and not url:
        found = shipped_codec()
    if found is None and (is_on or codec is not None):
        raise InvalidInput(reason)
    return SoftServing(found, is_on, reason, "torch" if url else "numpy")


def _compress(screen: Screen, memory: Memory, codec: Codec, scope: dict[str, Any]) -> None:
    """Make soft tokens of what is stored, of much the first part."""
    with screen.progress("compressing", None) as bar:
        report = memory.compressed.compress(codec, limit=_FIRST, progress=bar.update, **scope)
    if report.remaining:
        screen.note(
            f"{report.remaining:,} passages are still text; `agentcl compress` makes soft tokens of them all"
        )


def _serve(
    screen: Screen,
    memory: Memory,
    name: str | None,
    url: str,
    port: int,
    soft: SoftServing,
    scope: dict[str, Any],
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
            settings=ServerSettings(port=port, upstream=upstream, soft=soft),
            began=lambda address: _begun(screen, address, called, url),
        )


def _begun(screen: Screen, address: str, model: str, url: str) -> None:
    from agentcl.server.proxy.upstream import silence_of

    screen.answer({"url": address, "model": model}, f"open {address} in a browser; Ctrl-C ends it")
    if url and (why := silence_of(url)):
        screen.note(f"the model at {url} does not answer yet ({why})")
