"""Runs from their settings to their rows: what memory is worth, what goes wrong, what is gone on with."""

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from agentcl.agents.student import Student
from agentcl.bench.baseline_player import BaselinePlayer
from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.plain import FullContext
from agentcl.bench.episodes import play_tasks
from agentcl.bench.folder import RunFolder
from agentcl.bench.leaks import CheckedMemory
from agentcl.bench.learners import LessonWriter
from agentcl.bench.questions import Reader, ask_questions
from agentcl.bench.rows import Part, ResultRow
from agentcl.bench.run import _check_frozen, begin, go_on, progress, run_part
from agentcl.bench.settings import from_mapping
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.envs.registry import open_domain
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.errors import ConfigError, InvalidInput, ModelChanged, ModelUnavailable, StoreBusy
from agentcl.models import ScriptedModel

DOMAINS = Path(__file__).parents[2] / "unit" / "envs"
TABLES: dict[str, Any] = {
    "name": "test",
    "tasks": {"domain": "incidents", "families": ["remedy"], "episodes": 30},
    "agent": {"name": "responder"},
    "memory": {"baselines": ["none", "bm25"], "encoder": "hashing"},
}


def changed(**tables: Any) -> dict[str, Any]:
    return {
        **TABLES,
        **{k: {**TABLES.get(k, {}), **v} if isinstance(v, dict) else v for k, v in tables.items()},
    }


def run(path: Path, tables: Mapping[str, Any]) -> RunFolder:
    folder = begin(path, from_mapping(tables, where="test"))
    ended = go_on(folder)
    assert (ended.state, ended.done) == ("complete", ended.total)
    return RunFolder(path)


def mean(rows: Sequence[ResultRow]) -> float:
    return statistics.fmean(row.score for row in rows if row.score is not None)


def repeated(folder: RunFolder) -> list[dict[str, Any]]:
    return [row.repeated() for row in folder.rows()]


def test_memory_is_worth_something_where_there_is_something_to_learn(tmp_path: Path) -> None:
    folder = run(
        tmp_path / "run",
        changed(seeds=[0, 1, 2, 3], memory={"baselines": ["none", "bm25", "ours"]}),
    )
    late = {
        baseline: [row for row in folder.rows(baseline) if row.number >= 15]
        for baseline in folder.settings.memory.baselines
    }
    assert mean(late["none"]) < 0.7
    assert mean(late["bm25"]) > 0.95
    assert mean(late["ours"]) > 0.95
    assert not any(row.leaks for row in folder.rows())
    assert folder.about["bounds"]["remedy"] == {
        "without memory": pytest.approx(0.5),
        "with knowledge": 1.0,
    }
    assert folder.about["state"] == "complete"


def test_where_memory_cannot_help_it_does_not(tmp_path: Path) -> None:
    tables = changed(seeds=[0, 1, 2], tasks={"families": ["control"], "episodes": 60})
    folder = run(tmp_path / "run", tables)
    ours, none = (list(folder.rows(baseline)) for baseline in ("bm25", "none"))
    assert abs(mean(ours) - mean(none)) < 0.1


def test_processes_side_by_side_find_the_same(tmp_path: Path) -> None:
    told: list[ResultRow] = []
    alone = run(tmp_path / "alone", changed(seeds=[0, 1]))
    folder = begin(tmp_path / "both", from_mapping(changed(seeds=[0, 1], workers=2), where="test"))
    go_on(folder, on_row=told.append)
    assert repeated(folder) == repeated(alone)
    assert len(told) == 120


