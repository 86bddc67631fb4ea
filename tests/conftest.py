"""What several parts of the suite share."""

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.postgres import Cluster

# A shell that starts the suite in the background ignores Ctrl-C, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# No test asserts a time: machines are noisy.
# Where a change is judged, the same examples are tried each time; everywhere else new ones are looked for.
settings.register_profile("agentcl", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("agentcl")


@pytest.fixture(autouse=True)
def own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What a test confirms is its own, and nobody's afterwards."""
    folder = tmp_path_factory.mktemp("configuration")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        yield folder


TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}> {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


@pytest.fixture(scope="session")
def tiny_llama() -> Callable[..., Path]:
    """A maker of checkpoints: a Llama of two layers, always the same, reading bytes; untrained."""

    def make(folder: Path, *, template: str | None = TEMPLATE, context: int = 1024) -> Path:
        # Here, since most of the suite does not need them and they take seconds.
        import torch
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {token: number for number, token in enumerate([*alphabet, "</s>"])}
        bytes_: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bytes_.decoder = decoders.ByteLevel()
        fast: Any = PreTrainedTokenizerFast
        tokenizer = fast(tokenizer_object=bytes_, eos_token="</s>")
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=context,
            eos_token_id=vocabulary["</s>"],
            initializer_range=0.2,  # wide, so that it has opinions
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_gguf() -> Callable[[Path], Path]:
    """A maker of GGUF files: a Llama of one layer, always the same, reading bytes; untrained."""
    gguf = pytest.importorskip("gguf")
    import numpy as np
    from tokenizers import pre_tokenizers

    hidden, wide, heads = 64, 128, 2

    def make(file: Path) -> Path:
        words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "ab", "</s>"]
        writer = gguf.GGUFWriter(str(file), "llama")
        writer.add_context_length(1024)
        writer.add_embedding_length(hidden)
        writer.add_block_count(1)
        writer.add_feed_forward_length(wide)
        writer.add_head_count(heads)
        writer.add_head_count_kv(heads)
        writer.add_layer_norm_rms_eps(1e-6)
        writer.add_rope_dimension_count(hidden // heads)
        writer.add_vocab_size(len(words))
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(words)
        writer.add_token_types([1] * (len(words) - 1) + [3])  # the last one is no text
        writer.add_token_merges(["a b"])
        writer.add_eos_token_id(len(words) - 1)
        writer.add_bos_token_id(len(words) - 1)
        writer.add_add_bos_token(False)
        writer.add_chat_template(TEMPLATE)
        square, vector = (hidden, hidden), (hidden,)
        shapes = {
            "token_embd": (len(words), hidden),
            "output": (len(words), hidden),
            **{f"blk.0.attn_{part}": square for part in ("q", "k", "v", "output")},
            "blk.0.ffn_gate": (wide, hidden),
            "blk.0.ffn_up": (wide, hidden),
            "blk.0.ffn_down": (hidden, wide),
            "output_norm": vector,
            "blk.0.attn_norm": vector,
            "blk.0.ffn_norm": vector,
        }
        drawn = np.random.default_rng(0)
        for name, shape in shapes.items():
            weights = drawn.standard_normal(shape) * 0.2  # wide, so that it has opinions
            writer.add_tensor(f"{name}.weight", weights.astype(np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return file

    return make


@pytest.fixture(scope="session")
def cluster() -> Iterator["Cluster"]:
    """A PostgreSQL server of the session's own; skipped where none can be had."""
    from tests.postgres import NoServer, running

    with ExitStack() as stack:
        try:
            started = stack.enter_context(running())
        except NoServer as error:
            pytest.skip(f"no PostgreSQL server: {error}")
        yield started


# With STORE=postgres a memory's journal is in a database while its folder stays what tests know; see the Makefile.
# These tests read the file itself, or start a process of their own, which would open a folder.
OF_A_FILE = frozenset(
    {
        "test_forgetting_a_document_takes_its_facts_and_names_away",
        "test_what_was_read_before_a_kill_is_never_read_again",
        "test_a_killed_job_is_gone_on_with",
    }
)


@pytest.fixture(autouse=True)
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memories keep their journals: in their folders, or in a database."""
    if os.environ.get("STORE") != "postgres":
        return
    if request.node.name.partition("[")[0] in OF_A_FILE:
        pytest.skip("it is about the file")
    import agentcl.memory.opened
    from agentcl.store.backends import holds_store, open_store
    from agentcl.store.base import Store
    from agentcl.store.postgres.address import parse
    from agentcl.store.postgres.store import PostgresStore

    cluster: Cluster = request.getfixturevalue("cluster")

    def opened(place: Path, *, durability: Any = "full", **options: Any) -> Store:
        if not isinstance(place, Path) or holds_store(place):  # a snapshot is a folder
            return open_store(place, durability=durability, **options)
        name = "t" + hashlib.md5(str(place.resolve()).encode()).hexdigest()
        return PostgresStore(parse(cluster.url(schema=name)), place, **options)

    monkeypatch.setattr(agentcl.memory.opened, "open_store", opened)
