"""Verbs about what an agent goes through and learns: episodes, reflections, lessons, decisions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar, Unpack

from agentcl.errors import InvalidInput
from agentcl.guidance.rules import BUDGET_TOKENS, PRICE, GuidanceRules
from agentcl.lessons import Lesson
from agentcl.memory.documents import encode
from agentcl.memory.facts import Knowledge
from agentcl.store.base import Writing
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_label,
    check_scope,
    check_score,
    check_text,
    check_time,
    check_unicode,
    check_view,
)
from agentcl.store.episodes import (
    Decision,
    Episode,
    Guidance,
    Level,
    Origin,
    Reflection,
    Stated,
    Step,
)
from agentcl.store.records import Record, Scope, ScopeView, to_micros
from agentcl.store.rows import content_hash
from agentcl.text.tokens import TokenCounter, estimate_tokens

if TYPE_CHECKING:
    from agentcl.guidance.state import GuidanceState
    from agentcl.memory.episode import EpisodeRecorder, Spending

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Record)
_MOST_LESSONS: Final = 50  # of one reflection; a teacher that says more has not distilled anything


class Experience(Knowledge):
    """The part of `Memory` that learns from episodes."""

    guidance_rules = GuidanceRules()  # replaced by who measures what a part of the method pays
    _guidance_states: dict[str, GuidanceState]

    def episode(
        self,
        task: str,
        *,
        goal: str = "",
        application: str = "",
        family: str = "",
        world: str = "",
        first: str = "",
        lane: str = "",
        model: str = "",
        fingerprint: str = "",
        seed: int | None = None,
        budget_tokens: int = BUDGET_TOKENS,
        count_tokens: TokenCounter = estimate_tokens,
        price: float = PRICE,
        is_frozen: bool = False,
        **scope: Unpack[WriteScope],
    ) -> EpisodeRecorder:
        """Begin an episode; use it in a `with`, around any loop.

        Args:
            task: its id, or what it is in words.
            goal: what is to be reached.
            application: the program or environment that the agent works in; lessons are offered there.
            family: the kind of task, by which outcomes are compared.
            world: where the same rules hold: a customer, a deployment, a code base.
            first: what is seen first.
            lane: how closely a teacher looks on.
            model: who acts.
            fingerprint: of the model.
            seed: of the coin that decides of lessons on trial; default: a fresh one.
            budget_tokens: a hard ceiling for lessons in a prompt.
            count_tokens: of the model.
            price: of the score that one token in a prompt must gain.
            is_frozen: recall, and write nothing.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if a value cannot be kept.
        """
        from agentcl.memory.episode import EpisodeRecorder

        owner = check_scope(scope)
        begun = Episode(
            id="",
            scope=owner,
            task=check_text(task, "task"),
            goal=check_unicode(goal, "goal"),
            application=check_label(application, "application"),
            family=check_label(family, "family"),
            world=check_label(world, "world"),
            first=check_unicode(first, "first"),
            lane=check_label(lane, "lane"),
            agent_model=check_label(model, "model"),
            fingerprint=check_label(fingerprint, "fingerprint"),
        )
        return EpisodeRecorder(
            self,  # type: ignore[arg-type]  # every `Experience` is a `Memory`
            begun if is_frozen else self.keep(begun),
            seed=seed,
            budget_tokens=budget_tokens,
            count_tokens=count_tokens,
            price=price,
            is_frozen=is_frozen,
        )

    def learning(
        self,
        *,
        task: str | None = None,
        application: str = "",
        family: str = "",
        world: str = "",
        score: Callable[[Any], float | None] | None = None,
        is_frozen: bool = False,
        **scope: Unpack[WriteScope],
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Make each call of a function an episode; the function finds it as its argument `episode`.

            @memory.learning(application="support", score=lambda reply: float("refund" in reply))
            def reply(question: str, *, episode: EpisodeRecorder) -> str: ...

        A coroutine function stays one. What it raises interrupts the episode and is raised again.

        Args:
            task: what is done; default: the function's first argument as text, else its name.
            application: as `episode` has it; default: the function's name.
            family: likewise.
            world: likewise.
            score: from what the function returned; default: it calls `episode.finish`, or the score comes
                later (`score_episode`).
            is_frozen: recall, and write nothing.
            scope: `tenant`, `user`, `agent`, `session`; see the class.
        """
        from agentcl.memory.episode import wrapped

        def begin(name: str, args: Sequence[Any]) -> EpisodeRecorder:
            asked = task or (str(args[0]) if args and str(args[0]).strip() else name)
            return self.episode(
                asked,
                application=application or name,
                family=family,
                world=world,
                is_frozen=is_frozen,
                **scope,
            )

        return wrapped(begin, score)

    def score_episode(
        self,
        id: str,
        score: float,
        *,
        is_success: bool | None = None,
        judge: str = "user",
        **scope: Unpack[WriteScope],
    ) -> Episode:
        """Give an episode its score after it ended; lessons are credited by it from now on.

        Raises:
            InvalidInput: if the score is none from 0 to 1, or the episode has another score already.
            NotFound: if there is no such episode in exactly this scope.
        """
        owner = check_scope(scope)
        checked = check_score(score)
        held = self.journal.get(check_unicode(id, "id"), view=owner.exactly())
        if not isinstance(held, Episode):
            raise InvalidInput(f"{id!r} is a {held.kind}; only episodes have scores")
        if held.score is not None:
            if held.score == checked:
                return held
            raise InvalidInput(
                f"episode {id} has the score {held.score:g} already, given by {held.judge}; lessons were "
                "credited by it. Roll back its time (`agentcl guidance rollback`) if it was wrong"
            )
        success = checked is not None and checked >= 0.5 if is_success is None else is_success
        return self.keep_next(
            replace(held, status="finished", score=checked, is_success=success, judge=judge)
        )

    def reflect(
        self,
        lessons: Sequence[Lesson],
        *,
        episode: Episode | None = None,
        author: str = "user",
        model: str = "",
        origin: Origin | None = None,
        levels: Sequence[Level] = (),
        application: str = "",
        spent: Spending = (0, 0, 0, 0.0),
        problem: str = "",
        names: Collection[str] = (),
        answers: Collection[str] = (),
        **scope: Unpack[WriteScope],
    ) -> Reflection:
        """Note what was learned: new lessons become candidates, known ones gain a witness.

        What an episode says again confirms a lesson, and what it says against one refutes it. What is said
        without an episode was told: it is tried, but counts as no evidence.

        Args:
            lessons: what was learned.
            episode: from what; None: somebody said so.
            author: who says it.
            model: which model, if one does.
            origin: default: "experience" with an episode, else "told".
            levels: how general the author takes each to be; default: of this kind of task.
            application: where it is to be offered; default: the episode's.
            spent: what it took.
            problem: why there is nothing, where a model's answer could not be used.
            names: that mean something in this episode only; no lesson for others may have one.
            answers: that no lesson may give away.
            scope: `tenant`, `user`, `agent`, `session`; default: the episode's, for all its sessions.

        Raises:
            InvalidInput: if there are more than fifty lessons, or a value cannot be kept.
        """
        from agentcl.guidance.admission import refusal

        if len(lessons) > _MOST_LESSONS:
            raise InvalidInput(f"{len(lessons)} lessons of one episode; at most {_MOST_LESSONS}")
        owner = replace(episode.scope, session="") if episode and not scope else check_scope(scope)
        drawn = Guidance(
            id="",
            scope=owner,
            sources=(episode.id,) if episode and episode.id else (),
            when="",
            claim="do",
            what="",
            application=episode.application if episode and not application else application,
            family=episode.family if episode else "",
            world=episode.world if episode else "",
            origin=origin or ("experience" if episode else "told"),
            author=check_label(author, "author"),
            author_model=check_label(model, "model"),
            cost_tokens=(spent[1] + spent[2]) // max(1, len(lessons)),
        )
        rest: list[Level] = ["family"] * (len(lessons) - len(levels))
        general = [*levels, *rest]
        taken = [step.action for step in self._steps_of(episode)] if episode else []
        drafts = [
            _with_lesson(drawn, one, level, taken)
            for one, level in zip(lessons, general, strict=False)
        ]
        refusals = [refusal(one, answers=answers, names=names) for one in lessons]
        vectors = self._vectors([d for d, r in zip(drafts, refusals, strict=True) if not r])
        with self.journal.writing() as writing:
            if vectors:
                writing.claim_encoder(self._spec)
            stated = [
                self._admit(writing, draft, reason, vectors)
                for draft, reason in zip(drafts, refusals, strict=True)
            ]
            reflection = writing.create(
                Reflection(
                    id="",
                    scope=owner,
                    sources=drawn.sources,
                    stated=tuple(stated),
                    author=drawn.author,
                    author_model=drawn.author_model,
                    origin=drawn.origin,
                    problem=problem,
                    usage=spent,
                )
            )
        assert isinstance(reflection, Reflection)
        return reflection

    def decide(
        self,
        what: Literal["retire", "restore"],
        id: str,
        *,
        reason: str = "",
        **scope: Unpack[WriteScope],
    ) -> Decision:
        """Take a lesson out of use, or put it back, whatever the evidence.

        Raises:
            NotFound: if there is no such lesson in exactly this scope.
            InvalidInput: if the id is another record's.
        """
        owner = check_scope(scope)
        held = self.journal.get(check_unicode(id, "id"), view=owner.exactly())
        if not isinstance(held, Guidance):
            raise InvalidInput(f"{id!r} is a {held.kind}, and no lesson")
        return self.keep(
            Decision(
                id="",
                scope=owner,
                sources=(id,),
                what=what,
                guidance=id,
                reason=check_unicode(reason, "reason"),
            )
        )

    def rollback(
        self, since: datetime, *, reason: str = "", **scope: Unpack[WriteScope]
    ) -> Decision:
        """Let nothing count that was learned since a moment: lessons, tests and outcomes of that time.

        The records stay. To undo a rollback, `delete` its decision.

        Args:
            since: aware; up to now.
            reason: kept with it.
            scope: its tenant's whole guidance is rolled back.
        """
        moment = check_time(since, "since")
        owner = Scope(tenant=check_scope(scope).tenant)
        if moment is None:
            raise InvalidInput("since when? Give a moment with a time zone")
        return self.keep(
            Decision(
                id="",
                scope=owner,
                what="rollback",
                since=to_micros(moment),
                until=self._clock(),
                reason=check_unicode(reason, "reason"),
            )
        )

    def guidance_state(self, tenant: str = "") -> GuidanceState:
        """Return what is believed of a tenant's lessons, with all that the journal has by now."""
        from agentcl.guidance.state import KINDS, GuidanceState

        with self._lock:
            if not hasattr(self, "_guidance_states"):
                self._guidance_states = {}
            held = self._guidance_states.get(tenant)
            if held is None or not all(
                held.apply(row) for row in self.journal.since(held.watermark, kinds=KINDS)
            ):
                held = GuidanceState.of(
                    self.journal.since(0, kinds=KINDS),
                    tenant=tenant,
                    rules=self.guidance_rules,
                )
                self._guidance_states[tenant] = held
            return held

    def episodes(
        self,
        *,
        limit: int | None = None,
        **scope: Unpack[ReadScope],
    ) -> Iterator[Episode]:
        """Yield episodes in the order in which they ended."""
        rows = self.journal.live(view=check_view(scope), kinds=(Episode.kind,))
        for row in islice(rows, limit):
            record = row.record()
            assert isinstance(record, Episode)
            yield record

    def steps(self, episode: str, **scope: Unpack[ReadScope]) -> Sequence[Step]:
        """Return the steps of an episode, in order."""
        return self._steps(episode, check_view(scope))

    # What a recorder needs

    def keep(self, record: R) -> R:
        """Store a new record, with its vector if it can be searched for."""
        vectors = self._vectors([record])
        with self.journal.writing() as writing:
            if vectors:
                writing.claim_encoder(self._spec)
            stored = writing.create(record, vector=_vector_of(record, vectors))
        assert isinstance(stored, type(record))
        return stored

    def keep_next(self, record: R) -> R:
        """Store the next version of a record."""
        vectors = self._vectors([record])
        with self.journal.writing() as writing:
            if vectors:
                writing.claim_encoder(self._spec)
            stored = writing.revise(record, vector=_vector_of(record, vectors))
        assert isinstance(stored, type(record))
        return stored

    def _steps_of(self, episode: Episode) -> Sequence[Step]:
        return self._steps(episode.id, episode.scope.exactly()) if episode.id else ()

    def _steps(self, episode: str, view: ScopeView) -> Sequence[Step]:
        rows = self.journal.live(view=view, kinds=(Step.kind,), source=episode)
        found = [row.record() for row in rows]
        return sorted((one for one in found if isinstance(one, Step)), key=lambda one: one.ordinal)

    def _vectors(self, records: Sequence[Record]) -> dict[bytes, bytes]:
        texts = {content_hash(t): t for one in records if (t := one.search_text()) is not None}
        return encode(texts, encoder=self.encoder, journal=self.journal) if texts else {}

    def _admit(
        self, writing: Writing, draft: Guidance, reason: str | None, vectors: Mapping[bytes, bytes]
    ) -> Stated:
        """Make a lesson a candidate, or find the one that says the same."""
        if reason:
            return Stated(draft.when, draft.claim, draft.what, refusal=reason)
        vector = _vector_of(draft, vectors)
        if not self.guidance_rules.merging:
            kept = writing.create(replace(draft, key=None), vector=vector)
            return Stated(draft.when, draft.claim, draft.what, kept.id)
        assert draft.key is not None
        held = self.journal.find(kind=Guidance.kind, scope=draft.scope, key=draft.key)
        kept = held or writing.create(draft, vector=vector)
        return Stated(draft.when, draft.claim, draft.what, kept.id)


def _with_lesson(drawn: Guidance, lesson: Lesson, level: Level, taken: Sequence[str]) -> Guidance:
    from agentcl.guidance.same import key_of, names

    return replace(
        drawn,
        when=lesson.when,
        claim=lesson.claim,
        what=lesson.what,
        level=level,
        is_action=any(names(lesson.what, action) for action in taken),
        key=f"{drawn.application}: {key_of(lesson)}",
        tokens=estimate_tokens(lesson.sentence()),
    )


def _vector_of(record: Record, vectors: Mapping[bytes, bytes]) -> bytes | None:
    text = record.search_text()
    return None if text is None else vectors[content_hash(text)]