def test_a_stopped_run_goes_on_to_the_same_result(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", TABLES)
    folder = begin(tmp_path / "stopped", from_mapping(TABLES, where="test"))
    rows: list[ResultRow] = []
    ended = go_on(folder, on_row=rows.append, should_stop=lambda: len(rows) >= 7)
    assert ended.state == "stopped"
    assert RunFolder(folder.path).about["state"] == "stopped"
    assert 7 <= ended.done < ended.total
    assert go_on(RunFolder(folder.path)).state == "complete"
    assert repeated(folder) == repeated(whole)


def test_a_killed_run_goes_on_to_the_same_result(tmp_path: Path) -> None:
    tables = changed(tasks={"episodes": 600}, memory={"baselines": ["bm25", "ours"]}, workers=2)
    whole = run(tmp_path / "whole", tables)
    command = [
        sys.executable, "-c", "from agentcl.cli.main import main; main()", "bench", "run", "--out", str(tmp_path / "killed"), "--domain",
        "incidents", "--family", "remedy", "-n", "600", "--agent", "responder", "--baseline", "bm25", "--baseline",
        "ours", "--encoder", "hashing", "--workers", "2", "--set", "name=test",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and _rows(tmp_path / "killed") < 20:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert _rows(tmp_path / "killed") < 1200
    folder = RunFolder(tmp_path / "killed")
    assert go_on(folder).state == "complete"
    assert repeated(folder) == repeated(whole)


def test_a_run_that_is_killed_again_and_again_goes_on_each_time(tmp_path: Path) -> None:
    tables = changed(
        tasks={
            "stream": "alternating",
            "families": ["remedy", "needs"],
            "episodes": 60,
            "test_episodes": 5,
        },
        memory={"baselines": ["none", "guidance"]},
        experts=True,
    )
    whole = run(tmp_path / "whole", tables)
    killed = begin(tmp_path / "killed", from_mapping(tables, where="test"))
    resume = ["bench", "resume", str(killed.path)]
    command = [sys.executable, "-c", "from agentcl.cli.main import main; main()", *resume]
    done = [0]
    for _ in range(5):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and progress(killed).done < done[-1] + 20:
            time.sleep(0.005)
        process.kill()
        process.wait()
        done.append(progress(killed).done)
    assert all(later > before for before, later in pairwise(done)), done
    assert done[-1] < progress(killed).total
    assert go_on(killed).state == "complete"
    assert repeated(killed) == repeated(whole)
    for part in killed.parts():
        rows, same = (
            [row.repeated() for row in one.row_file(part.baseline, part.seed, part.alone).rows()]
            for one in (killed, whole)
        )
        assert rows == same


def test_resuming_a_run_that_has_ended_keeps_what_its_head_says(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", TABLES)
    before = folder.about["baselines"]
    assert before["bm25"]
    assert go_on(RunFolder(folder.path)).state == "complete"
    assert RunFolder(folder.path).about["baselines"] == before
    assert not (folder.path / "vectors").exists()


@pytest.mark.parametrize("domain", ["incident-logs", "textworld", "babyai"])
def test_rules_that_do_not_change_are_refused_with_parameters_that_there_are(
    domain: str, tmp_path: Path
) -> None:
    tables = {
        "tasks": {"domain": domain, "stream": "changing"},
        "agent": {"name": "random"},
        "memory": {"baselines": ["none"]},
    }
    with pytest.raises(ConfigError) as refused:
        begin(tmp_path / "run", from_mapping(tables, where="test"))
    said = str(refused.value)
    named = {task_parameter for task in islice(open_domain(domain).tasks("test"), 50)
             for task_parameter in task.parameters}  # fmt: skip
    suggested = re.findall(r"\{(\w+) = ", said)
    assert set(suggested) <= named
    assert suggested or "choose another stream" in said


def test_a_resumed_run_remembers_what_it_learned_at_once(tmp_path: Path) -> None:
    """One addition for all rows: an encoder takes long for each text by itself."""
    added: list[int] = []

    class Noted(FullContext):
        def add(self, items: Sequence[Item]) -> None:
            added.append(len(items))
            super().add(items)

    folder = run(tmp_path / "run", TABLES)
    rows = [*folder.rows("bm25")]
    stream = folder.stream(0)
    assert stream is not None
    memory = CheckedMemory(Noted(), limit=5)
    BaselinePlayer(lambda item: memory, Student(ScriptedModel([]))).resume(stream, rows)
    assert added == [sum(len(row.learned) for row in rows)]


def _rows(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("episodes/*.jsonl"))


def test_a_budget_of_tokens_ends_each_life(tmp_path: Path) -> None:
    tables = changed(agent={"name": "model"}, budget_tokens=500)
    settings = from_mapping(tables, where="test")
    folder = RunFolder.create(tmp_path / "run", settings, {"episodes": {"0": 30}})
    model = ScriptedModel(lambda messages: "Answer: nothing")
    ended = run_part(folder, Part("none", 0), model)
    rows = list(folder.rows("none"))
    assert ended.state == "budget"
    assert sum(row.tokens for row in rows[:-1]) < 500 <= sum(row.tokens for row in rows)
    assert run_part(folder, Part("none", 0), model).state == "budget"
    assert len(list(folder.rows("none"))) == len(rows)


def test_two_runs_do_not_write_to_one_folder(tmp_path: Path) -> None:
    folder = begin(tmp_path / "run", from_mapping(TABLES, where="test"))
    with folder.writing(), pytest.raises(StoreBusy, match="another run writes"):
        go_on(RunFolder(tmp_path / "run"))
    with pytest.raises(InvalidInput, match="holds a run already"):
        begin(tmp_path / "run", from_mapping(TABLES, where="test"))


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("raise", "the engine has a fault"),
        ("nan", "a score of nan"),
        ("shut", "there is no episode"),
        ("long", "5,000,000 characters"),
    ],
)
def test_an_environment_that_breaks_is_counted_apart(
    way: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOMAINS))
    tables = changed(tasks={"domain": "odd_domains:Odd", "options": {"way": way}, "episodes": 4})
    failed = [row for row in run(tmp_path / "run", tables).rows() if row.end == "failed"]
    assert failed
    assert all(row.score is None and said in row.error for row in failed)
    assert not any(row.learned for row in failed)


