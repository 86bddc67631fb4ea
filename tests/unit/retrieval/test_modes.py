from typing import Any, get_args

import pytest

from agentcl import InvalidInput
from agentcl.retrieval.modes import MODES, PUBLISHED, Mode, search_mode


def test_the_table_holds_the_public_modes_by_their_names() -> None:
    assert tuple(MODES) == get_args(Mode)
    for name, mode in MODES.items():
        assert mode.name == name
        assert search_mode(mode) is MODES[name]


def test_the_published_mode_is_no_public_name() -> None:
    assert search_mode(PUBLISHED) is PUBLISHED
    name: Any = PUBLISHED.name
    with pytest.raises(InvalidInput, match="unknown mode 'hipporag2'; choose one of hybrid, dense"):
        search_mode(name)


@pytest.mark.parametrize("wrong", ["hybird", None, ["dense"]])
def test_a_wrong_mode_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="unknown mode"):
        search_mode(wrong)


def test_several_rankings_are_always_joined() -> None:
    for mode in (*MODES.values(), PUBLISHED):
        assert (mode.joins == "none") == (len(mode.rankings) == 1 and not mode.walks)
