"""What showing a lesson is worth."""

import json
import math
import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.guidance.evidence.credit import Counts, Credit, Exposed
from agentcl.guidance.progress.expectation import Expectation

EXPOSURES = st.lists(
    st.builds(
        Exposed, st.sampled_from("pqrs"), st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.booleans()
    ),
    max_size=4,
    unique_by=lambda one: one.lesson,
)
EPISODES = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(-1, 1, allow_nan=False), EXPOSURES), max_size=15
)
_Episode = tuple[str, float, Sequence[tuple[str, float, bool]]]
_BASE = {"easy": 0.8, "hard": 0.2}  # success without lessons
_SHOWN = {"good": {"easy": 0.1, "hard": 0.8}, "neutral": {"easy": 0.8, "hard": 0.1}}


def learned(*episodes: _Episode) -> Credit:
    credit = Credit()
    for cluster, residual, exposures in episodes:
        credit.add(cluster, residual, exposures)
    return credit


def trials(
    lesson: str, uplift: float, *, cluster: str = "c", number: int = 40, p: float = 0.5
) -> list[_Episode]:
    """Return episodes, shown and withheld in turn, that differ by the uplift and have no noise."""
    return [
        (cluster, uplift * (is_shown - p), [Exposed(lesson, p, is_shown)])
        for is_shown in [True, False] * (number // 2)
    ]


def test_nothing_is_known_but_what_was_expected() -> None:
    unknown = Credit().posterior("l", "c", prior_mean=0.1)
    assert unknown.mean == pytest.approx(0.1)
    assert (unknown.shown, unknown.withheld) == (0, 0)
    assert Credit().posterior("l", "c").probability_positive == 0.5
    assert unknown.probability_positive > 0.5


@pytest.mark.parametrize("uplift", [0.3, -0.3])
def test_an_uplift_is_found_from_the_episodes_with_and_without(uplift: float) -> None:
    held = learned(*trials("l", uplift)).posterior("l", "c")
    assert held.mean == pytest.approx(uplift, abs=0.1)
    assert (held.probability_positive > 0.95) == (uplift > 0)
    assert (held.shown, held.withheld) == (20, 20)


def test_more_episodes_leave_less_doubt_and_less_of_the_prior() -> None:
    few, many = (
        learned(*trials("l", 0.3, number=n)).posterior("l", "c", prior_mean=-0.1) for n in (6, 60)
    )
    assert many.sd < few.sd
    assert abs(many.mean - 0.3) < abs(few.mean - 0.3)


class Confounded:
    """A good lesson shown mostly on hard tasks, and one without effect shown mostly on easy ones."""

    def __init__(self, seed: int) -> None:
        rng, baseline = random.Random(seed), Expectation()
        self.credit = Credit()
        self.with_it: dict[str, list[float]] = {name: [] for name in _SHOWN}
        self.without: dict[str, list[float]] = {name: [] for name in _SHOWN}
        for _ in range(400):
            kind = rng.choice(list(_BASE))
            exposures = [
                Exposed(name, p[kind], rng.random() < p[kind]) for name, p in _SHOWN.items()
            ]
            score = float(rng.random() < _BASE[kind] + 0.2 * exposures[0].is_shown)
            self.credit.add(kind, score - baseline.expected(kind).mean, exposures)
            baseline.add(kind, score)
            for one in exposures:
                (self.with_it if one.is_shown else self.without)[one.lesson].append(score)

    def difference(self, lesson: str) -> float:
        return statistics.fmean(self.with_it[lesson]) - statistics.fmean(self.without[lesson])


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_where_tasks_are_hard_is_not_blamed_for_it(seed: int) -> None:
    bandit = Confounded(seed)
    assert bandit.difference("good") < -0.1  # it looks harmful
    assert bandit.credit.overall("good").probability_positive > 0.9
    assert bandit.credit.posterior("good", "hard").probability_positive > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_where_tasks_are_easy_is_not_praised_for_it(seed: int) -> None:
    bandit = Confounded(seed)
    assert bandit.difference("neutral") > 0.2  # it looks good
    held = bandit.credit.overall("neutral")
    assert abs(held.mean) < 0.1
    assert 0.02 < held.probability_positive < 0.98


def test_a_baseline_that_is_off_is_no_merit_of_a_lesson() -> None:
    """Whatever is added to every residual, (Z - p) sums to nothing."""
    off = [(cluster, residual + 0.4, shown) for cluster, residual, shown in trials("l", 0.0)]
    assert learned(*off).posterior("l", "c").mean == pytest.approx(0, abs=1e-9)


def test_what_is_shown_together_with_a_good_lesson_does_not_take_its_credit() -> None:
    """Here the coins fell alike more often than not, by chance; shown alone, the first is worth all."""
    alone = trials("good", 0.4, number=60)
    pairs = [(True, True)] * 8 + [(False, False)] * 8 + [(True, False)] * 4 + [(False, True)] * 4
    together: list[_Episode] = [
        ("c", 0.4 * (good - 0.5), [Exposed("good", 0.5, good), Exposed("idle", 0.5, idle)])
        for good, idle in pairs
    ]
    first = learned(*together).posterior("idle", "c").mean
    known = learned(*alone, *together).posterior("idle", "c").mean
    assert 0 <= known < first / 2


@given(EPISODES, st.randoms(use_true_random=False))
def test_the_order_of_lessons_shown_together_makes_no_difference(
    episodes: list[_Episode], rng: random.Random
) -> None:
    shuffled = [
        (cluster, residual, rng.sample(list(exposures), len(exposures)))
        for cluster, residual, exposures in episodes
    ]
    assert learned(*episodes).to_plain() == learned(*shuffled).to_plain()


@given(EPISODES)
def test_the_same_episodes_give_the_same_bytes(episodes: list[_Episode]) -> None:
    plain = learned(*episodes).to_plain()
    again = json.dumps(learned(*episodes).to_plain())
    assert json.dumps(plain) == again
    assert json.loads(again) == plain
    assert list(plain["lessons"]) == sorted(plain["lessons"])


@given(EPISODES)
def test_an_uplift_is_finite_and_never_surer_than_the_prior_allows(
    episodes: list[_Episode],
) -> None:
    credit = learned(*episodes)
    for lesson in "pqrs":
        for cluster in "abcd":
            held = credit.posterior(lesson, cluster)
            assert math.isfinite(held.mean)
            assert 0 < held.sd <= Credit().posterior(lesson, cluster).sd
            assert 0 <= held.probability_positive <= 1


@given(EPISODES, st.sampled_from([(0.0, False), (1.0, True)]))
def test_a_lesson_that_had_no_coin_is_counted_and_nothing_is_learned_of_it(
    episodes: list[_Episode], certain: tuple[float, bool]
) -> None:
    credit = learned(*[(c, e, [*exposures, ("t", *certain)]) for c, e, exposures in episodes])
    held, counts = credit.overall("t", prior_mean=0.05), credit.counts("t")
    assert held == Credit().overall("t", prior_mean=0.05)
    assert counts.certain == counts.shown + counts.withheld == len(episodes)
    for lesson in "pqrs":
        assert credit.overall(lesson) == learned(*episodes).overall(lesson)


def test_other_clusters_say_what_to_expect_but_what_is_seen_here_counts_more() -> None:
    credit = learned(*trials("l", 0.4, cluster="a"), *trials("l", 0.4, cluster="b"))
    new = credit.posterior("l", "new")
    assert 0.1 < new.mean < 0.4
    assert (new.shown, new.withheld) == (0, 0)
    assert new.sd > credit.posterior("l", "a").sd
    for episode in trials("l", -0.3, cluster="here", number=60):
        credit.add(*episode)
    assert credit.posterior("l", "here").mean < -0.1
    assert credit.posterior("l", "a").mean > 0.2


def test_overall_is_the_average_where_it_was_tried() -> None:
    credit = learned(*trials("l", 0.4, cluster="a"), *trials("l", -0.4, cluster="b"))
    held = credit.overall("l")
    assert held.mean == pytest.approx(0, abs=0.05)
    assert (held.shown, held.withheld) == (40, 40)
    assert credit.clusters("l") == ("a", "b")
    assert credit.clusters("unknown") == ()


def test_a_promoted_lesson_still_teaches_a_little() -> None:
    """p = 0.9 keeps a control arm of a tenth."""
    episodes: list[_Episode] = [
        ("c", 0.3 * (shown - 0.9), [Exposed("l", 0.9, shown)])
        for shown in ([True] * 9 + [False]) * 6
    ]
    often, evenly = learned(*episodes), learned(*trials("l", 0.3, number=60))
    assert often.posterior("l", "c").probability_positive > 0.6
    assert often.posterior("l", "c").sd > evenly.posterior("l", "c").sd


def test_a_discount_lowers_what_is_known_in_its_cluster_and_no_count() -> None:
    credit = learned(*trials("l", 0.3, cluster="a"), *trials("l", 0.3, cluster="b"))
    before, counts = credit.posterior("l", "a"), credit.counts("l")
    credit.discount(0.25, "a")
    after = credit.posterior("l", "a")
    assert (after.shown, after.withheld) == (before.shown / 4, before.withheld / 4)
    assert after.sd > before.sd
    assert credit.posterior("l", "b").shown == before.shown
    assert credit.counts("l") == counts
    credit.discount(0)
    assert credit.posterior("l", "a", prior_mean=0.1).mean == pytest.approx(0.1)


def test_after_a_discount_a_new_truth_is_found_sooner() -> None:
    slow, soon = learned(*trials("l", 0.4)), learned(*trials("l", 0.4))
    soon.discount(0.2)
    for episode in trials("l", -0.4, number=20):
        slow.add(*episode)
        soon.add(*episode)
    assert soon.posterior("l", "c").mean < 0 < slow.posterior("l", "c").mean


def test_wins_and_losses_are_against_what_was_expected_of_such_a_task() -> None:
    credit = learned(
        ("a", 0.4, [("l", 0.5, True)]),
        ("a", -0.2, [("l", 0.5, True)]),
        ("a", 0.0, [("l", 1.0, True)]),
        ("a", 0.9, [("l", 0.5, False)]),
        ("b", 0.1, [("l", 1.0, True)]),
    )
    assert credit.counts("l", "a") == Counts(shown=3, withheld=1, certain=1, wins=1, losses=1)
    assert credit.counts("l") == Counts(shown=4, withheld=1, certain=2, wins=2, losses=1)
    assert credit.counts("l", "elsewhere") == credit.counts("unknown") == Counts()


def test_noise_is_learned_and_has_a_floor() -> None:
    rng = random.Random(0)
    noisy, regular = Credit(), Credit()
    for _ in range(300):
        noisy.add("c", rng.gauss(0, 0.4), [])
        regular.add("c", 0.0, [])
    assert Credit().noise == pytest.approx(0.25)
    assert noisy.noise == pytest.approx(0.16, abs=0.03)
    assert regular.noise == pytest.approx(0.01)


def test_a_class_is_expected_to_be_worth_what_its_lessons_were() -> None:
    credit = learned(
        *(episode for n in range(6) for episode in trials(f"good {n}", 0.5)),
        *(episode for n in range(6) for episode in trials(f"bad {n}", -0.5)),
    )
    assert credit.class_mean([]) == pytest.approx(0.25)
    assert credit.class_mean(["never tried"]) == pytest.approx(0.25)
    assert credit.class_mean([f"good {n}" for n in range(6)]) > 0.3
    assert credit.class_mean([f"bad {n}" for n in range(6)]) < -0.1
    one = credit.class_mean(["good 0"])
    assert 0.25 < one < credit.class_mean(["good 0", "good 1"])


def test_a_lesson_that_was_rightly_distrusted_speaks_for_its_class() -> None:
    """Half of the class is true and helps, half is false and harms, and trust knows which."""
    credit = learned(
        *(episode for n in range(6) for episode in trials(f"true {n}", 0.4)),
        *(episode for n in range(6) for episode in trials(f"false {n}", -0.4)),
    )
    names = [f"{kind} {n}" for kind in ("true", "false") for n in range(6)]
    trusted = {name: 1.0 if name.startswith("true") else -1.0 for name in names}
    assert credit.class_mean(names, factors=trusted) > 0.2
    assert credit.class_mean(names) == pytest.approx(0.0, abs=0.12)


@pytest.mark.parametrize(
    ("residual", "exposures", "message"),
    [
        (math.nan, [], "no score"),
        (math.inf, [("l", 0.5, True)], "no score"),
        (0.1, [("l", math.nan, True)], "from 0 to 1"),
        (0.1, [("l", 1.2, True)], "from 0 to 1"),
        (0.1, [("l", -0.2, False)], "from 0 to 1"),
        (0.1, [("l", 0.5, True), ("m", 0.5, True), ("l", 0.5, False)], "twice"),
    ],
)
def test_an_episode_that_cannot_be_is_refused_and_nothing_learned(
    residual: float, exposures: list[tuple[str, float, bool]], message: str
) -> None:
    credit = learned(*trials("l", 0.3))
    before = credit.to_plain()
    with pytest.raises(InvalidInput, match=message):
        credit.add("c", residual, exposures)
    assert credit.to_plain() == before


@pytest.mark.parametrize("factor", [-0.5, 1.5, math.nan])
def test_a_discount_out_of_range_is_refused(factor: float) -> None:
    with pytest.raises(InvalidInput, match="factor"):
        Credit().discount(factor)