def test_an_environment_that_does_not_close_loses_no_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOMAINS))
    tables = changed(
        tasks={"domain": "odd_domains:Odd", "options": {"way": "stuck"}, "episodes": 2}
    )
    rows = list(run(tmp_path / "run", tables).rows())
    assert rows
    assert all(row.score is not None for row in rows)


@pytest.mark.parametrize(("way", "said"), [("die", "exit status 3"), ("hang", "did not answer")])
def test_an_environment_of_its_own_process_may_die_or_hang(
    way: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOMAINS))
    options = {"way": way, "note": str(tmp_path / "note")}
    tables = changed(
        tasks={"domain": "odd_domains:Odd", "options": options, "episodes": 3, "isolated": True,
               "timeout_s": 8.0},
        memory={"baselines": ["none"]},
    )  # fmt: skip
    rows = list(run(tmp_path / "run", tables).rows())
    assert len(rows) == 3
    assert any(row.end == "failed" and said in row.error for row in rows)


def test_questions_are_recalled_for_and_read(tmp_path: Path) -> None:
    events: list[Arrival | Question] = []
    for n, town in enumerate(("Medom", "Zazor", "Tafur")):
        events.append(Arrival(f"d{n}", f"The mayor of {town} is Number{n}."))
        events.append(
            Question(f"q{n}", f"Who is the mayor of {town}?", (f"Number{n}",), frozenset({f"d{n}"}))
        )
    path = tmp_path / "stream.jsonl"
    QuestionStream("towns", "CC0-1.0", tuple(events)).save(path)
    tables = {"questions": {"source": str(path)}, "agent": {"name": "none"},
              "memory": {"baselines": ["none", "full", "bm25", "ours"], "encoder": "hashing", "limit": 1}}  # fmt: skip
    folder = run(tmp_path / "run", tables)
    assert [row.score for row in folder.rows("none")] == [0, 0, 0]
    assert [row.score for row in folder.rows("bm25")] == [1, 1, 1]
    assert [row.score for row in folder.rows("ours")] == [1, 1, 1]
    assert [len(row.recalled) for row in folder.rows("full")] == [1, 2, 3]
    assert folder.about["licences"] == ["CC0-1.0"]


def test_a_stopped_run_of_questions_goes_on_to_the_same_result(tmp_path: Path) -> None:
    tables = {"questions": {"source": "fact-consolidation", "options": {"facts": 40, "questions": 4}},
              "agent": {"name": "none"}, "memory": {"baselines": ["bm25"]}, "seeds": [0, 1]}  # fmt: skip
    whole = run(tmp_path / "whole", tables)
    folder = begin(tmp_path / "stopped", from_mapping(tables, where="test"))
    rows: list[ResultRow] = []
    go_on(folder, on_row=rows.append, should_stop=lambda: len(rows) >= 3)
    assert go_on(RunFolder(folder.path)).state == "complete"
    assert repeated(folder) == repeated(whole)


