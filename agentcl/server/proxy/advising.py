"""Lessons in exchanges: what the proxy shows of them, and how what a user reports credits them.

Each message of a user begins an episode, and the calls of tools that follow belong to it. One is kept where a lesson
speaks of it, or stands in the prompt, and else once its outcome is reported. It comes from the turns of the exchange, and
is forgotten with them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory.context.context import Context
from agentcl.memory.context.weaving import places_of
from agentcl.memory.conversations.messages import Messages, Said
from agentcl.server.access import Access
from agentcl.server.proxy.exchanges import Exchange
from agentcl.store.checks import check_score
from agentcl.store.conversations import Turn
from agentcl.store.episodes import Episode
from agentcl.text.escaping import quoted
from agentcl.text.tokens import estimate_tokens
from agentcl.text.visible import shortened

if TYPE_CHECKING:
    from agentcl.memory.episodes.recording import EpisodeRecorder
    from agentcl.memory.memory import Memory

_HEAD: Final = "Guidance:\n"
_MOST_TOKENS: Final = 1_200  # of lessons in one conversation; then they begin anew
_MOST: Final = 1_000  # sessions
_MOST_SEEN: Final = 20_000  # characters of a step
_MOST_NAME: Final = 100  # of a model
_FAMILY: Final = "chat"
_SUCCESS: Final = 0.5


@dataclass(slots=True)
class Advised:
    """What lessons a session was shown.

    Attributes:
        pieces: the user's message, and the lines that stand in front of it.
        shown: the lessons of these lines, by their ids and as sentences.
        added: the lines that the last message added; empty for none.
        recorder: of the last episode; None before the first.
        lock: is held while this is worked on.
    """

    pieces: list[tuple[str, str]] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    added: str = ""
    recorder: EpisodeRecorder | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def tokens(self) -> int:
        """What the lines take."""
        return sum(estimate_tokens(block) for _, block in self.pieces)

    def clear(self) -> None:
        """Begin anew, without lines."""
        self.pieces.clear()
        self.shown.clear()

    def interrupt(self, reason: str) -> None:
        """Keep its episode as broken off, if it is not over."""
        with self.lock:
            _interrupt(self.recorder, reason)


class Advising:
    """Lessons in the exchanges of a server. Its verbs block, and are for threads.

    Args:
        memory: the whole of it; of an exchange, what is in the scope of its turns is read and written.
        application: the program in whose tasks lessons are offered; empty for any.
    """

    def __init__(self, memory: Memory, application: str) -> None:
        self._memory = memory
        self._application = application
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Advised] = OrderedDict()

    def advise(
        self,
        exchange: Exchange,
        access: Access,
        said: Sequence[Said],
        *,
        is_round: bool,
        begins: bool,
    ) -> Advised:
        """Return the lessons that stand in a prompt, with those that the user's message adds.

        Args:
            exchange: that is told what is shown.
            access: what may be done with the memory.
            said: the messages of the request.
            is_round: whether tools answer: then nothing is added.
            begins: whether the memory's block begins anew. Lessons do so, too: the cache is lost then anyway.

        Raises:
            AgentclError: if the memory cannot serve.
        """
        held = self._session(exchange.session)
        with held.lock:
            held.added = ""
            if not is_round:
                self._begin(exchange, access, said, held, begins=begins)
            exchange.lessons = tuple(held.shown.items())
            exchange.episode = "" if held.recorder is None else held.recorder.id
            exchange.tokens += held.tokens
        return held

    def _session(self, name: str) -> Advised:
        with self._lock:
            held = self._held.setdefault(name, Advised())
            self._held.move_to_end(name)
            left = self._held.popitem(last=False)[1] if len(self._held) > _MOST else None
        if left is not None:
            left.interrupt("too many conversations were under way")
        return held

    def _begin(
        self,
        exchange: Exchange,
        access: Access,
        said: Sequence[Said],
        held: Advised,
        *,
        begins: bool,
    ) -> None:
        before, held.recorder = held.recorder, None
        _interrupt(before, "the user went on before the answer was there")
        if begins or held.tokens > _MOST_TOKENS:
            held.clear()
            before = None
        question = next((one.text for one in reversed(said) if one.role == "user"), "")
        memory = self._memory.scoped(**exchange.home)
        is_spoken_of = question.strip() and memory.lessons.matching(
            question, application=self._application
        )
        if not is_spoken_of and not held.shown:
            return
        is_frozen = "learn" not in access.rights or exchange.memory == "read"
        recorder = self._episode(memory, exchange, is_frozen=is_frozen)
        if before is not None and not recorder.take_over(before):
            held.clear()
        recalled = recorder.recall(question or exchange.model or _FAMILY)
        held.recorder = recorder
        exchange.withheld = len(recalled.withheld)
        lines = {
            one.guidance.id: line
            for one, line in zip(recalled.choice.shown, recalled.lessons, strict=True)
            if one.guidance.id not in held.shown
        }
        if lines:
            told = "\n".join(f"- {quoted(line)}" for line in lines.values())
            held.added = f"{_HEAD}{told}\n"
            held.pieces.append((question, held.added))
            held.shown |= lines

    def _episode(
        self, memory: Memory, exchange: Exchange, *, is_frozen: bool = False
    ) -> EpisodeRecorder:
        model = shortened(exchange.model, _MOST_NAME)
        return memory.episodes.begin(
            f"answer as {model}" if model else "answer",
            application=self._application,
            family=_FAMILY,
            model=model,
            is_frozen=is_frozen,
        )

    def end(
        self, exchange: Exchange, held: Advised, seen: str, answer: str, *, goes_on: bool
    ) -> None:
        """Note what was done in an exchange that is over, and end its episode unless tools are to answer.

        Args:
            exchange: the exchange.
            held: what its session was shown.
            seen: what the model saw last.
            answer: what it said or called; empty if it came to no answer.
            goes_on: whether it called tools.
        """
        with held.lock:
            recorder = _under_way(held, exchange)
            if recorder is None:
                return
            recorder.answered_by(exchange.coins)
            if exchange.remembered:
                _note(recorder, exchange, seen, answer)
            if not answer:
                recorder.interrupt(f"the exchange was {exchange.state}, without an answer")
            elif not goes_on:
                recorder.finish(None)

    def report(self, exchange: Exchange, score: float) -> Mapping[str, Any]:
        """Credit what an exchange was shown, memories and lessons, by its outcome; once, however often it is told.

        Args:
            exchange: that is over, of who reports.
            score: from 0, failed, to 1, solved.

        Returns:
            The score, the episode, and the ids of the memories and lessons that were credited.

        Raises:
            InvalidInput: if the score is none from 0 to 1, or if another one was reported of it, or of another exchange of
                the same episode.
        """
        checked = check_score(score)
        memory = self._memory.scoped(**exchange.home)
        with exchange.lock:
            if exchange.outcome is None:
                assert checked is not None
                episode = self._scored(exchange, memory, checked)
                exposures = () if episode is None else episode.exposures
                exchange.outcome = {
                    "score": checked,
                    "episode": "" if episode is None else episode.id,
                    "memories": [
                        one.id for one in exchange.shown if _credit(memory, one.id, checked)
                    ],
                    "lessons": [one.guidance for one in exposures if one.is_shown],
                }
            elif exchange.outcome["score"] != checked:
                raise InvalidInput(
                    f"the exchange {exchange.id} has the score {exchange.outcome['score']:g} already, and what it was "
                    "shown was credited by it: a report cannot be changed"
                )
            return exchange.outcome

    def _scored(self, exchange: Exchange, memory: Memory, score: float) -> Episode | None:
        """Give its episode the score. Where none was kept, keep one now: outcomes without lessons are compared with."""
        with self._lock:
            held = self._held.get(exchange.session)
        if held is not None:
            with held.lock:
                if recorder := _under_way(held, exchange):
                    return recorder.finish(score)
        if exchange.episode:
            try:
                return memory.episodes.score(exchange.episode, score)
            except NotFound:  # it was forgotten with what was said
                return None
        try:
            turns = [memory.get(id) for id in exchange.remembered]
        except NotFound:
            return None
        if not turns:
            return None
        texts = {one.role: one.text for one in turns if isinstance(one, Turn)}
        recorder = self._episode(memory, exchange)
        _note(recorder, exchange, texts.get("user", ""), texts.get("assistant", ""))
        exchange.episode = recorder.id
        recorder.answered_by(exchange.coins)
        return recorder.finish(score)

    def close(self, reason: str) -> None:
        """Keep what is still under way as broken off: nobody told how it ended."""
        with self._lock:
            left, self._held = [*self._held.values()], OrderedDict()
        for one in left:
            one.interrupt(reason)


def with_lessons(found: Context, advised: Advised | None, messages: Messages) -> Context:
    """Return what a memory shows with the lessons behind it, each in front of the message that it was shown for."""
    if advised is None or not advised.pieces:
        return found
    placed = sorted(
        (
            (-1 if place is None else place, rank, one)
            for rank, own in enumerate((found.placed, tuple(advised.pieces)))
            for (place, _), one in zip(reversed(places_of(messages, own)), own, strict=True)
        ),
        key=lambda each: each[:2],
    )
    added = "\n".join(filter(None, (found.added, advised.added)))
    return replace(found, added=added, placed=tuple(one for *_, one in placed))


def _under_way(held: Advised, exchange: Exchange) -> EpisodeRecorder | None:
    """Return the episode of an exchange, if it goes on."""
    recorder = held.recorder
    is_own = recorder is not None and recorder.id and recorder.id == exchange.episode
    return recorder if is_own and recorder is not None and not recorder.is_over else None


def _note(recorder: EpisodeRecorder, exchange: Exchange, seen: str, answer: str) -> None:
    # First where the words come from: so they are never there without what they are forgotten with.
    recorder.draw_on(exchange.remembered)
    recorder.step(seen[:_MOST_SEEN], answer[:_MOST_SEEN], "")


def _interrupt(recorder: EpisodeRecorder | None, reason: str) -> None:
    if recorder is not None and not recorder.is_over:
        recorder.interrupt(reason)


def _credit(memory: Memory, id: str, score: float) -> bool:
    """Count how a memory fared; return whether it is still there."""
    is_good = score >= _SUCCESS
    try:
        memory.store.credit(id, uses=1, wins=int(is_good), losses=int(not is_good))
    except NotFound:
        return False
    return True
