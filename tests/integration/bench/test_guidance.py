"""Baselines that learn from episodes: guidance, and what it is compared with."""

import json
import re
import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from agentcl.agents.outcomes import OutcomeTeacher
from agentcl.agents.student import Student
from agentcl.bench.baseline_player import BaselinePlayer
from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.plain import LastItems
from agentcl.bench.baselines.registry import guidance_options
from agentcl.bench.episodes import play_tasks
from agentcl.bench.folder import RunFolder
from agentcl.bench.guidance_player import GuidancePlayer
from agentcl.bench.leaks import CheckedMemory
from agentcl.bench.learners import NoteWriter
from agentcl.bench.report.summary import summarise
from agentcl.bench.report.writing import write_report
from agentcl.bench.rows import Part, ResultRow
from agentcl.bench.run import begin, go_on
from agentcl.bench.scripted import responder
from agentcl.bench.settings import from_mapping
from agentcl.envs.acting import Act, Situation
from agentcl.envs.domains.desk.domain import DeskDomain
from agentcl.envs.domains.incidents.domain import FAMILIES, IncidentDomain
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.errors import ConfigError, InvalidInput, StoreUnavailable
from agentcl.lessons import Lesson
from agentcl.memory.memory import Memory
from agentcl.models import ScriptedModel

DOMAINS = Path(__file__).parents[2] / "unit" / "envs"


def tables(*baselines: str, **tasks: Any) -> dict[str, Any]:
    return {
        "name": "test",
        "tasks": {"domain": "incidents", "families": ["remedy"], "episodes": 30, **tasks},
        "agent": {"name": "responder"},
        "memory": {"baselines": list(baselines), "encoder": "hashing"},
    }


def run(path: Path, asked: dict[str, Any]) -> RunFolder:
    folder = begin(path, from_mapping(asked, where="test"))
    assert go_on(folder).state == "complete"
    return RunFolder(path)


def score(rows: Sequence[ResultRow]) -> float:
    return statistics.fmean(row.score for row in rows if row.score is not None)


def late(folder: RunFolder, baseline: str) -> float:
    return score([row for row in folder.rows(baseline) if row.number >= 15])


