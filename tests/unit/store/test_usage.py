"""What calls took: how it adds up, and that the journal keeps it as it always did."""

import json

import pytest

from agentcl.store.checks import canonical_json
from agentcl.store.episodes import Episode, Reflection
from agentcl.store.records import Record, build
from agentcl.store.rows import body_json
from agentcl.store.usage import NO_USAGE, Usage

HEADER = {"id": "1"}


def read_again(record: Record) -> Record:
    return build(record.kind, HEADER, json.loads(body_json(record)))


def test_what_several_calls_took_adds_up() -> None:
    assert Usage(1, 2, 3, 0.5) + Usage(10, 20, 30, 1.0) == Usage(11, 22, 33, 1.5)
    assert sum([Usage(1, 2, 3)], NO_USAGE).tokens == 5


def test_a_sum_is_estimated_where_a_part_of_it_is() -> None:
    estimated = Usage(1, 2, 3, is_estimated=True)
    assert (estimated + Usage(1, 2, 3)).is_estimated
    assert (Usage(1, 2, 3) + estimated).is_estimated
    assert not (Usage(1, 2, 3) + NO_USAGE).is_estimated


def test_records_keep_four_numbers_and_old_ones_are_read() -> None:
    episode = Episode(id="1", task="t", usage={"act": Usage(2, 150, 15, 1.0)})
    assert json.loads(body_json(episode))["usage"] == {"act": [2, 150, 15, 1.0]}
    assert '"usage":{"act":[2,150,15,1.0]}' in body_json(episode)
    assert read_again(episode) == episode
    assert episode.tokens == 165
    told = Reflection(id="1")
    assert '"usage":[0,0,0,0.0]' in body_json(told)
    assert read_again(told) == told
    old = build("episode", HEADER, {"task": "t", "usage": {"learn": [1, 2, 3, 0.5]}})
    assert isinstance(old, Episode)
    assert old.usage == {"learn": Usage(1, 2, 3, 0.5)}


def test_a_record_is_what_is_read_again_where_tokens_were_estimated() -> None:
    guessed = Usage(1, 2, 3, 0.5, is_estimated=True)
    for record in (Episode(id="1", task="t", usage={"act": guessed}), Reflection(id="1", usage=guessed)):  # fmt: skip
        assert read_again(record) == record


def test_what_has_no_form_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="a set has no form in JSON"):
        canonical_json({"usage": set()})
