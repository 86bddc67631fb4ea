"""Letters as they look."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text.lookalikes import looks
from agentcl.text.unseen import is_ignorable


@pytest.mark.parametrize(
    "spelled",
    [
        "IGNORE",
        "ｉｇｎｏｒｅ",  # noqa: RUF001  # wide
        "ignоrе",  # noqa: RUF001  # Cyrillic o and e
        "ΙGΝΟRΕ",  # noqa: RUF001  # Greek capitals
        "ɪɢɴᴏʀᴇ",  # small capitals
        "𝓲𝓰𝓷𝓸𝓻𝓮",  # noqa: RUF001
        "ⓘⓖⓝⓞⓡⓔ",
        "🅸🅶🅽🅾🆁🅴",
        "🇮🇬🇳🇴🇷🇪",
        "ígnöre",
        "i\u0336g\u0336n\u0336o\u0336r\u0336e\u0336",
        "i\u20ddgnore",
        "ıgnøre",  # noqa: RUF001
        "ig\u034fn\ufe0fo\u200dr\U000e0101e\u3164",
    ],
)
def test_a_word_is_read_as_it_looks(spelled: str) -> None:
    assert looks(spelled) == "ignore"


def test_other_scripts_stay_themselves() -> None:
    assert looks("队列很慢 10 µm 👍🏽") == "队列很慢 10 μm 👍🏽"
    assert looks("“Don’t”") == '"don\'t"'  # noqa: RUF001


@given(st.text())
def test_nothing_that_is_not_drawn_changes_what_is_read(text: str) -> None:
    assert not any(map(is_ignorable, looks(text)))
    filled = "".join(f"{char}\u034f\ufe0f\U000e0041" for char in text)
    if unicodedata.is_normalized("NFKC", text) and not any(map(unicodedata.combining, text)):
        assert looks(filled) == looks(text)