def test_arrivals_of_the_same_words_are_all_remembered() -> None:
    events = (
        Arrival("a", "Thanks!"), Arrival("b", "Thanks!"),
        Question("q", "Thanks!", ("x",), frozenset({"a", "b"})),
    )  # fmt: skip
    stream = QuestionStream("thanks", "CC0-1.0", events)
    rows = list(
        ask_questions(Part("full", 0), [stream], lambda place: FullContext(), None, limit=5)
    )
    assert set(rows[0].recalled) == {"a", "b"}


def _pools() -> Any:
    return pools_of(IncidentDomain(), "test", ["remedy"], where={"deployment": 80})


def _played(stream: Any, model: ScriptedModel, **parts: Any) -> list[ResultRow]:
    memory = CheckedMemory(parts.pop("baseline", FullContext()), limit=9)
    actor = parts.pop("actor", Student(model, instructions=""))
    domain = IncidentDomain()
    return list(
        play_tasks(
            Part("full", 0),
            stream,
            BaselinePlayer(lambda item: memory, actor, LessonWriter(model)),
            domain.make,
            oracle=domain.oracle(),
            **parts,
        )
    )


def test_a_model_acts_learns_and_is_shown_what_it_learned() -> None:
    lesson = '{"guidance": [{"when": "a ledger is blocked", "claim": "do", "what": "drain it"}]}'

    def script(messages: Sequence[Any]) -> str:
        asked = messages[-1].content
        if asked.endswith("as JSON."):
            return lesson
        actions = asked.split("Actions: ")[1].split(".")[0].split("; ")
        return f"Let us see. Answer: {actions[0].upper()}"

    rows = _played(random_stream("test", _pools(), episodes=4, seed=0), ScriptedModel(script))
    assert rows[0].learned[0].text == "When a ledger is blocked, drain it."
    assert rows[0].steps[0].thought.startswith("Let us see.")
    assert rows[0].steps[0].action.islower() is False  # it has a name in it
    assert rows[1].shown == ("When a ledger is blocked, drain it.",)
    assert not rows[1].learned  # it is held already
    assert set(rows[0].usage) == {"act", "learn"}


def test_a_model_that_writes_no_lessons_learns_nothing_and_goes_on() -> None:
    rows = _played(
        random_stream("test", _pools(), episodes=2, seed=0), ScriptedModel(lambda m: "What?")
    )
    assert [row.learned for row in rows] == [(), ()]
    assert [row.end for row in rows] == ["truncated", "truncated"]


def test_a_model_that_cannot_be_asked_ends_the_run() -> None:
    with pytest.raises(ModelUnavailable):
        _played(random_stream("test", _pools(), episodes=2, seed=0), ScriptedModel([]))


class Leaky(FullContext):
    """Recalls what nobody told it."""

    def recall(self, query: str, *, limit: int) -> list[Item]:
        return [Item("answers", "When a ledger is blocked, drain it.")]


class Altering(FullContext):
    """Recalls other words than it was told."""

    def recall(self, query: str, *, limit: int) -> list[Item]:
        return [Item(item.id, f"{item.text}!") for item in super().recall(query, limit=limit)]


def test_what_was_never_remembered_is_a_leak() -> None:
    stream = random_stream("test", _pools(), episodes=3, seed=0)
    model = ScriptedModel(lambda messages: "Answer: nothing")
    leaky = _played(stream, model, baseline=Leaky())
    assert all("never remembered" in row.leaks[0] for row in leaky)
    assert not any(row.leaks for row in _played(stream, model, baseline=FullContext()))
    learning = ScriptedModel(
        lambda m: '{"guidance": [{"when": "it is", "claim": "do", "what": "do it"}]}'
        if m[-1].content.endswith("JSON.") else "Answer: nothing"
    )  # fmt: skip
    assert "another text" in _played(stream, learning, baseline=Altering())[-1].leaks[0]