def test_guidance_learns_and_keeps_its_memory_beside_the_rows(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", {**tables("none", "guidance"), "seeds": [0, 1, 2]})
    assert late(folder, "none") < 0.7
    assert late(folder, "guidance") > 0.85
    rows = list(folder.rows("guidance", 0))
    assert not any(row.leaks or row.error for row in rows)
    assert {line for row in rows for line in row.shown} <= {
        one.text for row in rows for one in row.learned
    }
    with Memory(folder.memory_path("guidance", 0), read_only=True) as memory:
        assert [episode.id for episode in memory.episodes.list()] == [row.episode for row in rows]
        assert [len(row.steps) for row in rows] == [e.steps for e in memory.episodes.list()]


def test_what_followed_what_can_teach_instead_of_the_agent(tmp_path: Path) -> None:
    asked = {**tables("none", "guidance"), "seeds": [0, 1, 2]}
    asked["agent"] = {"name": "responder", "teacher": "outcomes"}
    folder = run(tmp_path / "run", asked)
    assert late(folder, "guidance") > 0.85 > 0.7 > late(folder, "none")
    rows = list(folder.rows("guidance", 0))
    assert not any(row.leaks or row.error or "learn" in row.usage for row in rows)
    assert any(row.learned for row in rows)


def test_a_report_tells_what_was_learned_and_on_which_evidence(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", {**tables("none", "guidance"), "seeds": [0, 1]})
    lines = summarise(folder).lessons
    assert {(line.baseline, line.seed) for line in lines} == {("guidance", 0), ("guidance", 1)}
    active = [line for line in lines if line.stage == "active"]
    assert active
    assert all(line.trust > 0.5 and line.uplift > 0 for line in active)
    # Later episodes may confirm a warning that was never needed.
    assert all(line.uses >= 1 for line in active if "not" not in line.sentence)
    assert all(line.low < line.uplift < line.high for line in lines)
    page, markdown, *_ = write_report(folder)
    for text in (page.read_text("utf-8"), markdown.read_text("utf-8")):
        assert "Lessons and their evidence" in text
        assert active[0].sentence in text


def test_a_stopped_run_of_guidance_goes_on_without_what_left_no_row(tmp_path: Path) -> None:
    asked = tables("guidance")
    folder = begin(tmp_path / "run", from_mapping(asked, where="test"))
    rows: list[ResultRow] = []
    go_on(folder, on_row=rows.append, should_stop=lambda: len(rows) >= 7)
    done = len(rows)
    path = folder.memory_path("guidance", 0)
    with Memory(path) as memory:
        digest = memory.lessons.state().digest()
        killed = memory.episode("t", application="incidents", family="remedy")
        done_too = memory.episode("u", application="incidents", family="remedy").finish(1.0)
        memory.lessons.reflect([Lesson("a cache is slow", "do", "drain it")], episode=done_too)
        assert memory.lessons.state().digest() != digest
    assert go_on(RunFolder(folder.path)).state == "complete"
    with Memory(path, read_only=True) as memory:
        there = {episode.id for episode in memory.episodes.list()}
        assert not {killed.id, done_too.id} & there
        assert there == {row.episode for row in folder.rows("guidance")}
    assert done < 30
    assert late(RunFolder(folder.path), "guidance") > 0.85


def test_a_run_whose_memory_is_gone_does_not_go_on_without_it(tmp_path: Path) -> None:
    folder = begin(tmp_path / "run", from_mapping(tables("guidance"), where="test"))
    rows: list[ResultRow] = []
    go_on(folder, on_row=rows.append, should_stop=lambda: len(rows) >= 3)
    shutil.rmtree(folder.memory_path("guidance", 0))
    with pytest.raises(StoreUnavailable, match="3 of 3 episodes"):
        go_on(RunFolder(folder.path))


def test_a_lesson_that_somebody_told_is_tried_and_named_after_who_told_it(tmp_path: Path) -> None:
    whens = {
        text.split(" ", 1)[1].rpartition(",")[0]
        for task in IncidentDomain().tasks("test", family="remedy")
        if task.parameters["deployment"] == 80
        for text in IncidentDomain().lessons(task, seed=0)
    }
    planted = tmp_path / "planted.jsonl"
    lines = [{"when": when, "claim": "do", "what": "ignore it"} for when in sorted(whens)]
    planted.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    asked = tables("guidance")
    asked["memory"]["options"] = {"guidance": {"told": str(planted)}}
    folder = run(tmp_path / "run", asked)
    assert folder.about["baselines"]["guidance"]["told"] == len(whens)
    rows = list(folder.rows())
    assert any("ignore it" in line for row in rows for line in row.shown)
    assert not any(row.leaks for row in rows)
    with Memory(folder.memory_path("guidance", 0), read_only=True) as memory:
        authors = {one.guidance.author for one in memory.lessons.state().lessons.values()}
    assert authors == {"planted", "teacher"}


@pytest.mark.parametrize("baseline", ["ours", "notes-3"])
def test_a_memory_without_evidence_can_be_told_lessons_too(baseline: str, tmp_path: Path) -> None:
    wrong = Lesson("a cache is slow", "do", "ignore it")
    path = tmp_path / "planted.jsonl"
    path.write_text(
        json.dumps({"when": wrong.when, "claim": wrong.claim, "what": wrong.what}), "utf-8"
    )
    asked = tables("none", baseline, episodes=3)
    asked["memory"]["options"] = {baseline: {"told": str(path)}}
    folder = run(tmp_path / "run", asked)
    assert folder.about["baselines"][baseline]["told"] == 1
    first = next(folder.rows(baseline))
    assert first.shown == (wrong.sentence(),)
    assert not any(row.leaks for row in folder.rows())


def test_who_learns_nothing_is_told_nothing(tmp_path: Path) -> None:
    asked = tables("none")
    asked["memory"]["options"] = {"none": {"told": "planted.jsonl"}}
    with pytest.raises(InvalidInput, match="takes no option 'told'"):
        begin(tmp_path / "run", from_mapping(asked, where="test"))


@pytest.mark.parametrize("baseline", ["guidance", "ours", "notes-3"])
@pytest.mark.parametrize(
    ("text", "said"), [("{}", "line 1: a lesson has when"), ("no JSON", "line 1")]
)
def test_lessons_that_cannot_be_told_are_refused_at_once(
    text: str, said: str, baseline: str, tmp_path: Path
) -> None:
    path = tmp_path / "told.jsonl"
    path.write_text(text, "utf-8")
    asked = tables(baseline)
    asked["memory"]["options"] = {baseline: {"told": str(path)}}
    with pytest.raises(ConfigError, match=said):
        begin(tmp_path / "run", from_mapping(asked, where="test"))
    asked["memory"]["options"] = {baseline: {"told": str(tmp_path / "absent")}}
    with pytest.raises(ConfigError, match="cannot be read"):
        begin(tmp_path / "run", from_mapping(asked, where="test"))


def test_tests_between_training_teach_nothing(tmp_path: Path) -> None:
    asked = tables(
        "guidance",
        stream="alternating",
        families=["remedy", "needs"],
        episodes=12,
        test_episodes=4,
    )
    folder = run(tmp_path / "run", asked)
    tests = [row for row in folder.rows() if row.phase.startswith("test")]
    assert tests
    assert not any(row.episode or row.learned for row in tests)
    assert all(row.steps for row in tests)
    assert any(row.shown for row in tests)


def test_an_environment_that_breaks_under_guidance_is_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOMAINS))
    asked = tables("guidance")
    asked["tasks"] = {"domain": "odd_domains:Odd", "options": {"way": "raise"}, "episodes": 4}
    folder = run(tmp_path / "run", asked)
    failed = [row for row in folder.rows() if row.end == "failed"]
    assert failed
    assert all(row.score is None and not row.learned and not row.episode for row in failed)


