"""What an endpoint takes of a request: learned from what it refuses, and remembered."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping
from typing import Any, Final

from agentcl.models.base import Schema
from agentcl.models.schemas import is_strict

logger = logging.getLogger(__name__)

Body = dict[str, Any]
# How an object is asked for: by its schema, by the wish for JSON, by words alone.
_FORMATS: Final = ("json_schema", "json_object", "")
_RENAMED: Final[Mapping[str, str]] = {"max_tokens": "max_completion_tokens"}
# What an answer can do without, from the least to the most missed.
_SPARED: Final = ("top_logprobs", "logprobs", "seed", "top_p", "stop", "temperature")
# Whoever refuses these is refusing what we chose, not what the caller did.
_CHOSEN: Final[Mapping[str, Any]] = {"temperature": 0, "seed": 0}
_ABOUT_FORMAT: Final = re.compile(
    r"response.?format|json.?(?:schema|object|mode|output)|schema|structured.?output|guided|grammar"
)
_UNKNOWN: Final = re.compile(
    r"unsupported|not (?:\w+ )?support|unknown|unrecogni[sz]ed|unexpected|extra|not permitted|not allowed|forbidden"
    r"|invalid|only the default|cannot both|only one|deprecated|(?:un|not )available|not implemented"
)
_TOO_MUCH: Final = re.compile(
    r"too (?:large|long|many|big)|at most|exceed|context (?:length|window|size)|reduce the length"
    r"|maximum (?:context|allowed|length|value)|(?:greater|less|more|larger|longer) than"
)
# Templates that know only a user and an assistant say so in many words.
_ABOUT_SYSTEM: Final = re.compile(
    r"(?:system|developer) (?:role|message|prompt|instruction)|roles? (?:'|\")?(?:system|developer)|role: system"
    r"|\.role' does not|only user and assistant|roles must alternate"
)
_ASKED: Final = "Answer with one JSON value that fits this schema, and nothing else:\n{schema}"


class Dialect:
    """What an endpoint takes. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._left_out: set[str] = set()
        self._has_system = True  # a message may come from the system
        self._format = 0  # in `_FORMATS`
        self._is_form_known = False  # an object was asked for, and answered

    def adapted(self, request: Mapping[str, Any], schema: Schema | None) -> Body:
        """Return a request as the endpoint takes it, with what is known of that so far."""
        with self._lock:
            body = {
                self._names.get(name, name): value
                for name, value in request.items()
                if name not in self._left_out
            }
            form, has_system = _FORMATS[self._format], self._has_system
        if not has_system:
            body["messages"] = _told_by_user(body["messages"])
        if schema is None:
            return body
        if form == "json_schema":
            wanted = {"name": "answer", "schema": dict(schema), "strict": is_strict(schema)}
            return {**body, "response_format": {"type": form, "json_schema": wanted}}
        body["messages"] = _with_schema(body["messages"], schema)
        return {**body, "response_format": {"type": form}} if form else body

    def learn(
        self, sent: Body, refusal: str, *, param: str = "", is_form_refused: bool = True
    ) -> bool:
        """Return whether something else can be sent, given what was refused and why.

        Args:
            sent: what was refused.
            refusal: the endpoint's words.
            param: the part of it that the endpoint names; empty if it names none.
            is_form_refused: whether the request is said to be wrong, whatever the words.
        """
        said = refusal.casefold()
        with self._lock:
            if _ABOUT_SYSTEM.search(said) and _speaks_as_system(sent):
                self._has_system = False
                logger.warning("the endpoint has no system role: the user says it from now on")
                return True
            if "response_format" in sent and (
                self._is_about_format(said, param)
                or (is_form_refused and self._may_be_about_format(sent, said, param))
            ):
                return self._step_down(sent["response_format"]["type"])
            known = (*_RENAMED, *_RENAMED.values(), *_SPARED)
            named = [param] if param else [name for name in known if _names(said, name)]
            for name in named:
                if name not in sent:
                    continue
                is_ours = name in _CHOSEN and sent[name] == _CHOSEN[name]
                if not is_ours and (_TOO_MUCH.search(said) or not _UNKNOWN.search(said)):
                    continue
                if name in _RENAMED:
                    self._names[name] = _RENAMED[name]
                elif name in known:
                    self._left_out.update(
                        {name, *(old for old in _RENAMED if _RENAMED[old] == name)}
                    )
                    logger.warning("the endpoint refuses %s: it is left out from now on", name)
                else:
                    continue
                return True
        return False

    def taken(self) -> None:
        """Remember that an object was asked for and answered: what is refused later is not for its form."""
        self._is_form_known = True

    def forget_format(self) -> None:
        """Ask for objects by their schema again, unless another form was ever taken."""
        with self._lock:
            if not self._is_form_known:
                self._format = 0

    def _is_about_format(self, said: str, param: str) -> bool:
        if param:
            return param.startswith("response_format")
        return _ABOUT_FORMAT.search(said) is not None

    def _may_be_about_format(self, sent: Body, said: str, param: str) -> bool:
        """Return whether a refusal names nothing, and comes before any object was answered."""
        if param or self._is_form_known or _TOO_MUCH.search(said):
            return False
        return not any(_names(said, name) for name in sent)

    def _step_down(self, refused: str) -> bool:
        if _FORMATS[self._format] == refused:  # else another thread has learned it meanwhile
            self._format += 1
            logger.warning("the endpoint takes no %s: objects are asked for otherwise", refused)
        return True


def _names(said: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){name}(?![\w-])", said) is not None


def _speaks_as_system(sent: Body) -> bool:
    return any(message.get("role") == "system" for message in sent.get("messages", ()))


def _told_by_user(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in which the next one of the user begins with what the system says."""
    told: list[dict[str, Any]] = []
    system: list[str] = []
    for message in messages:
        if message["role"] == "system":
            system.append(message["content"])
        elif message["role"] == "user" and system:
            told.append({**message, "content": _before("\n\n".join(system), message["content"])})
            system = []
        else:
            told.append(message)
    return [*told, {"role": "user", "content": "\n\n".join(system)}] if system else told


def _before(words: str, content: Any) -> Any:  # noqa: ANN401  # a text, or parts of several kinds
    return (
        f"{words}\n\n{content}"
        if isinstance(content, str)
        else [{"type": "text", "text": words}, *content]
    )


def _with_schema(messages: list[dict[str, str]], schema: Schema) -> list[dict[str, str]]:
    """Return messages whose last one says what the answer has to look like."""
    *before, last = messages
    asked = _ASKED.format(schema=json.dumps(dict(schema)))
    return [*before, {**last, "content": f"{last['content']}\n\n{asked}"}]
