"""How an exchange turned out credits the memories and lessons that it was shown."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from agentcl import AsyncClient, Client, InvalidInput, Memory, NotFound
from agentcl.guidance.rules import GuidanceRules
from agentcl.server import Keys
from agentcl.server.proxy.answers import ToldOutcome
from tests.upstreams import Upstream, completion, document, over, proxied

RAIN = "When it rains in Bergen, do take the tram."
ASKED = "It rains in Bergen. How do I get to the harbour?"
TRAM = {"id": "a", "type": "function", "function": {"name": "tram", "arguments": "{}"}}


@pytest.fixture
def taught(memory: Memory) -> Memory:
    memory.lessons.rules = GuidanceRules(credit=False)  # no coin: what applies is shown
    memory.lessons.add(RAIN, user="me")
    return memory


@pytest.fixture
def lesson(taught: Memory) -> str:
    (held,) = taught.lessons.list(user="me")
    return held.guidance.id


def ask(client: httpx.Client, *messages: Any, **headers: str) -> httpx.Response:
    said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    named = {f"x-agentcl-{name}": value for name, value in headers.items()}
    answer = client.post("/v1/chat/completions", json={"messages": said}, headers=named)
    assert answer.status_code == 200, answer.text
    return answer


def report(client: httpx.Client, answer: httpx.Response, **told: Any) -> httpx.Response:
    id = answer.headers["x-agentcl-exchange"]
    return client.post(f"/v1/exchanges/{id}/outcome", json=told)


def shown(memory: Memory, lesson: str) -> tuple[int, int]:
    """Return in how many scored episodes a lesson was shown, and what its outcomes were together."""
    scored = [one for one in memory.episodes.list(user="me") if one.score is not None]
    own = [one for one in scored for e in one.exposures if e.guidance == lesson and e.is_shown]
    return len(own), round(sum(one.score or 0 for one in own))


def test_a_lesson_stands_in_the_prompt_and_is_named_and_credited(
    taught: Memory, lesson: str
) -> None:
    upstream = Upstream([completion("Take the tram.")])
    with proxied(taught, upstream) as client:
        answer = ask(client, {"role": "system", "content": "Be short."}, ASKED)
        assert answer.headers["x-agentcl-lessons"] == lesson
        told = over(client, answer)
        assert told["lessons"][0]["id"] == lesson
        assert told["outcome"] is None
        system, question = upstream.last.json["messages"]
        assert system["content"] == "Be short."
        assert "Guidance:\n- " in question["content"]
        assert "take the tram" in question["content"]
        assert question["content"].endswith(ASKED)
        (episode,) = taught.episodes.list(user="me")
        assert (episode.id, episode.status, episode.score) == (told["episode"], "finished", None)
        assert answer.headers["x-agentcl-episode"] == episode.id
        assert shown(taught, lesson) == (0, 0)
        credited = report(client, answer, thumb="up").json()
        ToldOutcome.model_validate(credited)  # as the OpenAPI document says
        assert (credited["score"], credited["lessons"]) == (1.0, [lesson])
        assert shown(taught, lesson) == (1, 1)
        assert over(client, answer)["outcome"] == credited
    (step,) = taught.episodes.steps(episode.id, user="me")
    assert (step.seen, step.action, step.guidance) == (ASKED, "Take the tram.", (lesson,))


def test_an_outcome_counts_once_and_cannot_be_changed(taught: Memory, lesson: str) -> None:
    held = taught.add("The harbour of Bergen lies by the tram.")
    with proxied(taught, Upstream([completion()])) as client:
        answer = ask(client, ASKED)
        first = report(client, answer, score=0.25).json()
        assert held.id in first["memories"]
        assert report(client, answer, score=0.25).json() == first
        other = report(client, answer, thumb="up")
        assert other.status_code == 400
        assert "already" in other.json()["detail"]
    counters = taught.store.counters(held.id)
    assert (counters.uses, counters.wins, counters.losses) == (1, 0, 1)
    assert shown(taught, lesson) == (1, 0)


def test_an_outcome_that_nobody_reports_stays_missing(taught: Memory, lesson: str) -> None:
    with proxied(taught, Upstream([completion()])) as client:
        for _ in range(3):
            over(client, ask(client, ASKED))
    found = [*taught.episodes.list(user="me")]
    assert [one.score for one in found] == [None] * 3
    (held,) = taught.lessons.list(user="me")
    assert (held.belief.shown, held.belief.withheld) == (0, 0)


def test_without_a_lesson_an_episode_is_kept_once_its_outcome_is_reported(memory: Memory) -> None:
    with proxied(memory, Upstream([completion("In the west.")])) as client:
        answer = ask(client, "Where is Bergen?")
        assert "x-agentcl-lessons" not in answer.headers
        over(client, answer)
        assert not [*memory.episodes.list(user="me")]
        told = report(client, answer, thumb="down").json()
    (episode,) = memory.episodes.list(user="me")
    assert (episode.id, episode.score) == (told["episode"], 0.0)
    (step,) = memory.episodes.steps(episode.id, user="me")
    assert (step.seen, step.action) == ("Where is Bergen?", "In the west.")


def test_lessons_stay_in_their_places_and_are_not_repeated(taught: Memory, lesson: str) -> None:
    upstream = Upstream([completion("By tram."), completion("At seven.")])
    with proxied(taught, upstream) as client:
        first = ask(client, ASKED)
        over(client, first)
        again = f"{ASKED} And when?"
        second = ask(client, ASKED, first.json()["choices"][0]["message"], again)
        assert second.headers["x-agentcl-lessons"] == lesson
        before, after = (one.json["messages"] for one in upstream.asked)
        assert after[0] == before[0]
        assert "Guidance" not in after[-1]["content"]
        over(client, second)
        report(client, second, thumb="up")
    assert shown(taught, lesson) == (1, 1)
    assert len([*taught.episodes.list(user="me")]) == 2


def test_calls_of_tools_belong_to_the_episode_of_the_question(taught: Memory, lesson: str) -> None:
    calling = document(
        {
            "id": "c",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "tool_calls",
                    "message": {"role": "assistant", "content": None, "tool_calls": [TRAM]},
                }
            ],
        }
    )
    upstream = Upstream([calling, completion("Line 1, in five minutes.")])
    with proxied(taught, upstream) as client:
        first = ask(client, ASKED)
        over(client, first)
        (episode,) = taught.episodes.list(user="me")
        assert episode.status == "open"
        called = first.json()["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": "a", "content": "line 1"}
        second = ask(client, ASKED, called, result)
        over(client, second)
        told = report(client, first, thumb="up").json()
        assert told["episode"] == second.headers["x-agentcl-episode"] == episode.id
        assert report(client, second, thumb="down").status_code == 400
    steps = taught.episodes.steps(episode.id, user="me")
    assert [one.seen for one in steps] == [ASKED, "line 1"]
    assert steps[1].action == "Line 1, in five minutes."
    (episode,) = taught.episodes.list(user="me")
    assert (episode.status, episode.score) == ("finished", 1.0)


def test_what_was_said_is_forgotten_in_its_episode_too(taught: Memory, lesson: str) -> None:
    with proxied(taught, Upstream([completion("Take the tram, Quillfeather.")])) as client:
        told = over(client, ask(client, ASKED))
        receipt = taught.forget(told["conversation"], user="me")
        assert {"episode", "step"} <= {one.kind for one in receipt.removed}
        assert not [*taught.episodes.list(user="me")]


def test_a_lesson_that_is_retired_stands_in_no_later_prompt(taught: Memory, lesson: str) -> None:
    upstream = Upstream([completion("By tram.")])
    with proxied(taught, upstream) as client:
        first = ask(client, ASKED)
        over(client, first)
        taught.lessons.retire(lesson, user="me")
        second = ask(client, ASKED, first.json()["choices"][0]["message"], "And back?")
        assert "x-agentcl-lessons" not in second.headers
    assert "Guidance" not in upstream.last.body.decode()


@pytest.mark.parametrize(("mode", "is_shown"), [("off", 0), ("write", 0), ("read", 1), ("on", 1)])
def test_what_a_request_wants_bounds_what_is_shown_and_kept(
    taught: Memory, lesson: str, mode: str, is_shown: int
) -> None:
    with proxied(taught, Upstream([completion()])) as client:
        answer = ask(client, ASKED, memory=mode)
        assert ("x-agentcl-lessons" in answer.headers) is bool(is_shown)
        over(client, answer)
    assert len([*taught.episodes.list(user="me")]) == (mode == "on")


def test_lessons_can_be_left_out(taught: Memory, lesson: str) -> None:
    with proxied(taught, Upstream([completion()]), lessons=False) as client:
        assert "x-agentcl-lessons" not in ask(client, ASKED).headers


def test_who_may_not_learn_is_shown_lessons_and_reports_nothing(
    taught: Memory, lesson: str, keys: Keys
) -> None:
    secret, _ = keys.add(rights=["read", "write"], scope={"user": "me"})
    with proxied(taught, Upstream([completion()]), keys=keys) as client:
        client.headers["x-agentcl-key"] = secret
        answer = ask(client, ASKED)
        assert answer.headers["x-agentcl-lessons"] == lesson
        assert "x-agentcl-episode" not in answer.headers
        assert report(client, answer, thumb="up").status_code == 403
    assert not [*taught.episodes.list(user="me")]


@pytest.mark.parametrize(
    "told", [{}, {"score": 1, "thumb": "up"}, {"score": 2}, {"thumb": "left"}, {"stars": 5}, []]
)
def test_an_outcome_that_says_nothing_is_refused(memory: Memory, told: Any) -> None:
    with proxied(memory, Upstream([completion()])) as client:
        id = ask(client, "Where is Bergen?").headers["x-agentcl-exchange"]
        answer = client.post(f"/v1/exchanges/{id}/outcome", json=told)
        assert answer.status_code in (400, 422)
        assert answer.json()["title"] == "InvalidInput"


def test_an_exchange_of_somebody_else_cannot_be_judged(memory: Memory, keys: Keys) -> None:
    ada, _ = keys.add(scope={"user": "ada"})
    bob, _ = keys.add(scope={"user": "bob"})
    with proxied(memory, Upstream([completion()]), keys=keys) as client:
        answer = ask(client, "Where is Bergen?", key=ada)
        id = answer.headers["x-agentcl-exchange"]
        address = f"/v1/exchanges/{id}/outcome"
        of_bob = client.post(address, json={"thumb": "up"}, headers={"x-agentcl-key": bob})
        assert of_bob.status_code == 404


@pytest.fixture
def asked(taught: Memory) -> Iterator[tuple[str, str]]:
    with proxied(taught, Upstream([completion()])) as client:
        answer = ask(client, ASKED)
        yield str(client.base_url), answer.headers["x-agentcl-exchange"]


def test_the_client_reports_too(asked: tuple[str, str], lesson: str) -> None:
    url, id = asked
    with Client(url) as client:
        assert client.exchanges.get(id, wait_s=10)["lessons"][0]["id"] == lesson
        told = client.exchanges.report(id, score=1)
        assert told["lessons"] == [lesson]
        mine = client.scoped(user="me").exchanges
        assert mine.get(id)["outcome"] == told
        with pytest.raises(NotFound):
            client.scoped(user="bob").exchanges.get(id)
        with pytest.raises(NotFound):
            client.exchanges.report("none", thumb="up")
        with pytest.raises(InvalidInput, match="already"):
            client.exchanges.report(id, thumb="down")
        for wrong in ({}, {"score": 1, "thumb": "up"}, {"thumb": "left"}, {"score": 3}):
            with pytest.raises(InvalidInput):
                client.exchanges.report(id, **wrong)
        for elsewhere in ("", "..", "a/b", "é"):
            with pytest.raises(InvalidInput, match="x-agentcl-exchange"):
                client.exchanges.get(elsewhere)


def test_the_client_of_asyncio_reports_too(asked: tuple[str, str], lesson: str) -> None:
    url, id = asked

    async def reported() -> Any:
        async with AsyncClient(url) as client:
            await client.exchanges.get(id, wait_s=10)
            return await client.exchanges.report(id, thumb="up")

    assert asyncio.run(reported())["lessons"] == [lesson]
