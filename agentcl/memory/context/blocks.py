"""A block that is filled with what was found, line by line, up to a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

from agentcl.memory.context.showing import BEGINNING, Kind, Session, Shown
from agentcl.retrieval.extracting.extracts import LEAST, Excerpt, Span, extracts
from agentcl.retrieval.extracting.scoring import FoundText
from agentcl.retrieval.framing import Form, cut_entry, day_of, entry_of, label_of
from agentcl.retrieval.recall import ScorePart
from agentcl.store.records import EPOCH
from agentcl.text.tokens import TokenCounter

_LONGEST: Final = 0.34  # of the budget for one text; it is cut there
_MISSED: Final = 8  # that had no room, after which no shorter one is looked for
_DAY_TOKENS: Final = 8  # that the line of a day may take
_UNKNOWN: Final = "?"
ENDED: Final = "/ended"  # behind the id of a statement, where a block says that it holds no longer


@dataclass(frozen=True, slots=True)
class Showable:
    """Something that could be shown."""

    id: str
    kind: Kind
    text: str
    score: float = 0.0
    about: str = ""  # what stands in brackets behind the number
    at: datetime | None = None  # when it was said or recorded
    is_past: bool = False
    parts: tuple[ScorePart, ...] = ()  # of the score of a text that was found
    title: str = ""
    passage: str = ""  # its id, of a text that was found


class ContextBlock:
    """A block that is filled up to a budget.

    Args:
        session: what it begins with.
        budget: tokens.
        count: counts them.
        form: in which texts stand in it; statements are always whole.
        asked: the question that texts were found for, and the weights of its terms.
    """

    def __init__(
        self,
        session: Session,
        budget: int,
        count: TokenCounter,
        form: Form = "whole",
        asked: tuple[str, Mapping[str, float]] = ("", {}),
    ) -> None:
        self.budget = budget
        self.count = cache(
            count
        )  # most lines are counted where they are looked at, and again where they are added
        self._form, self._asked = form, asked
        self.shown = list(session.shown)
        self.lines: list[str] = []
        self.tokens = count(session.text or BEGINNING)
        self.cut_tokens = 0  # that what it was filled with would take besides
        self.left_out = 0  # of what it was filled with
        self._ids = {f"{one.id}{ENDED * _is_ended(one)}" for one in self.shown}
        self._texts = {one.text.strip() for one in self.shown}
        # Under which day the next line would stand; what holds stands under none.
        self._day = _UNKNOWN if any(one.kind != "statement" for one in self.shown) else ""

    def has(self, item: Showable) -> bool:
        """Return whether something is shown already, at least in part."""
        is_said = item.text.strip() in self._texts and not item.id.endswith(ENDED)
        return item.id in self._ids or is_said

    def fill(self, items: Iterable[Showable], most: float) -> bool:
        """Add what is not shown yet, in its order; return whether all of it had room."""
        missed = 0
        for item in items:
            missed += not (self.has(item) or self._add(item, self._cut(item), most))
            if missed == _MISSED:
                break
        return not missed

    def fill_best(self, items: Sequence[Showable], most: float, *, least: float = LEAST) -> bool:
        """Add the best of what is not shown yet, in order of time; return whether the very best is shown then.

        Where not all of it fits whole, sentences are chosen of the texts, of what is shown in part those that are not.

        Args:
            items: best first.
            most: the tokens that the block may then have.
            least: what a sentence must be worth, of what the best one is.
        """
        new = [item for item in items if not self.has(item)]
        whole = [Excerpt(item.text, ()) for item in new]
        room = int(most) - self.tokens
        tokens = [self.count(line) for line in self._lines(zip(new, whole, strict=True))]
        before = self.tokens
        if self._form != "whole":
            parts = [item for item in items if self._known(item)]
            if sum(tokens) <= room and not parts:
                self._fill(zip(new, whole, strict=True), most)
            else:
                chosen = [item for item in items if item in new or item in parts]
                self._fill_sentences(chosen, int(most), least)
        else:
            fits: list[Showable] = []
            taken = self.tokens
            for item in new:
                size = self.count(self._line(item, self._cut(item)))
                if taken + size + _DAY_TOKENS <= most:
                    fits.append(item)
                    taken += size + _DAY_TOKENS
            self._fill(((item, self._cut(item)) for item in fits), most)
        self.left_out += sum(not self.has(item) for item in new)
        self.cut_tokens += max(sum(tokens) - (self.tokens - before), 0)
        return not items or self.has(items[0])

    def _fill_sentences(self, items: Sequence[Showable], most: int, least: float) -> None:
        best = max((item.score for item in items), default=0.0) or 1.0
        sources = [
            FoundText(
                item.text,
                item.title,
                item.score / best,
                self.count(self._line(item, Excerpt("", ()))),
                is_whole=item.kind == "statement",
                known=self._known(item),
            )
            for item in items
        ]

        def size(made: Sequence[Excerpt | None]) -> int:
            return sum(map(self.count, self._lines(_shown_of(items, made))))

        query, weights = self._asked
        made = extracts(
            query, sources, weights=weights, budget=most - self.tokens, least=least,
            count=self.count, size=size,
        )  # fmt: skip
        self._fill(_shown_of(items, made), most)

    def _known(self, item: Showable) -> tuple[Span, ...]:
        """Return what is shown of a text that is shown in part; empty for any other."""
        return tuple(
            span for one in self.shown if one.id == item.id and one.text == item.text for span in one.spans
        )  # fmt: skip

    def _fill(self, pairs: Iterable[tuple[Showable, Excerpt]], most: float) -> None:
        for item, made in sorted(pairs, key=_by_time):
            self._add(item, made, most)

    def _add(self, item: Showable, made: Excerpt, most: float) -> bool:
        """Add a line, if the block then has at most so many tokens; return whether it was added."""
        line = self._line(item, made)
        size = self.count(line)
        if not made.text or self.tokens + size > most:
            return False
        self.lines.append(line)
        self.tokens += size
        self._day = _day(item)
        self._ids.add(item.id)
        self._texts.add(item.text.strip())
        id = item.id.removesuffix(ENDED)
        number = len(self.shown) + 1
        spans = () if made.spans == ((0, len(item.text)),) else made.spans
        self.shown.append(
            Shown(number, id, item.kind, item.text, item.is_past, item.score, item.parts, item.passage, spans)
        )  # fmt: skip
        return True

    def _lines(self, pairs: Iterable[tuple[Showable, Excerpt]]) -> list[str]:
        """Return the lines that would be added."""
        lines, day, number = [], self._day, len(self.shown)
        for item, made in sorted(pairs, key=_by_time):
            number += 1
            lines.append(self._line(item, made, number, day))
            day = _day(item)
        return lines

    def _line(
        self, item: Showable, made: Excerpt, number: int = 0, before: str | None = None
    ) -> str:
        number, day = number or len(self.shown) + 1, _day(item)
        about = item.about
        if self._known(item):
            first = next(one for one in self.shown if one.id == item.id and one.text == item.text)
            about = f"more of {first.number}"
        label = label_of(number, *([about] if about else []))
        head = "" if day == (self._day if before is None else before) else f"{day or 'Now'}:\n"
        return head + entry_of(label, made.text)

    def _cut(self, item: Showable) -> Excerpt:
        """Return an item whole, or its beginning where it takes too much of the budget; empty if nothing fits."""
        room = int(self.budget * _LONGEST)
        if self.count(self._line(item, Excerpt(item.text, ()), before=_day(item))) <= room:
            return Excerpt(item.text, ())
        label = label_of(len(self.shown) + 1, *([item.about] if item.about else []))
        _, end = cut_entry(label, item.text, "", self.count, room)
        return Excerpt(f"{item.text[:end]} […]" if end else "", ((0, end),))


def _shown_of(
    items: Sequence[Showable], made: Sequence[Excerpt | None]
) -> Iterator[tuple[Showable, Excerpt]]:
    return ((item, one) for item, one in zip(items, made, strict=True) if one)


def _by_time(pair: tuple[Showable, Excerpt]) -> tuple[bool, datetime]:
    at = pair[0].at
    return at is not None, at or EPOCH


def _is_ended(shown: Shown) -> bool:
    return shown.is_past and shown.kind == "statement"


def _day(item: Showable) -> str:
    """Return under which day something stands; what holds stands under none."""
    return "" if item.at is None else day_of(item.at)
