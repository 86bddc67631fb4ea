"""What a sentence states, read by a small model: where values stand, of what, of whom, since when, and whether they ended.

Layers of all-MiniLM-L6-v2, its upper ones changed by training, read a sentence behind the one before it. Four heads tag
the tokens that say a value, what it is of, of whom it is, and when (in the form B, I, O of Ramshaw and Marcus 1995). For
each value others tell its slot and whether it ended, and choose among the tagged spans those that belong to it. What it
was trained on, and how, says `training/statements/README.md`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import MissingExtra
from agentcl.retrieval.conditions import add_trained, is_installed, through
from agentcl.retrieval.encoders.local import bundled
from agentcl.text.bars import without_bars

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS: Final = Path(__file__).parent / "weights" / "sentences.safetensors"
SLOTS: Final = (
    "name", "nickname", "home", "address", "origin", "nationality", "job", "employer", "work_time", "phone_number",
    "phone", "email", "partner", "marital_status", "diet", "age", "birthday", "car", "bike", "landlord", "doctor",
    "allergy", "language", "language_learnt", "likes", "dislikes", "hobby", "pet", "child", "sibling", "parent",
    "friend", "colleague", "course", "appointment", "medication", "plan", "instruction", "relation", "health",
    "event", "identifier", "possession", "school", "date", "other",
)  # fmt: skip
TYPES: Final = ("value", "who", "attr", "when")
OUTSIDE, BEGIN, INSIDE = range(3)
MOST_TOKENS: Final = 192
_BEFORE_TOKENS: Final = 72  # of what was said before, from its end
_BATCH: Final = 32
_SCALE: Final = ":scale"
_SURE: Final = 0.5  # of what is said
_LIKELY: Final = {
    "who": 0.2,
    "attr": 0.5,
    "when": 0.5,
}  # of a word, that it tells that of a value: who is left out means the user
_EDGES: Final = ' .,;:!?()"\u2026'
_POSSESSIVE: Final = re.compile(r"['\u2019]s$")


@dataclass(frozen=True, slots=True)
class Tagged:
    """One thing that a sentence states. Its parts are words of the sentence, or of the one before."""

    slot: str
    value: str
    who: str = "user"
    attr: str = ""  # what the value is of, where words say it
    when: str = ""
    ended: bool = False
    sure: float = 1.0  # that the value is one, of that slot and owner


class StatementTagger:
    """Says what sentences state. Loads its model with the first sentence; safe for threads.

    `statement_tagger` returns the one that all memories of a process share.

    Args:
        weights: what was trained, as `training.statements.read` writes it.

    Raises:
        MissingExtra: if torch or the bundled model is not installed.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        if not is_installed():
            raise MissingExtra("reading statements without a language model", "local")
        self._lock = threading.Lock()
        self._weights = weights

    def read(
        self, sentences: Sequence[tuple[str, str]], *, sure: float = _SURE
    ) -> list[list[Tagged]]:
        """Return what each sentence states, in the order of its words.

        Args:
            sentences: each with what was said right before it, which may be empty.
            sure: how likely a value has to be one, of its slot and owner.
        """
        import torch

        found: list[list[Tagged]] = [[] for _ in sentences]
        order = sorted(range(len(sentences)), key=lambda at: sum(map(len, sentences[at])))
        with self._lock, torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                some = order[start : start + _BATCH]
                read = self._model.read([sentences[at] for at in some], sure)
                for at, stated in zip(some, read, strict=True):
                    found[at] = stated
        return found

    @cached_property
    def _model(self) -> _Loaded:
        return _Loaded(self._weights)


@cache
def statement_tagger() -> StatementTagger:
    """Return the tagger of this process. Raises MissingExtra."""
    return StatementTagger()


@dataclass(frozen=True, slots=True)
class Span:
    """Some tokens of a pair of sentences: the first, and the one behind the last."""

    start: int
    end: int


