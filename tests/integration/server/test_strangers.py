"""Twenty users behind keys: whatever a request says, no answer tells anything of another user."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl import ANY, Memory
from agentcl.server import Keys
from agentcl.store import Episode, Guidance
from agentcl.wire import VERBS
from tests.served import served

USERS = 20
MARK = re.compile(r"zq(\d+)x")
# What concerns everybody is not done through a key that is bound; these take long, and tell nothing of records.
QUIET = ("warm_up", "store.reembed", "store.examine")


@dataclass(frozen=True)
class Town:
    """A server with users, each with a key, and with records that bear the user's mark."""

    client: httpx.Client
    memory: Memory
    secrets: Sequence[str]
    owners: dict[str, int]  # by the id of a record


def settle(memory: Memory, user: int) -> list[str]:
    """Fill the memory of one user; return the ids of what is there."""
    own, mark = memory.scoped(user=f"u{user}"), f"zq{user}x"
    text = own.add(f"The {mark} ferry leaves at seven.", uri=f"notes/{mark}", title=mark)
    said = own.remember([f"I live in {mark}.", f"My {mark} is blue."], session=f"s{mark}")
    held = own.statements.add("user", "home", mark)
    lesson = own.lessons.add(f"When the {mark} is slow, drain it.")
    with own.episode(f"clear {mark}", first=f"The {mark} is slow.") as episode:
        episode.step(f"The {mark} is slow.", "drain it", "gone")
        episode.finish(1.0)
    job = own.jobs.enqueue("digest", {"digester": "rules"})
    turns = [turn.id for turn in said.turns]
    return [text.id, *turns, said.conversation, held.id, lesson.id, episode.id, job.id]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    with Memory(folder / "m", encoder="hashing") as memory:
        owners = {id: user for user in range(USERS) for id in settle(memory, user)}
        keys = Keys(memory.path, file=folder / "keys.db")
        secrets = [keys.add(scope={"user": f"u{user}"})[0] for user in range(USERS)]
        with (
            served(memory, keys=keys) as address,
            httpx.Client(base_url=address, timeout=60) as client,
        ):
            yield Town(client, memory, secrets, owners)


scopes = st.sampled_from(
    [
        "u1",
        "u2",
        "u19",
        "",
        "*",
        "ANY",
        "u1,u2",
        " u1",
        "u1\u0000",
        "ü",
        {"any": True},
        None,
        ["u1"],
        1,
    ]
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
headers = st.dictionaries(
    st.sampled_from([f"x-agentcl-{name}" for name in ("tenant", "user", "agent", "session")]),
    st.sampled_from(["u1", "u2", "", "*", "%", "any", "u1%00", "u1,u2", "' OR 1=1", "\u00fc"]),
    max_size=2,
)


@st.composite
def asked(draw: st.DrawFn) -> tuple[int, str, dict[str, Any], dict[str, str], list[int]]:
    """Draw who asks, which verb, with what; and which records of others are named, by their place."""
    verb = VERBS[draw(st.sampled_from(sorted(set(VERBS) - {*QUIET})))]
    user = draw(st.integers(0, USERS - 1))
    named: list[int] = []
    sent: dict[str, Any] = {}
    for one in verb.parameters:
        kind = draw(st.sampled_from(["id", "word", "typed", "odd", "none"]))
        if kind == "none" and not one.is_needed:
            continue
        if kind == "id":
            named.append(draw(st.integers(0, 10_000)))
            sent[one.name] = {"id": len(named) - 1}
        elif kind == "word" or (kind == "none" and one.hint is str):
            sent[one.name] = draw(
                st.sampled_from(["ferry", "user / home", f"zq{user}x is here", "slow", "drain it"])
            )
        elif kind == "typed":
            sent[one.name] = draw(
                st.sampled_from([1, 5, True, 0.5, ["ferry"], {"any": True}, "rules", "digest", "graph", "episode",
                                 {"extractor": "names-1"}, {"digester": "rules"}, "2099-01-01T00:00:00Z"])
            )  # fmt: skip
        else:
            sent[one.name] = draw(odd)
    for name in draw(st.lists(st.sampled_from(["tenant", "user", "agent", "session"]), max_size=2)):
        sent[name] = draw(scopes)
    return user, verb.path, sent, draw(headers), named


@settings(max_examples=100, deadline=None, suppress_health_check=[*HealthCheck])
@given(asked=asked())
def test_no_answer_tells_of_another_user(
    town: Town, asked: tuple[int, str, dict[str, Any], dict[str, str], list[int]]
) -> None:
    user, path, sent, fields, named = asked
    ids = [*town.owners]
    for name, value in sent.items():
        if isinstance(value, dict) and [*value] == ["id"]:
            sent = {**sent, name: ids[named[value["id"]] % len(ids)]}
    body = json.dumps(sent)
    own = [(name.encode(), value.encode()) for name, value in fields.items()]
    answer = town.client.post(
        path,
        content=body,
        headers=[*own, (b"authorization", f"Bearer {town.secrets[user]}".encode())],
    )
    assert answer.status_code < 500, (answer.text, path, body)
    assert {int(mark) for mark in MARK.findall(answer.text)} <= {user}, (answer.text, path, body)
    foreign = [id for id, owner in town.owners.items() if owner != user and id in answer.text]
    assert [id for id in foreign if id not in body] == [], (answer.text, path, body)


def test_what_they_wrote_is_theirs(town: Town) -> None:
    kinds = ("document", "turn", "statement", "passage", Guidance.kind, Episode.kind)
    for kind in kinds:
        for record in town.memory.list(kind=kind, limit=100_000, user=ANY, session=ANY, agent=ANY):
            marks = MARK.findall(json.dumps(str(record)))
            assert {f"u{mark}" for mark in marks} <= {record.scope.user}, record


def test_nobody_steps_out_of_his_key_by_headers(town: Town) -> None:
    secret = town.secrets[3].encode()
    for name, value in (("user", b"u4"), ("user", b"u3, u4"), ("user", b"*"), ("user", b"U3")):
        answer = town.client.post(
            "/v1/memory/list",
            json={},
            headers=[
                (b"authorization", b"Bearer " + secret),
                (f"x-agentcl-{name}".encode(), value),
            ],
        )
        assert answer.status_code == 403
    twice = [
        (b"authorization", b"Bearer " + secret),
        (b"x-agentcl-user", b"u3"),
        (b"x-agentcl-user", b"u4"),
    ]
    answer = town.client.post("/v1/memory/list", json={}, headers=twice)
    assert {int(mark) for mark in MARK.findall(answer.text)} <= {3}
