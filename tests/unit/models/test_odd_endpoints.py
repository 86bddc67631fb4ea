"""Endpoints that speak the protocol in their own way: whatever comes is a value, or an error of ours."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentcl import (
    AgentclError,
    ConfigError,
    Memory,
    ModelExtractor,
    ModelUnavailable,
    RequestRefused,
)
from agentcl.models import Message, OpenAIChat, Sampling, ask_object, ask_text
from agentcl.retrieval.encoders.openai import OpenAIEncoder
from agentcl.text.endpoint import is_loopback
from tests.endpoints import JsonHandler

ASK = [Message("user", "When does the ferry leave?")]
SCHEMA = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
FACTS = '{"facts": [["Mara", "works at", "Lindholm Optics"]], "names": ["Mara"]}'

Answer = tuple[int, dict[str, str], object]
Answering = Callable[[dict[str, Any]], Answer]


class Endpoint(ThreadingHTTPServer):
    """Answers as it is told, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answering: Answering) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answering = answering
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(JsonHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.asked()
        self.server.bodies.append(body)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, headers, answer = self.server.answering(body)
        if isinstance(answer, list):
            headers = {"Content-Type": "text/event-stream", **headers}
            answer = "".join(f"data: {_text(event)}\n\n" for event in answer)
        self.answer(answer, status=status, headers=headers)


def _text(answer: object) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)


@pytest.fixture
def serve() -> Iterator[Callable[[Answering], Endpoint]]:
    pytest.importorskip("openai")
    running: list[Endpoint] = []

    def start(answering: Answering) -> Endpoint:
        server = Endpoint(answering)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


Serve = Callable[[Answering], Endpoint]


def said(content: object = "at seven", *, finish: str | None = "stop", **more: object) -> Answer:
    message = {"role": "assistant", "content": content, **more}
    usage = {"prompt_tokens": 11, "completion_tokens": 3}
    choices = [{"index": 0, "finish_reason": finish, "message": message}]
    return 200, {}, {"model": "m", "choices": choices, "usage": usage}


def refused(message: str, *, status: int = 400, **more: object) -> Answer:
    return status, {}, {"error": {"message": message, "type": "invalid_request_error", **more}}


def chat(server: Endpoint, **options: Any) -> OpenAIChat:
    return OpenAIChat("m", base_url=server.url, retries=0, **options)


# What is asked


def test_what_any_server_does_unasked_is_not_sent(serve: Serve) -> None:
    server = serve(lambda body: said())
    chat(server).chat(ASK)
    assert set(server.bodies[0]) == {"model", "messages", "max_tokens", "temperature", "seed"}
    chat(server).chat(ASK, sampling=Sampling(top_p=0.9, seed=None))
    assert server.bodies[1]["top_p"] == 0.9
    assert "seed" not in server.bodies[1]


def test_options_and_headers_are_sent_with_each_request_and_stand_in_the_name(serve: Serve) -> None:
    server = serve(lambda body: said())
    model = chat(
        server,
        reasoning_effort="low",
        extra_body={"chat_template_kwargs": {"enable_thinking": False}},
        headers={"OpenAI-Organization": "org-1"},
    )
    model.chat(ASK)
    (body,) = server.bodies
    assert (body["reasoning_effort"], body["chat_template_kwargs"]) == ("low", {"enable_thinking": False})  # fmt: skip
    assert server.headers[0]["openai-organization"] == "org-1"
    assert model.name.startswith(f"openai:m@{server.url} ")
    assert "low" in model.name
    assert model.name != chat(server, reasoning_effort="high").name


REFUSALS: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "max_tokens": lambda b: "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead." if "max_tokens" in b else None,
    "temperature": lambda b: "Unsupported value: 'temperature' does not support 0 with this model. Only the default "
    "(1) value is supported." if "temperature" in b else None,
    "strictly positive": lambda b: "`temperature` must be strictly positive" if b.get("temperature") == 0 else None,
    "both": lambda b: "`temperature` and `top_p` cannot both be specified for this model." if "top_p" in b else None,
    "seed": lambda b: "Unknown parameter: seed" if "seed" in b else None,
    "stop": lambda b: "Unsupported parameter: 'stop' is not supported with this model." if "stop" in b else None,
    "logprobs": lambda b: "this model does not support logprobs" if "logprobs" in b else None,
}  # fmt: skip