def test_answers_in_the_instructions_are_a_leak() -> None:
    stream = random_stream("test", _pools(), episodes=2, seed=0)
    domain = IncidentDomain()
    answer = domain.oracle().actions(stream.items[0].task, seed=stream.items[0].seed)[0]
    model = ScriptedModel(lambda messages: "Answer: nothing")
    rows = _played(
        stream, model, actor=Student(model, instructions=f"The right action is {answer}.")
    )
    assert answer in rows[0].leaks[0]
    reader = Reader(
        ScriptedModel(lambda messages: "Answer: Zazor"), instructions="It is always Zazor."
    )
    events = (
        Arrival("d", "The mayor is Zazor."),
        Question("q", "Who?", ("Zazor",), frozenset({"d"})),
    )
    asked = QuestionStream("one", "CC0-1.0", events)
    read = list(
        ask_questions(Part("full", 0), [asked], lambda place: FullContext(), reader, limit=5)
    )
    assert "Zazor" in read[0].leaks[0]
    assert read[0].is_success


def test_a_model_that_changed_is_refused(tmp_path: Path) -> None:
    folder = begin(tmp_path / "run", from_mapping(TABLES, where="test"))
    folder.note(**{"fingerprint before": "of another model", "model": "m"})
    go_on(folder)  # nobody is asked here
    with pytest.raises(ModelChanged, match="is not the one that this run began with"):
        _check_frozen(folder, "of this model")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"memory": {"baselines": ["our"]}}, "did you mean 'ours'"),
        ({"agent": {"name": "respond"}}, "there is no agent 'respond'"),
        ({"tasks": {"domain": "nowhere"}}, "there is no domain 'nowhere'"),
        ({"tasks": {"where": [{"colour": "each"}]}}, "has a parameter 'colour'"),
        ({"tasks": {"families": ["nothing"]}}, "there is no family 'nothing'"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_written(
    tables: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises((ConfigError, InvalidInput), match=said):
        begin(tmp_path / "run", from_mapping(changed(**tables), where="test"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "stream", ["blocks", "interleaved", "alternating", "two-passes", "reuse", "changing"]
)
def test_every_kind_of_stream_runs(stream: str, tmp_path: Path) -> None:
    tasks: dict[str, Any] = {
        "stream": stream,
        "families": ["remedy", "needs"],
        "episodes": 8,
        "test_episodes": 2,
    }
    folder = run(tmp_path / "run", changed(tasks=tasks))
    rows = list(folder.rows("bm25"))
    assert not any(row.learned for row in rows if row.phase in ("test", "held-out"))
    assert any(row.learned for row in rows)


@pytest.mark.parametrize(
    ("stream", "phases"),
    [
        ("adapt", ["trial 1", "trial 2"]),
        ("gen-env", ["known", "held-out"]),
        ("gen-task", ["known", "held-out"]),
        ("revisited", ["visit 1, deployment 80", "visit 1, deployment 81",
                       "visit 2, deployment 80", "visit 2, deployment 81"]),
    ],
)  # fmt: skip
def test_what_carries_over_is_run(stream: str, phases: list[str], tmp_path: Path) -> None:
    tasks: dict[str, Any] = {
        "stream": stream,
        "options": {"estates": "10"},
        "families": ["remedy", "needs"],
        "episodes": 4,
        "test_episodes": 3,
        "trials": 2,
        "places": 2,
    }
    folder = run(tmp_path / "run", changed(tasks=tasks))
    rows = list(folder.rows("bm25"))
    assert list(dict.fromkeys(row.phase for row in rows)) == phases
    assert not any(row.learned for row in rows if row.phase == "held-out")
    assert any(row.learned for row in rows)
    estates = {row.task.rpartition("estate=")[2] for row in rows}
    assert estates == ({"0", "1"} if stream == "revisited" else {"0"})
    places = {row.task.partition("deployment=")[2].partition(",")[0] for row in rows}
    assert places == {"gen-env": {"0", "10", "80"}, "revisited": {"80", "81"}}.get(stream, {"80"})


def test_what_recurs_by_a_power_law_is_run(tmp_path: Path) -> None:
    tables = changed(tasks={"stream": "recurring", "recurrence": 1.2, "episodes": 40})
    rows = list(run(tmp_path / "run", tables).rows("bm25"))
    assert len(rows) == 40
    assert mean(rows[20:]) > 0.9
    again = run(tmp_path / "again", changed(tasks={"stream": "recurring", "episodes": 40}))
    assert [row.task for row in again.rows("bm25")] != [row.task for row in rows]


def test_a_run_learns_in_some_phrases_and_goes_on_in_others_under_the_same_rules(
    tmp_path: Path,
) -> None:
    tables = changed(
        tasks={
            "stream": "changing",
            "options": {"voice": "natural", "phrasings": "both"},
            "where": [{"deployment": 80, "phrasings": share} for share in ("train", "eval")],
        },
        agent={"name": "oracle"},
        memory={"baselines": ["none"]},
    )
    rows = list(run(tmp_path / "run", tables).rows())
    told = {row.phase: {row.task.partition("phrasings=")[2]} for row in rows}
    assert told == {"rules 1": {"train,voice=natural"}, "rules 2": {"eval,voice=natural"}}
    assert mean(rows) == 1.0


def test_what_was_learned_in_an_estate_helps_in_a_new_deployment(tmp_path: Path) -> None:
    tables = changed(
        seeds=[0, 1, 2],
        tasks={
            "stream": "gen-env",
            "options": {"estates": "10"},
            "families": ["remedy"],
            "episodes": 18,
        },
        memory={"baselines": ["none", "bm25"]},
    )
    folder = run(tmp_path / "run", tables)
    new = {
        baseline: [row for row in folder.rows(baseline) if row.phase == "held-out"]
        for baseline in ("none", "bm25")
    }
    assert len(new["bm25"]) == 27
    assert mean(new["bm25"]) > mean(new["none"]) + 0.2


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({"stream": "gen-env"}, "no two sets of rules of incidents have anything in common"),
        ({"stream": "gen-task"}, "name at least two of remedy, needs, diagnose, control"),
        ({"stream": "revisited", "where": [{"deployment": 80}]}, "deployment 80.* one comes twice"),
        ({"stream": "adapt", "where": [{"deployment": 80}, {"deployment": 81}]}, "several times"),
        ({"stream": "adapt", "order": "random"}, "before it is given phases"),
        ({"stream": "adapt", "trials": 1}, "tasks.trials must be at least 2"),
    ],
)
def test_streams_that_carry_nothing_over_are_refused(
    tasks: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises((ConfigError, InvalidInput), match=said):
        begin(tmp_path / "run", from_mapping(changed(tasks=tasks), where="test"))


@pytest.mark.parametrize("order", ["difficulty", "similarity", "random"])
def test_a_stream_is_ordered_as_asked(order: str, tmp_path: Path) -> None:
    folder = run(tmp_path / "run", changed(tasks={"order": order, "families": ["remedy", "needs"]}))
    assert folder.about["orders"] != ["random"] or order == "random"


def test_rules_change_under_the_same_situations(tmp_path: Path) -> None:
    tables = changed(
        seeds=[0, 1, 2],
        tasks={"stream": "changing", "episodes": 80},
        memory={"baselines": ["none", "bm25"]},
    )
    folder = run(tmp_path / "run", tables)
    before = [row for row in folder.rows("bm25") if row.phase == "rules 1"]
    after = [row for row in folder.rows("bm25") if row.phase == "rules 2"]
    assert {row.first.split()[1] for row in before} == {row.first.split()[1] for row in after}
    assert mean(before[-10:]) == 1.0
    moment = {seed: min(row.number for row in after if row.seed == seed) for seed in (0, 1, 2)}
    at_once = [row for row in after if row.number < moment[row.seed] + 6]
    assert mean(at_once) < 0.7  # what was learned helps no more


def test_a_kept_stream_is_run_again(tmp_path: Path) -> None:
    first = run(tmp_path / "first", TABLES)
    stream = str(first.path / "streams" / "0.jsonl")
    again = run(tmp_path / "again", {**TABLES, "tasks": {"file": stream}})
    assert repeated(again) == repeated(first)
