"""A frozen model and a memory: the same questions, before and after the memory has learned.

The reference model comes with the package and reads controlled English only. Needs
`pip install 'agentcl[reference]'`.
"""

import random
import tempfile

from agentcl import Memory
from agentcl.envs import Names
from agentcl.models import Message, open_reference
from agentcl.text import final_answer
from training.worlds import make_world

rng = random.Random(11)
world = make_world(rng, Names(rng), passages=[(3,), (3,), (3,), (3,)])
model = open_reference()
frozen = model.fingerprint()

with tempfile.TemporaryDirectory() as folder, Memory(folder) as memory:
    for is_learned in (False, True):
        if is_learned:
            memory.add_many(passage.text for passage in world.passages)
        right = 0
        for fact in world.facts():
            question = f"Question: Name the {fact.relation.noun} of {fact.subject}."
            recalled = memory.search(question, limit=3).prompt(budget_tokens=800)
            asked = [Message("system", recalled)] if recalled else []
            answer = final_answer(model.chat([*asked, Message("user", question)]).text)
            right += answer == fact.value
            print(f"{question:48}  {answer:12}  {'right' if answer == fact.value else ''}")
        print(f"right: {right} of {len(world.facts())}\n")

print("the model is", "the same" if model.fingerprint() == frozen else "another")
