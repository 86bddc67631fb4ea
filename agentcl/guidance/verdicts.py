"""What evidence says of a lesson: how far it is trusted, what it is worth, and at which stage of its life it is.

Evidence counts in full only where a reader may see it (`agentcl.guidance.evidence.sight`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from agentcl.guidance.evidence.belief import Belief, LessonState, LifeStage
from agentcl.guidance.evidence.credit import Credit, Posterior
from agentcl.guidance.evidence.sight import Line, Sight
from agentcl.guidance.evidence.trust import Trust
from agentcl.guidance.progress.course import Course
from agentcl.guidance.rules import GuidanceRules
from agentcl.store.episodes import Ended, Episode, Exposure
from agentcl.store.records import Scope

# The reliability of a class of lessons that was never tested. What an agent lived through is believed
# until tests say otherwise; what it was told has to prove itself.
_PRIORS: Final = {"experience": 0.8, "imported": 0.7, "told": 0.6}
_HOLDS: Final = 0.5  # trusted less, a lesson is not shown
PROVED: Final = 0.7  # trusted at least so much, and confirmed, it needs no further trial
# That showing it helps, or harms: at this threshold 97 of 100 signs were right in `benchmarks/credit.py`,
# where at 0.9 it was 83, since it is looked at after every episode.
_SURE: Final = 0.975
LEAST_ARM: Final = 5  # episodes with and without it, before its uplift alone decides
_REFUTED: Final = 3  # tests against a lesson that nobody trusts any more end it
_FIRST_HOPE: Final = Credit().class_mean(())  # of a class of lessons that was never tried
_UNMEASURED_SD: Final = 0.25  # of an uplift that nobody measures


class Verdicts(NamedTuple):
    """What tests and outcomes said of the lessons of a tenant."""

    rules: GuidanceRules
    lessons: Mapping[str, LessonState]
    trust: Trust
    credit: Credit
    courses: Mapping[Line, Course]

    def belief(self, id: str, cluster: str, world: str, sight: Sight) -> Belief:
        """Return what is known of a lesson, for one kind of task in one world, by what counts."""
        held = self.lessons[id]
        trust = self.trust_in(held, world, sight)
        posterior = self._posterior(id, cluster, self._hope(held, trust, sight), sight)
        confirmed, refuted = self.trust.counts(id, sight=sight)
        stage, why = self._stage(held, trust, posterior, (confirmed, refuted), sight)
        return Belief(
            stage=stage,
            trust=trust,
            uplift=posterior.mean,
            sd=posterior.sd,
            shown=posterior.shown,
            withheld=posterior.withheld,
            confirmed=confirmed,
            refuted=refuted,
            why=why,
        )

    def belief_of_stretches(self, arm: str, cluster: str, sight: Sight) -> Belief:
        """Return what is known of showing the stretches of an arm, for one kind of task, by what counts."""
        posterior = self._posterior(arm, cluster, _FIRST_HOPE, sight)
        is_tried = bool(self.credit.counts(arm, sight=sight).shown)
        undecided: tuple[LifeStage, str] = (
            ("trial", "tried, and not decided yet") if is_tried else ("candidate", "never tried")
        )
        stage, why = _stage_by_worth(posterior) or undecided
        mean, sd, shown, withheld = (
            posterior.mean,
            posterior.sd,
            posterior.shown,
            posterior.withheld,
        )
        return Belief(stage, 1.0, mean, sd, shown, withheld, 0, 0, why)

    def trust_in(self, held: LessonState, world: str, sight: Sight) -> float:
        """Return the probability that a lesson holds in a world."""
        id = held.guidance.id
        if not self.rules.transfer:
            worlds = self.trust.worlds(id, sight)
            if worlds and world not in worlds:
                return 0.0
        prior = _PRIORS[held.guidance.origin]
        return self.trust.belief(id, world, held.class_name, prior=prior, sight=sight)

    def learn_class_means(
        self, course: Course, exposures: Iterable[Exposure], sight: Sight
    ) -> None:
        """Count which lessons were tried in a course, and now and then what each class of them is worth."""
        for one in exposures:
            name = self.lessons[one.guidance].class_name
            course.tried.setdefault(name, {})[one.guidance] = None
        if not course.are_means_due():
            return
        for name, ids in course.tried.items():
            factors = self._factors(ids, sight)
            course.class_means[name] = self.credit.class_mean(ids, factors=factors, sight=sight)

    def _stage(
        self,
        held: LessonState,
        trust: float,
        posterior: Posterior,
        tests: tuple[int, int],
        sight: Sight,
    ) -> tuple[LifeStage, str]:
        """Return the stage of a lesson's life, and the rule that says so."""
        id = held.guidance.id
        confirmed, refuted = tests
        if held.decided:
            return "retired", f"somebody decided so: {held.decided}"
        if trust < _HOLDS:
            if refuted >= _REFUTED and refuted > confirmed:
                return "retired", _tested(confirmed, refuted)
            return "quarantined", f"it holds with a probability of {trust:.2f} only"
        if by_worth := _stage_by_worth(posterior):
            return by_worth
        if confirmed and trust >= PROVED:
            return "active", _tested(confirmed, refuted)
        if confirmed or refuted or (held.uses and self.credit.counts(id, sight=sight).shown):
            return "trial", "tried, and not decided yet"
        return "candidate", "never tried"

    def _posterior(self, id: str, cluster: str, hope: float, sight: Sight) -> Posterior:
        if not self.rules.credit:
            return Posterior(hope, _UNMEASURED_SD, 0, 0)
        if not self.rules.narrowing:
            return self.credit.overall(id, prior_mean=hope, sight=sight)
        return self.credit.posterior(id, cluster, prior_mean=hope, sight=sight)

    def _hope(self, held: LessonState, trust: float, sight: Sight) -> float:
        """Return what to expect of a lesson before its own evidence: its class, as far as it is trusted."""
        means = (course.class_means.get(held.class_name) for course in sight.ways(self.courses))
        mean = next((mean for mean in means if mean is not None), _FIRST_HOPE)
        return (2 * trust - 1) * mean

    def _factors(self, ids: Iterable[str], sight: Sight) -> dict[str, float]:
        """Return how far each lesson is trusted at home, from -1 to 1."""
        held = [self.lessons[id] for id in ids]
        return {
            one.guidance.id: 2 * self.trust_in(one, self.rules.place(one.guidance.world), sight) - 1
            for one in held
        }


