"""Whether outcomes have changed."""

import math
import random
from collections.abc import Iterable

import pytest

from agentcl import InvalidInput
from agentcl.guidance.progress.change import ChangeDetector, ScoreAlarm, ScoreChange
from agentcl.guidance.progress.expectation import Expectation


def alarms(rates: Iterable[float], seed: int) -> list[tuple[int, str]]:
    """Return at which episode of a stream of successes and failures the alarm was raised, and which."""
    rng, detector, baseline = random.Random(seed), ChangeDetector(), Expectation()
    found: list[tuple[int, str]] = []
    for episode, rate in enumerate(rates):
        score = float(rng.random() < rate)
        expected = baseline.expected("c")
        alarm = detector.add("c", score - expected.mean, expected.sd)
        baseline.add("c", score)
        if alarm:
            found.append((episode, alarm.direction))
    return found


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_false_alarms_are_rarer_than_one_in_200_episodes(rate: float) -> None:
    """And not never: what never rings is not tested by this."""
    found = alarms([rate] * 10_000, seed=1)
    assert 0 < len(found) <= 50


def test_false_alarms_among_normal_residuals_come_once_in_some_500() -> None:
    rng, detector = random.Random(0), ChangeDetector()
    found = sum(detector.add("c", rng.gauss(0, 2), 2) is not None for _ in range(30_000))
    assert 300 < 30_000 / found < 800


@pytest.mark.parametrize(("shift", "most"), [(0.5, 60), (1.0, 14), (1.5, 8)])
def test_a_drop_is_found_soon(shift: float, most: int) -> None:
    rng, delays = random.Random(0), []
    for _ in range(100):
        detector, episode = ChangeDetector(), 1
        while (
            alarm := detector.add("c", rng.gauss(-shift, 1), 1)
        ) is None or alarm.direction != "down":
            episode += 1
        delays.append(episode)
    assert sum(delays) / len(delays) < most


def test_a_hidden_change_of_rules_is_found_within_twenty_episodes() -> None:
    """Success falls from 0.8 to 0.3, which a baseline learnt, in 20 streams."""
    streams = [alarms([0.8] * 60 + [0.3] * 20, seed) for seed in range(20)]
    found = [any(at >= 60 and alarm == "down" for at, alarm in stream) for stream in streams]
    assert sum(found) >= 18


def test_it_says_which_way_and_begins_again() -> None:
    detector = ChangeDetector()
    rising = [detector.add("c", 2.0, 1.0, episode=str(n)) for n in range(8)]
    up = [ScoreAlarm("up", since, 6.0) for since in "04"]
    assert rising == [None, None, None, up[0], None, None, None, up[1]]
    falling = [detector.add("c", -2.0, 1.0, episode=str(n)) for n in range(4)]
    assert falling[-1] == ScoreAlarm("down", "0", 6.0)


def test_it_says_since_when_by_the_episode_that_the_sum_left_zero_with() -> None:
    detector = ChangeDetector()
    scores = [-1.0, 2.0, 2.0, *[-2.0] * 4]
    (alarm,) = filter(None, (detector.add("c", z, 1, episode=str(n)) for n, z in enumerate(scores)))
    assert (alarm.direction, alarm.since) == ("down", "3")
    kept = ChangeDetector.from_plain(detector.to_plain())
    assert kept.to_plain() == detector.to_plain()


def test_a_change_that_goes_on_is_surer_and_one_that_ends_is_not() -> None:
    change = ScoreChange("e", "d", "c@", "", "down", 0.9, 0.3, 5.2, 5.2)
    assert 400 < change.once_in < 700
    lasting, ended = change, change
    for _ in range(30):
        lasting, ended = lasting.then(0.0), ended.then(1.0)
    assert lasting.once_in > 1e6
    assert ended.once_in == change.once_in


def test_clusters_are_watched_apart() -> None:
    detector = ChangeDetector()
    for _ in range(3):
        assert detector.add("a", 2.0, 1.0) is None
        assert detector.add("b", 2.0, 1.0) is None
    assert detector.add("a", 2.0, 1.0) == ScoreAlarm("up", "", 6.0)
    assert detector.to_plain()["a"] == [0, 0, "", ""]
    assert detector.to_plain()["b"] == [4.5, 0, "", ""]


def test_no_single_outcome_raises_an_alarm() -> None:
    detector = ChangeDetector()
    assert detector.add("c", -1.0, 0.001) is None
    assert detector.add("c", 0.0, 0.001) is None


@pytest.mark.parametrize(
    ("residual", "sd"), [(math.nan, 1), (math.inf, 1), (0, 0), (0, -1), (0, math.nan)]
)
def test_what_is_no_residual_is_refused(residual: float, sd: float) -> None:
    with pytest.raises(InvalidInput, match="without a score"):
        ChangeDetector().add("c", residual, sd)
