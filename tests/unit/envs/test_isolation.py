import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentcl.envs.base import Environment, Observation, Outcome, Task
from agentcl.envs.batch import EnvironmentBatch
from agentcl.envs.checking import check
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.envs.isolation import IsolatedEnvironment
from agentcl.envs.policies import RandomPolicy, play
from agentcl.errors import EnvironmentFailed, InvalidInput

ODD = "odd_domains:Odd"


@pytest.fixture(autouse=True)
def _odd_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def test_a_child_does_not_run_what_lies_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("traceback", "json", "agentcl"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()")
    monkeypatch.chdir(tmp_path)
    with IsolatedEnvironment("incidents") as environment:
        assert environment.name == "incidents"
    assert not (tmp_path / "ran").exists()


def first_task() -> Task:
    return next(IncidentDomain().tasks("test", family="diagnose"))


def begun(way: str, *, note: str = "", timeout_s: float = 60.0) -> IsolatedEnvironment:
    environment = IsolatedEnvironment(ODD, {"way": way, "note": note}, timeout_s=timeout_s)
    environment.reset(first_task(), seed=1)
    environment.step("nothing")
    return environment


def test_a_child_plays_the_same_episode_to_the_character() -> None:
    here = IncidentDomain().make()
    with IsolatedEnvironment("incidents") as there:
        assert isinstance(there, Environment)
        assert (there.name, there.determinism) == (here.name, here.determinism)
        for seed in range(3):
            ours = play(here, RandomPolicy(), first_task(), seed=seed)
            theirs = play(there, RandomPolicy(), first_task(), seed=seed)
            assert ours == theirs
            assert len(ours.steps) > 1


def test_an_isolated_environment_keeps_the_contract() -> None:
    class Isolated(IncidentDomain):
        def make(self) -> IsolatedEnvironment:  # type: ignore[override]  # any environment will do
            return IsolatedEnvironment("incidents")

    assert [finding for finding in check(Isolated(), tasks=1) if not finding.is_kept] == []


def test_an_error_of_the_environment_comes_with_its_traceback_and_the_next_episode_is_played() -> (
    None
):
    with begun("raise") as environment:
        with pytest.raises(
            EnvironmentFailed, match=r"(?s)RuntimeError: the engine has a fault.*odd_"
        ):
            environment.step("nothing")
        with pytest.raises(InvalidInput, match="call reset first"):
            environment.step("nothing")
        assert environment.reset(first_task(), seed=1).goal


def test_a_child_that_dies_leaves_its_last_words() -> None:
    with (
        begun("die") as environment,
        pytest.raises(EnvironmentFailed, match=r"(?s)exit status 3.*last words"),
    ):
        environment.step("nothing")


def test_a_child_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with begun("hang", note=str(note), timeout_s=10.0) as environment:
        with pytest.raises(EnvironmentFailed, match="did not answer 'step' within 10 s"):
            environment.step("nothing")
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", note.read_text()], capture_output=True, text=True
        ).stdout.strip()
        assert state[:1] in ("", "Z")


def test_what_an_environment_prints_disturbs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with begun("print") as environment:
        assert environment.step("nothing").observation.text
    assert "noise" not in capfd.readouterr().out


def test_an_environment_that_keeps_failing_is_not_started_for_ever() -> None:
    with IsolatedEnvironment(ODD, {"way": "die"}, restarts=2) as environment:
        for _ in range(2):
            environment.reset(first_task(), seed=1)
            environment.step("nothing")
            with pytest.raises(EnvironmentFailed, match="process ended"):
                environment.step("nothing")
        with pytest.raises(EnvironmentFailed, match="failed 2 times in a row"):
            environment.reset(first_task(), seed=1)


def test_an_episode_that_ends_well_forgives_those_before() -> None:
    with IsolatedEnvironment(ODD, {"way": "die"}, restarts=2) as environment:
        for _ in range(3):
            environment.reset(first_task(), seed=1)
            environment.step("nothing")
            with pytest.raises(EnvironmentFailed, match="process ended"):
                environment.step("nothing")
            environment.reset(first_task(), seed=1)
            assert environment.score().value == 0


def test_nothing_can_be_asked_of_a_closed_one() -> None:
    environment = IsolatedEnvironment("incidents")
    environment.close()
    with pytest.raises(InvalidInput, match="closed"):
        environment.reset(first_task(), seed=1)


def test_closing_closes_the_environment_and_twice_is_allowed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    environment = begun("close", note=str(note))
    environment.close()
    environment.close()
    assert note.read_text() == "closed"


def test_a_child_is_replaced_after_so_many_episodes() -> None:
    with IsolatedEnvironment("incidents", recycle_after=2) as environment:
        pids = []
        for seed in range(4):
            environment.reset(first_task(), seed=seed)
            pids.append(environment.pid)
        assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_domain_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="there is no domain 'incidence'"):
        IsolatedEnvironment("incidence")


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    code = (
        "import os, signal\n"
        "from agentcl.envs.isolation import IsolatedEnvironment\n"
        "e = IsolatedEnvironment('incidents')\n"
        "print(e.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid = int(done.stdout)
    # The child sees the end of its socket; wait for it as its new parent would.
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
        ).stdout.strip()
        if state[:1] in ("", "Z"):
            return
    pytest.fail(f"the child {pid} still runs")


def test_a_batch_steps_slots_and_leaves_out_those_without_an_action() -> None:
    domains = [IncidentDomain().make(), IncidentDomain().make(), IncidentDomain().make()]
    batch = EnvironmentBatch(domains)
    seen = batch.reset([first_task()] * 3, seeds=[1, 2, 3])
    alone = IncidentDomain().make()
    assert [one.text for one in seen if isinstance(one, Observation)] == [
        alone.reset(first_task(), seed=seed).text for seed in (1, 2, 3)
    ]
    outcomes = batch.step(["nothing", None, "nothing"])
    assert [outcome is None for outcome in outcomes] == [False, True, False]
    with pytest.raises(InvalidInput, match="2 actions for a batch of 3"):
        batch.step(["a", "b"])
    batch.close()
    batch.close()


def test_a_slot_that_breaks_gives_its_error_and_the_others_go_on() -> None:
    batch = EnvironmentBatch([IncidentDomain().make(), IsolatedEnvironment(ODD, {"way": "raise"})])
    batch.reset([first_task()] * 2, seeds=[1, 1])
    batch.step(["nothing"] * 2)
    good, broken = batch.step(["nothing"] * 2)
    assert isinstance(good, Outcome)
    assert good.observation.text
    assert isinstance(broken, EnvironmentFailed)
    batch.close()
