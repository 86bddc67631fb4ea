"""Twenty users with keys of their own, and whatever they say of themselves."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl import Memory
from agentcl.server import Keys
from tests.upstreams import Asked, Upstream, completion, over, proxied

USERS = [f"user-{number}" for number in range(20)]
NAMES = st.sampled_from(
    [*USERS, "me", "", " ", "*", "ANY", "user-1\0", "user-1,user-2", "../user-1", "%75ser-1"]
) | st.text(max_size=9)
FIELDS = st.sampled_from(
    ["user", "safety_identifier", "conversation", "previous_response_id", "prompt_cache_key", "x-agentcl-user",
     "x-agentcl-session", "x-agentcl-agent", "x-agentcl-tenant", "x-agentcl-memory", "x-agentcl-key", "X-Agentcl-User"]
)  # fmt: skip
HEADERS = st.sampled_from(
    ["x-agentcl-user", "x-agentcl-session", "x-agentcl-agent", "x-agentcl-memory", "authorization", "cookie",
     "x-forwarded-user", "x-agentcl-exchange"]
)  # fmt: skip
METADATA = st.dictionaries(
    st.sampled_from(["user", "user_id", "session_id", "agent"]), NAMES | st.none(), max_size=3
)


def secret_of(user: str) -> str:
    return f"The password of the harbour is swordfish-{user}-end."


class Harbour:
    """A served memory in which each user has told a secret."""

    def __init__(self, client: httpx.Client, upstream: Upstream, keys: dict[str, str]) -> None:
        self.client, self.upstream, self.keys = client, upstream, keys


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    folder = tmp_path_factory.mktemp("harbour")
    with ExitStack() as stack:
        memory = stack.enter_context(Memory(folder / "m", encoder="hashing"))
        keys = Keys(folder / "m", file=folder / "keys.db")
        upstream = Upstream([completion("I see.")])
        client = stack.enter_context(proxied(memory, upstream, keys=keys))
        opened = {user: keys.add(scope={"user": user})[0] for user in USERS}
        for user, key in opened.items():
            body = {"messages": [{"role": "user", "content": secret_of(user)}]}
            answer = client.post("/v1/chat/completions", json=body, headers={"x-agentcl-key": key})
            over(client, answer, **{"x-agentcl-key": key})
        yield Harbour(client, upstream, opened)


def foreign(asked: Asked | httpx.Response, user: str) -> list[str]:
    """Return whose secrets something shows beside the user's own."""
    text = asked.text if isinstance(asked, httpx.Response) else asked.body.decode()
    return [one for one in USERS if one != user and f"swordfish-{one}-end" in text]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sampled_from(USERS),
    fields=st.dictionaries(
        FIELDS, NAMES | st.none() | st.integers() | st.lists(NAMES, max_size=2), max_size=4
    ),
    metadata=METADATA,
    headers=st.dictionaries(HEADERS, NAMES, max_size=4),
    path=st.sampled_from(["chat/completions", "responses"]),
    other=st.sampled_from(USERS),
)
def test_nobody_is_shown_what_another_said(
    harbour: Harbour,
    user: str,
    fields: dict[str, Any],
    metadata: Any,
    headers: dict[str, str],
    path: str,
    other: str,
) -> None:
    question = "What is the password of the harbour?"
    body = {
        "messages": [{"role": "user", "content": question}],
        "input": question,
        "metadata": metadata,
        **fields,
    }
    told = [
        (name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in headers.items()
    ]
    told = [
        one
        for one in told
        if re.fullmatch(rb"([!-~\x80-\xff]([ -~\x80-\xff]*[!-~\x80-\xff])?)?", one[1])
    ]
    key = [(b"x-agentcl-key", harbour.keys[user].encode())]
    before = len(harbour.upstream.asked)
    answer = harbour.client.post(f"/v1/{path}", content=json.dumps(body), headers=[*told, *key])
    assert answer.status_code in (200, 400, 403, 431)
    for asked in harbour.upstream.asked[before:]:
        assert not foreign(asked, user)
        assert not any(one in str(asked) for one in harbour.keys.values())
    assert not foreign(answer, user)
    if id := answer.headers.get("x-agentcl-exchange"):
        seen = harbour.client.get(
            f"/v1/exchanges/{id}", headers={"x-agentcl-key": harbour.keys[other]}
        )
        assert seen.status_code == (200 if other == user else 404)
        assert not foreign(seen, other)


def test_each_is_shown_his_own(harbour: Harbour) -> None:
    for user, key in harbour.keys.items():
        body = {"messages": [{"role": "user", "content": "What is the password of the harbour?"}]}
        harbour.client.post("/v1/chat/completions", json=body, headers={"x-agentcl-key": key})
        assert f"swordfish-{user}-end" in harbour.upstream.last.body.decode()