@pytest.mark.parametrize("refusing", [*([name] for name in REFUSALS), [*REFUSALS]])
def test_what_is_refused_by_name_is_replaced_or_left_out_once(
    serve: Serve, refusing: list[str]
) -> None:
    def answering(body: dict[str, Any]) -> Answer:
        found = [why for name in refusing if (why := REFUSALS[name](body))]
        return refused(found[0]) if found else said("at seven\nor eight")

    server = serve(answering)
    model = chat(server)
    sampling = Sampling(top_p=0.9, stop=("\n",), logprobs=True)
    for _ in range(2):
        reply = model.chat(ASK, sampling=sampling)
        assert (reply.text, reply.finish) == ("at seven", "stop")
    assert len(server.bodies) <= len(refusing) + 2
    last = server.bodies[-1]
    assert ("max_completion_tokens" in last) == ("max_tokens" in refusing)
    assert last.get("max_tokens", last.get("max_completion_tokens")) == 512


@pytest.mark.parametrize(
    "answer",
    [
        (422, {}, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 0}]}),
        refused("nope", param="seed", code="unknown_parameter", type="unsupported"),
        refused("You are not allowed to set seed for this model", status=403),
        (400, {}, "seed: unknown field"),
        (400, {}, [{"error": {"message": "Unknown name \"seed\": Cannot find field."}}]),
    ],
)  # fmt: skip
def test_a_refusal_names_a_part_in_many_ways(serve: Serve, answer: Answer) -> None:
    server = serve(lambda body: answer if "seed" in body else said())
    assert chat(server).chat(ASK).text == "at seven"
    assert len(server.bodies) == 2


def test_where_no_limit_of_tokens_is_taken_none_is_sent(serve: Serve) -> None:
    names = ("max_tokens", "max_completion_tokens")

    def answering(body: dict[str, Any]) -> Answer:
        found = [name for name in names if name in body]
        return refused(f"Unrecognized request argument supplied: {found[0]}") if found else said()

    server = serve(answering)
    model = chat(server)
    assert model.chat(ASK).text == "at seven"
    assert model.chat(ASK).text == "at seven"
    assert len(server.bodies) == 4


@pytest.mark.parametrize(
    "answer",
    [
        refused("System role not supported"),
        refused("Unsupported value: 'messages[0].role' does not support 'system' with this model.",
                param="messages[0].role", code="unsupported_value"),
        refused("Developer instruction is not enabled for models/gemma-3-27b-it"),
        refused("Only user and assistant roles are supported!"),
        refused("Conversation roles must alternate user/assistant/user/assistant/..."),
        refused("invalid message role: system", status=422),
    ],
)  # fmt: skip
def test_a_server_without_a_system_role_is_noticed_once_and_told_by_the_user(
    serve: Serve, answer: Answer
) -> None:
    pytest.importorskip("jsonschema")
    server = serve(
        lambda body: (
            answer
            if any(one["role"] == "system" for one in body["messages"])
            else said('{"hour": 7}')
        )
    )
    model = chat(server)
    messages = [Message("system", "Be brief."), *ASK]
    for _ in range(2):
        assert ask_object(model, messages, schema=SCHEMA).value == {"hour": 7}
    assert len(server.bodies) == 3
    assert server.bodies[-1]["response_format"]["type"] == "json_schema"
    assert server.bodies[-1]["messages"] == [
        {"role": "user", "content": f"Be brief.\n\n{ASK[0].content}"}
    ]