class Pairs:
    """Pairs of sentences as tokens."""

    def __init__(self, tokenizer: Any, sentences: Sequence[tuple[str, str]]) -> None:  # noqa: ANN401  # untyped there
        self.sentences = sentences
        heads = [_end(tokenizer, before) for before, _ in sentences]
        made = tokenizer(
            [before for before, _ in heads],
            [text for _, text in sentences],
            truncation="only_second",
            max_length=MOST_TOKENS,
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        self.ids, self.types, self.mask = (
            made[name] for name in ("input_ids", "token_type_ids", "attention_mask")
        )
        self._offsets = made["offset_mapping"].tolist()
        self._shifts = [shift for _, shift in heads]
        self.parts = [made.sequence_ids(at) for at in range(len(sentences))]  # 0, 1, or None

    def words(self, at: int, span: Span) -> str:
        """Return what a span says, without stops around it."""
        return _POSSESSIVE.sub("", self._text(at, span).strip(_EDGES))

    def _text(self, at: int, span: Span) -> str:
        part = self.parts[at][span.start]
        begin, end = self._offsets[at][span.start][0], self._offsets[at][span.end - 1][1]
        shift = self._shifts[at] if part == 0 else 0
        return self.sentences[at][part][begin + shift : end + shift]

    def whole_words(self, at: int) -> list[Span]:
        """Return the tokens of each word, without the stops around it. Of Chinese each character is a word."""
        found: list[list[int]] = []
        last = -1
        for token, part in enumerate(self.parts[at]):
            if part is None:
                continue
            said = self._text(at, Span(token, token + 1))
            begin = self._offsets[at][token][0]
            is_apart = "\u2e80" <= said[:1] <= "\u9fff"
            if (
                found
                and last == begin
                and token
                and self.parts[at][token - 1] == part
                and not is_apart
            ):
                found[-1].append(token)
            else:
                found.append([token])
            last = -1 if is_apart else self._offsets[at][token][1]
        return [span for tokens in found if (span := self._trimmed(at, tokens))]

    def _trimmed(self, at: int, tokens: Sequence[int]) -> Span | None:
        spoken = [
            token
            for token in tokens
            if any(map(str.isalnum, self._text(at, Span(token, token + 1))))
        ]
        return Span(spoken[0], spoken[-1] + 1) if spoken else None

    def span(self, at: int, part: int, begin: int, end: int) -> Span | None:
        """Return the tokens of some characters of one of the two sentences; None if none is read."""
        shift = self._shifts[at] if part == 0 else 0
        held = [
            token
            for token, (one, other) in enumerate(self._offsets[at])
            if self.parts[at][token] == part and one + shift < end and other + shift > begin
        ]
        return Span(held[0], held[-1] + 1) if held else None


def _end(tokenizer: Any, text: str) -> tuple[str, int]:  # noqa: ANN401  # untyped there
    """Return the end of a text that is read, and at which character it begins."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)[
        "offset_mapping"
    ]
    start = offsets[-_BEFORE_TOKENS][0] if len(offsets) > _BEFORE_TOKENS else 0
    return text[start:], start


def mean_of(hidden: Tensor, span: Span) -> Tensor:
    """Return the mean over a span, `[384]`, of `[tokens, 384]`."""
    return hidden[span.start : span.end].mean(0)


def spans_of(tags: Sequence[int], parts: Sequence[int | None]) -> list[Span]:
    """Return the spans that tags tell; one does not go over from a sentence to the next."""
    found: list[Span] = []
    begun: int | None = None
    for at in range(len(tags) + 1):
        tag = tags[at] if at < len(tags) and parts[at] is not None else OUTSIDE
        goes_on = begun is not None and tag == INSIDE and parts[at] == parts[begun]
        if begun is not None and not goes_on:
            found.append(Span(begun, at))
            begun = None
        if tag == BEGIN or (tag == INSIDE and not goes_on):
            begun = at
    return found


def tags_of(odds: Tensor, words: Sequence[Span], sure: float) -> tuple[list[int], list[float]]:
    """Return the tag of each token of `[tokens, 3]`, and how likely it is no token outside: one answer for a whole word.

    A stop between two words that belong together belongs to them.
    """
    chances = odds.softmax(-1)
    tags, inside = [OUTSIDE] * len(odds), [0.0] * len(odds)
    before: Span | None = None
    for word in words:
        share = 1 - chances[word.start : word.end, OUTSIDE].mean().item()
        inside[word.start : word.end] = [share] * (word.end - word.start)
        if share < sure:
            before = None
            continue
        tags[word.start : word.end] = [INSIDE] * (word.end - word.start)
        if before is None or chances[word.start, BEGIN] >= chances[word.start, INSIDE]:
            tags[word.start] = BEGIN
        else:
            tags[before.end : word.start] = [INSIDE] * (word.start - before.end)
        before = word
    return tags, inside


class _Loaded:
    """The layers and the heads."""

    def __init__(self, weights: Path) -> None:
        from safetensors.torch import load_file
        from transformers import AutoModel, AutoTokenizer

        folder = str(bundled())
        with without_bars():
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._bert: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        held = unpacked(load_file(weights))
        joined = 1 + max(int(name.split(".")[1]) for name in held if name.startswith("layers."))
        add_trained(self._bert.encoder.layer[-joined:], held)
        self._held = held

    def read(self, sentences: Sequence[tuple[str, str]], sure: float) -> list[list[Tagged]]:
        pairs = Pairs(self._tokenizer, sentences)
        hidden = through(
            self._bert.encoder.layer,
            self._bert.embeddings(input_ids=pairs.ids, token_type_ids=pairs.types),
            pairs.mask,
        )
        return [self._stated(hidden[at], pairs, at, sure) for at in range(len(sentences))]

    def _stated(self, hidden: Tensor, pairs: Pairs, at: int, sure: float) -> list[Tagged]:
        odds = heads(self._held, hidden)
        parts, words = pairs.parts[at], pairs.whole_words(at)
        tags, inside = tags_of(odds[0], words, sure)
        values = [one for one in spans_of(tags, parts) if parts[one.start] == 1]
        others = {
            kind: spans_of(tags_of(odds[number], words, _LIKELY[kind])[0], parts)
            for number, kind in enumerate(TYPES)
            if number
        }
        found = []
        for value in values:
            slot, ended = slot_and_end(self._held, hidden, value)
            told, chances = dict[str, str](), {"slot": slot.softmax(-1).max().item()}
            for kind, spans in others.items():
                chosen = links(self._held, hidden, value, spans, kind).softmax(-1)
                best = int(chosen.argmax())
                told[kind] = pairs.words(at, spans[best - 1]) if best else ""
                chances[kind] = chosen[best].item()
            surely = (chances["slot"] * chances["who"]) ** 0.5
            one = Tagged(
                slot=SLOTS[int(slot.argmax())],
                value=pairs.words(at, value),
                who=told["who"] or "user",
                attr=told["attr"],
                when=told["when"],
                ended=bool(ended > 0),
                sure=max(inside[value.start : value.end]) * surely,
            )
            if one.sure >= sure:
                found.append(one)
        return found


def packed(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in half precision, and matrices as whole numbers of 8 bits with a scale for each row."""
    import torch

    made: dict[str, Tensor] = {}
    for name, value in held.items():
        if value.dim() < 2:
            made[name] = value.detach().half().contiguous()
            continue
        scale = value.detach().abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
        made[name] = (value.detach() / scale).round().to(torch.int8).contiguous()
        made[f"{name}{_SCALE}"] = scale
    return made


def unpacked(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return packed weights in single precision."""
    return {
        name: value.float() * held[f"{name}{_SCALE}"].float() if value.dim() > 1 else value.float()
        for name, value in held.items()
        if not name.endswith(_SCALE)
    }


def heads(held: Mapping[str, Tensor], hidden: Tensor) -> Tensor:
    """Return the odds of tags, `[4, tokens, 3]`, of hidden states `[tokens, 384]`."""
    odds = hidden @ held["tags.weight"].T + held["tags.bias"]
    return odds.reshape(len(hidden), len(TYPES), 3).transpose(0, 1)


def slot_and_end(held: Mapping[str, Tensor], hidden: Tensor, value: Span) -> tuple[Tensor, Tensor]:
    """Return the odds of each slot, `[45]`, and that the value has ended, for a span."""
    import torch

    seen = torch.cat([mean_of(hidden, value), hidden[0]])
    inner = torch.nn.functional.gelu(seen @ held["kind.0.weight"].T + held["kind.0.bias"])
    made = inner @ held["kind.1.weight"].T + held["kind.1.bias"]
    return made[:-1], made[-1]


def links(
    held: Mapping[str, Tensor], hidden: Tensor, value: Span, spans: Sequence[Span], kind: str
) -> Tensor:
    """Return how much each span belongs to a value, `[1 + spans]`; first that none does."""
    import torch

    asking = mean_of(hidden, value) @ held[f"link.{kind}.value"]
    none = asking @ held[f"link.{kind}.none"]
    scores = [none]
    for span in spans:
        given = mean_of(hidden, span) @ held[f"link.{kind}.span"]
        apart = max(span.start - value.end, value.start - span.end, 0)
        scores.append(
            asking @ given / given.numel() ** 0.5 - held[f"link.{kind}.apart"] * apart / 10
        )
    return torch.stack([score.reshape(()) for score in scores])
