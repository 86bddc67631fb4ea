"""Objects from a model: constrained by a schema where the backend can, and always checked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from agentcl.errors import SchemaViolation, needs
from agentcl.models.base import GREEDY, ChatModel, Message, Reply, Sampling, Schema

_FENCE: Final = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.DOTALL)
_SHOWN: Final = 400  # characters of a broken answer that an error repeats
_AGAIN: Final = (
    "That answer cannot be used: {problem}. Answer again with one JSON value that fits this schema, "
    "and nothing else:\n{schema}"
)


def ask_object(
    model: ChatModel,
    messages: Sequence[Message],
    *,
    schema: Schema,
    sampling: Sampling = GREEDY,
) -> Reply:
    """Return an answer whose `value` fits a JSON Schema; at most two calls.

    An answer that breaks the schema is shown to the model with what is wrong, once. The reply's usage
    is that of both calls.

    Raises:
        SchemaViolation: if the second answer breaks it too.
        ModelUnavailable: if the model cannot be asked.
        MissingExtra: if `jsonschema` is not installed.
    """
    first = model.chat(messages, sampling=sampling, schema=schema)
    value, problem = _read(first, schema)
    if problem is None:
        return replace(first, value=value)
    again = [
        *messages,
        Message("assistant", first.text),
        Message("user", _AGAIN.format(problem=problem, schema=json.dumps(schema))),
    ]
    second = model.chat(again, sampling=sampling, schema=schema)
    value, still = _read(second, schema)
    if still is not None:
        raise SchemaViolation(
            f"{model.name} broke the schema twice: first {problem}, then {still}. "
            f"Its last answer: {second.text[:_SHOWN]!r}"
        )
    return replace(
        second,
        value=value,
        usage=first.usage + second.usage,
        is_cached=first.is_cached and second.is_cached,
    )


def _read(reply: Reply, schema: Schema) -> tuple[Any, str | None]:
    """Return the object and None, or None and what is wrong with the answer."""
    with needs("checking answers against a schema", "openai"):
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match
    fenced = _FENCE.match(reply.text)
    try:
        value = json.loads(fenced.group(1) if fenced else reply.text)
    except (ValueError, RecursionError) as error:
        cut = " (it was cut off at max_tokens)" if reply.finish == "length" else ""
        return None, f"it is not JSON{cut}: {error}"
    wrong = best_match(Draft202012Validator(dict(schema)).iter_errors(value))
    if wrong is None:
        return value, None
    return None, f"at {wrong.json_path}: {wrong.message}"
