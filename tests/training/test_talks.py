"""The labelled conversations, and what is measured on them."""

from pathlib import Path

import pytest

from agentcl.statements import RuleDigester
from agentcl.statements.digesters.tagging import Tagged
from training.statements.measure import compared, report, total, turns_of
from training.statements.talks import labelled, load_talks

TALK = """\
### A potter
-- 2031-03-10 Mon
U: My sister Ilka sold her kiln in May. Is 1,200 degrees too hot?
= sibling | user | Ilka
= possession | Ilka | kiln | when: in May | ended
A: For earthenware, yes. Where does she live?
U: She's in Oudra.
= home | Ilka | Oudra
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "talk.txt"
    file.write_text(text, "utf-8")
    return file


def test_a_talk_is_read_as_pieces_with_what_they_state(tmp_path: Path) -> None:
    first, second = labelled(load_talks([written(tmp_path, TALK)]))
    assert first.says[1] == Tagged("possession", "kiln", "Ilka", when="in May", ended=True)
    assert second.text == "She's in Oudra."
    assert second.before.endswith("Where does she live?")
    assert "Ilka" in second.before
    assert second.says == (Tagged("home", "Oudra", "Ilka"),)


@pytest.mark.parametrize(
    "wrong",
    [
        "= home | Ilka | Tarvo",
        "= home | Grell | Oudra",
        "= where | Ilka | Oudra",
        "= home | Ilka",
        "Oudra it is.",
    ],
)
def test_a_line_that_is_not_of_the_words_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"talk.txt, line 9"):
        load_talks([written(tmp_path, f"{TALK}{wrong}\n")])


def test_all_talks_are_of_the_form() -> None:
    talks = load_talks()
    assert len(talks) > 100
    pieces = labelled(talks)
    assert 0.2 < sum(not one.says for one in pieces) / len(pieces) < 0.6


def test_what_was_read_is_compared_with_the_labels(tmp_path: Path) -> None:
    talks = load_talks([written(tmp_path, TALK.replace("She's", "She lives"))])
    (session,) = talks[0].sessions
    assert turns_of(session)[2].said_at.startswith("2031-03-10T12")
    said = RuleDigester().digest(turns_of(session), ()).said
    found = compared(session, [one for one in said if one.value == "Oudra"])
    assert found == {"wanted": 2, "given": 1, "right": 1}
    assert report(found) == "recall 50.0 of 2, precision 100.0 of 1, F1 66.7"
    assert total(talks, lambda turns: RuleDigester().digest(turns, ()))["wanted"] == 2
