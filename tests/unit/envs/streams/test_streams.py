"""Streams: values that are built alike each time, saved and loaded without loss, ordered by name."""

import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.envs.base import SPLITS, Task
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.envs.streams.builders import (
    Pools,
    adapt_stream,
    alternating_stream,
    block_stream,
    changing_stream,
    gen_env_stream,
    gen_task_stream,
    interleaved_stream,
    pools_of,
    random_stream,
    recurring_stream,
    revisited_stream,
    two_passes,
)
from agentcl.envs.streams.curriculum import (
    at_random,
    by_difficulty,
    by_similarity,
    difficulty,
    difficulty_cuts,
    first_text,
    oracle_steps,
    token_similarity,
)
from agentcl.envs.streams.stream import StreamItem, TaskStream, load_stream, save_stream
from agentcl.errors import InvalidInput, LoadError

DOMAIN = IncidentDomain()
POOLS = pools_of(DOMAIN, "train", ["remedy", "needs", "diagnose"], where={"deployment": 3})


def families(stream: TaskStream) -> list[str]:
    return [item.task.family for item in stream]


def stream_of(*variations: int, phase: str = "train") -> TaskStream:
    items = tuple(StreamItem(Task("w", "f", n), n, phase) for n in variations)
    return TaskStream("made", items, "as given", 0)


def test_pools_hold_what_is_asked_for() -> None:
    assert [*POOLS] == ["remedy", "needs", "diagnose"]
    assert [len(pool) for pool in POOLS.values()] == [9, 3, 9]
    assert {task.parameters["deployment"] for pool in POOLS.values() for task in pool} == {3}
    assert [*pools_of(DOMAIN, "test")] == list(DOMAIN.families)
    with pytest.raises(InvalidInput, match="no task of family 'remedy' in split 'train'"):
        pools_of(DOMAIN, "train", ["remedy"], where={"deployment": 90})
    with pytest.raises(InvalidInput, match="there is no family"):
        pools_of(DOMAIN, "train", ["cooking"])


def test_the_same_arguments_build_the_same_stream_and_another_seed_another() -> None:
    for build in (random_stream, block_stream, interleaved_stream, recurring_stream):
        one = build("s", POOLS, episodes=12, seed=4)
        assert build("s", POOLS, episodes=12, seed=4) == one
        assert build("s", POOLS, episodes=12, seed=5).items != one.items
        assert len({item.seed for item in one}) == len(one)
    assert random_stream("s", POOLS, episodes=3, seed=4).order == "random"


def test_every_task_comes_before_one_comes_again() -> None:
    stream = random_stream("s", POOLS, episodes=50, seed=0)
    counts = Counter(item.task.id for item in stream)
    assert len(counts) == 21
    assert set(counts.values()) == {2, 3}
    assert len({item.task.id for item in stream.items[:21]}) == 21


def gaps_of(stream: TaskStream) -> list[int]:
    """Return after how many episodes each task came again."""
    last: dict[str, int] = {}
    gaps = []
    for place, item in enumerate(stream):
        if item.task.id in last:
            gaps.append(place - last[item.task.id])
        last[item.task.id] = place
    return gaps


def worlds(count: int) -> Pools:
    return {
        "remedy": [
            Task("incidents", "remedy", 0, parameters={"deployment": n}) for n in range(count)
        ]
    }