def arm_of(ended: Ended, scope: Scope) -> str:
    """Return by which name credit knows the stretches of a user that ended so; no lesson has such an id."""
    return f"stretches of {ended}: {scope.user}"


def arm_of_adapter(id: str) -> str:
    """Return by which name credit knows an adapter; no lesson has such an id."""
    return f"adapter {id}"


def coins_of(episode: Episode) -> list[tuple[str, float, bool]]:
    """Return what coins said in an episode of past stretches, once for each way that they ended, and of adapters."""
    by_arm = {
        arm_of(one.ended, episode.scope): (one.probability, one.is_shown)
        for one in episode.demonstrations
    }
    adapters = [(arm_of_adapter(one.adapter), *one[1:]) for one in episode.adapters]
    return [*((arm, *coin) for arm, coin in by_arm.items()), *adapters]


def _stage_by_worth(posterior: Posterior) -> tuple[LifeStage, str] | None:
    """Return the stage that outcomes with and without something decide; None where they do not."""
    helps = posterior.probability_positive
    if min(posterior.shown, posterior.withheld) < LEAST_ARM:
        return None
    if helps < 1 - _SURE:
        return "quarantined", f"showing it helps with a probability of {helps:.2f} only"
    if helps > _SURE:
        return "active", f"showing it helps with a probability of {helps:.2f}"
    return None


def _tested(confirmed: int, refuted: int) -> str:
    episodes = "episode" if refuted == 1 else "episodes"
    return f"confirmed by {confirmed} and refuted by {refuted} {episodes}"
