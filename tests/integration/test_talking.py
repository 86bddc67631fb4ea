"""The chat in the terminal: what its model is shown before each answer."""

from collections.abc import Sequence
from pathlib import Path

from agentcl import Memory
from agentcl.cli.chat import Talk
from agentcl.models import Message, ScriptedModel

FACT = "My sister Mira lives in Tessary and she keeps bees."
ASKED = "Where does Mira live?"
ECHO = "In Tessary, where Mira lives."


def test_a_question_asked_again_in_chat_shows_the_fact_that_answers_it(tmp_path: Path) -> None:
    prompts: list[str] = []

    def answer(messages: Sequence[Message]) -> str:
        prompts.append("\n".join(one.content for one in messages))
        return ECHO if ASKED in messages[-1].content else "Lovely."

    with Memory(tmp_path / "m", encoder="hashing") as memory:
        me = memory.scoped(user="me")
        Talk(me, "first", ScriptedModel(answer)).hear(FACT)
        for number in range(3):
            Talk(me, f"asked {number}", ScriptedModel(answer)).hear(ASKED)
    for prompt in prompts[1:]:
        assert FACT in prompt
        assert ECHO not in prompt
        assert prompt.count(ASKED) == 1
