"""From streams and scores to blocks, matrices and attempts."""

import pytest

from agentcl import InvalidInput
from agentcl.bench.metrics.lifelong import Block, transfer_pairs
from agentcl.bench.metrics.plasticity import reuse
from agentcl.bench.metrics.readings import attempts_from, blocks_from, matrix_from
from agentcl.bench.metrics.transfer import ScoreMatrix, transfer
from agentcl.envs.base import Task
from agentcl.envs.streams.builders import alternating_stream
from agentcl.envs.streams.reuse import reused_stream, unmet, unrelated_stream
from agentcl.envs.streams.stream import TaskStream

POOLS = {family: [Task("w", family, 0)] for family in ("a", "b")}


def stream(rounds: int = 1) -> TaskStream:
    return alternating_stream("s", POOLS, episodes=2, test_episodes=1, seed=0, rounds=rounds)


# test a, test b, train a twice, test a, test b, train b twice, test a, test b
SCORES = [0.1, 0.2, 0.5, 0.7, 0.8, 0.4, 0.6, 1.0, 0.3, 0.9]


def test_a_stream_with_tests_between_becomes_blocks_and_a_matrix() -> None:
    blocks = blocks_from(stream(), SCORES)
    assert blocks == [
        Block("test", "a", (0.1,)), Block("test", "b", (0.2,)),
        Block("train", "a", (0.5, 0.7)),
        Block("test", "a", (0.8,)), Block("test", "b", (0.4,)),
        Block("train", "b", (0.6, 1.0)),
        Block("test", "a", (0.3,)), Block("test", "b", (0.9,)),
    ]  # fmt: skip
    matrix = matrix_from(blocks)
    assert matrix == ScoreMatrix.of([[0.1, 0.2], [0.8, 0.4], [0.3, 0.9]])
    assert transfer(matrix).backward_transfer == pytest.approx(-0.5)
    assert transfer(matrix).forward_transfer == pytest.approx(0.2)
    assert [pair.direction for pair in transfer_pairs(blocks)] == ["backward", "forward"]


def test_what_failed_counts_nowhere() -> None:
    scores = [*SCORES[:2], None, 0.7, None, *SCORES[5:]]
    blocks = blocks_from(stream(), scores)
    assert blocks[2] == Block("train", "a", (0.7,))
    assert [block.task for block in blocks if block.kind == "test"] == ["a", "b", "b", "a", "b"]
    matrix = matrix_from(blocks)
    assert matrix.rows[1] == (None, 0.4)
    assert transfer(matrix).backward_transfer is None


def test_of_several_rounds_the_matrix_tells_the_first() -> None:
    twice = stream(rounds=2)
    later = [0.0] * (len(twice) - len(SCORES))
    assert matrix_from(blocks_from(twice, [*SCORES, *later])) == matrix_from(
        blocks_from(stream(), SCORES)
    )


def test_a_training_in_two_parts_is_one_stage_and_its_tests_are_averaged() -> None:
    blocks = [
        Block("train", "a", (0.5,)),
        Block("test", "a", (0.2,)),
        Block("train", "a", (0.5,)),
        Block("test", "a", (0.6,)),
    ]
    assert matrix_from(blocks) == ScoreMatrix.of([[None], [0.4]])


def test_an_agent_that_keeps_parts_has_plasticity_and_none_without_them() -> None:
    """It scores 1 where it met every part, 0.6 where it did not; without memory always 0.6."""

    def played(found: TaskStream) -> list[float | None]:
        return [0.6 if missing else 1.0 for _, missing in unmet(found)]

    reused = reused_stream(deployment=2, seed=1)
    found = reuse(attempts_from(reused, played(reused), [0.6] * len(reused)))
    assert found.plasticity == pytest.approx(0.4)
    assert found.plasticity_first_pass == pytest.approx(0.4)
    assert found.generalisation == pytest.approx(0.4)
    assert found.gain_on_unseen == 0
    # three of eighteen were new only as a whole in the first pass
    assert found.stability == pytest.approx(0.4 * 15 / 18)
    assert found.regressed == 0
    contrast = unrelated_stream(seed=1)
    found = reuse(attempts_from(contrast, played(contrast), [0.6] * len(contrast)))
    assert found.plasticity is None
    assert found.gain_on_unseen == 0


def test_attempts_that_failed_in_either_baseline_are_left_out() -> None:
    found = unrelated_stream(seed=1)
    scores: list[float | None] = [None, 0.5, *[1.0] * 16]
    without: list[float | None] = [0.5, None, *[0.5] * 16]
    assert [a.gain for a in attempts_from(found, scores, without)] == [0.5] * 16


def test_streams_and_scores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match="1 scores for the 10 items of 's'"):
        blocks_from(stream(), [0.5])
    with pytest.raises(InvalidInput, match="17 scores for the 18 items"):
        attempts_from(unrelated_stream(), [0.5] * 18, [0.5] * 17)
    with pytest.raises(InvalidInput, match="is in phase 'test'"):
        attempts_from(stream(), [0.5] * 10, [0.5] * 10)
    with pytest.raises(InvalidInput, match="trains anything"):
        matrix_from([Block("test", "a", (0.5,))])
