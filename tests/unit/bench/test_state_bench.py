"""STATE-Bench's learning track: reading its files, telling a case, answering its hook, comparing its runs."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentcl import InvalidInput, Memory
from agentcl.bench import Learnings, compare_tasks, learn_cases, read_trajectories
from agentcl.bench.state_bench.cases import case_of, telling_of
from agentcl.cli.main import main
from agentcl.errors import LoadError

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "state_bench"


def call(name: str, result: Any = None, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments, "result": result or {}}


def talk(opening: str, *calls: dict[str, Any], objects: str = "") -> dict[str, Any]:
    turns: list[dict[str, Any]] = [
        {"role": "system", "content": "You serve customers."},
        {"role": "user", "content": opening},
        {"role": "assistant", "content": "It is done.", "tool_calls": [*calls]},
    ]
    if objects:
        turns += [
            {"role": "user", "content": objects},
            {"role": "assistant", "content": "I am sorry.", "tool_calls": [call("get_order")]},
        ]
    return {"conversation": [*turns, {"role": "user", "content": "[TASK_DONE]"}]}


def returned(number: int, thing: str) -> dict[str, Any]:
    done = {"status": "returned", "amount": 12}
    return talk(
        f"I want to send back the {thing} of order ORD-{number}.",
        call("get_policies", topic="return"),
        call("process_return", done, order=f"ORD-{number}", reason="changed_mind", confirm=True),
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a checkout holds of two domains."""
    folder = tmp_path / "checkout" / "datasets" / "train_task_trajectories"
    shop, travel = folder / "shop", folder / "travel"
    shop.mkdir(parents=True)
    travel.mkdir()
    for number, thing in enumerate(("blender", "kettle", "toaster"), start=1):
        path = shop / f"{number}-return_{thing}.json"
        path.write_text(json.dumps(returned(number, thing)))
    moved = talk(
        "Move my flight to Rome.", call("update_booking"), objects="That is the wrong day!"
    )
    (travel / "10-move_flight.json").write_text(json.dumps(moved))
    return tmp_path / "checkout"


def test_a_checkout_a_folder_and_a_file_of_lines_give_the_same(
    checkout: Path, tmp_path: Path
) -> None:
    every = read_trajectories(checkout)
    assert [(one.domain, one.task, one.kind) for one in every] == [
        ("shop", "1-return_blender", "return_blender"),
        ("shop", "2-return_kettle", "return_kettle"),
        ("shop", "3-return_toaster", "return_toaster"),
        ("travel", "10-move_flight", "move_flight"),
    ]
    assert [one.task for one in read_trajectories(checkout, domain="travel")] == ["10-move_flight"]
    lines = "\n".join(
        json.dumps({"task_id": one.task, "domain": one.domain, **json.loads(file.read_text())})
        for one, file in zip(every, sorted(checkout.rglob("*.json")), strict=True)
    )
    packed = tmp_path / "all.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.encode()))
    assert sorted(read_trajectories(packed), key=lambda one: one.task) == sorted(
        every, key=lambda one: one.task
    )


def test_a_case_tells_choices_and_results_and_no_name_of_one_case(checkout: Path) -> None:
    shop = read_trajectories(checkout, domain="shop")
    told = case_of(shop[0], telling_of(shop))
    assert told.splitlines() == [
        'A customer wrote: "I want to send back the blender of order ORD-1."',
        "The agent called get_policies(topic=return); "
        "process_return(reason=changed_mind, confirm=true) -> returned.",
        'The agent\'s last words: "It is done."',
    ]
    (moved,) = read_trajectories(checkout, domain="travel")
    assert 'Then the customer wrote: "That is the wrong day!"' in case_of(
        moved, telling_of([moved])
    )


def test_a_case_of_a_long_trajectory_stays_short(tmp_path: Path) -> None:
    held = talk("x " * 5_000, *(call(f"look_{n}") for n in range(500)))
    (tmp_path / "1-long.json").write_text(json.dumps(held))
    (one,) = read_trajectories(tmp_path)
    assert len(case_of(one, telling_of([one]))) < 1_000


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ("{", "is no trajectory"),
        ("[]", "it is a list, and no object"),
        ('{"conversation": {}}', "no list named conversation"),
        ('{"conversation": [{"role": "robot"}]}', "turn 0 has no role"),
        ('{"conversation": [{"role": "user", "tool_calls": [{}]}]}', "call of turn 0 has no name"),
        ('{"conversation": [{"role": "user", "content": ["a"]}]}', "turn 0 is no text"),
    ],
)
def test_what_is_no_trajectory_is_named(tmp_path: Path, held: str, says: str) -> None:
    (tmp_path / "1-odd.json").write_text(held)
    with pytest.raises(LoadError, match=says) as error:
        read_trajectories(tmp_path)
    assert "1-odd.json" in str(error.value)


def test_a_place_without_trajectories_is_named(tmp_path: Path, checkout: Path) -> None:
    with pytest.raises(LoadError, match="does not exist"):
        read_trajectories(tmp_path / "nowhere")
    with pytest.raises(LoadError, match="no trajectory of the domain 'hotel'"):
        read_trajectories(checkout, domain="hotel")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"{}")[:-9])
    with pytest.raises(LoadError, match="cannot be read"):
        read_trajectories(tmp_path / "cut.jsonl.gz")


