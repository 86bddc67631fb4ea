"""What a search returns: hits that say why they are there, and their text packed for a prompt."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import mul
from typing import Final, get_args

from agentcl.retrieval.encoders.base import Encoder
from agentcl.retrieval.extracting.extracts import Excerpt, Span, extracts
from agentcl.retrieval.extracting.scoring import FoundText
from agentcl.retrieval.framing import (
    HEAD,
    ROLES,
    Form,
    common_day,
    cut_entry,
    day_of,
    entry_of,
    label_of,
    moment_of,
    named,
)
from agentcl.store.checks import check_choice, check_count
from agentcl.store.conversations import Turn
from agentcl.store.records import Scope, clause
from agentcl.store.turns import Beside
from agentcl.store.vectors import unpack
from agentcl.text.terms import matched_terms
from agentcl.text.tokens import TokenCounter, estimate_tokens
from agentcl.text.visible import shortened, visible

_SHOWN: Final = 60  # characters of a text where a hit is shown in a line


@dataclass(frozen=True, slots=True)
class Link:
    """The shortest way on which the graph led from a passage that answers the question to a hit.

    Each step is a passage's id and the phrase that it shares with the passage of the next step; the
    last one shares its phrase with the hit.
    """

    steps: tuple[tuple[str, str], ...]

    @property
    def source(self) -> str:
        """The id of the passage that the way begins at."""
        return self.steps[0][0]

    @property
    def phrase(self) -> str:
        """What the hit shares with the passage before it."""
        return self.steps[-1][1]


@dataclass(frozen=True, slots=True)
class LinkedFact:
    """One fact that the graph search linked the question to."""

    seq: int  # the journal's number of this version
    id: str
    subject: str
    predicate: str
    object: str
    passage_id: str  # where it is stated
    score: float  # cosine with the question
    is_kept: bool = True  # False: the recognition filter found that it does not help

    @property
    def clause(self) -> str:
        """The fact as it was compared with the question."""
        return clause(self.subject, self.predicate, self.object)


# What a ranking goes by, for who reads why a hit is there.
_BY: Final = {"text": "words", "dense": "vectors", "exact": "identifiers", "graph": "graph"}


@dataclass(frozen=True, slots=True)
class ScorePart:
    """What one ranking had to say about a hit."""

    source: str  # the ranking: "dense", "text", "exact" or "graph"
    rank: int  # 1 for its best
    score: float  # in its own unit: cosine, BM25, forms of identifiers, share of a walk's time
    contribution: float  # how much of the hit's score came from it
    link: Link | None = None  # how the graph led there


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """One passage that was found, and why."""

    id: str  # the passage
    document_id: str  # the document, or the turn, it is a piece of; what `get` and `forget` take
    text: str
    title: str
    uri: str
    score: float  # higher is better; comparable within one recall only
    parts: tuple[ScorePart, ...]
    scope: Scope
    # The document's; a passage of a PDF has its `page` there, from 1, and one of a turn its `role`, `speaker`,
    # `said_at`, `turn` and `conversation`.
    metadata: dict[str, object]
    created_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    seq: int  # the journal's number of this version
    query: str  # what was asked
    copies: int = 1  # passages that were found with the same text; of its title this is the newest
    beside: Beside | None = field(default=None, compare=False)  # the way back, for `around`

    def __repr__(self) -> str:
        return (
            f"Hit({_beginning(self.title or self.text)!r}, score={self.score:.3f}, id={self.id!r})"
        )

    def _repr_html_(self) -> str:
        return _table([self])

    @property
    def matched_terms(self) -> tuple[str, ...]:
        """Words of the query that title or text have, as full text sees them."""
        return tuple(matched_terms(self.query, f"{self.title}\n{self.text}"))

    @property
    def said_at(self) -> datetime | None:
        """When it was said, in UTC; None if it is not of a conversation."""
        said, turn = self.metadata.get("said_at"), self.metadata.get("turn")
        if not isinstance(said, str) or not isinstance(turn, int):
            return None
        try:
            return datetime.fromisoformat(said).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    @property
    def speaker(self) -> str:
        """Who said it: a name, else a role; empty if it is not of a conversation."""
        return str(self.metadata.get("speaker", "")) if self.said_at else ""

    def around(self, *, before: int = 1, after: int = 1) -> tuple[Turn, ...]:
        """Return the turn that this is of, with those before and after it. It reads the memory.

        Args:
            before: how many turns before it.
            after: how many after it.

        Raises:
            InvalidInput: if it is a piece of a document, or was copied out of its memory.
            NotFound: if the turn was deleted meanwhile.
        """
        before = check_count(before, "before", least=0)
        after = check_count(after, "after", least=0)
        way = self.beside or Beside(None, self.scope.view())
        return way.turns(self.document_id, before=before, after=after)

    def why(self) -> str:
        """Return one line that tells why this hit is there."""
        words = [f"found {' and '.join(self._rankings())}"] if self.parts else []
        words += [
            "named with it: "
            + ", then ".join(f"“{phrase}” in {id}" for id, phrase in part.link.steps)
            for part in self.parts
            if part.link
        ]
        if self.copies > 1:
            words.append(f"{self.copies} have this text")
        if found := self.matched_terms:
            words.append("matched " + ", ".join(found[:8]))
        return "; ".join(words)

    def _rankings(self) -> Iterator[str]:
        """Yield where each ranking has this hit, and how much of its score came from there."""
        whole = sum(max(part.contribution, 0.0) for part in self.parts)
        of_score = " of its score"  # said once
        for part in self.parts:
            share = ""
            if whole > 0 and len(self.parts) > 1:
                share = f" ({max(part.contribution, 0.0) / whole:.0%}{of_score})"
                of_score = ""
            yield f"by {_BY.get(part.source, part.source)} as no. {part.rank}{share}"


@dataclass(frozen=True, slots=True)
class Quote:
    """What a block shows of one hit."""

    number: int  # in brackets, in the block; the hit's place from 1
    id: str  # the passage
    document_id: str
    spans: tuple[Span, ...]  # the characters of the hit's text that are shown, in order


@dataclass(frozen=True, slots=True)
class Packed:
    """Hits as one block for a prompt, and what it shows of each."""

    text: str
    tokens: int
    whole_tokens: int  # that all hits would take, uncut
    quotes: tuple[Quote, ...]
    left_out: int  # hits of which it shows nothing

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, repr=False)
class Recall:
    """The answer to one search: hits, best first, and the path that was taken to them."""

    query: str
    hits: tuple[Hit, ...]
    mode: str  # the mode's name
    encoder: str  # which encoder the dense ranking used
    is_lexical: bool  # True: that encoder compares spelling, not meaning
    indexes: tuple[str, ...]  # the indexes that were asked
    as_of: datetime | None
    way: str = ""  # how the graph was walked, and from where; what failed on the way
    facts: tuple[LinkedFact, ...] = ()  # that the graph search linked the question to, best first
    damaged: tuple[str, ...] = ()  # what was left out since its bytes were changed on disk
    warning: str = ""  # why the question was answered by words alone; empty if it was not
    # How telling each term of the question is, in BM25's idf of what the search sees; empty if no words were asked.
    weights: Mapping[str, float] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        best = (
            f", best {_beginning(self.hits[0].title or self.hits[0].text)!r}" if self.hits else ""
        )
        count = f"{len(self.hits)} hit{'s' * (len(self.hits) != 1)}"
        words = ", by words alone" * bool(self.warning)
        return f"Recall({_beginning(self.query)!r}: {count}, {self.mode}{words}{best})"

    def _repr_html_(self) -> str:
        warning = f"<p>{_html(self.warning)}</p>" * bool(self.warning)
        return f"<p>{_html(self.query)} ({self.mode})</p>{warning}{_table(self.hits)}"

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def prompt(
        self,
        *,
        budget_tokens: int = 1_000,
        count_tokens: TokenCounter | None = None,
        form: Form = "auto",
    ) -> str:
        """Return the hits as one block of quoted data for a prompt, best first; see `pack`."""
        return self.pack(budget_tokens=budget_tokens, count_tokens=count_tokens, form=form).text

    def pack(
        self,
        *,
        budget_tokens: int = 1_000,
        count_tokens: TokenCounter | None = None,
        form: Form = "auto",
        encoder: Encoder | None = None,
    ) -> Packed:
        """Return the hits as one block of quoted data for a prompt, and what of each it shows.

        Each hit begins a line, with its number in brackets, and what tells it apart: who said it, if it was said;
        the day when it was said or recorded, where not all are of one day (the head says the day, or the year, of
        all); how many have its text; since and until when it is valid; and its title, or without one its uri.
        Further lines of it begin with `>`. Stored text is escaped, so that it can neither begin a line nor spell a
        control token. What follows the block begins a line of its own.

        The block never has more than `budget_tokens` tokens as `count_tokens` counts them. Where not all hits fit,
        their best sentences for the question are chosen together, and stand in the order of their text; "…" stands
        for what lies between. No model is asked.

        Args:
            budget_tokens: a hard ceiling for the whole block, its frame included.
            count_tokens: the model's own counter, e.g. `lambda text: len(tokenizer.encode(text))`;
                without one, `estimate_tokens`, which errs on the high side.
            form: "auto" chooses sentences where not all hits fit; "sentences" always does; "whole" shows hits whole
                from the best on, cuts the first that does not fit at a word, and ends there.
            encoder: compares sentences with the question by meaning too, e.g. `memory.store.encoder`. It has to encode
                each sentence of the hits, which takes many times as long as the search.

        Returns:
            The block, which is empty when not even one sentence or one cut hit fits.

        Raises:
            InvalidInput: if the budget is no whole number, or negative, or if there is no such form.
        """
        check_count(budget_tokens, "budget_tokens", least=0)
        check_choice(form, get_args(Form), "form")
        count = count_tokens or estimate_tokens
        block = _Block(self.hits, count)
        every = [Excerpt(hit.text, ((0, len(hit.text)),)) for hit in self.hits]
        tokens = block.size(every) if self.hits else 0
        if tokens <= budget_tokens and self.hits:
            return block.packed(every, tokens)
        if form == "whole" or not self.hits:
            return block.cut(budget_tokens, tokens)
        chosen = extracts(
            self.query,
            block.sources(),
            weights=self.weights,
            budget=budget_tokens,
            count=count,
            near=None if encoder is None else partial(_cosines, encoder, self.query),
            size=block.size,
        )
        return block.packed(chosen, tokens) if any(chosen) else block.cut(budget_tokens, tokens)


class _Block:
    """Hits as they stand in a block.

    Args:
        hits: best first.
        count: counts tokens.
    """

    def __init__(self, hits: Sequence[Hit], count: TokenCounter) -> None:
        self._hits, self._count = hits, count
        common = common_day([day_of(_told_at(hit)) for hit in hits])
        self._head = HEAD.format(day=f" of {common}" if common else "")
        self._labels = [_label(number, hit, common) for number, hit in enumerate(hits, start=1)]

    def sources(self) -> list[FoundText]:
        """Return the hits as sentences are taken from them."""
        best = max((hit.score for hit in self._hits), default=0.0) or 1.0
        return [
            FoundText(
                hit.text, hit.title, max(hit.score, 0.0) / best, self._count(entry_of(label, ""))
            )
            for hit, label in zip(self._hits, self._labels, strict=True)
        ]

    def text(self, shown: Sequence[Excerpt | None]) -> str:
        """Return the block with what is shown of each hit."""
        lines = [
            entry_of(label, one.text)
            for label, one in zip(self._labels, shown, strict=True)
            if one is not None
        ]
        return self._head + "".join(lines) if lines else ""

    def size(self, shown: Sequence[Excerpt | None]) -> int:
        """Return its tokens."""
        return self._count(self.text(shown))

    def packed(self, shown: Sequence[Excerpt | None], whole_tokens: int) -> Packed:
        """Return the block, and what it shows."""
        text = self.text(shown)
        quotes = tuple(
            Quote(number, hit.id, hit.document_id, one.spans)
            for number, (hit, one) in enumerate(zip(self._hits, shown, strict=True), start=1)
            if one is not None
        )
        left_out = len(self._hits) - len(quotes)
        return Packed(text, self._count(text) if text else 0, whole_tokens, quotes, left_out)

    def cut(self, budget_tokens: int, whole_tokens: int) -> Packed:
        """Return the hits from the best on, the first that does not fit cut at a word."""
        block, quotes = self._head, list[Quote]()
        for number, (hit, label) in enumerate(zip(self._hits, self._labels, strict=True), start=1):
            end = len(hit.text)
            line = entry_of(label, hit.text)
            if is_last := self._count(block + line) > budget_tokens:
                line, end = cut_entry(label, hit.text, block, self._count, budget_tokens)
            if line:
                block += line
                quotes.append(Quote(number, hit.id, hit.document_id, ((0, end),)))
            if is_last:
                break
        text = block if quotes else ""
        left_out = len(self._hits) - len(quotes)
        tokens = self._count(text) if text else 0
        return Packed(text, tokens, whole_tokens, tuple(quotes), left_out)


def _cosines(encoder: Encoder, query: str, texts: Sequence[str]) -> list[float]:
    """Return the cosine of each text with a question."""
    (asked,) = map(unpack, encoder.encode([query], role="query"))
    vectors = map(unpack, encoder.encode(texts, role="passage") if texts else ())
    length = math.hypot(*asked)
    return [
        sum(map(mul, asked, vector)) / (length * math.hypot(*vector) or 1.0) for vector in vectors
    ]


def _beginning(text: str) -> str:
    """Return the first words of a text, on one line."""
    return shortened(" ".join(text.split()), _SHOWN)


def _html(text: str) -> str:
    return html.escape(visible(text))


def _table(hits: Sequence[Hit]) -> str:
    """Return hits as a table for a notebook; stored text is escaped."""
    rows = "".join(
        f"<tr><td>{number}</td><td>{hit.score:.3f}</td><td>{_html(hit.title)}</td>"
        f"<td>{_html(_beginning(hit.text))}</td><td>{_html(hit.why())}</td></tr>"
        for number, hit in enumerate(hits, start=1)
    )
    heads = "".join(f"<th>{name}</th>" for name in ("", "score", "title", "text", "why"))
    return f"<table><tr>{heads}</tr>{rows}</table>"


def _label(number: int, hit: Hit, common: str) -> str:
    """Return what tells a hit apart. Stored is only the name, which comes last, and has quotes around it."""
    about = list[str]()
    if hit.speaker in ROLES:
        about.append(hit.speaker)
    if day := day_of(_told_at(hit)).removesuffix(common).strip():
        about.append(day)
    if hit.copies > 1:
        about.append(f"{hit.copies} copies")
    for word, moment in (("since", hit.valid_from), ("until", hit.valid_to)):
        if moment is not None:
            about.append(f"{word} {moment_of(moment)}")
    if name := shortened(" ".join(hit.title.split()), _SHOWN) or hit.uri:
        about.append(named(name))
    return label_of(number, *about)


def _told_at(hit: Hit) -> datetime:
    """Return when it was said; of what was not said, when it was recorded."""
    return hit.said_at or hit.created_at
