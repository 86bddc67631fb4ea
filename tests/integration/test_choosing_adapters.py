"""Which of several stable adapters answers: by what is asked, with the bare model as a choice, and in doubt the narrowest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.consolidation import TrainingRow
from agentcl.consolidation.choosing_rows import write_choosing
from agentcl.consolidation.registry import judged, next_name, register
from agentcl.consolidation.rows.building import rows_text
from agentcl.memory.adapters.choosing import VECTORS, learned_vectors
from agentcl.memory.adapters.files import hashes_of
from agentcl.retrieval import HashingEncoder
from agentcl.store import Adapter, Scope
from tests.integration.server.proxy.test_adapters import BASE, Serving, ask
from tests.upstreams import proxied

ROOM = "Please look up Bram's office."
HABIT = "Remind me what holds when a valve is stuck."
GENERAL = "What is the capital of Norway?"
PEOPLE = ("Orla", "Ilka", "Tomas", "Nuria", "Sefa", "Bram")
TROUBLES = ("the printer jams", "an invoice is wrong", "a parcel is late", "a valve is stuck")
ADA = Scope(user="ada")


class Meaning(HashingEncoder):
    """Stands for an encoder by meaning: the words here are the same where the meaning is."""

    is_lexical = False


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder=Meaning(), durability="normal") as memory:
        yield memory


def rooms() -> list[str]:
    forms = ("What is {}'s office?", "Tell me {}'s office.", "Please look up {}'s office.")
    return [form.format(name) for name in PEOPLE for form in forms]


def habits() -> list[str]:
    forms = (
        "What do you know for when {}?",
        "Remind me what holds when {}.",
        "Situation: {}. Lesson?",
    )
    return [form.format(what) for what in TROUBLES for form in forms]


def made(
    memory: Memory,
    prompts: list[str],
    scope: Scope = Scope(),  # noqa: B008  # a value
    *,
    weights: str = "w",
    has_vectors: bool = True,
) -> Adapter:
    """Let an adapter be stable in a scope, which learned some prompts of a record."""
    said: Any = {"user": scope.user} if scope.user else {}
    one = memory.statements.add(f"x{len(prompts)}", "office", weights, **said)
    name = next_name(memory, scope, "0123456789abcdef")
    holds = {one.id: one.version}
    register(memory, Adapter(id="", scope=scope, key=name, base=BASE, weights=weights, holds=holds))
    folder = memory.adapters.folder(name)
    folder.mkdir(parents=True)
    rows = [TrainingRow((one.id,), "recall", "train", prompt, "so") for prompt in prompts]
    (folder / "rows.jsonl").write_text(rows_text(rows), "utf-8")
    if has_vectors:
        write_choosing(folder, memory.store.encoder)
    judged(memory, name, gate={"is_passed": True}, files=hashes_of(folder), method={})
    return memory.adapters.route(name, "stable")


def who(memory: Memory, asked: str, **scope: str) -> str:
    return memory.adapters.answering(asked=asked, **{"user": "ada", **scope}).name


def test_what_is_asked_chooses_between_what_a_user_has_and_what_all_have(memory: Memory) -> None:
    wide, own = made(memory, rooms()), made(memory, habits(), ADA)
    assert who(memory, ROOM) == wide.name
    assert who(memory, HABIT) == own.name
    found = memory.adapters.answering(asked=ROOM, user="ada")
    assert found.why.startswith(f"{wide.name} is for what is asked")
    assert own.name in found.why
    assert [coin.adapter for coin in found.coins] == [wide.id]
    bare = memory.adapters.answering(asked=GENERAL, user="ada")
    assert (bare.name, bare.coins) == ("", ())
    assert bare.why.startswith("the bare model is for what is asked")
    # Who sees one of them alone has no choice, and no cost of one.
    assert memory.adapters.answering(asked=HABIT, user="bob").name == wide.name
    assert memory.adapters.answering(asked=HABIT, user="bob").why == ""


def test_nothing_asked_or_in_doubt_the_narrowest_scope_answers(memory: Memory) -> None:
    made(memory, rooms())
    own = made(memory, habits(), ADA)
    assert memory.adapters.answering(user="ada").name == own.name
    assert memory.adapters.answering(user="ada").why == ""
    for asked in ("xyzzy", "  ", "\N{SNOWMAN}"):
        assert who(memory, asked) == own.name


def test_a_conversation_keeps_its_choice_until_somebody_decides(memory: Memory) -> None:
    wide, own = made(memory, rooms()), made(memory, habits(), ADA)
    assert who(memory, ROOM, session="s") == wide.name
    assert who(memory, HABIT, session="s") == wide.name
    assert who(memory, HABIT, session="t") == own.name
    memory.adapters.route(wide.name, "off")
    assert who(memory, ROOM, session="s") == own.name


def test_an_adapter_of_another_base_or_without_vectors_leaves_no_choice(memory: Memory) -> None:
    wide = made(memory, rooms())
    other = made(memory, habits(), Scope(user="bob"), weights="others")
    assert who(memory, ROOM, user="bob") == other.name
    plain = made(memory, habits(), ADA, has_vectors=False)
    assert who(memory, ROOM) == plain.name
    changed = made(memory, habits(), Scope(user="eve"))
    file = memory.adapters.folder(changed.name) / VECTORS
    file.write_bytes(file.read_bytes() + b"\0")
    assert who(memory, ROOM, user="eve") == changed.name
    assert who(memory, ROOM, user="bob") != wide.name


def test_vectors_of_another_encoder_are_not_used(memory: Memory, tmp_path: Path) -> None:
    made(memory, rooms())
    own = made(memory, habits(), ADA)
    file = memory.adapters.folder(own.name) / VECTORS
    assert learned_vectors(file.parent, own, memory.store.encoder.name) is not None
    assert learned_vectors(file.parent, own, "another") is None


def test_an_encoder_of_spelling_alone_does_not_choose(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        made(memory, rooms())
        own = made(memory, habits(), ADA)
        found = memory.adapters.answering(asked=ROOM, user="ada")
        assert (found.name, found.why) == (own.name, f"{own.name} is of the narrowest scope")


def test_after_a_forgetting_it_chooses_as_if_the_adapter_had_never_been(memory: Memory) -> None:
    made(memory, rooms())
    made(memory, habits(), ADA)
    before = memory.adapters.answering(asked=ROOM, user="ada", agent="a").why
    third = made(
        memory, ["Which tea does Ilka like?", "Tell me Ilka's tea."], Scope(user="ada", agent="a")
    )
    with_it = memory.adapters.answering(asked=ROOM, user="ada", agent="a").why
    assert third.name in with_it
    receipt = memory.forget(next(iter(third.holds)), user="ada")
    assert receipt.adapters == (third.name,)
    assert not (memory.adapters.folder(third.name) / VECTORS).exists()
    assert memory.adapters.answering(asked=ROOM, user="ada", agent="a").why == before


def test_an_episode_is_answered_by_what_its_goal_chooses(memory: Memory) -> None:
    wide, own = made(memory, rooms()), made(memory, habits(), ADA)
    found = []
    for goal in (ROOM, HABIT):
        with memory.episode("help", goal=goal, user="ada") as episode:
            found.append(episode.answering().name)
            episode.finish(1.0)
    assert found == [wide.name, own.name]


def test_the_proxy_answers_a_conversation_by_what_it_began_with(memory: Memory) -> None:
    wide, own = made(memory, rooms()), made(memory, habits(), ADA)
    serving = Serving(wide.name, own.name)
    with proxied(memory, serving.upstream) as client:
        for first, name in ((ROOM, wide.name), (HABIT, own.name), (GENERAL, "")):
            body = {"model": BASE, "messages": [{"role": "user", "content": first}]}
            headers = {"x-agentcl-user": "ada", "x-agentcl-session": first[:6]}
            answer = client.post("/v1/chat/completions", json=body, headers=headers)
            assert answer.headers.get("x-agentcl-adapter", "") == name
        assert ask(client, user="bob").headers["x-agentcl-adapter"] == wide.name
