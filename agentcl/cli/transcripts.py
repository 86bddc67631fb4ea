"""What was said in the transcript of a coding agent: the log of a session, of Claude Code or of Codex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentcl.errors import InvalidInput
from agentcl.text.parsing import parsed_json

_TEXTS = ("text", "input_text", "output_text")
# What the program puts into the user's mouth.
_NOT_SAID = ("<environment_context>", "<user_instructions>", "<command-", "<local-command-", "<system-reminder>", "# AGENTS.md")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hooked:
    """What a hook of a coding agent is told about a session.

    Attributes:
        file: its transcript.
        session: its id.
    """

    file: Path
    session: str


def read_hook(text: str) -> Hooked:
    """Return what a hook was told on standard input. Raises InvalidInput if that names no transcript."""
    try:
        told = parsed_json(text)
        return Hooked(Path(told["transcript_path"]).expanduser(), str(told["session_id"]))
    except (ValueError, KeyError, TypeError):
        raise InvalidInput(
            "standard input does not tell a transcript_path and a session_id; --hook is for a hook of Claude Code or "
            "Codex, which is told them"
        ) from None


def said_in(lines: Sequence[Any]) -> list[dict[str, Any]] | None:
    """Return the messages of a transcript; None if it is none.

    What user and assistant said is kept. Calls of tools, their results, thoughts, what subagents say among themselves
    and what the program adds by itself are left out.

    Args:
        lines: of the file, as JSON values.
    """
    logged = [line for line in lines if isinstance(line, Mapping)]
    if any(line.get("type") in ("user", "assistant") and "message" in line for line in logged):
        return [said for line in logged for said in _of_claude(line)]
    if any(line.get("type") in ("session_meta", "response_item") for line in logged):
        payloads = [(line, line.get("payload")) for line in logged]
        known = [(line, one) for line, one in payloads if isinstance(one, Mapping)]
        events = [said for line, one in known for said in _event_of_codex(line, one)]
        # Older logs have the items alone, newer ones also the events, which say the same without what was added.
        return events or [said for line, one in known for said in _item_of_codex(line, one)]
    return None


def _of_claude(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    message = line.get("message")
    if line.get("isMeta") or line.get("isSidechain") or not isinstance(message, Mapping):
        return []
    return _said(line, message.get("role"), message.get("content"), id=line.get("uuid"))


def _event_of_codex(line: Mapping[str, Any], event: Mapping[str, Any]) -> list[dict[str, Any]]:
    roles = {"user_message": "user", "agent_message": "assistant"}
    if line.get("type") != "event_msg":
        return []
    return _said(line, roles.get(str(event.get("type"))), event.get("message"))


def _item_of_codex(line: Mapping[str, Any], item: Mapping[str, Any]) -> list[dict[str, Any]]:
    if line.get("type") != "response_item" or item.get("type") != "message":
        return []
    return _said(line, item.get("role"), item.get("content"), id=item.get("id"))


def _said(
    line: Mapping[str, Any], role: object, content: object, **more: object
) -> list[dict[str, Any]]:
    """Return the one message that a line holds, or none."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    parts = content if isinstance(content, list) else []
    texts = [
        part["text"]
        for part in parts
        if isinstance(part, Mapping) and part.get("type") in _TEXTS and isinstance(part.get("text"), str)
    ]  # fmt: skip
    text = "\n".join(one for one in texts if not one.lstrip().startswith(_NOT_SAID)).strip()
    if role not in ("user", "assistant") or not text:
        return []
    held = {"id": more.get("id"), "time": line.get("timestamp")}
    return [{"role": role, "content": text, **{name: one for name, one in held.items() if one}}]
