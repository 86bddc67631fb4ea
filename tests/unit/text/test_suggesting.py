import pytest

from agentcl.text.suggesting import did_you_mean, nearest

KNOWN = ("encoder", "index", "path")


@pytest.mark.parametrize(
    ("name", "advice", "said"),
    [
        ("encodre", "known settings: x", "; did you mean 'encoder'? Known settings: x"),
        ("encodre", "", "; did you mean 'encoder'?"),
        ("zebra", "known settings: x", "; known settings: x"),
        ("zebra", "", ""),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_one(name: str, advice: str, said: str) -> None:
    assert did_you_mean(name, KNOWN, advice) == said


def test_a_name_that_shares_some_letters_is_not_said_to_be_meant() -> None:
    assert did_you_mean("nope", ("hashing", "openai")) == ""


def test_the_nearest_names_come_first() -> None:
    assert nearest("inde", ["indoor", "index", "path"], most=2) == ["index", "indoor"]
    assert nearest("zebra", KNOWN) == []