@pytest.mark.parametrize("exponent", [1.5, 2.0, 3.0])
def test_tasks_come_back_after_gaps_of_a_power_law(exponent: float) -> None:
    count, episodes = 200, 40_000
    stream = recurring_stream("s", worlds(count), episodes=episodes, seed=1, exponent=exponent)
    gaps = gaps_of(stream)
    a_unit = count * (
        exponent - 1
    )  # episodes in one unit of a clock, whose mean gap is 1 / (exponent - 1)
    for units in (0.25, 1, 3, 9):
        longer = sum(gap > units * a_unit for gap in gaps) / len(gaps)
        assert longer == pytest.approx((1 + units) ** -exponent, abs=0.03)
    usual = sorted(gaps)[len(gaps) // 2]
    assert usual < count
    assert max(gaps) > 10 * count
    assert max(gaps_of(random_stream("s", worlds(count), episodes=episodes, seed=1))) < 2 * count


@given(st.integers(1, 30), st.integers(1, 60), st.floats(1.01, 9), st.integers(0, 99))
def test_what_recurs_is_the_same_each_time_and_has_names_of_its_own(
    count: int, episodes: int, exponent: float, seed: int
) -> None:
    pools = worlds(count)
    one, again = (
        recurring_stream("s", pools, episodes=episodes, seed=seed, exponent=exponent)
        for _ in range(2)
    )
    assert one == again
    assert len(one) == len({item.seed for item in one}) == episodes
    assert {item.task for item in one} <= {*pools["remedy"]}
    assert all(item.is_learned_from for item in one)


def test_what_cannot_recur_is_refused() -> None:
    for pools, episodes, exponent in (
        (POOLS, 0, 1.5),
        ({}, 5, 1.5),
        (POOLS, 5, 1.0),
        (POOLS, 5, math.nan),
    ):
        with pytest.raises(InvalidInput, match="an exponent above 1"):
            recurring_stream("s", pools, episodes=episodes, seed=0, exponent=exponent)


def test_blocks_and_turns_hold_as_many_of_each_family() -> None:
    blocks = block_stream("s", POOLS, episodes=5, seed=0)
    turns = interleaved_stream("s", POOLS, episodes=5, seed=0)
    assert families(blocks) == ["remedy"] * 5 + ["needs"] * 5 + ["diagnose"] * 5
    assert families(turns) == ["remedy", "needs", "diagnose"] * 5
    assert [len(block) for block in blocks.blocks()] == [5, 5, 5]
    assert (blocks.order, turns.order) == ("blocks", "interleaved")


@given(st.integers(2, 4), st.integers(16, 60), st.integers(0, 1000))
def test_rules_change_at_moments_that_only_the_stream_knows(
    count: int, episodes: int, seed: int
) -> None:
    regimes = [
        {"remedy": [Task("incidents", "remedy", 0, parameters={"deployment": n})]}
        for n in range(count)
    ]
    stream = changing_stream("s", regimes, episodes=episodes, seed=seed)
    assert len(stream) == episodes
    changes = stream.changes()
    assert len(changes) == count - 1
    share = episodes / count
    for number, moment in enumerate(changes, start=1):
        assert abs(moment - number * share) <= share / 4 + 0.5
    deployments = [item.task.parameters["deployment"] for item in stream]
    seen = [place for place in range(1, episodes) if deployments[place] != deployments[place - 1]]
    assert tuple(seen) == changes
    assert stream.items[0].phase == "rules 1"
    assert all(item.is_learned_from for item in stream)


def test_moments_differ_from_seed_to_seed() -> None:
    regimes = [pools_of(DOMAIN, "train", ["remedy"], where={"deployment": n}) for n in (3, 4)]
    built = [changing_stream("s", regimes, episodes=40, seed=seed) for seed in range(20)]
    assert len({stream.changes() for stream in built}) > 3


def test_tests_stand_between_trainings_and_are_the_same_each_time() -> None:
    stream = alternating_stream("s", POOLS, episodes=4, test_episodes=2, seed=1, rounds=2)
    kinds = [(block[0].phase, block[0].task.family, len(block)) for block in stream.blocks()]
    tests = [("test", "remedy", 2), ("test", "needs", 2), ("test", "diagnose", 2)]
    trainings = [("train", family, 4) for family in ("remedy", "needs", "diagnose")] * 2
    assert kinds == tests + [kind for training in trainings for kind in (training, *tests)]
    rounds = [item for item in stream if item.phase == "test"]
    assert rounds == rounds[:6] * 7
    assert not any(item.is_learned_from for item in rounds)
    trained = [item for item in stream if item.is_learned_from]
    assert not {item.seed for item in trained} & {item.seed for item in rounds}


def test_other_tasks_can_be_tested_on() -> None:
    others = pools_of(DOMAIN, "test", [*POOLS], where={"deployment": 85})
    stream = alternating_stream("s", POOLS, episodes=2, test_episodes=1, seed=1, test_pools=others)
    assert {item.task.split for item in stream if item.phase == "test"} == {"test"}
    with pytest.raises(InvalidInput, match="give the same families"):
        alternating_stream("s", POOLS, episodes=2, test_episodes=1, seed=1, test_pools={})


def test_the_second_pass_has_the_same_tasks_with_other_seeds() -> None:
    once = random_stream("s", POOLS, episodes=10, seed=2)
    twice = two_passes(once)
    first, second = twice.items[:10], twice.items[10:]
    assert [item.task for item in first] == [item.task for item in second] == [i.task for i in once]
    assert not {item.seed for item in first} & {item.seed for item in second}
    assert twice.changes() == (10,)
    assert twice.order == "random, two passes"
    same = two_passes(once, are_seeds_fresh=False)
    assert [item.seed for item in same.items[10:]] == [item.seed for item in once]
    tested = alternating_stream("s", POOLS, episodes=2, test_episodes=1, seed=1)
    with pytest.raises(InvalidInput, match="would learn them"):
        two_passes(tested)


def deployments(*numbers: int) -> list[dict[str, tuple[Task, ...]]]:
    return [pools_of(DOMAIN, "train", ["remedy"], where={"deployment": n}) for n in numbers]


def test_adapt_is_the_same_again_and_again_with_other_names() -> None:
    stream = adapt_stream("s", POOLS, episodes=12, seed=2, trials=3)
    trials = [stream.items[start : start + 12] for start in (0, 12, 24)]
    assert [item.phase for item in stream] == ["trial 1"] * 12 + ["trial 2"] * 12 + ["trial 3"] * 12
    tasks = [Counter(item.task.id for item in trial) for trial in trials]
    assert tasks[0] == tasks[1] == tasks[2]
    assert [i.task for i in trials[0]] != [i.task for i in trials[1]]
    assert len({item.seed for item in stream}) == 36
    assert all(item.is_learned_from for item in stream)
    assert stream.order == "ADAPT"
    assert adapt_stream("s", POOLS, episodes=12, seed=2, trials=3) == stream


def test_gen_env_is_learned_elsewhere_and_only_read_in_the_new_world() -> None:
    *known, new = deployments(3, 4, 5, 6)
    stream = gen_env_stream("s", known, new, episodes=11, attempts=99, seed=1)
    learned = [item for item in stream if item.phase == "known"]
    first = [item for item in stream if item.phase == "held-out"]
    assert [item.task.parameters["deployment"] for item in learned] == [3] * 11 + [4] * 11 + [
        5
    ] * 11
    assert {item.task for item in first} == {*new["remedy"]}
    assert len(first) == 9
    assert not any(item.is_learned_from for item in first)
    assert all(item.is_learned_from for item in learned)
    assert stream.changes() == (33,)
    assert len({item.seed for item in stream}) == len(stream)
    assert stream.order == "GEN-ENV"
    few = gen_env_stream("s", known, new, episodes=11, attempts=4, seed=1)
    assert len({item.task for item in few if item.phase == "held-out"}) == 4
    assert few.items[:33] == stream.items[:33]


def test_gen_task_goes_from_known_families_to_a_new_one_in_the_same_world() -> None:
    known = {family: POOLS[family] for family in ("remedy", "needs")}
    new = {"diagnose": POOLS["diagnose"]}
    stream = gen_task_stream("s", known, new, episodes=10, attempts=9, seed=1)
    assert families(stream) == ["remedy"] * 10 + ["needs"] * 10 + ["diagnose"] * 9
    assert stream.changes() == (20,)
    assert {item.task.parameters["deployment"] for item in stream} == {3}
    assert [item.is_learned_from for item in stream] == [True] * 20 + [False] * 9
    assert stream.order == "GEN-TASK"


def test_places_are_visited_again_in_the_same_order() -> None:
    places = dict(zip("ABCDE", deployments(3, 4, 5, 6, 7), strict=True))
    stream = revisited_stream("s", places, episodes=6, seed=1)
    visited = [block[0].task.parameters["deployment"] for block in stream.blocks()]
    assert visited == [3, 4, 5, 6, 7] * 2
    assert [len(block) for block in stream.blocks()] == [6] * 10
    assert stream.items[0].phase == "visit 1, A"
    assert stream.items[-1].phase == "visit 2, E"
    assert len(stream.changes()) == 9
    assert len({item.seed for item in stream}) == len(stream)
    assert all(item.is_learned_from for item in stream)


def test_streams_that_carry_nothing_over_are_refused() -> None:
    one, other = deployments(3, 4)
    with pytest.raises(InvalidInput, match="1 trials"):
        adapt_stream("s", one, episodes=3, seed=0, trials=1)
    with pytest.raises(InvalidInput, match="give something known"):
        gen_env_stream("s", [], other, episodes=3, attempts=3, seed=0)
    with pytest.raises(InvalidInput, match="and nothing twice"):
        gen_env_stream("s", [one, other], other, episodes=3, attempts=3, seed=0)
    with pytest.raises(InvalidInput, match="and nothing twice"):
        gen_task_stream("s", one, one, episodes=3, attempts=3, seed=0)
    with pytest.raises(InvalidInput, match="0 episodes"):
        gen_env_stream("s", [one], other, episodes=3, attempts=0, seed=0)
    with pytest.raises(InvalidInput, match="2 visits to 1 places"):
        revisited_stream("s", {"A": one}, episodes=3, seed=0)
    with pytest.raises(InvalidInput, match="1 visits to 2 places"):
        revisited_stream("s", {"A": one, "B": other}, episodes=3, seed=0, visits=1)


def test_streams_without_episodes_or_rules_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 episodes"):
        random_stream("s", POOLS, episodes=0, seed=0)
    with pytest.raises(InvalidInput, match="of 0 tasks"):
        block_stream("s", {"remedy": []}, episodes=3, seed=0)
    with pytest.raises(InvalidInput, match="1 sets of rules"):
        changing_stream("s", [POOLS], episodes=30, seed=0)
    with pytest.raises(InvalidInput, match="4 episodes for each"):
        changing_stream("s", [POOLS, POOLS], episodes=7, seed=0)


TEXT = st.text(max_size=12)
SCALARS = st.one_of(TEXT, st.integers(), st.floats(allow_nan=False), st.booleans())
TASKS = st.builds(
    Task,
    TEXT,
    TEXT,
    st.integers(),
    st.sampled_from(SPLITS),
    st.integers(),
    st.dictionaries(TEXT, SCALARS, max_size=3),
)
ITEMS = st.builds(StreamItem, TASKS, st.integers(), TEXT, st.lists(TEXT, max_size=3).map(tuple))
STREAMS = st.builds(TaskStream, TEXT, st.lists(ITEMS, max_size=5).map(tuple), TEXT, st.integers())


@given(STREAMS)
def test_a_stream_is_loaded_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory, stream: TaskStream
) -> None:
    path = tmp_path_factory.mktemp("streams") / "s.jsonl"
    save_stream(stream, path)
    loaded = load_stream(path)
    assert loaded == stream
    # 1 == 1.0 == True in Python, and not in a stream.
    assert repr(loaded) == repr(stream)


