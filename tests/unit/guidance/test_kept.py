"""A file of beliefs is read as far as a state could have written it; whatever else it holds, it is passed over."""

import hashlib
import json
import random
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.guidance.kept import is_kept_state
from agentcl.store.records import ScopeView
from tests.forging import lived
from tests.fuzzing import mutated_value


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("lived") / "m"
    lived(folder)
    with Memory(folder) as memory:
        return json.loads(json.dumps(memory.lessons.state().to_plain()))


def test_what_a_state_writes_is_such_a_form(plain: dict[str, object]) -> None:
    assert is_kept_state(plain)
    for name in plain:
        assert not is_kept_state({**plain, name: "x"})
        assert not is_kept_state({one: held for one, held in plain.items() if one != name})


def test_nobody_tested_a_lesson_no_times(plain: dict[str, dict[str, object]]) -> None:
    tests: dict[str, object] = {"lesson": {"world": {"": []}}}
    assert not is_kept_state({**plain, "trust": {**plain["trust"], "tests": tests}})


def test_a_file_that_no_state_wrote_stops_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    lived(folder)
    with Memory(folder) as memory:
        memory.lessons._beliefs._keep(memory.lessons.state())
        right = memory.lessons.state().digest()
    (file,) = (folder / "indexes/guidance").glob("*.json")
    written = file.read_bytes()
    held = json.loads(written.partition(b"\n")[2])
    rng = random.Random(0)
    for _ in range(150):
        state = mutated_value(held["state"], rng)
        body = json.dumps({**held, "state": state}).encode()
        file.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        with Memory(folder, read_only=True) as memory:
            assert is_kept_state(state) or memory.lessons.state().digest() == right
            for one in memory.lessons.list(user="ada"):
                memory.lessons.why(one.guidance.id, user="ada")
            memory.lessons.outlook(user="ada")
            memory.lessons.state().covering("a queue is slow", ScopeView(None, None, None, None))
