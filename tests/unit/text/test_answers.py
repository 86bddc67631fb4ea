"""What a model said: thoughts apart, and the answer out of the words around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text.answers import final_answer, said_aloud, spoken, without_thoughts


@pytest.mark.parametrize(
    "text",
    [
        "<think>I could pause Tavon.</think>\ndrain Tavon",
        "<think>\n\n</think>\n\ndrain Tavon",
        "I could pause Tavon.\n</think>\n\ndrain Tavon",  # the template opened the thought
        "<think>I am in a <think> block.</think>drain Tavon",
        "<think>a<think>pause Tavon</think>b</think>drain Tavon",
        "<think>one</think><think>two</think>drain Tavon",
        "drain Tavon\n<think>Was that right?</think>",
        "<THINKING>pause Tavon?</THINKING> drain Tavon",
        '<thinking type="long">pause Tavon?</thinking>drain Tavon',
        "<reasoning>pause Tavon?</reasoning>\ndrain Tavon",
        "<seed:think>pause Tavon?</seed:think>drain Tavon",
        "[THINK]pause Tavon?[/THINK]drain Tavon",
        "◁think▷pause Tavon?◁/think▷drain Tavon",
        "<|START_THINKING|>pause Tavon?<|END_THINKING|>drain Tavon",
        "<|begin_of_thought|>pause?<|end_of_thought|>\n<|begin_of_solution|>drain Tavon<|end_of_solution|>",
        "<|channel>thought\npause Tavon?<channel|>drain Tavon",
        "<|channel|>analysis<|message|>pause Tavon?<|end|><|start|>assistant<|channel|>final<|message|>drain Tavon",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary to=f<|message|>b<|call|>"
        "<|start|>assistant<|channel|>final <|constrain|>text<|message|>drain Tavon<|return|>",
        "analysisThe user wants to pause Tavon.assistantfinaldrain Tavon",
        "Thought: pause Tavon would be too weak.\nAction: drain Tavon",
        "Thought: it is slow.\nAction: drain Tavon\nObservation: done.\nThought: next.\nAction: pause Tavon",
        "**Thought:** it is slow.\n**Action:** drain Tavon",
        "Thought: it is slow.\n\ndrain Tavon",
        "<think>Thought: x\nAction: pause Tavon</think>Action: drain Tavon",
        "Thought\uff1apause Tavon would be too weak.\nAction\uff1adrain Tavon",  # as Chinese keyboards write it
        "Thought 1: pause Tavon?\nAction 1: drain Tavon\nObservation 1: done.\nAction 2: pause Tavon",
        "### Thought\npause Tavon is too weak\n\n### Action\ndrain Tavon",
        "**Thought**\npause Tavon is too weak\n**Action**\ndrain Tavon",
        "analysispause Tavon? no.assistantfinaldrain Tavon",
        "<antThinking>pause Tavon?</antThinking>drain Tavon",
        "<inner_monologue>pause Tavon?</inner_monologue>\ndrain Tavon",
        "< think >pause Tavon?</ think >drain Tavon",
        "Final Answer: drain Tavon",
        "Final Answer\uff1adrain Tavon",
        "**Answer:** drain Tavon",
        "<answer>drain Tavon</answer>",
        "<think>x</think><answer>\ndrain Tavon\n</answer>",
        "```\ndrain Tavon\n```",
        "```text\ndrain Tavon\n```",
        "It is slow, so it has to be drained. Answer: drain Tavon.",
        'I have to end with "Answer: " and an action. Answer: drain Tavon',
        "drain Tavon",
    ],
)
def test_the_answer_is_what_is_said_after_the_thoughts(text: str) -> None:
    assert final_answer(text).strip("* ") == "drain Tavon"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "<think>I could pause Tavon, or rather dra",
        "Okay. <think>I could pause Tavon",
        "<think>drain Tavon</think>",
        "[THINK]I could drain Tavon",
        "<|channel|>analysis<|message|>I could drain Tavon",
        "<|channel|>analysis<|message|>drain Tavon<|end|><|start|>assistant<|channel|>fin",
        "analysisI could drain Tavon",
        "Thought: I could drain Tavon",
        "**Thought**: I could drain Tavon\nor pause it",
    ],
)
def test_who_only_thought_said_nothing(text: str) -> None:
    assert spoken(text) == ""
    assert final_answer(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1\nFROM t WHERE a < b AND think > 2",
        "analysis of the queue",
        "I think that it thinks.",
        "if a<b: print(c>d)",
    ],
)
def test_words_about_thinking_are_no_marks(text: str) -> None:
    assert without_thoughts(text) == text
    assert final_answer(text) == text.rstrip(".")


@pytest.mark.parametrize(
    "text",
    [
        "<think>She means Oslo.</think>\n\nDrain it.",
        "\n<think>\n</think>\nDrain it.",
        "She means Oslo.\n</think>\n\nDrain it.",
        "[THINK]She means Oslo.[/THINK]Drain it.",
        "<|channel|>analysis<|message|>Oslo.<|end|><|start|>assistant<|channel|>final<|message|>Drain it.",
    ],
)
def test_aloud_is_said_what_follows_a_thought(text: str) -> None:
    assert said_aloud(text) == "Drain it."


@pytest.mark.parametrize(
    "text",
    [
        "Drain it.\n",
        "Qwen begins a thought with <think> and ends it with </think>, which you cut out.",
        "The template is:\n```\n<think>\n```\nwithout an end.",
        "Thought: the ferry is late.",
    ],
)
def test_who_speaks_about_marks_says_all_of_it(text: str) -> None:
    assert said_aloud(text) == text


@given(st.text(alphabet=st.characters(exclude_characters="<>[]◁▷|:"), max_size=80))
def test_a_text_without_marks_is_left_as_it_is(text: str) -> None:
    if not text.startswith("analysis"):
        assert without_thoughts(text) == text