def test_a_refusal_of_a_text_about_systems_is_an_error(serve: Serve) -> None:
    server = serve(lambda body: refused("Invalid content: our system is not allowed to read this"))
    with pytest.raises(RequestRefused, match="not allowed"):
        chat(server).chat([Message("system", "Be brief."), *ASK])
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 1024 tokens; reduce the length of the messages or max_tokens",
        "max_tokens is too large: 512. This model supports at most 256 completion tokens",
        "temperature must be less than or equal to 2",
        "Invalid content: the word 'please' is not allowed",
    ],
)
def test_a_refusal_of_what_was_asked_for_is_an_error(serve: Serve, message: str) -> None:
    server = serve(lambda body: refused(message))
    with pytest.raises(RequestRefused, match=message[:20]):
        chat(server).chat(ASK, sampling=Sampling(temperature=1.5))
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("kinds", "answer"),
    [
        (["json_schema"], refused("This response_format type is unavailable now")),
        (["json_schema", "json_object"], refused("unsupported", param="response_format.type")),
        (["json_schema", "json_object"], refused("response_format is not implemented", status=501)),
        (
            ["json_schema"],
            refused("Invalid schema: 'minItems' is not permitted; maximum is neither"),
        ),
        (["json_schema"], (422, {}, {"detail": [{"loc": ["body", "response_format", "type"]}]})),
        (["json_schema"], (400, {}, "")),
    ],
)
def test_a_server_without_schemas_is_noticed_once_and_asked_otherwise(
    serve: Serve, kinds: list[str], answer: Answer
) -> None:
    def answering(body: dict[str, Any]) -> Answer:
        return (
            answer if body.get("response_format", {}).get("type") in kinds else said('{"hour": 7}')
        )

    server = serve(answering)
    model = chat(server)
    for _ in range(3):
        assert ask_object(model, ASK, schema=SCHEMA).value == {"hour": 7}
    assert len(server.bodies) == 3 + len(kinds)
    last = server.bodies[-1]
    assert last.get("response_format") == ({"type": "json_object"} if len(kinds) == 1 else None)
    assert json.dumps(SCHEMA) in last["messages"][-1]["content"]  # else nobody would have told it
    assert model.chat(ASK).text == '{"hour": 7}'
    assert server.bodies[-1]["messages"][-1]["content"] == ASK[0].content


def test_a_passage_that_is_refused_does_not_give_up_schemas(serve: Serve) -> None:
    bad = [Message("user", "forbidden words")]

    def answering(body: dict[str, Any]) -> Answer:
        is_bad = body["messages"][-1]["content"].startswith("forbidden")
        return refused("no") if is_bad else said('{"hour": 7}')

    server = serve(answering)
    model = chat(server)
    for _ in range(2):
        with pytest.raises(RequestRefused):
            ask_object(model, bad, schema=SCHEMA)
        assert ask_object(model, ASK, schema=SCHEMA).value == {"hour": 7}
        assert server.bodies[-1]["response_format"]["type"] == "json_schema"
    assert len(server.bodies) == 3 + 1 + 1 + 1


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_an_outage_is_no_reason_to_ask_otherwise(serve: Serve, status: int) -> None:
    server = serve(lambda body: refused("no", status=status))
    with pytest.raises(ModelUnavailable):
        ask_object(chat(server), ASK, schema=SCHEMA)
    assert len(server.bodies) == 1


def test_only_a_strict_schema_is_sent_as_one(serve: Serve) -> None:
    server = serve(lambda body: said('{"hour": 7}'))
    closed = {**SCHEMA, "additionalProperties": False}
    for schema in (SCHEMA, closed):
        ask_object(chat(server), ASK, schema=schema)
    assert [b["response_format"]["json_schema"]["strict"] for b in server.bodies] == [False, True]


# What is answered

