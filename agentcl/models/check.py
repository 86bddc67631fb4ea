"""What an OpenAI-compatible endpoint can do, found out by asking it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import ModelUnavailable
from agentcl.text.endpoint import open_client

if TYPE_CHECKING:
    from openai import OpenAI

_ASK: Final[list[Any]] = [{"role": "user", "content": "Say ready."}]
_ONLY: Final = "ready"  # the one answer that the probing schema allows
# No torch tensor: an endpoint that takes embeddings says so about it, others refuse the field.
_NO_TENSOR: Final = "AAAA"
_NOT_ENABLED: Final = "--enable-prompt-embeds"  # what vLLM's refusal names


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that an endpoint can do or not."""

    name: str
    is_there: bool
    detail: str  # what was seen; empty when there is nothing to add


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What was found out about an endpoint."""

    url: str
    model: str  # which one was asked
    models: tuple[str, ...]  # all that it lists
    context_length: int | None  # in tokens; None where the endpoint does not say
    capabilities: tuple[Capability, ...]


def check(
    base_url: str, *, model: str | None = None, api_key: str | None = None, timeout_s: float = 60.0
) -> Endpoint:
    """Ask an endpoint for one of everything; some ten tokens are generated, nothing is changed.

    Args:
        base_url: e.g. "http://localhost:8000/v1".
        model: default: the first that it lists.
        api_key: default: the variable OPENAI_API_KEY, if set.
        timeout_s: of one request.

    Raises:
        ModelUnavailable: if the endpoint cannot be reached, or lists no such model.
        MissingExtra: if the `openai` client is not installed.
    """
    with open_client(
        base_url, feature="checking an endpoint", api_key=api_key, timeout_s=timeout_s, retries=1
    ) as client:
        return _examine(client, base_url, model)


def _examine(client: OpenAI, base_url: str, model: str | None) -> Endpoint:
    from openai import OpenAIError

    try:
        listed = list(client.models.list())
    except OpenAIError as error:
        raise ModelUnavailable(
            f"{base_url} does not list its models: {error}; check that the server runs and that the URL "
            "is right, its /v1 included"
        ) from error
    names = tuple(found.id for found in listed)
    if not names or (model is not None and model not in names):
        raise ModelUnavailable(
            f"{base_url} serves {', '.join(names) or 'no model'}"
            + ("" if model is None else f", and not {model!r}")
        )
    asked = model or names[0]
    length = getattr(listed[names.index(asked)], "max_model_len", None)
    probes: dict[str, Callable[[OpenAI, str], str]] = {
        "chat": _chat,
        "schema output": _schema,
        "log-probabilities": _logprobs,
        "embeddings": _embeddings,
        "LoRA loading": _lora,
        "prompt embeds": _prompt_embeds,
    }
    found = tuple(_probe(name, probe, client, asked) for name, probe in probes.items())
    return Endpoint(base_url, asked, names, length if isinstance(length, int) else None, found)


class _Absent(Exception):  # a finding, not a failure
    """The endpoint answered, but not as one that can do this."""


def _probe(
    name: str, probe: Callable[[OpenAI, str], str], client: OpenAI, model: str
) -> Capability:
    from openai import OpenAIError

    try:
        return Capability(name, True, probe(client, model))
    except (OpenAIError, _Absent) as error:
        return Capability(name, False, " ".join(str(error).split())[:160])


def _chat(client: OpenAI, model: str) -> str:
    answer = client.chat.completions.create(model=model, messages=_ASK, max_tokens=1)
    if not answer.choices:
        raise _Absent("it answers without any choice")
    return "" if answer.usage else "it does not say how many tokens were used"


def _schema(client: OpenAI, model: str) -> str:
    answer = client.chat.completions.create(
        model=model,
        messages=_ASK,
        max_tokens=16,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"enum": [_ONLY]}},
        },
    )
    text = answer.choices[0].message.content or ""
    try:
        is_held = json.loads(text) == _ONLY
    except ValueError:
        is_held = False
    if not is_held:
        raise _Absent(f"a schema is taken and not kept: {text!r}")
    return ""


def _logprobs(client: OpenAI, model: str) -> str:
    answer = client.chat.completions.create(
        model=model,
        messages=_ASK,
        max_tokens=1,
        logprobs=True,
    )
    if answer.choices[0].logprobs is None or not answer.choices[0].logprobs.content:
        raise _Absent("it answers without them")
    return ""


def _embeddings(client: OpenAI, model: str) -> str:
    answer = client.embeddings.create(model=model, input="ready", encoding_format="float")
    return f"{len(answer.data[0].embedding)} dimensions"


def _lora(client: OpenAI, model: str) -> str:
    """Ask to load nothing: where loading is possible, that is refused as incomplete."""
    from openai import BadRequestError

    try:
        client.post(
            "/load_lora_adapter",
            body={"lora_name": "agentcl-check", "lora_path": ""},
            cast_to=object,
        )
    except BadRequestError:
        return ""
    raise _Absent("it took an adapter without a path, so it does not load any")


def _prompt_embeds(client: OpenAI, model: str) -> str:
    from openai import BadRequestError

    body = {"model": model, "prompt_embeds": _NO_TENSOR, "max_tokens": 1}
    try:
        client.post("/completions", body=body, cast_to=object)
    except BadRequestError as error:
        if _NOT_ENABLED in str(error) or "tensor" not in str(error):
            raise
        return ""
    raise _Absent("the field is ignored")
