"""Whatever an endpoint answers to the check, it is a finding, or an error of ours."""

from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import AgentclError, ConfigError, ModelUnavailable
from agentcl.models.check import check
from tests.endpoints import JsonHandler, in_thread

pytest.importorskip("openai")
LISTED = {"data": [{"id": "m", "max_model_len": 512}]}
READY = {"choices": [{"message": {"content": '"ready"'}}], "usage": {"prompt_tokens": 1}}


class Endpoint(ThreadingHTTPServer):
    """Lists and answers what it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.listed: object = LISTED
        self.answer: object = READY
        self.status = self.listing_status = 200


class _Handler(JsonHandler):
    server: Endpoint

    def do_GET(self) -> None:
        self.answer(self.server.listed, status=self.server.listing_status)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(self.server.answer, status=self.server.status)


@pytest.fixture(scope="module")
def running() -> Iterator[Endpoint]:
    with Endpoint() as server, in_thread(server):
        yield server


@pytest.fixture
def server(running: Endpoint) -> Endpoint:
    running.listed, running.answer = LISTED, READY
    running.status = running.listing_status = 200
    return running


NO_LISTS: list[object] = [None, [], {}, {"data": None}, {"data": []}, {"data": [None, {}, {"id": 7}]}, [{"id": "m"}], "<html>", "", "null"]  # fmt: skip


@pytest.mark.parametrize("listed", NO_LISTS)
@pytest.mark.parametrize("status", [200, 404, 401])
def test_who_names_the_model_needs_no_list(server: Endpoint, listed: object, status: int) -> None:
    server.listed, server.listing_status = listed, status
    found = check(server.url, model="m")
    assert (found.model, found.models, found.context_length) == ("m", (), None)
    can = {one.name for one in found.capabilities if one.is_there}
    assert {"chat", "schema output"} <= can
    with pytest.raises(ModelUnavailable, match="--model"):
        check(server.url)


def test_an_endpoint_calls_tools_if_it_called_one(server: Endpoint) -> None:
    def can_call() -> bool:
        return "tool calls" in {one.name for one in check(server.url).capabilities if one.is_there}

    assert not can_call()
    call = {"id": "1", "type": "function", "function": {"name": "say_ready", "arguments": "{}"}}
    server.answer = {"choices": [{"message": {"content": None, "tool_calls": [call]}}]}
    assert can_call()


def test_an_endpoint_that_answers_nothing_is_no_endpoint(server: Endpoint) -> None:
    server.listing_status = server.status = 404
    with pytest.raises(ModelUnavailable, match="neither lists models nor answers"):
        check(server.url, model="m")
    with pytest.raises(ModelUnavailable, match="its /v1 included"):
        check("http://127.0.0.1:9/v1", model="m")


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "data", "id", "logprobs", "embedding", "error"]), inner
        )
    ),
    max_leaves=8,
)  # fmt: skip


@given(answer=ODD, listed=ODD, model=st.sampled_from([None, "m"]))
def test_no_answer_is_a_traceback(
    running: Endpoint, answer: object, listed: object, model: str | None
) -> None:
    running.answer, running.listed = answer, listed
    running.status = running.listing_status = 200
    try:
        found = check(running.url, model=model)
    except AgentclError:
        return
    assert found.model


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a/v1", "", "http://", "http://a:b/v1"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        check(url)
