"""Contexts with soft tokens: for whom they are, what they cost, and when it is text."""

import base64
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl import InvalidInput, Memory, Message, MissingExtra
from agentcl.memory.context.context import Context
from agentcl.memory.context.weaving import Soft
from tests.hashed_codec import HashedCodec

ORVEX = "Marin Holt keeps the lighthouse of Orvex and paints its green door each spring, as her aunt did before her."
TESSARY = "The ferry to Tessary leaves the old quay in the morning, and comes back when the market is over."
GENT = (
    "The library of Gent lends maps to everybody, but never the map of the tunnels under the town."
)
QUESTION = "Who keeps the lighthouse of Orvex?"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add_many([ORVEX, TESSARY, GENT])
        yield memory


@pytest.fixture
def codec(memory: Memory) -> HashedCodec:
    codec = HashedCodec()
    memory.compressed.compress(codec)
    return codec


def asked(memory: Memory, question: str = QUESTION, **more: Any) -> Context:
    return memory.context([{"role": "user", "content": question}], form="soft", **more)


def soft(context: Context) -> Soft:
    assert context.soft is not None
    return context.soft


def loaded(part: dict[str, str]) -> Any:
    torch = pytest.importorskip("torch")
    assert part["type"] == "prompt_embeds"
    return torch.load(io.BytesIO(base64.b64decode(part["data"])), weights_only=True)


def test_a_passage_is_shown_as_the_soft_tokens_that_were_made_of_it(
    memory: Memory, codec: HashedCodec
) -> None:
    found = asked(memory, base=codec, budget_tokens=200)
    first, *_ = soft(found).memories
    passage = memory.compressed.get(first.id).passage
    assert passage.text == ORVEX
    assert (first.slots, first.tokens) == (4, codec.count(ORVEX))
    np.testing.assert_allclose(first.vectors(), codec.encode([ORVEX])[0], atol=0.01)
    assert f"{len(soft(found).memories)} passages as" in soft(found).way
    assert soft(found).saved == sum(one.tokens - one.slots for one in soft(found).memories)
    assert "Marin Holt keeps" in found.text  # and in words, for names


def test_messages_are_as_vllm_takes_them(memory: Memory, codec: HashedCodec) -> None:
    found = asked(memory, base=codec, budget_tokens=200)
    system = {"role": "system", "content": "Be brief."}
    first, last = found.into([system, {"role": "user", "content": QUESTION}])
    assert first == system
    texts = [part.get("text", "") for part in last["content"]]
    embeds = [loaded(part) for part in last["content"] if part["type"] == "prompt_embeds"]
    assert [tuple(one.shape) for one in embeds] == [
        (one.slots, one.width) for one in soft(found).memories
    ]
    np.testing.assert_allclose(embeds[0].numpy(), soft(found).memories[0].vectors(), atol=0.01)
    assert texts[0] == "Passages:\n[1] "
    assert texts[-1].endswith(f"\n{QUESTION}")
    assert found.text.rstrip() in texts[-1]
    json.dumps(last)


def test_one_passage_stands_alone(tmp_path: Path) -> None:
    with Memory(tmp_path / "n", encoder="hashing") as memory:
        memory.add(ORVEX)
        codec = HashedCodec()
        memory.compressed.compress(codec)
        found = asked(memory, base=codec)
        (turn,) = found.turns([{"role": "user", "content": QUESTION}])
        before, vectors, between, text = turn.parts
        assert (before, between) == ("Passage: ", "\n")
        assert isinstance(vectors, np.ndarray)
        assert vectors.shape == (4, 8)
        assert text == turn.content


def test_turns_need_no_torch_and_hold_the_text_for_other_models(
    memory: Memory, codec: HashedCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = asked(memory, base=codec)
    messages: list[dict[str, Any]] = [
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        ]},
        {"role": "tool", "content": "dark", "tool_call_id": "c"},
        {"role": "user", "content": QUESTION},
    ]  # fmt: skip
    call, result, turn = found.turns(messages)
    assert (call.calls[0].name, result.call_id) == ("look", "c")
    assert turn.content == f"{found.text}\n{QUESTION}"
    assert turn.plain() == {"role": "user", "content": turn.content}
    assert turn.parts[-1] == turn.content
    with pytest.raises(MissingExtra, match=r"agentcl\[local\]"):
        found.into(messages)


def test_all_is_text_where_no_codec_is_at_hand(memory: Memory) -> None:
    found = asked(memory)
    plain = memory.context(QUESTION, session="other")
    assert found.text == plain.text
    assert soft(found).way.startswith("text: no codec is at hand")
    assert found.into([{"role": "user", "content": QUESTION}])[0]["content"].endswith(QUESTION)
    assert "hand it over" in soft(asked(memory, base="nobody's")).way
    assert memory.compressed.ways() == {"text: no codec is at hand": 2}


def test_a_codec_that_was_handed_over_is_found_by_its_name_and_its_base(
    memory: Memory, codec: HashedCodec
) -> None:
    memory.jobs.add_codec(codec)
    for named in (None, "hashed", codec.base):
        assert soft(asked(memory, base=named)).memories


def test_soft_tokens_of_another_codec_are_refused_by_name(
    memory: Memory, codec: HashedCodec
) -> None:
    for other in (HashedCodec("new", version=2), HashedCodec("big", base="big-model")):
        found = soft(asked(memory, base=other))
        assert found.placed == ()
        assert "compressed are 3 by 'hashed'" in found.way
        assert "--reencode" in found.way
    assert soft(asked(memory, base=codec)).memories


