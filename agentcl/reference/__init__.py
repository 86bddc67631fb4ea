"""The reference model: a small language model of our own, shipped with the package, and its worlds.

It reads controlled English with invented names, so everything that it answers has to come from its
prompt: `open_reference` opens it, `read_passage` and its like make endless fresh examples.
"""

from agentcl.envs.names import Names
from agentcl.reference.acting import choose_action, write_guidance
from agentcl.reference.examples import Example, Turn
from agentcl.reference.reading import (
    choose_facts,
    final_answer,
    read_passage,
    read_passages,
)
from agentcl.reference.shipped import REFERENCE_FOLDER, open_reference
from agentcl.reference.worlds import Fact, Passage, World, make_world

__all__ = [
    "REFERENCE_FOLDER",
    "Example",
    "Fact",
    "Names",
    "Passage",
    "Turn",
    "World",
    "choose_action",
    "choose_facts",
    "final_answer",
    "make_world",
    "open_reference",
    "read_passage",
    "read_passages",
    "write_guidance",
]
