"""The customers' desk: a policy that no text tells, that can be learned, and by which the database is judged."""

import random
import statistics
import subprocess
import sys
from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.envs.base import SPLITS, Task
from agentcl.envs.checking import check
from agentcl.envs.domains.desk.bounds import expected_without_memory
from agentcl.envs.domains.desk.domain import DeskDomain, DeskEnvironment, policy_of, said
from agentcl.envs.domains.desk.phrasings import phrasings
from agentcl.envs.domains.desk.policy import (
    FAMILIES,
    LOOK_AT_CUSTOMER,
    MOVE,
    PHOTO,
    VERIFYING,
    WISHES,
    cases_of,
    draw_policy,
)
from agentcl.envs.domains.desk.tickets import draw_ticket, wish_of
from agentcl.envs.policies import NullPolicy, OraclePolicy, RandomPolicy, play
from agentcl.errors import InvalidInput

DOMAIN = DeskDomain()
TEST = [*DOMAIN.tasks("test")]
IN_ANY_TASK = st.sampled_from(TEST)
SEEDS = st.integers(0, 10**9)


def tasks(family: str, shop: int = 80, phrasing: str = "usual") -> list[Task]:
    wanted = {"shop": shop, "phrasing": phrasing}
    return [task for task in TEST if task.family == family and task.parameters == wanted]


def test_it_keeps_the_contract() -> None:
    findings = check(DOMAIN, tasks=60)
    assert len(findings) == 16
    assert [finding for finding in findings if not finding.is_kept] == []


def test_splits_share_no_shop_and_only_the_test_has_held_out_phrasings() -> None:
    listed = {split: list(DOMAIN.tasks(split)) for split in SPLITS}
    shops = [{task.parameters["shop"] for task in each} for each in listed.values()]
    assert sum(map(len, shops)) == len(set.union(*shops)) == 100
    said_so = {split: {t.parameters["phrasing"] for t in each} for split, each in listed.items()}
    assert said_so == {"train": {"usual"}, "dev": {"usual"}, "test": {"usual", "held-out"}}


@given(IN_ANY_TASK, SEEDS)
@settings(max_examples=60, deadline=None)
def test_who_knows_the_policy_settles_every_ticket(task: Task, seed: int) -> None:
    played = play(DOMAIN.make(), OraclePolicy(DOMAIN.oracle()), task, seed=seed)
    assert played.score is not None
    assert played.score.value == 1.0


