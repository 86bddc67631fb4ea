"""What follows from records of experience: tests, stages, changes."""

from __future__ import annotations

import json
import random

from agentcl.guidance.evidence.belief import Belief
from agentcl.guidance.selection import Choice, Place, choose
from agentcl.guidance.state import GuidanceState
from agentcl.store.episodes import (
    Decision,
    Episode,
    Exposure,
    Guidance,
    Reflection,
    Showing,
    Stated,
)
from agentcl.store.records import Record, Scope
from agentcl.store.rows import Row, body_json, fields_of

SLOW = "a queue is slow"


def row(seq: int, record: Record) -> Row:
    made = Row(
        seq, record.id, record.version, "put", record.kind, *fields_of(record.scope), seq, None, None,
        record.key, json.dumps(record.sources), body_json(record), "{}", None, b"",
    )  # fmt: skip
    return made._replace(checksum=made.digest())


def fold(*records: Record) -> GuidanceState:
    return GuidanceState.of([row(n, one) for n, one in enumerate(records, start=1)])


def drain(**given: object) -> Guidance:
    fields = {"id": "drain", "when": SLOW, "claim": "do", "what": "drain it", "application": "ops"}
    return Guidance(**{**fields, **given})  # type: ignore[arg-type]


def episode(id: str, score: float | None = 1.0, **given: object) -> Episode:
    fields: dict[str, object] = {
        "id": id, "task": "t", "application": "ops", "status": "finished", "score": score,
        "is_success": None if score is None else score >= 0.5,
    }  # fmt: skip
    return Episode(**{**fields, **given})  # type: ignore[arg-type]


def said(episode: str, *stated: tuple[str, str, str]) -> Reflection:
    """Return a reflection; each part is a claim, what, and the id of the lesson that says so."""
    held = tuple(Stated(SLOW, claim, what, id) for claim, what, id in stated)
    return Reflection(id=f"r-{episode}", sources=(episode,), stated=held)


def counts(state: GuidanceState) -> tuple[int, int]:
    return state.trust.counts("drain")


def test_an_episode_that_succeeds_and_says_it_again_is_a_witness() -> None:
    again = said("e", ("do", "drain it", "drain"))
    assert counts(fold(drain(), episode("e"), again)) == (1, 0)
    assert counts(fold(drain(), episode("e", 0.0), again)) == (0, 0)
    assert counts(fold(drain(sources=("e",)), episode("e"), again)) == (0, 0)  # it is drawn from it


def test_the_opposite_refutes_whatever_came_of_the_episode() -> None:
    against = said("e", ("useless", "drain it", "other"))
    for score in (0.0, 1.0, None):
        assert counts(fold(drain(), episode("e", score), against)) == (0, 1)


def test_both_at_once_are_evidence_of_neither_unless_the_episode_failed() -> None:
    for order in (1, -1):
        stated = [("useless", "drain it", "other"), ("do", "drain it", "drain")][::order]
        assert counts(fold(drain(), episode("e"), said("e", *stated))) == (0, 0)
        assert counts(fold(drain(), episode("e", 0.0), said("e", *stated))) == (0, 1)


def test_what_was_followed_to_success_is_confirmed_once() -> None:
    followed = episode("e", exposures=(Exposure("drain", 0.9, True, True, 9),))
    again = said("e", ("do", "drain it", "drain"))
    assert counts(fold(drain(), followed)) == (1, 0)
    assert counts(fold(drain(), followed, again)) == (1, 0)
    failed = episode("e", 0.0, exposures=(Exposure("drain", 0.9, True, True, 9),))
    assert counts(fold(drain(), failed)) == (0, 0)


def test_wins_and_losses_are_against_what_was_expected() -> None:
    shown = (Exposure("drain", 0.5, True),)
    records = [episode(f"e{n}", 0.5) for n in range(9)]
    state = fold(drain(), *records, episode("good", 1.0, exposures=shown))
    held = state.lessons["drain"]
    assert (held.uses, held.wins, held.losses) == (1, 1, 0)
    state = fold(drain(), *records, episode("bad", 0.0, exposures=shown))
    held = state.lessons["drain"]
    assert (held.uses, held.wins, held.losses) == (1, 0, 1)


def test_scores_that_fall_for_good_lower_what_was_learned_before() -> None:
    before = [record for n in range(30) for record in (episode(f"a{n}", 1.0, world="w"),)]
    after = [episode(f"b{n}", 0.0, world="w") for n in range(12)]
    state = fold(drain(world="w"), *before, *after)
    assert [one.direction for one in state.changes] == ["down"]
    assert state.changes[0].since == "b0"
    assert state.expected("ops/", "w").mean < 0.5


def test_records_of_other_tenants_and_unknown_lessons_change_nothing() -> None:
    foreign = episode(
        "x", 0.0, scope=Scope(tenant="other"), exposures=(Exposure("drain", 0.5, True),)
    )
    unknown = episode("y", 0.5, exposures=(Exposure("gone", 0.5, True),))
    assert fold(drain(), foreign).digest() == fold(drain()).digest()
    assert "gone" not in fold(drain(), unknown).lessons


def test_a_decision_about_a_lesson_that_is_not_there_changes_nothing() -> None:
    decision = Decision(id="d", what="retire", guidance="nobody")
    assert fold(drain(), decision).digest() == fold(drain()).digest()


