"""What several parts of the suite share."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

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
