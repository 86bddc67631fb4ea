"""What stands around a model: schema repair, the answer cache, the ledger, the script."""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentcl import ConfigError, InvalidInput, ModelUnavailable, SchemaViolation
from agentcl.models import (
    GREEDY,
    CachedModel,
    ChatModel,
    Ledger,
    Message,
    MeteredModel,
    Prices,
    RecordedModel,
    Reply,
    Sampling,
    ScriptedModel,
    TokenLogprob,
    Usage,
    ask_object,
)
from agentcl.models.completion import read_completion
from agentcl.store.checks import canonical_json

ASK = [Message("user", "When does the ferry leave?")]
SCHEMA = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}


def test_a_script_answers_in_order_and_then_says_it_is_over() -> None:
    model = ScriptedModel(["one", "two words"])
    assert isinstance(model, ChatModel)
    assert model.chat(ASK).text == "one"
    assert "".join(model.stream(ASK)) == "two words"
    assert model.asked == [tuple(ASK)] * 2
    with pytest.raises(ModelUnavailable, match="ended after 2 answers"):
        model.chat(ASK)
    assert ScriptedModel(lambda messages: messages[-1].content.upper()).chat(ASK).text.isupper()


@pytest.mark.parametrize("text", ['{"hour": 7}', ' \n{"hour": 7}\n', '```json\n{"hour": 7}\n```'])
def test_an_answer_that_fits_is_taken_at_once(text: str) -> None:
    pytest.importorskip("jsonschema")
    model = ScriptedModel([text])
    assert ask_object(model, ASK, schema=SCHEMA).value == {"hour": 7}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("at seven", "it is not JSON"),
        ('{"hour": "seven"}', "at $.hour: 'seven' is not of type 'integer'"),
        ("[7]", "is not of type 'object'"),
        ("{}", "'hour' is a required property"),
        ("[" * 100_000, "it is not JSON"),
    ],
)
def test_a_broken_answer_is_repaired_once_by_asking_again(broken: str, told: str) -> None:
    pytest.importorskip("jsonschema")
    model = ScriptedModel([broken, '{"hour": 7}'])
    reply = ask_object(model, ASK, schema=SCHEMA)
    assert reply.value == {"hour": 7}
    (_, again) = model.asked
    assert [message.role for message in again] == ["user", "assistant", "user"]
    assert told in again[-1].content
    assert reply.usage.completion_tokens > ScriptedModel(['{"hour": 7}']).chat(ASK).usage.completion_tokens  # fmt: skip


def test_a_second_broken_answer_is_an_error_that_shows_both_faults() -> None:
    pytest.importorskip("jsonschema")
    model = ScriptedModel(["at seven", '{"hour": null}'], name="stubborn")
    with pytest.raises(SchemaViolation, match="stubborn broke the schema twice") as caught:
        ask_object(model, ASK, schema=SCHEMA)
    assert "not JSON" in str(caught.value)
    assert "$.hour" in str(caught.value)


def test_the_same_request_is_asked_once_even_in_another_run(tmp_path: Path) -> None:
    first = CachedModel(ScriptedModel(["at seven"]), tmp_path / "c" / "answers.db")
    asked = first.chat(ASK)
    assert not asked.is_cached
    first.close()
    second = CachedModel(ScriptedModel([]), tmp_path / "c" / "answers.db")
    kept = second.chat(ASK)
    assert kept.is_cached
    assert (kept.text, kept.usage, kept.finish) == (asked.text, asked.usage, asked.finish)
    second.close()


def test_answers_of_an_older_cache_are_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    cached = CachedModel(ScriptedModel(["at seven"]), path)
    cached.chat(ASK)
    cached.close()
    older = {
        "text": "at seven", "usage": {"prompt_tokens": 7, "completion_tokens": 2, "is_estimated": True},
        "model": "m", "finish": "stop", "duration_s": 0.5, "value": None, "logprobs": None,
        "is_cached": False,
    }  # fmt: skip
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE answer SET reply = ?", (json.dumps(older),))
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    cached = CachedModel(ScriptedModel([]), path)
    assert cached.chat(ASK).usage == Usage(1, 7, 2, 0.5, is_estimated=True)
    cached.close()


def test_answers_kept_before_there_were_other_tokens_are_still_found(tmp_path: Path) -> None:
    cached = CachedModel(ScriptedModel(["at seven"]), tmp_path / "answers.db")
    cached.chat(ASK)
    cached.close()
    asked = {
        "model": "scripted",
        "messages": [{"role": "user", "content": ASK[0].content}],
        "sampling": {"max_tokens": 512, "temperature": 0.0, "top_p": 1.0, "stop": [], "seed": 0, "logprobs": False},
        "schema": None,
    }  # fmt: skip
    key = hashlib.blake2b(canonical_json(asked).encode(), digest_size=32).digest()
    with closing(sqlite3.connect(tmp_path / "answers.db")) as connection:
        assert connection.execute("SELECT request FROM answer").fetchall() == [(key,)]


