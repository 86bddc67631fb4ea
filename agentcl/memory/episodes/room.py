"""`memory.episodes`: what agents went through, begun, scored, replayed and found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial, wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack

from agentcl.errors import InvalidInput
from agentcl.guidance.rules import BUDGET_TOKENS, PRICE
from agentcl.memory.adapters.trials import settle_after
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.episodes import search as episode_search
from agentcl.memory.episodes.recording import EpisodeRecorder
from agentcl.memory.episodes.search import By, EpisodesFound, Filter, Replay
from agentcl.memory.lessons.beliefs import Beliefs
from agentcl.memory.opened import Opened
from agentcl.memory.searching import search
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_a,
    check_count,
    check_label,
    check_score,
    check_text,
    check_unicode,
    check_usage,
    check_writable,
)
from agentcl.store.episodes import Episode, Step
from agentcl.store.records import from_micros
from agentcl.store.usage import Usage
from agentcl.text.tokens import TokenCounter, estimate_tokens
from agentcl.text.visible import shown

if TYPE_CHECKING:
    from agentcl.guidance.progress.mastery import Skill

P = ParamSpec("P")
T = TypeVar("T")


class Episodes:
    """The episodes of a memory. Made by `Memory.episodes`."""

    def __init__(self, opened: Opened, beliefs: Beliefs, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._beliefs = beliefs
        self._bound = bound

    def begin(
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
        """Begin an episode; use it in a `with`, around any loop. `Memory.episode` is the same.

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
            is_frozen: recall, and keep no record.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if a value cannot be kept.
        """
        if seed is not None:
            check_writable(check_a(seed, int, "seed"), "seed")
        budget_tokens = check_count(budget_tokens, "budget_tokens", least=0)
        if not isinstance(price, int | float) or not price >= 0:
            raise InvalidInput(f"price must be a number from 0 on, not {shown(price)}")
        begun = Episode(
            id="",
            scope=self._bound.owner(scope),
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
            begun if is_frozen else self._opened.create(begun),
            records=self._opened,
            state=partial(self._beliefs.state, begun.scope.tenant),
            match=self._beliefs.matcher.match,
            search=partial(search, self._opened),
            seed=seed,
            budget_tokens=budget_tokens,
            count_tokens=count_tokens,
            price=price,
            is_frozen=is_frozen,
        )

    def each_call(
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

            @memory.episodes.each_call(application="support", score=lambda reply: float(reply.ok))
            def answer(question: str, *, episode: EpisodeRecorder) -> Reply: ...

        A coroutine function stays one. What it raises interrupts the episode and is raised again.

        Args:
            task: what is done; default: the function's first argument as text, else its name.
            application: as `begin` has it; default: the function's name.
            family: likewise.
            world: likewise.
            score: from what the function returned; default: it calls `episode.finish`, or the score
                comes later (`score`).
            is_frozen: recall, and keep no record.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if the scope cannot be written.
        """
        self._bound.owner(scope)  # here, not at the first call

        def begin(name: str, args: Sequence[Any]) -> EpisodeRecorder:
            asked = task or (str(args[0]) if args and str(args[0]).strip() else name)
            return self.begin(
                asked,
                application=application or name,
                family=family,
                world=world,
                is_frozen=is_frozen,
                **scope,
            )

        return _each_call(begin, score)

    def score(
        self,
        id: str,
        score: float,
        *,
        is_success: bool | None = None,
        judge: str = "user",
        usage: Mapping[str, Usage] | None = None,
        **scope: Unpack[WriteScope],
    ) -> Episode:
        """Give an episode its score after it ended; lessons are credited by it from now on.

        Args:
            id: of the episode.
            score: from 0 to 1.
            is_success: default: a score of at least a half.
            judge: who gave the score.
            usage: what the judging took, by role.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if the score is none from 0 to 1, or the episode has another score already.
            NotFound: if there is no such episode in exactly this scope.
        """
        owner = self._bound.owner(scope)
        checked = check_score(score)
        held = self._opened.journal.get(check_unicode(id, "id"), view=owner.exactly())
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
        scored = self._opened.revise(
            replace(
                held,
                status="finished",
                score=checked,
                is_success=success,
                judge=judge,
                usage={**held.usage, **(usage or {})},
            )
        )
        if scored.adapters:
            state = self._beliefs.state(scored.scope.tenant)
            settle_after(self._opened, state, scored.adapters, scored.score)
        return scored

    def spend(self, episode: Episode, role: str, usage: Usage) -> Episode:
        """Note what a role asked of a model for an episode that is over; return its next version. Raises InvalidInput."""
        self._bound.check(episode.scope)
        spent = {**episode.usage, check_unicode(role, "role"): check_usage(usage)}
        return self._opened.revise(replace(episode, usage=spent))

    def list(
        self, *, chosen: Filter | None = None, limit: int | None = None, **scope: Unpack[ReadScope]
    ) -> Iterator[Episode]:
        """Yield episodes in the order in which they ended.

        Args:
            chosen: only these.
            limit: how many at the most.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if `limit` cannot be used.
        """
        wanted = check_a(Filter() if chosen is None else chosen, Filter, "chosen")
        most = None if limit is None else check_count(limit, "limit")
        found = self._opened.journal.records(Episode, view=self._bound.view(scope))
        return islice(filter(wanted.admits, found), most)

    def steps(self, id: str, **scope: Unpack[ReadScope]) -> Sequence[Step]:
        """Return the steps of an episode, in order."""
        return episode_search.steps_of(self._opened.journal, id, self._bound.view(scope))

    def replay(self, id: str, **scope: Unpack[ReadScope]) -> Replay:
        """Return an episode as it was, the lessons in the words that stood in its prompts.

        Raises:
            NotFound: if the scope sees no such record.
            InvalidInput: if it is no episode.
        """
        return episode_search.replay(self._opened.journal, id, self._bound.view(scope))

    def skills(
        self, *, chosen: Filter | None = None, **scope: Unpack[ReadScope]
    ) -> Sequence[Skill]:
        """Return how well each kind of task is mastered in each world, the least mastered first.

        By episodes that were scored and that no expert played; what was long ago, or many episodes before, says less. What was
        imported as a stranger's, or rolled back, says nothing.

        Args:
            chosen: only these episodes.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if an argument cannot be used.
        """
        from agentcl.guidance.progress.mastery import skills_of

        state = cache(self._beliefs.state)
        counted = (
            one for one in self.list(chosen=chosen, **scope) if state(one.scope.tenant).counts(one)
        )
        return skills_of(counted, now=from_micros(self._opened.clock()))

    def search(
        self,
        text: str,
        *,
        by: By = "either",
        limit: int = 5,
        chosen: Filter | None = None,
        **scope: Unpack[ReadScope],
    ) -> EpisodesFound:
        """Find episodes like a task or a situation, by full text.

        An episode comes once, where it is most alike. The search builds its index, or brings it up to
        date.

        Args:
            text: a task, or what an agent sees.
            by: compare with what was seen first, with what was seen at steps, or with both.
            limit: of those that succeeded, of those that failed, and of the others.
            chosen: only these.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if the text is empty, or an argument cannot be used.
        """
        return episode_search.search(
            self._opened, text, self._bound.view(scope), by=by, limit=limit, chosen=chosen
        )


def _each_call(
    begin: Callable[[str, Sequence[Any]], EpisodeRecorder],
    score: Callable[[Any], float | None] | None,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that makes each call an episode; see `Episodes.each_call`."""
    from inspect import iscoroutinefunction  # slow to import, and few need it

    def ended(episode: EpisodeRecorder, result: Any) -> None:  # noqa: ANN401  # the function's own
        if score is not None and not episode.is_over:
            episode.finish(score(result))

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        call: Callable[..., Any] = function
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
                async with begin(function.__name__, args) as episode:
                    result = await call(*args, **kwargs, episode=episode)
                    ended(episode, result)
                return result

            return awaited  # type: ignore[return-value]  # the same parameters, awaited likewise

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            with begin(function.__name__, args) as episode:
                result = call(*args, **kwargs, episode=episode)
                ended(episode, result)
            return result

        return called

    return decorate
