"""A frozen model of a folder, with or without an adapter, as benchmarks of adapters ask it: greedy, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from peft import PeftModel
from torch.nn import functional

from agentcl.consolidation import Probe, TrainingRow
from agentcl.consolidation.base import IGNORED, encode, folder_of, load_base, rendered
from agentcl.consolidation.training import answer_logits

_AT_ONCE: Final = 16  # prompts
_SAID: Final = 32  # tokens of an answer at the most


class Talker:
    """A model that is asked.

    Args:
        base: the name of a kept model, or its folder.
        adapter: the folder of an adapter; default: none.
    """

    def __init__(self, base: str, adapter: Path | None = None) -> None:
        model, self.tokenizer = load_base(folder_of(base))
        self.model: Any = (
            model if adapter is None else PeftModel.from_pretrained(model, str(adapter))
        )
        self.model.eval()

    def tokens(self, question: str) -> int:
        """Return how many tokens a prompt has, with all that the template adds."""
        return len(self._ids(question))

    def say(self, questions: Sequence[str]) -> list[str]:
        """Return what is said to each question."""
        by_length = sorted(range(len(questions)), key=lambda n: len(questions[n]))
        said = [""] * len(questions)
        for at in range(0, len(by_length), _AT_ONCE):
            places = by_length[at : at + _AT_ONCE]
            replies = self._generate([self._ids(questions[n]) for n in places])
            for place, reply in zip(places, replies, strict=True):
                said[place] = reply
        return said

    def prefers(self, probes: Sequence[Probe]) -> list[bool]:
        """Return for each question whether its answer is more probable, a token, than each other one."""
        return [
            self.likelihood(one.prompt, one.answer)
            > max(self.likelihood(one.prompt, other) for other in one.others)
            for one in probes
        ]

    def choose(self, question: str, labels: Sequence[str]) -> str:
        """Return the label whose first token is the likeliest; where two begin alike, the likeliest a token."""
        first = [self.tokenizer(one, add_special_tokens=False)["input_ids"][0] for one in labels]
        if len(set(first)) < len(first):
            return max(labels, key=lambda one: self.likelihood(question, one))
        ids = torch.tensor([self._ids(question)], device=self.model.device)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, logits_to_keep=1).logits[0, -1]
        return max(zip(logits[first].tolist(), labels, strict=True))[1]

    def likelihood(self, question: str, answer: str) -> float:
        """Return the mean log-probability of the tokens of an answer, in nats."""
        one = encode(self.tokenizer, TrainingRow((), "recall", "held", question, answer))
        with torch.inference_mode():
            logits, labels = answer_logits(self.model, [(one.prompt, one.answer)])
        held = labels != IGNORED
        chances = functional.log_softmax(logits, dim=-1)
        own = chances.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)[held]
        return float(own[:-1].mean())  # without the end of the turn

    def _ids(self, question: str) -> list[int]:
        text = rendered(self.tokenizer, [{"role": "user", "content": question}])[0]
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _generate(self, asked: Sequence[Sequence[int]]) -> list[str]:
        longest, end = max(map(len, asked)), self.tokenizer.eos_token_id
        ids = torch.tensor([[end] * (longest - len(one)) + [*one] for one in asked])
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in asked])
        device = self.model.device
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids.to(device), attention_mask=mask.to(device), do_sample=False, temperature=None,
                top_p=None, top_k=None, max_new_tokens=_SAID, pad_token_id=end,
            )  # fmt: skip
        return list(self.tokenizer.batch_decode(out[:, longest:], skip_special_tokens=True))