def test_other_likely_tokens_are_kept_with_an_answer(tmp_path: Path) -> None:
    told = {"token": "A", "logprob": -0.5, "top_logprobs": [{"token": "A", "logprob": -0.5}, {"token": "B", "logprob": -1}]}  # fmt: skip
    answer = {"choices": [{"message": {"content": "A"}, "logprobs": {"content": [told]}}]}
    found = read_completion(answer).logprobs

    class Likely(ScriptedModel):
        def chat(
            self, messages: Sequence[Message], *, sampling: Sampling = GREEDY, schema: Any = None
        ) -> Reply:
            return Reply("A", Usage(1), "m", "length", logprobs=found)

    cached = CachedModel(Likely([]), tmp_path / "answers.db")
    sampling = Sampling(max_tokens=1, logprobs=True, top_logprobs=2)
    replies = [cached.chat(ASK, sampling=sampling) for _ in range(2)]
    cached.close()
    assert replies[1].is_cached
    others = (("A", -0.5), ("B", -1.0))
    assert [reply.logprobs for reply in replies] == [(TokenLogprob("A", -0.5, others),)] * 2


@pytest.mark.parametrize("asked", [{"top_logprobs": 3}, {"top_logprobs": -1, "logprobs": True}])
def test_other_tokens_need_log_probabilities(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="top_logprobs"):
        Sampling(**asked)


def test_a_metered_model_counts_every_answer() -> None:
    model = MeteredModel(ScriptedModel(["at seven", "at eight, or so"]))
    replies = [model.chat(ASK) for _ in range(2)]
    assert model.usage == replies[0].usage + replies[1].usage
    assert (model.usage.calls, model.usage.is_estimated) == (2, True)
    with pytest.raises(ModelUnavailable):
        model.chat(ASK)
    assert model.usage.calls == 2


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [Message("user", "And the other one?")]},
        {"messages": [Message("system", ASK[0].content)]},
        {"sampling": Sampling(seed=1)},
        {"sampling": Sampling(stop=("x",))},
        {"schema": SCHEMA},
    ],
)
def test_any_difference_in_the_request_is_another_request(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    model = CachedModel(ScriptedModel(["first", "second"]), tmp_path / "answers.db")
    model.chat(ASK)
    assert model.chat(**{"messages": ASK, **other}).text == "second"
    model.close()
    renamed = CachedModel(ScriptedModel(["third"], name="other"), tmp_path / "answers.db")
    assert renamed.chat(ASK).text == "third"
    renamed.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"stop": ("",)}, "stop string"),
    ],
)
def test_sampling_that_no_backend_can_do_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Sampling(**wrong)


def ticks(*moments: datetime) -> Any:
    iterator = iter(int(moment.timestamp() * 1e6) for moment in moments)
    return lambda: next(iterator)


def test_every_call_lands_in_the_ledger_the_failed_and_the_streamed_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", prices=Prices({"scripted": (1.0, 2.0)}))
    days = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 1, 2, 2)]
    script = ScriptedModel(["a", "b b b"])
    model = RecordedModel(script, ledger, purpose="answer", episode="e1", clock=ticks(*days))
    model.chat(ASK)
    stream = model.stream(ASK)
    assert next(stream) == "b"
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    with pytest.raises(ModelUnavailable):
        model.chat(ASK)
    cached = CachedModel(ScriptedModel(["x"]), tmp_path / "answers.db")
    cached.chat(ASK)
    RecordedModel(cached, ledger, job="j", clock=ticks(days[3])).chat(ASK)

    first, second = ledger.lines(by="day")
    assert (first.key, first.usage.calls, first.failed, first.cached) == ("2026-01-01", 2, 0, 0)
    assert (second.key, second.usage.calls, second.failed, second.cached) == ("2026-01-02", 2, 1, 1)
    assert second.usage.prompt_tokens == 0  # one failed, one came from the cache
    paid = first.usage.prompt_tokens + 2 * first.usage.completion_tokens
    assert first.price == pytest.approx(paid / 1e6)
    assert first.usage.is_estimated  # as a script's tokens are
    assert [line.key for line in ledger.lines(by="job")] == ["", "j"]
    assert [line.usage.calls for line in ledger.lines(by="episode")] == [1, 3]
    assert len(ledger.lines(by="day", since=days[2])) == 1
    with pytest.raises(InvalidInput, match="day, episode, job, purpose, model"):
        ledger.lines(by="week")  # type: ignore[arg-type]  # what is tested
    cached.close()
    ledger.close()


def test_prices_come_from_a_table_that_can_be_edited(tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text('["small-*"]\nprompt = 0.5\ncompletion = 1\n')
    prices = Prices.load(table)
    assert prices.price("small-1", Usage(1, 2_000_000, 1_000_000)) == 2.0
    assert prices.price("large", Usage(1, 1, 1)) is None
    ledger = Ledger(tmp_path / "ledger.db", prices=prices)
    RecordedModel(ScriptedModel(["x"], name="large"), ledger).chat(ASK)
    (line,) = ledger.lines(by="model")
    assert (line.price, line.unpriced) == (0.0, 1)
    ledger.close()
    table.write_text('["small-*"]\nprompt = "cheap"\n')
    with pytest.raises(ConfigError, match="needs the numbers"):
        Prices.load(table)
    with pytest.raises(ConfigError, match="cannot be read"):
        Prices.load(tmp_path / "absent.toml")


def test_wrappers_pass_the_fingerprint_on(tmp_path: Path) -> None:
    inner = ScriptedModel([])
    cached = CachedModel(inner, tmp_path / "answers.db")
    ledger = Ledger(tmp_path / "ledger.db")
    assert RecordedModel(cached, ledger).fingerprint() == inner.fingerprint()
    cached.close()
    ledger.close()
