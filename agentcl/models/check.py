"""What an OpenAI-compatible endpoint can do, found out by asking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import ModelUnavailable
from agentcl.text.endpoint import OddAnswer, ask_endpoint, listed_models, open_client, told_by
from agentcl.text.parsing import parsed_json

if TYPE_CHECKING:
    from openai import OpenAI

_ASK: Final[list[Any]] = [{"role": "user", "content": "Say ready."}]
_TOOL: Final[Mapping[str, Any]] = {
    "name": "say_ready",
    "description": "Say that you are ready.",
    "parameters": {"type": "object", "properties": {}},
}
_ASK_CALL: Final[list[Any]] = [{"role": "user", "content": "Call the tool say_ready."}]
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
    """Ask an endpoint for one of everything; some forty tokens are generated, nothing is changed.

    Args:
        base_url: e.g. "http://localhost:8000/v1".
        model: default: the first that it lists; an endpoint that lists none needs it.
        api_key: default: the variable OPENAI_API_KEY, if set.
        timeout_s: of one request.

    Raises:
        ModelUnavailable: if the endpoint cannot be reached, lists no such model, or none when none is named.
        ConfigError: if the address or the key cannot be used.
        MissingExtra: if the `openai` client is not installed.
    """
    with open_client(
        base_url, feature="checking an endpoint", api_key=api_key, timeout_s=timeout_s, retries=1
    ) as client:
        return _examine(client, base_url, model)


def _examine(client: OpenAI, base_url: str, model: str | None) -> Endpoint:
    rows = _listed(client, base_url, is_named=model is not None)
    names = tuple(dict.fromkeys(row["id"] for row in rows))
    if model is None and not names:
        raise ModelUnavailable(
            f"{base_url} lists no model; name the one that it serves (`--model NAME`, or model=)"
        )
    if model is not None and names and model not in names:
        raise ModelUnavailable(f"{base_url} serves {', '.join(names)}, and not {model!r}")
    asked = model or names[0]
    length = next((row.get("max_model_len") for row in rows if row["id"] == asked), None)
    probes: dict[str, Callable[[OpenAI, str], str]] = {
        "chat": _chat,
        "schema output": _schema,
        "log-probabilities": _logprobs,
        "tool calls": _tools,
        "embeddings": _embeddings,
        "LoRA loading": _lora,
        "prompt embeds": _prompt_embeds,
    }
    found = tuple(_probe(name, probe, client, asked) for name, probe in probes.items())
    if not names and not any(capability.is_there for capability in found):
        raise ModelUnavailable(
            f"{base_url} neither lists models nor answers for {asked!r}: {found[0].detail}; check that the URL is "
            "right, its /v1 included"
        )
    return Endpoint(base_url, asked, names, length if isinstance(length, int) else None, found)


def _listed(client: OpenAI, base_url: str, *, is_named: bool) -> list[dict[str, Any]]:
    """Return the models that an endpoint lists. Whoever named one can do without the list.

    Raises:
        ModelUnavailable: if nobody answers, or if a list is needed and there is none.
    """
    from openai import APIStatusError, OpenAIError

    try:
        return listed_models(client)
    except (OpenAIError, OddAnswer) as error:
        if is_named and isinstance(error, APIStatusError | OddAnswer):
            return []
        advice = "check that the server runs and that the URL is right, its /v1 included"
        if isinstance(error, APIStatusError | OddAnswer):
            advice += "; if it lists none, name one (`--model NAME`, or model=)"
        raise ModelUnavailable(
            f"{base_url} does not list its models: {told_by(error)}; {advice}"
        ) from error


def _probe(
    name: str, probe: Callable[[OpenAI, str], str], client: OpenAI, model: str
) -> Capability:
    from openai import OpenAIError

    try:
        return Capability(name, True, probe(client, model))
    except (OpenAIError, OddAnswer) as error:
        return Capability(name, False, " ".join(told_by(error).split())[:160])


def _completed(client: OpenAI, model: str, **more: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an answer and its first choice. Raises OddAnswer if it has none."""
    answer = ask_endpoint(client, "/chat/completions", {"model": model, "messages": _ASK} | more)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise OddAnswer("it answers without any choice")
    return answer, choices[0]


def _chat(client: OpenAI, model: str) -> str:
    answer, choice = _completed(client, model, max_tokens=1)
    if not isinstance(choice.get("message"), dict):
        raise OddAnswer("it answers without any message")
    return "" if answer.get("usage") else "it does not say how many tokens were used"


def _schema(client: OpenAI, model: str) -> str:
    schema = {"name": "answer", "schema": {"enum": [_ONLY]}}
    form = {"type": "json_schema", "json_schema": schema}
    _, choice = _completed(client, model, max_tokens=16, response_format=form)
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    try:
        is_held = parsed_json(text) == _ONLY if isinstance(text, str) else False
    except ValueError:
        is_held = False
    if not is_held:
        raise OddAnswer(f"a schema is taken and not kept: {text!r}")
    return ""


def _logprobs(client: OpenAI, model: str) -> str:
    _, choice = _completed(client, model, max_tokens=1, logprobs=True)
    found = choice.get("logprobs")
    if not isinstance(found, dict) or not found.get("content"):
        raise OddAnswer("it answers without them")
    return ""


def _tools(client: OpenAI, model: str) -> str:
    tools = [{"type": "function", "function": dict(_TOOL)}]
    _, choice = _completed(client, model, messages=_ASK_CALL, max_tokens=32, tools=tools)
    message = choice.get("message")
    if not isinstance(message, dict) or not message.get("tool_calls"):
        said = message.get("content") if isinstance(message, dict) else None
        raise OddAnswer(f"a tool is offered and not called: {said!r}")
    return ""


def _embeddings(client: OpenAI, model: str) -> str:
    body = {"model": model, "input": "ready", "encoding_format": "float"}
    rows = ask_endpoint(client, "/embeddings", body).get("data")
    row = rows[0] if isinstance(rows, list) and rows else None
    vector = row.get("embedding") if isinstance(row, dict) else None
    if not isinstance(vector, list) or not vector:
        raise OddAnswer("it answers without any vector")
    return f"{len(vector)} dimensions"


def _lora(client: OpenAI, model: str) -> str:
    """Ask to load nothing: where loading is possible, that is refused as incomplete."""
    from openai import BadRequestError

    try:
        client.post(
            "/load_lora_adapter", body={"lora_name": "agentcl-check", "lora_path": ""}, cast_to=str
        )
    except BadRequestError:
        return ""
    raise OddAnswer("it took an adapter without a path, so it does not load any")


def _prompt_embeds(client: OpenAI, model: str) -> str:
    from openai import BadRequestError

    body = {"model": model, "prompt_embeds": _NO_TENSOR, "max_tokens": 1}
    try:
        client.post("/completions", body=body, cast_to=str)
    except BadRequestError as error:
        if _NOT_ENABLED in str(error) or "tensor" not in str(error):
            raise
        return ""
    raise OddAnswer("the field is ignored")
