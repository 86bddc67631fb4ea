"""Which form a model follows best is measured by probes, and what is measured is what is used."""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents.demonstrations import DISTILLED, EXAMPLES
from agentcl.agents.forms import FORMS, orders_of
from agentcl.agents.probes import (
    ACTIONS,
    CONDITIONS,
    Condition,
    following,
    reading,
    record,
    writing,
)
from agentcl.agents.prompts import ACTING_BY_NUMBER, ACTING_THINKING
from agentcl.agents.student import Student
from agentcl.agents.teacher import Teacher
from agentcl.agents.tuning import Figure, Measured, Prober, best_way, tune
from agentcl.envs.acting import Situation
from agentcl.errors import InvalidInput, ModelChanged, ModelUnavailable, NoAnswer
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema, TokenLogprob, ToolCall
from agentcl.models.scripted import ScriptedModel
from agentcl.models.tuned import WAYS, Asking, asking_of, remember_asking
from agentcl.store.usage import NO_USAGE, Usage

pytest.importorskip("jsonschema")
CASES: Final = 5
NUMBERS: Final = st.integers(0, 10_000)


def by_observation() -> dict[str, str]:
    """Return what is right by what is seen, in all cases that are asked here."""
    cases = [following(number, "none") for number in range(CASES)]
    return {case.situation.first: case.right for case in cases}


def right_action(messages: Sequence[Message]) -> str:
    """Follow the lesson, if it is shown; else take what is offered first."""
    asked = messages[-1].content
    seen = re.findall(r"^Observation: (.*)$", asked, re.MULTILINE)[-1]
    right = by_observation()[seen]
    offered = re.findall(r"^Actions: (.*)\.$", asked, re.MULTILINE)[-1].split("; ")
    return right if f"{right.split()[0]} it." in asked else offered[0]


def only_when_told(instructions: str) -> Callable[[Sequence[Message]], str]:
    def said(messages: Sequence[Message]) -> str:
        if "Actions: " not in messages[-1].content:
            return "{}"
        return right_action(messages) if messages[0].content == instructions else "I am lost."

    return said


@given(NUMBERS, NUMBERS)
def test_a_case_has_five_actions_and_the_place_of_the_right_one_goes_round(
    number: int, seed: int
) -> None:
    cases = {condition: following(number, condition, seed=seed) for condition in CONDITIONS}
    offered = {case.situation.actions for case in cases.values()}
    assert len(offered) == 1
    actions = offered.pop() or ()
    assert len(set(actions)) == len(actions) == ACTIONS
    assert {actions.index(case.right) for case in cases.values()} == {number % ACTIONS}
    assert all(case.named in actions and case.named != case.right for case in cases.values())


@given(NUMBERS, NUMBERS)
def test_lessons_name_what_their_condition_says(number: int, seed: int) -> None:
    def verbs(condition: Condition) -> list[str]:
        shown = following(number, condition, seed=seed).situation.guidance
        return [re.findall(r", (\w+) it\.$", lesson)[0] for lesson in shown]

    case = following(number, "none", seed=seed)
    right, named = case.right.split()[0], case.named.split()[0]
    offered = {action.split()[0] for action in case.situation.actions or ()}
    assert verbs("none") == []
    assert verbs("lesson") == [right]
    assert verbs("irrelevant") == [named]
    assert sorted(verbs("among four")) == sorted(verbs("among near")) == sorted(offered)


@given(NUMBERS, NUMBERS)
def test_other_lessons_share_nothing_with_what_is_seen_unless_they_are_near(
    number: int, seed: int
) -> None:
    (fitting,) = following(number, "lesson", seed=seed).situation.guidance
    about = set(re.findall(r"^When an? (\w+) is (\w+),", fitting)[0])
    shared = {
        condition: [
            len(about & set(re.findall(r"\w+", lesson)))
            for lesson in following(number, condition, seed=seed).situation.guidance
        ]
        for condition in ("among four", "among near")
    }
    assert sorted(shared["among four"]) == [0, 0, 0, 0, 2]
    assert sorted(shared["among near"]) == [0, 0, 1, 1, 2]


