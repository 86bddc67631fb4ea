"""What a model is shown of very many actions."""

from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents.matching import fitting_actions
from agentcl.agents.offering import shortlist

ROOMS = ("attic", "cellar", "garage", "kitchen")
THINGS = ("ball", "box", "cup", "egg", "hat", "key", "pen")
ACTIONS = (
    *(f"examine {thing}" for thing in THINGS),
    *(f"go to {room}" for room in ROOMS),
    "look around",
    *(f"look at {thing}" for thing in THINGS),
    *(f"move {thing} to {room}" for thing in THINGS for room in ROOMS),
    "wait",
)


def test_few_actions_are_shown_as_they_are() -> None:
    assert shortlist(ACTIONS, ["find an egg"], len(ACTIONS)) == ACTIONS


def test_kinds_stand_for_many_actions() -> None:
    assert shortlist(ACTIONS, ["find an egg"], 12) == (
        "examine ...", "go to ...", "look around", "look at ...", "move ...", "wait",
    )  # fmt: skip


def test_a_kind_that_is_spoken_of_is_written_out_where_there_is_room() -> None:
    shown = shortlist(ACTIONS, ["go to where the egg is"], 12)
    assert shown == (
        "examine ...", *(f"go to {room}" for room in ROOMS), "look around", "look at ...", "move ...", "wait",
    )  # fmt: skip
    assert "move ..." in shortlist(ACTIONS, ["move the egg"], 12)  # it has 24 members


def test_of_one_kind_its_own_kinds_are_shown() -> None:
    moves = [one for one in ACTIONS if one.startswith("move")]
    assert shortlist(moves, [], 12) == tuple(f"move {thing} to ..." for thing in THINGS)


@given(
    st.lists(st.text("ab ", min_size=1, max_size=9).map(str.strip).filter(bool), unique=True),
    st.integers(1, 9),
)
def test_every_action_is_shown_or_fits_a_kind_that_is(actions: list[str], most: int) -> None:
    shown = shortlist(actions, ["a b"], most)
    begins = [one.removesuffix(" ...").split() for one in shown if one not in actions]
    for action in actions:
        words = action.split()
        assert action in shown or any(words[: len(begin)] == begin for begin in begins)


def test_what_is_said_leaves_actions_open_that_hold_all_its_words() -> None:
    assert fitting_actions("go to ...", ACTIONS) == [f"go to {room}" for room in ROOMS]
    assert fitting_actions("move the egg", ACTIONS) == [f"move egg to {room}" for room in ROOMS]
    assert fitting_actions("egg", ACTIONS) == []