COMPLETION: dict[str, Any] = said()[2]  # type: ignore[assignment]  # it is one
ODD: dict[str, object] = {
    "empty choices": {**COMPLETION, "choices": []},
    "null choices": {**COMPLETION, "choices": None},
    "a choice that is null": {**COMPLETION, "choices": [None]},
    "choices that are none": {**COMPLETION, "choices": {"0": "x"}},
    "no choices": {"model": "m"},
    "null message": {**COMPLETION, "choices": [{"message": None}]},
    "message of text": {**COMPLETION, "choices": [{"message": "at seven"}]},
    "error object": {"error": {"message": "overloaded", "code": 503}},
    "error text": {"error": "overloaded"},
    "error of a choice": {
        "choices": [{"error": {"message": "overloaded"}, "message": {"content": ""}}]
    },
    "html": "<html>login</html>",
    "json string": '"ok"',
    "json list": "[]",
    "json null": "null",
    "deep": "[" * 100_000,
    "cut off": '{"choices": [{"mess',
    "empty body": "",
}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_that_is_none_is_an_error_that_shows_it(serve: Serve, name: str) -> None:
    for kind in ("application/json", "text/html"):
        server = serve(lambda body: (200, {"Content-Type": kind}, ODD[name]))  # noqa: B023  # called here
        with pytest.raises(RequestRefused, match="gave no answer of 'm'") as caught:
            chat(server).chat(ASK)
        assert len(str(caught.value)) < 800
        with pytest.raises(ModelUnavailable):
            list(chat(server).stream(ASK))


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"content": [{"type": "text", "text": "at "}, {"type": "text", "text": "seven"}]}, "at seven"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "six?"}]}, {"type": "text", "text": "at seven"}]}, "at seven"),
        ({"content": ["at ", None, 7, {"type": "image_url"}, "seven"]}, "at seven"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, ""),
        ({"content": 7}, ""),
        ({"content": None, "reasoning_content": "six?"}, ""),
    ],
)  # fmt: skip
def test_content_comes_in_many_forms(serve: Serve, more: dict[str, Any], text: str) -> None:
    reply = chat(serve(lambda body: said(finish=None, **more))).chat(ASK)
    assert (reply.text, reply.finish) == (text, "other")
    assert reply.thought in ("", "six?")


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], "x", {"prompt_tokens": None, "completion_tokens": 3}, {"prompt_tokens": "5"}],
)
def test_tokens_that_are_not_told_are_estimated(serve: Serve, usage: object) -> None:
    odd = {**COMPLETION, "usage": usage, "model": None}
    odd["choices"] = [{**odd["choices"][0], "logprobs": {"content": [{"token": None}]}}]
    reply = chat(serve(lambda body: (200, {}, odd))).chat(ASK)
    assert reply.usage.is_estimated
    assert (reply.model, reply.logprobs) == ("m", None)


def test_a_model_that_refuses_says_so(serve: Serve) -> None:
    server = serve(lambda body: said(None, refusal="I cannot help with that."))
    with pytest.raises(RequestRefused, match="I cannot help"):
        chat(server).chat(ASK)


def test_an_answer_that_stands_in_the_reasoning_is_used_or_said_to_stand_there(
    serve: Serve,
) -> None:
    for content in ("", None):
        server = serve(lambda body: said(content, reasoning_content='{"hour": 7}'))  # noqa: B023  # called here
        assert ask_object(chat(server), ASK, schema=SCHEMA).value == {"hour": 7}
    with pytest.raises(AgentclError, match="reasoning_content"):
        ask_text(chat(serve(lambda body: said("", reasoning="hm"))), ASK)
    cut = serve(lambda body: said(None, finish="length", reasoning_content="hm"))
    with pytest.raises(AgentclError, match="max_tokens"):
        ask_object(chat(cut), ASK, schema=SCHEMA)
    assert chat(cut).chat(ASK).finish == "length"


def piece(content: object, **more: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, **more}]}


