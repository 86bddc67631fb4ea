"""How closely a teacher looks on, and what is reflected on."""

import json
import math
import random
from collections import Counter
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents.supervisor import Familiarity, Supervisor, expected_tokens, pool
from agentcl.errors import InvalidInput
from agentcl.guidance.progress.lanes import LANES, Lane, LaneRecord

NEW = Familiarity(attempts=0, mean=0.5, sd=0.5, novelty=1)
KNOWN = Familiarity(attempts=40, mean=0.5, sd=0.05, novelty=0)
EPISODES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(LANES),
        st.none() | st.floats(0, 1),
        st.integers(0, 10_000),
    ),
    max_size=30,
)


def record_of(*episodes: tuple[str, str, float | None, float]) -> LaneRecord:
    record = LaneRecord()
    for kind, lane, score, tokens in episodes:
        record.add(kind, cast("Lane", lane), score=score, tokens=tokens)
    return record


def shares(
    supervisor: Supervisor, familiarity: Familiarity, record: LaneRecord, kind: str = "a"
) -> dict[Lane, float]:
    rng = random.Random(3)
    drawn = Counter(supervisor.choose(kind, familiarity, record, rng) for _ in range(400))
    return {lane: drawn[lane] / 400 for lane in LANES}


def played(score: float, episodes: int, lane: Lane = "alone", kind: str = "a") -> LaneRecord:
    return record_of(*[(kind, lane, score, 2000.0)] * episodes)


def test_without_a_teacher_it_is_always_alone_and_draws_nothing() -> None:
    rng = random.Random(1)
    before = rng.getstate()
    assert Supervisor().choose("a", NEW, LaneRecord(), rng) == "alone"
    assert rng.getstate() == before


@given(EPISODES, st.sets(st.sampled_from(LANES), min_size=1), st.integers(0, 9))
def test_only_what_is_available_is_chosen_and_equal_draws_choose_equally(
    episodes: list[tuple[str, Lane, float | None, float]], lanes: set[Lane], seed: int
) -> None:
    supervisor, record = Supervisor(lanes=tuple(lanes)), record_of(*episodes)
    chosen = supervisor.choose("a", KNOWN, record, random.Random(seed))
    assert chosen in lanes
    assert chosen == supervisor.choose("a", KNOWN, record, random.Random(seed))


def test_a_task_of_an_unknown_kind_is_mostly_supervised() -> None:
    assert shares(Supervisor(lanes=LANES), NEW, LaneRecord())["alone"] < 0.4


def test_supervision_falls_as_success_gets_certain() -> None:
    supervisor = Supervisor(lanes=LANES)
    few = [shares(supervisor, Familiarity(n, 0.99, 0.3 / math.sqrt(max(n, 1)), 0),
                  played(0.99, n))["alone"] for n in (0, 2, 10, 60)]  # fmt: skip
    assert few == sorted(few)
    assert few[0] < 0.3
    assert few[-1] > 0.85


def test_where_the_student_keeps_failing_supervision_stays() -> None:
    failing = Familiarity(60, 0.1, 0.04, 0)
    assert shares(Supervisor(lanes=LANES), failing, played(0.1, 60))["alone"] < 0.1


def test_novelty_brings_the_teacher_back() -> None:
    supervisor, record = Supervisor(lanes=LANES), played(0.95, 60)
    known = shares(supervisor, Familiarity(60, 0.95, 0.04, 0), record)
    novel = shares(supervisor, Familiarity(60, 0.95, 0.04, 1), record)
    assert novel["alone"] < known["alone"] - 0.3


def test_a_higher_price_means_less_supervision() -> None:
    record = LaneRecord()
    cheap = shares(Supervisor(lanes=LANES, price_per_token=0), NEW, record)
    dear = shares(Supervisor(lanes=LANES, price_per_token=0.001), NEW, record)
    assert cheap["alone"] < 0.3
    assert dear["alone"] > 0.95


def test_a_lane_that_gains_nothing_is_left_though_the_prior_liked_it() -> None:
    record = record_of(
        *[("a", "alone", 0.5, 2000.0)] * 60,
        *[("a", lane, 0.5, 5000.0) for lane in LANES[1:] for _ in range(60)],
    )
    drawn = shares(Supervisor(lanes=LANES), KNOWN, record)
    assert drawn["alone"] > 0.6


def test_the_lane_that_gained_is_the_one_that_is_taken() -> None:
    record = record_of(
        *[("a", "alone", 0.3, 2000.0)] * 40,
        *[("a", "reviewed", 0.9, 2500.0)] * 40,
        *[("a", "coached", 0.9, 20_000.0)] * 40,
        *[("a", "taught", 0.3, 2500.0)] * 40,
    )
    assert shares(Supervisor(lanes=LANES), KNOWN, record)["reviewed"] > 0.9


def test_what_a_lane_gained_on_other_kinds_bears_on_a_new_one() -> None:
    def of(gained: float) -> LaneRecord:
        return record_of(
            *[(kind, "alone", 0.4, 2000.0) for kind in "bcdef" for _ in range(20)],
            *[(kind, "coached", 0.4 + gained, 4000.0) for kind in "bcdef" for _ in range(20)],
        )

    supervisor = Supervisor(lanes=("alone", "coached"))
    helped, hindered = (shares(supervisor, NEW, of(gained)) for gained in (0.5, -0.1))
    assert helped["coached"] > hindered["coached"] + 0.3


