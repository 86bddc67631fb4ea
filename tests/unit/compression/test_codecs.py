"""Codecs: passages become soft tokens of the one model that they were trained for, and of no other."""

import base64
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.compression import Codec, open_codec
from agentcl.compression.codecs.folder import About, slot_parts, write_codec
from agentcl.errors import InvalidInput, ModelChanged, ModelUnavailable
from agentcl.models import REFERENCE_FOLDER, open_reference
from agentcl.models.reference.chat import ReferenceChat

WIDTH = 192
PASSAGE = "Of Kruler, the setting is Bamel. Ceber has a mayor: Bonim. As founder, Ceber has Wiler."
QUESTION = "\nQuestion: Name the mayor of Ceber.<|end|><|assistant|>"


@pytest.fixture(scope="module")
def model() -> ReferenceChat:
    model = open_reference()
    assert isinstance(model, ReferenceChat)
    return model


def write_untrained(folder: Path, *, base: str, seed: int = 0) -> Path:
    """Write a codec that has learned nothing: what it writes is chance, and how it writes is not."""
    rng = np.random.default_rng(seed)
    about = About(
        name="untrained",
        base=base,
        engine="numpy",
        sizes=(4, 8, 16, 32),
        limit=128,
        mark="<|user|>",
        before="Passage: ",
        asked="Question: ",
        scale=0.22,
        lora_scale=2.0,
    )
    layer = "model.layers.1.self_attn.q_proj"
    shapes = {
        "slots": (32, WIDTH),
        "projection": (WIDTH, WIDTH),
        "skip": (WIDTH, WIDTH),
        "memory_code": (128, 4 * WIDTH),
        "question_code": (128, 4 * WIDTH),
        f"{layer}.down": (4, WIDTH),
        f"{layer}.up": (256, 4),
    }
    write_codec(folder, about, {n: 0.1 * rng.standard_normal(s) for n, s in shapes.items()})
    return folder


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory, model: ReferenceChat) -> Codec:
    folder = write_untrained(tmp_path_factory.mktemp("codec"), base=model.fingerprint())
    return open_codec(folder)


def test_a_text_given_as_its_own_embeddings_is_answered_alike(model: ReferenceChat) -> None:
    text = f"<|user|>Passage: {PASSAGE}"
    as_text = model.complete([text, QUESTION])
    as_vectors = model.complete([model.embeddings(text), QUESTION])
    assert as_text.text == "The mayor of Ceber is Bonim. Answer: Bonim"
    assert as_vectors.text == as_text.text
    assert as_vectors.usage.prompt_tokens == as_text.usage.prompt_tokens


def test_what_is_read_of_one_memory_is_not_kept_for_another(model: ReferenceChat) -> None:
    text = f"<|user|>Passage: {' '.join([PASSAGE] * 3)}"  # longer than a block that is kept
    right = model.complete([model.embeddings(text), QUESTION]).text
    model.complete([model.embeddings(text)[::-1], QUESTION])
    assert model.complete([model.embeddings(text), QUESTION]).text == right


def test_soft_tokens_leave_the_model_as_it_was(model: ReferenceChat, codec: Codec) -> None:
    before = model.fingerprint()
    soft = codec.encode([PASSAGE], slots=16)[0]
    model.complete(["<|user|>Passage: ", soft, QUESTION])
    assert model.fingerprint() == before == codec.base


@pytest.mark.parametrize("shape", [(16, 191), (192,), (1, 16, 192)], ids=str)
def test_soft_tokens_of_another_shape_are_refused(
    model: ReferenceChat, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidInput, match="shape"):
        model.complete(["<|user|>Passage: ", np.zeros(shape, np.float32), QUESTION])


def test_soft_tokens_that_are_no_numbers_are_refused(model: ReferenceChat) -> None:
    broken = np.full((4, WIDTH), np.nan, np.float32)
    with pytest.raises(InvalidInput, match="no number"):
        model.complete([broken, QUESTION])


@settings(max_examples=20, deadline=None)
@given(st.text(min_size=1, max_size=120), st.sampled_from([4, 8, 16]))
def test_the_first_slots_of_a_memory_are_the_memory_of_so_many(
    codec: Codec, text: str, slots: int
) -> None:
    if not text.strip() or codec.count(text) > codec.limit:
        return
    large, small = codec.encode([text])[0], codec.encode([text], slots=slots)[0]
    assert np.allclose(large[:slots], small, atol=1e-4)
    assert np.isfinite(large).all()


def test_soft_tokens_are_as_large_as_embeddings(codec: Codec) -> None:
    memory = codec.encode([PASSAGE])[0]
    assert memory.shape == (32, WIDTH)
    assert np.allclose(np.sqrt((memory**2).mean(axis=1)), 0.22, rtol=1e-2)


def test_codes_are_directions_of_one_width(codec: Codec) -> None:
    memories = codec.encode([PASSAGE, "The trade of Ceber is tea."], slots=8)
    codes, asked = codec.codes(memories), codec.questions(["Who is the mayor of Ceber?"])
    assert codes.shape == (2, 128)
    assert asked.shape == (1, 128)
    assert np.allclose(np.linalg.norm(np.concatenate([codes, asked]), axis=1), 1, atol=1e-5)
    assert np.allclose(codec.codes(codec.encode([PASSAGE])), codes[:1], atol=1e-5)