def test_what_learns_from_episodes_answers_no_questions(tmp_path: Path) -> None:
    asked = {"questions": {"source": "fact-consolidation"}, "agent": {"name": "none"},
             "memory": {"baselines": ["bm25", "guidance", "notes-3"]}}  # fmt: skip
    with pytest.raises(ConfigError, match="guidance, notes-3 learn from episodes"):
        begin(tmp_path / "run", from_mapping(asked, where="test"))


def test_an_agent_that_follows_no_lessons_cannot_learn_by_them(tmp_path: Path) -> None:
    asked = {**tables("guidance"), "agent": {"name": "random"}}
    with pytest.raises(ConfigError, match="'random' neither follows lessons nor draws them"):
        begin(tmp_path / "run", from_mapping(asked, where="test"))
    asked = tables("guidance")
    asked["memory"]["options"] = {"guidance": {"budget": 3}}
    with pytest.raises(InvalidInput, match="takes no option 'budget'"):
        begin(tmp_path / "run", from_mapping(asked, where="test"))


def test_options_of_a_baseline_that_there_is_not_are_refused(tmp_path: Path) -> None:
    asked = tables("none")
    asked["memory"]["options"] = {"guidnce": {"demonstrations": 2}}
    with pytest.raises(
        ConfigError, match=r"memory\.options names no baseline 'guidnce'; did you mean 'guidance'"
    ):
        begin(tmp_path / "run", from_mapping(asked, where="test"))
    # A plan may be played with fewer baselines than it has options for.
    asked["memory"]["options"] = {"guidance": {"demonstrations": 2}, "last-5": {}, "m:Own": {}}
    begin(tmp_path / "run", from_mapping(asked, where="test"))


def test_who_is_told_all_that_there_is_to_know_needs_no_second_try(tmp_path: Path) -> None:
    families = [family for family in FAMILIES if family != "control"]
    folder = run(tmp_path / "run", tables("oracle", families=families))
    assert score(list(folder.rows())) == 1
    assert not any(row.leaks or row.learned for row in folder.rows())
    nothing = run(tmp_path / "control", tables("oracle", families=["control"]))
    assert not any(row.shown for row in nothing.rows())
    asked = tables("oracle", domain="babyai", families=[])
    with pytest.raises(ConfigError, match="nobody can say what there is to know"):
        begin(tmp_path / "other", from_mapping(asked, where="test"))


def _stream(families: Sequence[str], episodes: int) -> Any:
    pools = pools_of(IncidentDomain(), "test", families, where={"deployment": 80})
    return random_stream("test", pools, episodes=episodes, seed=0)


def test_notes_follow_episodes_that_fell_short_and_no_others() -> None:
    asked: list[str] = []

    def script(messages: Sequence[Any]) -> str:
        asked.append(messages[-1].content)
        if asked[-1].endswith("Note?"):
            return "I drained it too late.\nNext time I drain it first."
        actions = asked[-1].split("Actions: ")[1].split(".")[0].split("; ")
        return f"Answer: {actions[len(asked) % len(actions)]}"

    model = ScriptedModel(script)
    memory = CheckedMemory(LastItems(2, name="notes-2"), limit=100)
    player = BaselinePlayer(
        lambda item: memory,
        Student(model, instructions=""),
        NoteWriter(model),
        are_notes=True,
    )
    rows = list(
        play_tasks(Part("notes-2", 0), _stream(["remedy"], 12), player, IncidentDomain().make)
    )
    assert all(bool(row.learned) == (row.score is not None and row.score < 1) for row in rows)
    assert sum(bool(row.learned) for row in rows) >= 3
    assert max(len(row.shown) for row in rows) == 2
    said = "I drained it too late. Next time I drain it first."
    assert {text for row in rows for text in row.shown} == {said}
    prompts = [prompt for prompt in asked if prompt.endswith("Next action?")]
    assert prompts[-1].startswith(f"Guidance:\n- {said}\n- {said}\nGoal: ")
    assert all(("learn" in row.usage) == bool(row.learned) for row in rows)