def test_files_of_the_first_format_stay_readable(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(
        '{"format": 1, "stream": "s", "order": "blocks", "seed": 3, "items": 1}\n'
        '{"task": {"env": "w", "family": "f", "variation": 2, "split": "dev", "max_steps": 9, '
        '"parameters": {"a": 1}}, "seed": 5, "phase": "test", "sub_solutions": ["x"]}\n',
        "utf-8",
    )
    item = StreamItem(Task("w", "f", 2, "dev", 9, {"a": 1}), 5, "test", ("x",))
    assert load_stream(path) == TaskStream("s", (item,), "blocks", 3)


def test_every_change_of_phase_is_seen() -> None:
    items = (*stream_of(1, phase="a"), *stream_of(2, 3, phase="b"), *stream_of(4, phase="a"))
    assert TaskStream("s", items, "as given", 0).changes() == (1, 3)


@pytest.mark.parametrize(
    ("line", "change", "said"),
    [
        (1, {"format": 9}, "line 1: format 9"),
        (1, {"items": 4}, "line 4: 3 items, and the head says 4"),
        (1, {"seed": None}, "line 1: seed is None, not of type int"),
        (2, {"seed": True}, "line 2: seed is True, not of type int"),
        (3, {"phase": 7}, "line 3: phase is 7, not of type str"),
        (3, {"more": 7}, "line 3: it has"),
        (3, {"sub_solutions": [7]}, "line 3: sub_solutions are"),
        (4, {"task": {"env": "w"}}, r"line 4: it has \['env'\]"),
        (4, {"task": "w/f/1"}, "line 4: task is"),
    ],
)
def test_a_wrong_line_is_named(
    tmp_path: Path, line: int, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "s.jsonl"
    save_stream(random_stream("s", POOLS, episodes=3, seed=0), path)
    lines = path.read_text("utf-8").splitlines()
    lines[line - 1] = json.dumps({**json.loads(lines[line - 1]), **change})
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(LoadError, match=said):
        load_stream(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"split": "validation"}, "line 2: split 'validation' is none of train, dev, test"),
        ({"variation": 1.5}, "line 2: variation is 1.5, not of type int"),
        ({"parameters": {"a": [1]}}, r"line 2: parameter 'a' is \[1\]"),
    ],
)
def test_a_wrong_task_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "s.jsonl"
    save_stream(stream_of(1), path)
    head, line = path.read_text("utf-8").splitlines()
    item = json.loads(line)
    item["task"].update(change)
    path.write_text(f"{head}\n{json.dumps(item)}\n", "utf-8")
    with pytest.raises(LoadError, match=said):
        load_stream(path)


