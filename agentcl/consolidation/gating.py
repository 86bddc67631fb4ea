"""What an adapter can do, measured beside its base: same prompts, greedy, in this process.

The report says `engine: transformers`: it is no measurement through the engine that serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.consolidation.base import IGNORED, encode, load_base
from agentcl.consolidation.bounds import AdapterMeasures, old_measures
from agentcl.consolidation.general import GENERAL, SAID, Probe, is_said
from agentcl.consolidation.rows.building import Part, TrainingRow
from agentcl.consolidation.saying import say
from agentcl.consolidation.training import answer_logits
from agentcl.errors import needs

if TYPE_CHECKING:
    from torch import Tensor

with needs("training adapters", "train"):
    import torch
    from peft import PeftModel
    from torch.nn import functional

_SURE: Final = 0.5
_STABLE: Final = "stable"  # how PEFT is told of the adapter that answers now
_PROBED: Final = 4  # general questions by which the base is compared with itself


def measure(
    base: Path,
    adapter: Path,
    rows: Sequence[TrainingRow],
    *,
    general: Sequence[Probe] = GENERAL,
    forgotten: Sequence[Probe] = (),
    stable: Path | None = None,
    old: Sequence[TrainingRow] = (),
) -> AdapterMeasures:
    """Measure an adapter on its base.

    Args:
        base: the folder of the frozen model.
        adapter: the folder of the adapter.
        rows: of which those of the split "held" are asked.
        general: questions with a right and a wrong answer.
        forgotten: what must not be known, with other answers as likely.
        stable: the folder of the adapter that answers now.
        old: rows that it is asked by.
    """
    model, tokenizer = load_base(base)
    model.eval()
    alone = _first_logits(model, tokenizer, general[:_PROBED])
    tuned: Any = PeftModel.from_pretrained(model, str(adapter)).eval()
    with tuned.disable_adapter():
        off = _first_logits(tuned, tokenizer, general[:_PROBED])
    on = _first_logits(tuned, tokenizer, general[:_PROBED])
    looking = _Looking(tuned, tokenizer, [row for row in rows if row.split == "held"])
    right, before = looking.knows(general), looking.knows(general, with_adapter=False)
    has_forgotten = bool(forgotten)
    known = looking.compared(stable, old) if stable and old else {}
    return AdapterMeasures(
        recall=looking.answered("recall"),
        recall_base=looking.answered("recall", with_adapter=False),
        verbatim=looking.verbatim(),
        general=right,
        general_base=before,
        divergence=looking.divergence(general),
        context=looking.answered("context"),
        context_base=looking.answered("context", with_adapter=False),
        unknown=looking.answered("unknown"),
        is_base_off_exact=all(map(torch.equal, alone, off)),
        is_different=not all(map(torch.equal, alone, on)),
        forgotten=looking.knows(forgotten) if has_forgotten else None,
        forgotten_base=looking.knows(forgotten, with_adapter=False) if has_forgotten else None,
        items={
            "recall": len(looking.of("recall")), "context": len(looking.of("context")),
            "unknown": len(looking.of("unknown")), "general": len(general), "forgotten": len(forgotten),
            "old": len(old),
        },
        **known,
    )  # fmt: skip


class _Looking:
    """An adapter that is asked, and its base beside it."""

    def __init__(self, model: Any, tokenizer: Any, rows: Sequence[TrainingRow]) -> None:  # noqa: ANN401
        self._model, self._tokenizer, self._rows = model, tokenizer, rows

    def of(self, part: Part) -> list[TrainingRow]:
        return [row for row in self._rows if row.part == part]

    def answered(self, part: Part, *, with_adapter: bool = True) -> float:
        """Return which share of the held-out rows of a kind is answered."""
        rows = self.of(part)
        replies = self._say([row.prompt for row in rows], with_adapter=with_adapter)
        right = [is_said(row.answer, said) for row, said in zip(rows, replies, strict=True)]
        return sum(right) / len(right) if right else 0.0

    def compared(self, stable: Path, rows: Sequence[TrainingRow]) -> dict[str, float]:
        """Return which share of some rows is answered, and by another adapter of the same base."""
        prompts = [row.prompt for row in rows]

        def right() -> list[bool]:
            replies = self._say(prompts, with_adapter=True)
            return [is_said(row.answer, said) for row, said in zip(rows, replies, strict=True)]

        after = right()
        own = self._model.active_adapter
        self._model.load_adapter(str(stable), adapter_name=_STABLE)
        self._model.set_adapter(_STABLE)
        before = right()
        self._model.set_adapter(own)
        self._model.delete_adapter(_STABLE)
        return old_measures(before, after)

    def verbatim(self) -> float:
        """Return which share of the held-out answers has each token with a probability above a half."""
        sure = []
        for row in self.of("recall"):
            one = encode(self._tokenizer, row)
            with torch.inference_mode():
                logits, labels = answer_logits(self._model, [(one.prompt, one.answer)])
            chances = functional.softmax(logits, dim=-1)
            held = labels != IGNORED
            own = chances.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
            sure.append(bool((own[held] > _SURE).all()))
        return sum(sure) / len(sure) if sure else 0.0

    def knows(self, probes: Sequence[Probe], *, with_adapter: bool = True) -> float:
        """Return how often the answer is more probable, a token, than each other one."""
        right = 0
        for one in probes:
            scores = [
                self._likelihood(one.prompt, answer, with_adapter)
                for answer in (one.answer, *one.others)
            ]
            right += scores[0] > max(scores[1:])
        return right / len(probes) if probes else 0.0

    def divergence(self, probes: Sequence[Probe]) -> float:
        """Return the mean of KL(adapter || base) over the tokens of right answers, in nats."""
        parts: list[Tensor] = []
        for one in probes:
            own, base = (
                functional.log_softmax(self._on_answer(one.prompt, one.answer, is_on), dim=-1)
                for is_on in (True, False)
            )
            parts.append((own.exp() * (own - base)).sum(-1))
        return float(torch.cat(parts).mean()) if parts else 0.0

    def _on_answer(self, prompt: str, answer: str, with_adapter: bool) -> Tensor:
        """Return the logits (tokens, vocabulary) that predict an answer."""
        one = encode(self._tokenizer, TrainingRow((), "recall", "held", prompt, answer))
        with torch.inference_mode(), self._as(with_adapter):
            logits, labels = answer_logits(self._model, [(one.prompt, one.answer)])
        return logits[0][labels[0] != IGNORED]

    def _likelihood(self, prompt: str, answer: str, with_adapter: bool) -> float:
        one = encode(self._tokenizer, TrainingRow((), "recall", "held", prompt, answer))
        chances = functional.log_softmax(self._on_answer(prompt, answer, with_adapter), dim=-1)
        picked = chances.gather(1, torch.tensor([*one.answer], device=chances.device).unsqueeze(1))
        return float(picked[:-1].mean())  # without the end of the turn

    def _say(self, prompts: Sequence[str], *, with_adapter: bool) -> list[str]:
        with self._as(with_adapter):
            return say(self._model, self._tokenizer, prompts, most_tokens=SAID)

    def _as(self, with_adapter: bool) -> Any:  # noqa: ANN401  # a context
        return nullcontext() if with_adapter else self._model.disable_adapter()


def _first_logits(model: Any, tokenizer: Any, probes: Sequence[Probe]) -> list[Tensor]:  # noqa: ANN401
    found = []
    for one in probes:
        row = encode(tokenizer, TrainingRow((), "recall", "held", one.prompt, one.answer))
        with torch.inference_mode():
            found.append(answer_logits(model, [(row.prompt, row.answer)])[0])
    return found
