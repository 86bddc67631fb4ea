"""The scripted investigator: guidance sets its order, episodes bear lines out, and memory helps where it can."""

import random
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.envs.acting import nothing_known
from agentcl.envs.base import Score, Task
from agentcl.envs.domains.excytin.domain import (
    ExcytinDomain,
    IncidentLogsDomain,
    InvestigationDomain,
)
from agentcl.envs.domains.excytin.generator import make_landscape
from agentcl.envs.domains.excytin.guidance import (
    NEXT_ALERT,
    Column,
    LineMemory,
    as_lesson,
    as_line,
    avoid,
    look_in,
    situation_of,
    sorted_by_guidance,
    to_find,
    to_locate,
)
from agentcl.envs.domains.excytin.investigator import Investigator
from agentcl.envs.domains.excytin.reading import (
    asked_kind,
    best_titles,
    kinds_of,
    rows_of,
    told_values,
)
from agentcl.envs.policies import Played, play

SEED = 5
DOMAIN = IncidentLogsDomain(SEED)
A, B, C, D = (Column("Log", column) for column in "ABCD")


def played(
    domain: InvestigationDomain,
    investigator: Investigator,
    task: Task,
    ask: Callable[[str], Sequence[str]] = nothing_known,
) -> Played:
    environment = domain.make()
    try:
        return play(environment, investigator, task, seed=0, ask=ask)
    finally:
        environment.close()


def mean(episodes: Sequence[Played]) -> float:
    return sum(one.score.value for one in episodes if one.score) / len(episodes)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Can you give details? What is the IP address of the host?", "IP address"),
        ("Can you identify the security identifier (SID) of Ada's account?", "SID"),
        ("Provide the process command line that was used.", "command line"),
        ("What is the name of the account on the device?", "account name"),
        ("Who signed in?", "account name"),
        ("What is the Process ID of the tool?", "process id"),
        ("Which device was attacked by the account?", "host name"),
        ("What is the AadUserId of the account?", "user id"),
        ("What tool was run?", "file name"),
        ("Which URL did it open?", "URL"),
    ],
)
def test_it_reads_what_a_question_asks_for(question: str, kind: str) -> None:
    assert asked_kind(question).name == kind


def test_it_reads_what_a_text_tells() -> None:
    text = "The host `ws-1` (10.0.0.7) opened https://x.example/y, then `a b.exe`, then `ws-1`."
    assert told_values(text) == ["ws-1", "10.0.0.7", "https://x.example/y", "a b.exe"]
    assert [kinds_of(value)[0].name for value in told_values(text)] == [
        "host name",
        "IP address",
        "URL",
        "command line",
    ]
    assert kinds_of("tool.exe")[0].name == "file name"


def test_it_reads_rows_and_nothing_else() -> None:
    assert rows_of("[('a', None, 1)]\n(only the first 1 rows were read)") == [("a", "", "1")]
    for text in ("", "Error: no such table: x", "[('a', 'b", "['a']", "[" * 5_000):
        assert rows_of(text) == []


def test_it_picks_the_alert_that_a_question_speaks_of() -> None:
    alerts = [
        ("Malicious link was opened", ""),
        ("Sign-in from an odd place", "A link"),
        ("Other",),
    ]
    best = best_titles("Who opened the malicious link?", "A sign-in was odd.", alerts)
    assert best[0] == "Malicious link was opened"
    assert sorted(best) == sorted(title for title, *_ in alerts)


def test_guidance_sets_the_order_and_its_first_line_about_a_place_counts() -> None:
    purpose = to_find("host name")
    lines = [
        look_in(purpose, C),
        avoid(purpose, A),
        avoid(purpose, C),
        look_in(purpose, Column("Log", "Gone")),
        look_in(NEXT_ALERT, B),
        "Look everywhere.",
        f"  {avoid(purpose, D)}\n",
    ]
    assert lines[0] == "To find a host name, look in Log.C."
    assert sorted_by_guidance([A, B, C, D], purpose, lines) == ([C], [B], [D, A])
    assert sorted_by_guidance([A, B], purpose, ()) == ([], [A, B], [])


def test_lines_come_back_by_how_often_they_were_borne_out() -> None:
    memory = LineMemory()
    find, locate = to_find("URL"), to_locate("URL")
    memory.add([look_in(find, A), look_in(find, B), look_in(locate, A)])
    memory.add([look_in(find, B)])
    assert memory.recall(find) == [look_in(find, B), look_in(find, A)]
    assert memory.recall(locate) == ["To locate a URL, look in Log.A."]
    assert memory.recall(to_find("URL of")) == []
    assert len(memory) == 3


def told_everything(query: str) -> Sequence[str]:
    """What whoever knows the landscape would say."""
    landscape = make_landscape(SEED)
    if query == NEXT_ALERT:
        return [look_in(query, Column(*landscape.true[kind])) for kind in landscape.links]
    kind = query.split(maxsplit=2)[2]
    return [look_in(query, Column(*landscape.true[kind]))] if kind in landscape.true else []


