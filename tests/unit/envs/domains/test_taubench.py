"""The tau-bench adapter, on a checkout of the same shape that this module writes: one shop, one drawer."""

import sys
from pathlib import Path

import pytest

from agentcl.envs.base import Task
from agentcl.envs.checking import check
from agentcl.envs.domains.taubench import STOP, TauBenchDomain, Utterance
from agentcl.envs.policies import NullPolicy, ReplayPolicy, play
from agentcl.envs.registry import open_domain
from agentcl.errors import EnvironmentFailed, InvalidInput, MissingExtra

pytest.importorskip("pydantic")

FILES = {
    "__init__.py": "import a_model_that_is_not_installed\n",
    "types.py": """
from pydantic import BaseModel

class Action(BaseModel):
    name: str
    kwargs: dict

class Task(BaseModel):
    actions: list[Action]
    instruction: str
    outputs: list[str]
""",
    "envs/__init__.py": "from tau_bench.envs.base import Env\n",
    "envs/user.py": "import a_model_that_is_not_installed\n",
    "envs/base.py": """
import json
from pathlib import Path
from types import SimpleNamespace
from tau_bench.envs.user import UserStrategy, load_user

class Env:
    terminate_tools = ["give_up"]
    wiki = "Be kind."

    def __init__(self, tasks, user_strategy, user_model, task_index):
        assert task_index is not None
        self.tasks = tasks
        self.user = load_user(user_strategy=user_strategy, model=user_model, provider=None)
        self.tools_info = [{"function": {
            "name": name, "description": "It does.", "parameters": {"properties": {"into": {}}}
        }} for name in ("put", "give_up")]

    def reset(self, task_index):
        self.drawer = json.loads((Path(__file__).parent / "retail" / "drawer.json").read_text())
        self.task = self.tasks[task_index]
        self.said = []
        return SimpleNamespace(observation=self.user.reset(instruction=self.task.instruction))

    def step(self, action):
        text, done = "Unknown action " + action.name, False
        if action.name == "respond":
            self.said.append(action.kwargs["content"])
            text = self.user.step(action.kwargs["content"])
            done = "###STOP###" in text
        elif action.name == "put":
            try:
                self.drawer.append(action.kwargs["into"])
                text = "done"
            except KeyError as error:
                text = f"Error: {error}"
        elif action.name == "give_up":
            text, done = "bye", True
        wanted = [call.kwargs["into"] for call in self.task.actions if call.name == "put"]
        told = all(any(output in said for said in self.said) for output in self.task.outputs)
        reward = float(done and told and self.drawer == wanted)
        return SimpleNamespace(observation=text, reward=reward, done=done)
""",
    "envs/retail/__init__.py": """
from tau_bench.envs.base import Env
from tau_bench.envs.user import UserStrategy
from tau_bench.types import Action, Task

class MockRetailDomainEnv(Env):
    def __init__(self, user_strategy=UserStrategy.LLM, user_model="", task_split="test", task_index=None):
        if task_split != "test":
            raise ValueError(f"Unknown task split: {task_split}")
        put = [Action(name="put", kwargs={"into": "red"}), Action(name="put", kwargs={"into": "é"})]
        super().__init__(
            [
                Task(actions=put, instruction="Put red and é away.", outputs=[]),
                Task(actions=put[:1], instruction="Put red away; how much is it?", outputs=["12"]),
                Task(actions=[], instruction="Do nothing.", outputs=[]),
            ],
            user_strategy, user_model, task_index,
        )
""",
    "envs/retail/drawer.json": "[]",
    "envs/airline/__init__.py": """
class MockAirlineDomainEnv:
    def __init__(self, **_):
        raise ValueError("Unknown task split")
""",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "tau_bench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_it_keeps_the_contract(checkout: Path) -> None:
    findings = check(open_domain("tau-bench", {"checkout": str(checkout)}), tasks=3)
    assert [finding for finding in findings if not finding.is_kept] == []
    assert findings[-1].name == "the oracle solves every task"


def test_tasks_are_those_of_the_checkout(checkout: Path) -> None:
    domain = TauBenchDomain(checkout, max_steps=4)
    assert [(task.family, task.variation, task.max_steps) for task in domain.tasks("test")] == [
        ("retail", 0, 4), ("retail", 1, 4), ("retail", 2, 4),
    ]  # fmt: skip
    assert list(domain.tasks("train")) == []
    with pytest.raises(InvalidInput, match="retail has no test task 3; it has 3"):
        domain.make().reset(Task("tau-bench", "retail", 3, "test"), seed=0)


def test_the_checkout_leaves_no_module_behind(checkout: Path, tmp_path: Path) -> None:
    domain = TauBenchDomain(checkout)
    sys.modules["tau_bench"] = theirs = type(sys)("tau_bench")
    try:
        assert len(list(domain.tasks("test"))) == 3
        assert sys.modules["tau_bench"] is theirs
        assert not [name for name in sys.modules if name.startswith("tau_bench.")]
    finally:
        del sys.modules["tau_bench"]


def test_doing_nothing_scores_where_nothing_was_to_be_done(checkout: Path) -> None:
    domain = TauBenchDomain(checkout)
    environment = domain.make()
    played = [play(environment, NullPolicy(), task, seed=0) for task in domain.tasks("test")]
    assert [one.score.value for one in played if one.score] == [0.0, 0.0, 1.0]
    assert {one.end for one in played} == {"terminated"}


def test_an_answer_that_was_to_be_given_counts(checkout: Path) -> None:
    domain = TauBenchDomain(checkout)
    task = list(domain.tasks("test"))[1]
    environment = domain.make()
    for said, score in (("It costs 13.", 0.0), ("It costs 12.", 1.0)):
        played = play(environment, ReplayPolicy(['put {"into": "red"}', said]), task, seed=0)
        assert played.score is not None
        assert played.score.value == score


def test_actions_that_are_none_take_a_step_and_say_why(checkout: Path) -> None:
    domain = TauBenchDomain(checkout)
    environment = domain.make()
    environment.reset(next(domain.tasks("test")), seed=0)
    for action, words in (
        ("put {into}", "the arguments of put are no JSON"),
        ("put {}", "Error: 'into'"),
        ("fly {}", "Unknown action fly"),
        ("respond {}", "or as plain text"),
        ('respond {"content": 5}', "or as plain text"),
        ('put\n{"into": "red"} ', "done"),
    ):
        outcome = environment.step(action)
        assert words in outcome.observation.text
        assert not outcome.terminated
    last = environment.step('give_up {"summary": "no"}')
    assert last.terminated
    assert environment.score().value == 0


def test_a_user_of_your_own_answers_and_may_fail(checkout: Path) -> None:
    heard: list[tuple[Utterance, ...]] = []

    def user(instruction: str, turns: object) -> str:
        assert isinstance(turns, tuple)
        heard.append(turns)
        if len(turns) == 4:
            raise RuntimeError("the model is gone")
        return f"{instruction} Please." if len(turns) < 4 else STOP

    domain = TauBenchDomain(checkout, user=user)
    assert domain.oracle() is None
    environment = domain.make()
    assert environment.determinism == "none"
    task = list(domain.tasks("test"))[2]
    assert environment.reset(task, seed=0).text == "Do nothing. Please."
    assert not environment.step("Why?").terminated
    with pytest.raises(EnvironmentFailed, match="the model is gone"):
        environment.step("Really?")
    assert heard[1] == (Utterance("user", "Do nothing. Please."), Utterance("agent", "Why?"))
    assert environment.reset(task, seed=0).text == "Do nothing. Please."


def test_the_goal_tells_policy_and_tools(checkout: Path) -> None:
    domain = TauBenchDomain(checkout)
    seen = domain.make().reset(next(domain.tasks("test")), seed=0)
    assert "Be kind." in seen.goal
    assert '- put: It does. Arguments: {"into": {}}' in seen.goal
    assert seen.structured is not None
    assert seen.structured["policy"] == "Be kind."


def test_what_is_missing_is_named(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = open_domain("tau-bench")
    assert without.oracle() is None
    for ask in (without.make, lambda: next(without.tasks("test"))):
        with pytest.raises(InvalidInput, match="checkout=FOLDER"):
            ask()
    with pytest.raises(InvalidInput, match=r"has no tau_bench/envs/base\.py"):
        TauBenchDomain(tmp_path / "nowhere").make()
    with pytest.raises(InvalidInput, match="max_steps is 0"):
        TauBenchDomain(checkout, max_steps=0)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtra, match=r"agentcl\[taubench\]"):
        TauBenchDomain(checkout).make()


@pytest.mark.parametrize("name", ["envs/retail/__init__.py", "envs/base.py", "types.py"])
def test_a_file_cut_short_is_refused(checkout: Path, name: str) -> None:
    path = checkout / "tau_bench" / name
    path.write_text(path.read_text("utf-8")[:40] + "(", encoding="utf-8")
    with pytest.raises(InvalidInput, match="cannot be used as a checkout of tau-bench"):
        list(TauBenchDomain(checkout).tasks("test", family="retail"))


def test_records_cut_short_are_a_failure_not_a_score(checkout: Path) -> None:
    domain = TauBenchDomain(checkout)
    (task, *_) = domain.tasks("test")
    (checkout / "tau_bench" / "envs" / "retail" / "drawer.json").write_text("[", encoding="utf-8")
    played = play(domain.make(), NullPolicy(), task, seed=0)
    assert played.score is None
    assert played.end.startswith("failed: tau-bench broke at reset of tau-bench/retail/0")
