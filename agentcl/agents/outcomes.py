"""A teacher without a model: lessons that the record of an episode shows by itself.

It states what was seen and nothing else, in the forms of CLIN's causal abstractions (Majumder et al. 2023). Whether a lesson
holds beyond its episode is for evidence to say, as with any other teacher.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Final, Literal

from agentcl.agents.clauses import (
    a,
    after_lead,
    clauses,
    kind_of,
    mention_of,
    sentences,
    with_kinds,
)
from agentcl.agents.hindsight import Done, Hindsight, Trail
from agentcl.agents.induction import Tried, conditions, count, parts, with_clauses
from agentcl.agents.teacher import Distilled, Edited, Editor
from agentcl.agents.transcript import Transcript
from agentcl.guidance.admission import names_of, refusal
from agentcl.guidance.effects import Effect, effect_of, gains, losses
from agentcl.guidance.meaning.same import content
from agentcl.lessons import Claim, Lesson, folded
from agentcl.store.episodes import Level
from agentcl.store.usage import Usage

_MOST: Final = 6  # lessons of one episode
_MOST_USELESS: Final = 3  # of these, that only say what did not help
_SUCCESS: Final = 1.0  # the score from which the goal was reached, where nobody said whether it was
_PLAIN: Final = 2  # words of an action in which a name is "it"
_TELLING: Final = 3  # words of a sentence that says how things are now, beside names; "Done." leaves them as they were
_CODE: Final = re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d_])\w{2,}\b")
_ARTICLES: Final = ("a", "an", "the")
_WORDS: Final = 20  # of a situation; a longer one is that of this episode alone


class OutcomeTeacher:
    """Draws lessons from what was done and what followed. Alone it asks no model and costs no tokens.

    - *do*: the action after which the goal was reached, and the one that showed what it was done about; of a failed
      attempt, the one that showed what a later one was done about.
    - *needs*: what was done between an action that failed and the same action when it reached the goal, in one episode or
      against its contrast.
    - *do* and *needs*, by many attempts: what was seen where an action reached the goal and not where it failed, in one or two
      clauses, of all attempts that `distil_among` is given (`agentcl.agents.induction`).
    - *do*, where a world rewards steps on the way: those that it rewarded, of an attempt that fell short, for tasks like this one.
    - *avoid* and *useless*: actions after which things were worse, or nothing changed.

    Names of the episode become what they are names of: "The queue Orvo is slow" and "drain Orvo" give "When a queue is slow,
    drain it". A lesson that still holds a name which only this episode knows is left out.

    Args:
        editor: a model that is given the lessons, to say when each holds in words of its own, or to refuse it; `Teacher(model)`
            is one. Words that no lesson may have leave it as it was drawn. Default: nobody.
    """

    def __init__(self, editor: Editor | None = None) -> None:
        self._editor = editor

    looks_back: int = 64  # earlier attempts that `distil_among` is given

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return what an episode shows, given another of its kind that went otherwise.

        Raises:
            ModelUnavailable: if the editor cannot be asked.
        """
        return self.distil_among(transcript, (), contrast=contrast)

    def distil_among(
        self,
        transcript: Transcript,
        earlier: Sequence[Transcript],
        *,
        contrast: Transcript | None = None,
    ) -> Distilled:
        """Return what an episode shows beside earlier attempts at the same kind of task in the same world.

        Raises:
            ModelUnavailable: if the editor cannot be asked.
        """
        attempts = Hindsight([*(map(_attempt, earlier)), here := _attempt(transcript)])
        shown = [*_shown(transcript), *(_contrasted(transcript, contrast) if contrast else ())]
        told = [
            *_induced(transcript, earlier),
            *_on_the_way(attempts, here),
            *(one for one in shown if not _is_beaten(one, earlier) and not attempts.is_told(one)),
        ]
        lessons: dict[Lesson, None] = {}
        useless = 0
        for lesson in told:
            if len(lessons) == _MOST or refusal(lesson, names=_names(transcript)):
                continue
            if lesson.claim == "useless":
                useless += lesson not in lessons
                if useless > _MOST_USELESS:
                    continue
            lessons.setdefault(lesson)
        kept, usage, problem = tuple(lessons), Usage(), ""
        if self._editor is not None and kept:
            edited = self._editor.edit(transcript, kept, contrast=contrast)
            kept = _worded(kept, edited, _names(transcript))
            usage, problem = edited.usage, edited.problem
        family: Level = "family"
        return Distilled(kept, usage, (family,) * len(kept), problem)


