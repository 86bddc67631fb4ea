"""The command that remembers a conversation."""

from __future__ import annotations

from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from agentcl.cli.options import (
    ReadFile,
    command,
    memory_options,
    open_memory,
    scope_of,
    scope_options,
)
from agentcl.cli.screen import Screen, describe_encoder
from agentcl.cli.transcripts import read_hook, said_in
from agentcl.errors import InvalidInput, StoreUnavailable
from agentcl.text.json_values import fault_of_line
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import unread
from agentcl.text.saving import named_stream

if TYPE_CHECKING:
    from agentcl.memory.conversations.messages import Message


_MOST_BYTES: Final = 256_000_000


@click.command()
@click.argument("file", type=ReadFile(), metavar="FILE|-")
@click.option("--title", default="", help="A name for the conversation.")
@click.option("--hook", is_flag=True, help="FILE is what a hook of a coding agent is told.")
@scope_options
@memory_options
@command
def remember(screen: Screen, file: Path, title: str, hook: bool, **given: Any) -> None:
    """Remember the messages of a conversation.

    FILE has a message a line, as JSON: {"role": "user", "content": "...", "time": "2026-03-01T12:00:00Z"}; name, id
    and time may be left out. A line, or the whole file, may also be a list of messages, or an object with `messages`.
    --session names the conversation. What was sent before is stored once, so the same file can be given again when it
    has grown. Much is stored in parts: cut off, it goes on where it stopped when the file is given again.

    FILE may also be the transcript of a session of Claude Code or Codex: what user and assistant said is remembered,
    and no call of a tool. With --hook and - a hook of theirs names transcript and session on standard input.
    """
    if hook:
        told = read_hook(_text(file))
        file = told.file
        given["session"] = given.get("session") or told.session
    scope = scope_of(given)
    messages = _read(file)
    with open_memory(given, begins=True) as memory:
        with screen.progress("remembering", None) as bar:
            done = memory.remember(messages, title=title, progress=bar.update, **scope)
        if screen.as_json:
            screen.json({
                "conversation": done.conversation,
                "remembered": len(done.turns),
                "known": done.known,
                "ids": [turn.id for turn in done.turns],
            })  # fmt: skip
            return
        counts = {"remembered": len(done.turns), "known already": done.known}
        screen.line(
            ", ".join(f"{count} {what}" for what, count in counts.items() if count)
            or "nothing to remember"
        )
        screen.note(f"{memory.place}, {describe_encoder(memory)}")


def _read(file: Path) -> list[Message]:
    """Return the messages of a file. Raises InvalidInput, naming the line that holds none."""
    found = [message for value in _values(_text(file), file) for message in _of_value(value)]
    said = said_in(found)
    return found if said is None else [*said]


def _values(text: str, file: Path) -> list[Any]:
    """Return the JSON values of a file: one that may have many lines, or one a line."""
    try:
        return [parsed_json(text)]
    except ValueError as error:
        whole = error
    values: list[Any] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values.append(parsed_json(line))
        except ValueError as error:
            at, fault = number, error
            if not values and isinstance(whole, JSONDecodeError):
                at, fault = whole.lineno, whole  # a list over several lines, which breaks there
            raise InvalidInput(
                f"line {at} of {named_stream(file)} is no message: {fault_of_line(fault)}. Give one JSON object a line, or one list"
            ) from error
    return values


def _of_value(value: Any) -> list[Any]:  # JSON
    """Return the messages of a list, of an object with `messages`, as exports have it, or the one message."""
    if isinstance(value, dict) and "role" not in value and isinstance(value.get("messages"), list):
        value = value["messages"]
    return value if isinstance(value, list) else [value]


def _text(file: Path) -> str:
    """Return what a file says, or a stream such as a pipe, as far as anybody can have said it."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InvalidInput(
                f"{named_stream(file)} has more than {_MOST_BYTES:,} bytes; give it in parts, which may overlap"
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        raise StoreUnavailable(f"cannot read {named_stream(file)}: {unread(error)}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{named_stream(file)} is not UTF-8, byte {error.start}: convert it first"
        ) from error