@given(NUMBERS, NUMBERS)
def test_half_of_the_cases_say_it_in_the_words_of_the_lesson(number: int, seed: int) -> None:
    situation = following(number, "lesson", seed=seed).situation
    state = re.findall(r" is (\w+), ", situation.guidance[0])[0]
    assert (f"is {state}." in situation.first) == (number % 2 == 0)


@given(NUMBERS, NUMBERS)
def test_no_probe_is_about_what_the_examples_are_about(number: int, seed: int) -> None:
    for case in (
        following(number, "among four", seed=seed),
        writing(number, seed=seed),
        reading(number, seed=seed),
        record(number, seed=seed),
    ):
        assert not EXAMPLES & set(re.findall(r"\w+", str(case).casefold()))


@given(NUMBERS, NUMBERS)
def test_the_answer_of_a_reading_case_stands_in_its_passage(number: int, seed: int) -> None:
    case = reading(number, seed=seed)
    assert case.passage.count(case.answer) == 1
    assert case.is_right(f"The {case.answer}.")
    assert not case.is_right("not stated")


def test_the_same_seed_gives_the_same_cases_and_another_gives_others() -> None:
    made = [[following(n, "among four", seed=seed) for n in range(20)] for seed in (3, 3, 4)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    ("lessons", "is_true"),
    [
        ([("do", "{good}")], True),
        ([("do", "{good}"), ("useless", "{bad}")], True),
        ([("do", "{good}"), ("do", "{bad}")], False),
        ([("do", "{bad}")], False),
        ([("useless", "{good}")], False),
        ([("do", "{good}"), ("avoid", "{good}")], False),
        ([], False),
    ],
)
def test_lessons_are_true_where_they_name_the_action_that_worked(
    lessons: list[tuple[str, str]], is_true: bool
) -> None:
    def said(messages: Sequence[Message]) -> str:
        case = next(
            one
            for n in range(CASES)
            if (one := writing(n)).transcript.first in messages[-1].content
        )
        words = {"good": case.good, "bad": case.bad}
        return json.dumps(
            {
                "guidance": [
                    {"when": f"it is {case.state}", "claim": claim, "what": f"{what.format(**words)} it", "level": "family"}
                    for claim, what in lessons
                ]
            }
        )  # fmt: skip

    figure = Prober(ScriptedModel(said), cases=CASES).lessons(1, is_constrained=True)
    assert (figure.right, figure.cases) == (CASES if is_true else 0, CASES)


@pytest.mark.parametrize(
    ("keep", "when", "right", "counts"),
    [
        (True, "", CASES, {"worded": 0, "refused": 0, "unread": 0}),
        (True, "a thing is odd", 0, {"worded": CASES, "refused": 0, "unread": 0}),
        (False, "", 0, {"worded": 0, "refused": CASES, "unread": 0}),
    ],
)
def test_what_an_editor_does_to_true_lessons_is_counted(
    keep: bool, when: str, right: int, counts: dict[str, int]
) -> None:
    answer = json.dumps({"lessons": [{"number": 1, "keep": keep, "when": when}]})
    figure = Prober(ScriptedModel(lambda _: answer), cases=CASES).edits()
    assert (figure.right, figure.also) == (right, counts)


def test_a_lesson_that_names_the_thing_itself_is_not_true() -> None:
    case = writing(0)
    lesson = {"when": f"{case.name} is {case.state}", "claim": "do", "what": f"{case.good} it"}
    model = ScriptedModel(lambda _: json.dumps({"guidance": [{**lesson, "level": "family"}]}))
    assert Prober(model, cases=1).lessons(1, is_constrained=True).right == 0


def test_a_model_that_copies_our_example_writes_nothing_new() -> None:
    figure = Prober(ScriptedModel(lambda _: DISTILLED[0][1]), cases=CASES).lessons(
        1, is_constrained=False
    )
    assert (figure.right, figure.also["new"], figure.also["in form"]) == (0, 0, 0)