def _worded(drawn: Sequence[Lesson], edited: Edited, names: Collection[str]) -> tuple[Lesson, ...]:
    """Return what an editor left of lessons, as drawn where its words are none that a lesson may have."""
    kept: dict[Lesson, None] = {}
    for lesson, worded in zip(drawn, edited.lessons, strict=True):
        if worded is not None:
            kept.setdefault(lesson if refusal(worded, names=names) else worded)
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class _Step:
    """A step and what came of it."""

    seen: str  # what was last seen of the thing that it was done to
    seen_after: int  # the step that showed it; -1: it was seen at first
    action: str
    came: Effect | Literal["goal"]


def _shown(transcript: Transcript) -> Iterator[Lesson]:
    """Yield what one episode shows, the most telling first."""
    steps, gained = _steps(transcript), gains(transcript.rewards)
    write = _Writer(transcript)
    if steps and steps[-1].came == "goal":
        yield from write.lesson(steps[-1], "do")
        yield from _needed(steps, write)
        # A step that showed what a later one was done about led there; what merely changed something may not have.
        at = steps[-1].seen_after
        while at >= 0:
            if at in gained:
                yield from write.towards(steps[at], transcript.goal)
            else:
                yield from write.lesson(steps[at], "do")
            at = steps[at].seen_after
    elif gained:
        for at in reversed(gained):
            yield from write.towards(steps[at], transcript.goal)
    elif steps:
        yield from _achieved(steps, write)
    for step in reversed(steps):
        if step.came == "harm":
            yield from write.lesson(step, "avoid", transcript.goal)
    done = {step.action for step in steps if step.came in ("goal", "change")}
    for step in reversed(steps):
        if step.came == "nothing" and step.action not in done:
            yield from write.lesson(step, "useless")


def _induced(transcript: Transcript, earlier: Sequence[Transcript]) -> Iterator[Lesson]:
    """Yield when the action that reached the goal does so, and when another one has to come before it, by all attempts."""
    attempts = [*earlier, transcript]
    trials = [*_trials(transcript)]
    if not earlier or not trials or not trials[-1].is_reached:
        return
    others = [one for attempt in attempts for one in _trials(attempt)]
    for told in islice(conditions(others, trials[-1]), 1):
        yield Lesson(" and ".join(sorted(told)), "do", trials[-1].action)
    last, before = trials[-1].action, _before_last(transcript)
    if before:
        led = [one for attempt in attempts if (one := _led(attempt, last, before.action))]
        for told in islice(conditions(led, before), 1):
            acting = _Writer(transcript).said(transcript.steps[-1][0], "a")
            yield Lesson(f"you {with_clauses(acting, sorted(told))}", "needs", before.action)


def _on_the_way(attempts: Hindsight, here: Trail) -> Iterator[Lesson]:
    """Yield what reached the states that an attempt reached on its way, and what shows that it will."""
    ways = [*attempts.ways(here)]
    for way in ways:
        if not way.enables:
            yield Lesson(" and ".join(way.condition), "do", way.action)
            continue
        yield Lesson(f"you {with_clauses(way.enables, way.condition)}", "needs", way.action)
        if way.shown_by:
            yield Lesson(f"you {way.enables}", "needs", way.shown_by)
    for acting, looking in () if ways else attempts.unclear(here):
        yield Lesson(f"you {acting}", "needs", looking)


@lru_cache(maxsize=1_024)
def _attempt(transcript: Transcript) -> Trail:
    """Return an attempt in the words of lessons."""
    write, names = _Writer(transcript), _names(transcript)
    done = [
        Done(
            write.said(step.action),
            write.said(step.action, "a"),
            step.came,
            write.known(outcome, names),
        )
        for step, (_, outcome) in zip(_steps(transcript), transcript.steps, strict=True)
    ]
    return Trail(write.known(transcript.first, names), tuple(done))


def _before_last(transcript: Transcript) -> Tried | None:
    """Return what was done right before the action that reached the goal, if it changed something without telling anything."""
    steps, write = _steps(transcript), _Writer(transcript)
    if len(steps) < 2 or steps[-1].came != "goal" or steps[-2].came != "change":
        return None
    if _is_telling(transcript.steps[-2][1], _names(transcript)):
        return None
    return Tried(write.said(steps[-2].action), _known(transcript), is_reached=True)


def _led(transcript: Transcript, last: str, before: str) -> Tried | None:
    """Return whether an action led to another one that reached the goal; None if that other one did not reach it."""
    trials = _trials(transcript)
    if not trials or not trials[-1].is_reached or trials[-1].action != last:
        return None
    led = _before_last(transcript)
    return Tried(before, _known(transcript), is_reached=led is not None and led.action == before)


