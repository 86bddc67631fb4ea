"""Which action is meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents.matching import meant_action

DRAINS = ("drain Tavon", "drain Kolen", "restart Tavon")
ROOM = ("open wooden door", "close door", "go to kitchen", "go to kitchen table", "put ball on box")


@pytest.mark.parametrize(
    ("said", "actions", "meant"),
    [
        ("drain Tavon", DRAINS, "drain Tavon"),
        (' "Drain tavon." ', DRAINS, "drain Tavon"),
        ("drain Tavon\nThat will help.", DRAINS, "drain Tavon"),
        ("I will drain the Tavon now", DRAINS, "drain Tavon"),
        ("open the wooden doors", ROOM, "open wooden door"),
        ("open it", ROOM, "open wooden door"),
        ("I go to kitchen, slowly", ROOM, "go to kitchen"),
        ("go to the kitchen table slowly", ROOM, "go to kitchen table"),
        ("put the ball on the box", ROOM, "put ball on box"),
    ],
)
def test_the_action_is_found(said: str, actions: tuple[str, ...], meant: str) -> None:
    assert meant_action(said, actions) == meant


@pytest.mark.parametrize(
    ("said", "actions"),
    [
        ("", DRAINS),
        ("the", DRAINS),
        ("Tavon", DRAINS),  # no verb
        ("drain", DRAINS),  # of two
        ("flush Tavon", DRAINS),  # another verb
        ("drain Tavon or restart Tavon", DRAINS),
        ("do not drain Tavon", DRAINS),
        ("don't drain Tavon", DRAINS),
        ("open the iron door", ROOM),  # no word is taken for another
        ("put box on ball", ROOM),  # order counts
        ("drain Tavon", ()),
        ("drain Tavon", None),
    ],
)
def test_what_may_mean_another_or_none_means_none(
    said: str, actions: tuple[str, ...] | None
) -> None:
    assert meant_action(said, actions) is None


@given(st.text(), st.lists(st.text()))
def test_what_is_meant_is_always_admissible_and_what_is_said_exactly_is_meant(
    said: str, actions: list[str]
) -> None:
    assert meant_action(said, actions) in [None, *actions]
    assert meant_action(said, [*actions, said]) is not None