def test_the_hook_gets_past_cases_of_its_domain_and_lessons_first(
    checkout: Path, tmp_path: Path
) -> None:
    every = read_trajectories(checkout)
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        assert learn_cases(memory, every).cases == 4
        again = learn_cases(memory, every)
        assert (again.cases, again.known) == (0, 4)
        memory.lessons.add(
            "When a customer wants to send back a kettle, check the date.", agent="shop"
        )
    with Learnings(tmp_path / "m", domain="shop") as learnings:
        told = learnings.retrieve("a customer wants to send back a kettle")
        assert told[0] == "When a customer wants to send back a kettle, check the date."
        assert "kettle of order ORD-2" in told[1]
        assert len(told) == 3
        assert len(learnings.retrieve("send back a kettle", 1)) == 1
        with pytest.raises(InvalidInput, match="top_k"):
            learnings.retrieve("send back a kettle", 0)
    with Memory(tmp_path / "m") as memory:
        memory.add("How to send back a kettle: by post.")
    with Learnings(tmp_path / "m", domain="travel") as learnings:
        assert all("Rome" in one for one in learnings.retrieve("send back a kettle"))


def test_a_trajectory_that_changed_takes_the_place_of_the_one_before(
    checkout: Path, tmp_path: Path
) -> None:
    file = checkout / "datasets" / "train_task_trajectories" / "travel" / "10-move_flight.json"
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        learn_cases(memory, read_trajectories(checkout))
        file.write_text(json.dumps(talk("Move my flight to Oslo.", call("update_booking"))))
        assert learn_cases(memory, read_trajectories(checkout)).cases == 1
        (told,) = Learnings(memory, domain="travel").retrieve("move a flight")
        assert "Oslo" in told
        assert "Rome" not in told


def scored(folder: Path, *runs: Sequence[bool | None]) -> Path:
    for number, run in enumerate(runs, start=1):
        (folder / f"run{number}").mkdir(parents=True)
        for task, passed in enumerate(run):
            held = {"task_id": f"{task}-t", "task_completion_pass": passed}
            (folder / f"run{number}" / f"{task}-t.json").write_text(json.dumps(held))
    return folder


def test_runs_are_compared_task_by_task(tmp_path: Path) -> None:
    before = scored(tmp_path / "a", [True, False, False, True], [True, False, True, True])
    after = scored(tmp_path / "b", [True, True, True, None], [True, True, False, True])
    found = compare_tasks(before, after)
    assert (found.tasks, found.runs, found.left_out) == (3, 2, ("3-t",))
    assert found.without == pytest.approx((3 / 6, 1 / 3))
    assert found.with_ == pytest.approx((5 / 6, 2 / 3))
    assert found.gain is not None
    assert found.gain.estimate == pytest.approx(1 / 3)
    with pytest.raises(LoadError, match="holds no scored run"):
        compare_tasks(before, tmp_path)
    (tmp_path / "b" / "run1" / "0-t.json").write_text("[]")
    with pytest.raises(LoadError, match="no scored trajectory"):
        compare_tasks(before, after)


def test_the_command_line_learns_asks_and_prints_an_agent(checkout: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["bench", "state-bench", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    place = ("--path", str(tmp_path / "m"))
    assert "4 cases learned" in run("learn", str(checkout), *place, "--encoder", "hashing")
    assert "ORD-3" in run(
        "ask", "the toaster goes back", "--domain", "shop", "--top-k", "1", *place
    )
    agent = run("agent", "--domain", "shop", *place)
    compile(agent, "agent", "exec")
    assert repr(str(tmp_path / "m")) in agent
    runs = [str(scored(tmp_path / name, [name == "b", True])) for name in "ab"]
    assert "gain +50.0 points" in run("compare", *runs)


@pytest.mark.skipif(not DATA.is_dir(), reason="the published trajectories are not here")
def test_the_published_trajectories_are_read_whole() -> None:
    every = [one for file in sorted(DATA.glob("*.jsonl.gz")) for one in read_trajectories(file)]
    assert len(every) == 200
    assert all(one.opening and one.calls for one in every)
    telling = telling_of(every)
    assert ("process_return", "reason", "defective") in telling
    assert not [value for *_, value in telling if any(char.isdigit() for char in value)]
    assert max(len(case_of(one, telling)) for one in every) < 6_000


def test_a_file_of_a_checkout_is_bounded_and_no_link_leads_out_of_it(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "large.jsonl.gz"
    monkeypatch.setattr("agentcl.bench.state_bench.reading._MOST_BYTES", 1_000)
    packed.write_bytes(gzip.compress(b" " * 1_001))
    with pytest.raises(LoadError, match="unpacked"):
        read_trajectories(packed)
    own = tmp_path / "own.json"
    own.write_text(json.dumps(returned(4, "lamp")))
    link = checkout / "datasets/train_task_trajectories/shop/4-return_lamp.json"
    for target in (own, Path("/dev/zero")):
        link.symlink_to(target)
        with pytest.raises(LoadError, match="is a link out of"):
            read_trajectories(checkout)
        link.unlink()


def test_scores_of_a_checkout_are_bounded_too(tmp_path: Path) -> None:
    run = tmp_path / "run1"
    run.mkdir()
    for held in ("[" * 100_000, "5", "[]"):
        (run / "1-x.json").write_text(held)
        with pytest.raises(LoadError, match="no scored trajectory"):
            compare_tasks(tmp_path, tmp_path)
    (run / "1-x.json").unlink()
    (run / "1-x.json").symlink_to("/dev/zero")
    with pytest.raises(LoadError, match="is a link out of"):
        compare_tasks(tmp_path, tmp_path)
