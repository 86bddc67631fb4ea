"""One episode while it goes on: what is recalled for it, each of its steps, and how it ended."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Final, ParamSpec, Self, TypeVar

from agentcl.errors import InvalidInput, NotFound
from agentcl.guidance.demonstrations import Demonstrated, demonstrate
from agentcl.guidance.meaning.same import names
from agentcl.guidance.reasons import why_not
from agentcl.guidance.rules import BUDGET_TOKENS, PRICE
from agentcl.guidance.selection import Place, can_be_done, choose, line_of
from agentcl.memory.adapters.routing import AdapterRoute
from agentcl.memory.adapters.trials import settle_after
from agentcl.memory.episodes.matches import EpisodeMatches
from agentcl.memory.episodes.recall import EpisodeRecall
from agentcl.memory.episodes.stretches import Finder
from agentcl.memory.opened import Opened
from agentcl.store import checks
from agentcl.store.checks import WriteScope
from agentcl.store.episodes import AdapterCoin, Episode, Exposure, Step
from agentcl.store.records import Scope
from agentcl.store.usage import NO_USAGE, Usage
from agentcl.text.asked import read_of
from agentcl.text.tokens import TokenCounter, estimate_tokens

if TYPE_CHECKING:
    from agentcl.guidance.state import GuidanceState
    from agentcl.memory.lessons.matching import Matches
    from agentcl.retrieval.recall import Recall

P = ParamSpec("P")
T = TypeVar("T")
_NEAREST: Final = 2  # lessons that are named where none is shown
_STUCK: Final = 2  # times in vain, after which no lesson says to do it again in this episode


class EpisodeOptions(WriteScope, total=False):
    """What `Memory.episode` takes beside the task; `Episodes.begin` says what each means."""

    goal: str
    application: str
    family: str
    world: str
    first: str
    lane: str
    model: str
    fingerprint: str
    seed: int | None
    budget_tokens: int
    count_tokens: TokenCounter
    price: float
    is_frozen: bool


class EpisodeRecorder:
    """An episode under way. Made by `Memory.episode`; not safe for threads.

        with memory.episode("clear the alert of Tavon", application="incidents") as episode:
            recalled = episode.recall("The queue Tavon is slow.")
            ...
            episode.step("The queue Tavon is slow.", "drain Tavon", "the alert is cleared")
            episode.finish(1.0)

    Left without `finish`, it is kept without a score; left by an exception, as interrupted. Neither
    credits any lesson. A frozen one recalls and keeps no record; an index that lags behind catches up all the same.
    """

    def __init__(
        self,
        episode: Episode,
        *,
        records: Opened,
        state: Callable[[], GuidanceState],
        match: Callable[..., Matches],
        search: Callable[..., Recall],
        seed: int | None,
        budget_tokens: int = BUDGET_TOKENS,
        count_tokens: TokenCounter = estimate_tokens,
        price: float = PRICE,
        is_frozen: bool = False,
    ) -> None:
        self.record = episode
        self.is_frozen = is_frozen
        self.steps: list[Step] = []
        self._records, self._state, self._search = records, state, search
        self._matches = EpisodeMatches(match, episode, self.spend)
        self._budget_tokens, self._count_tokens, self._price = budget_tokens, count_tokens, price
        self._rng = random.Random(f"{episode.task}:{seed}" if seed is not None else None)
        self._exposures: dict[str, Exposure] = {}
        self._finder, self._demonstrated = Finder(records, episode), Demonstrated()
        self._on_actions: dict[str, None] = {}  # lessons that were shown before something was done
        self._in_vain: dict[str, int] = {}  # how often an action was taken that gained nothing
        self._shown: tuple[str, ...] = ()
        self._coins: tuple[AdapterCoin, ...] = ()
        self._documents: tuple[str, ...] = ()
        self._all_documents: dict[str, None] = {}
        self._usage: dict[str, Usage] = {}
        self._is_over = False

    @property
    def id(self) -> str:
        """The episode's id, by which a score can be given later."""
        return self.record.id

    @property
    def is_over(self) -> bool:
        """Whether it was finished or interrupted."""
        return self._is_over

    @property
    def scope(self) -> Scope:
        """Whose episode it is."""
        return self.record.scope

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_over:
            return
        if error is None:
            self.finish(None)
        else:
            self.interrupt(f"{type(error).__name__}: {error}"[:500])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from asyncio import to_thread

        await to_thread(self.__exit__, kind, error, traceback)

    def take_over(self, before: EpisodeRecorder) -> bool:
        """Begin where an episode before this one left the prompt: with the lessons that stand in it, and its coins.

        So a lesson that stands there counts as shown in both, and one that a coin withheld is withheld in both.

        Returns:
            Whether all that stands there may go on to stand. If one was forgotten or retired, nothing is taken over.
        """
        state = self._state()
        for id, one in before._exposures.items():
            in_force = state.successors.get(id, id)
            if in_force not in state.lessons:
                return False
            if one.is_shown and self._matches.stage_of(state, in_force) is None:
                return False
        self._exposures.update(before._exposures)
        return True

    def draw_on(self, ids: Sequence[str]) -> None:
        """Note the records that hold what this episode is about, as turns do: it is forgotten with them.

        Raises:
            InvalidInput: if the episode is over, or there is no such record in its tenant.
        """
        self._check_open()
        made = replace(self.record, sources=(*self.record.sources, *ids))
        self.record = made if self.is_frozen else self._records.revise(made)

    def recall(
        self,
        situation: str,
        *,
        about_to: str = "",
        actions: Sequence[str] = (),
        documents: int = 0,
        query: str | None = None,
        demonstrations: int = 0,
    ) -> EpisodeRecall:
        """Return the lessons for what the agent sees, and past stretches and documents if some are asked for.

        A coin decides of lessons that are on trial, once an episode; what it left out stands in `withheld`.
        Asked again, in another situation, the lessons shown before stay as they are and others are added,
        within the same budget. What a lesson says to do is not told where that action cannot be taken, nor once
        it was taken twice in vain.

            recalled = episode.recall(situation, about_to="refund order A17")
            if recalled.new: ...  # let the agent decide again

        Args:
            situation: what the agent sees, its goal too where that matters. Of one of more than 20,000 characters,
                the first and the last 10,000 are read.
            about_to: what it is going to do. Lessons on that are added, for the rest of the episode. All that were shown
                last stay in their places, also those that do not speak of it, and the new ones stand behind them.
            actions: what it could do; a lesson on what has to come before one of them applies as well.
            documents: how many passages to search for.
            query: what to search for; default: the situation.
            demonstrations: how many past stretches like this situation to take, with what came of them. A coin
                decides of those that ended well and of those that failed, once an episode; they share the budget
                of lessons, and those shown before stay.

        Raises:
            InvalidInput: if the episode is over, or `demonstrations` is no number from 0 on.
        """
        self._check_open()
        checks.check_count(demonstrations, "demonstrations", least=0)
        state, view = self._state(), self.scope.view()
        seen = read_of(f"{situation}\n{about_to}" if about_to else situation)
        standing = [id for id in self._shown if id in state.lessons] if about_to else []
        in_vain = [action for action, times in self._in_vain.items() if times >= _STUCK]
        matches = self._matches.of(
            state,
            seen,
            actions=(*actions, about_to) if about_to else actions,
            can_stand=lambda made: can_be_done(made, actions, in_vain),
        )
        if self.steps and not about_to:
            self._matches.look_at(state, self.steps[-1].outcome, situation)
        # What was told on an action stays, although what is seen then does not speak of it.
        on_actions = dict.fromkeys((id for id in self._on_actions if id in state.lessons), 1.0)
        place = Place(
            text="\n".join((seen, *actions)),
            application=self.record.application,
            cluster=self.record.cluster,
            world=self.record.world,
            view=view,
            matched=self._matches.with_outcomes(state, situation, matches.by_id) | on_actions,
        )
        chosen = choose(
            state,
            place,
            self._rng,
            budget_tokens=self._budget_tokens - self._demonstrated.tokens,
            count_tokens=self._count_tokens,
            price=self._price,
            is_frozen=self.is_frozen,
            decided=self._exposures,
            actions=actions,
            in_vain=in_vain,
            standing=standing,
        )
        before = set(self._exposures)
        self._exposures.update({one.guidance: one for one in chosen.exposures})
        if about_to:
            self._on_actions.update(dict.fromkeys(one.guidance.id for one in chosen.shown))
        stay = tuple(line_of(state.lessons[id].guidance) for id in standing)
        self._shown = (*standing, *(offer.guidance.id for offer in chosen.shown))
        if demonstrations:
            taken = chosen.tokens + sum(self._exposures[id].tokens for id in standing)
            self._demonstrate(seen, demonstrations, self._budget_tokens - taken)
        found = None
        if documents:
            found = self._search(query or situation, self.scope.view(), limit=documents)
            self._documents = tuple(dict.fromkeys(hit.document_id for hit in found.hits))
            self._all_documents.update(dict.fromkeys(self._documents))

        def explain(id: str) -> str:
            if id in standing:
                return "it is shown"
            if id not in state.lessons or not view.sees(state.lessons[id].guidance.scope):
                raise NotFound(f"there is no lesson {id!r}; `agentcl guidance list` shows them")
            return why_not(
                state,
                place,
                id,
                chosen,
                read=matches.read,
                used=matches.used,
                checked=matches.checked,
                actions=actions,
                in_vain=in_vain,
                count_tokens=self._count_tokens,
            )

        new = tuple(line_of(one.guidance) for one in chosen.shown if one.guidance.id not in before)
        near = (
            ()
            if standing or chosen.shown or chosen.withheld
            else islice(matches.read or (), _NEAREST)
        )
        nearest = tuple(line_of(state.lessons[id].guidance) for id in near)
        past = self._demonstrated if demonstrations else Demonstrated()
        return EpisodeRecall(
            (*stay, *chosen.lines), chosen, found, past.shown, past.withheld, explain, new, nearest
        )

    def answering(self) -> AdapterRoute:
        """Return which adapter is to answer in this episode; its outcome credits those that a coin decided about.

        Ask the server for `name` as the model, for the whole episode; where it is empty, for the bare model. The coin is the
        session's, or the episode's own if it has none. In a frozen one no canary answers.

        Raises:
            InvalidInput: if the episode is over.
        """
        self._check_open()
        key = self.scope.session or self.id
        asked = self.record.goal or self.record.task
        route = self._records.routes.route(
            self.scope, key, with_coins=not self.is_frozen, asked=asked
        )
        self.answered_by(route.coins)
        return route

    def answered_by(self, coins: Sequence[AdapterCoin]) -> None:
        """Note by which coins an adapter answered, or did not, in the place of those noted before.

        Raises:
            InvalidInput: if the episode is over.
        """
        self._check_open()
        self._coins = tuple(coins)

    def _demonstrate(self, situation: str, limit: int, budget_tokens: int) -> None:
        """Add past stretches like the situation to those that were shown before."""
        state, cluster = self._state(), self.record.cluster
        self._demonstrated = demonstrate(
            self._finder.find(state, situation, limit=limit),
            self._demonstrated,
            partial(state.belief_of_stretches, cluster=cluster, scope=self.scope),
            self._rng,
            limit=limit,
            budget_tokens=budget_tokens - self._demonstrated.tokens,
            count_tokens=self._count_tokens,
            price=self._price,
            is_certain=self.is_frozen or not state.rules.credit,
        )

    def step(
        self,
        seen: str,
        action: str,
        outcome: str,
        *,
        reward: float = 0.0,
        thought: str = "",
        by: str = "student",
    ) -> Step:
        """Record one step; it is stored when this returns.

        Args:
            seen: what the agent saw before it acted.
            action: what it did.
            outcome: what it saw then.
            reward: what the world gave for it.
            thought: what it said before.
            by: who chose the action.

        Raises:
            InvalidInput: if the episode is over, or what is told is no text or no finite number; nothing is stored then.
        """
        self._check_open()
        step = Step(
            id="",
            scope=self.scope,
            sources=(self.id,) if self.id else (),
            ordinal=len(self.steps),
            seen=checks.check_unicode(seen, "seen"),
            action=checks.check_unicode(action, "action"),
            outcome=checks.check_unicode(outcome, "outcome"),
            reward=checks.check_number(reward, "reward"),
            thought=checks.check_unicode(thought, "thought"),
            by=checks.check_unicode(by, "by"),
            guidance=self._shown,
            memories=self._documents,
        )
        if not self.is_frozen:
            step = self._records.create(step)
        if step.reward <= 0:
            self._in_vain[action] = self._in_vain.get(action, 0) + 1
        self.steps.append(step)
        return step

    def spend(self, role: str, usage: Usage) -> None:
        """Add what a role asked of a model, such as the `usage` of its reply. Raises InvalidInput for what is none."""
        spent = self._usage.get(checks.check_unicode(role, "role"), NO_USAGE) + checks.check_usage(
            usage
        )
        self._usage[role] = spent

    @property
    def usage(self) -> Mapping[str, Usage]:
        """What was asked of models so far, by role."""
        return dict(self._usage)

    def finish(
        self,
        score: float | None,
        *,
        is_success: bool | None = None,
        end: str = "",
        judge: str = "user",
    ) -> Episode:
        """End the episode.

        Args:
            score: from 0 to 1; None if nobody knows yet (see `Episodes.score`).
            is_success: default: a score of at least a half.
            end: how it ended.
            judge: who gave the score.

        Raises:
            InvalidInput: if the score is none from 0 to 1; the episode stays open.
        """
        self._check_open()
        checked = checks.check_score(score)
        if is_success is None and checked is not None:
            is_success = checked >= 0.5
        self.record = self._closed(
            status="finished",
            score=checked,
            is_success=is_success,
            end=end,
            judge=judge if checked is not None else "",
        )
        return self.record

    def interrupt(self, reason: str) -> Episode:
        """End the episode as one that was broken off: it is kept, and credits no lesson."""
        self._check_open()
        self.record = self._closed(status="interrupted", end=reason)
        return self.record

    def _closed(self, **changes: object) -> Episode:
        last = self.steps[-1].action if self.steps else ""
        ended = replace(
            self.record,
            steps=len(self.steps),
            exposures=tuple(self._followed(one, last) for one in self._exposures.values()),
            demonstrations=tuple(self._demonstrated.coins.values()),
            adapters=self._coins,
            memories=tuple(self._all_documents),
            usage=self._usage,
            **changes,  # type: ignore[arg-type]  # fields of an episode
        )
        # Who could not be told how it ended may be told again.
        stored = ended if self.is_frozen else self._records.revise(ended)
        self._is_over = True
        if stored.adapters and not self.is_frozen:
            settle_after(self._records, self._state(), stored.adapters, stored.score)
        return stored

    def _followed(self, exposure: Exposure, action: str) -> Exposure:
        """Note whether the action is what a shown lesson says to do."""
        state = self._state()
        in_force = state.successors.get(exposure.guidance, exposure.guidance)
        guidance = state.lessons[in_force].guidance
        is_followed = exposure.is_shown and guidance.claim == "do" and names(guidance.what, action)
        return exposure._replace(is_followed=is_followed)

    def _check_open(self) -> None:
        if self._is_over:
            raise InvalidInput("the episode is over; begin another one with memory.episode(...)")