def test_notes_of_a_model_that_writes_lessons_are_those_shown_line_by_line(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", tables("notes-1", families=["remedy", "needs"]))
    rows = list(folder.rows())
    last: dict[str, tuple[str, ...]] = {}
    for row in rows:  # each kind of task has notes of its own
        assert row.shown == last.get(row.family, ())
        if row.learned:
            last[row.family] = tuple(one.text for one in row.learned)
    assert set(last) == {"remedy", "needs"}
    assert any("\n" in note for notes in last.values() for note in notes)


def test_a_stopped_run_of_notes_goes_on_to_the_same_result(tmp_path: Path) -> None:
    asked = tables("notes-2", "episodes", "transcripts-2", families=["remedy", "needs"])
    whole = run(tmp_path / "whole", asked)
    folder = begin(tmp_path / "stopped", from_mapping(asked, where="test"))
    rows: list[ResultRow] = []
    go_on(folder, on_row=rows.append, should_stop=lambda: len(rows) >= 9)
    assert go_on(RunFolder(folder.path)).state == "complete"
    assert [r.repeated() for r in folder.rows()] == [r.repeated() for r in whole.rows()]


def test_records_are_what_the_baselines_of_episodes_hold(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", tables("transcripts-2", "episodes"))
    for baseline in ("transcripts-2", "episodes"):
        rows = list(folder.rows(baseline))
        assert all(one.text.startswith("Goal: clear") for row in rows for one in row.learned)
    assert max(len(row.shown) for row in folder.rows("transcripts-2")) == 2


def test_who_remembers_nothing_is_charged_for_no_lesson() -> None:
    domain = IncidentDomain()
    model = ScriptedModel(lambda messages: "Answer: nothing")
    memory = CheckedMemory(LastItems(1), limit=1)
    memory.add([Item("x", "known before")])
    player = BaselinePlayer(lambda item: memory, Student(model, instructions=""))
    rows = list(play_tasks(Part("none", 0), _stream(["remedy"], 2), player, domain.make))
    assert all(set(row.usage) == {"act"} and not row.learned for row in rows)
    taught = BaselinePlayer(lambda item: memory, *responder())
    rows = list(play_tasks(Part("last-1", 0), _stream(["remedy"], 2), taught, domain.make))
    assert all(row.learned for row in rows)


def test_at_the_desk_a_run_learns_the_policy_that_nobody_tells(tmp_path: Path) -> None:
    asked = tables("none", "guidance", "oracle", domain="desk", families=["return"], episodes=40)
    folder = run(tmp_path / "run", {**asked, "agent": {"name": "clerk"}, "seeds": [0, 1]})
    assert score(list(folder.rows("oracle"))) == 1
    solved = {
        name: sum(row.score == 1 for row in folder.rows(name) if row.number >= 20)
        for name in ("none", "guidance")
    }
    assert solved["guidance"] > 2 * solved["none"]
    assert not any(row.leaks for row in folder.rows())


def test_a_change_that_memory_notices_stands_in_the_row_of_its_episode(tmp_path: Path) -> None:
    asked = {**tables("guidance", stream="changing", episodes=80), "seeds": [0, 1]}
    folder = run(tmp_path / "run", asked)
    rows = [row for row in folder.rows("guidance") if any("fell" in one for one in row.shifts)]
    assert rows
    for row in rows:
        (told,) = (one for one in row.shifts if "fell" in one)
        since = re.search(r"since episode (\d+); sure: 0\.\d\d", told)
        assert since
        assert int(since[1]) <= row.number + 1
        assert ResultRow.from_json(row.to_json()) == row
    first = min(row.number for row in folder.rows("guidance", 0) if row.phase == "rules 2")
    assert any(0 <= row.number - first < 20 for row in rows if row.seed == 0)


class Looker:
    """Does what only looks until nothing but changes is left, and keeps what it was shown."""

    def __init__(self) -> None:
        self.stretches: list[int] = []

    def act(self, situation: Situation) -> Act | None:
        """Return the first action that only looks and was not done, else the first."""
        self.stretches.append(len(situation.stretches))
        done = {action for action, _ in situation.history}
        left = [one for one in situation.actions or () if one not in done]
        return Act(next((one for one in left if not situation.may_change(one)), left[0]))


def test_a_run_knows_what_only_looks_and_shows_past_stretches_where_asked_to() -> None:
    domain, looker = DeskDomain(), Looker()
    with TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
        options = guidance_options("guidance", {"demonstrations": 2})
        player = GuidancePlayer(memory, looker, OutcomeTeacher(), domain=domain, options=options)
        stream = random_stream("desk", pools_of(domain, "test", ["return"], where={"shop": 80}), episodes=8, seed=1)  # fmt: skip
        rows = list(play_tasks(Part("guidance", 0), stream, player, domain.make))
    begins = [[step.action for step in row.steps[:2]] for row in rows]
    assert all(action.startswith("look up ") for begin in begins for action in begin)
    assert max(looker.stretches) > 0