def test_files_that_are_no_stream_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with pytest.raises(LoadError, match="cannot be read"):
        load_stream(path)
    path.write_bytes(b"")
    with pytest.raises(LoadError, match="line 1: '' is no JSON"):
        load_stream(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(LoadError, match="cannot be read"):
        load_stream(path)
    path.write_bytes(b"[1]\n")
    with pytest.raises(LoadError, match="no JSON object"):
        load_stream(path)
    save_stream(stream_of(1, 2), path)
    path.write_text(path.read_text("utf-8")[:-20], "utf-8")
    with pytest.raises(LoadError, match=r"line 3: .* is no JSON"):
        load_stream(path)


def test_difficulty_is_e_to_the_steps() -> None:
    assert difficulty(0) == 1
    assert difficulty(3) == pytest.approx(math.e**3)
    assert difficulty(None) == difficulty(10_000) == math.inf
    with pytest.raises(InvalidInput, match="give None"):
        difficulty(-1)


def test_terciles_are_of_what_was_solved() -> None:
    # of 1 ... 6 the second and the fourth; the unsolved would have pushed both up
    assert difficulty_cuts([6, 5, 4, 3, 2, 1, *[None] * 30]) == (2, 4)
    assert difficulty_cuts([7]) == (7, 7)
    assert difficulty_cuts([2, 2, 2, 9]) == (2, 2)
    assert difficulty_cuts([None, None]) is None
    assert difficulty_cuts([]) is None


def test_a_stream_goes_from_easy_to_hard() -> None:
    steps = {1: 5, 2: None, 3: 1, 4: 9, 5: 1, 6: 4, 7: 12}
    # solved: 1 1 4 5 9 12, so easy up to 1 and medium up to 5; equals stay in order
    ordered = by_difficulty(stream_of(*steps), lambda item: steps[item.seed])
    assert [item.seed for item in ordered] == [3, 5, 6, 1, 4, 7, 2]
    assert [item.phase for item in ordered] == (
        ["easy"] * 2 + ["medium"] * 2 + ["hard"] * 2 + ["unsolved"]
    )
    assert ordered.order == "difficulty"


def test_the_oracle_tells_how_many_steps_it_takes() -> None:
    oracle = DOMAIN.oracle()
    stream = random_stream("s", POOLS, episodes=21, seed=0)
    steps = oracle_steps(oracle)
    assert {item.task.family: steps(item) for item in stream} == {
        "remedy": 1, "needs": 2, "diagnose": 2,
    }  # fmt: skip
    ordered = by_difficulty(stream, steps)
    assert families(ordered)[:9] == ["remedy"] * 9
    # 1 step for 9 of 21: the seventh has 1 step and the fourteenth 2, so nothing is left to be hard
    assert Counter(item.phase for item in ordered) == {"easy": 9, "medium": 12}


def test_an_oracle_that_finds_nothing_makes_no_easy_task() -> None:
    class Blind:
        def actions(self, task: Task, *, seed: int) -> list[str]:
            return []

    ordered = by_difficulty(stream_of(1, 2), oracle_steps(Blind()))
    assert [item.phase for item in ordered] == ["unsolved", "unsolved"]


def test_a_walk_goes_to_the_nearest_that_is_left() -> None:
    places = {1: 0.0, 2: 10.0, 3: 1.0, 4: 2.5, 5: -1.0}
    walk = by_similarity(
        stream_of(*places), lambda a, b: -abs(places[a.seed] - places[b.seed]), name="place"
    )
    # from 0 both 1 and -1 are one away, and 1 came first; then 2.5, then -1, then 10
    assert [item.seed for item in walk] == [1, 3, 4, 5, 2]
    assert walk.order == "similarity by place"
    assert by_similarity(stream_of(), lambda a, b: 0, name="place").items == ()


def test_likeness_of_tokens_by_hand() -> None:
    one, other, none = stream_of(1, 2, 3)
    texts = {1: "The queue is slow.", 2: "the cache IS slow", 3: "!"}
    tokens = token_similarity(lambda item: texts[item.seed])
    # shared: the, is, slow; in all: those, queue, cache
    assert tokens(one, other) == pytest.approx(3 / 5)
    assert tokens(one, none) == 0
    assert tokens(none, none) == 0


def test_incidents_that_read_alike_come_together() -> None:
    stream = random_stream("s", {"remedy": POOLS["remedy"]}, episodes=27, seed=3)
    environment = DOMAIN.make()
    walk = by_similarity(stream, token_similarity(first_text(environment)), name="first words")

    def shifts(ordered: TaskStream) -> int:
        services = [first_text(environment)(item).split("\n")[1].split()[1] for item in ordered]
        return sum(a != b for a, b in pairwise(services))

    assert sorted(item.seed for item in walk) == sorted(item.seed for item in stream)
    assert shifts(walk) < shifts(stream) / 2


def test_a_shuffle_says_its_seed() -> None:
    stream = stream_of(*range(30))
    one = at_random(stream, seed=1)
    assert one == at_random(stream, seed=1)
    assert one.items != at_random(stream, seed=2).items
    assert sorted(item.seed for item in one) == [*range(30)]
    assert one.order == "random, seed 1"


def test_tests_and_phases_are_never_mixed_by_an_order() -> None:
    mixed = alternating_stream("s", POOLS, episodes=2, test_episodes=1, seed=0)
    for stream in (mixed, stream_of(1, 2, phase="test")):
        with pytest.raises(InvalidInput, match="before it is given phases"):
            at_random(stream, seed=0)
        with pytest.raises(InvalidInput, match="before it is given phases"):
            by_difficulty(stream, lambda item: 1)
        with pytest.raises(InvalidInput, match="before it is given phases"):
            by_similarity(stream, lambda a, b: 1.0, name="any")