@pytest.mark.parametrize(
    "events",
    [
        [{"choices": []}, piece("at "), piece(None), piece("seven"), {"choices": [], "usage": {}}, "[DONE]"],
        [piece("at seven"), {"choices": None}, "[DONE]"],
        [piece("at seven"), {"choices": [{"delta": None, "finish_reason": "stop"}]}, "[DONE]"],
        [piece("at seven"), {"choices": [None]}, {}, [], "null", "7", "[DONE]"],
        [piece([{"type": "text", "text": "at seven"}])],
        [{"choices": [{"delta": {"reasoning_content": "six?"}}]}, piece("at seven")],
    ],
)  # fmt: skip
def test_nulls_in_a_stream_add_nothing(serve: Serve, events: list[object]) -> None:
    assert "".join(chat(serve(lambda body: (200, {}, events))).stream(ASK)) == "at seven"


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["a\ud83d", "\ude00b"], "a\U0001f600b"),
        (["\ud83d", "", "\ude00"], "\U0001f600"),
        (["a\ud83d"], "a\ufffd"),
        (["\ude00", "\ud83d", "x"], "\ufffd\ufffdx"),
        (["\ud83d\ude00"], "\U0001f600"),
    ],
)
def test_a_character_that_was_cut_in_two_is_one_again(
    serve: Serve, tmp_path: Path, pieces: list[str], said: str
) -> None:
    events = [{"choices": [{"delta": {"content": one}}]} for one in pieces]
    whole = {"choices": [{"message": {"role": "assistant", "content": "".join(pieces)}}]}
    streamed = "".join(chat(serve(lambda body: (200, {}, events))).stream(ASK))
    at_once = chat(serve(lambda body: (200, {}, whole))).chat(ASK).text
    assert (streamed, at_once) == (said, said)
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.remember([{"role": "assistant", "content": streamed}], session="s")


def test_what_is_wrong_is_told_where_there_is_no_choice(serve: Serve) -> None:
    for name in ("detail", "message"):
        server = serve(lambda body: (200, {}, {name: "no such deployment"}))  # noqa: B023  # called here
        with pytest.raises(RequestRefused, match="without any choice: no such deployment"):
            chat(server).chat(ASK)


@pytest.mark.parametrize(
    "last",
    [
        {"error": {"message": "boom"}},
        {"error": "boom"},
        "{not json",
        {"choices": [{"error": {"message": "boom"}, "delta": {"content": ""}}]},
    ],
)
def test_a_stream_that_breaks_is_an_error_of_ours(serve: Serve, last: object) -> None:
    model = chat(serve(lambda body: (200, {}, [piece("at "), last])))
    with pytest.raises(ModelUnavailable):
        list(model.stream(ASK))


def test_a_stream_too_is_asked_for_otherwise_and_ends_at_its_stop(serve: Serve) -> None:
    def answering(body: dict[str, Any]) -> Answer:
        if "stop" in body:
            return refused("'stop' is not supported")
        return 200, {}, [piece("at se"), piece("ven\nor"), piece(" eight")]

    model = chat(serve(answering))
    assert "".join(model.stream(ASK, sampling=Sampling(stop=("\n",)))) == "at seven"


@pytest.mark.parametrize("wait", ["7200", "Sat, 28 Nov 2099 04:28:32 GMT"])
def test_when_to_come_back_is_told(serve: Serve, wait: str) -> None:
    server = serve(lambda body: (429, {"Retry-After": wait}, {"error": {"message": "slow down"}}))
    with pytest.raises(ModelUnavailable, match=f"slow down.*Retry-After.*{wait}.*ask again later"):
        chat(server).chat(ASK)


def test_a_page_in_place_of_an_error_stays_short(serve: Serve) -> None:
    page = "<html><h1>502 Bad Gateway</h1></html>" * 200
    server = serve(lambda body: (502, {"Content-Type": "text/html"}, page))
    with pytest.raises(ModelUnavailable) as caught:
        chat(server).chat(ASK)
    assert len(str(caught.value)) < 500


# A job over many passages


def test_an_odd_answer_is_noted_and_the_job_goes_on(serve: Serve, tmp_path: Path) -> None:
    def answering(body: dict[str, Any]) -> Answer:
        is_odd = "note 3" in body["messages"][-1]["content"]
        return (200, {}, "<html>") if is_odd else said(FACTS)

    with Memory(tmp_path, encoder="hashing") as memory:
        memory.add_many([f"Mara works at Lindholm Optics, note {n}." for n in range(6)])
        report = memory.facts.extract(ModelExtractor(chat(serve(answering))))
        assert (report.read, report.failed, report.remaining) == (6, 1, 0)


