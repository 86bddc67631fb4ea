"""An adapted model, asked here and without a server: many conversations at a time, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from agentcl.models import ScriptedModel
from agentcl.models.base import Message
from agentcl.statements.line_digester import nearest
from agentcl.statements.lines import OwnTurn, heard, messages, read_lines, written
from training.statements.adapter import Adapted

BATCH: Final = 24
MOST_TOKENS: Final = 160  # of an answer
Talked = Sequence[tuple[str, str]]  # roles and texts


def asked(folder: Path, adapter: Path, sessions: Sequence[Talked]) -> ScriptedModel:
    """Return a model that gives the answers of an adapted one about sessions, and knows no others.

    Args:
        folder: of the model, in the form of transformers.
        adapter: as `training.statements.adapter` writes it.
        sessions: what is asked about. All of them are answered before this returns.
    """
    adapted = Adapted(folder)
    adapted.load(adapter)
    adapted.merge()
    told: dict[str, str] = {}
    open_ = [(list(heard(session)), list[tuple[OwnTurn, str]]()) for session in sessions]
    while todo := sorted(
        (one for one in open_ if len(one[1]) < len(one[0])), key=lambda one: _length(*one)
    ):
        for start in range(0, len(todo), BATCH):
            some = todo[start : start + BATCH]
            prompts = [
                adapted.rendered(messages(nearest(done), turns[len(done)])) for turns, done in some
            ]
            answers = _answers(adapted, prompts)
            for (turns, done), prompt, answer in zip(some, prompts, answers, strict=True):
                one = turns[len(done)]
                told[prompt] = answer
                done.append((one, written(read_lines(answer, one)[0])))

    def answer(said: Sequence[Message]) -> str:
        return told[adapted.rendered(said)]

    return ScriptedModel(answer, name=folder.name)


def _length(turns: Sequence[OwnTurn], done: Sequence[tuple[OwnTurn, str]]) -> int:
    return sum(len(one.text) for one in turns[: len(done) + 1])


@torch.inference_mode()
def _answers(adapted: Adapted, prompts: list[str]) -> list[str]:
    given = adapted.tokenizer(
        prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
    )
    made = adapted.model.generate(
        input_ids=given["input_ids"],
        attention_mask=given["attention_mask"],
        max_new_tokens=MOST_TOKENS,
        do_sample=False,
        eos_token_id=adapted.tokenizer.eos_token_id,
        pad_token_id=adapted.tokenizer.eos_token_id,
        temperature=None,
        top_p=None,
        top_k=None,
        repetition_penalty=1.0,
    )
    texts = adapted.tokenizer.batch_decode(
        made[:, given["input_ids"].shape[1] :], skip_special_tokens=True
    )
    return [text.strip() for text in texts]