def test_a_model_that_always_says_one_is_at_chance_and_keeps_the_default() -> None:
    found = tune(ScriptedModel(lambda _: "1"), cases=CASES)
    numbers = [one for one in found.figures if one.asked == "number"]
    assert [one.right for one in numbers] == [CASES // ACTIONS] * 3
    assert found.asking == Asking()
    assert all("scored" in what for what in found.left_out)


@pytest.mark.parametrize(
    ("instructions", "way"), [(ACTING_BY_NUMBER, "number"), (ACTING_THINKING, "thought")]
)
def test_a_model_that_follows_only_in_one_form_is_asked_in_that(
    instructions: str, way: str
) -> None:
    model = ScriptedModel(only_when_told(instructions))
    found = tune(model, cases=CASES)
    assert found.asking.way == way
    chosen = {one.condition: one.right for one in found.figures if one.asked == way}
    assert set(chosen) == set(CONDITIONS)
    assert chosen["lesson"] == chosen["among four"] == chosen["among near"] == CASES
    # A thought is asked for only where there is guidance; without, such a model is asked in a form it does not follow.
    assert chosen["none"] == (0 if way == "thought" else CASES // ACTIONS)
    remember_asking(found.fingerprint, found.asking, model=model.name)
    assert Student(model).form is FORMS[found.asking.way]


def test_a_model_that_rambles_is_asked_once_a_case() -> None:
    class Rambling(ScriptedModel):
        def chat(
            self,
            messages: Sequence[Message],
            *,
            sampling: Sampling = GREEDY,
            schema: Schema | None = None,
        ) -> Reply:
            self.asked.append(tuple(messages))
            usage = Usage(1, 0, sampling.max_tokens)
            return Reply("well, " * sampling.max_tokens, usage, self.name, "length")

    model = Rambling(())
    figure = Prober(model, cases=CASES).following("text", "lesson")
    assert (figure.right, len(model.asked)) == (0, CASES)


@pytest.mark.parametrize(("right", "way"), [(40, "text"), (39, "thought")])
def test_a_form_is_chosen_by_its_share_however_many_cases_it_was_asked(
    right: int, way: str
) -> None:
    figures = [
        Figure("following", "number", "lesson", 6, 20, NO_USAGE, {}),
        Figure("following", "text", "lesson", right, 100, NO_USAGE, {}),
        Figure("following", "shown", "none", 100, 100, NO_USAGE, {}),  # decides nothing
    ]
    assert best_way(figures) == way


def test_of_forms_that_are_as_good_the_default_is_kept() -> None:
    model = ScriptedModel(
        lambda messages: right_action(messages) if "Actions: " in messages[-1].content else "{}"
    )
    assert tune(model, cases=CASES).asking.way == Asking().way


@given(st.integers(1, 4))
def test_measuring_tells_how_far_it_is_and_each_figure_once(cases: int) -> None:
    told: list[Measured] = []
    lost = ScriptedModel(lambda _: "I am lost.")
    found = tune(lost, cases=cases, concurrency=1, on_progress=told.append)
    figures = [one.figure for one in told if one.figure]
    assert figures == list(found.figures)
    assert len(told) == (cases + 1) * len(figures)
    shares = [one.share for one in told]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.05
    assert shares[-1] == pytest.approx(1)


def test_examples_and_schema_are_those_that_served_best() -> None:
    case = writing(0)

    class Picky(ScriptedModel):
        """Writes a true lesson after three examples and unconstrained, else nothing of use."""

        def chat(
            self,
            messages: Sequence[Message],
            *,
            sampling: Sampling = GREEDY,
            schema: Schema | None = None,
        ) -> Reply:
            is_shown = len(messages) >= 2 + 2 * 3
            lesson = {"when": f"it is {case.state}", "claim": "do", "what": f"{case.good} it", "level": "family"}  # fmt: skip
            said = {"guidance": [lesson] if is_shown and schema is None else []}
            return Reply(json.dumps(said), Usage(1), self.name, "stop")

    found = tune(Picky(()), cases=1)
    assert found.asking.examples == 1  # with a schema none was better than the default
    figures = {one.asked: one.right for one in found.figures if one.probe == "lessons"}
    assert set(figures.values()) == {0}
    prober = Prober(Picky(()), cases=1)
    assert prober.lessons(3, is_constrained=False).right == 1


def test_a_server_that_ends_midway_is_told_and_nothing_is_half_done() -> None:
    model = ScriptedModel(["1"] * 40)
    with pytest.raises(ModelUnavailable):
        tune(model, cases=CASES)
    assert asking_of(ScriptedModel([])) == Asking()


class Caller(ScriptedModel):
    """Calls the tool with what it is told to, and says something."""

    def __init__(self, *calls: ToolCall, said: str = "") -> None:
        super().__init__(lambda _: "1")
        self._calls, self._said = calls, said

    def chat_with_tools(
        self, messages: Sequence[Message], tools: Sequence[Schema], *, sampling: Sampling = GREEDY
    ) -> Reply:
        assert [tool["name"] for tool in tools] == ["keep"]
        return Reply(self._said, Usage(1), self.name, "other", calls=self._calls)


RIGHT: Final = ToolCall("1", "keep", json.dumps(record(0).value))


@pytest.mark.parametrize(
    ("calls", "right", "called"),
    [
        ((RIGHT,), 1, 1),
        ((RIGHT, RIGHT), 0, 1),
        ((ToolCall("1", "drop", RIGHT.arguments),), 0, 1),
        ((ToolCall("1", "keep", "{"),), 0, 1),
        ((), 0, 0),
    ],
)
def test_a_tool_is_called_once_with_what_the_sentence_says(
    calls: tuple[ToolCall, ...], right: int, called: int
) -> None:
    figure = Prober(Caller(*calls), cases=1).tools()
    assert (figure.right, figure.also) == (right, {"called": called, "in words": 0})


@pytest.mark.parametrize(
    ("name", "calls", "in_words"), [("keep", (), 1), ("drop", (), 0), ("keep", (RIGHT,), 0)]
)
def test_a_call_that_stands_in_the_answer_is_counted_apart(
    name: str, calls: tuple[ToolCall, ...], in_words: int
) -> None:
    said = json.dumps({"name": name, "arguments": record(0).value})
    figure = Prober(Caller(*calls, said=f"```json\n{said}\n```"), cases=1).tools()
    assert (figure.right, figure.also["in words"]) == (len(calls), in_words)


def test_a_model_that_takes_no_tools_is_tuned_all_the_same() -> None:
    class Plain:
        """What a chat model is at the least."""

        name = "plain"

        def chat(
            self,
            messages: Sequence[Message],
            *,
            sampling: Sampling = GREEDY,
            schema: Schema | None = None,
        ) -> Reply:
            return Reply("1", Usage(1), self.name, "stop")

        def stream(
            self, messages: Sequence[Message], *, sampling: Sampling = GREEDY
        ) -> Iterator[str]:
            yield "1"

        def fingerprint(self) -> str:
            return "plain"

    found = tune(Plain(), cases=1)
    assert any(what.startswith("tools: ") for what in found.left_out)
    assert all(figure.probe != "tools" for figure in found.figures)


def test_a_model_that_changes_while_it_is_measured_is_refused() -> None:
    class Changing(ScriptedModel):
        def fingerprint(self) -> str:
            return str(len(self.asked))

    with pytest.raises(ModelChanged, match="measure it again"):
        tune(Changing(lambda _: "1"), cases=1)


@pytest.mark.parametrize("cases", [0, -1])
def test_no_cases_are_refused(cases: int) -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        tune(ScriptedModel([]), cases=cases)


# --- forms


class Lettered(ScriptedModel):
    """Tells how likely letters are: by their place, and a little by what they stand for."""

    def __init__(self, bias: Sequence[float], liked: str) -> None:
        super().__init__(())
        self._bias, self._liked = bias, liked

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        self.asked.append(tuple(messages))
        offered = re.findall(r"([A-Z])\) ([^;]*?)(?:;|\.\n)", messages[-1].content)
        found = [
            (f" {letter}", -place + (0.5 if action == self._liked else 0))
            for (letter, action), place in zip(offered, self._bias, strict=False)
        ]
        best = max(found, key=lambda one: one[1])
        token = TokenLogprob(*best, tuple(found))
        logprobs = (token,) if sampling.top_logprobs else None
        return Reply(best[0], Usage(1), self.name, "length", logprobs=logprobs)


@given(st.permutations([0.0, 0.0, 0.0, 0.0, 4.0]), st.sampled_from("abcd"))
def test_scoring_takes_out_what_favours_a_place(bias: list[float], liked: str) -> None:
    offered = ("wait a", "wait b", "wait c", "wait d")
    # A place that is never chosen, or another that always would be, with four actions on five letters.
    model = Lettered(bias[:4], f"wait {liked}")
    act = Student(model, form="scored").act(Situation("g", "f", offered=offered))
    half = len(offered) // 2
    totals = {
        action: bias[place] + bias[(place + half) % 4] - (1.0 if action.endswith(liked) else 0)
        for place, action in enumerate(offered)
    }
    assert totals[act.action] == pytest.approx(min(totals.values()))
    assert act.usage.calls == 2


def test_a_model_that_likes_the_first_letter_follows_its_content_all_the_same() -> None:
    model = Lettered([0.0, 0.2, 0.2, 0.2, 0.2], "wait c")
    situation = Situation("g", "f", offered=[f"wait {letter}" for letter in "abcde"])
    assert Student(model, form="scored").act(situation).action == "wait c"


def test_a_model_without_log_probabilities_cannot_be_scored() -> None:
    situation = Situation("g", "f", offered=("a", "b"))
    with pytest.raises(NoAnswer, match="log-probabilities"):
        Student(ScriptedModel(["A"]), form="scored").act(situation)


@given(st.lists(st.text(), min_size=2, unique=True))
def test_no_action_stands_at_the_same_place_in_both_orders(actions: list[str]) -> None:
    first, second = orders_of(actions)
    assert sorted(first) == sorted(second) == sorted(actions)
    assert all(one != other for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("said", "action"),
    [("2", "flush it"), ("2) flush it", "flush it"), ("**2**", "flush it"), ("drain it", "drain it"),
     ("0", "0"), ("3", "3"), ("2nd", "2nd"), ("1" * 40, "1" * 40)],
)  # fmt: skip
def test_a_number_means_the_action_that_it_stands_before(said: str, action: str) -> None:
    situation = Situation("g", "f", offered=("drain it", "flush it"))
    model = ScriptedModel([said])
    assert Student(model, form="number").act(situation).action == action
    assert "Actions: 1) drain it; 2) flush it.\n" in model.asked[0][-1].content


def test_a_thought_is_kept_apart_from_the_action() -> None:
    model = ScriptedModel(["Thought: It is slow, so I do not flush it.\nAction: drain it"])
    act = Student(model, form="thought").act(Situation("g", "f", offered=("drain it", "flush it")))
    assert act.action == "drain it"
    assert "I do not flush it" in act.thought


@pytest.mark.parametrize("form", WAYS)
def test_where_nobody_knows_the_actions_their_text_is_asked_for(form: str) -> None:
    model = ScriptedModel(["look around"])
    assert Student(model, form=form).act(Situation("g", "f")).action == "look around"  # type: ignore[arg-type]  # from the table
    assert "Actions: " not in model.asked[0][-1].content


def test_every_way_has_a_form() -> None:
    assert set(FORMS) == set(WAYS)
    assert set(get_args(Condition)) == set(CONDITIONS)
    assert all(math.isfinite(len(form.about)) and form.about for form in FORMS.values())


def test_a_form_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(InvalidInput, match="shown"):
        Student(ScriptedModel([]), form="show")  # type: ignore[arg-type]  # that is refused
    with pytest.raises(InvalidInput, match="of its own"):
        Student(ScriptedModel([]), form="shown", instructions="Act.")
    with pytest.raises(InvalidInput, match="0 to 3"):
        Teacher(ScriptedModel([]), examples=4)