@lru_cache(maxsize=1_024)
def _known(transcript: Transcript) -> tuple[str, ...]:
    """Return what was known when an attempt was over."""
    write, names = _Writer(transcript), _names(transcript)
    told = [transcript.first]
    told += [seen for _, seen in transcript.steps if _is_telling(seen, names)]
    return tuple(dict.fromkeys(one for seen in told for one in write.known(seen, names)))


def _is_beaten(lesson: Lesson, earlier: Sequence[Transcript]) -> bool:
    """Return whether what a lesson says to do failed more often than not, earlier, where it says so."""
    if lesson.claim != "do":
        return False
    others = [one for attempt in earlier for one in _trials(attempt)]
    fared = count(others, lesson.what, parts(lesson.when))
    return fared.failed > fared.reached + 1


@lru_cache(maxsize=1_024)
def _trials(transcript: Transcript) -> tuple[Tried, ...]:
    """Return the actions of an attempt that could have reached its goal, with what was known before each."""
    write, names = _Writer(transcript), _names(transcript)
    known = write.known(transcript.first, names)
    found: list[Tried] = []
    steps = _steps(transcript)
    worked = {step.action for step in steps if step.came == "goal"}
    for step, (_, outcome) in zip(steps, transcript.steps, strict=True):
        action = write.said(step.action)
        # What failed and then reached the goal had come too early, and says nothing of what was known.
        is_early = step.came != "goal" and step.action in worked
        if step.came in ("goal", "harm", "nothing") and action and not is_early:
            found.append(Tried(action, known, step.came == "goal"))
        if step.came == "change" and _is_telling(outcome, names):
            known = tuple(dict.fromkeys((*known, *write.known(outcome, names))))
    return tuple(found)


def _needed(steps: Sequence[_Step], write: _Writer) -> Iterator[Lesson]:
    """Yield what the last action needed, if it did not reach the goal at first and did after another one."""
    *before, last = steps
    tried = [at for at, step in enumerate(before) if step.action == last.action]
    if tried:
        between = [step for step in before[tried[-1] + 1 :] if step.came == "change"]
        for step in between[-1:]:
            yield from write.needed(last.action, step.action)


def _achieved(steps: Sequence[_Step], write: _Writer) -> Iterator[Lesson]:
    """Yield what led to states that an attempt reached without its goal, as if each had been its goal.

    After hindsight experience replay (Andrychowicz et al. 2017). A state counts as reached if the record says how things
    were then, and a later step was done about that.
    """
    for at in dict.fromkeys(step.seen_after for step in reversed(steps) if step.seen_after >= 0):
        yield from write.lesson(steps[at], "do")


def _contrasted(one: Transcript, other: Transcript) -> Iterator[Lesson]:
    """Yield what the good one of two attempts did right before an action that failed in the bad one."""
    good, bad = (one, other) if _is_reached(one) else (other, one)
    steps = _steps(good)
    if _is_reached(bad) or len(steps) < 2 or steps[-1].came != "goal" or steps[-2].came != "change":
        return
    write, wrote = _Writer(good), _Writer(bad)
    if write.said(steps[-1].action) in {wrote.said(action) for action, _ in bad.steps}:
        yield from write.needed(steps[-1].action, steps[-2].action)


def _steps(transcript: Transcript) -> list[_Step]:
    """Return the steps with what they brought about, and what each was done about."""
    names, found, lost = _names(transcript), list[_Step](), losses(transcript.rewards)
    shown = [(-1, transcript.first)]  # what was seen, and after which step
    last = len(transcript.steps) - 1
    for number, (action, outcome) in enumerate(transcript.steps):
        about = {name for name in names if _is_in(name, action)}
        after, seen = next(
            (one for one in reversed(shown) if any(_is_in(name, one[1]) for name in about)),
            shown[-1],
        )
        is_goal = number == last and _is_reached(transcript)
        came = "goal" if is_goal else "harm" if number in lost else effect_of(outcome, seen)
        found.append(_Step(seen, after, action, came))
        if came == "change" and _is_telling(outcome, names):
            shown.append((number, outcome))
    return found


def _is_telling(outcome: str, names: Collection[str]) -> bool:
    """Return whether a sentence says how one of the things is now. A field of a form, such as "host: Orvo", does not."""
    for sentence in sentences(outcome):
        about = sum(_is_in(name, sentence) for name in names)
        if len(sentence.split()) - about >= _TELLING and (about or not names):
            return True
    return False


def _is_reached(transcript: Transcript) -> bool:
    if transcript.is_success is not None:
        return transcript.is_success
    return transcript.score is not None and transcript.score >= _SUCCESS