def test_told_everything_it_solves_every_task() -> None:
    test = list(DOMAIN.tasks("test"))[::12]
    assert mean([played(DOMAIN, Investigator(), task, told_everything) for task in test]) == 1


def test_told_the_wrong_column_it_looks_there_first() -> None:
    task = next(DOMAIN.tasks("test", family="one-hop"))

    def wrong(query: str) -> Sequence[str]:
        return [look_in(query, Column("SecurityAlert", "AlertName"))]

    actions = [action for action, _ in played(DOMAIN, Investigator(), task, wrong).steps]
    after_the_titles = next(n for n, action in enumerate(actions) if "WHERE AlertName" in action)
    assert "FROM SecurityAlert WHERE AlertName = " in actions[after_the_titles + 1]
    assert actions[after_the_titles + 1].startswith("execute[SELECT DISTINCT SystemAlertId")


def test_it_always_submits_within_the_limit_and_repeats_itself() -> None:
    for task in islice(DOMAIN.tasks("dev", family="three-hops"), 6):
        for limit in (1, 2, 7, 25):
            short = Task(task.env, task.family, task.variation, task.split, limit, task.parameters)
            episode = played(DOMAIN, Investigator(), short)
            assert episode.end == "terminated"
            assert len(episode.steps) <= limit
            assert episode == played(DOMAIN, Investigator(), short)


def test_success_and_failure_bear_out_different_lines() -> None:
    task = next(DOMAIN.tasks("test", family="one-hop"))
    investigator = Investigator()
    played(DOMAIN, investigator, task)
    good = investigator.learn(Score(1.0, 1.0, True))
    bad = investigator.learn(Score(0.0, 0.0, False))
    assert [line for line in good if line.startswith("To find")]
    assert all("look in" in line for line in good)
    assert [line for line in bad if line.startswith("To find") and "avoid" in line]
    known = [line for line in good if line.startswith("To locate")]
    assert known == [line for line in bad if line.startswith("To locate")]


def test_no_line_holds_a_value_of_an_incident() -> None:
    investigator = Investigator()
    for task in islice(DOMAIN.tasks("train", family="two-hops"), 8):
        episode = played(DOMAIN, investigator, task)
        assert episode.score is not None
        question = DOMAIN.question(task)
        values = [part for step in question.solution for part in step.split("`")[1::2]]
        for line in investigator.learn(episode.score):
            assert not [value for value in values if value in line]


def test_first_attempts_get_better_with_memory_where_there_is_something_to_learn() -> None:
    memory = LineMemory()
    learner = Investigator()
    train = list(DOMAIN.tasks("train"))
    for task in random.Random(0).sample(train, 60):
        episode = played(DOMAIN, learner, task, memory.recall)
        assert episode.score is not None
        memory.add(learner.learn(episode.score))
    test = list(DOMAIN.tasks("test"))[::8]
    without = mean([played(DOMAIN, Investigator(), task) for task in test])
    with_memory = mean([played(DOMAIN, learner, task, memory.recall) for task in test])
    assert with_memory > without + 0.3


def test_it_investigates_a_folder(folder: Path) -> None:
    domain = ExcytinDomain(str(folder))
    episode = played(domain, Investigator(), next(domain.tasks("test")))
    assert episode.score is not None
    assert episode.score.is_success


def test_it_answers_some_real_questions(real_folder: Path) -> None:
    domain = ExcytinDomain(str(real_folder))
    tasks = list(domain.tasks("dev", family="incident_5"))
    share = mean([played(domain, Investigator(), task) for task in tasks])
    assert 0.2 < share < 0.9


def test_a_line_is_a_lesson_and_a_lesson_a_line() -> None:
    purposes = (to_find("host name"), to_locate("IP address"), NEXT_ALERT)
    lines = [
        form(purpose, place)
        for purpose in purposes
        for place in (A, B)
        for form in (look_in, avoid)
    ]
    for line in lines:
        lesson = as_lesson(line)
        assert lesson is not None
        assert as_line(lesson.sentence()) == line
    assert len({as_lesson(line) for line in lines}) == len(lines)
    assert as_lesson("Look anywhere.") is None
    assert as_line("When a queue is slow, drain it.") == "When a queue is slow, drain it."


def test_lessons_that_were_recalled_set_the_order(tmp_path: Path) -> None:
    """What the first episodes bore out is recalled for its purpose, by agentcl's own memory."""
    purpose = to_find("host name")
    told = as_lesson(look_in(purpose, C))
    assert told is not None
    with Memory(tmp_path, encoder="hashing") as memory:
        for number in range(3):
            with memory.episode(f"case {number}", application="logs", seed=number) as episode:
                episode.finish(1.0)
            memory.lessons.reflect([told], episode=episode.record, levels=["anywhere"])
        with memory.episode("another", application="logs", is_frozen=True) as episode:
            recalled = episode.recall(situation_of(purpose))
            assert [as_line(line) for line in recalled.lessons] == [look_in(purpose, C)]
            assert not episode.recall(situation_of(to_locate("URL"))).lessons
    known, others, _ = sorted_by_guidance([A, B, C], purpose, [look_in(purpose, C)])
    assert (known, others) == ([C], [A, B])