@given(IN_ANY_TASK, SEEDS, st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_nothing_that_is_seen_before_a_decision_tells_the_policy(
    task: Task, seed: int, changes: int
) -> None:
    """Under other policies the same ticket has the same texts and the same actions, and something else is right."""
    other = replace(task, parameters={**task.parameters, "changes": changes})
    looks = [
        action for action in DOMAIN.oracle().actions(task, seed=seed) if action.startswith("look")
    ]

    def shown(of: Task) -> list[object]:
        desk = DOMAIN.make()
        seen: list[object] = [desk.reset(of, seed=seed), desk.admissible_actions()]
        for look in looks:
            seen += [desk.step(look).observation.text, desk.admissible_actions()]
        return seen

    assert shown(task) == shown(other)
    case = draw_ticket(task, seed).cases[-1]
    one, another = (policy_of(of, seed).settlement(case) for of in (task, other))
    assert (one.verb, one.before) != (another.verb, another.before)


@pytest.mark.parametrize("wish", WISHES)
def test_policies_call_for_everything_equally_often_in_every_situation(wish: str) -> None:
    rng = random.Random(1)
    drawn = [draw_policy(rng) for _ in range(2_000)]
    for case in cases_of(wish):
        found = [policy.settlement(case) for policy in drawn]
        right = [one.before if wish == "address" else one.verb for one in found]
        choices = 4 if wish == "address" else 5
        shares = [right.count(verb) / len(right) for verb in set(right)]
        assert len(shares) == choices
        assert max(shares) < 1.25 / choices
        if wish == "broken":
            assert statistics.fmean(one.before is not None for one in found) == pytest.approx(
                0.5, abs=0.05
            )
        assert all(one.harm not in (one.verb, one.before) for one in found)


def test_the_best_without_memory_is_what_the_best_scores() -> None:
    """By brute force: all orders of trying are alike, so their mean is the optimum."""

    def best(choices: int) -> float:
        scores = []
        for order in permutations(range(choices)):
            wasted = sum(2 if verb == 1 else 1 for verb in order[: order.index(0)])
            scores.append(max(0.0, 1 - 0.2 * wasted))
        return statistics.fmean(scores)

    for choices in (4, 5):
        assert expected_without_memory(choices) == pytest.approx(best(choices))
    assert best(5) / 2 < expected_without_memory(5, may_want_photo=True) < best(5)


@pytest.mark.parametrize("family", FAMILIES)
def test_chance_and_nothing_stay_below_the_optimum_and_that_far_below_knowledge(
    family: str,
) -> None:
    every = [task for task in TEST if task.family == family][::3]
    bounds = DOMAIN.bounds(family)
    for policy, most in ((RandomPolicy(), bounds.without_memory), (NullPolicy(), 0.0)):
        played = [play(DOMAIN.make(), policy, task, seed=n) for n, task in enumerate(every)]
        assert statistics.fmean(p.score.value for p in played if p.score) <= most
    assert bounds.without_memory <= 0.61
    assert bounds.with_knowledge == (bounds.without_memory if family == "control" else 1.0)


@given(IN_ANY_TASK, SEEDS)
@settings(max_examples=200, deadline=None)
def test_a_prompt_stays_short(task: Task, seed: int) -> None:
    desk = DOMAIN.make()
    seen = desk.reset(task, seed=seed)
    assert len(f"{seen.goal} {seen.text}".split()) < 120
    assert "{" not in seen.text
    assert task.max_steps == 8
    assert 4 <= len(desk.admissible_actions() or ()) <= 8


def test_customers_have_hundreds_of_phrasings_and_no_phrasing_is_in_both_parts() -> None:
    usual, held_out = ([(wish, text) for wish in WISHES for text in phrasings(wish, held_out=part)]
                       for part in (False, True))  # fmt: skip
    assert len(usual) + len(held_out) >= 240
    assert not set(usual) & set(held_out)
    assert len({text for _, text in (*usual, *held_out)}) == len(usual) + len(held_out)
    assert 0.15 < len(held_out) / len(usual) < 0.35
    messages = {draw_ticket(task, seed).message for task in tasks("return") for seed in range(40)}
    assert len(messages) > 400


@given(st.sampled_from([t for t in TEST if t.parameters["phrasing"] == "held-out"]), SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_held_out_task_says_held_out_phrasings_only(task: Task, seed: int) -> None:
    for of, part in (
        (task, True),
        (replace(task, parameters={**task.parameters, "phrasing": "usual"}), False),
    ):
        ticket = draw_ticket(of, seed)
        named = {"item": ticket.cases[0].item, "order": ticket.orders[0], "address": ticket.address}
        wish = wish_of(of.family)
        assert any(
            form.format(**named) in ticket.message for form in phrasings(wish, held_out=part)
        )


def test_rules_stay_and_words_change_with_the_seed() -> None:
    (task, *_) = tasks("return")
    tickets = [draw_ticket(task, seed) for seed in range(20)]
    assert len({ticket.message for ticket in tickets}) > 15
    assert {(one.cases[-1].state, one.cases[-1].kind) for one in tickets} == {
        ("this week", "a club member")
    }
    assert len({policy_of(task, seed).periods for seed in range(20)}) == 1
    (control, *_) = tasks("control")
    verbs = {policy_of(control, seed).settlement(tickets[0].cases[-1]).verb for seed in range(40)}
    assert len(verbs) == 5
    assert DOMAIN.lessons(control, seed=0) == ()


def plain(family: str, *, impatient: bool = False, switches: bool = False) -> tuple[Task, int]:
    """Return a ticket whose customer is as asked."""
    for task, seed in product(tasks(family), range(60)):
        ticket = draw_ticket(task, seed)
        if ticket.is_impatient == impatient and (len(ticket.orders) > 1) == switches:
            return task, seed
    raise AssertionError(family)


def test_what_is_refused_and_what_does_harm_changes_no_table_and_costs() -> None:
    task, seed = plain("return")
    desk = DeskEnvironment()
    desk.reset(task, seed=seed)
    ticket = draw_ticket(task, seed)
    wanted = policy_of(task, seed).settlement(ticket.cases[0])
    verbs = [
        v for v in ticket.verbs if v not in (wanted.verb, wanted.harm) and not v.startswith("look")
    ]
    in_vain = desk.step(said(verbs[0], ticket.orders[0])).observation.text
    assert "Nothing changed." in in_vain
    assert "got worse" in desk.step(said(wanted.harm, ticket.orders[0])).observation.text
    assert desk.database.payments == []
    assert desk.database.work.is_closed is False
    last = desk.step(said(wanted.verb, ticket.orders[0]))
    assert last.terminated
    assert desk.score().value == pytest.approx(1 - 0.2 * 3)
    assert desk.score().raw == last.reward


def test_what_has_to_come_first_is_asked_for_without_saying_what_it_is() -> None:
    for task, seed in ((t, s) for t in tasks("broken") for s in range(30)):
        ticket = draw_ticket(task, seed)
        wanted = policy_of(task, seed).settlement(ticket.cases[0])
        if wanted.before and len(ticket.orders) == 1 and not ticket.is_impatient:
            break
    desk = DeskEnvironment()
    desk.reset(task, seed=seed)
    (code,) = ticket.orders
    too_early = desk.step(said(wanted.verb, code)).observation.text
    assert "Nothing changed." in too_early
    assert "photo" not in too_early
    assert "filed" in desk.step(said(PHOTO, code)).observation.text
    assert "Nobody needed that" in desk.step(said(PHOTO, code)).observation.text
    assert desk.step(said(wanted.verb, code)).terminated
    assert desk.score().value == pytest.approx(1 - 0.2 * 2)


def test_an_address_is_changed_after_the_right_question_and_to_the_right_place() -> None:
    task, seed = plain("address")
    ticket = draw_ticket(task, seed)
    wanted = policy_of(task, seed).settlement(ticket.cases[0])
    assert wanted.before in VERIFYING
    (code,) = ticket.orders
    scores = []
    for to in ("", f" to {ticket.address}", " to 1 Nowhere Road, Leeds"):
        desk = DeskEnvironment()
        desk.reset(task, seed=seed)
        assert not desk.step(f"{said(MOVE, code)}{to}").terminated
        desk.step(str(wanted.before))
        assert desk.step(f"{said(MOVE, code)}{to}").terminated
        scores.append(desk.score().value)
    assert scores == pytest.approx([0.8, 0.8, 0.0])


def test_a_customer_may_mean_another_order_and_then_only_that_one_counts() -> None:
    task, seed = plain("return", switches=True)
    ticket = draw_ticket(task, seed)
    desk = DeskEnvironment()
    desk.reset(task, seed=seed)
    told = desk.step(LOOK_AT_CUSTOMER).observation.text
    assert ticket.orders[1] in told
    assert all(ticket.orders[0] not in action for action in desk.admissible_actions() or ())
    refused = desk.step(said("refund it", ticket.orders[0])).observation.text
    assert "is not what this ticket is about" in refused


def test_an_impatient_customer_leaves_unserved() -> None:
    task, seed = plain("return", impatient=True)
    desk = DeskEnvironment()
    desk.reset(task, seed=seed)
    ends = [desk.step(LOOK_AT_CUSTOMER) for _ in range(6)]
    assert [outcome.terminated for outcome in ends] == [False] * 5 + [True]
    assert desk.score().value == 0.0


def test_claims_are_made_and_some_are_lies() -> None:
    claims = {True: 0, False: 0}
    said_to_be = [
        text for part in (False, True) for text in phrasings("claims a club member", held_out=part)
    ]
    for task, seed in product(tasks("return"), range(60)):
        ticket = draw_ticket(task, seed)
        if any(text in ticket.message for text in said_to_be):
            claims[ticket.cases[0].kind == "a club member"] += 1
    assert claims[True] > 10
    assert claims[False] > 10


def test_it_is_the_same_to_the_character_in_every_process() -> None:
    code = (
        "from agentcl.envs import open_domain, play, RandomPolicy\n"
        "domain = open_domain('desk')\n"
        "for family in domain.families:\n"
        "    print(play(domain.make(), RandomPolicy(), next(domain.tasks('test', family=family)), seed=3))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
            for _ in range(2)]  # fmt: skip
    assert runs[0].stdout == runs[1].stdout != ""


def test_what_is_no_task_of_it_is_refused() -> None:
    with pytest.raises(InvalidInput, match="its families are return"):
        DeskEnvironment().reset(Task("desk", "complain", 0), seed=0)
    with pytest.raises(InvalidInput, match="there is no family"):
        list(DOMAIN.tasks("train", family="complain"))