def _names(transcript: Transcript) -> set[str]:
    """Return the names that only this episode knows: said in an action, and in its goal or in what was seen."""
    acted = " . ".join(f"to {action}" for action, _ in transcript.steps)
    seen = " . ".join([transcript.first, *(outcome for _, outcome in transcript.steps)])
    shared = names_of(f"to {transcript.goal}", f"It: {seen}")
    return shared | names_of(acted, f"It: {transcript.goal} . {seen}")


class _Writer:
    """Writes lessons of one episode, with its names as what they are names of."""

    def __init__(self, transcript: Transcript) -> None:
        texts = [transcript.goal, transcript.first]
        texts += [text for step in transcript.steps for text in step]
        named = _names(transcript)
        # A code that nothing was done to names a single thing, too: "the order T939".
        codes = {code for text in texts for code in _CODE.findall(text)} - named
        self._kinds = {name: kind_of(name, texts) for name in sorted(named)}
        self._kinds |= {code: kind for code in sorted(codes) if (kind := kind_of(code, texts))}

    def lesson(self, step: _Step, claim: Claim, goal: str = "") -> Iterator[Lesson]:
        """Yield the lesson of a step, if its situation can be said in a clause; else of all with this goal, if one is named."""
        when = self._situation(step.seen, step.action) or self._aim(goal)
        if when and (what := self.said(step.action)):
            yield Lesson(when, claim, what)

    def towards(self, step: _Step, goal: str) -> Iterator[Lesson]:
        """Yield the lesson of a step that brought a task nearer to its goal; of a first one that is all there is to say."""
        yield from self.lesson(step if step.seen_after >= 0 else replace(step, seen=""), "do", goal)

    def _aim(self, goal: str) -> str:
        """Return the first clause of a goal that says enough; empty if none does."""
        aims = (one for one in clauses(goal) if _TELLING <= len(one.split()) <= _WORDS)
        return _uncapital(with_kinds(next(aims, ""), self._kinds))

    def needed(self, action: str, before: str) -> Iterator[Lesson]:
        """Yield that one action has to come before another."""
        if action != before:
            yield Lesson(f"you {self.said(action, 'a')}", "needs", self.said(before))

    def said(self, action: str, article: str = "the") -> str:
        """Return an action without names: "drain it", or "put the mug on the desk"; "drain a queue" where asked for."""
        found = [name for name in self._kinds if _mentions(self._kinds[name], name, action)]
        is_plain = len(found) == 1 and len(action.split()) == _PLAIN and article == "the"
        for name in found:
            kind = self._kinds[name]
            said = "it" if is_plain else a(kind) if article == "a" else f"the {kind}"
            action = mention_of(name, kind).sub(said, action)
        return action.strip().rstrip(".")

    def known(self, seen: str, names: Collection[str]) -> tuple[str, ...]:
        """Return what is seen clause by clause, of things by their kind; what names a single one is left out."""
        said = [with_kinds(one, self._kinds) for one in clauses(seen) if len(one.split()) <= _WORDS]
        found = [part for one in said for part in parts(_uncapital(one))]
        return tuple(one for one in found if not any(_is_in(name, one) for name in names))

    def _situation(self, seen: str, action: str) -> str:
        """Return the clause that an action is about; empty if none is short enough."""
        words = set(folded(action).split())
        acted = [name for name in self._kinds if _is_in(name, action)]
        short = [one for one in clauses(seen) if _says_how(one, action)]
        about = [one for one in short if any(_is_in(name, one) for name in acted)] or short
        if not about:
            return ""
        # Of those that speak of the action alike, the longest says most: "Host: Orvo" says nothing.
        clause = max(about, key=lambda one: (len(words & set(folded(one).split())), len(one)))
        if not acted and len(about) > 1 and not set(content(clause)).intersection(content(action)):
            return ""  # none of several is what it was done about
        for name in acted:
            if found := mention_of(name, self._kinds[name]).search(clause):
                clause = after_lead(clause, found)
        return _uncapital(with_kinds(clause, self._kinds))


def _says_how(clause: str, action: str) -> bool:
    """Return whether a clause could say how things are: not "nothing", nor only the thing itself, as one in a list."""
    words = set(folded(clause).split()).difference(_ARTICLES)
    is_named = words <= set(folded(action).split())
    return len(clause.split()) <= _WORDS and len(words) > 1 and not is_named


def _uncapital(clause: str) -> str:
    return clause[:1].lower() + clause[1:] if clause.partition(" ")[0].istitle() else clause


def _is_in(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _mentions(kind: str, name: str, text: str) -> bool:
    return bool(kind) and mention_of(name, kind).search(text) is not None