def shown(state: GuidanceState, **given: object) -> Choice:
    place = Place("The queue Tavon is slow.", "ops", "ops/", "", Scope().view())
    return choose(state, place, random.Random(0), is_frozen=True, **given)  # type: ignore[arg-type]


def test_what_cannot_be_done_is_not_told() -> None:
    named = fold(drain(is_action=True))
    assert shown(named).shown
    assert shown(named, actions=["drain Tavon", "flush Tavon"]).shown
    assert not shown(named, actions=["flush Tavon"]).shown
    # Advice that is no action by name may still be of use.
    assert shown(fold(drain()), actions=["flush Tavon"]).shown
    for claim in ("avoid", "useless"):
        warning = fold(drain(id="warn", claim=claim, is_action=True))
        assert shown(warning, actions=["drain Tavon", "flush Tavon"]).shown
        assert not shown(warning, actions=["flush Tavon"]).shown


def test_what_does_not_help_is_told_while_nothing_is_known_that_does() -> None:
    lessons = [
        drain(is_action=True),
        drain(id="flush", claim="useless", what="flush it", is_action=True),
        drain(id="wipe", claim="avoid", what="wipe it", when=f"{SLOW} ", is_action=True),
    ]
    proved = [
        one
        for n in range(6)
        for one in (episode(f"e{n}"), said(f"e{n}", ("do", "drain it", "drain")))
    ]
    actions = ["drain Tavon", "flush Tavon", "wipe Tavon"]

    def told(*records: Record, **given: object) -> set[str]:
        return {offer.guidance.id for offer in shown(fold(*records), **given).shown}

    assert told(*lessons, actions=actions) == {"drain", "flush", "wipe"}
    assert told(*lessons, *proved, actions=actions) == {"drain"}
    assert told(*lessons, *proved, actions=actions[1:]) == {"flush", "wipe"}
    assert told(*lessons, *proved, actions=actions, in_vain=actions[:1]) == {"flush", "wipe"}
    elsewhere = drain(id="flush", claim="useless", what="flush it", when="a queue", is_action=True)
    assert told(lessons[0], elsewhere, *proved, actions=actions) == {"drain", "flush"}


def test_what_was_done_in_vain_is_not_told_again() -> None:
    assert not shown(fold(drain()), in_vain=["drain Tavon"]).shown
    assert shown(fold(drain()), in_vain=["flush Tavon"]).shown


def shown_stretches(state: GuidanceState, family: str = "", user: str = "") -> Belief:
    return state.belief_of_stretches("success", cluster=f"ops/{family}", scope=Scope(user=user))


def tried(*scores: tuple[float, float], family: str = "", user: str = "") -> list[Episode]:
    """Return episodes, each one with stretches and one without, by their scores."""
    return [
        episode(
            f"{user}{family}{n}-{shown}", score, family=family, scope=Scope(user=user),
            demonstrations=(Showing("success", 0.5, shown, ("past",)),),
        )
        for n, pair in enumerate(scores)
        for shown, score in zip((True, False), pair, strict=True)
    ]  # fmt: skip


def test_showing_past_stretches_is_measured_by_the_episodes_they_were_withheld_from() -> None:
    assert shown_stretches(fold()).stage == "candidate"
    good = shown_stretches(fold(*tried(*[(1.0, 0.0)] * 12)))
    assert (good.stage, good.shown, good.withheld) == ("active", 12, 12)
    bad = shown_stretches(fold(*tried(*[(0.0, 1.0)] * 12)))
    assert bad.stage == "quarantined"
    assert good.uplift > 0.3 > -0.3 > bad.uplift


def test_the_worth_of_stretches_is_that_of_a_kind_of_task_and_of_a_user() -> None:
    state = fold(
        *tried(*[(1.0, 0.0)] * 12, family="a"), *tried(*[(0.0, 1.0)] * 12, family="b"),
        *tried(*[(0.0, 1.0)] * 12, family="a", user="ada"),
    )  # fmt: skip
    assert shown_stretches(state, "a").uplift > 0 > shown_stretches(state, "b").uplift
    assert shown_stretches(state, "a", "ada").uplift < 0
    assert shown_stretches(state, "a", "bo").stage == "candidate"
    assert state.belief_of_stretches("failure", cluster="ops/a", scope=Scope()).stage == "candidate"


def test_lessons_and_stretches_of_one_episode_share_its_outcome() -> None:
    """What the lesson explains is no merit of the stretches that were shown with it."""
    coin = random.Random(0)
    records: list[Record] = [drain()]
    for n in range(200):
        lesson, past = coin.random() < 0.5, coin.random() < 0.5
        records.append(
            episode(
                f"e{n}", float(lesson), exposures=(Exposure("drain", 0.5, lesson),),
                demonstrations=(Showing("success", 0.5, past),),
            )
        )  # fmt: skip
    state = fold(*records)
    assert abs(shown_stretches(state).uplift) < 0.1
    assert state.belief("drain", cluster="ops/", world="").uplift > 0.8


def test_two_coins_of_one_kind_in_an_episode_of_elsewhere_count_once() -> None:
    twice = (Showing("success", 0.5, True), Showing("success", 0.5, False))
    assert shown_stretches(fold(episode("e", demonstrations=twice))).withheld == 1