def test_the_share_of_a_lane_is_fitted_to_all_kinds() -> None:
    # Half of what was left to gain, whatever that was.
    record = record_of(
        *[("b", "alone", 0.2, 1.0)] * 200, *[("b", "coached", 0.6, 1.0)] * 200,
        *[("c", "alone", 0.6, 1.0)] * 200, *[("c", "coached", 0.8, 1.0)] * 200,
    )  # fmt: skip
    assert pool("coached", LaneRecord()).share == pytest.approx(0.4)
    fitted = pool("coached", record)
    assert fitted.share == pytest.approx(0.5, abs=0.06)
    assert fitted.sd < 0.2


def test_costs_go_from_the_prior_to_what_was_measured() -> None:
    def tokens(kind: str, lane: Lane, record: LaneRecord) -> float:
        return expected_tokens(pool(lane, record), kind, record)

    unknown = [tokens("a", lane, LaneRecord()) for lane in LANES]
    assert unknown == sorted(unknown)
    record = record_of(*[("a", "coached", 0.5, 900.0)] * 200, *[("b", "alone", 0.5, 300.0)] * 200)
    assert tokens("a", "coached", record) == pytest.approx(900, rel=0.1)
    assert tokens("new", "alone", record) < 0.25 * tokens("new", "alone", LaneRecord())


def test_older_episodes_count_less_so_that_a_student_who_learned_is_seen_as_it_is() -> None:
    record = record_of(*[("a", "alone", 0.0, 1.0)] * 100, *[("a", "alone", 1.0, 1.0)] * 100)
    assert record.totals("a", "alone").mean_score > 0.8


def test_a_missing_score_counts_its_tokens_and_is_no_zero() -> None:
    totals = record_of(("a", "alone", 1.0, 300.0), ("a", "alone", None, 500.0)).totals("a", "alone")
    assert (totals.mean_score, totals.scored) == (1.0, 1)
    assert 400 < totals.mean_tokens < 410
    assert totals.episodes == pytest.approx(1.98)


@given(EPISODES)
def test_a_record_is_the_same_after_json(
    episodes: list[tuple[str, Lane, float | None, float]],
) -> None:
    record = record_of(*episodes)
    line = json.dumps(record.to_plain())
    again = LaneRecord.from_plain(json.loads(line))
    assert json.dumps(again.to_plain()) == line
    drawn = [
        Supervisor(lanes=LANES).choose("a", NEW, one, random.Random(1)) for one in (record, again)
    ]
    assert drawn[0] == drawn[1]


def test_a_record_does_not_tell_in_which_order_kinds_came() -> None:
    one, other = ("a", "taught", 0.5, 1.0), ("b", "alone", 0.25, 2.0)
    forth, back = record_of(one, other), record_of(other, one)
    assert json.dumps(forth.to_plain()) == json.dumps(back.to_plain())


@pytest.mark.parametrize(
    "plain",
    [
        [],
        {"a": [1]},
        {"a": {"alone": [1]}},
        {"a": {"asleep": [1, 1, 1, 1]}},
        {"a": {"alone": "abcd"}},
    ],
)
def test_what_is_no_record_is_refused(plain: object) -> None:
    with pytest.raises(InvalidInput):
        LaneRecord.from_plain(plain)  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan, math.inf])
def test_a_score_out_of_range_is_refused(score: float) -> None:
    with pytest.raises(InvalidInput):
        LaneRecord().add("a", "alone", score=score, tokens=1)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput):
        LaneRecord().add("a", "alone", score=1, tokens=math.nan)
    with pytest.raises(InvalidInput, match="asleep"):
        LaneRecord().add("a", "asleep", score=1, tokens=1)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="alone"):
        Supervisor(lanes=())
    with pytest.raises(InvalidInput, match="asleep"):
        Supervisor(lanes=("asleep",))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        Supervisor(price_per_token=math.nan)
    with pytest.raises(InvalidInput):
        Supervisor(reflecting_share=2)
    with pytest.raises(InvalidInput):
        Familiarity(attempts=1, mean=math.nan, sd=0, novelty=0)


def reflected(familiarity: Familiarity, score: float | None, *, was_new: bool = False) -> float:
    supervisor, rng = Supervisor(reflecting_share=0.1), random.Random(5)
    decided = [
        supervisor.should_reflect(familiarity, score=score, expected=0.8, was_new=was_new, rng=rng)
        for _ in range(400)
    ]
    return sum(decided) / 400


def test_what_is_unscored_new_early_or_worse_than_expected_is_always_reflected_on() -> None:
    assert reflected(KNOWN, None) == 1
    assert reflected(KNOWN, math.nan) == 1
    assert reflected(KNOWN, 1.0, was_new=True) == 1
    assert reflected(NEW, 1.0) == 1
    assert reflected(KNOWN, 0.7) == 1


def test_what_went_as_expected_is_rarely_reflected_on() -> None:
    assert 0.05 < reflected(KNOWN, 1.0) < 0.15
    assert 0.05 < reflected(KNOWN, 0.8) < 0.15