def test_nothing_becomes_no_memory(codec: Codec) -> None:
    assert codec.encode([]).shape == (0, 32, WIDTH)
    assert codec.questions([]).shape == (0, 128)


@pytest.mark.parametrize("text", ["", " \n\t"], ids=["nothing", "spaces"])
def test_an_empty_passage_is_refused(codec: Codec, text: str) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        codec.encode([PASSAGE, text])
    with pytest.raises(InvalidInput, match="empty"):
        codec.questions([text])


def test_a_passage_that_is_too_long_is_refused_and_says_what_to_do(codec: Codec) -> None:
    text = "the " * 50_000
    with pytest.raises(InvalidInput, match=r"50,00. tokens.*128.*split"):
        codec.encode([text])
    assert codec.questions([text]).shape == (1, 128)


@pytest.mark.parametrize(
    "text",
    [
        "记忆压缩",
        "def f(x: int) -> int:\n    return x << 2",
        base64.b64encode(bytes(range(40))).decode(),
        "<|end|><|assistant|>",
    ],
    ids=["Chinese", "code", "base64", "marks"],
)
def test_any_text_within_the_limit_becomes_a_memory(codec: Codec, text: str) -> None:
    assert codec.count(text) > 2  # a mark that a passage spells is no special token
    assert np.isfinite(codec.encode([text], slots=4)).all()


def test_a_number_of_slots_that_is_none_of_the_sizes_is_refused(codec: Codec) -> None:
    with pytest.raises(InvalidInput, match="4, 8, 16, 32"):
        codec.encode([PASSAGE], slots=5)


def test_a_codec_of_another_base_of_the_same_shape_is_refused(
    tmp_path: Path, model: ReferenceChat
) -> None:
    codec = write_untrained(tmp_path / "codec", base=model.fingerprint())
    other = tmp_path / "base"
    shutil.copytree(REFERENCE_FOLDER, other)
    weights = other / "model.safetensors"
    held = bytearray(weights.read_bytes())
    held[-1] ^= 1
    weights.write_bytes(held)
    with pytest.raises(ModelChanged, match="untrained"):
        open_codec(codec, base=other)
    assert open_codec(codec).base == model.fingerprint()


def test_what_a_codec_computes_with_is_in_its_fingerprint(
    tmp_path: Path, model: ReferenceChat, codec: Codec
) -> None:
    base = model.fingerprint()
    same = open_codec(write_untrained(tmp_path / "same", base=base))
    other = open_codec(write_untrained(tmp_path / "other", base=base, seed=1))
    longer = write_untrained(tmp_path / "longer", base=base)
    about = json.loads((longer / "codec.json").read_text())
    (longer / "codec.json").write_text(json.dumps({**about, "before": "Text: "}))
    found = {codec.fingerprint, same.fingerprint, other.fingerprint}
    assert codec.fingerprint == same.fingerprint
    assert len({*found, open_codec(longer).fingerprint}) == 3


@pytest.mark.parametrize("name", ["codec.json", "codec.npz"])
@pytest.mark.parametrize("damage", ["cut off", "flipped", "missing"])
def test_a_damaged_codec_is_refused(
    tmp_path: Path, model: ReferenceChat, name: str, damage: str
) -> None:
    path = write_untrained(tmp_path, base=model.fingerprint()) / name
    held = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "cut off":
        path.write_bytes(held[: len(held) // 2])
    else:
        middle = len(held) // 2
        held[middle : middle + 9] = random.Random(0).randbytes(9)
        path.write_bytes(held)
    with pytest.raises(ModelUnavailable, match="no whole codec"):
        open_codec(tmp_path)


def test_an_unknown_codec_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere"):
        open_codec(tmp_path / "nowhere")


@given(st.integers(min_value=1, max_value=64))
def test_slots_stand_within_the_passage_each_at_a_place_of_its_own(slots: int) -> None:
    parts = slot_parts(slots)
    assert all(0 <= begin < end <= 1 for begin, end in parts)
    assert len({end for _, end in parts}) == slots
    if slots >= 8:
        assert sum(end - begin for begin, end in parts[:8]) == 1


def test_the_model_in_the_package_reads_what_the_codec_in_the_package_writes(
    model: ReferenceChat,
) -> None:
    shipped = open_codec("reference")
    assert shipped.base == model.fingerprint()
    passage = (
        "The mayor of Medom is Zazor. The trade of Medom is salt. Of Kruler, the setting is Bamel."
    )
    question = "\nQuestion: Who is the mayor of Medom?<|end|><|assistant|>"
    own, other = shipped.encode([passage, PASSAGE], slots=16)
    said = [model.complete(["<|user|>Passage: ", m, question]).text for m in (own, other)]
    assert said[0] == "The mayor of Medom is Zazor. Answer: Zazor"
    assert "Zazor" not in said[1]
