"""What a model says, greedily: to the gate's questions, and to the general prompts that an adapter rehearses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from agentcl.consolidation.base import load_base, rendered
from agentcl.consolidation.rows.building import TrainingRow, load, rows_text, write
from agentcl.consolidation.rows.rehearsing import Rehearsal
from agentcl.errors import needs

with needs("training adapters", "train"):
    import torch

GENERAL_ROWS: Final = "general.jsonl"  # in the adapter's folder
_AT_ONCE: Final = 16  # prompts
_REHEARSED: Final = 24  # tokens of an answer at the most


def say(
    model: Any,  # noqa: ANN401  # PEFT's
    tokenizer: Any,  # noqa: ANN401  # transformers'
    prompts: Sequence[str],
    *,
    most_tokens: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[str]:
    """Return what a model says to each prompt, each as a conversation of its own.

    Args:
        model: of a causal language model, as it is switched now.
        tokenizer: its own, with a chat template.
        prompts: what a user says.
        most_tokens: of an answer; a longer one is cut.
        progress: told how many are answered.
    """
    said: list[str] = []
    for at in range(0, len(prompts), _AT_ONCE):
        texts = [
            rendered(tokenizer, [{"role": "user", "content": one}])[0]
            for one in prompts[at : at + _AT_ONCE]
        ]
        said += _generated(model, tokenizer, texts, most_tokens)
        progress(len(said))
    return said


def rehearsed(
    base: Path,
    folder: Path,
    wanted: Rehearsal,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> list[TrainingRow]:
    """Return general rows that the base itself answers; they are kept in the adapter's folder.

    Every second answer is cut to its last words. What a memory says is short, so that an adapter learns to end its turn
    after a few words; these rows show it what the base would do there.

    Args:
        base: the folder of the frozen model.
        folder: of the adapter; rows that are kept there are taken.
        wanted: how many, and their prompts.
        progress: told how many are answered.

    Raises:
        StorageFull: if the disk is full.
        LoadError: if the rows that are kept cannot be read.
    """
    if not wanted.prompts:
        return []
    file = folder / GENERAL_ROWS
    if not file.is_file():
        model, tokenizer = load_base(base)
        model.eval()
        answers = say(model, tokenizer, wanted.prompts, most_tokens=_REHEARSED, progress=progress)
        texts = [
            _last_words(one, n // 2 % 3 + 1) if n % 2 else one for n, one in enumerate(answers)
        ]
        pairs = zip(wanted.prompts, texts, strict=True)
        write(file, rows_text([TrainingRow((), "general", "train", *pair) for pair in pairs]))
    return list(islice(cycle(load(file)), wanted.rows))


def _last_words(text: str, count: int) -> str:
    return " ".join(text.split()[-count:])


def _generated(model: Any, tokenizer: Any, texts: Sequence[str], most_tokens: int) -> list[str]:  # noqa: ANN401
    encoded = [tokenizer(one, add_special_tokens=False)["input_ids"] for one in texts]
    longest = max(map(len, encoded))
    end = tokenizer.eos_token_id
    ids = torch.tensor([[end] * (longest - len(one)) + one for one in encoded])
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in encoded])
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids.to(model.device), attention_mask=mask.to(model.device), do_sample=False,
            temperature=None, top_p=None, top_k=None, max_new_tokens=most_tokens, pad_token_id=end,
        )  # fmt: skip
    return list(tokenizer.batch_decode(out[:, longest:], skip_special_tokens=True))
