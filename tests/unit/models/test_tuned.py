"""What was measured of a model is found again for the same weights, and only for them."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents.forms import FORMS
from agentcl.agents.student import Student
from agentcl.agents.teacher import Teacher
from agentcl.agents.transcript import Transcript
from agentcl.envs.acting import Situation
from agentcl.errors import ModelUnavailable, StoreUnavailable
from agentcl.memory.facts.extraction import INSTRUCTIONS, ModelExtractor
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema
from agentcl.models.scripted import ScriptedModel
from agentcl.models.tuned import UNTUNED, WAYS, Asking, asking_of, forget_asking, remember_asking

SEEN = Situation("g", "f", offered=("drain it", "flush it"))


class Weights(ScriptedModel):
    """A model of one name and of weights that can be changed; it remembers the schemas it was given."""

    def __init__(self, weights: str, said: str = "drain it") -> None:
        super().__init__(lambda _: said, name="same")
        self.weights = weights
        self.looks = 0
        self.schemas: list[Schema | None] = []

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        self.schemas.append(schema)
        return super().chat(messages, sampling=sampling, schema=schema)

    def fingerprint(self) -> str:
        self.looks += 1
        return self.weights


@given(st.sampled_from(WAYS), st.integers(0, 3), st.booleans(), st.text())
def test_what_is_remembered_is_found_for_the_same_weights(
    way: str, examples: int, is_constrained: bool, fingerprint: str
) -> None:
    asking = Asking(way, examples, is_constrained)  # type: ignore[arg-type]  # from the table
    remember_asking(fingerprint, asking, model="m", figures={"x": "1 of 2"})
    assert asking_of(Weights(fingerprint)) == asking


def test_other_weights_under_the_same_name_are_asked_as_before() -> None:
    remember_asking("one", Asking("number", 3, False), model="same")
    assert Student(Weights("one")).form is FORMS["number"]
    assert Student(Weights("other")).form is FORMS[UNTUNED.way]


def test_who_never_tuned_anything_is_not_asked_for_a_fingerprint() -> None:
    model = Weights("one")
    Student(model).act(SEEN)
    assert (model.looks, len(model.asked)) == (0, 1)


def test_a_student_looks_once_and_not_at_all_where_it_is_told() -> None:
    remember_asking("one", Asking("number"), model="same")
    model = Weights("one", "2")
    student = Student(model)
    assert [student.act(SEEN).action for _ in range(3)] == ["flush it"] * 3
    assert model.looks == 1
    for told in ({"form": "text"}, {"instructions": ""}, {"demonstrations": ()}):
        model = Weights("one", "2")
        assert Student(model, **told).act(SEEN).action == "2"
        assert model.looks == 0


def test_a_teacher_shows_as_many_examples_and_a_schema_only_where_that_served() -> None:
    pytest.importorskip("jsonschema")
    remember_asking("one", Asking(examples=3, is_constrained=False), model="same")
    record = Transcript("g", "f", (("drain it", "it runs"),), 1.0)
    cases: list[tuple[dict[str, object], int, bool]] = [
        ({}, 3, False),
        ({"examples": 0}, 0, False),
        ({"is_constrained": True}, 3, True),
        ({"instructions": ""}, 0, True),  # trained on the form
    ]
    for given_, shown, is_constrained in cases:
        model = Weights("one", '{"guidance": []}')
        Teacher(model, **given_).distil(record)  # type: ignore[arg-type]  # of different types
        system = given_.get("instructions") != ""
        assert len(model.asked[0]) == 1 + system + 2 * shown
        assert (model.schemas[0] is not None) == is_constrained


def test_an_extractor_leaves_out_a_schema_that_does_harm() -> None:
    pytest.importorskip("jsonschema")
    cases: list[tuple[Asking, str, bool]] = [
        (Asking(), INSTRUCTIONS, True),
        (Asking(is_constrained=False), INSTRUCTIONS, False),
        (Asking(is_constrained=False), "", True),  # trained on the form
    ]
    for asking, instructions, is_constrained in cases:
        remember_asking("one", asking, model="same")
        model = Weights("one", '{"facts": [], "names": []}')
        ModelExtractor(model, instructions=instructions).extract("", "The mill grinds.")
        assert (model.schemas[0] is not None) == is_constrained


def test_forgetting_brings_the_default_back() -> None:
    remember_asking("one", Asking("number"), model="same")
    assert forget_asking("one")
    assert not forget_asking("one")
    assert asking_of(Weights("one")) == Asking()


ODD = [b"", b"[]", b"{", b"\xff\xfe", b"null", b'{"way": "later", "examples": 1, "is_constrained": true}',
       b'{"way": "text", "examples": "1", "is_constrained": true}', b'{"way": "text", "examples": true, "is_constrained": 1}',
       b'{"way": ["text"], "examples": 1, "is_constrained": true}', b"[" * 100_000]  # fmt: skip


@pytest.mark.parametrize("content", ODD, ids=lambda content: content[:20])
def test_a_damaged_file_is_told_and_counts_as_none(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    remember_asking("one", Asking("number"), model="same").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert asking_of(Weights("one")) == Asking()
    assert "measure it again" in caplog.text
    assert remember_asking("one", Asking("number"), model="same").exists()
    assert asking_of(Weights("one")).way == "number"


def test_more_examples_than_there_are_count_as_all() -> None:
    file = remember_asking("one", Asking(), model="same")
    file.write_text(json.dumps({"way": "shown", "examples": 99, "is_constrained": True}))
    assert asking_of(Weights("one")).examples == 3


def test_a_model_that_cannot_be_asked_says_so(own_configuration: Path) -> None:
    class Gone(ScriptedModel):
        def fingerprint(self) -> str:
            raise ModelUnavailable("gone")

    remember_asking("one", Asking(), model="same")
    with pytest.raises(ModelUnavailable):
        asking_of(Gone([]))


def test_a_configuration_that_cannot_be_written_says_what_to_do(
    own_configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_configuration / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own_configuration / "file"))
    with pytest.raises(StoreUnavailable, match="XDG_CONFIG_HOME"):
        remember_asking("one", Asking(), model="same")
    assert asking_of(Weights("one")) == Asking()
