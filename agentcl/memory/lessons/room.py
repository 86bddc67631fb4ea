"""`memory.lessons`: what was learned, what is believed of it, and how to take it back."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Unpack, get_args

from agentcl.errors import InvalidInput
from agentcl.guidance.rules import GuidanceRules
from agentcl.lessons import Lesson
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.lessons import admitting, deciding, speaking
from agentcl.memory.lessons.beliefs import Beliefs
from agentcl.memory.lessons.speaking import Matched
from agentcl.memory.opened import Opened
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_choice,
    check_count,
    check_each,
    check_label,
    check_micros,
    check_unicode,
)
from agentcl.store.episodes import (
    Decision,
    Episode,
    Guidance,
    Level,
    Origin,
    Reflection,
    Share,
)
from agentcl.store.usage import NO_USAGE, Usage
from agentcl.text.paths import check_path

if TYPE_CHECKING:
    from agentcl.guidance.evidence.belief import LifeStage
    from agentcl.guidance.overview import StageDifference, Standing
    from agentcl.guidance.pamphlet import Adopted, Pamphlet
    from agentcl.guidance.progress.outlook import Outlook
    from agentcl.guidance.progress.shifts import Shift
    from agentcl.guidance.state import GuidanceState
    from agentcl.guidance.story import Story
    from agentcl.memory.lessons.checking import ModelChecker


class Lessons:
    """The lessons of a memory. Made by `Memory.lessons`.

    A lesson is a hypothesis: it begins as a candidate, is tried, and stays while outcomes bear it out.
    """

    def __init__(self, opened: Opened, beliefs: Beliefs, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._beliefs = beliefs
        self._bound = bound

    # Writing

    def add(
        self,
        lesson: str | Lesson,
        *,
        application: str = "",
        level: Level | None = None,
        author: str = "user",
        **scope: Unpack[WriteScope],
    ) -> Guidance:
        """Tell one lesson. It becomes a candidate; one that is known stays what it is.

            memory.lessons.add("When a customer asks for a refund, check the date first.")

        Args:
            lesson: a sentence in one of the five forms, or a `Lesson`.
            application: the program or environment in which it is offered.
            level: how general it is. Default: "family" with an application, else "anywhere".
            author: who says so.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if the sentence has another form, or the lesson is not admitted; says why.
        """
        told = lesson if isinstance(lesson, Lesson) else admitting.read(lesson)
        if level is not None:
            check_choice(level, get_args(Level), "level")
        general: Level = level or ("family" if application else "anywhere")
        reflection = self.reflect(
            [told], levels=[general], application=application, author=author, **scope
        )
        (stated,) = reflection.stated
        if stated.refusal:
            raise InvalidInput(f"the lesson was not admitted: {stated.refusal}")
        held = self._opened.journal.get(stated.guidance, view=reflection.scope.exactly())
        assert isinstance(held, Guidance)
        return held

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
        usage: Usage = NO_USAGE,
        problem: str = "",
        names: Collection[str] = (),
        answers: Collection[str] = (),
        contrast: Episode | None = None,
        share: Share = "",
        **scope: Unpack[WriteScope],
    ) -> Reflection:
        """Note what was learned: new lessons become candidates, known ones gain a witness.

        What an episode says again confirms a lesson; what it says against one refutes it. A lesson
        without an episode was told: it is tried, but counts as no evidence.

        Args:
            lessons: what was learned.
            episode: from what; None: somebody said so.
            author: who says it.
            model: which model, if one does.
            origin: default: "experience" with an episode, else "told".
            levels: how general the author takes each to be; default: of this kind of task.
            application: where it is to be offered; default: the episode's.
            usage: what it took.
            problem: why there is nothing, where a model's answer could not be used.
            names: that mean something in this episode only; no lesson for others may have one.
            answers: that no lesson may give away.
            contrast: another episode that they were drawn from.
            share: "tenant" lets other users of the tenant have what is learned here, once
                `share_from` users learned and shared the same; it names nobody then. Until then, and by
                default, a lesson is its user's own.
            scope: `tenant`, `user`, `agent`, `session`; default: the episode's, for all its sessions.

        Raises:
            InvalidInput: if there are more than fifty lessons, a value cannot be kept, or what a user
                lived through would become another's, or everybody's.
        """
        return admitting.reflect(
            self._opened,
            self._beliefs,
            lessons,
            self._bound,
            scope,
            episode=episode,
            author=author,
            model=model,
            origin=origin,
            levels=levels,
            application=application,
            usage=usage,
            problem=problem,
            names=names,
            answers=answers,
            contrast=contrast,
            share=share,
        )

    def retire(self, id: str, *, reason: str = "", **scope: Unpack[WriteScope]) -> Decision:
        """Take a lesson out of use, whatever the evidence; `restore` puts it back.

        Raises:
            NotFound: if there is no such lesson in exactly this scope.
            InvalidInput: if the id is another record's.
        """
        return deciding.decide(self._opened, "retire", id, reason, self._bound.owner(scope))

    def restore(self, id: str, *, reason: str = "", **scope: Unpack[WriteScope]) -> Decision:
        """Let a lesson that somebody retired be judged by its evidence again. Raises as `retire`."""
        return deciding.decide(self._opened, "restore", id, reason, self._bound.owner(scope))

    def report(
        self,
        id: str,
        situation: str,
        applies: bool,
        *,
        episode: str = "",
        reason: str = "",
        **scope: Unpack[WriteScope],
    ) -> Decision:
        """Say that a lesson applies in a situation, or does not: where the same is seen again, that holds.

        The same are situations in the same words, apart from function words, endings and case. It counts for your own
        user. What is believed of the lesson stays as it is. To take a report back, `delete` it.

        Args:
            id: of a lesson that the scope sees.
            situation: what an agent saw.
            applies: whether the lesson has anything to say there.
            episode: the id of the episode in which it was seen, with which the report goes.
            reason: kept with it.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if the scope sees no such lesson, or no such episode.
            InvalidInput: if the id is another record's, or the situation is empty.
        """
        owner = self._bound.owner(scope)
        return deciding.report(self._opened, id, situation, applies, episode, reason, owner)

    def rollback(
        self, since: datetime, *, reason: str = "", **scope: Unpack[WriteScope]
    ) -> Decision:
        """Let nothing count that was learned since a moment: lessons, tests and outcomes of that time.

        The records stay. To undo a rollback, `delete` its decision.

        Args:
            since: aware; up to now.
            reason: kept with it.
            scope: `tenant`, whose whole guidance is rolled back.

        Raises:
            InvalidInput: if a user, an agent or a session is named.
        """
        owner = self._bound.owner(scope)
        self._bound.check_whole("a rollback of a tenant's guidance", within=("tenant",))
        return deciding.rollback(self._opened, _micros(since), reason, owner)

    # Reading

    def list(
        self,
        *,
        stages: Collection[LifeStage] | None = None,
        application: str | None = None,
        family: str | None = None,
        world: str | None = None,
        limit: int | None = None,
        as_of: datetime | None = None,
        **scope: Unpack[ReadScope],
    ) -> Sequence[Standing]:
        """Return lessons with what is believed of them: the proved first, then the most useful.

        Args:
            stages: only these stages; default: all.
            application: only of this application.
            family: only at home in this kind of task.
            world: only at home where the same rules hold.
            limit: how many at the most.
            as_of: as it was believed at this moment; the journal is read once for it.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if there is no such stage, or an argument cannot be used.
        """
        from agentcl.guidance.overview import STAGES

        wanted = None if limit is None else check_count(limit, "limit")
        view, at = self._bound.view(scope), check_micros(as_of, "as_of")
        for stage in check_each(STAGES if stages is None else stages, "stages", ", ".join(STAGES)):
            check_choice(stage, STAGES, "a stage")
        for place, what in ((application, "application"), (family, "family"), (world, "world")):
            check_label("" if place is None else place, what)
        found = self._beliefs.standings(
            view,
            at,
            stages=STAGES if stages is None else stages,
            application=application,
            family=family,
            world=world,
        )
        return [*islice(found, wanted)]

    def get(self, id: str, **scope: Unpack[ReadScope]) -> Standing:
        """Return one lesson with what is believed of it where it is at home.

        Raises:
            NotFound: if the scope sees no such record.
            InvalidInput: if it is no lesson.
        """
        from agentcl.guidance.overview import standing_of

        view = self._bound.view(scope)
        record = self._opened.journal.get(check_unicode(id, "id"), view=view)
        state = self._beliefs.state(record.scope.tenant)
        if id not in state.lessons:
            raise InvalidInput(f"{id!r} is a {record.kind}, and no lesson; try `agentcl show {id}`")
        return standing_of(state, id, view)

    def why(self, id: str, *, as_of: datetime | None = None, **scope: Unpack[ReadScope]) -> Story:
        """Return the whole story of a lesson, a deleted one too: each test, each decision.

        Args:
            id: of the lesson.
            as_of: the story as far as it was known at this moment.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if the scope sees no such record, it was not there yet, or it was forgotten.
            InvalidInput: if it is no lesson.
        """
        from agentcl.guidance.story import story

        view = self._bound.view(scope)
        named = check_unicode(id, "id")
        return story(
            self._opened.journal,
            named,
            view=view,
            rules=self.rules,
            at=check_micros(as_of, "as_of"),
        )

    def matching(
        self,
        situation: str,
        *,
        actions: Sequence[str] = (),
        application: str | None = None,
        world: str = "",
        **scope: Unpack[ReadScope],
    ) -> Sequence[Matched]:
        """Return the lessons that speak of a situation, the likeliest first, whether or not they would be shown.

        Args:
            situation: what an agent sees.
            actions: what it could do.
            application: where it works; default: anywhere.
            world: where the same rules hold.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        view = self._bound.view(scope)
        return speaking.matching(
            self._beliefs, situation, view, actions=actions, application=application, world=world
        )

    def why_not(
        self, id: str, situation: str, *, actions: Sequence[str] = (), **scope: Unpack[ReadScope]
    ) -> str:
        """Return in a sentence why a lesson is not shown in a situation where it is at home, or that it is.

        Args:
            id: of the lesson.
            situation: what an agent sees.
            actions: what it could do.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if the scope sees no such record.
            InvalidInput: if it is no lesson.
        """
        made, view = self.get(id, **scope).guidance, self._bound.view(scope)
        return speaking.why_not(self._beliefs, made, situation, view, actions)

    def changed(self, since: datetime, **scope: Unpack[ReadScope]) -> Sequence[StageDifference]:
        """Return which lessons are new since a moment, and which came into another stage."""
        return self._beliefs.changed(self._bound.view(scope), _micros(since))

    def changes(self, **scope: Unpack[ReadScope]) -> Sequence[Shift]:
        """Return the shifts that were noticed, the oldest first: each a `ScoreShift` or a `SituationShift`.

        Scores shift when those of a kind of task in a world stay away from what was expected. When they fell, what
        was learned there counts less since. Situations shift when a kind of task is met in words unlike those
        before; that changes no belief. A shift says since which episode, and how sure it is.
        """
        return self._beliefs.shifts(self._bound.view(scope))

    def changed_by_rollback(
        self, since: datetime, *, tenant: str = ""
    ) -> Sequence[StageDifference]:
        """Return which lessons would stand elsewhere after `rollback(since)`; changes nothing."""
        own = self._tenant(tenant)
        self._bound.check_whole("a rollback of a tenant's guidance", within=("tenant",))
        return self._beliefs.changed_without(own, _micros(since))

    def state(self, tenant: str = "") -> GuidanceState:
        """Return what is believed of all lessons of a tenant, with all that the store has by now.

        Raises:
            InvalidInput: if the memory is bound to a user, an agent or a session; see `outlook`.
        """
        own = self._tenant(tenant)
        self._bound.check_whole("what is believed in a whole tenant", within=("tenant",))
        return self._beliefs.state(own)

    def outlook(self, **scope: Unpack[WriteScope]) -> Outlook:
        """Return what a scope may know of how its tasks go, and of the lessons that it sees."""
        return self._beliefs.outlook(self._bound.owner(scope))

    @property
    def rules(self) -> GuidanceRules:
        """The parts of the method that are on; set by who measures what one of them pays."""
        return self._beliefs.rules

    @rules.setter
    def rules(self, rules: GuidanceRules) -> None:
        self._beliefs.rules = rules

    @property
    def checker(self) -> ModelChecker | None:
        """What asks a model about the few lessons of which it is in doubt whether they speak of a situation; None: nobody does.

        It is of this opened memory, and not stored. What it takes in an episode is counted there as the role "check".
        """
        return self._beliefs.matcher.checker

    @checker.setter
    def checker(self, checker: ModelChecker | None) -> None:
        self._beliefs.matcher.checker = checker

    @property
    def share_from(self) -> int:
        """How many users must have learned and shared the same before another user is shown it.

        It holds for this open memory. 1 lets each user teach all others.
        """
        return self._beliefs.share_from

    @share_from.setter
    def share_from(self, users: int) -> None:
        self._bound.check_whole("when a whole tenant is shown a lesson", within=("tenant",))
        self._beliefs.share_from = check_count(users, "share_from")

    # From memory to memory

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "",
        application: str | None = None,
        with_candidates: bool = False,
        **scope: Unpack[ReadScope],
    ) -> Pamphlet:
        """Write the best lessons as a pamphlet: Markdown to read, and to import elsewhere.

        Args:
            path: the file.
            name: of the pamphlet; default: the file's.
            application: only lessons of this one.
            with_candidates: also lessons that were never tried.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if no lesson is worth handing on, or the file would lie in the memory's own folder.
            TransferError: if the file cannot be written.
        """
        from agentcl.memory.lessons import pamphlets

        return pamphlets.export(
            self._opened,
            self._beliefs,
            check_path(path),
            self._bound.view(scope),
            name=name,
            application=application,
            with_candidates=with_candidates,
        )

    def import_(self, path: str | os.PathLike[str], **scope: Unpack[WriteScope]) -> Adopted:
        """Take the lessons of a pamphlet up as candidates; see `adopt`.

        Raises:
            TransferError: if the file cannot be read, or is no pamphlet.
        """
        from agentcl.guidance.pamphlet import load

        self._bound.owner(scope)  # refused before the file is read
        return self.adopt(load(check_path(path)), **scope)

    def adopt(self, pamphlet: Pamphlet, **scope: Unpack[WriteScope]) -> Adopted:
        """Take a pamphlet's lessons up as candidates, which have to prove themselves here.

        A lesson passes the same gate as any other; one that is known already stays what it is. Doing
        it again changes nothing.

        Raises:
            InvalidInput: if the pamphlet's name, or an application's, cannot be kept.
        """
        from agentcl.memory.lessons import pamphlets

        own = self._bound.owner(scope).tenant
        return pamphlets.adopt(self._beliefs, pamphlet, own, partial(self.reflect, **scope))

    def _tenant(self, tenant: str) -> str:
        """Return the tenant that is meant, empty for none. Raises InvalidInput."""
        return self._bound.owner({} if tenant == "" else {"tenant": tenant}).tenant


def _micros(since: datetime) -> int:
    moment = check_micros(since, "since")
    if moment is None:
        raise InvalidInput("since when? Give a moment with a time zone")
    return moment
