"""The labelled sentences, and training on them."""

import random
from pathlib import Path

import pytest

from agentcl.retrieval.conditions import is_installed
from agentcl.statements.digesters.tagging import StatementTagger, Tagged
from training.statements.sentences import Labelled, load, varied


def test_all_labels_are_words_of_their_sentences() -> None:
    sentences = load()
    assert len(sentences) > 1_500
    assert 0.2 < sum(not one.says for one in sentences) / len(sentences) < 0.6
    assert len({one.text for one in sentences}) == len(sentences)


def test_a_label_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wrong.jsonl"
    file.write_text(
        '{"before": "", "text": "I live in Oudra.", "says": [{"slot": "home", "value": "Tarvo", "who": "user", '
        '"attr": "", "ended": false, "when": ""}]}\n'
    )
    with pytest.raises(ValueError, match=r"wrong.jsonl, line 1"):
        load([file])


def test_a_sentence_typed_otherwise_says_the_same() -> None:
    one = Labelled("Grell came.", "She lives in Oudra.", (Tagged("home", "Oudra", who="Grell"),))
    for seed in range(30):
        other = varied(one, random.Random(seed))
        assert other.says[0].value in other.text
        assert other.says[0].who in other.before


@pytest.mark.skipif(not is_installed(), reason="the model needs agentcl[local]")
def test_what_is_written_is_what_was_trained(tmp_path: Path) -> None:
    from training.statements.read import save, train
    from training.statements.values import measured, report

    sentences = load()[:24]
    model = train(sentences, epochs=45, rate=3e-3, seed=0)
    file = tmp_path / "weights" / "small.safetensors"
    save(model, file)
    told = measured(StatementTagger(file), sentences, 0.5)
    assert told["found"] > 0.3 * told["wanted"], report(told)  # it has learned these few by heart
