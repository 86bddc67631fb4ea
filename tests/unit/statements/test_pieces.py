"""What of a conversation the trained model is given to read."""

from agentcl.statements.digesters.pieces import OwnWords, pieces


def test_each_piece_stands_behind_what_was_said_before_it() -> None:
    said = [
        ("user", "My sister Ilka came."),
        ("assistant", "From where?"),
        ("user", "From Oudra. She has a kiln."),
    ]
    assert list(pieces(said)) == [
        OwnWords("", "My sister Ilka came.", 0),
        OwnWords("My sister Ilka came. From where?", "From Oudra. She has a kiln.", 2),
    ]


def test_a_long_turn_is_read_in_pieces_of_whole_sentences() -> None:
    sentence = "The kiln in the yard behind the mill was cold again this morning."
    found = list(pieces([("user", " ".join([sentence] * 12))]))
    assert len(found) > 2
    assert all(piece.text.endswith(".") and len(piece.text) <= 360 for piece in found)
    assert sum(piece.text.count("kiln") for piece in found) == 12
    assert found[1].before.endswith(sentence)


def test_what_was_pasted_is_not_read_and_of_an_answer_only_its_end() -> None:
    found = list(
        pieces([("assistant", "Well. " * 400 + "Which size?"), ("user", "42\n> I live in Rome.")])
    )
    assert found == [OwnWords(found[0].before, "42", 1)]
    assert found[0].before.endswith("Which size?")
    assert len(found[0].before) <= 160


def test_what_others_say_is_no_piece() -> None:
    assert not list(pieces([("assistant", "I live in Rome."), ("tool", "Paris")]))
