"""Soft memories read by the frozen reference model, end to end: compressed, found, shown, answered."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from agentcl import Memory, Message
from agentcl.cli.main import main
from agentcl.compression import Codec, open_codec
from agentcl.memory.compressed.codecs import shipped_codec
from agentcl.models import LocalChat, open_reference
from agentcl.models.reference.chat import ReferenceChat
from agentcl.models.reference.shipped import reference_folder
from tests.unit.compression.test_codecs import PASSAGE, write_untrained

QUESTION = "Question: Name the mayor of Ceber."


@pytest.fixture(scope="module")
def model() -> ReferenceChat:
    model = open_reference()
    assert isinstance(model, ReferenceChat)
    return model


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory, model: ReferenceChat) -> Codec:
    return open_codec(write_untrained(tmp_path_factory.mktemp("c"), base=model.fingerprint()))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add(PASSAGE)
        yield memory


def test_parts_of_a_message_that_are_its_text_are_answered_as_the_text(
    model: ReferenceChat,
) -> None:
    text = f"Passage: {PASSAGE}\n{QUESTION}"
    plain = model.chat([Message("user", text)])
    cut = model.chat([Message("user", "", parts=("Passage: ", PASSAGE, f"\n{QUESTION}"))])
    assert (cut.text, cut.usage.prompt_tokens) == (plain.text, plain.usage.prompt_tokens)
    vectors = model.embeddings(f"<|user|>Passage: {PASSAGE}")[1:]
    soft = model.chat([Message("user", "", parts=(vectors, f"\n{QUESTION}"))])
    assert soft.text == plain.text


def test_a_memory_is_compressed_found_and_read_by_the_frozen_model(
    memory: Memory, model: ReferenceChat, codec: Codec
) -> None:
    before = model.fingerprint()
    assert memory.compressed.compress(codec).compressed == 1
    messages = [{"role": "user", "content": QUESTION}]
    found = memory.context(messages, form="soft", base=codec, budget_tokens=100)
    assert found.soft is not None
    (one,) = found.soft.memories
    np.testing.assert_allclose(
        one.vectors(), codec.encode([PASSAGE], slots=one.slots)[0], atol=0.01
    )
    (turn,) = found.turns(messages)
    reply = model.chat([turn])
    text = "".join(part for part in turn.parts if isinstance(part, str))
    rest = model.chat([Message("user", text)])
    assert abs(reply.usage.prompt_tokens - rest.usage.prompt_tokens - one.slots) <= 2
    assert "".join(model.stream([turn])) == reply.text
    assert model.fingerprint() == before == codec.base


def test_transformers_reads_soft_memories_as_numpy_does(
    memory: Memory, model: ReferenceChat, codec: Codec
) -> None:
    pytest.importorskip("transformers")
    memory.compressed.compress(codec)
    messages = [{"role": "user", "content": QUESTION}]
    found = memory.context(messages, form="soft", base=codec, budget_tokens=100)
    turns = found.turns(messages)
    assert any(not isinstance(part, str) for part in turns[-1].parts)
    there = LocalChat(str(reference_folder()), device="cpu")
    one, other = there.chat(turns), model.chat(turns)
    assert (one.text, one.usage.prompt_tokens) == (other.text, other.usage.prompt_tokens)
    assert "".join(there.stream(turns)) == one.text
    np.testing.assert_allclose(there.embeddings(PASSAGE), model.embeddings(PASSAGE), atol=1e-6)


def test_the_command_line_compresses_with_a_codec_s_folder(
    memory: Memory, tmp_path: Path, model: ReferenceChat
) -> None:
    folder = write_untrained(tmp_path / "c", base=model.fingerprint())
    asked = ["compress", "--path", str(memory.path), "--base", str(folder)]
    dry = CliRunner().invoke(main, [*asked, "--dry-run"])
    assert "1 passages of" in dry.output, dry.output
    done = CliRunner().invoke(main, asked)
    assert "1 passages are 32 soft tokens of untrained now" in done.output, done.output
    assert [one.codec_name for one in memory.compressed.list()] == ["untrained"]
    again = CliRunner().invoke(main, asked)
    assert "no passage here that untrained did not compress already" in again.output
    wrong = CliRunner().invoke(main, [*asked[:-1], "qwen"])
    assert "--base qwen: there is no such folder" in wrong.output
    assert wrong.exit_code == 1


def test_the_shipped_codec_is_found_by_its_name(memory: Memory, model: ReferenceChat) -> None:
    shipped = shipped_codec()
    if shipped is None:
        pytest.skip("the package carries no codec")
    assert shipped.base == model.fingerprint()
    memory.compressed.compress(memory.compressed.codec("reference"))
    messages = [{"role": "user", "content": QUESTION}]
    found = memory.context(messages, form="soft", base="reference", budget_tokens=100)
    assert found.soft is not None
    assert found.soft.memories
    assert model.chat(found.turns(messages)).text
