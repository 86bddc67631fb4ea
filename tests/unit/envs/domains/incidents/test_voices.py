"""The natural voice: the same incidents in varied English, with phrases that are held out."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.base import Task
from agentcl.envs.checking import check
from agentcl.envs.domains.incidents.deployments import (
    DIAGNOSTICS,
    HIDDEN,
    REMEDIES,
    SERVICES,
    STATES,
)
from agentcl.envs.domains.incidents.domain import (
    FAMILIES,
    IncidentDomain,
    IncidentEnvironment,
    draw_incident,
)
from agentcl.envs.domains.incidents.incident import Event, Incident
from agentcl.envs.domains.incidents.natural import Natural
from agentcl.envs.domains.incidents.phrasings import (
    ACTIONS,
    EVAL,
    PLAIN,
    SHARES,
    TRAIN,
    Phrasings,
)
from agentcl.envs.policies import OraclePolicy, play
from agentcl.envs.registry import open_domain
from agentcl.errors import InvalidInput
from agentcl.lessons import read_sentence

PLACE = re.compile(r"\{(\w*)\}")
EVENTS: tuple[Event, ...] = (
    "unknown", "found nothing", "sign", "needed", "done", "cleared", "worse", "nothing",
)  # fmt: skip


class Nth:
    """Takes the action at a drawn place of those that are offered, whatever they are called."""

    name = "nth"

    def act(self, situation: Situation) -> Act | None:
        if not situation.history:
            self._rng = random.Random(situation.seed)
        actions = situation.actions
        return Act(self._rng.choice(actions)) if actions else None


def natural(phrasings: str = "") -> IncidentDomain:
    return IncidentDomain(voice="natural", phrasings=phrasings)


def phrases(share: Phrasings) -> Iterator[str]:
    for field in fields(Phrasings):
        said = getattr(share, field.name)
        yield from (
            [one for some in said.values() for one in some] if field.name == "states" else said
        )


def incidents(hidden: bool = False) -> st.SearchStrategy[Incident]:
    verbs = st.permutations(REMEDIES).map(lambda some: some[:5])
    sign = st.one_of(st.sampled_from(STATES).map("is {}".format), st.just("raises Dolum"))
    return st.builds(
        lambda service, sign, verbs: Incident(
            "Cekus", service, sign, verbs[0], verbs[1], verbs[2],
            DIAGNOSTICS[0] if hidden else None, tuple(f"{verb} Cekus" for verb in verbs),
        ),
        st.sampled_from(SERVICES), sign, verbs,
    )  # fmt: skip


def told(incident: Incident, seed: int, share: str) -> Natural:
    return Natural(incident, random.Random(seed), SHARES[share])


def signs_in(text: str) -> set[str]:
    """Return the signs that a reader who knows every phrase finds in a text."""
    every = {state: [*TRAIN.states[state], *EVAL.states[state]] for state in STATES}
    found = {f"is {state}" for state, said in every.items() if any(one in text for one in said)}
    return found | {f"raises {word}" for word in re.findall(r"\bDolum\b", text)}


@pytest.mark.parametrize("phrasings", ["train", "eval", "both"])
def test_the_natural_voice_keeps_the_contract(phrasings: str) -> None:
    findings = check(natural(phrasings), tasks=30)
    assert [finding for finding in findings if not finding.is_kept] == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share", SHARES)
def test_the_same_incidents_are_solved_in_the_same_steps(family: str, share: str) -> None:
    plain, voiced = IncidentDomain(), natural(share)
    pairs = zip(plain.tasks("dev", family=family), voiced.tasks("dev", family=family), strict=True)
    for seed, (one, other) in enumerate(islice(pairs, 30)):
        assert draw_incident(one, seed) == draw_incident(other, seed)
        oracles = [OraclePolicy(domain.oracle()) for domain in (plain, voiced)]
        pairs_of_actors: list[list[Actor]] = [[Nth(), Nth()], [*oracles]]
        for policies in pairs_of_actors:
            went = [
                play(domain.make(), policy, task, seed=seed)
                for domain, policy, task in zip(
                    (plain, voiced), policies, (one, other), strict=True
                )
            ]
            assert went[0].score == went[1].score
            assert len(went[0].steps) == len(went[1].steps)
        assert went[1].score is not None
        assert went[1].score.value == 1.0  # the oracle's


def test_the_controlled_voice_is_the_default_and_says_what_it_said() -> None:
    assert [*IncidentDomain(voice="controlled").tasks("dev")] == [*IncidentDomain().tasks("dev")]
    task = next(IncidentDomain().tasks("test", family="remedy"))
    assert task.id == "incidents/remedy/0,deployment=80"
    seen = IncidentEnvironment().reset(task, seed=1)
    assert (seen.text, seen.goal) == ("The ledger Cekus is blocked.", "clear the alert of Cekus.")


def test_what_is_told_is_the_same_in_every_process() -> None:
    code = (
        "from agentcl.envs.domains.incidents.domain import IncidentDomain\n"
        "from agentcl.envs.policies import RandomPolicy, play\n"
        "domain = IncidentDomain(voice='natural')\n"
        "for n, task in zip(range(20), domain.tasks('dev')):\n"
        "    print(domain.make().reset(task, seed=n), play(domain.make(), RandomPolicy(), task, seed=n))\n"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True,
                       env={**os.environ, "PYTHONHASHSEED": str(seed)}).stdout
        for seed in (1, 3)
    }  # fmt: skip
    assert len(runs) == 1


def test_seeds_tell_one_task_in_many_ways() -> None:
    task = next(natural().tasks("train", family="remedy"))
    environment = IncidentEnvironment()
    assert len({environment.reset(task, seed=seed).text for seed in range(100)}) > 95


@given(incidents(), st.integers(), st.sampled_from([*SHARES]))
def test_what_is_seen_first_tells_service_and_sign_and_nothing_of_the_rules(
    incident: Incident, seed: int, share: str
) -> None:
    first = told(incident, seed, share).first
    assert {service for service in SERVICES if re.search(rf"\b{service}\b", first)} == {
        incident.service
    }
    assert signs_in(first) == {incident.sign}
    for other in (
        replace(incident, remedy=incident.harm, harm=incident.remedy),
        replace(incident, before=None),
        replace(incident, actions=incident.actions[::-1]),
    ):
        assert told(other, seed, share).first == first


@given(incidents(hidden=True), st.integers(), st.sampled_from([*SHARES]), st.sampled_from(STATES))
def test_a_sign_that_is_hidden_is_told_by_its_diagnostic_only(
    incident: Incident, seed: int, share: str, state: str
) -> None:
    one, other = (
        told(incident, seed, share),
        told(replace(incident, sign=f"is {state}"), seed, share),
    )
    assert one.first == other.first
    assert signs_in(one.first) == set()
    assert signs_in(one.tell("found nothing")) == set()
    assert signs_in(one.tell("sign")) == {incident.sign}


@given(incidents(), st.integers(), st.sampled_from([*SHARES]), st.sampled_from(EVENTS))
def test_every_event_is_told_and_names_an_action_only_where_one_is_needed(
    incident: Incident, seed: int, share: str, event: Event
) -> None:
    voice = told(incident, seed, share)
    said = voice.tell(event)
    assert said.strip()
    named = {voice.verb_of(action) for action in voice.actions if action in said}
    assert named == ({incident.before} if event == "needed" else set())
    assert not any(action in voice.first for action in voice.actions)


def test_what_is_beside_the_point_holds_no_word_of_an_action() -> None:
    empty = {"a", "an", "the", "of", "on", "to", "from", "its", "for", "all", "out", "take"}
    words = {word for form in ACTIONS.values() for word in re.findall(r"[a-z-]+", form)} - empty
    for share in SHARES.values():
        for line in (*share.noise, *share.alerts, *share.goals, *share.hidden):
            assert not words & {*re.findall(r"[a-z-]+", PLACE.sub("", line).lower())}, line


def test_actions_have_one_wording_each_in_both_shares() -> None:
    assert set(ACTIONS) == {*REMEDIES, *DIAGNOSTICS}
    assert len(set(ACTIONS.values())) == len(ACTIONS)
    for task in islice(natural("both").tasks("test", family="diagnose"), 20):
        environment = IncidentEnvironment()
        environment.reset(task, seed=3)
        for action in environment.admissible_actions() or ():
            assert re.sub(r"\b[a-z]+\d\b", "{}", action) in ACTIONS.values()


def test_the_shares_have_no_phrase_in_common() -> None:
    train, held_out = set(phrases(TRAIN)), set(phrases(EVAL))
    assert len(train) > 100
    assert len(held_out) > 75
    services = {*TRAIN.services, *EVAL.services}
    for one in train:
        for other in held_out:
            inside = (one in other or other in one) and not {one, other} & services
            assert not inside, (one, other)
    assert not {*TRAIN.services} & {*EVAL.services}


@given(incidents(), st.integers(), st.sampled_from(EVENTS))
def test_no_text_of_one_share_holds_a_phrase_of_the_other(
    incident: Incident, seed: int, event: Event
) -> None:
    for share, other in ((TRAIN, EVAL), (EVAL, TRAIN)):
        voice = Natural(incident, random.Random(seed), share)
        text = f"{voice.goal}\n{voice.first}\n{voice.tell(event)}"
        for phrase in phrases(other):
            whole = [re.escape(part) for part in PLACE.split(phrase)[::2]]
            if max(map(len, whole)) > 8:  # else it is hardly more than places
                assert not re.search(r"[^\n]*?".join(whole), text), (phrase, text)


def test_every_phrase_can_be_filled() -> None:
    incident = draw_incident(next(natural().tasks("train", family="needs")), 0)
    for share in SHARES:
        seen = "".join(
            f"{voice.goal}{voice.first}{''.join(map(voice.tell, EVENTS))}"
            for voice in (told(incident, seed, share) for seed in range(300))
        )
        assert not PLACE.search(seen)
        for phrase in SHARES[share].noise:
            assert max(PLACE.split(phrase)[::2], key=len) in seen


def test_the_split_says_which_phrases_are_told_unless_somebody_else_does() -> None:
    def shares(domain: IncidentDomain, split: str) -> list[object]:
        listed = islice(domain.tasks(split), 4)  # type: ignore[arg-type]  # it is one
        return [task.parameters["phrasings"] for task in listed]

    assert shares(natural(), "train") == ["train"] * 4
    assert shares(natural(), "dev") == shares(natural(), "test") == ["eval"] * 4
    assert shares(natural("train"), "test") == ["train"] * 4
    assert shares(natural("both"), "test") == ["train", "eval"] * 2
    both = islice(natural("both").tasks("test"), 2)
    assert len({task.id for task in both}) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_the_true_rules_are_the_same_in_natural_words(family: str) -> None:
    plain, voiced = IncidentDomain(), natural()
    for task in islice(voiced.tasks("test", family=family), 9):
        bare = replace(task, parameters={"deployment": task.parameters["deployment"]})
        rules = voiced.lessons(task, seed=0)
        verbs = [act.partition(" ")[0] for act in map(claimed, plain.lessons(bare, seed=0))]
        service = draw_incident(task, 0).service
        assert [claimed(rule) for rule in rules] == [Natural.act(verb, service) for verb in verbs]
        assert not any(HIDDEN in rule for rule in rules)
    assert not {*PLAIN.values()} & {*phrases(TRAIN), *phrases(EVAL)}


def claimed(sentence: str) -> str:
    lesson = read_sentence(sentence)
    assert lesson is not None
    return lesson.what


def test_true_rules_name_actions_as_they_are_offered() -> None:
    assert Natural.act("drain", "queue") == "drain it"
    assert Natural.act("flush", "queue") == "flush the buffers of the queue"
    assert Natural.acting("flush", "queue") == "you flush the buffers of a queue"
    assert Natural.situation("queue", "is slow") == "a queue is slow to respond"
    assert Natural.situation("queue", "raises Dolum") == "a queue reports the code Dolum"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"voice": "loud"}, "no voice 'loud'; choose controlled or natural"),
        ({"voice": "natural", "phrasings": "odd"}, "choose one of train, eval, both"),
        ({"phrasings": "eval"}, "choose the voice natural"),
    ],
)
def test_what_is_no_voice_is_refused(options: Mapping[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        open_domain("incidents", options)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"voice": "loud"}, "choose controlled or natural"),
        ({"voice": "natural"}, "it needs phrasings, train or eval"),
        ({"voice": "natural", "phrasings": "both"}, "it needs phrasings, train or eval"),
    ],
)
def test_a_task_that_names_no_voice_of_ours_is_refused(
    parameters: Mapping[str, str], said: str
) -> None:
    task = Task("incidents", "remedy", 0, parameters={"deployment": 1, **parameters})
    with pytest.raises(InvalidInput, match=said):
        IncidentEnvironment().reset(task, seed=0)