@pytest.mark.parametrize("notes", [1, 3, 30])
def test_the_command_ends_with_status_1_where_all_is_refused(
    serve: Serve, tmp_path: Path, notes: int
) -> None:
    server = serve(lambda body: (200, {}, {"error": {"message": "no such model"}}))
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add_many([f"Mara works at Lindholm Optics, note {n}." for n in range(notes)])
    code = "import sys; from agentcl.cli.main import main; sys.exit(main())"
    command = ["-c", code, "extract", "--path", str(tmp_path / "m"), "--model", "m"]
    done = subprocess.run(
        [sys.executable, *command, "--url", server.url], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(server.bodies) <= 30
    assert notes == 1 or "no such model" in done.stderr


# What the environment has


def in_environment(url: str, **variables: str) -> str:
    """Return what a process with these variables is answered."""
    code = (
        "import sys\nfrom agentcl.models import Message, OpenAIChat\nfrom agentcl.errors import AgentclError\n"
        "try: print(OpenAIChat('m', base_url=sys.argv[1], retries=0).chat([Message('user', 'x')]).text)\n"
        "except AgentclError as error: print(type(error).__name__, error)\n"
    )
    kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and "OPENAI" not in k}
    done = subprocess.run(
        [sys.executable, "-c", code, url],
        capture_output=True, text=True, timeout=60, env={**kept, **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_an_endpoint_on_the_loopback_is_asked_without_a_proxy(serve: Serve, variable: str) -> None:
    server, proxy = serve(lambda body: said("direct")), serve(lambda body: said("by the proxy"))
    assert in_environment(server.url, **{variable: proxy.url[:-3]}) == "direct"


def test_of_the_environment_only_the_key_is_sent(serve: Serve) -> None:
    server = serve(lambda body: said("direct"))
    variables = dict.fromkeys(
        ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET"),
        "hidden",
    )
    variables["OPENAI_CUSTOM_HEADERS"] = "X-Gateway-Key: hidden\nAuthorization: Bearer hidden"
    assert in_environment(server.url, OPENAI_API_KEY="sk-env\n", **variables) == "direct"
    (headers,) = server.headers
    assert headers["authorization"] == "Bearer sk-env"
    assert not any("hidden" in value for value in headers.values())
    assert not {"openai-organization", "openai-project"} & set(headers)


@pytest.mark.parametrize("key", ["sk-ü", "sk-a\nb"])
def test_a_key_that_cannot_be_sent_is_said_and_not_shown(key: str) -> None:
    pytest.importorskip("openai")
    with pytest.raises(ConfigError, match="the API key") as caught:
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1", api_key=key)
    assert key not in str(caught.value)
    with pytest.raises(ConfigError, match="'X-A'"):
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1", headers={"X-A": key})


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://localhost:8000/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://a.localhost/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://127.1:80", True),
        ("http://127.8.9.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True),
        ("http://0.0.0.0:8000/v1", True),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://localhost.example.org/v1", False),
        ("https://api.example.org/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_what_leads_to_this_machine(url: str, is_here: bool) -> None:
    assert is_loopback(url) == is_here


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
@pytest.mark.parametrize("how", ["message", "text"])
def test_a_key_that_an_endpoint_repeats_is_in_no_error(
    serve: Serve, tmp_path: Path, status: int, how: str
) -> None:
    keys: Any = {"api_key": "sk-0123456789", "headers": {"X-Api-Key": "another-0123456789"}}

    def answering(body: dict[str, Any]) -> Answer:
        headers = server.headers[-1]
        told = f"wrong: {headers['authorization']} and {headers['x-api-key']}"
        return status, {}, {"error": {"message": told}} if how == "message" else told

    server = serve(answering)
    model = chat(server, **keys)
    encoder = OpenAIEncoder("m", base_url=server.url, retries=0, **keys)
    for ask in (lambda: model.chat(ASK), lambda: encoder.encode(["x"], role="query")):
        with pytest.raises(AgentclError) as caught:
            ask()
        assert "0123456789" not in str(caught.value)
        assert "wrong: Bearer …" in str(caught.value)
