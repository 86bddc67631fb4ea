"""The reference model's tokenizer: byte-level BPE learned from its own generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from training.mix import STAGES, draw

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD: Final = "<|pad|>"
END: Final = "<|end|>"
ROLES: Final = ("system", "user", "assistant")
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# Words of the frame take the spaces around them; all others take none, so that a name, a noun or a value is
# the same tokens wherever it stands: at the start of an answer, in quotation marks, in a sentence. A
# name's first syllable is a token, so that few names of a passage begin alike. Copying then is copying.
_FRAME: Final = [
    "a",
    "an",
    "and",
    "answer",
    "as",
    "before",
    "by",
    "clear",
    "did",
    "do",
    "does",
    "facts",
    "first",
    "for",
    "goal",
    "has",
    "help",
    "helps",
    "history",
    "if",
    "in",
    "is",
    "it",
    "its",
    "list",
    "me",
    "name",
    "never",
    "next",
    "no",
    "not",
    "observation",
    "of",
    "on",
    "or",
    "question",
    "tell",
    "that",
    "the",
    "there",
    "to",
    "was",
    "what",
    "when",
    "which",
    "who",
    "whom",
    "with",
    "write",
    "you",
]
_EITHER_CASE: Final = "|".join(f"[{word[0].upper()}{word[0]}]{word[1:]}" for word in _FRAME)
_WORDS: Final = (
    rf" ?(?<!\p{{L}})(?:{_EITHER_CASE})\b(?!')(?: (?=\S))?"
    r"|\p{Lu}[bcdfghjklmnpqrstvwxz]*[aeiouy]?"
    r"|\p{Ll}+"
    r"|\p{N}|\n+"
    r"|'s\b ?"
    r"|[^\s\p{L}\p{N}]+(?: [^\s\p{L}\p{N}]+)*(?: (?=\S))?"
    r"|\s"
)


def train_tokenizer(*, vocabulary: int, seed: int, examples: int = 6000) -> PreTrainedTokenizerFast:
    """Return a `PreTrainedTokenizerFast` of `vocabulary` tokens, learned from training examples.

    Raises:
        MissingExtra: if transformers is not installed.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = [PAD, END, *(role_token(role) for role in ROLES)]
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(seed, examples), trainer)
    fast: Any = PreTrainedTokenizerFast
    wrapped: PreTrainedTokenizerFast = fast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=special[2:],
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def role_token(role: str) -> str:
    """Return the token that begins a message of `role`."""
    return f"<|{role}|>"


def _texts(seed: int, examples: int) -> Iterator[str]:
    rng = random.Random(f"{seed}:tokenizer")
    for _ in range(examples):
        example = draw(rng, STAGES[-1])
        yield example.context
        for turn in example.turns:
            yield turn.ask
            yield turn.answer