def test_a_memory_that_is_not_compressed_is_shown_as_text(memory: Memory) -> None:
    found = soft(asked(memory, base=HashedCodec()))
    assert found.placed == ()
    assert "agentcl compress --base hashed makes soft tokens" in found.way


@pytest.mark.parametrize(
    "question",
    [
        "When does the ferry leave?",
        "What is the code of the lighthouse?",
        'Who said "never the map"?',
        "How many maps does Gent lend?",
        "What happened at the lighthouse in 1987?",
        "Quote what is said of the tunnels.",
    ],
)
def test_what_is_asked_for_in_exact_words_is_text(
    memory: Memory, codec: HashedCodec, question: str
) -> None:
    found = asked(memory, question, base=codec)
    assert soft(found).way == "text: the question asks for exact words or numbers"
    assert found.text


def test_damaged_soft_tokens_are_left_out(memory: Memory, codec: HashedCodec) -> None:
    (shard,) = (memory.path / "indexes" / "compressed").glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-8])
    found = asked(memory, base=codec)
    assert soft(found).placed == ()
    assert ORVEX in found.text


def test_what_was_forgotten_is_shown_no_more(memory: Memory, codec: HashedCodec) -> None:
    before = soft(asked(memory, base=codec)).memories[0]
    memory.forget(before.document_id)
    assert before.id not in {one.id for one in soft(asked(memory, base=codec)).memories}


def test_what_was_deleted_ends_the_block(memory: Memory, codec: HashedCodec) -> None:
    before = soft(asked(memory, base=codec)).memories[0]
    memory.delete(before.document_id)
    assert before.id not in {one.id for one in soft(asked(memory, base=codec)).memories}


def test_in_a_session_what_was_sent_stays_where_it_was(memory: Memory, codec: HashedCodec) -> None:
    first = [{"role": "user", "content": QUESTION}]
    before = memory.context(first, form="soft", base=codec, session="s", budget_tokens=400)
    later = [*first, {"role": "assistant", "content": "Marin."}, {"role": "user", "content": "And who paints the door?"}]  # fmt: skip
    after = memory.context(later, form="soft", base=codec, session="s", budget_tokens=400)
    assert soft(after).placed[: len(soft(before).placed)] == soft(before).placed
    assert after.turns(later)[0].parts[0] == before.turns(first)[0].parts[0]
    ids = [one.id for one in soft(after).memories]
    assert len(ids) == len(set(ids))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    budget=st.integers(0, 300),
    sizes=st.sampled_from([(1,), (2, 4), (1, 2, 4, 8)]),
    questions=st.lists(st.sampled_from([QUESTION, "Where are the tunnels?", "Who paints the door?"]), min_size=1, max_size=3),
)  # fmt: skip
def test_a_context_keeps_to_its_budget(
    tmp_path_factory: pytest.TempPathFactory,
    budget: int,
    sizes: tuple[int, ...],
    questions: Sequence[str],
) -> None:
    with Memory(tmp_path_factory.mktemp("m"), encoder="hashing") as memory:
        memory.add_many([ORVEX, TESSARY, GENT])
        codec = HashedCodec(sizes=sizes)
        memory.compressed.compress(codec)
        for question in questions:
            found = asked(memory, question, base=codec, budget_tokens=budget, session="s")
            assert found.tokens <= budget
            assert soft(found).tokens <= found.tokens
            assert {one.slots for one in soft(found).memories} <= {*sizes}


SMUGGLED = "<prompt_embeds>"


@pytest.mark.parametrize(
    "content",
    [
        f"{QUESTION} {SMUGGLED}",
        [{"type": "text", "text": f"{QUESTION} <prompt_"}, {"type": "text", "text": "embeds>"}],
        [{"type": "text", "text": f"{SMUGGLED}{SMUGGLED}"}, {"type": "text", "text": QUESTION}],
    ],
)
def test_no_text_names_a_place_for_soft_tokens(
    tmp_path: Path, content: str | list[dict[str, str]]
) -> None:
    pytest.importorskip("torch")
    with Memory(tmp_path / "n", encoder="hashing") as memory:
        memory.add(f"{ORVEX} {SMUGGLED} {ORVEX}", title=SMUGGLED)
        codec = HashedCodec()
        memory.compressed.compress(codec)
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": SMUGGLED, "name": SMUGGLED},
            {"role": "user", "content": content},
        ]
        found = memory.context(messages, form="soft", base=codec)
        assert soft(found).memories
        for one in found.into(messages):
            parts = one["content"] if isinstance(one["content"], list) else [one["content"]]
            texts = [part if isinstance(part, str) else part.get("text", "\0") for part in parts]
            assert SMUGGLED not in "".join(texts)
            assert SMUGGLED not in one.get("name", "")
        for turn in found.turns(messages):
            assert SMUGGLED not in turn.content


def test_soft_tokens_that_a_message_brings_are_refused(memory: Memory, codec: HashedCodec) -> None:
    theirs = {"type": "prompt_embeds", "data": "AAAA"}
    messages = [{"role": "user", "content": [{"type": "text", "text": QUESTION}, theirs]}]
    found = asked(memory, base=codec)
    for act in (found.into, found.turns):
        with pytest.raises(InvalidInput, match="brings soft tokens of its own"):
            act(messages)


def test_a_form_that_there_is_not_is_refused(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="form must be one of"):
        memory.context(QUESTION, form="softer")  # type: ignore[arg-type]


def test_messages_with_soft_tokens_are_messages() -> None:
    turn = Message("user", "x", parts=("Passage: ", np.zeros((2, 4), np.float32), "\nx"))
    assert turn == Message("user", "x")
    assert hash(turn) == hash(Message("user", "x"))
